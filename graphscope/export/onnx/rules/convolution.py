"""Convolutions and transposed convolutions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphscope.export.onnx.builder import Attribute, vector
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.rules.layout import Layout, channels_first, layout_of
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """The SAME padding before and after an axis; ``window`` includes dilation (``GetWindowedOutputSizeVerbose``)."""
    total = max((math.ceil(size / stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def explicit_padding(call: Call, layout: Layout) -> list[tuple[int, int]]:
    """The padding before and after each axis of space that the node states: none unless it is EXPLICIT."""
    pairs = np.array(call.integers("explicit_paddings") or [0] * 2 * layout.rank).reshape(-1, 2)
    return [(int(pairs[i][0]), int(pairs[i][1])) for i in layout.space]


def padding(
    call: Call, layout: Layout, value: Value, windows: Sequence[int], strides: Sequence[int]
) -> Mapping[str, Attribute]:
    """The padding attributes of the node: numbers if they can be computed, otherwise a rule.

    With a stride or a window of 1 they do not depend on the size of the input.

    Args:
        value: the tensor to pad, in ``layout``.
        windows: sizes of the window, with dilation.
    """
    kind = call.text("padding")
    sizes = [value.size(i) for i in layout.space]
    if kind == "VALID":
        _refuse_narrow(sizes, windows)
        return {}
    if kind == "EXPLICIT":
        chosen = explicit_padding(call, layout)
        _refuse_narrow([s and s + before + behind for s, (before, behind) in zip(sizes, chosen)], windows)
        return {"pads": [before for before, _ in chosen] + [behind for _, behind in chosen]}
    if layout.rank == 5 and any(_is_cropped(*axis) for axis in zip(sizes, windows, strides)):
        raise NotExpressibleError("TensorFlow crops instead of padding, because the window is narrower than the stride")
    if all(s is not None or w == 1 or t == 1 for s, w, t in zip(sizes, windows, strides)):
        same = [same_padding(s or w, w, t) for s, w, t in zip(sizes, windows, strides)]
        return {"pads": [before for before, _ in same] + [behind for _, behind in same]}
    is_dilated = max([*call.integers("dilations"), *call.integers("rates")], default=1) > 1
    if is_dilated or any(window < stride for window, stride in zip(windows, strides)):
        raise NotExpressibleError("its padding depends on the size of its input, which is unknown")
    return {"auto_pad": "SAME_UPPER"}


def _refuse_narrow(sizes: Sequence[int | None], windows: Sequence[int]) -> None:
    """Refuses windows that do not fit: TensorFlow computes nothing, ONNX's runtimes something or an error."""
    if any(size is not None and size < window for size, window in zip(sizes, windows)):
        raise NotExpressibleError("its window is larger than its input")


def _is_cropped(size: int | None, window: int, stride: int) -> bool:
    """Whether TensorFlow's kernels for volumes crop an axis: they pad by half of a number that may be negative."""
    return size is not None and (math.ceil(size / stride) - 1) * stride + window - size <= -2


def filter_sizes(weight: Value, count: int) -> list[int]:
    """The first ``count`` sizes of a filter, which its kernels have.

    Raises:
        NotExpressibleError: one is not known.
    """
    sizes = [weight.size(i) for i in range(count)] if weight.rank is not None else [None]
    if None in sizes:
        raise NotExpressibleError("the size of its filter is unknown")
    return [s for s in sizes if s is not None]


def _dilate(windows: Sequence[int], dilations: Sequence[int]) -> list[int]:
    return [(w - 1) * d + 1 for w, d in zip(windows, dilations)]


@rule("Conv2D", "Conv3D")
def _convolution(call: Call) -> Value:
    layout = layout_of(call, "NHWC" if call.node.op == "Conv2D" else "NDHWC")
    data, weight = call.inputs
    space = len(layout.space)
    windows = filter_sizes(weight, space)
    group = _groups(layout, data, weight)
    return _convolve(call, layout, _filter_first(call, weight, space), windows, group)


def _groups(layout: Layout, data: Value, weight: Value) -> int:
    """Grouped convolution: a filter for part of the channels is applied to each part."""
    channels, taken = data.size(layout.channels), weight.size(-2)
    if channels is None or taken is None:
        return 1
    if not taken or channels % taken:
        raise NotExpressibleError(f"its filter takes {taken} channels of {channels}")
    return channels // taken


def _filter_first(call: Call, weight: Value, space: int) -> Value:
    """The filter in ONNX's order: outputs, inputs, space."""
    perm = [space + 1, space, *range(space)]
    if weight.payload is not None:
        shape = weight.payload.shape
        moved = call.transform(weight, lambda a: a.transpose(perm), [shape[p] for p in perm])
        assert moved is not None
        return moved
    return call.transpose(weight, perm)


def _convolve(call: Call, layout: Layout, weight: Value, windows: Sequence[int], group: int) -> Value:
    strides = layout.spatial(call.integers("strides"), "strides")
    dilations = layout.spatial(call.integers("dilations"), "dilations")
    pads = padding(call, layout, call[0], _dilate(windows, dilations), strides)
    return channels_first(
        call,
        layout,
        call[0],
        lambda x: call.op(
            "Conv", x, weight, kernel_shape=list(windows), strides=strides, dilations=dilations, group=group, **pads
        ),
    )


