"""Features as a function: for whoever reads the examples, such as Ray Data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.errors import GraphscopeError
from graphscope.runtime.config import SessionOptions
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.running import tf
from tests.support.tuning import grafted

__all__ = ["tf"]

LENET = FIXTURES / "lenet5"
ONE_THREAD = SessionOptions(intra_threads=1, inter_threads=1)
RECIPE = ROOT / "docs" / "examples" / "ray_features.py"
PICTURES = np.random.default_rng(0).random((70, 784), np.float32)


def test_it_gives_what_features_stores(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=PICTURES, y=np.zeros(len(PICTURES), np.int64))
    reading = graphscope.DataOptions(cache=tmp_path / "cache")
    stored = graphscope.features(LENET, str(tmp_path / "d.npz"), at=["fc1/relu", "pool2"], reading=reading).arrays()
    with graphscope.feature_function(LENET, at=["fc1/relu", "pool2"]) as compute:
        found = compute(PICTURES)
        assert list(found) == ["fc1/relu:0", "pool2:0"]
        for name, rows in zip(("x0", "x1"), found.values()):
            np.testing.assert_allclose(rows, stored[name], atol=1e-6)
        np.testing.assert_allclose(compute(PICTURES[:1])["pool2:0"], stored["x1"][:1], atol=1e-6)


def test_what_is_no_function_of_one_example(tmp_path: Path) -> None:
    with (
        graphscope.feature_function(FIXTURES / "batchnorm", at="conv1/Relu", set={"is_training": True}) as compute,
        pytest.raises(GraphscopeError, match="depends on the others in its batch"),
    ):
        compute(PICTURES[:8])
    with pytest.raises(GraphscopeError, match="no tensor was named"):
        graphscope.feature_function(LENET)
    head = grafted(tmp_path / "m.ckpt", "flatten,dense:3")
    with graphscope.feature_function(head) as compute:
        assert compute(PICTURES)[compute.at[0]].shape == (70, 5, 5, 16)


@pytest.mark.ray
def test_the_recipe_for_ray_data(tmp_path: Path) -> None:
    """One actor on two CPUs; columns and rows stay together."""
    pytest.importorskip("ray.data", reason="Ray Data is not installed")
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"x": list(PICTURES), "y": np.arange(len(PICTURES))}), tmp_path / "in.parquet")
    words = [sys.executable, str(RECIPE), str(LENET), "fc1/relu", str(tmp_path / "in.parquet"), str(tmp_path / "out")]
    environment = {**os.environ, "RAY_worker_niceness": "0"}  # on a busy machine, nicer workers would hardly start
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(tmp_path / "out").to_pydict()
    assert sorted(rows) == ["features", "y"]
    with graphscope.feature_function(LENET, at="fc1/relu", session=ONE_THREAD) as compute:
        expected = compute(PICTURES)["fc1/relu:0"]
    np.testing.assert_allclose(np.asarray(rows["features"]), expected[rows["y"]], atol=1e-6)
