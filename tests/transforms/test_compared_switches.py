"""Training switches that are compared with a constant: the value that is advised takes the branch that does not train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphscope import load
from graphscope.transforms.findings.switches import open_switches
from tests.support.running import run_graph, tf
from tests.transforms.test_data_sources import invoke

v1 = tf.compat.v1


def sides(x: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    return lambda: tf.nn.dropout(x, rate=0.5, seed=3), lambda: x * 2.0


def by_case(x: Any, mode: Any) -> Any:
    drop, keep = sides(x)
    return v1.case([(tf.equal(mode, 0), drop), (tf.equal(mode, 1), keep)], default=keep)


def by_number(x: Any, mode: Any) -> Any:
    drop, keep = sides(x)
    return tf.switch_case(mode, [drop, keep, drop])


def of_words(mode: Any) -> Any:
    return tf.logical_or(tf.equal(mode, "train"), tf.equal(mode, "tune"))


def decided(predicate: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, mode: v1.cond(predicate(mode), *sides(x))


CASES: dict[str, tuple[Any, Callable[[Any, Any], Any], str]] = {
    "is 0": (tf.int32, by_case, "1"),
    "is not 3": (tf.int64, decided(lambda mode: tf.not_equal(mode, tf.constant(3, tf.int64))), "3"),
    "is a word": (tf.string, decided(of_words), "predict"),
    "is false": (tf.bool, decided(lambda mode: tf.equal(mode, False)), "true"),
    "is not zero": (tf.int32, decided(lambda mode: tf.cast(mode, tf.bool)), "0"),
    "is the number of a branch": (tf.int32, by_number, "1"),
}


@pytest.mark.parametrize("is_modern", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_the_advised_value_takes_the_other_branch(name: str, is_modern: bool, tmp_path: Path) -> None:
    dtype, build, expected = CASES[name]
    (v1.enable_control_flow_v2 if is_modern else v1.disable_control_flow_v2)()
    try:
        with tf.Graph().as_default() as graph:
            x = v1.placeholder(tf.float32, [None, 4], "x")
            tf.identity(build(x, v1.placeholder(dtype, [], "mode")), "out")
    finally:
        v1.enable_control_flow_v2()
    path, out = tmp_path / "g.pb", tmp_path / "f.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    assert open_switches(load(path).graph) == {"mode": expected}
    done = invoke("freeze", path, "-o", out, "--output", "out", "--set", f"mode={expected}")
    assert (done.exit_code, "warning" in done.stderr) == (0, False), done.stderr
    [result] = run_graph(out.read_bytes(), ["out:0"], {"x:0": [[1.0, 2.0, 3.0, 4.0]]})
    assert result.tolist() == [[2.0, 4.0, 6.0, 8.0]]


def test_a_default_that_does_not_train_is_no_doubt(tmp_path: Path) -> None:
    """Of several values that would do, it is the one that a default gives already."""
    for given, warned in ((2, False), (0, True)):
        with tf.Graph().as_default() as graph:
            x = v1.placeholder(tf.float32, [None, 4], "x")
            inner = v1.placeholder_with_default(given, [])
            tf.identity(by_case(x, v1.placeholder_with_default(inner, [], "mode")), "out")
        path = tmp_path / f"{given}.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        done = invoke("convert", path, f"{tmp_path}/{given}/", "--output", "out")
        assert ("mode looks like a training switch, and its default is 0" in done.stderr) is warned
