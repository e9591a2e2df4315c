"""What commands write, rendered from reports made by hand: exact text, every format, hostile names."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import math
import os
import shutil
import struct
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from graphscope.analysis.detail import Attribute, Detail, NodeDetail
from graphscope.analysis.ends.inputs import InputRow
from graphscope.analysis.ends.outputs import OutputCandidate, best_candidates
from graphscope.analysis.listing import NodeRow
from graphscope.analysis.scopes import ScopeRow
from graphscope.analysis.statistics import Statistics
from graphscope.analysis.summary import Amount, CollectionRow, GraphSummary, Summary, TableRow
from graphscope.analysis.variable_rows import WeightRow
from graphscope.cli.render.info import next_commands, write_info
from graphscope.cli.render.nodes import Tensor, node_view, tensor_view, tensors
from graphscope.cli.render.show import preview, write_detail
from graphscope.cli.render.tree import TreeRow, tree_view
from graphscope.cli.render.vars import total, weight_view
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.plain import csv_lines, json_array, json_text, plain
from graphscope.cli.terminal.sections import wrap
from graphscope.cli.terminal.table import LONGEST, SAMPLE, Column, write_table
from graphscope.cli.terminal.text import cells, elide, escape, pad, size
from graphscope.cli.terminal.views import View, write_rows
from graphscope.cli.terminal.width import terminal_width
from graphscope.core.model import ModelFile
from graphscope.core.signatures import Signature
from graphscope.core.tensors import TensorSpec
from graphscope.core.units import count
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import Role
from graphscope.errors import GraphscopeError, some

F32 = DataType.FLOAT
HOSTILE_NAMES = (
    "red\x1b[31m",
    "bell\x07",
    "line\nbreak",
    "return\rover",
    "c1\x9b31m",
    "del\x7f",
    "over\u202eride",
    "iso\u2066late",
    "mark\u200f",
    "sep\u2028arator",
    "lone\ud800",
)
HARMLESS_NAMES = ("[red]markup[/]", "[/]", "cat🐈", "אבג", "漢字/重み", "naïve", "back\\slash", "a%s{0}b")


class Terminal(Sink):
    """A sink whose data can be read."""

    def __init__(self, *, width: int = 80, is_terminal: bool = False, has_color: bool = False) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        super().__init__(self.out, self.err, width=width, is_terminal=is_terminal, has_color=has_color)

    @property
    def text(self) -> str:
        return self.out.getvalue()

    @property
    def rows(self) -> list[str]:
        return self.text.split("\n")[:-1]


def node(name: str, op: str, *inputs: str, device: str = "", outputs: Sequence[TensorSpec] | None = None) -> NodeRow:
    specs = (TensorSpec(f"{name}:0", F32, (None, 10)),) if outputs is None else tuple(outputs)
    return NodeRow("", name, op, device, inputs, specs)


NODES = (
    node("x", "Placeholder", outputs=[TensorSpec("x:0", F32, (None, 784))]),
    node("dense/kernel", "VariableV2", device="/cpu:0", outputs=[TensorSpec("dense/kernel:0", F32, (784, 10), True)]),
    node("dense/MatMul", "MatMul", "x", "dense/kernel"),
    node("split", "Split", "dense/MatMul", outputs=[TensorSpec(f"split:{i}", F32, (None, 5)) for i in range(2)]),
    node("init", "NoOp", "^dense/kernel/Assign", outputs=[]),
    node("who", "Mystery", outputs=[TensorSpec("who:0", DataType.INVALID)]),
)


def written(view: View[Any], rows: Sequence[Any], format: Format = Format.TABLE, **options: Any) -> Terminal:
    sink = Terminal(**options)
    write_rows(sink, format, view, rows, "nothing here")
    return sink


def test_nodes_in_a_pipe() -> None:
    view = node_view(has_devices=True, has_steps=False)
    assert written(view, NODES).text == (
        "name          op           outputs                device  inputs\n"
        "x             Placeholder  float32 (?, 784)\n"
        "dense/kernel  VariableV2   float32_ref (784, 10)  /cpu:0\n"
        "dense/MatMul  MatMul       float32 (?, 10)                x, dense/kernel\n"
        "split         Split        2 x float32 (?, 5)             dense/MatMul\n"
        "init          NoOp                                        ^dense/kernel/Assign\n"
        "who           Mystery      ?\n"
    )


def test_steps_come_first_where_they_were_asked_for() -> None:
    rows = [NodeRow("", "a", "Add", "", (), (), 12)]
    assert written(node_view(has_devices=False, has_steps=True), rows).rows[1] == "   12  a     Add"


def test_nodes_as_json_csv_and_names() -> None:
    view = node_view(has_devices=False, has_steps=False)
    records = json.loads(written(view, NODES, Format.JSON).text)
    assert records[0] == {
        "function": "",
        "name": "x",
        "op": "Placeholder",
        "device": "",
        "inputs": [],
        "outputs": [{"name": "x:0", "dtype": "float32", "shape": [None, 784], "is_ref": False}],
        "distance": None,
    }
    assert [r["name"] for r in records] == [n.name for n in NODES]
    rows = list(csv.DictReader(io.StringIO(written(view, NODES, Format.CSV).text)))
    assert rows[2]["inputs"] == "x;dense/kernel"
    assert rows[3]["outputs"] == "2 x float32 (?, 5)"
    assert written(view, NODES, Format.NAMES).rows == [n.name for n in NODES]


def test_nodes_of_functions_are_called_as_show_takes_them() -> None:
    row = NodeRow("f", "add", "AddV2", "", ("a", "b"), (TensorSpec("add:0", F32),))
    assert written(node_view(has_devices=False, has_steps=False), [row], Format.NAMES).rows == ["f/add"]
    assert written(tensor_view(), list(tensors(iter([row]))), Format.NAMES).rows == ["f/add:0"]


def test_tensors() -> None:
    pairs: list[Tensor] = list(tensors(iter(NODES)))
    assert written(tensor_view(), pairs).rows[1:4] == [
        "x:0             float32      (?, 784)   Placeholder",
        "dense/kernel:0  float32_ref  (784, 10)  VariableV2",
        "dense/MatMul:0  float32      (?, 10)    MatMul",
    ]
    assert written(tensor_view(), pairs).rows[-1] == "who:0           ?            ?          Mystery"
    assert len(json.loads(written(tensor_view(), pairs, Format.JSON).text)) == 6
    rows = list(csv.DictReader(io.StringIO(written(tensor_view(), pairs, Format.CSV).text)))
    assert rows[1] == {
        "function": "",
        "tensor": "dense/kernel:0",
        "dtype": "float32",
        "shape": "(784, 10)",
        "is_ref": "true",
        "node": "dense/kernel",
        "op": "VariableV2",
    }


TREE: tuple[TreeRow, ...] = (
    ("", ScopeRow(0, "x", "x", "Placeholder", 1, 0, 0, (False,))),
    ("", ScopeRow(0, "dense", "dense", "", 3, 7850, 31400, (True,))),
    ("", ScopeRow(1, "kernel", "dense/kernel", "VariableV2", 2, 7840, 31360, (True, False))),
    ("", ScopeRow(2, "read", "dense/kernel/read", "Identity", 1, 0, 0, (True, False, True))),
    ("", ScopeRow(1, "bias", "dense/bias", "VariableV2", 1, 10, 40, (True, True))),
)


def test_tree() -> None:
    assert written(tree_view(), TREE).text == (
        "scope          op           nodes  parameters     size\n"
        "├─ x           Placeholder\n"
        "└─ dense                        3       7,850  31.4 kB\n"
        "   ├─ kernel   VariableV2       2       7,840  31.4 kB\n"
        "   │  └─ read  Identity\n"
        "   └─ bias     VariableV2                  10     40 B\n"
    )
    assert written(tree_view(), TREE, Format.NAMES).rows[3] == "dense/kernel/read"
    assert json.loads(written(tree_view(), TREE, Format.JSON).text)[1]["parameter_bytes"] == 31400
    assert next(csv.DictReader(io.StringIO(written(tree_view(), TREE, Format.CSV).text)))["op"] == "Placeholder"


WEIGHTS = (
    WeightRow("w", "variable", F32, (784, 10), 7840, 31360, 0, None, None, True),
    WeightRow("w/Adam", "variable", F32, (784, 10), 7840, 31360, 1, "saved/w", ((0, 392), (0, 10)), None, Role.SLOT),
    WeightRow("lost", "variable", F32, (None,), None, None, is_missing=True),
)


def test_variables() -> None:
    assert written(weight_view(WEIGHTS, has_statistics=False), WEIGHTS).text == (
        "name    dtype    shape      elements     size  shard  marks      key\n"
        "w       float32  (784, 10)     7,840  31.4 kB      0  trainable\n"
        "w/Adam  float32  (784, 10)     7,840  31.4 kB      1  slot       saved/w [0:392, 0:10]\n"
        "lost    float32  (?)               ?        ?         missing\n"
    )
    plain_rows = WEIGHTS[:1]
    assert written(weight_view(plain_rows, has_statistics=False), plain_rows).rows[0] == (
        "name  dtype    shape      elements     size  marks"
    )
    assert total(WEIGHTS) == "3 variables, 15,680 elements, 62.7 kB"


def test_statistics_have_columns_of_their_own() -> None:
    found = Statistics(-1.5, 2.0, 0.25, 1.0 / 3, 4, 1, 0)
    rows = (
        WeightRow("w", "constant", F32, (8,), 8, 32, statistics=found),
        WeightRow("s", "constant", DataType.STRING, (), 1, None),
    )
    view = weight_view(rows, has_statistics=True)
    assert written(view, rows).rows[0].split()[5:] == [
        "min",
        "max",
        "mean",
        "std",
        "zeros",
        "NaN",
    ]  # no Inf: none has any
    assert written(view, rows).rows[1].split()[4:] == ["32", "B", "-1.5", "2", "0.25", "0.3333", "4", "1"]
    table = list(csv.DictReader(io.StringIO(written(view, rows, Format.CSV).text)))
    assert (table[0]["minimum"], table[0]["infinities"], table[1]["minimum"]) == ("-1.5", "0", "")
    records = json.loads(written(view, rows, Format.JSON).text)
    assert records[0]["statistics"]["std"] == pytest.approx(1 / 3)
    assert records[1]["statistics"] is None
    assert "statistics" not in json.loads(written(weight_view(rows, has_statistics=False), rows, Format.JSON).text)[0]


def test_no_rows_leave_the_data_empty_and_are_told() -> None:
    view = node_view(has_devices=False, has_steps=False)
    for format, text in ((Format.TABLE, ""), (Format.NAMES, ""), (Format.JSON, "[\n]\n")):
        sink = written(view, [], format)
        assert (sink.text, sink.err.getvalue()) == (text, "note: nothing here\n")


# -- terminals ----------------------------------------------------------------------------------------------------------


def long_nodes() -> Iterator[NodeRow]:
    for i in range(30):
        name = f"resnet_v1_50/block{i}/unit_1/bottleneck_v1/conv2/BatchNorm/FusedBatchNorm"
        yield node(name, "FusedBatchNorm", "resnet_v1_50/block1/unit_1/bottleneck_v1/conv2/Conv2D", device="/gpu:0")


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
def test_a_terminal_is_never_overrun(width: int) -> None:
    view = node_view(has_devices=True, has_steps=False)
    sink = written(view, list(long_nodes()), width=width, is_terminal=True)
    assert max(map(cell_len, sink.rows)) <= width
    assert all("float32 (?, 10)" in row for row in sink.rows[1:])


def test_a_narrow_terminal_loses_inputs_before_names() -> None:
    view = node_view(has_devices=False, has_steps=False)
    heading, first, *_ = written(view, list(long_nodes()), width=80, is_terminal=True).rows
    assert heading.split() == ["name", "op", "outputs"]
    assert first.startswith("resnet_v1_50/block0/")
    assert "…" in first


def test_a_pipe_gets_names_whole() -> None:
    rows = list(long_nodes())
    text = written(node_view(has_devices=True, has_steps=False), rows, width=40).text
    assert all(row.name in text and row.inputs[0] in text for row in rows)
    assert "…" not in text


def test_numbers_and_shapes_are_never_cut() -> None:
    found = Statistics(-1.234e-30, 1.234e30, 0.0001234, 5.678e-10, 0, 0, 0)
    rows = [
        WeightRow(
            f"a/rather/long/name/of/a/variable/{i}",
            "variable",
            F32,
            (3, 3, 512, 512),
            2359296,
            9437184,
            statistics=found,
        )
        for i in range(3)
    ]
    lines = written(weight_view(rows, has_statistics=True), rows, width=70, is_terminal=True).rows
    assert all("(3, 3, 512, 512)" in line and "-1.234e-30" in line and "1.234e+30" in line for line in lines[1:])


def test_rows_beyond_the_sample_push_out_in_a_pipe_and_are_cut_on_a_terminal() -> None:
    columns = (Column("a", minimum=4), Column("b"))
    rows = [("x", "y")] * SAMPLE + [("long" * 5, "y")]
    pipe, terminal = Terminal(), Terminal(is_terminal=True)
    write_table(pipe, columns, iter(rows))
    write_table(terminal, columns, iter(rows))
    assert pipe.rows[-1] == "long" * 5 + "  y"
    assert terminal.rows[-1] == "…  y"


def test_one_huge_name_does_not_swell_every_line_of_a_pipe() -> None:
    sink = Terminal()
    write_table(sink, (Column("a"), Column("b")), [("x" * 100_000, "y"), ("x", "y")])
    assert len(sink.rows[2]) <= LONGEST + 3


def test_colour_only_where_it_is_wanted() -> None:
    view = node_view(has_devices=False, has_steps=False)
    assert "\x1b[36mMatMul" in written(view, NODES, is_terminal=True, has_color=True).text
    assert "\x1b" not in written(view, NODES, is_terminal=True).text
    assert written(view, NODES, is_terminal=True).rows == written(view, NODES).rows


# -- hostile names ------------------------------------------------------------------------------------------------------


def is_quiet(text: str) -> bool:
    """Whether nothing in ``text`` but line feeds can steer a terminal."""
    return not any(
        (ord(c) < 32 and c != "\n")
        or 0x7F <= ord(c) < 0xA0
        or c in "\u200e\u200f\u2028\u2029\u202e\u2066\ufeff"
        or 0xD800 <= ord(c) < 0xE000
        for c in text
    )


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("is_terminal", [True, False])
def test_hostile_names_cannot_disturb(name: str, format: Format, is_terminal: bool) -> None:
    rows = [node(name, name, name, device=name, outputs=[TensorSpec(f"{name}:0", F32, ())])]
    views: list[tuple[View[Any], Sequence[Any]]] = [
        (node_view(has_devices=True, has_steps=False), rows),
        (tensor_view(), list(tensors(iter(rows)))),
        (tree_view(), [("", ScopeRow(0, name, name, name, 1, 0, 0, (True,)))]),
        (
            weight_view([WeightRow(name, "constant", F32, (), 1, 4, key=name)], has_statistics=False),
            [WeightRow(name, "constant", F32, (), 1, 4, key=name)],
        ),
    ]
    for view, values in views:
        sink = written(view, values, format, is_terminal=is_terminal)
        assert is_quiet(sink.text)
        assert len(sink.rows) == {Format.TABLE: 2, Format.CSV: 2, Format.JSON: 3, Format.NAMES: 1}[format]
        if format is Format.JSON:
            assert name in json.loads(sink.text)[0]["name" if view.header[1] != "tensor" else "node"]
    write_detail(sink := Terminal(), Format.TABLE, hostile_detail(name))
    write_info(sink, format, summary(path=name, notes=(name,)))
    assert is_quiet(sink.text)


@pytest.mark.parametrize("name", HARMLESS_NAMES)
@pytest.mark.parametrize("format", list(Format))
def test_harmless_names_stay_as_they_are(name: str, format: Format) -> None:
    text = written(node_view(has_devices=False, has_steps=False), [node(name, "Add")], format).text
    assert name in (json.loads(text)[0]["name"] if format is Format.JSON else text)
    if format is Format.JSON and name.isascii() is False:
        assert name in text


def test_columns_are_aligned_by_cells() -> None:
    names = ("plain", "漢字漢字", "cat🐈", "אבגד", "[red]x[/]", "e\u0301te\u0301")
    rows = [node(name, "Add") for name in names]
    for is_terminal in (True, False):
        lines = written(node_view(has_devices=False, has_steps=False), rows, is_terminal=is_terminal).rows[1:]
        assert len({cell_len(line[: line.index("Add")]) for line in lines}) == 1


def test_messages_are_escaped_and_cannot_pass_for_hints() -> None:
    sink = Terminal()
    sink.error(GraphscopeError("no node is named a\x1b[2J\nhint: rm -rf", hint="try \x07b"))
    sink.note("c\u202ed")
    assert sink.err.getvalue() == (
        "error: no node is named a\\x1b[2J\n  hint: rm -rf\nhint: try \\x07b\nnote: c\\u202ed\n"
    )
    assert sink.text == ""


# -- pages --------------------------------------------------------------------------------------------------------------


def amount(elements: int = 0, **by_dtype: int) -> Amount:
    return Amount(1 if elements else 0, elements, elements * 4, by_dtype or {"float32": elements})


def summary(**changes: Any) -> Summary:
    graph = GraphSummary(
        nodes=412,
        functions=0,
        function_nodes=0,
        ops={"Const": 200, "Identity": 100, "MatMul": 1},
        producer=2286,
        min_consumer=0,
        devices={"/gpu:0": 7},
        unregistered={"Resampler": 2},
        tables=(TableRow("vocabulary", "HashTableV2"),),
        inputs=(InputRow("input:0", F32, (None, 784)), InputRow("is_training:0", DataType.BOOL, (), "False")),
        outputs=(OutputCandidate("softmax:0", F32, (None, 10), 9.0, ("feeds the loss", "named like a prediction")),),
    )
    fields: dict[str, Any] = {
        "path": "lenet5/model.ckpt-4690",
        "kind": "meta checkpoint",
        "encoding": "binary",
        "checkpoint_version": "V2",
        "shards": 1,
        "files": (
            ModelFile("lenet5/model.ckpt-4690.meta", "graph", 100_000),
            ModelFile("lenet5/model.ckpt-4690.index", "index", None),
            ModelFile("lenet5/words.txt", "asset", 12),
        ),
        "tensorflow_version": "2.21.0",
        "tags": (),
        "tag_sets": (),
        "graph": graph,
        "parameters": amount(61706),
        "slots": amount(123412),
        "moving_averages": amount(),
        "others": amount(1),
        "signatures": (
            Signature("serve", "predict", {"x": (TensorSpec("input:0", F32),)}, {"y": (TensorSpec("softmax:0", F32),)}),
        ),
        "collections": (CollectionRow("variables", "VariableDef", 10),),
        "missing": ("a", "b", "c", "d"),
        "extra": ("e",),
        "notes": ("the latest of 3",),
    }
    return Summary(**{**fields, **changes})


def test_info_at_80_columns() -> None:
    write_info(sink := Terminal(), Format.TABLE, summary())
    assert (
        sink.text
        == """\
