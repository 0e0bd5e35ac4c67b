"""A real browser with access only to this machine, and the page in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from tests.browser.chromium import CHROMIUM, DRIVER, chromium, console_errors, hosts
from tests.browser.page import Page
from tests.process import ServerProcess


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A browser with a new profile."""
    yield from _open(tmp_path / "profile")


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """One browser for all tests that do not change its state."""
    yield from _open(tmp_path_factory.mktemp("profile"))


@pytest.fixture
def page(one_browser: webdriver.Chrome, server: ServerProcess) -> Iterator[Page]:
    """The page on a wide screen in light mode; at the end it is checked that there were no errors."""
    one_browser.set_window_size(1200, 1400)
    one_browser.get("about:blank")
    console_errors(one_browser), hosts(one_browser)
    yield Page(one_browser, f"{server.url}/")
    assert console_errors(one_browser) == []
    assert hosts(one_browser) <= {server.url.removeprefix("http://")}


def _open(profile: Path) -> Iterator[webdriver.Chrome]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver are not installed")
    with chromium(profile) as driver:
        yield driver
