"""The zoo's graphs of single ops, with the inputs and outputs that were recorded for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from graphscope.core.graph import Graph
from graphscope.core.values.dtypes import DataType
from tests.support.zoo_files import ZOO

OP_TESTS = sorted((ZOO / "op_tests").rglob("frozen_model.pb"))


def folder(path: Path) -> str:
    """What a test of the graph is called."""
    return str(path.parent.relative_to(ZOO / "op_tests"))


def recorded_inputs(path: Path, graph: Graph) -> dict[str, np.ndarray]:
    """Tensor name -> value, of the inputs that the graph has: a cut leaves some out."""
    result = {}
    for file in path.parent.glob("*.placeholder.csv"):
        name = file.name.removesuffix(".placeholder.csv").replace("____", "/")
        if name not in graph:
            continue
        dtype = DataType.of(graph[name].attrs["dtype"].type).numpy
        texts = file.read_text().split()
        numbers = np.array([t == "True" if dtype.kind == "b" else float(t) for t in texts])
        result[f"{name}:0"] = numbers.astype(dtype).reshape(_shape(file, len(texts)))
    return result


def recorded_outputs(path: Path) -> dict[str, tuple[list[str], list[int]]]:
    """Tensor name -> the numbers as they are printed, and the shape."""
    result = {}
    for file in sorted(path.parent.glob("*.prediction.csv")):
        name = file.name.removesuffix(".prediction.csv").replace("____", "/").replace(".", ":")
        texts = file.read_text().split()
        result[name if ":" in name else f"{name}:0"] = texts, _shape(file, len(texts))
    return result


def _shape(file: Path, count: int) -> list[int]:
    """A scalar's shape is written as that of nothing."""
    shape = [int(n) for n in file.with_suffix(".shape").read_text().split()]
    return [] if shape == [0] and count else shape
