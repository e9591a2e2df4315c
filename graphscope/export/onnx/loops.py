"""``Loop``: state carried between iterations, and arrays to which each iteration writes one element."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import NodeProto, helper

from graphscope.core.values.dtypes import DataType
from graphscope.export.onnx.branches import close_branch, common
from graphscope.export.onnx.builder import Builder, vector
from graphscope.export.onnx.value import Dims, Value
from graphscope.export.refusal import NotExpressibleError

MAX_ROUNDS = 8
"""The maximum number of times that the shapes of a loop's state are relaxed."""


@dataclass(frozen=True, slots=True, eq=False)
class Array(Value):
    """A ``TensorArray`` or a list of tensors: not an ONNX tensor.

    Attributes:
        elements: all elements as one tensor, the first axis counts them; ``None`` while there are none.
        length: how many elements it was made for; ``None`` if it grows from none.
        grows: whether elements beyond ``length`` may be written.
        written: what was written since the iteration began: place and element; the place is ``None`` at the end.
    """

    elements: Value | None = None
    length: Value | None = None
    grows: bool = False
    written: tuple[Value | None, Value] | None = None


class LoopBody(abc.ABC):
    """The interface of a loop; implemented for frames of ``Enter`` and ``Exit`` and for functions."""

    @abc.abstractmethod
    def condition(self, builder: Builder, state: Sequence[Value]) -> Value:
        """Whether there is another iteration."""

    @abc.abstractmethod
    def step(self, builder: Builder, state: Sequence[Value]) -> list[Value]:
        """The state after one iteration."""

    @abc.abstractmethod
    def is_kept(self, index: int) -> bool:
        """Whether no iteration changes state ``index``."""


def add_loop(builder: Builder, body: LoopBody, initial: Sequence[Value]) -> list[Value]:
    """Adds a ``Loop`` and returns the state after it.

    Raises:
        NotExpressibleError: an array is not written one element after another; types change from iteration to iteration.
        BrokenInputError: something in the loop cannot be expressed.
    """
    first = body.condition(builder, initial)
    shapes: list[Dims] = [value.dims for value in initial]
    for _ in range(MAX_ROUNDS):
        attempt = _Attempt(builder, body, initial, shapes)
        if attempt.widened == shapes:
            return attempt.finish(first)
        shapes = attempt.widened
    raise NotExpressibleError("the shapes of its state change with every iteration")


class _Attempt:
    """A loop whose state is assumed to have ``shapes``."""

    def __init__(self, builder: Builder, body: LoopBody, initial: Sequence[Value], shapes: Sequence[Dims]) -> None:
        self.outer = builder
        self.body = body
        self.initial = initial
        self.inner = builder.subgraph()
        self.counter = self.inner.input(f"{builder.scope}/iteration", DataType.INT64, ())
        self.running = self.inner.input(f"{builder.scope}/running", DataType.BOOL, ())
        self.state = [self.at_begin(i, value, dims) for i, (value, dims) in enumerate(zip(initial, shapes))]
        self.after = body.step(self.inner, self.state)
        self.again = body.condition(self.inner, self.after)
        self.widened = [self.dims_after(i, dims) for i, dims in enumerate(shapes)]

    def at_begin(self, index: int, value: Value, dims: Dims) -> Value:
        """State ``index`` within an iteration."""
        if self.body.is_kept(index):
            return value
        if isinstance(value, Array):
            return replace(value, name=self.outer.shared.fresh(value.name), elements=None, written=None)
        return self.inner.input(f"{self.outer.scope}/state", value.dtype, dims)

    def dims_after(self, index: int, dims: Dims) -> Dims:
        """The shape that fits state ``index`` at the beginning and at the end of an iteration."""
        return dims if not self.is_carried(index) else common(dims, self.after[index].dims)

    def is_carried(self, index: int) -> bool:
        return not self.body.is_kept(index) and not isinstance(self.initial[index], Array)

    def finish(self, first: Value) -> list[Value]:
        """Adds the loop; returns the state after it."""
        carried = [i for i in range(len(self.state)) if self.is_carried(i)]
        arrays = [i for i, value in enumerate(self.initial) if isinstance(value, Array) and not self.body.is_kept(i)]
        for i in carried:
            if self.after[i].dtype is not self.state[i].dtype:
                raise NotExpressibleError("the type of its state changes")
        given = [self.counter, self.running, *(self.state[i] for i in carried)]
        scanned = [self.element(i) for i in arrays]
        graph = close_branch(self.inner, [self.again, *(self.after[i] for i in carried), *scanned], given)
        results = [self.result(self.state[i].dtype, self.widened[i]) for i in carried]
        stacks = [self.result(v.dtype, None if v.dims is None else (None, *v.dims)) for v in scanned]
        inputs = ["", self.outer.shared.use(first), *(self.outer.shared.use(self.initial[i]) for i in carried)]
        names = [value.name for value in (*results, *stacks)]
        self.outer.add(
            helper.make_node("Loop", inputs, names, names[0], None, None, None, body=graph), [*results, *stacks]
        )
        final = dict(zip([*carried, *arrays], [*results, *map(self.filled, arrays, stacks)]))
        return [final.get(i, value) for i, value in enumerate(self.initial)]

    def result(self, dtype: DataType, dims: Dims) -> Value:
        return Value(self.outer.shared.fresh(f"{self.outer.scope}/Loop"), dtype, dims)

    def filled(self, index: int, elements: Value) -> Array:
        """Array ``index`` with what all iterations wrote; of those that wrote to its first place, the last one's."""
        array = self.initial[index]
        assert isinstance(array, Array)
        if self.is_first_place(self.written(index)[0]):
            elements = self.outer.op("Slice", elements, vector([-1]), vector([np.iinfo(np.int64).max]), vector([0]))
        return replace(array, elements=elements)

    def is_first_place(self, place: Value | None) -> bool:
        number = None if place is None else place.numpy()
        return number is not None and not number.any()

    def element(self, index: int) -> Value:
        """The element that each iteration writes to array ``index``.

        Raises:
            NotExpressibleError: it does not write one, or elsewhere than at the place that counts iterations, or the first.
        """
        place, element = self.written(index)
        if place is not None and not self.is_first_place(place) and not self.counts(place):
            raise NotExpressibleError("it does not write the elements of an array in order")
        return element

    def written(self, index: int) -> tuple[Value | None, Value]:
        before, after = self.initial[index], self.after[index]
        assert isinstance(before, Array)
        if before.elements is not None or not isinstance(after, Array) or after.written is None:
            raise NotExpressibleError("it does not write one element of an empty array in each iteration")
        if after.name != self.state[index].name:
            raise NotExpressibleError("its arrays change places")
        return after.written

    def counts(self, place: Value) -> bool:
        """Whether ``place`` is state that begins with 0 and grows by 1: the number of the iteration."""
        for i, value in enumerate(self.state):
            if value.name == place.name:
                start = self.initial[i].numpy()
                return start is not None and not start.any() and self.grows_by_one(value, self.after[i])
        return False

    def grows_by_one(self, value: Value, after: Value) -> bool:
        maker = next((node for node in self.inner.nodes if after.name in node.output), None)
        if maker is None or maker.op_type != "Add" or value.name not in maker.input:
            return False
        return any(self.is_one(name) for name in _others(maker, value.name))

    def is_one(self, name: str) -> bool:
        constant = self.outer.shared.constants.get(name)
        return constant is not None and constant.shape == () and constant.listed() == [1]


def _others(node: NodeProto, name: str) -> list[str]:
    """The inputs of ``node`` except for the one named ``name``."""
    names = list(node.input)
    names.remove(name)
    return names
