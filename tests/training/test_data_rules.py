"""How stored things become examples: features of records, keys, rows, labels at their limits, what a folder may hold."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import (
    ArgumentError,
    CorruptFileError,
    FileError,
    FormatError,
    GraphscopeError,
    UnknownNameError,
    UnsupportedError,
)
from graphscope.feeding.inputs import input_of
from graphscope.formats.io.compressed import head
from graphscope.formats.media.pictures import Scaling
from graphscope.protos import Example
from graphscope.training.data import example
from graphscope.training.data.choose import choose
from graphscope.training.data.function import open_function
from graphscope.training.data.idx import idx_pairs, is_idx, open_idx
from graphscope.training.data.inflate import inflate
from graphscope.training.data.keys import Chosen, Numbered
from graphscope.training.data.labels import MAX_CLASSES, decode, refuse_outside
from graphscope.training.data.rows import Rows
from graphscope.training.data.source import AS_STORED, DataOptions, Stored
from graphscope.training.data.tfrecords import _Places
from tests.support.data_files import cache, idx_bytes, pixels, write_idx, write_pictures

__all__ = ["cache"]

FLOAT = DataType.FLOAT


def features(**values: Any) -> dict[str, Any]:
    """One example's features: texts, integers or floats."""
    message = Example()
    for name, items in values.items():
        found = message.features.feature.add(key=name.replace("__", "/")).value
        for item in items:
            kind = {bytes: "bytes_list", int: "int64_list", float: "float_list"}[type(item)]
            getattr(found, kind).value.append(item)
    return dict(example.parse(message.SerializeToString(), "here"))


def stored(labels: Any, names: tuple[str, ...] = (), keys: list[str] | None = None) -> Stored:
    found = labels if isinstance(labels, np.ndarray) else np.array(labels)
    return Stored(lambda indices: indices, found, keys or [f"k{i}" for i in range(len(found))], "print", names)


def lists(*items: list[Any]) -> Any:
    found = np.empty(len(items), object)
    found[:] = list(items)
    return found


def labels(task: str, given: Any, own: tuple[str, ...] = (), **options: Any) -> tuple[Any, tuple[str, ...]]:
    values, found = decode[task](stored(given, own), DataOptions(**{"classes": None, **options}))
    return values.tolist(), found


# Features of records


def test_features_have_a_kind_and_values() -> None:
    made = features(a=[b"x", b"y"], b=[3], c=[0.5, 1.5], empty=[])
    assert example.values(made, "a", "here") == ("bytes", [b"x", b"y"])
    assert example.values(made, "b", "here") == ("int64", [3])
    assert example.values(made, "c", "here") == ("float32", [0.5, 1.5])
    for name in ("d", "empty"):
        with pytest.raises(GraphscopeError, match=f"no feature is named '{name}'; features: a ") as error:
            example.values(made, name, "here")
        assert "x=c,y=a" in str(error.value.hint)
    with pytest.raises(GraphscopeError, match="features: none"):
        example.values({}, "a", "here")
    with pytest.raises(CorruptFileError, match=r"tf\.train\.Example"):
        example.parse(b"\xff", "here")
    told = {name: example.describe(feature) for name, feature in made.items()}
    assert told == {"a": "bytes 2", "b": "int64", "c": "float32 2", "empty": "empty"}


def test_what_an_example_calls_itself() -> None:
    made = features(a=[b"x"], b=[7], two=[b"x", b"y"], real=[0.5])
    assert [example.key(made, name, "here") for name in "ab"] == [b"x", b"7"]
    for name in ("two", "real"):
        with pytest.raises(GraphscopeError, match="name"):
            example.key(made, name, "here")


@pytest.mark.parametrize(
    ("made", "schema"),
    [
        (features(image=[b"long" * 9], image__label=[1], other=[1, 2]), "x=image,y=image/label"),
        (features(image=[b"long" * 9], a=[1], my_class_id=[1]), "x=image,y=my_class_id"),
        (features(image=[b"long" * 9], a_label=[1], y=[1]), "x=image,y=y"),
        (features(image=[b"long" * 9], labels_of=[1], a=[2]), "x=image,y=labels_of"),
        (features(image=[b"long" * 9], a=[1], b=[1]), "x=image,y=a"),
        (features(image=[b"long" * 9]), "x=image,y=image/class/label"),
        ({}, "x=image/encoded,y=image/class/label"),
    ],
)  # fmt: skip
def test_a_schema_is_proposed(made: Any, schema: str) -> None:
    assert re.findall(r'x=[^" ]*', str(example.hint(made))) == [schema]


