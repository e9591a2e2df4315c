"""A TF.js graph whose weights have not been read yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphscope.core.graph import Graph
from graphscope.export.tfjs.weights import Weight
from graphscope.protos import SignatureDef


@dataclass(frozen=True)
class TfjsGraph:
    """The graph to write.

    Attributes:
        graph: nodes that TF.js runs; constants have no content there.
        weights: the constants, those of functions too.
        signature: the inputs and outputs, by their names in the API.
        is_dynamic: whether a program has to call ``executeAsync``: there are loops, branches or sizes that depend on values.
        random: nodes that draw random numbers.
        changed_types: unsupported type -> the type that TF.js computes in, and the number of tensors.
        tensors: tensor of an input or an output in TensorFlow -> its name here.
    """

    graph: Graph
    weights: Sequence[Weight]
    signature: SignatureDef
    is_dynamic: bool = False
    random: Sequence[str] = ()
    changed_types: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    tensors: Mapping[str, str] = field(default_factory=dict)
