"""Likely outputs of graphs whose losses hide them: fed scales before the loss, forms of a result, networks that share ops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphscope
from graphscope.analysis.ends.outputs import rank_outputs
from tests.support.running import tf
from tests.support.truth_graphs import train, weights

v1 = tf.compat.v1


def fed(name: str, *shape: int | None, dtype: Any = tf.float32) -> Any:
    return v1.placeholder(dtype, shape, name)


def row(size: int = 4) -> Any:
    return fed("x", None, size)


def scaled_before_the_loss() -> None:
    """What is compared is in units of its own: deviation and mean are fed with the examples."""
    result = tf.add(tf.matmul(row(), weights((4, 1))) * fed("deviation"), fed("mean"), name="true")
    train(v1.losses.huber_loss(fed("y", None, 1), result))


def masked_before_the_loss() -> None:
    steps = tf.nn.softmax(tf.einsum("btd,dk->btk", fed("x", None, 5, 4), weights((4, 3))))
    result = tf.multiply(steps, fed("valid", None, 5)[:, :, None], name="true")
    train(tf.reduce_mean((result - fed("y", None, 5, 3)) ** 2))


def adversarial_over_common_ops() -> None:
    """The second network begins with ops without weights, which are not the end of the first."""
    made = tf.tanh(tf.reshape(tf.matmul(fed("noise", None, 3), weights((3, 16))), [-1, 4, 4, 1]), name="true")
    kernel = weights((16, 1))

    def judge(pictures: Any) -> Any:
        return tf.matmul(tf.nn.leaky_relu(tf.reshape(pictures, [-1, 16])), kernel)

    train(tf.reduce_mean(judge(made)) - tf.reduce_mean(judge(fed("real", None, 4, 4, 1))))


def two_forms() -> None:
    """``y * d ** 2 + (1 - y) * max(0, 1 - d) ** 2`` takes the distance in two forms."""
    kernel = weights((4, 3))
    left, right = (tf.nn.relu(tf.matmul(fed(name, None, 4), kernel)) for name in ("left", "right"))
    distance = tf.sqrt(tf.reduce_sum((left - right) ** 2, 1) + 1e-6, name="true")
    same = fed("same", None)
    train(tf.reduce_mean(same * distance**2 + (1 - same) * tf.maximum(0.0, 1 - distance) ** 2))


def similarities() -> None:
    """Each example is told from the others of its batch: there are no labels at all."""
    hidden = tf.nn.l2_normalize(tf.matmul(row(), weights((4, 3))), 1, name="true")
    logits = tf.matmul(hidden, hidden, transpose_b=True) / 0.1
    numbers = tf.range(tf.shape(hidden)[0])
    train(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=numbers, logits=logits)))


def triplets() -> None:
    """The end of a network is what it gives after normalizing, whatever its last layer is."""
    kernel = weights((4, 3))
    anchor, other, third = (tf.matmul(fed(name, None, 4), kernel) for name in ("anchor", "other", "third"))
    first = tf.identity(tf.nn.l2_normalize(anchor, 1), name="true")
    near, far = (tf.reduce_sum((first - tf.nn.l2_normalize(v, 1)) ** 2, 1) for v in (other, third))
    train(tf.reduce_mean(tf.maximum(0.0, near - far + 0.2)))


def gated() -> None:
    """A gate is a probability, and only a part of what is compared."""
    x = row()
    gate = tf.nn.softmax(tf.matmul(x, weights((4, 2))))
    experts = tf.stack([tf.matmul(x, weights((4, 3))) for _ in range(2)], 1)
    mixed = tf.reduce_sum(gate[:, :, None] * experts, 1, name="true")
    train(tf.reduce_mean((mixed - fed("y", None, 3)) ** 2))


def ranked_pairs() -> None:
    """A loss over pairs has no labels; the author named the score. Adam writes rows of embeddings by ``Scatter`` ops alone."""
    user, good, bad = (fed(name, None, dtype=tf.int32) for name in ("user", "good", "bad"))
    users, items = weights((30, 4)), weights((40, 4))
    mine = tf.nn.embedding_lookup(users, user)
    score = tf.reduce_sum(mine * tf.nn.embedding_lookup(items, good), 1, name="true/score")
    other = tf.reduce_sum(mine * tf.nn.embedding_lookup(items, bad), 1)
    train(-tf.reduce_mean(tf.math.log_sigmoid(score - other)))


def printed() -> None:
    """``Print`` passes on what it shows: what follows is the model still."""
    hidden = tf.matmul(row(), weights((4, 3)))
    shown = v1.Print(hidden, [hidden])
    tf.identity(tf.nn.softmax(tf.matmul(shown, weights((3, 2)))), name="true")
    v1.summary.histogram("hidden", hidden)
    v1.summary.merge_all()


def printed_last() -> None:
    result = tf.tanh(tf.matmul(row(), weights((4, 3))), name="true")
    v1.Print(result, [result])


def noise_contrastive(loss: Callable[..., Any] = tf.nn.nce_loss, has_all_classes: bool = False) -> None:
    """A loss over a few drawn classes: the model ends with what it multiplies with their weights, or with all classes."""
    name = "hidden" if has_all_classes else "true"
    hidden = tf.reduce_mean(tf.tanh(tf.einsum("btd,dk->btk", fed("x", None, 5, 4), weights((4, 8)))), 1, name=name)
    kernel, bias = weights((50, 8)), weights((50,))
    if has_all_classes:
        tf.add(tf.matmul(hidden, kernel, transpose_b=True), bias, name="true")
    train(tf.reduce_mean(loss(kernel, bias, fed("y", None, 1, dtype=tf.int64), hidden, 5, 50)))


def normalizing_flow() -> None:
    """The likelihood of what becomes of an example, and of the steps on the way, is all that the loss takes."""
    x, scales = fed("x", None, 4), 0.0
    for name in ("first", "true"):
        kept, changed = tf.split(x, 2, 1)
        hidden = tf.tanh(tf.matmul(kept, weights((2, 8))))
        scale = tf.tanh(tf.matmul(hidden, weights((8, 2))))
        x = tf.concat([changed * tf.exp(scale) + tf.matmul(hidden, weights((8, 2))), kept], 1, name=name)
        scales += tf.reduce_sum(scale, 1)
    train(-tf.reduce_mean(scales - 0.5 * tf.reduce_sum(x**2 + 1.8, 1)))


def survival() -> None:
    """Cox's partial likelihood: the risk of each beside that of all who were alive then, the examples sorted by time."""
    risk = tf.matmul(tf.nn.relu(tf.matmul(row(), weights((4, 8)))), weights((8, 1)), name="true")
    alive = risk - tf.math.log(tf.cumsum(tf.exp(risk)))
    train(-tf.reduce_sum(alive * fed("event", None, 1)))


