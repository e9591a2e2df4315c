"""Products of matrices."""

from __future__ import annotations

from graphscope.analysis.shapes.arithmetic import broadcast, broadcast_sizes
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import Facts, outputs
from graphscope.analysis.shapes.sizes import Dim, Dims, ShapeError, Size, Sizes, at_least, merge, merge_sizes
from graphscope.analysis.shapes.table import rule
from graphscope.core.patterns import Pattern


def _turn(shape: Sizes, is_turned: bool) -> Sizes:
    return (*shape[:-2], shape[-1], shape[-2]) if is_turned else shape


@rule("MatMul SparseMatMul")
def matmul(call: Call) -> Facts:
    """Two matrices, each perhaps transposed."""
    one = _turn(call.ranked(0, 2), call.flag("transpose_a"))
    other = _turn(call.ranked(1, 2), call.flag("transpose_b"))
    merge_sizes(one[1], other[0])
    return outputs((one[0], other[1]))


def _parts(shape: Dims) -> tuple[Dims, Size, Size]:
    """The leading dimensions, and the two of the matrix; of an unknown rank, nothing is known but that."""
    shape = at_least(shape, 2)
    return (None, Dim(), Dim()) if shape is None else (shape[:-2], shape[-2], shape[-1])


def _whole(batch: Dims, rows: Size, columns: Size) -> Dims:
    return None if batch is None else (*batch, rows, columns)


@rule("BatchMatMul BatchMatMulV2 BatchMatMulV3")
def batch_matmul(call: Call) -> Facts:
    """Matrices in the last two dimensions; the others are equal, or since V2 broadcast."""
    batch, rows, inner = _parts(call.shape(0))
    other, depth, columns = _parts(call.shape(1))
    if call.flag("adj_x"):
        rows, inner = inner, rows
    if call.flag("adj_y"):
        depth, columns = columns, depth
    merge_sizes(inner, depth)
    join = merge if call.node.op == "BatchMatMul" else broadcast
    return outputs(_whole(join(batch, other), rows, columns))


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
    labels = _LABEL.compiled.findall(right)
    return outputs(tuple(s for label in labels for s in ((batch or ()) if label == "..." else (_size(sizes, label),))))


_LABEL = Pattern(r"\.\.\.|.")


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
    other = _turn(call.ranked(3, 2), call.flag("adjoint_b"))
    if stated is None:
        return outputs((Dim(), other[1]))
    if len(stated) != 2:
        raise ShapeError(f"a matrix has 2 dimensions, not {len(stated)}")
    one = _turn(stated, call.flag("adjoint_a"))
    merge_sizes(one[1], other[0])
    return outputs((one[0], other[1]))


@rule("MatrixSolveLs BatchMatrixSolveLs")
def least_squares(call: Call) -> Facts:
    """As many rows as the matrix has columns."""
    batch, rows, columns = _parts(call.shape(0))
    other, height, width = _parts(call.shape(1))
    merge_sizes(rows, height)
    return outputs(_whole(merge(batch, other), columns, width))


@rule("MatrixSolve BatchMatrixSolve MatrixTriangularSolve")
def solve(call: Call) -> Facts:
    """A square matrix, and the right-hand side; the batch of a triangular one is broadcast."""
    batch, rows, columns = _parts(call.shape(0))
    other, height, width = _parts(call.shape(1))
    size = merge_sizes(merge_sizes(rows, columns), height)
    join = broadcast if call.node.op == "MatrixTriangularSolve" else merge
    return outputs(_whole(join(batch, other), size, width))


@rule("Svd BatchSvd")
def svd(call: Call) -> Facts:
    """Singular values, and the vectors if they are asked for."""
    batch, m, n = _parts(call.shape(0))
    p: Size = min(m, n) if isinstance(m, int) and isinstance(n, int) else Dim()
    values = None if batch is None else (*batch, p)
    if not call.flag("compute_uv"):
        return outputs(values, (0,), (0,))
    if call.flag("full_matrices"):
        return outputs(values, _whole(batch, m, m), _whole(batch, n, n))
    return outputs(values, _whole(batch, m, p), _whole(batch, n, p))


@rule("Qr")
def qr(call: Call) -> Facts:
    """An orthogonal and a triangular matrix."""
    batch, m, n = _parts(call.shape(0))
    if call.flag("full_matrices"):
        return outputs(_whole(batch, m, m), _whole(batch, m, n))
    p: Size = min(m, n) if isinstance(m, int) and isinstance(n, int) else Dim()
    return outputs(_whole(batch, m, p), _whole(batch, p, n))


@rule("SelfAdjointEigV2 Eig")
def eigenvalues(call: Call) -> Facts:
    """Eigenvalues, and the vectors if they are asked for."""
    batch, rows, columns = _parts(call.shape(0))
    n = merge_sizes(rows, columns)
    values = None if batch is None else (*batch, n)
    return outputs(values, _whole(batch, n, n) if call.flag("compute_v") else (0,))
