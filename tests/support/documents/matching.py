"""Whether an output is the one that a page shows.

A line ``...`` stands for any lines, ``...`` within a line for anything in it, and then the line's figures do not count. A time
or a rate and every figure behind it on its line (quartiles, shares) may be any other. Before it, decimal fractions are equal
within 10 %, since processors round and so train differently, and all below a ten-thousandth are equal: they are what rounding
leaves. Whole numbers and words must be the same. Runs of blanks are equal, because widths of columns depend on figures.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

TOLERANCE = 0.1
ROUNDING = 1e-4
NUMBER = r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
FIGURE = re.compile(NUMBER)
MEASURED = re.compile(rf"{NUMBER}(?: ?(?:ns|us|µs|ms|s|min)\b(?!/)|/s\b).*")
DERIVED = re.compile(rf"{NUMBER}(?:-{NUMBER})?(?: ?(?:ns|us|µs|ms|s|min|[kMGT])\b)?")
REST = "..."


def difference(shown: Sequence[str], output: Sequence[str]) -> str | None:
    """A diff of the lines that are shown and those that came out; ``None`` where they agree.

    Blank lines at the end do not count.
    """
    expected, actual = _stripped(shown), _stripped(output)
    if _agree(expected, actual):
        return None
    return "\n".join(difflib.unified_diff(expected, actual, "shown", "output", lineterm=""))


def _stripped(lines: Sequence[str]) -> list[str]:
    return "\n".join(line.rstrip() for line in lines).rstrip().splitlines()


def _agree(shown: list[str], output: list[str]) -> bool:
    """Whether the lines agree: a rest takes as few lines as it can, the last one all that are left."""
    if REST not in shown:
        return _same(shown, output)
    first = shown.index(REST)
    after = shown[first + 1 :]
    return _same(shown[:first], output[:first]) and any(
        _agree(after, output[start:]) for start in range(first, len(output) + 1)
    )


def _same(shown: list[str], output: list[str]) -> bool:
    return len(shown) == len(output) and all(map(same_line, shown, output))


def same_line(shown: str, output: str) -> bool:
    """Whether a line, with or without rests in it, agrees with one that came out."""
    if REST in shown:
        pattern = ".*".join(map(re.escape, words(shown).split(REST)))
        return re.fullmatch(pattern, words(output)) is not None
    return words(shown) == words(output) and all(map(_same_figure, _figures(shown), _figures(output)))


def words(line: str) -> str:
    """What a line says, its figures aside."""
    return " ".join(FIGURE.sub("0", MEASURED.sub(lambda match: DERIVED.sub("0", match[0]), line)).split())


def _figures(line: str) -> list[str]:
    return FIGURE.findall(MEASURED.sub("", line))


def _same_figure(shown: str, output: str) -> bool:
    if shown == output or "." not in shown + output:
        return shown == output
    one, other = (float(figure.replace(",", "")) for figure in (shown, output))
    largest = max(abs(one), abs(other))
    return abs(one - other) <= TOLERANCE * largest or 0 < min(abs(one), abs(other)) <= largest < ROUNDING
