"""Features on disk: the outputs of a base for each example, row by row, in shards that are complete or absent.

::

    DIRECTORY/manifest.json        the tensors, how many examples there are and how many rows a shard has
    DIRECTORY/000000001024.rows    a shard, called by the number of its first example
    shard    row * rows
    row      content of each tensor, little-endian, in the manifest's order; masked crc32c of these:u32le
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, file_errors
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.checksum import masked_crc32c
from graphscope.formats.io.paths import exists, is_file
from graphscope.formats.io.places import beside
from graphscope.formats.io.wire import FileSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MANIFEST = "manifest.json"
SHARD_BYTES = 32 << 20
SHARD_ROWS = 1024
"""A shard has as many rows as fit into the first, and at most the second, which limits the loss when a run is killed."""

SUFFIX = ".rows"
_OPEN_SHARDS = 128
_LEFT_OVER_S = 3600
_CHECKSUM_BYTES = 4
_NO_SPACE = Advice(Option("cache", "DIR"), "   moves the cache elsewhere; the old cache may be deleted")


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The type and shape of one tensor for each example.

    Attributes:
        name: of the tensor.
        dtype, shape: for one example: the dimension that counts examples is left out.
    """

    name: str
    dtype: DataType
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes for one example."""
        return (self.dtype.itemsize or 0) * math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a store's rows in shards.

    Attributes:
        specs: the tensors.
        count: examples.
        shard_rows: examples in each shard but the last.
    """

    specs: tuple[FeatureSpec, ...]
    count: int
    shard_rows: int

    @classmethod
    def of(cls, specs: Sequence[FeatureSpec], count: int, batch: int) -> Layout:
        """Shards of whole batches."""
        row_bytes = sum(spec.nbytes for spec in specs) + _CHECKSUM_BYTES
        rows = min(SHARD_BYTES // row_bytes, SHARD_ROWS)
        return cls(tuple(specs), count, max(rows // batch, 1) * batch)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, its checksum included."""
        return sum(spec.nbytes for spec in self.specs) + _CHECKSUM_BYTES

    @property
    def size_bytes(self) -> int:
        """Bytes of all shards."""
        return self.count * self.row_bytes

    def shards(self) -> Iterator[range]:
        """The examples of each shard."""
        for first in range(0, self.count, self.shard_rows):
            yield range(first, min(first + self.shard_rows, self.count))

    def to_json(self) -> str:
        """The manifest."""
        tensors = [{"name": s.name, "dtype": s.dtype.label, "shape": s.shape} for s in self.specs]
        return json.dumps({"tensors": tensors, "count": self.count, "shard_rows": self.shard_rows}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """The reverse.

        Raises:
            ValueError, KeyError, TypeError: it is not a manifest.
        """
        stated = json.loads(text)
        types = {dtype.label: dtype for dtype in DataType}
        specs = tuple(FeatureSpec(str(t["name"]), types[t["dtype"]], _sizes(t["shape"])) for t in stated["tensors"])
        count, shard_rows = _sizes([stated["count"], stated["shard_rows"]])
        if not specs or not shard_rows or any(spec.dtype.itemsize is None for spec in specs):
            raise ValueError("no tensors, or shards without rows")
        return cls(specs, count, shard_rows)


def _sizes(stated: Sequence[object]) -> tuple[int, ...]:
    """Numbers from 0 on that an address space holds."""
    sizes = tuple(size for size in stated if type(size) is int and size >= 0)
    if len(sizes) != len(stated) or math.prod(sizes) >= 1 << 62:
        raise ValueError(f"{stated!r:.80} are not sizes")
    return sizes


class FeatureStore:
    """The features of all examples, read by index. Memory is taken for what is asked for.

    Attributes:
        directory: the directory of the shards.
        layout: tensors and shards.
        computed: number of examples computed for this object; the others existed.
    """

    def __init__(self, directory: Path, layout: Layout, computed: int = 0) -> None:
        self.directory = directory
        self.layout = layout
        self.computed = computed
        self._shards = functools.lru_cache(_OPEN_SHARDS)(self._open)

    @property
    def specs(self) -> tuple[FeatureSpec, ...]:
        """The tensors, in the order of :meth:`read`."""
        return self.layout.specs

    def __len__(self) -> int:
        return self.layout.count

    def read(self, indices: NDArray[np.int64]) -> list[NDArray[Any]]:
        """For each tensor, the features of ``indices`` in this order, (len(indices), ...). Verifies checksums.

        Raises:
            CorruptFileError: the checksum of a row does not match.
            FileError: a shard is missing or cannot be read.
        """
        import numpy as np

        rows = b"".join(self._row(index) for index in indices.tolist())
        content = np.frombuffer(rows, np.uint8).reshape(len(indices), self.layout.row_bytes)
        ends = list(itertools.accumulate((spec.nbytes for spec in self.specs), initial=0))
        return [self._tensor(s, content[:, a:b]) for s, a, b in zip(self.specs, ends, ends[1:])]

    def _open(self, shard: int) -> FileSource:
        return FileSource(shard_path(self.directory, shard * self.layout.shard_rows))

    def _row(self, index: int) -> bytes:
        shard, place = divmod(index, self.layout.shard_rows)
        file = self._shards(shard)
        offset = place * self.layout.row_bytes
        row = file.read(offset, self.layout.row_bytes)
        if masked_crc32c(row[:-_CHECKSUM_BYTES]) != int.from_bytes(row[-_CHECKSUM_BYTES:], "little"):
            message = f"the checksum of the features of example {index:,} is wrong"
            raise file.corrupt(message, offset, hint="delete the file: it will be computed again")
        return row

    @staticmethod
    def _tensor(spec: FeatureSpec, content: NDArray[np.uint8]) -> NDArray[Any]:
        import numpy as np

        return np.ascontiguousarray(content).view(spec.dtype.numpy).reshape(len(content), *spec.shape)


def shard_path(directory: Path, first: int) -> Path:
    """The shard whose first example has the number ``first``."""
    return directory / f"{first:012d}{SUFFIX}"


def rows_of(tensors: Sequence[NDArray[Any]]) -> bytes:
    """The features of a batch as rows; each tensor (examples, ...)."""
    import numpy as np

    flat = [np.ascontiguousarray(t, t.dtype.newbyteorder("<")).reshape(len(t), -1).view(np.uint8) for t in tensors]
    rows = (row.tobytes() for row in np.concatenate(flat, axis=1))
    return b"".join(row + masked_crc32c(row).to_bytes(_CHECKSUM_BYTES, "little") for row in rows)


def read_layout(directory: Path) -> Layout | None:
    """What the manifest says; ``None`` if there is none yet.

    Raises:
        CorruptFileError: it is damaged.
    """
    path = directory / MANIFEST
    if not exists(path):
        return None
    try:
        return Layout.from_json(path.read_text("utf-8"))
    except OSError as error:
        raise FileError.from_os_error(error, path) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptFileError(f"not a manifest of features: {error}", path=path, hint=f"delete {directory}") from error


def missing_shards(directory: Path, layout: Layout, shards: Iterable[range] | None = None) -> list[range]:
    """The missing shards: those that do not exist in full size.

    Args:
        shards: the shards to check; ``None`` for all.
    """

    def is_whole(shard: range) -> bool:
        path = shard_path(directory, shard.start)
        return is_file(path) and path.stat().st_size == len(shard) * layout.row_bytes

    return [shard for shard in (layout.shards() if shards is None else shards) if not is_whole(shard)]


def written_examples(directory: Path, layout: Layout) -> int:
    """Number of examples with features, from the names of existing shards, for progress."""
    there = {path.name for path in directory.glob(f"[!.]*{SUFFIX}")}
    return sum(len(shard) for shard in layout.shards() if shard_path(directory, shard.start).name in there)


def write_part(path: Path, chunks: Iterable[bytes]) -> None:
    """Writes one file of a store, whole or not at all.

    Raises:
        FileError: the operating system refuses; if the disk is full, the hint says what to do.
    """
    try:
        write_file(path, chunks, overwrite=True)
    except FileError as error:
        raise FileError(error.message, hint=error.hint or _NO_SPACE) from error


def publish_layout(directory: Path, layout: Layout) -> Layout:
    """Writes the manifest, unless another process was first; returns the layout in the manifest, which is valid for all.

    Raises:
        FileError: it cannot be written.
        CorruptFileError: the one that is there is damaged.
    """
    path = directory / MANIFEST
    own = beside(path)
    write_part(own, [layout.to_json().encode()])
    with file_errors(path):
        try:
            os.link(own, path)
        except FileExistsError:
            pass
        except OSError:  # no hard links here: the last one counts
            os.replace(own, path)
        own.unlink(missing_ok=True)
    return read_layout(directory) or layout


def remove_left_over(directory: Path) -> None:
    """Deletes unfinished files of killed runs: those that have not been written to for an hour."""
    for path in directory.glob(f".*{SUFFIX}.*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFT_OVER_S:
                path.unlink()


def refuse_too_large(directory: Path, size_bytes: int, free_bytes: Callable[[Path], int]) -> None:
    """Raises an error before the work if its results will not fit on the disk.

    Raises:
        GraphscopeError: there is not enough space.
    """
    free = free_bytes(directory)
    if size_bytes > free:
        raise GraphscopeError(
            f"{directory}: the features take {size_bytes / 1e9:,.2f} GB, {free / 1e9:,.2f} GB are free", hint=_NO_SPACE
        )
