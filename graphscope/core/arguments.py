"""Checks what Python programs give to the public functions: a mistake is named where it is made, not deep inside."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from graphscope.core.tensors import MAX_SIZE
from graphscope.named_tuple import NamedTuple

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST = 60
_SHOWN = (str, bytes, bool, int, float, type(None), list, tuple, dict)
"""Types whose values say what they are."""
_VARIABLE_ARGUMENTS = 4
"""The flag of code that takes ``*names``."""


class Kind(NamedTuple):
    """What a parameter takes.

    Attributes:
        noun: what it is called: "a path".
        accepts: whether a value is of this kind.
    """

    noun: str
    accepts: Callable[[Any], bool]

    def __or__(self, other: Kind) -> Kind:
        return Kind(f"{self.noun} or {other.noun}", lambda value: self.accepts(value) or other.accepts(value))


def check_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, which raises a TypeError that names the parameter if an argument is not of the kind of its annotation.

    The kinds are those of :data:`KINDS`; parameters with other annotations are not checked.
    """
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    kinds = {name: KINDS[text] for name, text in function.__annotations__.items() if text in KINDS}
    rest = kinds.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount]) if _takes_rest(code) else None

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in (*zip(names, args), *kwargs.items()):
            _check(function, name, kinds.get(name), value)
        for value in args[len(names) :]:
            _check(function, "each argument", rest, value)
        return function(*args, **kwargs)

    return checked


def check_fields(record: object) -> None:
    """Does the same for the fields of a record of options, when it is made."""
    made = type(record)
    for name, text in made.__annotations__.items():
        _check(made, name, KINDS[text], getattr(record, name))


def _takes_rest(code: Any) -> bool:
    return bool(code.co_flags & _VARIABLE_ARGUMENTS)


def _check(function: Callable[..., object], name: str, kind: Kind | None, value: object) -> None:
    if kind is not None and not kind.accepts(value):
        shown = f"{value!r:.{_LONGEST}}" if type(value) in _SHOWN else f"an object of type {type(value).__name__}"
        raise TypeError(f"{function.__name__}(): {name} must be {kind.noun}, not {shown}")


def _instance(noun: str, *names: str) -> Kind:
    """Objects of classes of that name: to import them would take time."""
    return Kind(noun, lambda value: any(base.__name__ in names for base in type(value).__mro__))


def _is_path(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, os.PathLike) and isinstance(os.fspath(value), str))


def _is_whole(value: object) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and _has_no_sizes(value)


def _is_number(value: object) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, bool) and _has_no_sizes(value)


def _has_no_sizes(value: object) -> bool:
    """Whether it is not an array, which may hold one number too."""
    return not getattr(value, "shape", ())


def _is_flag(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")


def _all(values: object, accepts: Callable[[Any], bool]) -> bool:
    """Whether these are values to go through, each accepted; what can be gone through but once is not looked at."""
    if isinstance(values, str | bytes) or hasattr(values, "dtype"):
        return False
    return all(map(accepts, values)) if isinstance(values, Collection) else isinstance(values, Iterable)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_names(value: object) -> bool:
    return _is_text(value) or _all(value, _is_text)


def _is_mapping(value: object, accepts: Callable[[Any], bool]) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value)) and all(map(accepts, value.values()))


def _is_size(value: Any) -> bool:
    return value is None or (_is_whole(value) and 0 <= value <= MAX_SIZE)


def _is_shape(value: object) -> bool:
    return value is None or (isinstance(value, Sequence) and _all(value, _is_size))


def _are_feeds(value: object) -> bool:
    is_feed = _instance("", "Feed").accepts
    return _is_mapping(value, lambda _: True) or _all(value, lambda item: _is_text(item) or is_feed(item))


def _is_pair(value: object) -> bool:
    pair = 2
    return isinstance(value, Sequence) and len(value) == pair and _all(value, _is_whole)


def _is_step(value: object) -> bool:
    pair = 2
    return hasattr(value, "apply") or (isinstance(value, tuple) and len(value) == pair and _all(value, _is_text))


