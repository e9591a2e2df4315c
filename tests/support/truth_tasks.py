"""More graphs of known outputs and inputs, as the programs of other people build them, task by task."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.support.running import tf
from tests.support.truth_graphs import Row, Tensor, Truth, class_loss, conv, dense, shared_dense, v1, weights

relu = tf.nn.relu
sparse_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
entropy = tf.nn.sigmoid_cross_entropy_with_logits


@contextlib.contextmanager
def control_flow(is_modern: bool) -> Iterator[None]:
    """Loops and conds as functions, or as ``Switch``, ``Merge`` and ``Enter``."""
    before = v1.control_flow_v2_enabled()
    (v1.enable_control_flow_v2 if is_modern else v1.disable_control_flow_v2)()
    try:
        yield
    finally:
        (v1.enable_control_flow_v2 if before else v1.disable_control_flow_v2)()


def train(loss: Tensor, variables: Any = None) -> None:
    v1.train.GradientDescentOptimizer(0.1).minimize(loss, var_list=variables)


def fed(name: str, *shape: int | None, dtype: Any = tf.float32) -> Tensor:
    return v1.placeholder(dtype, shape, name=name)


class Cell:
    """A recurrent cell, as ``tf.nn.dynamic_rnn`` takes it."""

    def __init__(self, inner: int, size: int) -> None:
        self.kernel, self.bias = weights([inner + size, size]), weights([size])
        self.state_size = self.output_size = size

    def zero_state(self, batch: Any, dtype: Any) -> Tensor:
        return tf.zeros([batch, self.state_size], dtype)

    def call(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return self(x, state)

    def __call__(self, x: Tensor, state: Tensor, scope: Any = None) -> tuple[Tensor, Tensor]:
        new = tf.tanh(tf.matmul(tf.concat([x, state], 1), self.kernel) + self.bias)
        return new, new


def by_step(hidden: Tensor, inner: int, outer: int) -> Tensor:
    shape = tf.shape(hidden)
    return tf.reshape(dense(tf.reshape(hidden, [-1, inner]), inner, outer), [shape[0], shape[1], outer])


# Loops, branches, lists


def looped_branch(is_modern: bool = False, decides: str = "turn", is_trained: bool = True) -> Truth:
    """A loop with a branch in it, which the turn, a value or a training switch decides."""
    x, training = fed("x", None, 8), v1.placeholder_with_default(False, [], "training")
    kernel, bias = weights([8, 8]), weights([8])
    deciders: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "turn": lambda k, _: tf.equal(k % 2, 0),
        "value": lambda _, h: tf.reduce_sum(h) > 0,
        "training": lambda *_: training,
    }

    def body(k: Tensor, h: Tensor) -> Any:
        new = tf.tanh(tf.matmul(h, kernel) + bias)
        drawn = tf.random.uniform(tf.shape(new)) if decides == "training" else 2.0
        return k + 1, tf.cond(deciders[decides](k, new), lambda: new * drawn, lambda: new + 1.0)

    with control_flow(is_modern):
        hidden = tf.while_loop(lambda k, _: k < 4, body, [tf.constant(0), x])[1]
        logits = dense(hidden, 8, 3)
        out = tf.nn.softmax(logits)
        if is_trained:
            train(class_loss(logits))
    return Truth([out], [x])


def steps_in_list(is_modern: bool = True) -> Truth:
    """A recurrent network that is written out, its steps kept in a ``TensorArray``."""
    x = fed("x", None, 5, 8)
    kernel, recurrent = weights([8, 6]), weights([6, 6])

    def body(k: Tensor, state: Tensor, steps: Any) -> Any:
        state = tf.tanh(tf.matmul(x[:, k], kernel) + tf.matmul(state, recurrent))
        return k + 1, state, steps.write(k, state)

    with control_flow(is_modern):
        start = [tf.constant(0), tf.zeros([tf.shape(x)[0], 6]), tf.TensorArray(tf.float32, 5)]
        steps = tf.while_loop(lambda k, *_: k < 5, body, start)[2].stack()
        logits = by_step(tf.ensure_shape(tf.transpose(steps, [1, 0, 2]), [None, 5, 6]), 6, 3)
        out = tf.nn.softmax(logits)
        train(tf.reduce_mean(sparse_entropy(labels=fed("y", None, 5, dtype=tf.int32), logits=logits)))
    return Truth([out], [x])


def bidirectional(is_modern: bool = False, by_steps: bool = False) -> Truth:
    x, length = fed("x", None, None, 4), fed("length", None, dtype=tf.int32)
    with control_flow(is_modern):
        hidden, last = v1.nn.bidirectional_dynamic_rnn(Cell(4, 6), Cell(4, 6), x, length, dtype=tf.float32)
        if by_steps:
            logits = by_step(tf.concat(hidden, 2), 12, 3)
            losses = sparse_entropy(labels=fed("y", None, None, dtype=tf.int32), logits=logits)
            mask = tf.sequence_mask(length, tf.shape(x)[1], tf.float32)
            train(tf.reduce_sum(losses * mask) / tf.reduce_sum(mask))
        else:
            logits = dense(tf.concat(last, 1), 12, 3)
            train(class_loss(logits))
        out = tf.nn.softmax(logits)
    return Truth([out], [x, length])


def translator(is_modern: bool = False) -> Truth:
    """Trained on what should come out, and decoded in a loop until all are at their end."""
    source, length = fed("source", None, None, dtype=tf.int32), fed("length", None, dtype=tf.int32)
    given, wanted = (fed(name, None, None, dtype=tf.int32) for name in ("given", "wanted"))
    words, encoder, decoder = weights([20, 8]), Cell(8, 8), Cell(8, 8)
    kernel, bias = weights([8, 20]), weights([20])
    with control_flow(is_modern):
        _, state = v1.nn.dynamic_rnn(encoder, tf.nn.embedding_lookup(words, source), length, dtype=tf.float32)
        hidden, _ = v1.nn.dynamic_rnn(decoder, tf.nn.embedding_lookup(words, given), initial_state=state)
        shape = tf.shape(hidden)
        flat = tf.matmul(tf.reshape(hidden, [-1, 8]), kernel) + bias
        logits = tf.reshape(flat, [shape[0], shape[1], 20])
        train(tf.reduce_mean(sparse_entropy(labels=wanted, logits=logits)))

        def body(k: Tensor, word: Tensor, state: Tensor, ended: Tensor, found: Any) -> Any:
            _, state = decoder(tf.nn.embedding_lookup(words, word), state)
            word = tf.argmax(tf.matmul(state, kernel) + bias, 1, tf.int32)
            return k + 1, word, state, ended | tf.equal(word, 1), found.write(k, word)

        batch = tf.shape(source)[:1]
        found = tf.TensorArray(tf.int32, 0, dynamic_size=True)
        start = [tf.constant(0), tf.zeros(batch, tf.int32), state, tf.zeros(batch, tf.bool), found]
        turn = tf.while_loop(lambda k, _, __, ended, ___: (k < 10) & ~tf.reduce_all(ended), body, start)
        decoded = tf.transpose(turn[4].stack())
    return Truth([decoded, logits, flat], [source, length], [[decoded], [logits, flat]])


# Python, tables, text, records, queues


def scaled_in_python() -> Truth:
    x = fed("x", None, 8)
    scaled = v1.py_func(lambda a: a / 255, [x], tf.float32)
    scaled.set_shape([None, 8])
    logits = dense(dense(scaled, 8, 16, relu), 16, 3)
    train(class_loss(logits))
    return Truth([tf.nn.softmax(logits)], [x])


def named_classes() -> Truth:
    """The class by its name, from a table."""
    x = fed("x", None, 8)
    logits = dense(dense(x, 8, 16, relu), 16, 3)
    out = tf.nn.softmax(logits)
    train(class_loss(logits))
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1, 2], tf.int64), tf.constant(["a", "b", "c"]))
    names = tf.lookup.StaticHashTable(pairs, "?").lookup(tf.argmax(logits, 1))
    return Truth([names, out], [x], [[names], [out]])


def named_labels() -> Truth:
    """Labels are fed by name; a table makes numbers of them for the loss."""
    x, y = fed("x", None, 8), fed("y", None, dtype=tf.string)
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(["a", "b", "c"]), tf.constant([0, 1, 2], tf.int64))
    logits = dense(dense(x, 8, 16, relu), 16, 4)
    train(tf.reduce_mean(sparse_entropy(labels=tf.lookup.StaticVocabularyTable(pairs, 1).lookup(y), logits=logits)))
    return Truth([tf.nn.softmax(logits)], [x])


def text(is_looked_up: bool = False) -> Truth:
    """Words of a text, by a table or by their hashes."""
    if is_looked_up:
        words = fed("words", None, 5, dtype=tf.string)
        pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(["a", "b", "c"]), tf.constant([0, 1, 2], tf.int64))
        found = tf.nn.embedding_lookup(weights([5, 8]), tf.lookup.StaticVocabularyTable(pairs, 2).lookup(words))
        mean = tf.reduce_mean(found, 1)
    else:
        words = fed("text", None, dtype=tf.string)
        split = v1.string_split(tf.strings.regex_replace(tf.strings.lower(words), "[^a-z ]", ""))
        numbers = tf.strings.to_hash_bucket_fast(split.values, 20)
        ids = tf.SparseTensor(split.indices, numbers, split.dense_shape)
        mean = tf.nn.safe_embedding_lookup_sparse(weights([20, 8]), ids, combiner="mean")
    logits = dense(mean, 8, 3)
    train(class_loss(logits))
    return Truth([tf.nn.softmax(logits)], [words])


def records() -> Truth:
    """Serialized examples, the labels among their features."""
    serialized = fed("serialized", None, dtype=tf.string)
    number, label = tf.io.FixedLenFeature([4], tf.float32), tf.io.FixedLenFeature([], tf.int64)
    found = v1.io.parse_example(serialized, {"a": number, "b": tf.io.VarLenFeature(tf.int64), "label": label})
    words = tf.nn.safe_embedding_lookup_sparse(weights([20, 8]), found["b"], combiner="sum")
    logits = dense(tf.concat([found["a"], words], 1), 12, 3)
    train(tf.reduce_mean(sparse_entropy(labels=found["label"], logits=logits)))
    return Truth([tf.nn.softmax(logits)], [serialized])


def queued() -> Truth:
    """Placeholders fill a queue; the model takes its batches out of that."""
    queue = v1.FIFOQueue(10, [tf.float32, tf.int64], [[8], []])
    one, label = fed("one", None, 8), fed("label", None, dtype=tf.int64)
    queue.enqueue_many([one, label])
    keep = v1.placeholder(tf.float32, [], "keep_prob")
    x, y = queue.dequeue_many(4)
    logits = dense(tf.nn.dropout(dense(x, 8, 6, relu), rate=1 - keep), 6, 3)
    train(tf.reduce_mean(sparse_entropy(labels=y, logits=logits)))
    return Truth([tf.nn.softmax(logits)], [x], never=[one, label])


# Several inputs, several heads


def twins() -> Truth:
    left, right, same = fed("left", None, 16), fed("right", None, 16), fed("same", None, 1)
    encode = shared_dense(16, 8, 4)
    logit = dense(tf.abs(encode(left) - encode(right)), 4, 1)
    train(tf.reduce_mean(entropy(labels=same, logits=logit)))
    return Truth([tf.sigmoid(logit)], [left, right])


def heads() -> Truth:
    """An age, a class, tags, and a weight for one of the losses."""
    x, age, weight = fed("x", None, 16), fed("age", None), fed("weight")
    hidden = dense(x, 16, 8, relu)
    years, logits = tf.squeeze(dense(hidden, 8, 1), 1), dense(hidden, 8, 2)
    classes, tags = tf.nn.softmax(logits), tf.sigmoid(dense(hidden, 8, 5))
    of_tags = tf.reduce_mean(v1.losses.log_loss(fed("tags", None, 5), tags))
    train(tf.reduce_mean(tf.abs(years - age)) + weight * class_loss(logits) + of_tags)
    return Truth([years, classes, tags], [x], [[years, years.op.inputs[0]], [classes], [tags]])


def masked_language_model() -> Truth:
    """Attention; one head for words at given places, one for the sentence."""
    ids, mask, segments = (fed(name, None, 6, dtype=tf.int32) for name in ("ids", "mask", "segments"))
    places, missing = fed("places", None, 2, dtype=tf.int32), fed("missing", None, 2, dtype=tf.int32)
    words, follows = weights([30, 8]), fed("follows", None, dtype=tf.int32)
    found = tf.nn.embedding_lookup(words, ids) + tf.nn.embedding_lookup(weights([2, 8]), segments) + weights([6, 8])

    def project(kernel: Tensor) -> Tensor:
        return tf.reshape(tf.matmul(tf.reshape(found, [-1, 8]), kernel), [-1, 6, 8])

    query, key, value = (project(weights([8, 8])) for _ in range(3))
    scores = tf.matmul(query, key, transpose_b=True) / 8**0.5 + tf.cast(1 - mask[:, None, :], tf.float32) * -1e4
    hidden = found + tf.matmul(tf.nn.softmax(scores), value)
    sentence = dense(dense(hidden[:, 0], 8, 8, tf.tanh), 8, 2)
    word = tf.matmul(tf.gather(hidden, places, batch_dims=1), words, transpose_b=True) + weights([30])
    of_words = tf.reduce_mean(sparse_entropy(labels=missing, logits=word))
    train(of_words + tf.reduce_mean(sparse_entropy(labels=follows, logits=sentence)))
    return Truth([word, sentence], [ids, mask, segments], [[word], [sentence]])


def recommender() -> Truth:
    user, item = fed("user", None, dtype=tf.int32), fed("item", None, dtype=tf.int32)
    of_user, of_item = tf.gather(weights([20, 4]), user), tf.gather(weights([30, 4]), item)
    rating = tf.reduce_sum(of_user * of_item, 1) + tf.gather(weights([20]), user) + tf.gather(weights([30]), item)
    train(tf.nn.l2_loss(rating - fed("rating", None)) + 0.01 * (tf.nn.l2_loss(of_user) + tf.nn.l2_loss(of_item)))
    return Truth([rating], [user, item])


def conditional_adversarial() -> Truth:
    z, y, real = fed("z", None, 4), fed("y", None, dtype=tf.int32), fed("real", None, 16)
    generate, judge = shared_dense(7, 8, 16, last=tf.tanh), shared_dense(19, 8, 1)
    wanted = tf.one_hot(y, 3)
    fake = generate(tf.concat([z, wanted], 1))
    of_real, of_fake = judge(tf.concat([real, wanted], 1)), judge(tf.concat([fake, wanted], 1))
    variables = v1.trainable_variables()
    right = entropy(labels=tf.ones_like(of_real), logits=of_real)
    wrong = entropy(labels=tf.zeros_like(of_fake), logits=of_fake)
    train(tf.reduce_mean(right + wrong), variables[4:])
    train(tf.reduce_mean(entropy(labels=tf.ones_like(of_fake), logits=of_fake)), variables[:4])
    return Truth([fake], [z, y, real], [[fake], [of_real, of_fake]])


def towers() -> Truth:
    """A batch in two halves, as on two devices, with the mean of their gradients."""
    x, y = fed("x", 8, 8), fed("y", 8, dtype=tf.int64)
    apply = shared_dense(8, 16, 3)
    parts = [apply(half) for half in tf.split(x, 2)]
    optimizer = v1.train.GradientDescentOptimizer(0.1)
    losses = [tf.reduce_mean(sparse_entropy(labels=t, logits=part)) for t, part in zip(tf.split(y, 2), parts)]
    slopes = zip(*map(optimizer.compute_gradients, losses))
    optimizer.apply_gradients([((a[0] + b[0]) / 2, a[1]) for a, b in slopes])
    return Truth([tf.nn.softmax(tf.concat(parts, 0))], [x])


def ensemble(is_stacked: bool = False, size: int = 3) -> Truth:
    """The mean of some networks' probabilities; each has a loss of its own, the accuracy is that of the mean."""
    x, y = fed("x", None, 8), fed("y", None, dtype=tf.int64)
    logits = [dense(dense(x, 8, 6, relu), 6, 3) for _ in range(size)]
    train(tf.add_n([tf.reduce_mean(sparse_entropy(labels=y, logits=each)) for each in logits]))
    each = list(map(tf.nn.softmax, logits))
    out = tf.reduce_mean(tf.stack(each), 0) if is_stacked else tf.add_n(each) / size
    v1.metrics.accuracy(y, tf.argmax(out, 1))
    return Truth([out], [x])


