"""A new head on a trained base: ``python -m benchmarks.tune``. Prints the tables of docs/benchmarks.md.

What trains is a process of its own. Data and caches are made anew in a temporary directory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Measured, graphscope, once
from benchmarks.transfer import mnist_directory, transferred

EPOCHS = 20
PICTURES = 96
SIDE = 224
VGG_BLOCKS = (("conv1_1", 3, 64), ("conv1_2", 64, 64), ("pool1", 0, 0), ("conv2_1", 64, 128), ("conv2_2", 128, 128))


def tune(prefix: Path, data: Path, out: str, *more: str) -> Measured:
    options = (
        "--data",
        str(data),
        "--validation",
        "0",
        "-o",
        f"{prefix.parent / out}/",
        "--cache",
        str(prefix.parent / out),
    )
    return once(graphscope("tune", str(prefix), *options, *more))


def losses(directory: Path) -> list[float]:
    """The training losses of all epochs of a training."""
    [state] = directory.glob("*.tune.json")
    return [epoch["loss"] for epoch in json.loads(state.read_text())["epochs"]]


def in_process(function: str, *arguments: str) -> None:
    """Runs a function of this module in a process of its own: the one that measures stays small."""
    code = f"import sys; from benchmarks.tune import {function}; {function}(*sys.argv[1:])"
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)


def make_vgg_blocks(prefix: str) -> None:
    """VGG's first two blocks with random weights, their mean over all pixels, a small head, and pictures for it."""
    import graphscope as library
    from graphscope.runtime.tensorflow import tensorflow

    tf = tensorflow()
    v1: Any = tf.compat.v1
    rng = np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        x = v1.placeholder("float32", [None, SIDE, SIDE, 3], name="input")
        for name, channels, width in (*VGG_BLOCKS, ("pool2", 0, 0)):
            if not channels:
                x = v1.nn.max_pool(x, 2, 2, "SAME", name=name)
            else:
                scale = np.float32(np.sqrt(2 / (9 * channels)))
                kernel = rng.standard_normal((3, 3, channels, width), np.float32) * scale
                x = v1.nn.relu(v1.nn.conv2d(x, kernel, 1, "SAME"), name=name)
        tf.reduce_mean(x, [1, 2], name="bottleneck")
    base = Path(prefix).with_name("vgg.pb")
    base.write_bytes(graph.as_graph_def().SerializeToString())
    library.graft(base, at="bottleneck", head="dense:64:relu,dense:10", classes=10, out=prefix)
    x = rng.standard_normal((PICTURES, SIDE, SIDE, 3), np.float32)
    np.savez(Path(prefix).with_name("pictures.npz"), x=x, y=np.arange(PICTURES) % 10)


def make_digits(prefix: str) -> None:
    """A head on a small base, and two sets of examples, one ten times the other."""
    import graphscope as library

    library.graft("fixtures/lenet5_0to4", at="pool2", head="flatten,dense:32:relu,dense:5", classes=5, out=prefix)
    rng = np.random.default_rng(0)
    for count in (SMALL, 10 * SMALL):
        x = rng.integers(0, 256, (count, 784), np.uint8)
        np.savez(Path(prefix).with_name(f"{count}.npz"), x=x, y=rng.integers(0, 5, count))


SMALL = 20000


def speed(place: Path) -> None:
    prefix = place / "vgg.ckpt"
    in_process("make_vgg_blocks", str(prefix))
    options = ("--epochs", str(EPOCHS), "--batch", "8")
    cached = tune(prefix, place / "pictures.npz", "cached", *options)
    whole = tune(prefix, place / "pictures.npz", "whole", *options, "--no-cache")
    difference = np.abs(np.subtract(losses(place / "cached"), losses(place / "whole"))).max()
    print(
        f"| {EPOCHS} epochs of {PICTURES} pictures {SIDE}x{SIDE} | time | of all processors | peak memory |\n|---|---|---|---|"
    )
    for name, found in (
        ("the base runs in each step (`--no-cache`)", whole),
        ("the base is computed once for each", cached),
    ):
        print(f"| {name} | {found.seconds:.1f} s | {found.cpu_seconds:.1f} s | {found.peak_mb:.0f} MB |")
    ratios = whole.seconds / cached.seconds, whole.cpu_seconds / cached.cpu_seconds
    print(
        f"\n{ratios[0]:.1f} x time, {ratios[1]:.1f} x of all processors; the losses differ by {difference:.1e} at most\n"
    )


def memory(place: Path) -> None:
    prefix = place / "digits.ckpt"
    in_process("make_digits", str(prefix))
    print("| examples | data | peak memory, cached | with `--no-cache` |\n|---|---|---|---|")
    found = {}
    for count in (SMALL, 10 * SMALL):
        data = place / f"{count}.npz"
        options = ("--epochs", "1", "--batch", "64")
        cached = tune(prefix, data, f"cached{count}", *options)
        whole = tune(prefix, data, f"whole{count}", *options, "--no-cache")
        found[count] = (cached.peak_mb, whole.peak_mb)
        size = f"{data.stat().st_size / 1e6:.0f} MB"
        print(f"| {count:,} | {size} | {cached.peak_mb:.0f} MB | {whole.peak_mb:.0f} MB |", flush=True)
    growth = [large / small - 1 for small, large in zip(found[SMALL], found[10 * SMALL])]
    print(f"\nten times the data adds {growth[0]:.1%} and {growth[1]:.1%}\n", flush=True)


def accuracy(place: Path) -> None:
    mnist = mnist_directory()
    if mnist is None:
        print("MNIST is in none of its usual places: no accuracies")
        return
    print("| digits 5 to 9 from 100 examples of each | accuracy on the 4,861 test digits |\n|---|---|")
    for name, metric in transferred(place, mnist):
        print(f"| {name} | {metric:.2%} |".replace("%", " %"), flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="graphscope-tune-") as place:
        for part in (speed, memory, accuracy):
            part(Path(place))


if __name__ == "__main__":
    main()
