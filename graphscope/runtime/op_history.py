"""Writes the table of when ops appeared that :mod:`graphscope.core.ops.history` reads.

``python -m graphscope.runtime.op_history DIRECTORY``: the directory holds an ``OpList`` for each release of TensorFlow,
in a file that is named like the release (``1.4.0``). It is what ``TF_GetAllOpList`` of the C library in that release's
wheel gives (``_pywrap_tensorflow_internal.so`` until 2.11, ``libtensorflow_cc.so.2`` from 2.12 on). The libraries of 1.0
to 1.2 do not export that function: their list is what ``_InitOpDefLibrary`` holds in all ``gen_*.py`` of the wheel, and
the ops of 1.3 whose names stand in the library. That of
the newest release is ``core/ops/ops.pb``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from graphscope.core.ops.history import TABLE, Version, parse_version
from graphscope.protos import OpList

Releases = Mapping[Version, Mapping[str, frozenset[str]]]
"""Release -> op -> its attributes."""


def table_lines(releases: Releases) -> Iterator[str]:
    """One line for each op: its name, its releases, and the attributes that not all of these have."""
    versions = sorted(releases)
    for op in sorted({op for ops in releases.values() for op in ops}):
        present = [version for version in versions if op in releases[version]]
        words = [op, _span(present, versions)]
        for attr in sorted({attr for version in present for attr in releases[version][op]}):
            having = [version for version in present if attr in releases[version][op]]
            if having != present:
                words.append(f"{attr}={_span(having, versions)}")
        yield " ".join(words)


def _span(present: list[Version], versions: list[Version]) -> str:
    """``1.4`` for a release and all later ones, ``1.4-1.15`` where later ones lack it."""
    first, last = (".".join(map(str, version)) for version in (present[0], present[-1]))
    return first if present[-1] == versions[-1] else f"{first}-{last}"


def read_releases(directory: Path) -> Releases:
    """The op lists in ``directory``."""
    return {
        parse_version(file.name): {
            op.name: frozenset(attr.name for attr in op.attr) for op in OpList.FromString(file.read_bytes()).op
        }
        for file in directory.iterdir()
    }


if __name__ == "__main__":
    Path(TABLE).write_text("\n".join([*table_lines(read_releases(Path(sys.argv[1]))), ""]), encoding="ascii")
