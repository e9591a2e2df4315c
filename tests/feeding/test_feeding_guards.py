"""What each guard of feeding is there for: rows that are stacked, what to type, which inputs are pairs."""

from __future__ import annotations

import re

import numpy as np
import pytest

from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.feeding.missing_feeds import refuse_unfed
from graphscope.feeding.one_at_a_time import stack_rows
from graphscope.feeding.pairing import pair
from tests.support.written import graph_of, model_of


def written(*lines: str) -> Model:
    return model_of(graph_of(lines))


# Rows


def test_results_of_several_files_are_stacked() -> None:
    one, two = np.ones((1, 2)), np.zeros((1, 2))
    np.testing.assert_array_equal(stack_rows("y:0", [one, two], ["a", "b"]), [[1, 1], [0, 0]])
    with pytest.raises(GraphscopeError, match=r"y:0 is \(1, 2\) for a and \(1, 3\) for c: results of different shapes"):
        stack_rows("y:0", [one, two, np.ones((1, 3))], ["a", "b", "c"])


# What to type


@pytest.mark.parametrize(
    ("shape", "is_picture"),
    [
        ("?,224,224,3", True),
        ("?,3,224,224", True),
        ("?,224,224,5", False),
        ("?,?,?,1", True),
        ("32,32,3", True),
        ("8,8,3", True),
        ("7,32,3", False),
        ("32,7,3", False),
        ("3,32,32", True),
        ("3,7,32", False),
        ("3,32,7", False),
        ("10,28,28", True),
        ("10,28,27", False),
        ("10,7,7", False),
        ("10,27,27", False),
        ("10,8,8", False),
        ("3,8,8", True),
        ("?,27,27", False),
        ("?,28,28", True),
        ("?,28,27", False),
        ("28,28", True),
        ("27,27", False),
        ("8,8", False),
        ("3,3", False),
        ("8", False),
        ("?,784", True),
        ("?,783", False),
        ("784", True),
        ("783", False),
        ("?,16,16,16,3", False),
    ],
)
def test_a_picture_is_proposed_where_the_shape_is_one(shape: str, is_picture: bool) -> None:
    model = written(f"x Placeholder({shape})", "y Relu x")
    with pytest.raises(GraphscopeError, match="needs a placeholder that is not fed") as error:
        refuse_unfed(model, ["y"], [])
    assert ("@picture.png" in str(error.value.hint)) is is_picture
    assert ("random" in str(error.value.hint)) is not is_picture


# Pairs


def test_a_single_output_and_a_single_input_are_pairs_of_any_name() -> None:
    one = written("a Placeholder(?,2)", "p Exp a")
    two = written("b Placeholder(?,2)", "q Tanh b")
    assert pair(one, two, ["q"]).names == {"q:0": "p:0", "b:0": "a:0"}
    both = written("b Placeholder(?,2)", "q Tanh b", "r Tanh b")
    with pytest.raises(GraphscopeError, match="q:0 of written has no counterpart among the outputs"):
        pair(one, both, ["q", "r"])
    with pytest.raises(GraphscopeError, match="has no counterpart among the outputs"):
        pair(both, one, ["p"])


def test_inputs_that_only_one_side_has() -> None:
    """One that is alone on both sides is a pair; two are a question; and the first may need more than the second."""
    first = written("a Placeholder(?,2)", "c Placeholder(?,2)", "s Exp a", "y Add s c")
    second = written("b Placeholder(?,2)", "c Placeholder(?,2)", "s Tanh b", "y Sub s c")
    assert pair(first, second, ["y"]).names == {"y:0": "y:0", "b:0": "a:0", "c:0": "c:0"}
    other = written("b Placeholder(?,2)", "d Placeholder(?,2)", "s Tanh b", "y Sub s d")
    with pytest.raises(GraphscopeError, match=re.escape("b:0, d:0 of written has no counterpart among the inputs")):
        pair(first, other, ["y"])
    fewer = written("c Placeholder(?,2)", "y Tanh c")
    assert pair(first, fewer, ["y"]).names == {"y:0": "y:0", "c:0": "c:0"}
