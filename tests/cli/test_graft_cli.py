"""``graphscope graft`` as a person meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import graphscope
from graphscope.cli.app import app
from graphscope.training.recipe import recipe_of
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.running import tf

pytestmark = pytest.mark.tensorflow

assert tf

LENET = FIXTURES / "lenet5_0to4"
SUFFIXES = (".data-00000-of-00001", ".index", ".meta")


def graft(*words: object) -> Result:
    return CliRunner().invoke(app, ["graft", *map(str, words)])


def test_what_it_says_and_writes(tmp_path: Path) -> None:
    out = tmp_path / "five" / "model.ckpt"
    options = ("--optimizer", "momentum", "--decay", "step:100:0.5", "--l2", "0.01", "--seed", "7")
    done = graft(
        LENET, "-o", out, "--at", "fc2/relu", "--head", "dense:32:relu,dropout:0.5,dense:5", "--classes", 5, *options
    )
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:10] == [
        f"base {LENET}/model.ckpt-2400",
        "366 nodes -> 35, " + lines[1].split(", ")[1],
        "inputs input:0 float32 (?, 784)",
        "cut fc2/relu:0 float32 (?, 84) gradients stop here",
        "head dense:32:relu (?, 84) -> (?, 32)",
        "dropout:0.5 (?, 32) -> (?, 32)",
        "dense:5 (?, 32) -> (?, 5)",
        "head/logits:0 float32 (?, 5)",
        "trains 2,885 parameters in 4 variables; 60,856 in 8 are frozen",
        "loss softmax cross entropy of 5 classes, momentum 0.01, decay step:100:0.5,",
    ]
    assert lines[10] == "l2 0.01"
    assert lines[11].startswith(f"{out} ")
    assert f"graphscope tune {out} --data DATA" in done.stdout
    assert {path.name for path in out.parent.iterdir()} == {"checkpoint", *(f"{out.name}{s}" for s in SUFFIXES)}
    recipe = recipe_of(graphscope.load(out.parent))
    assert (recipe.task, recipe.classes) == ("classes", 5)
    assert recipe.settings["optimizer"] == "momentum"
    assert recipe.settings["seed"] == "7"


def test_what_was_not_asked_for_is_noted(tmp_path: Path) -> None:
    done = graft(FIXTURES / "batchnorm", "-o", tmp_path / "a", "--at", "dense/Relu", "--head", "relu", "--classes", 4)
    assert done.exit_code == 0, done.output
    assert "note: is_training fixed to false" in done.stderr
    assert "note: dense:4 added" in done.stderr
    chosen = ("--set", "is_training=false", "--unfreeze", "dense")
    done = graft(
        FIXTURES / "batchnorm", "-o", tmp_path / "b", "--at", "dense/Relu", "--head", "dense:4", "--classes", 4, *chosen
    )
    assert done.stderr == ""
    assert "gradients pass" in done.stdout


@pytest.mark.parametrize(("option", "task"), [(["--regression"], "regression"), (["--multilabel", 2], "multilabel")])
def test_tasks(option: list[object], task: str, tmp_path: Path) -> None:
    done = graft(LENET, "-o", tmp_path / "a", "--at", "fc2/relu", "--head", "dense:2", *option)
    assert done.exit_code == 0, done.output
    assert recipe_of(graphscope.load(tmp_path / "a")).task == task


def test_two_models(tmp_path: Path) -> None:
    other = ("--head-model", FIXTURES / "batchnorm", "--head-output", "predictions", "--prefix", "reader")
    done = graft(
        FIXTURES / "mlp", "-o", tmp_path / "a", "--bind", "input=input", *other, "--set", "reader/is_training=false"
    )
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert "trains nothing, since there is no loss" in " ".join(done.stdout.split())
    assert "reader/predictions:0" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--at", "fc2/rel", "--head", "dense:3"], "closest: fc2/relu"),
        (["--at", "pool2", "--head", "dense:3"], "its input is (?, 5, 5, 16)\nhint: put flatten"),
        (["--at", "fc2/relu", "--head", "flatten,dens:3"], "\n  flatten,dens:3\n          ^^^^^^\n"),
        (["--at", "fc2/relu"], "hint: for example: --head"),
        (["--head", "dense:3"], "hint: --at TENSOR"),
        (["--at", "fc2/relu", "--head", "relu", "--regression"], "no variable is left to train"),
        (["--at", "fc2/relu", "--head", "dense:3", "--unfreeze", "conv7"], "closest: conv2, conv1"),
        (["--at", "fc2/relu", "--head", "dense:3", "--set", "nothing=1"], "no placeholder is named 'nothing:0'"),
    ],
)
def test_bad_input_leaves_nothing(words: list[str], message: str, tmp_path: Path) -> None:
    done = graft(LENET, "-o", tmp_path / "deep" / "model.ckpt", *words)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["--classes", 2, "--regression"], ["--classes", 0], ["--bind", "input"], ["--seed", -1]]
)
def test_wrong_usage(words: list[object], tmp_path: Path) -> None:
    assert graft(LENET, "-o", tmp_path / "a", "--at", "fc2/relu", "--head", "dense:2", *words).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_needs_force(tmp_path: Path) -> None:
    words = (LENET, "-o", tmp_path / "a", "--at", "fc2/relu", "--head", "dense:2", "--classes", 2)
    (tmp_path / "a.index").write_bytes(b"old")
    done = graft(*words)
    assert (done.exit_code, (tmp_path / "a.index").read_bytes()) == (1, b"old")
    assert "a.index: the file exists" in done.stderr
    assert graft(*words, "--force").exit_code == 0
    assert recipe_of(graphscope.load(tmp_path / "a")).classes == 2


def test_a_python_head_is_found_from_the_current_directory(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def head(x, context):\n    return x @ context.variable('kernel', [84, 6])\n")
    words = ["graft", str(LENET), "-o", "a", "--at", "fc2/relu", "--head", "python:mine:head", "--classes", "6"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-m", "graphscope", *words], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert recipe_of(graphscope.load(tmp_path / "a")).classes == 6
