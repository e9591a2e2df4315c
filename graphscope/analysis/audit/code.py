"""Ops that only a library of native code can provide, and Keras layers that carry Python code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from graphscope.analysis.audit.finding import Finding, Reach, Severity
from graphscope.analysis.audit.reach import Reached
from graphscope.core.model import Model
from graphscope.core.ops import registered

_WINDOW = 1 << 16
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"Lambda"')
_NAME = re.compile(rb'"name"\s*:\s*"([^"\\]{1,200})"')
_CODE = re.compile(rb'"function"\s*:\s*[\[{]')
_NEXT = re.compile(rb'"class_name"\s*:\s*"(?!__\w+__")')


def unknown_ops(model: Model, reached: Reached) -> Iterator[Finding]:
    """One finding for each op that neither TensorFlow 2.21 nor the graph's own library defines."""
    known = registered()
    first: dict[str, tuple[str, str]] = {}
    counts: Counter[str] = Counter()
    for function, body in model.graph.bodies:
        for op, node in zip(body.ops, body.nodes):
            if op not in known and op not in model.graph.functions:
                counts[op] += 1
                first.setdefault(op, (node.name, function))
    for op, (name, function) in first.items():
        reach = reached.of(name, function)
        times = f", and {counts[op] - 1:,} more times" if counts[op] > 1 else ""
        is_dead = reach is Reach.DEAD
        yield Finding(
            "unknown-op",
            Severity.LOW if is_dead else Severity.MEDIUM,
            f"uses the op {op}, which TensorFlow does not have{times}",
            "nothing calls the function that it lies in"
            if is_dead
            else "it runs the code of a library that must be loaded",
            name,
            op,
            function,
            reach,
        )


def object_lambdas(model: Model, _: Reached) -> Iterator[Finding]:
    """Lambda layers in the metadata of a SavedModel's objects, where Keras wrote them before TensorFlow 2.5."""
    for node in model.meta.object_graph_def.nodes:
        if node.WhichOneof("kind") == "user_object":
            yield from lambda_layers([node.user_object.metadata.encode()])


def lambda_layers(chunks: Iterable[bytes]) -> Iterator[Finding]:
    """Keras Lambda layers in a JSON configuration, whatever it is embedded in (``keras_metadata.pb``, HDF5, ``config.json``).

    Args:
        chunks: the file's content in order; it is never held as a whole.
    """
    rest = b""
    for chunk in chunks:
        rest += chunk
        cut = max(0, len(rest) - _WINDOW)
        yield from _layers(rest, cut)
        rest = rest[cut:]
    yield from _layers(rest, len(rest))


def _layers(text: bytes, end: int) -> Iterator[Finding]:
    for match in _LAMBDA.finditer(text, 0):
        if match.start() >= end:
            return
        following = _NEXT.search(text, match.end())
        part = text[match.start() : following.start() if following else match.end() + _WINDOW]
        name = _NAME.search(part)
        yield _lambda(name[1].decode("utf-8", "replace") if name else "", _CODE.search(part) is not None)


def _lambda(name: str, has_code: bool) -> Finding:
    if has_code:
        text, reason = "holds Python bytecode in a Lambda layer", "Keras runs it when it loads or calls the model"
        return Finding("keras-lambda", Severity.HIGH, text, reason, name, "Lambda")
    text, reason = "names a Python function in a Lambda layer", "the function is not in the file"
    return Finding("keras-lambda", Severity.MEDIUM, text, reason, name, "Lambda")