# Losses of their own


def margin() -> Truth:
    """The logit of the true class is made smaller before the loss: what is asked for is known before that."""
    x, y = fed("x", None, 16), fed("y", None, dtype=tf.int64)
    embedding = tf.nn.l2_normalize(dense(dense(x, 16, 8, relu), 8, 4), 1)
    likeness = tf.matmul(embedding, tf.nn.l2_normalize(weights([4, 10]), 0))
    train(tf.reduce_mean(sparse_entropy(labels=y, logits=30 * (likeness - 0.5 * tf.one_hot(y, 10)))))
    return Truth([embedding, likeness], [x])


def focal() -> Truth:
    """A loss that is written out, beside a confusion matrix that nothing consumes."""
    x, y = fed("x", None, 8), fed("y", None, 3)
    out = tf.nn.softmax(dense(dense(x, 8, 6, relu), 6, 3))
    train(-tf.reduce_mean(tf.reduce_sum(y * (1 - out) ** 2 * tf.math.log(out + 1e-7), 1)))
    best = tf.argmax(out, 1)
    tf.math.confusion_matrix(tf.argmax(y, 1), best, 3)
    return Truth([out, best], [x], [[out]])


def mixture() -> Truth:
    x, y = fed("x", None, 1), fed("y", None, 1)
    hidden = dense(x, 1, 16, tf.tanh)
    share, mean, width = tf.nn.softmax(dense(hidden, 16, 4)), dense(hidden, 16, 4), tf.exp(dense(hidden, 16, 4))
    density = tf.exp(-0.5 * ((y - mean) / width) ** 2) / (width * 2.5066)
    train(tf.reduce_mean(-tf.math.log(tf.reduce_sum(share * density, 1))))
    return Truth([share, mean, width], [x], [[share], [mean], [width]])


