"""The sockets that the service listens on."""

import ctypes
import errno
import os
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Final

_SO_ATTACH_FILTER: Final = 26
_TCP_FLAGS_OFFSET: Final = 13
_SYN: Final = 0x02
_UNIX_SOCKETS: Final = Path("/proc/net/unix")


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


_UNSENT_BYTES = 131_072


@contextmanager
def claim(host: str, port: int) -> Iterator[None]:
    """Keeps other services from starting on an address during the context, before the service itself listens there.

    Sockets that are bound and do not listen yet do not exclude each other, and models take seconds to load. So the
    claim is an abstract Unix socket, which the kernel removes with its process. Its name holds the address, and the
    kernel's list of such sockets is read for claims of overlapping addresses, such as 0.0.0.0 and 127.0.0.1. Of two
    claims that are made at the same time, at least one sees the other. Without such sockets there is no claim.

    Args:
        host: name or address.
        port: TCP port.

    Raises:
        OSError: another service claims the address, or one that overlaps with it.
    """
    *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    parsed = ip_address(address[0])
    own = str(getattr(parsed, "ipv4_mapped", None) or parsed)
    prefix = f"convoy {port} "
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as claimed:
        try:
            claimed.bind(f"\0{prefix}{own}")
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _in_use() from None
        others = _abstract_names(prefix) - {own}
        if any(_includes(own, other) or _includes(other, own) for other in others):
            raise _in_use()
        yield


def _abstract_names(prefix: str) -> set[str]:
    """What follows the prefix in the names of all abstract Unix sockets; empty where the kernel does not list them."""
    with suppress(OSError), _UNIX_SOCKETS.open(errors="replace") as listed:
        return {after.rstrip("\n") for line in listed if (after := line.partition(f" @{prefix}")[2])}
    return set()


def _includes(address: str, other: str) -> bool:
    """Whether a socket that listens on the first address gets connections to the second; ``::`` gets those of IPv4."""
    return address in ("::", other) or (address == "0.0.0.0" and ":" not in other)  # noqa: S104  nothing is bound


def _in_use() -> OSError:
    return OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def listen(host: str, port: int, *, shared: bool) -> socket.socket:
    """Binds an address that the workers of one service may listen on; the kernel spreads connections over them.

    Args:
        host: name or address.
        port: 0 for a free one.
        shared: whether other processes may listen on this port; if not, it is an error where one does.

    Returns:
        A bound socket that does not listen yet.

    Raises:
        OSError: the address cannot be used.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    if not shared and port != 0:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Keeps unread answers in this process, where they are counted, instead of in the kernel.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    listener.bind(address)
    return listener


def admit_no_more(listener: socket.socket) -> None:
    """Stops new connections; connections that wait to be accepted can still be accepted.

    When a listening socket is closed, the kernel resets the connections that wait to be accepted. So a filter on the
    socket first drops the packets that open a connection (SYN): clients send them again after a second, and then reach
    another service on the port, or none. Where the kernel has no such filters, new connections still come.

    Source: the Linux kernel's Documentation/networking/filter.rst, classic BPF.
    """
    instructions = (_Instruction * 4)(
        _Instruction(0x30, 0, 0, _TCP_FLAGS_OFFSET),  # load a byte of the packet
        _Instruction(0x45, 0, 1, _SYN),  # is the bit set? then the next instruction, else the one after it
        _Instruction(0x06, 0, 0, 0),  # drop
        _Instruction(0x06, 0, 0, 0xFFFF_FFFF),  # keep
    )
    program = _Program(len(instructions), instructions)
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(program))


def has_waiting(listener: socket.socket) -> bool:
    """Whether a connection waits to be accepted."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))
