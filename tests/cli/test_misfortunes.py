"""Whatever file operation fails while a command writes: one error, the old files or the new ones, nothing beside them."""

from __future__ import annotations

import builtins
import errno
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from graphscope.formats.io.journal import recover
from tests.support.engines import need_engine
from tests.support.fixture_files import FIXTURES
from tests.support.misfortunes import check, command, files_limited, needs_limits, snapshot

pytestmark = pytest.mark.slow

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
    "ONNX": ["convert", SOFTMAX, "out/m.onnx", "--output", OUTPUT, "--external-data"],
    "OpenVINO": ["convert", SOFTMAX, "out/m.xml", "--output", OUTPUT],
    "SavedModel": ["convert", SOFTMAX, "out/saved/"],
    "dump": ["dump", SOFTMAX, "out/logs", "--histograms"],
}
ENGINES = {"ONNX": "onnxruntime", "OpenVINO": "openvino"}
"""Which of them need a package."""

SAME_WAY = ("text", "graph", "meta graph", "safetensors", "ONNX", "OpenVINO")
"""Written as ``freeze``, ``npz`` and checkpoints are."""

OPERATIONS = ("open", "rename", "replace", "mkdir", "link", "fsync", "chmod", "scandir")
"""Functions of ``os`` that fail; those that remove are left alone, for nobody could clean up without them."""

FAULTS: dict[str, Callable[[], BaseException]] = {
    "a full disk": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "Ctrl-C": KeyboardInterrupt,
}


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
@pytest.mark.parametrize("writer", [name for name in WRITERS if name not in SAME_WAY])
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


@needs_limits
@pytest.mark.parametrize("limit", [0, 100, 5000])
@pytest.mark.parametrize("writer", WRITERS)
def test_files_may_not_grow(writer: str, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if writer in ENGINES:
        need_engine(ENGINES[writer])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    before = snapshot(tmp_path)
    with files_limited(limit):
        result = command(WRITERS[writer])
    assert result.exit_code == 1, result.output
    check(result, "", f"{writer}, {limit} bytes")
    assert "File too large" in result.output
    assert snapshot(tmp_path) == before
