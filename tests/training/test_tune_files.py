"""The checkpoints of a training as files, without TensorFlow: names, what is shared, what is removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.core.model import Model
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import FileError
from graphscope.formats.checkpoint.writer import write_checkpoint
from graphscope.formats.detect.checkpoint_state import read_state
from graphscope.protos import MetaGraphDef
from graphscope.training.tune.checkpoints import Checkpoints
from tests.support.written import graph_of


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A checkpoint of two variables."""
    meta = MetaGraphDef()
    meta.graph_def.node.extend([node.proto for node in graph_of(["w Variable(2)", "v Variable(3)"])])
    tensors = [(name, ArrayPayload(np.full(size, 1, np.float32))) for name, size in (("v", 3), ("w", 2))]
    (tmp_path / "origin").mkdir()
    write_checkpoint(str(tmp_path / "origin" / "m-5"), tensors, meta=[meta.SerializeToString()], overwrite=False)
    return graphscope.load(tmp_path / "origin" / "m-5")


def names(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir())


def test_checkpoints_are_written_put_apart_announced_and_removed(model: Model, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    made = Checkpoints(out / "m", model)
    assert out.is_dir()
    assert (made.name(7), made.path("m-7"), made.best_path("m-7")) == ("m-7", f"{out}/m-7", f"{out}/best/m-7")
    for step in (7, 8, 7):
        made.write(step, [("w", ArrayPayload(np.array([step, step], np.float32)))])
    found = graphscope.load(out / "m-7")
    assert {v.name: found.value(v).numpy().tolist() for v in found.variables} == {"w": [7, 7], "v": [1, 1, 1]}
    for _ in range(2):
        made.write_best("m-8")
    assert names(out / "best") == ["checkpoint", *(n for n in names(out) if n.startswith("m-8"))]
    state = read_state(out / "best" / "checkpoint")
    assert state is not None
    made.announce(["m-7", "m-8"])
    assert 'model_checkpoint_path: "m-8"' in (out / "checkpoint").read_text()
    assert 'all_model_checkpoint_paths: "m-7"' in (out / "checkpoint").read_text()
    made.announce(["m-8"])
    assert "m-7" not in (out / "checkpoint").read_text()
    made.remove([made.path("m-7"), made.path("none")])
    assert not any(n.startswith("m-7") for n in names(out))
    made.remove([made.best_path("m-8")])
    assert names(out / "best") == ["checkpoint"]
    assert names(tmp_path / "origin")[0].startswith(("checkpoint", "m-5"))
    Checkpoints(out / "m", model)
    (tmp_path / "file").touch()
    with pytest.raises(FileError):
        Checkpoints(tmp_path / "file" / "m", model)
