"""Functions that send hostile bytes, and read the answer."""

import socket
import threading
from urllib.parse import urlsplit

import psutil

from tests.process import ServerProcess

PNG = {"Content-Type": "image/png"}
REFUSED = {400, 413, 415, 422}


def wire(target: ServerProcess) -> socket.socket:
    address = urlsplit(target.url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def until_closed(connection: socket.socket) -> bytes:
    """Everything that the server sends before it closes the connection."""
    said = b""
    try:
        while chunk := connection.recv(65536):
            said += chunk
    except ConnectionError:
        pass
    return said


def pour(connection: socket.socket, chunk: bytes) -> bytes:
    """Sends bytes until the server closes the connection; returns its answer."""
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.append(until_closed(connection)))
    reader.start()
    try:
        while reader.is_alive():
            connection.sendall(chunk)
    except OSError:
        pass
    reader.join()
    return said[0]


def memory(target: ServerProcess) -> int:
    return psutil.Process(target.process.pid).memory_info().rss


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST /predict HTTP/1.1", "Host: x", "Content-Type: image/png", *lines, "", ""]).encode()
