"""The Typer application: its table of commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import errno
import importlib
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from graphscope.cli.command_table import COMMANDS, CommandRow
from graphscope.cli.help_page import VERSION_HELP, main_help
from graphscope.cli.outcome import WRONG_USAGE, finish, report_unwritten
from graphscope.cli.plain import is_path
from graphscope.cli.terminal.output import Sink
from graphscope.errors import ArgumentError, GraphscopeError

T = TypeVar("T")

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Click's root of wrong usage, which Typer does not name."""


class Commands(TyperGroup):
    """The commands of :data:`COMMANDS`, imported when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Click's signature
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Click's signature
        """The command of that name; ``None`` if there is none."""
        row = COMMANDS.get(cmd_name)
        return None if row is None else _command(cmd_name, row)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """``graphscope PATH`` is ``graphscope info PATH``."""
        word = args[0]
        if word in COMMANDS or word.startswith("-"):
            return super().resolve_command(ctx, args)
        if is_path(word):
            return "info", self.get_command(ctx, "info"), args
        import difflib

        closest = difflib.get_close_matches(word, COMMANDS, 1)
        hint = f"; did you mean {closest[0]!r}?" if closest else ""
        return ctx.fail(f"no command or file is named {word!r}{hint}")

    def get_help(self, ctx: Any) -> str:  # noqa: ARG002 - Click's signature
        """The page of :mod:`graphscope.cli.help_page`."""
        return main_help()

    def make_context(self, *args: Any, **options: Any) -> Any:
        """As Click's; wrong usage of the options before the command is reported like all other errors."""
        make = super().make_context
        return _in_our_words(lambda: make(*args, **options))

    def invoke(self, ctx: Any) -> None:
        """Runs the command and flushes its output."""
        run = super().invoke
        code = _in_our_words(lambda: finish(lambda: run(ctx), Sink.standard()))
        if code:
            raise typer.Exit(code)


def _in_our_words(work: Callable[[], T]) -> T:
    """Returns the result of ``work``; what Click refuses or cannot write is reported like all errors and ends the process."""
    try:
        return work()
    except UsageError as error:
        if error.args == (main_help(),):  # Click's way to show it where no command is given
            raise
        Sink.standard().error(_wrong_usage(error))
        raise typer.Exit(WRONG_USAGE) from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise typer.Exit(report_unwritten(error)) from None  # Click writes a page of help, or a script, to stdout alone


def _wrong_usage(error: Any) -> GraphscopeError:
    """The error for wrong usage that Click found; the hint is the help page."""
    said = error.format_message().rstrip(".")
    path = error.ctx.command_path if error.ctx is not None else "graphscope"
    return ArgumentError(said[:1].lower() + said[1:], hint=f"{path} --help")


def _command(name: str, row: CommandRow) -> Any:
    """The command of ``row``, built by Typer from its function."""
    module = importlib.import_module(f"graphscope.cli.commands.{row.module}")
    single = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=_SETTINGS)
    kind = getattr(module, "COMMAND", None)
    single.command(name, cls=kind, short_help=row.help, epilog=_examples(module.EXAMPLES))(
        getattr(module, row.function)
    )
    command = typer.main.get_command(single)
    command.name = name
    return command


def _show_version(wanted: bool) -> None:
    if wanted:
        from graphscope import __version__

        sink = Sink.standard()
        raise typer.Exit(finish(lambda: sink.write(f"graphscope {__version__}\n"), sink))


def _examples(lines: str) -> str:
    """An epilog with line breaks kept: Click does not wrap a paragraph after a backspace."""
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
    """The text of :func:`main_help`."""
