"""Writes what commands print today into the pages that show something else: ``python -m tests.support.documents [PAGE...]``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.support.documents.blocks import Step, steps_of
from tests.support.documents.matching import difference
from tests.support.documents.pages import PAGES, page_id, set_up
from tests.support.documents.reader import STOPPED, Reader


def main(names: list[str]) -> None:
    """Refresh the pages with these names, or all."""
    for page in [Path(name).resolve() for name in names] or PAGES:
        with tempfile.TemporaryDirectory() as directory:
            os.environ["GRAPHSCOPE_CACHE"] = f"{directory}/.cache"
            refresh(page, Reader(set_up(Path(directory))))


def refresh(page: Path, reader: Reader) -> None:
    """Follow a page and put in what came out, where it differs from what is shown; a rest (``...``) there is lost."""
    text, moved = page.read_text("utf-8"), 0
    for step in steps_of(page):
        output, status = reader.follow(step)
        if status:
            print(f"{page_id(page)}:{step.line}: exit code {status}", file=sys.stderr)
        if step.shown is None or difference(step.shown, output) is None or STOPPED in step.shown:
            continue
        print(f"{page_id(page)}:{step.line}: {step.source.rstrip()}", file=sys.stderr)
        start, end, new = _replacement(step, output, text, moved)
        text, moved = text[:start] + new + text[end:], moved + len(new) - (end - start)
    page.write_text(text, "utf-8")


def _replacement(step: Step, output: str, text: str, moved: int) -> tuple[int, int, str]:
    """Where the shown output begins and ends in the page as it is by now, and the new lines."""
    assert step.shown is not None
    indent, shown = step.block.indent, step.shown
    lines_before = step.block.text.count("\n", 0, step.offset)
    start = step.block.start + moved
    for _ in range(lines_before):
        start = text.index("\n", start) + 1
    end = start
    for _ in range(len(shown.rstrip().splitlines())):
        end = text.index("\n", end) + 1
    return start, end, "".join(f"{indent}{line}".rstrip() + "\n" for line in output.rstrip().splitlines())


if __name__ == "__main__":
    main(sys.argv[1:])
