"""Graphs of known outputs and inputs, built by TensorFlow on the fly: what `truth/outputs.json` is for files.

A builder fills the default graph and returns a :class:`Truth`. Every graph has its row in :data:`GRAPHS`; the same builder may
stand in several rows, with other names or saved another way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.running import tf

v1 = tf.compat.v1
Tensor = Any

UNNAMED: Mapping[str, str] = {}
ENGLISH = {"x": "input", "y": "labels", "logits": "logits", "out": "output", "loss": "loss", "t": "temperature"}
GERMAN = {"x": "Eingabe", "y": "Klasse", "logits": "Werte", "out": "Vorhersage", "loss": "Fehler", "t": "Waerme"}
PINYIN = {"x": "shuru", "y": "biaoqian", "logits": "defen", "out": "jieguo", "loss": "sunshi", "t": "wendu"}
Names = Mapping[str, str]


@dataclass(frozen=True)
class Truth:
    """What a person would fetch and feed.

    Attributes:
        first: tensors of which one is ranked first.
        inputs: tensors that are found as inputs.
        each: groups of tensors; of each group one is among the first five.
        never: tensors that are no input.
    """

    first: Sequence[Tensor]
    inputs: Sequence[Tensor] = ()
    each: Sequence[Sequence[Tensor]] = ()
    never: Sequence[Tensor] = ()


@dataclass(frozen=True)
class Row:
    """A graph.

    Attributes:
        name: unique.
        build: fills the default graph.
        save: how it is written, a key of :data:`SAVED`.
        arguments: of the builder.
    """

    name: str
    build: Callable[..., Truth]
    save: str = "meta"
    arguments: Mapping[str, Any] = field(default_factory=dict)


def named(tensor: Tensor, names: Names, role: str) -> Tensor:
    """``tensor`` under the name that ``names`` has for ``role``; as it is where there is none."""
    return tf.identity(tensor, name=names[role]) if role in names else tensor


def fed(names: Names, role: str, dtype: Any, shape: Any) -> Tensor:
    """A placeholder."""
    return v1.placeholder(dtype, shape, name=names.get(role))


def weights(shape: Sequence[int], resource: bool = False, name: str | None = None) -> Tensor:
    """A trainable variable under a name that is not taken yet."""
    start = np.linspace(-0.5, 0.5, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    return v1.Variable(start, name=name or "Variable", use_resource=resource)


def dense(x: Tensor, inner: int, outer: int, activation: Any = None, resource: bool = False) -> Tensor:
    y = tf.matmul(x, weights([inner, outer], resource)) + weights([outer], resource)
    return y if activation is None else activation(y)


def shared_dense(*sizes: int, activation: Any = tf.nn.relu, last: Any = None) -> Callable[[Tensor], Tensor]:
    """A stack of layers whose weights are made once."""
    parameters = [(weights([a, b]), weights([b])) for a, b in itertools.pairwise(sizes)]

    def apply(x: Tensor) -> Tensor:
        for k, (w, b) in enumerate(parameters):
            x = tf.matmul(x, w) + b
            x = activation(x) if k < len(parameters) - 1 else (last(x) if last else x)
        return x

    return apply


def conv(x: Tensor, inner: int, outer: int, size: int = 3, stride: int = 1, padding: str = "SAME") -> Tensor:
    y = tf.nn.conv2d(x, weights([size, size, inner, outer]), strides=[1, stride, stride, 1], padding=padding)
    return tf.nn.bias_add(y, weights([outer]))


def train(loss: Tensor, optimizer: str = "adam", **options: Any) -> None:
    made = {
        "adam": lambda: v1.train.AdamOptimizer(0.001),
        "sgd": lambda: v1.train.GradientDescentOptimizer(0.1),
        "momentum": lambda: v1.train.MomentumOptimizer(0.1, 0.9),
        "rms": lambda: v1.train.RMSPropOptimizer(0.001),
    }
    made[optimizer]().minimize(loss, **options)


def class_loss(logits: Tensor, names: Names = UNNAMED, classes: int = 3) -> Tensor:
    y = fed(names, "y", tf.int64, [None])
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
    v1.summary.scalar("summary_of_it", loss)
    return named(loss, names, "loss")


# Savers


def two_variables() -> Truth:
    a = v1.get_variable("v1", shape=[3], initializer=v1.zeros_initializer)
    b = v1.get_variable("v2", shape=[3], initializer=v1.ones_initializer)
    return Truth([a + b])


def two_counters() -> Truth:
    a = v1.get_variable("v1", shape=[3], initializer=v1.zeros_initializer)
    b = v1.get_variable("v2", shape=[5], initializer=v1.zeros_initializer)
    up, down = a + 1, b - 1
    return Truth([up, down, a.assign(up), b.assign(down)])


def classifier(names: Names = ENGLISH, resource: bool = False, is_trained: bool = True) -> Truth:
    x = fed(names, "x", tf.float32, [None, 8])
    h = dense(x, 8, 16, tf.nn.relu, resource)
    logits = named(dense(h, 16, 3, resource=resource), names, "logits")
    out = tf.nn.softmax(logits, name=names.get("out"))
    if is_trained:
        train(class_loss(logits, names))
    return Truth([out], [x])


def from_iterator() -> Truth:
    """No placeholder at all, but those of the saver."""
    data = tf.data.Dataset.from_tensors((np.zeros((4, 8), np.float32), np.zeros(4, np.int64))).repeat()
    x, y = v1.data.make_one_shot_iterator(data).get_next()
    logits = dense(dense(x, 8, 16, tf.nn.relu), 16, 3)
    train(tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)))
    return Truth([logits], [x])


# A second placeholder behind the last weights


def temperature(names: Names = UNNAMED, shape: Any = (), is_trained: bool = True, is_distilled: bool = False) -> Truth:
    x = fed(names, "x", tf.float32, [None, 8])
    t = fed(names, "t", tf.float32, shape)
    logits = dense(dense(x, 8, 16, tf.nn.tanh), 16, 3)
    scaled = logits / t
    out = tf.nn.softmax(scaled, name=names.get("out"))
    if is_trained:
        train(class_loss(scaled if is_distilled else logits, names))
    return Truth([out], [x, t])


def threshold(is_trained: bool = False, is_dropped: bool = False) -> Truth:
    """Scores above a threshold that is fed."""
    x = v1.placeholder(tf.float32, [None, 8])
    limit = v1.placeholder(tf.float32, [])
    logits = dense(dense(x, 8, 16, tf.nn.relu), 16, 5)
    scores = tf.sigmoid(logits)
    if is_trained:
        y = v1.placeholder(tf.float32, [None, 5])
        train(tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits)))
    kept = tf.boolean_mask(scores, scores > limit) if is_dropped else scores * tf.cast(scores > limit, tf.float32)
    return Truth([kept], [x, limit])


def masked(is_trained: bool = True, in_loss: bool = False) -> Truth:
    """Logits of actions, those that are not allowed pushed down by a mask."""
    x = v1.placeholder(tf.float32, [None, 8])
    mask = v1.placeholder(tf.float32, [None, 4])
    logits = dense(dense(x, 8, 16, tf.nn.relu), 16, 4)
    allowed = logits + (1.0 - mask) * -1e9
    out = tf.nn.softmax(allowed)
    if is_trained:
        train(class_loss(allowed if in_loss else logits))
    return Truth([out], [x, mask])


def denormalized(names: Names = UNNAMED, is_trained: bool = True) -> Truth:
    x = fed(names, "x", tf.float32, [None, 4])
    std, mean = v1.placeholder(tf.float32, [1]), v1.placeholder(tf.float32, [1])
    y = dense(dense(x, 4, 16, tf.nn.relu), 16, 1)
    out = tf.add(y * std, mean, name=names.get("out"))
    if is_trained:
        target = fed(names, "y", tf.float32, [None, 1])
        train(tf.reduce_mean(tf.square(y - target)))
    return Truth([out], [x, std, mean])


def sequence(is_trained: bool = True, kind: str = "last") -> Truth:
    """A recurrent network whose last step, or whose steps within the length, are taken."""
    x = v1.placeholder(tf.float32, [None, 5, 4])
    length = v1.placeholder(tf.int32, [None])
    cell = shared_dense(4 + 6, 6, last=tf.tanh)
    state, steps = tf.zeros([tf.shape(x)[0], 6]), []
    for k in range(5):
        state = cell(tf.concat([x[:, k], state], 1))
        steps.append(state)
    hidden = tf.stack(steps, 1)
    flat = dense(tf.reshape(hidden, [-1, 6]), 6, 3)
    scores = tf.reshape(flat, [-1, 5, 3])
    if kind == "last":
        out = tf.gather_nd(scores, tf.stack([tf.range(tf.shape(x)[0]), length - 1], 1))
    else:
        out = scores * tf.expand_dims(tf.sequence_mask(length, 5, tf.float32), -1)
    if is_trained:
        y = v1.placeholder(tf.int32, [None] if kind == "last" else [None, 5])
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=out)
        train(tf.reduce_mean(loss))
        return Truth([out], [x, length])
    return Truth([out], [x, length])


# Assign passes its value on


def quantized_training(is_convolutional: bool = False, is_trained: bool = True) -> Truth:
    """Activations quantized by a moving range, which every step assigns."""

    def quantize(y: Tensor) -> Tensor:
        low, high = v1.Variable(-6.0, trainable=False), v1.Variable(6.0, trainable=False)
        low_now = v1.assign_sub(low, (low - tf.minimum(tf.reduce_min(y), 0.0)) * 0.001)
        high_now = v1.assign_sub(high, (high - tf.maximum(tf.reduce_max(y), 0.0)) * 0.001)
        return tf.quantization.fake_quant_with_min_max_vars(y, low_now, high_now)

    x = v1.placeholder(tf.float32, [None, 8, 8, 1] if is_convolutional else [None, 8])
    h = conv(x, 1, 4) if is_convolutional else dense(x, 8, 16)
    h = quantize(tf.nn.relu(h))
    h = tf.reshape(h, [-1, 256]) if is_convolutional else h
    logits = quantize(dense(h, 256 if is_convolutional else 16, 3))
    out = tf.nn.softmax(logits)
    if is_trained:
        train(class_loss(logits))
    return Truth([out], [x])


def carried_state(resource: bool = False, is_trained: bool = False) -> Truth:
    """A recurrent state that a run leaves in a variable for the next."""
    x = v1.placeholder(tf.float32, [2, 4])
    state = v1.Variable(tf.zeros([2, 6]), trainable=False, use_resource=resource)
    new = dense(tf.concat([x, state], 1), 10, 6, tf.tanh, resource)
    kept = state.assign(new)
    value = kept.read_value() if resource and hasattr(kept, "read_value") else tf.identity(kept)
    logits = dense(value, 6, 3, resource=resource)
    out = tf.nn.softmax(logits)
    if is_trained:
        train(class_loss(logits))
    return Truth([out], [x])


def state_as_output() -> Truth:
    """The assigned state is the output itself."""
    x = v1.placeholder(tf.float32, [1, 4])
    state = v1.Variable(tf.zeros([1, 6]), trainable=False, use_resource=False)
    new = dense(tf.concat([x, state], 1), 10, 6, tf.tanh)
    return Truth([new, tf.identity(state.assign(new))], [x])


# The loss's own reshape


def tagger(names: Names = UNNAMED, version: str = "sparse") -> Truth:
    """Logits of every step; the loss reshapes them to a matrix."""
    x = fed(names, "x", tf.int32, [None, 7])
    h = tf.nn.embedding_lookup(weights([50, 8]), x)
    logits = tf.reshape(dense(tf.reshape(h, [-1, 8]), 8, 5), [-1, 7, 5], name=names.get("out"))
    if version == "sparse":
        y = fed(names, "y", tf.int32, [None, 7])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
    elif version == "flat":
        y = fed(names, "y", tf.int32, [None, 7])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.reshape(y, [-1]), logits=tf.reshape(logits, [-1, 5])
        )
    else:
        y = fed(names, "y", tf.float32, [None, 7, 5])
        losses = tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits)
    train(tf.reduce_mean(losses))
    return Truth([logits], [x])


def regression_reshaped() -> Truth:
    x, y = v1.placeholder(tf.float32, [None, 3]), v1.placeholder(tf.float32, [None])
    out = dense(dense(x, 3, 8, tf.nn.relu), 8, 1)
    train(tf.reduce_mean(tf.square(tf.reshape(out, [-1]) - tf.reshape(y, [-1]))))
    return Truth([out], [x])


# Losses without labels


def autoencoder(loss: str = "square", names: Names = UNNAMED, is_noisy: bool = False, is_trained: bool = True) -> Truth:
    x = fed(names, "x", tf.float32, [None, 16])
    seen = x + 0.1 * tf.random.normal(tf.shape(x)) if is_noisy else x
    code = dense(dense(seen, 16, 8, tf.nn.relu), 8, 2)
    raw = dense(dense(code, 2, 8, tf.nn.relu), 8, 16)
    out = raw if loss == "square" else tf.sigmoid(raw, name=names.get("out"))
    losses = {
        "square": lambda: tf.reduce_mean(tf.square(x - out)),
        "difference": lambda: tf.reduce_mean(tf.reduce_sum(tf.math.squared_difference(out, x), 1)),
        "l2": lambda: tf.nn.l2_loss(out - x),
        "absolute": lambda: tf.reduce_mean(tf.abs(out - x)),
        "entropy": lambda: tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=raw)),
        "log": lambda: -tf.reduce_mean(x * tf.math.log(out + 1e-7) + (1 - x) * tf.math.log(1 - out + 1e-7)),
    }
    cost = named(losses[loss](), names, "loss")
    if is_trained:
        train(cost)
    return Truth([out], [x])


def convolutional_autoencoder() -> Truth:
    x = v1.placeholder(tf.float32, [None, 8, 8, 1])
    h = tf.nn.relu(conv(x, 1, 4, stride=2))
    shape = tf.stack([tf.shape(x)[0], 8, 8, 1])
    out = tf.sigmoid(tf.nn.conv2d_transpose(h, weights([3, 3, 1, 4]), shape, strides=[1, 2, 2, 1]))
    train(tf.reduce_mean(tf.square(out - x)))
    return Truth([out], [x])


def variational(loss: str = "entropy") -> Truth:
    x = v1.placeholder(tf.float32, [None, 16])
    h = dense(x, 16, 8, tf.nn.relu)
    mean, log_variance = dense(h, 8, 2), dense(h, 8, 2)
    z = mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
    raw = dense(dense(z, 2, 8, tf.nn.relu), 8, 16)
    out = tf.sigmoid(raw)
    if loss == "entropy":
        own = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=raw), 1)
    else:
        own = tf.reduce_sum(tf.square(x - out), 1)
    divergence = -0.5 * tf.reduce_sum(1 + log_variance - tf.square(mean) - tf.exp(log_variance), 1)
    train(tf.reduce_mean(own + divergence))
    return Truth([out], [x])


def contrastive(kind: str = "pairs") -> Truth:
    """Embeddings that nothing but their own likeness trains."""
    encode = shared_dense(16, 8, 4)
    a, b = v1.placeholder(tf.float32, [None, 16]), v1.placeholder(tf.float32, [None, 16])
    za, zb = encode(a), encode(b)
    if kind == "pairs":
        na, nb = tf.nn.l2_normalize(za, 1), tf.nn.l2_normalize(zb, 1)
        likeness = tf.matmul(na, nb, transpose_b=True) / 0.1
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.range(tf.shape(a)[0]), logits=likeness)
        train(tf.reduce_mean(losses))
        return Truth([za, zb, na, nb, likeness], [a, b])
    if kind == "labels":
        same = v1.placeholder(tf.float32, [None])
        distance = tf.sqrt(tf.reduce_sum(tf.square(za - zb), 1) + 1e-6)
        train(tf.reduce_mean(same * tf.square(distance) + (1 - same) * tf.square(tf.maximum(1 - distance, 0))))
        return Truth([za, zb, distance], [a, b])
    c = v1.placeholder(tf.float32, [None, 16])
    zc = encode(c)
    near, far = tf.reduce_sum(tf.square(za - zb), 1), tf.reduce_sum(tf.square(za - zc), 1)
    train(tf.reduce_mean(tf.maximum(near - far + 0.2, 0)))
    return Truth([za, zb, zc], [a, b, c])


def conditional_random_field(decodes: bool = False, names: Names = UNNAMED) -> Truth:
    """A linear chain over the tags; the labels look up the model's own transitions."""
    steps, tags = 6, 4
    x = fed(names, "x", tf.int32, [None, steps])
    y = fed(names, "y", tf.int32, [None, steps])
    h = dense(tf.reshape(tf.nn.embedding_lookup(weights([50, 8]), x), [-1, 8]), 8, 8, tf.nn.relu)
    logits = tf.reshape(dense(h, 8, tags), [-1, steps, tags], name=names.get("logits"))
    transitions = weights([tags, tags])
    own = tf.reduce_sum(tf.one_hot(y, tags) * logits, [1, 2])
    pairs = tf.gather(tf.reshape(transitions, [-1]), y[:, :-1] * tags + y[:, 1:])
    alpha = logits[:, 0]
    for k in range(1, steps):
        alpha = tf.reduce_logsumexp(tf.expand_dims(alpha, 2) + tf.expand_dims(transitions, 0), 1) + logits[:, k]
    likelihood = own + tf.reduce_sum(pairs, 1) - tf.reduce_logsumexp(alpha, 1)
    train(tf.reduce_mean(-likelihood))
    if not decodes:
        return Truth([logits], [x])
    best, back = logits[:, 0], []
    for k in range(1, steps):
        scores = tf.expand_dims(best, 2) + tf.expand_dims(transitions, 0)
        back.append(tf.argmax(scores, 1, tf.int32))
        best = tf.reduce_max(scores, 1) + logits[:, k]
    tag = tf.argmax(best, 1, tf.int32)
    path = [tag]
    for step in reversed(back):
        tag = tf.gather(step, tag, axis=1, batch_dims=1)
        path.append(tag)
    decoded = tf.stack(path[::-1], 1)
    return Truth([decoded, logits], [x], [[decoded], [logits]])


