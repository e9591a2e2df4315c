"""Convolutions and their gradients."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.analysis.shapes.arithmetic import multiply
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts, outputs
from graphscope.analysis.shapes.rules.filling import pad_sizes
from graphscope.analysis.shapes.rules.layouts import BLOCKED, Layout, extras, per_axis, window
from graphscope.analysis.shapes.sizes import (
    Probe,
    ShapeError,
    Size,
    Sizes,
    merge,
    merge_sizes,
    unknown,
    with_rank,
)
from graphscope.analysis.shapes.table import rule


def _slid(call: Call, layout: Layout, shape: Sizes, extents: Sequence[Size]) -> list[Size]:
    """The spatial sizes after a window of ``extents`` slid over ``shape``."""
    return [
        window(shape[axis], extent, stride, call.text("padding"), dilation, extra)
        for axis, extent, stride, dilation, extra in zip(
            layout.spatial,
            extents,
            per_axis(call, "strides", layout),
            per_axis(call, "dilations", layout),
            extras(call, layout),
        )
    ]


def _convolution(call: Call, rank: int) -> tuple[Layout, Sizes, Sizes]:
    return Layout(call.text("data_format"), rank), call.ranked(0, rank), call.ranked(1, rank)


def _check_groups(channels: Size, filter_channels: Size, results: Size) -> None:
    """Channels are a multiple of the filter's: more than once in a convolution in groups, which nothing else suggests.

    Each group gives as many of the ``results`` as the others.
    """
    if isinstance(channels, Probe):
        merge_sizes(channels, filter_channels)
    if (
        isinstance(channels, int)
        and isinstance(filter_channels, int)
        and (not filter_channels or channels % filter_channels)
    ):
        raise ShapeError(f"{channels} channels are not divisible by the filter's {filter_channels}")
    groups = channels // filter_channels if isinstance(channels, int) and isinstance(filter_channels, int) else 0
    if groups and isinstance(results, int) and results % groups:
        raise ShapeError(f"{results} channels cannot come from {groups} groups")


@rule("Conv2D Conv3D")
def convolution(call: Call) -> Facts:
    """A filter of (..., in, out) over pictures."""
    if call.text("data_format") == BLOCKED:
        call.ranked(0, 5)
        call.ranked(1, 5)
        return outputs(None)
    layout, shape, kernel = _convolution(call, 5 if call.node.op == "Conv3D" else 4)
    _check_groups(shape[layout.channel], kernel[-2], kernel[-1])
    if call.node.op == "Conv3D":
        merge_sizes(shape[layout.channel], kernel[-2])
    return outputs(layout.arrange(shape[0], _slid(call, layout, shape, kernel[:-2]), kernel[-1]))


@rule("FusedPadConv2D FusedResizeAndPadConv2D")
def fused_convolution(call: Call) -> Facts:
    """A filter over pictures that are resized and padded before."""
    shape, resizes = call.ranked(0, 4), "Resize" in call.node.op
    if resizes:
        merge_sizes(call.ranked(1, 1)[0], 2)
        size = call.integers(1)
        shape = (shape[0], *(size or unknown(2)), shape[3])
    if not isinstance(call.ranked(1 + resizes, 2)[0], int):
        raise ShapeError("the number of paddings is unknown")
    padded = pad_sizes(call, 1 + resizes, shape)
    layout, kernel = Layout("NHWC", 4), call.ranked(2 + resizes, 4)
    shape = with_rank(padded, 4)
    merge_sizes(shape[3], kernel[2])
    strides = layout.pick(call.numbers("strides"), "strides")
    slid = [window(shape[k], kernel[k - 1], strides[k - 1], call.text("padding")) for k in (1, 2)]
    return outputs((shape[0], *slid, kernel[3]))


@rule("DepthwiseConv2dNative")
def depthwise(call: Call) -> Facts:
    """Each channel has filters of its own."""
    layout, shape, kernel = _convolution(call, 4)
    channels = merge_sizes(shape[layout.channel], kernel[2])
    return outputs(layout.arrange(shape[0], _slid(call, layout, shape, kernel[:2]), multiply(channels, kernel[3])))


@rule(
    "Conv2DBackpropInput Conv3DBackpropInputV2 DepthwiseConv2dNativeBackpropInput Conv2DBackpropFilter"
    " Conv3DBackpropFilterV2 DepthwiseConv2dNativeBackpropFilter"
)
def backprop(call: Call) -> Facts:
    """The stated sizes: of the pictures, in input 0, or of the filter, in input 1."""
    is_input = call.node.op.endswith(("Input", "InputV2"))
    rank = 5 if "3D" in call.node.op else 4
    stated = call.sizes(0 if is_input else 1)
    if is_input and stated is not None and len(stated) == rank - 2:
        return outputs(_with_batch(call, stated))
    if call.node.op == "Conv2DBackpropInput":
        return outputs(merge(with_rank(stated, rank), _backprop_input(call)))
    return outputs(with_rank(stated, rank))


def _backprop_input(call: Call) -> Sizes:
    """The batch of the gradient."""
    layout, gradient, kernel = Layout(call.text("data_format"), 4), call.ranked(2, 4), call.ranked(1, 4)
    merge_sizes(gradient[layout.channel], kernel[3])
    return (gradient[0], *unknown(3))


def _with_batch(call: Call, spatial: Sizes) -> Sizes:
    """Where only height and width are stated, the filter tells the channels."""
    layout = Layout(call.text("data_format"), len(spatial) + 2)
    gradient, kernel = call.ranked(2, layout.rank), call.ranked(1, layout.rank)
    return layout.arrange(gradient[0], spatial, kernel[-2])


@rule("Conv2DBackpropInputV2 Conv3DBackpropInput Conv3DBackpropFilter Conv2DBackpropFilterV2")
def backprop_like(call: Call) -> Facts:
    """The shape of the input itself."""
    rank = 5 if "3D" in call.node.op else 4
    return outputs(call.ranked(1 if "Filter" in call.node.op else 0, rank))