def test_inputs_of_records() -> None:
    into = input_of(TensorSpec("x:0", FLOAT, (None, 5)), Scaling())
    made = features(
        real=[1.0, 2.0, 3.0, 4.0, 5.0],
        whole=[1, 2, 3, 4, 5],
        raw=[np.arange(5, dtype=np.float32).tobytes()],
        two=[b"a", b"b"],
    )
    made |= features(short=[b"\x01\x02\x03\x04\x05"])
    assert example.input_value(made, "real", "here", into).tolist() == [1, 2, 3, 4, 5]
    assert example.input_value(made, "whole", "here", into).tolist() == [1, 2, 3, 4, 5]
    assert example.input_value(made, "raw", "here", into).tolist() == [0, 1, 2, 3, 4]
    assert example.input_value(made, "short", "here", into).tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(GraphscopeError, match="two holds 2 byte strings"):
        example.input_value(made, "two", "here", into)
    text = input_of(TensorSpec("x:0", DataType.STRING, (None,)), Scaling())
    assert example.input_value(made, "short", "here", text).item() == b"\x01\x02\x03\x04\x05"


# Labels at their limits


def test_numbers_of_classes_have_a_limit() -> None:
    assert labels("classes", [MAX_CLASSES - 1]) == ([MAX_CLASSES - 1], ())
    with pytest.raises(GraphscopeError, match="the limit is 16,777,216"):
        labels("classes", [MAX_CLASSES])


@pytest.mark.parametrize(("count", "more"), [(1, ""), (2, r" \(and 1 more\)"), (1_001, r" \(and 1,000 more\)")])
def test_the_first_example_that_does_not_fit_is_named(count: int, more: str) -> None:
    with pytest.raises(GraphscopeError, match=f"^example k1: label -4 is negative{more}$"):
        labels("classes", [0, *[-4] * count])


def test_names_of_the_data_are_numbered_as_another_source_has_them() -> None:
    assert labels("classes", [0, 2, 2], ("a", "b", "c"), names=("c", "a")) == ([1, 0, 0], ("c", "a"))
    assert labels("classes", [0, 2], ("a", "b", "c"), names=("a", "b", "c")) == ([0, 2], ("a", "b", "c"))
    assert labels("classes", [0, 2], ("a", "b", "c")) == ([0, 2], ("a", "b", "c"))
    with pytest.raises(UnknownNameError, match="'b'"):
        labels("classes", [1], ("a", "b", "c"), names=("c", "a"))
    assert labels("classes", ["b"], ("z", "b")) == ([1], ("z", "b"))
    assert labels("classes", ["b"], ("z", "b"), names=("b", "q")) == ([0], ("b", "q"))
    with pytest.raises(UnknownNameError, match="label of example k0"):
        labels("classes", ["b"], names=("q",))


def test_lists_and_columns_of_one_are_what_they_hold() -> None:
    assert labels("classes", lists([1], [0])) == ([1, 0], ())
    assert labels("classes", lists([b"b"], [b"a"])) == ([1, 0], ("a", "b"))
    with pytest.raises(GraphscopeError, match="labels are lists or mixed values, such as "):
        labels("classes", lists([1], [0, 2]))
    assert labels("multilabel", lists([1], [0, 2])) == ([[0, 1, 0], [1, 0, 1]], ())
    assert labels(AS_STORED, lists([1], [0, 2])) == ([[0, 1, 0], [1, 0, 1]], ())
    assert labels(AS_STORED, np.array([[1, 2], [3, 4]])) == ([[1, 2], [3, 4]], ())
    assert labels(AS_STORED, np.array([["a"], ["b"]])) == ([0, 1], ("a", "b"))


