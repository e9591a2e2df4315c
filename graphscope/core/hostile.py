"""Characters that make a name look like something that it is not."""

from __future__ import annotations

import re

from graphscope.core.patterns import Pattern

HOSTILE = Pattern(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters, marks and overrides of direction, line separators, lone surrogates. Letters and emoji are not here."""


def escape(text: str) -> str:
    r"""``text`` with every hostile character as a visible ``\x1b`` or ``\u202e``; backslashes themselves stay."""
    if text.isascii() and text.isprintable():
        return text
    return HOSTILE.compiled.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
