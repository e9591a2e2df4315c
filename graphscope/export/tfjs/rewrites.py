"""Rewrites of ops that TF.js lacks, or computes differently, to equivalent ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs
from graphscope.core.graph import Body, Node
from graphscope.core.ops.sets import DEFAULTED, ENTERS, MERGES, PLACEHOLDER_OPS
from graphscope.core.tensors import Shape, TensorName, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.export.conditions import Conditions, conditions_at, conditions_of, decided_by
from graphscope.export.refusal import NotExpressibleError
from graphscope.export.tfjs.site import Site
from graphscope.export.tfjs.turns import steady_inputs
from graphscope.export.tfjs.weights import MIN, SCALE
from graphscope.protos import AttrValue
from graphscope.transforms.data_format.naming import NewNodes

if TYPE_CHECKING:
    from numpy.typing import NDArray

RENAMED = {
    "AccumulateNV2": "AddN",
    "BatchMatMulV3": "BatchMatMulV2",
    "CheckNumerics": "Identity",
    "DeepCopy": "Identity",
    "If": "StatelessIf",
    "Inv": "Reciprocal",
    "LogicalXor": "NotEqual",
    "PlaceholderV2": "Placeholder",
    "PreventGradient": "Identity",
    "RefEnter": "Enter",
    "RefExit": "Exit",
    "RefIdentity": "Identity",
    "RefMerge": "Merge",
    "RefNextIteration": "NextIteration",
    "RefSwitch": "Switch",
    "Rint": "Round",
    "While": "StatelessWhile",
}
"""Op -> one with the same inputs. ``If`` and ``While``: TF.js runs only the others where it keeps track of what is in use."""


class Rewriter:
    """Nodes in place of one that TF.js cannot run.

    Attributes:
        site: that node.
        new: takes the nodes.
    """

    def __init__(self, site: Site, new: NewNodes) -> None:
        self.site = site
        self.new = new
        self.node = site.node
        self.dtype = type_attr(site.dtype())

    def op(self, suffix: str, op: str, inputs: Sequence[str], **attrs: AttrValue) -> str:
        """Adds a node and returns its name: below that of the original node, or the same if ``suffix`` is empty."""
        name = self.new.free(f"{self.node.name}/{suffix}") if suffix else self.node.name
        self.new.nodes.append(make_node(name, op, inputs, {"T": self.dtype, **attrs}))
        return name

    def constant(self, suffix: str, value: NDArray[Any]) -> str:
        """Adds a constant and returns its name."""
        name = self.new.free(f"{self.node.name}/{suffix}")
        self.new.nodes.append(constant(name, value))
        return name

    def reshape(self, suffix: str, text: str, sizes: Sequence[int]) -> str:
        """Adds a ``Reshape`` to ``sizes`` and returns its name."""
        shape = self.new.integers(f"{self.node.name}/{suffix or 'result'}/shape", sizes)
        return self.op(suffix, "Reshape", [text, shape], Tshape=type_attr(DataType.INT32))


Rewrite = Callable[[Rewriter], bool]
"""Adds nodes, the last with the name of the old one; false if the node can stay."""

REWRITES: dict[str, Rewrite] = {}


def rewrites(*ops: str) -> Callable[[Rewrite], Rewrite]:
    """Registers how nodes of ``ops`` are rewritten."""

    def register(function: Rewrite) -> Rewrite:
        REWRITES.update(dict.fromkeys(ops, function))
        return function

    return register


def rewrite(body: Body, shapes: Mapping[str, Shape]) -> list[Node]:
    """The nodes of ``body`` rewritten to TF.js's ops where possible."""
    new = NewNodes(body.names)
    conditions, steady = conditions_of(body), steady_inputs(body)
    for node in body:
        rewriter = Rewriter(Site(node, body, shapes), new)
        if node.op in MERGES:
            _gate(rewriter, conditions)
        elif node.name in steady:
            _renew(rewriter, steady[node.name])
        elif node.op not in REWRITES or not REWRITES[node.op](rewriter):
            new.nodes.append(_rename(node))
    return new.nodes


def _rename(node: Node) -> Node:
    if node.op not in RENAMED:
        return node
    copy = with_inputs(node, node.inputs)
    copy.proto.op = RENAMED[node.op]
    return copy


