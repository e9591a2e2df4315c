"""Random strings that are looked up in a table: most are among its keys, and some are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphscope
from graphscope.core.model import Model
from graphscope.feeding.feeds import required_inputs
from graphscope.feeding.random_values import STRINGS, random_feeds
from tests.support.running import tf

SCALAR = tf.TensorSpec([], tf.string, name="s")
VECTOR = tf.TensorSpec([None], tf.string, name="s")
Table = Callable[[Path], Any]


def from_file(text: str, column: int | None = None, delimiter: str = "\t") -> Table:
    """A table of the lines, or of one column, of a vocabulary."""

    def make(place: Path) -> Any:
        (place / "words.txt").write_text(text)
        index = tf.lookup.TextFileIndex
        key = index.WHOLE_LINE if column is None else column
        words = tf.lookup.TextFileInitializer(
            str(place / "words.txt"), tf.string, key, tf.int64, index.LINE_NUMBER, delimiter=delimiter
        )
        return tf.lookup.StaticHashTable(words, -1)

    return make


def of_constants(place: Path) -> Any:
    words = tf.lookup.KeyValueTensorInitializer(["cat", "dog"], tf.constant([3, 4], tf.int64))
    return tf.lookup.StaticHashTable(words, -1)


def saved(make: Table, place: Path, spec: Any = VECTOR) -> Path:
    """A SavedModel whose input is looked up; the file that its table came from is gone."""
    place.mkdir()
    net = tf.Module()
    net.table = make(place)
    net.get = tf.function(lambda s: {"i": net.table.lookup(s)}, input_signature=[spec])
    tf.saved_model.save(net, str(place / "m"), signatures=net.get)
    (place / "words.txt").unlink(missing_ok=True)
    return place / "m"


def strings(model: Model) -> set[bytes]:
    """What random inputs are in 40 batches."""
    [spec] = required_inputs(model, ["StatefulPartitionedCall:0"])
    values = [random_feeds([spec], seed=seed)[spec.name] for seed in range(40)]
    assert all(value.dtype == object and value.ndim == len(spec.shape or ()) for value in values)
    return {text for value in values for text in value.ravel().tolist()}


@pytest.mark.parametrize(
    ("make", "spec"),
    [
        (from_file("cat\r\ndog\r\n"), VECTOR),
        (from_file("cat\ndog"), SCALAR),
        (from_file("0,cat\n1,dog\n", 1, ","), VECTOR),
        (of_constants, VECTOR),
    ],
    ids=["file", "scalar", "column", "constants"],
)
def test_keys_of_the_table_and_others(make: Table, spec: Any, tmp_path: Path) -> None:
    model = graphscope.load(saved(make, tmp_path / "a", spec))
    words = strings(model)
    assert {b"cat", b"dog"} < words <= {b"cat", b"dog", *STRINGS}


def test_a_vocabulary_that_is_gone(tmp_path: Path) -> None:
    directory = saved(from_file("cat\ndog\n"), tmp_path / "a")
    (directory / "assets" / "words.txt").unlink()
    assert strings(graphscope.load(directory)) <= set(STRINGS)


def test_other_vocabularies_make_other_models(tmp_path: Path) -> None:
    one, other = (saved(from_file(text), tmp_path / text[0]) for text in ("cat\ndog\n", "dog\ncat\n"))
    assert graphscope.verify(one, one, trust=True).is_equal
    assert not graphscope.verify(one, other, trust=True).is_equal
