"""Products of matrices."""

from __future__ import annotations

import re

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts, outputs
from graphscope.analysis.shapes.sizes import (
    Dim,
    Dims,
    ShapeError,
    Size,
    Sizes,
    at_least,
    broadcast,
    broadcast_sizes,
    merge,
    merge_sizes,
)
from graphscope.analysis.shapes.table import rule


def _turned(shape: Sizes, is_turned: bool) -> Sizes:
    return (*shape[:-2], shape[-1], shape[-2]) if is_turned else shape


@rule("MatMul SparseMatMul")
def matmul(call: Call) -> Facts:
    """Two matrices, each perhaps transposed."""
    one = _turned(call.ranked(0, 2), call.flag("transpose_a"))
    other = _turned(call.ranked(1, 2), call.flag("transpose_b"))
    merge_sizes(one[1], other[0])
    return outputs((one[0], other[1]))


@rule("BatchMatMul BatchMatMulV2 BatchMatMulV3")
def batch_matmul(call: Call) -> Facts:
    """Matrices in the last two dimensions; the others are equal, or since V2 broadcast."""
    one, other = at_least(call.shape(0), 2), at_least(call.shape(1), 2)
    if one is None or other is None:
        if call.node.op == "BatchMatMul" or one is other:
            return outputs(_batch_of_one(call, one, other) if call.node.op == "BatchMatMul" else None)
        return outputs(None)
    one, other = _turned(one, call.flag("adj_x")), _turned(other, call.flag("adj_y"))
    merge_sizes(one[-1], other[-2])
    front = merge if call.node.op == "BatchMatMul" else broadcast
    batch = front(one[:-2], other[:-2])
    return outputs(None if batch is None else (*batch, one[-2], other[-1]))


def _batch_of_one(call: Call, one: Dims, other: Dims) -> Dims:
    """Where one operand is unknown, the other tells the batch."""
    if one is not None:
        return (*_turned(one, call.flag("adj_x"))[:-1], Dim())
    if other is not None:
        return (*other[:-2], Dim(), _turned(other, call.flag("adj_y"))[-1])
    return None


@rule("Einsum")
def einsum(call: Call) -> Facts:
    """The equation names the sizes; an ellipsis is broadcast."""
    left, arrow, right = call.text("equation").replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != len(call.inputs):
        raise ShapeError(f"the equation {call.text('equation')!r} does not fit {len(call.inputs)} inputs")
    sizes: dict[str, Size] = {}
    batch: Dims = ()
    for index, term in enumerate(terms):
        batch = _take_term(term, call.shape(index), sizes, batch)
    if batch is None and "..." in right:
        return outputs(None)
    labels = _LABEL.findall(right)
    return outputs(tuple(s for label in labels for s in ((batch or ()) if label == "..." else (_size(sizes, label),))))


_LABEL = re.compile(r"\.\.\.|.")


def _size(sizes: dict[str, Size], label: str) -> Size:
    if label not in sizes:
        raise ShapeError(f"the label {label!r} is not among the inputs")
    return sizes[label]


def _take_term(term: str, shape: Dims, sizes: dict[str, Size], batch: Dims) -> Dims:
    """Notes the sizes of one input; gives the batch broadcast with its own."""
    front, dots, back = term.partition("...")
    if shape is None:
        for label in front + back:
            sizes.setdefault(label, Dim())
        return None if dots else batch
    own = len(shape) - len(front) - len(back)
    if own < 0 or (own and not dots):
        raise ShapeError(f"{term!r} does not fit rank {len(shape)}")
    named = (*shape[: len(front)], *shape[len(front) + own :])
    for label, size in zip(front + back, named):
        sizes[label] = _broadcast_label(sizes.get(label), size)
    return broadcast(batch, shape[len(front) : len(front) + own])


def _broadcast_label(known: Size | None, size: Size) -> Size:
    return size if known is None else broadcast_sizes(known, size)


@rule("SparseTensorDenseMatMul")
def sparse_dense_matmul(call: Call) -> Facts:
    """A sparse matrix, whose shape is in input 2, times a dense one."""
    call.ranked(0, 2)
    call.ranked(1, 1)
    stated = call.sizes(2)
    other = _turned(call.ranked(3, 2), call.flag("adjoint_b"))
    if stated is None:
        return outputs((Dim(), other[1]))
    if len(stated) != 2:
        raise ShapeError(f"a matrix has 2 dimensions, not {len(stated)}")
    one = _turned(stated, call.flag("adjoint_a"))
    merge_sizes(one[1], other[0])
    return outputs((one[0], other[1]))


@rule("MatrixSolveLs BatchMatrixSolveLs")
def least_squares(call: Call) -> Facts:
    """As many rows as the matrix has columns."""
    matrix, right = at_least(call.shape(0), 2), at_least(call.shape(1), 2)
    if matrix is None or right is None:
        return outputs(None)
    merge_sizes(matrix[-2], right[-2])
    batch = merge(matrix[:-2], right[:-2])
    return outputs(None if batch is None else (*batch, matrix[-1], right[-1]))


@rule("MatrixSolve BatchMatrixSolve")
def solve(call: Call) -> Facts:
    """A square matrix, and the right-hand side."""
    matrix, right = at_least(call.shape(0), 2), at_least(call.shape(1), 2)
    if matrix is None or right is None:
        return outputs(None)
    merge_sizes(merge_sizes(matrix[-1], matrix[-2]), right[-2])
    batch = merge(matrix[:-2], right[:-2])
    return outputs(None if batch is None else (*batch, matrix[-1], right[-1]))


@rule("MatrixTriangularSolve")
def triangular_solve(call: Call) -> Facts:
    """As ``MatrixSolve``, with the batch broadcast."""
    matrix, right = at_least(call.shape(0), 2), at_least(call.shape(1), 2)
    if matrix is None or right is None:
        return outputs(None)
    rows = merge_sizes(merge_sizes(matrix[-1], matrix[-2]), right[-2])
    batch = broadcast(matrix[:-2], right[:-2])
    return outputs(None if batch is None else (*batch, rows, right[-1]))


@rule("Svd BatchSvd")
def svd(call: Call) -> Facts:
    """Singular values, and the vectors if they are asked for."""
    shape = at_least(call.shape(0), 2)
    if shape is None:
        return ()
    *batch, m, n = shape
    p: Size = min(m, n) if isinstance(m, int) and isinstance(n, int) else Dim()
    values = (*batch, p)
    if not call.flag("compute_uv"):
        return outputs(values, (0,), (0,))
    if call.flag("full_matrices"):
        return outputs(values, (*batch, m, m), (*batch, n, n))
    return outputs(values, (*batch, m, p), (*batch, n, p))


@rule("Qr")
def qr(call: Call) -> Facts:
    """An orthogonal and a triangular matrix."""
    shape = at_least(call.shape(0), 2)
    if shape is None:
        return ()
    *batch, m, n = shape
    if call.flag("full_matrices"):
        return outputs((*batch, m, m), (*batch, m, n))
    p: Size = min(m, n) if isinstance(m, int) and isinstance(n, int) else Dim()
    return outputs((*batch, m, p), (*batch, p, n))


@rule("SelfAdjointEigV2 Eig")
def eigenvalues(call: Call) -> Facts:
    """Eigenvalues, and the vectors if they are asked for."""
    shape = at_least(call.shape(0), 2)
    if shape is None:
        return ()
    n = merge_sizes(shape[-2], shape[-1])
    return outputs((*shape[:-2], n), (*shape[:-2], n, n) if call.flag("compute_v") else (0,))
