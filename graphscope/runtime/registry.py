"""What TensorFlow's Python has registered: gradients of ops, and how a ``VariableDef`` becomes a variable."""

from __future__ import annotations

from typing import Any

from graphscope.protos import VariableDef
from graphscope.runtime.tensorflow import tensorflow


def python_variable(message: VariableDef) -> Any:
    """The variable of the default graph that ``message`` describes, as ``import_meta_graph`` makes it.

    Raises:
        KeyError, ValueError: the graph lacks a node that the message names.
    """
    tensorflow()
    from tensorflow.python.framework import ops

    kind = ops.get_collection_proto_type(ops.GraphKeys.GLOBAL_VARIABLES)
    make = ops.get_from_proto_function(ops.GraphKeys.GLOBAL_VARIABLES)
    return make(kind.FromString(message.SerializeToString()))


def has_gradient(operation: Any) -> bool:
    """Whether a gradient is registered for the op of ``operation``, a ``tf.Operation``; not one that says there is none."""
    from tensorflow.python.framework import ops

    try:
        return ops.get_gradient_function(operation) is not None
    except LookupError:
        return False
