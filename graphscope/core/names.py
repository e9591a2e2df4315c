"""Names for new nodes, scopes and files: valid ones, which nothing else has."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

_VALID = re.compile(r"[A-Za-z0-9._][-A-Za-z0-9._/\\]*(>[A-Za-z0-9._][-A-Za-z0-9._/\\]*)*")


def is_node_name(name: str, *, is_inner: bool = False) -> bool:
    """Whether TensorFlow takes ``name`` for a node.

    Source: ``IsValidNodeName`` in ``tensorflow/core/common_runtime/graph_constructor.cc``.

    Args:
        is_inner: in a library function, where a name may begin with an underscore.
    """
    return _VALID.fullmatch(name) is not None and (is_inner or not name.startswith("_"))


def free_name(wanted: str, *taken: Container[str]) -> str:
    """The first of ``wanted``, ``wanted_1``, ``wanted_2``, ... that is in none of ``taken``."""
    name, number = wanted, 0
    while any(name in names for names in taken):
        number += 1
        name = f"{wanted}_{number}"
    return name


class FreeNames:
    """Gives out names that are not taken, each one once.

    Args:
        taken: the names that are taken from the start.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def __call__(self, *wanted: str) -> str:
        """The first of ``wanted`` that is not empty and not taken; otherwise the first with a number, as :func:`free_name`."""
        named = [name for name in wanted if name] or ["unnamed"]
        free = (name for name in named if name not in self._taken)
        name = next(free, "") or self._with_number(named[0])
        self._taken.add(name)
        return name

    def _with_number(self, name: str) -> str:
        """Goes on from the last number, so that many equal names take no quadratic time."""
        number = self._numbers.get(name, 0) + 1
        while f"{name}_{number}" in self._taken:
            number += 1
        self._numbers[name] = number
        return f"{name}_{number}"
