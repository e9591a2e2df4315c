"""Arithmetic on sizes: what is said of unknown ones is true of every size, and whatever is the same for all is said."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from graphscope.analysis.shapes.arithmetic import (
    add,
    broadcast,
    broadcast_sizes,
    count,
    divide,
    multiply,
    product,
    subtract,
)
from graphscope.analysis.shapes.facts import Fact, join_facts
from graphscope.analysis.shapes.sizes import Dim, Dims, ShapeError, Size

GREATEST = 2**63 - 1
PYTHON: dict[Callable[[Size, Size], Size], Callable[[int, int], int]] = {
    add: lambda a, b: a + b,
    subtract: lambda a, b: a - b,
    multiply: lambda a, b: a * b,
    divide: lambda a, b: a // b,
}


@pytest.mark.parametrize("function", PYTHON, ids=lambda function: function.__name__)
def test_numbers(function: Callable[[Size, Size], Size]) -> None:
    for a, b in itertools.product((0, 1, 2, 3, 12, GREATEST), (1, 2, 3, 12)):
        expected = PYTHON[function](a, b)
        if not 0 <= expected <= GREATEST or (function is divide and a % b):
            with pytest.raises(ShapeError):
                function(a, b)
        else:
            assert function(a, b) == expected
    assert divide(7, 2, evenly=False) == 3
    for divisor in (0, -1):
        with pytest.raises(ShapeError):
            divide(7, divisor)
    assert add(GREATEST, 0) == multiply(GREATEST, 1) == GREATEST


@pytest.mark.parametrize("function", PYTHON, ids=lambda function: function.__name__)
def test_unknown_sizes(function: Callable[[Size, Size], Size]) -> None:
    sizes = range(2, 9)
    dim = Dim()
    for number in (0, 1, 2):
        if not (function is divide and number == 0):
            assert_true_of_all(function(dim, number), dim, [PYTHON[function](size, number) for size in sizes])
        if function in (add, multiply):
            assert_true_of_all(function(number, dim), dim, [PYTHON[function](number, size) for size in sizes])
    assert function(dim, Dim()) not in (dim, 0, 1)


def assert_true_of_all(found: Size, dim: Dim, results: list[int]) -> None:
    if results == list(range(2, 9)):
        assert found is dim
    elif len(set(results)) == 1:
        assert found == results[0]
    else:
        assert isinstance(found, Dim)
        assert found is not dim


def test_products() -> None:
    dim = Dim()
    assert product([]) == 1
    assert product([2, 3, 4]) == 24
    assert product([1, dim, 1]) is dim
    assert product([dim, 0, 3]) == 0
    assert isinstance(product([dim, 2]), Dim)
    with pytest.raises(ShapeError):
        product([2**40, 2**40])
    assert (count((2, 3)), count(()), count((2, dim)), count(None)) == (6, 1, None, None)


def test_two_sizes_that_are_broadcast() -> None:
    dim, other = Dim(), Dim()
    assert broadcast_sizes(dim, 1) is broadcast_sizes(1, dim) is broadcast_sizes(dim, dim) is dim
    assert broadcast_sizes(dim, 3) == broadcast_sizes(3, dim) == broadcast_sizes(3, 3) == 3
    assert broadcast_sizes(dim, other) not in (dim, other)
    for unknown in (broadcast_sizes(dim, 0), broadcast_sizes(0, dim)):
        assert isinstance(unknown, Dim)  # 0 where the other is 0 or 1
    with pytest.raises(ShapeError):
        broadcast_sizes(2, 3)


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        ((2, 3), (), (2, 3)),
        ((), (2, 3), (2, 3)),
        ((3,), (2, 1), (2, 3)),
        ((4, 1, 3), (2, 1), (4, 2, 3)),
        ((0, 3), (1, 3), (0, 3)),
        (None, (2,), None),
        ((2,), None, None),
    ],
)
def test_two_shapes_that_are_broadcast(one: Dims, other: Dims, result: Dims) -> None:
    assert broadcast(one, other) == result
    assert broadcast(other, one) == result


def test_shapes_that_cannot_be_broadcast() -> None:
    for one, other in (((2,), (3,)), ((2, 3), (2, 1, 2))):
        with pytest.raises(ShapeError, match="cannot be broadcast"):
            broadcast(one, other)


def test_what_is_true_of_either_of_two_facts() -> None:
    dim = Dim()
    one = Fact((3,), (1, dim, 2.0), ((2, 3),))
    assert join_facts(one, one) is one
    same = join_facts(one, Fact((3,), (1, dim, 2.0), ((2, 3),)))
    assert (same.shape, same.value, same.handle) == (one.shape, one.value, one.handle)
    changed = join_facts(one, Fact((3,), (1, 5, 2), ((2, 4),)))
    assert (changed.shape, changed.value) == ((3,), (1, None, None))
    assert changed.handle is not None
    [sizes] = changed.handle
    assert sizes is not None
    assert sizes[0] == 2
    assert isinstance(sizes[1], Dim)
    other = join_facts(one, Fact((3,), (2, 5, True), ()))
    assert (other.shape, other.value, other.handle) == ((3,), None, None)
    longer = join_facts(one, Fact((2,), (1, dim), ((2, 3), (2, 3))))
    assert (len(longer.shape or ()), longer.value, longer.handle) == (1, None, None)
    assert join_facts(one, Fact(None, (1, dim, 2.0))).value is None