def looped_random_field() -> Truth:
    """The same in a loop of TensorFlow's."""
    tags = 4
    x, y = v1.placeholder(tf.float32, [None, None, 8]), v1.placeholder(tf.int32, [None, None])
    lengths = v1.placeholder(tf.int32, [None])
    flat = dense(tf.reshape(x, [-1, 8]), 8, tags)
    logits = tf.reshape(flat, tf.stack([tf.shape(x)[0], tf.shape(x)[1], tags]))
    transitions = weights([tags, tags])
    mask = tf.sequence_mask(lengths, tf.shape(x)[1], tf.float32)
    own = tf.reduce_sum(tf.reduce_sum(tf.one_hot(y, tags) * logits, 2) * mask, 1)
    pairs = tf.gather(tf.reshape(transitions, [-1]), y[:, :-1] * tags + y[:, 1:])
    own += tf.reduce_sum(pairs * mask[:, 1:], 1)

    def body(k: Tensor, alpha: Tensor) -> Any:
        new = tf.reduce_logsumexp(tf.expand_dims(alpha, 2) + transitions, 1) + logits[:, k]
        return k + 1, tf.where(tf.tile(tf.expand_dims(k < lengths, 1), [1, tags]), new, alpha)

    _, alpha = tf.while_loop(lambda k, _: k < tf.shape(x)[1], body, [tf.constant(1), logits[:, 0]])
    train(tf.reduce_mean(tf.reduce_logsumexp(alpha, 1) - own))
    return Truth([logits, flat], [x])


