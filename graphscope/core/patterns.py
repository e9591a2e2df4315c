"""Regular expressions for names, which a file may make as long as it likes."""

from __future__ import annotations

import re

LONGEST = 1000
"""Characters; no writer of graphs makes longer names, and some expressions take quadratic time."""


class NamePattern:
    """A regular expression that no name longer than :data:`LONGEST` matches.

    Attributes:
        pattern: the expression.
        longest: how many characters it ever sees.
    """

    __slots__ = ("longest", "pattern")

    def __init__(self, text: str, flags: int = 0) -> None:
        self.pattern = re.compile(text, flags)
        self.longest = LONGEST

    def fullmatch(self, name: str) -> re.Match[str] | None:
        """As :meth:`re.Pattern.fullmatch`."""
        return self.pattern.fullmatch(name) if len(name) <= self.longest else None

    def search(self, name: str) -> re.Match[str] | None:
        """As :meth:`re.Pattern.search`."""
        return self.pattern.search(name) if len(name) <= self.longest else None
