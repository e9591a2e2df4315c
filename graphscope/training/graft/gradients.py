"""Whether gradients reach the trainable variables, and which op blocks them otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphscope.advice import Advice, Option
from graphscope.errors import GraphscopeError
from graphscope.runtime.registry import has_gradient

_LOOP_OPS = frozenset("Enter RefEnter Exit RefExit NextIteration RefNextIteration".split())
_HINT = Advice(
    "cut behind it: ", Option("at", "TENSOR"), "; or let less of the base train: ", Option("unfreeze", "REGEX")
)


def refuse_blocked(tf: Any, logits: Any, variables: Sequence[Any]) -> None:
    """Raises an error, where an op between ``variables`` and ``logits`` lets no gradient through.

    A variable is blocked where every path to it is; an op without any gradient, or a loop of ``Enter`` and ``Exit``, of which
    an imported graph does not know enough, blocks every path that it is on.

    Raises:
        GraphscopeError: the error names the first such op.
    """
    reached = set(_find_passed(tf, logits))
    for variable in variables:
        handle = _handle(variable).op
        if handle not in reached:
            raise _blocked_error(tf, variable, handle, logits)


def _find_passed(tf: Any, logits: Any) -> Iterator[Any]:
    """Operations that a gradient of ``logits`` reaches."""
    seen = {logits.op}
    pending = [logits.op]
    while pending:
        operation = pending.pop()
        yield operation
        if not _is_blocking(operation):
            new = [tensor.op for tensor in operation.inputs if _may_flow(tf, tensor) and tensor.op not in seen]
            seen.update(new)
            pending += new


def _may_flow(tf: Any, tensor: Any) -> bool:
    return bool(tensor.dtype.base_dtype.is_floating or tensor.dtype == tf.resource)


def _is_blocking(operation: Any) -> bool:
    """Whether no gradient passes ``operation``: it is registered as having none, or nothing is known of its gradient."""
    if operation.type in _LOOP_OPS or operation.type == "StopGradient":
        return True
    if operation.type.endswith("PartitionedCall") or operation.type in ("ReadVariableOp", "VarHandleOp"):
        return False
    return bool(operation.inputs) and not has_gradient(operation)


def _is_in_the_way(tf: Any, operation: Any, above: set[Any]) -> bool:
    """Whether a gradient that reaches ``operation`` does not go on to those of its inputs that matter."""
    return _is_blocking(operation) or any(t.op in above and not _may_flow(tf, t) for t in operation.inputs)


def _handle(variable: Any) -> Any:
    """The tensor that the variable op gives."""
    return variable.handle if hasattr(variable, "handle") else variable._variable


def _blocked_error(tf: Any, variable: Any, handle: Any, logits: Any) -> GraphscopeError:
    above = _above(handle)
    obstacle = next((op for op in _find_passed(tf, logits) if op in above and _is_in_the_way(tf, op, above)), None)
    if obstacle is None:
        return GraphscopeError(f"{variable.op.name} is to train, but the logits do not depend on it", hint=_HINT)
    kind = "a loop that was imported" if obstacle.type in _LOOP_OPS else obstacle.type
    return GraphscopeError(
        f"{variable.op.name} is to train, but node {obstacle.name} ({kind}) lets no gradient through", hint=_HINT
    )


def _above(start: Any) -> set[Any]:
    """Operations that need ``start``."""
    seen = {start}
    pending = [start]
    while pending:
        for output in pending.pop().outputs:
            new = [consumer for consumer in output.consumers() if consumer not in seen]
            seen.update(new)
            pending += new
    return seen
