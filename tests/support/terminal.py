"""Programs run as at a terminal."""

from __future__ import annotations

import os
import select
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.zoo_files import ROOT


def command_line(*args: object) -> list[str]:
    return [sys.executable, "-m", "graphscope", *map(str, args)]


def environment(**changes: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "TERM", "PYTHONUNBUFFERED")}
    return {**kept, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **changes}


def on_terminal(
    arguments: Sequence[str], width: int, *, directory: Path | None = None, **changes: str
) -> tuple[int, str]:
    """Exit status and output of a process whose stdin, stdout and stderr are a terminal of ``width`` columns."""
    pty = pytest.importorskip("pty", reason="optional: no pseudo terminals on this system")
    import fcntl
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    child = subprocess.Popen(
        arguments, stdin=slave, stdout=slave, stderr=slave, cwd=directory, env=environment(**changes)
    )
    os.close(slave)
    output = b""
    while select.select([master], [], [], 30)[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux' way to say that the other side has closed
            break
        if not piece:
            break
        output += piece
    os.close(master)
    return child.wait(timeout=30), output.decode().replace("\r\n", "\n")
