"""Conversion of labels: from stored numbers, names and lists to the form that the loss takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.training.data.source import AS_STORED, DataOptions, Stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

Labels = tuple["NDArray[Any]", tuple[str, ...]]
"""Values, and the names of the classes; empty if they are numbers only."""

_MAX_LISTED = 8
MAX_CLASSES = 1 << 24
"""The maximum number of classes of a head."""


def class_numbers(stored: Stored, options: DataOptions) -> Labels:
    """int64 (n,): numbers as they are, names by their place among all names, one-hot rows by the place of their one.

    Raises:
        GraphscopeError: a label is neither; a number is negative or has no name.
    """
    import numpy as np

    labels = _squeeze(stored.labels)
    if labels.ndim == 1 and _is_text(labels):
        return _number(stored, _texts(labels), options)
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        labels = _one_hot_places(stored, labels)
    if labels.ndim != 1 or labels.dtype.kind not in "biu":
        raise GraphscopeError(
            f"labels are {_describe(labels)}, but each must be the number or the name of a class",
            hint=Advice(
                Option("regression", True),
                " makes a head for numbers, ",
                Option("multilabel", "N"),
                " one for several classes at once",
            ),
        )
    _refuse(stored, labels >= MAX_CLASSES, labels, f"is not the number of a class: the limit is {MAX_CLASSES:,}")
    numbers = labels.astype(np.int64)
    _refuse(stored, numbers < 0, numbers, "is negative")
    if stored.names:
        _refuse(stored, numbers >= len(stored.names), numbers, f"has no name: there are {len(stored.names)}")
        return _renumber(stored, numbers, options)
    return numbers, options.names


def refuse_outside(stored: Stored, numbers: NDArray[Any], names: Sequence[str], width: int | None) -> None:
    """Raises an error if a class has no place among ``width`` logits.

    Raises:
        GraphscopeError: there is such a class; the error names the first example.
    """
    if width is None:
        return
    if len(names) > width:
        listed = ", ".join(names[:_MAX_LISTED]) + (", ..." if len(names) > _MAX_LISTED else "")
        raise GraphscopeError(
            f"the data has {len(names):,} classes ({listed}), the model {width:,}",
            hint=Advice(Option("only_classes", "A,B,..."), "   keeps and numbers some of them"),
        )
    hint = Advice(Option("only_classes", "A,B,..."), "   keeps some classes and numbers them from 0")
    _refuse(stored, numbers >= width, numbers, f"is outside of 0 to {width - 1}, the model's {width:,} classes", hint)


def _classes(stored: Stored, options: DataOptions) -> Labels:
    numbers, names = class_numbers(stored, options)
    refuse_outside(stored, numbers, names, options.classes)
    return numbers, names


def _regression(stored: Stored, options: DataOptions) -> Labels:
    """float32 (n, width), numbers for each place of a picture in one row."""
    import numpy as np

    labels = stored.labels
    if labels.dtype.kind == "O":
        labels = _equal_lists(stored, labels)
    if labels.dtype.kind not in "biuf":
        raise GraphscopeError(f"labels are {_describe(labels)}, but a regression takes numbers")
    values = labels.reshape(len(labels), -1).astype(np.float32)
    _refuse(stored, (~np.isfinite(values)).any(axis=1), labels, "is not finite")
    _refuse_width(values, options.classes)
    return values, ()


def _multilabel(stored: Stored, options: DataOptions) -> Labels:
    """float32 (n, width), 1 for each class that an example has: from such rows, or lists of numbers or names.

    Lists of zeros and ones, all as long and with repetitions, are such rows.
    """
    import numpy as np

    labels = _rows_in_lists(stored)
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        _refuse(stored, (~np.isin(labels, (0, 1))).any(axis=1), labels, "is not made of 0 and 1")
        _refuse_width(labels, options.classes)
        return labels.astype(np.float32), stored.names or options.names
    lists = _lists(labels)
    flat = Stored(stored.take, _join(lists), stored.keys, "", stored.names)
    owners = np.repeat(np.arange(len(lists)), [len(found) for found in lists])
    owned = Stored(stored.take, flat.labels, [stored.keys[i] for i in owners.tolist()], "", stored.names)
    numbers, names = class_numbers(owned, options) if len(owners) else (np.zeros(0, np.int64), stored.names)
    refuse_outside(owned, numbers, names, options.classes)
    values = np.zeros((len(lists), options.classes or len(names) or int(numbers.max(initial=-1)) + 1), np.float32)
    values[owners, numbers] = 1
    return values, names


def _as_stored(stored: Stored, options: DataOptions) -> Labels:
    """Single texts and integers are classes, lists are several classes, all else is numbers."""
    labels = _squeeze(stored.labels)
    if labels.ndim == 1 and (_is_text(labels) or labels.dtype.kind in "biu"):
        return _classes(stored, options)
    return _multilabel(stored, options) if labels.dtype.kind == "O" else _regression(stored, options)


decode: Mapping[str, Callable[[Stored, DataOptions], Labels]] = {
    "classes": _classes,
    "regression": _regression,
    "multilabel": _multilabel,
    AS_STORED: _as_stored,
}
"""Task -> conversion of stored labels; each raises GraphscopeError if they do not fit, and names the first example."""


def _number(stored: Stored, texts: list[str], options: DataOptions) -> Labels:
    import numpy as np

    names = options.names or stored.names or tuple(sorted(set(texts)))
    places = {name: number for number, name in enumerate(names)}
    for index, text in enumerate(texts):
        if text not in places:
            raise UnknownNameError(f"class (label of example {stored.keys[index]})", text, names)
    return np.fromiter((places[text] for text in texts), np.int64, len(texts)), names


def _renumber(stored: Stored, numbers: NDArray[Any], options: DataOptions) -> Labels:
    """Classes that the data names, numbered as ``options.names`` has them."""
    import numpy as np

    if not options.names or options.names == stored.names:
        return numbers, stored.names
    places = {name: number for number, name in enumerate(options.names)}
    for number in np.unique(numbers).tolist():
        if stored.names[number] not in places:
            raise UnknownNameError("class", stored.names[number], options.names)
    table = np.array([places.get(name, -1) for name in stored.names], np.int64)
    return table[numbers], options.names


def _one_hot_places(stored: Stored, labels: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    wrong = (np.count_nonzero(labels, axis=1) != 1) | (labels.max(axis=1, initial=0) != 1)
    _refuse(stored, wrong, labels, "is not one-hot: a row has a single 1 and is 0 otherwise")
    places: NDArray[Any] = labels.argmax(axis=1)
    return places


def _rows_in_lists(stored: Stored) -> NDArray[Any]:
    """The labels; lists that can only be rows of zeros and ones as such.

    Raises:
        GraphscopeError: lists of classes name one twice.
    """
    import numpy as np

    if stored.labels.dtype.kind != "O":
        return stored.labels
    lists = _lists(stored.labels)
    repeats = np.array([len(set(found)) < len(found) for found in lists])
    if repeats.any() and len({len(found) for found in lists}) == 1 and {n for found in lists for n in found} <= {0, 1}:
        return np.array(lists)
    _refuse(stored, repeats, stored.labels, "names a class twice")
    return stored.labels


def _squeeze(labels: NDArray[Any]) -> NDArray[Any]:
    """(n, 1) as (n,); lists of one as what they hold."""
    import numpy as np

    if labels.ndim == 2 and labels.shape[1] == 1:
        return labels[:, 0]
    if labels.dtype.kind == "O" and all(isinstance(found, list) and len(found) == 1 for found in labels):
        return np.array([found[0] for found in labels])
    return labels


def _is_text(labels: NDArray[Any]) -> bool:
    return labels.dtype.kind in "SU" or (
        labels.dtype.kind == "O" and all(isinstance(label, str | bytes) for label in labels)
    )


def _texts(labels: NDArray[Any]) -> list[str]:
    return [
        label.decode("utf-8", "surrogateescape") if isinstance(label, bytes) else label for label in labels.tolist()
    ]


def _lists(labels: NDArray[Any]) -> list[list[Any]]:
    return [found if isinstance(found, list) else [found] for found in labels.tolist()]


def _join(lists: list[list[Any]]) -> NDArray[Any]:
    import numpy as np

    return np.array([label for found in lists for label in found])


def _equal_lists(stored: Stored, labels: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    lists = _lists(labels)
    lengths = np.array([len(found) for found in lists])
    shown = np.array([f"of {length} numbers" for length in lengths])
    _refuse(stored, lengths != lengths[0], shown, f"does not match the first example, which has {lengths[0]}")
    return np.array(lists)


def _refuse(stored: Stored, wrong: Any, labels: NDArray[Any], why: str, hint: str | Advice | None = None) -> None:
    """Raises an error that names the first example for which ``wrong`` is true, if there is one."""
    found = wrong.nonzero()[0]
    if len(found):
        index = int(found[0])
        more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
        raise GraphscopeError(f"example {stored.keys[index]}: label {labels[index]} {why}{more}", hint=hint)


def _refuse_width(values: NDArray[Any], width: int | None) -> None:
    if width is not None and values.shape[1] != width:
        raise GraphscopeError(f"labels have {values.shape[1]:,} numbers for each example, the model gives {width:,}")


def _describe(labels: NDArray[Any]) -> str:
    kind = "lists or mixed values" if labels.dtype.kind == "O" else f"{labels.dtype} {labels.shape}"
    return f"{kind}, such as {labels[0]}" if len(labels) else kind
