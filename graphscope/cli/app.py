"""The Typer application: its table of commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from graphscope.cli.command_table import COMMANDS, CommandRow
from graphscope.cli.help_page import VERSION_HELP, main_help

if TYPE_CHECKING:
    from graphscope.errors import GraphscopeError

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
"""The last two are 128 + the signal's number, as shells report them."""


UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Click's root of wrong usage, which Typer does not name."""


class Commands(TyperGroup):
    """The commands of :data:`COMMANDS`, imported when they are called.

    Catches what graphscope raises on purpose; anything else is a bug and shows its traceback.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Click's signature
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Click's signature
        """The command called so; ``None`` if there is none."""
        row = COMMANDS.get(cmd_name)
        return None if row is None else _command(cmd_name, row)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """``graphscope PATH`` is ``graphscope info PATH``."""
        word = args[0]
        if word in COMMANDS or word.startswith("-"):
            return super().resolve_command(ctx, args)
        if _is_path(word):
            return "info", self.get_command(ctx, "info"), args
        closest = difflib.get_close_matches(word, COMMANDS, 1)
        hint = f"; did you mean {closest[0]!r}?" if closest else ""
        return ctx.fail(f"no command or file is named {word!r}{hint}")

    def get_help(self, ctx: Any) -> str:  # noqa: ARG002 - Click's signature
        """The page of :mod:`graphscope.cli.help_page`."""
        return main_help()

    def invoke(self, ctx: Any) -> None:
        """Runs the command and writes out what it left buffered."""
        from graphscope.cli.terminal.output import Sink

        run = super().invoke
        sink = Sink.standard()
        try:
            failures = [_attempt(lambda: run(ctx)), _attempt(sink.flush)]
        except BrokenPipeError:
            raise typer.Exit(PIPE_CLOSED) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except UsageError as error:
            sink.error(_wrong_usage(error))
            raise typer.Exit(WRONG_USAGE) from None
        failed = [failure for failure in failures if failure is not None]
        for failure in failed:
            sink.error(failure)
        if failed:
            raise typer.Exit(_exit_code(failed[0]))


def _wrong_usage(error: Any) -> GraphscopeError:
    """What Click says of wrong usage, in the form of all errors; the hint is the page that tells better."""
    from graphscope.errors import ArgumentError

    said = error.format_message().rstrip(".")
    path = error.ctx.command_path if error.ctx is not None else "graphscope"
    return ArgumentError(said[:1].lower() + said[1:], hint=f"{path} --help")


def _is_path(word: str) -> bool:
    """Whether a word that is no command is meant as a model."""
    return os.path.lexists(word) or any(character in word for character in "/\\.")


def _command(name: str, row: CommandRow) -> Any:
    """The command of ``row``, made by Typer from its function."""
    module = importlib.import_module(f"graphscope.cli.commands.{row.module}")
    single = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=_SETTINGS)
    single.command(name, short_help=row.help, epilog=_examples(module.EXAMPLES))(getattr(module, row.function))
    command = typer.main.get_command(single)
    command.name = name
    return command


def _attempt(work: Callable[[], object]) -> GraphscopeError | None:
    """What graphscope has to say of why ``work`` failed; ``None`` where it did not."""
    from graphscope.errors import GraphscopeError

    try:
        work()
    except GraphscopeError as error:
        return error
    except MemoryError:
        return GraphscopeError("not enough memory")
    return None


def _exit_code(failure: GraphscopeError) -> int:
    from graphscope.errors import ArgumentError

    return WRONG_USAGE if isinstance(failure, ArgumentError) else FAILED


def _show_version(wanted: bool) -> None:
    if wanted:
        from graphscope import __version__

        typer.echo(f"graphscope {__version__}")
        raise typer.Exit


def _examples(lines: str) -> str:
    """An epilog that keeps its lines: a paragraph after a backspace is not wrapped."""
    return "\b\nExamples:\n" + lines.strip("\n")


_SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings=_SETTINGS,
)


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help=VERSION_HELP)
    ] = False,
) -> None:
    """What :func:`main_help` tells."""