# Several networks


def adversarial(names: Names = UNNAMED, noise: str = "placeholder", loss: str = "entropy") -> Truth:
    real = fed(names, "x", tf.float32, [None, 16])
    z = v1.placeholder(tf.float32, [None, 4]) if noise == "placeholder" else tf.random.normal([8, 4])
    generate, judge = shared_dense(4, 8, 16, last=tf.tanh), shared_dense(16, 8, 1)
    fake = generate(z)
    of_real, of_fake = judge(real), judge(fake)
    if loss == "entropy":
        entropy = tf.nn.sigmoid_cross_entropy_with_logits
        judged = tf.reduce_mean(entropy(labels=tf.ones_like(of_real), logits=of_real)) + tf.reduce_mean(
            entropy(labels=tf.zeros_like(of_fake), logits=of_fake)
        )
        made = tf.reduce_mean(entropy(labels=tf.ones_like(of_fake), logits=of_fake))
    else:
        mixed = real + (fake - real) * tf.random.uniform([8, 1])
        slopes = tf.sqrt(tf.reduce_sum(tf.square(tf.gradients(judge(mixed), mixed)[0]), 1) + 1e-8)
        judged = tf.reduce_mean(of_fake) - tf.reduce_mean(of_real) + 10 * tf.reduce_mean(tf.square(slopes - 1))
        made = -tf.reduce_mean(of_fake)
    variables = v1.trainable_variables()
    train(judged, var_list=variables[4:])
    train(made, var_list=variables[:4])
    inputs = [real, z] if noise == "placeholder" else [real]
    return Truth([fake, of_real, of_fake], inputs, [[fake], [of_real, of_fake]])