def _gate(rewriter: Rewriter, conditions: Mapping[str, Conditions]) -> None:
    """Routes the inputs of a ``Merge`` through extra ``Switch`` nodes.

    TF.js takes the first input that has a value, and what depends on a side by control inputs alone always has one.
    """
    node, body = rewriter.node, rewriter.site.body
    inputs = node.data_inputs()
    try:
        predicate, side = decided_by([conditions_at(body, conditions, text) for text in inputs])
    except NotExpressibleError:  # the beginning of a loop, or what no side decides
        rewriter.new.nodes.append(_rename(node))
        return
    gated = []
    for text, taken in zip(inputs, (side, 1 - side)):
        gate = rewriter.op("gate", "Switch", [text, predicate.removesuffix(":0")], T=rewriter.node.attrs["T"])
        gated.append(str(TensorName(gate, taken)))
    rewriter.new.nodes.append(_rename(with_inputs(node, gated)))


def _renew(rewriter: Rewriter, condition: str) -> None:
    """Routes loop invariants through a ``Switch`` that is evaluated in every iteration of the enclosing loop."""
    node = rewriter.node
    turn = rewriter.op("turn", "Switch", [node.inputs[0], condition], T=node.attrs["T"])
    rewriter.new.nodes.append(_rename(with_inputs(node, [f"{turn}:1"])))


@rewrites(DEFAULTED)
def _default(rewriter: Rewriter) -> bool:
    """TF.js frees a computed default while it is still in use, so it is used directly."""
    producer = rewriter.site.body.get(node_of(rewriter.node.inputs[0]))
    if producer is not None and producer.op == "Const":
        return False
    rewriter.op("", "Identity", rewriter.node.data_inputs(), T=rewriter.node.attrs["dtype"])
    return True


@rewrites("Enter", "RefEnter")
def _invariant(rewriter: Rewriter) -> bool:
    """Removes ``Enter`` for constants and inputs: TF.js passes an entered tensor to one iteration only."""
    source = _source(rewriter.site.body, rewriter.node)
    if source is None:
        return False
    rewriter.op("", "Identity", [source], T=rewriter.node.attrs["T"])
    return True


def _source(body: Body, node: Node) -> str | None:
    """The constant or input that enters a loop, and loops in it, as an invariant."""
    found: Node | None = node
    while found is not None and found.op in ENTERS and found.attrs["is_constant"].b:
        found = body.get(node_of(found.inputs[0]))
    return found.name if found is not None and found.op in ("Const", *PLACEHOLDER_OPS) else None


@rewrites("ClipByValue")
def _clip(rewriter: Rewriter) -> bool:
    """TF.js assumes that the bounds are scalars."""
    if rewriter.site.rank(1) == 0 and rewriter.site.rank(2) == 0:
        return False
    x, low, high = rewriter.node.data_inputs()
    rewriter.op("", "Maximum", [rewriter.op("below", "Minimum", [x, high]), low])
    return True


@rewrites("Select")
def _select(rewriter: Rewriter) -> bool:
    """A vector selects rows; TF.js would select elements of each row."""
    rank, chosen = rewriter.site.rank(0), rewriter.site.rank(1)
    if rank is None or chosen is None or rank == chosen or rank == 0:
        return False
    condition, yes, no = rewriter.node.data_inputs()
    shape = rewriter.new.integers(f"{rewriter.node.name}/condition/shape", [-1] + [1] * (chosen - 1))
    boolean, index = type_attr(DataType.BOOL), type_attr(DataType.INT32)
    reshaped = rewriter.op("condition", "Reshape", [condition, shape], T=boolean, Tshape=index)
    rewriter.op("", "SelectV2", [reshaped, yes, no], T=rewriter.node.attrs["T"])
    return True


@rewrites("Softsign")
def _softsign(rewriter: Rewriter) -> bool:
    (x,) = rewriter.node.data_inputs()
    one = rewriter.constant("one", np.ones((), np.float32))
    rewriter.op("", "RealDiv", [x, rewriter.op("sum", "AddV2", [rewriter.op("abs", "Abs", [x]), one])])
    return True


@rewrites("SpaceToBatch", "BatchToSpace")
def _to_batch(rewriter: Rewriter) -> bool:
    """The older ops have one size for both dimensions."""
    size = rewriter.site.value("block_size").i
    block = rewriter.new.integers(f"{rewriter.node.name}/block_shape", [size, size])
    x, other = rewriter.node.data_inputs()
    rewriter.op("", f"{rewriter.node.op}ND", [x, block, other])
    return True


