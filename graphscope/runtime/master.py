"""Sessions on the master of a cluster of ``tf.distribute.Server``."""

from __future__ import annotations

import re
import socket
from typing import Any

from graphscope.errors import GraphscopeError
from graphscope.runtime.config import Placing, SessionOptions, session_config
from graphscope.runtime.importing import tensorflow_errors
from graphscope.runtime.tensorflow import tensorflow

CONNECT_S = 5.0
"""How long a master may take to accept a connection."""

OPERATION_S = 60.0
"""How long a master may take for one operation: to hear from all its workers, to run a step."""

_TARGET = re.compile(r"grpc://(?P<host>\[[^\]]+\]|[^:/\[\]]+):(?P<port>\d{1,5})")


def placed_config(options: SessionOptions, placing: Placing) -> Any:
    """A ``tf.compat.v1.ConfigProto`` with the kernels that people have, for this process or for a master. Starts TensorFlow.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: as :func:`configure`.
    """
    config = session_config(options, native=True)
    if placing.master:
        configure(config, placing.master)
    return config


def configure(config: Any, target: str) -> None:
    """Makes ``config`` (a ``tf.compat.v1.ConfigProto``) one for a master: with a time limit, and with variables of its own.

    The variables of a training that runs on the same cluster have the same names: they must not be written to.

    Raises:
        GraphscopeError: nobody answers at ``target``, or some of its workers do not.
    """
    config.operation_timeout_in_ms = int(OPERATION_S * 1000)
    config.isolate_session_state = True
    _connect(target)
    tf = tensorflow()
    with (
        tensorflow_errors(f"{target}: the master does not answer within {OPERATION_S:.0f} s; do all its tasks run?"),
        tf.compat.v1.Session(target, graph=tf.Graph(), config=config) as session,
    ):
        session.list_devices()


def _connect(target: str) -> None:
    match = _TARGET.fullmatch(target)
    if match is None:
        raise GraphscopeError(f"{target!r} is not the address of a master", hint="for example: grpc://localhost:2222")
    try:
        socket.create_connection((match["host"].strip("[]"), int(match["port"])), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise GraphscopeError(f"{target}: no master answers: {getattr(error, 'strerror', None) or error}") from error
