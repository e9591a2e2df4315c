"""Assets: files that a model needs in addition to weights, such as vocabularies of lookup tables.

Source: ``tensorflow/python/saved_model/{loader_impl,builder_impl}.py`` (``get_asset_tensors``, ``_maybe_save_assets``),
``AssetFileDef`` in ``tensorflow/core/protobuf/meta_graph.proto`` (2.21).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphscope.advice import Advice, Option
from graphscope.core.assets import COLLECTION, asset_parts, stated_assets
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model, ModelFile, ModelKind
from graphscope.core.names import free_name
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, IncompleteModelError
from graphscope.formats.io.files import model_file
from graphscope.formats.io.paths import is_directory, is_file, real_path
from graphscope.protos import AssetFileDef, DecodeError

DIRECTORY = "assets"
EXTRA_DIRECTORY = "assets.extra"
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


def assets_of(model: Model, *, allow_outside: bool = False) -> list[Asset]:
    """The assets of ``model``: those that a SavedModel declares; otherwise the files that constants of the graph name.

    What a graph names is a stranger's choice: only files in the model's own directory are taken, wherever links lead. Of others
    nothing is reported, not even whether they exist.

    Args:
        allow_outside: takes files from anywhere.

    Raises:
        IncompleteModelError: an asset is missing.
        FileError: an asset is outside the model's directory, and ``allow_outside`` is not set.
        CorruptFileError: the declaration is broken, or a file name leads out of the directory of assets.
    """
    declared = declared_assets(model)
    found = [*declared, *_find_named(model, {node_of(asset.tensor) for asset in declared}, allow_outside)]
    for asset in found:
        if not allow_outside:
            _refuse_outside(model, asset.tensor, asset.source)
        if not is_file(asset.source):
            raise IncompleteModelError(
                f"{asset.source}: this file, which {asset.tensor} names, is missing",
                hint=f"copy it to {_directory(model) / asset.source.name}",
            )
    return found


def _refuse_outside(model: Model, what: str, path: Path) -> None:
    directory = _directory(model)
    if not _is_inside(directory, path):
        raise FileError(
            f"{model.path}: {what} names {str(path)!r}, which is not in the model's directory {directory}",
            hint=Advice(f"copy the file to {directory}, or add ", Option("allow_outside", True)),
        )


def _is_inside(directory: Path, path: Path) -> bool:
    return real_path(path).is_relative_to(real_path(directory))


def extra_files(model: Model, *, allow_outside: bool = False) -> list[tuple[str, Path]]:
    """Path below ``assets.extra`` and place of each file that a SavedModel carries there for others than TensorFlow.

    Raises:
        FileError: a link leads out of the model's directory, and ``allow_outside`` is not set.
    """
    top = _directory(model) / EXTRA_DIRECTORY
    if model.kind is not ModelKind.SAVED_MODEL or not is_directory(top):
        return []
    found = sorted(path for path in top.rglob("*") if path.is_symlink() or is_file(path))
    for path in found:
        if not allow_outside:
            _refuse_outside(model, f"the link {path}" if path.is_symlink() else str(path), path)
    return [(path.relative_to(top).as_posix(), path) for path in found if is_file(path)]


def _directory(model: Model) -> Path:
    path = Path(model.path)
    return path if is_directory(path) else path.parent


def declared_assets(model: Model) -> list[Asset]:
    """What a SavedModel declares, in its meta graph's own list or in the collection that came before it. No I/O.

    Raises:
        CorruptFileError: the declaration is broken, or a file name leads out of the directory of assets.
    """
    if model.kind is not ModelKind.SAVED_MODEL:
        return []
    return [_declared_asset(model, stated) for stated in _stated_files(model)]


def asset_place(directory: Path, filename: str) -> Path | None:
    """Where the asset called ``filename`` of the SavedModel in ``directory`` lies; ``None`` for a name that leads elsewhere."""
    parts = asset_parts(filename)
    return directory.joinpath(DIRECTORY, *parts) if parts else None


def asset_file(directory: Path, filename: str) -> ModelFile:
    """An asset among a SavedModel's files. A name that leads elsewhere tells nothing of what is there: it counts as missing."""
    place = asset_place(directory, filename)
    if place is None:
        return ModelFile(str(directory / DIRECTORY) + "/" + filename, "asset", None)
    return model_file(place, "asset")


def _declared_asset(model: Model, stated: AssetFileDef) -> Asset:
    place = asset_place(_directory(model), stated.filename)
    if place is None:
        raise CorruptFileError(f"{stated.filename!r} is not a name for an asset", path=model.path)
    filename = place.relative_to(_directory(model) / DIRECTORY).as_posix()
    return Asset(filename, stated.tensor_info.name, place, True)


def _stated_files(model: Model) -> Sequence[AssetFileDef]:
    try:
        return stated_assets(model.meta)
    except DecodeError as error:
        raise CorruptFileError(f"collection {COLLECTION}: no AssetFileDef: {error}", path=model.path) from error


def _find_named(model: Model, known: set[str], allow_outside: bool) -> Iterator[Asset]:
    """Constants, not ``known`` yet, that hold the path of a file; of equal names the later get a number."""
    taken: set[str] = set()
    for node in _path_constants(model):
        tensor = node.tensor()
        if node.name in known or tensor is None or tensor.dtype is not DataType.STRING or tensor.elements != 1:
            continue
        text = tensor.numpy().reshape(-1).tolist()[0].decode(errors="surrogateescape")
        path = Path(text)
        base = path.name
        if base in ("", "..") or "\0" in text:
            raise CorruptFileError(f"{node.name}: {text!r} is not the name of a file", path=model.path)
        filename = free_name(base, taken)
        taken.add(filename)
        yield Asset(filename, f"{node.name}:0", _find_present(model, path, allow_outside), False)


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


def _find_present(model: Model, path: Path, allow_outside: bool) -> Path:
    """``path``, or its namesake beside the model: models are moved, and the constants in them stay."""
    directory = _directory(model)
    candidates = (path, directory / path.name, directory / DIRECTORY / path.name)
    allowed = (candidate for candidate in candidates if allow_outside or _is_inside(directory, candidate))
    return next((candidate for candidate in allowed if is_file(candidate)), path)
