"""Where nothing can be written, every command says so before the work: here before it looks at its model or its data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import graphscope
from graphscope.api.freeze import freeze
from graphscope.errors import FileError
from tests.support.fixture_files import FIXTURES
from tests.support.misfortunes import command

SOFTMAX = FIXTURES / "softmax"

FILES = (
    "convert MISSING no/x.pb", "convert MISSING no/x.pbtxt", "convert MISSING no/x.meta", "convert MISSING no/x.ckpt",
    "convert MISSING no/x --to checkpoint", "convert MISSING no/x.ckpt --weights MISSING", "convert MISSING no/x.npz",
    "convert MISSING no/x.safetensors", "convert MISSING no/saved/", "convert MISSING no/x.onnx", "convert MISSING no/x.xml",
    "convert MISSING no/x.tflite", "convert MISSING no/web/model.json", "freeze MISSING no/x.pb",
    "freeze MISSING -o no/x.pbtxt", "edit MISSING no/x.ckpt --cleanup", "edit MISSING no/saved/ --cleanup",
    "edit MISSING no/x.pb --cleanup --verify",
    "draw MISSING no/x.svg", "draw MISSING no/x.html", "diff MISSING MISSING --format html -o no/x.html",
    "run MISSING --save no/x.npz", "run MISSING --save no/x.png", "profile MISSING --trace no/x.json",
    "features SOFTMAX no/x.npz --at input --data MISSING", "eval SOFTMAX --data MISSING --confusion no/x.png",
)  # fmt: skip
"""They need a directory that is there."""

MAKERS = (
    "dump SOFTMAX file/logs --embedding missing", "profile MISSING --logdir file/logs",
    "eval SOFTMAX --data MISSING --logdir file/logs", "graft MISSING file/x.ckpt --at input",
    "graft MISSING -o file/x/y.ckpt --at input",
)  # fmt: skip
"""They create their directories."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which holds one file."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(words: str) -> list[str]:
    """The error and the hint of a command that must fail."""
    result = command(list(words.replace("SOFTMAX", str(SOFTMAX)).replace("MISSING", "missing").split()))
    assert result.exit_code == (2 if words.startswith("diff") else 1), result.output
    assert sorted(path.name for path in Path().iterdir()) == ["file"]
    return [line for line in result.output.splitlines() if line.startswith(("error: ", "hint: "))]


@pytest.mark.parametrize("words", FILES)
def test_a_missing_directory(words: str) -> None:
    assert refusal(words) == ["error: no: no such directory", "hint: mkdir -p no"]


@pytest.mark.parametrize("words", MAKERS)
def test_a_file_where_a_directory_would_be_made(words: str) -> None:
    assert refusal(words) == ["error: file: not a directory"]


SAVERS: dict[str, Callable[[str], object]] = {
    "save": lambda name: graphscope.save(graphscope.load(SOFTMAX), name),
    "convert": lambda name: graphscope.convert("missing", name),
    "export": lambda name: graphscope.export_model("missing", f"{name}.onnx"),
    "frozen": lambda name: freeze(SOFTMAX / "frozen.pb", outputs="inference/prediction").save(name, verify=True),
    "edited": lambda name: graphscope.edit(SOFTMAX / "frozen.pb").save(name, verify=True),
    "drawing": lambda name: graphscope.draw(SOFTMAX / "frozen.pb").save(f"{name}.svg"),
}


@pytest.mark.parametrize("how", SAVERS)
def test_python(how: str) -> None:
    with pytest.raises(FileError, match=r"^no/a b: no such directory$") as caught:
        SAVERS[how]("no/a b/x.pb")
    assert str(caught.value.hint) == "mkdir -p 'no/a b'"


def test_a_link_leads_to_a_missing_directory(place: Path) -> None:
    (place / "link.pb").symlink_to(place / "gone" / "x.pb")
    with pytest.raises(FileError, match=f"^{place}/gone: no such directory"):
        graphscope.save(graphscope.load(SOFTMAX), "link.pb")
