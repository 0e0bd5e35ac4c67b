"""Controls the page at ``/`` as a user does."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

SEVEN = ((0.28, 0.2), (0.72, 0.2), (0.62, 0.42), (0.5, 0.62), (0.42, 0.85))


class Page:
    """The page in a browser."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser = browser
        self.address = address

    def open(self, part: str = "try") -> "Page":
        self.browser.get("about:blank")
        self.browser.get(f"{self.address}#{part}")
        return self

    def find(self, selector: str) -> WebElement:
        found: WebElement = self.wait(lambda: self.browser.find_elements(By.CSS_SELECTOR, selector))[0]
        return found

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, condition: Callable[[], Any]) -> Any:
        return WebDriverWait(self.browser, 20, poll_frequency=0.05).until(lambda _browser: condition())

    def says(self, selector: str, text: str) -> None:
        """Waits until some element has this text."""

        def is_there() -> bool:
            script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent).join(' ')"
            return text in self.browser.execute_script(script, selector)

        try:
            self.wait(is_there)
        except Exception as error:
            seen = [element.text for element in self.all(f"{selector}, #problem")]
            raise AssertionError(f"{text!r} is not in {seen}") from error

    def text(self, selector: str) -> str:
        """The current text of the first matching element."""
        script = "return document.querySelector(arguments[0])?.textContent ?? ''"
        found: str = self.browser.execute_script(script, selector)
        return found

    def choose(self, identity: str, value: str) -> None:
        self.wait(lambda: self.all(f"#{identity} option[value='{value}']"))
        Select(self.find(f"#{identity}")).select_by_value(value)

    def choose_in(self, selector: str, value: str) -> None:
        """Chooses an option in a list that has no id."""
        Select(self.find(selector)).select_by_value(value)

    def upload(self, *paths: Path) -> None:
        self.find("#samples button")
        self.find("#files").send_keys("\n".join(map(str, paths)))

    def drop(self, *paths: Path, x: int, y: int) -> None:
        """Drags files from outside the browser to a point of the window, and drops them there."""
        self._drop({"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}, x, y)

    def drop_address(self, address: str, *, x: int, y: int) -> None:
        """Drags a link to a point of the window, and drops it there."""
        self._drop({"items": [{"mimeType": "text/uri-list", "data": address}], "dragOperationsMask": 1}, x, y)

    def _drop(self, data: dict[str, Any], x: int, y: int) -> None:
        for kind in ("dragEnter", "dragOver", "drop"):
            self.browser.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})

    def paste(self, picture: bytes) -> None:
        """Copies a PNG into the clipboard, and pastes it with the keyboard."""
        self._paste("image/png", picture)

    def paste_text(self, text: str) -> None:
        """Copies a text into the clipboard, and pastes it with the keyboard."""
        self._paste("text/plain", text.encode())

    def _paste(self, kind: str, data: bytes) -> None:
        permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        self.browser.execute_cdp_cmd("Browser.grantPermissions", {"permissions": permissions})
        script = """
            const [kind, data, done] = arguments;
            const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
            const item = new ClipboardItem({ [kind]: new Blob([bytes], { type: kind }) });
            navigator.clipboard.write([item]).then(() => done(""), (error) => done(String(error)));"""
        failed = self.browser.execute_async_script(script, kind, base64.b64encode(data).decode())
        assert failed == "", failed
        ActionChains(self.browser).key_down(Keys.CONTROL).send_keys("v").key_up(Keys.CONTROL).perform()

    def draw(self, points: tuple[tuple[float, float], ...] = SEVEN) -> None:
        """Draws one line with pointer events; the points are shares of the drawing area's width and height."""
        pad = self.find("#pad")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", pad)
        box = self.browser.execute_script(
            "const b = arguments[0].getBoundingClientRect(); return [b.x, b.y, b.width, b.height]", pad
        )
        places = [(round(box[0] + x * box[2]), round(box[1] + y * box[3])) for x, y in points]
        builder = ActionBuilder(self.browser, mouse=PointerInput("pen", "pen"), duration=20)
        pointer = builder.pointer_action
        pointer.move_to_location(*places[0])
        pointer.pointer_down()
        for place in places[1:]:
            pointer.move_to_location(*place)
        pointer.pointer_up()
        builder.perform()

    def walk_to(self, selector: str) -> None:
        """Presses the tab key until a matching element has the focus; every focused element must show its focus."""
        script = """
            const element = document.activeElement;
            const seen = element.closest("label") ?? element;
            const outline = getComputedStyle(seen).outlineStyle;
            return [element.matches(arguments[0]), outline, element.outerHTML.slice(0, 80)];"""
        for _ in range(40):
            self.press(Keys.TAB)
            is_there, outline, html = self.browser.execute_script(script, selector)
            assert outline != "none" or html.startswith("<body"), f"one cannot see that {html} has the focus"
            if is_there:
                return
        raise AssertionError(f"the tab key does not lead to {selector}")

    def delay(self, milliseconds: int) -> None:
        """Delays each answer."""
        slow = {"offline": False, "latency": milliseconds, "downloadThroughput": -1, "uploadThroughput": -1}
        self.browser.execute_cdp_cmd("Network.emulateNetworkConditions", slow)

    def barriers(self) -> list[str]:
        """The accessibility violations that axe-core finds."""
        found = Axe().run(self.browser)["violations"]
        return [f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']][:3]}" for one in found]

    def press(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()
