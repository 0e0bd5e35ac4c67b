"""Makes screenshots for the README: ``python -m tests.browser.screenshots FOLDER``; ``--all`` includes every state."""

import argparse
import base64
import io
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium import webdriver

from tests.browser.chromium import chromium
from tests.browser.page import Page
from tests.process import SAMPLES, ServerProcess


def main() -> None:
    """Makes all screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with ServerProcess(folder / "log") as server, chromium(folder / "profile") as browser:
            _take(Page(browser, f"{server.url}/"), chosen.folder)
            if chosen.all:
                _take_others(Page(browser, f"{server.url}/"), chosen.folder)


def _take(page: Page, folder: Path) -> None:
    _dress(page.browser, "light", 1080, 760)
    _try_cat(page)
    for button in page.all("#result .why button"):
        button.click()
    page.wait(lambda: len(page.all("#result canvas.map")) == 2)
    _save(page, folder / "page-try.png")
    page.open("draw")
    page.wait(lambda: page.find("#draw-model").get_attribute("value"))
    page.draw()
    page.says("#draw-result h2", "7, ")
    _save(page, folder / "page-draw.png")
    _dress(page.browser, "dark", 1080, 760)
    page.open("network")
    page.choose("network-model", "mnist/2")
    page.says("#network-status", "mnist")
    _save(page, folder / "page-network.png")


def _take_others(page: Page, folder: Path) -> None:
    for scheme, width in (("dark", 1080), ("light", 1080), ("light", 360), ("dark", 360)):
        _dress(page.browser, scheme, width, 760)
        _take_parts(page, folder, f"{scheme}-{width}")
    _dress(page.browser, "light", 1080, 760)
    page.open()
    _save(page, folder / "empty.png")
    page.open("draw")
    _save(page, folder / "draw-empty.png")


def _take_parts(page: Page, folder: Path, name: str) -> None:
    _try_cat(page)
    _save(page, folder / f"try-{name}.png")
    page.open("network")
    page.wait(lambda: page.all("#layers img.mosaic"))
    _save(page, folder / f"network-{name}.png")
    page.open("models")
    page.wait(lambda: page.all("#cards table"))
    page.all("#cards details summary")[0].click()
    page.all("#cards details summary")[1].click()
    page.wait(lambda: page.all("#cards .figures img"))
    time.sleep(2.5)  # for a second reading of the metrics
    _save(page, folder / f"models-{name}.png")
    bad = folder.resolve() / "a recipe.txt"
    bad.write_text("flour, water, salt")
    for beside, many in (("", "many"), ("cifar10/1", "many-two")):
        page.open().choose("beside", beside)
        page.upload(*(path.resolve() for path in sorted(SAMPLES.glob("cifar10_*_0.png"))), bad)
        page.wait(lambda: page.all("#result table"))
        _save(page, folder / f"{many}-{name}.png")
    page.all("#result .thumbnail")[3].click()
    page.wait(lambda: page.all("#details article"))
    _save(page, folder / f"details-{name}.png")
    page.open().upload(bad)
    page.says("#problem", "picture")
    _save(page, folder / f"problem-{name}.png")


def _try_cat(page: Page) -> None:
    page.open().choose("beside", "cifar10/1")
    page.upload(SAMPLES / "cifar10_cat_0.png")
    page.wait(lambda: len(page.all("#result article")) == 2)


def _dress(browser: webdriver.Chrome, scheme: str, width: int, height: int) -> None:
    emulated = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def _save(page: Page, path: Path) -> None:
    """Saves a screenshot of the whole page, of any length."""
    page.browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    height = page.browser.execute_script("return document.documentElement.scrollHeight")
    width = page.browser.execute_script("return innerWidth")
    area = {"x": 0, "y": 0, "width": width, "height": min(height, 4000), "scale": 1}
    shot = page.browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": area})
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as picture:
        picture.convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    main()
