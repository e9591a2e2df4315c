"""The ops that TF.js supports, and the attributes that it reads.

The table is ``ops.txt`` beside this file: the op lists of the npm package ``@tensorflow/tfjs-converter``, by category, one op a
line with the attributes that TF.js does not mark as ignored. The tests compare it with the installed package.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("ops.txt")


_AWAITED = frozenset({"[control]", "[dynamic]", "[hash_table]"})
"""Categories whose ops return promises: programs must call ``executeAsync``."""


@dataclass(frozen=True, slots=True)
class OpTable:
    """The ops of one version of TF.js.

    Attributes:
        version: of the npm package.
        attributes: op -> names of the attributes that it reads.
        awaited: ops that return promises.
    """

    version: str
    attributes: Mapping[str, tuple[str, ...]]
    awaited: frozenset[str]


@functools.cache
def op_table() -> OpTable:
    """The table. Reads it once."""
    version, category = "", ""
    attributes: dict[str, tuple[str, ...]] = {}
    awaited = set()
    for line in TABLE.read_text("ascii").splitlines():
        first, *rest = line.split()
        if first == "version":
            (version,) = rest
        elif first.startswith("["):
            category = first
        elif first != "#":
            attributes[first] = tuple(rest)
            if category in _AWAITED:
                awaited.add(first)
    return OpTable(version, attributes, frozenset(awaited))
