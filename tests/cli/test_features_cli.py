"""``graphscope features`` as a person meets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import graphscope
from graphscope.cli.app import app
from graphscope.training.graft.graft import graft as graft_model
from graphscope.training.graft.planning import GraftOptions
from tests.support.data_files import (
    PICTURE,
    VECTOR,
    cache,
    everything,
    keys_of,
    opened,
    pixels,
    random,
    write_pictures,
)
from tests.support.fixture_files import FIXTURES
from tests.support.listed import opened as opened_graph
from tests.support.running import tf

__all__ = ["cache"]

v1 = tf.compat.v1
LENET = FIXTURES / "lenet5"
COUNT = 40


def features(*words: object) -> Result:
    return CliRunner().invoke(app, ["features", *map(str, words)])


def written(*words: object) -> Result:
    done = features(*words)
    assert done.exit_code == 0, done.stderr
    return done


def fails(*words: object, code: int = 1) -> str:
    done = features(*words)
    assert done.exit_code == code, (done.stdout, done.stderr)
    return done.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    np.savez(tmp_path / "d.npz", x=random(COUNT, 784), y=np.arange(COUNT) % 10)
    return tmp_path / "d.npz"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "features.npz"


def arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as archive:
        return dict(archive)


def by_tensorflow(tensor: str, x: Any) -> Any:
    [prefix] = {str(p).removesuffix(".index") for p in LENET.glob("*.index")}
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        return session.run(tensor, {"input:0": x})


def test_what_it_writes(data: Path, out: Path) -> None:
    done = written(LENET, "--at", "fc1/relu", "--data", data, "-o", out, "--batch", COUNT)
    assert done.stdout.splitlines()[:2] == [f"fc1/relu:0  float32 ({COUNT}, 120)", f"{COUNT} examples"]
    assert done.stdout.splitlines()[2].startswith(f"{out}  ")
    found = arrays(out)
    assert sorted(found) == ["keys", "x", "y"]
    np.testing.assert_array_equal(found["x"], by_tensorflow("fc1/relu:0", arrays(data)["x"]))
    np.testing.assert_array_equal(found["y"], np.arange(COUNT) % 10)
    assert [key.decode() for key in found["keys"]] == [str(i) for i in range(COUNT)]
    again = written(LENET, "--at", "fc1/relu", "--data", data, "-o", out, "--force")
    assert f"{COUNT} examples, from the cache" in again.stdout
    assert "the file exists" in fails(LENET, "--at", "fc1/relu", "--data", data, "-o", out)


def test_several_tensors(data: Path, out: Path) -> None:
    written(LENET, "--at", "fc1/relu", "--at", "fc2/relu", "--data", data, "-o", out, "--batch", COUNT)
    found = arrays(out)
    np.testing.assert_array_equal(found["x0"], by_tensorflow("fc1/relu:0", arrays(data)["x"]))
    np.testing.assert_array_equal(found["x1"], by_tensorflow("fc2/relu:0", arrays(data)["x"]))


def test_what_it_writes_is_data(tmp_path: Path, out: Path) -> None:
    """Features of named pictures are read as data again: same names, classes and labels."""
    with tf.Graph().as_default() as graph:
        tf.reshape(v1.placeholder(tf.float32, (None, 8, 8, 3), name="x"), (-1, 192), name="out")
    opened_graph(graph, tmp_path)
    write_pictures(tmp_path / "d", {"tulip": 3, "rose": 2})
    (tmp_path / "d" / "rose" / "bad.png").write_bytes(b"nothing")
    done = written(tmp_path / "graph.pb", "--at", "out", "--data", tmp_path / "d", "-o", out)
    assert "note: 1 unreadable picture skipped: rose/bad.png" in done.stderr
    assert "5 examples, 2 classes" in done.stdout
    pictures = opened(tmp_path / "d", PICTURE)
    source = opened(out, VECTOR.__class__("features:0", VECTOR.dtype, (None, 192)), classes=2)
    assert (source.classes, keys_of(source)) == (("rose", "tulip"), keys_of(pictures))
    np.testing.assert_array_equal(source.labels, pictures.labels)
    np.testing.assert_array_equal(everything(source), everything(pictures).reshape(5, 192))
    assert "bad.png" in fails(
        tmp_path / "graph.pb", "--at", "out", "--data", tmp_path / "d", "-o", out, "--force", "--strict"
    )


def test_a_grafted_model_says_itself_what_its_features_are(data: Path, out: Path, tmp_path: Path) -> None:
    options = GraftOptions(at=["fc1/relu"], head="dense:10", task="classes", width=10)
    graft_model(graphscope.load(LENET), options).save(str(tmp_path / "grafted.ckpt"))
    written(tmp_path / "grafted.ckpt", "--data", data, "-o", out, "--batch", COUNT)
    np.testing.assert_array_equal(arrays(out)["x"], by_tensorflow("fc1/relu:0", arrays(data)["x"]))
    np.savez(data, x=random(COUNT, 784), y=np.arange(COUNT))
    assert "label 10 is outside of 0 to 9" in fails(tmp_path / "grafted.ckpt", "--data", data, "-o", out, "--force")
    written(LENET, "--at", "fc1/relu", "--data", data, "-o", out, "--force")


def test_training_switches(tmp_path: Path, out: Path) -> None:
    """``--set`` fixes one; one that nobody sets is fixed for inference, and named."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, (None, 6), name="x")
        training = v1.placeholder(tf.bool, (), name="is_training")
        tf.identity(tf.where(training, x * 2, x), name="out")
    opened_graph(graph, tmp_path)
    np.savez(tmp_path / "d.npz", x=random(5, 6), y=np.arange(5))
    common = (tmp_path / "graph.pb", "--at", "out", "--data", tmp_path / "d.npz", "-o", out)
    written(*common, "--set", "is_training=true")
    np.testing.assert_array_equal(arrays(out)["x"], random(5, 6) * 2)
    done = written(*common, "--force")
    assert "is_training looks like a training switch and is set to false" in done.stderr
    np.testing.assert_array_equal(arrays(out)["x"], random(5, 6))


