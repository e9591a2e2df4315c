"""The `checkpoint` file: the latest checkpoint is found, also where the file names paths of another machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import graphscope
from graphscope.errors import CorruptFileError, FileError
from tests.support.copies import checkpoint, state

STATES: dict[str, Callable[[Path], list[str]]] = {
    "relative": lambda here: ["model.ckpt-6000"],
    "relative with a dot": lambda here: ["./model.ckpt-6000"],
    "absolute": lambda here: [str(here / "model.ckpt-6000")],
    "of another machine": lambda here: ["/home/someone/run 7/model.ckpt-6000", "/home/someone/run 7/model.ckpt-5700"],
    "of Windows": lambda here: ["C:\\Users\\someone\\models\\model.ckpt-6000"],
    "of Windows, mixed": lambda here: ["C:\\Users\\someone/models/model.ckpt-6000"],
    "another directory below": lambda here: ["models/model.ckpt-6000"],
}


@pytest.mark.parametrize("name", STATES)
def test_state_files(tmp_path: Path, name: str) -> None:
    for step in (6000, 5700):
        checkpoint(tmp_path / f"model.ckpt-{step}", step)
    path = state(tmp_path, *STATES[name](tmp_path))
    for spelling in (tmp_path, f"{tmp_path}/", path):
        model = graphscope.load(spelling)
        assert model.path == str(tmp_path / "model.ckpt-6000")
        assert model.notes == ()


def test_the_state_file_wins_over_step_numbers(tmp_path: Path) -> None:
    for step in (6000, 5700):
        checkpoint(tmp_path / f"model.ckpt-{step}", step)
    state(tmp_path, "model.ckpt-5700", "model.ckpt-6000")
    assert graphscope.load(tmp_path).path == str(tmp_path / "model.ckpt-5700")


@pytest.mark.parametrize("directory", ["", "/gone/", "D:\\gone\\"])
def test_a_stale_state_file(tmp_path: Path, directory: str) -> None:
    """The latest that it names is gone: the one before is taken, with a note."""
    checkpoint(tmp_path / "model.ckpt-5700", 5700)
    checkpoint(tmp_path / "model.ckpt-5400", 5400)
    state(tmp_path, *(f"{directory}model.ckpt-{step}" for step in (6000, 5700, 5400)))
    model = graphscope.load(tmp_path)
    assert model.path == str(tmp_path / "model.ckpt-5700")
    [note] = model.notes
    assert note.startswith("using the latest of ")
    assert note.endswith(f"that exists: {tmp_path / 'model.ckpt-5700'}")
    assert note.count("model.ckpt-6000") == 1


def test_a_state_file_that_names_others(tmp_path: Path) -> None:
    checkpoint(tmp_path / "other-5", 5700)
    path = state(tmp_path, "/gone/model.ckpt-6000")
    model = graphscope.load(path)
    assert model.path == str(tmp_path / "other-5")
    assert model.notes == (
        f"{path} names /gone/model.ckpt-6000, which is missing; using the latest in the directory, {tmp_path / 'other-5'}",
    )


@pytest.mark.parametrize("named", [["/gone/model.ckpt-6000"], []])
def test_a_state_file_alone(tmp_path: Path, named: list[str]) -> None:
    state(tmp_path, *named)
    with pytest.raises(FileError, match=f"none of the checkpoints that it names exists: {(named or ['none'])[0]}"):
        graphscope.load(tmp_path)


def test_a_state_file_under_another_name(tmp_path: Path) -> None:
    checkpoint(tmp_path / "model.ckpt-6000")
    state(tmp_path, "model.ckpt-6000").rename(tmp_path / "best_checkpoint")
    assert graphscope.load(tmp_path / "best_checkpoint").path == str(tmp_path / "model.ckpt-6000")


@pytest.mark.parametrize(
    "content", [b'model_checkpoint_path: "a', b"model_checkpoint_path: 7", b"\xff\xfe\0", b"{" * 5000]
)
def test_a_broken_state_file(tmp_path: Path, content: bytes) -> None:
    checkpoint(tmp_path / "model.ckpt-6000")
    (tmp_path / "checkpoint").write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"checkpoint: not a checkpoint state file"):
        graphscope.load(tmp_path)


def test_a_state_file_too_large_to_be_one(tmp_path: Path) -> None:
    with open(tmp_path / "checkpoint", "wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(CorruptFileError, match="too large for a checkpoint state file"):
        graphscope.load(tmp_path)


def test_what_a_newer_tensorflow_may_write_is_ignored(tmp_path: Path) -> None:
    checkpoint(tmp_path / "m")
    path = state(tmp_path, "m")
    times = "all_model_checkpoint_timestamps: 1.5e9\nlast_preserved_timestamp: 1.5e9\n"
    path.write_text(path.read_text() + times + "something_new: { x: 1 }\n")
    assert graphscope.load(tmp_path).path == str(tmp_path / "m")
