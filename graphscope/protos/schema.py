"""The messages of TensorFlow's file formats that ``tensorboard.compat.proto`` lacks, written as in their ``.proto``.

Sources, by TensorFlow's source tree (2.21): ``core/protobuf/saved_model.proto``, ``core/protobuf/tensor_bundle.proto``,
``core/framework/tensor_slice.proto``, ``core/util/saved_tensor_slice.proto``, ``core/protobuf/queue_runner.proto``,
``core/protobuf/control_flow.proto``, ``python/training/checkpoint_state.proto`` and ``core/example/example.proto`` (whose
map and choice are written as the repeated entries and the fields that they are on the wire). Field numbers and types are
compared with TensorFlow's own descriptors in the tests.

They are registered under the package ``graphscope``, so that they never meet TensorFlow's own in one process.
"""

from __future__ import annotations

import re

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
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
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "fixed32": _Field.TYPE_FIXED32,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
}


def _field(message: descriptor_pb2.DescriptorProto, label: str, type_name: str, name: str, number: str) -> None:
    field = message.field.add(name=name, number=int(number))
    field.label = _Field.LABEL_REPEATED if label == "repeated" else _Field.LABEL_OPTIONAL
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = "." + type_name
    if label == "optional":
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name="_" + name)


def _file_descriptor(schema: str, name: str) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=name, package="graphscope", syntax="proto3")
    for module in (meta_graph_pb2, tensor_pb2, tensor_shape_pb2, versions_pb2):
        file.dependency.append(module.DESCRIPTOR.name)
    for title, body in _BLOCK.findall(schema):
        message = file.message_type.add(name=title)
        for field in _FIELD.findall(body):
            _field(message, *field)
    return file


def message_classes(schema: str = SCHEMA, file: str = _FILE) -> dict[str, type[Message]]:
    """Name -> class for each message of ``schema``, registered once in protobuf's default pool as ``file``."""
    pool = descriptor_pool.Default()
    added = pool.AddSerializedFile(_file_descriptor(schema, file).SerializeToString())
    return {name: message_factory.GetMessageClass(d) for name, d in added.message_types_by_name.items()}
