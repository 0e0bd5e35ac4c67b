"""Several pictures on the page: a table that can be sorted and downloaded as CSV."""

import csv
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.browser.page import Page
from tests.fixtures.models import copy_models, publish
from tests.process import ROOT, SAMPLES, ServerProcess

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
    rows = _download(page, tmp_path)
    assert [row["label"] for row in rows] == ["ship", "cat", "dog", ""]
    assert (rows[3]["file"], rows[3]["model"]) == ("'=bad.png", "cifar10")
    assert page.barriers() == []


def test_many_pictures_are_compared_and_each_has_its_details(page: Page) -> None:
    page.open().choose("beside", "cifar10/1")
    page.upload(*(SAMPLES / f"cifar10_{name}_0.png" for name in ("ship", "cat")))
    page.says("#status", "2 of 2 pictures classified by cifar10, version 2, and by cifar10, version 1.")
    heads = [head.text for head in page.all("#result th")]
    assert heads[2::3] == ["Label (cifar10 2)", "Label (cifar10 1)"]
    page.all("#result .thumbnail")[1].click()
    page.says("#details h2", "cifar10, version 1: cat, ")
    assert page.barriers() == []
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#details-dialog[open]"))


def test_each_model_has_its_own_notes(page: Page, tmp_path: Path) -> None:
    page.open().choose("beside", "mnist/3")
    page.upload(SAMPLES / "cifar10_cat_0.png", SAMPLES / "mnist_7_0.png")
    page.says("#status", "2 of 2 pictures")
    notes = [[cell.text for cell in page.all(f"#result td:nth-child({column})")] for column in (5, 8)]
    assert notes == [["", "upscaled"], ["unfamiliar", ""]]
    rows = _download(page, tmp_path)
    assert [(row["warnings"], row["other_warnings"]) for row in rows] == [("", "unfamiliar"), ("upscaled", "")]


def test_a_model_that_fails_does_not_hide_the_answers_of_the_other(
    one_browser: webdriver.Chrome, tmp_path: Path
) -> None:
    models = copy_models(tmp_path / "models", "cifar10")
    publish(models, "cifar10", "2", (ROOT / "models/cifar10/2/model.onnx").read_bytes())
    flags = ("--models-dir", str(models), "--load-at-start", "defaults")
    with ServerProcess(tmp_path / "log", *flags) as process:
        page = Page(one_browser, f"{process.url}/").open()
        page.choose("beside", "cifar10/1")
        (models / "cifar10/1/model.onnx").unlink()
        page.upload(SAMPLES / "cifar10_cat_0.png")
        page.says("#result article:first-child h2", "cifar10, version 2: cat, ")
        page.says("#result article:last-child .problem", "Version 1 of model cifar10 cannot be loaded")
        page.says("#status", "cifar10 1: no answer")
        page.upload(SAMPLES / "cifar10_cat_0.png", SAMPLES / "cifar10_ship_0.png")
        page.says("#status", "2 of 2 pictures classified by cifar10, version 2, and 0 by cifar10, version 1.")
        rows = _download(page, tmp_path)
        assert [(row["label"], row["error"], row["other_label"]) for row in rows] == [("cat", "", ""), ("ship", "", "")]
        assert all("cannot be loaded" in row["other_error"] for row in rows)


def test_details_do_not_open_over_another_answer(page: Page) -> None:
    page.open().upload(SAMPLES / "cifar10_dog_0.png", SAMPLES / "cifar10_cat_0.png")
    page.says("#status", "2 of 2 pictures")
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.delay(200)
    try:
        page.find("#result .thumbnail").click()
        assert page.all("#result .thumbnail[aria-busy='true']")
        page.upload(SAMPLES / "cifar10_ship_0.png")
        page.says("#result h2", "ship, ")
        assert not page.all("#details-dialog[open]")
    finally:
        page.delay(0)


def test_more_pictures_than_one_request_may_hold_are_asked_for_in_several(page: Page, tmp_path: Path) -> None:
    cat = (SAMPLES / "cifar10_cat_0.png").read_bytes()
    names = [tmp_path / f"{number}.png" for number in range(70)]
    for path in names:
        path.write_bytes(cat)
    names[40].write_bytes(cat[: len(cat) // 2])
    page.open().upload(*names)
    page.says("#status", "69 of 70 pictures")
    assert [row.text for row in page.all("#result tbody tr:has(.problem) td.text")] == ["40.png"]


def _download(page: Page, folder: Path) -> list[dict[str, str]]:
    """The rows of the CSV file."""
    behaviour = {"behavior": "allow", "downloadPath": str(folder)}
    page.browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    page.find("#result p button").click()
    page.wait((folder / "predictions.csv").exists)
    with (folder / "predictions.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))
