"""The one place that starts TensorFlow."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

from graphscope.errors import MissingDependencyError


@functools.cache
def tensorflow(*, native: bool = False) -> Any:
    """The ``tensorflow`` package, without its start-up chatter. Takes seconds the first time.

    TensorFlow settles on its kernels when it starts: the first call in a process decides, later ones get what is there.
    ``TF_ENABLE_ONEDNN_OPTS`` in the environment has the last word; switched on there, TensorFlow prints a line about it.

    Args:
        native: with oneDNN, as people have TensorFlow (``run``, ``profile``). Without it, rewrites that change the rounding
            stay off, so that equal graphs give equal bits (``verify``, folding).

    Raises:
        MissingDependencyError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not native and "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingDependencyError(
            f"this needs TensorFlow, which cannot be imported: {error}", hint="pip install 'tf-graphscope[tensorflow]'"
        ) from error
    tf.get_logger().setLevel("ERROR")
    return tf
