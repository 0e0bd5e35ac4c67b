"""The whole page at ``/`` in a real browser with the real service: its parts, keyboard, phone, API keys, size."""

from pathlib import Path

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import console_errors, hosts
from tests.browser.page import Page
from tests.fixtures.keys import write_keys
from tests.fixtures.nginx import nginx
from tests.process import ROOT, SAMPLES, ServerProcess

pytestmark = pytest.mark.slow

FOLDER = ROOT / "service" / "api" / "page"
MOST_BYTES, MOST_LINES = 150_000, 200


def test_the_network_is_shown(page: Page) -> None:
    page.open("network")
    page.choose("network-model", "mnist/2")
    page.says("#layers td", "(28 - 5 + 2 x 0) / 1 + 1 = 24")
    assert len(page.all("#layers img.mosaic")) == 5
    script = "return [...document.querySelectorAll('img.mosaic')].every((one) => one.complete && one.naturalWidth > 0)"
    page.wait(lambda: page.browser.execute_script(script))
    assert page.barriers() == []


def test_models_show_their_figures_live(page: Page, client: httpx.Client, cat: bytes) -> None:
    page.open("models")
    page.says("#cards", "(82.7")  # the interval of 83.50 % of 10,000
    live = "#cards [data-live='cifar10/2']"
    page.says(f"{live} dt", "Requests a second")
    so_far = page.text(f"{live} dd:nth-of-type(2)")
    assert client.post("/predict", files=[("file", cat)] * 3).status_code == 200
    page.wait(lambda: page.text(f"{live} dd:nth-of-type(2)") != so_far)
    assert float(page.text(f"{live} dd")) > 0
    page.says(f"{live} .latency thead", "p50p99")
    units = {"ms": 1, "s": 1000}
    latency = [float(cell.text.split()[0]) * units[cell.text.split()[1]] for cell in page.all(f"{live} .latency td")]
    assert [0 < half <= most for half, most in zip(latency[::2], latency[1::2], strict=True)] == [True] * 3
    page.says(f"{live} .sizes", "3 to 4")
    page.says("#service-now", "99 % answered within (p99)")
    assert page.barriers() == []


def test_figures_of_training_are_shown(page: Page) -> None:
    page.open("models")
    page.says("#cards h2", "mnist, version 2")
    page.browser.execute_script("document.querySelector('#cards article details:last-of-type summary').click()")
    page.says("#cards figcaption", "Loss and mistakes over the epochs")
    page.says("#cards figcaption", "Confusion matrix")
    script = (
        "return [...document.querySelectorAll('.figures img')].every((one) => one.complete && one.naturalWidth > 0)"
    )
    page.wait(lambda: page.browser.execute_script(script))
    assert page.barriers() == []


def test_it_can_be_used_with_the_keyboard_alone(page: Page) -> None:
    page.open("draw")
    page.wait(lambda: page.find("#draw-model").get_attribute("value"))
    page.browser.execute_script("document.activeElement.blur()")
    page.walk_to("#pad")
    # A 1: the pen goes down, moves downwards, and is lifted.
    page.press(Keys.SPACE, *[Keys.ARROW_DOWN] * 20, Keys.SPACE)
    page.says("#draw-result h2", "1, ")
    page.browser.execute_script("document.activeElement.blur()")
    page.walk_to("nav a[href='#try']")
    page.press(Keys.ENTER)
    page.wait(lambda: page.all("#samples button"))
    page.walk_to("#samples button")
    page.press(Keys.ENTER)
    page.wait(lambda: page.all("#result article"))
    page.walk_to("#result .why button")
    page.press(Keys.ENTER)
    page.says("#result .why figcaption", "orange pixels support it")
    page.open("models")
    page.wait(lambda: page.all("#cards details"))
    page.walk_to("#cards summary")
    page.press(Keys.ENTER)
    page.wait(lambda: page.all("#cards details[open]"))


