"""Whether an output is the one that a page shows.

A line ``...`` stands for any lines, ``...`` within a line for anything in it. How long something took, and rates, may be any
figure. Decimal fractions are equal within 2 %, since processors round differently; whole numbers and words must be the same.
Widths of columns depend on figures, so that runs of blanks are equal.
"""

from __future__ import annotations

import difflib
import re

TOLERANCE = 0.02
NUMBER = r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
FIGURE = re.compile(NUMBER)
MEASURED = re.compile(rf"{NUMBER}(?: ?(?:ns|us|µs|ms|s|min)\b(?!/)|/s\b)")
REST = "..."


def difference(shown: str, output: str) -> str | None:
    """A diff of what is shown and what came out; ``None`` where they agree."""
    expected, lines = shown.rstrip().splitlines(), output.rstrip().splitlines()
    if _agree([line.rstrip() for line in expected], [line.rstrip() for line in lines]):
        return None
    return "\n".join(difflib.unified_diff(expected, lines, "shown", "output", lineterm=""))


def _agree(shown: list[str], output: list[str]) -> bool:
    """Whether the lines agree; what stands between two rests is looked for as early as it can be."""
    parts: list[list[str]] = [[]]
    for line in shown:
        if line == REST:
            parts.append([])
        else:
            parts[-1].append(line)
    first, *others = parts
    if not _same(first, output[: len(first)]):
        return False
    if not others:
        return len(first) == len(output)
    place = len(first)
    for part in others[:-1]:
        starts = range(place, len(output) - len(part) + 1)
        start = next((start for start in starts if _same(part, output[start : start + len(part)])), None)
        if start is None:
            return False
        place = start + len(part)
    last = others[-1]
    return len(output) - len(last) >= place and _same(last, output[len(output) - len(last) :])


def _same(shown: list[str], output: list[str]) -> bool:
    return len(shown) == len(output) and all(map(_same_line, shown, output))


def _same_line(shown: str, output: str) -> bool:
    if REST in shown:
        pattern = ".*".join(re.escape(" ".join(part.split())) for part in shown.split(REST))
        return re.fullmatch(pattern.replace(r"\ .*", ".*").replace(r".*\ ", ".*"), " ".join(output.split())) is not None
    return _words(shown) == _words(output) and all(map(_same_figure, _figures(shown), _figures(output)))


def _words(line: str) -> str:
    return " ".join(FIGURE.sub("0", MEASURED.sub("TIME", line)).split())


def _figures(line: str) -> list[str]:
    return FIGURE.findall(MEASURED.sub("TIME", line))


def _same_figure(shown: str, output: str) -> bool:
    if shown == output or "." not in shown + output:
        return shown == output
    one, other = (float(figure.replace(",", "")) for figure in (shown, output))
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))
