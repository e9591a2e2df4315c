"""What judging models takes: ``python -m benchmarks.judge [MODELSCAN]``. Prints the tables of docs/benchmarks.md.

Processor seconds, starts included: other work on the machine does not change them much.

Args:
    MODELSCAN: the program ``modelscan`` of an environment of its own; without it, its column is left out.
"""

from __future__ import annotations

import multiprocessing
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.measure import Measured, graphscope, measure
from benchmarks.models import WORK, made
from graphscope.core.changes.refill import refill
from graphscope.core.ops.effects import OP_EFFECTS
from graphscope.protos import GraphDef, NodeDef
from tests.support.dangerous import LEVELS, WRITERS, dangerous_graph

SCAN = ("saved_model_cli", "scan", "--dir")


def main() -> None:
    print("| what | processor | peak memory | beside | it takes of that |\n|---|---|---|---|---|")
    row("`audit` of a small model", judged("audit", "fixtures/softmax/frozen.pb"))
    wide = made("wide_graph")
    row("`diff` of two equal graphs of 100,000 nodes", judged("diff", wide, wide))
    for name in EDITS:
        row(f"the same, {name}", judged("diff", wide, edited(wide, name)))
    values = f"{made('vgg16_checkpoint')}.data-00000-of-00001"
    compared = measure(["cmp", values, values_of_copy()], runs=3)
    for depth in ("stat", "exact"):
        found = judged("diff", made("vgg16_checkpoint"), str(WORK / "copy.ckpt"), "--weights", depth)
        row(f"`diff --weights {depth}` of two checkpoints of 553 MB", found, compared, "`cmp`")
    both = (measure(graphscope("run", path, "--feed", "input=random")) for path in PAIR)
    row("`verify` of a checkpoint and its frozen graph", judged("verify", *PAIR), added(both), "`run` of both")
    print()
    scanners(sys.argv[1:])


PAIR = ("fixtures/softmax", "fixtures/softmax/frozen.pb")


def row(name: str, ours: Measured, other: Measured | None = None, label: str = "") -> None:
    beside = f"{label}: {other.cpu_seconds:.2f} s" if other else ""
    share = f"{ours.cpu_seconds / other.cpu_seconds:.2f} x" if other else ""
    print(f"| {name} | {ours.cpu_seconds:.2f} s | {ours.peak_mb:.0f} MB | {beside} | {share} |", flush=True)


def judged(*words: str) -> Measured:
    """A command whose exit code 1 says that something was found."""
    return measure(["sh", "-c", f"{shlex.join(graphscope(*words))} || [ $? = 1 ]"], runs=3)


def added(parts: Iterable[Measured]) -> Measured:
    """One after the other."""
    found = list(parts)
    return Measured(sum(p.seconds for p in found), max(p.peak_mb for p in found), sum(p.cpu_seconds for p in found))


def values_of_copy() -> str:
    """The values of a second checkpoint that equals the first."""
    source = made("vgg16_checkpoint")
    for suffix in (".index", ".meta", ".data-00000-of-00001"):
        if not (WORK / f"copy.ckpt{suffix}").exists():
            shutil.copy(source + suffix, WORK / f"copy.ckpt{suffix}")
    return str(WORK / "copy.ckpt.data-00000-of-00001")


def _one_op(nodes: list[NodeDef]) -> None:
    nodes[len(nodes) // 2].op = "Sub"


def _other_scope(nodes: list[NodeDef]) -> None:
    _rename(nodes, lambda name: f"net/{name}")


def _each_node(nodes: list[NodeDef]) -> None:
    _rename(nodes, lambda name: name.replace("add_", "sum"))


def _rename(nodes: list[NodeDef], named: Callable[[str], str]) -> None:
    for node in nodes:
        node.name = named(node.name)
        refill(node.input, [named(text) for text in node.input])


EDITS: dict[str, Callable[[list[NodeDef]], None]] = {
    "with another op": _one_op,
    "in another scope": _other_scope,
    "each node renamed": _each_node,
}


def edited(path: str, name: str) -> str:
    """A copy of the graph at ``path``, made by a process of its own: a child's peak of memory counts from its parent's."""
    target = str(WORK / f"wide {name}.pb")
    process = multiprocessing.get_context("spawn").Process(target=edit_file, args=(path, name, target))
    process.start()
    process.join()
    return target


def edit_file(path: str, name: str, target: str) -> None:
    graph = GraphDef.FromString(Path(path).read_bytes())
    EDITS[name](list(graph.node))
    Path(target).write_bytes(graph.SerializeToString())


def scanners(modelscan: list[str]) -> None:
    """How many of the dangerous ops each program names, in every format and at every place."""
    programs: dict[str, Callable[[Path], str]] = {
        "graphscope": lambda path: said(*graphscope("audit", str(path), "--show", "info", "--format", "json")),
        "saved_model_cli scan": lambda path: said(*SCAN, str(path)),
    }
    if modelscan:
        programs["modelscan"] = lambda path: said(*modelscan, "-p", str(path), "-r", "json")
    print(f"| ops found, of {len(OP_EFFECTS)} | {' | '.join(programs)} |\n|---|{'---|' * len(programs)}")
    for format, write in WRITERS.items():
        for level in LEVELS:
            with tempfile.TemporaryDirectory() as directory:
                path = write(dangerous_graph(level), Path(directory))
                counts = [str(len(named(program(path)))) for program in programs.values()]
            print(f"| {format}, {level} | {' | '.join(counts)} |", flush=True)


def said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def named(text: str) -> set[str]:
    """The dangerous ops whose names stand in a report."""
    return set(re.findall(r"\w+", text)) & OP_EFFECTS.keys()


if __name__ == "__main__":
    main()
