"""A model by itself: what it gives of graph, constants, variables and checkpoint, and what it lacks."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.model import Model, ModelFile, ModelKind
from graphscope.core.ops.table import registered_ops
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, ConvertedPayload, Payload
from graphscope.core.values.slices import SlicePayload
from graphscope.core.variables.object_graph import OBJECT_GRAPH_KEY
from graphscope.core.variables.variables import Entry, Role, Variable
from graphscope.errors import (
    CorruptFileError,
    GraphscopeError,
    IncompleteModelError,
    NotTensorFlowError,
    UnknownNameError,
)
from graphscope.protos import MetaGraphDef, TrackableObjectGraph
from tests.support.graphs import const, graph_of, op, placeholder
from tests.support.running import attr_value


class Store:
    """A checkpoint in memory; a value may be an error that reading it raises."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.entries = {
            key: Entry(key, DataType.STRING, ())
            if isinstance(v, Exception)
            else Entry(key, DataType.from_numpy(v.dtype), v.shape)
            for key, v in values.items()
        }

    def payload(self, key: str) -> Payload:
        if isinstance(self.values[key], Exception):
            raise self.values[key]
        return ArrayPayload(self.values[key])


def model(
    *nodes: Any, files: tuple[ModelFile, ...] = (), kind: ModelKind = ModelKind.META_CHECKPOINT, **values: Any
) -> Model:
    store = Store({k: v if isinstance(v, Exception) else np.asarray(v) for k, v in values.items()}) if values else None
    return Model("m", kind, "", files, graph_of(*nodes) if nodes else None, MetaGraphDef(), store)


def test_a_model_without_a_graph_says_so() -> None:
    alone = model(v=np.float32([1]))
    assert not alone.has_graph
    with pytest.raises(IncompleteModelError, match=r"there is no m\.meta beside it"):
        _ = alone.graph
    with pytest.raises(IncompleteModelError, match="an archive of arrays has no graph"):
        _ = model(v=np.float32([1]), kind=ModelKind.ARCHIVE).graph
    alone.refuse_mismatch()
    with pytest.raises(IncompleteModelError):
        alone.refuse_invalid()
    assert (repr(alone), repr(model(placeholder("x")))) == (
        "<Model 'm': meta checkpoint, 1 values>",
        "<Model 'm': meta checkpoint, 1 nodes>",
    )


VARIABLE = make_node(
    "v",
    "VarHandleOp",
    (),
    {"dtype": type_attr(DataType.FLOAT), "shape": attr_value(registered_ops()["Placeholder"], "shape", (2,))},
)


def test_contents_by_name() -> None:
    found = model(const("c", [1, 2]), VARIABLE, op("n", "Neg", "c"), v=np.float32([3, 4]), extra=np.int32([5]))
    assert [np.asarray(found[name]).tolist() for name in ("c", "c:0", "v", "v:0", "extra")] == [
        [1, 2],
        [1, 2],
        [3, 4],
        [3, 4],
        [5],
    ]
    for name in ("n", "nowhere"):
        with pytest.raises(UnknownNameError, match="no variable is named"):
            _ = found[name]
    with pytest.raises(IncompleteModelError, match="m: no checkpoint holds a value of v"):
        _ = model(VARIABLE)["v"]
    with pytest.raises(IncompleteModelError, match="no checkpoint holds a value of v"):
        _ = model(VARIABLE, other=np.float32([1]))["v"]
    assert model(v=np.float32([1]))["v"].shape == (1,)


def test_a_variable_by_its_name_or_its_key() -> None:
    found = model(VARIABLE, v=np.float32([3, 4]), w=np.float32([1]))
    assert (found.variable("v").in_graph, found.variable("w").in_graph) == (True, False)
    with pytest.raises(UnknownNameError) as error:
        found.variable("vv")
    assert list(error.value.closest) == ["v"]


@pytest.mark.parametrize(
    ("roles", "checkpoint"),
    [
        ([("graph", "m.meta"), ("index", "m.index"), ("data", "m.data-0"), ("data", "m.data-1")], "m"),
        ([("data", "old.ckpt"), ("data", "other")], "old.ckpt"),
        ([("graph", "m.meta")], ""),
    ],
)
def test_where_the_values_are(roles: list[tuple[str, str]], checkpoint: str) -> None:
    files = tuple(ModelFile(path, role, 1) for role, path in roles)
    assert model(placeholder("x"), files=files, v=np.float32([1])).checkpoint == checkpoint
    assert model(placeholder("x"), files=files).checkpoint == ""


