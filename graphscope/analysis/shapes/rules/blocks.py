"""Blocks of pictures that become channels or batches, and back."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.analysis.shapes.arithmetic import divide, multiply, product
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts, outputs
from graphscope.analysis.shapes.rules.layouts import Layout
from graphscope.analysis.shapes.sizes import (
    Dim,
    ShapeError,
    Size,
    Sizes,
    merge_sizes,
    unknown,
)
from graphscope.analysis.shapes.table import rule


@rule("SpaceToDepth DepthToSpace")
def space_and_depth(call: Call) -> Facts:
    """Blocks of a picture become channels, or back."""
    layout = Layout(call.text("data_format"), 4)
    if layout.is_blocked:
        call.ranked(0, 5)
        return outputs(None)
    shape, block = call.ranked(0, 4), call.number("block_size")
    if block <= 0:
        raise ShapeError(f"block_size must be positive but is {block}")
    channels, spatial = shape[layout.channel], [shape[axis] for axis in layout.spatial]
    if call.node.op == "SpaceToDepth":
        return outputs(layout.arrange(shape[0], [divide(s, block) for s in spatial], multiply(channels, block * block)))
    return outputs(layout.arrange(shape[0], [multiply(s, block) for s in spatial], divide(channels, block * block)))


@rule("SpaceToBatch BatchToSpace")
def space_and_batch(call: Call) -> Facts:
    """One block size for height and width."""
    block = call.number("block_size")
    return outputs(_blocks(call, [block, block], 1))


@rule("SpaceToBatchND BatchToSpaceND")
def space_and_batch_nd(call: Call) -> Facts:
    """Block sizes and paddings are inputs."""
    shape, length = call.shape(0), call.ranked(1, 1)[0]
    rows = call.ranked(2, 2)
    merge_sizes(merge_sizes(rows[0], length), length)
    merge_sizes(rows[1], 2)
    if shape is None or not isinstance(length, int):
        return outputs(None)
    if len(shape) <= length:
        raise ShapeError(f"{length} block sizes for a tensor of rank {len(shape)}")
    return outputs(_blocks(call, call.integers(1), 2, length))


def _blocks(call: Call, blocks: Sequence[int] | None, index: int, count: int = 2) -> Sizes:
    """Batch, block dimensions and the rest, after blocks went into the batch, or came back from it."""
    shape = call.shape(0) if index == 2 else call.ranked(0, 4)
    shape = shape or ()
    cuts, is_forth = call.integers(index), call.node.op.startswith("Space")
    rest = shape[count + 1 :]
    if blocks is None:
        return (Dim(), *unknown(count), *rest)
    if any(block <= 0 for block in blocks):
        raise ShapeError(f"block sizes must be positive but are {list(blocks)}")
    factor = product(list(blocks))
    batch = multiply(shape[0], factor) if is_forth else divide(shape[0], factor)
    if cuts is None or len(cuts) != 2 * count:
        return (batch, *unknown(count), *rest)
    sizes = [
        _forth(size, block, cuts[2 * k] + cuts[2 * k + 1])
        if is_forth
        else _back(size, block, cuts[2 * k] + cuts[2 * k + 1])
        for k, (size, block) in enumerate(zip(shape[1:], blocks))
    ]
    return (batch, *sizes, *rest)


def _forth(size: Size, block: int, added: int) -> Size:
    return divide(size + added if isinstance(size, int) else size if not added else Dim(), block)


def _back(size: Size, block: int, cut: int) -> Size:
    whole = multiply(size, block)
    if not isinstance(whole, int):
        return whole if not cut else Dim()
    if cut > whole:
        raise ShapeError(f"{cut} cannot be cut from {whole}")
    return whole - cut
