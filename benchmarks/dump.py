"""Dumping beside TensorFlow's own way: ``python -m benchmarks.dump``. Prints a table of docs/benchmarks.md."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from benchmarks.measure import Measured, graphscope, measure, python
from benchmarks.models import WORK, made

FILE_WRITER = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
v1 = tf.compat.v1
prefix, logdir, histograms = sys.argv[1:]
with tf.Graph().as_default() as graph:
    saver = v1.train.import_meta_graph(prefix + ".meta")
    writer = v1.summary.FileWriter(logdir, graph)
    writer.add_meta_graph(v1.train.export_meta_graph())
    if histograms == "histograms":
        merged = v1.summary.merge([v1.summary.histogram(v.op.name, v) for v in v1.trainable_variables()])
        with v1.Session() as session:
            saver.restore(session, prefix)
            writer.add_summary(session.run(merged), 0)
    writer.close()
"""
GRAPH_WRITER = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
v1 = tf.compat.v1
path, logdir, _ = sys.argv[1:]
graph_def = v1.GraphDef.FromString(open(path, "rb").read())
with tf.Graph().as_default() as graph:
    v1.import_graph_def(graph_def, name="")
    v1.summary.FileWriter(logdir, graph).close()
"""
HEADING = """\
| what | time | peak memory | event file | `FileWriter` | its event file | it needs (time, memory) |
|---|---|---|---|---|---|---|"""


def row(what: str, model: str, code: str, *options: str) -> None:
    ours, size = _run(lambda logdir: graphscope("dump", model, logdir, *options), 5)
    theirs, other = _run(lambda logdir: python(code, model, logdir, "histograms" if options else "graph"), 1)
    print(
        f"| {what} | {ours.seconds:.2f} s | {ours.peak_mb:.0f} MB | {_text(size)} | {theirs.seconds:.1f} s,"
        f" {theirs.peak_mb:.0f} MB | {_text(other)} | {theirs.seconds / ours.seconds:.0f} x,"
        f" {theirs.peak_mb / ours.peak_mb:.0f} x |",
        flush=True,
    )


def _run(command: Callable[[str], list[str]], runs: int) -> tuple[Measured, int]:
    """What it took, and the size of the last event file in bytes."""
    logdir = WORK / "logs"
    shutil.rmtree(logdir, ignore_errors=True)
    measured = measure(command(str(logdir)), runs=runs)
    files = sorted(logdir.rglob("*tfevents*"), key=lambda path: path.stat().st_mtime)
    size = files[-1].stat().st_size
    shutil.rmtree(logdir)
    return measured, size


def _text(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def main() -> None:
    checkpoint, frozen, wide = made("vgg16_checkpoint"), made("frozen_vgg16"), made("wide_graph")
    print(HEADING)
    row("VGG-16 checkpoint, 553 MB", checkpoint, FILE_WRITER)
    row("with `--histograms`", checkpoint, FILE_WRITER, "--histograms")
    row("frozen VGG-16, 553 MB", frozen, GRAPH_WRITER)
    row("graph of 100,000 nodes", wide, GRAPH_WRITER)


if __name__ == "__main__":
    main()
