"""Freezing real models, ours beside TensorFlow's ``freeze_graph``: ``python -m benchmarks.freeze_models``.

Every trained model in ``fixtures/``, and every complete checkpoint of the zoo where that is there. Each tool runs as a whole
process; then one more process loads what both wrote into TensorFlow and compares it with the model. Models are opened in
processes of their own: a child's peak of memory counts from its parent's. Prints a table of docs/benchmarks.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import graphscope
from benchmarks.measure import Measured, once, python
from benchmarks.measure import graphscope as command
from benchmarks.models import WORK
from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.core.model import Model, ModelKind
from graphscope.errors import GraphscopeError
from graphscope.runtime.comparing.verify import verify
from tests.support.fixture_files import FIXTURES, committed_models
from tests.support.zoo_checkpoints import CHECKPOINTS
from tests.support.zoo_files import ZOO

FREEZE_GRAPH = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from tensorflow.python.tools.freeze_graph import freeze_graph
out, node, prefix, meta, saved = sys.argv[1:]
freeze_graph("", "", True, prefix, node, "", "", out, True, "", input_meta_graph=meta or None,
             input_saved_model_dir=saved or None)
"""
FORMS = ("meta_checkpoint", "saved_model")
EARLIER = ("5700", "5400")
"""Steps of a checkpoint that is frozen at a later one."""

TOOLS = ("ours", "theirs")


@dataclass(frozen=True)
class Case:
    """A model, what of it is frozen, and what it is fed when it is compared.

    Attributes:
        settings: placeholder -> value that is baked in by ours, and fed to TensorFlow's, which has no such option.
    """

    name: str
    path: Path
    model: Model
    output: str
    inputs: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    feeds: Mapping[str, Any] = field(default_factory=dict)


def cases() -> Iterator[Case]:
    for name, entry in committed_models().items():
        for form in entry["forms"]:
            if form["kind"] in FORMS and not form["path"].endswith(EARLIER):
                path = FIXTURES / name / form["path"]
                model = graphscope.load(path)
                settings = {k: v for k, v in entry["inference_feeds"].items() if k.partition(":")[0] in model.graph}
                yield Case(_label(name, model), path, model, entry["output"], settings=settings)
    for given in CHECKPOINTS if ZOO.is_dir() else ():
        model = graphscope.load(ZOO / given.path)
        output = given.output or choose_outputs(model).outputs[0]
        name = f"{given.path.split('/')[1].partition('+')[2]} {given.path.rpartition('/')[2]}"
        yield Case(_label(name, model), ZOO / given.path, model, output, given.inputs, feeds=given.feeds)


def _label(name: str, model: Model) -> str:
    form = (
        "SavedModel"
        if model.kind is ModelKind.SAVED_MODEL
        else model.store_version
        if model.store_version == "V1"
        else ""
    )
    return f"{name}, {form}" if form else name


def written(name: str, tool: str) -> Path:
    """The file that ``tool`` makes of the model ``name``."""
    return WORK / f"models.{tool}.{name.replace('/', '_')}.pb"


def ours(case: Case) -> list[str]:
    words = ["freeze", str(case.path), "-o", str(written(case.name, "ours")), "--output", case.output, "--force"]
    words += [word for name in case.inputs for word in ("--input", name)]
    words += [word for name, value in case.settings.items() for word in ("--set", f"{name}={json.dumps(value)}")]
    return command(*words)


def theirs(case: Case) -> list[str]:
    node, out = case.output.removesuffix(":0"), str(written(case.name, "theirs"))
    if case.model.kind is ModelKind.SAVED_MODEL:
        return python(FREEZE_GRAPH, out, node, "", "", str(case.path))
    meta = next(f.path for f in case.model.files if f.role == "graph")
    return python(FREEZE_GRAPH, out, node, _prefix(case.model), meta, "")


def _prefix(model: Model) -> str:
    """As a restore op of TensorFlow takes it: a V1 checkpoint in shards by its pattern."""
    data = next(f.path for f in model.files if f.role == "data")
    is_sharded = model.store_version == "V1" and "-of-" in data
    return f"{model.path}-?????-of-?????" if is_sharded else model.path


def plan() -> dict[str, dict[str, list[str]]]:
    """Model -> tool -> its command line."""
    return {case.name: {"ours": ours(case), "theirs": theirs(case)} for case in cases()}


def compared() -> dict[str, dict[str, str]]:
    """Model -> tool -> size, nodes and verdict of what it wrote, as cells of the table."""
    return {case.name: {tool: _verdict(case, tool) for tool in TOOLS} for case in cases()}


def _verdict(case: Case, tool: str) -> str:
    file = written(case.name, tool)
    if not file.exists():
        return ""
    result = graphscope.load(file)
    fixed, fed = (case.settings, {}) if tool == "ours" else ({}, case.settings)
    try:
        found = verify(case.model, result, [case.output], feeds=_arrays({**case.feeds, **fed}), fixed=_arrays(fixed))
        verdict = "equal" if found.is_equal else f"{found.outputs[0].difference.max_relative:.1g} off"
    except GraphscopeError as error:
        verdict = f"does not run: {error.message.partition(': ')[2]}"
    return f"{file.stat().st_size / 1000:,.1f} kB | {len(result.graph)} | {verdict}"


def _arrays(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(value) for name, value in values.items()}


def attempt(words: Sequence[str]) -> Measured | str:
    """What a run took, or the last line of what it said when it failed."""
    try:
        return once(words)
    except SystemExit as failed:
        return [line for line in str(failed).splitlines() if line.strip()][-1].strip()


def cells(outcome: Measured | str, verdict: str) -> str:
    if isinstance(outcome, str):
        return f"| | | | | fails: {outcome} "
    return f"| {outcome.seconds:.2f} s | {outcome.peak_mb:.0f} MB | {verdict} "


def in_child(task: str) -> Any:
    done = subprocess.run([sys.executable, "-m", __spec__.name, task], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure_all() -> None:
    WORK.mkdir(exist_ok=True)
    commands = in_child("plan")
    outcomes = {name: {tool: attempt(words[tool]) for tool in TOOLS} for name, words in commands.items()}
    verdicts = in_child("compared")
    print("| model | time | memory | file | nodes | result | `freeze_graph`: time | memory | file | nodes | result |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, outcome in outcomes.items():
        print(f"| {name} {''.join(cells(outcome[tool], verdicts[name][tool]) for tool in TOOLS)}|")
    for file in WORK.glob("models.*.pb"):
        file.unlink()


if __name__ == "__main__":
    task = {"plan": plan, "compared": compared}.get("".join(sys.argv[1:]))
    measure_all() if task is None else print(json.dumps(task()))
