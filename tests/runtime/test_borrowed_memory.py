"""Small files that ask TensorFlow's kernels for much: freezing them takes no more memory than any that needs its kernels."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import tf

pytestmark = pytest.mark.slow

raw = tf.raw_ops
WIDE = 1 << 15
ALLOWED_KB = 150 << 10
"""Four times what a value may take, and what TensorFlow takes for its first kernels."""


def halves(*shape: int) -> Any:
    return tf.fill(shape, 0.5)


def ctc_loss() -> Any:
    steps, labels = 20_000, 10_000
    return raw.CTCLoss(
        inputs=halves(steps, 1, 2),
        labels_indices=tf.stack([tf.zeros([labels], tf.int64), tf.range(labels, dtype=tf.int64)], 1),
        labels_values=tf.zeros([labels], tf.int32),
        sequence_length=[steps],
    ).loss


def conv_gradient(op: Any, **sizes: list[int]) -> Any:
    shapes = {"input": [1, 600, 600, 1], "filter": [300, 300, 1, 1], "out_backprop": [1, 301, 301, 1]}
    given = {name: halves(*shape) for name, shape in shapes.items() if f"{name}_sizes" not in sizes}
    return op(**given, **sizes, strides=[1, 1, 1, 1], padding="VALID")


BUILDS: dict[str, Callable[[], Any]] = {
    "fill": lambda: tf.fill([WIDE, WIDE], 1.0),
    "tile": lambda: tf.tile([[1.0]], [WIDE, WIDE]),
    "broadcast": lambda: tf.broadcast_to([[1.0]], [WIDE, WIDE]),
    "resize": lambda: raw.ResizeBilinear(images=halves(1, 1, 1, 1), size=[WIDE, WIDE]),
    "one hot": lambda: tf.one_hot([0, 1], 1 << 29),
    "sparse to dense": lambda: raw.SparseToDense(
        sparse_indices=[0], output_shape=[1 << 30], sparse_values=1.0, default_value=0.0
    ),
    "scatter": lambda: tf.scatter_nd([[0]], [1.0], [1 << 30]),
    "linspace": lambda: raw.LinSpace(start=0.0, stop=1.0, num=1 << 30),
    "range": lambda: tf.range(1 << 30),
    "diagonal": lambda: tf.linalg.diag(halves(WIDE)),
    "pad": lambda: tf.pad([[1.0]], [[0, WIDE], [0, WIDE]]),
    "where": lambda: tf.where(tf.fill([WIDE, WIDE], True)),
    "ragged range": lambda: raw.RaggedRange(starts=[0], limits=[1 << 30], deltas=[1]).rt_dense_values,
    "bins": lambda: raw.Bincount(arr=[0], size=1 << 30, weights=tf.zeros([0])),
    "a table of windows": lambda: raw.AudioSpectrogram(input=halves(4, 1), window_size=1 << 27, stride=1),
    "filter banks": lambda: raw.Mfcc(spectrogram=halves(1, 1, 1), sample_rate=16_000, filterbank_channel_count=1 << 27),
    "a square of the depth": lambda: raw.LRN(input=halves(1, 1, 1, 60_000), depth_radius=5),
    "paths of labels": ctc_loss,
    "patches of a gradient": lambda: conv_gradient(raw.Conv2DBackpropInput, input_sizes=[1, 600, 600, 1]),
    "patches of a filter": lambda: conv_gradient(raw.Conv2DBackpropFilter, filter_sizes=[300, 300, 1, 1]),
    "patches that are asked for": lambda: raw.ExtractImagePatches(
        images=halves(1, 1000, 1000, 1), ksizes=[1, 300, 300, 1], strides=[1] * 4, rates=[1] * 4, padding="VALID"
    ),
    "no rows of many columns": lambda: raw.MatMul(a=tf.zeros([0, 1]), b=halves(1, 1 << 20)),
    "wide borders": lambda: raw.Conv2D(
        input=halves(1, 4, 4, 1), filter=halves(2, 2, 1, 1), strides=[1, WIDE, WIDE, 1], padding="EXPLICIT",
        explicit_paddings=[0, 0, 1 << 16, 1 << 16, 1 << 16, 1 << 16, 0, 0],
    ),
    "sorted": lambda: raw.TopKV2(input=tf.range(1 << 20), k=5).indices,
    "unique": lambda: raw.Unique(x=tf.range(1 << 17)).y,
    "a chain": lambda: chain(20),
}  # fmt: skip


def chain(count: int) -> Any:
    value = halves(1 << 20)
    for _ in range(count):
        value = raw.Cumsum(x=value, axis=0)
    return value


FROZEN_ONE_BY_ONE = """
import json, resource, sys
import graphscope
peaks = {}
for path in sys.argv[1:]:
    graphscope.freeze(path, outputs="out")
    peaks[path] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps(peaks))
"""


def saved(name: str, build: Callable[[], Any], folder: Path) -> str:
    with tf.Graph().as_default() as graph:
        tf.identity(build(), name="out")
    path = folder / f"{name.replace(' ', '_')}.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return str(path)


def test_small_files_take_little_memory(tmp_path: Path) -> None:
    """One process freezes them all, so that TensorFlow starts once; each file adds little to what the first one took."""
    first = saved("first", lambda: tf.nn.softmax([[1.0, 2.0]]), tmp_path)
    files = [saved(name, build, tmp_path) for name, build in BUILDS.items()]
    assert max(Path(file).stat().st_size for file in files) < 10_000
    done = subprocess.run(
        [sys.executable, "-c", FROZEN_ONE_BY_ONE, first, *files], capture_output=True, text=True, check=True
    )
    peaks = json.loads(done.stdout.splitlines()[-1])
    before = peaks[first]
    for file in files:
        assert peaks[file] - before < ALLOWED_KB, file
        before = peaks[file]
