"""Recognizes factors of one, and dropout that keeps everything: it multiplies with a random mask of ones.

The masks are those of ``tf.nn.dropout``: ``floor(keep_prob + u)`` (TensorFlow up to 1.13), ``cast(u >= rate)`` (1.14 and later)
and ``where(u >= rate, x, 0)`` (newer 2.x), where ``u`` is uniform in [0, 1).
Source: ``tensorflow/python/ops/nn_ops.py`` of these releases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from graphscope.core.graph import Graph, Node
from graphscope.core.ops.sets import ENTERS
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.transforms.effects import Effects

PASS_THROUGH = frozenset({"Identity", "IdentityN", "StopGradient", "CheckNumerics", "Snapshot", "PreventGradient"})
"""Ops whose outputs are their inputs, when a graph only predicts."""

Bounds = tuple[float, float]
"""A value is at least the first and below the second number, or equal to both."""

_Arithmetic = Callable[[Bounds, Bounds], Bounds]
_ARITHMETIC: Mapping[str, _Arithmetic] = {
    **dict.fromkeys(("Add", "AddV2"), lambda a, b: (a[0] + b[0], a[1] + b[1])),
    "Sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "Mul": lambda a, b: (min(_corners(a, b)), max(_corners(a, b))),
}
_MASK_OPS = frozenset({"Floor", "Cast", "GreaterEqual", *_ARITHMETIC})
_MAX_DEPTH = 6
_MAX_STEPS = 64


def _corners(a: Bounds, b: Bounds) -> list[float]:
    return [x * y for x in a for y in b]


class Neutral:
    """Finds products, quotients and selections in ``graph`` that give one of their inputs as it is.

    Args:
        across_frames: look for values outside the loop that takes them, too, as where nothing is rewired.
    """

    def __init__(self, graph: Graph, effects: Effects, *, across_frames: bool = False) -> None:
        self.graph = graph
        self.effects = effects
        self.across_frames = across_frames

    def source(self, node: Node) -> str | None:
        """The input that ``node`` passes on; ``None`` if it does more.

        Raises:
            CorruptFileError, IncompleteModelError: a scalar constant cannot be read.
        """
        rule = _RULES.get(node.op)
        return next(rule(self, *node.data_inputs()), None) if rule is not None else None

    def product(self, *inputs: str) -> Iterator[str]:
        """A product with the constant 1, or with a mask of ones."""
        for value, factor in zip(inputs, inputs[::-1]):
            if self.is_one(factor) or (self.is_ones(factor) and self.is_its_mask(factor, value)):
                yield value

    def quotient(self, *inputs: str) -> Iterator[str]:
        """A quotient by the constant 1."""
        if len(inputs) == 2 and self.is_one(inputs[1]):
            yield inputs[0]

    def selection(self, *inputs: str) -> Iterator[str]:
        """A selection by a mask that always takes the first."""
        if len(inputs) == 3 and self.is_true(inputs[0]) and self.is_its_mask(inputs[0], inputs[1]):
            yield inputs[1]

    def is_one(self, text: str) -> bool:
        """Whether it is a constant scalar 1."""
        node = self.behind(text)
        return node is not None and node.op == "Const" and self.bounds(text) == (1, 1)

    def is_ones(self, text: str) -> bool:
        """Whether it is a random mask, but all ones."""
        node = self.behind(text)
        if node is None or not node.data_inputs():
            return False
        if node.op == "Cast":
            return self.is_true(node.inputs[0])
        bounds = self.bounds(node.inputs[0]) if node.op == "Floor" else None
        return bounds == (1, 2)

    def is_true(self, text: str) -> bool:
        """Whether it compares random numbers with a constant that they always reach."""
        node = self.behind(text)
        if node is None or node.op != "GreaterEqual" or len(node.data_inputs()) != 2:
            return False
        numbers, least = map(self.bounds, node.data_inputs())
        return numbers is not None and least is not None and least[0] == least[1] <= numbers[0] < numbers[1]

    def is_its_mask(self, mask: str, value: str) -> bool:
        """Whether ``mask`` cannot add dimensions to ``value``: it has its shape, or is of a dropout that scaled it by 1."""
        scaled = self.behind(value)
        if (
            scaled is not None
            and scaled.op in ("Mul", "RealDiv", "Div")
            and any(map(self.is_one, scaled.data_inputs()))
        ):
            return True
        shape = self.behind(self.random_shape(mask))
        return shape is not None and shape.op == "Shape" and self.behind(shape.inputs[0]) is scaled is not None

    def random_shape(self, text: str, depth: int = 0) -> str:
        """The shape that the random numbers behind a mask are asked for; empty if there are none."""
        node = self.behind(text)
        if node is None or depth > _MAX_DEPTH:
            return ""
        if node.op == "RandomUniform":
            return node.inputs[0]
        shapes = (self.random_shape(i, depth + 1) for i in node.data_inputs()) if node.op in _MASK_OPS else ()
        return next(filter(None, shapes), "")

    def bounds(self, text: str, depth: int = 0) -> Bounds | None:
        """The range of a scalar constant, of uniform random numbers, or of sums and products of them."""
        node = self.behind(text)
        if node is None or depth > _MAX_DEPTH:
            return None
        if node.op == "RandomUniform":
            return 0.0, 1.0
        if node.op == "Const":
            return _scalar(node)
        if node.op not in _ARITHMETIC or len(node.data_inputs()) != 2:
            return None
        a, b = (self.bounds(i, depth + 1) for i in node.data_inputs())
        return _ARITHMETIC[node.op](a, b) if a is not None and b is not None else None

    def behind(self, text: str) -> Node | None:
        """The node that computes the first output ``text``, looked for through nodes that pass it on.

        ``None`` for other outputs, and where one of the nodes waits for something that matters.
        """
        for _ in range(_MAX_STEPS):
            tensor = TensorName.parse(text)
            node = self.graph.get(tensor.node)
            if node is None or tensor.index:
                return None
            if not self.across_frames and any(map(self.effects.is_meant, _controls(node))):
                return None
            is_passed = node.op in PASS_THROUGH or (self.across_frames and node.op in ENTERS)
            if not is_passed or node.op == "IdentityN" or not node.data_inputs():
                return node
            text = node.inputs[0]
        return None


def _controls(node: Node) -> list[str]:
    return [text for text in node.inputs if text.startswith("^")]


def _scalar(node: Node) -> Bounds | None:
    tensor = node.tensor()
    if tensor is None or tensor.shape or not (tensor.dtype.is_floating or tensor.dtype in _INTEGERS):
        return None
    value = float(tensor.numpy())
    return value, value


_INTEGERS = (DataType.INT32, DataType.INT64, DataType.INT16, DataType.INT8, DataType.UINT8)
_Rule = Callable[..., Iterator[str]]
_RULES: Mapping[str, _Rule] = {
    "Mul": Neutral.product,
    **dict.fromkeys(("RealDiv", "Div"), Neutral.quotient),
    **dict.fromkeys(("Select", "SelectV2"), Neutral.selection),
}
