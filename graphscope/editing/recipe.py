"""Recipes: files that list steps, so that the same edit can be made again.

A recipe is a YAML list with one mapping for each step, ``- rename: "^tower_0/="``; a step that takes nothing is a word.
"""

from __future__ import annotations

import os
from typing import Any

from graphscope.editing.steps import Step
from graphscope.editing.table import step_by_name
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.formats.io.small_files import read_small

_SCALARS = (str, int, float, type(None))
"""Of nothing else a text is made: aliases let a few lines stand for gigabytes."""


def read_recipe(path: str | os.PathLike[str]) -> list[Step]:
    """The steps that the file ``path`` lists.

    Raises:
        FileError: it cannot be read.
        ArgumentError: it is not a recipe; the error names the step.
    """
    import yaml

    content = read_small(path, "a recipe")
    try:
        steps = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ArgumentError(f"{os.fspath(path)}: not a recipe: {' '.join(str(error).split())}") from error
    if not isinstance(steps, list):
        raise ArgumentError(f"{os.fspath(path)}: a recipe is a list of steps")
    return [_step(path, number, given) for number, given in enumerate(steps, 1)]


def _step(path: str | os.PathLike[str], number: int, given: Any) -> Step:
    try:
        if isinstance(given, str):
            return step_by_name(given, "")
        if isinstance(given, dict) and len(given) == 1:
            [(name, text)] = given.items()
            if isinstance(name, str) and isinstance(text, _SCALARS):
                return step_by_name(name, "" if text is None else str(text))
    except GraphscopeError as error:
        raise ArgumentError(f"{os.fspath(path)}: step {number}: {error.message}", hint=error.hint) from error
    raise ArgumentError(f"{os.fspath(path)}: step {number} is neither a word nor of the form KIND: TEXT")
