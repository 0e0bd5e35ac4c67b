"""The address that the service answers at."""

import socket


def listen(host: str, port: int) -> socket.socket:
    """Binds an address that several processes may listen on; the kernel spreads connections over those that do.

    Args:
        host: name or address.
        port: 0 for a free one.

    Returns:
        A bound socket that does not listen yet.

    Raises:
        OSError: the address cannot be had.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    return listener
