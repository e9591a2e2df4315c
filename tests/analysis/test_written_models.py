"""Models of graphs written as text: what signatures, savers and checkpoints say beside the graph."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest

from graphscope.analysis.ends.choose_outputs import choose_outputs, default_signature
from graphscope.analysis.ends.inputs import find_inputs
from graphscope.analysis.ends.outputs import rank_outputs
from graphscope.core.model import Model, ModelKind
from graphscope.core.signatures import INIT_OP
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import MetaGraphDef, SignatureDef
from tests.support.payloads import MemoryStore
from tests.support.written import graph_of

NET = """
x Placeholder(?,4)
w Variable(4,3)
h MatMul x w
probs Softmax h
class ArgMax probs axis
axis Const:int32=1
loss/mean Mean h
"""
FLOAT, INT64 = 1, 9


def model(
    text: str,
    outputs: Mapping[str, Mapping[str, tuple[str, int]]] | None = None,
    inputs: Mapping[str, str] | None = None,
    filename: str = "",
    values: tuple[str, ...] | None = None,
) -> Model:
    """A model with signatures: name -> argument -> tensor and type; all take the same inputs."""
    meta = MetaGraphDef()
    meta.saver_def.filename_tensor_name = filename
    for name, arguments in (outputs or {}).items():
        signature = SignatureDef()
        for argument, (tensor, dtype) in arguments.items():
            signature.outputs[argument].name = tensor
            signature.outputs[argument].dtype = dtype
            signature.outputs[argument].tensor_shape.dim.add(size=77)
        for argument, tensor in (inputs or {}).items():
            signature.inputs[argument].name = tensor
        meta.signature_def[name].CopyFrom(signature)
    store = None if values is None else MemoryStore([(v, ArrayPayload(np.zeros((4, 3), np.float32))) for v in values])
    return Model("m", ModelKind.META_GRAPH, "", (), graph_of(filter(None, text.splitlines())), meta, store)


def ranked(made: Model) -> list[tuple[str, float]]:
    return [(c.tensor, c.score) for c in rank_outputs(made)]


# Signatures


def test_outputs_of_signatures_come_first_by_name_and_type() -> None:
    made = model(
        NET,
        {
            "serving_default": {"scores": ("probs:0", FLOAT), "loss": ("loss/mean:0", FLOAT), "z": ("h:0", FLOAT)},
            "my_predict": {"a": ("probs:0", FLOAT), "ids": ("class:0", INT64)},
            "infer": {"a": ("axis:0", 3)},
            "train": {"a": ("x:0", FLOAT), "labels": ("gone:0", FLOAT)},
            "zzz": {"a": ("w:0", FLOAT), "lost": ("nowhere:0", FLOAT)},
            INIT_OP: {"a": ("loss/mean:0", FLOAT)},
        },
    )
    found = ranked(made)
    assert [row for row in found if row[1] > 400] == [
        ("probs:0", 1000 + 11 + 5),
        ("h:0", 1000 + 5),
        ("class:0", 900 + 7),
        ("axis:0", 850),
        ("w:0", 805),
        ("x:0", 505),
    ]
    assert [tensor for tensor, score in found if score < 400] == ["loss/mean:0"]
    by_name = {c.tensor: c for c in rank_outputs(made)}
    assert by_name["probs:0"].shape == by_name["class:0"].shape == (77,)
    assert by_name["probs:0"].reasons == ("output 'scores' of signature serving_default",)
    assert not by_name["probs:0"].is_detection


def test_which_signature_is_meant() -> None:
    one, other = {"a": ("probs:0", FLOAT)}, {"b": ("h:0", FLOAT)}
    for outputs, name in (
        ({"other": one, "serving_default": other}, "serving_default"),
        ({"only": one, INIT_OP: other}, "only"),
        ({"one": one, "other": other}, None),
        ({"one": one, "empty": {}}, "one"),
        ({INIT_OP: one}, None),
        ({}, None),
    ):
        found = default_signature(model(NET, outputs))
        assert (found.name if found else None) == name


def test_outputs_of_the_signature_are_taken_each_once_without_losses() -> None:
    arguments = {
        "probs": ("probs:0", FLOAT),
        "again": ("probs:0", FLOAT),
        "z": ("h:0", FLOAT),
        "loss": ("class:0", INT64),
    }
    chosen = choose_outputs(model(NET, {"serving_default": arguments}))
    assert chosen.outputs == ("probs:0", "h:0")
    assert chosen.reason == "outputs of signature serving_default"
    chosen = choose_outputs(model(NET, {"serving_default": {"loss": ("class:0", INT64)}}))
    assert chosen.reason != "outputs of signature serving_default"


# Choosing


def test_outputs_that_are_named_are_taken_as_they_are() -> None:
    made = model(NET + "a:1 Neg x\nnone NoOp\ntop TopKV2 h axis")
    assert choose_outputs(made, ["h", "top:1", "a:1", "none"]).outputs == ("h:0", "top:1", "a:1:0", "none")
    assert choose_outputs(made, ["h"]).reason == ""
    with pytest.raises(UnknownNameError):
        choose_outputs(made, ["gone"])
    for name in ("h:1", "top:2", "none:1"):
        with pytest.raises(GraphscopeError, match=f"there is no {name}"):
            choose_outputs(made, [name])


def test_one_clear_candidate_is_taken_with_two_reasons() -> None:
    chosen = choose_outputs(model("x Placeholder(?,4)\nw Variable(4,3)\nh MatMul x w\nout Softmax h"))
    assert chosen.outputs == ("out:0",)
    assert chosen.reason == "nothing consumes it, a probability"


@pytest.mark.parametrize(("name", "is_clear"), [("output", True), ("Tanh", False)])
def test_a_lead_of_ten_points_is_clear(name: str, is_clear: bool) -> None:
    made = model(f"x Placeholder(?,4)\nw Variable(4,3)\nh MatMul x w\n{name} Tanh h\nother Exp h\nthird Exp h")
    if is_clear:
        assert choose_outputs(made).outputs == ("output:0",)
        return
    with pytest.raises(GraphscopeError) as error:
        choose_outputs(made)
    assert re.findall(r"^  (\S+)", error.value.message, re.MULTILINE) == ["Tanh:0", "other:0", "third:0"]
    assert "Tanh" in str(error.value.hint)


@pytest.mark.parametrize(("lead", "is_clear"), [(10.0, True), (9.9, False)])
def test_the_lead_to_the_last_point(lead: float, is_clear: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphscope.analysis.ends.choose_outputs.CLEAR_LEAD", 15.0 + 10.0 - lead)
    made = model("x Placeholder(?,4)\nw Variable(4,3)\nh MatMul x w\nout Tanh h\nseen Max h one\none Const=[1]")
    assert [score for _, score in ranked(made)] == [55, 43, 40]
    if not is_clear:
        with pytest.raises(GraphscopeError, match="several tensors may be the output"):
            choose_outputs(made)


def test_no_candidate_at_all() -> None:
    with pytest.raises(GraphscopeError, match="likely output"):
        choose_outputs(model("none NoOp"))


DETECTOR = """
x Placeholder(?,4)
w Variable(4,4)
boxes MatMul x w
scores Sigmoid boxes
kept NonMaxSuppressionV3 boxes scores
found Gather boxes kept
"""


def test_the_ends_of_a_detector_belong_together() -> None:
    assert choose_outputs(model(DETECTOR)).outputs == ("found:0",)
    both = choose_outputs(model(DETECTOR + "best Gather scores kept\nseen Exp boxes"))
    assert both.outputs == ("found:0", "best:0")
    assert both.reason == "boxes, scores and the like of one detector"
    beside = choose_outputs(model(DETECTOR + "best Gather scores kept\nt Placeholder(?)\nprobs Mul boxes t"))
    assert beside.outputs == ("probs:0",)


# Values that are missing


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, {"a": 55, "b": 55, "a2": 43}),
        (("w", "v"), {"a": 55, "b": 55, "a2": 43}),
        (("v",), {"a": 55 - 500, "b": 55, "a2": 43 - 500}),
        ((), {"a": 55, "b": 55, "a2": 43}),
    ],
)
def test_what_needs_a_missing_value_comes_last(values: tuple[str, ...] | None, expected: dict[str, float]) -> None:
    text = "x Placeholder(?,4)\nw Variable(4,3)\nv Variable(4,3)\n"
    text += "a MatMul x w\na/1 Exp a\na2 Neg a/1\nb MatMul x v\na/2 Exp a/1"
    renamed = {"a": "a/2"}
    found = dict(ranked(model(text, values=values)))
    assert {name: found[f"{renamed.get(name, name)}:0"] for name in expected} == expected


@pytest.mark.parametrize(("count", "shown"), [(7, 7), (8, 8), (9, 8)])
def test_of_many_outputs_that_nothing_takes_eight_are_candidates(count: int, shown: int) -> None:
    made = model(
        f'x Placeholder(?,9)\nw Variable(9,9)\nh MatMul x w\nparts Split{{"num_split":{count}}} axis h\naxis Const:int32=1'
    )
    assert [row for row in ranked(made) if row[0].startswith("parts")] == [(f"parts:{k}", 55 - k) for k in range(shown)]


# Inputs


def test_inputs_that_signatures_name_come_first_in_their_order() -> None:
    text = (
        "a Placeholder()\nb PlaceholderWithDefault one\none Const=1\nc Placeholder()\nd Placeholder()\nout AddN a b c d"
    )
    made = model(text, {"s": {"o": ("out:0", FLOAT)}}, {"first": "d:0", "second": "b:0"})
    found = find_inputs(made)
    assert [(row.tensor, row.argument, row.default) for row in found] == [
        ("d:0", "first", None),
        ("b:0", "second", "1.0"),
        ("a:0", "", None),
        ("c:0", "", None),
    ]


@pytest.mark.parametrize(("filename", "left"), [("save/name:0", ["x"]), ("file:0", ["x", "save/name", "save/more"])])
def test_the_file_name_of_the_saver_is_no_input(filename: str, left: list[str]) -> None:
    text = "file Placeholder:string()\nsave/name Placeholder:string()\nsave/more Placeholder:string()\nx Placeholder()"
    text += "\na Neg file\nb Neg save/name\nc Neg save/more\nd Neg x"
    names = {row.tensor.removesuffix(":0") for row in find_inputs(model(text, filename=filename))}
    assert names - {"file"} == set(left)
    assert ("file" in names) is not filename.startswith("file")


def test_an_input_of_a_signature_is_one_though_a_saver_takes_it() -> None:
    text = "name Placeholder:string()\nsave RestoreV2 name\nx Placeholder()\nout Neg x"
    assert [row.tensor for row in find_inputs(model(text))] == ["x:0"]
    made = model(text, {"s": {"o": ("out:0", FLOAT)}}, {"file": "name:0"})
    assert [row.tensor for row in find_inputs(made)] == ["name:0", "x:0"]
