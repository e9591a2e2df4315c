"""Convolutions, pools, and what else slides a window over a picture."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    Probe,
    ShapeError,
    Size,
    Sizes,
    all_known,
    divide,
    is_size,
    merge,
    merge_sizes,
    multiply,
    product,
    ranked,
    unknown,
)
from graphscope.analysis.shapes.table import rule

BLOCKED = "NCHW_VECT_C"
"""A layout with channels in two dimensions; shapes in it are not followed."""


class Layout:
    """Where batch, channels and the other dimensions of pictures are.

    Attributes:
        is_first: whether channels come before the other dimensions.
        rank: of the pictures.
    """

    def __init__(self, data_format: str, rank: int) -> None:
        self.is_first = data_format.startswith("NC")
        self.is_blocked = data_format == BLOCKED
        self.rank = rank

    @property
    def channel(self) -> int:
        """The axis of the channels."""
        return 1 if self.is_first else self.rank - 1

    @property
    def spatial(self) -> range:
        """The axes of the other dimensions."""
        return range(2, self.rank) if self.is_first else range(1, self.rank - 1)

    def arrange(self, batch: Size, spatial: Sequence[Size], channels: Size) -> Sizes:
        """A shape in this layout."""
        return (batch, channels, *spatial) if self.is_first else (batch, *spatial, channels)

    def pick(self, numbers: Sequence[int], op: str) -> list[int]:
        """Of one number for each dimension, those of the spatial ones.

        Raises:
            ShapeError: there are more or fewer numbers.
        """
        if len(numbers) != self.rank:
            raise ShapeError(f"{op} takes {self.rank} numbers but has {len(numbers)}")
        return [numbers[axis] for axis in self.spatial]


def window(size: Size, extent: Size, stride: int, padding: str, dilation: int = 1, extra: int = 0) -> Size:
    """How often a window fits (``GetWindowedOutputSize``).

    Args:
        extent: the window's size.
        padding: ``SAME``, ``VALID`` or ``EXPLICIT``, with ``extra`` elements in sum.

    Raises:
        ShapeError: it does not fit, or a stride is not positive.
    """
    if stride <= 0 or dilation <= 0:
        raise ShapeError(f"strides and dilations must be positive but are {stride} and {dilation}")
    if padding == "SAME":
        return size if stride == 1 else -(-size // stride) if isinstance(size, int) else Dim()
    if is_size(extent, 1) and stride == 1 and not extra:
        return size
    if not (isinstance(size, int) and isinstance(extent, int)):
        return Dim()
    result = (size + extra - ((extent - 1) * dilation + 1) + stride) // stride
    if result < 0:
        raise ShapeError(f"a window of {(extent - 1) * dilation + 1} does not fit a size of {size}")
    return result


def _per_axis(call: Call, name: str, layout: Layout) -> list[int]:
    """The spatial numbers of an attribute, 1 where it is absent."""
    numbers = call.numbers(name)
    return layout.pick(numbers, name) if numbers else [1] * (layout.rank - 2)


def _extras(call: Call, layout: Layout) -> list[int]:
    """What explicit paddings add to each spatial dimension."""
    numbers = call.numbers("explicit_paddings")
    if call.text("padding") != "EXPLICIT":
        return [0] * (layout.rank - 2)
    if len(numbers) != 2 * layout.rank:
        raise ShapeError(f"explicit_paddings must have {2 * layout.rank} numbers but has {len(numbers)}")
    return [numbers[2 * axis] + numbers[2 * axis + 1] for axis in layout.spatial]


def _slid(call: Call, layout: Layout, shape: Sizes, extents: Sequence[Size]) -> list[Size]:
    """The spatial sizes after a window of ``extents`` slid over ``shape``."""
    return [
        window(shape[axis], extent, stride, call.text("padding"), dilation, extra)
        for axis, extent, stride, dilation, extra in zip(
            layout.spatial,
            extents,
            _per_axis(call, "strides", layout),
            _per_axis(call, "dilations", layout),
            _extras(call, layout),
        )
    ]


def _convolution(call: Call, rank: int) -> tuple[Layout, Sizes, Sizes]:
    return Layout(call.text("data_format"), rank), call.ranked(0, rank), call.ranked(1, rank)


def _check_groups(channels: Size, filter_channels: Size) -> None:
    """Channels are a multiple of the filter's: more than once in a convolution in groups, which nothing else suggests."""
    if isinstance(channels, Probe):
        merge_sizes(channels, filter_channels)
    if (
        isinstance(channels, int)
        and isinstance(filter_channels, int)
        and (not filter_channels or channels % filter_channels)
    ):
        raise ShapeError(f"{channels} channels are not divisible by the filter's {filter_channels}")


@rule("Conv2D Conv3D")
def convolution(call: Call) -> Facts:
    """A filter of (..., in, out) over pictures."""
    if call.text("data_format") == BLOCKED:
        return outputs(None)
    layout, shape, kernel = _convolution(call, 5 if call.node.op == "Conv3D" else 4)
    _check_groups(shape[layout.channel], kernel[-2])
    if call.node.op == "Conv3D":
        merge_sizes(shape[layout.channel], kernel[-2])
    return outputs(layout.arrange(shape[0], _slid(call, layout, shape, kernel[:-2]), kernel[-1]))


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
        return outputs(merge(ranked(stated, rank), _backprop_input(call)))
    return outputs(ranked(stated, rank))


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


