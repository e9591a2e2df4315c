"""Misleading names, and file names that lead out of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from graphscope.analysis.audit.finding import Finding, Severity
from graphscope.analysis.audit.reach import Reached
from graphscope.core.assets import asset_parts, stated_assets
from graphscope.core.hostile import HOSTILE
from graphscope.core.model import Model
from graphscope.core.ops.table import registered_ops
from graphscope.protos import DecodeError


def duplicate_names(model: Model, _: Reached) -> Iterator[Finding]:
    """Nodes of one body, or different functions, that share a name."""
    for function, body in model.graph.bodies:
        if len(body.by_name) == len(body):
            continue
        for name, times in Counter(node.name for node in body).items():
            if times > 1:
                text, reason = f"{times} nodes share this name", "which of them counts depends on the program"
                yield Finding("duplicate-name", Severity.MEDIUM, text, reason, name, body.by_name[name].op, function)
    for name in model.graph.clashing_functions:
        text, reason = "two different functions share this name", "which of them counts depends on the program"
        yield Finding("duplicate-name", Severity.MEDIUM, text, reason, name, "function")


def hidden_characters(model: Model, _: Reached) -> Iterator[Finding]:
    """Names of nodes, ops, functions and signatures with control characters or overrides of direction."""
    for kind, function, names in _names(model):
        everything = "".join(names)
        if everything.isascii() and everything.isprintable():
            continue
        for name in filter(HOSTILE.search, names):
            text = f"the name of this {kind} holds hidden characters"
            yield Finding(
                "hidden-characters", Severity.HIGH, text, "no program writes such names", name, kind, function
            )


def _names(model: Model) -> Iterator[tuple[str, str, Collection[str]]]:
    """The kind of object, the function that contains it, and its names."""
    for function, body in model.graph.bodies:
        yield "op", function, dict.fromkeys(body.ops)
        yield "node", function, body.names
    yield "function", "", model.graph.functions
    yield "signature", "", model.meta.signature_def
    yield "collection", "", model.meta.collection_def


def shadowed_ops(model: Model, _: Reached) -> Iterator[Finding]:
    """Library functions named like an op."""
    for name in model.graph.functions:
        if name in registered_ops():
            text, reason = (
                "this function has the name of an op",
                "readers take its calls for the op; TensorFlow refuses it",
            )
            yield Finding("shadowed-op", Severity.MEDIUM, text, reason, name, "function")


def asset_names(model: Model, _: Reached) -> Iterator[Finding]:
    """Assets whose file name leads out of the SavedModel."""
    try:
        assets = stated_assets(model.meta)
    except DecodeError:
        return
    for asset in assets:
        if not asset_parts(asset.filename):
            text = f"names the asset {asset.filename}"
            reason = "loading the model reads, copies or writes there"
            yield Finding(
                "path-traversal", Severity.HIGH, text, reason, asset.tensor_info.name, "asset", target=asset.filename
            )


def remote_devices(model: Model, _: Reached) -> Iterator[Finding]:
    """Devices of other processes that nodes ask for, each once."""
    devices = Counter(
        node.device for _, body in model.graph.bodies for node in body.nodes if "/job:" in node.proto.device
    )
    for device, times in devices.items():
        if "/job:localhost" not in device:
            text = f"places {times:,} node{'s' if times > 1 else ''} on {device}"
            yield Finding("remote-device", Severity.INFO, text, "it only matters in a cluster", target=device)
