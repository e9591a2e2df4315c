"""Free names: what is given out is never taken, and many equal wishes take no quadratic time."""

from __future__ import annotations

from graphscope.core.names import FreeNames, free_name


def test_the_first_free_name() -> None:
    assert free_name("x", {"y"}, ()) == "x"
    assert free_name("x", {"x", "x_2"}, {"x_1"}) == "x_3"


def test_each_name_is_given_out_once() -> None:
    names = FreeNames(["x", "x_1"])
    assert [names("x"), names("x"), names("x_2"), names("y"), names("y")] == ["x_2", "x_3", "x_2_1", "y", "y_1"]


def test_the_first_wish_that_is_free() -> None:
    names = FreeNames(["x"])
    assert [names("", "x", "y"), names("", "x", "y"), names(), names("")] == ["y", "x_1", "unnamed", "unnamed_1"]


def test_equal_wishes_are_numbered_on() -> None:
    class Counted(set[str]):
        asked = 0

        def __contains__(self, name: object) -> bool:
            Counted.asked += 1
            return super().__contains__(name)

    names = FreeNames()
    names._taken = Counted()
    assert [names("x") for _ in range(1000)][-1] == "x_999"
    assert Counted.asked < 3000
