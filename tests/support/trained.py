"""Variables that a session gave values and a saver saved, and the model that was loaded of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.model import Model
from graphscope.core.variables.variables import Role, Variable
from tests.support.saving import Array, assert_equal, tf

v1 = tf.compat.v1
CONFIG = v1.ConfigProto(device_count={"CPU": 2})
BOTH = pytest.mark.parametrize("use_resource", [False, True], ids=["reference", "resource"])

Values = dict[str, Array]


def trained(prefix: str, savers: Callable[[], Any], **options: Any) -> tuple[Model, Values]:
    """Saves the default graph with the saver that ``savers`` makes; the model, and what each variable op holds."""
    saver = savers()
    with v1.Session(config=CONFIG) as session:
        for variable in every_variable():
            session.run(variable.initializer)
        for number, variable in enumerate(every_variable()):
            session.run(variable.assign(values_for(variable, number)))
        saver.save(session, prefix, **options)
        found = {v.op.name: np.asarray(session.run(v)) for v in every_variable()}
    return graphscope.load(prefix), found


def every_variable() -> list[Any]:
    return [*v1.global_variables(), *v1.local_variables()]


def values_for(variable: Any, number: int) -> Array:
    """Different ones for each variable."""
    shape = variable.shape.as_list()
    count = int(np.prod(shape))
    array: Array = (np.arange(count).reshape(shape) + 100 * number).astype(variable.dtype.base_dtype.as_numpy_dtype)
    return array


def assert_values(model: Model, expected: Mapping[str, Array]) -> None:
    """Each of the graph's variables has the value of that name; there are no others."""
    found = {v.name: v for v in model.variables if v.in_graph and v.entry is not None}
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert_equal(model.value(found[name]).numpy(), array, name)
        assert found[name].shape == array.shape
        assert b"".join(model.value(found[name]).chunks()) == array.tobytes()


def by_name(model: Model) -> dict[str, Variable]:
    names = [v.name for v in model.variables]
    assert len(set(names)) == len(names)
    return {v.name: v for v in model.variables}


def roles(model: Model) -> dict[str, Role]:
    return {name: v.role for name, v in by_name(model).items()}