def convolutional_adversarial() -> Truth:
    """Pictures, probabilities, and one judge for both in a single batch."""
    real = v1.placeholder(tf.float32, [8, 8, 8, 1])
    z = v1.placeholder(tf.float32, [8, 4])
    h = tf.reshape(dense(z, 4, 64, tf.nn.relu), [8, 4, 4, 4])
    fake = tf.tanh(tf.nn.conv2d_transpose(h, weights([3, 3, 1, 4]), [8, 8, 8, 1], strides=[1, 2, 2, 1]))
    both = tf.concat([real, fake], 0)
    features = tf.nn.leaky_relu(conv(both, 1, 4, stride=2))
    logits = dense(tf.reshape(features, [16, 64]), 64, 1)
    probability = tf.sigmoid(logits)
    of_real, of_fake = probability[:8], probability[8:]
    variables = v1.trainable_variables()
    train(-tf.reduce_mean(tf.math.log(of_real) + tf.math.log(1 - of_fake)), var_list=variables[3:])
    train(-tf.reduce_mean(tf.math.log(of_fake)), var_list=variables[:3])
    judged = [logits, probability, of_real, of_fake]
    return Truth([fake, *judged], [real, z], [[fake], judged])


def cycle() -> Truth:
    a, b = v1.placeholder(tf.float32, [None, 16]), v1.placeholder(tf.float32, [None, 16])
    to_b, to_a = shared_dense(16, 8, 16, last=tf.tanh), shared_dense(16, 8, 16, last=tf.tanh)
    judge_a, judge_b = shared_dense(16, 8, 1), shared_dense(16, 8, 1)
    fake_b, fake_a = to_b(a), to_a(b)
    back_a, back_b = to_a(fake_b), to_b(fake_a)
    judged = [judge_a(a), judge_a(fake_a), judge_b(b), judge_b(fake_b)]
    cycled = tf.reduce_mean(tf.abs(a - back_a)) + tf.reduce_mean(tf.abs(b - back_b))
    made = tf.reduce_mean(tf.square(judged[1] - 1)) + tf.reduce_mean(tf.square(judged[3] - 1)) + 10 * cycled
    judging = sum(tf.reduce_mean(tf.square(j - k % 2)) for k, j in enumerate(judged))
    variables = v1.trainable_variables()
    train(made, var_list=variables[:8])
    train(judging, var_list=variables[8:])
    return Truth([fake_a, fake_b, back_a, back_b], [a, b], [[fake_a, back_a], [fake_b, back_b]])