def variable(**fields: Any) -> Variable:
    stated: dict[str, Any] = {
        "name": "v",
        "dtype": DataType.INT32,
        "shape": (2, 2),
        "key": "v",
        "in_graph": True,
        "trainable": None,
        "role": Role.MODEL,
    }
    return Variable(**(stated | fields))


def test_a_value_as_the_graph_takes_it() -> None:
    numbers = np.float32([[1, 2, 3], [4, 5, 6]])
    found = model(placeholder("x"), v=numbers)
    whole = found.value(variable())
    assert whole.numpy().tolist() == numbers.tolist()
    part = found.value(variable(slice=((0, 2), (1, 2))))
    assert isinstance(part, SlicePayload)
    assert part.numpy().tolist() == [[2, 3], [5, 6]]
    entry = Entry("v", DataType.FLOAT, (2, 3))
    converted = found.value(variable(converts=True, demanded=(6,), entry=entry))
    assert isinstance(converted, ConvertedPayload)
    assert (converted.numpy().tolist(), converted.dtype) == ([1, 2, 3, 4, 5, 6], DataType.INT32)
    assert found.value(variable(converts=True, entry=entry)).shape == (2, 3)
    assert not isinstance(found.value(variable(converts=True, demanded=(5,), entry=entry)), ConvertedPayload)
    with pytest.raises(IncompleteModelError, match="its value is"):
        found.fitting_value(variable(demanded=(5,), entry=entry))
    with pytest.raises(IncompleteModelError, match="no checkpoint holds"):
        found.value(variable(key=None))


def test_the_object_graph_of_a_checkpoint() -> None:
    objects = TrackableObjectGraph()
    objects.nodes.add().attributes.add(full_name="w", checkpoint_key="path/w")
    stated = model(**{OBJECT_GRAPH_KEY: np.array(objects.SerializeToString(), object), "path/w": np.float32([1])})
    assert stated.objects == objects
    assert [v.name for v in stated.variables] == ["w"]
    assert model(v=np.float32([1])).objects is None
    assert model(placeholder("x")).objects is None
    for error in (IncompleteModelError("gone"), NotTensorFlowError("a pointer", path="f")):
        assert model(**{OBJECT_GRAPH_KEY: error}).objects is None
    with pytest.raises(CorruptFileError):
        _ = model(**{OBJECT_GRAPH_KEY: CorruptFileError("bad", path="f")}).objects
    with pytest.raises(IncompleteModelError, match="TrackableObjectGraph"):
        _ = model(**{OBJECT_GRAPH_KEY: np.array(b"\xff\xff", object)}).objects


def test_what_is_wrong_with_a_model() -> None:
    broken = model(op("y", "Neg", "nowhere"))
    assert [p.kind for p in broken.problems] == ["input"]
    with pytest.raises(GraphscopeError, match="m: not a valid graph"):
        broken.refuse_invalid()
    with pytest.raises(IncompleteModelError, match="does not fit the graph of m"):
        model(VARIABLE, v=np.float32([1, 2, 3])).refuse_mismatch()
    text = str(model(VARIABLE, vv=np.float32([1])).missing_value("v", "no value of v"))
    assert "closest keys: vv" in text
    assert "closest" not in str(model(VARIABLE).missing_value("v", "no value of v"))


def test_own_ops_come_before_tensorflows() -> None:
    meta = MetaGraphDef()
    meta.meta_info_def.stripped_op_list.op.add(name="Neg").output_arg.add(name="z", type=3)
    found = Model("m", ModelKind.META_GRAPH, "", (), graph_of(placeholder("x")), meta)
    assert [o.dtype for o in found.catalog.outputs("Neg", {}) or ()] == [DataType.INT32]
    meta.signature_def["b"].method_name = "n"
    meta.signature_def["a"].inputs["i"].name = "x:0"
    assert list(found.signatures) == ["a", "b"]


def test_a_changed_model_has_all_other_parts() -> None:
    names = list(inspect.signature(Model).parameters)
    parts: dict[str, Any] = {name: object() for name in names}
    model = Model(**parts)
    for name in names:
        changed = model.replace(**{name: "new"})
        assert {n: getattr(changed, n) for n in names} == {**parts, name: "new"}
        assert getattr(model, name) is parts[name]
    graph: Any = object()
    assert model.with_graph(graph).loaded_graph is graph
    with pytest.raises(TypeError, match="nodes"):
        model.replace(nodes=[])
