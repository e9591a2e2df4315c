"""Features: what a base computes of each example, once, and never that of another base or other data."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import Model
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, GraphscopeError
from graphscope.formats.media.pictures import Scaling
from graphscope.training.data import Dataset
from graphscope.training.features import compute as features
from graphscope.training.features import store as feature_store
from graphscope.training.features.compute import base_of, cached_features, input_spec, kept_features
from graphscope.training.features.store import FeatureStore, Layout, read_layout, rows_of
from graphscope.training.graft.base import open_base
from graphscope.training.graft.graft import graft as graft_model
from graphscope.training.graft.planning import GraftOptions
from graphscope.training.recipe import recipe_of
from tests.support.data_files import cache, opened, pixels, random, write_pictures
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.listed import opened as opened_graph
from tests.support.running import assert_same_bits, tf

__all__ = ["cache"]

v1 = tf.compat.v1
LENET = FIXTURES / "lenet5"
COUNT, BATCH = 50, 16
CONFIG = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)


class Setting(NamedTuple):
    """A base and data for it."""

    model: Model
    at: tuple[str, ...]
    source: Dataset
    directory: Path

    def compute(self, **options: Any) -> FeatureStore:
        base = open_base(self.model, self.at)
        kept = kept_features(base, self.source, self.directory)
        return cached_features(self.model, base, self.source, kept, **{"batch": BATCH, **options})


@pytest.fixture
def lenet(tmp_path: Path) -> Setting:
    np.savez(tmp_path / "d.npz", x=random(COUNT, 784), y=np.arange(COUNT) % 10)
    model = graphscope.load(LENET)
    at = ("fc1/relu:0", "conv2/relu:0")
    source = opened(tmp_path / "d.npz", input_spec(open_base(model, at)))
    return Setting(model, at, source, tmp_path / "features")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_store, "SHARD_ROWS", 2 * BATCH)


def small(directory: Path, build: Callable[[Any], Any], shape: Any = (None, 6), weight: float = 0.5) -> Model:
    """A frozen graph whose tensor ``out`` is ``build(x @ w)``."""
    directory.mkdir(exist_ok=True)
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, shape, name="x")
        w = np.arange(24, dtype=np.float32).reshape(6, 4)
        w[1, 2] = weight
        tf.identity(build(tf.matmul(x, tf.constant(w, name="w"))), name="out")
    return opened_graph(graph, directory)


def setting(directory: Path, model: Model, count: int = 10, at: tuple[str, ...] = ("out:0",)) -> Setting:
    np.savez(directory / "d.npz", x=random(count, 6), y=np.arange(count) % 2)
    return Setting(model, at, opened(directory / "d.npz", input_spec(open_base(model, at))), directory / "features")


def shards(store: FeatureStore) -> list[str]:
    return sorted(p.name for p in store.directory.iterdir() if p.name != "manifest.json")


def test_features_are_what_tensorflow_computes(lenet: Setting) -> None:
    """To the bit: imported and restored by TensorFlow itself, run in the same batches."""
    [prefix] = {str(p).removesuffix(".index") for p in LENET.glob("*.index")}
    x = np.load(lenet.directory.parent / "d.npz")["x"]
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        batches = [session.run(list(lenet.at), {"input:0": x[i : i + BATCH]}) for i in range(0, COUNT, BATCH)]
    expected = [np.concatenate(parts) for parts in zip(*batches)]
    store = lenet.compute()
    assert (len(store), store.computed) == (COUNT, COUNT)
    assert [(s.name, s.shape) for s in store.specs] == [("fc1/relu:0", (120,)), ("conv2/relu:0", expected[1].shape[1:])]
    for indices in (np.arange(COUNT), np.array([49, 3, 31, 32, 3]), np.array([], np.int64)):
        for found, whole in zip(store.read(indices), expected, strict=True):
            np.testing.assert_array_equal(found, whole[indices])
            assert found.dtype == np.float32


def test_a_second_run_computes_nothing(lenet: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    first = lenet.compute(progress=told.append)
    assert sum(told) == COUNT
    monkeypatch.setattr(features, "open_session", None)
    told.clear()
    again = lenet.compute(batch=7, progress=told.append)
    assert (again.computed, sum(told), again.directory) == (0, COUNT, first.directory)
    np.testing.assert_array_equal(again.read(np.arange(COUNT))[0], first.read(np.arange(COUNT))[0])


# Keys


def test_another_head_reads_the_same_features(lenet: Setting) -> None:
    def store(head: str, at: str = "fc1/relu", **options: Any) -> FeatureStore:
        grafted = graft_model(lenet.model, GraftOptions(at=[at], head=head, task="classes", width=10, **options)).model
        base = base_of(grafted, recipe_of(grafted))
        return cached_features(grafted, base, lenet.source, kept_features(base, lenet.source, lenet.directory))

    first = store("dense:10")
    assert first.computed == COUNT
    assert store("dense:32:relu,dropout:0.5,dense:10").computed == 0
    assert store("dense:10", optimizer="sgd", seed=3, prefix="other").computed == 0
    assert replace_at(lenet, "fc1/relu:0").compute().computed == 0, "the base by itself has the same features"
    assert store("dense:10", at="fc2/relu").computed == COUNT


def replace_at(lenet: Setting, at: str) -> Setting:
    return lenet._replace(at=(at,))


def test_another_weight_has_other_features(tmp_path: Path) -> None:
    one = setting(tmp_path, small(tmp_path / "a", tf.nn.relu))
    two = one._replace(model=small(tmp_path / "b", tf.nn.relu, weight=0.5000001))
    same = one._replace(model=small(tmp_path / "c", tf.nn.relu))
    other = one._replace(model=small(tmp_path / "d", tf.nn.relu6))
    found = [s.compute().computed for s in (one, two, same, other)]
    assert found == [10, 10, 0, 10]


def test_another_weight_in_a_checkpoint_has_other_features(tmp_path: Path) -> None:
    def saved(name: str, value: float) -> Model:
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, (None, 6), name="x")
            variable = v1.get_variable("v", initializer=np.full((6, 4), value, np.float32))
            tf.identity(tf.matmul(x, variable), name="out")
            session.run(variable.initializer)
            v1.train.Saver().save(session, str(tmp_path / name / "model"))
        return graphscope.load(tmp_path / name / "model")

    one = setting(tmp_path, saved("a", 1.0))
    two = one._replace(model=saved("b", 1.5))
    three = one._replace(model=saved("c", 1.0))
    stores = [s.compute() for s in (one, two, three)]
    assert [store.computed for store in stores] == [10, 10, 0]
    x = one.source.read(np.arange(10))
    np.testing.assert_allclose(stores[1].read(np.arange(10))[0], x @ np.full((6, 4), 1.5), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(stores[2].read(np.arange(10))[0], stores[0].read(np.arange(10))[0])


def test_other_preprocessing_and_other_files_have_other_features(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, (None, 8, 8, 3), name="x")
        tf.reduce_mean(x, [1, 2], name="out")
    model = opened_graph(graph, tmp_path)
    base = open_base(model, ["out:0"])
    write_pictures(tmp_path / "d", {"a": 3, "b": 3})

    def computed(**options: Any) -> int:
        source = opened(tmp_path / "d", input_spec(base), **options)
        store = cached_features(model, base, source, kept_features(base, source, tmp_path / "features"))
        expected = source.read(np.arange(len(source))).mean((1, 2))
        np.testing.assert_allclose(store.read(np.arange(len(source)))[0], expected, rtol=1e-5)
        return store.computed

    assert [computed(), computed(), computed(scaling=Scaling(1.0)), computed(scaling=Scaling(None, (9.0,)))] == [
        6,
        0,
        6,
        6,
    ]
    picture = tmp_path / "d" / "b" / "1.png"
    before = picture.stat()
    Image.fromarray(pixels(8, 8, 3, seed=99)).save(picture)
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [computed(), computed(), computed(only_classes=("b",)), computed()] == [6, 0, 3, 0]


# Interrupted and damaged


KILLED = """
import sys
import numpy as np
from pathlib import Path
import graphscope
from graphscope.training.features import store
from graphscope.training.graft.base import open_base
from graphscope.training.data import DataOptions, open_data
from graphscope.training.features.compute import cached_features, input_spec, kept_features
store.SHARD_ROWS = 32
model = graphscope.load(sys.argv[1])
base = open_base(model, sys.argv[4:])
source = open_data(sys.argv[2], input_spec(base), DataOptions())
done = 0
def told(count):
    global done
    done += count
    if done == 48:
        print("in the second shard", flush=True)
        sys.stdin.read()
