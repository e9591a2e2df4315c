"""Whatever file operation fails while a command writes: one error, the old files or the new ones, nothing beside them."""

from __future__ import annotations

import builtins
import errno
import hashlib
import itertools
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from graphscope.cli.app import app
from graphscope.formats.io.journal import recover
from tests.support.fixture_files import FIXTURES

SOFTMAX = FIXTURES / "softmax"
OUTPUT = "inference/prediction"
WRITERS: dict[str, list[object]] = {
    "freeze": ["freeze", SOFTMAX, "-o", "out/f.pb", "--output", OUTPUT],
    "text": ["freeze", SOFTMAX, "-o", "out/f.pbtxt", "--output", OUTPUT],
    "graph": ["convert", SOFTMAX, "out/g.pb"],
    "meta graph": ["convert", SOFTMAX, "out/g.meta"],
    "checkpoint": ["convert", SOFTMAX, "out/c.ckpt"],
    "npz": ["convert", SOFTMAX, "out/w.npz"],
    "safetensors": ["convert", SOFTMAX, "out/w.safetensors"],
    "SavedModel": ["convert", SOFTMAX, "out/saved/"],
    "dump": ["dump", SOFTMAX, "out/logs", "--histograms"],
}
ONE_FILE = ("text", "graph", "meta graph", "safetensors")
"""Written as ``freeze`` and ``npz`` write."""

OPERATIONS = ("open", "rename", "replace", "mkdir", "link", "fsync", "chmod", "scandir")
"""Functions of ``os`` that fail; those that remove are left alone, for nobody could clean up without them."""

FAULTS: dict[str, Callable[[], BaseException]] = {
    "a full disk": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "Ctrl-C": KeyboardInterrupt,
}


def command(words: list[object]) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def snapshot(directory: Path) -> dict[str, str]:
    """Every file and directory below ``directory`` with what it holds; of logs, which tell times, that they are."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[name if "tfevents" not in name else "events"] = content if "tfevents" not in name else "some"
    return found


@contextmanager
def failing(at: int, fault: Callable[[], BaseException], where: Path, patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The operation number ``at`` that touches files below ``where`` fails. Gives the operations."""
    done: list[str] = []

    def wrapped(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "fsync" or touches(name, arguments, where):
                done.append(name)
                if len(done) == at + 1:
                    raise fault()
            return function(*arguments, **options)

        return call

    with patch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)  # which takes long
        for name in OPERATIONS:
            patched.setattr(os, name, wrapped(name, getattr(os, name)))
        patched.setattr(builtins, "open", wrapped("open()", open))
        yield done


def touches(name: str, arguments: tuple[Any, ...], where: Path) -> bool:
    """Whether an operation has to do with ``where``; opening for reading counts as well."""
    paths = arguments[: 2 if name in ("rename", "replace", "link") else 1]
    return any(isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(str(where)) for path in paths)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("is_there", [False, True], ids=["anew", "replaced"])
@pytest.mark.parametrize("writer", [name for name in WRITERS if name not in ONE_FILE])
def test_an_operation_fails(
    writer: str, is_there: bool, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out, kept = tmp_path / "out", tmp_path.parent / f"{tmp_path.name}-kept"
    words = [*WRITERS[writer], *(["--force"] if is_there and writer != "dump" else [])]
    out.mkdir()
    if is_there:
        assert command(WRITERS[writer]).exit_code == 0
    before = snapshot(out)
    shutil.copytree(out, kept)
    assert command(words).exit_code == 0
    new = snapshot(out)
    failures = 0
    for at in itertools.count():
        shutil.rmtree(out)
        shutil.copytree(kept, out)
        with failing(at, FAULTS[fault], tmp_path, monkeypatch) as done:
            result = command(words)
        what = f"{writer}, {fault} at {at}: {done[at : at + 1]}"
        check(result, fault, what)
        recover(out)  # as whatever opens something there does first
        allowed = [new] if result.exit_code == 0 else [before, new]
        assert snapshot(out) in allowed, f"{what}: {sorted(snapshot(out))}"
        failures += result.exit_code != 0
        if len(done) <= at:  # nothing failed any more
            break
    assert failures >= 3


def check(result: Result, fault: str, what: str) -> None:
    assert result.exception is None or isinstance(result.exception, SystemExit), f"{what}: {result.exception!r}"
    if result.exit_code == 0:
        return
    assert result.exit_code == (130 if fault == "Ctrl-C" else 1), what
    starts = [text for text in result.output.splitlines() if text.startswith(("graphscope: ", "error: "))]
    assert len(starts) == (fault != "Ctrl-C"), f"{what}: {result.output}"
    if starts:
        assert "out" in starts[0], f"{what}: {result.output}"


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="optional: no limit on files on this system")
@pytest.mark.parametrize("limit", [0, 100, 5000])
@pytest.mark.parametrize("writer", WRITERS)
def test_files_may_not_grow(writer: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    before = snapshot(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        result = command(WRITERS[writer])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 1, result.output
    check(result, "", f"{writer}, {limit} bytes")
    assert "File too large" in result.output
    assert snapshot(tmp_path) == before
