"""Receives messages about the work in progress: the command line, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from graphscope.advice import Advice

Advance = Callable[[int], None]
"""Takes the number of further bytes or examples."""


class Listener:
    """Receives messages about the work. This base class ignores them; reports also contain every note."""

    def note(self, text: str | Advice) -> None:
        """Receives additional information about the result."""

    def warning(self, text: str | Advice) -> None:
        """Receives a possible problem with the result."""

    def running(self) -> AbstractContextManager[None]:
        """Wraps every execution of a graph by TensorFlow, because the graph may print."""
        return _nothing()

    def reading(self, what: str, total_bytes: int) -> AbstractContextManager[Advance]:  # noqa: ARG002
        """Wraps work on ``total_bytes`` bytes; yields a function to call for each piece."""
        return _unheard(total_bytes)

    def computing(self, what: str, total: int) -> AbstractContextManager[Advance]:  # noqa: ARG002
        """Wraps work on ``total`` examples; yields a function to call for each batch."""
        return _unheard(total)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _unheard(_: int) -> Iterator[Advance]:
    yield lambda _: None


SILENT = Listener()
