"""Dropout in loops: reported where it makes results random, and not where a switch outside the loop decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import tf
from tests.transforms.test_data_sources import invoke

v1 = tf.compat.v1


def drop(h: Any) -> Any:
    return tf.nn.dropout(h, rate=0.5, seed=3)


def decided(x: Any, is_training: Any) -> Any:
    return v1.while_loop(
        lambda i, _: i < 3, lambda i, h: (i + 1, v1.cond(is_training, lambda: drop(h), lambda: tf.identity(h))), [0, x]
    )[1]


def kept(x: Any, _: Any) -> Any:
    keep = v1.placeholder_with_default(1.0, [], "keep_prob")
    return v1.while_loop(lambda i, _: i < 3, lambda i, h: (i + 1, tf.nn.dropout(h, rate=1 - keep)), [0, x])[1]


def by_turn(x: Any, _: Any) -> Any:
    """It is off in the first turn only: what goes into the loop does not decide."""

    def body(i: Any, off: Any, h: Any) -> Any:
        return i + 1, tf.logical_not(off), v1.cond(off, lambda: tf.identity(h), lambda: drop(h))

    return v1.while_loop(lambda i, *_: i < 3, body, [0, tf.constant(True), x])[2]


CASES: dict[str, tuple[Callable[[Any, Any], Any], list[str], bool]] = {
    "an open switch": (decided, [], False),
    "a fixed switch": (decided, ["--set", "is_training=false"], False),
    "a switch fixed for training": (decided, ["--set", "is_training=true"], True),
    "a rate of zero": (kept, ["--set", "keep_prob=1"], False),
    "another in each turn": (by_turn, [], True),
}


@pytest.mark.parametrize("is_modern", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_only_what_is_random_is_reported(name: str, is_modern: bool, tmp_path: Path) -> None:
    build, words, is_random = CASES[name]
    (v1.enable_control_flow_v2 if is_modern else v1.disable_control_flow_v2)()
    try:
        with tf.Graph().as_default() as graph:
            x = v1.placeholder(tf.float32, [None, 4], "x")
            tf.identity(build(x, v1.placeholder(tf.bool, [], "is_training")), "out")
    finally:
        v1.enable_control_flow_v2()
    path = tmp_path / "g.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    done = invoke("freeze", path, "-o", tmp_path / "f.pb", "--output", "out", *words)
    assert done.exit_code == 0, done.stderr
    assert ("dropout with a constant rate" in done.stderr) is is_random
