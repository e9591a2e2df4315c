"""The lines of a page brought up to date with what came out, with the rests (``...``) that its author left out of it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from tests.support.documents.matching import REST, difference, same_line, words


def renewed(shown: Sequence[str], output: Sequence[str]) -> list[str]:
    """What to show: lines that still agree stay as they are, rests stay where what stands around them allows it."""
    matcher = SequenceMatcher(None, [words(line) for line in shown], [words(line) for line in output], autojunk=False)
    lines = [
        line
        for tag, a, b, c, d in matcher.get_opcodes()
        for line in (shown[a:b] if tag == "equal" else _replacement(shown[a:b], output[c:d]))
    ]
    return lines if difference(lines, output) is None else list(output)


def _replacement(shown: Sequence[str], output: Sequence[str]) -> list[str]:
    if REST not in shown:
        return [*_paired(shown, output), *output[len(shown) :]]
    first, after = shown.index(REST), len(shown) - 1 - shown[::-1].index(REST)
    end = len(output) - (len(shown) - after - 1)
    return [*_paired(shown[:first], output), REST, *_paired(shown[after + 1 :], output[end:])]


def _paired(shown: Sequence[str], output: Sequence[str]) -> list[str]:
    return [old if same_line(old, new) else new for old, new in zip(shown, output)]
