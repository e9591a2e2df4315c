"""Inputs that say whether a graph trains or predicts: which they are, and the value for prediction.

What an input does counts first: it decides a branch of which one side trains (draws random numbers, takes a batch's own
statistics, updates a variable), or it is the rate of a dropout. Only an input that does neither is judged by its name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from weakref import WeakKeyDictionary

from graphscope.core.graph import Body, Function, Graph, Node, called_functions
from graphscope.core.ops.sets import DEFAULTED, MERGES, PLACEHOLDER_OPS, RANDOM_OPS, SWITCHES, VARIABLE_OPS
from graphscope.core.tensors import TensorName, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.transforms.bake import placeholder_spec
from graphscope.transforms.findings.masks import chooses
from graphscope.transforms.prune import CASES, IFS

SWITCH_NAME = re.compile(
    r"is_?train(ing)?|phase_?train|learning_?phase|(^|/)train(ing)?(_?mode)?$|phase$", re.IGNORECASE
)
KEEP_NAME = re.compile(r"keep_?prob", re.IGNORECASE)
RATE_NAME = re.compile(r"drop_?out(_?rate)?|drop_?rate", re.IGNORECASE)

_MAX_FOLLOWED = 64
"""How many nodes of a kind are looked at behind one input."""

_PASSES = frozenset(
    {
        "ReadVariableOp",
        "Identity",
        "StopGradient",
        "Snapshot",
        "Enter",
        "RefEnter",
        "Cast",
        "Reshape",
        "Squeeze",
        "ExpandDims",
    }
)
_STATISTICS = frozenset({"Mean", "SquaredDifference"})
_UPDATES = re.compile(r"Assign\w*|Resource\w*Apply\w+|Apply[A-Z]\w+|Scatter\w+")


def open_switches(graph: Graph, opened: Collection[str] = ()) -> dict[str, str]:
    """Placeholders that say whether ``graph`` trains -> the value for prediction, as people type it.

    Args:
        opened: names of nodes that are no switches, because a person has cut the graph open there.
    """
    no_switches = {node_of(name) for name in opened}
    found = {}
    for op, placeholder in zip(graph.ops, graph.nodes):
        if op in PLACEHOLDER_OPS and placeholder.name not in no_switches:
            value = _inference_value(graph, placeholder)
            if value is not None:
                found[placeholder.name] = value
    return found


def stored_switches(graph: Graph) -> dict[str, str]:
    """Variables that say whether ``graph`` trains, as TFLearn's ``is_training`` -> the value for prediction, as people type it.

    By what they do alone: single numbers that decide a branch of which one side trains, or are the rate of a dropout.
    """
    found = {}
    for op, node in zip(graph.ops, graph.nodes):
        spec = placeholder_spec(node) if op in VARIABLE_OPS else None
        if spec is not None and not spec.shape:
            judge = _Rate(graph, node.name) if spec.dtype.is_floating else _Predicate(graph, node.name)
            found[node.name] = judge.value()
    return {name: value for name, value in found.items() if value is not None}


def switch_reasons(graph: Graph, switches: Mapping[str, str]) -> dict[str, str]:
    """What :func:`open_switches` found -> why each is one: what it does, or only what it is called."""
    return {name: _reason(graph, graph[name]) for name in switches}


def _reason(graph: Graph, placeholder: Node) -> str:
    if placeholder_spec(placeholder).dtype.is_floating:
        return "feeds a dropout" if _Rate(graph, placeholder.name).value() is not None else _BY_NAME
    decides = _Predicate(graph, placeholder.name).value() is not None
    return "decides whether the graph trains" if decides else _BY_NAME


_BY_NAME = "is named like a training switch"


def branches(graph: Graph, predicates: Collection[str]) -> set[str]:
    """Names of the nodes in branches that ``predicates``, names of nodes, decide; of an ``If``, its own."""

    def spread(node: Node) -> Iterator[Node]:
        if node.name in predicates or node.op in _PASSES or node.op in _DECIDED_ON:
            yield from graph.consumers(node.name)

    decided = graph.reach(predicates, spread)
    deciders = {n.name for n in map(graph.__getitem__, decided) if _is_decided(n, decided)}
    inside = graph.reach(deciders, lambda n: () if n.op in MERGES or n.op in IFS | CASES else graph.consumers(n.name))
    return {name for name in inside if graph[name].op not in MERGES}


def _is_decided(node: Node, predicates: Collection[str]) -> bool:
    """Whether one of ``predicates`` decides which branch ``node`` takes."""
    predicate = node.data_inputs()[int(node.op in SWITCHES) :][:1]
    return (node.op in SWITCHES or node.op in IFS or node.op in CASES) and any(
        node_of(text) in predicates for text in predicate
    )


def _inference_value(graph: Graph, placeholder: Node) -> str | None:
    spec = placeholder_spec(placeholder)
    if spec.shape:
        return None
    if spec.dtype.is_floating:
        return _Rate(graph, placeholder.name).value() or _named_rate(placeholder.name)
    value = _Predicate(graph, placeholder.name).value()
    if value is not None:
        return value
    if SWITCH_NAME.search(placeholder.name):
        return "false" if spec.dtype is DataType.BOOL else "0"
    return "1" if KEEP_NAME.search(placeholder.name) and spec.dtype is not DataType.BOOL else None


def _named_rate(name: str) -> str | None:
    return "1" if KEEP_NAME.search(name) else "0" if RATE_NAME.search(name) or SWITCH_NAME.search(name) else None


class _Rate:
    """A number that a dropout's mask compares with random ones: ``floor(keep + u)``, ``u >= 1 - keep``, ``u >= rate``.

    It is followed into the functions that the graph calls: the body of a loop over time, for example.
    Source: ``tensorflow/python/ops/nn_ops.py`` from 1.0 to 2.21.
    """

    def __init__(self, graph: Graph, name: str, body: Body | None = None, seen: set[str] | None = None) -> None:
        self.graph = graph
        self.name = name
        self.body = graph if body is None else body
        self.drawn = drawn_numbers(self.body)
        self.seen: set[str] = set() if seen is None else seen

    def value(self, is_complement: bool = False) -> str | None:
        """1 where it is what a dropout keeps, 0 if it is what it drops; ``None`` if it is neither.

        Args:
            is_complement: whether what is followed is 1 minus the input.
        """
        if not self.drawn and not self.graph.functions:  # every dropout draws
            return None
        pending = [(self.name, is_complement)]
        seen = set(pending)
        while pending and len(seen) < _MAX_FOLLOWED:
            name, is_complement = pending.pop()
            for consumer in self.body.consumers(name):
                keeps = self.keeps(consumer, name)
                if keeps is not None:
                    return "0" if keeps is is_complement else "1"
                for rate in self.called(consumer, name):
                    if (found := rate.value(is_complement)) is not None:
                        return found
                passed = (consumer.name, is_complement ^ (consumer.op == "Sub"))
                if (consumer.op in _PASSES or self.is_complement(consumer, name)) and passed not in seen:
                    seen.add(passed)
                    pending.append(passed)
        return None

    def called(self, consumer: Node, name: str) -> Iterator[_Rate]:
        """The same number as an argument of the functions that ``consumer`` calls."""
        texts = consumer.data_inputs()[int(consumer.op in IFS) :]
        called = map(self.graph.functions.get, called_functions([consumer]))
        for function in filter(None, called):
            for argument, text in zip(function.signature.input_arg, texts):
                place = f"{function.name}:{argument.name}"
                if node_of(text) == name and place not in self.seen:
                    self.seen.add(place)
                    yield _Rate(self.graph, argument.name, function, self.seen)

    def keeps(self, consumer: Node, name: str) -> bool | None:
        """Whether ``consumer`` makes a mask with ``name`` as the fraction kept or dropped."""
        inputs = consumer.data_inputs()
        others = [text for text in inputs if node_of(text) != name]
        if len(inputs) != 2 or len(others) != 1 or node_of(others[0]) not in self.drawn:
            return None
        if consumer.op in ("Add", "AddV2"):
            return True if any(c.op == "Floor" for c in self.body.consumers(consumer.name)) else None
        if consumer.op in _COMPARES and not self.explores(consumer):
            return _COMPARES[consumer.op] != (node_of(inputs[0]) == name)
        return None

    def explores(self, mask: Node) -> bool:
        """Whether ``mask`` chooses between what is computed and what is drawn, or between any other two values."""
        return chooses(self.body, mask) or (
            self.body is self.graph and _Predicate(self.graph, mask.name).value() is not None
        )

    def is_complement(self, consumer: Node, name: str) -> bool:
        """Whether ``consumer`` is 1 minus ``name``."""
        if consumer.op != "Sub" or len(consumer.data_inputs()) != 2 or node_of(consumer.inputs[1]) != name:
            return False
        one = self.body.get(node_of(consumer.inputs[0]))
        tensor = one.tensor() if one is not None and one.op == "Const" else None
        return tensor is not None and tensor.elements == 1 and float(tensor.numpy().reshape(-1)[0]) == 1


_drawn: WeakKeyDictionary[Body, Collection[str]] = WeakKeyDictionary()
"""Every input of a graph asks, and a graph does not change."""


def drawn_numbers(body: Body) -> Collection[str]:
    """The nodes that give random numbers: scaled and shifted, perhaps."""
    result = _drawn.get(body)
    if result is None:
        sources = [node.name for op, node in zip(body.ops, body.nodes) if op in RANDOM_OPS]
        result = _drawn[body] = body.reach(sources, lambda node: _find_scaled(body, node), _MAX_FOLLOWED - 1)
    return result


def _find_scaled(body: Body, node: Node) -> Iterator[Node]:
    for consumer in body.consumers(node.name):
        if consumer.op in _SCALES and node.name in map(node_of, consumer.data_inputs()):
            yield consumer


_SCALES = frozenset({"Mul", "Add", "AddV2", "Identity", "Sub", "Cast"})
"""Ops that give random numbers where they take some."""

_COMPARES = {"GreaterEqual": False, "Greater": False, "Less": True, "LessEqual": True}
"""Op -> whether what stands on its right side is kept: ``u < keep`` keeps, ``u >= rate`` drops."""


_Constant = int | str
"""What an input is compared with before it decides."""


class _Predicate:
    """An input that decides branches."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    def value(self) -> str | None:
        """The value that takes the branches that do not train, as people type it; ``None`` if no branch does, or all do."""
        votes: dict[_Constant | None, int] = {}
        for constant, is_equal in self.votes():
            votes[constant] = votes.get(constant, 0) + (1 if is_equal else -1)
        truth = votes.pop(None, 0)
        if truth:
            return _text(int(truth > 0), self.dtype)
        excluded = {constant for constant, vote in votes.items() if vote < 0}
        wanted = [constant for constant, vote in votes.items() if constant is not None and vote > 0]
        if not wanted and not excluded:
            return None
        possible = [*self.default(), *wanted, *(constant for constant in votes if constant is not None)]
        return _text(next((c for c in possible if c not in excluded), _other_than(excluded)), self.dtype)

    @property
    def dtype(self) -> DataType:
        node = self.graph[self.name]
        return placeholder_spec(node).dtype if node.op in PLACEHOLDER_OPS | VARIABLE_OPS else DataType.BOOL

    def default(self) -> Iterator[_Constant]:
        """The value that it has if nothing is fed."""
        node = self.graph[self.name]
        if node.op == DEFAULTED and self.dtype is not DataType.BOOL:
            yield from _scalar(self.graph, node.inputs[0])

    def votes(self) -> Iterator[tuple[_Constant | None, bool]]:
        """For each branch of which one side trains: what the input is compared with, and whether it should be equal to that.

        Without a constant, whether it should be true.
        """
        for node, constant, is_inverted in self.deciders():
            if node.op in CASES:
                names = [function.name for function in node.attrs["branches"].list.func]
                train = [self.is_training_branch(name) for name in names]
                if any(train) and not all(train):
                    yield from ((number, False) for number, trains in enumerate(train) if trains)
                continue
            false, true = (self.trains(node, side) for side in (False, True))
            if false != true:
                yield constant, false ^ is_inverted

    def deciders(self) -> Iterator[tuple[Node, _Constant | None, bool]]:
        """The nodes that the input decides, each with what it is compared with and whether that is turned round."""
        pending: list[tuple[str, _Constant | None, bool]] = [(self.name, None, False)]
        seen = set(pending)
        while pending and len(seen) < _MAX_FOLLOWED:
            name, constant, is_inverted = pending.pop()
            for consumer in self.graph.consumers(name):
                texts = [node_of(text) for text in consumer.data_inputs()]
                is_first = texts[:1] == [name] and (consumer.op in IFS or (consumer.op in CASES and constant is None))
                if is_first or (consumer.op in SWITCHES and texts[1:2] == [name]):
                    yield consumer, constant, is_inverted
                compared = self.compared(consumer, name) if constant is None else None
                passed = (
                    consumer.name,
                    constant if compared is None else compared,
                    is_inverted ^ (consumer.op == "LogicalNot" or (compared is not None and consumer.op == "NotEqual")),
                )
                if (consumer.op in _PASSES or consumer.op in _DECIDED_ON) and passed not in seen:
                    seen.add(passed)
                    pending.append(passed)

    def compared(self, consumer: Node, name: str) -> _Constant | None:
        """The constant that ``consumer`` compares ``name`` with, if it does."""
        others = [text for text in consumer.data_inputs() if node_of(text) != name]
        if consumer.op not in _EQUALITIES or len(others) != 1:
            return None
        return next(_scalar(self.graph, others[0]), None)

    def is_training_branch(self, branch: str) -> bool:
        """Whether a function that is a branch does what belongs to training."""
        return any(_trains(node) for body in self.bodies(branch) for node in body)

    def trains(self, decider: Node, side: bool) -> bool:
        """Whether what runs on one side of ``decider`` belongs to training."""
        if decider.op in IFS:
            branch = decider.attrs[_BRANCHES[side]].func.name
            return self.is_training_branch(branch) or self.takes_statistics(decider, branch)
        data = self.graph.get(node_of(decider.inputs[0]))
        inside = list(self.side(decider, side))
        return any(map(_trains, inside)) or (bool(inside) and _is_statistic(self.graph, data))

    def takes_statistics(self, decider: Node, branch: str) -> bool:
        """Whether a branch takes what was computed of the batch before it."""
        function = self.graph.functions.get(branch)
        if function is None:
            return False
        texts = [*function.proto.ret.values(), *(text for node in function for text in node.inputs)]
        taken = set(map(node_of, texts))
        arguments = zip(function.signature.input_arg, decider.data_inputs()[1:])
        sources = (self.graph.get(node_of(text)) for argument, text in arguments if argument.name in taken)
        return any(_is_statistic(self.graph, source) for source in sources)

    def bodies(self, name: str) -> Iterator[Function]:
        """A function, and those that it calls."""
        pending: list[str] = [name]
        seen: set[str] = set()
        while pending and len(seen) < _MAX_FOLLOWED:
            function = self.graph.functions.get(pending.pop())
            if function is not None and function.name not in seen:
                seen.add(function.name)
                yield function
                pending += [v.func.name for node in function for v in node.attrs.values() if v.HasField("func")]

    def side(self, switch: Node, side: bool) -> Iterator[Node]:
        """The nodes that run only if the predicate is ``side``, up to a merge."""
        pending, seen = [(switch.name, int(side))], {switch.name}
        while pending and len(seen) < _MAX_FOLLOWED:
            name, index = pending.pop()
            for consumer in self.graph.consumers(name):
                if consumer.name not in seen and _takes(consumer, name, index):
                    seen.add(consumer.name)
                    yield consumer
                    if consumer.op not in MERGES:
                        pending.append((consumer.name, -1))


