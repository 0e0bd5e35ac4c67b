"""Several pictures on the page: a table that can be sorted and downloaded as CSV."""

import csv
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.page import Page
from tests.process import SAMPLES

pytestmark = pytest.mark.slow


def test_several_pictures_become_a_table_that_sorts_and_a_csv(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "=bad.png"
    bad.write_bytes(b"no picture")
    page.open().upload(*(SAMPLES / f"cifar10_{name}_0.png" for name in ("ship", "cat", "dog")), bad)
    page.says("#status", "3 of 4 pictures")
    page.says("#result td.problem", "picture")
    for direction in ("ascending", "descending"):
        page.find("#result th:nth-child(3) button").click()
        assert page.find("#result th[aria-sort]").get_attribute("aria-sort") == direction
        labels = [cell.text for cell in page.all("#result tbody td:nth-child(3):not(.problem)")]
        assert labels == sorted(labels, reverse=direction == "descending")
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    page.find("#result p button").click()
    page.wait((tmp_path / "predictions.csv").exists)
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == ["ship", "cat", "dog", ""]
    assert (rows[3]["file"], rows[3]["model"]) == ("'=bad.png", "cifar10")
    assert page.barriers() == []


def test_many_pictures_are_compared_and_each_has_its_details(page: Page) -> None:
    page.open().choose("beside", "cifar10/1")
    page.upload(*(SAMPLES / f"cifar10_{name}_0.png" for name in ("ship", "cat")))
    page.says("#status", "2 of 2 pictures classified by cifar10, version 2, and by cifar10, version 1.")
    heads = [head.text for head in page.all("#result th")]
    assert heads[2::2] == ["Label (cifar10 2)", "Label (cifar10 1)", "Notes"]
    page.all("#result .thumbnail")[1].click()
    page.says("#details h2", "cifar10, version 1: cat, ")
    assert page.barriers() == []
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#details-dialog[open]"))


def test_more_pictures_than_one_request_may_hold_are_asked_for_in_several(page: Page, tmp_path: Path) -> None:
    cat = (SAMPLES / "cifar10_cat_0.png").read_bytes()
    names = [tmp_path / f"{number}.png" for number in range(70)]
    for path in names:
        path.write_bytes(cat)
    names[40].write_bytes(cat[: len(cat) // 2])
    page.open().upload(*names)
    page.says("#status", "69 of 70 pictures")
    assert [row.text for row in page.all("#result tbody tr:has(.problem) td.text")] == ["40.png"]
