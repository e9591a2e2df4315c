"""A head that is a Python function: ``python:module:function``, found from the current directory."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.training.heads.context import Built, Context

PREFIX = "python:"

Function = Callable[..., Any]


def load_function(text: str) -> Function:
    """The function that ``python:module:function`` names.

    Raises:
        GraphscopeError: the module cannot be imported, or has no such function.
    """
    module_name, _, name = text.removeprefix(PREFIX).partition(":")
    if not (module_name and name):
        raise GraphscopeError(
            f"{text!r} is not of the form python:module:function", hint="for example: python:heads:wide"
        )
    module = _import(module_name)
    function = getattr(module, name, None)
    if not callable(function):
        functions = [n for n, value in vars(module).items() if callable(value)]
        raise UnknownNameError(f"function of {module_name}", name, functions)
    return function  # type: ignore[no-any-return]  # checked to be callable


def _import(name: str) -> Any:
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except Exception as error:  # what a person's module raises can be anything
        raise GraphscopeError(
            f"module {name} cannot be imported: {type(error).__name__}: {error}",
            hint=f"it is looked for in {here} and on PYTHONPATH",
        ) from error
    finally:
        sys.path.remove(here)


def call_function(text: str, function: Function, tensors: Sequence[Any], context: Context) -> Any:
    """The logits that ``function(*tensors)`` gives, or ``function(*tensors, context)`` where it takes one more.

    Raises:
        GraphscopeError: it raises, or returns something else than one tensor.
    """
    arguments = [*tensors, context] if _takes(function, len(tensors) + 1) else list(tensors)
    try:
        logits = function(*arguments)
    except GraphscopeError:
        raise
    except Exception as error:  # what a person's function raises can be anything
        place = _place(error)
        raise GraphscopeError(f"{text}{place} raised {type(error).__name__}: {error}") from error
    if not isinstance(logits, context.tf.Tensor):
        raise GraphscopeError(f"{text} returned {type(logits).__name__}, but a tensor of logits was expected")
    before = tuple(tensors[0].shape.as_list())
    context.layers.append(Built(text, before, tuple(logits.shape.as_list()) if logits.shape.rank is not None else ()))
    return logits


def _takes(function: Function, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


def _place(error: Exception) -> str:
    """`` (line 12)``: where in the person's file it was raised."""
    trace = error.__traceback__
    trace = trace.tb_next if trace is not None else None
    return f", line {trace.tb_lineno}," if trace is not None else ""
