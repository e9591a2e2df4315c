"""A progress bar on stderr, for long work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from graphscope.cli.terminal.output import Sink

LONG_BYTES = 64 << 20
"""Smaller reads finish before a bar could be read."""


@contextmanager
def bytes_progress(sink: Sink, what: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Returns a callback for the number of processed bytes; shows nothing without a terminal or if the work is short."""
    if not sink.err_is_terminal or total_bytes < LONG_BYTES:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn(what, markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total_bytes)
        yield lambda size: bar.advance(task, size)


@contextmanager
def examples_progress(sink: Sink, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Returns a callback for the number of processed examples out of ``total``; shows nothing without a terminal."""
    if not sink.err_is_terminal:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what, markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)
