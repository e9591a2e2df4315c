"""Values for the variables of a model from other files: under other keys, and averaged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from graphscope.advice import Advice, Call
from graphscope.core.listener import SILENT, Listener
from graphscope.core.tensors import shape_text
from graphscope.core.values.mean import MeanPayload, are_equal, has_mean
from graphscope.core.values.payload import Payload
from graphscope.editing.steps import Rename
from graphscope.editing.table import parse_rename, rename_step
from graphscope.editing.values import NamedValues
from graphscope.errors import FormatError, GraphscopeError, IncompleteModelError, UnknownNameError, some
from graphscope.formats import load
from graphscope.formats.archives.weights import weights_of
from graphscope.formats.checkpoint.weight_exchange import problem_lines

Weights = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""Files that hold values: what :func:`graphscope.load` opens, one or several."""

Renames = Mapping[str, str] | Sequence[str]
"""Regular expression -> what takes the place of each match, or ``REGEX=NEW`` texts, one after the other."""


class GivenWeights(NamedValues):
    """Values by name that come from a file, or from several.

    Attributes:
        path: the file, for errors; of several, the last.
    """

    def __init__(self, path: Path, payloads: Mapping[str, Payload]) -> None:
        super().__init__(payloads)
        self.path = path
        self.payloads = payloads


def given_weights(paths: Weights, rename: Renames = (), listener: Listener = SILENT) -> GivenWeights:
    """The values in a file, with the names that ``convert FILE x.npz`` would use, or the means over several files.

    Floating and complex values are averaged; all others come from the last file, and ``listener`` receives a note on those that
    differ.

    Args:
        rename: new names for the values of each file; an expression must match in one of them.

    Raises:
        UnknownNameError: an expression does not match any name.
        ArgumentError: a text is not of the form ``REGEX=NEW``, or its regular expression is not valid.
        GraphscopeError: two values would have one name.
        FormatError: the files differ in names, types or shapes.
        IncompleteModelError: a file holds no values.
        FileError, CorruptFileError, NotTensorFlowError, UnsupportedError: as :func:`graphscope.load`.
    """
    files = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    opened = [_opened(Path(file)) for file in files]
    for step in _renames(rename):
        opened = _rename(opened, step)
    return opened[0] if len(opened) == 1 else _average(opened, listener)


def _opened(path: Path) -> GivenWeights:
    values = dict(weights_of(load(path)))
    if not values:
        raise IncompleteModelError(f"{path}: the file holds no values", hint=Advice(Call("vars", (str(path),))))
    return GivenWeights(path, values)


def _renames(rename: Renames) -> Iterable[Rename]:
    if isinstance(rename, Mapping):
        return [rename_step(pattern, new) for pattern, new in rename.items()]
    return map(parse_rename, rename)


def _rename(files: Sequence[GivenWeights], step: Rename) -> list[GivenWeights]:
    new_names = [step.new_names(file.payloads) for file in files]
    if not any(new_names):
        raise UnknownNameError("value", step.pattern, (name for file in files for name in file.payloads))
    return [_with_names(file, names) for file, names in zip(files, new_names, strict=True)]


def _with_names(file: GivenWeights, names: Mapping[str, str]) -> GivenWeights:
    found: dict[str, Payload] = {}
    for old, payload in file.payloads.items():
        name = names.get(old, old)
        if not name or name in found:
            what = f"two values would be called {name}" if name else f"{old} would have no name"
            raise GraphscopeError(f"{file.path}: {what}")
        found[name] = payload
    return GivenWeights(file.path, found)


def _average(files: Sequence[GivenWeights], listener: Listener) -> GivenWeights:
    first, *others = files
    for other in others:
        _refuse_unlike(first, other)
    last = files[-1]
    found: dict[str, Payload] = {}
    differing = []
    for name, payload in last.payloads.items():
        parts = [file.payloads[name] for file in files]
        found[name] = MeanPayload(parts) if has_mean(payload.dtype) else payload
        if not has_mean(payload.dtype) and not are_equal(parts):
            differing.append(name)
    if differing:
        listener.note(f"{some(differing, 5)}: not averaged, taken from {last.path}")
    return GivenWeights(last.path, found)


def _refuse_unlike(first: GivenWeights, other: GivenWeights) -> None:
    """Raises an error if ``other`` has other names, types or shapes; it names them."""
    missing = [name for name in first.payloads if name not in other.payloads]
    extra = [name for name in other.payloads if name not in first.payloads]
    pairs = [(name, _form(p), _form(first.payloads[name])) for name, p in other.payloads.items() if name not in extra]
    problems = [
        *problem_lines("missing", missing, extra),
        *problem_lines("only there", extra, ()),
        *problem_lines("different", [f"{name} is {own}, not {form}" for name, own, form in pairs if own != form], ()),
    ]
    if problems:
        raise FormatError("\n  ".join([f"cannot be averaged with {first.path}", *problems]), path=other.path)


def _form(payload: Payload) -> str:
    return f"{payload.dtype.label} {shape_text(payload.shape)}"
