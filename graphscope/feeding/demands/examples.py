"""Examples for ``ParseExample``: the dense features that it requires.

Source: ``tensorflow/core/ops/parsing_ops.cc`` and ``tensorflow/core/example/example.proto``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Body, Node
from graphscope.core.tensors import TensorSpec, node_of, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.named_tuple import NamedTuple
from graphscope.protos import Example

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ExampleSpec(NamedTuple):
    """A dense feature.

    Attributes:
        key: its name in examples.
        spec: type and shape for one example.
        output: the number of the parser's output that holds it.
    """

    key: str
    spec: TensorSpec
    output: int


def dense_features(body: Body, parser: Node) -> Iterator[ExampleSpec]:
    """The dense features that ``parser`` reads, in its order; none if their names are computed."""
    types, shapes = parser.attr("Tdense"), parser.attr("dense_shapes")
    keys, sparse = _keys(body, parser)
    if types is None or shapes is None:
        return
    for i, (key, dtype, shape) in enumerate(zip(keys, types.list.type, shapes.list.shape)):
        sizes = tuple(size or 1 for size in shape_of(shape) or ())
        yield ExampleSpec(key, TensorSpec("", DataType.of(dtype), sizes), 3 * sparse + i)


def _keys(body: Body, parser: Node) -> tuple[list[str], int]:
    """The names of dense features, and how many sparse ones there are."""
    if parser.op == "ParseSingleExample":
        dense, sparse = parser.attr("dense_keys"), parser.attr("num_sparse")
        texts = list(dense.list.s) if dense is not None else []
        return [text.decode() for text in texts], sparse.i if sparse is not None else 0
    count = parser.attr("num_sparse" if parser.op == "ParseExampleV2" else "Nsparse")
    sparse_count = count.i if count is not None else 0
    if parser.op == "ParseExampleV2":
        return _strings(body, parser.inputs[3]), sparse_count
    total = parser.attr("Ndense")
    begin = 2 + sparse_count
    names = parser.inputs[begin : begin + (total.i if total is not None else 0)]
    return [key for text in names for key in _strings(body, text)[:1]], sparse_count


def _strings(body: Body, text: str) -> list[str]:
    node = body.get(node_of(text))
    tensor = node.tensor() if node is not None and node.op == "Const" else None
    try:
        return [value.decode() for value in tensor.listed()] if tensor is not None else []
    except (GraphscopeError, UnicodeDecodeError):
        return []


def example_bytes(features: Mapping[str, NDArray[Any]]) -> bytes:
    """A serialized ``Example``."""
    example = Example()
    for key, values in features.items():
        feature = example.features.feature.add(key=key).value
        getattr(feature, f"{_list(values)}_list").value.extend(values.ravel().tolist())
    return example.SerializeToString()


def example_json(features: Mapping[str, NDArray[Any]]) -> bytes:
    """An ``Example`` as JSON."""
    named = {key: {f"{_list(values)}List": {"value": _plain(values)}} for key, values in features.items()}
    return json.dumps({"features": {"feature": named}}).encode()


def _list(values: NDArray[Any]) -> str:
    """The list of a ``Feature`` that values of this type are in."""
    return {"O": "bytes", "f": "float"}.get(values.dtype.kind, "int64")


def _plain(values: NDArray[Any]) -> list[Any]:
    return [base64.b64encode(v).decode() if isinstance(v, bytes) else v for v in values.ravel().tolist()]
