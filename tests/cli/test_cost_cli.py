"""``cost`` on the command line: every format, what is said, wrong usage, hostile names."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from graphscope.cli.app import app
from graphscope.core.changes.build import constant
from tests.support.fixture_files import FIXTURES
from tests.support.graphs import graph_of, op, placeholder
from tests.support.running import serialized

LENET = FIXTURES / "lenet5"


def invoke(*words: object) -> Result:
    result = CliRunner().invoke(app, ["cost", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_table() -> None:
    result = invoke(LENET, "--output", "softmax", "--batch", 1)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split() == "layer output parameters MACs FLOPs read written FLOP/B activations".split()
    assert [line.split()[0] for line in lines[1:10]] == "conv1 pool1 conv2 pool2 fc1 fc2 fc3 softmax total".split()
    assert lines[9].split()[1:5] == ["61,706", "417", "k", "852"]
    assert "for input:0 (1, 784): batch 1" in result.stdout
    assert "weights 247 kB" in result.stdout
    assert "activations 23.5 kB to 37.6 kB at the peak, at conv1/BiasAdd" in result.stdout


def test_an_open_batch_gives_figures_for_each_example() -> None:
    result = invoke(LENET, "--output", "softmax")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split()[3:7] == ["MACs/example", "FLOPs/example", "read/example", "fixed"]
    assert lines[5].split()[1:] == "(?, 120) 48,120 48 k 96.2 k 2.56 kB 192 kB 1.44 kB 1.44 kB".split()
    assert "for input:0 (?, 784)\n" in result.stdout
    assert "any batch    MACs 417 k x batch, FLOPs 852 k x batch\n" in result.stdout
    assert "bytes read 87.6 kB x batch + 247 kB, written 84.5 kB x batch" in result.stdout
    assert "activations 23.5 kB x batch to 37.6 kB x batch at the peak" in result.stdout


def test_an_open_batch_is_exact_in_json_and_csv() -> None:
    found = json.loads(invoke(LENET, "--output", "softmax", "--format", "json").stdout)
    assert (found["batch"], found["is_batch_open"], found["inputs"]) == (None, True, {"input:0": [None, 784]})
    assert found["total"]["by_batch"]["macs"] == {"fixed": 0, "per_example": 416_520}
    assert found["total"]["by_batch"]["read_bytes"]["fixed"] == 61_706 * 4
    rows = list(csv.DictReader(io.StringIO(invoke(LENET, "--output", "softmax", "--format", "csv").stdout)))
    assert (rows[0]["macs_per_example"], rows[0]["read_bytes_fixed"]) == ("117600", "624")
    known = invoke(LENET, "--output", "softmax", "--format", "csv", "--batch", 4).stdout
    assert next(csv.DictReader(io.StringIO(known)))["macs_per_example"] == ""


def test_amounts_that_vary_with_the_batch() -> None:
    result = invoke(FIXTURES / "towers", "--output", "prediction", "--device", "t4")
    assert "note: some amounts are not proportional to the batch size; --batch 32 counts one" in result.stderr
    assert "MACs vary, FLOPs vary" in result.stdout
    [row] = [line for line in result.stdout.splitlines() if line.startswith("tower_0/fc1")]
    assert row.split()[3:6] == ["50,240", "varies", "varies"]
    assert "at least for a batch of 1" in result.stdout


def test_the_choice_of_outputs_is_told() -> None:
    assert "note: what softmax:0 needs is counted" in invoke(LENET).stderr
    assert "--output chooses another" in invoke(LENET).stderr


def test_json_has_units_in_its_keys() -> None:
    one, found = (
        json.loads(invoke(LENET, "--format", "json", "--device", "t4", "--batch", batch).stdout) for batch in (1, 4)
    )
    assert found["total"]["flops"] == 4 * one["total"]["flops"]
    assert found["batch"] == 4
    assert found["rows"][0]["figures"].keys() >= {"read_bytes", "time_us", "flops_per_byte"}
    assert found["device"]["bytes_per_s"] == 300e9


def test_csv_and_names() -> None:
    rows = list(csv.DictReader(io.StringIO(invoke(LENET, "--format", "csv", "--by", "node").stdout)))
    assert rows[0]["name"] == "conv1/conv"
    assert rows[0]["op"] == "Conv2D"
    assert int(rows[0]["macs"]) == 117_600
    assert invoke(LENET, "--format", "names").stdout.split() == "conv1 pool1 conv2 pool2 fc1 fc2 fc3 softmax".split()


def test_what_is_missing_stands_below_the_table() -> None:
    result = invoke(FIXTURES / "convnet_slim")
    assert "operations of RandomUniform 1: no formula" in result.stdout
    [dropout] = [line for line in result.stdout.splitlines() if line.startswith("dropout")]
    assert dropout.split()[3:5] == ["192+", "2+"]
    assert "rnn/while/while_context: 28 iterations" in invoke(FIXTURES / "rnn").stdout


def test_open_shapes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "open.pb"
    path.write_bytes(serialized(graph_of(placeholder("x"), op("y", "Square", "x"))))
    result = invoke(path)
    assert "note: x:0 is of shape unknown rank; --shape x=1,224,224,3 makes it known" in result.stderr
    assert "1 node of unknown size: y" in result.stdout
    assert "activations unknown: 1 result of unknown size" in result.stdout
    [row] = [line for line in result.stdout.splitlines() if line.startswith("y ")]
    assert row.split() == ["y", "?", "?", "?", "?"]
    known = invoke(path, "--shape", "x=2,3")
    assert (known.stderr.count("note"), "for x:0 (2, 3)" in known.stdout) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--all", "--output", "softmax"], 2, "cannot be used with --output"),
        (["--device", "t4", "--peak", "1TFLOPS,1GB/s"], 2, "cannot be used with --device"),
        (["--by", "op", "--depth", "1"], 2, "is for --by scope"),
        (["--shape", "input"], 2, "is not of the form NAME=1,224,224,3"),
        (["--shape", "input=a,b"], 2, "a is not a size"),
        (["--batch", "0"], 2, "0 is not in the range"),
        (["--device", "gtx"], 1, "no device is named 'gtx'"),
        (["--peak", "10"], 1, "'10' is not a peak such as 10TFLOPS,50GB/s"),
        (["--shape", "input=1,2,3"], 1, "input:0 is (?, 784) and cannot be fed (1, 2, 3)"),
        (["--shape", "inpt=1,784"], 1, "no node is named 'inpt'"),
        (["--output", "softmx"], 1, "no node is named 'softmx'"),
    ],
)
def test_wrong_usage(words: list[str], code: int, said: str) -> None:
    result = invoke(LENET, *words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_checkpoint_without_a_graph(tmp_path: Path) -> None:
    for file in LENET.glob("model.ckpt-4690.[di]*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    result = invoke(tmp_path / "model.ckpt-4690")
    assert result.exit_code == 1
    assert "error:" in result.stderr


def test_hostile_names(tmp_path: Path) -> None:
    name = "layer\x1b[31m\u202e"
    path = tmp_path / "hostile.pb"
    weights = constant(f"{name}/w", np.ones(4, np.float32))
    path.write_bytes(serialized(graph_of(weights, op(f"{name}/y", "Neg", f"{name}/w"))))
    for format in ("table", "json", "csv", "names"):
        result = invoke(path, "--format", format, "--output", f"{name}/y")
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout + result.stderr
        assert "\u202e" not in result.stdout + result.stderr
