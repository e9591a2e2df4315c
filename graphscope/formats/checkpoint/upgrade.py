"""Writes any model's values as a V2 checkpoint, with its meta graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphscope.core.model import Model, ModelKind
from graphscope.errors import IncompleteModelError
from graphscope.formats.checkpoint.saver import with_own_saver, with_restore_v2
from graphscope.formats.checkpoint.writer import write_checkpoint
from graphscope.formats.io.progress import Progress, quiet
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.pieces import flow, meta_graph_pieces
from graphscope.protos import MetaGraphDef

_META_KINDS = frozenset({ModelKind.META_GRAPH, ModelKind.META_CHECKPOINT})


def upgrade_checkpoint(model: Model, prefix: str, *, overwrite: bool = False, progress: Progress = quiet) -> int:
    """Writes every value of ``model``'s checkpoint to a V2 checkpoint at ``prefix``, and its meta graph, if there is one.

    See :func:`meta_chunks` for what becomes of that.

    Returns:
        The size of the files in bytes.

    Raises:
        IncompleteModelError: the model has no checkpoint, a part of it is missing, or it does not fit the graph.
        FileError, UnsupportedError, CorruptFileError: as :func:`write_checkpoint`.
    """
    store = model.store
    if store is None:
        raise IncompleteModelError(f"{model.path}: there is no checkpoint to convert")
    model.refuse_mismatch()
    tensors = [(key, store.payload(key)) for key in store.entries]
    return write_checkpoint(prefix, tensors, meta=meta_chunks(model), overwrite=overwrite, progress=progress)


def meta_chunks(model: Model) -> Iterator[bytes] | None:
    """The bytes of a ``.meta`` file that restores V2 checkpoints of ``model``; ``None`` if it has no meta graph.

    They are those of the model's own file, unless its graph is in none (it was changed), or restores by ops that read V1 only:
    these are replaced (see :func:`with_restore_v2`). ``SaverDef.version``, which says how to save, stays. Without a saver, one
    is added.
    """
    if model.kind not in _META_KINDS and model.kind is not ModelKind.SAVED_MODEL:
        return None
    model.refuse_invalid(closely=True)
    graph = with_restore_v2(model.graph, model.path)
    own = next((Path(f.path) for f in model.files if f.role == "graph"), None)
    if own is not None and model.kind in _META_KINDS and graph is model.graph:
        file = FileSource(own)
        return file.chunks(0, file.size)
    meta = MetaGraphDef()
    meta.CopyFrom(model.meta)
    return flow(meta_graph_pieces(meta, with_own_saver(model, graph, meta)))
