"""The interface of every export: a graph ready to be written in another runtime's format.

A target is a row of :mod:`graphscope.formats.registry` whose ``export`` names a module that has the two functions of
:class:`Target`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.core.graph import Graph
    from graphscope.formats.registry import Export, WriteOptions


@dataclass(frozen=True, slots=True)
class Examples:
    """Data that a model computes during an export.

    Attributes:
        tensor: the input tensor.
        values: (n, ...): examples as the tensor takes each, in its type.
    """

    tensor: str
    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Export options; each target uses those that apply to it. ``None`` and empty are the defaults.

    Attributes:
        rename: tensor of an input or an output -> its name in the file.
        opset: the version of ONNX's operators.
        external_data: whether weights go beside the model.
        quantize: ``float16``, ``dynamic`` or ``int8``.
        examples: calibration data for the ranges of ``int8``.
        arguments: tensor -> its name in the model's signature; not a user option.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    opset: int | None = None
    external_data: bool | None = None
    quantize: str | None = None
    examples: Examples | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)

    def given(self) -> list[str]:
        """The options that differ from their defaults."""
        return [f.name for f in fields(self) if f.name != "arguments" and getattr(self, f.name) not in (None, {})]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        paths: the model, then the files beside it.
        size_bytes: of all.
        nodes: how many the model has.
    """

    paths: tuple[Path, ...]
    size_bytes: int
    nodes: int


@dataclass(frozen=True, slots=True)
class Converted:
    """A graph that can be written; no errors about the graph are raised from here on.

    Attributes:
        inputs, outputs: names in the file.
        weight_bytes: approximate size of the weights in the file.
        write: writes it to a path, its files whole or not at all; the options' ``check`` looks at the finished file before it
            takes its place.
        random: nodes of the graph that draw random numbers.
        tensors: tensor of an input or an output -> its name in the file.
        notes: information for the user before it is written.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weight_bytes: int
    write: Callable[[Path, WriteOptions], Written]
    random: tuple[str, ...] = ()
    tensors: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Target(Protocol):
    """The module of a target."""

    def require(self) -> None:
        """Raises an error if packages that the conversion needs are missing.

        Raises:
            MissingDependencyError: one is not installed; the hint is the pip command.
        """

    def convert(self, graph: Graph, outputs: Sequence[str], options: ExportOptions, path: str) -> Converted:
        """Converts a graph without variables. All reasons why it cannot be expressed are collected first.

        Args:
            outputs: tensors.
            path: name of the model in error messages.

        Raises:
            NotExportableError: the target cannot express the graph; all reasons are listed.
            GraphscopeError: an option does not fit.
        """
        ...


def target_of(row: Export) -> Target:
    """The module that converts for a format."""
    return cast(Target, importlib.import_module(row.module))


__all__ = ["Converted", "Examples", "ExportOptions", "Target", "Written", "target_of"]
