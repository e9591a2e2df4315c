"""Names that no file can have, for everything that a command reads or writes: one error that says so, nothing written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graphscope.cli.app import app
from tests.support.fixture_files import FIXTURES

pytestmark = pytest.mark.skipif(os.name == "nt", reason="optional: other limits on this system")

LONG = "a" * 300
NAMES = {"a long name": LONG, "a long path": "/".join(["b" * 200] * 30), "below a file": "FILE/x"}

MODEL = str(FIXTURES / "softmax" / "frozen.pb")
CHECKPOINT = str(FIXTURES / "softmax")
DATA = str(FIXTURES / "digits")
OUTPUT = "inference/prediction"

READING = (
    "info X", "audit X", "diff X MODEL", "diff MODEL X",
    "nodes X", "vars X", "show X n", "freeze X -o OUT.pb", "convert X OUT.pb", "run X", "profile X", "dump X OUT",
    "board X", "graft X -o OUT --at a --head dense:2 --classes 2", "features X --data DATA --at a -o OUT.npz",
    "tune X --data DATA", "profile --from X", "convert CHECKPOINT OUT.ckpt --weights X", "run MODEL --feed input=@X",
    "run MODEL --feed input=@X.npy", "run MODEL --feed input=@X.npz", "run MODEL --feed input=@X/",
    "run MODEL --feed input=0 --fetch inference/prediction --labels X",
    "features MODEL --data X --at inference/prediction -o OUT.npz",
    "features MODEL --data mnist:X --at inference/prediction -o OUT.npz",
    "features MODEL --data X:test --at inference/prediction -o OUT.npz",
    "features MODEL --data X/* --at inference/prediction -o OUT.npz",
    "dump CHECKPOINT OUT --embedding Variable:X",
)  # fmt: skip
WRITING = (
    "freeze MODEL -o X.pb --output OUTPUT", "freeze MODEL -o X.pbtxt --output OUTPUT", "convert MODEL X.pb",
    "convert MODEL X.pbtxt", "convert CHECKPOINT X.npz", "convert CHECKPOINT X.safetensors", "convert CHECKPOINT X.ckpt",
    "convert CHECKPOINT X/", "dump MODEL X", "run MODEL --feed input=0 --save X.npz", "profile MODEL --logdir X",
    "profile MODEL --trace X.json", "graft CHECKPOINT -o X --at OUTPUT --head dense:2 --classes 2",
    "graft CHECKPOINT -o X/ --at OUTPUT --head dense:2 --classes 2",
    "features MODEL --data DATA --at OUTPUT -o X.npz", "features MODEL --data DATA --at OUTPUT -o OUT.npz --cache X",
)  # fmt: skip


def words_of(line: str, name: str, directory: Path) -> list[str]:
    """``line`` with ``X`` for the odd name, and the good ones for the rest."""
    (directory / "FILE").write_bytes(b"")
    known = {"MODEL": MODEL, "CHECKPOINT": CHECKPOINT, "DATA": DATA, "OUTPUT": OUTPUT}
    words = [known.get(word, word.replace("X", name)) for word in line.split()]
    return [str(directory / word.replace("OUT", "out")) if word.startswith("OUT") else word for word in words]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("line", [*READING, *WRITING])
def test_one_error(line: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, words_of(line, NAMES[name], tmp_path))
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code in (1, 2), result.output
    starts = [text for text in result.output.splitlines() if text.startswith(("graphscope: ", "error: ", "Usage: "))]
    assert len(starts) == 1, result.output
    assert [path.name for path in tmp_path.rglob("*")] == ["FILE"]
