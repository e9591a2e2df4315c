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
from graphscope.board.guard import Guard, is_any
from graphscope.errors import GraphscopeError

PORT = 6006
"""TensorBoard's default port."""

_PORTS = 100


def free_port(host: str, wanted: int) -> int:
    """``wanted``, or the next free port; any free port for 0.

    Raises:
        GraphscopeError: ``host`` is not this machine, the port may not be used, or the next 100 are all in use.
    """
    for port in range(wanted, min(wanted + _PORTS, 1 << 16)):
        try:
            with socket.create_server((host, port), family=_family(host)) as server:
                return int(server.getsockname()[1])
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise GraphscopeError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
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
        board.launch()
    except program.TensorBoardServerException as error:
        raise GraphscopeError(f"TensorBoard does not start: {error}") from error
    name = address(host)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


def address(host: str) -> str:
    """The host in the page's address; for all addresses of this machine, its name for others."""
    if not is_any(host):
        return host
    family, elsewhere = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))  # nothing is sent: this only asks which way a packet would leave
            return str(probe.getsockname()[0])
    except OSError:
        return "::1" if family == socket.AF_INET6 else "127.0.0.1"


def _last_line(record: logging.LogRecord) -> bool:
    """Reduces the log of a request that failed in TensorBoard to the error, without its traceback."""
    record.msg, record.args = "TensorBoard: " + record.getMessage().rstrip().rpartition("\n")[2], ()
    return True


def _load_fast() -> str:
    """``true`` if TensorBoard's own log reader is installed; its default would print a note of ten lines."""
    from tensorboard.data import server_ingester

    try:
        server_ingester.get_server_binary()
    except server_ingester.NoDataServerError:
        return "false"
    return "true"
