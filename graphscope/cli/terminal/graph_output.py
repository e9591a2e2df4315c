"""Output of a graph itself while it runs (``Print``, ``PrintV2``): goes to stderr, escaped like all text from files."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

from graphscope.cli.terminal.output import Sink

_STREAMS = {1: "stdout", 2: "stderr"}
_LONGEST = 1 << 16
"""Longer lines are broken, because a graph may print without end."""

_REST = ("/bin/sh", "-c", "read _; exec cat -v <&2")
"""Waits until its stdin ends, as it does when this process does, and writes what is left to read in its stderr."""

_LAST_WORDS_S = 5.0
"""How long to wait for the last output if another process still holds the socket."""


@contextlib.contextmanager
def escaped_graph_output(sink: Sink) -> Iterator[None]:
    """In the block, output of TensorFlow's kernels to stdout and stderr becomes messages of ``sink``.

    Python's streams keep their targets, so data, notes and progress bars are not affected.
    """
    with contextlib.ExitStack() as stack:
        try:
            moved = {name: stack.enter_context(_move(number, name)) for number, name in _STREAMS.items()}
        except OSError:  # one is closed: nothing can be printed there
            yield
            return
        with sink.redirect(moved["stdout"], moved["stderr"]), _read(sink):
            yield


@contextlib.contextmanager
def _move(number: int, name: str) -> Iterator[TextIO | None]:
    """Python's stream on another descriptor of what ``number`` leads to; ``None`` if it is not on that descriptor at all."""
    kept = os.dup(number)
    old: TextIO | None = getattr(sys, name)
    new = None
    try:
        if old is not None and _descriptor(old) == number:
            old.flush()
            new = open(kept, "w", encoding=old.encoding, errors=old.errors, buffering=1, closefd=False)  # noqa: SIM115
            setattr(sys, name, new)
        yield new
    finally:
        if new is not None:
            setattr(sys, name, old)
            new.close()
        os.dup2(kept, number)
        os.close(kept)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, io.UnsupportedOperation):
        return None


@contextlib.contextmanager
def _read(sink: Sink) -> Iterator[None]:
    """Replaces both descriptors with a socket, and prints every line from it."""
    reader, writer = socket.socketpair()
    with _watch(reader):
        for number in _STREAMS:
            os.dup2(writer.fileno(), number)
        writer.close()
        thread = threading.Thread(target=_say_lines, args=(reader, sink), daemon=True)
        thread.start()
        try:
            yield
        finally:
            with open(os.devnull, "wb") as nowhere:
                for number in _STREAMS:
                    os.dup2(nowhere.fileno(), number)  # the last that write to the socket: its reader comes to an end
            thread.join(_LAST_WORDS_S)


@contextlib.contextmanager
def _watch(reader: socket.socket) -> Iterator[None]:
    """TensorFlow aborts the process where a check of its own fails: another process then says why, which is still unread."""
    try:
        watcher = subprocess.Popen(
            _REST, stdin=subprocess.PIPE, stdout=2, stderr=reader.fileno(), start_new_session=True
        )
    except OSError:  # no shell here
        yield
        return
    with watcher:
        try:
            yield
        finally:
            watcher.kill()


def _say_lines(reader: socket.socket, sink: Sink) -> None:
    begun = b""
    with reader:
        while seen := reader.recv(_LONGEST, socket.MSG_PEEK):
            *lines, begun = (begun + seen).split(b"\n")
            if len(begun) >= _LONGEST:
                lines, begun = [*lines, begun], b""
            _say(lines, sink)
            reader.recv(len(seen))  # not before it was said: the process may end at any moment
    _say([begun] if begun else [], sink)


def _say(lines: list[bytes], sink: Sink) -> None:
    with contextlib.suppress(OSError):  # nobody reads stderr any more: the graph runs on
        for line in lines:
            sink.talk(line.decode("utf-8", "replace"))
