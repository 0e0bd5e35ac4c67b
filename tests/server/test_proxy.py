"""The service behind a real nginx under a path prefix, whether the proxy strips the prefix or not."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

import httpx
import pytest

from tests.fixtures.keys import bearer, write_keys
from tests.fixtures.nginx import nginx
from tests.process import ServerProcess

pytestmark = pytest.mark.slow

PNG = {"Content-Type": "image/png"}
SILENT, NAMED, WHOLE = "/silent", "/named", "/apis/whole"


class Proxied(NamedTuple):
    """A service with keys behind nginx, under three path prefixes."""

    http: httpx.Client
    key: dict[str, str]


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("proxied")
    flags, keys = write_keys(folder, all=("predict", "metrics", "control"))
    with (
        ServerProcess(folder / "log", *flags) as stripped,
        ServerProcess(folder / "whole.log", *flags, "--root-path", WHOLE) as whole,
    ):
        locations = f"""
            location {SILENT}/ {{ proxy_pass {stripped.url}/; }}
            location {NAMED}/ {{
                proxy_pass {stripped.url}/;
                proxy_set_header X-Forwarded-Prefix {NAMED};
                proxy_set_header X-Forwarded-Proto https;
            }}
            location {WHOLE} {{ proxy_pass {whole.url}; }}
        """
        with nginx(folder / "nginx", locations) as url, httpx.Client(base_url=url, timeout=30) as http:
            yield Proxied(http, bearer(keys["all"]))


@pytest.mark.parametrize("prefix", [SILENT, NAMED, WHOLE])
class TestUnderAPrefix:
    def test_a_slash_at_the_end_of_any_path_changes_nothing(self, proxied: Proxied, prefix: str, cat: bytes) -> None:
        for path in ("/predict", "/models/cifar10/predict", "/models/cifar10/versions/1/predict"):
            answers = [
                proxied.http.post(prefix + path + end, content=cat, headers=PNG | proxied.key) for end in ("", "/")
            ]
            assert [answer.status_code for answer in answers] == [200, 200], path
            assert answers[0].content == answers[1].content
        for path in ("/models", "/models/cifar10", "/v2", "/v2/models/mnist/versions/1", "/docs", "/metrics"):
            assert proxied.http.get(f"{prefix}{path}/", headers=proxied.key).status_code == 200, path
        answer = proxied.http.post(f"{prefix}/v2/repository/index/", json={}, headers=proxied.key)
        assert answer.status_code == 200

    def test_keys_are_asked_for_with_and_without_the_slash(self, proxied: Proxied, prefix: str) -> None:
        for path in ("/models", "/models/", "/metrics", "/metrics/", "/v2/repository/models/mnist/load/"):
            assert proxied.http.request("POST" if "load" in path else "GET", prefix + path).status_code == 401, path

    def test_the_document_leads_back_to_the_prefix(self, proxied: Proxied, prefix: str) -> None:
        for end in ("", "/"):
            found = proxied.http.get(f"{prefix}/docs{end}")
            page = found.text
            assert "'/" not in page.replace(f"'{prefix}/", "")
            reference = page.split("url: '")[1].split("'")[0]
            document = proxied.http.get(urljoin(str(found.url), reference))
            assert document.status_code == 200
            server = urljoin(str(document.url), document.json()["servers"][0]["url"])
            assert httpx.URL(server).path.rstrip("/") == prefix
            for asset in (part.split('"')[0] for part in page.replace("src=", "href=").split('href="')[1:]):
                assert proxied.http.get(urljoin(str(found.url), asset)).status_code == 200, asset

    def test_the_root_is_the_page(self, proxied: Proxied, prefix: str) -> None:
        page = proxied.http.get(f"{prefix}/", headers={"Accept": "text/html"})
        assert page.status_code == 200
        assets = re.findall(r'(?:href|src)="([^"#]+)"', page.text)
        assert len(assets) >= 4
        for asset in assets:
            assert proxied.http.get(urljoin(str(page.url), asset)).status_code == 200, asset
        links = proxied.http.get(f"{prefix}/").json()["links"]
        for name in ("docs", "openapi", "models", "ready", "open_inference"):
            linked = urljoin(str(proxied.http.base_url.join(f"{prefix}/")), links[name])
            assert proxied.http.get(linked, headers=proxied.key).status_code == 200, name


def test_only_trusted_proxies_name_a_prefix(tmp_path: Path) -> None:
    headers = {"X-Forwarded-Prefix": "/named", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "example.org"}
    with ServerProcess(tmp_path / "log", "--forwarded-allow-ips", "192.0.2.1, 198.51.100.0/24") as process:
        document = httpx.get(f"{process.url}/openapi.json", headers=headers).json()
        assert document["servers"] == [{"url": "."}]
        assert httpx.get(f"{process.url}/named/models", headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("said", "served_at"),
    [
        ("/a", "/a"),
        ("/a/b.c_d~e-f", "/a/b.c_d~e-f"),
        ("/a/", "/a"),
        ("a", "."),
        ("//evil.example", "."),
        ("/a//b", "."),
        ("/a/../b", "."),
        ("/..", "."),
        ("https://evil.example", "."),
        ("/a, /b", "."),
        ('/"><script>alert(1)</script>', "."),
        ("/%2e%2e", "."),
        ("/" + "a" * 300, "."),
    ],
)
def test_a_prefix_is_well_formed_or_passed_over(client: httpx.Client, said: str, served_at: str) -> None:
    headers = {"X-Forwarded-Prefix": said}
    assert client.get("/openapi.json", headers=headers).json()["servers"] == [{"url": served_at}]
    base = "./" if served_at == "." else f"{served_at}/"
    assert f"'{base}openapi.json'" in client.get("/docs", headers=headers).text
    page = client.get("/", headers=headers | {"Accept": "text/html"})
    assert f'data-base="{base}"' in page.text


def test_a_prefix_that_is_a_path_of_the_service_is_taken_as_stripped(client: httpx.Client) -> None:
    listed = client.get("/models/cifar10", headers={"X-Forwarded-Prefix": "/models"})
    assert listed.json()["name"] == "cifar10"


def test_nothing_is_redirected_to_another_path(client: httpx.Client) -> None:
    for path in ("//evil.example/", "/models//", "/nowhere/", "/static-offline-docs/", "/docs//"):
        answer = client.get(f"{client.base_url}".rstrip("/") + path)
        assert answer.status_code == 404, path
