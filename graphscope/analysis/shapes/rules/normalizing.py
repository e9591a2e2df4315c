"""Batch norms."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts, outputs
from graphscope.analysis.shapes.rules.layouts import Layout
from graphscope.analysis.shapes.sizes import (
    Dims,
    Size,
    merge_sizes,
)
from graphscope.analysis.shapes.table import rule


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
