"""Freezing and converting beside ``cp`` and ``freeze_graph``: ``python -m benchmarks.freeze``.

Prints a table of docs/benchmarks.md.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.measure import Measured, graphscope, measure, python
from benchmarks.models import WORK, made

FREEZE_GRAPH = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from tensorflow.python.tools.freeze_graph import freeze_graph
prefix, out, node = sys.argv[1:]
freeze_graph("", "", True, prefix, node, "save/restore_all", "save/Const:0", out, True, "", input_meta_graph=prefix + ".meta")
"""


def row(what: str, ours: Measured, base: Measured, other: Measured | None = None) -> None:
    against = f"{other.seconds / ours.seconds:.0f} x, {other.peak_mb / ours.peak_mb:.0f} x" if other else ""
    theirs = f"{other.seconds:.1f} s, {other.peak_mb:.0f} MB" if other else ""
    factor = f"{ours.seconds / base.seconds:.1f} x"
    print(
        f"| {what} | {ours.seconds:.2f} s | {ours.peak_mb:.0f} MB | {factor} | {theirs} | {against} |",
        flush=True,
    )


def main() -> None:
    prefix = made("vgg16_checkpoint")
    out = WORK / "out"
    data = prefix + ".data-00000-of-00001"
    base = measure(["sh", "-c", f"cp {data} {out}.copy && sync {out}.copy"])
    print("| VGG-16, 553 MB | time | peak memory | of `cp` and `sync` | `freeze_graph` | it needs (time, memory) |")
    print("|---|---|---|---|---|---|")
    print(f"| `cp` of the data file, then `sync` | {base.seconds:.2f} s | {base.peak_mb:.0f} MB | 1 x | | |")
    other = measure(python(FREEZE_GRAPH, prefix, f"{out}.tf.pb", "prob"), runs=1)
    row(
        "`freeze`", measure(graphscope("freeze", prefix, "-o", f"{out}.pb", "--output", "prob", "--force")), base, other
    )
    saved = f"{out}.saved/"
    row("`convert` to a SavedModel", measure(graphscope("convert", prefix, saved, "--output", "prob", "--force")), base)
    row("`convert` to safetensors", measure(graphscope("convert", prefix, f"{out}.safetensors", "--force")), base)
    for path in Path(WORK).glob("out.*"):
        if path.is_file():
            path.unlink()


if __name__ == "__main__":
    main()