_NOTHING = Kind("None", lambda value: value is None)
_TEXT = Kind("a text", _is_text)
_WHOLE = Kind("a whole number", _is_whole)
_NUMBER = Kind("a number", _is_number)
_FLAG = Kind("True or False", _is_flag)
_PATH = Kind("a path", _is_path)
_NAMES = Kind("a name or a list of names", _are_names)
_PAIRS = Kind("a mapping of texts to texts", lambda value: _is_mapping(value, _is_text))
_LIST = Kind("a list of texts", lambda value: _all(value, _is_text))
_SHAPES = Kind('a mapping of names to sizes, as {"input": (None, 224, 224, 3)}', lambda v: _is_mapping(v, _is_shape))
_MODEL = _instance("a model", "Model") | _PATH
_FOREIGN = _instance("a file of another runtime", "ForeignModel", "ForeignFile")
_BATCH = Kind('"?"', lambda value: isinstance(value, str) and value == "?")
_FEEDS = Kind('a mapping of names to values or a list of texts "NAME=VALUE"', _are_feeds)
_STEPS = Kind("a list of steps or of pairs (kind, text)", lambda value: _all(value, _is_step))
_FILES = Kind("a mapping of names to paths", lambda value: _is_mapping(value, lambda v: v is None or _is_path(v)))
_PATHS = Kind("a list of paths", lambda value: _all(value, _is_path))
_ENGINES = Kind("a pair of names", lambda value: isinstance(value, tuple) and _all(value, _is_text))
_NUMBERS = Kind("a list of numbers", lambda value: _all(value, _is_number))
_COUNTS = Kind("a mapping of names to whole numbers", lambda value: _is_mapping(value, _is_whole))
_RULES = Kind("a list of pairs (pattern, device)", lambda value: _all(value, lambda v: isinstance(v, tuple)))
_LISTENER = Kind("a Listener", lambda value: hasattr(value, "note") and hasattr(value, "reading"))

KINDS: Mapping[str, Kind] = {
    "bool": _FLAG,
    "bool | None": _FLAG | _NOTHING,
    "int": _WHOLE,
    "int | None": _WHOLE | _NOTHING,
    "float": _NUMBER,
    "float | None": _NUMBER | _NOTHING,
    "str": _TEXT,
    "str | None": _TEXT | _NOTHING,
    "str | float | os.PathLike[str]": _PATH | _NUMBER,
    "str | tuple[str, str]": _TEXT | _ENGINES,
    "str | os.PathLike[str]": _PATH,
    "str | os.PathLike[str] | None": _PATH | _NOTHING,
    "str | Collection[str]": _NAMES,
    "By": _TEXT,
    "Names": _NAMES,
    "Model | Graph": _instance("a model or a graph", "Model", "Graph"),
    "ModelLike": _MODEL,
    "ModelLike | None": _MODEL | _NOTHING,
    "ModelLike | ForeignModel": _MODEL | _FOREIGN,
    "Runnable": _MODEL | _FOREIGN,
    "Given": _FEEDS,
    "Batch": _WHOLE | _BATCH | _NOTHING,
    "Mapping[str, Shape] | None": _SHAPES | _NOTHING,
    "Mapping[str, str] | None": _PAIRS | _NOTHING,
    "Mapping[str, str] | Sequence[str]": _PAIRS | _LIST,
    "Renames": _PAIRS | _LIST,
    "Weights | None": _PATH | _PATHS | _NOTHING,
    "Sequence[str] | Mapping[str, str | os.PathLike[str] | None]": _FILES | _LIST,
    "Iterable[Step | tuple[str, str]]": _STEPS,
    "Sequence[Watcher]": Kind("a list of watchers", lambda value: _all(value, lambda _: True)),
    "Callable[[], bool]": Kind("a function", callable),
    "Path": _PATH,
    "Cluster | None": _instance("a Cluster", "Cluster") | _NOTHING,
    "tuple[str, ...]": _LIST,
    "tuple[float, ...]": _NUMBERS,
    "tuple[int, int] | None": Kind("a pair of whole numbers", _is_pair) | _NOTHING,
    "Mapping[str, int]": _COUNTS,
    "Sequence[Rule]": _RULES,
    "Placing": _instance("a Placing", "Placing"),
    "Scaling": _instance("a Scaling", "Scaling"),
    "SessionOptions": _instance("SessionOptions", "SessionOptions"),
    "DataOptions | None": _instance("DataOptions", "DataOptions") | _NOTHING,
    "Listener": _LISTENER,
}
"""Annotation, as it is written -> what a parameter or a field with it takes."""