@rewrites("SpaceToDepth")
def _space_to_depth(rewriter: Rewriter) -> bool:
    shape = rewriter.site.shape(0)
    if shape is None or None in shape[1:] or rewriter.site.text("data_format") != "NHWC":
        return False
    size = rewriter.site.value("block_size").i
    height, width, depth = (n or 0 for n in shape[1:])
    rows, columns = height // size, width // size
    (x,) = rewriter.node.data_inputs()
    blocks = rewriter.reshape("blocks", x, [-1, rows, size, columns, size, depth])
    moved = rewriter.new.free(f"{rewriter.node.name}/moved")
    rewriter.new.transpose(moved, blocks, [0, 1, 3, 2, 4, 5], rewriter.dtype)
    rewriter.reshape("", moved, [-1, rows, columns, size * size * depth])
    return True


@rewrites("TopK")
def _top_k(rewriter: Rewriter) -> bool:
    """The older op has the number as an attribute."""
    count = rewriter.constant("k", np.array(rewriter.site.value("k").i, np.int32))
    rewriter.op("", "TopKV2", [*rewriter.node.data_inputs(), count], sorted=rewriter.site.value("sorted"))
    return True


@rewrites("NonMaxSuppression")
def _suppression(rewriter: Rewriter) -> bool:
    """The older op has the threshold as an attribute."""
    threshold = rewriter.constant("iou_threshold", np.array(rewriter.site.value("iou_threshold").f, np.float32))
    rewriter.op("", "NonMaxSuppressionV2", [*rewriter.node.data_inputs(), threshold])
    return True


@rewrites("ShapeN")
def _shapes(rewriter: Rewriter) -> bool:
    """TF.js gives the sizes as floats."""
    kind = type_attr(DataType.INT32)
    sizes = [rewriter.op("shape", "Shape", [text], out_type=kind) for text in rewriter.node.data_inputs()]
    types = AttrValue()
    types.list.type.extend([int(DataType.INT32)] * len(sizes))
    rewriter.op("", "IdentityN", sizes, T=types)
    return True


@rewrites("EuclideanNorm")
def _norm(rewriter: Rewriter) -> bool:
    """TF.js supports at most two axes."""
    if not rewriter.site.dtype().is_floating:
        return False
    x, axes = rewriter.node.data_inputs()
    attrs = {name: rewriter.node.attrs[name] for name in ("Tidx", "keep_dims") if name in rewriter.node.attrs}
    squares = rewriter.op("squares", "Square", [x])
    rewriter.op("", "Sqrt", [rewriter.op("sum", "Sum", [squares, axes], **attrs)])
    return True


@rewrites("MatrixBandPart")
def _band(rewriter: Rewriter) -> bool:
    """TF.js computes one-sided bands incorrectly."""
    site = rewriter.site
    shape, below, above = site.shape(0), site.constant(1), site.constant(2)
    if shape is None or below is None or above is None or shape[-1] is None or shape[-2] is None:
        return False
    distance = np.arange(shape[-2])[:, None] - np.arange(shape[-1])
    kept = ((below < 0) | (distance <= below)) & ((above < 0) | (-distance <= above))
    x = rewriter.node.data_inputs()[0]
    zeros = rewriter.op("zeros", "ZerosLike", [x])
    rewriter.op("", "SelectV2", [rewriter.constant("kept", kept), x, zeros])
    return True


@rewrites("Cumsum", "Cumprod")
def _cumulate(rewriter: Rewriter) -> bool:
    """TF.js loses sizes if the axis is negative."""
    axis, rank = rewriter.site.constant(1), rewriter.site.rank(0)
    if axis is None or rank is None or axis >= 0:
        return False
    positive = rewriter.constant("axis", np.array(axis + rank, np.int32))
    attrs = {**rewriter.node.attrs, "Tidx": type_attr(DataType.INT32)}
    rewriter.op("", rewriter.node.op, [rewriter.node.data_inputs()[0], positive], **attrs)
    return True


@rewrites("OneHot")
def _one_hot(rewriter: Rewriter) -> bool:
    """TF.js supports only the last axis and more than one class."""
    site = rewriter.site
    rank, depth, axis = site.rank(0), site.constant(1), site.value("axis").i
    if rank is None or depth is None or (axis in (-1, rank) and depth > 1):
        return False
    place = rank if axis == -1 else axis
    indices, _, yes, no = rewriter.node.data_inputs()
    kind = type_attr(site.dtype())
    classes = np.arange(depth.item()).astype(site.dtype().numpy).reshape([-1] + [1] * (rank - place))
    axis_name = rewriter.constant("axis", np.array(place, np.int32))
    wider = rewriter.op("indices", "ExpandDims", [indices, axis_name], T=kind, Tdim=type_attr(DataType.INT32))
    chosen = rewriter.op("chosen", "Equal", [wider, rewriter.constant("classes", classes)], T=kind)
    rewriter.op("", "SelectV2", [chosen, yes, no], T=rewriter.node.attrs["T"])
    return True


