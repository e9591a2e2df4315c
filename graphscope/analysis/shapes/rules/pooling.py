"""Pools, dilations and patches: windows without weights."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.analysis.shapes.arithmetic import multiply, product
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts, outputs
from graphscope.analysis.shapes.rules.layouts import Layout, extras, per_axis, window
from graphscope.analysis.shapes.sizes import (
    Dim,
    Sizes,
    all_known,
    merge_sizes,
    unknown,
    with_rank,
)
from graphscope.analysis.shapes.table import rule


@rule("MaxPool AvgPool MaxPool3D AvgPool3D")
def pool(call: Call) -> Facts:
    """The stated window over every channel."""
    rank = 5 if call.node.op.endswith("3D") else 4
    layout = Layout(call.text("data_format"), rank)
    if layout.is_blocked:
        call.ranked(0, 5)
        return outputs(None)
    return outputs(_pool(call, layout, call.numbers("ksize"), call.numbers("strides")))


def _pool(call: Call, layout: Layout, ksize: Sequence[int], strides: Sequence[int]) -> Sizes:
    shape = call.ranked(0, layout.rank)
    result = [
        window(shape[axis], extent, stride, call.text("padding"), 1, extra)
        for axis, extent, stride, extra in zip(
            layout.spatial, layout.pick(ksize, "ksize"), layout.pick(strides, "strides"), extras(call, layout)
        )
    ]
    channels = shape[layout.channel]
    if layout.rank == 4 and "MaxPool" in call.node.op:
        channels = window(channels, ksize[layout.channel], strides[layout.channel], call.text("padding"))
    return layout.arrange(shape[0], result, channels)


@rule("MaxPoolV2")
def pool_v2(call: Call) -> Facts:
    """Window and strides are inputs."""
    layout = Layout(call.text("data_format"), 4)
    ksize, strides = call.integers(1), call.integers(2)
    if ksize is None or strides is None:
        call.ranked(0, 4)
        return outputs(unknown(4))
    return outputs(_pool(call, layout, ksize, strides))


@rule("MaxPoolWithArgmax")
def pool_with_argmax(call: Call) -> Facts:
    """The maxima and their places."""
    shape = _pool(call, Layout("NHWC", 4), call.numbers("ksize"), call.numbers("strides"))
    return outputs(shape, shape)


@rule("MaxPoolGrad MaxPoolGradGrad MaxPool3DGrad MaxPool3DGradGrad MaxPoolGradV2")
def pool_gradient(call: Call) -> Facts:
    """The shape of the pictures, or of the maxima for a second derivative."""
    return outputs(call.ranked(1 if "GradGrad" in call.node.op else 0, 5 if "3D" in call.node.op else 4))


@rule("MaxPoolGradWithArgmax")
def argmax_gradient(call: Call) -> Facts:
    """The shape of the pictures."""
    return outputs(call.ranked(0, 4))


@rule("AvgPoolGrad AvgPool3DGrad")
def average_gradient(call: Call) -> Facts:
    """The stated shape."""
    return outputs(with_rank(call.sizes(0), 5 if "3D" in call.node.op else 4))


@rule("Dilation2D")
def dilation(call: Call) -> Facts:
    """A filter of three dimensions over every channel."""
    shape, kernel, layout = call.ranked(0, 4), call.ranked(1, 3), Layout("NHWC", 4)
    channels = merge_sizes(shape[3], kernel[2])
    rates, strides = layout.pick(call.numbers("rates"), "rates"), layout.pick(call.numbers("strides"), "strides")
    if not (all_known(shape[1:3]) and all_known(kernel)):
        return outputs((shape[0], Dim(), Dim(), channels))
    spatial = [
        window(size, extent, stride, call.text("padding"), rate, fits_never=True)
        for size, extent, stride, rate in zip(shape[1:3], kernel[:2], strides, rates)
    ]
    return outputs((shape[0], *spatial, channels))


@rule("ExtractImagePatches ExtractVolumePatches")
def patches(call: Call) -> Facts:
    """Each window's elements side by side, as channels."""
    rank = 4 if call.node.op == "ExtractImagePatches" else 5
    layout, shape = Layout("NHWC", rank), call.ranked(0, rank)
    ksizes = layout.pick(call.numbers("ksizes"), "ksizes")
    strides, rates = layout.pick(call.numbers("strides"), "strides"), per_axis(call, "rates", layout)
    spatial = [
        window(size, extent, stride, call.text("padding"), rate, fits_never=True)
        for size, extent, stride, rate in zip(shape[1:-1], ksizes, strides, rates)
    ]
    if not all_known(shape[1:-1]):
        if rank == 5:  # TensorFlow takes the rank for 4 then
            return outputs(None)
        spatial = [Dim() for _ in spatial]
    return outputs((shape[0], *spatial, multiply(shape[-1], product(ksizes))))