def boltzmann_machine() -> None:
    """All that it computes is written to its variables."""
    x, kernel, bias = fed("x", None, 6), v1.get_variable("w", [6, 4]), v1.get_variable("b", [6])
    hidden = tf.sigmoid(tf.matmul(x, kernel))
    drawn = tf.nn.relu(tf.sign(hidden - tf.random.uniform(tf.shape(hidden))))
    again = tf.sigmoid(tf.matmul(drawn, kernel, transpose_b=True) + bias, name="true")
    other = tf.sigmoid(tf.matmul(again, kernel))
    kernel.assign_add(0.1 * (tf.matmul(x, drawn, transpose_a=True) - tf.matmul(again, other, transpose_a=True)))
    bias.assign_add(0.1 * tf.reduce_mean(x - again, 0))


CASES: dict[str, tuple[Callable[[], None], str]] = {
    "scaled": (scaled_before_the_loss, "true:0"),
    "masked": (masked_before_the_loss, "true:0"),
    "adversarial": (adversarial_over_common_ops, "true:0"),
    "forms": (two_forms, "true:0"),
    "similarities": (similarities, "true:0"),
    "triplets": (triplets, "true:0"),
    "gated": (gated, "true:0"),
    "printed": (printed, "true:0"),
    "printed last": (printed_last, "true:0"),
    "pairs": (ranked_pairs, "true/score:0"),
    "drawn classes": (noise_contrastive, "true:0"),
    "sampled softmax": (lambda: noise_contrastive(tf.nn.sampled_softmax_loss), "true:0"),
    "all classes": (lambda: noise_contrastive(has_all_classes=True), "true:0"),
    "flow": (normalizing_flow, "true:0"),
    "survival": (survival, "true:0"),
    "boltzmann machine": (boltzmann_machine, "true:0"),
}


def ranked(build: Callable[[], None], path: Path) -> list[str]:
    with tf.Graph().as_default(), v1.Session() as session:
        build()
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(path / "m"))
    return [candidate.tensor for candidate in rank_outputs(graphscope.load(path / "m"))]


@pytest.mark.parametrize("name", CASES)
def test_the_true_output_is_first(name: str, tmp_path: Path) -> None:
    build, expected = CASES[name]
    assert ranked(build, tmp_path)[0] == expected


def test_the_gradient_of_a_loop_is_an_output(tmp_path: Path) -> None:
    """It takes from stacks what each turn put there, and leaves the loop as no other result does."""

    def force_field(is_negated: bool) -> None:
        v1.disable_control_flow_v2()
        try:
            x, kernel = row(), v1.get_variable("w", [4, 4])
            turned = v1.while_loop(
                lambda i, _: i < 3, lambda i, v: (i + 1, tf.tanh(tf.matmul(v, kernel))), [0, x], name="turns"
            )
            [gradient] = tf.gradients(tf.reduce_sum(turned[1], name="energy"), [x])
            if is_negated:
                tf.negative(gradient, name="force")
        finally:
            v1.enable_control_flow_v2()

    assert ranked(lambda: force_field(True), tmp_path) == ["energy:0", "force:0"]
    assert ranked(lambda: force_field(False), tmp_path)[:2] == ["energy:0", "gradients/turns/Enter_1_grad/Exit:0"]


def test_nothing_of_a_saver_is_an_output(tmp_path: Path) -> None:
    """All that this graph does is to write what it computes; reads of what was written are no result either."""

    def learning_by_itself() -> None:
        kernel = v1.get_variable("w", [4, 3], use_resource=True)
        x = row()
        hidden = tf.sigmoid(tf.matmul(x, kernel))
        v1.assign_add(kernel, 0.1 * tf.matmul(x, hidden, transpose_a=True))

    found = ranked(learning_by_itself, tmp_path)
    assert found
    assert not [name for name in found if name.startswith(("save/", "w/", "ReadVariableOp"))]
