"""Drawing a digit on the page."""

import pytest

from tests.browser.page import Page

pytestmark = pytest.mark.slow


def test_a_drawn_seven_reads_seven(page: Page) -> None:
    page.open("draw")
    page.wait(lambda: page.find("#draw-model").get_attribute("value"))
    page.draw()
    page.says("#draw-result h2", "7, ")
    assert page.barriers() == []
    page.find("#clear").click()
    page.says("#draw-result", "Nothing is drawn yet")


def test_the_newest_drawing_wins_while_answers_are_slow(page: Page) -> None:
    page.open("draw")
    page.wait(lambda: page.find("#draw-model").get_attribute("value"))
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.delay(300)
    try:
        page.draw()
        page.find("#clear").click()
        page.choose("draw-model", "mnist/1")
        page.says("#draw-result", "Nothing is drawn yet")
        page.draw(((0.5, 0.15), (0.5, 0.85)))
        first = page.wait(lambda: page.text("#draw-result h2"))
        assert not first.startswith("7"), "that drawing was cleared"
        page.says("#draw-result h2", "1, ")
    finally:
        page.delay(0)
