"""A checkpoint prefix: its meta graph, if there is one, and its values, V2 or V1."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelFile, ModelKind
from graphscope.core.variables.variables import VariableStore
from graphscope.errors import IncompleteModelError
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.formats.detect.locate import CheckpointPrefix, is_table_file
from graphscope.formats.detect.neighbours import refuse_neighbours
from graphscope.formats.detect.savedmodel_parts import saved_model_around
from graphscope.formats.detect.sniff import Content, sniff
from graphscope.formats.graph.message import read_message
from graphscope.formats.graph.metagraph import split_meta_graph
from graphscope.formats.io.files import model_file
from graphscope.formats.io.paths import is_file
from graphscope.formats.io.table_footer import is_table
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.split_weights import META_GRAPH
from graphscope.protos import MetaGraphDef

_USUAL_NAMES = {
    Content.GRAPH: "graph.pb",
    Content.META_GRAPH: "model.meta",
    Content.SAVED_MODEL: "saved_model.pb",
    Content.STATE: "checkpoint",
}


def read_model(location: CheckpointPrefix, _: Collection[str] = ()) -> Model:
    """See :attr:`graphscope.formats.registry.Format.reader`; raises as :func:`open_checkpoint`."""
    return open_checkpoint(location)


def open_checkpoint(location: CheckpointPrefix) -> Model:
    """The model at a checkpoint prefix: meta graph and values, or the one of them that is there.

    Raises:
        IncompleteModelError: there are data shards without their index.
        CorruptFileError, UnsupportedError: a file is broken.
    """
    store, version, files = open_store(location.prefix)
    meta_file = location.file(".meta")
    if not is_file(meta_file):
        if store is None:
            raise IncompleteModelError(
                f"{location.prefix}: data shards without their index: {location.prefix}.index is missing",
                hint="copy it from where the checkpoint was written",
            )
        return Model(
            location.prefix,
            ModelKind.CHECKPOINT,
            "",
            files,
            store=store,
            store_version=version,
            notes=(*location.notes, *_saved_model_note(location.prefix)),
            warnings=location.warnings,
        )
    meta, graph, encoding = read_meta_graph(FileSource(meta_file))
    files = (model_file(meta_file, "graph"), *files)
    kind = ModelKind.META_GRAPH if store is None else ModelKind.META_CHECKPOINT
    return Model(
        location.prefix,
        kind,
        encoding,
        files,
        graph,
        meta,
        store,
        version,
        notes=location.notes,
        warnings=location.warnings,
    )


def _saved_model_note(prefix: str) -> tuple[str, ...]:
    """Where the graph is, if the checkpoint holds the variables of a SavedModel."""
    directory = saved_model_around(Path(prefix))
    if directory is None or Path(prefix).parent.name != "variables":
        return ()
    return (f"these are the variables of the SavedModel {directory}; name that directory to see its graph",)


def read_meta_graph(source: FileSource) -> tuple[MetaGraphDef, Graph, str]:
    """A ``.meta`` file, binary or text: the meta graph without its graph, the graph, and which of the two it was."""
    sniffed = sniff(source)
    if sniffed.content is not Content.META_GRAPH:
        refuse_other(source, "a MetaGraphDef")
    meta, holder = read_message(source, META_GRAPH, MetaGraphDef, sniffed.is_text)
    return meta, split_meta_graph(meta, holder, ()), "text" if sniffed.is_text else "binary"


def open_store(prefix: str) -> tuple[VariableStore | None, str, tuple[ModelFile, ...]]:
    """The values at ``prefix``, their format's version and their files; no store where there is only a meta graph.

    A V2 checkpoint's index is read when its entries are asked for.
    """
    location = CheckpointPrefix(prefix)
    index = location.file(".index")
    if is_file(index):
        _expect_table(index, "the index of a checkpoint")
        bundle = BundleStore(prefix, lazily=True)
        files = (model_file(index, "index"), *(model_file(path, "data") for path in bundle.shard_paths))
        return bundle, "V2", files
    tables = [Path(prefix)] if is_table_file(Path(prefix)) else location.shards("")
    for path in tables:
        _expect_table(path, "a V1 checkpoint")
    if tables:
        from graphscope.formats.checkpoint.v1 import TableStore

        return TableStore(tables), "V1", tuple(model_file(path, "data") for path in tables)
    return None, "", (ModelFile(str(index), "index", None),)


def _expect_table(path: Path, expected: str) -> None:
    if not is_table_file(path):
        refuse_other(FileSource(path), expected)


def refuse_other(source: FileSource, expected: str) -> None:
    """Raises an error that names what ``source`` holds instead of ``expected``; returns if it is unknown.

    Raises:
        NotTensorFlowError: it is empty, or of a neighbouring format.
        CorruptFileError: it is another of TensorFlow's files.
    """
    refuse_neighbours(source)
    if is_table(source):
        raise source.corrupt(f"a V1 checkpoint or the index of a V2 one, where {expected} was expected")
    content = sniff(source).content
    if content is not Content.UNKNOWN:
        hint = f"rename it: mv {source.path} {_USUAL_NAMES[content]}"
        raise source.corrupt(f"a {content.value}, where {expected} was expected", hint=hint)
