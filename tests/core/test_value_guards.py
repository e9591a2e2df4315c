"""Values at their limits: what fits, how much it takes, what is read of it."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from graphscope.core.changes.build import constant, tensor_head, tensor_proto, with_inputs, without_attrs
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import REF, DataType
from graphscope.core.values.fit import fit
from graphscope.core.values.inline import InlinePayload
from graphscope.core.values.payload import AbsentPayload, ArrayPayload, ConvertedPayload
from graphscope.core.variables.refusals import missing_value, refuse_mismatch
from graphscope.core.variables.variables import Entry, Role, Variable
from graphscope.errors import GraphscopeError, IncompleteModelError
from graphscope.protos import TensorProto
from tests.support.running import tf

# Types


@pytest.mark.parametrize("dtype", DataType, ids=lambda t: t.name)
def test_a_type_takes_as_many_bytes_as_its_array(dtype: DataType) -> None:
    sizeless = (DataType.STRING, DataType.RESOURCE, DataType.VARIANT, DataType.INVALID)
    assert (dtype.itemsize is None) is (dtype in sizeless)
    if dtype.itemsize is not None:
        assert dtype.numpy.itemsize == dtype.itemsize
    assert DataType.of(dtype) is dtype
    assert DataType.of(dtype + REF) is dtype
    assert DataType.of(999) is DataType.of(-1) is DataType.INVALID


def test_the_numbers_of_types_are_those_of_the_format() -> None:
    theirs = tf.compat.v1.AttrValue.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_name
    for dtype in DataType:
        assert theirs[f"DT_{dtype.name}"].number == dtype, dtype
        if dtype is not DataType.INVALID:
            assert theirs[f"DT_{dtype.name}_REF"].number == dtype + REF


# What fits


def spec(dtype: DataType, *shape: int | None) -> TensorSpec:
    return TensorSpec("x:0", dtype, shape or None)


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        ([True, False], DataType.BOOL, [True, False]),
        ([0, 1], DataType.BOOL, [False, True]),
        ([2], DataType.BOOL, None),
        ([1.0], DataType.BOOL, None),
        ([True], DataType.INT8, [1]),
        ([127], DataType.INT8, [127]),
        ([128], DataType.INT8, None),
        ([-1], DataType.UINT8, None),
        ([1.0], DataType.INT32, None),
        ([True], DataType.FLOAT, [1.0]),
        ([1], DataType.FLOAT, [1.0]),
        ([1.5], DataType.HALF, [1.5]),
        ([1e30], DataType.HALF, None),
        ([np.inf], DataType.HALF, [np.inf]),
        ([1e30], DataType.BFLOAT16, [float(ml_dtypes.bfloat16(1e30))]),
        ([1j], DataType.FLOAT, None),
        ([1.5], DataType.COMPLEX64, [1.5]),
        ([1j], DataType.COMPLEX128, [1j]),
        ([1e300 * 1j], DataType.COMPLEX64, None),
        (["a", "\u00e9"], DataType.STRING, [b"a", b"\xc3\xa9"]),
        ([b"\xff"], DataType.STRING, [b"\xff"]),
        ([1], DataType.STRING, None),
        (["a"], DataType.FLOAT, None),
        ([b"a"], DataType.INT32, None),
        ([1], DataType.RESOURCE, None),
        ([1], DataType.VARIANT, None),
        ([1], DataType.INVALID, None),
    ],
)
def test_nothing_but_precision_is_lost(value: list[Any], dtype: DataType, expected: list[Any] | None) -> None:
    if expected is None:
        with pytest.raises(GraphscopeError, match=r"x:0 takes "):
            fit(np.array(value), spec(dtype))
    else:
        result = fit(np.array(value), spec(dtype))
        assert (result.tolist(), result.dtype) == (expected, dtype.numpy)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([300, 5, -200], "int8, where 300 does not fit"),
        ([1.5], "int8, not float64"),
        (["a"], "int8, not text"),
        ([b"a"], "int8, not text"),
    ],
)
def test_what_does_not_fit_is_named(value: list[Any], text: str) -> None:
    with pytest.raises(GraphscopeError, match=text):
        fit(np.array(value), spec(DataType.INT8))
    with pytest.raises(GraphscopeError, match="string, not mixed values"):
        fit(np.array([1, None], object), spec(DataType.STRING))


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((2, 3), True),
        ((None, 3), True),
        ((2, None), True),
        ((2,), False),
        ((2, 3, 1), False),
        ((3, 3), False),
        ((2, 2), False),
    ],
)
def test_shapes_fit_where_they_are_stated(shape: tuple[int | None, ...], fits: bool) -> None:
    value = np.zeros((2, 3), np.float32)
    assert fit(value, spec(DataType.FLOAT)).shape == (2, 3)
    if fits:
        assert fit(value, spec(DataType.FLOAT, *shape)).shape == (2, 3)
    else:
        with pytest.raises(GraphscopeError, match=r"the value \(2, 3\)"):
            fit(value, spec(DataType.FLOAT, *shape))
    with pytest.raises(GraphscopeError, match="shape"):
        fit(np.array(["a"]), TensorSpec("x:0", DataType.STRING, ()))


def test_what_does_not_fit_is_refused_before_copies_are_made() -> None:
    value = np.zeros((2, 3), np.float32)
    assert not np.shares_memory(fit(value, spec(DataType.FLOAT)), value)
    with pytest.raises(GraphscopeError, match=r"has shape \(7\)"):
        fit(np.array([300]), spec(DataType.INT8, 7))
    swapped = value.astype(">f4")
    assert fit(swapped, spec(DataType.FLOAT)).dtype == np.float32
    assert fit(swapped, spec(DataType.FLOAT)).dtype.isnative


# Nodes that are made


def test_copies_of_nodes_leave_the_original() -> None:
    large = constant("c", np.arange(300), ["^x"])
    large.proto.device = "/cpu:1"
    rewired = with_inputs(large, ["^y"])
    assert (list(rewired.inputs), rewired.payloads, list(large.inputs)) == (["^y"], large.payloads, ["^x"])
    bare = without_attrs(large, ["value", "nothing"])
    assert (set(bare.attrs), bare.payloads, bare.device) == ({"dtype"}, {}, "/cpu:1")
    assert (without_attrs(large, (), device="").device, large.device, "value" in large.payloads) == ("", "/cpu:1", True)
    assert without_attrs(large, ["dtype"]).payloads == large.payloads
    assert (large.tensor("dtype"), large.tensor("nothing"), large.tensor() is large.payloads["value"]) == (
        None,
        None,
        True,
    )


def test_a_scalar_states_its_shape() -> None:
    head = tensor_head(ArrayPayload(np.float32(1)))
    assert (head.HasField("tensor_shape"), head.tensor_content) == (True, b"")
    assert tensor_proto(ArrayPayload(np.array([[b"a", b""]], object))).string_val == [b"a", b""]


# Payloads


def test_the_chunks_of_an_array_are_a_mebibyte_each() -> None:
    array = np.arange((1 << 18) + 1, dtype=">i4")
    chunks = list(ArrayPayload(array).chunks())
    assert [len(c) for c in chunks] == [1 << 20, 4]
    assert b"".join(chunks) == array.astype("<i4").tobytes()
    assert list(ArrayPayload(np.zeros((0, 3), np.float32)).chunks()) == []


def test_a_payload_is_read_chunk_by_chunk() -> None:
    class Pieces(AbsentPayload):
        def chunks(self) -> Any:
            return iter([b"\x01\x00", b"", b"\x02\x00\x03\x00"])

    assert Pieces(DataType.INT16, (3, 1), "p").numpy().tolist() == [[1], [2], [3]]
    assert AbsentPayload(DataType.STRING, (3, 2), "p").nbytes is None
    assert (AbsentPayload(DataType.HALF, (3, 2), "p").nbytes, AbsentPayload(DataType.HALF, (), "p").elements) == (12, 1)
    with pytest.raises(IncompleteModelError, match="p: its values"):
        AbsentPayload(DataType.HALF, (3,), "p").numpy()


def test_a_converted_payload_has_the_graphs_type_and_shape() -> None:
    converted = ConvertedPayload(ArrayPayload(np.array([[1.7, 2.0]])), DataType.INT32, (2, 1))
    assert (converted.nbytes, converted.numpy().tolist()) == (8, [[1], [2]])
    assert b"".join(converted.chunks()) == np.int32([1, 2]).tobytes()


@pytest.mark.parametrize(
    ("fields", "sizes", "expected"),
    [
        ({"dtype": 3, "int_val": [1, 2]}, [2], [1, 2]),
        ({"dtype": 3, "int_val": [1]}, [2], [1, 1]),
        ({"dtype": 3, "int_val": []}, [2], [0, 0]),
        ({"dtype": 3, "int_val": []}, [0], []),
        ({"dtype": 9, "int64_val": [1 << 40]}, [], [1 << 40]),
        ({"dtype": 3, "tensor_content": b"\1\0\0\0\2\0\0\0"}, [2], [1, 2]),
        ({"dtype": 9, "tensor_content": b"\1" + bytes(7)}, [1], [1]),
        ({"dtype": 7, "string_val": [b"a", b"b"]}, [2], [b"a", b"b"]),
        ({"dtype": 7, "tensor_content": b"\1a"}, [1], [b"a"]),
        ({"dtype": 1, "float_val": [1.5]}, [2], [1.5, 1.5]),
    ],
)
def test_the_elements_of_a_small_tensor(fields: dict[str, Any], sizes: list[int], expected: list[Any]) -> None:
    proto = TensorProto(**fields)
    proto.tensor_shape.SetInParent()
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    payload = InlinePayload(proto, "n")
    assert payload.listed() == payload.numpy().reshape(-1).tolist() == expected
    assert payload.shape == tuple(sizes)


def test_how_much_strings_take() -> None:
    """About 16 bytes for each, and the message; the last one stands for all that are missing."""
    proto = TensorProto(dtype=7)
    proto.tensor_shape.dim.add(size=5)
    assert InlinePayload(proto, "n").content_bytes == 5 * 16 + proto.ByteSize()
    proto.string_val.extend([b"a", b"long one"])
    assert InlinePayload(proto, "n").content_bytes == 5 * 16 + proto.ByteSize() + 3 * 8


# Variables and their values


def variable(**fields: Any) -> Variable:
    stated: dict[str, Any] = {
        "name": "v",
        "dtype": DataType.FLOAT,
        "shape": (2, 3),
        "key": "v",
        "in_graph": True,
        "trainable": None,
        "role": Role.MODEL,
    }
    return Variable(**(stated | fields))


def entry(dtype: DataType = DataType.FLOAT, *shape: int, stored_bytes: int | None = None) -> Entry:
    return Entry("v", dtype, shape or (2, 3), stored_bytes=stored_bytes)


@pytest.mark.parametrize(
    ("fields", "mismatch"),
    [
        ({}, ""),
        ({"entry": entry(), "demanded": (2, 3)}, ""),
        ({"entry": entry(), "demanded": None}, ""),
        ({"entry": entry(), "demanded": (3, 2)}, "float32 (2, 3)"),
        ({"entry": entry(), "demanded": (3, 2), "in_graph": False}, ""),
        ({"entry": entry(DataType.HALF), "demanded": (2, 3)}, "float16 (2, 3)"),
        ({"entry": entry(DataType.HALF), "dtype": DataType.INVALID}, ""),
        ({"entry": entry(), "demanded": (3, 2), "converts": True}, ""),
        ({"entry": entry(DataType.HALF), "demanded": (6,), "converts": True}, ""),
        ({"entry": entry(), "demanded": (3, 3), "converts": True}, "float32 (2, 3)"),
    ],
)
def test_a_value_of_another_type_or_shape(fields: dict[str, Any], mismatch: str) -> None:
    assert variable(**fields).mismatch == mismatch


def test_sizes_of_variables() -> None:
    assert (variable().elements, variable().size_bytes, variable(dtype=DataType.DOUBLE).size_bytes) == (6, 24, 48)
    assert (variable(shape=(None, 3)).elements, variable(shape=None).size_bytes) == (None, None)
    text = variable(dtype=DataType.STRING)
    assert (text.size_bytes, variable(dtype=DataType.STRING, entry=entry(stored_bytes=99)).size_bytes) == (None, 99)
    assert variable(demanded=(4, 3)).declared == "float32 (4, 3)"
    assert variable(shape=(None, 3)).declared == "float32 (?, 3)"


@pytest.mark.parametrize(
    ("fields", "is_missing"),
    [
        ({}, True),
        ({"in_graph": False}, False),
        ({"entry": entry()}, False),
        ({"role": Role.LOCAL}, False),
        ({"role": Role.SLOT}, True),
    ],
)
def test_a_value_that_ought_to_be_there(fields: dict[str, Any], is_missing: bool) -> None:
    assert variable(**fields).is_missing is is_missing


@pytest.mark.parametrize(("count", "more"), [(1, ""), (8, ""), (9, "and 1 more"), (1010, "and 1,002 more")])
def test_eight_values_that_do_not_fit_are_listed(count: int, more: str) -> None:
    wrong = [variable(name=f"v{i}", entry=entry(), demanded=(3, 3)) for i in range(count)]
    with pytest.raises(IncompleteModelError) as error:
        refuse_mismatch("m", "c", [variable(entry=entry()), *wrong])
    lines = str(error.value).splitlines()
    assert len(lines) == 1 + min(count, 8) + bool(more)
    assert lines[1] == "variable v0 is float32 (3, 3) in the graph, but its value is float32 (2, 3)"
    assert not more or lines[-1] == more
    refuse_mismatch("m", "c", [variable(entry=entry())])


def test_the_closest_keys_are_named_where_there_are_any() -> None:
    assert "closest keys: dense/kernel" in str(
        missing_value("m", "c", ["dense/kernel", "zzz"], "dense/kernels", "no value")
    )
    assert "closest" not in str(missing_value("m", "c", ["zzz"], "dense/kernel", "no value"))
