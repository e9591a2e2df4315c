"""Regular expressions that are compiled on first use, so that a command pays for those that it needs."""

from __future__ import annotations

import re
from functools import cached_property
from typing import AnyStr, Generic

LONGEST = 1000
"""Characters; no writer of graphs makes longer names, and some expressions take quadratic time."""


PATTERN_ERRORS = (re.error, OverflowError, RecursionError)
"""What compiling raises for a text that is no regular expression, has too large a number, or is nested too deep."""


class Pattern(Generic[AnyStr]):
    """A regular expression, compiled when something is first compared with it."""

    def __init__(self, text: AnyStr, flags: int = 0) -> None:
        self._text: AnyStr = text
        self._flags = flags

    @cached_property
    def compiled(self) -> re.Pattern[AnyStr]:
        """The expression itself."""
        return re.compile(self._text, self._flags)

    def match(self, text: AnyStr) -> re.Match[AnyStr] | None:
        """As :meth:`re.Pattern.match`."""
        return self.compiled.match(text)

    def fullmatch(self, text: AnyStr) -> re.Match[AnyStr] | None:
        """As :meth:`re.Pattern.fullmatch`."""
        return self.compiled.fullmatch(text)

    def search(self, text: AnyStr) -> re.Match[AnyStr] | None:
        """As :meth:`re.Pattern.search`."""
        return self.compiled.search(text)


class NamePattern(Pattern[str]):
    """A regular expression for names, which a file may make as long as it likes: none longer than :data:`LONGEST` matches."""

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """As :meth:`re.Pattern.fullmatch`."""
        return self.compiled.fullmatch(text) if len(text) <= LONGEST else None

    def search(self, text: str) -> re.Match[str] | None:
        """As :meth:`re.Pattern.search`."""
        return self.compiled.search(text) if len(text) <= LONGEST else None


class OpPattern(NamePattern):
    """A regular expression for ops. It is compiled for an op that may match alone: few graphs have an op for each of them.

    Args:
        words: each match contains one of them.
    """

    def __init__(self, words: str, text: str) -> None:
        super().__init__(text)
        self.words = words.split()

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """As :meth:`re.Pattern.fullmatch`."""
        return super().fullmatch(text) if any(word in text for word in self.words) else None
