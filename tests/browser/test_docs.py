"""The docs page in a real browser with access only to the service: each kind of body can be tried."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import presence_of_element_located
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.browser.chromium import console_errors
from tests.fixtures.nginx import nginx
from tests.process import SAMPLES, ServerProcess

pytestmark = pytest.mark.slow

OPERATION = "#operations-predict-predict"


@pytest.fixture
def open_predict(one_browser: webdriver.Chrome) -> Callable[[str], "Trial"]:
    """Opens the docs page at an address, and "Try it out" of `/predict`."""

    def open_at(address: str) -> Trial:
        one_browser.get("about:blank")
        console_errors(one_browser)
        one_browser.get(address)
        trial = Trial(one_browser)
        trial.click(".opblock-summary-control")
        trial.click(".try-out__btn")
        trial.find(".json-schema-form-item-add")
        return trial

    return open_at


@pytest.fixture
def plain(client: httpx.Client, cat: bytes) -> Any:
    """The answer to a form that holds only the picture of a cat."""
    return client.post("/predict", files={"file": ("cifar10_cat_0.png", cat)}).json()


def test_a_form_that_is_left_as_it_is_sends_only_the_picture(
    open_predict: Callable[[str], "Trial"], server: ServerProcess, plain: Any
) -> None:
    trial = open_predict(f"{server.url}/docs")
    trial.choose_cat()
    assert trial.execute() == plain
    assert f"'{server.url}/predict'" in trial.find(".curl-command").text, "there is no query"
    assert trial.find(".curl-command").text.count("-F") == 1


def test_a_json_body_can_be_tried_after_the_form(
    open_predict: Callable[[str], "Trial"], server: ServerProcess, plain: Any
) -> None:
    trial = open_predict(f"{server.url}/docs")
    trial.choose_cat()
    Select(trial.find(".opblock-section-request-body select")).select_by_visible_text("application/json")
    assert trial.execute().keys() == plain.keys()


def test_try_it_out_works_under_a_prefix(
    open_predict: Callable[[str], "Trial"], server: ServerProcess, plain: Any, tmp_path: Path
) -> None:
    with nginx(tmp_path / "nginx", f"location /apis/classify/ {{ proxy_pass {server.url}/; }}") as url:
        trial = open_predict(f"{url}/apis/classify/docs")
        trial.choose_cat()
        assert trial.execute() == plain
    failed = [message for message in console_errors(trial.browser) if "ERR_" in message]
    assert not failed, "the page asked for something that the service does not have"


class Trial:
    """One operation of the docs page."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser

    def find(self, selector: str) -> WebElement:
        place = (By.CSS_SELECTOR, f"{OPERATION} {selector}")
        found: WebElement = WebDriverWait(self.browser, 30, 0.05).until(presence_of_element_located(place))
        return found

    def click(self, selector: str) -> None:
        self.browser.execute_script("arguments[0].click()", self.find(selector))

    def choose_cat(self) -> None:
        self.find("input[type=file]").send_keys(str(SAMPLES / "cifar10_cat_0.png"))

    def execute(self) -> Any:
        """Sends the request; returns the JSON of its answer, which must be a good one."""
        self.click(".execute")
        status = self.find(".live-responses-table .response .response-col_status")
        body = self.find(".live-responses-table .response .response-col_description pre").text
        assert status.text.startswith("200"), body
        return json.loads(body)
