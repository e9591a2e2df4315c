"""The messages of ONNX files, written as in ``onnx.proto`` (ONNX 1.23), each with ``Onnx`` before its name.

Field numbers and types are compared with the package's own descriptors in the tests. Unused fields are left out and survives in
no message. Documentation is ``bytes`` here, since not every writer keeps it to UTF-8, and enumerations are numbers. A choice is
written as the fields that it is on the wire.
"""

from __future__ import annotations

SCHEMA = """
message OnnxModel {
  int64 ir_version = 1;
  string producer_name = 2;
  string producer_version = 3;
  string domain = 4;
  int64 model_version = 5;
  bytes doc_string = 6;
  graphscope.OnnxGraph graph = 7;
  repeated graphscope.OnnxOperatorSet opset_import = 8;
  repeated graphscope.OnnxEntry metadata_props = 14;
  repeated graphscope.OnnxFunction functions = 25;
}

message OnnxOperatorSet {
  string domain = 1;
  int64 version = 2;
}

message OnnxEntry {
  string key = 1;
  string value = 2;
}

message OnnxFunction {
  string name = 1;
  repeated string input = 4;
  repeated string output = 5;
  repeated graphscope.OnnxNode node = 7;
  bytes doc_string = 8;
  string domain = 10;
  repeated graphscope.OnnxValueInfo value_info = 12;
  string overload = 13;
}

message OnnxGraph {
  repeated graphscope.OnnxNode node = 1;
  string name = 2;
  repeated graphscope.OnnxTensor initializer = 5;
  bytes doc_string = 10;
  repeated graphscope.OnnxValueInfo input = 11;
  repeated graphscope.OnnxValueInfo output = 12;
  repeated graphscope.OnnxValueInfo value_info = 13;
  repeated graphscope.OnnxSparseTensor sparse_initializer = 15;
}

message OnnxNode {
  repeated string input = 1;
  repeated string output = 2;
  string name = 3;
  string op_type = 4;
  repeated graphscope.OnnxAttribute attribute = 5;
  bytes doc_string = 6;
  string domain = 7;
  string overload = 8;
}

message OnnxAttribute {
  string name = 1;
  float f = 2;
  int64 i = 3;
  bytes s = 4;
  graphscope.OnnxTensor t = 5;
  graphscope.OnnxGraph g = 6;
  repeated float floats = 7;
  repeated int64 ints = 8;
  repeated bytes strings = 9;
  repeated graphscope.OnnxTensor tensors = 10;
  repeated graphscope.OnnxGraph graphs = 11;
  bytes doc_string = 13;
  graphscope.OnnxType tp = 14;
  repeated graphscope.OnnxType type_protos = 15;
  int32 type = 20;
  string ref_attr_name = 21;
  graphscope.OnnxSparseTensor sparse_tensor = 22;
  repeated graphscope.OnnxSparseTensor sparse_tensors = 23;
}

message OnnxTensor {
  repeated int64 dims = 1;
  int32 data_type = 2;
  repeated float float_data = 4;
  repeated int32 int32_data = 5;
  repeated bytes string_data = 6;
  repeated int64 int64_data = 7;
  string name = 8;
  bytes raw_data = 9;
  repeated double double_data = 10;
  repeated uint64 uint64_data = 11;
  bytes doc_string = 12;
  repeated graphscope.OnnxEntry external_data = 13;
  int32 data_location = 14;
}

message OnnxSparseTensor {
  graphscope.OnnxTensor values = 1;
  graphscope.OnnxTensor indices = 2;
  repeated int64 dims = 3;
}

message OnnxValueInfo {
  string name = 1;
  graphscope.OnnxType type = 2;
  bytes doc_string = 3;
}

message OnnxType {
  graphscope.OnnxTensorType tensor_type = 1;
  graphscope.OnnxElementType sequence_type = 4;
  graphscope.OnnxMapType map_type = 5;
  graphscope.OnnxTensorType sparse_tensor_type = 8;
  graphscope.OnnxElementType optional_type = 9;
}

message OnnxTensorType {
  int32 elem_type = 1;
  graphscope.OnnxShape shape = 2;
}

message OnnxElementType {
  graphscope.OnnxType elem_type = 1;
}

message OnnxMapType {
  int32 key_type = 1;
  graphscope.OnnxType value_type = 2;
}

message OnnxShape {
  repeated graphscope.OnnxDimension dim = 1;
}

message OnnxDimension {
  optional int64 dim_value = 1;
  optional string dim_param = 2;
}
"""
