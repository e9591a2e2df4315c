"""Pairs the outputs and inputs of two models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from graphscope.advice import Advice, Option
from graphscope.analysis.diff.counterparts import counterparts
from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.tensors import TensorName, TensorSpec, node_of
from graphscope.errors import GraphscopeError, UnknownNameError, some
from graphscope.feeding.feeds import required_inputs, tensor_spec

_MAX_NAMES = 5


@dataclass(frozen=True, slots=True)
class Pairing:
    """The pairs of two models.

    Attributes:
        outputs: tensors of the second model.
        names: tensor of the second model, an output or an input -> its name in the first.
        reason: why these outputs were chosen, if they were not named.
    """

    outputs: tuple[str, ...]
    names: Mapping[str, str]
    reason: str = ""


def pair(a: Model, b: Model, outputs: Sequence[str] = (), given: Mapping[str, str] | None = None) -> Pairing:
    """Finds the counterparts in ``a`` of the outputs and inputs of ``b``.

    A tensor is what was given for it, otherwise the one of the same name, otherwise the one of the node that does the same at
    the same place of the graph, otherwise the one behind the same argument of the same signature; a single one on both sides is
    a pair.

    Args:
        outputs: tensors of ``b``; without any, those in ``given`` that are no placeholders, otherwise the likely ones.
        given: tensor of ``a`` -> tensor of ``b``.

    Raises:
        UnknownNameError: a tensor is not in its model.
        GraphscopeError: an output or an input has no counterpart, or one of another type.
    """
    return _Pairing(a, b, _check(a, b, given or {})).found(outputs)


def _check(a: Model, b: Model, given: Mapping[str, str]) -> dict[str, str]:
    """What was given the other way round: tensor of ``b`` -> tensor of ``a``."""
    names: dict[str, str] = {}
    for one, other in given.items():
        name = tensor_spec(b, other).name
        if name in names:
            raise GraphscopeError(f"{name} of {b.path} has two counterparts: {names[name]} and {one}")
        names[name] = tensor_spec(a, one).name
    return names


@dataclass
class _Pairing:
    a: Model
    b: Model
    given: Mapping[str, str]
    names: dict[str, str] = field(default_factory=dict)

    def found(self, outputs: Sequence[str]) -> Pairing:
        mapped = [name for name in self.given if self.b.graph[node_of(name)].op not in PLACEHOLDER_OPS]
        chosen = choose_outputs(self.b, outputs or mapped)
        wanted = tuple(str(TensorName.parse(name)) for name in chosen.outputs)
        self._pair_outputs(wanted)
        self._pair_inputs(wanted)
        self._refuse_other_types()
        return Pairing(wanted, self.names, "" if outputs or mapped else chosen.reason)

    def _pair_outputs(self, outputs: Sequence[str]) -> None:
        for name in outputs:
            other = self._counterpart(name)
            if other is None and len(outputs) == 1:
                other = self._only_output()
            if other is None:
                raise self._alone("output", [name])
            self.names[name] = other

    def _only_output(self) -> str | None:
        try:
            outputs = choose_outputs(self.a, ()).outputs
        except GraphscopeError:  # none is clear
            return None
        return str(TensorName.parse(outputs[0])) if len(outputs) == 1 else None

    def _pair_inputs(self, outputs: Sequence[str]) -> None:
        of_b = self._needed_inputs(self.b, outputs)
        of_a = self._needed_inputs(self.a, [self.names[name] for name in outputs])
        found = {spec.name: self._counterpart(spec.name) for spec in of_b}
        taken = set(found.values())
        alone_b = [spec for spec in of_b if found[spec.name] is None]
        alone_a = [spec for spec in of_a if spec.name not in taken]
        if alone_b and len(alone_b) == len(alone_a) == 1:
            found[alone_b[0].name] = alone_a[0].name
        elif alone_b and alone_a:
            raise self._alone("input", [spec.name for spec in alone_b])
        self.names.update({name: other for name, other in found.items() if other is not None})

    def _needed_inputs(self, model: Model, outputs: Sequence[str]) -> list[TensorSpec]:
        return required_inputs(model, outputs, with_defaults=True)

    def _counterpart(self, name: str) -> str | None:
        """The name in ``a`` of the tensor ``name`` of ``b``; ``None`` if it is unknown."""
        if name in self.given:
            return self.given[name]
        tensor = TensorName.parse(name)
        if self._has(name):
            return name
        node = self.nodes.get(self.b.graph[tensor.node].name)
        other = str(TensorName(node, tensor.index)) if node is not None else None
        return other if other is not None and self._has(other) else self.arguments.get(name)

    def _has(self, name: str) -> bool:
        if node_of(name) not in self.a.graph:
            return False
        try:
            tensor_spec(self.a, name)
        except UnknownNameError:
            return False
        return True

    @cached_property
    def nodes(self) -> Mapping[str, str]:
        """Node of ``b`` -> node of ``a``."""
        return counterparts(self.a, self.b)

    @cached_property
    def arguments(self) -> Mapping[str, str]:
        """Tensor behind an argument of a signature of ``b`` -> the one behind the same argument in ``a``."""
        others = dict(_arguments(self.a))
        return {name: others[key] for key, name in _arguments(self.b) if key in others}

    def _alone(self, what: str, names: Sequence[str]) -> GraphscopeError:
        text = f"{some(names, _MAX_NAMES)} of {self.b.path} has no counterpart among the {what}s of {self.a.path}"
        return GraphscopeError(
            text, hint=Advice(Option("map", f"TENSOR={names[0]}"), f"   names the {what} of the first")
        )

    def _refuse_other_types(self) -> None:
        for name, other in self.names.items():
            one, two = tensor_spec(self.a, other), tensor_spec(self.b, name)
            if one.dtype is not two.dtype and self._is_input(name):
                raise GraphscopeError(
                    f"the input {name} is {two.dtype.label} in {self.b.path}, but {other} is {one.dtype.label} in"
                    f" {self.a.path}: they cannot take the same value"
                )

    def _is_input(self, name: str) -> bool:
        return self.b.graph[node_of(name)].op in PLACEHOLDER_OPS


def _arguments(model: Model) -> Iterable[tuple[tuple[str, bool, str, int], str]]:
    """Signature, whether it is an output, argument and number of the tensor -> the tensor."""
    return list(_walk(model))


def _walk(model: Model) -> Iterator[tuple[tuple[str, bool, str, int], str]]:
    for signature in model.signatures.values():
        for is_output, arguments in ((False, signature.inputs), (True, signature.outputs)):
            for argument, specs in arguments.items():
                for number, spec in enumerate(specs):
                    yield (signature.name, is_output, argument, number), str(TensorName.parse(spec.name))
