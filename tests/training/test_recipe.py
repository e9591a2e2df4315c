"""What graft leaves for tune: written and read in one place."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

import pytest

from graphscope.cli.terminal.wording import to_words
from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.errors import GraphscopeError
from graphscope.protos import GraphDef, MetaGraphDef
from graphscope.training.recipe import CLASSES, COLLECTION, Recipe, recipe_of, write_recipe

RECIPE = Recipe(
    task=CLASSES,
    classes=5,
    inputs={"input": "input:0"},
    features=("head/stop_gradient:0",),
    labels="train/labels:0",
    training="",
    logits="head/logits:0",
    predictions="head/predictions:0",
    loss="train/loss:0",
    metric="train/metric:0",
    train_op="train/train_op",
    learning_rate="train/learning_rate:0",
    global_step="global_step:0",
    settings={"head": "dense:5"},
)


def model_of(meta: MetaGraphDef) -> Model:
    return Model("five/model.ckpt", ModelKind.META_GRAPH, "binary", (), Graph(GraphDef(), ()), meta)


def test_what_is_written_is_read() -> None:
    meta = MetaGraphDef()
    write_recipe(meta, RECIPE)
    assert recipe_of(model_of(MetaGraphDef.FromString(meta.SerializeToString()))) == RECIPE


def test_a_second_recipe_replaces_the_first() -> None:
    meta = MetaGraphDef()
    write_recipe(meta, RECIPE)
    write_recipe(meta, RECIPE)
    assert len(meta.collection_def[COLLECTION].bytes_list.value) == 1


def test_a_model_without_one_says_how_to_get_one() -> None:
    with pytest.raises(GraphscopeError, match="no loss to train") as raised:
        recipe_of(model_of(MetaGraphDef()))
    assert raised.value.hint is not None
    assert to_words(raised.value.hint).startswith("graphscope graft five/model.ckpt")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", json.dumps({"task": "classes"}).encode()])
def test_broken_recipes_are_named(content: bytes) -> None:
    meta = MetaGraphDef()
    meta.collection_def[COLLECTION].bytes_list.value.append(content)
    with pytest.raises(GraphscopeError, match=f"collection {COLLECTION} holds no JSON with task, classes"):
        recipe_of(model_of(meta))


def test_a_collection_of_something_else_is_no_recipe() -> None:
    meta = MetaGraphDef()
    meta.collection_def[COLLECTION].node_list.value.append("train")
    with pytest.raises(GraphscopeError, match="holds no JSON"):
        recipe_of(model_of(meta))


def _stored(content: bytes) -> Model:
    meta = MetaGraphDef()
    meta.collection_def[COLLECTION].bytes_list.value.append(content)
    return model_of(meta)


@pytest.mark.parametrize("value", [5, None, True, [1], {"a": 1}, 2.5], ids=str)
@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_fields_of_another_type_are_named(name: str, value: Any) -> None:
    if name == "classes" and value == 5:
        value = -5
    with pytest.raises(GraphscopeError, match="holds no JSON with task, classes"):
        recipe_of(_stored(json.dumps({**asdict(RECIPE), name: value}).encode()))


@pytest.mark.parametrize(("name", "value"), [("features", "ab"), ("task", "other"), ("classes", 0), ("classes", 10**9)])
def test_values_that_no_recipe_has_are_named(name: str, value: Any) -> None:
    with pytest.raises(GraphscopeError, match="holds no JSON with task, classes"):
        recipe_of(_stored(json.dumps({**asdict(RECIPE), name: value}).encode()))


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 50_000], ids=["lists", "objects"])
def test_a_deeply_nested_recipe_is_refused(content: bytes) -> None:
    with pytest.raises(GraphscopeError, match="holds no JSON"):
        recipe_of(_stored(content))
