"""``graphscope board``."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.terminal.interrupts import ended_in_order
from graphscope.cli.terminal.output import Sink
from graphscope.formats.io.paths import is_directory

if TYPE_CHECKING:
    from graphscope.core.model import Model

Target = Annotated[
    str, typer.Argument(metavar="LOGDIR|MODEL", show_default=False, help="A directory of logs, or a model to look at.")
]


def board(
    target: Target,
    *,
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="PORT", min=0, max=65535, help="Listen on this port, or on the next free one; 0: any."
        ),
    ] = 6006,
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="The address to listen on; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve TensorBoard, without starting TensorFlow, until Ctrl-C."""
    from graphscope.board.server import free_port, serve

    sink = Sink.standard()
    with ended_in_order(), _logs(sink, Path(target)) as (logdir, page):
        chosen = free_port(host, port)
        if port not in (0, chosen):
            sink.note(f"port {port} is in use; using {chosen}")
        url = serve(logdir, host, chosen).rstrip("/") + "/" + page
        sink.lines([url])
        sink.flush()
        sink.note("Ctrl-C stops it")
        if open_:
            _open(sink, url)
        threading.Event().wait()


@contextlib.contextmanager
def _logs(sink: Sink, target: Path) -> Iterator[tuple[Path, str]]:
    """The log directory to serve, and the page to open; for a model, a temporary directory."""
    from tempfile import TemporaryDirectory

    from graphscope.api.dump import dump
    from graphscope.cli.terminal.speaker import Speaker
    from graphscope.errors import FileError

    if _is_logdir(target):
        yield target, ""
        return
    model = _model(target)
    with contextlib.ExitStack() as stack:
        try:
            directory = stack.enter_context(TemporaryDirectory(prefix="graphscope-"))
        except OSError as error:
            raise FileError(
                f"cannot create a temporary log directory: {error}", hint="set TMPDIR to a directory"
            ) from error
        dump(model, directory, listener=Speaker(sink))
        yield Path(directory), "#graphs"


def _is_logdir(target: Path) -> bool:
    from graphscope.formats.events.event_file import event_files_below

    return is_directory(target) and bool(event_files_below(target))


def _model(target: Path) -> Model:
    from graphscope.cli.options.loading import load
    from graphscope.errors import FileError

    try:
        return load(target)
    except FileError as error:
        if not is_directory(target):
            raise
        message = f"{target}: no model, and no event file in this directory or below it"
        raise FileError(message, hint=f"graphscope dump MODEL {target}") from error


def _open(sink: Sink, url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        sink.note("no browser found: open the address above")


EXAMPLES = """
  graphscope board logs
  graphscope board model.ckpt-5000 --open
  graphscope board logs --host 0.0.0.0 --port 8080
"""
