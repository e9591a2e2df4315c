"""What ``dump`` says of its work."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from graphscope.board.dump import DumpOptions, charted
from graphscope.board.filters import first_filters
from graphscope.board.run_directory import LogRun
from graphscope.cli.terminal.text import escape, size
from graphscope.core.model import Model


def missing_notes(model: Model, options: DumpOptions) -> Iterator[str]:
    """What was asked for and is not there."""
    if options.histograms and not any(charted(model)):
        yield "no histograms: no weight has a value"
    if options.filters and not any(first_filters(model)):
        yield "no images of filters: no convolution has a filter with a value"


def run_lines(run: LogRun, logdir: Path) -> Iterator[str]:
    """Each file with its size and what it holds, and what to type next."""
    for file in run.files:
        yield f"{escape(str(file.path))}  {size(file.size_bytes)}"
        yield f"  {escape(', '.join(file.holds))}"
    if run.replaced:
        yield (
            f"in place of the {run.replaced} that an earlier dump wrote"
            if run.replaced > 1
            else "in place of an earlier dump"
        )
    yield f"next  graphscope board {escape(shlex.quote(str(logdir)))}"
