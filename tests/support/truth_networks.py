"""Graphs of known outputs in which several networks meet: what is made, what judges it, what is a copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.support.running import tf
from tests.support.truth_graphs import Row, Tensor, Truth, class_loss, shared_dense, v1, weights
from tests.support.truth_tasks import fed, relu, train


def network(size: int, *sizes: int, last: Any = None) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    """A stack of layers, and its variables."""
    before = len(v1.global_variables())
    apply = shared_dense(size, *sizes, last=last)
    return apply, v1.global_variables()[before:]


def follow(copies: Sequence[Tensor], variables: Sequence[Tensor]) -> None:
    for copy, variable in zip(copies, variables):
        v1.assign(copy, 0.9 * copy + 0.1 * variable)


def split_critic() -> Truth:
    """A critic with weights of their own for states and actions; only the actor's actions are ever judged."""
    state, after, reward = fed("state", None, 6), fed("after", None, 6), fed("reward", None, 1)
    (act, actor), (later_act, later_actor) = (network(6, 12, 2, last=tf.tanh) for _ in range(2))

    def judging() -> tuple[Callable[[Tensor, Tensor], Tensor], list[Tensor]]:
        variables = [weights([6, 8]), weights([2, 8]), weights([8, 1])]
        of_state, of_action, last = variables
        return lambda s, a: tf.matmul(relu(tf.matmul(s, of_state) + tf.matmul(a, of_action)), last), variables

    (judge, critic), (later_judge, later_critic) = judging(), judging()
    action = act(state)
    value = judge(state, action)
    train(tf.reduce_mean((reward + 0.9 * later_judge(after, later_act(after)) - value) ** 2), critic)
    train(-tf.reduce_mean(value), actor)
    follow([*later_actor, *later_critic], [*actor, *critic])
    return Truth([action], [state])


def policy_of_last_round() -> Truth:
    """The loss compares the policy with its copy of before."""
    state, action, gain = fed("state", None, 6), fed("action", None, 2), fed("gain", None, 1)
    (act, actor), (old_act, old_actor) = (network(6, 12, 2) for _ in range(2))
    mean = act(state)
    near, before = (tf.exp(-((action - m) ** 2)) for m in (mean, old_act(state)))
    ratio = near / before
    train(-tf.reduce_mean(tf.minimum(ratio * gain, tf.clip_by_value(ratio, 0.8, 1.2) * gain)), actor)
    follow(old_actor, actor)
    return Truth([mean], [state])


def paired_pictures() -> Truth:
    """A picture and what should be made of it are fed side by side."""
    pair = fed("pair", None, 12)
    given, wanted = pair[:, :6], pair[:, 6:]
    (make, maker), (judge, judging) = network(6, 12, 6, last=tf.tanh), network(12, 8, 1)
    made = make(given)
    of_true, of_made = judge(tf.concat([given, wanted], 1)), judge(tf.concat([given, made], 1))
    train(tf.reduce_mean((of_made - 1) ** 2) + tf.reduce_mean(tf.abs(wanted - made)), maker)
    train(tf.reduce_mean((of_true - 1) ** 2) + tf.reduce_mean(of_made**2), judging)
    return Truth([made], [pair])


def normalized_judge() -> Truth:
    """Wherever the judge is applied, its weights are divided by their norm anew."""
    noise, real = fed("noise", None, 4), fed("real", None, 8)
    make, maker = network(4, 12, 8, last=tf.tanh)
    kernel, last = weights([8, 8]), weights([8, 1])

    def judge(x: Tensor) -> Tensor:
        return tf.matmul(relu(tf.matmul(x, kernel / tf.norm(kernel))), last)

    made = make(noise)
    of_real, of_made = judge(real), judge(made)
    train(tf.reduce_mean(relu(1 - of_real)) + tf.reduce_mean(relu(1 + of_made)), [kernel, last])
    train(-tf.reduce_mean(of_made), maker)
    return Truth([made], [noise])


