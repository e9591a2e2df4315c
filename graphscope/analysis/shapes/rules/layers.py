"""Losses, recurrent layers, embeddings: layers that are one op; quantized ones."""

from __future__ import annotations

from graphscope.analysis.shapes.arithmetic import broadcast, multiply
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import UNKNOWN, Fact, Facts, outputs
from graphscope.analysis.shapes.rules.convolutions import convolution, depthwise
from graphscope.analysis.shapes.rules.linear_algebra import matmul
from graphscope.analysis.shapes.rules.pooling import pool
from graphscope.analysis.shapes.rules.reshaping import reshape
from graphscope.analysis.shapes.sizes import Dim, Dims, Size, at_least, axis_of, merge, merge_sizes, unknown, with_rank
from graphscope.analysis.shapes.table import rule


@rule("SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(call: Call) -> Facts:
    """A loss for each row, and the gradient; features and labels are broadcast."""
    one, other = call.shape(0), call.shape(1)
    if one is None or other is None:
        known = with_rank(one if one is not None else other, 2)
        shape: Dims = known if one is not None or other is not None else unknown(2)
    else:
        shape = broadcast(one, other)
    rows, columns = with_rank(shape, 2)
    return outputs((rows,), (rows, columns))


@rule("LSTMBlockCellGrad")
def lstm_cell_gradient(call: Call) -> Facts:
    """Gradients of the state, of the four gates, and of the three peepholes."""
    x, state = call.ranked(0, 2), call.ranked(1, 2)
    cells = state[1]
    gates = multiply(cells, 4)
    peephole: Dims = (cells,)
    return outputs((x[0], cells), (x[0], gates), peephole, peephole, peephole)


@rule("BlockLSTM BlockLSTMV2")
def block_lstm(call: Call) -> Facts:
    """Time, batch and a quarter of the bias."""
    x, bias = call.ranked(1, 3), call.ranked(len(call.inputs) - 1, 1)
    cells: Size = bias[0] // 4 if isinstance(bias[0], int) else Dim()
    return outputs(*[(x[0], x[1], cells)] * 7)


@rule("CudnnRNN CudnnRNNV2 CudnnRNNV3")
def cudnn_rnn(call: Call) -> Facts:
    """Outputs of time, batch and units, for each direction; the states."""
    x, h = call.ranked(0, 3), call.ranked(1, 3)
    directions = 2 if call.text("direction") == "bidirectional" else 1
    result = (x[0], x[1], multiply(h[2], directions))
    cell = call.shape(2) if call.node.op.endswith("V3") else h
    return outputs(result, h, cell if call.text("rnn_mode") == "lstm" else ())


@rule("ReverseSequence")
def reverse_sequence(call: Call) -> Facts:
    """The shape of the input, with a length for each part along the batch."""
    shape, lengths = call.shape(0), call.ranked(1, 1)
    if shape is None:
        return (UNKNOWN,)
    batch = axis_of(call.number("batch_dim"), len(shape))
    axis_of(call.number("seq_dim"), len(shape))
    size = merge_sizes(shape[batch], lengths[0])
    return outputs((*shape[:batch], size, *shape[batch + 1 :]))


@rule("Roll")
def roll(call: Call) -> Facts:
    """The shape of the input."""
    return outputs(at_least(call.shape(0), 1))


@rule("MatrixDiagPart BatchMatrixDiagPart")
def diagonal(call: Call) -> Facts:
    """The shorter of the last two sizes."""
    shape = at_least(call.shape(0), 2)
    if shape is None:
        return (UNKNOWN,)
    *batch, m, n = shape
    size: Size = m if m is n else min(m, n) if isinstance(m, int) and isinstance(n, int) else Dim()
    return outputs((*batch, size))


@rule("MatrixSetDiag BatchMatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3")
def set_diagonal(call: Call) -> Facts:
    """The shape of the matrix; a diagonal determines all but the last two sizes."""
    shape, part = at_least(call.shape(0), 2), at_least(call.shape(1), 1)
    is_first = call.node.op in ("MatrixSetDiag", "BatchMatrixSetDiag")
    if part is None or not (is_first or (shape is None and _is_one_diagonal(call))):
        return outputs(shape)
    matrix = with_rank(shape, len(part) + 1)
    batch = merge(matrix[:-2], part[:-1])
    return outputs(None if batch is None else batch + matrix[-2:])


def _is_one_diagonal(call: Call) -> bool:
    """Whether one diagonal is set, not a band, as ``k`` says."""
    offsets = call.integers(2)
    return offsets is not None and len(set(offsets)) == 1


@rule("TopKUnique TopKWithUnique")
def top_k_unique(call: Call) -> Facts:
    """As many columns as stated."""
    shape: Dims = (call.ranked(0, 2)[0], call.number("k"))
    return outputs(shape, shape)


@rule("UnravelIndex")
def unravel_index(call: Call) -> Facts:
    """A column of coordinates for each index."""
    indices, dims = call.shape(0), call.ranked(1, 1)
    if indices is None:
        return (UNKNOWN,)
    if not indices:
        return outputs(dims)
    count: Size = 1
    for size in indices:
        count = multiply(count, size)
    return outputs((dims[0], count))


@rule("Fingerprint")
def fingerprint(call: Call) -> Facts:
    """Eight bytes for each row."""
    shape = at_least(call.shape(0), 1)
    return outputs((shape[0] if shape else Dim(), Dim()))


@rule("RFFT RFFT2D RFFT3D IRFFT IRFFT2D IRFFT3D")
def real_fft(call: Call) -> Facts:
    """The stated lengths; of the innermost, half and one more where the result is complex."""
    rank = int(call.node.op[-2]) if call.node.op.endswith("D") else 1
    shape = at_least(call.shape(0), rank)
    merge_sizes(call.ranked(1, 1)[0], rank)
    if shape is None:
        return (UNKNOWN,)
    lengths = call.sizes(1) or unknown(rank)
    last = lengths[-1]
    if call.node.op.startswith("R") and call.value(1) is not None:
        last = last // 2 + 1 if isinstance(last, int) and last else last if last == 0 else Dim()
    return outputs((*shape[: len(shape) - rank], *lengths[:-1], last))


def _with_range(facts: Facts) -> Facts:
    """Quantized results come with their least and greatest number."""
    return (*facts, Fact(()), Fact(()))


def _check_ranges(call: Call, first: int) -> None:
    """The least and the greatest number of each operand, from input ``first`` on, are scalars."""
    call.check_scalars(range(first, len(call.node.data_inputs())))


@rule("QuantizedMatMul")
def quantized_matmul(call: Call) -> Facts:
    """As ``MatMul``."""
    _check_ranges(call, 2)
    return _with_range(matmul(call))


@rule("QuantizedConv2D")
def quantized_convolution(call: Call) -> Facts:
    """As ``Conv2D``."""
    _check_ranges(call, 2)
    return _with_range(convolution(call))


@rule("QuantizedDepthwiseConv2D")
def quantized_depthwise(call: Call) -> Facts:
    """As ``DepthwiseConv2dNative``."""
    return _with_range(depthwise(call))


@rule("QuantizedMaxPool QuantizedAvgPool")
def quantized_pool(call: Call) -> Facts:
    """As ``MaxPool``."""
    _check_ranges(call, 1)
    return _with_range(pool(call))


@rule("QuantizedReshape")
def quantized_reshape(call: Call) -> Facts:
    """As ``Reshape``."""
    _check_ranges(call, 2)
    return _with_range(reshape(call))


@rule("QuantizedAdd QuantizedMul")
def quantized_binary(call: Call) -> Facts:
    """As ``Add``; the ranges that ``QuantizedMul`` takes may have any shape."""
    if call.node.op == "QuantizedAdd":
        _check_ranges(call, 2)
    return _with_range(outputs(broadcast(call.shape(0), call.shape(1))))


@rule("LookupTableFindV2")
def table_lookup(call: Call) -> Facts:
    """The shape of the keys followed by that of the values, which is unknown here."""
    handle = call.input(0).handle
    return outputs(call.shape(1) if handle == ((),) else None)


@rule("QuantizeV2")
def quantize(call: Call) -> Facts:
    """The shape of the input; a range for all, or for each place along an axis."""
    shape, axis = call.shape(0), call.number("axis")
    if axis == -1:
        _check_ranges(call, 1)
        return outputs(shape, (), ())
    sizes: Dims = (shape[axis_of(axis, len(shape))] if shape is not None else Dim(),)
    return outputs(shape, sizes, sizes)


@rule("Dequantize")
def dequantize(call: Call) -> Facts:
    """The shape of the input."""
    if call.number("axis") == -1:
        _check_ranges(call, 1)
    return outputs(call.shape(0))


@rule("QuantizeAndDequantizeV4Grad")
def quantize_gradient(call: Call) -> Facts:
    """The shape of the input; the gradients of the range are scalars, or a vector along an axis."""
    sizes: Dims = () if call.number("axis") == -1 else (Dim(),)
    return outputs(merge(call.shape(0), call.shape(1)), sizes, sizes)
