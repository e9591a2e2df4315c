"""Another model as a head: which of its inputs takes which tensor of the base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.core.model import Model
from graphscope.core.tensors import node_of, shape_text
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.training.graft.base import Base, open_base

if TYPE_CHECKING:
    from numpy.typing import NDArray


def open_top(
    model: Model,
    output: str,
    at: Sequence[str],
    binds: Mapping[str, str],
    values: Mapping[str, NDArray[Any]],
) -> tuple[Base, dict[str, str]]:
    """``model`` cut to its output, and its inputs with the tensors of the base that they take.

    Args:
        output: node or tensor name; empty for the likely output.
        at: the base's tensors; the only one goes to the only input where ``binds`` names none.
        binds: node or tensor name of an input -> tensor of the base.

    Raises:
        UnknownNameError: there is no such input.
        GraphscopeError: an input is left, or it is not clear which takes the tensor; the error lists them.
    """
    wanted = {node_of(name): tensor for name, tensor in binds.items()}
    outputs = choose_outputs(model, [output] if output else ()).outputs[:1]
    opened = [name for name in wanted if name in model.graph]
    top = open_base(model, outputs, inputs=opened, values=values)
    inputs = {node_of(spec.name): spec for spec in top.inputs}
    for name in wanted:
        if name not in inputs:
            raise UnknownNameError(f"input of {model.path}", name, inputs, hint=f"inputs: {', '.join(inputs)}")
    if not wanted and len(inputs) == 1 and len(at) == 1:
        wanted = {next(iter(inputs)): at[0]}
    open_inputs = [spec for name, spec in inputs.items() if name not in wanted]
    if open_inputs:
        listed = ", ".join(f"{s.name} {s.dtype.label} {shape_text(s.shape)}" for s in open_inputs)
        first = node_of(open_inputs[0].name)
        raise GraphscopeError(
            f"{model.path} has inputs that are not connected to the base: {listed}",
            hint=Advice(Option("bind", f"{first}={at[0] if at else 'TENSOR'}")),
        )
    return top, wanted
