"""One picture on the page: the ways to give it, and the result that is shown."""

from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import console_errors
from tests.browser.page import Page
from tests.process import SAMPLES

pytestmark = pytest.mark.slow


def test_a_sample_is_uploaded_and_answered_as_the_api_does(page: Page, client: httpx.Client, cat: bytes) -> None:
    page.open().upload(SAMPLES / "cifar10_cat_0.png")
    expected = client.post("/predict?probabilities=all", content=cat).json()["predictions"][0]
    page.says("#result h2", f"{expected['label']}, {100 * expected['probability']:.1f} %")
    first = sorted(expected["probabilities"].values(), reverse=True)[:5]
    shown = [line.text for line in page.all("#result .bars li")]
    assert [text.rsplit(None, 2)[-2] for text in shown] == [f"{100 * share:.2f}" for share in first]
    page.says("#result dl", "Images in its batch")
    assert page.find("#result img.seen").get_attribute("naturalWidth") == "32"
    page.find("#result button[aria-expanded]").click()
    assert len(page.all("#result .bars li")) == 10
    assert page.barriers() == []


def test_it_says_why(page: Page, client: httpx.Client, cat: bytes) -> None:
    page.open().upload(SAMPLES / "cifar10_cat_0.png")
    page.find("#result .why button").click()
    page.says("#result .why figcaption", "Why cat")
    method = client.post("/explain", content=cat).json()["method"]
    page.says("#result .why figcaption", "occlusion" if method == "occlusion" else "HiResCAM")
    script = "const c = arguments[0]; return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    pixels = page.browser.execute_script(script, page.find("#result .why canvas"))
    assert any(red > blue + 40 for red, blue in zip(pixels[::4], pixels[2::4], strict=True))
    assert page.barriers() == []


def test_samples_can_be_clicked_and_two_versions_stand_side_by_side(page: Page) -> None:
    page.open()
    page.choose("model", "mnist/2")
    page.choose("beside", "mnist/1")
    page.wait(lambda: page.all("#samples img[alt='Sample 1']"))
    page.find("#samples button").click()
    page.wait(lambda: len(page.all("#result article")) == 2)
    page.says("#status", "mnist 1:")


def test_pictures_can_be_dropped_anywhere(page: Page) -> None:
    page.open().find("#samples button")
    box = page.browser.execute_script("return document.getElementById('drop').getBoundingClientRect().toJSON()")
    page.drop(SAMPLES / "cifar10_ship_0.png", x=int(box["x"] + 40), y=int(box["y"] + 20))
    page.says("#result h2", "ship, ")
    assert not page.all("#drop.over")
    page.drop(SAMPLES / "cifar10_cat_0.png", SAMPLES / "cifar10_dog_0.png", x=20, y=int(box["bottom"] + 20))
    page.says("#status", "2 of 2 pictures")
    assert page.browser.current_url == f"{page.address}#try"


def test_a_picture_can_be_pasted(page: Page, cat: bytes) -> None:
    page.open().find("#samples button")
    page.paste(cat)
    page.says("#result h2", "cat, ")


def test_the_answer_of_the_picture_before_is_faded_until_the_new_one_is_there(page: Page) -> None:
    page.open().upload(SAMPLES / "cifar10_cat_0.png")
    page.says("#result h2", "cat, ")
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.delay(300)
    try:
        page.upload(SAMPLES / "cifar10_ship_0.png")
        page.wait(lambda: page.all("#result[aria-busy='true']"))
        page.says("#result h2", "ship, ")
        assert not page.all("#result[aria-busy='true']")
    finally:
        page.delay(0)


def test_a_picture_that_is_dropped_on_another_part_is_tried(page: Page) -> None:
    page.open("models")
    page.wait(lambda: page.all("#cards article"))
    page.drop(SAMPLES / "cifar10_cat_0.png", x=200, y=200)
    page.says("#result h2", "cat, ")
    assert page.find("#try").is_displayed()


def test_a_picture_can_be_photographed(page: Page) -> None:
    page.open().find("#camera").click()
    assert page.barriers() == []
    page.wait(lambda: page.find("#camera-take").is_enabled())
    page.find("#camera-take").click()
    page.says("#result figcaption", "Sent: ")
    assert not page.all("#camera-dialog[open]")
    script = "return document.getElementById('camera-view').srcObject"
    assert page.browser.execute_script(script) is None, "the camera is still on"
    page.find("#camera").click()
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#camera-dialog[open]"))


def test_what_is_no_picture_is_refused_and_leaves_no_other_answer(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "notes.txt"
    bad.write_text("no picture")
    page.open().upload(SAMPLES / "cifar10_cat_0.png")
    page.says("#result h2", "cat, ")
    page.upload(bad)
    page.says("#problem", "It is not a picture in a known format")
    assert not page.all("#result article")
    assert page.barriers() == []
    assert [message for message in console_errors(page.browser) if "422" not in message] == []


def test_an_unfamiliar_picture_gets_the_warning_of_the_model(page: Page) -> None:
    page.open().choose("model", "mnist/3")
    page.upload(SAMPLES / "cifar10_cat_0.png")
    page.says("#result .warnings", "it may show something that the model has not learned")


def test_the_prediction_is_shown_without_the_input_of_the_network(page: Page) -> None:
    page.open().find("#samples button")
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/preprocess*"]})
    try:
        page.upload(SAMPLES / "cifar10_cat_0.png")
        page.says("#result h2", "cat, ")
        page.says("#result article", "The input of the network cannot be shown. The service does not answer.")
    finally:
        page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    assert [message for message in console_errors(page.browser) if "BLOCKED_BY_CLIENT" not in message] == []


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_the_address_of_a_picture_is_not_fetched(page: Page, way: str) -> None:
    page.open().find("#samples button")
    if way == "drop":
        page.drop_address("http://pictures.example/cat.png", x=40, y=40)
    else:
        page.paste_text("http://pictures.example/cat.png")
    page.says("#problem", "Addresses are not fetched; save the picture and choose the file.")
