"""``TensorProto`` -> array, compared with ``tf.make_ndarray`` and with what a ``Const`` gives when TensorFlow runs it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.tensor_proto import FIELDS, MAX_FILLED_BYTES, decode
from graphscope.errors import CorruptFileError, UnsupportedError
from graphscope.protos import TensorProto
from tests.support.saving import Array, as_array, assert_equal, tf
from tests.support.tables import varint

TYPES = [t for t in DataType if t in FIELDS]
NUMERIC = [t for t in TYPES if t is not DataType.STRING]
TEXTS = [b"", b"\0\xff", "Ж".encode(), b"x" * 300]
UNKNOWN_TO_MAKE_NDARRAY = (DataType.FLOAT8_E4M3FNUZ, DataType.FLOAT8_E4M3B11FNUZ, DataType.FLOAT8_E5M2FNUZ)


def proto(dtype: DataType, shape: list[int], **fields: Any) -> TensorProto:
    dims = {"dim": [{"size": size} for size in shape]}
    return TensorProto(dtype=int(dtype), tensor_shape=dims, **fields)


def typed(dtype: DataType, count: int) -> dict[str, Any]:
    """``count`` values in the field that TensorFlow's writers use for ``dtype``, by the .proto's comments."""
    small = (
        [1, 0, 1, -2, 1, 0][:count] if not dtype.label.startswith(("u", "qu", "bool")) else [1, 0, 1, 1, 1, 0][:count]
    )
    fractions = [0.5, -1.25, 3e38, 0.0, 2.0, -7.5][:count]
    if dtype is DataType.STRING:
        return {"string_val": TEXTS[:count]}
    if dtype in (DataType.HALF, DataType.BFLOAT16):
        return {"half_val": [0x3F80, 0xC000, 0x7F80, 0xFFFF, 1, 0][:count]}
    if dtype.label.startswith(("float8", "float4")):
        return {"float8_val": bytes([1, 7, 0, 9, 15, 2][:count])}
    if dtype in (DataType.COMPLEX64, DataType.COMPLEX128):
        name = "scomplex_val" if dtype is DataType.COMPLEX64 else "dcomplex_val"
        return {name: fractions[:count] * 2}
    names = {"float32": "float_val", "float64": "double_val", "bool": "bool_val"}
    names |= {name: f"{name}_val" for name in ("int64", "uint32", "uint64")}
    return {names.get(dtype.label, "int_val"): fractions if dtype.is_floating else small}


def make_ndarray(message: TensorProto) -> Array:
    theirs = tf.compat.v1.AttrValue().tensor
    theirs.ParseFromString(message.SerializeToString())
    return as_array(tf.make_ndarray(theirs))


def run_const(message: TensorProto) -> Array:
    """The value that TensorFlow's runtime gives to a ``Const`` of ``message``."""
    graph = tf.compat.v1.GraphDef()
    node = graph.node.add(name="c", op="Const")
    node.attr["value"].tensor.ParseFromString(message.SerializeToString())
    node.attr["dtype"].type = message.dtype
    with tf.Graph().as_default() as built, tf.compat.v1.Session() as session:
        [result] = tf.import_graph_def(graph, return_elements=["c:0"], name="")
        assert built is result.graph
        return as_array(session.run(result))


def assert_as_tensorflow(message: TensorProto) -> None:
    dtype = DataType.of(message.dtype)
    found = decode(message, where="here")
    assert found.dtype == dtype.numpy
    if dtype not in UNKNOWN_TO_MAKE_NDARRAY:
        expected = make_ndarray(message)
        if expected.dtype.names:  # quantized types are structures of one field there
            expected = expected.view(found.dtype)
        if dtype is DataType.STRING:
            expected = np.array([t or b"" for t in expected.reshape(-1)], object).reshape(expected.shape)
        assert_equal(found, expected, dtype.label)
    assert_equal(found, run_const(message), dtype.label)


