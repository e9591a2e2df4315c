"""Memory is bounded by the batch: of 70 MB more data, most never is in memory at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from graphscope.core.values.dtypes import DataType
from graphscope.formats.io.records import record
from graphscope.protos import Example
from graphscope.training.features.store import FeatureSpec, FeatureStore, Layout, rows_of, shard_path
from tests.support.data_files import idx_bytes, random
from tests.support.fixture_files import ROOT

pytestmark = pytest.mark.slow

ROW = 4096
FEW, MANY = 150, 4650

READ = """
import sys
import numpy as np
from graphscope.core.values.dtypes import DataType
from graphscope.core.tensors import TensorSpec
from graphscope.training.data import DataOptions, open_data
source = open_data(sys.argv[1], TensorSpec("x:0", DataType.FLOAT, (None, 4096)), DataOptions(schema=sys.argv[2]))
order = np.random.default_rng(0).permutation(len(source))
total = 0.0
for first in range(0, len(source), 32):
    total += float(source.read(order[first : first + 32]).sum())
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(len(source), peak.split()[1], total)
"""

READ_FEATURES = """
import sys
from pathlib import Path
import numpy as np
from graphscope.training.features.store import FeatureStore, read_layout
place = Path(sys.argv[1])
store = FeatureStore(place, read_layout(place))
order = np.random.default_rng(0).permutation(len(store))
for first in range(0, len(store), 32):
    store.read(order[first : first + 32])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(len(store), peak.split()[1])
"""

COMPUTE = """
import sys
from pathlib import Path
import graphscope
from graphscope.training.graft.base import open_base
from graphscope.training.data import DataOptions, open_data
from graphscope.training.features.export import feature_arrays
from graphscope.training.features.compute import cached_features, input_spec, kept_features
from graphscope.formats.archives.npz_writer import write_npz
model = graphscope.load(sys.argv[1])
base = open_base(model, ["out"])
source = open_data(sys.argv[2], input_spec(base), DataOptions())
store = cached_features(model, base, source, kept_features(base, source, Path(sys.argv[2] + ".features")))
write_npz(sys.argv[2] + ".out.npz", feature_arrays(store, source))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(store.computed, peak.split()[1])
"""

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="optional: no /proc tells a peak here")


def peak(script: str, cache: Path, *words: object) -> tuple[int, int]:
    """What the script read (examples), and the process's peak of memory in kB, nothing of this process included."""
    environment = {**os.environ, "GRAPHSCOPE_CACHE": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    count, size, *_ = done.stdout.split()
    return int(count), int(size)


def assert_bounded(few: tuple[int, int], many: tuple[int, int]) -> None:
    assert (few[0], many[0]) == (FEW, MANY)
    told = f"{few[1]:,} kB for {FEW} examples, {many[1]:,} kB for {MANY}"
    assert many[1] - few[1] < (MANY - FEW) * ROW * 4 / 1024 / 3, told  # the rest is the allocators' and the threads'


def npz(path: Path, count: int) -> Path:
    np.savez(path, x=random(count, ROW), y=np.arange(count) % 3)
    return path


def compressed(path: Path, count: int) -> Path:
    np.savez_compressed(path, x=np.tile(random(1, ROW), (count, 1)), y=np.arange(count) % 3)
    return path


def idx(path: Path, count: int) -> Path:
    path.mkdir()
    (path / "a-images-idx2-ubyte").write_bytes(idx_bytes(random(count, ROW).astype(">f4"), 13))
    (path / "a-labels-idx1-ubyte").write_bytes(idx_bytes((np.arange(count) % 3).astype(np.uint8)))
    return path


def examples(count: int) -> Iterable[bytes]:
    for number in range(count):
        example = Example()
        for key, field, value in (("x", "bytes_list", random(ROW, seed=number).tobytes()), ("y", "int64_list", 1)):
            entry = example.features.feature.add(key=key)
            getattr(entry.value, field).value.append(value)
        yield record(example.SerializeToString())


def records(path: Path, count: int) -> Path:
    with open(path, "wb") as file:
        file.writelines(examples(count))
    return path


@needs_proc
@pytest.mark.parametrize("write", [npz, compressed, idx, records])
def test_reading(tmp_path: Path, write: object) -> None:
    peaks = []
    for count in (FEW, MANY):
        data = write(tmp_path / f"{count}.npz", count)  # type: ignore[operator]
        peaks.append(peak(READ, tmp_path / "cache", data, "x=x,y=y"))
    assert_bounded(*peaks)


@needs_proc
def test_reading_features(tmp_path: Path) -> None:
    peaks = []
    for count in (FEW, MANY):
        layout = Layout.of([FeatureSpec("a", DataType.FLOAT, (ROW,))], count, 32)
        place = tmp_path / str(count)
        place.mkdir()
        (place / "manifest.json").write_text(layout.to_json())
        for shard in layout.shards():
            shard_path(place, shard.start).write_bytes(rows_of([random(len(shard), ROW)]))
        assert len(FeatureStore(place, layout)) == count
        peaks.append(peak(READ_FEATURES, tmp_path / "cache", place))
    assert_bounded(*peaks)


@needs_proc
def test_computing_and_writing_features(tmp_path: Path) -> None:
    from tests.support.running import tf

    with tf.Graph().as_default() as graph:
        tf.nn.relu(tf.compat.v1.placeholder(tf.float32, (None, ROW), name="x"), name="out")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    few, many = (
        peak(COMPUTE, tmp_path / "cache", tmp_path / "graph.pb", npz(tmp_path / f"{count}.npz", count))
        for count in (FEW, MANY)
    )
    assert_bounded(few, many)
