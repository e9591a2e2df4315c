"""Broken files of every format through the whole command line: an error, or a right answer, never a traceback.

``GRAPHSCOPE_FUZZ_EXAMPLES`` says how many broken files each format gets; the default takes about half a minute in all.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from graphscope.cli.app import app
from tests.support.fixture_files import FIXTURES

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("GRAPHSCOPE_FUZZ_EXAMPLES", "12"))
LOOKS = (["info"], ["nodes", "--tree"], ["nodes", "--format", "json"], ["vars", "--stats"], ["show", "NAME"])
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Truncated, flipped, doubled, or with numbers that are limits, somewhere."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(5)
        if kind == 0:
            del data[at:]
        elif kind == 1 and data:
            data[at] = rng.choice(INTERESTING)
        elif kind == 2 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 3:
            data[at:at] = data[at : at + rng.randint(1, 40)]
        else:
            data[at : at + 8] = rng.choice((b"\xff" * 8, bytes(8), b"9" * 30, b"\x80" * 8, b"\xff\xff\xff\xff\x7f"))
    return bytes(data)


def invoke(*words: object) -> None:
    result = CliRunner().invoke(app, [*map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1, 2), words
    assert "Traceback" not in result.output


def looked_at(path: Path, name: str) -> None:
    for command, *options in LOOKS:
        invoke(command, path, *(name if option == "NAME" else option for option in options))
    out = path.parent / "out"
    for target in ("f.pb", "c.pbtxt", "w.npz", "w.safetensors", "c.ckpt"):
        words = (
            ["freeze", path, "-o", out / target, "--output", name]
            if target == "f.pb"
            else ["convert", path, out / target]
        )
        out.mkdir(exist_ok=True)
        invoke(*words)
    invoke("dump", path, out / "logs", "--force")
    shutil.rmtree(out)


def small_pb(path: Path) -> Path:
    return Path(shutil.copy(FIXTURES / "softmax/frozen.pb", path / "m.pb"))


def text(path: Path) -> Path:
    invoke("convert", FIXTURES / "softmax/frozen.pb", path / "m.pbtxt")
    return path / "m.pbtxt"


def member(suffix: str) -> Callable[[Path], Path]:
    def copy(path: Path) -> Path:
        for file in FIXTURES.joinpath("softmax").glob("model.ckpt-*"):
            shutil.copy(file, path)
        return next(path.glob(f"*{suffix}*"))

    return copy


def state(path: Path) -> Path:
    member(".index")(path)
    return Path(shutil.copy(FIXTURES / "softmax/checkpoint", path))


def event_file(path: Path) -> Path:
    invoke("dump", FIXTURES / "softmax/frozen.pb", path / "logs")
    return next(path.glob("logs/**/events*"))


MODELS = {
    "pb": small_pb,
    "pbtxt": text,
    "meta": member(".meta"),
    "index": member(".index"),
    "data": member(".data"),
    "state": state,
    "events": event_file,
}


@pytest.mark.parametrize("kind", MODELS)
def test_broken_models(kind: str, tmp_path: Path) -> None:
    path = MODELS[kind](tmp_path)
    content = path.read_bytes()
    rng = random.Random(kind)
    for _ in range(EXAMPLES):
        path.write_bytes(mutated(content, rng))
        looked_at(path, "inference/prediction")


def npz(path: Path) -> Path:
    np.savez(path / "d.npz", x=np.zeros([4, 3], np.float32), y=np.arange(4))
    return path / "d.npz"


def npy(path: Path) -> Path:
    np.save(path / "x.npy", np.zeros([2, 784], np.float32))
    return path / "x.npy"


def archive(suffix: str) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        invoke("convert", FIXTURES / "softmax", path / f"w{suffix}")
        return path / f"w{suffix}"

    return write


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_broken_archives_of_weights(suffix: str, tmp_path: Path) -> None:
    path = archive(suffix)(tmp_path)
    content, rng = path.read_bytes(), random.Random(suffix)
    for _ in range(EXAMPLES):
        path.write_bytes(mutated(content, rng))
        invoke("convert", FIXTURES / "softmax", tmp_path / "out.ckpt", "--weights", path, "--force")


def idx(path: Path) -> Path:
    header = b"\0\0\x08\x03" + (4).to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
    (path / "t-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01" + (4).to_bytes(4, "big") + bytes(4)))
    file = path / "t-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(header + bytes(4 * 784)))
    return file


DATA = {"npz": npz, "idx": idx}


@pytest.mark.parametrize("kind", DATA)
def test_broken_data(kind: str, tmp_path: Path) -> None:
    """It is read before TensorFlow starts; a model that takes other shapes is refused there."""
    from graphscope.core.tensors import TensorSpec
    from graphscope.core.values.dtypes import DataType
    from graphscope.errors import GraphscopeError
    from graphscope.training.data import DataOptions, open_data

    path = DATA[kind](tmp_path)
    content, rng = path.read_bytes(), random.Random(kind)
    spec = TensorSpec("x:0", DataType.FLOAT, (None, 3) if kind == "npz" else (None, 784))
    for _ in range(4 * EXAMPLES):
        path.write_bytes(mutated(content, rng))
        try:
            source = open_data(str(path if kind == "npz" else tmp_path), spec, DataOptions(cache=tmp_path / "cache"))
            source.read(np.arange(len(source)))
        except GraphscopeError:
            continue


def test_broken_feeds(tmp_path: Path) -> None:
    """Read before TensorFlow starts, too."""
    from graphscope import load
    from graphscope.errors import GraphscopeError
    from graphscope.feeding.feeds import resolve_tensors

    path = npy(tmp_path)
    content, rng, model = path.read_bytes(), random.Random(1), load(FIXTURES / "softmax")
    for _ in range(4 * EXAMPLES):
        path.write_bytes(mutated(content[:200], rng) + content[200:])
        try:
            resolve_tensors(model, [f"input=@{path}"])
        except GraphscopeError:
            continue


@pytest.mark.parametrize("words", [["convert", "M", "L"], ["convert", "M", "L.npz"], ["dump", "M", "L"], ["board", "L"],
                                   ["info", "L"], ["run", "M", "--feed", "input=@L"], ["freeze", "M", "-o", "L.pb"],
                                   ["run", "M", "--threads", "   "], ["run", "M", "--threads", "4, "]])  # fmt: skip
def test_words_that_nobody_means(words: list[str], tmp_path: Path) -> None:
    """A name that is too long for the file system, blanks for a number."""
    model = str(small_pb(tmp_path))
    invoke(*(model if word == "M" else word.replace("L", "a" * 5000) for word in words))


def test_a_directory_whose_name_is_a_digit_to_unicode_alone(tmp_path: Path) -> None:
    for name in ("\N{SUPERSCRIPT TWO}", "12", "x"):
        (tmp_path / name).mkdir()
        shutil.copy(FIXTURES / "softmax/frozen.pb", tmp_path / name / "saved_model.pb")
    result = CliRunner().invoke(app, ["info", str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path / "12") in result.output.replace("\n", "")
