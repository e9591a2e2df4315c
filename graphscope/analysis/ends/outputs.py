"""Likely outputs of a graph, best first, each with the reason.

Signatures come first. In a graph without them the candidates are the ends of the forward computation and what the loss
compares with the labels: in a training graph the prediction is usually no leaf, but feeds the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.analysis.ends.losses import trace
from graphscope.analysis.ends.names import GOOD_NAMES
from graphscope.analysis.ends.ranking import Ranking
from graphscope.analysis.ends.rules import RULES
from graphscope.analysis.ends.savers import saver_nodes
from graphscope.analysis.tensors import TensorLister
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS, brings_data
from graphscope.core.patterns import Pattern
from graphscope.core.signatures import BOOKKEEPING, Signature
from graphscope.core.tensors import Shape, TensorName, TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.named_tuple import NamedTuple


class OutputCandidate(NamedTuple):
    """A likely output of the model.

    Attributes:
        is_detection: whether it is one of several ends of a detector, which belong together.
        tensor: its name, ``node:index``.
        dtype, shape: as stated in the file.
        score: higher is likelier; comparable within one model only.
        reasons: why, most telling first.
    """

    tensor: str
    dtype: DataType
    shape: Shape
    score: float
    reasons: tuple[str, ...]
    is_detection: bool = False


def rank_outputs(model: Model) -> list[OutputCandidate]:
    """The likely outputs of ``model``'s graph, best first. Linear in the size of the graph.

    Raises:
        IncompleteModelError: the model has no graph.
    """
    lister = TensorLister(model.catalog, model.graph.producer)
    ranked: dict[str, OutputCandidate] = {}
    from_graph = list(_from_graph(model))
    detected = frozenset(c[0] for c in from_graph if c[3])
    scored = [*_from_signatures(model), *(c[:3] for c in from_graph)]
    for tensor, score, reasons in sorted(scored, key=lambda c: -c[1]):
        if tensor in ranked:
            continue
        spec = _spec(model, lister, tensor)
        if spec is not None:
            ranked[tensor] = OutputCandidate(tensor, spec.dtype, spec.shape, score, reasons, tensor in detected)
    return list(ranked.values())


MAX_OUTPUTS = 5
OUTPUT_MARGIN = 60.0
"""Candidates this many points below the best are not listed."""


def best_candidates(ranked: list[OutputCandidate]) -> list[OutputCandidate]:
    """The best few that have something to be said for them; of a detector all ends, however many."""
    likely = [c for c in ranked if c.reasons and c.score >= ranked[0].score - OUTPUT_MARGIN]
    best = {c.tensor for c in [*(likely or ranked)[:MAX_OUTPUTS], *detector_ends(ranked)]}
    return [c for c in ranked if c.tensor in best]


def detector_ends(ranked: Sequence[OutputCandidate]) -> list[OutputCandidate]:
    """The candidates that are the output together, as boxes, scores and classes are; none if the best is not one of them."""
    ends = [c for c in ranked if c.is_detection]
    return ends if len(ends) > 1 and ranked[0].is_detection else []


Scored = tuple[str, float, tuple[str, ...]]


def _spec(model: Model, lister: TensorLister, tensor: str) -> TensorSpec | None:
    """Type and shape of ``tensor``: a signature's statement, otherwise the graph's; ``None`` if there is no such tensor."""
    parsed = TensorName.parse(tensor)
    node = model.graph.get(parsed.node)
    if node is None:
        return None
    for signature in model.signatures.values():
        for specs in signature.outputs.values():
            for spec in specs:
                if spec.name == tensor:
                    return spec
    specs = tuple(lister.outputs(node, model.graph))
    return specs[parsed.index] if parsed.index < len(specs) else None


# Signatures

_SIGNATURE_SCORES = (
    (Pattern(r"serving_default"), 1000.0),
    (Pattern(r"predict"), 900.0),
    (Pattern(r"serv|infer"), 850.0),
    (Pattern(r"train|eval"), 500.0),
    (Pattern(r""), 800.0),
)
_BAD_ARGUMENT = Pattern(r"(^|[/_])(loss|metrics?|accuracy|auc|precision|recall|average_loss)([/_]|$)")
_LABEL = Pattern(r"(^|[/_])labels?([/_]|$)")
_PASSED = frozenset({"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "OneHot"})


def _from_signatures(model: Model) -> Iterator[Scored]:
    for signature in model.signatures.values():
        if signature.name in BOOKKEEPING:
            continue
        base = next(score for pattern, score in _SIGNATURE_SCORES if pattern.search(signature.name))
        yield from _of_signature(signature, base, model.graph)


def is_bad_argument(argument: str, spec: TensorSpec, graph: Graph) -> bool:
    """Whether a signature's output is a loss or a metric by its name, or labels as they were fed."""
    if _LABEL.search(argument):
        return _is_fed(spec, graph)
    return bool(_BAD_ARGUMENT.search(argument))