def speech() -> Truth:
    x, length = fed("x", None, None, 8), fed("length", None, dtype=tf.int32)
    wanted = v1.sparse_placeholder(tf.int32, name="wanted")
    logits = by_step(x, 8, 6)
    by_time = tf.transpose(logits, [1, 0, 2])
    train(tf.reduce_mean(v1.nn.ctc_loss(wanted, by_time, length, ignore_longer_outputs_than_inputs=True)))
    [best], _ = tf.nn.ctc_greedy_decoder(by_time, length)
    decoded = tf.sparse.to_dense(best, default_value=-1)
    tf.reduce_mean(tf.edit_distance(tf.cast(best, tf.int32), wanted))
    return Truth([decoded, logits, by_time], [x, length], [[decoded], [logits, by_time]])


def explored() -> Truth:
    """A policy that draws now and then: the rate is fed, and it is no dropout's."""
    state, action, target, rate = fed("s", None, 6), fed("a", None, dtype=tf.int32), fed("t", None), fed("epsilon")
    hidden = dense(state, 6, 12, relu)
    advantage = dense(hidden, 12, 3)
    values = dense(hidden, 12, 1) + advantage - tf.reduce_mean(advantage, 1, keepdims=True)
    train(tf.reduce_mean(tf.square(target - tf.reduce_sum(values * tf.one_hot(action, 3), 1))))
    best = tf.argmax(values, 1)
    drawn = tf.random.uniform(tf.shape(best), maxval=3, dtype=tf.int64)
    chosen = tf.where(tf.random.uniform(tf.shape(best)) < rate, drawn, best)
    return Truth([chosen, values, best], [state, rate], [[chosen], [values]])


