"""What Python programs give by mistake: an error that names the parameter and what it takes, before anything is done."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.arguments import KINDS
from tests.support.fixture_files import FIXTURES

FROZEN = FIXTURES / "softmax" / "frozen.pb"
FUNCTIONS = [name for name in graphscope.__all__ if inspect.isfunction(getattr(graphscope, name))]


def parameters(name: str) -> list[inspect.Parameter]:
    return list(inspect.signature(getattr(graphscope, name)).parameters.values())


def given(name: str, wrong: str, value: object) -> tuple[list[Any], dict[str, Any]]:
    """Arguments for a function: those that it needs, and one wrong one."""
    needed = [p for p in parameters(name) if p.default is p.empty]
    if any(p.kind is p.VAR_POSITIONAL for p in needed):
        return [value], {}
    named = {p.name: graphscope.load(FROZEN) if "Graph" in p.annotation else "nowhere" for p in needed}
    return [], {**named, wrong: value}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_checked(name: str) -> None:
    for parameter in parameters(name):
        assert parameter.annotation in KINDS, parameter
        args, kwargs = given(name, parameter.name, object())
        shown = "each argument" if parameter.kind is parameter.VAR_POSITIONAL else parameter.name
        with pytest.raises(TypeError) as caught:
            getattr(graphscope, name)(*args, **kwargs)
        noun = KINDS[parameter.annotation].noun
        assert str(caught.value) == f"{name}(): {shown} must be {noun}, not an object of type object"


@pytest.mark.parametrize("name", ["DataOptions", "Placing", "Scaling", "SessionOptions"])
def test_every_field_of_options_is_checked(name: str) -> None:
    record = getattr(graphscope, name)
    for field in dataclasses.fields(record):
        with pytest.raises(TypeError) as caught:
            record(**{field.name: object()})
        assert (
            str(caught.value)
            == f"{name}(): {field.name} must be {KINDS[str(field.type)].noun}, not an object of type object"
        )
    for wrong in ("ab", b"ab", 5, [5]):
        with pytest.raises(TypeError, match="only_classes must be a list of texts"):
            graphscope.DataOptions(only_classes=wrong)  # type: ignore[arg-type]
    assert graphscope.DataOptions(cache="place") == graphscope.DataOptions(cache=Path("place"))  # type: ignore[arg-type]


WRONG: list[tuple[str, str, object]] = [
    *(("outputs", "a name or a list of names", value) for value in (None, 5, b"x", [None], ["a", b"x"], np.zeros(2))),
    *(("shape", "a mapping of names to sizes", value) for value in (5, "input=1", {5: (1,)}, {"a": 5}, {"a": (1.5,)})),
    *(("shape", "a mapping of names to sizes", {"a": (size, 784)}) for size in (-1, 2**63, True, "?")),
    *(("batch", 'a whole number or "?" or None', value) for value in ("x", 1.5, True, [1], np.zeros(2))),
    *(("strict", "True or False", value) for value in ("no", None, 1)),
    *(("set", "a mapping of names to values", value) for value in (5, [5], "x=1", {5: 1})),
    ("model", "a model or a path", b"x"),
    ("data_format", "a text", None),
    ("listener", "a Listener", None),
]


@pytest.mark.parametrize(("name", "noun", "value"), WRONG)
def test_values_of_the_wrong_kind(name: str, noun: str, value: object) -> None:
    arguments = {"model": FROZEN, name: value}
    with pytest.raises(TypeError) as caught:
        graphscope.freeze(**arguments)  # type: ignore[arg-type]
    assert str(caught.value).startswith(f"freeze(): {name} must be {noun}")


def test_steps_are_pairs() -> None:
    for steps in ("cleanup", ["cleanup"], [("rename",)], [("rename", None)], None):
        with pytest.raises(TypeError, match=r"steps must be a list of steps or of pairs \(kind, text\)"):
            graphscope.edit(FROZEN, steps)  # type: ignore[arg-type]


def test_what_numpy_and_pathlib_make_is_taken() -> None:
    shape = {"input": [np.int64(3), 784]}
    report = graphscope.cost(Path(FROZEN), shape=shape, depth=np.int32(1))  # type: ignore[dict-item]
    assert tuple(report.inputs["input:0"] or ()) == (3, 784)
    assert graphscope.freeze(FROZEN, outputs=iter(["inference/prediction"])).outputs  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_names_that_no_file_has(path: str, tmp_path: Path) -> None:
    works = [
        lambda: graphscope.dump(FROZEN, path),
        lambda: graphscope.scalars(path),
        lambda: graphscope.edit(FROZEN, recipe=path),
        lambda: graphscope.convert(FROZEN, tmp_path / f"{path}.pbtxt"),
    ]
    for work in works:
        with pytest.raises(graphscope.FileError) as caught:
            work()
        assert path in caught.value.message
