"""TFRecord files of ``tf.train.Example``, plain or compressed by gzip or zlib.

Each file is read once for an index (positions and labels of its records), which is cached; inputs are then read by position.
"""

from __future__ import annotations

import functools
import glob
import struct
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import GraphscopeError
from graphscope.feeding.inputs import Input
from graphscope.formats.archives.npz import MAX_DEFLATION, NpzStore
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.formats.io import records
from graphscope.formats.io.checksum import masked_crc32c
from graphscope.formats.io.compressed import head
from graphscope.formats.io.paths import exists, is_directory, is_file
from graphscope.formats.io.wire import FileSource
from graphscope.training.data import example
from graphscope.training.data.cache import digest, make_directory, stamp
from graphscope.training.data.inflate import inflate
from graphscope.training.data.schema import parse_schema
from graphscope.training.data.source import DataOptions, Stored
from graphscope.training.data.threads import in_threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OPEN_FILES = 64


def record_files(text: str) -> list[Path]:
    """The TFRecord files named by ``text``: a file, a directory, or a pattern (``train-*``); sorted."""
    path = Path(text)
    if is_directory(path):
        found = [p for p in sorted(path.iterdir()) if not p.name.startswith(".")]
    else:
        found = [path] if exists(path) else sorted(map(Path, [] if "\0" in text else glob.glob(text)))
    return [p for p in found if is_file(p) and is_records(p)]


def is_records(path: Path) -> bool:
    """Whether the file begins with a record: a length and its checksum."""
    start = head(path, records.HEADER_BYTES)
    if len(start) < records.HEADER_BYTES:
        return False
    stated: int = struct.unpack("<I", start[8:])[0]
    return masked_crc32c(start[:8]) == stated


@dataclass(frozen=True, slots=True)
class Index:
    """The index of one file.

    Attributes:
        starts, sizes: int64 (n,), where the data of each record is, in bytes.
        counts: int64 (n,), how many labels each example has.
        labels: int64 or float32 (sum of counts,); of text, places in ``names``.
        names: the different texts; empty if labels are numbers.
        keys: the name of each example; empty if no key was requested.
    """

    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    counts: NDArray[np.int64]
    labels: NDArray[Any]
    names: NDArray[Any]
    keys: NDArray[Any]


def open_records(files: Sequence[Path], into: Input, options: DataOptions) -> Stored:
    """The examples of TFRecord files, in the order of the files.

    Raises:
        GraphscopeError: there is no schema, or an example lacks one of its features; the message lists what it has.
        CorruptFileError: a file is damaged.
    """
    import numpy as np

    if not options.schema:
        raise _no_schema(files[0], options)
    schema = parse_schema(options.schema)
    plain = [_plain(path, options.cache) for path in files]
    indices = [_index(path, inner, schema, options.cache) for path, inner in zip(files, plain)]
    ends = np.cumsum([len(index.starts) for index in indices])
    opened = functools.lru_cache(_OPEN_FILES)(lambda number: FileSource(plain[number]))

    def one(at: tuple[int, int]) -> bytes:
        number, place = at
        index = indices[number]
        return records.read(opened(number), records.Record(int(index.starts[place]), int(index.sizes[place])))

    def value(item: tuple[str, bytes]) -> NDArray[Any]:
        place, data = item
        return example.input_value(example.parse(data, place), schema["x"], place, into)

    def take(wanted: NDArray[np.int64]) -> NDArray[Any]:
        numbers = np.searchsorted(ends, wanted, "right")
        first = np.concatenate([[0], ends])[numbers]
        places = list(zip(numbers.tolist(), (wanted - first).tolist()))
        data = [(f"{files[number]} record {place}", one((number, place))) for number, place in places]
        return np.stack(in_threads(value, data))

    keys = _texts_of(np.concatenate([index.keys for index in indices])) if "key" in schema else _Places(files, ends)
    fingerprint = digest("records", [stamp(path) for path in files], schema["x"])
    return Stored(take, _labels(indices), keys, fingerprint)


def _plain(path: Path, cache: Path) -> Path:
    """``path``, or its records where they are compressed; what holds none is not inflated beyond that."""
    most = FileSource(path).size * MAX_DEFLATION
    return inflate(path, cache, lambda content: records.unframe(content, path, most))


