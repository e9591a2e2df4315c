"""Weights by name: out of a model into an archive, and back into a checkpoint of the same graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.core.values.payload import ArrayPayload
from graphscope.core.variables.variables import Role
from graphscope.errors import FormatError
from graphscope.formats import load
from graphscope.formats.archives.npz import NpzStore
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.formats.archives.safetensors import SafetensorsStore, write_safetensors
from graphscope.formats.archives.weights import weights_of
from graphscope.formats.checkpoint.weight_exchange import problem_lines, weights_into_checkpoint
from graphscope.formats.checkpoint.writer import write_checkpoint
from graphscope.protos import GraphDef, MetaGraphDef
from tests.support.converting import MODELS, Fixture, restored, variable_values
from tests.support.fixture_files import FIXTURES
from tests.support.payloads import MemoryStore, contents, variables_model
from tests.support.saving import Array, assert_equal, tf

FORMS: dict[str, tuple[Callable[..., int], Callable[[Path], Any]]] = {
    "npz": (write_npz, NpzStore),
    "safetensors": (write_safetensors, SafetensorsStore),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", MODELS)
def test_out_and_back(tmp_path: Path, name: str, form: str) -> None:
    write, read = FORMS[form]
    fixture, prefix, path = Fixture(name), str(tmp_path / "model"), tmp_path / "weights"
    model = load(fixture.prefix)
    write(path, weights_of(model))
    weights_into_checkpoint(model, read(path), prefix)
    before, after = variable_values(fixture.prefix), variable_values(prefix)
    assert after.keys() == before.keys()
    for key, value in before.items():
        assert_equal(after[key], value, key)
    assert Path(prefix + ".meta").read_bytes() == Path(fixture.prefix + ".meta").read_bytes()


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The matrix of ``partitioned`` in four parts under their own names, doubled; its vector under its key."""
    model = load(Fixture("partitioned").prefix)
    parts = {v.name: model.value(v).numpy() * 2 for v in model.variables if v.slice is not None}
    assert len(parts) == 4
    np.savez(tmp_path / "changed.npz", **parts, **{"softmax/b": np.ones(10, np.float32)})
    return tmp_path / "changed.npz"


def test_parts_of_a_variable(changed: Path, tmp_path: Path) -> None:
    fixture, prefix = Fixture("partitioned"), str(tmp_path / "model")
    weights_into_checkpoint(load(fixture.prefix), NpzStore(changed), prefix)
    before, after = variable_values(fixture.prefix), variable_values(prefix)
    assert_equal(after["softmax/w"], before["softmax/w"] * 2, "w")
    assert after["softmax/b"].tolist() == [1] * 10
    restored(prefix + ".meta", prefix, fixture.output, fixture.feeds)


def arrays_in(path: Path) -> dict[str, Array]:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.parametrize("role", [Role.MODEL, Role.SLOT])
def test_one_part_is_missing(changed: Path, tmp_path: Path, role: Role) -> None:
    """Half a slot is an error, too."""
    arrays = arrays_in(changed)
    [first, *_] = arrays
    del arrays[first]
    np.savez(changed, **arrays)
    model = load(Fixture("partitioned").prefix)
    model.variables = tuple(v._replace(role=role) for v in model.variables)
    with pytest.raises(FormatError, match=f"missing: {first}"):
        weights_into_checkpoint(model, NpzStore(changed), str(tmp_path / "model"))


def test_slots_stay(tmp_path: Path) -> None:
    """Only the weights in the archive: Adam's slots, powers and the step come from the model's own checkpoint."""
    fixture, prefix = Fixture("lenet5"), str(tmp_path / "model")
    model = load(fixture.prefix)
    weights = [(v.name, model.value(v)) for v in model.variables if v.trainable]
    write_npz(tmp_path / "weights.npz", [(name, ArrayPayload(payload.numpy() + 1)) for name, payload in weights])
    weights_into_checkpoint(model, NpzStore(tmp_path / "weights.npz"), prefix)
    before, after = variable_values(fixture.prefix), variable_values(prefix)
    assert after.keys() == before.keys()
    names = {name for name, _ in weights}
    assert 0 < len(names) < len(before) / 2
    for key, value in before.items():
        assert_equal(after[key], value + 1 if key in names else value, key)


def test_weights_of_the_fixture(tmp_path: Path) -> None:
    """What ``numpy.savez`` wrote when the model was trained."""
    fixture, prefix = Fixture("softmax"), str(tmp_path / "model")
    weights_into_checkpoint(load(fixture.prefix), NpzStore(FIXTURES / "softmax" / "weights.npz"), prefix)
    after = variable_values(prefix)
    for key, value in variable_values(fixture.prefix).items():
        assert_equal(after[key], value, key)