@pytest.mark.parametrize("part", ["try", "draw", "network", "models"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_part_fits_a_phone_and_has_no_barriers(page: Page, part: str, scheme: str) -> None:
    emulated = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
    page.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        page.open(part)
        page.wait(lambda: page.all(f"#{part}:not([hidden])"))
        if part == "try":
            page.upload(SAMPLES / "cifar10_cat_0.png")
            page.wait(lambda: page.all("#result article"))
        assert page.browser.execute_script("return document.documentElement.scrollWidth") <= 360
        assert page.barriers() == []
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_it_asks_for_a_key_and_works_behind_a_prefix(one_browser: webdriver.Chrome, tmp_path: Path) -> None:
    flags, keys = write_keys(tmp_path, somebody=("predict",), watcher=("metrics",))
    key = keys["somebody"]
    with (
        ServerProcess(tmp_path / "log", *flags) as process,
        nginx(tmp_path / "nginx", f"location /apis/classify/ {{ proxy_pass {process.url}/; }}") as url,
    ):
        one_browser.get("about:blank")
        console_errors(one_browser), hosts(one_browser)
        page = Page(one_browser, f"{url}/apis/classify/").open()
        page.wait(lambda: page.all("#key-form:not([hidden])"))
        assert page.barriers() == []
        page.find("#key").send_keys("convoy_wrong", Keys.ENTER)
        page.says("#problem", "This API key is not valid.")
        page.find("#key").send_keys(key.replace("_", "_\u200b", 1), Keys.ENTER)  # a zero-width space from a web page
        page.says("#problem", "This API key is not valid.")
        page.find("#key").send_keys(keys["watcher"], Keys.ENTER)
        page.says("#problem", "predict")  # the missing scope
        one_browser.refresh()
        page.says("#problem", "predict")
        page.find("#key").send_keys(key, Keys.ENTER)
        page.wait(lambda: page.all("#samples button"))
        assert one_browser.switch_to.active_element.get_attribute("id") == "main", "where reading goes on"
        assert key not in page.browser.page_source
        page.find("#samples button").click()
        page.wait(lambda: page.all("#result article"))
        assert page.browser.execute_script("return Object.keys(localStorage).length + document.cookie.length") == 0
        assert hosts(one_browser) == {url.removeprefix("http://")}
        one_browser.execute_script("sessionStorage.setItem('convoy-key', 'convoy_revoked')")
        page.find("#samples button").click()
        page.says("#problem", "This API key is not valid. Enter another one.")
        assert page.find("#key").is_displayed()
        refused = [message for message in console_errors(one_browser) if "401" not in message and "403" not in message]
        assert refused == []


def test_the_title_names_the_part(page: Page) -> None:
    page.open("models")
    page.wait(lambda: page.browser.title == "Models · Convoy")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("it is not a picture", "It is not a picture."),
        ("cifar10 has no version '9'", "cifar10 has no version '9'."),
        ("top_k is '0'", "top_k is '0'."),
    ],
)
def test_messages_begin_like_sentences_and_leave_names_as_they_are(page: Page, said: str, shown: str) -> None:
    script = "const [said, done] = arguments; import('./page/api.js').then((api) => done(api.sentence(said)))"
    assert page.open().browser.execute_async_script(script, said) == shown


def test_times_are_left_out_behind_a_proxy_that_removes_them(
    one_browser: webdriver.Chrome, server: ServerProcess, tmp_path: Path
) -> None:
    location = f"location / {{ proxy_pass {server.url}; proxy_hide_header Server-Timing; }}"
    with nginx(tmp_path / "nginx", location) as url:
        page = Page(one_browser, f"{url}/").open()
        page.upload(SAMPLES / "cifar10_cat_0.png")
        page.says("#result figcaption", "Input of the network")
        assert "Time by stage" not in page.text("#result")


def test_bars_and_the_current_part_are_seen_in_forced_colours(page: Page) -> None:
    emulated = {"features": [{"name": "forced-colors", "value": "active"}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
    try:
        page.open().upload(SAMPLES / "cifar10_cat_0.png")
        page.find("#result .bar")
        script = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
        ground, bar, part = (
            page.browser.execute_script(script, one) for one in ("body", "#result .bar", "nav a[aria-current]")
        )
        assert ground not in {bar, part}
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_nothing_is_cut_on_the_smallest_screen(page: Page, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    metrics = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.open().upload(SAMPLES / "cifar10_cat_0.png", tmp_path / "bad.png")
        error = page.find("#result td.problem span")
        assert error.rect["x"] + error.rect["width"] <= page.find("#result .wide").rect["x"] + 296
        page.open("models")
        page.says("#service-now dd", "ms")
        lines = """
            const range = document.createRange();
            return [...document.querySelectorAll("#service-now dd")].map((one) => {
              range.selectNodeContents(one);
              return range.getClientRects().length;
            });"""
        assert set(page.browser.execute_script(lines)) == {1}, "a number is broken"
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_address_that_names_no_part_shows_the_first_one(page: Page) -> None:
    page.open("constructor")
    page.wait(lambda: page.all("#samples button"))
    assert page.all("#try:not([hidden])")


def test_the_page_is_small_and_its_modules_short() -> None:
    files = [FOLDER / "index.html", *(path for path in (FOLDER / "static").iterdir() if path.is_file())]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    lines = {path.name: len(path.read_text().splitlines()) for path in files if path.suffix in {".js", ".html"}}
    assert not {name: count for name, count in lines.items() if count >= MOST_LINES}
