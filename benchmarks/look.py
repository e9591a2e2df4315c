"""How long it takes to look: ``python -m benchmarks.look``. Prints the tables of docs/benchmarks.md."""

from __future__ import annotations

from benchmarks.measure import Measured, graphscope, measure, python
from benchmarks.models import made

LOAD_WITH_TENSORFLOW = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
graph_def = tf.compat.v1.GraphDef.FromString(open(sys.argv[1], "rb").read())
with tf.Graph().as_default() as graph:
    tf.compat.v1.import_graph_def(graph_def, name="")
for operation in graph.get_operations():
    print(operation.name, operation.type, [t.shape for t in operation.outputs])
"""
LIST_WITH_TENSORFLOW = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
for name, shape in tf.train.list_variables(sys.argv[1]):
    print(name, shape)
"""


def row(name: str, ours: Measured, other: Measured | None = None) -> None:
    ratio = ours.against(other) if other else ""
    theirs = f"{other.seconds:.2f} s, {other.peak_mb:.0f} MB" if other else ""
    print(f"| {name} | {ours.seconds:.3f} s | {ours.peak_mb:.0f} MB | {theirs} | {ratio} |", flush=True)


def main() -> None:
    print("| what | time | peak memory | TensorFlow | TensorFlow needs |\n|---|---|---|---|---|")
    row("`python -c pass`", measure(python("pass")))
    row("`--help`", measure(graphscope("--help")))
    row("`info` of a small model", measure(graphscope("info", "fixtures/softmax/frozen.pb")))
    vgg = made("frozen_vgg16")
    tensorflow = measure(python(LOAD_WITH_TENSORFLOW, vgg), runs=1)
    for verb in ("nodes", "info", "vars"):
        row(f"`{verb}` of a frozen VGG-16, 553 MB", measure(graphscope(verb, vgg)), tensorflow)
    stats = measure(graphscope("vars", vgg, "--stats"), runs=3)
    row(f"`vars --stats` of it ({553 / stats.seconds:.0f} MB/s)", stats)
    wide = made("wide_graph")
    tensorflow = measure(python(LOAD_WITH_TENSORFLOW, wide), runs=1)
    row("`nodes` of 100,000 nodes", measure(graphscope("nodes", wide)), tensorflow)
    row("`info` of them", measure(graphscope("info", wide)), tensorflow)
    row("`nodes --tree` of them", measure(graphscope("nodes", wide, "--tree")))
    many = made("many_variables")
    row(
        "`vars` of 50,000 variables",
        measure(graphscope("vars", many)),
        measure(python(LIST_WITH_TENSORFLOW, many), runs=1),
    )
    more = made("more_variables")
    row("`show` of one of 200,000", measure(graphscope("show", more, "tower_0/layer_1000/unit_00/weights")))


if __name__ == "__main__":
    main()
