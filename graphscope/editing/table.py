"""The steps by name, each with how a person writes it: on a command line, or in a recipe."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from graphscope.core.attr_text import dtype_named
from graphscope.core.patterns import PATTERN_ERRORS
from graphscope.core.tensors import parse_sizes
from graphscope.editing.cleanup import Cleanup
from graphscope.editing.contexts import drop_absent_members
from graphscope.editing.edited import Edited
from graphscope.editing.objects import without_objects
from graphscope.editing.parts import Extract, Merge
from graphscope.editing.shapes import Reshape
from graphscope.editing.signatures import AddSignature, DropSignature
from graphscope.editing.steps import Bind, Device, Dtype, Insert, Prefix, Remove, Rename, Replace, Rewire, Step
from graphscope.errors import ArgumentError
from graphscope.formats import load
from graphscope.transforms.input_shapes import parse_batch


@dataclass(frozen=True, slots=True)
class StepRow:
    """One kind of step.

    Attributes:
        metavar: the form of its text; empty for a step that takes none.
        help: one line, imperative.
        parse: the step that a text says; raises :class:`ArgumentError` for a text of another form.
    """

    metavar: str
    help: str
    parse: Callable[[str], Step]


def _halves(text: str, form: str) -> tuple[str, str]:
    """What stands before the first ``=``, and what stands behind it."""
    left, equals, right = text.partition("=")
    if not (left and equals):
        raise ArgumentError(f"{text!r} is not of the form {form}")
    return left, right


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except PATTERN_ERRORS as error:
        raise ArgumentError(f"{text!r} is not a regular expression: {error}") from error
    return text


def rename_step(pattern: str, replacement: str) -> Rename:
    """A renaming; raises :class:`ArgumentError` for a ``pattern`` that is not a regular expression."""
    return Rename(_pattern(pattern), replacement)


def parse_rename(text: str) -> Rename:
    """What ``REGEX=NEW`` says; raises :class:`ArgumentError` for a text of another form."""
    return rename_step(*_halves(text, "REGEX=NEW"))


def _rewire(text: str) -> Step:
    target, tensor = _halves(text, "CONSUMER:0=TENSOR")
    consumer, colon, index = target.rpartition(":")
    if not (colon and index.isascii() and index.isdigit() and tensor):
        raise ArgumentError(f"{text!r} is not of the form CONSUMER:0=TENSOR, with the number of the input")
    return Rewire(consumer, int(index), tensor)


def _insert(text: str) -> Step:
    where, *attrs = _split(text)
    op, at, tensor = where.partition("@")
    if not (op and at and tensor):
        raise ArgumentError(f"{text!r} is not of the form OP@TENSOR[,attribute=value]")
    return Insert(op, tensor, dict(_halves(attr, "attribute=value") for attr in attrs))


def _split(text: str) -> Iterator[str]:
    """Parts between commas, but for those in brackets."""
    depth, start = 0, 0
    for i, character in enumerate(text):
        depth += (character in "[(") - (character in ")]")
        if character == "," and not depth:
            yield text[start:i]
            start = i + 1
    yield text[start:]


def _replace(text: str) -> Step:
    return Replace(*_halves(text, "NODE=VALUE"))


def _bind(text: str) -> Step:
    return Bind(*_halves(text, "INPUT=TENSOR"))


def _device(text: str) -> Step:
    left, right = _halves(text, "REGEX=DEVICE")
    if not _DEVICE.fullmatch(right):
        raise ArgumentError(
            f"{right!r} is not the name of a device", hint="devices are called /cpu:0 or /job:ps/task:0/gpu:1"
        )
    return Device(_pattern(left), right)


_DEVICE = re.compile(
    r"(/(job:([A-Za-z]\w*|\*)|(replica|task):(\d+|\*)|device:([A-Za-z]\w*|\*)(:(\d+|\*))?|[cCgG][pP][uU]:(\d+|\*)))*",
    re.ASCII,
)
"""Source: ``DeviceNameUtils::ParseFullName`` in ``tensorflow/core/util/device_name_utils.cc``."""


def _dtype(text: str) -> Step:
    left, right = _halves(text, "INPUT=TYPE")
    return Dtype(left, dtype_named(right))


def _shape(text: str) -> Step:
    name, sizes = _halves(text, "INPUT=?,224,224,3")
    try:
        return Reshape({name: parse_sizes(sizes)})
    except ValueError as error:
        raise ArgumentError(f"{text}: {error} is not a size") from error


def _batch(text: str) -> Step:
    return Reshape(batch=parse_batch(text))


def _extract(text: str) -> Step:
    """``OUTPUT,...`` or ``INPUT,...->OUTPUT,...``."""
    before, arrow, after = text.partition("->")
    inputs, outputs = (before, after) if arrow else ("", before)
    names = [tuple(name.strip() for name in part.split(",") if name.strip()) for part in (outputs, inputs)]
    if not names[0]:
        raise ArgumentError(f"{text!r} is not of the form INPUT,...->OUTPUT,... or OUTPUT,...")
    return Extract(*names)


def _merge(text: str) -> Step:
    scope, equals, path = text.partition("=")
    if not equals:
        scope, path = re.sub(r"[^A-Za-z0-9_.]", "_", Path(text).stem).lstrip("_.") or "other", text
    return Merge(load(path), scope)


_SIGNATURE = re.compile(r"\s*([^:\s]+)\s*:(.*)->(.*)", re.DOTALL)


def _signature(text: str) -> Step:
    match = _SIGNATURE.fullmatch(text)
    if match is None:
        raise ArgumentError(f"{text!r} is not of the form NAME: argument=TENSOR,... -> argument=TENSOR,...")
    return AddSignature(match[1], _arguments(match[2]), _arguments(match[3]))


def _arguments(text: str) -> dict[str, str]:
    """``argument=tensor`` parts; a tensor alone has no name of its own yet."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        argument, equals, tensor = part.partition("=")
        found[argument.strip()] = tensor.strip() if equals else argument.strip()
    return found


