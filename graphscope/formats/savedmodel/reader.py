"""SavedModel directories: ``saved_model.pb`` or ``.pbtxt``, ``variables/``, ``assets/``.

Source: ``tensorflow/core/protobuf/saved_model.proto`` and ``tensorflow/cc/saved_model/constants.h``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from graphscope.advice import Advice, Option, join_options
from graphscope.core.assets import stated_assets
from graphscope.core.model import Model, ModelFile, ModelKind
from graphscope.errors import UnknownNameError
from graphscope.formats.checkpoint.prefix import open_store, refuse_other
from graphscope.formats.detect.locate import GraphFile, SavedModelDirectory
from graphscope.formats.detect.savedmodel_parts import SAVED_MODEL_FILES
from graphscope.formats.detect.sniff import Content, sniff
from graphscope.formats.graph.message import read_message
from graphscope.formats.graph.metagraph import split_meta_graph
from graphscope.formats.io.files import model_file
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.split_weights import SAVED_MODEL
from graphscope.formats.savedmodel.assets import asset_file
from graphscope.protos import DecodeError, MetaGraphDef, SavedModel

VARIABLES = "variables/variables"
SERVE = frozenset({"serve"})


def read_model(location: SavedModelDirectory | GraphFile, tags: Collection[str] = ()) -> Model:
    """A SavedModel, named by its directory or by the file in it; raises as :func:`open_saved_model`."""
    if isinstance(location, GraphFile):
        path = location.source.path
        location = SavedModelDirectory(path.parent, path)
    return open_saved_model(location, tags)


def open_saved_model(location: SavedModelDirectory, tags: Collection[str] = ()) -> Model:
    """One meta graph of a SavedModel, with its variables.

    Args:
        tags: the meta graph's exact tags; none takes the only one, otherwise the one tagged ``serve``, otherwise the one
            without tags.

    Raises:
        UnknownNameError: no meta graph has these tags, or several could be meant.
        CorruptFileError: the file is broken.
    """
    saved = _SavedModelFile(location)
    return saved.model(_choose(saved.tag_sets, frozenset(tags), location))


def open_meta_graphs(location: SavedModelDirectory) -> list[Model]:
    """Every meta graph of a SavedModel, in file order, also those that no tags choose; as :func:`open_saved_model`."""
    saved = _SavedModelFile(location)
    return [saved.model(number) for number in range(len(saved.tag_sets))]


class _SavedModelFile:
    """The message in a SavedModel's file, without its weights."""

    def __init__(self, location: SavedModelDirectory) -> None:
        source = FileSource(location.file)
        sniffed = sniff(source)
        if sniffed.content is not Content.SAVED_MODEL:
            refuse_other(source, "a SavedModel")
            raise source.corrupt("no SavedModel")
        self.location = location
        self.encoding = "text" if sniffed.is_text else "binary"
        self.message, self.holder = read_message(source, SAVED_MODEL, SavedModel, sniffed.is_text)
        self.tag_sets = tuple(frozenset(meta.meta_info_def.tags) for meta in self.message.meta_graphs)

    def model(self, number: int) -> Model:
        """The meta graph of that number; once only, since its graph moves out of the message."""
        directory, file = self.location.directory, self.location.file
        store, version, files = open_store(str(directory / VARIABLES))
        meta = self.message.meta_graphs[number]
        graph = split_meta_graph(meta, self.holder, (("meta_graph", number),))
        return Model(
            str(directory if file.name in SAVED_MODEL_FILES else file),
            ModelKind.SAVED_MODEL,
            self.encoding,
            (
                model_file(file, "graph"),
                *(files if store is not None or needs_variables(meta) else ()),
                *_assets(directory, meta),
            ),
            graph,
            meta,
            store,
            version,
            self.tag_sets,
        )


def needs_variables(meta: MetaGraphDef) -> bool:
    """Whether the meta graph restores something, so that a missing ``variables/`` is a loss."""
    return bool(meta.saver_def.restore_op_name)


def _choose(tag_sets: Sequence[frozenset[str]], tags: frozenset[str], location: SavedModelDirectory) -> int:
    for wanted in (tags,) if tags else (SERVE, frozenset[str]()):
        if wanted in tag_sets:
            return tag_sets.index(wanted)
    if len(tag_sets) == 1 and not tags:
        return 0
    known = [",".join(sorted(t)) for t in tag_sets]
    tagged = join_options("; ", [Option("tags", t) for t in known if t])
    untagged = "; (no tags)" if "" in known and tagged else "(no tags)" if "" in known else ""
    listed = (*tagged, untagged) if known else ("none",)
    raise UnknownNameError(
        "meta graph's tag set", ",".join(sorted(tags or SERVE)), [], hint=Advice(f"{location.file} has: ", *listed)
    )


def _assets(directory: Path, meta: MetaGraphDef) -> list[ModelFile]:
    try:
        stated = stated_assets(meta)
    except DecodeError:  # what uses the assets says so
        stated = meta.asset_file_def
    return [asset_file(directory, asset.filename) for asset in stated]
