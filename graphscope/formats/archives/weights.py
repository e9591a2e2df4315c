"""Weights by name: the content of an archive, and the weights of a model for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from graphscope.core.model import Model
from graphscope.core.values.payload import Payload
from graphscope.core.variables.variables import VariableStore


class Archive(VariableStore, Protocol):
    """Tensors by name in a file."""

    @property
    def path(self) -> Path:
        """The file."""


def weights_of(model: Model) -> list[tuple[str, Payload]]:
    """The weights of ``model`` by name. No I/O until they are read.

    A variable's value has the variable's name; one that is stored in partitions is whole and has the name of its key; a value
    that no variable uses has that of its key. A graph with neither variables nor checkpoint gives its numeric constants,
    those of library functions as ``function/name``.

    Raises:
        UnsupportedError: a value has a type without a NumPy equivalent.
        IncompleteModelError: the checkpoint does not fit the graph.
    """
    model.refuse_mismatch()
    if not model.variables and model.has_graph:
        return list(_constants(model))
    found: dict[str, Payload] = {}
    for variable in model.variables:
        if variable.entry is not None and model.store is not None:
            name = variable.name if variable.slice is None else variable.entry.key
            found.setdefault(name, model.store.payload(variable.entry.key))
    return list(found.items())


def _constants(model: Model) -> Iterator[tuple[str, Payload]]:
    for function, body in model.graph.bodies:
        for node in body:
            tensor = node.tensor() if node.op == "Const" else None
            if tensor is not None and tensor.dtype.itemsize is not None:
                yield f"{function}/{node.name}" if function else node.name, tensor
