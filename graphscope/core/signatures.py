"""Signatures: the named inputs and outputs that a model's author declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphscope.core.tensors import TensorSpec, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.named_tuple import NamedTuple
from graphscope.protos import MetaGraphDef, TensorInfo

INIT_OP = "__saved_model_init_op"
TRAIN_OP = "__saved_model_train_op"
BOOKKEEPING = frozenset({INIT_OP, TRAIN_OP})
"""Signatures that TensorFlow's SavedModel builder adds for itself."""

MAIN_OP = "saved_model_main_op"
LEGACY_INIT_OP = "legacy_init_op"
TABLE_INITIALIZERS = "table_initializer"
"""Collections that name what runs when a model is opened, in place of the signature :data:`INIT_OP`."""


class Signature(NamedTuple):
    """A ``SignatureDef``.

    Attributes:
        name: its key, ``serving_default`` for instance.
        method: the method name, ``tensorflow/serving/predict`` for instance.
        inputs, outputs: argument name -> the tensors behind it (several for a sparse or composite tensor).
    """

    name: str
    method: str
    inputs: Mapping[str, tuple[TensorSpec, ...]]
    outputs: Mapping[str, tuple[TensorSpec, ...]]


def signatures_of(meta: MetaGraphDef) -> dict[str, Signature]:
    """The signatures by name, sorted, those of the builder's own bookkeeping included."""
    return {
        name: Signature(name, proto.method_name, _specs(proto.inputs), _specs(proto.outputs))
        for name, proto in sorted(meta.signature_def.items())
    }


def _specs(infos: Mapping[str, TensorInfo]) -> dict[str, tuple[TensorSpec, ...]]:
    return {name: tuple(_tensors(infos[name])) for name in sorted(infos)}


def _tensors(info: TensorInfo) -> Iterator[TensorSpec]:
    encoding = info.WhichOneof("encoding")
    if encoding == "coo_sparse":
        sparse = info.coo_sparse
        yield TensorSpec(sparse.indices_tensor_name, DataType.INT64, (None, None))
        yield TensorSpec(sparse.values_tensor_name, DataType.of(info.dtype), (None,))
        yield TensorSpec(sparse.dense_shape_tensor_name, DataType.INT64, (None,))
    elif encoding == "composite_tensor":
        for component in info.composite_tensor.components:
            yield from _tensors(component)
    elif info.name:
        yield TensorSpec(info.name, DataType.of(info.dtype), shape_of(info.tensor_shape))