def _cleanup(_: str) -> Step:
    return Cleanup()


STEPS: Mapping[str, StepRow] = {
    "rename": StepRow("REGEX=NEW", "Replace every match in node names; values follow.", parse_rename),
    "prefix": StepRow("SCOPE", "Move all nodes into a name scope.", Prefix),
    "remove": StepRow("NODE", "Remove a node; its consumers take its input instead.", Remove),
    "rewire": StepRow("CONSUMER:0=TENSOR", "Connect an input of a node to another tensor.", _rewire),
    "insert": StepRow("OP@TENSOR[,attr=value]", "Insert a node after a tensor.", _insert),
    "replace": StepRow("NODE=VALUE", "Replace a node with a constant: 0.5, [1, 2], @x.npy.", _replace),
    "bind": StepRow("INPUT=TENSOR", "Replace a placeholder with a tensor of the graph.", _bind),
    "shape": StepRow("INPUT=?,224,224,3", "Give an input this shape (?: any size).", _shape),
    "batch": StepRow("N|?", "Give every input this batch size; ?: any number of examples.", _batch),
    "dtype": StepRow("INPUT=TYPE", "Change the type of an input; a Cast restores the old one.", _dtype),
    "extract": StepRow("INPUT,...->OUTPUT,...", "Keep the part between these tensors.", _extract),
    "merge": StepRow("[SCOPE=]MODEL", "Add another model to the graph.", _merge),
    "signature": StepRow("NAME: ARG=TENSOR -> ARG=TENSOR", "Declare a signature.", _signature),
    "drop-signature": StepRow("NAME", "Remove a signature.", DropSignature),
    "device": StepRow("REGEX=DEVICE", "Set the device of nodes; an empty value clears it.", _device),
    "cleanup": StepRow("", "Remove dead nodes, duplicate nodes and weights, and identities.", _cleanup),
}
"""Name -> how it is written. A step is applied to the result of the one before."""


_KEEPING_OBJECTS = (Rename, Prefix, Device)
"""What changes nothing that a function computes, or a signature gives."""


def apply_step(step: Step, edited: Edited) -> Edited:
    """The model after ``step``, without the objects of a TensorFlow 2 SavedModel if these would not know of the change.

    Raises:
        GraphscopeError: the step cannot be made, or its result is not valid.
    """
    return drop_absent_members(step.apply(edited if isinstance(step, _KEEPING_OBJECTS) else without_objects(edited)))


def step_by_name(name: str, text: str) -> Step:
    """The step of kind ``name`` that ``text`` says.

    Raises:
        ArgumentError: there is no such kind, or the text is of another form.
    """
    if name not in STEPS:
        raise ArgumentError(f"there is no step {name!r}; there are: {', '.join(STEPS)}")
    return STEPS[name].parse(text)
