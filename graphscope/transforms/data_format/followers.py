"""What follows an op of images and can be carried over to the other data format with it.

A rule adds the node in the new format, or what gives the same from a tensor in the new format, and says whether it did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.graph import Node
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue

if TYPE_CHECKING:
    from graphscope.transforms.data_format.convert import Mover

Follower = Callable[[Node, "Mover"], bool]
"""Carries a node over, one of whose inputs is in the new format; whether it could."""


def _copy(node: Node, name: str, inputs: Sequence[str], attrs: Mapping[str, AttrValue] | None = None) -> Node:
    """``node`` with other inputs, its control inputs behind them; without the note of its outputs' shapes."""
    kept = {key: value for key, value in node.attrs.items() if key != "_output_shapes"}
    controls = [text for text in node.inputs if text.startswith("^")]
    return make_node(name, node.op, [*inputs, *controls], {**kept, **(attrs or {})})


def _elementwise(node: Node, mover: Mover) -> bool:
    inputs = [_align(text, mover) for text in node.data_inputs()]
    if None in inputs:
        return False
    mover.emit(_copy(node, mover.name(node), [text for text in inputs if text is not None]), node, 1)
    return True


def _align(text: str, mover: Mover) -> str | None:
    """An operand as it meets a tensor in the new format; ``None`` if that is not known."""
    rank = mover.rank(text)
    if mover.is_moved(text) or rank == 4:
        return mover.new(text)
    if rank == 0:
        return text
    value = mover.small(text)
    if rank is None or rank > 4 or value is None:
        return None
    whole = value.reshape((1,) * (4 - rank) + value.shape)
    return mover.array(f"{node_of(text)}/{mover.layouts.new}", whole.transpose(mover.layouts.forth))


def _join(axis_first: bool) -> Follower:
    def rule(node: Node, mover: Mover) -> bool:
        data = node.data_inputs()
        axis = mover.integers(data[0] if axis_first else data[-1])
        images = data[1:] if axis_first else data[:-1]
        if axis is None or any(mover.rank(text) != 4 for text in images):
            return False
        place = mover.made.integers(f"{node.name}/axis", mover.layouts.axis(axis[0]))
        moved = [mover.new(text) for text in images]
        inputs = [place, *moved] if axis_first else [*moved, place]
        mover.emit(_copy(node, mover.name(node), inputs, _index(node)), node, 1)
        return True

    return rule


def _index(node: Node) -> dict[str, AttrValue]:
    """The attributes that say of which type axes are: int32, as those that are written here."""
    return {name: type_attr(DataType.INT32) for name in ("Tidx", "Tdim", "Tpaddings") if name in node.attrs}


def _split(axis_at: int, data_at: int) -> Follower:
    def rule(node: Node, mover: Mover) -> bool:
        inputs = node.data_inputs()
        axis, count = mover.integers(inputs[axis_at]), node.attr("num_split")
        if axis is None or count is None or mover.name(node) != node.name:
            return False
        inputs[axis_at] = mover.made.integers(f"{node.name}/axis", mover.layouts.axis(axis[0]))
        inputs[data_at] = mover.new(inputs[data_at])
        mover.emit(_copy(node, node.name, inputs), node, count.i)
        return True

    return rule


def _reduce(node: Node, mover: Mover) -> bool:
    image, axes_input = node.data_inputs()[:2]
    axes, keep = mover.integers(axes_input), node.attr("keep_dims")
    if axes is None:
        return False
    places = sorted(mover.layouts.axis(axis) for axis in axes)
    is_kept = keep is not None and keep.b
    if not is_kept and not _keeps_order(places, mover):
        return False
    name = mover.name(node) if is_kept else node.name
    moved = _copy(node, name, [mover.new(image), mover.made.integers(f"{node.name}/axes", places)], _index(node))
    if is_kept:
        mover.emit(moved, node, 1)
    else:
        mover.emit_plain(moved)
    return True


