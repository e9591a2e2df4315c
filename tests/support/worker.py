"""Runs tests in a copy of the tree, each time in a fresh child of a process that has imported what is slow to import.

Requests and answers are lines of JSON: ``{"tests": [...], "seconds": N, ...}`` gives ``{"status": N or null}``, null where the
time was up.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

SLOW = (
    "numpy pytest google.protobuf tensorboard.compat.proto.graph_pb2 tensorboard.compat.proto.meta_graph_pb2 ml_dtypes "
    "PIL.Image typer rich.progress tensorflow"
).split()
MEMORY = 24 << 30
"""Bytes of address space for one run: a mutant must not take the machine along."""


def main() -> None:
    """Answer requests until there are no more."""
    for name in SLOW:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        answers.write(json.dumps({"status": _fork(json.loads(line))}) + "\n")
        answers.flush()


def _fork(request: dict[str, Any]) -> int | None:
    child = os.fork()
    if child == 0:
        os.setsid()
        _child(request)
    until = time.monotonic() + request["seconds"]
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _kill(child)
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    _kill(child)
    os.waitpid(child, 0)
    return None


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _child(request: dict[str, Any]) -> None:
    status = 3
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with Path(request["log"]).open("w") as log:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "graphscope")]:
                del sys.modules[name]
            status = _run(request)
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        os._exit(status)


def _run(request: dict[str, Any]) -> int:
    pytest = importlib.import_module("pytest")
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        f"--basetemp={request['scratch']}",
        *request["tests"],
    ]
    sys.dont_write_bytecode = not request["warm"]
    if not request["trace"]:
        return int(pytest.main(["-x", *options]))
    tracer = importlib.import_module("tests.support.tracer").Tracer(Path.cwd())
    status = int(pytest.main(options, plugins=[tracer]))
    Path(request["trace"]).write_text(json.dumps(tracer.passed()))
    return status


if __name__ == "__main__":
    main()
