"""A model with variables, changed as a whole before it is written in another format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from graphscope.analysis.choose_outputs import choose_outputs
from graphscope.analysis.shapes import infer
from graphscope.core.graph import Graph
from graphscope.core.listener import Listener
from graphscope.core.model import Model
from graphscope.core.op_history import parse_version
from graphscope.core.tensors import Shape, node_of, shape_text
from graphscope.errors import GraphscopeError, some
from graphscope.protos import MetaGraphDef, TensorInfo
from graphscope.transforms.for_tensorflow import Backported, backport
from graphscope.transforms.input_shapes import Batch, reshape_inputs, wanted_shapes

_MAX_NAMES = 4
_MAX_CHANGES = 8


def with_input_shapes(
    model: Model, shapes: Mapping[str, Shape], batch: Batch, outputs: Sequence[str], listener: Listener
) -> Model:
    """``model`` whose placeholders take other shapes; its signatures say so too. Reads no weights.

    Args:
        shapes, batch: see :func:`graphscope.freeze`.
        outputs: what must keep a part for each example; without any, the outputs of the signatures, or the likely ones.
        listener: hears of what was rewritten.

    Raises:
        UnknownNameError: there is no such placeholder.
        GraphscopeError: a node does not allow a shape.
    """
    wanted = wanted_shapes(model.graph, shapes, batch)
    found = reshape_inputs(model.graph, wanted, outputs or _likely_outputs(model))
    for name, (old, new) in found.inputs.items():
        listener.note(f"{name} {shape_text(old)} -> {shape_text(new)}")
    if found.rewritten:
        changes = (f"{node} {change}" for node, change in found.rewritten.items())
        listener.note(f"rewritten for that: {some(changes, _MAX_NAMES)}")
    return replace(model, loaded_graph=found.graph, meta=_restated(model.meta, found.graph)) if found.inputs else model


def for_older_tensorflow(model: Model, version: str, listener: Listener) -> Model:
    """``model`` as TensorFlow ``version`` loads it; ``listener`` hears of what was changed. Reads no weights.

    Raises:
        GraphscopeError: it is no version; the release lacks an op, or an attribute that has another value than its default.
    """
    found = backport(model.graph, parse_version(version))
    for line in backport_lines(found):
        listener.note(line)
    return replace(model, loaded_graph=found.graph)


def backport_lines(found: Backported) -> Iterator[str]:
    """What was changed for an older release, in words."""
    changes = [f"{op} {count:,}" for op, count in found.replaced.items()]
    changes += [f"{attribute} -{count:,}" for attribute, count in found.stripped.items()]
    if changes:
        yield f"changed for the older release: {some(changes, _MAX_CHANGES)}"
    if found.unknown:
        yield f"no release of TensorFlow has {', '.join(found.unknown)}: a library must bring them"


def _likely_outputs(model: Model) -> Sequence[str]:
    try:
        return choose_outputs(model).outputs
    except GraphscopeError:
        return ()


def _restated(meta: MetaGraphDef, graph: Graph) -> MetaGraphDef:
    """``meta`` whose signatures state the shapes that tensors of ``graph`` have."""
    result = MetaGraphDef()
    result.CopyFrom(meta)
    shapes = infer(graph)
    for info in _tensors(result):
        shape = shapes.shape(info.name) if node_of(info.name) in graph else None
        if shape is not None:
            del info.tensor_shape.dim[:]
            info.tensor_shape.unknown_rank = False
            for size in shape:
                info.tensor_shape.dim.add(size=-1 if size is None else size)
    return result


def _tensors(meta: MetaGraphDef) -> Iterator[TensorInfo]:
    """The plain tensors that signatures take and give."""
    for signature in meta.signature_def.values():
        for infos in (signature.inputs, signature.outputs):
            yield from (infos[name] for name in infos if infos[name].WhichOneof("encoding") == "name")
