"""Scores of classes, files of labels, and how results are shown. Needs no TensorFlow."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.analysis.classes import Example, Guess, Naming, are_scores, top_classes
from graphscope.cli.render.run import ShownOutput, say_devices, write_classes, write_outputs
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.errors import CorruptFileError, FileError, GraphscopeError
from graphscope.feeding.naming import Fetch
from graphscope.formats.media.label_files import Labels, read_labels
from graphscope.runtime.run_result import RunResult
from graphscope.tracing.report import Executed, Placement
from tests.support.fixture_files import FIXTURES

pytestmark = pytest.mark.tensorflow

SCORES = np.array([[0.1, 0.7, 0.2], [0.5, np.nan, 0.5]], np.float32)


def guesses(*pairs: tuple[int, float]) -> tuple[Guess, ...]:
    return tuple(Guess(index, str(index), pytest.approx(score)) for index, score in pairs)


def test_the_highest_classes_of_each_example() -> None:
    assert top_classes("s", SCORES, 2, Naming()) == [
        Example("s", "0", guesses((1, 0.7), (2, 0.2))),
        Example("s", "1", guesses((0, 0.5), (2, 0.5))),  # the lower index first, NaN last
    ]
    named = Naming(("a.png", "b.png"), ("x", "y", "z"), {"a.png": "y", "b.png": "z"})
    first, second = top_classes("s", SCORES, 9, named)
    assert [guess.label for guess in first.guesses] == ["y", "z", "x"]
    assert (first.name, first.is_right, second.is_right) == ("a.png", True, False)
    assert top_classes("s", SCORES, 1, Naming(("only.png",)))[0].name == "0"
    assert top_classes("s", SCORES, 1, Naming())[0].is_right is None
    assert len(top_classes("s", SCORES.reshape(2, 1, 1, 3), 1, Naming())) == 2
    assert len(top_classes("s", SCORES[0], 1, Naming())) == 1


@pytest.mark.parametrize("shape", [(2, 3), (3,), (2, 1, 1, 3), (0, 3)])
def test_what_may_be_scores(shape: tuple[int, ...]) -> None:
    assert are_scores(np.zeros(shape, np.float32))


@pytest.mark.parametrize("shape", [(), (2, 1), (2, 4, 4, 3), (1,)])
def test_what_is_none(shape: tuple[int, ...]) -> None:
    assert not are_scores(np.zeros(shape, np.float32))
    assert not are_scores(np.zeros((2, 3), np.int64))
    assert not are_scores(np.zeros((2, 3), object))


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_labels_than_of_classes(count: int) -> None:
    with pytest.raises(GraphscopeError, match=f"{count} labels, but s has 3 classes"):
        top_classes("s", SCORES, 1, Naming(classes=["x"] * count))


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_files_of_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    assert read_labels(written(path, "cat\n\ndog, big\r\n\n")) == Labels(("cat", "", "dog, big"))
    assert read_labels(written(path, "\ufeffn01\tcat\nn02\tbig dog\n")) == Labels(("cat", "big dog"))
    text = "a.png\t3\nb.png\tbig dog\nc.png\t4\n"
    assert read_labels(written(path, text), ["b.png", "a.png"]).truth == {
        "a.png": "3",
        "b.png": "big dog",
        "c.png": "4",
    }
    assert read_labels(written(path, text), ["b.png", "d.png"]) == Labels(("3", "big dog", "4"))
    assert read_labels(FIXTURES / "digits" / "labels.txt", ["0a.png"]).truth["9b.png"] == "9"
    with pytest.raises(FileError, match="No such file"):
        read_labels(tmp_path / "none")
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(CorruptFileError, match=r"labels\.txt, byte 3: not UTF-8 text"):
        read_labels(path)


# What is shown


def shown(write: Any, format: Format, things: Any, *, width: int = 80, is_terminal: bool = False) -> str:
    out = io.StringIO()
    write(Sink(out, io.StringIO(), width=width, is_terminal=is_terminal), format, things)
    return out.getvalue()


OUTPUTS = [
    ShownOutput(Fetch("prob", "prob:0"), np.array([[0.25, 0.75]], np.float32)),
    ShownOutput(Fetch("scores", "call:1"), np.array([1, np.nan, np.inf], np.float32)),
    ShownOutput(Fetch("loss", "loss:0"), np.array(1.5)),
    ShownOutput(Fetch("text", "text:0"), np.array([b"\x1b[31m", b"b"], object)),
    ShownOutput(Fetch("train", "train"), None),
]


def test_outputs_as_a_page() -> None:
    assert shown(write_outputs, Format.TABLE, OUTPUTS).splitlines() == [
        "prob  float32 (1, 2)",
        "  min 0.25  max 0.75  mean 0.5  std 0.25",
        "  [[0.25 0.75]]",
        "scores  call:1  float32 (3)",
        "  min 1  max 1  mean 1  std 0  1 NaN  1 Inf",
        "  [ 1. nan inf]",
        "loss  float64 ()",
        "  1.5",
        "text  string (2)",
        r"  [b'\x1b[31m' b'b']",
        "train  ran",
    ]


def test_outputs_as_data() -> None:
    records = json.loads(shown(write_outputs, Format.JSON, OUTPUTS))
    assert records[1] == {
        "name": "scores",
        "tensor": "call:1",
        "dtype": "float32",
        "shape": [3],
        "statistics": {
            **dict.fromkeys(("minimum", "maximum", "mean"), 1.0),
            "std": 0.0,
            "zeros": 0,
            "nans": 1,
            "infinities": 1,
        },
        "values": [1.0, "nan", "inf"],
    }
    assert records[4]["values"] is None
    large = [ShownOutput(Fetch("x", "x:0"), np.zeros(1001))]
    assert json.loads(shown(write_outputs, Format.JSON, large))[0]["values"] is None
    header, first, *_ = csv.reader(io.StringIO(shown(write_outputs, Format.CSV, OUTPUTS)))
    assert dict(zip(header, first)) | {"std": ""} == {
        "name": "prob",
        "tensor": "prob:0",
        "dtype": "float32",
        "shape": "1 2",
        "elements": "2",
        "minimum": "0.25",
        "maximum": "0.75",
        "mean": "0.5",
        "std": "",
        "zeros": "0",
        "nans": "0",
        "infinities": "0",
    }
    names = shown(write_outputs, Format.NAMES, OUTPUTS).split()
    assert names == ["prob:0", "call:1", "loss:0", "text:0", "train"]


EXAMPLES = [
    Example("prob", "a.png", (Guess(1, "golden retriever", 0.98765), Guess(0, "cat", 1e-9)), "golden retriever"),
    Example("prob", "b.png", (Guess(0, "cat", 1.0), Guess(1, "golden retriever", 0.0)), "golden retriever"),
]


def test_classes_as_a_table() -> None:
    assert shown(write_classes, Format.TABLE, EXAMPLES).splitlines() == [
        "example  shows                    1st               score  2nd               score",
        "a.png    golden retriever         golden retriever  0.988  cat               1e-09",
        "b.png    golden retriever  wrong  cat                   1  golden retriever      0",
        "1 of 2 right",
    ]
    unknown = [Example("prob", "0", EXAMPLES[0].guesses), Example("logits", "0", EXAMPLES[0].guesses)]
    assert shown(write_classes, Format.TABLE, unknown).splitlines() == [
        "output  example  1st               score  2nd  score",
        "prob    0        golden retriever  0.988  cat  1e-09",
        "logits  0        golden retriever  0.988  cat  1e-09",
    ]
    narrow = shown(write_classes, Format.TABLE, EXAMPLES, width=50, is_terminal=True).splitlines()
    assert max(map(len, narrow)) <= 50
    assert narrow[0].split() == ["example", "shows", "1st", "score"]
    assert narrow[1].startswith("a.png")


def test_classes_as_data() -> None:
    first, _ = json.loads(shown(write_classes, Format.JSON, EXAMPLES))
    assert first == {
        "output": "prob",
        "example": "a.png",
        "truth": "golden retriever",
        "is_right": True,
        "classes": [
            {"index": 1, "label": "golden retriever", "score": 0.98765},
            {"index": 0, "label": "cat", "score": 1e-9},
        ],
    }
    rows = list(csv.DictReader(io.StringIO(shown(write_classes, Format.CSV, EXAMPLES))))
    assert [(row["example"], row["rank"], row["class"], row["label"]) for row in rows] == [
        ("a.png", "1", "1", "golden retriever"),
        ("a.png", "2", "0", "cat"),
        ("b.png", "1", "0", "cat"),
        ("b.png", "2", "1", "golden retriever"),
    ]
    assert shown(write_classes, Format.NAMES, EXAMPLES) == "golden retriever\ncat\n"


def test_devices_are_talk() -> None:
    local = "/job:localhost/replica:0/task:0/device:CPU:"
    placement = (Placement("b", "Neg", "/gpu:0", f"{local}1"), Placement("long/a", "Const", "", f"{local}0"))
    ran = (
        Executed("b", "b", "_FusedNeg", "", f"{local}1"),
        Executed("long/a", "long/a", "Abs", "", f"{local}1", "b"),
    )
    out, err = io.StringIO(), io.StringIO()
    say_devices(Sink(out, err), RunResult((), (f"{local}0", f"{local}1"), {"/gpu:0": ["a", "b"]}, placement, ran))
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        "note: /gpu:0 was requested for 2 nodes but is not available; available: CPU:0, CPU:1",
        "note: 1 node placed on CPU:0",
        "  long/a  Const",
        "note: 1 node placed on CPU:1",
        "  b  Neg  /gpu:0",
        "note: 2 nodes ran on CPU:1",
        "  b       _FusedNeg",
        "  long/a  Abs        within b",
    ]
