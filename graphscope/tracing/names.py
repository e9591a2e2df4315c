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

_MAX_TRIED = 64
"""Spellings of one name that are tried: rules upon rules, in any order."""

_LONGEST = 1000
"""A longer name is nothing that rewriting makes: it is looked for as it is."""

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
        """The node that ``name`` was made of; empty if there is none, as for ``_SOURCE``."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._find(name)
        return found

    def _find(self, name: str) -> str:
        if len(name) > _LONGEST:
            return name if name in self._names else ""
        return next(filter(None, map(self._by_rules, [name, *_around(name)])), "")

    def _by_rules(self, name: str) -> str:
        """The node by the rules alone, those that take few steps first."""
        tried = {name: None}
        pending = [name]
        for text in pending:
            if text in self._names:
                return text
            new = [c for c in _candidates(text) if c not in tried][: _MAX_TRIED - len(tried)]
            tried.update(dict.fromkeys(new))
            pending += new
        return ""


def _around(name: str) -> Iterator[str]:
    """The name scopes in which ``name`` lies, the innermost first: a call, a branch or a loop may be called as one is, whose
    body was put in its place.
    """
    while (end := _PARTS.search(name)) is not None:
        name = name[: end.start()]
        yield name


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