def _no_schema(path: Path, options: DataOptions) -> GraphscopeError:
    source = FileSource(_plain(path, options.cache))
    _, data = next(records.read_records(source))
    features = example.parse(data, f"{path}")
    listed = ", ".join(f"{name} ({example.describe(f)})" for name, f in sorted(features.items()))
    return GraphscopeError(
        f"{path}: which features hold inputs and labels? The first example has {listed}", hint=example.hint(features)
    )


def _labels(indices: Sequence[Index]) -> NDArray[Any]:
    """(n,), (n, width), or (n,) of lists."""
    import numpy as np

    values = np.concatenate(
        [np.array(_texts_of(index.names))[index.labels] if len(index.names) else index.labels for index in indices]
    )
    counts = np.concatenate([index.counts for index in indices])
    if (counts == 1).all():
        return values
    if values.dtype.kind == "f" and len(set(counts.tolist())) == 1:
        return values.reshape(len(counts), -1)
    result = np.empty(len(counts), object)
    result[:] = [found.tolist() for found in np.split(values, np.cumsum(counts)[:-1])]
    return result


def _texts_of(strings: NDArray[Any]) -> list[str]:
    return [text.decode("utf-8", "surrogateescape") for text in strings.tolist()]


def _index(path: Path, plain: Path, schema: Mapping[str, str], cache: Path) -> Index:
    """The index of one file: from the cache, or made now."""
    kept = cache / f"index-{digest(stamp(path), schema['y'], schema.get('key', ''))}.npz"
    if not exists(kept):
        columns = _Columns(path, schema)
        source = FileSource(plain)
        for record in records.records(source):
            columns.add(record, records.read(source, record))
        make_directory(cache)
        write_npz(kept, ((name, ArrayPayload(value)) for name, value in columns.arrays().items()), overwrite=True)
    store = NpzStore(kept)
    return Index(**{name: store.payload(name).numpy() for name in Index.__slots__})


class _Columns:
    """Gathers an index without an object for each example."""

    def __init__(self, path: Path, schema: Mapping[str, str]) -> None:
        self.path = path
        self.schema = schema
        self.starts, self.sizes, self.counts = array("q"), array("q"), array("q")
        self.kind = ""
        self.labels = array("q")
        self.names: dict[bytes, int] = {}
        self.keys: list[bytes] = []

    def add(self, record: records.Record, data: bytes) -> None:
        place = f"{self.path} record {len(self.starts)}"
        features = example.parse(data, place)
        kind, labels = example.values(features, self.schema["y"], place)
        if kind != (self.kind or kind):
            raise GraphscopeError(f"{place}: {self.schema['y']} is {kind}, {self.kind} in the records before")
        if not self.kind:
            self.kind = kind
            self.labels = array("f" if kind == "float32" else "q")
        numbers = labels if kind != "bytes" else [self.names.setdefault(text, len(self.names)) for text in labels]
        self.labels.extend(numbers)
        for column, value in ((self.starts, record.start), (self.sizes, record.size), (self.counts, len(labels))):
            column.append(value)
        if "key" in self.schema:
            self.keys.append(example.key(features, self.schema["key"], place))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns of :class:`Index`."""
        import numpy as np

        numbers = {"starts": self.starts, "sizes": self.sizes, "counts": self.counts, "labels": self.labels}
        texts = {"names": list(self.names), "keys": self.keys}
        return {name: np.asarray(column) for name, column in numbers.items()} | {
            name: np.array(column, object) for name, column in texts.items()
        }


class _Places(Sequence[str]):
    """``train-0.tfrecord:17`` for each example, which take no memory."""

    def __init__(self, files: Sequence[Path], ends: NDArray[np.int64]) -> None:
        self._names = [path.name for path in files]
        self._ends = ends

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: Any) -> Any:
        import numpy as np

        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        place = range(len(self))[index]
        number = int(np.searchsorted(self._ends, place, "right"))
        return f"{self._names[number]}:{place - (int(self._ends[number - 1]) if number else 0)}"
