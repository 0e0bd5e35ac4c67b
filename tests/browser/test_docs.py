"""The docs page in a real browser that reaches nothing but the service: a picture is uploaded by hand."""

import json
import shutil
from collections.abc import Iterator
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

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
OPERATION = "#operations-predict-predict"
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1200,2400",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*QUIET, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def test_try_it_out_uploads_a_picture(browser: webdriver.Chrome, server: ServerProcess) -> None:
    _upload_a_picture(browser, f"{server.url}/")


def test_try_it_out_works_under_a_prefix(browser: webdriver.Chrome, server: ServerProcess, tmp_path: Path) -> None:
    with nginx(tmp_path / "nginx", f"location /apis/classify/ {{ proxy_pass {server.url}/; }}") as url:
        _upload_a_picture(browser, f"{url}/apis/classify/")


def _upload_a_picture(browser: webdriver.Chrome, address: str) -> None:
    """From the root of the service to a prediction, on the docs page, as a person does it."""
    wait = WebDriverWait(browser, 30)

    def click(selector: str) -> None:
        found: WebElement = wait.until(element_to_be_clickable((By.CSS_SELECTOR, selector)))
        browser.execute_script("arguments[0].click()", found)

    browser.get(address)
    assert browser.current_url == f"{address}docs"
    click(f"{OPERATION} .opblock-summary-control")
    click(f"{OPERATION} .try-out__btn")
    wait.until(presence_of_element_located((By.CSS_SELECTOR, f"{OPERATION} .json-schema-form-item-add")))
    for name in ("model", "version", "top_k"):  # the examples that the page fills in are not what is tried here
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
