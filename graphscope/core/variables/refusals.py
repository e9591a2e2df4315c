"""Refusals of values: those that a checkpoint lacks, and those that TensorFlow would not restore."""

from __future__ import annotations

from collections.abc import Iterable

from graphscope.advice import Advice, Call, Option
from graphscope.core.variables.variables import Variable
from graphscope.errors import IncompleteModelError, closest_names

_LISTED = 8


def refuse_mismatch(path: str, checkpoint: str, variables: Iterable[Variable]) -> None:
    """Refuses values that TensorFlow would not restore.

    Args:
        path: the model, for the error.
        checkpoint: where the values are.

    Raises:
        IncompleteModelError: a value has another type or shape than its variable; all of them are named, up to a few.
    """
    wrong = [v for v in variables if v.mismatch]
    if not wrong:
        return
    lines = [f"variable {v.name} is {v.declared} in the graph, but its value is {v.mismatch}" for v in wrong]
    more = f"\nand {len(wrong) - _LISTED:,} more" if len(wrong) > _LISTED else ""
    listed = "\n".join([f"{checkpoint}: the checkpoint does not fit the graph of {path}", *lines[:_LISTED]])
    raise IncompleteModelError(
        listed + more,
        hint=Advice(
            Call("vars", (path,)),
            "   lists both; ",
            Option("checkpoint", "PREFIX"),
            " names the checkpoint of this graph",
        ),
    )


def missing_value(path: str, checkpoint: str, keys: Iterable[str], name: str, what: str) -> IncompleteModelError:
    """The error for a variable whose value the checkpoint lacks; it names the keys that resemble it.

    Args:
        path: the model.
        checkpoint: where values are.
        keys: of the checkpoint.
        name: the variable.
        what: what the error says: ``no value of variable v, which the run needs``.
    """
    closest = closest_names(name, keys)
    lines = [f"{path}: the checkpoint holds {what}", f"checkpoint: {checkpoint}"]
    lines += [f"closest keys: {', '.join(closest)}"] if closest else []
    return IncompleteModelError("\n".join(lines), hint=Advice(Call("vars", (checkpoint,)), "   lists its contents"))
