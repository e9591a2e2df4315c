"""A base with its cut made ready, and another trained model on top of it if one is wanted: one graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from graphscope.advice import Advice, Option
from graphscope.analysis.shapes import infer
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import DEFAULTED
from graphscope.core.tensors import Shape, TensorName, node_of, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import GraphscopeError
from graphscope.formats.checkpoint.saver import free_scope
from graphscope.protos import AttrValue, GraphDef
from graphscope.training.graft.base import Base
from graphscope.training.graft.bound_tensor import BoundTensor
from graphscope.training.graft.trainable import candidates, matching, unfreeze_constants
from graphscope.training.graft.weights_by_use import used_as_weights
from graphscope.transforms.name_prefix import add_prefix


@dataclass(frozen=True, slots=True)
class Joined:
    """What the head is built on.

    Attributes:
        graph: the base, the nodes that stop gradients, and the model on top.
        values: variable op -> its content.
        scope: name scope of all that is added.
        features: outputs of the ``StopGradient`` nodes, or of the places behind them where features are fed; empty if gradients
            pass.
        tops: tensors that the head takes.
        trainable: variable ops that train, those of the model on top included.
    """

    graph: Graph
    values: Mapping[str, Payload]
    scope: str
    features: tuple[str, ...]
    tops: tuple[str, ...]
    trainable: tuple[str, ...]


def join(
    base: Base,
    top: Base | None,
    binds: Mapping[str, BoundTensor],
    prefix: str,
    *,
    unfreeze: Sequence[re.Pattern[str]] = (),
    stop_gradient: bool = True,
    weights_only: bool = False,
) -> Joined:
    """``base`` with its gradients stopped at the cut, unless something below it is to train.

    Args:
        top: another model, cut to its own output.
        binds: node name of an input of ``top`` -> what it takes: one of ``base.at``, scaled and shifted.
        prefix: name scope; a number is added where the base has one of that name.
        unfreeze: names of weights that are to train as well.
        stop_gradient: False trains all weights.
        weights_only: of constants, those alone train that an op takes as a kernel, a bias or the like.

    Raises:
        UnknownNameError: a pattern of ``unfreeze`` matches no weight that can train.
        GraphscopeError: an input of ``top`` is of another type than the tensor that it takes.
    """
    scope = free_scope(base.graph, prefix)
    own = candidates(base)
    if weights_only and not base.values:
        own = used_as_weights(base.graph, own)
    above = replace(top, graph=add_prefix(top.graph, scope), values=_under(scope, top.values)) if top else None
    above_names = candidates(above) if above is not None else []
    known = [*_names(base), *(_names(above) if above is not None else ())]
    chosen = matching([*own, *above_names], unfreeze, known)
    if not stop_gradient:
        chosen = [*own, *above_names]
    elif above is not None:
        chosen = [*chosen, *(name for name in above_names if name in above.values and name not in chosen)]
    passes = any(name in base.graph for name in chosen)
    if passes and base.takes_one:
        raise _one_at_a_time(base)
    gates = [_gates(base, scope, number) for number in range(len(base.at))]
    fed = {str(TensorName.parse(a)): a if passes else f"{g[-1].name}:0" for a, g in zip(base.at, gates)}
    nodes = [*base.graph.nodes, *(() if passes else chain.from_iterable(gates))]
    graph = base.graph.with_nodes(nodes)
    tops = tuple(fed.values())
    if above is not None and top is not None:
        given = {f"{scope}/{node_of(name)}": replace(b, tensor=fed[b.tensor]) for name, b in binds.items()}
        graph = _with_top(graph, above, given)
        tops = tuple(f"{scope}/{name}" for name in top.at)
    values = {**base.values, **(above.values if above is not None else {})}
    graph, constants = unfreeze_constants(graph, [name for name in chosen if name not in values])
    return Joined(graph, {**values, **constants}, scope, () if passes else tuple(fed.values()), tops, tuple(chosen))


def _under(scope: str, values: Mapping[str, Payload]) -> dict[str, Payload]:
    return {f"{scope}/{name}": payload for name, payload in values.items()}


def _names(base: Base) -> list[str]:
    return list(base.values) or [n.name for n in base.graph if n.op == "Const"]


def _gates(base: Base, scope: str, number: int) -> list[Node]:
    """A ``StopGradient`` for a tensor of the cut; behind it, if that is of one example, a place to feed those of several."""
    text = base.at[number]
    dtype = output_type(base.graph, text)
    if dtype is DataType.INVALID:
        op = base.graph[node_of(text)].op
        raise GraphscopeError(f"{base.path}: {text} is given by {op}, which TensorFlow does not have")
    if dtype in (DataType.RESOURCE, DataType.VARIANT, DataType.STRING):
        raise GraphscopeError(f"{text} is a {dtype.label} tensor; a head takes numbers")
    suffix = f"_{number}" if number else ""
    stop = make_node(
        f"{scope}/stop_gradient{suffix}", "StopGradient", [text.removesuffix(":0")], {"T": type_attr(dtype)}
    )
    if not base.takes_one:
        return [stop]
    shape = infer(base.graph).shape(text)
    if shape == () or (shape is not None and shape[0] not in (1, None)):
        raise GraphscopeError(
            f"{base.path}: {text} is {shape_text(shape)}: it has no batch dimension, which a head needs",
            hint=Advice("cut where the first dimension is 1: ", Option("at", "TENSOR")),
        )
    return [stop, _features(f"{scope}/features{suffix}", stop, dtype, shape)]


def _features(name: str, source: Node, dtype: DataType, shape: Shape) -> Node:
    """What ``source`` gives of one example, unless features of any number of examples are fed in its place."""
    attr = AttrValue()
    attr.shape.unknown_rank = shape is None
    for size in (None, *shape[1:]) if shape else ():
        attr.shape.dim.add(size=-1 if size is None else size)
    return make_node(name, DEFAULTED, [source.name], {"dtype": type_attr(dtype), "shape": attr})


def _one_at_a_time(base: Base) -> GraphscopeError:
    names = ", ".join(spec.name for spec in base.inputs)
    return GraphscopeError(
        f"{base.path}: {names} takes one file at a time: weights of the base cannot train on a batch",
        hint=Advice(Option("inputs", "TENSOR"), " cuts the graph open behind the decoding, where it takes a batch"),
    )


def output_type(graph: Graph, text: str) -> DataType:
    """The element type of a tensor of ``graph``; ``INVALID`` if the op is unknown."""
    tensor = TensorName.parse(text)
    found = graph[tensor.node]
    types = graph.catalog().outputs(found.op, found.attrs) or ()
    return types[tensor.index].dtype if tensor.index < len(types) else DataType.INVALID


def _with_top(graph: Graph, top: Base, given: Mapping[str, BoundTensor]) -> Graph:
    """Both graphs in one: the inputs of ``top`` that are ``given`` pass on tensors of ``graph``."""
    nodes = [made for n in top.graph for made in (_bind(graph, n, given[n.name]) if n.name in given else [n])]
    header = GraphDef()
    header.CopyFrom(graph.header)
    header.library.gradient.extend(top.graph.header.library.gradient)
    header.versions.producer = min(graph.producer, top.graph.producer)
    functions = [*graph.functions.values(), *top.graph.functions.values()]
    return Graph(header, [*graph.nodes, *nodes], functions)


def _bind(graph: Graph, placeholder: Node, source: BoundTensor) -> list[Node]:
    """The nodes in the place of an input: the last has its name."""
    given, wanted = output_type(graph, source.tensor), DataType.of(placeholder.proto.attr["dtype"].type)
    if given is not wanted:
        raise GraphscopeError(f"{placeholder.name} takes {wanted.label}, and {source.tensor} is {given.label}")
    name, types, tensor = placeholder.name, {"T": type_attr(wanted)}, source.tensor.removesuffix(":0")
    if source.is_plain:
        return [make_node(name, "Identity", [tensor], types)]
    if not wanted.is_floating:
        raise GraphscopeError(f"{name} takes {wanted.label}: only floating-point numbers are scaled and shifted")
    factor, product, shift = (f"{name}/bind/{part}" for part in ("scale", "Mul", "shift"))
    return [
        constant(factor, _scalar(source.scale, wanted)),
        make_node(product, "Mul", [tensor, factor], types),
        constant(shift, _scalar(source.shift, wanted)),
        make_node(name, "Add", [product, shift], types),
    ]


def _scalar(value: float, dtype: DataType) -> Payload:
    """``value`` as a scalar of a floating-point type."""
    import numpy as np

    return ArrayPayload(np.asarray(value).astype(dtype.numpy), dtype)