def _keeps_order(dropped: Sequence[int], mover: Mover) -> bool:
    """Whether the axes that are left when those of the new format are ``dropped`` come in the same order in both formats."""
    left = [axis for place, axis in enumerate(mover.layouts.new) if place not in dropped]
    return left == sorted(left, key=mover.layouts.old.index)


def _pad(node: Node, mover: Mover) -> bool:
    inputs = node.data_inputs()
    flat = mover.integers(inputs[1])
    if flat is None or len(flat) != 8:
        return False
    pairs = mover.layouts.reorder(list(zip(flat[::2], flat[1::2])))
    inputs[0], inputs[1] = mover.new(inputs[0]), mover.made.integers(f"{node.name}/paddings", pairs)
    mover.emit(_copy(node, mover.name(node), inputs, _index(node)), node, 1)
    return True


def _squeeze(node: Node, mover: Mover) -> bool:
    stated = node.attr("squeeze_dims")
    places = sorted(mover.layouts.axis(axis) for axis in stated.list.i) if stated is not None else []
    if not places or not _keeps_order(places, mover):
        return False
    axes = AttrValue()
    axes.list.i.extend(places)
    mover.emit_plain(_copy(node, node.name, [mover.new(node.inputs[0])], {"squeeze_dims": axes}))
    return True


def _shape(node: Node, mover: Mover) -> bool:
    """The sizes in the order of the old format."""
    sizes, order = mover.made.free(f"{node.name}/{mover.layouts.new}"), mover.layouts.back
    mover.emit_plain(_copy(node, sizes, [mover.new(node.inputs[0])]))
    places = mover.made.integers(f"{node.name}/order", order)
    kind = node.attr("out_type") or type_attr(DataType.INT32)
    attrs = {"Tparams": kind, "Tindices": type_attr(DataType.INT32), "validate_indices": AttrValue(b=True)}
    mover.emit_plain(make_node(node.name, "Gather", [sizes, places], attrs))
    return True


def _transpose(node: Node, mover: Mover) -> bool:
    """One transpose from the new format; none if that is what the graph wants."""
    order = mover.integers(node.inputs[1])
    if order is None:
        return False
    whole = [mover.layouts.axis(axis) for axis in order]
    source = mover.new(node.inputs[0])
    dtype = node.attr("T") or mover.dtype(node.inputs[0])
    if whole == sorted(whole):
        mover.emit_plain(make_node(node.name, "Identity", [source], {"T": dtype}))
    else:
        mover.made.transpose(node.name, source, whole, dtype)
    return True


def _reshape(node: Node, mover: Mover) -> bool:
    """Where height and width are 1, the elements are in the same order."""
    shape = mover.shape(node.inputs[0])
    if shape is None or [size for axis, size in zip(mover.layouts.old, shape) if axis in "HW"] != [1, 1]:
        return False
    mover.emit_plain(_copy(node, node.name, [mover.new(node.inputs[0]), mover.old(node.inputs[1])]))
    return True


_ELEMENTWISE = (
    "Identity StopGradient CheckNumerics Cast Neg Abs Sqrt Rsqrt Square Exp Log Log1p Sign Floor Ceil Round Reciprocal Inv"
    " Relu Relu6 LeakyRelu Elu Selu Softplus Softsign Sigmoid Tanh Erf"
    " Add AddV2 Sub Mul Div RealDiv FloorDiv Maximum Minimum Pow SquaredDifference AddN"
    " FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars Greater GreaterEqual Less LessEqual"
)
FOLLOWERS: Mapping[str, Follower] = {
    **dict.fromkeys(_ELEMENTWISE.split(), _elementwise),
    "ConcatV2": _join(axis_first=False),
    "Concat": _join(axis_first=True),
    "Split": _split(0, 1),
    "SplitV": _split(2, 0),
    **dict.fromkeys("Mean Sum Max Min Prod".split(), _reduce),
    **dict.fromkeys("Pad PadV2 MirrorPad".split(), _pad),
    "Squeeze": _squeeze,
    "Shape": _shape,
    "Transpose": _transpose,
    "Reshape": _reshape,
}
"""Op -> its rule."""
