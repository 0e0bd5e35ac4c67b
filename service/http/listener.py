"""The address that the service answers at."""

import socket


def listen(host: str, port: int, *, shared: bool) -> socket.socket:
    """Binds an address that the workers of one service may listen on; the kernel spreads connections over them.

    Args:
        host: name or address.
        port: 0 for a free one.
        shared: whether others may listen there already. Otherwise a second service on the port is an error, and not
            a silent partner.

    Returns:
        A bound socket that does not listen yet.

    Raises:
        OSError: the address cannot be had.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    if not shared and port != 0:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    return listener
