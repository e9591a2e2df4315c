"""Writes what is printed today into pages and notebooks that show something else.

``python -m tests.support.documents [PAGE...]``; without a page, all of them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.support.documents.blocks import steps_of
from tests.support.documents.matching import difference
from tests.support.documents.notebooks import cells_of, store
from tests.support.documents.pages import NOTEBOOKS, PAGES, page_id, set_up
from tests.support.documents.reader import STOPPED, Reader
from tests.support.documents.renewal import renewed


def main(names: list[str]) -> None:
    """Refresh the pages with these names, or all."""
    for page in [Path(name).resolve() for name in names] or [*PAGES, *NOTEBOOKS]:
        with tempfile.TemporaryDirectory() as directory:
            os.environ["GRAPHSCOPE_CACHE"] = f"{directory}/.cache"
            reader = Reader(set_up(Path(directory)))
            if page.suffix == ".ipynb":
                store(page, [(step, reader.follow(step)[0], reader.html) for step in cells_of(page)])
            else:
                refresh(page, reader)


def refresh(page: Path, reader: Reader) -> None:
    """Follow a page and put in what came out, where it differs from what is shown."""
    lines = page.read_text("utf-8").splitlines()
    grown = 0
    for step in steps_of(page):
        output, status = reader.follow(step)
        if status:
            print(f"{page_id(page)}:{step.line + 1}: exit code {status}", file=sys.stderr)
        if step.shown is None or STOPPED in step.shown or difference(step.shown, output) is None:
            continue
        print(f"{page_id(page)}:{step.line + 1}: {step.source}", file=sys.stderr)
        shown = "\n".join(step.shown).rstrip().splitlines()
        new = [f"{step.indent}{line}".rstrip() for line in renewed(shown, output)]
        first = step.output + grown
        lines[first : first + len(shown)] = new
        grown += len(new) - len(shown)
    page.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
