"""Serves TensorBoard in this process, without TensorFlow.

TensorBoard imports TensorFlow where it is installed, which takes seconds, unless there is a module ``tensorboard.compat.notf``;
it then works with a stub of its own (``tensorboard/compat/__init__.py``). No page of its own needs more.
"""

from __future__ import annotations

import errno
import logging
import socket
import sys
import types
from pathlib import Path

from graphscope.advice import Advice, Option
from graphscope.board.guard import Guard
from graphscope.errors import GraphscopeError

PORT = 6006
"""Where TensorBoard listens unless told otherwise."""

_PORTS = 100


def free_port(host: str, wanted: int) -> int:
    """``wanted``, or the first port after it that nobody listens on.

    Raises:
        GraphscopeError: ``host`` is not this machine, the port may not be used, or the next 100 are all in use.
    """
    for port in range(wanted, min(wanted + _PORTS, 1 << 16)):
        try:
            socket.create_server((host, port), family=_family(host)).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise GraphscopeError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
        else:
            return port
    raise GraphscopeError(
        f"ports {wanted} to {wanted + _PORTS - 1} of {host} are all in use", hint=Advice(Option("port", "PORT"))
    )


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def serve(logdir: Path, host: str, port: int) -> str:
    """Serves the log directory in a thread that ends with the process; returns the address of the page.

    Raises:
        GraphscopeError: the port is in use.
    """
    sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("tensorboard.compat.notf"))
    from tensorboard import program

    for name in ("tensorboard", "werkzeug"):
        logging.getLogger(name).setLevel(logging.ERROR)
        logging.getLogger(name).addFilter(_last_line)
    board = program.TensorBoard(server_class=lambda app, flags: program.WerkzeugServer(Guard(app, host), flags))
    # Of a run with several event files all are read, not the newest alone.
    board.configure(logdir=str(logdir), host=host, port=port, reload_multifile=True, load_fast=_load_fast())
    try:
        return str(board.launch())
    except program.TensorBoardServerException as error:
        raise GraphscopeError(f"TensorBoard does not start: {error}") from error


def _last_line(record: logging.LogRecord) -> bool:
    """Leaves of a request that failed in TensorBoard the error alone, without the traceback in the message."""
    record.msg, record.args = "TensorBoard: " + record.getMessage().rstrip().rpartition("\n")[2], ()
    return True


def _load_fast() -> str:
    """``true`` where TensorBoard's own reader of logs is installed; its default says so with a note of ten lines."""
    from tensorboard.data import server_ingester

    try:
        server_ingester.get_server_binary()
    except server_ingester.NoDataServerError:
        return "false"
    return "true"
