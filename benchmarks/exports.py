"""Exports beside tf2onnx: which models each converts, in which time and memory, and how far the results differ.

``python -m benchmarks.exports [MODEL...]``, by default the fixtures. Each conversion is a process of its own; what it wrote
runs in its own runtime, beside what TensorFlow computes of one random batch. Prints the table of docs/benchmarks.md, and a line
for each conversion on stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Measured, once, python
from benchmarks.measure import graphscope as command

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EQUAL = 1e-4
"""So far a result may be away, relative to the largest number that TensorFlow computes."""

FIXTURES = Path(__file__).parents[1] / "fixtures"

PREPARE = """
import sys, json, numpy as np, graphscope
from pathlib import Path
from benchmarks.coverage import expected, outputs_of
from graphscope.core.tensors import TensorName
model, folder = graphscope.load(sys.argv[1]), Path(sys.argv[2])
frozen = graphscope.freeze(model, outputs=[str(TensorName.parse(name)) for name in outputs_of(model)])
frozen = graphscope.freeze(model, outputs=frozen.outputs, set=frozen.open_switches)
frozen.save(folder / "frozen.pb")
for batch in (1, 5, 32):
    try:
        feeds, wanted = expected(frozen.result.graph, Path(sys.argv[1]), frozen.outputs, batch)
        break
    except Exception as error:
        last = error
else:
    sys.exit(f"TensorFlow does not run it: {last}")
np.savez(folder / "feeds.npz", **feeds)
np.savez(folder / "wanted.npz", **dict(zip(frozen.outputs, wanted)))
json.dump(frozen.outputs, open(folder / "outputs.json", "w"))
"""

COMPARE = """
import sys, json, numpy as np, graphscope
from pathlib import Path
from graphscope.export.target import ExportOptions
from graphscope.runtime.engines.table import ENGINES
from graphscope.runtime.tflite import target
folder, path, engine = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
outputs = json.load(open(folder / "outputs.json"))
feeds, wanted = dict(np.load(folder / "feeds.npz")), np.load(folder / "wanted.npz")
names = {}
if engine == "litert":
    names = target.convert(graphscope.load(folder / "frozen.pb").graph, outputs, ExportOptions(), path).tensors
found = ENGINES[engine].of_export(path, names).run(outputs, feeds)
apart = 0.0
for name, value in zip(outputs, found):
    right = wanted[name]
    if right.shape != value.shape:
        sys.exit(f"{name} is {value.shape}, not {right.shape}")
    if right.size:
        a, b = (np.asarray(x, np.float64) for x in (right, value))
        apart = max(apart, float(np.nanmax(np.abs(a - b)) / max(1.0, np.nanmax(np.abs(a)))))
print(apart)
"""

BY_TF2ONNX = """
import sys, tensorflow as tf, tf2onnx
graph = tf.compat.v1.GraphDef.FromString(open(sys.argv[1], "rb").read())
inputs = [f"{n.name}:0" for n in graph.node if n.op.startswith("Placeholder")]
tf2onnx.convert.from_graph_def(
    graph, input_names=inputs, output_names=sys.argv[3].split(","), opset=18, output_path=sys.argv[2]
)
"""


@dataclass(frozen=True)
class Exporter:
    """One way to convert.

    Attributes:
        suffix: of what it writes.
        engine: what runs that.
        command: of a frozen graph, a path and outputs.
    """

    suffix: str
    engine: str
    command: Callable[[str, str, Sequence[str]], list[str]]


def _ours(frozen: str, path: str, outputs: Sequence[str]) -> list[str]:
    return command("convert", frozen, path, *(word for name in outputs for word in ("--output", name)))


def _tf2onnx(frozen: str, path: str, outputs: Sequence[str]) -> list[str]:
    return python(BY_TF2ONNX, frozen, path, ",".join(outputs))


EXPORTERS = {
    "ONNX": Exporter(".onnx", "onnxruntime", _ours),
    "ONNX by tf2onnx": Exporter(".onnx", "onnxruntime", _tf2onnx),
    "OpenVINO IR": Exporter(".xml", "openvino", _ours),
    "TensorFlow Lite": Exporter(".tflite", "litert", _ours),
}


@dataclass(frozen=True)
class Result:
    """What became of one model: what the conversion took, how far the result is away, or why there is none."""

    measured: Measured | None = None
    difference: float = 0.0
    reason: str = ""

    @property
    def is_equal(self) -> bool:
        return not self.reason and self.difference <= EQUAL


def converted(exporter: Exporter, folder: Path) -> Result:
    """The frozen graph of ``folder``, converted and compared."""
    outputs = json.loads((folder / "outputs.json").read_text())
    path = folder / f"{exporter.engine}-{exporter.command.__name__}{exporter.suffix}"
    try:
        measured = once(exporter.command(str(folder / "frozen.pb"), str(path), outputs))
    except SystemExit as failed:
        return Result(reason=f"not converted: {_summary(str(failed.code))}")
    compared = subprocess.run(python(COMPARE, str(folder), str(path), exporter.engine), capture_output=True, text=True)
    if compared.returncode:
        return Result(measured, reason=f"does not run: {_summary(compared.stderr)}")
    return Result(measured, float(compared.stdout.split()[-1]))


def _summary(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or ["nothing said"])[-1][:200]


def prepared(model: Path) -> Iterator[tuple[Path, str]]:
    """A folder with the frozen graph, a random batch and what TensorFlow computes of it; or why there is none."""
    with tempfile.TemporaryDirectory(prefix="graphscope-") as folder:
        done = subprocess.run(python(PREPARE, str(model), folder), capture_output=True, text=True)
        yield Path(folder), _summary(done.stderr) if done.returncode else ""


def row(name: str, results: Sequence[Result]) -> str:
    measured = [r.measured for r in results if r.measured is not None]
    equal = [r for r in results if r.is_equal]
    seconds = f"{statistics.median(m.cpu_seconds for m in measured):.2f} s" if measured else ""
    memory = f"{statistics.median(m.peak_mb for m in measured):,.0f} MB" if measured else ""
    apart = f"{max(r.difference for r in equal):.1e}" if equal else ""
    return f"| {name} | {len(equal)} of {len(results)} | {seconds} | {memory} | {apart} |"


def models() -> list[Path]:
    return sorted({p.parent for p in FIXTURES.glob("*/*.index")} | {p.parent for p in FIXTURES.glob("*/*.meta")})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=Path, nargs="*")
    results: dict[str, list[Result]] = {name: [] for name in EXPORTERS}
    for model in parser.parse_args().models or models():
        for folder, reason in prepared(model):
            if reason:
                print(f"{model}: left out, {reason}", file=sys.stderr, flush=True)
                continue
            for name, exporter in EXPORTERS.items():
                result = converted(exporter, folder)
                results[name].append(result)
                what = result.reason or f"{result.difference:.1e}"
                print(f"{model.name:24} {name:16} {what}", file=sys.stderr, flush=True)
    print("| to | equal | processor time | peak memory | largest difference |\n|---|---|---|---|---|")
    for name, found in results.items():
        print(row(name, found))


if __name__ == "__main__":
    main()
