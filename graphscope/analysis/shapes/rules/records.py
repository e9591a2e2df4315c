"""What is read from files: records, examples, checkpoints; data sets and their elements."""

from __future__ import annotations

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import SCALAR, Facts, outputs
from graphscope.analysis.shapes.sizes import Dim, Dims, ShapeError, Sizes, at_most, merge_all
from graphscope.analysis.shapes.table import rule
from graphscope.core.ops.table import registered_ops


def _data_sets() -> str:
    """The ops that make data sets: they give one variant, a scalar."""
    return " ".join(
        name
        for name in registered_ops()
        if name.rstrip("V2345").endswith("Dataset")
        and [arg.type for arg in registered_ops()[name].output_arg] == [_VARIANT]
    )


_VARIANT = 21


@rule(_data_sets())
def data_set(_: Call) -> Facts:
    """A scalar."""
    return (SCALAR,)


def _sparse(batch: Sizes, count: int) -> list[Dims]:
    """Indices, values and shapes of sparse features."""
    rank = len(batch) + 1
    indices: list[Dims] = [(Dim(), rank) for _ in range(count)]
    values: list[Dims] = [(Dim(),) for _ in range(count)]
    shapes: list[Dims] = [(rank,) for _ in range(count)]
    return indices + values + shapes


def _dense(batch: Sizes, shapes: list[Dims]) -> list[Dims]:
    """Dense features: a first size that is unknown is that of the longest example."""
    return [None if shape is None else (*batch, *shape) for shape in shapes]


@rule("ParseExample")
def parse_example(call: Call) -> Facts:
    """Sparse features, then dense ones, of each serialized example."""
    batch = call.ranked(0, 1)
    call.ranked(1, 1)
    return outputs(*_sparse(batch, call.number("Nsparse")), *_dense(batch, call.shape_attrs("dense_shapes")))


@rule("ParseExampleV2")
def parse_example_v2(call: Call) -> Facts:
    """Like ``ParseExample``, for one example or a batch, followed by ragged features."""
    batch = at_most(call.shape(0), 1)
    splits: list[Dims] = [_rows(batch)] * len(call.types("ragged_split_types"))
    values: list[Dims] = [(Dim(),) for _ in call.types("ragged_value_types")]
    dense: list[Dims] = [None] * len(call.types("Tdense"))
    if batch is None:
        return outputs(*[None] * 3 * max(call.number("num_sparse"), 0), *dense, *values, *splits)
    dense = _dense(batch, call.shape_attrs("dense_shapes"))
    return outputs(*_sparse(batch, call.number("num_sparse")), *dense, *values, *splits)


def _rows(batch: Dims) -> Dims:
    if batch is None:
        return (Dim(),)
    return (batch[0] + 1,) if batch and isinstance(batch[0], int) else (Dim() if batch else 2,)


@rule("ParseSingleExample")
def parse_single_example(call: Call) -> Facts:
    """As ``ParseExample``, of one example."""
    call.ranked(0, 0)
    return outputs(*_sparse((), call.number("num_sparse")), *call.shape_attrs("dense_shapes"))


@rule("ParseSingleSequenceExample")
def parse_sequence(call: Call) -> Facts:
    """Sparse and dense context, then sparse and dense lists, whose first size is their length."""
    call.ranked(0, 0)
    lists = [None if s is None else (Dim(), *s) for s in call.shape_attrs("feature_list_dense_shapes")]
    return outputs(
        *_sparse((), len(call.types("context_sparse_types"))),
        *call.shape_attrs("context_dense_shapes"),
        *_sparse((Dim(),), len(call.types("feature_list_sparse_types"))),
        *lists,
    )


@rule("DecodeCSV")
def decode_csv(call: Call) -> Facts:
    """A column for each default."""
    return outputs(*[call.shape(0)] * (len(call.inputs) - 1))


@rule("DecodeProtoV2")
def decode_proto(call: Call) -> Facts:
    """The size of each field, and its values."""
    shape, fields = call.shape(0), len(call.types("output_types"))
    if shape is None:
        return outputs(*[None] * (fields + 1))
    return outputs((*shape, fields), *[(*shape, Dim()) for _ in range(fields)])


@rule("EncodeProto")
def encode_proto(call: Call) -> Facts:
    """One message for each row of the values."""
    fronts = [None if fact.shape is None else fact.shape[:-1] for fact in call.inputs[1:]]
    return outputs(merge_all(fronts))


@rule("RestoreV2")
def restore(call: Call) -> Facts:
    """The shapes of the slices, where a constant names them."""
    call.ranked(0, 0)
    call.ranked(1, 1)
    call.ranked(2, 1)
    slices = call.value(2)
    if slices is None:
        return ()
    return outputs(*map(_slice_shape, slices))


@rule("RestoreSlice")
def restore_slice(call: Call) -> Facts:
    """The shape of the slice, where a constant names it."""
    for index in range(3):
        call.ranked(index, 0)
    return outputs(_slice_shape(call.element(2)))


def _slice_shape(text: object) -> Dims:
    """``b"10 5 0,5:-"`` -> (5, 5): sizes, then start and length of each, or ``-`` for all."""
    if not isinstance(text, bytes) or not text:
        return None
    *sizes, spec = text.split()
    parts = spec.split(b":")
    if len(parts) != len(sizes) or not all(size.isdigit() for size in sizes):
        raise ShapeError(f"{text.decode(errors='replace')!r} does not name a slice")
    return tuple(_part_size(size, part) for size, part in zip(sizes, parts))


def _part_size(size: bytes, part: bytes) -> int:
    if part == b"-":
        return int(size)
    length = part.partition(b",")[2]
    if not length.isdigit():
        raise ShapeError(f"{part.decode(errors='replace')!r} does not name a part")
    return int(length)


@rule("GenerateVocabRemapping")
def vocabulary_remapping(call: Call) -> Facts:
    """The old place of each new word, and how many of them are old."""
    return outputs((call.number("num_new_vocab"),), ())
