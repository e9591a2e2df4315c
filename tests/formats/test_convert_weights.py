"""Weights by name: out of a model into an archive, and back into a checkpoint of the same graph."""

from __future__ import annotations

from collections.abc import Callable
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
from graphscope.formats.checkpoint.weight_exchange import weights_into_checkpoint
from graphscope.protos import GraphDef, MetaGraphDef
from tests.support.converting import MODELS, Fixture, restored, variable_values
from tests.support.fixture_files import FIXTURES
from tests.support.payloads import contents
from tests.support.saving import Array, assert_equal

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