def test_a_meta_graph_without_a_checkpoint(tmp_path: Path) -> None:
    """Every variable that its saver restores must be given."""
    fixture, prefix = Fixture("batchnorm"), str(tmp_path / "model")
    (tmp_path / "only.meta").write_bytes(Path(fixture.prefix + ".meta").read_bytes())
    model, path = load(tmp_path / "only.meta"), tmp_path / "weights.npz"
    assert model.store is None
    arrays = variable_values(fixture.prefix)
    np.savez(path, **arrays)
    weights_into_checkpoint(model, NpzStore(path), prefix)
    expected = restored(fixture.prefix + ".meta", fixture.prefix, fixture.output, fixture.feeds)
    assert_equal(restored(prefix + ".meta", prefix, fixture.output, fixture.feeds), expected, "output")
    arrays.pop("global_step")
    np.savez(path, **arrays)
    with pytest.raises(FormatError, match="missing: global_step"):
        weights_into_checkpoint(model, NpzStore(path), prefix, overwrite=True)


def test_what_does_not_fit(tmp_path: Path) -> None:
    """One message says it all, with the names that were probably meant."""
    model = load(Fixture("softmax").prefix)
    arrays = {
        "inference/weigths": np.zeros((784, 10), np.float32),
        "inference/biases": np.zeros(10),
        "other": np.ones(1),
    }
    np.savez(tmp_path / "weights.npz", **arrays)
    with pytest.raises(FormatError) as error:
        weights_into_checkpoint(model, NpzStore(tmp_path / "weights.npz"), str(tmp_path / "model"))
    assert error.value.message.splitlines() == [
        f"{tmp_path / 'weights.npz'}: does not fit {model.path}",
        "  missing: inference/weights; closest: inference/weigths",
        "  not in the graph: inference/weigths; closest: inference/weights",
        "  not in the graph: other",
        "  different: inference/biases is float64 (10), in the graph float32 (10)",
    ]
    assert contents(tmp_path).keys() == {"weights.npz"}


def test_many_names_that_do_not_fit(tmp_path: Path) -> None:
    np.savez(tmp_path / "weights.npz", **{f"n{i}": np.ones(1) for i in range(20)})
    with pytest.raises(FormatError, match="not in the graph: 12 more"):
        weights_into_checkpoint(
            load(Fixture("softmax").prefix), NpzStore(tmp_path / "weights.npz"), str(tmp_path / "m")
        )


@pytest.mark.parametrize("count", [0, 1, 8, 9])
def test_eight_problems_are_listed(count: int) -> None:
    lines = list(problem_lines("missing", [f"n{i}" for i in range(count)], ["n0", "other"]))
    assert lines[:1] == ["missing: n0; closest: n0"][:count]
    assert lines[8:] == (["missing: 1 more"] if count == 9 else [])
    assert len(lines) == count


def sliced_meta(path: Path, values: Mapping[str, Array], parts: int) -> Path:
    """A meta graph without a checkpoint: ``w`` of shape (5, 2) in parts by rows, and what the archive gives."""
    with tf.Graph().as_default(), tf.compat.v1.Session():
        cut = tf.compat.v1.fixed_size_partitioner(parts)
        tf.compat.v1.get_variable("w", [5, 2], partitioner=cut)
        tf.compat.v1.train.Saver().export_meta_graph(str(path / "m.meta"))
    np.savez(path / "w.npz", **dict(values))
    return path / "m.meta"


@pytest.mark.parametrize("shape", [(5, 2), (4, 2), (5, 3), (6, 2), (5,)])
def test_the_whole_of_a_partitioned_variable(shape: tuple[int, ...], tmp_path: Path) -> None:
    """Its shape is where its parts end, where no checkpoint tells it."""
    whole = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    model = load(sliced_meta(tmp_path, {"w": whole}, 2))
    assert len(model.variables) == 2
    if shape != (5, 2):
        text = ", ".join(map(str, shape))
        with pytest.raises(FormatError, match=rf"different: w is float32 \({text}\), in the graph float32 \(5, 2\)"):
            weights_into_checkpoint(model, NpzStore(tmp_path / "w.npz"), str(tmp_path / "n"))
        return
    weights_into_checkpoint(model, NpzStore(tmp_path / "w.npz"), str(tmp_path / "n"))
    assert_equal(variable_values(str(tmp_path / "n"))["w"], whole, "w")


