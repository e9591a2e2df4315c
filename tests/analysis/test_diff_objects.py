"""What differs between the objects of TensorFlow 2 SavedModels, and so in what ``tf.saved_model.load`` computes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.analysis.diff.compare import DiffOptions, diff
from graphscope.analysis.diff.weights import Depth
from graphscope.editing.objects import plain_model
from graphscope.protos import MetaGraphDef, SavedModel, SavedObjectGraph
from tests.analysis.test_diff import found
from tests.support.running import tf

EXACT = DiffOptions(Depth.EXACT, strict=True)
VECTOR = [tf.TensorSpec([2], name="x")]


class Parts(tf.Module):  # type: ignore[misc]
    """Variables of equal shapes and names, captured constants, a table with its file."""

    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        self.v = tf.Variable([1.0, 2.0], name="v")
        self.w = tf.Variable([3.0, 5.0], name="w")
        self.pair = [tf.Variable(1.0), tf.Variable(2.0)]
        self.constants = tf.constant([7.0, 11.0]), tf.constant([13.0, 17.0])
        vocabulary.write_text("a\nb\n")
        words = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self.table = tf.lookup.StaticHashTable(words, -1)

    @tf.function(input_signature=VECTOR)
    def f(self, x: Any) -> Any:
        return {"y": x * self.v + self.w * self.constants[0] - self.constants[1]}

    @tf.function(input_signature=VECTOR)
    def g(self, x: Any) -> Any:
        return {"y": x * self.w - self.v + self.pair[0] / self.pair[1]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="s")])
    def look(self, s: Any) -> Any:
        return {"i": self.table.lookup(s)}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("objects")
    parts = Parts(place / "words.txt")
    tf.saved_model.save(parts, str(place / "m"), signatures={"f": parts.f, "g": parts.g, "look": parts.look})
    return place / "m"


Values = list[list[float]]


@pytest.fixture(scope="module")
def values(saved: Path) -> Values:
    """What the methods of the model compute."""
    return computed(saved)


def computed(directory: Path) -> Values:
    loaded = tf.saved_model.load(str(directory))
    return [np.asarray(f(tf.constant([2.0, 3.0]))["y"]).tolist() for f in (loaded.f, loaded.g)]


Edit = Callable[[MetaGraphDef], object]


def edited(source: Path, target: Path, edit: Edit) -> Path:
    shutil.copytree(source, target)
    message = SavedModel.FromString((source / "saved_model.pb").read_bytes())
    edit(message.meta_graphs[0])
    (target / "saved_model.pb").write_bytes(message.SerializeToString())
    return target


def at(meta: MetaGraphDef, path: str) -> Any:
    """The object at the end of a path."""
    item: Any = meta.object_graph_def.nodes[0]
    for name in path.split("/"):
        [number] = [child.node_id for child in item.children if child.local_name == name]
        item = meta.object_graph_def.nodes[number]
    return item


def swapped(path: str, one: str, other: str) -> Edit:
    """Two children of the object at ``path`` in each other's place; of the root, if it is empty."""

    def edit(meta: MetaGraphDef) -> None:
        owner = at(meta, path) if path else meta.object_graph_def.nodes[0]
        children = {child.local_name: child for child in owner.children}
        a, b = children[one], children[other]
        a.node_id, b.node_id = b.node_id, a.node_id

    return edit


def captures(prefix: str, one: int, other: int) -> Edit:
    """Two captured inputs of the functions called ``prefix`` in each other's place."""

    def edit(meta: MetaGraphDef) -> None:
        for name, function in meta.object_graph_def.concrete_functions.items():
            if name.startswith(prefix):
                bound = function.bound_inputs
                bound[one], bound[other] = bound[other], bound[one]

    return edit


def of_constant(meta: MetaGraphDef) -> None:
    """A captured constant that is another node of the graph."""
    constants = [node.constant for node in meta.object_graph_def.nodes if node.HasField("constant")]
    names = [node.operation for node in constants]
    constants[0].operation, constants[1].operation = names[1], names[0]


def method(meta: MetaGraphDef) -> None:
    """A method that calls the other's function."""
    functions = at(meta, "f").function.concrete_functions
    functions[:] = list(at(meta, "g").function.concrete_functions)


