"""Runs functions in fresh processes that have imported TensorFlow already: forks of one process that does nothing else.

A request is a line of JSON: ``{"function": "module:name", "arguments": [...], "log": path, "answer": path}``; the answer on
stdout is the exit status as a line, what the function returned a JSON file.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.fixture_files import ROOT

SECONDS = 240
"""How long a function may take on a machine that is busy with other things."""


class Outcome(NamedTuple):
    """How a function ended: its exit status, what it and its children printed, what it returned."""

    status: int
    printed: str
    value: Any


class Fresh:
    """A process to fork from."""

    def __init__(self, process: subprocess.Popen[str], place: Path) -> None:
        self._process = process
        self._place = place

    def run(self, function: Callable[..., Any], *arguments: object) -> Outcome:
        """Calls ``function``, found by its name, with arguments that JSON has."""
        log, answer = self._place / "log", self._place / "answer"
        answer.unlink(missing_ok=True)
        words = [str(a) if isinstance(a, Path) else a for a in arguments]
        name = f"{function.__module__}:{function.__name__}"
        request = {"function": name, "arguments": words, "log": str(log), "answer": str(answer)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        value = json.loads(answer.read_text()) if answer.exists() else None
        return Outcome(status, log.read_text(errors="replace"), value)

    def value(self, function: Callable[..., Any], *arguments: object) -> Any:
        """What ``function`` returns, which must end well."""
        outcome = self.run(function, *arguments)
        assert outcome.status == 0, outcome.printed
        return outcome.value


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    words = [sys.executable, "-m", "tests.support.fresh"]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Fresh(process, tmp_path_factory.mktemp("fresh"))
        process.kill()


def main() -> None:
    """Answer requests until there are no more."""
    from graphscope.runtime.tensorflow import tensorflow

    tensorflow()
    for line in sys.stdin:
        print(_fork(json.loads(line)), flush=True)


def _fork(request: dict[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        os.setsid()
        _child(request)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def _child(request: dict[str, Any]) -> None:
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        module, _, name = request["function"].partition(":")
        value = getattr(importlib.import_module(module), name)(*request["arguments"])
        Path(request["answer"]).write_text(json.dumps(value))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
