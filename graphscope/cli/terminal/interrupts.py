"""Ctrl-C while TensorFlow computes: Python itself would react only after the computation."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

INTERRUPTED = 130
"""128 + the signal's number, as shells report it."""


GRACE_S = 2.0
"""How long to wait for the interpreter before ending the process from another thread."""


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """For a command that serves until Ctrl-C or SIGTERM, which end it without a failure."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGTERM, stop)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, old)


@contextlib.contextmanager
def ended_by_interrupt(say: Callable[[], None]) -> Iterator[None]:
    """In the block, Ctrl-C calls ``say`` and ends the process at once. Nothing may be half-written in it."""

    def end() -> None:
        say()
        os._exit(INTERRUPTED)

    with _heard(end):
        yield


@contextlib.contextmanager
def asked_to_stop(
    has_begun: Callable[[], bool], say: Callable[[], None], give_up: Callable[[], None]
) -> Iterator[Callable[[], bool]]:
    """Yields a function that returns whether Ctrl-C was pressed; a second Ctrl-C interrupts immediately.

    Args:
        has_begun: whether there is anything to finish; until then, the first one interrupts, too.
        say: is called at once when it is pressed, in another thread.
        give_up: is called in another thread before one that interrupts ends a process that does not listen.
    """
    presses = _Presses(has_begun, say, give_up)
    before = signal.signal(signal.SIGINT, presses.interrupt)
    try:
        with _heard(presses.hear):
            yield lambda: presses.is_asked
    finally:
        presses.is_over = True
        signal.signal(signal.SIGINT, before)


class _Presses:
    """How often Ctrl-C was pressed."""

    def __init__(self, has_begun: Callable[[], bool], say: Callable[[], None], give_up: Callable[[], None]) -> None:
        self.count = 0
        self.is_over = False
        self._taken = 0
        self._has_begun = has_begun
        self._say = say
        self._give_up = give_up

    @property
    def is_asked(self) -> bool:
        """Whether it was pressed at all."""
        return max(self.count, self._taken) > 0

    def hear(self) -> None:
        """Runs at once in the listening thread."""
        self.count += 1
        if self.count == 1 and self._has_begun():
            self._say()
            return
        time.sleep(GRACE_S)
        if not self.is_over:
            self._give_up()
            os._exit(INTERRUPTED)

    def interrupt(self, _: int, __: FrameType | None) -> None:
        """In the interpreter, as soon as it listens: before or after the thread, and once for presses that came together."""
        self._taken += 1
        if max(self.count, self._taken) > 1 or not self._has_begun():
            raise KeyboardInterrupt


@contextlib.contextmanager
def _heard(hear: Callable[[], None]) -> Iterator[None]:
    """In the block, ``hear`` is called in another thread whenever Ctrl-C is pressed.

    Source: https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd: a byte, the signal's number, is written by the
    C handler at once, and another thread may read it.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, hear), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()


def _watch(reader: socket.socket, hear: Callable[[], None]) -> None:
    with reader:
        while number := reader.recv(1):
            if number[0] == signal.SIGINT:
                hear()
