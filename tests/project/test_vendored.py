"""What the project knows of TensorFlow by heart, compared with the installed one: ops, messages, data types."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from graphscope import protos
from graphscope.core.ops.table import TABLE, OpCatalog, input_types, output_types, registered_ops
from graphscope.core.values.dtypes import REF, DataType
from graphscope.protos import schema
from graphscope.runtime.op_table import current
from tests.support.protos_stub import stub
from tests.support.saving import tf

from tensorflow.core.protobuf import control_flow_pb2, queue_runner_pb2, saved_model_pb2, tensor_bundle_pb2  # isort: skip
from tensorflow.core.framework import tensor_slice_pb2  # isort: skip
from tensorflow.core.util import saved_tensor_slice_pb2  # isort: skip
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef  # isort: skip
from tensorflow.python.training import checkpoint_state_pb2  # isort: skip

v1 = tf.compat.v1
GraphDef = v1.GraphDef


OF_LITE = ("TFLite_Detection_PostProcess", "UnidirectionalSequenceLstm", "UnidirectionalSequenceRnn")
"""A conversion to TensorFlow Lite registers these in the process."""


def test_the_op_table() -> None:
    """Made by ``python -m graphscope.runtime.op_table``, where nothing has registered ops of its own."""
    installed = protos.OpList.FromString(current())
    added = [op for op in installed.op if op.name in OF_LITE]
    for op in added:
        del installed.op[list(installed.op).index(op)]
    assert installed.SerializeToString(deterministic=True) == TABLE.read_bytes()


def test_ops_by_definition() -> None:
    """For every op of one form: what its definition says of outputs with default attributes."""
    from tensorflow.python.framework import op_def_registry

    catalog = OpCatalog()
    for name, op in registered_ops().items():
        assert catalog.get(name) is op
        theirs = op_def_registry.get(name)
        assert theirs is not None
        if any(a.number_attr or a.type_list_attr or a.type_attr for a in [*op.output_arg, *op.input_arg]):
            continue
        assert [(t.dtype, t.is_ref) for t in output_types(op, {})] == [
            (DataType.of(a.type), a.is_ref) for a in theirs.output_arg
        ]
        assert input_types(op, {}) == [DataType.of(a.type) for a in theirs.input_arg]


def test_the_types_of_messages() -> None:
    """Made by ``python -m tests.support.protos_stub``."""
    written = Path(protos.__file__).with_suffix(".pyi").read_text("utf-8")
    assert written == stub()


THEIRS = {
    "SavedModel": saved_model_pb2.SavedModel,
    "BundleHeaderProto": tensor_bundle_pb2.BundleHeaderProto,
    "BundleEntryProto": tensor_bundle_pb2.BundleEntryProto,
    "TensorSliceProto": tensor_slice_pb2.TensorSliceProto,
    "TensorSliceExtent": tensor_slice_pb2.TensorSliceProto.Extent,
    "SavedSliceMeta": saved_tensor_slice_pb2.SavedSliceMeta,
    "SavedTensorSliceMeta": saved_tensor_slice_pb2.SavedTensorSliceMeta,
    "SavedSlice": saved_tensor_slice_pb2.SavedSlice,
    "SavedTensorSlices": saved_tensor_slice_pb2.SavedTensorSlices,
    "QueueRunnerDef": queue_runner_pb2.QueueRunnerDef,
    "ValuesDef": control_flow_pb2.ValuesDef,
    "ControlFlowContextDef": control_flow_pb2.ControlFlowContextDef,
    "CondContextDef": control_flow_pb2.CondContextDef,
    "WhileContextDef": control_flow_pb2.WhileContextDef,
    "CheckpointState": checkpoint_state_pb2.CheckpointState,
    "Example": tf.train.Example,
    "Features": tf.train.Features,
    "Feature": tf.train.Feature,
    "BytesList": tf.train.BytesList,
    "FloatList": tf.train.FloatList,
    "Int64List": tf.train.Int64List,
}
ENTRIES = {
    "ExternalValuesEntry": control_flow_pb2.ValuesDef.DESCRIPTOR.fields_by_name["external_values"].message_type,
    "FeatureEntry": tf.train.Features.DESCRIPTOR.fields_by_name["feature"].message_type,
}


def fields(descriptor: Descriptor) -> dict[str, tuple[int, int, bool]]:
    """Name -> number, type on the wire (an enum is an int32 there), whether it is repeated."""
    as_number = {FieldDescriptor.TYPE_ENUM: FieldDescriptor.TYPE_INT32}
    return {f.name: (f.number, as_number.get(f.type, f.type), f.is_repeated) for f in descriptor.fields}


def test_the_messages_declared_here() -> None:
    classes = schema.message_classes()
    assert set(classes) == {*THEIRS, *ENTRIES}
    for name, theirs in THEIRS.items():
        assert fields(classes[name].DESCRIPTOR) == fields(theirs.DESCRIPTOR), name
        for field in classes[name].DESCRIPTOR.fields:
            other = theirs.DESCRIPTOR.fields_by_name[field.name]
            if field.message_type is not None and field.message_type.name not in ENTRIES:
                declared = classes.get(field.message_type.name)
                expected = THEIRS.get(field.message_type.name)
                assert other.message_type is not None
                assert (expected.DESCRIPTOR if expected else other.message_type).name == other.message_type.name
                assert declared is None or declared.DESCRIPTOR is field.message_type
            assert other.has_presence == field.has_presence, f"{name}.{field.name}"
    for name, entry in ENTRIES.items():
        assert fields(classes[name].DESCRIPTOR) == fields(entry), name


def test_messages_are_exchanged_as_bytes() -> None:
    meta = saved_tensor_slice_pb2.SavedTensorSlices()
    tensor = meta.meta.tensor.add(name="w", type=1)
    tensor.slice.add().extent.add(start=3, length=0)
    ours = protos.SavedTensorSlices.FromString(meta.SerializeToString())
    assert ours.meta.tensor[0].slice[0].extent[0].HasField("length")
    assert ours.SerializeToString(deterministic=True) == meta.SerializeToString(deterministic=True)


def test_tensorboards_messages_are_tensorflows() -> None:
    """Every field that TensorFlow's messages have, TensorBoard's have, too; newer ones pass as unknown fields."""
    pairs = {
        protos.GraphDef: GraphDef,
        protos.NodeDef: v1.NodeDef,
        protos.AttrValue: v1.AttrValue,
        protos.MetaGraphDef: MetaGraphDef,
        protos.TensorProto: type(tf.make_tensor_proto(1)),
        protos.TensorShapeProto: type(tf.TensorShape([]).as_proto()),
        protos.Event: v1.Event,
        protos.Summary: v1.Summary,
        protos.RunMetadata: v1.RunMetadata,
        protos.StepStats: type(v1.RunMetadata().step_stats),
    }
    for ours, theirs in pairs.items():
        found, expected = fields(ours.DESCRIPTOR), fields(theirs.DESCRIPTOR)
        assert {k: v for k, v in expected.items() if k in found} == found


def test_data_types() -> None:
    theirs = {d.as_datatype_enum: d for d in vars(tf.dtypes).values() if isinstance(d, tf.DType)}
    theirs |= {n: tf.as_dtype(n) for n in range(1, 100) if _is_type(n)}
    assert {int(t) for t in DataType if t} == set(theirs)
    for number, dtype in theirs.items():
        ours = DataType.of(number)
        assert ours.label == dtype.name
        assert ours.is_floating == dtype.is_floating
        assert DataType.of(number + REF) is ours
        if ours.itemsize is None:
            assert dtype in (tf.string, tf.resource, tf.variant)
        else:
            assert ours.itemsize == dtype.size
            assert ours.numpy.itemsize == ours.itemsize
            as_numpy = np.dtype(dtype.as_numpy_dtype)
            if not as_numpy.names:  # quantized types are structures of one field there
                assert ours.numpy == as_numpy
            else:
                assert ours.numpy == as_numpy[0]
    enum = {v.name: v.number for v in pairs_of_data_types()}
    assert {f"DT_{t.name}": int(t) for t in DataType} == {k: n for k, n in enum.items() if not k.endswith("_REF")}


def pairs_of_data_types() -> Any:
    from tensorflow.core.framework import types_pb2

    return types_pb2.DataType.DESCRIPTOR.values


def _is_type(number: int) -> bool:
    try:
        tf.as_dtype(number)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("number", [-1, 34, 99, 100, 134, 10**9])
def test_numbers_that_are_no_types(number: int) -> None:
    assert DataType.of(number) is DataType.INVALID


@pytest.mark.parametrize("dtype", [t for t in DataType if t.itemsize is not None], ids=lambda t: t.label)
def test_types_from_numpy(dtype: DataType) -> None:
    found = DataType.from_numpy(dtype.numpy)
    assert found.numpy == dtype.numpy
    assert found is dtype or dtype.label.startswith("q")


def test_types_that_tensorflow_does_not_have() -> None:
    assert DataType.from_numpy(np.dtype("U5")) is DataType.STRING
    assert DataType.from_numpy(np.dtype(object)) is DataType.STRING
    assert DataType.from_numpy(np.dtype(">f4")) is DataType.FLOAT
    for name in ("M8[s]", "V3", "f16"):
        with pytest.raises(TypeError, match="TensorFlow has no data type for NumPy's"):
            DataType.from_numpy(np.dtype(name))
    with pytest.raises(TypeError, match=re.escape("resource has no NumPy equivalent")):
        _ = DataType.RESOURCE.numpy
