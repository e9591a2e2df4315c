"""TensorFlow's protocol messages: the vocabulary of the whole project, and the only place that names ``*_pb2`` modules.

They come from ``tensorboard.compat.proto``, which needs neither TensorFlow nor NumPy; the few that it lacks are declared
in :mod:`graphscope.protos.schema`, and ONNX's in :mod:`graphscope.protos.onnx_schema`. Their full names start with
``tensorboard.`` or ``graphscope.``: exchange bytes, never message objects, with TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

from graphscope.protos import in_python

in_python.import_on_use()  # before protobuf is imported

from google.protobuf.message import DecodeError, Message
from tensorboard.compat.proto.attr_value_pb2 import AttrValue, NameAttrList
from tensorboard.compat.proto.function_pb2 import FunctionDef, FunctionDefLibrary
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.meta_graph_pb2 import (
    AssetFileDef,
    CollectionDef,
    MetaGraphDef,
    SignatureDef,
    TensorInfo,
)
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.op_def_pb2 import OpDef, OpList
from tensorboard.compat.proto.saved_object_graph_pb2 import SavedObjectGraph
from tensorboard.compat.proto.saver_pb2 import SaverDef
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.trackable_object_graph_pb2 import TrackableObjectGraph
from tensorboard.compat.proto.variable_pb2 import VariableDef
from tensorboard.compat.proto.versions_pb2 import VersionDef

_DECLARED = frozenset(
    "SavedModel BundleHeaderProto BundleEntryProto TensorSliceProto SavedTensorSliceMeta SavedTensorSlices"
    " QueueRunnerDef CondContextDef WhileContextDef CheckpointState Example Features Feature".split()
)
_OF_ONNX = frozenset(
    "OnnxModel OnnxFunction OnnxGraph OnnxNode OnnxAttribute OnnxTensor OnnxSparseTensor OnnxValueInfo OnnxType"
    " OnnxTensorType OnnxDimension".split()
)
_OF_RUNS = {
    **dict.fromkeys(("Event", "TaggedRunMetadata"), "event_pb2"),
    **dict.fromkeys(("Summary", "SummaryMetadata", "HistogramProto"), "summary_pb2"),
    **dict.fromkeys(("StepStats", "DeviceStepStats", "NodeExecStats"), "step_stats_pb2"),
    "RunMetadata": "config_pb2",
}
"""What runs and their logs are written in -> its module, imported on first use: looking at a model needs none of it."""


def __getattr__(name: str) -> Any:
    """The messages that most commands do not need, on first use: those of runs, and those that graphscope declares."""
    if name in _OF_RUNS:
        module = importlib.import_module(f"tensorboard.compat.proto.{_OF_RUNS[name]}")
        globals()[name] = getattr(module, name)
        return globals()[name]
    if name not in _DECLARED | _OF_ONNX:
        raise AttributeError(name)
    from graphscope.protos import schema

    if name in _OF_ONNX:
        from graphscope.protos.onnx_schema import SCHEMA

        found = schema.message_classes(SCHEMA, "graphscope/onnx.proto")
    else:
        found = schema.message_classes()
    globals().update({k: v for k, v in found.items() if k in _DECLARED | _OF_ONNX})
    return globals()[name]


__all__ = [
    "AssetFileDef",
    "AttrValue",
    "BundleEntryProto",
    "BundleHeaderProto",
    "CheckpointState",
    "CollectionDef",
    "CondContextDef",
    "DecodeError",
    "DeviceStepStats",
    "Event",
    "Example",
    "Feature",
    "Features",
    "FunctionDef",
    "FunctionDefLibrary",
    "GraphDef",
    "HistogramProto",
    "Message",
    "MetaGraphDef",
    "NameAttrList",
    "NodeDef",
    "NodeExecStats",
    "OnnxAttribute",
    "OnnxDimension",
    "OnnxFunction",
    "OnnxGraph",
    "OnnxModel",
    "OnnxNode",
    "OnnxSparseTensor",
    "OnnxTensor",
    "OnnxTensorType",
    "OnnxType",
    "OnnxValueInfo",
    "OpDef",
    "OpList",
    "QueueRunnerDef",
    "RunMetadata",
    "SavedModel",
    "SavedObjectGraph",
    "SavedTensorSliceMeta",
    "SavedTensorSlices",
    "SaverDef",
    "SignatureDef",
    "StepStats",
    "Summary",
    "SummaryMetadata",
    "TaggedRunMetadata",
    "TensorInfo",
    "TensorProto",
    "TensorShapeProto",
    "TensorSliceProto",
    "TrackableObjectGraph",
    "VariableDef",
    "VersionDef",
    "WhileContextDef",
]