def test_parts_without_a_checkpoint(tmp_path: Path) -> None:
    parts = {f"w/part_{i}": np.full((size, 2), i, np.float32) for i, size in enumerate((2, 2, 1))}
    model = load(sliced_meta(tmp_path, parts, 3))
    weights_into_checkpoint(model, NpzStore(tmp_path / "w.npz"), str(tmp_path / "n"))
    assert variable_values(str(tmp_path / "n"))["w"].tolist() == [[0, 0]] * 2 + [[1, 1]] * 2 + [[2, 2]]
    sliced_meta(tmp_path, parts | {"w/part_2": np.zeros((2, 2), np.float32), "w/part_0": np.zeros((2, 2))}, 3)
    with pytest.raises(FormatError) as error:
        weights_into_checkpoint(model, NpzStore(tmp_path / "w.npz"), str(tmp_path / "o"))
    assert error.value.message.splitlines()[1:] == [
        "  different: w/part_0 is float64 (2, 2), in the graph float32 (2, 2)",
        "  different: w/part_2 is float32 (2, 2), in the graph float32 (1, 2)",
    ]


def test_what_only_the_checkpoint_has(tmp_path: Path) -> None:
    """A key that no variable of the graph takes may be given, as it is stored; not with another type or shape."""
    source, graph = tmp_path / "m", load(Fixture("softmax").prefix)
    values = [(v.name, graph.value(v)) for v in graph.variables]
    write_checkpoint(str(source), [*values, ("extra", ArrayPayload(np.ones(3, np.int32)))])
    (tmp_path / "m.meta").write_bytes(Path(Fixture("softmax").prefix + ".meta").read_bytes())
    model = load(source)
    weights = {name: payload.numpy() for name, payload in values}
    for extra, message in (
        (np.full(3, 7, np.int32), ""),
        (np.ones(3, np.float32), "different: extra is float32 .3., in the graph int32 .3."),
        (np.ones(4, np.int32), "different: extra is int32 .4., in the graph int32 .3."),
    ):
        np.savez(tmp_path / "w.npz", **weights, extra=extra)
        if message:
            with pytest.raises(FormatError, match=message):
                weights_into_checkpoint(model, NpzStore(tmp_path / "w.npz"), str(tmp_path / "n"), overwrite=True)
        else:
            weights_into_checkpoint(model, NpzStore(tmp_path / "w.npz"), str(tmp_path / "n"))
            assert variable_values(str(tmp_path / "n"))["extra"].tolist() == [7, 7, 7]


def test_variables_without_a_value_are_left_out() -> None:
    values = {name: ArrayPayload(np.ones(2, np.float32)) for name in ("a", "b")}
    model = variables_model(list(values.items()))
    assert [name for name, _ in weights_of(model)] == ["a", "b"]
    some = model.replace(store=MemoryStore([("b", values["b"])]))
    assert [(name, payload.numpy().tolist()) for name, payload in weights_of(some)] == [("b", [1, 1])]
    assert weights_of(model.replace(store=None)) == []


def test_constants_of_a_frozen_graph() -> None:
    found = dict(weights_of(load(FIXTURES / "softmax" / "frozen.pb")))
    expected = variable_values(Fixture("softmax").prefix)
    for name in ("inference/weights", "inference/biases"):
        assert_equal(found[name].numpy(), expected[name], name)


@pytest.mark.parametrize(
    ("kind", "stated", "given", "fits"),
    [
        ("Variable", [], (3,), True),  # how the first op for variables writes an unknown shape
        ("Variable", [3], (3,), True),
        ("Variable", [3], (2,), False),
        ("VariableV2", [], (), True),
        ("VariableV2", [], (3,), False),
        ("VariableV2", [3], (3,), True),
        ("VariableV2", [3], (3, 1), False),
    ],
)
def test_shapes_without_a_checkpoint(
    tmp_path: Path, kind: str, stated: list[int], given: tuple[int, ...], fits: bool
) -> None:
    graph = GraphDef()
    node = graph.node.add(name="v", op=kind)
    node.attr["dtype"].type = 1
    node.attr["shape"].shape.SetInParent()
    for size in stated:
        node.attr["shape"].shape.dim.add(size=size)
    meta = MetaGraphDef(graph_def=graph)
    (tmp_path / "v.meta").write_bytes(meta.SerializeToString())
    np.savez(tmp_path / "v.npz", v=np.ones(given, np.float32))
    model, prefix = load(tmp_path / "v.meta"), str(tmp_path / "model")
    if fits:
        weights_into_checkpoint(model, NpzStore(tmp_path / "v.npz"), prefix)
        assert variable_values(prefix)["v"].shape == given
    else:
        with pytest.raises(FormatError, match="different: v is float32"):
            weights_into_checkpoint(model, NpzStore(tmp_path / "v.npz"), prefix)
