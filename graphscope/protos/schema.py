"""The messages of TensorFlow's file formats that ``tensorboard.compat.proto`` lacks, written as in their ``.proto``.

Sources, by TensorFlow's source tree (2.21): ``core/protobuf/saved_model.proto``, ``core/protobuf/tensor_bundle.proto``,
``core/framework/tensor_slice.proto``, ``core/util/saved_tensor_slice.proto``, ``core/protobuf/queue_runner.proto``,
``core/protobuf/control_flow.proto``, ``python/training/checkpoint_state.proto`` and ``core/example/example.proto`` (whose
map and choice are written as the repeated entries and the fields that they are on the wire). Field numbers and types are
compared with TensorFlow's own descriptors in the tests.

They are registered under the package ``graphscope``, so that they never meet TensorFlow's own in one process; with descriptors
whose fields have the numbers of ``google/protobuf/descriptor.proto``.
"""

from __future__ import annotations

import re

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from tensorboard.compat.proto import meta_graph_pb2, tensor_pb2, tensor_shape_pb2, versions_pb2

SCHEMA = """
message SavedModel {
  int64 saved_model_schema_version = 1;
  repeated tensorboard.MetaGraphDef meta_graphs = 2;
}

message BundleHeaderProto {
  int32 num_shards = 1;
  int32 endianness = 2;
  tensorboard.VersionDef version = 3;
}

message BundleEntryProto {
  int32 dtype = 1;
  tensorboard.TensorShapeProto shape = 2;
  int32 shard_id = 3;
  int64 offset = 4;
  int64 size = 5;
  fixed32 crc32c = 6;
  repeated graphscope.TensorSliceProto slices = 7;
}

message TensorSliceProto {
  repeated graphscope.TensorSliceExtent extent = 1;
}

message TensorSliceExtent {
  int64 start = 1;
  optional int64 length = 2;
}

message SavedSliceMeta {
  string name = 1;
  tensorboard.TensorShapeProto shape = 2;
  int32 type = 3;
  repeated graphscope.TensorSliceProto slice = 4;
}

message SavedTensorSliceMeta {
  repeated graphscope.SavedSliceMeta tensor = 1;
  tensorboard.VersionDef versions = 2;
}

message SavedSlice {
  string name = 1;
  graphscope.TensorSliceProto slice = 2;
  tensorboard.TensorProto data = 3;
}

message SavedTensorSlices {
  graphscope.SavedTensorSliceMeta meta = 1;
  graphscope.SavedSlice data = 2;
}

message QueueRunnerDef {
  string queue_name = 1;
  repeated string enqueue_op_name = 2;
  string close_op_name = 3;
  string cancel_op_name = 4;
  repeated int32 queue_closed_exception_types = 5;
}

message ValuesDef {
  repeated string values = 1;
  repeated graphscope.ExternalValuesEntry external_values = 2;
}

message ExternalValuesEntry {
  string key = 1;
  string value = 2;
}

message ControlFlowContextDef {
  graphscope.CondContextDef cond_ctxt = 1;
  graphscope.WhileContextDef while_ctxt = 2;
}

message CondContextDef {
  string context_name = 1;
  string pred_name = 2;
  string pivot_name = 3;
  int32 branch = 4;
  graphscope.ValuesDef values_def = 5;
  repeated graphscope.ControlFlowContextDef nested_contexts = 6;
}

message WhileContextDef {
  string context_name = 1;
  int32 parallel_iterations = 2;
  bool back_prop = 3;
  bool swap_memory = 4;
  string pivot_name = 5;
  string pivot_for_pred_name = 6;
  string pivot_for_body_name = 7;
  repeated string loop_exit_names = 8;
  repeated string loop_enter_names = 10;
  graphscope.ValuesDef values_def = 9;
  string maximum_iterations_name = 11;
  repeated graphscope.ControlFlowContextDef nested_contexts = 12;
}

message CheckpointState {
  string model_checkpoint_path = 1;
  repeated string all_model_checkpoint_paths = 2;
  repeated double all_model_checkpoint_timestamps = 3;
  double last_preserved_timestamp = 4;
}

message Example {
  graphscope.Features features = 1;
}

message Features {
  repeated graphscope.FeatureEntry feature = 1;
}

message FeatureEntry {
  string key = 1;
  graphscope.Feature value = 2;
}

message Feature {
  graphscope.BytesList bytes_list = 1;
  graphscope.FloatList float_list = 2;
  graphscope.Int64List int64_list = 3;
}

message BytesList {
  repeated bytes value = 1;
}

message FloatList {
  repeated float value = 1;
}

message Int64List {
  repeated int64 value = 1;
}
"""

_FILE = "graphscope/formats.proto"
_BLOCK = re.compile(r"message (\w+) \{\n(.*?)\}", re.DOTALL)
_FIELD = re.compile(r"(?:(repeated|optional) )?([\w.]+) (\w+) = (\d+);")
_SCALARS = {
    "double": 1,
    "float": 2,
    "int64": 3,
    "uint64": 4,
    "int32": 5,
    "fixed32": 7,
    "bool": 8,
    "string": 9,
    "bytes": 12,
}
"""Name of a type -> ``FieldDescriptorProto.Type``."""
_MESSAGE = 11
_OPTIONAL, _REPEATED = 1, 3
"""``FieldDescriptorProto.Label``."""

_SEEN = (meta_graph_pb2, tensor_pb2, tensor_shape_pb2, versions_pb2)
"""Where the messages come from that are not declared here."""


def _number(field: int, value: int) -> bytes:
    """A field of a message, with a number."""
    return _varint(field << 3) + _varint(value)


def _content(field: int, content: bytes) -> bytes:
    """A field of a message, with a text or a message."""
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low]) if not high else bytes([low | 0x80]) + _varint(high)


def _field(label: str, type_name: str, name: str, number: str, choice: int) -> bytes:
    """A ``FieldDescriptorProto``."""
    made = _content(1, name.encode()) + _number(3, int(number))
    made += _number(4, _REPEATED if label == "repeated" else _OPTIONAL)
    if type_name in _SCALARS:
        made += _number(5, _SCALARS[type_name])
    else:
        made += _number(5, _MESSAGE) + _content(6, f".{type_name}".encode())
    return made + _number(9, choice) + _number(17, 1) if label == "optional" else made


def _message(title: str, body: str) -> bytes:
    """A ``DescriptorProto``; an optional field is a choice of its own, which proto3 calls ``_name``."""
    made, choices = _content(1, title.encode()), list[bytes]()
    for label, type_name, name, number in _FIELD.findall(body):
        made += _content(2, _field(label, type_name, name, number, len(choices)))
        if label == "optional":
            choices.append(_content(8, _content(1, b"_" + name.encode())))
    return made + b"".join(choices)


def _file_descriptor(schema: str, name: str) -> bytes:
    """A ``FileDescriptorProto``, written by hand: the module of its class takes longer to import than all of this."""
    made = _content(1, name.encode()) + _content(2, b"graphscope")
    made += b"".join(_content(3, module.DESCRIPTOR.name.encode()) for module in _SEEN)
    made += b"".join(_content(4, _message(title, body)) for title, body in _BLOCK.findall(schema))
    return made + _content(12, b"proto3")


def message_classes(schema: str = SCHEMA, file: str = _FILE) -> dict[str, type[Message]]:
    """Name -> class for each message of ``schema``, registered once in protobuf's default pool as ``file``."""
    pool = descriptor_pool.Default()
    added = pool.AddSerializedFile(_file_descriptor(schema, file))
    return {name: message_factory.GetMessageClass(d) for name, d in added.message_types_by_name.items()}
