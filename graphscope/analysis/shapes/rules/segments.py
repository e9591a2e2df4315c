"""Reductions by segments."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import UNKNOWN, Facts, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    ShapeError,
    Size,
    at_least,
    merge_sizes,
)
from graphscope.analysis.shapes.table import rule


@rule("SegmentSum SegmentProd SegmentMax SegmentMin SegmentMean")
def segment(call: Call) -> Facts:
    """As many rows as there are segments, which is unknown."""
    data = at_least(call.shape(0), 1)
    call.ranked(1, 1)
    return outputs(None if data is None else (Dim(), *data[1:]))


@rule("UnsortedSegmentSum UnsortedSegmentProd UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentJoin")
def unsorted_segment(call: Call) -> Facts:
    """As many rows as stated."""
    data, ids, number = call.shape(0), call.shape(1), call.integer(2)
    call.ranked(2, 0)
    count = call.size(2) if number is None or number >= 0 else Dim()
    if data is None or ids is None:
        return (UNKNOWN,)
    if len(ids) > len(data):
        raise ShapeError(f"segment_ids of rank {len(ids)} for data of rank {len(data)}")
    for one, other in zip(data, ids):
        merge_sizes(one, other)
    return outputs((count, *data[len(ids) :]))


@rule(
    "SparseSegmentSum SparseSegmentMean SparseSegmentSqrtN SparseSegmentSumWithNumSegments"
    " SparseSegmentMeanWithNumSegments SparseSegmentSqrtNWithNumSegments"
)
def sparse_segment(call: Call) -> Facts:
    """Rows that indices choose, as many as there are segments."""
    data = at_least(call.shape(0), 1)
    merge_sizes(call.ranked(1, 1)[0], call.ranked(2, 1)[0])
    count: Size = call.size(3) if call.node.op.endswith("NumSegments") else Dim()
    return outputs(None if data is None else (count, *data[1:]))


@rule("SparseSegmentSumGrad SparseSegmentMeanGrad SparseSegmentSqrtNGrad")
def sparse_segment_gradient(call: Call) -> Facts:
    """As many rows as stated."""
    data = at_least(call.shape(0), 1)
    merge_sizes(call.ranked(1, 1)[0], call.ranked(2, 1)[0])
    call.ranked(3, 0)
    return outputs(None if data is None else (call.size(3), *data[1:]))
