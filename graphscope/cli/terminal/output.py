"""The only output channel: data to stdout; notes, hints, errors and progress to stderr."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TextIO

from graphscope.advice import Advice
from graphscope.cli.terminal.text import escape
from graphscope.cli.terminal.width import DEFAULT_WIDTH, terminal_width
from graphscope.cli.terminal.wording import to_words
from graphscope.errors import FileError, GraphscopeError

BATCH = 512
"""Number of lines written at a time."""


class Sink:
    """The output of a command.

    Attributes:
        width: columns of the terminal; 80 if there is none.
        is_terminal: whether data goes to a terminal: then tables fit its width. A pipe gets complete data.
        has_color: whether data may be colored.
    """

    def __init__(
        self,
        out: TextIO,
        err: TextIO,
        *,
        width: int = DEFAULT_WIDTH,
        is_terminal: bool = False,
        has_color: bool = False,
    ) -> None:
        self._out = out
        self._err = err
        self.width = width
        self.is_terminal = is_terminal
        self.has_color = has_color

    @classmethod
    def standard(cls) -> Sink:
        """The process's own streams as they are now."""
        out, err = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115 - closed ones
        for stream in (out, err):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        is_terminal = out.isatty()
        width = terminal_width() if is_terminal else DEFAULT_WIDTH
        return cls(out, err, width=width, is_terminal=is_terminal, has_color=is_terminal and wants_color())

    @contextmanager
    def redirect(self, out: TextIO | None, err: TextIO | None) -> Iterator[None]:
        """Within it, writes to other streams; to its own if one is ``None``."""
        before = self._out, self._err
        self._out, self._err = out or self._out, err or self._err
        try:
            yield
        finally:
            self._out, self._err = before

    @property
    def is_unicode(self) -> bool:
        """Whether every character can be written as it is."""
        return (self._out.encoding or "utf-8").lower().replace("-", "") in ("utf8", "utf16")

    @property
    def err_is_terminal(self) -> bool:
        """Whether stderr is a terminal."""
        return self._err.isatty()

    def write(self, text: str) -> None:
        """Writes data.

        Raises:
            BrokenPipeError: the reader has closed the pipe.
            FileError: the output cannot be written (a full disk).
        """
        with _writing():
            self._out.write(text)

    def lines(self, lines: Iterable[str]) -> None:
        """Writes lines of data, many at a time; raises as :meth:`write`."""
        source = iter(lines)
        while batch := list(islice(source, BATCH)):
            self.write("\n".join(batch) + "\n")

    def flush(self) -> None:
        """Flushes buffered data; raises as :meth:`write`."""
        with _writing():
            self._out.flush()

    def paint(self, text: str, style: str) -> str:
        """``text`` in a style of :data:`STYLES`, if color is enabled."""
        return paint(text, style) if self.has_color else text

    def talk(self, text: str) -> None:
        """Prints progress."""
        self._say(_lines(text))

    def note(self, text: str | Advice) -> None:
        """Prints a note."""
        self._say(f"note: {_lines(to_words(text))}")

    def warning(self, text: str | Advice) -> None:
        """Prints a warning."""
        self._say(f"warning: {_lines(to_words(text))}")

    def error(self, error: GraphscopeError) -> None:
        """Prints an error and its hint."""
        name = paint("error:", "error") if self.err_is_terminal and wants_color() else "error:"
        self._say(f"{name} {_lines(error.message)}")
        if error.hint is not None:
            self._say(f"hint: {_lines(to_words(error.hint))}")

    def _say(self, text: str) -> None:
        self._err.write(text + "\n")
        self._err.flush()


STYLES = {"title": "1", "dim": "2", "op": "36", "shape": "32", "mark": "33", "error": "1;31"}


def paint(text: str, style: str) -> str:
    """``text`` between the escape sequences of a style."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style else text


def wants_color() -> bool:
    """Whether the environment allows colors in a terminal (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


@contextmanager
def _writing() -> Iterator[None]:
    """Distinguishes a closed pipe from an unwritable output; in both cases, stdout is redirected to nothing."""
    try:
        yield
    except BrokenPipeError:
        abandon_stdout()
        raise
    except OSError as error:
        abandon_stdout()
        raise FileError.from_os_error(error, "standard output") from error


def abandon_stdout() -> None:
    """Discards buffered data, so that Python does not fail again on exit."""
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _lines(text: str) -> str:
    """Escapes names in ``text`` and indents further lines, so that none can pass for a separate message."""
    return "\n  ".join(_escaped_lines(text))


def _escaped_lines(text: str) -> Iterator[str]:
    return map(escape, text.split("\n"))
