"""Writes a checkpoint that differs from another in some values; the data files of the others are shared, not copied.

A data file of which only some tensors are still wanted stays whole: the index says which.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from graphscope.core.values.payload import Payload
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.formats.checkpoint.writer import Shard, index_header, order_by_key
from graphscope.formats.io.progress import quiet
from graphscope.formats.io.sstable_writer import table_chunks
from graphscope.formats.io.staging import staged_files
from graphscope.protos import BundleEntryProto


def update_checkpoint(
    store: BundleStore,
    prefix: str,
    changed: Iterable[tuple[str, Payload]],
    *,
    meta: Path,
    overwrite: bool = False,
) -> list[Path]:
    """Writes the tensors of ``store`` with ``changed`` in place of those of the same keys: all files or none.

    Args:
        changed: key and content, in any order; keys that ``store`` does not have are added.
        meta: the ``.meta`` file, which is shared as well.

    Returns:
        The files: data, the index, the meta graph.

    Raises:
        FileError: a file exists and ``overwrite`` is not set, or cannot be written; existing files are kept.
        UnsupportedError: as :func:`~graphscope.formats.checkpoint.writer.write_checkpoint`.
        CorruptFileError, IncompleteModelError: a tensor cannot be read.
    """
    ordered = order_by_key(prefix, changed)
    kept = store.messages(store.entries.keys() - {key.decode() for key, _ in ordered})
    numbers = _renumber(entry for _, entry in kept)
    shards = [Path(f"{prefix}.data-{i:05d}-of-{len(numbers) + 1:05d}") for i in range(len(numbers) + 1)]
    index, graph = Path(f"{prefix}.index"), Path(f"{prefix}.meta")
    shared = [*((store.shard_paths[old], shards[new]) for old, new in numbers.items()), (meta, graph)]
    with staged_files([shards[-1], index], overwrite=overwrite, shared=shared) as files:
        shard = Shard(files[0], quiet, len(numbers))
        entries = [(key, shard.add(payload)) for key, payload in ordered]
        entries += [(key, entry.SerializeToString()) for key, entry in kept]
        files[1].writelines(table_chunks([(b"", index_header(len(shards))), *sorted(entries)]))
    return [*shards, index, graph]


def _renumber(entries: Iterable[BundleEntryProto]) -> dict[int, int]:
    """Gives the data files that hold ``entries`` numbers from 0 on, writes them into the entries, and returns old -> new."""
    numbers: dict[int, int] = {}
    for entry in entries:
        if not entry.slices:  # what lists its slices has no content of its own
            entry.shard_id = numbers.setdefault(entry.shard_id, len(numbers))
    return numbers