def actor_critic(is_shared: bool = True, names: Names = UNNAMED) -> Truth:
    state = fed(names, "x", tf.float32, [None, 6])
    action, target = v1.placeholder(tf.int32, [None]), v1.placeholder(tf.float32, [None])
    trunk = dense(state, 6, 12, tf.nn.relu)
    other = trunk if is_shared else dense(state, 6, 12, tf.nn.relu)
    policy, value = tf.nn.softmax(dense(trunk, 12, 3)), tf.squeeze(dense(other, 12, 1), 1)
    chosen = tf.reduce_sum(policy * tf.one_hot(action, 3), 1)
    advantage = tf.stop_gradient(target - value)
    entropy = -tf.reduce_sum(policy * tf.math.log(policy + 1e-8), 1)
    loss = -tf.reduce_mean(tf.math.log(chosen + 1e-8) * advantage + 0.01 * entropy)
    train(loss + 0.5 * tf.reduce_mean(tf.square(target - value)), "rms")
    return Truth([policy], [state], [[policy], [value, value.op.inputs[0]]])


def deterministic_policy() -> Truth:
    """The critic judges an action that is fed, and the actor's own."""
    state, action = v1.placeholder(tf.float32, [None, 6]), v1.placeholder(tf.float32, [None, 2])
    target = v1.placeholder(tf.float32, [None, 1])
    act, judge = shared_dense(6, 12, 2, last=tf.tanh), shared_dense(8, 12, 1)
    chosen = act(state)
    fed_value, own_value = judge(tf.concat([state, action], 1)), judge(tf.concat([state, chosen], 1))
    variables = v1.trainable_variables()
    train(tf.reduce_mean(tf.square(target - fed_value)), var_list=variables[4:])
    train(-tf.reduce_mean(own_value), var_list=variables[:4])
    return Truth([chosen], [state], [[chosen], [fed_value, own_value]])


def deep_q(is_doubled: bool = False) -> Truth:
    state, after = v1.placeholder(tf.float32, [None, 6]), v1.placeholder(tf.float32, [None, 6])
    action, reward = v1.placeholder(tf.int32, [None]), v1.placeholder(tf.float32, [None])
    judge, old = shared_dense(6, 12, 3), shared_dense(6, 12, 3)
    values, later = judge(state), old(after)
    variables = v1.trainable_variables()
    tf.group(*[b.assign(a) for a, b in zip(variables[:4], variables[4:])])
    wanted = tf.stop_gradient(reward + 0.9 * tf.reduce_max(later, 1))
    chosen = tf.reduce_sum(values * tf.one_hot(action, 3), 1)
    train(tf.reduce_mean(tf.square(wanted - chosen)), "rms", var_list=variables[:4])
    best = [tf.argmax(values, 1)] if is_doubled else []
    return Truth([values, *best], [state], [[values]])


def generator_alone() -> Truth:
    """The checkpoint has the generator's values alone."""
    truth = adversarial()
    fake = truth.first[0]
    v1.add_to_collection("saved", v1.global_variables()[:4])
    return Truth([fake], truth.inputs)


# Gradients of the inputs