@rule("MaxPool AvgPool MaxPool3D AvgPool3D")
def pool(call: Call) -> Facts:
    """The stated window over every channel."""
    rank = 5 if call.node.op.endswith("3D") else 4
    layout = Layout(call.text("data_format"), rank)
    if layout.is_blocked:
        return outputs(None)
    return outputs(_pooled(call, layout, call.numbers("ksize"), call.numbers("strides")))


def _pooled(call: Call, layout: Layout, ksize: Sequence[int], strides: Sequence[int]) -> Sizes:
    shape = call.ranked(0, layout.rank)
    extras = _extras(call, layout)
    result = [
        window(shape[axis], extent, stride, call.text("padding"), 1, extra)
        for axis, extent, stride, extra in zip(
            layout.spatial, layout.pick(ksize, "ksize"), layout.pick(strides, "strides"), extras
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
    return outputs(_pooled(call, layout, ksize, strides))


@rule("MaxPoolWithArgmax")
def pool_with_argmax(call: Call) -> Facts:
    """The maxima and their places."""
    shape = _pooled(call, Layout("NHWC", 4), call.numbers("ksize"), call.numbers("strides"))
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
    return outputs(ranked(call.sizes(0), 5 if "3D" in call.node.op else 4))


@rule("Dilation2D")
def dilation(call: Call) -> Facts:
    """A filter of three dimensions over every channel."""
    shape, kernel, layout = call.ranked(0, 4), call.ranked(1, 3), Layout("NHWC", 4)
    channels = merge_sizes(shape[3], kernel[2])
    rates, strides = layout.pick(call.numbers("rates"), "rates"), layout.pick(call.numbers("strides"), "strides")
    if not (all_known(shape[1:3]) and all_known(kernel)):
        return outputs((shape[0], Dim(), Dim(), channels))
    spatial = [
        window(size, extent, stride, call.text("padding"), rate)
        for size, extent, stride, rate in zip(shape[1:3], kernel[:2], strides, rates)
    ]
    return outputs((shape[0], *spatial, channels))


@rule("ExtractImagePatches ExtractVolumePatches")
def patches(call: Call) -> Facts:
    """Each window's elements side by side, as channels."""
    rank = 4 if call.node.op == "ExtractImagePatches" else 5
    layout, shape = Layout("NHWC", rank), call.ranked(0, rank)
    ksizes = layout.pick(call.numbers("ksizes"), "ksizes")
    strides, rates = layout.pick(call.numbers("strides"), "strides"), _per_axis(call, "rates", layout)
    spatial = [
        window(size, extent, stride, call.text("padding"), rate)
        for size, extent, stride, rate in zip(shape[1:-1], ksizes, strides, rates)
    ]
    if not all_known(shape[1:-1]):
        if rank == 5:  # TensorFlow takes the rank for 4 then
            return outputs(None)
        spatial = [Dim() for _ in spatial]
    return outputs((shape[0], *spatial, multiply(shape[-1], product(ksizes))))


@rule("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3")
def batch_norm(call: Call) -> Facts:
    """The pictures, and figures for each channel."""
    rank = 5 if call.text("data_format") in ("NDHWC", "NCDHW") else 4
    layout, shape = Layout(call.text("data_format"), rank), call.ranked(0, rank)
    channels = shape[layout.channel]
    factor = call.attr("exponential_avg_factor")
    takes_averages = not call.flag("is_training") or (factor is not None and factor.f != 1)
    for index in range(1, 5 if takes_averages else 3):
        channels = _channels(call, index, channels)
    result = (*shape[: layout.channel], channels, *shape[layout.channel + 1 :])
    figures = ((channels,),) * 4
    extra: tuple[Dims, ...] = (None,) if call.node.op.endswith("V3") else ()
    return outputs(result, *figures, *extra)


def _channels(call: Call, index: int, channels: Size) -> Size:
    return merge_sizes(channels, call.ranked(index, 1)[0])


@rule("FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3")
def batch_norm_gradient(call: Call) -> Facts:
    """The pictures, and figures for each channel."""
    rank = 5 if call.text("data_format") in ("NDHWC", "NCDHW") else 4
    layout = Layout(call.text("data_format"), rank)
    one, other = call.ranked(0, rank), call.ranked(1, rank)
    channels = merge_sizes(one[layout.channel], other[layout.channel])
    for index in (2, 3, 4):
        channels = _channels(call, index, channels)
    last: Dims = (0,)
    result = (*one[: layout.channel], channels, *one[layout.channel + 1 :])
    return outputs(result, (channels,), (channels,), last, last)


@rule("SpaceToDepth DepthToSpace")
def space_and_depth(call: Call) -> Facts:
    """Blocks of a picture become channels, or back."""
    layout = Layout(call.text("data_format"), 4)
    if layout.is_blocked:
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
