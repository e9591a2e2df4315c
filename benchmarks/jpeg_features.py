"""Inception's features of 100 pictures, one JPEG at a time: ``python -m benchmarks.jpeg_features``.

Compares ``graphscope features`` with the loop of the transfer-learning tutorial, each a process of its own that starts
TensorFlow and writes an ``.npz``. Pictures are generated, caches are new in each run.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import Measured, graphscope, once, python

MODEL = Path(__file__).resolve().parents[1] / "fixtures" / "inception_like" / "classify_image_graph_def.pb"
PICTURES, CLASSES, RUNS = 100, 4, 5
SIZE = (480, 640)
AT, INPUT = "pool_3/_reshape", "DecodeJpeg/contents"

LOOP = """
import sys, glob
import numpy as np
import tensorflow as tf
v1 = tf.compat.v1
model, at, fed, data, out = sys.argv[1:]
graph = v1.GraphDef.FromString(open(model, "rb").read())
with v1.Graph().as_default(), v1.Session() as session:
    v1.import_graph_def(graph, name="")
    files = sorted(glob.glob(data + "/*/*.jpg"))
    rows = [session.run(at + ":0", {fed + ":0": open(file, "rb").read()})[0] for file in files]
np.savez(out, x=np.stack(rows))
"""


def make_pictures(directory: Path) -> None:
    """Smooth random pictures in class folders."""
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(PICTURES):
        path = directory / f"class_{number % CLASSES}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8))
        coarse.resize((SIZE[1], SIZE[0])).save(path, quality=90)


def features(data: Path, out: Path, cache: Path) -> Measured:
    words = (str(MODEL), "--at", AT, "--input", INPUT, "--data", str(data), "-o", str(out), "--cache", str(cache))
    return once(graphscope("features", *words))


def main() -> None:
    """Prints both medians, their ratio, and how far the features are apart."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        make_pictures(place / "data")
        ours, loops = [], []
        for run in range(RUNS):  # in turns, so that both meet the same machine
            loops.append(once(python(LOOP, str(MODEL), AT, INPUT, str(place / "data"), str(place / "loop.npz"))))
            ours.append(features(place / "data", place / f"features-{run}.npz", place / f"cache-{run}"))
        with np.load(place / "features-0.npz", allow_pickle=True) as one, np.load(place / "loop.npz") as other:
            difference = float(np.abs(one["x"] - other["x"]).max())
    print(f"{PICTURES} pictures of {SIZE[1]} x {SIZE[0]}")
    for what, attribute in (("wall time", "seconds"), ("processor time", "cpu_seconds")):
        loop, own = (statistics.median(getattr(m, attribute) for m in measured) for measured in (loops, ours))
        print(f"{what}: loop {loop:.2f} s, graphscope {own:.2f} s, {own / loop:.2f} x")
    print(f"peak memory: loop {max(m.peak_mb for m in loops):.0f} MB, graphscope {max(m.peak_mb for m in ours):.0f} MB")
    print(f"largest difference of a feature: {difference:.1e}")


if __name__ == "__main__":
    main()