def test_lists_of_zeros_and_ones_are_rows_where_they_repeat_themselves() -> None:
    assert labels("multilabel", lists([0, 1, 1], [0, 0, 0])) == ([[0, 1, 1], [0, 0, 0]], ())
    assert labels("multilabel", lists([0, 1], [1, 0])) == ([[1, 1], [1, 1]], ())
    for wrong in (lists([1, 1], [0]), lists([2, 2], [0, 1])):
        with pytest.raises(GraphscopeError, match=r"example k0: label .* names a class twice"):
            labels("multilabel", wrong)
    assert labels("multilabel", lists([], []), ("a", "b")) == ([[0, 0], [0, 0]], ("a", "b"))
    assert labels("multilabel", lists([], [])) == ([[], []], ())
    assert labels("multilabel", lists(["b"], ["a", "b"]), classes=2) == ([[0, 1], [1, 1]], ("a", "b"))
    assert (
        labels("multilabel", np.eye(2), ("a", "b"))[1]
        == labels("multilabel", np.eye(2), names=("a", "b"))[1]
        == ("a", "b")
    )


def test_numbers_of_a_regression() -> None:
    assert labels("regression", lists([1, 2], [3, 4])) == ([[1, 2], [3, 4]], ())
    with pytest.raises(GraphscopeError, match=r"example k1: label of 3 numbers .*first example, which has 2"):
        labels("regression", lists([1, 2], [3, 4, 5]))
    with pytest.raises(GraphscopeError, match="example k1: label nan is not finite"):
        labels("regression", [1.0, np.nan])
    with pytest.raises(GraphscopeError, match="labels have 2 numbers for each example, the model gives 3"):
        labels("regression", [[1.0, 2.0]], classes=3)
    with pytest.raises(GraphscopeError, match="regression takes numbers"):
        labels("regression", ["a"])


def test_classes_beyond_the_head_are_listed() -> None:
    names = [f"c{i}" for i in range(9)]
    refuse_outside(stored([0]), np.array([0]), names, None)
    refuse_outside(stored([0]), np.array([0]), names, 9)
    with pytest.raises(GraphscopeError, match=r"9 classes \(c0, c1, c2, c3, c4, c5, c6, c7, \.\.\.\), the model 2"):
        refuse_outside(stored([0]), np.array([0]), names, 2)
    with pytest.raises(GraphscopeError, match=r"8 classes \(c0, .*, c7\), the model 2"):
        refuse_outside(stored([0]), np.array([0]), names[:8], 2)


# Choosing


def test_chosen_classes_and_limits() -> None:
    made = stored([0, 1, 2, 1, 2, 2, 0], ("a", "b", "c"))
    found = choose(made, DataOptions(only_classes=("c", "a")))
    assert (found.labels.tolist(), list(found.keys), found.names) == (
        [1, 0, 0, 0, 1],
        ["k0", "k2", "k4", "k5", "k6"],
        ("c", "a"),
    )
    assert found.take(np.array([1, 4])).tolist() == [2, 6]
    limited = choose(made, DataOptions(limit_per_class=1))
    assert sorted(limited.labels.tolist()) == [0, 1, 2]
    assert (limited.names, limited.fingerprint != made.fingerprint) == (("a", "b", "c"), True)
    assert list(limited.keys) == sorted(limited.keys)
    assert choose(made, DataOptions()) is made
    numbers = choose(stored([5, 3, 5]), DataOptions(only_classes=("5",)))
    assert (numbers.labels.tolist(), numbers.names) == ([0, 0], ("5",))
    with pytest.raises(UnknownNameError, match="'d'"):
        choose(made, DataOptions(only_classes=("d",)))
    with pytest.raises(GraphscopeError, match="class 'a' is named twice"):
        choose(made, DataOptions(only_classes=("a", "b", "a")))
    for below in (0, -1):
        with pytest.raises(ArgumentError, match=f"not {below}"):
            choose(made, DataOptions(limit_per_class=below))
    with pytest.raises(GraphscopeError, match="by class"):
        choose(made, DataOptions(task="regression", limit_per_class=1))


# Keys and rows


def test_keys_that_take_no_memory() -> None:
    keys = Numbered(5)
    assert (len(keys), keys[0], keys[-1], keys[1:3]) == (5, "0", "4", ["1", "2"])
    chosen = Chosen(["a", "b", "c"], np.array([2, 0]))
    assert (len(chosen), chosen[0], chosen[-1], chosen[:1]) == (2, "c", "a", ["c"])
    places = _Places([Path("d/x"), Path("d/y"), Path("d/z")], np.array([2, 2, 5]))
    assert (len(places), list(places)) == (5, ["x:0", "x:1", "z:0", "z:1", "z:2"])
    assert (places[-1], places[1:3]) == ("z:2", ["x:1", "z:0"])
    with pytest.raises(IndexError):
        places[5]


