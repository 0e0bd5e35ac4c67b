"""The docs page in a real browser with access only to the service: a picture is uploaded through its form."""

import json
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import element_to_be_clickable, presence_of_element_located
from selenium.webdriver.support.ui import WebDriverWait

from tests.fixtures.nginx import nginx
from tests.process import SAMPLES, ServerProcess

pytestmark = pytest.mark.slow

OPERATION = "#operations-predict-predict"


def test_try_it_out_uploads_a_picture(browser: webdriver.Chrome, server: ServerProcess) -> None:
    _upload_a_picture(browser, f"{server.url}/docs")


def test_try_it_out_works_under_a_prefix(browser: webdriver.Chrome, server: ServerProcess, tmp_path: Path) -> None:
    with nginx(tmp_path / "nginx", f"location /apis/classify/ {{ proxy_pass {server.url}/; }}") as url:
        _upload_a_picture(browser, f"{url}/apis/classify/docs")


def _upload_a_picture(browser: webdriver.Chrome, address: str) -> None:
    """Makes a prediction from the docs page, as a user does."""
    wait = WebDriverWait(browser, 30)

    def click(selector: str) -> None:
        found: WebElement = wait.until(element_to_be_clickable((By.CSS_SELECTOR, selector)))
        browser.execute_script("arguments[0].click()", found)

    browser.get(address)
    click(f"{OPERATION} .opblock-summary-control")
    click(f"{OPERATION} .try-out__btn")
    wait.until(presence_of_element_located((By.CSS_SELECTOR, f"{OPERATION} .json-schema-form-item-add")))
    for name in ("model", "version", "top_k"):  # the page fills in examples, which this test does not use
        for field in browser.find_elements(By.CSS_SELECTOR, f"{OPERATION} tr[data-param-name='{name}'] input"):
            field.clear()
    if not browser.find_elements(By.CSS_SELECTOR, f"{OPERATION} input[type=file]"):
        click(f"{OPERATION} .json-schema-form-item-add")
    upload = wait.until(presence_of_element_located((By.CSS_SELECTOR, f"{OPERATION} input[type=file]")))
    upload.send_keys(str(SAMPLES / "cifar10_cat_0.png"))
    click(f"{OPERATION} .execute")
    status = wait.until(
        presence_of_element_located(
            (By.CSS_SELECTOR, f"{OPERATION} .live-responses-table .response .response-col_status")
        )
    )
    body = browser.find_element(
        By.CSS_SELECTOR, f"{OPERATION} .live-responses-table .response .response-col_description pre"
    )
    assert status.text.startswith("200"), body.text
    assert json.loads(body.text)["predictions"][0]["label"] == "cat"
    failed = [entry for entry in browser.get_log("browser") if "ERR_" in entry["message"]]
    assert not failed, "the page asked for something that the service does not have"
