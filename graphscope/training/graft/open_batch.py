"""Makes a base that was built for a fixed number of examples take any number of them.

The placeholders are opened first. What then still states the number are shapes that ``Reshape`` is given: one is rewritten
where it keeps the examples apart, its first size being the number of examples and the others making up exactly one of them.
Whether that was all is seen with a number that occurs nowhere else: a base in which the tensors of the cut do not follow is
refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphscope.advice import Advice, Option
from graphscope.core.build import constant
from graphscope.core.graph import Graph, Node
from graphscope.core.tensors import Shape, TensorName, shape_text
from graphscope.errors import GraphscopeError
from graphscope.protos import NodeDef
from graphscope.runtime.importing import import_graph
from graphscope.training.graft.base import drop_shapes
from graphscope.training.graft.skeleton import skeleton
from graphscope.transforms.bake import placeholder_spec
from graphscope.transforms.opening import placeholder

_PLACEHOLDERS = ("Placeholder", "PlaceholderV2")

_PROBE = 1_000_003
"""A number of examples that no graph states."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A graph of a base and its counterpart in TensorFlow.

    Attributes:
        graph: the nodes.
        imported: the ``tf.Graph``, without large constants.
        is_changed: whether it takes any number of examples only now.
    """

    graph: Graph
    imported: Any
    is_changed: bool = False


def open_batch(graph: Graph, path: str, tensors: Sequence[str]) -> Opened:
    """``graph`` with ``tensors`` for any number of examples, if its inputs say for how many it was built.

    Args:
        path: of the base, for messages.
        tensors: names of those that loss and head are built on.

    Raises:
        GraphscopeError: it was built for a fixed number, and more than the shapes of ``Reshape`` states that.
    """
    imported = import_graph(skeleton(graph), path)
    batch = _batch(graph, _shapes(imported, tensors))
    if batch is None:
        return Opened(graph, imported)
    _refuse_functions(graph, path, batch)
    opened = _with_batch(graph, batch, None)
    imported = import_graph(skeleton(opened), path)
    while rewritten := dict(_find_rewritten(opened, imported, batch)):
        opened = _with_shapes(opened, rewritten)
        imported = import_graph(skeleton(opened), path)
    _check(path, tensors, batch, imported, None)
    try:
        probed = import_graph(skeleton(_with_batch(opened, batch, _PROBE)), path)
    except GraphscopeError as error:
        raise _built_for(path, batch, f"with another, {error.message}") from error
    _check(path, tensors, batch, probed, _PROBE)
    return Opened(opened, imported, True)


def _check(path: str, tensors: Sequence[str], batch: int, imported: Any, expected: int | None) -> None:
    """Refuses a base in which one of ``tensors`` is not of the ``expected`` number of examples."""
    for name, shape in _shapes(imported, tensors).items():
        if not shape or shape[0] not in (expected, None):
            raise _fixed_error(path, name, shape, batch, imported)


def _shapes(imported: Any, tensors: Sequence[str]) -> dict[str, Shape]:
    found = {name: imported.get_tensor_by_name(str(TensorName.parse(name))).shape for name in tensors}
    return {name: None if shape.rank is None else tuple(shape.as_list()) for name, shape in found.items()}


def _is_open(shape: Shape) -> bool:
    return bool(shape) and shape is not None and shape[0] is None


def _batch(graph: Graph, shapes: dict[str, Shape]) -> int | None:
    """The number of examples that ``graph`` was built for; ``None`` where that is no number, or nothing says it."""
    first = {s.shape[0] for n in graph if n.op in _PLACEHOLDERS and (s := placeholder_spec(n)).shape}
    if None in first and all(map(_is_open, shapes.values())):
        return None
    fixed = first - {None}
    if not fixed and None in first:
        fixed = {shape[0] for shape in shapes.values() if shape and shape[0] is not None}
    return fixed.pop() if len(fixed) == 1 else None


def _with_batch(graph: Graph, old: int, new: int | None) -> Graph:
    """``graph`` whose placeholders of ``old`` examples, or of any number of them, take ``new`` ones."""
    nodes = (_of_batch(n, old, new) if n.op in _PLACEHOLDERS else drop_shapes(n) for n in graph.nodes)
    return graph.with_nodes(nodes)


def _of_batch(original: Node, old: int, new: int | None) -> Node:
    spec = placeholder_spec(original)
    if not spec.shape or spec.shape[0] not in (old, None):
        return original
    return placeholder(original.name, replace(spec, shape=(new, *spec.shape[1:])))


def _find_rewritten(graph: Graph, imported: Any, batch: int) -> Iterator[tuple[str, list[int]]]:
    """``Reshape`` node -> its shape for any number of examples."""
    for found in graph.nodes:
        if found.op != "Reshape":
            continue
        operation = imported.get_operation_by_name(found.name)
        given, shape = operation.inputs[0].shape, _static(operation.inputs[1])
        if given.rank and given[0] is None and given[1:].is_fully_defined() and shape and shape[0] == batch:
            rest = _whole(shape[1:], given[1:].num_elements())
            if rest is not None:
                yield found.name, [-1, *rest]


def _refuse_functions(graph: Graph, path: str, batch: int) -> None:
    """Shapes within library functions are not rewritten, and TensorFlow does not see them from outside."""
    for function, body in graph.bodies:
        for found in body if function else ():
            shape = body.get(found.inputs[1].split(":")[0]) if found.op == "Reshape" else None
            value = shape.tensor() if shape is not None and shape.op == "Const" else None
            if value is not None and value.numpy().reshape(-1)[:1].tolist() == [batch]:
                raise _built_for(path, batch, f"node {found.name} of function {function} reshapes to that number")


def _static(tensor: Any) -> list[int] | None:
    from graphscope.runtime.tensorflow import tensorflow

    value = tensorflow().get_static_value(tensor)
    return None if value is None else [int(size) for size in value]


def _whole(sizes: Sequence[int], elements: int) -> list[int] | None:
    """``sizes`` with -1 worked out, where they make up ``elements``."""
    known = math.prod(size for size in sizes if size != -1)
    if -1 in sizes and known and elements % known == 0:
        return [elements // known if size == -1 else size for size in sizes]
    return list(sizes) if known == elements and -1 not in sizes else None


def _with_shapes(graph: Graph, shapes: dict[str, list[int]]) -> Graph:
    """``graph`` in which these ``Reshape`` nodes take these shapes, from constants of their own."""
    import numpy as np

    nodes: list[Node] = []
    for found in graph.nodes:
        if found.name not in shapes:
            nodes.append(found)
            continue
        name = f"{found.name}/any_batch"
        while name in graph:
            name += "_"
        proto = NodeDef()
        proto.CopyFrom(found.proto)
        proto.input[1] = name
        proto.attr["Tshape"].type = 3
        nodes += [constant(name, np.array(shapes[found.name], np.int32)), Node(proto, found.payloads)]
    return graph.with_nodes(nodes)


def _fixed_error(path: str, name: str, shape: Shape, batch: int, imported: Any) -> GraphscopeError:
    """The error for a tensor that still is of a fixed number of examples; it names the node that states the number."""
    operation = imported.get_tensor_by_name(str(TensorName.parse(name))).op
    size = shape[0] if shape else None
    while size is not None and (fixed := [t.op for t in operation.inputs if _states(t, size)]):
        operation = fixed[0]
    return _built_for(path, batch, f"{name} is {shape_text(shape)}, fixed by node {operation.name} ({operation.type})")


def _states(tensor: Any, size: int) -> bool:
    """Whether ``tensor``, which is computed, is of ``size`` examples."""
    return bool(tensor.shape.rank) and tensor.shape[0] == size and tensor.op.type != "Const"


def _built_for(path: str, batch: int, reason: str) -> GraphscopeError:
    return GraphscopeError(
        f"{path}: the base is built for a batch of {batch}: {reason}, so a loss would not be a mean over the examples",
        hint=Advice("export the model with a batch of None, or cut it elsewhere: ", Option("at", "TENSOR")),
    )