def test_rows_are_read_by_position(tmp_path: Path) -> None:
    array = np.arange(24, dtype=">i2").reshape(6, 2, 2)
    (tmp_path / "a").write_bytes(b"head" + array.tobytes())
    rows = Rows(tmp_path / "a", 4, array.dtype, array.shape)
    for indices in ([0], [5, 0, 1, 2, 4], [], [3, 3], [2, 1]):
        found = rows.take(np.array(indices, np.int64))
        np.testing.assert_array_equal(found, array[np.array(indices, np.int64)])
        assert found.dtype == np.int16
    with pytest.raises(CorruptFileError, match="ends at byte 60; the file has 52"):
        Rows(tmp_path / "a", 4, array.dtype, (7, 2, 2))
    for shape in ((), (0, 2), (3, 0)):
        with pytest.raises(UnsupportedError, match="examples"):
            Rows(tmp_path / "a", 4, array.dtype, shape)
    assert Rows(tmp_path / "a", 4, array.dtype, (24,)).take(np.array([23])).tolist() == [23]


@pytest.mark.parametrize(
    "pack", [gzip.compress, zlib.compress, lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])]
)
def test_compressed_files(pack: Any, tmp_path: Path, cache: Path) -> None:
    data = bytes(range(256)) * 900
    (tmp_path / "a").write_bytes(pack(data))
    assert inflate(tmp_path / "a", cache, iter).read_bytes() == data
    assert [head(tmp_path / "a", size) for size in (0, 5)] == [b"", data[:5]]
    assert head(tmp_path / "a", len(data) + 1) == data
    (tmp_path / "cut").write_bytes(pack(data)[:-9])
    with pytest.raises(CorruptFileError, match=r"ends early|damaged"):
        inflate(tmp_path / "cut", cache, iter)
    assert head(tmp_path / "cut", 3) == data[:3]
    (tmp_path / "plain").write_bytes(data)
    assert inflate(tmp_path / "plain", cache, iter) == tmp_path / "plain"
    assert head(tmp_path / "plain", 3) == data[:3]
    with pytest.raises(FileError):
        head(tmp_path / "none", 3)


# Files of images with labels


