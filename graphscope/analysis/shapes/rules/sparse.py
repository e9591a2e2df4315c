"""Sparse and ragged tensors, sets, and strings that are split."""

from __future__ import annotations

from graphscope.analysis.shapes.arithmetic import add, broadcast, product
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import UNKNOWN, Fact, Facts, outputs
from graphscope.analysis.shapes.rules.reductions import without_axes
from graphscope.analysis.shapes.rules.reshaping import reshape_sizes
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    ShapeError,
    Size,
    at_least,
    merge,
    merge_all,
    merge_sizes,
    unknown,
)
from graphscope.analysis.shapes.table import rule


@rule("SparseToDense")
def sparse_to_dense(call: Call) -> Facts:
    """The stated shape."""
    return outputs(call.sizes(1))


@rule("SparseReshape")
def sparse_reshape(call: Call) -> Facts:
    """Indices of the new rank, and the new shape."""
    indices, _, target = call.ranked(0, 2), call.ranked(1, 1), call.ranked(2, 1)
    sizes = (
        reshape_sizes(call.sizes(1), call.sizes(2)) if call.value(1) is not None and call.value(2) is not None else None
    )
    return Fact((indices[0], target[0])), Fact(target, sizes)


@rule("SparseFillEmptyRows")
def fill_empty_rows(call: Call) -> Facts:
    """As many entries as before and as there are empty rows; which rows are empty; where each entry was."""
    indices, values, shape = call.ranked(0, 2), call.ranked(1, 1), call.ranked(2, 1)
    call.ranked(3, 0)
    count = merge_sizes(indices[0], values[0])
    rank = merge_sizes(indices[1], shape[0])
    sizes = call.sizes(2)
    entries = Dim()
    return outputs((entries, rank), (entries,), (sizes[0] if sizes else Dim(),), (count,))


@rule("SparseConcat")
def sparse_concat(call: Call) -> Facts:
    """All entries."""
    count = call.number("N")
    if len(call.inputs) != 3 * count or not count:
        raise ShapeError(f"{3 * count} inputs are needed but there are {len(call.inputs)}")
    rank: Size = Dim()
    length: Size = Dim()
    total: Size = 0
    for k in range(count):
        indices, values, shape = call.ranked(k, 2), call.ranked(count + k, 1), call.ranked(2 * count + k, 1)
        total = add(total, merge_sizes(indices[0], values[0]))
        rank, length = merge_sizes(rank, indices[1]), merge_sizes(length, shape[0])
    return outputs((total, rank), (total,), (length,))


@rule("SparseSplit")
def sparse_split(call: Call) -> Facts:
    """Parts with as many dimensions."""
    count, shape = min(call.number("num_split"), 65_536), call.shape(3)
    rank: Size = shape[0] if shape is not None and len(shape) == 1 else Dim()
    indices: list[Dims] = [(Dim(), rank)] * count
    values: list[Dims] = [(Dim(),)] * count
    return outputs(*indices, *values, *[shape] * count)


@rule("SparseSlice")
def sparse_slice(call: Call) -> Facts:
    """What is within; the shape has as many sizes as before."""
    shape = call.shape(2)
    rank = shape[0] if shape is not None and len(shape) == 1 else Dim()
    return outputs((Dim(), rank), (Dim(),), shape)


@rule("SparseReduceMax SparseReduceSum")
def sparse_reduce(call: Call) -> Facts:
    """Without the dimensions of the axes, where constants tell the shape and them."""
    if call.value(2) is None or len(call.shape(2) or ()) != 1:
        return (UNKNOWN,)
    return outputs(without_axes(call.sizes(2), call.integers(3), call.flag("keep_dims")))


@rule("SparseCross SparseCrossV2 SparseCrossHashed")
def sparse_cross(_: Call) -> Facts:
    """A sparse matrix."""
    return outputs((Dim(), 2), (Dim(),), (2,))


@rule("DenseToDenseSetOperation")
def dense_sets(call: Call) -> Facts:
    """A sparse tensor of the rank that both have."""
    one, other = at_least(call.shape(0), 2), at_least(call.shape(1), 2)
    rank: Size = Dim()
    if one is not None and other is not None:
        merge(one[:-1], other[:-1])
    if one is not None or other is not None:
        rank = len(one if one is not None else other or ())
    return outputs((Dim(), rank), (Dim(),), (rank,))


@rule("DenseToSparseSetOperation")
def dense_sparse_sets(call: Call) -> Facts:
    """A sparse tensor of the rank that both have."""
    one = at_least(call.shape(0), 2)
    rank: Size = len(one) if one is not None else call.ranked(3, 1)[0]
    return outputs((Dim(), rank), (Dim(),), (rank,))