@rule("DepthwiseConv2dNative")
def _depthwise(call: Call) -> Value:
    """One group for each channel; the filter's channels and multipliers become ONNX's outputs, in this order."""
    layout = layout_of(call)
    height, width, channels, multiplier = filter_sizes(call[1], 4)
    shape = [channels * multiplier, 1, height, width]
    moved = call.transform(call[1], lambda a: a.transpose(2, 3, 0, 1), shape)
    weight = moved or call.op("Reshape", call.transpose(call[1], [2, 3, 0, 1]), vector(shape))
    return _convolve(call, layout, weight, [height, width], channels)


@rule("ExtractImagePatches")
def _patches(call: Call) -> Value:
    """A convolution that copies: one output for each position in the window and each channel."""
    layout = Layout("NHWC")
    windows, strides, rates = (layout.spatial(call.integers(name), name) for name in ("ksizes", "strides", "rates"))
    channels = call[0].size(3)
    if channels is None:
        raise NotExpressibleError("the number of its channels is unknown")
    count = math.prod(windows) * channels
    copies = np.eye(count, dtype=call[0].dtype.numpy).reshape(count, *windows, channels).transpose(0, 3, 1, 2)
    pads = padding(call, layout, call[0], _dilate(windows, rates), strides)
    weight = np.ascontiguousarray(copies)
    return channels_first(
        call, layout, call[0], lambda x: call.op("Conv", x, weight, strides=strides, dilations=rates, **pads)
    )


@dataclass(frozen=True)
class _Backward:
    """One axis of a transposed convolution.

    Attributes:
        size: of the result, where it is known.
        taken: of the input, where it is known.
        window: of the filter, with dilation.
        stride: of the convolution.
    """

    size: int | None
    taken: int | None
    window: int
    stride: int


@rule("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def _backward_convolution(call: Call) -> Value:
    """``ConvTranspose``. If the graph computes the result's size, the full result is computed and cropped."""
    sizes, weight, data = call.inputs
    layout = layout_of(call, "NHWC" if call.node.op == "Conv2DBackpropInput" else "NDHWC")
    space = len(layout.space)
    strides = layout.spatial(call.integers("strides"), "strides")
    dilations = layout.spatial(call.integers("dilations"), "dilations")
    windows = filter_sizes(weight, space)
    known = sizes.items if sizes.items is not None and len(sizes.items) in (space, layout.rank) else None
    ends = [None] * space if known is None else list(known if len(known) == space else [known[i] for i in layout.space])
    axes = [
        _Backward(size, data.size(i), window, stride)
        for size, i, window, stride in zip(ends, layout.space, _dilate(windows, dilations), strides)
    ]
    first = _filter_first(call, weight, space)
    common: dict[str, Attribute] = {"kernel_shape": windows, "strides": strides, "dilations": dilations}
    exact = _exact_padding(call, layout, axes)
    if exact is not None:
        return channels_first(call, layout, data, lambda x: call.op("ConvTranspose", x, first, **common, **exact))
    more = [s - 1 for s in strides]
    whole = channels_first(
        call, layout, data, lambda x: call.op("ConvTranspose", x, first, output_padding=more, **common)
    )
    return _cut_to_size(call, layout, whole, axes)


def _exact_padding(call: Call, layout: Layout, axes: Sequence[_Backward]) -> dict[str, Attribute] | None:
    """The cropping of ``ConvTranspose`` at both ends, and its output padding; ``None`` if sizes are unknown."""
    cuts, extra = [], []
    for axis, (before, behind) in zip(axes, _cut_off(call, layout, axes)):
        if axis.size is None or axis.taken is None:
            return None
        full = (axis.taken - 1) * axis.stride + axis.window - before - behind
        cuts.append((before, behind))
        extra.append(axis.size - full)
        if not 0 <= extra[-1] < max(axis.stride, 2):
            return None
    if any(e >= a.stride for e, a in zip(extra, axes)):
        return None
    return {"pads": [b for b, _ in cuts] + [e for _, e in cuts], "output_padding": extra}


def _cut_off(call: Call, layout: Layout, axes: Sequence[_Backward]) -> list[tuple[int, int]]:
    """The padding of the forward convolution."""
    kind = call.text("padding")
    if kind == "SAME":
        return [same_padding(a.size, a.window, a.stride) if a.size is not None else (0, 0) for a in axes]
    return [(0, 0)] * len(axes) if kind == "VALID" else explicit_padding(call, layout)


def _cut_to_size(call: Call, layout: Layout, whole: Value, axes: Sequence[_Backward]) -> Value:
    """The part of ``whole`` that begins after the padding and has the size computed in the graph."""
    long = call.vector(call[0])
    count = call[0].size(0)
    if count not in (len(axes), layout.rank):
        raise NotExpressibleError("the number of its sizes is unknown")
    places = list(range(len(axes))) if count == len(axes) else list(layout.space)
    size = call.op("Gather", long, vector(places), axis=0)
    if call.text("padding") == "SAME":
        start = _computed_start(call, size, axes)
    else:
        start = call.builder.constant(vector(before for before, _ in _cut_off(call, layout, axes)))
    return call.op("Slice", whole, start, call.op("Add", start, size), vector(layout.space))


def _computed_start(call: Call, size: Value, axes: Sequence[_Backward]) -> Value:
    """:func:`same_padding` in the graph."""
    stride, window = vector(a.stride for a in axes), vector(a.window for a in axes)
    steps = call.op("Div", call.op("Sub", call.op("Add", size, stride), vector([1])), stride)
    reach = call.op("Add", call.op("Mul", call.op("Sub", steps, vector([1])), stride), window)
    total = call.op("Max", call.op("Sub", reach, size), vector([0]))
    return call.op("Div", total, vector([2]))