CHANGES: dict[str, tuple[Edit, set[str]]] = {
    "variables that a function captures": (captures("__inference_f", 0, 1), {"captured input 0: v -> w"}),
    "of equal names": (captures("__inference_g", 2, 3), {"captured input 2: pair/0 -> pair/1"}),
    "variables under another name": (swapped("", "v", "w"), {"variable: v -> w", "captured input 0: v -> w"}),
    "variables in a list": (swapped("pair", "0", "1"), {"captured input 2: pair/0 -> pair/1"}),
    "methods": (swapped("", "f", "g"), {"functions: F -> G"}),
    "the function of a method": (method, {"functions: F -> G"}),
    "constants": (of_constant, {"constant: Const_1 -> Const_2"}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_the_values_is_told(name: str, saved: Path, values: Values, tmp_path: Path) -> None:
    edit, expected = CHANGES[name]
    other = edited(saved, tmp_path / "m", edit)
    rows = found(diff(graphscope.load(saved), graphscope.load(other)))
    assert {section for section, *_ in rows} == {"objects"}
    functions = graphscope.load(saved).meta.object_graph_def.concrete_functions
    letters = {
        each: each.split("_")[3].upper() for each in functions if each.startswith(("__inference_f", "__inference_g"))
    }
    details = {row[3] for row in rows}
    for each, letter in letters.items():
        details = {detail.replace(each, letter) for detail in details}
    assert expected <= details
    assert computed(other) != values


def asset(meta: MetaGraphDef) -> None:
    meta.asset_file_def[0].filename = "other.txt"


def no_longer_callable(meta: MetaGraphDef) -> None:
    objects = meta.object_graph_def
    del objects.concrete_functions[at(meta, "f").function.concrete_functions[0]]


def without_method(meta: MetaGraphDef) -> None:
    children = meta.object_graph_def.nodes[0].children
    del children[[child.local_name for child in children].index("look")]


FACTS: dict[str, tuple[Edit, tuple[str, str, str]]] = {
    "file": (asset, ("changed", "table/_initializer/_filename", "file: words.txt -> other.txt")),
    "class": (
        lambda meta: setattr(at(meta, "signatures").user_object, "identifier", "other"),
        ("changed", "signatures", "class: signature_map -> other"),
    ),
    "type of object": (
        lambda meta: at(meta, "table").user_object.SetInParent(),
        ("changed", "table", "kind: resource -> user_object"),
    ),
    "trainable": (
        lambda meta: setattr(at(meta, "v").variable, "trainable", False),
        ("changed", "v", "trainable: True -> False"),
    ),
    "child": (without_method, ("removed", "look", "")),
    "arguments": (
        lambda meta: setattr(at(meta, "f").function.function_spec, "is_method", True),
        ("changed", "f", "arguments: fullargspec { -> fullargspec {"),
    ),
    "objects": (lambda meta: meta.ClearField("object_graph_def"), ("removed", "object graph", "")),
}


@pytest.mark.parametrize("name", FACTS)
def test_what_is_said_of_an_object(name: str, saved: Path, tmp_path: Path) -> None:
    edit, (change, place, detail) = FACTS[name]
    rows = found(diff(graphscope.load(saved), graphscope.load(edited(saved, tmp_path / "m", edit))))
    told = [row for row in rows if row[0] == "objects"]
    assert [row[1:3] for row in told] == [(change, place)]
    assert detail in told[0][3] or name == "arguments"


def test_a_function_that_objects_no_longer_call(saved: Path, tmp_path: Path) -> None:
    rows = found(diff(graphscope.load(saved), graphscope.load(edited(saved, tmp_path / "m", no_longer_callable))))
    assert [(row[0], row[1], row[3]) for row in rows] == [("objects", "removed", "function that objects call")]


def shuffled(meta: MetaGraphDef) -> None:
    """The same objects under other numbers."""
    objects = meta.object_graph_def
    last = len(objects.nodes) - 1
    number = {0: 0, **{i: last + 1 - i for i in range(1, last + 1)}}
    nodes = [objects.nodes[0], *list(objects.nodes)[:0:-1]]
    for node in nodes:
        for child in (*node.children, *node.dependencies):
            child.node_id = number[child.node_id]
        children = sorted(node.children, key=lambda child: child.local_name, reverse=True)
        node.ClearField("children")
        node.children.extend(children)
    for function in objects.concrete_functions.values():
        function.bound_inputs[:] = [number[i] for i in function.bound_inputs]
    turned = SavedObjectGraph(nodes=nodes, concrete_functions=objects.concrete_functions)
    objects.CopyFrom(turned)


def test_what_differs_in_numbers_alone_is_equal(saved: Path, values: Values, tmp_path: Path) -> None:
    other = edited(saved, tmp_path / "m", shuffled)
    assert computed(other) == values
    assert found(diff(graphscope.load(saved), graphscope.load(other), EXACT)) == []


def test_the_same_program_saved_again(saved: Path, tmp_path: Path) -> None:
    """Functions that were traced again have other numbers."""
    parts = Parts(saved.parent / "words.txt")
    tf.saved_model.save(parts, str(tmp_path / "m"), signatures={"f": parts.f, "g": parts.g, "look": parts.look})
    assert found(diff(graphscope.load(saved), graphscope.load(tmp_path / "m"))) == []


@pytest.mark.parametrize("target", ["m/", "m.meta", "m.ckpt"])
def test_a_round_trip(target: str, saved: Path, values: Values, tmp_path: Path) -> None:
    graphscope.save(graphscope.load(saved), f"{tmp_path}/{target}")
    report = diff(graphscope.load(saved), graphscope.load(tmp_path / target))
    assert [row for row in found(report) if row[0] == "objects"] == []
    if target == "m/":
        assert found(report) == []
        assert computed(tmp_path / "m") == values


def test_a_model_without_its_objects(saved: Path, tmp_path: Path) -> None:
    graphscope.save(plain_model(graphscope.load(saved)), f"{tmp_path}/m/")
    rows = found(diff(graphscope.load(saved), graphscope.load(tmp_path / "m")))
    assert ("objects", "removed", "object graph") in [row[:3] for row in rows]
