"""No text makes a regular expression of the package slow: each is attacked with texts made from itself.

What is limited is the processor's time, not the clock's: what is linear takes a thousandth of it.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from graphscope.core.ops.table import registered_ops
from graphscope.core.patterns import LONGEST, NamePattern, OpPattern
from tests.support.adversarial import compiled, samples, texts, uses

pytestmark = pytest.mark.slow

SIZE = 20_000
SECONDS = 0.5
"""For one text; linear ones take a millisecond, quadratic ones several seconds."""

BOUNDED = {
    "graphscope.board.dump._ENDINGS": 255,  # a file's name
    "graphscope.formats.text.parser._LINE": 512,  # its window
    **{f"graphscope.tracing.names._RULES[{number}]": 1000 for number in range(12)},  # longer names are not looked at
    **{f"graphscope.protos.schema.{name}": 200 for name in ("_BLOCK", "_FIELD")},  # our own text
}
"""Expressions that only ever see so many characters: their callers cut the text."""

PATTERNS = compiled()
USES = uses() | {place: ("fullmatch",) for place in PATTERNS if "tracing.names._RULES" in place}
needs_timer = pytest.mark.skipif(not hasattr(signal, "ITIMER_VIRTUAL"), reason="no timer of the processor's time")


class TooSlowError(Exception):
    """The time is up."""


def limited(work: Callable[[], Any]) -> None:
    def expired(*_: Any) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGVTALRM, expired)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def attack(pattern: re.Pattern[Any], methods: tuple[str, ...], size: int) -> str | None:
    """The beginning of a text that is too much for ``pattern``."""
    for text in texts(pattern, size):
        for method in methods:
            use = getattr(pattern, method)
            try:
                limited(lambda use=use, text=text: use(text))  # type: ignore[misc]
            except TooSlowError:
                return f"{method}: {text[:60]!r} ... {text[-8:]!r}"
    return None


def case(place: str) -> tuple[re.Pattern[Any], tuple[str, ...], int]:
    """The expression there, the methods it is used by, and how long a text it is given."""
    pattern = PATTERNS[place]
    if isinstance(pattern, NamePattern):
        return pattern.compiled, ("fullmatch", "search"), LONGEST
    return pattern, USES[place], BOUNDED.get(place, SIZE)


DISTINCT = {case(place): place for place in reversed(PATTERNS)}
"""Modules import expressions from one another."""


@needs_timer
@pytest.mark.parametrize("place", DISTINCT.values())
def test_no_text_is_slow(place: str) -> None:
    assert attack(*case(place)) is None


@needs_timer
@pytest.mark.parametrize("slow", [r"(?:\s+|#)*x", r"(a|aa)+b", r"\s+$", r"(x\w*|y)\d*/", "(a*)*b", "_p[^#]*#"])
def test_slow_ones_are_found(slow: str) -> None:
    assert attack(re.compile(slow), ("search",), 200_000) is not None


def test_a_name_that_is_too_long() -> None:
    pattern = NamePattern("a+")
    assert pattern.fullmatch("a" * LONGEST)
    assert pattern.fullmatch("a" * (LONGEST + 1)) is None
    assert pattern.search("a" * (LONGEST + 1)) is None


def test_the_words_of_expressions_for_ops() -> None:
    """Whatever one matches has one of its words: with too few of them, it would silently match less."""
    patterns = {place: pattern for place, pattern in PATTERNS.items() if isinstance(pattern, OpPattern)}
    assert len(patterns) > 10
    for place, pattern in patterns.items():
        matched = [text for text in samples(pattern.compiled) if pattern.compiled.fullmatch(text)]
        matched += filter(pattern.compiled.fullmatch, registered_ops())
        assert len(matched) > 1, place
        assert [text for text in matched if not pattern.fullmatch(text)] == [], place


def test_the_bounded_ones_are_there() -> None:
    assert BOUNDED.keys() <= PATTERNS.keys()


def test_expressions_are_found() -> None:
    assert len(PATTERNS) > 80
    assert "graphscope.formats.detect.sniff._FIRST_FIELD" in PATTERNS
    assert USES["graphscope.formats.detect.sniff._FIRST_FIELD"] == ("match",)