@rule("SparseToSparseSetOperation")
def sparse_sets(call: Call) -> Facts:
    """A sparse tensor of the rank that both have."""
    rank = merge_sizes(call.ranked(2, 1)[0], call.ranked(5, 1)[0])
    return outputs((Dim(), rank), (Dim(),), (rank,))


@rule("RaggedRange")
def ragged_range(call: Call) -> Facts:
    """One more split than there are ranges, and all numbers."""
    rows: Size = Dim()
    scalars = 0
    for index in range(3):
        shape = call.shape(index)
        if shape == ():
            scalars += 1
        elif shape is not None:
            rows = merge_sizes(rows, call.ranked(index, 1)[0])
    if scalars == 3:
        rows = 1
    return outputs((rows + 1 if isinstance(rows, int) else Dim(),), (Dim(),))


@rule("RaggedGather")
def ragged_gather(call: Call) -> Facts:
    """Splits of each level, and values."""
    levels = call.number("OUTPUT_RAGGED_RANK")
    values = call.shape(len(call.inputs) - 2)
    splits: list[Dims] = [(Dim(),) for _ in range(min(max(levels, 0), 64))]
    return outputs(*splits, None if values is None else (Dim(), *values[1:]))


@rule("RaggedTensorToSparse")
def ragged_to_sparse(call: Call) -> Facts:
    """A sparse tensor with a dimension for each level and for each of the values'."""
    values = call.shape(len(call.inputs) - 1)
    levels = len(call.inputs) - 1
    rank: Size = levels + len(values) if values is not None else Dim()
    count = product(values) if values is not None else Dim()
    return outputs((count, rank), (count,), (rank,))


@rule("RaggedTensorToTensor")
def ragged_to_tensor(call: Call) -> Facts:
    """The stated sizes, followed by those of the values."""
    target, values = call.sizes(0) if call.value(0) is not None else None, at_least(call.shape(1), 1)
    kinds = call.attr("row_partition_types")
    names = list(kinds.list.s) if kinds is not None else []
    levels = len(names) - (1 if names[:1] == [b"FIRST_DIM_SIZE"] else 0)
    if values is None:
        return (Fact(target),) if target is not None else (UNKNOWN,)
    rank = levels + len(values)
    known: Dims = (*unknown(levels + 1), *values[1:])
    if target is None:
        return outputs(known)
    if len(target) != rank:
        raise ShapeError(f"a shape of {len(target)} sizes was stated for rank {rank}")
    return outputs(merge(target, known))


@rule("UnicodeDecode UnicodeDecodeWithOffsets")
def unicode_decode(call: Call) -> Facts:
    """One more split than there are strings, and their characters."""
    shape = call.shape(0)
    count = product(shape) if shape is not None else Dim()
    splits: Dims = (count + 1 if isinstance(count, int) else Dim(),)
    characters: Dims = (Dim(),)
    return outputs(splits, characters, characters)[: 3 if call.node.op.endswith("Offsets") else 2]


@rule("UnicodeEncode")
def unicode_encode(call: Call) -> Facts:
    """One string fewer than there are splits."""
    call.ranked(0, 1)
    splits = call.ranked(1, 1)[0]
    if isinstance(splits, int) and splits < 1:
        raise ShapeError("input_splits must not be empty")
    return outputs((splits - 1 if isinstance(splits, int) else Dim(),))


@rule("StringJoin")
def string_join(call: Call) -> Facts:
    """One shape, but for scalars among the inputs."""
    shapes = [fact.shape for fact in call.inputs]
    known = merge_all(shape for shape in shapes if shape)
    return outputs(() if known is None and None not in shapes else known)


@rule("Substr")
def substr(call: Call) -> Facts:
    """The strings, broadcast with positions and lengths."""
    positions, lengths = call.shape(1), call.shape(2)
    if positions is not None and lengths is not None:
        if len(positions) != len(lengths):
            raise ShapeError(f"pos and len must have one rank, but have {len(positions)} and {len(lengths)}")
        merge(positions, lengths)
    return outputs(broadcast(call.shape(0), positions))


@rule("EditDistance")
def edit_distance(call: Call) -> Facts:
    """One distance for each sequence, where both shapes are constants."""
    one, other = call.integers(2), call.integers(5)
    if one is None or other is None or len(one) != len(other) or not one:
        return (UNKNOWN,)
    return outputs(tuple(max(a, b) for a, b in zip(one[:-1], other[:-1])))


@rule("BoostedTreesBucketize")
def bucketize(call: Call) -> Facts:
    """The shape of each feature."""
    count = call.number("num_features")
    shapes = [call.ranked(index, 1) for index in range(min(count, len(call.inputs)))]
    merge_all(shapes)
    return outputs(*shapes)
