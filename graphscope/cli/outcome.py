"""Turns the errors of a command into messages, and its result into an exit code."""

from __future__ import annotations

from collections.abc import Callable

from graphscope.cli.terminal.output import Sink, abandon_stdout
from graphscope.errors import ArgumentError, FileError, GraphscopeError

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
"""The last two are 128 + the signal's number, as shells report them."""


def finish(work: Callable[[], object], sink: Sink) -> int:
    """Does ``work``, flushes its output, and returns the exit code.

    Catches what graphscope raises on purpose; anything else is a bug and shows its traceback.
    """
    try:
        failures = [_attempt(work), _attempt(sink.flush)]
    except BrokenPipeError:
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    failed = [failure for failure in failures if failure is not None]
    for failure in failed:
        sink.error(failure)
    return _exit_code(failed[0]) if failed else 0


def _attempt(work: Callable[[], object]) -> GraphscopeError | None:
    """The intended error that ``work`` raised; ``None`` if it succeeded."""
    try:
        work()
    except GraphscopeError as error:
        return error
    except MemoryError:
        return GraphscopeError("not enough memory")
    return None


def report_unwritten(error: OSError) -> int:
    """Reports that stdout cannot be written, unless its reader has closed it, and returns the exit code."""
    abandon_stdout()
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    Sink.standard().error(FileError.from_os_error(error, "standard output"))
    return FAILED


def _exit_code(failure: GraphscopeError) -> int:
    return WRONG_USAGE if isinstance(failure, ArgumentError) else FAILED
