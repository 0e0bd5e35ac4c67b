"""The page with unusual models (many labels, long labels, labels in any script), and with a service that stops."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver

from tests.browser.chromium import console_errors
from tests.browser.page import Page
from tests.fixtures.tiny_models import put
from tests.fixtures.wide_models import channels_model, labelled_model, wide_model
from tests.process import ServerProcess

pytestmark = pytest.mark.slow

LABELS = (
    "חתול (בית)",
    "كلب صغير",
    "word " * 50 + "end",
    "x" * 250,
    "<img src=x onerror=alert(1)>",
    "__proto__",
    "2",
    "10",
)
MODELS = {
    "channels": channels_model("channels"),
    "odd": labelled_model("odd", LABELS),
    "unturned": labelled_model("unturned", ("one", "other"), exif=False),
    "wide": wide_model("wide", 1000),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("odd")
    for name, model in MODELS.items():
        put(folder / "models", name, "1", model)
    with ServerProcess(folder / "log", "--models-dir", str(folder / "models"), "--default-model", "odd") as process:
        yield process


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """A black and a white picture."""
    paths = [tmp_path / "שם.png", tmp_path / f"{'long' * 40}.png"]
    for path, color in zip(paths, ("black", "white"), strict=True):
        Image.new("RGB", (40, 40), color).save(path)
    return paths


def test_models_of_any_labels_can_be_tried(
    browser: webdriver.Chrome, server: ServerProcess, pictures: list[Path]
) -> None:
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page = Page(browser, f"{server.url}/").open()
    page.choose("model", "channels/1")
    page.upload(*pictures)
    page.wait(lambda: page.all("#result table"))
    assert [cell.text for cell in page.all("#result td:nth-child(3)")] == ["no label applies", "red, green, blue"]
    page.upload(pictures[0])
    page.says("#result h2", "no label applies")
    page.says("#result article", "The probabilities are independent")

    page.choose("model", "wide/1")
    page.says("#result h2", "wide, version 1: label ")
    page.find("#result button[aria-expanded]").click()
    assert len(page.all("#result .bars li")) == 1000
    assert len(page.all("#result .why option")) == 1000

    page.choose("model", "odd/1")
    page.says("#result h2", "odd, version 1: ")
    page.find("#result button[aria-expanded]").click()
    shown = {element.get_attribute("textContent") for element in page.all("#result .bars bdi")}
    assert shown == set(LABELS)
    page.choose_in("#result .why select", LABELS[3])
    page.find("#result .why button").click()
    page.says("#result .why figcaption", LABELS[3])
    page.upload(*pictures)
    page.wait(lambda: page.all("#result table"))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    page.open("network").choose("network-model", "odd/1")
    page.says("#layers", "The graph has no plain convolution")
    assert console_errors(browser) == []


def test_a_service_may_go_and_come_back(browser: webdriver.Chrome, tmp_path: Path, pictures: list[Path]) -> None:
    put(tmp_path / "models", "odd", "1", MODELS["odd"])
    flags = ("--models-dir", str(tmp_path / "models"), "--watch-interval-s", "0.5")
    page = Page(browser, "")
    with ServerProcess(tmp_path / "log", *flags) as process:
        page.address = f"{process.url}/"
        page.open().upload(pictures[0])
        page.says("#result h2", "odd, version 1: ")
    page.upload(pictures[1])
    page.says("#problem", "The service does not answer")
    assert not page.all("#result article")
    page.upload(*pictures)
    page.says("#status", "0 of 2 pictures")
    browser.execute_script("location.hash = 'models'")
    page.says("#problem", "The service does not answer")
    port = re.findall(r":(\d+)", process.url)[0]
    with ServerProcess(tmp_path / "log", *flags, "--port", port):
        page.says("#service-now dt", "Requests a second")
        page.says("#cards dd", "not measured")
        assert page.text("#problem") == ""
        put(tmp_path / "models", "wide", "1", MODELS["wide"])
        page.says("#cards h2", "wide, version 1")
        browser.execute_script("location.hash = 'try'")
        page.upload(pictures[1])
        page.says("#result h2", "odd, version 1: ")


def test_a_folder_is_no_picture_and_says_so(
    browser: webdriver.Chrome, server: ServerProcess, tmp_path: Path, pictures: list[Path]
) -> None:
    folder = tmp_path / "holidays"
    folder.mkdir()
    page = Page(browser, f"{server.url}/").open()
    page.find("#samples button")
    assert page.find("#model").get_attribute("value") == "odd/1", "which answers where no model is named"
    assert page.text("#model option:checked") == "odd, version 1"
    page.drop(folder, x=40, y=40)
    page.says("#problem", "holidays cannot be read: it is a folder")
    page.drop(folder, pictures[1], x=40, y=40)
    page.says("#status", "1 of 2 pictures")
    page.says("#result td.problem", "holidays cannot be read")


def test_the_frame_is_drawn_on_the_picture_as_the_model_turns_it(
    browser: webdriver.Chrome, server: ServerProcess, tmp_path: Path
) -> None:
    orientation = Image.Exif()
    orientation[0x112] = 6
    Image.new("RGB", (80, 40), "teal").save(tmp_path / "lying.jpg", exif=orientation)
    page = Page(browser, f"{server.url}/").open()
    page.upload(tmp_path / "lying.jpg")
    script = "const one = document.querySelector('#result canvas'); return one.height / one.width"
    page.says("#result h2", "odd, version 1: ")
    assert browser.execute_script(script) == 2
    page.choose("model", "unturned/1")
    page.says("#result h2", "unturned, version 1: ")
    assert browser.execute_script(script) == 0.5


def test_a_picture_that_the_browser_cannot_show_has_its_details(
    browser: webdriver.Chrome, server: ServerProcess, tmp_path: Path, pictures: list[Path]
) -> None:
    Image.new("RGB", (40, 40), "teal").save(tmp_path / "one.tiff")
    page = Page(browser, f"{server.url}/").open()
    page.upload(*pictures, tmp_path / "one.tiff")
    page.says("#result .thumbnail", "Details")
    page.all("#result .thumbnail")[2].click()
    page.says("#details", "This browser cannot show the picture that was sent.")
