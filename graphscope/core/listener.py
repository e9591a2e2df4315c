"""Who hears of the work while it is done: the command line, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from graphscope.advice import Advice

Advance = Callable[[int], None]
"""Is told how much more is done: bytes, or examples."""


class Listener:
    """Hears of the work. This one keeps silent; the reports hold every note as well."""

    def note(self, text: str | Advice) -> None:
        """Something worth knowing beside the result."""

    def warning(self, text: str | Advice) -> None:
        """Something that may be wrong with the result."""

    def running(self) -> AbstractContextManager[None]:
        """Around everything in which TensorFlow executes a graph, which may print something itself."""
        return _nothing()

    def reading(self, what: str, total_bytes: int) -> AbstractContextManager[Advance]:  # noqa: ARG002
        """Around work on ``total_bytes`` bytes; gives what to tell of each piece."""
        return _unheard(total_bytes)

    def computing(self, what: str, total: int) -> AbstractContextManager[Advance]:  # noqa: ARG002
        """Around work on ``total`` examples; gives what to tell of each batch."""
        return _unheard(total)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _unheard(_: int) -> Iterator[Advance]:
    yield lambda _: None


SILENT = Listener()
