"""Which releases of TensorFlow know which ops and attributes.

The table is ``history.txt`` beside this file, in minor releases from 1.0 to 2.21, taken from the op registries in the
wheels of all of them by ``python -m graphscope.runtime.op_history``, and compared with the installed TensorFlow in the
tests. It lists TensorFlow's own ops, not those of ``contrib`` or of other libraries, and says nothing of the element
types that an op's kernels take.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graphscope.errors import GraphscopeError

TABLE = Path(__file__).with_name("history.txt")

Version = tuple[int, int]
"""Major and minor number of a release."""

OLDEST: Version = (1, 0)
NEWEST: Version = (2, 21)

_LAST_OF_MAJOR = {1: 15, 2: 21}
_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.\d{1,3})?")


def parse_version(text: str) -> Version:
    """``1.4`` or ``1.4.0`` as (1, 4).

    Raises:
        GraphscopeError: it is not a version, or the table does not reach it.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise GraphscopeError(f"{text} is not a version of TensorFlow", hint="for example: 1.4, 1.15, 2.3")
    version = int(match[1]), int(match[2])
    if version[1] > _LAST_OF_MAJOR.get(version[0], -1):
        raise GraphscopeError(
            f"TensorFlow {text} is not in the table of ops", hint="it has 1.0 to 1.15 and 2.0 to 2.21"
        )
    return version


def version_text(version: Version) -> str:
    """``1.4``."""
    return f"{version[0]}.{version[1]}"


@dataclass(frozen=True, slots=True)
class Span:
    """The releases that have something.

    Attributes:
        first: the first of them.
        last: the last of them; ``None`` if the newest one has it.
    """

    first: Version
    last: Version | None = None

    def __contains__(self, version: Version) -> bool:
        return self.first <= version and (self.last is None or version <= self.last)

    def __str__(self) -> str:
        since = f"since {version_text(self.first)}"
        return since if self.last is None else f"{since}, until {version_text(self.last)}"

    @classmethod
    def parse(cls, text: str) -> Span:
        """``1.4`` or ``1.4-1.15``."""
        first, _, last = text.partition("-")
        return cls(parse_version(first), parse_version(last) if last else None)


@dataclass(frozen=True, slots=True)
class OpHistory:
    """When an op was there.

    Attributes:
        releases: that have the op.
        attributes: those that not all of its releases have -> the releases that do.
    """

    releases: Span
    attributes: Mapping[str, Span] = field(default_factory=dict)

    def knows(self, attribute: str, version: Version) -> bool:
        """Whether the op has an attribute in ``version``; attributes that are not in the table are taken for old."""
        span = self.attributes.get(attribute)
        return span is None or version in span


@functools.cache
def op_histories() -> Mapping[str, OpHistory]:
    """Op -> its history. Reads the table once."""
    return dict(map(_row, TABLE.read_text("ascii").splitlines()))


def _row(line: str) -> tuple[str, OpHistory]:
    name, releases, *attributes = line.split()
    pairs = (word.partition("=") for word in attributes)
    return name, OpHistory(Span.parse(releases), {attr: Span.parse(text) for attr, _, text in pairs})
