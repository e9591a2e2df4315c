"""Builds an ONNX graph node by node; knows the type of every tensor as soon as it exists, from ONNX's own inference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, TypeProto, defs, helper, numpy_helper, shape_inference

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.export.onnx.element_types import data_type, element_type, plain
from graphscope.export.onnx.runtime_types import KERNELS, Kernels, computing_type
from graphscope.export.onnx.value import Dims, Value
from graphscope.export.refusal import NotExpressibleError

Operand = Value | NDArray[Any] | None
"""An input of a node: a tensor, an array that becomes a constant, or nothing for an optional input."""

Attribute = int | float | str | bytes | Sequence[int] | Sequence[float] | GraphProto | None


class Shared:
    """The state that a graph and all its subgraphs share.

    Attributes:
        opset: the version of ONNX's operators.
        kernels: the types that the runtime computes each op in.
        constants: name -> content of the constants that nodes use.
        values: name -> every tensor that a node or an input produces.
    """

    def __init__(self, opset: int, kernels: Kernels = KERNELS) -> None:
        self.opset = opset
        self.kernels = kernels
        self.constants: dict[str, Payload] = {}
        self.values: dict[str, Value] = {}
        self._names: set[str] = set()
        self._small: dict[tuple[object, ...], str] = {}

    def fresh(self, wanted: str) -> str:
        """``wanted``, with a number appended if the name is taken."""
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def use(self, value: Value) -> str:
        """The name of ``value``; a constant becomes part of the graph, small ones of equal content once."""
        if value.payload is None or value.name in self.constants:
            return value.name
        if not value.is_small:
            self.constants[value.name] = value.payload
            return value.name
        array = value.payload.numpy()
        key = (value.dtype, array.shape, array.tobytes())
        name = self._small.setdefault(key, value.name)
        self.constants[name] = value.payload
        return name


class Builder:
    """One graph or subgraph.

    Attributes:
        nodes: those of this graph, in order of computation.
        scope: the TensorFlow node that is being converted: new names begin with it.
    """

    def __init__(self, shared: Shared, scope: str = "") -> None:
        self.shared = shared
        self.nodes: list[NodeProto] = []
        self.scope = scope

    @property
    def opset(self) -> int:
        """The version of ONNX's operators."""
        return self.shared.opset

    def subgraph(self) -> Builder:
        """A subgraph for a branch or the body of a loop: it may use the tensors of this graph."""
        return Builder(self.shared, self.scope)

    def constant(self, array: NDArray[Any] | Payload, name: str = "") -> Value:
        """A constant; it becomes part of the graph when a node uses it."""
        payload = array if isinstance(array, Payload) else ArrayPayload(np.asarray(array))
        dtype = plain(payload.dtype)
        return Value(name or self.shared.fresh(f"{self.scope}/const"), dtype, payload.shape, payload)

    def input(self, name: str, dtype: DataType, dims: Dims) -> Value:
        """An input tensor of this graph."""
        value = Value(self.shared.fresh(name), plain(dtype), dims)
        self.shared.values[value.name] = value
        return value

    def op(self, op: str, *operands: Operand, **attrs: Attribute) -> Value:
        """Adds a node with one output; see :meth:`ops`."""
        return self.ops(op, *operands, outputs=1, **attrs)[0]

    def ops(self, op: str, *operands: Operand, outputs: int, **attrs: Attribute) -> list[Value]:
        """Adds a node of ``op`` and returns its outputs.

        A type that ONNX Runtime has no kernel for is cast to a wider one and back, where that changes no result. Attributes
        that are ``None`` are left out.

        Raises:
            NotExpressibleError: there is no such kernel, or the shapes do not fit.
        """
        given = [self._value(operand) for operand in operands]
        schema = schema_of(op, self.opset)
        casts = self._casts(schema, given)
        given = [self._widened(value, schema, i, casts) for i, value in enumerate(given)]
        results = self._emit(schema, given, outputs, {k: v for k, v in attrs.items() if v is not None})
        narrowed = {name: pair[0] for name, pair in casts.items()}
        return [self._narrow(value, _parameter(schema.outputs, i), narrowed) for i, value in enumerate(results)]

    def cast(self, value: Value, dtype: DataType) -> Value:
        """``value`` in another type; a small constant is converted immediately."""
        dtype = plain(dtype)
        if value.dtype is dtype:
            return value
        if value.is_small:
            array = value.numpy()
            assert array is not None
            return self.constant(array.astype(dtype.numpy))
        result = self._emit(schema_of("Cast", self.opset), [value], 1, {"to": element_type(dtype)})[0]
        return replace(result, items=value.items)

    def reshaped(self, value: Value, dims: Dims) -> Value:
        """``value`` with properties that ONNX's inference did not find."""
        if dims is None:
            return value
        known = replace(value, dims=refine(value.dims, dims))
        if value.payload is None:
            self.shared.values[value.name] = known
        return known

    def add(self, node: NodeProto, results: Sequence[Value]) -> None:
        """Adds a finished node whose outputs are ``results``; for nodes with subgraphs."""
        self.nodes.append(node)
        self.shared.values.update((value.name, value) for value in results)

    def _value(self, operand: Operand) -> Value | None:
        return self.constant(operand) if isinstance(operand, np.ndarray | np.generic) else operand

    def _casts(self, schema: defs.OpSchema, given: Sequence[Value | None]) -> dict[str, tuple[DataType, DataType]]:
        """Type parameter of the op -> the type that is given and the one that is computed with, where they differ."""
        casts = {}
        for i, value in enumerate(given):
            parameter = _parameter(schema.inputs, i)
            if value is None or not parameter:
                continue
            allowed = _allowed_types(schema, parameter)
            computed = computing_type(schema.name, parameter, value.dtype, allowed, self.shared.kernels)
            if computed is None:
                raise NotExpressibleError(f"ONNX has no {schema.name} for {value.dtype.label} that runtimes compute")
            if computed is not value.dtype:
                casts[parameter] = (value.dtype, computed)
        return casts

    def _widened(
        self, value: Value | None, schema: defs.OpSchema, index: int, casts: Mapping[str, tuple[DataType, DataType]]
    ) -> Value | None:
        pair = casts.get(_parameter(schema.inputs, index))
        return value if value is None or pair is None else self.cast(value, pair[1])

    def _narrow(self, value: Value, parameter: str, narrowed: Mapping[str, DataType]) -> Value:
        return self.cast(value, narrowed[parameter]) if parameter in narrowed else value

    def _emit(
        self, schema: defs.OpSchema, given: Sequence[Value | None], outputs: int, attrs: Mapping[str, Attribute]
    ) -> list[Value]:
        inputs = ["" if value is None else self.shared.use(value) for value in given]
        names = [self.shared.fresh(f"{self.scope}/{schema.name}") for _ in range(outputs)]
        node = helper.make_node(schema.name, inputs, names, names[0], None, None, None, **attrs)
        types = self._infer(schema, node, dict(zip(inputs, given)))
        results = [_typed_value(name, types.get(name)) for name in names]
        self.add(node, results)
        return results

    def _infer(self, schema: defs.OpSchema, node: NodeProto, given: Mapping[str, Value | None]) -> dict[str, TypeProto]:
        types = {name: type_proto(value) for name, value in given.items() if value is not None}
        data = {name: _tensor(value) for name, value in given.items() if value is not None and _decides_shapes(value)}
        opsets = [helper.make_opsetid("", self.opset)]
        try:
            return shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=opsets, ir_version=10)
        except shape_inference.InferenceError as error:
            raise NotExpressibleError(f"its inputs do not fit: {str(error).splitlines()[0]}") from error


