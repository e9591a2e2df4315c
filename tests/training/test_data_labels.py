"""Labels as a loss takes them, and which examples are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.training.data.labels import decode
from graphscope.training.data.source import AS_STORED, DataOptions, Stored
from tests.support.data_files import cache, everything, keys_of, labels_of, opened, random

__all__ = ["cache"]


def saved(directory: Path, y: Any, **arrays: Any) -> Path:
    path = directory / "labels.npz"
    np.savez(path, x=random(len(y), 6), y=y, **arrays)
    return path


FITTING = [
    ("classes", [0, 2, 1], [0, 2, 1], ()),
    ("classes", np.array([[2], [0]], np.uint8), [2, 0], ()),
    ("classes", np.array([True, False]), [1, 0], ()),
    ("classes", np.eye(3)[[2, 0, 1]], [2, 0, 1], ()),
    ("classes", ["tulip", "rose", "tulip"], [1, 0, 1], ("rose", "tulip")),
    ("classes", [b"b", b"a", b"c"], [1, 0, 2], ("a", "b", "c")),
    ("multilabel", [[0, 1, 1], [0, 0, 0]], [[0, 1, 1], [0, 0, 0]], ()),
    ("multilabel", [2, 0], [[0, 0, 1], [1, 0, 0]], ()),
    ("multilabel", ["b", "a", "c"], [[0, 1, 0], [1, 0, 0], [0, 0, 1]], ("a", "b", "c")),
    ("regression", np.ones((4, 3)), np.ones((4, 3)).tolist(), ()),
    ("regression", np.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]], ()),
    (AS_STORED, ["b", "a"], [1, 0], ("a", "b")),
    (AS_STORED, [1, 2], [1, 2], ()),
    (AS_STORED, [0.5, 2], [[0.5], [2]], ()),
]


@pytest.mark.parametrize(("task", "y", "expected", "names"), FITTING)
def test_labels_that_fit(tmp_path: Path, task: str, y: Any, expected: list[Any], names: tuple[str, ...]) -> None:
    source = opened(saved(tmp_path, y), task=task, classes=None if task == AS_STORED else 3)
    assert (labels_of(source), source.classes) == (expected, names)
    wanted = np.int64 if source.labels.ndim == 1 else np.float32
    assert source.labels.dtype == wanted


def in_records(*labels: Any) -> Stored:
    """Labels as TFRecords have them: lists, texts, numbers, each example its own."""
    array = np.empty(len(labels), object)
    array[:] = labels
    return Stored(lambda indices: indices, array, [f"r{number}" for number in range(len(labels))], "")


@pytest.mark.parametrize(
    ("stored", "expected", "names"),
    [
        (in_records("b", b"a"), [1, 0], ("a", "b")),
        (in_records(["b"], ["a"]), [1, 0], ("a", "b")),
        (in_records("a", ["a", "b"]), [[1, 0], [1, 1]], ("a", "b")),
        (in_records(["a", "b"], "b"), [[1, 1], [0, 1]], ("a", "b")),
        (in_records(["b"], ["a", "b"]), [[0, 1], [1, 1]], ("a", "b")),
        (in_records([2], [0, 1]), [[0, 0, 1], [1, 1, 0]], ()),
        (in_records([], [1]), [[0, 0], [0, 1]], ()),
        (in_records([], []), [[], []], ()),
        (in_records([0, 1, 1], [1, 0, 0]), [[0, 1, 1], [1, 0, 0]], ()),  # a class twice: rows of zeros and ones
        (in_records([0, 1], [1, 0]), [[1, 1], [1, 1]], ()),  # both classes
    ],
)
def test_labels_of_records(stored: Stored, expected: list[Any], names: tuple[str, ...]) -> None:
    labels, found = decode[AS_STORED](stored, DataOptions(task=AS_STORED))
    assert (labels.tolist(), found) == (expected, names)
    assert labels.dtype == (np.int64 if labels.ndim == 1 else np.float32)


@pytest.mark.parametrize(
    "stored", [in_records([1, 1], [0]), in_records([0, 2, 2], [1, 0, 0]), in_records(["a"], ["b", "b"])]
)
def test_a_class_that_is_named_twice(stored: Stored) -> None:
    with pytest.raises(GraphscopeError, match=r"example r\d: label \[.*\] names a class twice"):
        decode[AS_STORED](stored, DataOptions(task=AS_STORED))


def test_lists_of_numbers_are_as_long_as_the_first() -> None:
    found, _ = decode["regression"](in_records([0.5, 2], [1, 3]), DataOptions(task="regression"))
    assert found.tolist() == [[0.5, 2], [1, 3]]
    message = r"example r1: label of 1 numbers does not match the first example, which has 2 \(and 1 more\)"
    with pytest.raises(GraphscopeError, match=message):
        decode["regression"](in_records([0.5, 2], [1], [1, 2, 3]), DataOptions(task="regression"))


MISFITS = [
    ("classes", [0, 1, 3, 7], r"example 2: label 3 is outside of 0 to 2, the model's 3 classes \(and 1 more\)"),
    ("classes", [0, -1], "example 1: label -1 is negative$"),
    (
        "classes",
        np.uint64([0, 2**64 - 3]),
        r"example 1: label 18446744073709551613 is not the number of a class: the limit",
    ),
    ("classes", [0.5, 1.0], "float64"),
    ("classes", ["a", "b", "c", "d"], r"4 classes \(a, b, c, d\), the model 3"),
    ("classes", list("abcdefgh"), r"8 classes \(a, b, c, d, e, f, g, h\), the model 3"),
    ("classes", list("abcdefghi"), r"9 classes \(a, b, c, d, e, f, g, h, \.\.\.\), the model 3"),
    ("classes", [[1, 1, 0], [0, 0, 1]], r"example 0: label \[1 1 0\] is not one-hot"),
    ("classes", np.zeros((2, 2, 2)), "but each must be the number or the name of a class"),
    ("multilabel", [[0, 2, 1]], "is not made of 0 and 1"),
    ("multilabel", [[0, 1]], "labels have 2 numbers for each example, the model gives 3"),
    ("multilabel", [0, 5], "example 1: label 5 is outside"),
    ("regression", [1.0, 2.0], "labels have 1 numbers"),
    ("regression", [[1, 2, np.nan]], "example 0: label .* is not finite"),
    ("regression", ["a", "b"], "a regression takes numbers"),
]


@pytest.mark.parametrize(("task", "y", "message"), MISFITS)
def test_labels_that_do_not_fit(tmp_path: Path, task: str, y: Any, message: str) -> None:
    with pytest.raises(GraphscopeError, match=message):
        opened(saved(tmp_path, y), task=task, classes=3)


def test_lists_of_unequal_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = f"lists_{tmp_path.name}"
    Path(f"{module}.py").write_text(
        "import numpy as np\nX = np.zeros((3, 6))\n"
        "def numbers(): return X, [[2], [], [0, 1]]\n"
        "def names(): return X, [['b', 'a'], ['a'], []]\n"
        "def twice(): return X, [[0, 0], [1], []]\n"
        "def hot(): return X, [[0, 1, 0], [1, 1, 0], [0, 0, 0]]\n"
    )
    numbers = opened(f"python:{module}:numbers", task="multilabel", classes=3)
    assert labels_of(numbers) == [[0, 0, 1], [0, 0, 0], [1, 1, 0]]
    names = opened(f"python:{module}:names", task="multilabel", classes=3)
    assert (labels_of(names), names.classes) == ([[1, 1, 0], [1, 0, 0], [0, 0, 0]], ("a", "b"))
    assert labels_of(opened(f"python:{module}:hot", task="multilabel", classes=3)) == [[0, 1, 0], [1, 1, 0], [0, 0, 0]]
    with pytest.raises(GraphscopeError, match=r"example 0: label \[0, 0\] names a class twice"):
        opened(f"python:{module}:twice", task="multilabel", classes=3)
    with pytest.raises(GraphscopeError, match="which has 1"):
        opened(f"python:{module}:numbers", task="regression")


def test_names_of_another_source(tmp_path: Path) -> None:
    """Validation data need not hold all classes, and numbers them as the training data does."""
    path = saved(tmp_path, ["c", "a"])
    assert labels_of(opened(path, names=("a", "b", "c"))) == [2, 0]
    numbered = saved(tmp_path, [1, 0], classes=np.array(["c", "b"]))
    assert labels_of(opened(numbered, names=("a", "b", "c"))) == [1, 2]
    with pytest.raises(UnknownNameError, match="'c'"):
        opened(path, names=("a", "b"))
    with pytest.raises(UnknownNameError, match="'c'"):
        opened(numbered, names=("a", "b"))


# Choosing


def test_only_some_classes(tmp_path: Path) -> None:
    x, y = random(60, 6), np.arange(60) % 10
    np.savez(tmp_path / "a.npz", x=x, y=y)
    source = opened(tmp_path / "a.npz", only_classes=("7", "5"), classes=2)
    chosen = np.flatnonzero(np.isin(y, (5, 7)))
    np.testing.assert_array_equal(everything(source), x[chosen])
    assert labels_of(source) == [0 if y[i] == 7 else 1 for i in chosen]
    assert source.classes == ("7", "5")
    assert keys_of(source) == [str(i) for i in chosen]
    assert source.keys[0:2] == [str(i) for i in chosen[:2]]
    with pytest.raises(UnknownNameError, match="'10'"):
        opened(tmp_path / "a.npz", only_classes=("10",))


def test_only_some_classes_by_name(tmp_path: Path) -> None:
    source = opened(saved(tmp_path, ["a", "b", "c", "b"]), only_classes=("c", "b"), classes=2)
    assert (labels_of(source), source.classes) == ([1, 0, 1], ("c", "b"))


def test_a_limit_is_seeded_and_stable(tmp_path: Path) -> None:
    names = [f"n{i}" for i in range(200)]
    y = np.arange(200) % 2
    few = saved(tmp_path, y[:180], keys=np.array(names[:180]))
    first = opened(few, limit_per_class=20)
    assert np.bincount(first.labels).tolist() == [20, 20]
    assert keys_of(opened(few, limit_per_class=20)) == keys_of(first)
    assert keys_of(opened(few, limit_per_class=20, seed=1)) != keys_of(first)
    assert set(keys_of(opened(few, limit_per_class=10))) < set(keys_of(first))
    more = opened(saved(tmp_path, y, keys=np.array(names)), limit_per_class=20)
    assert len(set(keys_of(more)) & set(keys_of(first))) >= 30, "a tenth more examples replace about a tenth"
    assert len(opened(few, limit_per_class=1000)) == 200


def test_what_is_chosen_is_another_input(tmp_path: Path) -> None:
    path = saved(tmp_path, np.arange(20) % 4)
    prints = [opened(path, only_classes=only).fingerprint for only in ((), ("0", "1"), ("1", "2"))]
    assert len(set(prints)) == 3
    assert opened(path, only_classes=("1", "0")).fingerprint == prints[1], "labels are no inputs"


@pytest.mark.parametrize("options", [{"only_classes": ("1",)}, {"limit_per_class": 3}])
def test_nothing_to_choose_by(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(GraphscopeError, match="by class"):
        opened(saved(tmp_path, np.ones((4, 2))), task="regression", **options)
