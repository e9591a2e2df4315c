"""The output of ``dump``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from graphscope.board.run_directory import LogRun
from graphscope.cli.terminal.text import escape, size


def run_lines(run: LogRun, logdir: Path) -> Iterator[str]:
    """Each file with its size and content, and the next command."""
    for file in run.files:
        yield f"{escape(str(file.path))}  {size(file.size_bytes)}"
        yield f"  {escape(', '.join(file.holds))}"
    if run.replaced:
        yield (f"replaces {run.replaced} files of an earlier dump" if run.replaced > 1 else "replaces an earlier dump")
    yield f"next  graphscope board {escape(shlex.quote(str(logdir)))}"