def force_field(is_trained: bool = False, is_batched: bool = False, names: Names = UNNAMED) -> Truth:
    """The energy of atoms, and the forces as its negative gradient."""
    positions = fed(names, "x", tf.float32, [None, 5, 3] if is_batched else [None, 3])
    flat = tf.reshape(positions, [-1, 3])
    atoms = dense(dense(flat, 3, 16, tf.nn.tanh), 16, 1)
    energy = tf.reduce_sum(tf.reshape(atoms, [-1, 5]), 1) if is_batched else tf.reduce_sum(atoms)
    forces = tf.negative(tf.gradients(energy, positions)[0], name=names.get("out"))
    if is_trained:
        energies, wanted = v1.placeholder(tf.float32, energy.shape), v1.placeholder(tf.float32, positions.shape)
        train(tf.reduce_mean(tf.square(energy - energies)) + tf.reduce_mean(tf.square(forces - wanted)))
    return Truth([energy, forces], [positions], [[energy], [forces]])


def saliency(is_trained: bool = False) -> Truth:
    """What the scores of a classifier say of every pixel."""
    x = v1.placeholder(tf.float32, [None, 16])
    logits = dense(dense(x, 16, 8, tf.nn.relu), 8, 3)
    out = tf.nn.softmax(logits)
    if is_trained:
        train(class_loss(logits))
    heat = tf.abs(tf.gradients(tf.reduce_max(logits, 1), x)[0])
    return Truth([out, heat], [x], [[out], [heat]])


# Detectors


def detector(names: Sequence[str] = (), is_trained: bool = False, is_counted: bool = True) -> Truth:
    """Boxes, scores, classes of what non-maximum suppression leaves, and how many there are."""
    x = v1.placeholder(tf.float32, [1, 8, 8, 3])
    features = tf.nn.relu(conv(x, 3, 8, stride=2))
    boxes = tf.reshape(conv(features, 8, 4), [-1, 4])
    logits = tf.reshape(conv(features, 8, 3), [-1, 3])
    if is_trained:
        y, truth = v1.placeholder(tf.float32, [16, 3]), v1.placeholder(tf.float32, [16, 4])
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))
        train(loss + tf.reduce_mean(tf.abs(truth - boxes)))
    scores = tf.sigmoid(logits)
    best, classes = tf.reduce_max(scores, 1), tf.argmax(scores, 1)
    kept = tf.image.non_max_suppression(boxes, best, 5, 0.5)
    found = [tf.gather(boxes, kept), tf.gather(best, kept), tf.cast(tf.gather(classes, kept), tf.float32)]
    found += [tf.cast(tf.shape(kept)[0], tf.float32)] if is_counted else []
    if names:
        found = [tf.identity(tensor, name) for tensor, name in zip(found, names)]
    return Truth(found, [x], [[tensor] for tensor in found])


DETECTION = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


def combined_detector() -> Truth:
    """One op gives all four."""
    x = v1.placeholder(tf.float32, [1, 8, 8, 3])
    features = tf.nn.relu(conv(x, 3, 8, stride=2))
    boxes, scores = (
        tf.reshape(conv(features, 8, 4), [1, 16, 1, 4]),
        tf.sigmoid(tf.reshape(conv(features, 8, 3), [1, 16, 3])),
    )
    found = tf.image.combined_non_max_suppression(boxes, scores, 5, 5)
    return Truth(list(found), [x], [[tensor] for tensor in found])


def best_classes() -> Truth:
    x = v1.placeholder(tf.float32, [None, 8])
    scores, classes = tf.math.top_k(tf.nn.softmax(dense(dense(x, 8, 16, tf.nn.relu), 16, 9)), 3)
    return Truth([scores, scores.op.inputs[0]], [x], [[scores], [classes]])


def counted_events() -> Truth:
    """How many steps of a signal a model takes for an event."""
    x = v1.placeholder(tf.float32, [None, 8])
    events = tf.where(dense(dense(x, 8, 16, tf.nn.relu), 16, 1)[:, 0] > 0)
    count = tf.shape(events)[0]
    return Truth([events, count], [x], [[count]])


# Checks, and pictures that are decoded in the graph


def checked(is_leaf: bool = True, is_trained: bool = True) -> Truth:
    x = v1.placeholder(tf.float32, [None, 8])
    logits = dense(dense(x, 8, 16, tf.nn.relu), 16, 3)
    out = tf.nn.softmax(logits)
    if is_trained:
        train(class_loss(logits))
    checked = tf.debugging.check_numerics(out, "broken")
    return Truth([out] if is_leaf else [tf.identity(checked), out], [x])


def decoded(op: str = "DecodeJpeg", given: str = "constant") -> Truth:
    """A picture whose encoded bytes are a constant, as in the Inception graph of 2015, or fed."""
    if given == "constant":
        content = tf.constant(b"", name=f"{op}/contents")
    else:
        content = v1.placeholder(tf.string, [] if given == "placeholder" else None)
    pixels = {
        "DecodeJpeg": lambda: tf.io.decode_jpeg(content, channels=3),
        "DecodePng": lambda: tf.io.decode_png(content, channels=3),
        "DecodeImage": lambda: tf.io.decode_image(content, channels=3, expand_animations=False),
    }[op]()
    x = tf.expand_dims(tf.cast(pixels, tf.float32), 0)
    x = v1.image.resize_bilinear(x, [8, 8]) - 128.0
    h = tf.reduce_mean(tf.nn.relu(conv(x, 3, 4)), [1, 2])
    return Truth([tf.nn.softmax(dense(h, 4, 3))], [content])


# What a function of TensorFlow 2 captured


