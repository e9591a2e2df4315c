"""Ctrl-C while TensorFlow computes: Python itself would hear of it only when the computation is over."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

INTERRUPTED = 130
"""128 + the signal's number, as shells report it."""


@contextlib.contextmanager
def ended_by_interrupt(say: Callable[[], None]) -> Iterator[None]:
    """Within it, Ctrl-C ends the process at once, with ``say`` as its last words. Nothing may be half-written there.

    Source: https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd: a byte, the signal's number, is written by the
    C handler at once, and another thread may read it.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, say), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        writer.close()


def _watch(reader: socket.socket, say: Callable[[], None]) -> None:
    with reader:
        while number := reader.recv(1):
            if number[0] == signal.SIGINT:
                say()
                os._exit(INTERRUPTED)
