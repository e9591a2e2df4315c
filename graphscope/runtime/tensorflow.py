"""The only place that imports TensorFlow.

oneDNN's kernels round differently from process to process and from batch to batch, and its rewrites rename nodes. Whether
TensorFlow takes them is decided once, when it is imported: by ``TF_ENABLE_ONEDNN_OPTS``, otherwise by the processor.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphscope.errors import InexactKernelsWarning, MissingDependencyError
from graphscope.runtime.held_output import held_back

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"

INEXACT = (
    "TensorFlow was imported with oneDNN on, before graphscope could turn it off: equal computations may differ in their last"
    f" bits. Set {ONEDNN}=0 before TensorFlow is imported"
)


@functools.cache
def tensorflow(*, native: bool = False) -> Any:
    """Imports ``tensorflow`` without its start-up messages. Takes seconds the first time.

    The first import determines the kernels for the whole process.

    Args:
        native: with oneDNN by TensorFlow's default (``run``, ``profile``). Otherwise oneDNN is off, regardless of the
            environment, so that equal graphs give equal bits (``verify``, folding, training).

    Raises:
        MissingDependencyError: TensorFlow is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        tf = sys.modules.get("tensorflow") or (_import() if native else _imported_without_onednn())
    except ImportError as error:
        raise MissingDependencyError(
            f"this needs TensorFlow, which cannot be imported: {error}", hint="pip install 'tf-graphscope[tensorflow]'"
        ) from error
    tf.get_logger().setLevel("ERROR")
    return tf


def promise_equal_bits() -> None:
    """Starts TensorFlow for work in which equal computations must give equal bits.

    Raises:
        MissingDependencyError: TensorFlow is not installed.

    Warns: InexactKernelsWarning: TensorFlow was imported before, with oneDNN on.
    """
    tensorflow()
    if not is_exact():
        warnings.warn(INEXACT, InexactKernelsWarning, stacklevel=3)


def can_fork() -> bool:
    """Whether this process may be forked with TensorFlow in it: nothing of it runs yet.

    Importing TensorFlow starts no threads, but the first session does, and a child would wait for them for ever. Only Linux
    tells which threads there are.
    """
    return sys.platform == "linux" and not any(name.startswith("tf_") for name in _thread_names())


def _thread_names() -> Iterator[str]:
    for place in Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # it has just ended
            yield place.read_text()


def is_exact() -> bool:
    """Whether TensorFlow, which has started, runs without oneDNN: equal computations give equal bits."""
    from tensorflow.python.util import _pywrap_util_port

    return not _pywrap_util_port.IsMklEnabled()


def _imported_without_onednn() -> Any:
    """The variable is for the import alone: other programs that this one starts keep what the person has set."""
    before = os.environ.get(ONEDNN)
    os.environ[ONEDNN] = "0"
    try:
        return _import()
    finally:
        if before is None:
            del os.environ[ONEDNN]
        else:
            os.environ[ONEDNN] = before


def _import() -> Any:
    with _without_chatter():
        import tensorflow as tf
    return tf


_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|[IW]\d{4} .*\.cc:\d+\]|\d{4}-\d\d-\d\d .*: [IW] .*\.cc:\d+\]"
    rb"|To enable the following instructions:"
)
"""What TensorFlow logs before its log is set up, so that ``TF_CPP_MIN_LOG_LEVEL`` does not silence it."""


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Holds back what is written to the process's stderr meanwhile, and writes then what is no chatter."""
    held = bytearray()
    with contextlib.ExitStack() as stack:
        if not _may_abort():
            with contextlib.suppress(OSError):
                held = stack.enter_context(held_back(2))
        try:
            yield
        finally:
            stack.close()
            for line in held.splitlines(keepends=True):
                if not _CHATTER.match(line):
                    os.write(2, line)


def _may_abort() -> bool:
    """Whether TensorFlow may end the process with a message: it is built for AVX, which older x86 processors lack."""
    try:
        processor = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    flags = re.search(r"^flags\s*:(.*)$", processor, re.MULTILINE)
    return flags is not None and " avx" not in flags[1]