def captured(is_trained: bool = False) -> Truth:
    """Variables as placeholders of resources, as the graph of a traced function has them."""
    x = v1.placeholder(tf.float32, [None, 8])
    handles = [v1.placeholder(tf.resource, []) for _ in range(4)]
    shapes = [[8, 16], [16], [16, 3], [3]]
    values = [tf.raw_ops.ReadVariableOp(resource=h, dtype=tf.float32) for h in handles]
    for value, shape in zip(values, shapes):
        value.set_shape(shape)
    h = tf.nn.relu(tf.matmul(x, values[0]) + values[1])
    out = tf.nn.softmax(tf.matmul(h, values[2]) + values[3])
    return Truth([out], [x], never=handles)


def variant_placeholder() -> Truth:
    """A list of tensors that the caller would hand over."""
    x = v1.placeholder(tf.float32, [None, 8])
    items = v1.placeholder(tf.variant, [])
    first = tf.raw_ops.TensorListGetItem(
        input_handle=items, index=0, element_shape=[-1], element_dtype=tf.float32, name=None
    )
    out = dense(x, 8, 3) + tf.reshape(first, [1, 3])
    return Truth([out], [x], never=[items])


def rows() -> list[Row]:
    languages: dict[str, Names] = {"english": ENGLISH, "german": GERMAN, "pinyin": PINYIN, "unnamed": UNNAMED}
    found = [
        Row(f"tutorial-{save}", two_variables, save) for save in ("meta", "graph", "text", "sharded", "second", "old")
    ]
    found += [Row(f"counters-{save}", two_counters, save) for save in ("meta", "text")]
    found += [
        Row(f"classifier-{save}", classifier, save) for save in ("graph", "text", "sharded", "second", "old", "frozen")
    ]
    found += [Row(f"classifier-{name}", classifier, "graph", {"names": n}) for name, n in languages.items()]
    found.append(Row("classifier-resource", classifier, "graph", {"names": UNNAMED, "resource": True}))
    found += [Row(f"iterator-{save}", from_iterator, save) for save in ("meta", "graph", "sharded")]
    found += [Row(f"temperature-{name}", temperature, "meta", {"names": n}) for name, n in languages.items()]
    found += [
        Row("temperature-inference", temperature, "meta", {"is_trained": False}),
        Row("temperature-distilled", temperature, "meta", {"is_distilled": True}),
        Row("temperature-matrix", temperature, "meta", {"shape": [None, 1]}),
        Row("temperature-frozen", temperature, "frozen", {"is_trained": False}),
    ]
    for trained in (True, False):
        kind = "training" if trained else "inference"
        found += [
            Row(f"threshold-{kind}", threshold, "meta", {"is_trained": trained}),
            Row(f"dropped-{kind}", threshold, "meta", {"is_trained": trained, "is_dropped": True}),
            Row(f"masked-{kind}", masked, "meta", {"is_trained": trained}),
            Row(f"denormalized-{kind}", denormalized, "meta", {"is_trained": trained}),
            Row(f"last-step-{kind}", sequence, "meta", {"is_trained": trained}),
            Row(f"steps-{kind}", sequence, "meta", {"is_trained": trained, "kind": "all"}),
            Row(f"quantized-{kind}", quantized_training, "meta", {"is_trained": trained}),
            Row(f"force-field-{kind}", force_field, "meta", {"is_trained": trained}),
            Row(f"force-fields-{kind}", force_field, "meta", {"is_trained": trained, "is_batched": True}),
            Row(f"saliency-{kind}", saliency, "meta", {"is_trained": trained}),
            Row(f"detector-{kind}", detector, "meta", {"is_trained": trained}),
            Row(f"check-{kind}", checked, "meta", {"is_trained": trained}),
            Row(f"check-within-{kind}", checked, "meta", {"is_trained": trained, "is_leaf": False}),
            Row(f"state-{kind}", carried_state, "meta", {"is_trained": trained}),
            Row(f"state-resource-{kind}", carried_state, "meta", {"is_trained": trained, "resource": True}),
        ]
    found += [
        Row("masked-in-loss", masked, "meta", {"in_loss": True}),
        Row("denormalized-german", denormalized, "graph", {"names": GERMAN}),
        Row("quantized-convolution", quantized_training, "meta", {"is_convolutional": True}),
        Row("state-output", state_as_output),
        Row("force-field-frozen", force_field, "frozen"),
        Row("force-field-german", force_field, "text", {"names": GERMAN}),
        Row("saliency-frozen", saliency, "frozen"),
        Row("regression-reshaped", regression_reshaped),
    ]
    found += [Row(f"tagger-{kind}", tagger, "meta", {"version": kind}) for kind in ("sparse", "flat", "dense")]
    found.append(Row("tagger-pinyin", tagger, "graph", {"names": PINYIN}))
    losses = ("square", "difference", "l2", "absolute", "entropy", "log")
    found += [Row(f"autoencoder-{loss}", autoencoder, "meta", {"loss": loss}) for loss in losses]
    found += [
        Row("autoencoder-noisy", autoencoder, "meta", {"is_noisy": True}),
        Row("autoencoder-german", autoencoder, "graph", {"names": GERMAN, "loss": "l2"}),
        Row("autoencoder-evaluation", autoencoder, "meta", {"is_trained": False}),
        Row("autoencoder-frozen", autoencoder, "frozen", {"is_trained": False, "loss": "l2"}),
        Row("autoencoder-convolution", convolutional_autoencoder),
        Row("variational-entropy", variational),
        Row("variational-square", variational, "meta", {"loss": "square"}),
    ]
    found += [
        Row(f"contrastive-{kind}", contrastive, "meta", {"kind": kind}) for kind in ("pairs", "labels", "triplets")
    ]
    found += [
        Row("random-field", conditional_random_field),
        Row("random-field-decoded", conditional_random_field, "meta", {"decodes": True}),
        Row("random-field-german", conditional_random_field, "text", {"names": GERMAN}),
        Row("random-field-loop", looped_random_field),
        Row("adversarial", adversarial),
        Row("adversarial-noise", adversarial, "meta", {"noise": "random"}),
        Row("adversarial-penalty", adversarial, "meta", {"loss": "wasserstein"}),
        Row("adversarial-german", adversarial, "graph", {"names": GERMAN}),
        Row("adversarial-convolution", convolutional_adversarial),
        Row("adversarial-partly-saved", generator_alone, "checkpoint"),
        Row("cycle", cycle),
        Row("actor-critic", actor_critic),
        Row("actor-critic-apart", actor_critic, "meta", {"is_shared": False}),
        Row("actor-critic-pinyin", actor_critic, "graph", {"names": PINYIN}),
        Row("deterministic-policy", deterministic_policy),
        Row("deep-q", deep_q),
        Row("deep-q-best", deep_q, "meta", {"is_doubled": True}),
        Row("detector-named", detector, "meta", {"names": DETECTION}),
        Row("detector-named-frozen", detector, "frozen", {"names": DETECTION}),
        Row("detector-named-training", detector, "meta", {"names": DETECTION, "is_trained": True}),
        Row("detector-uncounted", detector, "frozen", {"is_counted": False}),
        Row("detector-combined", combined_detector),
        Row("detector-combined-frozen", combined_detector, "frozen"),
        Row("best-classes", best_classes),
        Row("best-classes-frozen", best_classes, "frozen"),
        Row("counted-events", counted_events),
        Row("counted-events-frozen", counted_events, "frozen"),
        Row("jpeg-constant", decoded),
        Row("jpeg-constant-frozen", decoded, "frozen"),
        Row("png-constant", decoded, "graph", {"op": "DecodePng"}),
        Row("picture-fed", decoded, "meta", {"op": "DecodeImage", "given": "placeholder"}),
        Row("captured", captured, "graph"),
        Row("captured-bare", captured, "bare"),
        Row("variant", variant_placeholder),
    ]
    return found


