"""Data sources that no option could open before: in branches, of sparse tensors, of further outputs, behind a default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope import load
from tests.support.running import run_graph, tf
from tests.transforms.test_data_sources import FLOAT, invoke

v1 = tf.compat.v1


def rows() -> Any:
    return tf.data.Dataset.from_tensor_slices({"a": np.arange(6), "image": np.ones((6, 4), np.float32)}).batch(2)


def iterator(data: Any = None) -> Any:
    return v1.data.make_initializable_iterator(rows() if data is None else data)


def layer(x: Any) -> None:
    tf.matmul(x, v1.get_variable("w", [4, 3]), name="logits")


def in_a_branch() -> None:
    """With control flow of functions, each branch takes its batch by itself."""
    train, test = iterator(), iterator()
    is_training = v1.placeholder(tf.bool, [], "is_training")
    take = [lambda: train.get_next()["image"], lambda: test.get_next()["image"]]
    layer(tf.ensure_shape(v1.cond(is_training, *take, name="batch"), [None, 4]))


def of_sparse_rows() -> None:
    """The iterator gives a variant, and what makes arrays of it can be fed."""
    sparse = iterator(tf.data.Dataset.from_tensor_slices(tf.sparse.from_dense(np.eye(4, dtype=np.float32))).batch(2))
    v1.sparse.sparse_dense_matmul(sparse.get_next(), v1.get_variable("w", [4, 3]), name="product")
    tf.identity(v1.get_default_graph().get_tensor_by_name("product/SparseTensorDenseMatMul:0"), "logits")


def second_output() -> None:
    layer(iterator().get_next()["image"])


def behind_a_default() -> None:
    layer(v1.placeholder_with_default(iterator().get_next()["image"], [None, 4], "x"))


CASES: dict[str, tuple[Callable[[], None], str, dict[str, Any]]] = {
    "branch": (in_a_branch, "batch/Identity", {"batch/Identity:0": np.ones((5, 4), np.float32)}),
    "sparse": (
        of_sparse_rows,
        "DeserializeSparse",
        {
            "DeserializeSparse:0": np.array([[0, 1]]),
            "DeserializeSparse:1": np.ones(1, np.float32),
            "DeserializeSparse:2": np.array([5, 4]),
        },
    ),
    "second": (second_output, "IteratorGetNext", {"IteratorGetNext:1": np.ones((5, 4), np.float32)}),
    "default": (behind_a_default, "x", {"x:0": np.ones((5, 4), np.float32)}),
}


def saved(build: Callable[[], None], path: Path) -> Path:
    v1.enable_control_flow_v2()
    with tf.Graph().as_default(), v1.Session() as session:
        build()
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(path / "m"))
    return path / "m"


@pytest.mark.parametrize("case", CASES)
def test_what_is_refused_names_an_input_that_works(case: str, tmp_path: Path) -> None:
    build, place, feeds = CASES[case]
    path = saved(build, tmp_path)
    for words in (["freeze", path, "-o", tmp_path / "f.pb"], ["convert", path, f"{tmp_path}/sm/"]):
        refused = invoke(*words, "--output", "logits")
        assert refused.exit_code == 1, words
        assert f"hint: --input {place}  " in refused.stderr
        done = invoke(*words, "--output", "logits", "--input", place)
        assert done.exit_code == 0, done.stderr
    frozen = load(tmp_path / "f.pb")
    renamed = {name.replace(":", "_") + ":0": value for name, value in feeds.items()}
    given = renamed if next(iter(renamed)).removesuffix(":0") in frozen.graph else feeds
    [mine] = run_graph((tmp_path / "f.pb").read_bytes(), ["logits:0"], given)
    with tf.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.load(session, ["serve"], f"{tmp_path}/sm/")
        signature = meta.signature_def["serving_default"]
        assert {spec.name for spec in signature.inputs.values()} == set(feeds)
        assert np.array_equal(mine, session.run("logits:0", feeds))


def test_a_variant_is_no_input(tmp_path: Path) -> None:
    path = saved(of_sparse_rows, tmp_path)
    for words in (["freeze", path, "-o", tmp_path / "f.pb"], ["convert", path, f"{tmp_path}/sm/"]):
        refused = invoke(*words, "--output", "logits", "--input", "IteratorGetNext")
        assert refused.exit_code == 1, words
        assert "a variant cannot be fed" in refused.stderr
        assert "hint: --input DeserializeSparse" in refused.stderr
    assert "IteratorGetNext:0" not in invoke("info", path).stdout


def test_what_calls_a_function_is_fed_behind_it(tmp_path: Path) -> None:
    """TensorFlow replaces the branch before it looks at feeds: a signature that takes its output could not be called."""
    path = saved(in_a_branch, tmp_path)
    done = invoke("convert", path, f"{tmp_path}/sm/", "--output", "logits", "--input", "batch")
    assert done.exit_code == 0, done.stderr
    [spec] = load(tmp_path / "sm").signatures["serving_default"].inputs.values()
    assert spec[0].name == "batch/Identity:0"


def test_data_that_only_a_default_takes_is_no_doubt(tmp_path: Path) -> None:
    def build() -> None:
        own = v1.data.make_one_shot_iterator(rows()).get_next()["image"]
        layer(v1.placeholder_with_default(own, [None, 4], "x"))

    done = invoke("freeze", saved(build, tmp_path), "-o", tmp_path / "f.pb", "--output", "logits")
    assert done.exit_code == 0, done.stderr
    assert "warning" not in done.stderr


def test_a_one_shot_iterator_in_a_branch_is_reported(tmp_path: Path) -> None:
    def build() -> None:
        own = v1.data.make_one_shot_iterator(rows())
        fed = v1.placeholder(FLOAT, [None, 4], "x")
        takes = v1.placeholder(tf.bool, [], "takes")
        layer(tf.ensure_shape(v1.cond(takes, lambda: own.get_next()["image"], lambda: fed, name="batch"), [None, 4]))

    done = invoke("freeze", saved(build, tmp_path), "-o", tmp_path / "f.pb", "--output", "logits")
    assert done.exit_code == 0, done.stderr
    assert "returns the data that the graph was built with" in done.stderr
    assert "--input EnsureShape makes an input of it" in done.stderr
