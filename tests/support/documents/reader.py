"""Someone who follows a page step by step, in a directory of their own."""

from __future__ import annotations

import contextlib
import io
import os
import re
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
FAILURE = re.compile(rf"^(?:{PROGRAM}|error): ", re.MULTILINE)
"""How a message of failure begins: where a page shows one, the command must fail."""
STOPPED = "^C"
"""Shown where the reader ends a program that would go on for ever."""


class Reader:
    """Does what a page says: ``graphscope`` and Python in this process, anything else in a shell.

    Args:
        directory: where files are read and written; it stands for the root of the repository.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names = vars(ModuleType("__main__"))

    def complaint(self, step: Step) -> str | None:
        """What is wrong with a step: a diff, a wrong exit code or a traceback; ``None`` if nothing is."""
        output, status = self.follow(step)
        should_fail = step.shown is not None and FAILURE.search(step.shown) is not None
        if bool(status) != should_fail:
            return f"exit code {status}:\n{output}"
        return None if step.shown is None else difference(step.shown, output)

    def follow(self, step: Step) -> tuple[str, int]:
        """Output, as a terminal shows it, and exit code."""
        with _inside(self._directory):
            if step.language == "python":
                return self._python(step), 0
            if step.shown is not None and step.shown.rstrip().endswith(STOPPED):
                return _stopped(step.source, len(step.shown.rstrip().splitlines()) - 1)
            if words := _own_words(step.source):
                result = CliRunner().invoke(app, words, prog_name=PROGRAM, catch_exceptions=False)
                return result.output, result.exit_code
            done = subprocess.run(
                ["bash", "-c", step.source], env=_environment(), stdout=-1, stderr=subprocess.STDOUT, text=True
            )
            return done.stdout, done.returncode

    def _python(self, step: Step) -> str:
        output = io.StringIO()
        code = compile("\n" * step.line + step.source, "page", "exec")
        with contextlib.redirect_stdout(output):
            exec(code, self._names)
        return output.getvalue()


def _own_words(command: str) -> list[str]:
    """The arguments of a plain ``graphscope`` command; nothing where a shell has to read it."""
    if SHELL.search(re.sub(r"'[^']*'|\"[^\"]*\"", "", command)):
        return []
    program, *words = shlex.split(command.replace("\\\n", " "))
    return words if program == PROGRAM else []


def _environment() -> dict[str, str]:
    """What a shell needs to find this program and this interpreter."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


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