cached_features(model, base, source, kept_features(base, source, Path(sys.argv[3])), batch=16, progress=told)
"""


def test_a_killed_run_goes_on_from_whole_shards(lenet: Setting) -> None:
    data = lenet.directory.parent / "d.npz"
    np.savez(data, x=random(100, 784), y=np.arange(100) % 10)
    lenet = lenet._replace(source=opened(data, input_spec(open_base(lenet.model, lenet.at))))
    words = [sys.executable, "-c", KILLED, LENET, data, lenet.directory, *lenet.at]
    with subprocess.Popen(
        list(map(str, words)), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "in the second shard\n"
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    [place] = lenet.directory.iterdir()
    left = sorted(p.name for p in place.iterdir())
    assert [name for name in left if not name.startswith(".")] == ["000000000000.rows", "manifest.json"]
    assert len(left) == 3, "what the second shard was to become"
    store = lenet.compute()
    assert (store.computed, store.directory) == (68, place)
    whole = lenet._replace(directory=lenet.directory.parent / "other").compute()
    for found, expected in zip(store.read(np.arange(100)), whole.read(np.arange(100)), strict=True):
        assert_same_bits(found, expected)
    for path in place.glob(".*"):
        os.utime(path, (time.time() - 4000,) * 2)
    (place / "000000000032.rows").unlink()
    assert lenet.compute().computed == 32
    assert not list(place.glob(".*")), "what a killed run left behind is deleted after an hour"


def test_a_damaged_shard_is_told_from_a_whole_one(lenet: Setting) -> None:
    store = lenet.compute()
    expected = store.read(np.arange(COUNT))
    path = store.directory / "000000000032.rows"
    content = bytearray(path.read_bytes())
    content[5 * store.layout.row_bytes + 100] ^= 4
    path.write_bytes(content)
    damaged = lenet.compute()
    assert damaged.computed == 0
    for found, whole in zip(damaged.read(np.arange(37)), expected):
        np.testing.assert_array_equal(found, whole[:37])
    with pytest.raises(
        CorruptFileError, match=r"000000000032\.rows, byte .* features of example 37 is wrong"
    ) as caught:
        damaged.read(np.array([1, 37]))
    assert "delete" in to_words(caught.value.hint)
    path.write_bytes(content[:-1])
    mended = lenet.compute()
    assert mended.computed == 18
    for found, whole in zip(mended.read(np.arange(COUNT)), expected):
        np.testing.assert_array_equal(found, whole)
    mended = lenet.compute()
    path.unlink()
    with pytest.raises(FileError, match="000000000032"):
        mended.read(np.array([33]))


def test_a_damaged_manifest(lenet: Setting) -> None:
    store = lenet.compute()
    for content in ("", "{}", '{"tensors": [{}], "count": 1, "shard_rows": 1}', "[]"):
        (store.directory / "manifest.json").write_text(content)
        with pytest.raises(CorruptFileError, match=r"manifest\.json: not a manifest of features"):
            lenet.compute()


def test_a_disk_that_fills(lenet: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second shard cannot be flushed: the first stays, and the next run goes on."""
    flush, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match="No space left on device") as caught:
        lenet.compute()
    assert "--cache" in to_words(caught.value.hint)
    [place] = lenet.directory.iterdir()
    assert sorted(p.name for p in place.iterdir()) == ["000000000000.rows", "manifest.json"]
    monkeypatch.undo()
    assert lenet.compute().computed == COUNT - 2 * BATCH


