"""Writes the table of ops that :mod:`graphscope.core.ops.table` reads: ``python -m graphscope.runtime.op_table``."""

from __future__ import annotations

from pathlib import Path

from graphscope.core.ops.table import TABLE
from graphscope.protos import OpList


def current() -> bytes:
    """TensorFlow's ``OpList``, sorted by name and without documentation strings, serialized deterministically."""
    import tensorflow  # noqa: F401 - registers the ops of its Python side
    from tensorflow.python.client import pywrap_tf_session

    listed = OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    result = OpList()
    for op in sorted(listed.op, key=lambda op: op.name):
        op.ClearField("summary")
        op.ClearField("description")
        for part in [*op.input_arg, *op.output_arg, *op.attr]:
            part.ClearField("description")
        result.op.append(op)
    return result.SerializeToString(deterministic=True)


if __name__ == "__main__":
    Path(TABLE).write_bytes(current())