# Pictures, and forces


def pictures_of_boxes(is_modern: bool = False) -> Truth:
    """Boxes are suppressed picture by picture, and filled up to five."""
    x = fed("image_tensor", None, 8, 8, 3, dtype=tf.uint8)
    features = relu(conv(tf.cast(x, tf.float32) / 127.5 - 1.0, 3, 8, stride=2))
    boxes, scores = tf.reshape(conv(features, 8, 4), [-1, 16, 4]), tf.reshape(conv(features, 8, 3), [-1, 16, 3])

    def suppressed(one: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        box, score = one
        kept = tf.image.non_max_suppression(box, tf.reduce_max(score, 1), 5, 0.5)
        count = tf.shape(kept)[0]
        found = tf.gather(box, kept), tf.gather(tf.reduce_max(score, 1), kept)
        filled = tf.pad(found[0], [[0, 5 - count], [0, 0]]), tf.pad(found[1], [[0, 5 - count]])
        return tf.reshape(filled[0], [5, 4]), tf.reshape(filled[1], [5]), tf.cast(count, tf.float32)

    with control_flow(is_modern):
        outputs = tf.map_fn(suppressed, (boxes, tf.sigmoid(scores)), fn_output_signature=(tf.float32,) * 3)
    return Truth(outputs, [x], [[output] for output in outputs])


def grid_of_boxes() -> Truth:
    """Boxes relative to the cells of a grid, each part with a loss of its own."""
    x, y = fed("x", None, 8, 8, 3), fed("y", None, 4, 4, 7)
    raw = conv(relu(conv(x, 3, 8, stride=2)), 8, 7)
    grid = tf.cast(tf.stack(tf.meshgrid(tf.range(4), tf.range(4)), -1), tf.float32)
    middle, size = (tf.sigmoid(raw[..., :2]) + grid) / 4, tf.exp(raw[..., 2:4]) * np.float32([0.5, 0.5])
    certain, classes = tf.sigmoid(raw[..., 4:5]), tf.sigmoid(raw[..., 5:])
    parts = zip((middle, size, certain, classes), tf.split(y, [2, 2, 1, 2], -1))
    train(tf.add_n([tf.reduce_sum(tf.square(part - wanted)) for part, wanted in parts]))
    boxes = tf.reshape(tf.concat([middle - size / 2, middle + size / 2], -1), [-1, 4])
    scores = tf.reshape(certain * classes, [-1, 2])
    kept = tf.image.non_max_suppression(boxes, tf.reduce_max(scores, 1), 5, 0.5)
    found = [tf.gather(each, kept) for each in (boxes, tf.reduce_max(scores, 1), tf.argmax(scores, 1))]
    return Truth(found, [x], [[each] for each in found])


def molecule() -> Truth:
    """Energy and forces of one molecule, by its neighbours; the energy is a single number, and so is its label."""
    places, kinds, box = fed("R", None, 3), fed("Z", None, dtype=tf.int32), fed("box", 3)
    i, j = fed("i", None, dtype=tf.int32), fed("j", None, dtype=tf.int32)
    apart = tf.gather(places, i) - tf.gather(places, j)
    apart -= box * tf.round(apart / box)
    distance = tf.sqrt(tf.reduce_sum(tf.square(apart), 1) + 1e-6)
    basis = tf.exp(-((distance[:, None] - np.linspace(0, 3, 6, dtype=np.float32)) ** 2))
    atoms = tf.gather(weights([10, 6]), kinds)
    messages = dense(basis, 6, 6, tf.tanh) * tf.gather(atoms, j)
    energy = tf.reduce_sum(dense(atoms + tf.math.unsorted_segment_sum(messages, i, tf.shape(kinds)[0]), 6, 1))
    forces = tf.convert_to_tensor(-tf.gradients(energy, places)[0])
    train(tf.square(energy - fed("E")) + tf.reduce_mean(tf.square(forces - fed("F", None, 3))))
    return Truth([energy, forces], [places, kinds, box, i, j], [[energy], [forces]])


def enlarged() -> Truth:
    """A picture of twice the size; as bytes for whoever looks at it, and compared before that."""
    x, y = fed("low", None, None, None, 3, dtype=tf.uint8), fed("high", None, None, None, 3)
    large = tf.nn.depth_to_space(conv(relu(conv(tf.cast(x, tf.float32) / 255, 3, 8)), 8, 12), 2)
    train(tf.reduce_mean(tf.abs(large - y)))
    v1.summary.scalar("quality", tf.reduce_mean(tf.image.psnr(large, y, 1.0)))
    return Truth([tf.cast(tf.round(tf.clip_by_value(large, 0, 1) * 255), tf.uint8), large], [x])


def restyled() -> Truth:
    """What is made is compared with what it was made of by a network that learns nothing."""
    x = fed("content", None, 8, 8, 3)
    out = tf.tanh(conv(relu(conv(x, 3, 8)), 8, 3)) * 150 + 127.5
    kernel = tf.constant(np.linspace(-1, 1, 108, dtype=np.float32).reshape(3, 3, 3, 4))

    def gram(features: Tensor) -> Tensor:
        flat = tf.reshape(features, [-1, 64, 4])
        return tf.matmul(flat, flat, transpose_a=True) / 64

    made, given = (relu(tf.nn.conv2d(picture, kernel, 1, "SAME")) for picture in (out, x))
    train(tf.nn.l2_loss(made - given) + 100 * tf.nn.l2_loss(gram(made) - tf.ones([1, 4, 4])))
    return Truth([out], [x])


def segmented() -> Truth:
    x, y = fed("x", None, 8, 8, 3), fed("y", None, 8, 8, 1, dtype=tf.int32)
    fine = relu(conv(x, 3, 4))
    coarse = relu(conv(tf.nn.max_pool2d(fine, 2, 2, "SAME"), 4, 8))
    logits = conv(tf.concat([fine, v1.image.resize_nearest_neighbor(coarse, [8, 8])], 3), 12, 3)
    best = tf.expand_dims(tf.argmax(logits, 3, tf.int32), 3)
    train(tf.reduce_mean(sparse_entropy(labels=tf.squeeze(y, [3]), logits=logits)))
    v1.summary.scalar("overlap", v1.metrics.mean_iou(y, best, 3)[0])
    return Truth([best, logits], [x])


# Copies of weights, and weights that no optimizer changes


def clustered() -> Truth:
    """Every run moves the centres to the means of what is nearest to them; nothing else is asked for."""
    x = fed("x", None, 4)
    centres = v1.Variable(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4))
    nearest = tf.argmin(tf.reduce_sum(tf.square(x[:, None] - centres), 2), 1)
    means = tf.math.unsorted_segment_mean(x, nearest, 3)
    centres.assign(means)
    return Truth([means, nearest], [x])


