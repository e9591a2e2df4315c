"""What tracing costs and what is shown: ``python -m benchmarks.profile``. Prints a table of docs/benchmarks.md."""

from __future__ import annotations

import json
from pathlib import Path

import graphscope
from graphscope.runtime.config import SessionOptions
from graphscope.runtime.profile import trace
from graphscope.tracing.profile import report
from graphscope.tracing.report import Profile
from graphscope.tracing.step_stats import board_steps
from graphscope.tracing.trace import Trace

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
BATCH = 100
RUNS = (
    *(("lenet5", "softmax"), ("lenet5", "train/Adam"), ("convnet_slim", "prediction"), ("rnn", "probs")),
    *(("batchnorm", "predictions"), ("towers", "prediction"), ("towers", "train"), ("softmax", "inference/prediction")),
)


def shown(found: Trace) -> float:
    """The share of the traced time that is on nodes that TensorBoard draws."""
    stats = [s for _, step in board_steps(found) for d in step.step_stats.dev_stats for s in d.node_stats]
    whole = sum(e.wall_ns for step in found.steps for e in step.executions)
    return sum(s.all_end_rel_nanos for s in stats) / whole


def row(name: str, output: str, found: Trace) -> str:
    told: Profile = report(found)
    assert told.untraced is not None
    assert told.traced is not None
    walls = f"{told.untraced.wall_us / 1000:.2f} ms | {told.traced.wall_us / 1000:.2f} ms | {told.overhead:+.0%}"
    span = f"{told.span.wall_us / 1000:.2f} ms | {told.critical.wall_us / 1000:.2f} ms"
    return f"| `{name}` {output} | {walls} | {span} | {shown(found):.2%} |"


def main() -> None:
    cpus = {n: e["cpus"] for n, e in json.loads((FIXTURES / "MANIFEST.json").read_text())["models"].items()}
    print(
        f"| batch of {BATCH} | untraced | traced | tracing | first op to last | critical path | shown in TensorBoard |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, output in RUNS:
        options = SessionOptions(devices={"CPU": cpus[name]})
        found = trace(graphscope.load(FIXTURES / name), [output], steps=30, warmup=5, batch=BATCH, options=options)
        print(row(name, output, found), flush=True)


if __name__ == "__main__":
    main()
