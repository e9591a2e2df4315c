"""What ONNX says of a value: tensors, and what holds them.

Source: ``onnx/onnx.proto`` (1.23), ``TypeProto`` and ``TensorShapeProto``.
"""

from __future__ import annotations

from dataclasses import replace

from graphscope.core.foreign import ForeignTensor
from graphscope.core.tensors import StatedShape
from graphscope.formats.onnx.element_types import data_type
from graphscope.protos import OnnxDimension, OnnxTensorType, OnnxType, OnnxValueInfo


def value_of(info: OnnxValueInfo) -> ForeignTensor:
    """A value with its type."""
    return tensor_of(info.name, info.type)


def tensor_of(name: str, kind: OnnxType) -> ForeignTensor:
    """The value ``name`` of type ``kind``; of what holds tensors, the type of those and how they are held."""
    for container in ("sequence", "optional", "map"):
        if kind.HasField(f"{container}_type"):
            holder = getattr(kind, f"{container}_type")
            inner = tensor_of(name, holder.value_type if container == "map" else holder.elem_type)
            return replace(inner, container=f"{container} of {inner.container}" if inner.container else container)
    if kind.HasField("sparse_tensor_type"):
        sparse = kind.sparse_tensor_type
        return ForeignTensor(name, data_type(sparse.elem_type), _shape(sparse), "sparse")
    return ForeignTensor(name, data_type(kind.tensor_type.elem_type), _shape(kind.tensor_type))


def _shape(stated: OnnxTensorType) -> StatedShape:
    if not stated.HasField("shape"):
        return None
    return tuple(_size(dim) for dim in stated.shape.dim)


def _size(dim: OnnxDimension) -> int | str | None:
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None
    return dim.dim_param or None
