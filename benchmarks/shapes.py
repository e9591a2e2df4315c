"""How much shape inference knows without TensorFlow: ``python -m benchmarks.shapes PATH...``, of all models below.

Prints, for each model, the tensors of known rank, the share of them of which we know as much as TensorFlow, the tensors of
which we know more, contradictions, and the processor's time for a node; then the sums.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import graphscope
from graphscope.analysis.shapes import infer
from graphscope.errors import GraphscopeError
from tests.support.shape_oracle import Comparison, by_tensorflow, compare


def models(paths: list[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        files = path.rglob("*") if path.is_dir() else [path]
        yield from sorted(f for f in files if f.suffix in (".pb", ".meta", ".pbtxt") or "tfevents" in f.name)


def main() -> None:
    total, lacking = Comparison(), Counter[str]()
    for path in models(sys.argv[1:]):
        try:
            nodes = sum(len(body) for _, body in graphscope.load(path).graph.bodies)
            model, expected = by_tensorflow(path)
        except GraphscopeError:
            continue
        start = time.process_time()
        found = infer(model)
        seconds = time.process_time() - start
        result = compare(found, expected, model)
        lacking.update(found.without_rule)
        total.same += result.same
        total.more += result.more
        total.less.update({f"{path}:{name}": pair for name, pair in result.less.items()})
        total.contradictions.update({f"{path}:{name}": pair for name, pair in result.contradictions.items()})
        print(f"{show(result)}  {seconds / max(1, nodes) * 1e6:4.0f} us a node  {path}", flush=True)
    for title, tensors in (("less", total.less), ("contradiction", total.contradictions)):
        for name, (ours, theirs) in tensors.items():
            print(f"{title}: {name} {ours}, TensorFlow {theirs}")
    print(f"ops without a rule: {dict(lacking.most_common())}")
    print(f"all: {show(total)}")


def show(result: Comparison) -> str:
    known = f"{result.tensors:6,} tensors  {result.share:8.3%} as specific  {result.more:5,} more"
    return f"{known}  {len(result.contradictions)} contradictions"


if __name__ == "__main__":
    main()
