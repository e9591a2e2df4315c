"""Archives of named arrays, as models without a graph and as stores of values."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from graphscope.core.model import Model, ModelKind
from graphscope.errors import NotTensorFlowError
from graphscope.formats.archives.npz import NpzStore
from graphscope.formats.archives.safetensors import SafetensorsStore, is_safetensors
from graphscope.formats.archives.weights import Archive
from graphscope.formats.detect.locate import GraphFile
from graphscope.formats.detect.neighbours import HEAD_BYTES, is_npz, refuse_neighbours
from graphscope.formats.io.files import model_file
from graphscope.formats.io.wire import FileSource

_STORES: tuple[tuple[Callable[[bytes, int], bool], Callable[[Path], Archive]], ...] = (
    (is_npz, NpzStore),
    (is_safetensors, SafetensorsStore),
)
"""How a file of each kind is recognized, and its reader."""


def open_archive(path: Path) -> Archive:
    """The arrays in the ``.npz`` or ``.safetensors`` file ``path``, told apart by content.

    Raises:
        FileError: the file cannot be read.
        NotTensorFlowError: it is neither.
        CorruptFileError, UnsupportedError: it is broken, or holds values without a NumPy equivalent.
    """
    source = FileSource(path)
    head = source.read(0, min(HEAD_BYTES, source.size))
    store = next((store for is_kind, store in _STORES if is_kind(head, source.size)), None)
    if store is None:
        refuse_neighbours(source)
        raise NotTensorFlowError("neither a NumPy archive nor a safetensors file", path=path)
    return store(path)


def read_model(location: GraphFile, _: Collection[str] = ()) -> Model:
    """The arrays of a file as values that no variable of a graph takes; raises as :func:`open_archive`."""
    archive = open_archive(location.source.path)
    files = (model_file(archive.path, "data"),)
    return Model(str(archive.path), ModelKind.ARCHIVE, "", files, store=archive)
