"""How long drawing takes: ``python -m benchmarks.draw [MODEL...]``. Prints the table of docs/benchmarks.md.

Besides a graph of 100,000 nodes, any model can be named. What the page takes is measured in Chromium: until its first picture
is drawn, and what opening its scopes takes.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import graphscope, measure
from benchmarks.models import wide_graph
from tests.support.browser import chromium_page

OPENED = """() => {
  page.closeAll();
  const times = [];
  for (const scope of [page.pane.diagram.root, ...page.pane.diagram.root.children.slice(0, 8)]) {
    for (const box of scope.children.slice(0, 8)) {
      if (box.isNode || (scope !== page.pane.diagram.root && !scope.isOpen)) continue;
      const start = performance.now();
      page.toggle(page.pane, box, true);
      times.push(performance.now() - start);
    }
  }
  return times;
}"""
FIRST_PICTURE = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def main() -> None:
    print("| graph | file | time | processor | peak memory | size | first picture | a scope opened: median, longest |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        for model in [*map(Path, sys.argv[1:]), wide_graph()]:
            for format in ("svg", "html"):
                target = Path(directory) / f"drawn.{format}"
                took = measure(graphscope("draw", str(model), "-o", str(target), "--force"), runs=3)
                shown = in_browser(target) if format == "html" else " | "
                row = f"{took.seconds:.2f} s | {took.cpu_seconds:.2f} s | {took.peak_mb:.0f} MB"
                print(
                    f"| {model.stem} | {format} | {row} | {os.path.getsize(target) / 1e6:.2f} MB | {shown} |",
                    flush=True,
                )


def in_browser(path: Path) -> str:
    with chromium_page(1440, 900) as page:
        page.goto(f"file://{path}")
        page.wait_for_selector(".view .closed-box")
        first = page.evaluate(FIRST_PICTURE)
        times = page.evaluate(OPENED)
    return f"{first / 1000:.2f} s | {statistics.median(times):.0f} ms, {max(times):.0f} ms"


if __name__ == "__main__":
    main()