def _is_fed(spec: TensorSpec, graph: Graph) -> bool:
    """Whether a tensor is what was fed, or what an iterator gave: nothing was computed."""
    node = graph.get(node_of(spec.name))
    for _ in range(_MAX_PASSED):
        if node is None or node.op not in _PASSED or not node.data_inputs():
            break
        node = graph.get(node_of(node.inputs[0]))
    return node is None or node.op in PLACEHOLDER_OPS or brings_data(node.op)


_MAX_PASSED = 8


def _of_signature(signature: Signature, base: float, graph: Graph) -> Iterator[Scored]:
    for argument, specs in signature.outputs.items():
        for spec in specs:
            if is_bad_argument(argument, spec, graph):
                continue
            score = base + _name_points(argument, spec.name, spec.dtype)
            yield spec.name, score, (f"output {argument!r} of signature {signature.name}",)


def _name_points(argument: str, tensor: str, dtype: DataType) -> float:
    """Ranks the outputs of one signature: named like a prediction, floating rather than strings and class ids."""
    named = (points for text in (argument, node_of(tensor)) for pattern, points in GOOD_NAMES if pattern.search(text))
    return max(named, default=0.0) / 2 + (5.0 if dtype.is_floating else 0.0)


# The graph


def _from_graph(model: Model) -> Iterator[tuple[str, float, tuple[str, ...], bool]]:
    """As :data:`Scored`, and whether it is an end of a detector."""
    ranking = Ranking(trace(model.graph), model.graph.functions)
    absent = _find_absent(model, ranking)
    apart = saver_nodes(model.graph) | _bare_reads(model)
    for i in (i for i in ranking.candidates if ranking.name(i) not in apart):
        points = [(p, reason) for rule in RULES if (p := (rule.points(ranking, i))) for reason in (rule.reason,)]
        points += [(-_LAST, "")] if i in absent else []
        told = tuple(reason for p, reason in sorted(points, key=lambda x: -x[0]) if reason and p > 0)
        score = sum(p for p, _ in points)
        for index in range(_width(model, ranking, i)):
            yield f"{ranking.flow.nodes[i].name}:{index}", score - index, told, ranking.is_detection(i)


def _bare_reads(model: Model) -> frozenset[str]:
    """The reads of variables that TensorFlow 2 puts beside each variable: its models compute in functions."""
    graph = model.graph
    if not model.meta.HasField("object_graph_def"):
        return frozenset()
    return frozenset(n.name for op, n in zip(graph.ops, graph.nodes) if op == "ReadVariableOp")


_LAST = 500.0


def _width(model: Model, ranking: Ranking, i: int) -> int:
    """How many outputs of node ``i`` are candidates: all, where nothing consumes any."""
    if not ranking.is_leaf(i):
        return 1
    node = ranking.flow.nodes[i]
    return min(len(model.catalog.outputs(node.op, node.attrs) or [None]), _MAX_WIDTH)


_MAX_WIDTH = 8


def _find_absent(model: Model, ranking: Ranking) -> set[int]:
    """Candidates that need a variable whose value the checkpoint lacks, while others do not."""
    if model.store is None:
        return set()
    missing = {v.name for v in model.variables if v.is_missing}
    if not missing:
        return set()
    flow = ranking.flow
    lacks = [flow.nodes[i].name in missing for i in range(len(flow.nodes))]
    for i in flow.order:
        for producer in flow.inputs[i]:
            if lacks[producer]:
                lacks[i] = True
    found = {i for i in ranking.candidates if lacks[i]}
    return found if len(found) < len(ranking.candidates) else set()
