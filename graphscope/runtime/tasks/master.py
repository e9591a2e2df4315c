"""Sessions on the master of a cluster of ``tf.distribute.Server``."""

from __future__ import annotations

import re
import socket
from typing import Any

from graphscope.errors import GraphscopeError
from graphscope.runtime.config import Placing, SessionOptions, session_config
from graphscope.runtime.importing import tensorflow_errors
from graphscope.runtime.tasks.answers import refuse_silent
from graphscope.runtime.tensorflow import tensorflow

CONNECT_S = 5.0
"""The time limit of a master for accepting a connection."""

_TARGET = re.compile(r"grpc://(?P<host>\[[^\]]+\]|[^:/\[\]]+):(?P<port>\d{1,5})")


def placed_config(options: SessionOptions, placing: Placing) -> Any:
    """A ``tf.compat.v1.ConfigProto`` with the kernels that people have, for this process or for a master. Starts TensorFlow.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: as :func:`configure`.
    """
    config = session_config(options, native=True)
    if placing.master:
        configure(config, placing)
    return config


def configure(config: Any, placing: Placing) -> None:
    """Makes ``config`` (a ``tf.compat.v1.ConfigProto``) one for a master: with a time limit, and with variables of its own.

    The variables of a training run that runs on the same cluster have the same names: they must not be written to.

    Raises:
        GraphscopeError: the master or some of its tasks do not answer; if the cluster is known, the error names them.
    """
    target, limit = placing.master, placing.timeout_s
    config.operation_timeout_in_ms = int(limit * 1000)
    config.isolate_session_state = True
    if placing.cluster is None:
        _connect(target)
    else:
        refuse_silent(placing.cluster, limit)
    tf = tensorflow()
    with (
        tensorflow_errors(f"{target}: the master does not answer within {limit:g} s; are all of its tasks running?"),
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
