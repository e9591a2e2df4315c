"""The one place that starts TensorFlow."""

from __future__ import annotations

import functools
import os
from typing import Any

from graphscope.errors import MissingDependencyError


@functools.cache
def tensorflow() -> Any:
    """The ``tensorflow`` package, without its start-up chatter. Takes seconds the first time.

    Raises:
        MissingDependencyError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its rewrites change rounding and print a line about it
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingDependencyError(
            f"this needs TensorFlow, which cannot be imported: {error}", hint="pip install 'graphscope[tensorflow]'"
        ) from error
    tf.get_logger().setLevel("ERROR")
    return tf