@rewrites("BatchNormWithGlobalNormalization")
def _old_batch_norm(rewriter: Rewriter) -> bool:
    x, mean, variance, offset, scale = rewriter.node.data_inputs()
    if not rewriter.site.value("scale_after_normalization").b:
        scale = rewriter.op("ones", "OnesLike", [scale])
    epsilon = AttrValue(f=rewriter.site.value("variance_epsilon").f)
    inputs = [x, scale, offset, mean, variance]
    rewriter.op("", "FusedBatchNorm", inputs, epsilon=epsilon, is_training=AttrValue(b=False))
    return True


@rewrites("Dequantize")
def _dequantize(rewriter: Rewriter) -> bool:
    """A constant of bytes stays one: TF.js computes ``byte * scale + min`` while it loads, as TensorFlow does here.

    Source: ``tensorflow/core/kernels/dequantize_op.cc`` (MIN_COMBINED) and ``quantization_utils.h``
    (``QuantizedToFloatStruct``: MIN_FIRST, which makes zero a step).
    """
    site = rewriter.site
    producer = site.body.get(node_of(rewriter.node.inputs[0]))
    payload = producer.tensor() if producer is not None and producer.op == "Const" else None
    low, high = site.constant(1), site.constant(2)
    is_plain = site.text("mode") in ("MIN_COMBINED", "MIN_FIRST") and site.value("axis").i == -1
    if payload is None or low is None or high is None or payload.dtype is not DataType.QUINT8 or not is_plain:
        return False
    least = np.float32(low.item())
    scale = (np.float32(high.item()) - least) / np.float32(255)
    if site.text("mode") == "MIN_FIRST" and scale:
        least = np.round(least / scale) * scale
    attrs = {SCALE: AttrValue(f=scale), MIN: AttrValue(f=least), "dtype": type_attr(DataType.FLOAT)}
    made = make_node(rewriter.node.name, "Const", (), attrs)
    rewriter.new.nodes.append(Node(made.proto, {"value": payload}))
    return True


@rewrites("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs")
def _fake_quant(rewriter: Rewriter) -> bool:
    """TF.js returns its input unchanged. Source: ``tensorflow/core/kernels/fake_quant_ops_functor.h``."""
    ends = _ends(rewriter)
    if ends is None or ends[0] >= ends[1]:
        return False
    low, high, step = _nudge(*ends, rewriter.site)
    bounds = [rewriter.constant(name, value) for name, value in (("low", low), ("high", high))]
    clipped = rewriter.op("clipped", "ClipByValue", [rewriter.node.data_inputs()[0], *bounds])
    steps = [rewriter.op("from_low", "Sub", [clipped, bounds[0]]), rewriter.constant("steps", np.float32(1) / step)]
    half = rewriter.constant("half", np.array(0.5, np.float32))
    whole = rewriter.op("whole", "Floor", [rewriter.op("up", "AddV2", [rewriter.op("share", "Mul", steps), half])])
    scaled = rewriter.op("scaled", "Mul", [whole, rewriter.constant("step", step)])
    rewriter.op("", "AddV2", [scaled, bounds[0]])
    return True


def _ends(rewriter: Rewriter) -> tuple[np.float32, np.float32] | None:
    """The range, if it is known."""
    site = rewriter.site
    if rewriter.node.op == "FakeQuantWithMinMaxArgs":
        return np.float32(site.value("min").f), np.float32(site.value("max").f)
    low, high = site.constant(1), site.constant(2)
    return None if low is None or high is None else (np.float32(low), np.float32(high))


def _nudge(low: np.float32, high: np.float32, site: Site) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The range moved so that zero is a step of it, and the step (``Nudge`` of the same source)."""
    first = np.float32(site.value("narrow_range").b)
    last = np.float32((1 << site.value("num_bits").i) - 1)
    step = np.float32((high - low) / (last - first))
    zero = np.clip(np.floor(first - low / step + np.float32(0.5)), first, last)
    return np.array((first - zero) * step), np.array((last - zero) * step), np.array(step)