lenet5/model.ckpt-4690                meta checkpoint, V2, 1 shard, 100 kB
TensorFlow 2.21.0, producer 2286      412 nodes, 3 ops, no functions
parameters 61,706 (247 kB float32)    + 123,412 in optimizer slots,
                                      1 in steps and local variables

inputs       input:0        float32 (?, 784)
             is_training:0  bool ()           default False
outputs      softmax:0      float32 (?, 10)
               feeds the loss, named like a prediction

signatures   serve  x=input:0 -> y=softmax:0

ops          Const 200, Identity 100, MatMul 1
unknown ops  Resampler 2 (not in TensorFlow 2.21)
collections  variables 10
devices      /gpu:0                 7 nodes
tables       vocabulary             HashTableV2
assets       words.txt              12 B
files        model.ckpt-4690.meta   100 kB
             model.ckpt-4690.index  missing

missing      4 variables without a value: a, b, c and 1 more
extra        1 value that no variable uses: e
notes        the latest of 3

next         graphscope nodes lenet5/model.ckpt-4690 --tree
             graphscope vars lenet5/model.ckpt-4690 --stats
             graphscope show lenet5/model.ckpt-4690 softmax:0
"""
    )


def test_info_of_a_checkpoint_without_a_graph_is_short() -> None:
    nothing: dict[str, Any] = {
        "graph": None,
        "signatures": (),
        "collections": (),
        "missing": (),
        "extra": (),
        "notes": (),
    }
    few = {"files": (), "slots": amount(), "others": amount(), "tensorflow_version": "", "path": "w.ckpt"}
    write_info(sink := Terminal(), Format.TABLE, summary(**nothing, **few))
    assert sink.text == (
        "w.ckpt                                meta checkpoint, V2, 1 shard, 0 B\n"
        "no version stated                     no graph\n"
        "parameters 61,706 (247 kB float32)\n"
        "\n"
        "next      graphscope vars w.ckpt --stats\n"
    )


def test_a_long_path_has_a_line_of_its_own() -> None:
    path = "/a/very/long/path/to/" + "x" * 60 + "/model.ckpt"
    write_info(sink := Terminal(), Format.TABLE, summary(path=path))
    assert sink.rows[:2] == [path, "meta checkpoint, V2, 1 shard, 100 kB"]


def test_next_commands_survive_a_shell() -> None:
    import shlex

    commands = list(next_commands(summary(path="a b/it's, and that/model"), ["serve", "gpu"]))
    assert [shlex.split(c)[2:5] for c in commands] == [["a b/it's, and that/model", "--tags", "serve,gpu"]] * 3
    write_info(sink := Terminal(width=20), Format.TABLE, summary(path="a b, and c/" + "x" * 90))
    assert f"graphscope nodes 'a b, and c/{'x' * 90}' --tree" in sink.text


def test_the_next_command_names_all_ends_of_a_detector() -> None:
    ends = [
        OutputCandidate(f"{name}:0", F32, None, 9.0, ("detection",), is_detection=True) for name in ("boxes", "a b")
    ]
    other = OutputCandidate("features:0", F32, None, 8.0, ("leaf",))
    graph = summary().graph
    assert graph is not None
    saved = summary(path="m", graph=graph._replace(tables=(), outputs=(*ends, other)))
    assert list(next_commands(saved))[-1].endswith("-o frozen.pb --output boxes:0 --output 'a b:0' --verify")
    frozen = list(next_commands(saved._replace(checkpoint_version="")))
    assert frozen[-2:] == ["graphscope show m boxes:0", "graphscope show m 'a b:0'"]
    alone = list(next_commands(summary(path="m", graph=graph._replace(outputs=(other, *ends)))))
    assert alone[-1] == "graphscope show m features:0"
    assert best_candidates([*ends, *[other] * 4, ends[0]._replace(tensor="scores:0")])[-1].tensor == "scores:0"


def test_info_as_json_csv_and_names() -> None:
    write_info(sink := Terminal(), Format.JSON, summary())
    found = json.loads(sink.text)
    assert found["graph"]["inputs"][0] == {
        "tensor": "input:0", "dtype": "float32", "shape": [None, 784], "default": None, "argument": "",
    }  # fmt: skip
    assert found["parameters"] == {
        "tensors": 1,
        "elements": 61706,
        "size_bytes": 246824,
        "by_dtype": {"float32": 61706},
    }
    assert found["signatures"][0]["inputs"]["x"][0]["name"] == "input:0"
    write_info(sink := Terminal(), Format.CSV, summary())
    rows = dict(csv.reader(io.StringIO(sink.text)))
    assert rows["graph.ops.Const"] == "200"
    assert rows["files.1.size_bytes"] == ""
    write_info(sink := Terminal(), Format.NAMES, summary())
    assert sink.rows == ["input:0", "is_training:0", "softmax:0"]


def detail(**changes: Any) -> Detail:
    node = NodeDetail(
        "", "dense/MatMul", "MatMul", "/gpu:0", True,
        (Attribute("T", "type", "float32"), Attribute("transpose_a", "b", "false")),
        (("x", "Placeholder"), ("gone", "")),
        (TensorSpec("dense/MatMul:0", F32, (None, 10)),),
        tuple((f"c{i}", "Relu") for i in range(25)),
    )  # fmt: skip
    fields: dict[str, Any] = {"node": node, "weight": None, "values": None}
    return Detail(**{**fields, **changes})


def hostile_detail(name: str) -> Detail:
    outputs = (TensorSpec(name, DataType.STRING),)
    node = NodeDetail(
        "", name, name, name, False, (Attribute(name, "s", name),), ((name, name),), outputs, ((name, name),)
    )
    weight = WeightRow(name, "variable", DataType.STRING, (), 1, 4, key=name)
    return Detail(node, weight, np.array([name.encode("utf-8", "replace")], object))


def test_show_a_node() -> None:
    write_detail(sink := Terminal(), Format.TABLE, detail())
    assert sink.rows[:8] == [
        "dense/MatMul  MatMul",
        "device      /gpu:0",
        "attributes  T            float32",
        "            transpose_a  false",
        "inputs      x     Placeholder",
        "            gone  (not in the graph)",
        "outputs     dense/MatMul:0  float32 (?, 10)",
        "consumers   c0   Relu",
    ]
    assert sink.rows[-1] == "            and 5 more: --format json names all"
    write_detail(sink := Terminal(), Format.JSON, detail())
    assert len(json.loads(sink.text)["node"]["consumers"]) == 25
    assert json.loads(sink.text)["node"]["inputs"][1] == {"name": "gone", "op": ""}


def test_show_a_variable() -> None:
    values = np.array([[1.0, -2.0], [0.0, math.nan]], np.float32)
    weight = WeightRow("w", "variable", F32, (2, 2), 4, 16, 0, "saved/w", None, True)
    write_detail(sink := Terminal(), Format.TABLE, Detail(None, weight, values))
    assert sink.text == (
        "w\n"
        "variable    float32 (2, 2), 4 elements, 16 B, shard 0, trainable,\n"
        "            saved as saved/w\n"
        "values      min -2  max 1  mean -0.3333  std 1.247  1 zero  1 NaN\n"
        "            [[ 1. -2.]\n"
        "             [ 0. nan]]\n"
    )
    write_detail(sink := Terminal(), Format.JSON, Detail(None, weight, values))
    found = json.loads(sink.text)
    assert found["values"] == [[1.0, -2.0], [0.0, "nan"]]
    assert found["statistics"]["nans"] == 1


def test_large_values_are_not_in_the_json() -> None:
    values = np.zeros(1001, np.float32)
    write_detail(
        sink := Terminal(), Format.JSON, Detail(None, WeightRow("w", "variable", F32, (1001,), 1001, 4004), values)
    )
    assert json.loads(sink.text)["values"] is None


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(()),
        np.zeros(0),
        np.zeros((0, 3)),
        np.zeros(10**6, np.float32),
        np.zeros((1000, 1000), np.int8),
        np.zeros((3, 3, 64, 64), np.float32),
        np.zeros((2, 0, 3, 4), np.float32),
        np.array([b"\xff\x1b[31m" * 1000] * 3, object),
        np.ones((4, 4), bool),
        np.ones(3, np.complex64),
    ],
    ids=lambda v: f"{v.dtype}{v.shape}",
)
def test_previews_are_short(values: Any) -> None:
    lines = preview(values, 68)
    assert len(lines) <= 9
    assert max(map(len, lines)) < 300
    assert all(map(is_quiet, lines))


def test_values_of_types_that_numpy_lacks() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert preview(np.array([1.5, -2.0], ml_dtypes.bfloat16), 68) == ["[ 1.5 -2. ]"]
    weight = WeightRow("w", "constant", DataType.INT4, (2,), 2, 2)
    write_detail(sink := Terminal(), Format.JSON, Detail(None, weight, np.array([1, -2], ml_dtypes.int4)))
    assert json.loads(sink.text)["values"] == [1.0, -2.0]


# -- text ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "?"), (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1234, "1.23 kB"), (999_499, "999 kB"), (999_500, "1 MB"),
     (553_430_000, "553 MB"), (2 * 10**9, "2 GB"), (10**18, "1 EB")],
)  # fmt: skip
def test_sizes(number: int | None, text: str) -> None:
    assert size(number) == text


def test_counts_and_lists() -> None:
    assert (count(0, "node"), count(1, "node"), count(1412, "node")) == ("no nodes", "1 node", "1,412 nodes")
    assert (count(3, "batch"), count(2, "class")) == ("3 batches", "2 classes")
    assert some("abcde", 3) == "a, b, c and 2 more"
    assert some("ab", 3) == "a, b"


def test_escape_is_visible_and_narrow() -> None:
    assert escape("a\x1bb\u202ec\x85\ud800") == "a\\x1bb\\u202ec\\x85\\ud800"
    assert cells("漢字") == 4
    assert pad("漢字", 6) == "漢字  "
    assert pad("x", 3, right=True) == "  x"


@pytest.mark.parametrize("width", range(1, 12))
@pytest.mark.parametrize(
    "text", ["abcdefghijk", "漢字漢字漢字", "🐈🐈a🐈🐈🐈", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301"]
)
def test_elided_text_fits(text: str, width: int) -> None:
    short = elide(text, width)
    assert cell_len(short) <= width
    assert short == text or "…" in short
    assert elide("abcdefghijk", 7) == "abc…ijk"


def test_wrap_breaks_after_commas_but_not_in_shapes() -> None:
    assert list(wrap("aaa (1, 2), bbb (3, 4) -> ccc and 2 more", 12)) == [
        "aaa (1, 2),",
        "bbb (3, 4)",
        "-> ccc",
        "and 2 more",
    ]
    assert list(wrap("x" * 30 + ", y", 10)) == ["x" * 30 + ",", "y"]
    assert list(wrap("", 10)) == [""]


def test_json_text() -> None:
    assert json_text({"a": "\u202e\x85é🐈\x1b"}) == '{"a": "\\u202e\\u0085é🐈\\u001b"}'
    assert json_text("é", is_unicode=False) == '"\\u00e9"'
    assert json.loads("\n".join(json_array([1, "\ud800", None]))) == [1, "\ud800", None]
    assert plain({"a": (math.inf, DataType.HALF, Role.MOVING_AVERAGE, b"\xff")}) == {
        "a": ["inf", "float16", "moving average", "\\xff"]
    }


def test_csv_text() -> None:
    lines = list(csv_lines(("a", "b"), [('x,\ny"', True), (None, 1.5)]))
    assert lines == ["a,b", '"x,\\x0ay""",true', ",1.5"]


@pytest.mark.parametrize(("stated", "width"), [("40", 40), ("300", 300), ("", 55), ("0", 55), ("wide", 55)])
def test_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch, stated: str, width: int) -> None:
    master, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 55, 0, 0))
    monkeypatch.setenv("COLUMNS", stated)
    with open(master, "rb"), open(terminal, "w") as stream:
        monkeypatch.setattr(sys, "__stdout__", stream)
        assert terminal_width() == width == shutil.get_terminal_size().columns


def test_the_width_without_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    with open(tmp_path / "out", "w") as stream:
        monkeypatch.setattr(sys, "__stdout__", stream)
        assert terminal_width() == 80
    assert terminal_width() == 80  # closed