@pytest.mark.parametrize("dtype", TYPES, ids=lambda t: t.label)
@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_values_in_the_field_of_the_type(dtype: DataType, count: int) -> None:
    """All of them, or some and the last one again and again, or none, which is zero."""
    for shape in ([4], [2, 2, 1]):
        assert_as_tensorflow(proto(dtype, shape, **typed(dtype, count)))
    if count == 1:
        assert_as_tensorflow(proto(dtype, [], **typed(dtype, count)))
    if count == 0:
        assert_as_tensorflow(proto(dtype, [3, 0, 2]))


@pytest.mark.parametrize("dtype", NUMERIC, ids=lambda t: t.label)
def test_content_as_it_lies_in_memory(dtype: DataType) -> None:
    elements = np.array([1, 0, 1, 1, 0, 1]).astype(dtype.numpy)
    assert_as_tensorflow(proto(dtype, [2, 3], tensor_content=elements.tobytes()))


@pytest.mark.parametrize("texts", [TEXTS, [b"", b""], [b"x" * 20_000, b"y"]])
def test_strings_in_content(texts: list[bytes]) -> None:
    """What TensorFlow's constant folding writes; ``tf.make_ndarray`` cannot read it."""
    lengths = b"".join(varint(len(text)) for text in texts)
    message = proto(DataType.STRING, [len(texts)], tensor_content=lengths + b"".join(texts))
    assert decode(message, where="here").tolist() == run_const(message).tolist() == texts
    for cut in (message.tensor_content[:-1], message.tensor_content + b"x"):
        with pytest.raises(CorruptFileError, match="does not hold"):
            decode(proto(DataType.STRING, [len(texts)], tensor_content=cut), where="here")


@pytest.mark.parametrize("value", [0, 2.5, True, "text", 3j])
def test_one_value_for_a_large_tensor(value: object) -> None:
    theirs = tf.make_tensor_proto(value, shape=[300, 7])
    assert theirs.ByteSize() < 100
    assert_as_tensorflow(TensorProto.FromString(theirs.SerializeToString()))


def test_references_are_read_as_their_type() -> None:
    message = proto(DataType.FLOAT, [2], float_val=[1.0, 2.0])
    message.dtype = DataType.FLOAT + 100
    assert decode(message, where="here").tolist() == [1.0, 2.0]


