"""Nodes go where rules on their names say. Needs no TensorFlow, but for comparing the spelling of devices with its own."""

from __future__ import annotations

import re

import pytest

from graphscope.core.changes.build import make_node, without_attrs
from graphscope.core.graph import Graph
from graphscope.errors import GraphscopeError
from graphscope.protos import GraphDef
from graphscope.transforms.device_placement import parse_device, parse_rule, place, place_unplaced


def graph() -> Graph:
    nodes = [make_node(name, "NoOp") for name in ("conv1/weights", "conv1/Conv2D", "conv2/Conv2D", "fc")]
    nodes.append(without_attrs(make_node("there", "NoOp"), (), device="/device:GPU:0"))
    return Graph(GraphDef(), nodes)


def devices(placed: Graph) -> dict[str, str]:
    return {n.name: n.device for n in placed if n.device}


def test_the_last_rule_that_matches_decides() -> None:
    rules = [(re.compile("conv"), "/device:CPU:1"), (re.compile("Conv2D$"), "/device:CPU:2")]
    before = graph()
    assert devices(place(before, rules)) == {
        "conv1/weights": "/device:CPU:1",
        "conv1/Conv2D": "/device:CPU:2",
        "conv2/Conv2D": "/device:CPU:2",
        "there": "/device:GPU:0",
    }
    assert devices(before) == {"there": "/device:GPU:0"}


def test_a_rule_overrides_the_graph() -> None:
    assert devices(place(graph(), [parse_rule("there=cpu:0")])) == {"there": "/device:CPU:0"}
    assert devices(place(graph(), [])) == {"there": "/device:GPU:0"}


def test_only_nodes_without_a_device() -> None:
    placed = devices(place_unplaced(graph(), "/device:CPU:1"))
    assert placed.pop("there") == "/device:GPU:0"
    assert set(placed.values()) == {"/device:CPU:1"}
    assert len(placed) == 4
    unplaced = graph()
    assert place_unplaced(unplaced, "") is unplaced


DEVICES = {
    "cpu:1": "/device:CPU:1",
    "/cpu:1": "/device:CPU:1",
    "/device:GPU:0": "/device:GPU:0",
    "device:GPU:0": "/device:GPU:0",
    "/gpu:*": "/device:GPU:*",
    "/job:worker/task:1": "/job:worker/task:1",
    "job:worker/task:1/cpu:0": "/job:worker/task:1/device:CPU:0",
    "/job:localhost/replica:0/task:0/device:CPU:3": "/job:localhost/replica:0/task:0/device:CPU:3",
}


@pytest.mark.parametrize(("text", "device"), DEVICES.items())
def test_devices_as_people_write_them(text: str, device: str) -> None:
    assert parse_device(text) == device


def test_tensorflow_reads_devices_alike() -> None:
    spec = pytest.importorskip("tensorflow", reason="TensorFlow is not installed").DeviceSpec
    for device in DEVICES.values():
        assert spec.from_string(device).to_string() == device


@pytest.mark.parametrize("text", ["", "/", "cpu", "/cpu", "/cpu:x", "cpu:1/", "/job:", "/cpu:0 ", "/cpu:-1"])
def test_what_names_no_device(text: str) -> None:
    with pytest.raises(GraphscopeError, match="names no device"):
        parse_device(text)


def test_rules() -> None:
    pattern, device = parse_rule("a=b.*=/cpu:1")
    assert (pattern.pattern, device) == ("a=b.*", "/device:CPU:1")
    with pytest.raises(GraphscopeError, match="is not of the form REGEX=DEVICE"):
        parse_rule("conv")
    with pytest.raises(GraphscopeError, match="is not a valid regular expression"):
        parse_rule("(=/cpu:1")
    with pytest.raises(GraphscopeError, match="names no device"):
        parse_rule("conv=here")