def loaded_judge() -> Truth:
    """Features by a network that was loaded as constants, once for what is given and once for what is made."""
    x = fed("x", None, 8)
    made = network(8, 12, 8, last=tf.tanh)[0](x) * 150 + 127

    def features(of: Tensor) -> Tensor:
        for seed in range(2):
            of = relu(tf.matmul(of, tf.constant(np.random.RandomState(seed).normal(size=(8, 8)).astype(np.float32))))
        return of

    train(tf.reduce_mean((features(made) - features(x)) ** 2))
    return Truth([made], [x])


def grouped_triplets() -> Truth:
    x = fed("x", None, 8)
    found = tf.nn.l2_normalize(network(8, 12, 6)[0](x), 1)
    anchor, near, far = tf.unstack(tf.reshape(found, [-1, 3, 6]), axis=1)
    distances = [tf.reduce_sum((anchor - other) ** 2, 1) for other in (near, far)]
    train(tf.reduce_mean(relu(distances[0] - distances[1] + 0.2)))
    return Truth([found], [x])


def contrasted_pairs() -> Truth:
    """The loss takes the square of a distance, and a margin over the distance."""
    left, right, same = fed("left", None, 8), fed("right", None, 8), fed("same", None)
    encode = shared_dense(8, 12, 2)
    codes = encode(left), encode(right)
    square = tf.reduce_sum((codes[0] - codes[1]) ** 2, 1)
    distance = tf.sqrt(square + 1e-6)
    train(tf.reduce_mean(same * square + (1 - same) * tf.maximum(2.0 - distance, 0) ** 2))
    return Truth([distance, square, *codes], [left, right])


def angular_margin() -> Truth:
    """The true class has to win by an angle: the cosine goes into the loss in two forms."""
    x, y = fed("x", None, 8), fed("y", None, dtype=tf.int64)
    found = tf.nn.l2_normalize(network(8, 12, 6)[0](x), 1)
    cosine = tf.matmul(found, tf.nn.l2_normalize(weights([6, 5]), 0))
    apart = 64 * (cosine * 0.88 - tf.sqrt(1 - tf.square(cosine) + 1e-6) * 0.48)
    is_true = tf.one_hot(y, 5)
    logits = 64 * cosine * (1 - is_true) + apart * is_true
    train(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)))
    return Truth([found, cosine], [x])


def words_by_neighbours() -> Truth:
    """What is fed is named after the training that it is for."""
    words, neighbours = fed("train_inputs", 4, dtype=tf.int32), fed("train_labels", 4, 1, dtype=tf.int32)
    found = tf.nn.embedding_lookup(weights([20, 8]), words)
    train(tf.reduce_mean(tf.nn.nce_loss(weights([20, 8]), weights([20]), neighbours, found, 5, 20)))
    return Truth([found, found.op.inputs[0]], [words])


def rates_by_part() -> Truth:
    """The lower layers learn more slowly, by an optimizer of their own: that makes no network of them."""
    x = fed("x", None, 8)
    (lower, first), (upper, second) = network(8, 12, 6, last=relu), network(6, 3)
    logits = upper(lower(x))
    decay = sum(tf.nn.l2_loss(v) for v in [first[0], second[0]])
    loss = class_loss(logits) + 1e-4 * decay
    train(loss, first)
    train(loss, second)
    return Truth([logits], [x])


def domains() -> Truth:
    """What the domain is guessed from, by a network with a loss of its own, is what the classes are told by, too."""
    x, domain = fed("x", None, 8), fed("domain", None, 1)
    (encode, encoder), (classify, head), (guess, guesser) = network(8, 6, last=relu), network(6, 3), network(6, 4, 1)
    code = encode(x)
    logits, guessed = classify(code), guess(code)
    of_domain = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=domain, logits=guessed))
    train(class_loss(logits) - 0.1 * of_domain, [*encoder, *head])
    train(of_domain, guesser)
    return Truth([logits, tf.nn.softmax(logits)], [x])


NETWORKS = [
    Row(build.__name__.replace("_", "-"), build)
    for build in (
        split_critic, policy_of_last_round, paired_pictures, normalized_judge, loaded_judge, grouped_triplets, contrasted_pairs,
        angular_margin, words_by_neighbours, rates_by_part, domains,
    )
]  # fmt: skip
