"""Rules that are nothing but equal sizes, as rows of a table; see :mod:`graphscope.analysis.shapes.patterns`."""

from __future__ import annotations

from collections.abc import Mapping

from graphscope.analysis.shapes.call import Call, Rule
from graphscope.analysis.shapes.facts import SCALAR, Facts
from graphscope.analysis.shapes.patterns import pattern

_PATTERNS: Mapping[str, str] = {
    "Cholesky MatrixInverse BatchMatrixInverse BatchCholesky": "(B...,n,n) -> (B...,n,n)",
    "CholeskyGrad BatchCholeskyGrad": "(B...,n,n) _ -> (B...,n,n)",
    "MatrixDeterminant BatchMatrixDeterminant": "(B...,n,n) -> (B...)",
    "LogMatrixDeterminant": "(B...,n,n) -> (B...) (B...)",
    "MatrixExponential MatrixLogarithm MatrixSquareRoot": "(B...,n,n) -> (B...,n,n)",
    "Cross": "X X -> X",
    "L2Loss": "_ -> ()",
    "Softmax LogSoftmax": "(B...,n) -> (B...,n)",
    "SparseSoftmaxCrossEntropyWithLogits": "(n,c) (n) -> (n) (n,c)",
    "InTopK InTopKV2": "(n,c) (n) _ -> (n)",
    "SparseReorder": "(n,r) (n) (r) -> (n,r) (n)",
    "SparseReshape": "(n,r) (r) (s) -> (n,s) (s)",
    "SparseSoftmax": "(n,r) (n) (r) -> (n)",
    "SparseTensorDenseAdd": "(n,r) (n) (r) X -> X",
    "SparseDenseCwiseMul SparseDenseCwiseAdd SparseDenseCwiseDiv": "(n,r) _ _ _ -> (n)",
    "SparseFillEmptyRows": "(n,r) (n) (r) () -> (?,r) (?) (d) (n)",
    "SparseFillEmptyRowsGrad": "(n) (m) -> (m) ()",
    "LookupTableFindV2 LookupTableFind": "_ _ _ -> _",
}
"""Ops -> pattern."""

_SCALARS = (
    "MutexV2 HashTableV2 MutableHashTableV2 MutableHashTableOfTensorsV2 MutableDenseHashTableV2 AnonymousHashTable"
    " LookupTableSizeV2 LookupTableSize ScalarSummary HistogramSummary ImageSummary AudioSummary AudioSummaryV2 MergeSummary"
    " TensorSummary TensorSummaryV2 ShardedFilename ShardedFilespec IteratorV2 Iterator OneShotIterator IteratorToStringHandle"
    " IteratorFromStringHandle IteratorFromStringHandleV2 AnonymousIterator Timestamp ReadFile"
)
"""Ops whose outputs are scalars."""


def row_rules() -> dict[str, Rule]:
    """Op name -> rule, of every row."""
    result: dict[str, Rule] = {}
    for ops, text in _PATTERNS.items():
        result.update(dict.fromkeys(ops.split(), pattern(text)))
    result.update(dict.fromkeys(_SCALARS.split(), _scalars))
    return result


def _scalars(_: Call) -> Facts:
    return (SCALAR,)