def _scalar(graph: Graph, text: str) -> Iterator[_Constant]:
    """The value of a constant of one integer or string."""
    node = graph.get(node_of(text))
    tensor = node.tensor() if node is not None and node.op == "Const" else None
    if tensor is None or tensor.elements != 1 or tensor.dtype not in _COMPARABLE:
        return
    value = tensor.numpy().reshape(-1)[0]
    yield value.decode("utf-8", "replace") if isinstance(value, bytes) else int(value)


def _other_than(excluded: Collection[_Constant | None]) -> _Constant:
    """A value that is none of ``excluded``, of the same kind."""
    if any(isinstance(constant, str) for constant in excluded):
        return next(word for word in ("predict", "inference", "other") if word not in excluded)
    return next(number for number in range(len(excluded) + 1) if number not in excluded)


def _text(value: _Constant, dtype: DataType) -> str:
    return str(bool(value)).lower() if dtype is DataType.BOOL else str(value)


_COMPARABLE = frozenset({DataType.INT32, DataType.INT64, DataType.BOOL, DataType.STRING})
_EQUALITIES = frozenset({"Equal", "NotEqual"})
_BRANCHES = ("else_branch", "then_branch")

_DECIDED_ON = frozenset({"LogicalNot", "LogicalAnd", "LogicalOr", "Equal", "NotEqual", "Switch", "RefSwitch"})
"""Ops that make a predicate of one, or pass it on into a branch."""


def _takes(consumer: Node, name: str, index: int) -> bool:
    """Whether ``consumer`` takes output ``index`` of ``name``, any output if that is negative, or waits for it."""
    tensors = (TensorName.parse(text) for text in consumer.inputs)
    return any(t.node == name and (index < 0 or (t.index == index and not t.is_control)) for t in tensors)


def _trains(node: Node) -> bool:
    """Whether ``node`` belongs to training: random numbers, statistics of a batch, updates of variables."""
    if node.op in RANDOM_OPS or _UPDATES.fullmatch(node.op):
        return True
    if node.op.startswith("FusedBatchNorm") and "Grad" not in node.op:
        training = node.attr("is_training")
        return training is None or training.b
    return node.op == "SquaredDifference"


def _is_statistic(graph: Graph, node: Node | None) -> bool:
    """Whether it is the mean or the variance of a batch, computed before the branch that takes it."""
    for _ in range(_MAX_FOLLOWED):
        if node is None or node.op in _STATISTICS:
            return node is not None
        if node.op not in _PASSES or not node.data_inputs():
            return False
        node = graph.get(node_of(node.inputs[0]))
    return False
