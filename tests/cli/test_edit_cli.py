"""``edit`` on the command line: steps in the order given, recipes, dry runs, verification."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import graphscope
from graphscope.cli.app import app
from tests.support.fixture_files import FIXTURES
from tests.support.running import tf

FROZEN = FIXTURES / "lenet5" / "frozen.pb"


def invoke(*words: object) -> Result:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def names(path: Path) -> list[str]:
    return graphscope.load(path).graph.names


def test_steps_of_different_kinds_are_made_in_the_order_given(tmp_path: Path) -> None:
    one, two = tmp_path / "one.pb", tmp_path / "two.pb"
    assert invoke("edit", FROZEN, one, "--rename", "^softmax$=a", "--prefix", "p", "--rename", "^p/a$=b").exit_code == 0
    assert invoke("edit", FROZEN, two, "--prefix", "p", "--rename", "^softmax$=a").exit_code == 1
    assert "b" in names(one)
    assert "p/conv1/relu" in names(one)
    assert not two.exists()


def test_a_recipe_says_the_same_as_options(tmp_path: Path) -> None:
    recipe = tmp_path / "steps.yaml"
    recipe.write_text("- rename: ^conv=net/conv\n- cleanup\n- batch: 4\n")
    given, told = tmp_path / "given.pb", tmp_path / "told.pb"
    assert invoke("edit", FROZEN, told, "--recipe", recipe).exit_code == 0
    assert invoke("edit", FROZEN, given, "--rename", "^conv=net/conv", "--cleanup", "--batch", "4").exit_code == 0
    assert given.read_bytes() == told.read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rename: a=b", "a recipe is a list of steps"),
        ("- [1, 2]", "step 1 is neither a word nor of the form KIND: TEXT"),
        ("- cleanup\n- paint: red", "step 2: there is no step 'paint'"),
        ("- rename: a", "step 1: 'a' is not of the form REGEX=NEW"),
        ("- {", "not a recipe"),
    ],
)
def test_recipes_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    recipe = tmp_path / "steps.yaml"
    recipe.write_text(text)
    result = invoke("edit", FROZEN, tmp_path / "out.pb", "--recipe", recipe)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out.pb").exists()


def test_a_dry_run_shows_the_difference_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("edit", FROZEN, "--remove", "pool1", "--dry-run")
    assert result.exit_code == 0
    assert "- pool1  MaxPool" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_verification_keeps_a_wrong_file_from_being_written(tmp_path: Path) -> None:
    assert tf is not None
    out = tmp_path / "out.pb"
    loose = ("--verify", "--atol", "1e-4", "--rtol", "1e-3")
    wrong = invoke("edit", FROZEN, out, "--insert", "Neg@fc3/bias_add", *loose)
    assert (wrong.exit_code, out.exists()) == (1, False)
    assert "the edited model computes different values" in wrong.stderr
    right = invoke("edit", FROZEN, out, "--prefix", "net", *loose, "--format", "json")
    assert right.exit_code == 0
    record = json.loads(right.stdout)
    assert record["verification"]["outputs"][0]["tensor"] == "net/softmax:0"
    assert record["renamed"]["input:0"] == "net/input:0"


def test_wrong_usage(tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    assert invoke("edit", FROZEN, out).exit_code == 2
    assert invoke("edit", FROZEN, "--cleanup").exit_code == 2
    assert invoke("edit", FROZEN, out, "--rewire", "softmax=x").exit_code == 2
    assert invoke("edit", FROZEN, tmp_path / "out.xyz", "--cleanup").exit_code == 2
    assert invoke("edit", FROZEN, out, "--cleanup").exit_code == 0
    taken = invoke("edit", FROZEN, out, "--cleanup")
    assert taken.exit_code == 1
    assert "--force" in taken.stderr
