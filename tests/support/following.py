"""Follows which lines of the package a process runs: one that runs tests, and those that these start.

A forked child follows on by itself, a new interpreter by the ``sitecustomize`` that :class:`~tests.support.tree.Tree` puts on
its path. Both write what they find at once: who starts them may end them at any moment.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

OFTEN = 60
"""After how many calls of one function that ran no new line it is followed no longer."""

PLACE = "GRAPHSCOPE_LINES"
"""The environment variable that names the directory in which children note their lines; a file for each."""

START = f"""import os
if {PLACE!r} in os.environ:
    from tests.support.following import Following
    Following(os.path.dirname(os.path.abspath(__file__))).begin_as_child()
"""
"""The ``sitecustomize`` of a new interpreter."""


class Following:
    """The lines of the package below ``root`` that this process runs: ``lines``, by file."""

    def __init__(self, root: str | Path) -> None:
        self.prefix = f"{root}/"
        self.lines: dict[str, set[int]] = {}
        self._calls: dict[CodeType, int] = {}
        self._file: int | None = None
        os.register_at_fork(after_in_child=self._write)

    def begin(self) -> None:
        """Forget what was found, and follow."""
        self.lines, self._calls = {}, {}
        sys.settrace(self._called)
        threading.settrace(self._called)

    def begin_as_child(self) -> None:
        """Follow, and write what is found."""
        self._write()
        self.begin()

    def end(self) -> dict[str, set[int]]:
        """Follow no longer; what was found, what children wrote included."""
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        for note in Path(os.environ[PLACE]).iterdir():
            for row in note.read_text().splitlines():
                name, _, number = row.rpartition(":")
                self.lines.setdefault(name, set()).add(int(number))
            note.unlink()
        return self.lines

    def _write(self) -> None:
        """From now on, into a file; into none where the child is not a test's."""
        place = os.environ.get(PLACE)
        if place is not None and Path(place).is_dir():
            self._file = os.open(f"{place}/{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(f"{self.prefix}graphscope/"):
            return None
        calls = self._calls[code] = self._calls.get(code, 0) + 1
        if calls > OFTEN:
            return None
        if code.co_name == "<module>":
            self.lines.setdefault(code.co_filename, set())
            return None
        lines = self.lines.setdefault(code.co_filename, set())

        def follow(frame: FrameType, event: str, argument: object) -> Any:
            if event != "return" and frame.f_lineno not in lines:
                self._found(lines, code.co_filename, frame.f_lineno)
                self._calls[code] = 0
            return follow

        return follow(frame, event, argument)

    def _found(self, lines: set[int], name: str, number: int) -> None:
        lines.add(number)
        if self._file is not None:
            os.write(self._file, f"{name}:{number}\n".encode())
