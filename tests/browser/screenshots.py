"""Photographs the page for the README: ``python -m tests.browser.screenshots FOLDER``; ``--all`` takes every state."""

import argparse
import base64
import io
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver

from tests.browser.chromium import chromium
from tests.browser.page import Page
from tests.process import SAMPLES, ServerProcess


def main() -> None:
    """Takes them."""
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
    for scheme, width in (("dark", 1080), ("light", 360), ("dark", 360)):
        _dress(page.browser, scheme, width, 760)
        _try_cat(page)
        _save(page, folder / f"try-{scheme}-{width}.png")
        for part in ("draw", "network", "models"):
            page.open(part)
            page.wait(lambda part=part: page.all(f"#{part}:not([hidden])"))
            page.wait(lambda part=part: part != "network" or page.all("#layers img"))
            page.wait(lambda part=part: part != "models" or page.all("#cards [data-live] dt"))
            _save(page, folder / f"{part}-{scheme}-{width}.png")
    _dress(page.browser, "light", 1080, 760)
    page.open().upload(*sorted(SAMPLES.glob("cifar10_*_0.png")))
    page.wait(lambda: page.all("#result table"))
    _save(page, folder / "many.png")


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
    """The whole page, however long."""
    page.browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    height = page.browser.execute_script("return document.documentElement.scrollHeight")
    width = page.browser.execute_script("return innerWidth")
    area = {"x": 0, "y": 0, "width": width, "height": min(height, 4000), "scale": 1}
    shot = page.browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": area})
    with Image.open(io.BytesIO(base64.b64decode(shot["data"]))) as picture:
        picture.convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    main()