def test_options_of_data(tmp_path: Path, out: Path, cache: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.identity(v1.placeholder(tf.float32, (None, None, None, 3), name="x"), name="out")
    opened_graph(graph, tmp_path)
    write_pictures(tmp_path / "d", {"a": 4, "b": 4, "c": 4})
    common = (tmp_path / "graph.pb", "--at", "out", "--data", tmp_path / "d", "-o", out, "--force")
    written(
        *(*common, "--size", "4x6", "--scale", "1/127.5", "--mean", "127.5", "--only-classes", "c,a"),
        *("--limit-per-class", 2, "--seed", 1, "--cache", tmp_path / "own"),
    )
    found = arrays(out)
    assert found["x"].shape == (4, 4, 6, 3)
    assert found["x"].min() < -0.5
    assert sorted(found["y"].tolist()) == [0, 0, 1, 1]
    assert [name.decode() for name in found["classes"]] == ["c", "a"]
    assert (tmp_path / "own" / "features").is_dir()
    assert not cache.exists()
    np.savez(tmp_path / "d.npz", pictures=pixels(3, 4, 4, 3), digit=np.arange(3))
    written(tmp_path / "graph.pb", "--at", "out", "--data", tmp_path / "d.npz", "-o", out, "--force", "--size", "4x4",
            "--schema", "x=pictures,y=digit")  # fmt: skip
    np.testing.assert_allclose(arrays(out)["x"], pixels(3, 4, 4, 3) / 255, rtol=1e-6)


def test_regression_data_keep_their_numbers(data: Path, out: Path) -> None:
    np.savez(data, x=random(COUNT, 784), y=random(COUNT, 3))
    written(LENET, "--at", "fc1/relu", "--data", data, "-o", out)
    np.testing.assert_array_equal(arrays(out)["y"], random(COUNT, 3))


def test_bad_input(data: Path, out: Path, tmp_path: Path) -> None:
    common = ("--data", data, "-o", out)
    assert "no tensor was named" in fails(LENET, *common)
    assert "no node is named 'fc9'" in fails(LENET, "--at", "fc9", *common)
    assert "no such file" in fails(LENET, "--at", "fc1/relu", "--data", tmp_path / "nowhere", "-o", out)
    for option in (("--size", "big"), ("--scale", "x"), ("--mean", "1,x"), ("--limit-per-class", 0), ("--batch", 0)):
        assert option[0] in fails(LENET, "--at", "fc1/relu", *common, *option, code=2)
    assert "is not a schema" in fails(LENET, "--at", "fc1/relu", *common, "--schema", "x")
    assert not out.exists()


def test_a_cache_that_cannot_be_written(data: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    words = ("--at", "fc1/relu", "--data", data, "-o", out, "--cache", tmp_path / "file")
    assert f"{tmp_path}/file/features" in fails(LENET, *words)
