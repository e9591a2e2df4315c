"""Possible problems of a written model: frozen state, remaining dropout, statistics of a batch, data that cannot be fed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphscope.advice import Advice, Call, Option, Options, Part
from graphscope.core.graph import Graph, Node
from graphscope.core.listener import Listener
from graphscope.core.ops.sets import DEFAULTED
from graphscope.core.tensors import node_of
from graphscope.errors import GraphscopeError, some
from graphscope.feeding.feed_values import literal
from graphscope.transforms.bake import placeholder_spec
from graphscope.transforms.findings.batch_statistics import find_batch_statistics
from graphscope.transforms.findings.branches import deciding_switch
from graphscope.transforms.findings.drops import lasting_drops
from graphscope.transforms.findings.sources import data_sources, gives_defaults
from graphscope.transforms.findings.switches import open_switches
from graphscope.transforms.freeze import FrozenGraph
from graphscope.transforms.replicas import for_tpus

_MAX_NAMES = 5
_MAX_DEFAULTS = 8


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason why a result may not be as intended, and the remedy."""

    text: str
    help: Advice


def report(found: Iterable[Doubt], listener: Listener, *, strict: bool = False) -> None:
    """Passes each doubt to ``listener`` as a warning.

    Raises:
        GraphscopeError: ``strict`` is set and there is a doubt.
    """
    doubts = list(found)
    if strict and doubts:
        raise GraphscopeError("\n".join(doubt.text for doubt in doubts), hint=doubts[0].help)
    for doubt in doubts:
        listener.warning(Advice(f"{doubt.text}; ", *doubt.help.parts))


def frozen_doubts(frozen: FrozenGraph, outputs: Sequence[str]) -> list[Doubt]:
    """Doubts about a frozen graph: frozen state, random numbers, data that does not come from its inputs, missing values.

    Args:
        outputs: node or tensor names.
    """
    graph = frozen.graph
    cure = cure_of(frozen.stored_switches, Options)
    return [
        *_state(frozen.carried),
        *_start(frozen.restarted),
        *dropout_doubts(lasting_drops(graph), cure=cure),
        *batch_doubts(find_batch_statistics(graph), cure=cure),
        *branch_doubts(graph, outputs),
        *tpu_doubts(graph),
        *_sources(graph),
    ]


def _state(carried: Mapping[str, str]) -> Iterator[Doubt]:
    if carried:
        named = some((f"{variable} (written by {writer})" for variable, writer in carried.items()), _MAX_NAMES)
        text = f"state that persists between runs is frozen to its stored value: {named}"
        yield Doubt(text, Advice(Call("convert", ("MODEL", "saved_model/")), " keeps variables"))


def _start(restarted: Mapping[str, str]) -> Iterator[Doubt]:
    if restarted:
        named = some((f"{variable} (by {writer})" for variable, writer in restarted.items()), _MAX_NAMES)
        text = f"TensorFlow, loading this SavedModel, replaces stored values that are frozen here: {named}"
        yield Doubt(
            text, Advice("the author's main op does that; ", Option("set", "NAME=VALUE"), " gives other values")
        )


def dropout_doubts(drops: Sequence[str], option: str = "outputs", cure: Advice | None = None) -> Iterator[Doubt]:
    """Doubts about the nodes that :func:`graphscope.transforms.findings.drops.lasting_drops` returned.

    Args:
        option: the argument that names the computed tensors.
        cure: see :func:`cure_of`.
    """
    if drops:
        text = f"dropout with a constant rate makes the result random: {some(drops, _MAX_NAMES)}"
        help = Advice("build the graph with a rate of 0, or name what comes before it with ", Option(option))
        yield Doubt(text, cure or help)


def batch_doubts(norms: Sequence[str], option: str = "outputs", cure: Advice | None = None) -> Iterator[Doubt]:
    """Doubts about what :func:`graphscope.transforms.findings.batch_statistics.find_batch_statistics` returned.

    Args:
        option: the argument that names the computed tensors.
        cure: as of :func:`dropout_doubts`.
    """
    if norms:
        text = (
            f"batch norm in training mode makes the result of an example depend on its batch: {some(norms, _MAX_NAMES)}"
        )
        help = Advice("build the graph for inference, or name what comes before it with ", Option(option))
        yield Doubt(text, cure or help)


def cure_of(switches: Mapping[str, str], how: Callable[[tuple[Option, ...]], Part]) -> Advice | None:
    """What to do where variables say whether the model trains; ``None`` if there are none.

    Args:
        switches: name -> value for prediction.
        how: makes advice of the options that set them.
    """
    sets = tuple(Option("set", f"{name}={value}") for name, value in switches.items())
    return Advice(how(sets), " switches that off") if sets else None


def branch_doubts(graph: Graph, outputs: Sequence[str]) -> Iterator[Doubt]:
    """Doubts about outputs that have no value where another branch is taken."""
    for output in outputs:
        switch = deciding_switch(graph, output)
        if switch is not None:
            text = f"{output} lies in a branch, and has no value where {switch.name} takes the other one"
            yield Doubt(text, Advice(Option("outputs"), " can name what comes before or after the branch"))


def tpu_doubts(graph: Graph) -> Iterator[Doubt]:
    """Doubts about nodes that no other processor has kernels for."""
    found = [f"{node.name} ({node.op})" for node in for_tpus(graph)]
    if found:
        text = f"only TPUs can run {some(found, _MAX_NAMES)}"
        yield Doubt(text, Advice(Option("inputs", "NAME"), " cuts the graph open behind them"))


def _sources(graph: Graph) -> Iterator[Doubt]:
    sources = [source for source in data_sources(graph) if not gives_defaults(graph, source)]
    if sources:
        cut = Options(tuple(Option("inputs", name) for source in sources for name in source.places))
        named = ", ".join(source.node for source in sources)
        text = f"{named} returns the data that the graph was built with, regardless of what is fed"
        yield Doubt(text, Advice(cut, " makes an input of it"))


def default_doubts(graph: Graph) -> Iterator[Doubt]:
    """Doubts about training switches that are not inputs of a signature and have a default for training."""
    for name, value in open_switches(graph).items():
        node = graph[name]
        default = _default_of(graph, node)
        tensor = default.tensor() if default is not None and default.op == "Const" else None
        if tensor is None or tensor.elements != 1:
            continue
        given, wanted = tensor.numpy().item(), literal(value, placeholder_spec(node)).item()
        if given != wanted:
            shown = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given).lower()
            text = f"{name} looks like a training switch, and its default is {shown}"
            fixed = Call("freeze", ("MODEL",), (Option("set", f"{name}={value}"),))
            yield Doubt(text, Advice(fixed, " fixes it, ", Option("inputs", name), " makes an argument of it"))


def _default_of(graph: Graph, placeholder: Node) -> Node | None:
    """The node that gives the value that ``placeholder`` has if nothing is fed, the default of a default perhaps."""
    node: Node | None = placeholder if placeholder.op == DEFAULTED else None
    for _ in range(_MAX_DEFAULTS):
        if node is None or node.op not in (DEFAULTED, "Identity"):
            break
        node = graph.get(node_of(node.inputs[0]))
    return node
