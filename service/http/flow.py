"""Flow control of one connection, with limits for bytes that the client does not read."""

import asyncio

from service.errors import OverloadedError
from service.http.body_budget import BodyBudget

_MEBIBYTE = 1 << 20


class Flow:
    """Pauses and resumes reading and writing on one transport.

    Bytes that the kernel has not taken are counted in the budget. Where it has no room for them, or the client does not
    read them in time, the connection is closed.

    Args:
        transport: of the connection.
        loop: the event loop.
        budget: counts the bytes that all requests hold.
        write_timeout_s: how long a client may take to read each MiB of an answer.

    Attributes:
        is_read_paused: whether nothing is read.
        is_write_paused: whether the kernel has not taken all that was written.
    """

    __slots__ = (
        "_budget",
        "_loop",
        "_timer",
        "_transport",
        "_unsent_bytes",
        "_writable",
        "_write_timeout_s",
        "is_read_paused",
        "is_write_paused",
    )

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, budget: BodyBudget, write_timeout_s: float
    ) -> None:
        transport.set_write_buffer_limits(high=0)  # writing is paused whenever unsent bytes are left
        self._transport = transport
        self._loop = loop
        self._budget = budget
        self._write_timeout_s = write_timeout_s
        self._unsent_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writable: asyncio.Event | None = None
        self.is_read_paused = False
        self.is_write_paused = False

    def pause_reading(self) -> None:
        """Stops reading; further data stays in the kernel's buffer."""
        if not self.is_read_paused:
            self.is_read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads again."""
        if self.is_read_paused:
            self.is_read_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Counts the unsent bytes and starts their timer; called when the kernel did not take all that was written."""
        self.is_write_paused = True
        self._writable = asyncio.Event()
        unsent_bytes = self._transport.get_write_buffer_size()
        try:
            self._budget.take(unsent_bytes)
        except OverloadedError:
            self._transport.abort()
            return
        self._unsent_bytes = unsent_bytes
        timeout_s = self._write_timeout_s * (1 + unsent_bytes // _MEBIBYTE)
        self._timer = self._loop.call_later(timeout_s, self._transport.abort)

    def resume_writing(self) -> None:
        """Stops counting; called when the kernel has taken everything, or the connection is lost."""
        self.is_write_paused = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._budget.give_back(self._unsent_bytes)
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    async def drain(self) -> None:
        """Waits until writing is resumed."""
        if self._writable is not None:
            await self._writable.wait()
