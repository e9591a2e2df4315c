"""The default outputs of a command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphscope.advice import Advice, Option
from graphscope.analysis.ends.outputs import (
    OutputCandidate,
    best_candidates,
    detector_ends,
    is_bad_argument,
    rank_outputs,
)
from graphscope.analysis.tensors import TensorLister
from graphscope.core.model import Model
from graphscope.core.signatures import BOOKKEEPING, Signature
from graphscope.core.tensors import TensorName
from graphscope.errors import GraphscopeError

CLEAR_LEAD = 10.0
"""How many points the best candidate must be ahead of the second to be taken without asking."""

SERVING_DEFAULT = "serving_default"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Tensor names, and why they were chosen; the reason is empty if the user named them."""

    outputs: tuple[str, ...]
    reason: str = ""


def choose_outputs(model: Model, wanted: Sequence[str] = ()) -> Chosen:
    """The outputs to compute: those that were named, the signature's, those of a detector, or the one clear candidate.

    Raises:
        UnknownNameError: a name is not in the graph.
        GraphscopeError: no output was named and none is clear; the error lists the ranked candidates.
    """
    if wanted:
        return Chosen(tuple(checked_output(model, name) for name in wanted))
    chosen, ranked = _clear_outputs(model)
    if chosen is None:
        raise _unclear(model, ranked)
    return chosen


def likely_outputs(model: Model) -> Chosen:
    """The outputs as chosen by :func:`choose_outputs`; if none is clear, all likely ones.

    Raises:
        GraphscopeError: none is likely.
    """
    chosen, ranked = _clear_outputs(model)
    return chosen or Chosen(tuple(c.tensor for c in best_candidates(ranked)), "all of them are likely outputs")


def _clear_outputs(model: Model) -> tuple[Chosen | None, list[OutputCandidate]]:
    """The unambiguous outputs, if there are any; otherwise the candidates, best first.

    Raises:
        GraphscopeError: there is no candidate.
    """
    signature = default_signature(model)
    if signature is not None:
        outputs = [
            spec.name
            for argument, specs in signature.outputs.items()
            for spec in specs
            if not is_bad_argument(argument, spec, model.graph)
        ]
        if outputs:
            return Chosen(tuple(dict.fromkeys(outputs)), f"outputs of signature {signature.name}"), []
    ranked = rank_outputs(model)
    if not ranked:
        raise _no_output(model)
    ends = detector_ends(ranked)
    if ends:
        return Chosen(tuple(c.tensor for c in ends), "boxes, scores and the like of one detector"), ranked
    if len(ranked) > 1 and ranked[0].score < ranked[1].score + CLEAR_LEAD:
        return None, ranked
    return Chosen((ranked[0].tensor,), ", ".join(ranked[0].reasons[:2]) or "the only candidate"), ranked


def default_signature(model: Model) -> Signature | None:
    """The default signature: ``serving_default``, or the only one."""
    usable = {name: s for name, s in model.signatures.items() if name not in BOOKKEEPING and s.outputs}
    if SERVING_DEFAULT in usable:
        return usable[SERVING_DEFAULT]
    return next(iter(usable.values())) if len(usable) == 1 else None


def checked_output(model: Model, name: str) -> str:
    """``name`` as a tensor name, or the node's where it has no outputs.

    Raises:
        UnknownNameError: there is no such node.
        GraphscopeError: the node has fewer outputs.
    """
    tensor = TensorName(name) if name in model.graph else TensorName.parse(name)
    node = model.graph[tensor.node]
    count = len(TensorLister(model.catalog, model.graph.producer).outputs(node, model.graph))
    if tensor.index >= max(count, 1):
        raise GraphscopeError(f"node {node.name} ({node.op}) has {count} outputs: there is no {name}")
    return str(tensor) if count else node.name


def _no_output(model: Model) -> GraphscopeError:
    if model.meta.HasField("object_graph_def") and not model.signatures.keys() - BOOKKEEPING:
        return GraphscopeError(
            f"{model.path}: the SavedModel has no signatures; only Python can call its functions",
            hint='save it with tf.saved_model.save(model, "DIR", signatures=...)',
        )
    hint = Advice(Option("outputs", "NAME"), " selects the tensor to keep")
    return GraphscopeError(f"{model.path}: the graph has no likely output", hint=hint)


def _unclear(model: Model, ranked: Sequence[OutputCandidate]) -> GraphscopeError:
    lines = [f"  {c.tensor}   {', '.join(c.reasons[:2])}".rstrip() for c in ranked[:6]]
    return GraphscopeError(
        f"{model.path}: several tensors may be the output, likeliest first:\n" + "\n".join(lines),
        hint=Advice(Option("outputs", ranked[0].tensor.removesuffix(":0")), "   takes the first; several may be named"),
    )
