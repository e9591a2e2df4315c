"""Audit findings, and the enums by which they are sorted."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    from graphscope.analysis.audit.rules import Category
    from graphscope.analysis.effects import PathSource


class Severity(enum.IntEnum):
    """The severity of a finding; larger is worse."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def label(self) -> str:
        """``high``."""
        return self.name.lower()


class Reach(str, enum.Enum):
    """When a node runs; the first applicable member counts."""

    LOAD = "on load"
    SIGNATURE = "by a signature"
    METHOD = "by a method"
    REQUEST = "on request"
    SAVER = "by the saver"
    DEAD = "never called"


class Finding(NamedTuple):
    """One effect or inconsistency of a model.

    Attributes:
        rule: the rule that matched, one of :data:`graphscope.analysis.audit.rules.RULES`.
        severity: the severity in this context.
        text: the effect: ``reads the file /etc/hosts``.
        reason: why the finding has this severity.
        node, op: the node; empty if the finding is not about one node. ``node`` may name a function, a signature or an asset.
        function: the library function that the node is in; empty for the graph itself.
        reach: when it runs; ``None`` if not applicable.
        source: origin of the target's name; ``None`` if there is no target.
        target: that name, if the file states it.
        path: the file or directory that it was found in.
    """

    rule: str
    severity: Severity
    text: str
    reason: str
    node: str = ""
    op: str = ""
    function: str = ""
    reach: Reach | None = None
    source: PathSource | None = None
    target: str = ""
    path: str = ""

    @property
    def category(self) -> Category:
        """What it is about."""
        from graphscope.analysis.audit.rules import RULES  # info shows no category

        return RULES[self.rule].category

    @property
    def place(self) -> str:
        """The name that ``show`` takes: ``function/node`` inside a library function."""
        return f"{self.function}/{self.node}" if self.function else self.node

    def __str__(self) -> str:
        """``peek (ReadFile) reads the file /etc/hosts``."""
        return " ".join(filter(None, (self.place, f"({self.op})" if self.op else "", self.text)))
