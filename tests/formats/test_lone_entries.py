"""A single entry of a checkpoint's index is what it is among all, and costs one block of the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.analysis.detail import show
from graphscope.analysis.variable_rows import find_weight, list_weights
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, UnknownNameError
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.protos import BundleEntryProto
from tests.support.fixture_files import FIXTURES
from tests.support.saving import save_named_v2, save_v2
from tests.support.tables import read_table, write_table
from tests.support.zoo_files import needs_zoo, zoo_files

INDEXES = [*sorted(FIXTURES.rglob("*.index")), *zoo_files("*.index")]


def short(index: Path) -> str:
    return "/".join(index.parts[-3:])


def prefix_of(index: Path) -> str:
    return str(index).removesuffix(".index")


@needs_zoo
@pytest.mark.parametrize("index", INDEXES, ids=short)
def test_each_entry_by_itself(index: Path) -> None:
    whole = BundleStore(prefix_of(index))
    for key, entry in whole.entries.items():
        lone = BundleStore(prefix_of(index), lazily=True)
        assert lone.entries[key] == entry
        assert key in lone.entries
    lone = BundleStore(prefix_of(index), lazily=True)
    for key in ("", "nowhere", next(iter(whole.entries), "a") + "/"):
        assert key not in lone.entries
        with pytest.raises(KeyError):
            lone.payload(key)
    assert list(lone.entries) == list(whole.entries)
    assert len(lone.entries) == len(whole.entries)


def test_partitions_and_strange_names(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model")
    values = np.arange(24, dtype=np.float32).reshape(6, 4)
    names = ["w", "w", "plain", b"odd\xff", b"back\\xff"]
    slices = ["6 4 0,2:0,4", "6 4 2,4:0,4", "", "", ""]
    save_named_v2(prefix, names, [values[:2], values[2:], values[0], values[1], values[2]], slices)
    whole = BundleStore(prefix)
    for key, entry in whole.entries.items():
        lone = BundleStore(prefix, lazily=True)
        assert lone.entries[key] == entry
        np.testing.assert_array_equal(lone.payload(key).numpy(), whole.payload(key).numpy())
    np.testing.assert_array_equal(BundleStore(prefix, lazily=True).payload("w").numpy(), values)


def test_slices_that_share_their_bytes(tmp_path: Path) -> None:
    """A hundred slices that are the same bytes of the file would take a hundred times its size."""
    prefix = str(tmp_path / "model")
    save_named_v2(prefix, ["w", "w"], [np.ones([4], np.float32), np.ones([4], np.float32)], ["8 0,4", "8 4,4"])
    items = read_table(Path(f"{prefix}.index"))
    first, second = (BundleEntryProto.FromString(value) for key, value in sorted(items.items()) if len(key) > 1)
    second.offset = first.offset
    key = sorted(key for key in items if len(key) > 1)[1]
    write_table(Path(f"{prefix}.index"), items | {key: second.SerializeToString()})
    for lazily in (True, False):
        with pytest.raises(CorruptFileError, match="overlaps another"):
            BundleStore(prefix, lazily=lazily).payload("w")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> str:
    prefix = str(tmp_path_factory.mktemp("many") / "model")
    save_v2(prefix, {f"layer_{i:03d}/weights": np.full(2, i, np.float32) for i in range(100)})
    index = Path(prefix + ".index")
    write_table(index, read_table(index))  # in many blocks
    return prefix


def broken_at_the_end(prefix: str) -> None:
    """Flips a bit in the last data block of the table."""
    index = Path(prefix + ".index")
    data = bytearray(index.read_bytes())
    data[data.index(b"layer_099")] ^= 1
    index.write_bytes(data)


def test_show_reads_one_block(many: str, tmp_path: Path) -> None:
    prefix = str(tmp_path / "model")
    for suffix in (".index", ".data-00000-of-00001"):
        Path(prefix + suffix).write_bytes(Path(many + suffix).read_bytes())
    broken_at_the_end(prefix)
    with pytest.raises(CorruptFileError):
        graphscope.load(prefix)
    model = graphscope.load(prefix, lazily=True)
    detail = show(model, "layer_007/weights")
    assert detail.weight is not None
    assert detail.values is not None
    assert (detail.weight.dtype, detail.values.tolist()) == (DataType.FLOAT, [7, 7])
    with pytest.raises(CorruptFileError):
        show(model, "layer_099/weights")


def test_a_name_that_is_not_there_is_looked_for_among_all(many: str) -> None:
    with pytest.raises(UnknownNameError, match="layer_007/weights"):
        show(graphscope.load(many, lazily=True), "layer_007/weight")


GRAPHLESS = [i for i in INDEXES if not Path(prefix_of(i) + ".meta").exists()]


@needs_zoo
@pytest.mark.parametrize("index", GRAPHLESS, ids=short)
def test_a_row_found_alone_is_the_row_of_the_list(index: Path) -> None:
    model = graphscope.load(prefix_of(index))
    if model.has_graph:
        return
    for row in list_weights(model):
        lone = graphscope.load(prefix_of(index), lazily=True)
        found, content = find_weight(lone, row.key or row.name)
        assert found == row
        assert content is not None
        assert find_weight(lone, row.name)[0].name == row.name
