"""Someone who follows a page step by step, in a directory of their own."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from typer.testing import CliRunner

from graphscope.cli.app import app
from tests.support.documents.blocks import Step
from tests.support.documents.matching import difference

PROGRAM = "graphscope"
SHELL = re.compile(r"[|<>;&$`*~]")
"""What only a shell understands, outside of quotes."""
FAILURE = re.compile(r"error: |note: .*\b[1-9]\d* differ(?:ences?$| \()")
"""A line that says that the exit code is not 0: an error, or models that differ."""
STOPPED = "^C"
"""Shown where the reader ends a program that would go on for ever."""


class Reader:
    """Does what a page says: ``graphscope`` and Python in this process, anything else in a shell.

    Args:
        directory: where files are read and written; it stands for the root of the repository.

    Attributes:
        html: what a notebook shows of the last expression of the step that was followed last, where it is HTML.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names = vars(ModuleType("__main__"))
        self.html: str | None = None

    def complaint(self, step: Step) -> str | None:
        """What is wrong with a step: a diff or a wrong exit code; ``None`` if nothing is."""
        output, status = self.follow(step)
        should_fail = "--dry-run" not in step.source and any(FAILURE.match(line) for line in step.shown or [])
        if bool(status) != should_fail:
            return f"exit code {status}:\n" + "\n".join(output)
        if step.html is not None and step.html != self.html:
            return f"shown as HTML:\n{self.html}"
        return None if step.shown is None else difference(step.shown, output)

    def follow(self, step: Step) -> tuple[list[str], int]:
        """The lines of the output, as a terminal shows them, and the exit code."""
        with _inside(self._directory):
            output, status = self._do(step)
        return output.rstrip().splitlines(), status

    def _do(self, step: Step) -> tuple[str, int]:
        if step.language == "python":
            return self._python(step), 0
        if step.shown and STOPPED in step.shown:
            return _stopped(step.source, step.shown.index(STOPPED))
        program, *words = plain_words(step.source) or [""]
        if program == PROGRAM:
            result = CliRunner().invoke(app, words, prog_name=PROGRAM, catch_exceptions=False)
            return result.output, result.exit_code
        return _script(words) if program == "python" else _shell(step.source)

    def _python(self, step: Step) -> str:
        output = io.StringIO()
        tree = ast.parse("\n" * step.line + step.source, "page")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(output):
            exec(compile(tree, "page", "exec"), self._names)
            value = eval(compile(ast.Expression(last.value), "page", "eval"), self._names) if last is not None else None  # type: ignore[attr-defined]
        self.html = value._repr_html_() if hasattr(value, "_repr_html_") else None
        return output.getvalue()


def plain_words(command: str) -> list[str]:
    """The words of a plain command; nothing where a shell has to read it."""
    if SHELL.search(re.sub(r"'[^']*'|\"[^\"]*\"", "", command)):
        return []
    return shlex.split(command.replace("\\\n", " "))


def _script(words: list[str]) -> tuple[str, int]:
    """A Python script with its arguments, run in this process."""
    output, arguments = io.StringIO(), sys.argv
    sys.argv = words
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as ended:
        return output.getvalue(), int(ended.code or 0)
    finally:
        sys.argv = arguments
    return output.getvalue(), 0


def _environment() -> dict[str, str]:
    """What a shell needs to find this program and this interpreter."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def _shell(command: str) -> tuple[str, int]:
    done = subprocess.run(
        ["bash", "-c", command], env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout, done.returncode


def _stopped(command: str, lines: int) -> tuple[str, int]:
    """The first lines of a program that goes on until it is interrupted."""
    child = subprocess.Popen(
        shlex.split(command), env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert child.stdout is not None
    output = "".join(child.stdout.readline() for _ in range(lines))
    child.send_signal(signal.SIGINT)
    rest, _ = child.communicate(timeout=60)
    return f"{output}{STOPPED}\n{rest}", child.returncode


@contextlib.contextmanager
def _inside(directory: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(directory)
    sys.path.insert(0, "")
    try:
        yield
    finally:
        sys.path.remove("")
        os.chdir(before)
