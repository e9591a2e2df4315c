"""Writes a TF.js graph model: ``model.json`` and weight files of 4 MB beside it, in a directory of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from graphscope.core.patterns import Pattern
from graphscope.errors import FileError
from graphscope.export.target import Written
from graphscope.export.tfjs.graph import TfjsGraph
from graphscope.export.tfjs.topology import model_json
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.paths import exists
from graphscope.formats.io.progress import Progress, quiet, report_chunks
from graphscope.formats.io.staging import refuse_directory, staged_directory

SHARD_BYTES = 4 << 20
"""The size of weight files but the last: browsers keep files of up to this size in their caches."""

_SHARD = Pattern(r"group\d+-shard\d+of\d+\.bin")


def write_tfjs(
    graph: TfjsGraph,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress = quiet,
    check: Callable[[Path], None] = lambda _: None,
) -> Written:
    """Writes ``graph`` to ``path``, its weights into files beside it. Weights are never in memory as a whole.

    The directory of ``path`` is made, or takes the place of one that holds a TF.js model and nothing else.

    Args:
        check: inspects the finished ``model.json`` before the directory is moved into place; if it raises, nothing remains.

    Raises:
        FileError: the directory is not empty and ``overwrite`` is not set, or it holds other files; or the operating system
            refuses.
        CorruptFileError: a weight cannot be read.
    """
    target = Path(path)
    refuse_place(target, overwrite)
    shards = _shard_names(sum(weight.nbytes for weight in graph.weights))
    with staged_directory(target.parent, overwrite=overwrite, replaceable=lambda _: _refuse_foreign(target)) as place:
        chunks = (chunk for weight in graph.weights for chunk in weight.chunks() if chunk)
        size = sum(
            write_file(place / name, report_chunks(part, progress)) for name, part in zip(shards, shares(chunks))
        )
        content = json.dumps(model_json(graph, shards), ensure_ascii=False, separators=(",", ":")).encode()
        size += write_file(place / target.name, [content])
        check(place / target.name)
    return Written((target, *(target.with_name(name) for name in shards)), size, len(graph.graph))


def refuse_place(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Raises an error if the directory of ``path`` cannot be created or replaced, before any work is done.

    Raises:
        FileError: as :func:`write_tfjs`.
    """
    target = Path(path)
    directory = target.parent
    if exists(directory) and os.path.samefile(directory, "."):
        hint = f"name a new directory: {Path('tfjs') / target.name}"
        raise FileError(f"{target}: a TF.js model needs a directory of its own", hint=hint)
    refuse_directory(directory, overwrite, lambda _: _refuse_foreign(target))


def _refuse_foreign(path: Path) -> None:
    """Refuses to replace a directory that holds more than a TF.js model."""
    names = sorted(entry.name for entry in path.parent.iterdir())
    foreign = [name for name in names if name != path.name and not _SHARD.fullmatch(name)]
    if foreign:
        hint = f"name a new directory: {path.parent / 'tfjs' / path.name}"
        raise FileError(
            f"{path.parent}: not replaced, because it holds {foreign[0]}, which is not part of a TF.js model", hint=hint
        )


def _shard_names(total: int) -> list[str]:
    count = -(-total // SHARD_BYTES)
    return [f"group1-shard{i + 1}of{count}.bin" for i in range(count)]


def shares(chunks: Iterable[bytes]) -> Iterator[Iterator[bytes]]:
    """``chunks`` in parts of :data:`SHARD_BYTES`. Each part has to be used up before the next is taken."""
    rest = iter(chunks)
    for first in rest:
        parts = _Share(first, rest)
        yield iter(parts)
        while parts.left:
            parts = _Share(parts.left, rest)
            yield iter(parts)


class _Share:
    """The bytes of one file; excess bytes are kept in ``left``."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self.left = first
        self.rest = rest

    def __iter__(self) -> Iterator[bytes]:
        room = SHARD_BYTES
        while self.left:
            part, self.left = self.left[:room], self.left[room:]
            yield part
            room -= len(part)
            if not room:
                return
            self.left = next(self.rest, b"")