UNKNOWN_RANK = {"unknown_rank": True}
REFUSED = {
    "too many values": (proto(DataType.FLOAT, [1], float_val=[1, 2]), CorruptFileError, "2 values for 1 elements"),
    "values for none": (proto(DataType.INT64, [0], int64_val=[1]), CorruptFileError, "1 values for 0 elements"),
    "too much content": (proto(DataType.FLOAT, [1], tensor_content=bytes(5)), CorruptFileError, "take 4 bytes"),
    "too little content": (proto(DataType.FLOAT, [2], tensor_content=bytes(4)), CorruptFileError, "take 8 bytes"),
    "content for a claim": (proto(DataType.FLOAT, [1 << 40], tensor_content=bytes(4)), CorruptFileError, "take"),
    "half a complex": (proto(DataType.COMPLEX64, [1], scomplex_val=[1]), CorruptFileError, "not pairs"),
    "too large a byte": (proto(DataType.UINT8, [1], int_val=[256]), CorruptFileError, "out of the range of uint8"),
    "too large a nibble": (proto(DataType.INT4, [1], int_val=[9]), CorruptFileError, "out of the range of int4"),
    "negative bits": (proto(DataType.HALF, [1], half_val=[-1]), CorruptFileError, "out of the range of float16"),
    "a negative dimension": (proto(DataType.FLOAT, [-1], float_val=[1]), CorruptFileError, "needs a known shape"),
    "no rank": (TensorProto(dtype=1, tensor_shape=UNKNOWN_RANK), CorruptFileError, "needs a known shape"),
    "ten terabytes of one": (proto(DataType.FLOAT, [10 << 40], float_val=[1]), UnsupportedError, "1 values stand for"),
    "ten terabytes of none": (proto(DataType.STRING, [10 << 40]), UnsupportedError, "0 values stand for"),
    "dimensions past 2**64": (proto(DataType.FLOAT, [1 << 40, 1 << 40, 1 << 40]), UnsupportedError, "stand for"),
    "none, but in huge rows": (proto(DataType.FLOAT, [0, 1 << 62, 8]), UnsupportedError, "shape"),
    "a hundred dimensions": (proto(DataType.FLOAT, [1] * 100, float_val=[1]), UnsupportedError, "shape"),
    "a resource": (proto(DataType.RESOURCE, []), UnsupportedError, "resource has no NumPy equivalent"),
    "an unknown type": (proto(DataType.INVALID, []), UnsupportedError, "type 0 has no NumPy equivalent"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    message, error, text = REFUSED[name]
    tracemalloc.start()
    try:
        with pytest.raises(error, match=text) as caught:
            decode(message, where="node x")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith("node x: ")


def test_the_limit_of_a_fill() -> None:
    at_limit = proto(DataType.INT8, [MAX_FILLED_BYTES], int_val=[])
    assert decode(at_limit, where="here").shape == (MAX_FILLED_BYTES,)
    with pytest.raises(UnsupportedError):
        decode(proto(DataType.INT8, [MAX_FILLED_BYTES + 1]), where="here")


@settings(max_examples=300)
@given(
    number=st.integers(0, 140),
    dims=st.lists(st.integers(-1, 5), max_size=4),
    content=st.binary(max_size=40),
    integers=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=6),
)
def test_only_the_right_errors(number: int, dims: list[int], content: bytes, integers: list[int]) -> None:
    fields = {"int_val": integers, "half_val": integers, "int64_val": integers, "string_val": [content] * len(integers)}
    message = TensorProto(dtype=number, tensor_shape={"dim": [{"size": d} for d in dims]}, **fields)
    for message.tensor_content in (content, b""):
        try:
            array = decode(message, where="here")
        except (CorruptFileError, UnsupportedError):
            continue
        assert array.shape == tuple(dims)
        assert array.dtype == DataType.of(number).numpy


@pytest.mark.parametrize(
    "array",
    [
        np.array([[3, -1], [1 << 30, 0]], np.int32),
        np.array([1 << 60, -5], np.int64),
        np.array(7, np.int32),
        np.zeros([0], np.int32),
        np.array([b"a", b"\xff"], object),
        np.array([1.5, 2.5], np.float32),
        np.array([1.5, 2.5, -np.inf], np.float64),
        np.array([True, False]),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_filled", [False, True])
def test_listed_elements_are_those_of_the_array(array: Any, is_filled: bool) -> None:
    """Without NumPy where they lie in the message, and the same with it."""
    from graphscope.core.values.inline import InlinePayload

    message = TensorProto.FromString(tf.make_tensor_proto(array).SerializeToString())
    if is_filled and message.tensor_content:
        message.ClearField("tensor_content")
        {"i": message.int_val, "l": message.int64_val}.get(array.dtype.char, message.float_val).append(3)
    payload = InlinePayload(message, "n")
    assert payload.listed() == payload.numpy().reshape(-1).tolist()


def test_what_a_string_of_a_fill_counts_as(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphscope.core.values.tensor_proto.MAX_FILLED_BYTES", 12_800)
    assert decode(proto(DataType.STRING, [100]), where="here").tolist() == [b""] * 100
    assert decode(proto(DataType.STRING, [100], string_val=[b"a"]), where="here").tolist() == [b"a"] * 100
    with pytest.raises(UnsupportedError, match=r"101 elements \(12,928 bytes\)"):
        decode(proto(DataType.STRING, [101]), where="here")