GRAPHS = rows()


@dataclass(frozen=True)
class Answer:
    """A :class:`Truth` in names of tensors, and the file."""

    path: Path
    first: tuple[str, ...]
    inputs: tuple[str, ...]
    each: tuple[tuple[str, ...], ...]
    never: tuple[str, ...]


def write(row: Row, folder: Path) -> Answer:
    """Builds the graph of ``row`` and saves it below ``folder``."""
    with tf.Graph().as_default(), v1.variable_scope("", use_resource=False):
        truth = row.build(**row.arguments)
        path = SAVED[row.save](folder / row.name, truth)
    groups = tuple(tuple(t.name for t in group) for group in truth.each)
    return Answer(
        path,
        *(tuple(t.name for t in ts) for ts in (truth.first, truth.inputs)),  # type: ignore[call-arg]
        groups,
        tuple(t.name for t in truth.never),
    )


def _meta(path: Path, _: Truth, **options: Any) -> Path:
    saver = v1.train.Saver(**options) if v1.global_variables() else None
    target = path.with_suffix(".meta")
    if saver is None:
        v1.train.export_meta_graph(str(target))
    else:
        saver.export_meta_graph(str(target))
    return target


def _second(path: Path, truth: Truth) -> Path:
    v1.train.Saver(sharded=True, name="Sicherung")
    return _meta(path, truth)


def _bare(path: Path, _: Truth) -> Path:
    v1.train.export_meta_graph(str(path.with_suffix(".meta")))
    return path.with_suffix(".meta")


def _graph(path: Path, _: Truth, is_text: bool = False) -> Path:
    if v1.global_variables():
        v1.train.Saver(sharded=is_text)
    target = path.with_suffix(".pbtxt" if is_text else ".pb")
    v1.train.write_graph(v1.get_default_graph(), str(target.parent), target.name, as_text=is_text)
    return target


def _frozen(path: Path, truth: Truth) -> Path:
    wanted = [t.op.name for t in [*truth.first, *(t for group in truth.each for t in group)]]
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        definition = v1.graph_util.convert_variables_to_constants(
            session, v1.get_default_graph().as_graph_def(), list(dict.fromkeys(wanted))
        )
    path.with_suffix(".pb").write_bytes(definition.SerializeToString())
    return path.with_suffix(".pb")


def _checkpoint(path: Path, _: Truth) -> Path:
    """With the values of a collection alone, as where a part was trained elsewhere."""
    [saved] = v1.get_collection_ref("saved")
    v1.get_collection_ref("saved").clear()
    with v1.Session() as session:
        session.run(v1.global_variables_initializer())
        v1.train.Saver(saved).save(session, str(path))
    return path


SAVED: Mapping[str, Callable[[Path, Truth], Path]] = {
    "meta": _meta,
    "sharded": lambda path, truth: _meta(path, truth, sharded=True),
    "old": lambda path, truth: _meta(path, truth, write_version=v1.train.SaverDef.V1),
    "second": _second,
    "bare": _bare,
    "graph": _graph,
    "text": lambda path, truth: _graph(path, truth, is_text=True),
    "frozen": _frozen,
    "checkpoint": _checkpoint,
}
