"""Likely outputs, measured against the truth that was read off the graphs by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphscope
from graphscope.analysis.ends.inputs import find_inputs
from graphscope.analysis.ends.outputs import rank_outputs
from tests.support.fixture_files import FIXTURES, committed_models
from tests.support.zoo_files import ZOO, ZOO2, needs_zoo, needs_zoo2, zoo_files

TRUTH: dict[str, dict[str, Any]] = json.loads((Path(__file__).parents[1] / "truth" / "outputs.json").read_text())


def place(name: str) -> Path:
    """The file, in the first zoo or the second."""
    return ZOO / name if (ZOO / name).exists() else ZOO2 / name


def ranked(path: Path) -> list[str]:
    return [candidate.tensor for candidate in rank_outputs(graphscope.load(path))]


@needs_zoo
@needs_zoo2
def test_true_output_first_in_19_of_20_and_in_the_first_three_in_all() -> None:
    places = {}
    for name, entry in TRUTH.items():
        found = ranked(place(name))
        places[name] = next((i for i, tensor in enumerate(found) if tensor in entry["primary"]), 10**6)
    later = {name: place for name, place in places.items() if place > 2}
    assert not later
    assert sum(place == 0 for place in places.values()) >= 0.95 * len(TRUTH)
    assert len(TRUTH) > 150


OP_TESTS = zoo_files("frozen_model.pb", below="op_tests")


@needs_zoo
def test_the_recorded_outputs_of_single_op_graphs_are_found() -> None:
    missed = []
    for path in OP_TESTS:
        recorded = {
            p.name.removesuffix(".prediction.csv").replace("____", "/") for p in path.parent.glob("*.prediction.csv")
        }
        nodes = {tensor.partition(":")[0] for tensor in ranked(path)[: max(3, len(recorded))]}
        if recorded and not recorded & nodes:
            missed.append(str(path.parent.relative_to(ZOO)))
    assert not missed
    assert len(OP_TESTS) > 200


def graph_files() -> list[tuple[str, Path]]:
    """Every committed file of a trained model that holds a graph."""
    return [
        (name, FIXTURES / file["path"])
        for name, entry in committed_models().items()
        for file in entry["files"]
        if Path(file["path"]).suffix in (".meta", ".pb", ".pbtxt")
    ]


@pytest.mark.parametrize(("name", "path"), graph_files(), ids=lambda x: x if isinstance(x, str) else x.name)
def test_fixture_output_first(name: str, path: Path) -> None:
    assert ranked(path)[0] == committed_models()[name]["output"]


def measured(path: Path, truth: Any) -> tuple[int, list[str]]:
    """The place of the first true output, and what is wrong beside that."""
    model = graphscope.load(path)
    found = ranked(path)
    inputs = {row.tensor for row in find_inputs(model)}
    wrong = [f"{t} is no input" for t in truth.inputs if t not in inputs]
    wrong += [f"{t} is an input" for t in inputs if t in truth.never or t.startswith(("save/", "Sicherung/"))]
    wrong += [f"none of {group} in the first five" for group in truth.each if not set(group) & set(found[:5])]
    return next((i for i, tensor in enumerate(found) if tensor in truth.first), 10**6), wrong


def test_outputs_and_inputs_of_graphs_that_are_built(tmp_path: Path) -> None:
    from tests.support.truth_graphs import GRAPHS, write
    from tests.support.truth_networks import NETWORKS
    from tests.support.truth_tasks import TASKS

    answers = {row.name: write(row, tmp_path) for row in [*GRAPHS, *TASKS, *NETWORKS]}
    results = {name: measured(answer.path, answer) for name, answer in answers.items()}
    assert not {name: wrong for name, (_, wrong) in results.items() if wrong}
    assert not {name: place for name, (place, _) in results.items() if place > 2}
    assert sum(place == 0 for place, _ in results.values()) >= 0.95 * len(results)
    assert len(results) > 160
