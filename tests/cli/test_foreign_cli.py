"""``info``, ``nodes``, ``vars`` and ``show`` of ONNX and TensorFlow Lite files, and what the other commands say of them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.foreign_files import onnx_bytes, tflite_bytes
from tests.support.invoked import code_of


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("foreign")
    (directory / "m.onnx").write_bytes(onnx_bytes())
    (directory / "m.tflite").write_bytes(tflite_bytes())
    return directory


@pytest.fixture(autouse=True)
def beside(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    monkeypatch.setenv("COLUMNS", "80")


def output(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert code_of(*words) == 0
    told = capsys.readouterr()
    assert told.err == ""
    return told.out


INFO = {
    "m.onnx": """\
m.onnx                                ONNX model, 5.38 kB
maker 1.2                             IR version 9, opset 20, opset of local 1
parameters 1,203 (4.81 kB float32)    5 nodes, 5 ops, 9 tensors

inputs     x    float32 (batch, 400)
outputs    out  float32 (batch, ?)

ops        MatMul 1, Constant 1, Loop 1, local.Twice 1, Clip 1
constants  1,205 (4.82 kB: 1,204 float32, 1 int64)
graphs     loop/body    2 nodes
           local.Twice  1 node
metadata   author       nobody
about      A model to look at.

next       graphscope nodes m.onnx
           graphscope vars m.onnx --stats
           graphscope show m.onnx out
""",
    "m.tflite": """\
m.tflite                                 TensorFlow Lite model, 1.46 kB
no producer stated                       schema 3, runtime 1.5.0
parameters 27 (27 B: 24 int8, 3 int4)    2 nodes, 2 ops, 6 tensors

inputs      x         int8 (?, 4, 4, 3)  scale 0.5, zero point -3
outputs     tensor_3  float32 (1)

signatures  serve  image=x -> scores=tensor_3

ops         CONV_2D 1, Mine 1
constants   29 (27 B: 24 int8, 3 int4, 2 string)
graphs      body   1 node
metadata    notes  2 bytes
about       two graphs

next        graphscope nodes m.tflite
            graphscope vars m.tflite --stats
            graphscope show m.tflite tensor_3
""",
}


@pytest.mark.parametrize("name", INFO)
def test_info(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert output(capsys, "info", name) == INFO[name]
    record = json.loads(output(capsys, "info", name, "--format", "json"))
    assert record["nodes"] == sum(record["ops"].values())
    fields = dict(csv.reader(io.StringIO(output(capsys, "info", name, "--format", "csv"))))
    assert fields["kind"] == record["kind"]
    ends = output(capsys, "info", name, "--format", "names").split()
    assert ends == [tensor["name"] for tensor in record["inputs"] + record["outputs"]]


def test_symbols_and_quantization_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    [fed] = json.loads(output(capsys, "info", "m.onnx", "--format", "json"))["inputs"]
    assert (fed["shape"], fed["quantization"]) == (["batch", 400], None)
    [fed] = json.loads(output(capsys, "info", "m.tflite", "--format", "json"))["inputs"]
    assert (fed["shape"], fed["quantization"]["scales"]) == ([None, 4, 4, 3], [0.5])


def test_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "nodes", "m.onnx", "--functions", "--op", "Add") == (
        "name           op   outputs         inputs\n"
        "loop/body/add  Add  float32 (n, 3)  state, w\n"
        "local.Twice/b  Add  ?               a, a\n"
    )
    assert output(capsys, "nodes", "m.onnx", "--consumers-of", "x", "--depth", "2", "--format", "names") == "mm\nloop\n"
    rows = json.loads(output(capsys, "nodes", "m.tflite", "--format", "json"))
    assert [(row["name"], row["op"], row["inputs"]) for row in rows] == [
        ("y", "CONV_2D", ["x", "kernel", ""]),
        ("tensor_3", "Mine", ["y"]),
    ]
    assert output(capsys, "nodes", "m.tflite", "--tensors", "--format", "csv").splitlines()[1:] == [
        ',y,int8,"(?, 2, 4, 2)",false,y,CONV_2D',
        ",tensor_3,float32,(1),false,tensor_3,Mine",
    ]


def test_vars(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "vars", "m.onnx", "--format", "names").split() == ["big", "w", "six", "turns"]
    rows = json.loads(output(capsys, "vars", "m.tflite", "--stats", "--format", "json"))
    found = {row["name"]: (row["dtype"], row["statistics"]["minimum"], row["statistics"]["maximum"]) for row in rows}
    assert found == {"kernel": ("int8", -12, 11), "nibbles": ("int4", 1, 3), "words": ("string", None, None)}


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "show", "m.onnx", "loop") == (
        "loop  Loop\n"
        "attributes  body      a graph of 2 nodes: body\n"
        "            captures  w\n"
        "inputs      turns  Constant\n"
        "            xb     MatMul\n"
        "outputs     y  ?\n"
        "consumers   twice  local.Twice\n"
    )
    assert "values      [1. 2. 3.]" not in output(capsys, "show", "m.tflite", "nibbles")
    assert json.loads(output(capsys, "show", "m.onnx", "w", "--format", "json"))["values"] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nodes", "m.onnx", "--tree"], "m.onnx: ONNX model: --tree applies to TensorFlow graphs only"),
        (["nodes", "m.onnx", "--shapes", "--batch", "2"], "--shapes, --batch apply to TensorFlow graphs only"),
        (["show", "m.tflite", "--collection", "c"], "--collection applies to TensorFlow graphs only"),
        (["info", "m.tflite", "--tags", "serve"], "a TensorFlow Lite model has no meta graphs and no checkpoints"),
        (["vars", "m.onnx", "--checkpoint", "m"], "an ONNX model has no meta graphs and no checkpoints"),
    ],
)
def test_options_of_tensorflow(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert code_of(*words) != 0
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["freeze", "FILE", "-o", "x.pb"],
        ["convert", "FILE", "x.pb"],
        ["diff", "FILE", "FILE"],
        ["cost", "FILE"],
        ["draw", "FILE", "x.svg"],
        ["text", "FILE"],
        ["dump", "FILE", "logs"],
        ["profile", "FILE"],
        ["verify", "FILE", "FILE", "--layers"],
        ["audit", "FILE"],
        ["edit", "FILE", "x.pb", "--cleanup"],
        ["graft", "FILE", "x", "--at", "x", "--head", "dense:2"],
        ["features", "FILE", "--at", "x", "--data", "x.npz", "-o", "f"],
        ["tune", "FILE", "--data", "x.npz"],
    ],
    ids=lambda words: words[0],
)
def test_no_other_command_takes_them_for_graphs(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    for name, kind in (("m.onnx", "an ONNX model"), ("m.tflite", "a TensorFlow Lite model")):
        assert code_of(*(name if word == "FILE" else word for word in words)) != 0
        told = capsys.readouterr()
        assert f"error: {name}: this is {kind}, not a TensorFlow graph\n" in told.err
        assert f"hint: graphscope info {name}   shows what is in it" in told.err
        assert told.out == ""
