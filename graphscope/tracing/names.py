"""From the name that a node has in a trace to the node of the model's graph that it was made of.

TensorFlow rewrites a graph before it runs it. Sources, all below ``tensorflow/core``: ``graph/subgraph.cc`` (``_arg_``,
``_retval_``, ``_recv_``, ``_send_``), ``graph/graph_partition.cc`` and the sessions' own names (``/_3``, ``_S3``, ``edge_3_``),
``common_runtime/inline_function_utils.cc`` (``Func/``), ``common_runtime/lower_*_op.cc`` (``while/merge/_10``),
``grappler/optimizers/`` (all others).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_RULES = tuple(
    map(
        re.compile,
        (
            r"_arg_(?P<node>.+)_\d+_\d+",  # a feed: its tensor's node and output, its number
            r"_retval_(?P<node>.+)_\d+_\d+",  # a fetch
            r"_(?:recv|send)_(?P<node>.+)_\d+",  # a feed or fetch of a master
            r"edge_\d+_(?P<node>.+)",  # what one task sends another
            r"(?P<node>.+?)(?:-\d+)*-\w+-LayoutOptimizer",
            r"(?P<node>.+?)(?:-\d+)*-\w*(?:Transpose|PermConst|DataFormat|VecPermute|DimMap)\w*",
            r"ConstantFolding/(?P<node>.+?)(?:-\w[\w-]*|_const_axis|_recip|_bcast|_matmul|_enter|_scaled_\w+)?",
            r"ConstantFoldingCtrl/(?P<node>.+)_\d+",
            r"(?:swap_(?:in|out)_|Recomputed/|RecomputeTrigger/)(?P<node>.+?)(?:_\d+)?",
            r"Func/(?P<node>.+?)/(?:input|output|input_control_node|output_control_node)(?:/.*)?",
            r"(?P<node>.+?)_(?:mkl|Mkl|MKL)\w*",
            r"(?P<node>.+)(?:/_|_S)\d+",  # a transfer between devices, or between tasks
        ),
    )
)
"""How names are made; ``node`` is the part that is the graph's own, or is made of it by another rule."""

_STAGE = re.compile(
    r"(?P<scope>.*?)(?:ArithmeticOptimizer|ConstantFolding|LoopOptimizer|Remapper|ShapeOptimizer)/(?P<rest>.+)"
)
"""``scope/ArithmeticOptimizer/StageName_node``: both the stage's and the node's name may have underscores."""

_MAX_DEPTH = 8
_PARTS = re.compile(r"[/\-:](?=[^/\-:]*$)")


class NodeNames:
    """Finds nodes of a graph by the names of a trace.

    Args:
        names: of the graph's nodes.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._known: dict[str, str] = {}

    def node(self, name: str) -> str:
        """The node that ``name`` was made of; empty where there is none, as for ``_SOURCE``."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._exact(name, _MAX_DEPTH) or self._around(name)
        return found

    def _exact(self, name: str, depth: int) -> str:
        """The node by the rules alone."""
        if name in self._names:
            return name
        candidates = _candidates(name) if depth else ()
        return next(filter(None, (self._exact(c, depth - 1) for c in candidates)), "")

    def _around(self, name: str) -> str:
        """The node in whose name scope ``name`` lies: a call, a branch or a loop whose body was put in its place."""
        while (end := _PARTS.search(name)) is not None:
            name = name[: end.start()]
            found = self._exact(name, _MAX_DEPTH)
            if found:
                return found
        return ""


def _candidates(name: str) -> Iterator[str]:
    for rule in _RULES:
        match = rule.fullmatch(name)
        if match is not None:
            yield match["node"]
    stage = _STAGE.fullmatch(name)
    if stage is not None:
        rest = stage["rest"]
        while rest:
            yield stage["scope"] + rest
            rest = rest.partition("_")[2]