@cache
def schema_of(op: str, opset: int) -> defs.OpSchema:
    """The definition of ``op`` in ``opset``.

    Raises:
        NotExpressibleError: that opset has no such op.
    """
    try:
        return defs.get_schema(op, opset, "")
    except defs.SchemaError:
        newer = defs.get_schema(op, "").since_version
        raise NotExpressibleError(f"opset {opset} lacks ONNX's {op}; opset {newer} has it") from None


@cache
def _allowed_types(schema: defs.OpSchema, parameter: str) -> frozenset[str]:
    found = [c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == parameter]
    return frozenset(name for names in found for name in names)


def _parameter(arguments: Sequence[Any], index: int) -> str:
    """The type parameter of an op's input or output; empty if its type is fixed."""
    if not arguments:
        return ""
    argument = arguments[min(index, len(arguments) - 1)]
    return str(argument.type_str) if "(" not in argument.type_str else ""


def _decides_shapes(value: Value) -> bool:
    return value.is_small and value.dtype in (DataType.INT64, DataType.INT32, DataType.FLOAT)


def _tensor(value: Value) -> TensorProto:
    array = value.numpy()
    assert array is not None
    return numpy_helper.from_array(array, value.name)


def type_proto(value: Value) -> TypeProto:
    """The type of ``value`` as a message."""
    dims = None if value.dims is None else list(value.dims)
    return helper.make_tensor_type_proto(element_type(value.dtype), dims)


def _typed_value(name: str, proto: TypeProto | None) -> Value:
    """The tensor ``name`` of an inferred type."""
    if proto is None or not proto.HasField("tensor_type"):
        return Value(name, DataType.INVALID)
    tensor = proto.tensor_type
    dims = tuple(_dim(d) for d in tensor.shape.dim) if tensor.HasField("shape") else None
    return Value(name, data_type(tensor.elem_type), dims)


def _dim(dim: Any) -> int | str | None:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return str(dim.dim_param) or None


def refine(old: Dims, new: Dims) -> Dims:
    """The combination of two descriptions of one shape; the second wins in a contradiction."""
    if old is None or new is None or len(old) != len(new):
        return old if new is None else new
    return tuple(_more_exact(a, b) for a, b in zip(old, new))


def _more_exact(old: int | str | None, new: int | str | None) -> int | str | None:
    if isinstance(old, int) and not isinstance(new, int):
        return old
    return old if new is None else new


def vector(numbers: Iterable[int]) -> NDArray[np.int64]:
    """Axes, sizes and positions as ONNX requires them."""
    return np.array(list(numbers), np.int64)
