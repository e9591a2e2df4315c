"""The files besides weights that a model needs: vocabularies of lookup tables and the like.

Source: ``tensorflow/python/saved_model/{loader_impl,builder_impl}.py`` (``get_asset_tensors``, ``_maybe_save_assets``),
``AssetFileDef`` in ``tensorflow/core/protobuf/meta_graph.proto`` (2.21).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Kind, Model
from graphscope.core.tensors import node_of
from graphscope.errors import CorruptFileError, IncompleteModelError
from graphscope.protos import AssetFileDef, DecodeError

DIRECTORY = "assets"
EXTRA_DIRECTORY = "assets.extra"
_COLLECTION = "saved_model_assets"
_PATHS = "asset_filepaths"
_READERS = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_MAX_STEPS = 8


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset.

    Attributes:
        filename: its path below the directory of assets.
        tensor: the tensor that gives its path in the graph.
        source: where it is now.
        is_declared: whether the meta graph already lists it as a SavedModel does.
    """

    filename: str
    tensor: str
    source: Path
    is_declared: bool


def assets_of(model: Model) -> list[Asset]:
    """The assets of ``model``: those that a SavedModel declares; else the files that constants of the graph name.

    Raises:
        IncompleteModelError: an asset is missing.
        CorruptFileError: the declaration is broken, or a file name leads out of the directory of assets.
    """
    declared = declared_assets(model)
    found = [*declared, *_named(model, {node_of(asset.tensor) for asset in declared})]
    for asset in found:
        if not os.path.isfile(asset.source):
            raise IncompleteModelError(
                f"{asset.source}: this file, which {asset.tensor} names, is missing",
                hint=f"copy it to {_directory(model) / asset.source.name}",
            )
    return found


def extra_files(model: Model) -> list[tuple[str, Path]]:
    """Path below ``assets.extra`` and place of each file that a SavedModel carries there for others than TensorFlow."""
    top = _directory(model) / EXTRA_DIRECTORY
    if model.kind is not Kind.SAVED_MODEL or not top.is_dir():
        return []
    return [(path.relative_to(top).as_posix(), path) for path in sorted(top.rglob("*")) if path.is_file()]


def _directory(model: Model) -> Path:
    path = Path(model.path)
    return path if path.is_dir() else path.parent


def declared_assets(model: Model) -> list[Asset]:
    """What a SavedModel declares, in its meta graph's own list or in the collection that came before it. No I/O.

    Raises:
        CorruptFileError: the declaration is broken, or a file name leads out of the directory of assets.
    """
    if model.kind is not Kind.SAVED_MODEL:
        return []
    return [_declared(model, stated) for stated in model.meta.asset_file_def or _in_collection(model)]


def _declared(model: Model, stated: AssetFileDef) -> Asset:
    parts = PurePosixPath(stated.filename.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise CorruptFileError(f"{stated.filename!r} is no name of an asset", path=model.path)
    return Asset("/".join(parts), stated.tensor_info.name, _directory(model).joinpath(DIRECTORY, *parts), True)


def _in_collection(model: Model) -> Iterable[AssetFileDef]:
    definitions = model.meta.collection_def
    values = definitions[_COLLECTION].any_list.value if _COLLECTION in definitions else ()
    try:
        return [AssetFileDef.FromString(value.value) for value in values]
    except DecodeError as error:
        raise CorruptFileError(f"collection {_COLLECTION}: no AssetFileDef: {error}", path=model.path) from error


def _named(model: Model, known: set[str]) -> Iterator[Asset]:
    """Constants, not ``known`` yet, that hold the path of a file; of equal names the later get a number."""
    taken: set[str] = set()
    for node in _path_constants(model):
        tensor = node.tensor()
        if node.name in known or tensor is None or tensor.dtype is not DataType.STRING or tensor.elements != 1:
            continue
        text = tensor.numpy().reshape(-1).tolist()[0].decode(errors="surrogateescape")
        path = Path(text)
        base, number = path.name, 0
        while (filename := f"{base}_{number}" if number else base) in taken:
            number += 1
        taken.add(filename)
        yield Asset(filename, f"{node.name}:0", _present(model, path), False)


def _path_constants(model: Model) -> Iterable[Node]:
    """Those in the collection of assets' paths, and those that tables are filled from."""
    graph = model.graph
    names = dict.fromkeys(map(node_of, model.collections[_PATHS].names)) if _PATHS in model.collections else {}
    for op, node in zip(graph.ops, graph.nodes):
        if op in _READERS and len(node.data_inputs()) > 1:
            names[_origin(graph, node_of(node.inputs[1]))] = None
    return [graph[name] for name in names if name in graph and graph[name].op == "Const"]


def _origin(graph: Graph, name: str) -> str:
    """Where an identity's value comes from."""
    for _ in range(_MAX_STEPS):
        node = graph.get(name)
        if node is None or node.op not in ("Identity", "PlaceholderWithDefault") or not node.data_inputs():
            break
        name = node_of(node.inputs[0])
    return name


def _present(model: Model, path: Path) -> Path:
    """``path``, or its namesake beside the model: models are moved, and the constants in them stay."""
    beside = (_directory(model) / path.name, _directory(model) / DIRECTORY / path.name)
    return next((candidate for candidate in (path, *beside) if os.path.isfile(candidate)), path)
