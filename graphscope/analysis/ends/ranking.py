"""What the rules of :mod:`graphscope.analysis.ends.rules` ask of the tensors of a graph: the candidates for outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain, compress, count

from graphscope.analysis.ends.flow import BATCHED, COMPARED, FLAGS, SCATTERS, VARIES, WRITES, Flow, union
from graphscope.analysis.ends.input_gradients import are_gradients
from graphscope.analysis.ends.losses import is_left_over
from graphscope.analysis.ends.names import BEST_NAME, name_points
from graphscope.analysis.ends.networks import last_layers, passed_results
from graphscope.analysis.ends.propagation import LOSS_OPS
from graphscope.analysis.ends.trained_apart import APPLIES, TrainedApart
from graphscope.analysis.ends.unlabelled import (
    FORMS,
    PRODUCTS,
    RESHAPES,
    SUMS,
    Joined,
    before_drawn,
    find_drawn,
    find_reconstructed,
    find_transformed,
    followers,
)
from graphscope.core.graph import Function, called_functions
from graphscope.core.ops.sets import EXITS, SUPPRESSION, SWITCHES

_ACTIVATIONS = frozenset({"Softmax", "Sigmoid", "LogSoftmax"})
POSTPROCESSING = frozenset(
    "ArgMax ArgMin TopK TopKV2 InTopK InTopKV2 Greater GreaterEqual Less LessEqual Equal NotEqual Round Cast ToInt32"
    " StringFormat AsString LogicalAnd LogicalNot Print Where OneHot Floor Rint".split()
)
_OBSERVERS = frozenset("Shape ShapeN Size Rank ZerosLike OnesLike StopGradient CheckNumerics".split())
_NEVER = frozenset(
    "Const Placeholder PlaceholderV2 PlaceholderWithDefault Shape ShapeN Size Rank Range Switch RefSwitch Enter RefEnter Exit"
    " NextIteration LoopCond CheckNumerics CheckNumericsV2 Assign AssignAdd AssignSub TensorArrayV3 TensorArraySizeV3"
    " TensorArrayReadV3 TensorArrayWriteV3 TensorArrayScatterV3 StridedSlice Fill ZerosLike OnesLike Assert NoOp"
    " VarIsInitializedOp IsVariableInitialized Print DebugIdentity DebugIdentityV2 DebugIdentityV3".split()
)
PASSED = frozenset(
    "Identity Reshape Squeeze ExpandDims Transpose StopGradient Dequantize Cast Slice StridedSlice CheckNumerics Print".split()
)
_RESHAPED = PASSED | SWITCHES
_JOINS = frozenset("Concat ConcatV2 Pack".split())
_SCALES = frozenset("Div Mul RealDiv".split())
_CHECKS = frozenset("CheckNumerics CheckNumericsV2 Print DebugIdentity DebugIdentityV2 DebugIdentityV3".split())
_MAX_FORMS = 8
REDUCTIONS = frozenset("Mean Sum L2Loss AddN Prod Max Min SquaredDifference Square Neg Log".split())


class Ranking:
    """The facts about one graph that the rules use."""

    def __init__(self, flow: Flow, functions: Mapping[str, Function]) -> None:
        self.flow = flow
        self.functions = functions
        self.forward = flow.forward()
        self.deepest = max(compress(flow.depth, self.forward), default=0)

    @cached_property
    def feeders(self) -> frozenset[int]:
        """Forward nodes that something compares with labels."""
        return frozenset(p for i in self.meetings for p in self.flow.inputs[i] if self.forward[p])

    @cached_property
    def meetings(self) -> list[int]:
        """What compares forward nodes with labels, and what follows."""
        return self.flow.meeting_labels()

    @cached_property
    def compared(self) -> frozenset[int]:
        """Of :attr:`feeders` those that meet labels, or without these what was fed; others meet what was compared already."""
        flow = self.flow
        raw = {i: union(flow.sources[p] for p in flow.inputs[i] if not flow.depth[p]) for i in self.meetings}
        labelled = [i for i in raw if self.op(i) in LOSS_OPS or raw[i] & flow.labels & ~COMPARED]
        meets = labelled or [i for i in raw if any(not flow.depth[p] for p in flow.inputs[i])]
        return frozenset(p for i in meets for p in flow.inputs[i] if self.forward[p])

    @cached_property
    def shared(self) -> frozenset[int]:
        """What the loss takes in several forms, each made of it by arithmetic alone: ``d ** 2`` and ``max(0, 1 - d)``.

        A product of examples with one another is such a form as well: their similarities, of which a loss is made; and so is a
        risk beside the sum of those of all who are left.
        """
        ways = {i: list(self.before_arithmetic(i)) for i in self.feeders}
        counts = Counter(p for way in ways.values() for p in set(way))
        multiplied = {self.flow.inputs[i][0] for way in ways.values() for i in way if self.op(i) in PRODUCTS}
        risks = {p for i, way in ways.items() for k in (i, *way) if (p := self._joined.before_sum(k)) is not None}
        told = multiplied | risks
        found = (next((p for p in way if counts[p] > 1 or p in told), None) for way in ways.values())
        return frozenset(p for p in found if p is not None) - self.feeders

    @cached_property
    def drawn(self) -> frozenset[int]:
        """What a loss makes of classes that it draws."""
        return find_drawn(self.flow)

    @cached_property
    def before_drawn(self) -> frozenset[int]:
        """What is multiplied with the weights of classes that were drawn: the model's end, unless all classes are computed."""
        return frozenset(p for p in before_drawn(self.flow, self.drawn) if self.forward[p] and self.flow.depth[p])

    @cached_property
    def reconstructed(self) -> frozenset[int]:
        """What a model that only writes to its variables compares with what it is fed."""
        return find_reconstructed(self.flow)

    @cached_property
    def transformed(self) -> frozenset[int]:
        """What a loss without labels judges as a whole."""
        if self.feeders or self.handed_on or not self.is_updated:
            return frozenset()
        losses = (i for i, f in enumerate(self.forward) if f and self.is_leaf(i) and self.is_loss(i))
        return find_transformed(self.flow, self.forward, losses)

    @cached_property
    def _joined(self) -> Joined:
        return Joined(self.flow)

    @cached_property
    def forms(self) -> frozenset[int]:
        """What is made of :attr:`shared`, or of something else that the loss compares, for the loss."""
        taken = self.shared | self.compared
        return frozenset(i for i in self.feeders if not taken.isdisjoint(self.before_arithmetic(i)))

    def before_arithmetic(self, i: int) -> Iterator[int]:
        """What node ``i`` was made of by arithmetic with constants, step by step."""
        for _ in range(_MAX_FORMS):
            fed = {p for p in self.flow.inputs[i] if self.flow.sources[p]}
            if self.op(i) not in FORMS | PRODUCTS or self.flow.has_weight(i):
                return
            before = next(iter(fed)) if len(fed) == 1 else self._joined.before(i)
            if before is None or not self.forward[before]:
                return
            i = before
            yield i

    @cached_property
    def stopped(self) -> frozenset[int]:
        """What reaches the loss through ``StopGradient`` alone: a target, though a network computes it."""
        waiting = self.flow.within({"StopGradient"})
        found = set(waiting)
        while waiting:
            for p in self.flow.inputs[waiting.pop()]:
                users = [c for c in self.flow.consumers[p] if not self.flow.outside[c]]
                if p not in found and all(c in found for c in users):
                    found.add(p)
                    waiting.append(p)
        return frozenset(i for i in found if self.forward[i])

    @cached_property
    def candidates(self) -> list[int]:
        """Ends of the forward computation, what feeds the loss, and what those were made of."""
        found = set(compress(count(), self.forward)) - self.continued
        found |= (
            self.feeders
            | self.logits
            | self.handed_on
            | self.last_layers
            | self.shared
            | self.before_drawn
            | self.transformed
        )
        for i in list(found):
            if (self.op(i) in POSTPROCESSING or self.op(i) in REDUCTIONS) and not self.is_loss(i):
                found.update(self.behind(i))
        found.update(self.checked)
        usable = {
            i for i in found if (self.op(i) not in _NEVER or self.leaves_loop(i)) and not is_left_over(self.flow, i)
        }
        if not self.feeders and not any(self.is_leaf(i) or i in self.checked for i in usable):
            usable.update(self.leaves())
        usable |= self.named_scores
        return sorted(usable - self.flow.framed or usable)  # what a turn of a loop computes cannot be fetched

    def leaves_loop(self, i: int) -> bool:
        """Whether it is the gradient of what a loop was given, which nothing consumes."""
        return self.op(i) in EXITS and i in self.flow.gradients and self.is_leaf(i)

    @cached_property
    def named_scores(self) -> frozenset[int]:
        """What is named like a prediction, of a single network whose loss has no labels that would tell."""
        if self.feeders or self.handed_on or not self.is_updated:
            return frozenset()
        return frozenset(i for i, f in enumerate(self.forward) if f and self._is_named_score(i))

    def _is_named_score(self, i: int) -> bool:
        is_named = name_points(self.name(i)) >= BEST_NAME and self.op(i) not in _NEVER
        return is_named and bool(self.flow.sources[i] & BATCHED)

    @cached_property
    def checked(self) -> frozenset[int]:
        """What nothing but checks of its numbers consumes."""
        checks = (i for i in self.flow.having(_CHECKS) if self.forward[i] and self.is_leaf(i))
        return frozenset(p for i in checks for p in self.flow.inputs[i][:1])

    @cached_property
    def handed_on(self) -> frozenset[int]:
        """Outputs of one network that another network evaluates."""
        found = passed_results(self.flow)
        return frozenset(i for i in found | self._trained_apart.handed_on() if self.forward[i])

    @cached_property
    def copied(self) -> frozenset[int]:
        """Candidates of networks that are copies of those that are trained."""
        return frozenset(self._trained_apart.copied(self.candidates))

    @cached_property
    def _trained_apart(self) -> TrainedApart:
        return TrainedApart(self.flow)

    @cached_property
    def last_layers(self) -> frozenset[int]:
        """Where the networks of a training graph end, what is left of them being the loss."""
        if not self.is_updated:
            return frozenset()
        inner = self.leading_to(self.compared)
        return frozenset(
            i for i in last_layers(self.flow) if self.forward[i] and not self.flow.lives[i] and i not in inner
        )

    def leading_to(self, ends: Iterable[int]) -> set[int]:
        """What ``ends`` are made of together with other layers or other sources: parts of what a loss compares."""
        flow = self.flow
        number = {layer: k for k, layer in enumerate(flow.layers)}
        made = [0] * len(flow.nodes)
        for i in flow.order:
            made[i] = union(made[p] for p in flow.inputs[i]) | (1 << number[i] if i in number else 0)
        found: set[int] = set()
        waiting = [(end, end) for end in ends]
        seen = set(waiting)
        while waiting:
            i, end = waiting.pop()
            for p in filter(self.forward.__getitem__, flow.inputs[i]):
                whole = p if self.op(i) in _JOINS else end  # the parts of a concatenation are results by themselves
                if made[p] != made[whole] or (flow.sources[p] ^ flow.sources[whole]) & ~FLAGS:
                    found.add(p)
                if (p, whole) not in seen:
                    seen.add((p, whole))
                    waiting.append((p, whole))
        return found

    @cached_property
    def is_updated(self) -> bool:
        """Whether an optimizer changes variables."""
        ops = self.flow.by_op
        if any(map(APPLIES.fullmatch, ops)):
            return True
        # Adam changes the rows of an embedding by ops that others use as well.
        return any(map(SCATTERS.fullmatch, ops)) and any(are_gradients(node.name for node in self.flow.nodes))

    def is_loss(self, i: int) -> bool:
        """Whether nothing is left of the examples, in a training graph: a loss that needs no labels."""
        return self.is_updated and not self.flow.sources[i] & (BATCHED | VARIES) and i not in self.feeders

    @cached_property
    def late(self) -> int:
        """Sources that no layer consumes: they enter after the last weights."""
        flow = self.flow
        taken = 0
        for i in flow.layers:
            taken |= flow.sources[i]
        return flow.features & ~taken if flow.is_trained else 0

    def is_own_reshape(self, i: int) -> bool:
        """Whether the loss reshapes what it takes: in its own name scope, as it does with the labels, or over a reshape."""
        if self.flow.ops[i] not in RESHAPES or i not in self.feeders or name_points(self.name(i)) > 8:
            return False
        if any(self.forward[c] for c in self.flow.consumers[i]):
            return False
        scope = self.name(i).rpartition("/")[0]
        takers = [c for c in self.flow.consumers[i] if not self.flow.outside[c] and self.op(c) not in _OBSERVERS]
        producers = [self.op(p) for p in self.flow.inputs[i][:1]]
        beside = [self.op(p) for c in takers for p in self.flow.inputs[c] if p != i]
        in_scope = bool(scope) and all(self.name(c).startswith(scope + "/") for c in takers)
        return in_scope or producers[0] in RESHAPES or self.op(i) in beside

    def behind(self, i: int) -> Iterator[int]:
        """What post-processing and reductions were applied to, step by step."""
        for _ in range(4):
            producers = [p for p in self.flow.inputs[i] if self.forward[p]]
            yield from producers
            if len(producers) != 1:
                return
            i = producers[0]

    def leaves(self) -> list[int]:
        """What nothing consumes, computed rather than constant if possible, within the model rather than outside.

        Of a model that does nothing but write to its variables, as k-means does, what is computed to be written.
        """
        flow = self.flow
        ends = [i for i, consumers in enumerate(flow.consumers) if not consumers]
        computed = [i for i in ends if flow.inputs[i]] or ends
        inside = [i for i in computed if not flow.outside[i] and not self.reads_written(i)]
        writes = [i for i in computed if self.op(i) in WRITES]
        writes += [p for i in computed if self.reads_written(i) for p in flow.inputs[i]]
        written = [p for i in writes for p in flow.inputs[i][1:]]
        return inside or [*self.reconstructed, *(p for p in written if flow.sources[p] & ~FLAGS)] or computed

    def reads_written(self, i: int) -> bool:
        """Whether it only shows what has been written."""
        written = [p for p in self.flow.inputs[i] if self.op(p) in WRITES]
        return self.op(i) == "ReadVariableOp" and bool(written)

    def op(self, i: int) -> str:
        """The op of node ``i``."""
        return self.flow.ops[i]

    def name(self, i: int) -> str:
        """The name of node ``i``."""
        return self.flow.nodes[i].name

    def is_end(self, i: int) -> bool:
        """Whether the forward computation stops here: what looks at it only observes or post-processes."""
        return i not in self.continued

    @cached_property
    def continued(self) -> frozenset[int]:
        """What a part of the forward computation takes that neither observes nor post-processes."""
        ops, inputs = self.flow.ops, self.flow.inputs
        own = set(filter(self.is_own_reshape, self.flow.having(RESHAPES)))
        takers = (c for c, f in enumerate(self.forward) if f and ops[c] not in _OBSERVERS and c not in own)
        return frozenset(chain.from_iterable(map(inputs.__getitem__, takers)))

    def is_detection(self, i: int) -> bool:
        """Whether nothing consumes what is left of boxes after overlapping ones were suppressed."""
        return self.is_leaf(i) and self.forward[i] and i in self.suppressed

    @cached_property
    def suppressed(self) -> frozenset[int]:
        """What follows the suppression of overlapping boxes."""
        found = set(self.flow.having(set(filter(SUPPRESSION.fullmatch, self.flow.by_op))))
        callees = self.suppressing
        if callees:
            found.update(i for i, n in enumerate(self.flow.nodes) if not callees.isdisjoint(called_functions([n])))
        return followers(self.flow, found)

    @cached_property
    def suppressing(self) -> frozenset[str]:
        """Library functions that suppress boxes, or call one that does: the body of a loop over the pictures of a batch."""
        found = {name for name, f in self.functions.items() if any(map(SUPPRESSION.fullmatch, set(f.ops)))}
        waiting = set(self.functions) - found if found else set()
        calls = {name: set(called_functions(self.functions[name])) for name in waiting}
        while callers := {name for name in waiting if not calls[name].isdisjoint(found)}:
            found |= callers
            waiting -= callers
        return frozenset(found)

    def is_leaf(self, i: int) -> bool:
        """Whether nothing consumes node ``i``."""
        return not self.flow.consumers[i]

    @cached_property
    def probabilities(self) -> frozenset[int]:
        """Softmax and Sigmoid, reshaped, named or joined to one tensor afterwards."""
        return self._closure(i for i in self.flow.having(_ACTIVATIONS) if self.forward[i])

    @cached_property
    def logits(self) -> frozenset[int]:
        """The inputs of the loss, before they were reshaped for it."""
        found = set(self.feeders)
        for i in reversed(self.flow.order):
            if i in found and self.op(i) in _RESHAPED:
                found.update(p for p in self.flow.inputs[i][:1] if self.forward[p])
        return frozenset(found)

    @cached_property
    def scope(self) -> str:
        """The outermost name scope of the model: that of the last weights; empty if they are in none."""
        last = [i for i, f in enumerate(self.forward) if f and self.flow.depth[i] == self.deepest]
        scopes = Counter(
            self.name(i).partition("/")[0] for i in last if "/" in self.name(i) and self.flow.has_weight(i)
        )
        return max(scopes, key=scopes.__getitem__) + "/" if scopes else ""

    def leaves_scope(self, i: int) -> bool:
        """Whether, in a training graph, it is in the model's name scope and used outside it only."""
        if not self.feeders or not self.scope or not self.name(i).startswith(self.scope):
            return False
        users = [self.name(c) for c in self.flow.consumers[i] if self.forward[c]]
        return bool(users) and not any(name.startswith(self.scope) for name in users)

    def joins(self, i: int) -> bool:
        """Whether it puts several probabilities or logits into one tensor."""
        parts = [p for p in self.flow.inputs[i] if p in self.probabilities or p in self.logits]
        return self.op(i) in _JOINS and len(set(parts)) > 1

    @cached_property
    def activated(self) -> frozenset[int]:
        """The Softmax or Sigmoid of what the loss takes as logits."""
        named = self._closure(self.logits)
        start = (i for i in self.probabilities if self.op(i) in _ACTIVATIONS and set(self.flow.inputs[i]) & named)
        return self._closure(start)

    @cached_property
    def averaged(self) -> frozenset[int]:
        """Averages of several probabilities of :attr:`activated`: an ensemble."""
        sums = self._closure(self.summands)
        scaled = {i for i in self.flow.having(_SCALES) if not sums.isdisjoint(self.flow.inputs[i])}
        found = sums | {i for i in scaled if self.forward[i]}
        return frozenset(i for i in found if found.isdisjoint(self.flow.consumers[i]))

    @cached_property
    def summed_up(self) -> frozenset[int]:
        """What :attr:`averaged` was made of."""
        return frozenset(part for parts in self.summands.values() for part in parts)

    @cached_property
    def summands(self) -> dict[int, set[int]]:
        """Sums of several of :attr:`activated` -> these, and what packs them."""
        found: dict[int, set[int]] = {}
        if not self.activated:
            return found
        for i in self.flow.having(SUMS):
            if self.forward[i]:
                packs = {p for p in self.flow.inputs[i] if self.op(p) == "Pack"}
                parts = set(self.activated.intersection(self.flow.inputs[i]) - packs)
                parts |= {part for p in packs for part in self.flow.inputs[p] if part in self.activated}
                if len(parts) > 1:
                    found[i] = parts | packs
        return found

    def _closure(self, start: Iterable[int]) -> frozenset[int]:
        """``start``, and what only passes it on."""
        found = set(start)
        for i in self._passing:
            if i not in found:
                producers = self.flow.inputs[i] if self.op(i) in _JOINS else self.flow.inputs[i][:1]
                if not found.isdisjoint(producers):
                    found.add(i)
        return frozenset(found)

    @cached_property
    def _passing(self) -> list[int]:
        """Forward nodes that pass on what they are given, producers first."""
        ops = self.flow.ops
        return [i for i in self.flow.order if self.forward[i] and (ops[i] in PASSED or ops[i] in _JOINS)]
