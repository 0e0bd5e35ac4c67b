"""The page at ``/`` in a real browser, against the real service."""

import csv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import CHROMIUM, DRIVER, chromium, console_errors, hosts
from tests.browser.page import Page
from tests.fixtures.keys import write_keys
from tests.fixtures.nginx import nginx
from tests.process import ROOT, SAMPLES, ServerProcess

pytestmark = pytest.mark.slow

FOLDER = ROOT / "service" / "api" / "page"
MOST_BYTES, MOST_LINES = 150_000, 200


@pytest.fixture(scope="module")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver are not installed")
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def page(one_browser: webdriver.Chrome, server: ServerProcess) -> Iterator[Page]:
    """The page on a wide and light screen; it is checked at the end that nothing went wrong on the way."""
    one_browser.set_window_size(1200, 1400)
    one_browser.get("about:blank")
    console_errors(one_browser), hosts(one_browser)
    yield Page(one_browser, f"{server.url}/")
    assert console_errors(one_browser) == []
    assert hosts(one_browser) <= {server.url.removeprefix("http://")}


def barriers(page: Page) -> list[str]:
    """What axe-core finds."""
    found = Axe().run(page.browser)["violations"]
    return [f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes']][:3]}" for one in found]


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
    assert barriers(page) == []


def test_it_says_why(page: Page, client: httpx.Client, cat: bytes) -> None:
    page.open().upload(SAMPLES / "cifar10_cat_0.png")
    page.find("#result .why button").click()
    page.says("#result .why figcaption", "Why cat")
    method = client.post("/explain", content=cat).json()["method"]
    page.says("#result .why figcaption", "occlusion" if method == "occlusion" else "HiResCAM")
    script = "const c = arguments[0]; return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    pixels = page.browser.execute_script(script, page.find("#result .why canvas"))
    assert any(red > blue + 40 for red, blue in zip(pixels[::4], pixels[2::4], strict=True))
    assert barriers(page) == []


def test_the_network_is_shown(page: Page) -> None:
    page.open("network")
    page.choose("network-model", "mnist/2")
    page.says("#layers td", "(28 - 5 + 2 x 0) / 1 + 1 = 24")
    assert len(page.all("#layers img.mosaic")) == 5
    script = "return [...document.querySelectorAll('img.mosaic')].every((one) => one.complete && one.naturalWidth > 0)"
    page.wait(lambda: page.browser.execute_script(script))
    assert barriers(page) == []


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
    latency = [float(cell.text.removesuffix(" ms")) for cell in page.all(f"{live} .latency td")]
    assert [0 < half <= most for half, most in zip(latency[::2], latency[1::2], strict=True)] == [True] * 3
    page.says(f"{live} .sizes", "3 to 4")
    page.says("#service-now", "99 % answered within (p99)")
    assert barriers(page) == []


def test_figures_of_training_are_shown(page: Page) -> None:
    page.open("models")
    page.says("#cards h2", "mnist, version 2")
    page.browser.execute_script("document.querySelector('#cards article details:last-of-type summary').click()")
    page.says("#cards figcaption", "Loss and mistakes over the epochs")
    page.says("#cards figcaption", "Which classes are taken for which")
    script = (
        "return [...document.querySelectorAll('.figures img')].every((one) => one.complete && one.naturalWidth > 0)"
    )
    page.wait(lambda: page.browser.execute_script(script))
    assert barriers(page) == []


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


def test_a_picture_can_be_photographed(page: Page) -> None:
    page.open().find("#camera").click()
    assert barriers(page) == []
    page.wait(lambda: page.find("#camera-take").is_enabled())
    page.find("#camera-take").click()
    page.says("#result figcaption", "Sent: ")
    assert not page.all("#camera-dialog[open]")
    script = "return document.getElementById('camera-view').srcObject"
    assert page.browser.execute_script(script) is None, "the camera is still on"
    page.find("#camera").click()
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.all("#camera-dialog[open]"))


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
    assert barriers(page) == []


def test_many_pictures_are_compared_and_each_has_its_details(page: Page) -> None:
    page.open().choose("beside", "cifar10/1")
    page.upload(*(SAMPLES / f"cifar10_{name}_0.png" for name in ("ship", "cat")))
    page.says("#status", "2 of 2 pictures classified by cifar10, version 2, and by cifar10, version 1.")
    heads = [head.text for head in page.all("#result th")]
    assert heads[2::2] == ["Label (cifar10 2)", "Label (cifar10 1)", "Notes"]
    page.all("#result .thumbnail")[1].click()
    page.says("#details h2", "cifar10, version 1: cat, ")
    assert barriers(page) == []
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


def test_what_is_no_picture_is_refused_and_leaves_no_other_answer(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "notes.txt"
    bad.write_text("no picture")
    page.open().upload(SAMPLES / "cifar10_cat_0.png")
    page.says("#result h2", "cat, ")
    page.upload(bad)
    page.says("#problem", "It is not a picture in a known format")
    assert not page.all("#result article")
    assert barriers(page) == []
    assert [message for message in console_errors(page.browser) if "422" not in message] == []


def test_a_drawn_seven_reads_seven(page: Page) -> None:
    page.open("draw")
    page.wait(lambda: page.find("#draw-model").get_attribute("value"))
    page.draw()
    page.says("#draw-result h2", "7, ")
    assert barriers(page) == []
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
    page.says("#result .why figcaption", "orange spoke for it")
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
        assert barriers(page) == []
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_it_asks_for_a_key_and_works_behind_a_prefix(one_browser: webdriver.Chrome, tmp_path: Path) -> None:
    flags, keys = write_keys(tmp_path, somebody=("predict",))
    key = keys["somebody"]
    with (
        ServerProcess(tmp_path / "log", *flags) as process,
        nginx(tmp_path / "nginx", f"location /apis/classify/ {{ proxy_pass {process.url}/; }}") as url,
    ):
        one_browser.get("about:blank")
        console_errors(one_browser), hosts(one_browser)
        page = Page(one_browser, f"{url}/apis/classify/").open()
        page.wait(lambda: page.all("#key-form:not([hidden])"))
        assert barriers(page) == []
        page.find("#key").send_keys("convoy_wrong", Keys.ENTER)
        page.says("#problem", "This key is not known here.")
        page.find("#key").send_keys(key, Keys.ENTER)
        page.wait(lambda: page.all("#samples button"))
        assert key not in page.browser.page_source
        page.find("#samples button").click()
        page.wait(lambda: page.all("#result article"))
        assert page.browser.execute_script("return Object.keys(localStorage).length + document.cookie.length") == 0
        assert hosts(one_browser) == {url.removeprefix("http://")}
        refused = [message for message in console_errors(one_browser) if "401" not in message]
        assert refused == []


def test_an_address_that_names_no_part_shows_the_first_one(page: Page) -> None:
    page.open("constructor")
    page.wait(lambda: page.all("#samples button"))
    assert page.all("#try:not([hidden])")


def test_the_page_is_small_and_its_modules_short() -> None:
    files = [FOLDER / "index.html", *(path for path in (FOLDER / "static").iterdir() if path.is_file())]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    lines = {path.name: len(path.read_text().splitlines()) for path in files if path.suffix in {".js", ".html"}}
    assert not {name: count for name, count in lines.items() if count >= MOST_LINES}
