"""Ops that only a native library can provide, and Keras layers that contain Python code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from graphscope.analysis.audit.finding import Finding, Reach, Severity
from graphscope.analysis.audit.reach import Reached
from graphscope.core.model import Model
from graphscope.core.ops.table import registered_ops
from graphscope.core.patterns import Pattern

_WINDOW = 1 << 16
_NAME = Pattern(rb'"name"\s*:\s*"([^"\\]{1,200})"')
_CODE = Pattern(rb'"function"\s*:\s*\[|"__lambda__"')
"""Bytecode: in a list, as Keras 2 writes it, or in an object of this class."""

_CALLED = Pattern(rb'"function"\s*:\s*"([^"\\]{1,200})"')
_ACTING = Pattern(r"(io|raw_ops|data|saved_model|train|summary|print|py_function|numpy_function)\b")
"""Functions of TensorFlow that do more than compute."""

_LAMBDA = Pattern(rb'"class_name"\s*:\s*"Lambda"')
_TOKENS = Pattern(rb'"(?:[^"\\]|\\.)*"|[{}]')


def unknown_ops(model: Model, reached: Reached) -> Iterator[Finding]:
    """One finding for each op that neither TensorFlow 2.21 nor the graph's own library defines."""
    known = registered_ops()
    first: dict[str, tuple[str, str]] = {}
    counts: Counter[str] = Counter()
    for function, body in model.graph.bodies:
        unknown = {op for op in set(body.ops) if op not in known and op not in model.graph.functions}
        for op, node in zip(body.ops, body.nodes) if unknown else ():
            if op in unknown:
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
            "nothing calls the function that contains it"
            if is_dead
            else "it runs the code of a library that must be loaded",
            name,
            op,
            function,
            reach,
        )


_PROGRAMS: Mapping[str, tuple[Severity, str, str]] = {
    "DatasetFromGraph": (Severity.HIGH, "runs a graph stored in a string", "no check looks into it"),
    **dict.fromkeys(
        ("XlaCallModule", "XlaCallModuleV2"),
        (Severity.LOW, "runs a compiled StableHLO module", "models exported from JAX do; it was not looked into"),
    ),
}
"""Ops that run the content of a string or attribute -> severity, what they do, and the reason for the rating."""


def hidden_graphs(model: Model, reached: Reached) -> Iterator[Finding]:
    """Nodes that run a program of another kind."""
    for function, body in model.graph.bodies:
        for op, node in zip(body.ops, body.nodes):
            if op in _PROGRAMS:
                severity, text, reason = _PROGRAMS[op]
                reach = reached.of(node.name, function)
                if reach is Reach.DEAD:
                    severity, reason = Severity.LOW, "nothing calls the function that contains it"
                yield Finding("hidden-graph", severity, text, reason, node.name, op, function, reach)


def object_lambdas(model: Model, _: Reached) -> Iterator[Finding]:
    """Lambda layers in the metadata of a SavedModel's objects, where Keras wrote them before TensorFlow 2.5."""
    for node in model.meta.object_graph_def.nodes:
        if node.WhichOneof("kind") == "user_object":
            yield from lambda_layers([node.user_object.metadata.encode()])


def lambda_layers(chunks: Iterable[bytes]) -> Iterator[Finding]:
    """What a Keras configuration in JSON runs, whatever it is embedded in (``keras_metadata.pb``, HDF5, ``config.json``).

    Args:
        chunks: the file's content in order; it is never held as a whole.
    """
    rest, start = b"", 0
    for chunk in chunks:
        rest += chunk
        cut = max(start, len(rest) - _WINDOW)
        yield from _find(rest, start, cut)
        start = min(cut, _WINDOW)
        rest = rest[cut - start :]
    yield from _find(rest, start, len(rest))


def _find(text: bytes, start: int, end: int) -> Iterator[Finding]:
    """Matches that begin between ``start`` and ``end``; the rest of ``text`` provides context."""
    for pattern, judge in _PATTERNS:
        for match in pattern.compiled.finditer(text, start):
            if match.start() >= end:
                break
            finding = judge(text, match)
            if finding is not None:
                yield finding


def _layer(text: bytes, match: re.Match[bytes]) -> Finding:
    """A Lambda layer."""
    part = _part(text, match)
    if _CODE.search(part):
        does, reason = "holds Python bytecode in a Lambda layer", "Keras runs it when it loads or calls the model"
        return Finding("keras-lambda", Severity.HIGH, does, reason, _name(part), "Lambda")
    does, reason = "names a Python function in a Lambda layer", "the function is not in the file"
    return Finding("keras-lambda", Severity.MEDIUM, does, reason, _name(part), "Lambda")


def _lambda(text: bytes, match: re.Match[bytes]) -> Finding | None:
    """Bytecode in another place: an activation, an initializer."""
    for layer in _LAMBDA.compiled.finditer(text, max(0, match.start() - _WINDOW), match.start()):
        if layer.start() + len(_part(text, layer)) > match.start():
            return None  # reported with the layer
    does, reason = "holds Python bytecode", "Keras runs it when it loads or calls the model"
    return Finding("keras-lambda", Severity.HIGH, does, reason, op="Lambda")


def _op_layer(text: bytes, match: re.Match[bytes]) -> Finding | None:
    """A layer that calls a function of TensorFlow by its name."""
    part = _part(text, match)
    called = _CALLED.search(part)
    function = called[1].decode("utf-8", "replace") if called else ""
    if not _ACTING.match(function):
        return None
    does, reason = f"calls tf.{function} in a layer", "Keras calls it when it builds the model"
    return Finding("keras-import", Severity.HIGH, does, reason, _name(part), match[1].decode(), target=function)


def _import(_: bytes, match: re.Match[bytes]) -> Finding:
    """A module that no layer comes from, or a function of Keras that fetches files."""
    module = match[1].decode("utf-8", "replace")
    does, reason = f"names {module}", "Keras imports it, or calls it, when it loads the model"
    return Finding("keras-import", Severity.HIGH, does, reason, target=module)


def _part(text: bytes, match: re.Match[bytes]) -> bytes:
    """The rest of the JSON object that a match is in: the configuration of one layer."""
    depth, end = 1, match.end() + _WINDOW
    for token in _TOKENS.compiled.finditer(text, match.end(), end):
        depth += {b"{": 1, b"}": -1}.get(token[0], 0)
        if not depth:
            return text[match.start() : token.start()]
    return text[match.start() : end]


def _name(part: bytes) -> str:
    found = _NAME.search(part)
    return found[1].decode("utf-8", "replace") if found else ""


_PATTERNS: tuple[tuple[Pattern[bytes], Callable[[bytes, re.Match[bytes]], Finding | None]], ...] = (
    (_LAMBDA, _layer),
    (Pattern(rb'"class_name"\s*:\s*"__lambda__"'), _lambda),
    (Pattern(rb'"class_name"\s*:\s*"(TFOpLambda|SlicingOpLambda)"'), _op_layer),
    (
        Pattern(rb'"module"\s*:\s*"((?:os|posix|nt|subprocess|sys|shutil|socket|importlib|runpy|pty|ctypes)[\w.]*)"'),
        _import,
    ),
    (Pattern(rb'"class_name"\s*:\s*"(get_file|load_model|load_weights)"'), _import),
)
"""Patterns to search for in a configuration, and the function that rates each match."""