def test_parts_of_a_directory(tmp_path: Path) -> None:
    into = input_of(TensorSpec("x:0", FLOAT, (None, 4)), Scaling())
    assert idx_pairs(tmp_path / "none") == {}
    for part, count in (("train", 3), ("t10k", 2)):
        write_idx(tmp_path / "d", part, pixels(count, 2, 2), np.arange(count, dtype=np.uint8))
    (tmp_path / "d" / "lonely-images-idx3-ubyte").write_bytes(idx_bytes(pixels(1, 2, 2)))
    assert set(idx_pairs(tmp_path / "d")) == {"train", "t10k"}
    assert is_idx(tmp_path / "d" / "train-images-idx3-ubyte")
    assert not is_idx(tmp_path / "d" / "train-labels-idx1-ubyte")
    for part, count in (("", 3), ("train", 3), ("test", 2), ("10k", 2)):
        assert len(open_idx(tmp_path / "d", part, into, DataOptions()).keys) == count
    with pytest.raises(UnknownNameError, match="'other'"):
        open_idx(tmp_path / "d", "other", into, DataOptions())
    write_idx(tmp_path / "one", "emnist", pixels(4, 2, 2), np.arange(4, dtype=np.uint8))
    assert len(open_idx(tmp_path / "one", "", into, DataOptions()).keys) == 4


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\0\0\x08", UnsupportedError),
        (b"\0\1\x08\1\0\0\0\1x", UnsupportedError),
        (b"\0\0\x07\1\0\0\0\1x", UnsupportedError),
        (b"\0\0\x08\0x", UnsupportedError),
        (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"x", UnsupportedError),
        (b"\0\0\x08\3\0\0\0\1\0\0\0", CorruptFileError),
        (b"\0\0\x08\3\0\0\0\3\0\0\0\2\0\0\0\2" + b"x" * 11, CorruptFileError),
        (idx_bytes(pixels(2, 2, 2)), CorruptFileError),
    ],
)
def test_images_that_are_none(content: bytes, error: type[Exception], tmp_path: Path) -> None:
    into = input_of(TensorSpec("x:0", FLOAT, (None, 4)), Scaling())
    write_idx(tmp_path / "d", "train", pixels(3, 2, 2), np.arange(3, dtype=np.uint8))
    (tmp_path / "d" / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(error):
        open_idx(tmp_path / "d", "", into, DataOptions())


# Inputs


@pytest.mark.parametrize(
    ("stated", "given", "expected"),
    [
        ((None, 6), (2, 6), (2, 6)),
        ((None, 6), (2, 2, 3), (2, 6)),
        ((None, 2, 3), (2, 6), (2, 2, 3)),
        ((None, None), (2, 5), (2, 5)),
        ((None, None), (2, 5, 1), None),
        ((None, 6), (2, 5), None),
        (None, (2, 5), (2, 5)),
        ((), (2,), None),
    ],
)
def test_rows_fit_an_input(stated: Any, given: tuple[int, ...], expected: Any) -> None:
    into = input_of(TensorSpec("x:0", FLOAT, stated), Scaling())
    if expected is None:
        with pytest.raises(GraphscopeError, match=r"an example is|is a scalar"):
            into.values(np.zeros(given, np.float32))
    else:
        assert into.values(np.zeros(given, np.float32)).shape == expected
    assert into.elements() == (None if not stated or None in stated[1:] else 6)


@pytest.mark.parametrize(
    ("stated", "given", "fits"),
    [
        ((None, 4, 4, 1), (2, 4, 4), True),
        ((None, 4, 4, 1), (2, 4, 4, 1), True),
        ((None, 4, 4, 1), (2, 16), True),
        ((None, 4, 4, 1), (2, 15), False),
        ((None, 4, 4, 3), (2, 4, 4, 3), True),
        ((None, 4, 4, 3), (2, 4, 4), False),
        ((None, 4, 4, 3), (2, 48), True),
        ((None, 6, 6), (2, 6, 6), True),
        ((None, 16), (2, 4, 4), True),
    ],
)
def test_bytes_are_pixels_of_some_shape(stated: Any, given: tuple[int, ...], fits: bool) -> None:
    into = input_of(TensorSpec("x:0", FLOAT, stated), Scaling())
    rows = pixels(*given)
    if not fits:
        with pytest.raises(GraphscopeError, match="takes pictures"):
            into.values(rows)
        return
    found = into.values(rows)
    assert found.shape == (2, *stated[1:])
    np.testing.assert_allclose(found.reshape(-1), rows.reshape(-1) / 255, rtol=1e-6)


def test_pictures_need_a_size() -> None:
    any_size = TensorSpec("x:0", FLOAT, (None, None, None, 3))
    with pytest.raises(GraphscopeError, match="takes pictures of any size") as error:
        input_of(any_size, Scaling()).picture()
    assert "size" in str(error.value.hint)
    sized = input_of(any_size, Scaling(), (5, 7)).picture()
    assert (sized.height, sized.width) == (5, 7)
    stated = input_of(TensorSpec("x:0", FLOAT, (None, 4, None, 3)), Scaling(), (5, 7)).picture()
    assert (stated.height, stated.width) == (4, 7)
    with pytest.raises(GraphscopeError, match="takes one picture at a time") as error:
        input_of(TensorSpec("x:0", FLOAT, (4, 4, 3)), Scaling()).picture()
    assert error.value.hint is None
    assert input_of(TensorSpec("x:0", FLOAT, (None, 7)), Scaling()).pictures is None


# Functions


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 1", "returned int"),
        ("return set()", "returned set, but"),
        ("return type('Some', (), {'__getitem__': None})()", "returned Some, but"),
        ("return [1], [2], [3]", "returned tuple|raised"),
        ("return [1, 2], [3]", r"x is \(2,\), y \(1,\)"),
        ("return 1, [3]", r"x is \(\), y \(1,\)"),
        ("raise OSError('no')", "raised OSError: no"),
    ],
)
def test_functions_that_give_no_examples(
    body: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"made_{abs(hash(body))}"
    (tmp_path / f"{name}.py").write_text(f"def load():\n    {body}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    into = input_of(TensorSpec("x:0", FLOAT, (None,)), Scaling())
    with pytest.raises(GraphscopeError, match=message):
        open_function(f"python:{name}:load", into)


def test_functions_that_give_arrays_or_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "given_here.py").write_text(
        "class Items(list):\n    pass\n\n"
        "def arrays():\n    return [[1.0], [2.0]], [3, 4]\n\n"
        "def empty():\n    return [], []\n\n"
        "def items():\n    return Items([([1.0], [0]), ([2.0], [1, 2])])\n\n"
        "def rows():\n    return Items([([1.0], [0, 1]), ([2.0], [1, 0])])\n\n"
        "def named():\n    found = items()\n    found.labels, found.fingerprint = [5, 6], 'print'\n    return found\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    into = input_of(TensorSpec("x:0", FLOAT, (None, 1)), Scaling())
    arrays, items, again, named = (
        open_function(f"python:given_here:{n}", into) for n in ("arrays", "items", "items", "named")
    )
    assert (arrays.labels.tolist(), len(arrays.keys), arrays.take(np.array([1])).tolist()) == ([3, 4], 2, [[2.0]])
    assert arrays.fingerprint == open_function("python:given_here:arrays", into).fingerprint
    assert (items.labels.tolist(), items.take(np.array([1, 0])).tolist()) == ([[0], [1, 2]], [[2.0], [1.0]])
    assert items.fingerprint != again.fingerprint
    assert open_function("python:given_here:rows", into).labels.tolist() == [[0, 1], [1, 0]]
    assert open_function("python:given_here:rows", into).labels.dtype == np.int64
    assert named.labels.tolist() == [5, 6]
    assert named.fingerprint == open_function("python:given_here:named", into).fingerprint
    assert len(open_function("python:given_here:empty", into).keys) == 0


# Folders


def test_folders_that_are_no_data(tmp_path: Path) -> None:
    from graphscope.training.data.folder import is_folder, open_folder

    into = input_of(TensorSpec("x:0", FLOAT, (None, 8, 8, 3)), Scaling())
    options = DataOptions(cache=tmp_path / "cache")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").touch()
    assert not is_folder(tmp_path / "text")
    assert not is_folder(tmp_path / "none")
    write_pictures(tmp_path / "d", {"b": 2, "a": 1})
    (tmp_path / "d" / ".hidden").mkdir()
    assert is_folder(tmp_path / "d")
    found = open_folder(tmp_path / "d", into, options)
    assert (list(found.keys), found.labels.tolist(), found.names) == (
        ["a/0.png", "b/0.png", "b/1.png"],
        [0, 1, 1],
        ("a", "b"),
    )
    (tmp_path / "d" / "c" / "inner").mkdir(parents=True)
    with pytest.raises(GraphscopeError, match="a class folder without pictures") as error:
        open_folder(tmp_path / "d", into, options)
    assert str(error.value.hint).startswith("is ")
    (tmp_path / "d" / "c" / "inner").rmdir()
    with pytest.raises(GraphscopeError, match="a class folder without pictures") as error:
        open_folder(tmp_path / "d", into, options)
    assert str(error.value.hint).startswith("remove it")
    (tmp_path / "d" / "c" / "x.png").write_bytes(b"no picture")
    with pytest.raises(GraphscopeError, match=r"c: .*picture of this class"):
        open_folder(tmp_path / "d", into, options)
    for count in (1, 2, 5, 6):
        for number in range(count):
            (tmp_path / "d" / "b" / f"bad{number}.png").write_bytes(b"none")
        (tmp_path / "d" / "c" / "x.png").unlink(missing_ok=True)
        if (tmp_path / "d" / "c").exists():
            (tmp_path / "d" / "c").rmdir()
        [note] = open_folder(tmp_path / "d", into, options).notes
        noun = "1 unreadable picture" if count == 1 else f"{count} unreadable pictures"
        listed = ", ".join(f"b/bad{number}.png" for number in range(min(count, 5)))
        assert note == f"{noun} skipped: {listed}" + (" and 1 more" if count > 5 else "")
    with pytest.raises(CorruptFileError) as strict:
        open_folder(tmp_path / "d", into, DataOptions(cache=tmp_path / "cache", strict=True))
    assert isinstance(strict.value, FormatError)
