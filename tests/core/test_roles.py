"""What variables are for: slots of every optimizer, moving averages, steps, local variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphscope
from graphscope.core.variables.roles import role_by_name
from graphscope.core.variables.variables import Role
from tests.support.saving import tf
from tests.support.trained import BOTH, assert_values, roles, trained, v1

OPTIMIZERS: dict[str, tuple[Callable[[], Any], tuple[str, ...], tuple[str, ...]]] = {
    "Adam": (lambda: v1.train.AdamOptimizer(0.1), ("Adam", "Adam_1"), ("beta1_power", "beta2_power")),
    "Adam, renamed": (lambda: v1.train.AdamOptimizer(0.1, name="O"), ("O", "O_1"), ("beta1_power", "beta2_power")),
    "Momentum": (lambda: v1.train.MomentumOptimizer(0.1, 0.9), ("Momentum",), ()),
    "Momentum, renamed": (lambda: v1.train.MomentumOptimizer(0.1, 0.9, name="O"), ("O",), ()),
    "Adagrad": (lambda: v1.train.AdagradOptimizer(0.1), ("Adagrad",), ()),
    "RMSProp": (lambda: v1.train.RMSPropOptimizer(0.1), ("RMSProp", "RMSProp_1"), ()),
    "centered RMSProp": (
        lambda: v1.train.RMSPropOptimizer(0.1, centered=True),
        ("RMSProp", "RMSProp_1", "RMSProp_2"),
        (),
    ),
    "Ftrl": (lambda: v1.train.FtrlOptimizer(0.1), ("Ftrl", "Ftrl_1"), ()),
    "Adadelta": (lambda: v1.train.AdadeltaOptimizer(0.1), ("Adadelta", "Adadelta_1"), ()),
    "ProximalAdagrad": (lambda: v1.train.ProximalAdagradOptimizer(0.1), ("ProximalAdagrad",), ()),
    "gradient descent": (lambda: v1.train.GradientDescentOptimizer(0.1), (), ()),
}


@BOTH
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(tmp_path: Path, name: str, use_resource: bool) -> None:
    """Dense gradients; an optimizer that is made within a variable scope puts the scope before its slots' names."""
    make, slots, others = OPTIMIZERS[name]
    scope = "opt/" if use_resource else ""
    with tf.Graph().as_default():
        step = v1.train.get_or_create_global_step()
        with v1.variable_scope("net", use_resource=use_resource):
            w, b = v1.get_variable("w", [4, 3]), v1.get_variable("b", [5], trainable=True)
        v1.get_variable("seen", [2], trainable=False, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        with v1.variable_scope(scope.rstrip("/")) if scope else tf.name_scope(""):
            make().minimize(tf.reduce_sum(w) + tf.reduce_sum(b), step)
        model, expected = trained(f"{tmp_path}/m", v1.train.Saver)
    del expected["seen"]
    assert_values(model, expected)
    wanted = {"net/w": Role.MODEL, "net/b": Role.MODEL, "global_step": Role.STEP, "seen": Role.LOCAL}
    wanted |= {f"{scope}net/{v}/{slot}": Role.SLOT for v in ("w", "b") for slot in slots}
    wanted |= dict.fromkeys(((scope + other) for other in others), Role.SLOT)
    assert roles(model) == wanted
    assert not [v.name for v in model.variables if v.is_missing]
    assert [v.name for v in model.variables if v.trainable] == ["net/w", "net/b"]
    Path(f"{tmp_path}/m.meta").unlink()
    del wanted["seen"]
    if "renamed" not in name:  # without the graph only the names are left to tell by
        assert roles(graphscope.load(f"{tmp_path}/m")) == wanted


@BOTH
def test_sparse_gradients(tmp_path: Path, use_resource: bool) -> None:
    """Adam's rule for them is no single op that names its slots."""
    with tf.Graph().as_default():
        with v1.variable_scope("net", use_resource=use_resource):
            table = v1.get_variable("table", [5, 3])
        with v1.variable_scope("training"):
            v1.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(tf.nn.embedding_lookup(table, [1, 2])))
        model, expected = trained(f"{tmp_path}/m", v1.train.Saver)
    assert_values(model, expected)
    slots = {f"training/net/table/{slot}" for slot in ("Adam", "Adam_1")}
    slots |= {f"training/beta{n}_power" for n in (1, 2)}
    assert {n for n, role in roles(model).items() if role is Role.SLOT} == slots


@pytest.mark.parametrize(
    ("name", "key", "names", "expected"),
    [
        ("w/Adam", None, ["w"], Role.SLOT),
        ("w/Adam", None, [], Role.MODEL),
        ("w/Adam_12", None, ["w"], Role.SLOT),
        ("a/b/w/Momentum", None, ["w"], Role.SLOT),
        ("w/Adam", None, ["aw"], Role.MODEL),
        ("Adam", None, ["w"], Role.MODEL),
        ("w/Adamant", None, ["w"], Role.MODEL),
        ("w/ExponentialMovingAverage", None, [], Role.MOVING_AVERAGE),
        ("x/beta1_power_3", None, [], Role.SLOT),
        ("x/global_step", None, [], Role.STEP),
        ("not_global_step", None, [], Role.MODEL),
        ("save_counter", None, [], Role.STEP),
        ("w", "net/w/.OPTIMIZER_SLOT/opt/m/.ATTRIBUTES/VARIABLE_VALUE", [], Role.SLOT),
        ("d/kernel", "optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE", [], Role.MODEL),
        ("iter", "optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE", [], Role.SLOT),
        ("total", "keras_api/metrics/0/total/.ATTRIBUTES/VARIABLE_VALUE", [], Role.LOCAL),
    ],
)
def test_roles_by_name(name: str, key: str | None, names: list[str], expected: Role) -> None:
    assert role_by_name(name, key, names) is expected