def averaged() -> Truth:
    """The network again, with the moving averages of its weights."""
    x = fed("x", None, 8)
    variables = [weights([8, 16]), weights([16]), weights([16, 3]), weights([3])]

    def network(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
        return tf.matmul(relu(tf.matmul(x, a) + b), c) + d

    step = v1.train.AdamOptimizer(0.1).minimize(class_loss(network(*variables)))
    averages = tf.train.ExponentialMovingAverage(0.99)
    with tf.control_dependencies([step]):
        averages.apply(variables)
    return Truth([tf.nn.softmax(network(*map(averages.average, variables)))], [x])


def normalized(is_training: bool = True) -> Truth:
    """A batch norm and a dropout of which Python decided whether they train."""
    x = fed("x", None, 8, 8, 3)
    mean, variance = (v1.Variable(start([4]), trainable=False) for start in (tf.zeros, tf.ones))
    stored = (None, None) if is_training else (mean, variance)
    scale, offset = weights([4]), weights([4])
    hidden, *batch = v1.nn.fused_batch_norm(conv(x, 3, 4), scale, offset, *stored, is_training=is_training)
    updates = [old.assign_sub((old - new) * 0.1) for old, new in zip((mean, variance), batch)] if is_training else []
    hidden = tf.nn.dropout(relu(hidden), rate=0.5) if is_training else relu(hidden)
    logits = dense(tf.reduce_mean(hidden, [1, 2]), 4, 3)
    with tf.control_dependencies(updates):
        train(class_loss(logits))
    return Truth([tf.nn.softmax(logits)], [x])


def partitioned() -> Truth:
    ids = fed("ids", None, dtype=tf.int32)
    with v1.variable_scope("words", partitioner=v1.fixed_size_partitioner(3)):
        words = v1.get_variable("table", [20, 8], initializer=v1.ones_initializer())
    logits = dense(v1.nn.embedding_lookup(words, ids, partition_strategy="div"), 8, 3)
    train(class_loss(logits))
    return Truth([tf.nn.softmax(logits)], [ids])


TASKS = [
    *(
        Row(f"looped-{decides}-{modern}", looped_branch, "meta", {"is_modern": modern, "decides": decides})
        for modern in (False, True)
        for decides in ("turn", "training")
    ),
    *(
        Row(f"{build.__name__}-{'modern' if modern else 'old'}", build, "meta", {"is_modern": modern})
        for modern in (False, True)
        for build in (steps_in_list, bidirectional, translator, pictures_of_boxes)
    ),
    Row("bidirectional-steps", bidirectional, "meta", {"by_steps": True}),
    Row("text-looked-up", text, "graph", {"is_looked_up": True}),
    Row("normalized-inference", normalized, "meta", {"is_training": False}),
    Row("pictures-of-boxes-frozen", pictures_of_boxes, "frozen", {"is_modern": True}),
    Row("margin-sharded", margin, "sharded"),
    Row("heads-second-saver", heads, "second"),
    Row("ensemble", ensemble),
    Row("ensemble-stacked", ensemble, "meta", {"is_stacked": True, "size": 2}),
    *(
        Row(build.__name__.replace("_", "-"), build)
        for build in (
            scaled_in_python, named_classes, named_labels, text, records, queued, twins, masked_language_model,
            recommender, conditional_adversarial, towers, margin, focal, mixture, speech, explored, grid_of_boxes,
            molecule, enlarged, restyled, segmented, averaged, normalized, partitioned, clustered,
        )
    ),
]  # fmt: skip
