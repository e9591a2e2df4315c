"""The Typer application: its commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from graphscope.cli.commands import (
    board,
    convert,
    dump,
    features,
    freeze,
    graft,
    info,
    nodes,
    profile,
    run,
    show,
    tune,
)
from graphscope.cli.commands import (
    vars as variables,
)
from graphscope.cli.terminal.output import Sink
from graphscope.errors import GraphscopeError

FAILED = 1
INTERRUPTED = 130
PIPE_CLOSED = 141
"""The last two are 128 + the signal's number, as shells report them. Wrong usage is 2, by Typer."""


class Commands(TyperGroup):
    """Runs a command and catches what graphscope raises on purpose; anything else is a bug and shows its traceback."""

    def invoke(self, ctx: Any) -> None:
        """Runs the command and writes out what it left buffered."""
        run = super().invoke
        sink = Sink.standard()
        try:
            failures = [_attempt(lambda: run(ctx)), _attempt(sink.flush)]
        except BrokenPipeError:
            raise typer.Exit(PIPE_CLOSED) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        for failure in filter(None, failures):
            sink.error(failure)
        if any(failures):
            raise typer.Exit(FAILED)


def _attempt(work: Callable[[], object]) -> GraphscopeError | None:
    """What graphscope has to say of why ``work`` failed; ``None`` where it did not."""
    try:
        work()
    except GraphscopeError as error:
        return error
    except MemoryError:
        return GraphscopeError("not enough memory")
    return None


def _show_version(wanted: bool) -> None:
    if wanted:
        from graphscope import __version__

        typer.echo(f"graphscope {__version__}")
        raise typer.Exit


def _examples(lines: str) -> str:
    """An epilog that keeps its lines: a paragraph after a backspace is not wrapped."""
    return "\b\nExamples:\n" + lines.strip("\n")


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_examples("""
  graphscope info model.ckpt-5000      what is in it
  graphscope nodes frozen.pb --tree    its nodes by name scope
  graphscope --install-completion      completes commands, options, names
"""),
)


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Looks into TensorFlow's graph files: checkpoints, frozen graphs, meta graphs, SavedModels."""


for _name, _command, _short, _lines in (
    ("info", info.info, "What is in a model, and what to type next.", info.EXAMPLES),
    ("nodes", nodes.nodes, "The nodes or tensors of a graph, filtered, as a list or tree.", nodes.EXAMPLES),
    ("vars", variables.variables, "Variables or constants, with statistics if wanted.", variables.EXAMPLES),
    ("show", show.show, "One node or variable whole.", show.EXAMPLES),
    ("freeze", freeze.freeze, "From a model with variables to a graph of constants.", freeze.EXAMPLES),
    ("convert", convert.convert, "The same model in another format.", convert.EXAMPLES),
    ("graft", graft.graft, "A new head on a trained model.", graft.EXAMPLES),
    ("features", features.features, "What a model computes of each example, kept as data.", features.EXAMPLES),
    ("tune", tune.tune, "Train the head that graft made.", tune.EXAMPLES),
    ("dump", dump.dump, "A model's graph and weights as TensorBoard shows them.", dump.EXAMPLES),
    ("board", board.board, "TensorBoard on logs or on a model.", board.EXAMPLES),
    ("run", run.run, "Run a graph once, and see what comes out.", run.EXAMPLES),
    ("profile", profile.profile, "What a run costs: time, memory, devices, the critical path.", profile.EXAMPLES),
):
    app.command(_name, short_help=_short, epilog=_examples(_lines))(_command)
