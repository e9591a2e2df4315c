"""What each guard of editing is there for: what a part keeps, what two models have in common, what a recipe may say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphscope.core.model import Model, ModelKind
from graphscope.core.values.payload import ArrayPayload
from graphscope.editing.edited import Edited, with_parts
from graphscope.editing.parts import Extract, Merge
from graphscope.editing.recipe import read_recipe
from graphscope.editing.shapes import Reshape
from graphscope.editing.steps import Rename
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.protos import MetaGraphDef, VariableDef
from tests.support.payloads import MemoryStore
from tests.support.written import graph_of
from tests.support.yaml_bomb import BOMB

LINES = (
    "x Placeholder(?,2)",
    "v VariableV2(2)",
    "y Mul x v",
    "w VariableV2(2)",
    "z Add y w",
    'file Const:string="a.txt"',
)


def model(*names: str, is_stored: bool = True) -> Model:
    """Two variables; a collection of each kind, signatures, and an asset; values of the variables in ``names``."""
    meta = MetaGraphDef()
    for name, output in (("serve", "y:0"), ("all", "z:0")):
        meta.signature_def[name].inputs["x"].name = "x:0"
        meta.signature_def[name].outputs["out"].name = output
    meta.collection_def["tensors"].node_list.value.extend(["y:0", "z:0"])
    meta.collection_def["last"].node_list.value.append("z:0")
    meta.collection_def["numbers"].int64_list.value.append(7)
    variables = meta.collection_def["variables"].bytes_list
    variables.value.extend(VariableDef(variable_name=f"{v}:0").SerializeToString() for v in "vw")
    asset = meta.asset_file_def.add(filename="a.txt")
    asset.tensor_info.name = "file:0"
    store = MemoryStore([(name, ArrayPayload(np.ones(2, np.float32))) for name in names]) if is_stored else None
    return Model("m", ModelKind.META_GRAPH, "binary", (), graph_of(LINES), meta, store)


def test_a_part_keeps_what_names_nothing_else() -> None:
    part = Extract(("y:0",)).apply(Edited(model("v", "w"))).model
    assert part.graph.names == ["x", "v", "y"]
    assert part.store is not None
    assert list(part.store.entries) == ["v"]
    meta = part.meta
    assert list(meta.signature_def) == ["serve"]
    assert sorted(meta.collection_def) == ["numbers", "tensors", "variables"]
    assert meta.collection_def["tensors"].node_list.value[:] == ["y:0"]
    assert meta.collection_def["numbers"].int64_list.value[:] == [7]
    [raw] = meta.collection_def["variables"].bytes_list.value
    assert VariableDef.FromString(raw).variable_name == "v:0"
    assert not meta.asset_file_def
    with_file = Extract(("y:0", "file:0")).apply(Edited(model(is_stored=False))).model
    assert [asset.filename for asset in with_file.meta.asset_file_def] == ["a.txt"]
    assert with_file.store is None


def test_two_models_have_their_collections_in_common() -> None:
    own, other = model("v", "w"), model("v")
    other.meta.collection_def["only here"].node_list.value.append("y:0")
    own.meta.collection_def["last"].int64_list.value.append(1)  # of another kind
    merged = Merge(other, "b").apply(Edited(own)).model
    meta = merged.meta
    assert meta.collection_def["tensors"].node_list.value[:] == ["y:0", "z:0", "b/y:0", "b/z:0"]
    assert meta.collection_def["numbers"].int64_list.value[:] == [7, 7]
    assert meta.collection_def["only here"].node_list.value[:] == ["b/y:0"]
    assert meta.collection_def["last"].node_list.value[:] == ["b/z:0"]
    assert sorted(meta.signature_def) == ["all", "b_all", "b_serve", "serve"]
    assert [asset.tensor_info.name for asset in meta.asset_file_def] == ["file:0", "b/file:0"]
    assert merged.store is not None
    assert sorted(merged.store.entries) == ["b/v", "v", "w"]
    for stored in (True, False):
        one = Merge(model("w"), "b").apply(Edited(model("v", is_stored=stored))).model
        assert one.store is not None
        assert sorted(one.store.entries) == ["b/w", *(["v"] if stored else [])]
    assert Merge(model(is_stored=False), "b").apply(Edited(model(is_stored=False))).model.store is None


def test_a_recipe_is_a_list_of_steps(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yml"

    def read(text: str) -> list[object]:
        path.write_text(text)
        return list(read_recipe(path))

    assert read("- cleanup\n- rename: v=u\n- {cleanup: }\n")[1] == Rename("v", "u")
    assert len(read("[]")) == 0
    wrong = {
        "rename: v=u": "a recipe is a list of steps",
        "- [rename]": "step 1 is neither a word nor of the form KIND: TEXT",
        "- cleanup\n- {rename: v=u, cleanup: }": "step 2 is neither a word nor of the form KIND: TEXT",
        "- {}": "step 1 is neither a word",
        "- 5": "step 1 is neither a word",
        "- nonsense": "step 1: ",
        "- cleanup\n- nonsense: v=u": "step 2: ",
        "- {": "not a recipe: ",
        f"- rename: {BOMB}": "step 1 is neither a word",
        f"- ? {BOMB}\n  : v=u": "not a recipe: ",
        "- {rename: [v]}": "step 1 is neither a word",
        "- {1: v}": "step 1 is neither a word",
        "#" * ((1 << 20) + 1): "a recipe is limited to 1,048,576 bytes",
    }
    for text, message in wrong.items():
        with pytest.raises(ArgumentError, match=message):
            read(text)
    assert read("- cleanup\n" + "#" * ((1 << 20) - 10))


def test_a_value_that_nobody_has_is_none() -> None:
    """Values that a checkpoint holds beside the graph's, and variables that it lacks, are not carried along."""
    odd = model("v", "elsewhere")
    part = Extract(("z:0",)).apply(Edited(odd)).model
    assert part.store is not None
    assert list(part.store.entries) == ["v"]
    with pytest.raises(GraphscopeError):
        Extract(("nowhere:0",)).apply(Edited(odd))


def test_signatures_state_what_their_tensors_are_now() -> None:
    reshaped = Reshape({"x": (5, 2)}).apply(Edited(model(), ("y:0", "z:0"))).model
    taken = [signature.inputs["x"] for signature in reshaped.meta.signature_def.values()]
    given = [signature.outputs["out"] for signature in reshaped.meta.signature_def.values()]
    assert [[dim.size for dim in info.tensor_shape.dim] for info in (*taken, *given)] == [[5, 2]] * 4
    assert {info.dtype for info in (*taken, *given)} == {1}


def test_a_graph_with_values_is_a_checkpoint() -> None:
    graph, store = graph_of(LINES), MemoryStore([("v", ArrayPayload(np.ones(2, np.float32)))])
    for kind, expected in (
        (ModelKind.GRAPH, ModelKind.META_CHECKPOINT),
        (ModelKind.EVENT_FILE, ModelKind.META_CHECKPOINT),
        (ModelKind.SAVED_MODEL, ModelKind.SAVED_MODEL),
    ):
        plain = Model("m", kind, "binary", (), graph)
        assert with_parts(plain, graph).kind is kind
        assert with_parts(plain, graph, store=store).kind is expected
