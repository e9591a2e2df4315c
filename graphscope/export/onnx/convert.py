"""Converts a frozen graph to ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphscope.advice import Advice, Option
from graphscope.analysis.shapes import infer
from graphscope.core.graph import Graph
from graphscope.core.tensors import Shape, TensorName, node_of
from graphscope.errors import GraphscopeError
from graphscope.export.onnx import rules
from graphscope.export.onnx.builder import Builder, Shared
from graphscope.export.onnx.graph import OnnxGraph, live, rename
from graphscope.export.onnx.region import Conversion, Region
from graphscope.export.onnx.runtime_types import KERNELS, Kernels
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import (
    BrokenInputError,
    NotExportableError,
    label_nodes,
    order,
    refuse_clashes,
    refuse_unknown_names,
)

OPSET = 20
OLDEST_OPSET = 17


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """Options for ONNX.

    Attributes:
        opset: the version of ONNX's operators.
        names: tensor of an input or an output -> its name in ONNX.
        shapes: node or tensor name of an input -> its shape, if the graph leaves dimensions open.
        kernels: the types that the runtime computes each op in; others are cast.
    """

    opset: int = OPSET
    names: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    kernels: Kernels = field(default_factory=lambda: KERNELS)


def convert(graph: Graph, outputs: Sequence[str], options: OnnxOptions, path: str) -> OnnxGraph:
    """``graph``, which has no variables, in ONNX. Reads small constants only.

    Args:
        outputs: node or tensor names.
        path: name of the model in error messages.

    Raises:
        NotExportableError: ONNX cannot express it; all reasons are listed.
        GraphscopeError: a name or a shape in ``options`` does not fit, or two tensors would have one name.
    """
    rules.load()
    wanted = [str(TensorName.parse(text)) for text in outputs]
    given = {str(TensorName.parse(name)): shape for name, shape in options.shapes.items()}
    conversion = Conversion(graph, graph.catalog(), infer(graph, given))
    region = Region(conversion, graph, Builder(Shared(options.opset, options.kernels)))
    found = _outputs(region, wanted)
    _refuse_unknown_ops(conversion, wanted)
    if conversion.refusals or None in found:
        raise NotExportableError(path, *order(graph, conversion.refusals, wanted), target="ONNX")
    return _finish(region, wanted, [value for value in found if value is not None], options)


def _outputs(region: Region, wanted: Sequence[str]) -> list[Value | None]:
    found: list[Value | None] = []
    for text in wanted:
        try:
            found.append(region.value(text))
        except BrokenInputError:
            found.append(None)
    return found


def _refuse_unknown_ops(conversion: Conversion, wanted: Sequence[str]) -> None:
    """Nodes after a refused one are not converted; those without a rule are reported anyway."""
    graph = conversion.graph
    for name in graph.ancestors(map(node_of, wanted)) if conversion.refusals else ():
        node = graph[name]
        if not rules.is_known(node.op) and node.op not in graph.functions:
            conversion.refuse(node, rules.NO_RULE)


def _finish(region: Region, wanted: Sequence[str], found: Sequence[Value], options: OnnxOptions) -> OnnxGraph:
    shared = region.builder.shared
    outputs = _named_outputs(region, wanted, found)
    nodes, needed = live(region.builder.nodes, [value.name for value in outputs])
    names = _final_names(region.conversion, wanted, outputs, options)
    names.update((name, shared.fresh(f"{name}/value")) for name in shared.constants if name in names.values())
    rename(nodes, names)

    def final(value: Value) -> Value:
        return replace(value, name=names.get(value.name, value.name))

    given = {name for node in nodes for name in node.output}
    inputs = [final(value) for value in region.conversion.inputs.values()]
    ends = [final(value) for value in outputs]
    refuse_clashes(value.name for value in (*inputs, *ends))
    constants = {names.get(name, name): payload for name, payload in shared.constants.items() if name in needed}
    tensors = dict(zip([*region.conversion.inputs, *wanted], [value.name for value in (*inputs, *ends)]))
    outside = {value.name for value in ends}
    values = [final(v) for v in shared.values.values()]
    inner = [v for v in values if v.name in given and v.name not in outside and v.dims is not None]
    conversion = region.conversion
    notes = [f"{label_nodes(op, names)}: {remark}" for (op, remark), names in conversion.notes.items()]
    return OnnxGraph(nodes, inputs, ends, constants, inner, options.opset, tuple(conversion.random), tensors, notes)


def _named_outputs(region: Region, wanted: Sequence[str], found: Sequence[Value]) -> list[Value]:
    """The outputs, each from its own node: an input, a constant or another output is copied."""
    made = {name for node in region.builder.nodes for name in node.output}
    taken: set[str] = set()
    outputs = []
    for text, value in zip(wanted, found):
        if value.name not in made or value.name in taken:
            region.builder.scope = node_of(text)
            value = replace(region.builder.op("Identity", value), dims=value.dims)
        if value.dims is None:
            raise GraphscopeError(
                f"{text}: its rank is unknown, and ONNX outputs must have one",
                hint=Advice(Option("shape", "INPUT=1,224,224,3"), " gives an input its shape"),
            )
        taken.add(value.name)
        outputs.append(value)
    return outputs


def _final_names(
    conversion: Conversion, wanted: Sequence[str], outputs: Sequence[Value], options: OnnxOptions
) -> dict[str, str]:
    """Name during conversion -> name in the file: TensorFlow's, or the one requested."""
    asked = {str(TensorName.parse(old)): new for old, new in options.names.items()}
    refuse_unknown_names(asked, {*wanted, *conversion.inputs})
    names = {**conversion.labels, **{value.name: text for value, text in zip(outputs, wanted)}}
    first: dict[str, str] = {}
    for old, text in [*((v.name, t) for v, t in zip(outputs, wanted)), *names.items()]:
        first.setdefault(text, old)
    names = {old: asked.get(text, text) + "/output" * (text in conversion.inputs) for text, old in first.items()}
    names.update((value.name, asked[tensor]) for tensor, value in conversion.inputs.items() if tensor in asked)
    return names
