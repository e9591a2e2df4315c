"""Static shape inference without TensorFlow: one rule for each op, applied through graphs, functions and loops."""

from graphscope.analysis.shapes.inference import infer
from graphscope.analysis.shapes.result import Shapes

__all__ = ["Shapes", "infer"]
