"""SavedModels whose own start gives variables other values than the stored ones, once TensorFlow has restored these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.errors import GraphscopeError
from tests.support.running import tf

v1 = tf.compat.v1


def saved(folder: Path, *, resource: bool, starts_anew: bool, start: str = "main_op") -> str:
    """A model of two variables, one of which its start sets to 1 again, if it is to."""
    path = folder / "saved"
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        scale = v1.get_variable("scale", initializer=1.0, use_resource=resource)
        shift = v1.get_variable("shift", initializer=2.0, use_resource=resource)
        y = tf.identity(x * scale + shift, "y")
        session.run(v1.global_variables_initializer())
        scale.load(5.0, session)
        initializers = [scale.initializer] if starts_anew else []
        builder = v1.saved_model.Builder(str(path))
        how: dict[str, Any] = {start: tf.group(*initializers, v1.tables_initializer())}
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": y})},
            **how,
        )
        builder.save()
    return str(path)


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("start", ["main_op", "legacy_init_op"])
def test_what_the_start_writes_is_told(tmp_path: Path, resource: bool, start: str) -> None:
    path = saved(tmp_path, resource=resource, starts_anew=True, start=start)
    assert graphscope.run(path, {"x": [10.0]})["y:0"].tolist() == [12]  # as in TensorFlow
    frozen = graphscope.freeze(path)
    assert frozen.result.restarted == {"scale": "scale/Assign"}
    assert graphscope.run(frozen.model, {"x": [10.0]})["y:0"].tolist() == [52]
    with pytest.raises(
        GraphscopeError, match=r"replaces stored values that are frozen here: scale \(by scale/Assign\)"
    ):
        graphscope.freeze(path, strict=True)
    as_loaded = graphscope.freeze(path, set={"scale": np.float32(1)}, strict=True)
    assert graphscope.run(as_loaded.model, {"x": [10.0]})["y:0"].tolist() == [12]


def test_a_start_that_leaves_variables_alone(tmp_path: Path) -> None:
    path = saved(tmp_path, resource=True, starts_anew=False)
    assert graphscope.freeze(path, strict=True).result.restarted == {}