def test_a_disk_that_is_too_small_is_seen_beforehand(lenet: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Free(1000))
    with pytest.raises(GraphscopeError, match=r"the features take .* GB, 0\.00 GB are free"):
        lenet.compute()


class _Free(NamedTuple):
    free: int


# What has no features


def test_features_that_depend_on_the_batch_are_refused(tmp_path: Path) -> None:
    for build in (lambda y: y - tf.reduce_mean(y, 0), lambda y: y * v1.random_uniform(tf.shape(y))):
        model = small(tmp_path / "g", build)
        with pytest.raises(GraphscopeError, match="depends on the others in its batch, or on chance") as caught:
            setting(tmp_path, model).compute()
        assert "--set" in to_words(caught.value.hint)


def test_batch_norm_that_nothing_switches_off(tmp_path: Path) -> None:
    """No setting helps: the graph has no switch."""

    def norm(y: Any) -> Any:
        return v1.nn.fused_batch_norm(tf.reshape(y, (-1, 1, 1, 4)), [1.0] * 4, [0.0] * 4, name="norm")[0][:, 0, 0]

    with pytest.raises(GraphscopeError, match="depends on the others in its batch, or on chance") as caught:
        setting(tmp_path, small(tmp_path / "g", norm)).compute()
    assert to_words(caught.value.hint) == (
        "batch norm was built for training (norm): build the graph for inference, or name what comes before it with --at TENSOR"
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (tf.reduce_sum, r"out:0 is float32 \(\) for 10 examples"),
        (lambda y: tf.reshape(y, (-1,)), r"out:0 is float32 \(40\) for 10 examples"),
        (tf.as_string, "one row of numbers per example is needed"),
    ],
)
def test_what_is_no_row_for_each_example(tmp_path: Path, build: Any, message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        setting(tmp_path, small(tmp_path / "g", build)).compute()


def test_a_base_with_a_fixed_number_of_examples(tmp_path: Path) -> None:
    fixed = setting(tmp_path, small(tmp_path / "g", tf.nn.relu, shape=(4, 6)))
    store = fixed.compute()
    free = fixed._replace(model=small(tmp_path / "h", tf.nn.relu)).compute()
    assert len(store) == 10
    np.testing.assert_allclose(store.read(np.arange(10))[0], free.read(np.arange(10))[0], rtol=1e-6)


def test_other_types(tmp_path: Path) -> None:
    for name, dtype in (("h", tf.half), ("b", tf.bfloat16), ("d", tf.float64), ("i", tf.int32)):
        made = setting(tmp_path, small(tmp_path / name, lambda y, t=dtype: tf.cast(y * 4, t)))
        store = made.compute()
        with tf.Graph().as_default():
            [found] = store.read(np.arange(10))
            whole = made.source.read(np.arange(10))
        assert store.specs[0].dtype is DataType.of(dtype.as_datatype_enum)
        assert found.dtype == store.specs[0].dtype.numpy
        w = np.arange(24, dtype=np.float32).reshape(6, 4)
        w[1, 2] = 0.5
        np.testing.assert_allclose(found.astype(np.float64), whole @ w * 4, rtol=1e-2, atol=1.0)


def test_several_inputs(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.add(v1.placeholder(tf.float32, (None, 6), name="a"), v1.placeholder(tf.float32, (6,), name="b"), name="out")
    base = open_base(opened_graph(graph, tmp_path), ["out:0"])
    with pytest.raises(GraphscopeError, match=r"needs 2 inputs, but data has one: a:0 \(\?, 6\), b:0 \(6\)"):
        input_spec(base)


def test_a_base_that_changes_has_no_features(lenet: Setting) -> None:
    options = GraftOptions(at=["fc1/relu"], head="dense:10", task="classes", width=10, stop_gradient=False)
    grafted = graft_model(lenet.model, options).model
    with pytest.raises(GraphscopeError, match="change with each step"):
        base_of(grafted, recipe_of(grafted))


# The store by itself


def test_rows_and_layout() -> None:
    tensors = [random(3, 2, 5), np.arange(3, dtype=">i8")]
    specs = tuple(
        feature_store.FeatureSpec(name, DataType.from_numpy(t.dtype.newbyteorder("=")), t.shape[1:])
        for name, t in zip("ab", tensors)
    )
    layout = Layout.of(specs, 3, 2)
    assert (layout.row_bytes, layout.size_bytes, layout.shard_rows) == (52, 156, 32)
    assert len(rows_of(tensors)) == layout.size_bytes
    assert Layout.from_json(layout.to_json()) == layout
    large = Layout.of((feature_store.FeatureSpec("a", DataType.FLOAT, (1 << 20,)),), 100, 3)
    assert (large.shard_rows, [len(shard) for shard in large.shards()][-2:]) == (6, [6, 4])
    assert read_layout(Path("/nowhere")) is None


def test_names_in_a_manifest(tmp_path: Path) -> None:
    store = setting(tmp_path, small(tmp_path / "g", tf.nn.relu)).compute()
    assert re.fullmatch("[0-9a-f]{64}", store.directory.name)
    assert shards(store) == ["000000000000.rows"]
