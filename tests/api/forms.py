"""Forms made byte by byte, and their right answers."""

import httpx

FORM = {"Content-Type": "multipart/form-data; boundary=XbX"}
CAT = 'name="file"; filename="cat.png"'


def part(disposition: str | bytes, data: bytes) -> bytes:
    text = disposition if isinstance(disposition, bytes) else disposition.encode()
    return b"--XbX\r\nContent-Disposition: form-data; " + text + b"\r\n\r\n" + data + b"\r\n"


def post_form(client: httpx.Client, *parts: bytes, path: str = "/predict") -> httpx.Response:
    return client.post(path, content=b"".join(parts) + b"--XbX--\r\n", headers=FORM)


def is_cat(answer: httpx.Response, count: int = 1) -> bool:
    return answer.status_code == 200 and [entry["label"] for entry in answer.json()["predictions"]] == ["cat"] * count


def detail(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    for sign in ("Error(", "Traceback", "0x", "codec", "object at"):
        assert sign not in answer.text
    document = answer.json()
    return " ".join([document["detail"], *(fault["detail"] for fault in document.get("errors", ()))])
