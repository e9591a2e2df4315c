"""Commands that run a graph, and cannot write what came of it: one error, nothing half-written."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from graphscope.runtime import tensorflow as starting
from tests.support.fixture_files import FIXTURES
from tests.support.misfortunes import check, command, files_limited, needs_limits, snapshot
from tests.support.running import tf

SOFTMAX = FIXTURES / "softmax"
OUTPUT = "inference/prediction"
TUNE: list[object] = ["tune", "head", "--data", "d.npz", "--epochs", "1", "--cache", "out/cache"]
WRITERS: dict[str, list[object]] = {
    "run": ["run", SOFTMAX, "--output", OUTPUT, "--feed", "input=random", "--save", "out/r.npz"],
    "timeline": ["profile", SOFTMAX, "--output", OUTPUT, "--steps", "1", "--warmup", "1", "--trace", "out/t.json"],
    "trace": ["profile", SOFTMAX, "--output", OUTPUT, "--steps", "1", "--warmup", "1", "--logdir", "out/logs"],
    "graft": ["graft", SOFTMAX, "--at", OUTPUT, "--head", "dense:3", "--classes", "3", "-o", "out/new/directory/g"],
    "features": ["features", SOFTMAX, "--at", OUTPUT, "--data", "d.npz", "-o", "out/f.npz", "--cache", "out/cache"],
    "verified": ["freeze", SOFTMAX, "--output", OUTPUT, "--verify", "-o", "out/f.pb"],
    "tune": [*TUNE, "-o", "out/t"],
    "tune with logs": [*TUNE, "-o", "out/t", "--logdir", "out/l"],
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Examples, and a head to train on them."""
    directory = tmp_path_factory.mktemp("place")
    np.savez(directory / "d.npz", x=np.zeros((6, 784), np.float32), y=np.arange(6) % 3)
    words = ["graft", SOFTMAX, "--at", OUTPUT, "--head", "dense:3", "--classes", "3", "-o", directory / "head"]
    assert command(words).exit_code == 0
    return directory


@needs_limits
@pytest.mark.parametrize("writer", WRITERS)
def test_files_may_not_grow(writer: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tf is not None
    monkeypatch.chdir(place)
    out = place / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    before = snapshot(place)
    with files_limited(100):
        result = command(WRITERS[writer])
    assert result.exit_code == 1, result.output
    check(result, "", writer)
    assert "File too large" in result.output
    left = [name for name in snapshot(place) if name not in before and not name.startswith("out/cache")]
    assert not [name for name in left if ".graphscope" in name]
    assert left == [] or writer.startswith("tune"), left


def test_no_place_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """What TensorFlow says while it starts is then not held back."""

    def refused() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with starting._without_chatter():
        pass
