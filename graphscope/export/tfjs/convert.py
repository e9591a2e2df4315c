"""Converts a frozen graph for TF.js: the same nodes, except for those that TF.js lacks or reads differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from graphscope.analysis.shapes import Shapes, infer
from graphscope.core.changes.build import make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.tensors import Shape, TensorName, TensorSpec, node_of, shape_proto
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.export.refusal import NotExportableError, Refusal, order, refuse_clashes, refuse_unknown_names
from graphscope.export.tfjs.check import Checker
from graphscope.export.tfjs.element_types import storage
from graphscope.export.tfjs.functions import with_plain_functions
from graphscope.export.tfjs.graph import TfjsGraph
from graphscope.export.tfjs.list_writes import with_kept_writes
from graphscope.export.tfjs.ops import op_table
from graphscope.export.tfjs.rewrites import rewrite
from graphscope.formats.savedmodel.writer import tensor_info
from graphscope.protos import SignatureDef, TensorInfo
from graphscope.transforms.data_format import convert_data_format
from graphscope.transforms.data_format.naming import NewNodes
from graphscope.transforms.findings.randomness import is_random


def convert(
    graph: Graph,
    outputs: Sequence[str],
    path: str = "graph",
    *,
    rename: Mapping[str, str] | None = None,
    arguments: Mapping[str, str] | None = None,
) -> TfjsGraph:
    """``graph``, which has no variables, for TF.js. Reads small constants, and those whose numbers might not fit.

    Args:
        outputs: node or tensor names.
        path: name of the model in error messages.
        rename: tensor of an input or an output -> its name in the signature.
        arguments: its name in the model's own signature; tensors in neither keep their names.

    Raises:
        NotExportableError: TF.js cannot run it; all reasons are listed.
        GraphscopeError: a name is of neither an input nor an output, or two would have one name.
    """
    wanted = list(dict.fromkeys(str(TensorName.parse(text)) for text in outputs))
    plain = with_kept_writes(with_plain_functions(_channels_last(graph, wanted)))
    shapes = infer(plain)
    made, ends = _with_ends(_keep_needed(_rewrite(_with_sizes(plain, shapes), shapes.by_name), wanted), wanted)
    checker = Checker(made, infer(made).by_name)
    _refuse(checker.refusals(), made, graph, wanted, path)
    inputs = [f"{node.name}:0" for node in made if node.op == "Placeholder"]
    tensors = _final_names(inputs, wanted, rename or {}, arguments or {})
    signature = SignatureDef()
    for tensor in inputs:
        signature.inputs[tensors[tensor]].CopyFrom(_info(checker, tensor))
    for tensor in wanted:
        signature.outputs[tensors[tensor]].CopyFrom(_info(checker, ends[tensor]))
    return TfjsGraph(
        made,
        checker.weights,
        signature,
        is_dynamic=not op_table().awaited.isdisjoint(made.ops),
        random=[node.name for node in made if is_random(node.op)],
        changed_types={
            dtype.label: (held.dtype, count)
            for dtype, count in checker.types.items()
            if (held := storage(dtype)) is not None and held.dtype != dtype.label
        },
        tensors=tensors,
    )


def _channels_last(graph: Graph, wanted: Sequence[str]) -> Graph:
    """TF.js ignores the data format of most ops. What cannot be moved is refused later, by name."""
    try:
        return convert_data_format(graph, "NHWC", wanted).graph
    except GraphscopeError:
        return graph


def _with_sizes(graph: Graph, shapes: Shapes) -> Graph:
    """Adds known shapes to placeholders: old files omit unknown shapes, which TF.js reads as scalars."""

    def state(node: Node) -> Node:
        if node.op not in PLACEHOLDER_OPS:
            return node
        copy = with_inputs(node, node.inputs)
        shape = shapes.shape(node.name) if shapes.known(node.name) else None
        copy.proto.attr["shape"].shape.CopyFrom(shape_proto(shape))
        return copy

    return graph.with_nodes(map(state, graph))


def _rewrite(graph: Graph, shapes: Mapping[str, Shape]) -> Graph:
    functions = [function.with_nodes(rewrite(function, {})) for function in graph.functions.values()]
    return graph.with_nodes(rewrite(graph, shapes)).with_functions(functions)


def _keep_needed(graph: Graph, wanted: Sequence[str]) -> Graph:
    """The nodes whose data ``wanted`` needs. TF.js ignores control inputs."""

    def producers(node: Node) -> list[Node]:
        found = map(graph.get, dict.fromkeys(map(node_of, node.data_inputs())))
        return [producer for producer in found if producer is not None]

    needed = graph.reach(map(node_of, wanted), producers)
    return graph.with_nodes(node for node in graph if node.name in needed)


def _with_ends(graph: Graph, wanted: Sequence[str]) -> tuple[Graph, dict[str, str]]:
    """``graph`` with a separate node for each output, since TF.js returns one per node; and output -> the tensor to request."""
    catalog, new = graph.catalog(), NewNodes(graph.names)
    ends: dict[str, str] = {}
    for text in wanted:
        name = TensorName.parse(text)
        if name.index:
            node = graph[name.node]
            types = catalog.outputs(node.op, node.attrs) or ()
            kind = type_attr(types[name.index].dtype if name.index < len(types) else DataType.INVALID)
            end = new.free(f"{name.node}_{name.index}")
            new.nodes.append(make_node(end, "Identity", [text], {"T": kind}))
            ends[text] = f"{end}:0"
        else:
            ends[text] = text
    return graph.with_nodes([*graph, *new.nodes]), ends


def _refuse(
    refusals: Mapping[str, Sequence[Refusal]], made: Graph, graph: Graph, outputs: Sequence[str], path: str
) -> None:
    """Raises all ``refusals``, each once, in the order of ``made``, and says where ``graph`` can be cut to leave them out."""
    if refusals:
        listed = dict.fromkeys(refusal for name in made.names for refusal in refusals.get(name, ()))
        firsts = {name: replace(found[0], node=name) for name, found in refusals.items()}
        _, cuts = order(graph, firsts, outputs) if firsts.keys() <= graph.numbers.keys() else ([], [])
        raise NotExportableError(path, list(listed), cuts, target="TF.js")


def _final_names(
    inputs: Sequence[str], outputs: Sequence[str], rename: Mapping[str, str], arguments: Mapping[str, str]
) -> dict[str, str]:
    """Tensor -> its name in the signature."""
    asked = {str(TensorName.parse(old)): new for old, new in rename.items()}
    known = [*inputs, *outputs]
    refuse_unknown_names(asked, known)
    found = {tensor: asked.get(tensor, arguments.get(tensor, tensor)) for tensor in known}
    for tensors in (inputs, outputs):
        refuse_clashes(found[tensor] for tensor in tensors)
    return found


def _info(checker: Checker, tensor: str) -> TensorInfo:
    """A signature entry, with TensorFlow's type."""
    name = TensorName.parse(tensor)
    node = checker.graph[name.node]
    types = checker.catalog.outputs(node.op, node.attrs) or ()
    return tensor_info(checker.graph, TensorSpec(tensor, types[name.index].dtype, checker.shapes.get(tensor)))
