"""Truncated and flipped checkpoints: the right answer or our error."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphscope.errors import GraphscopeError
from graphscope.formats.checkpoint.v1 import TableStore
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.formats.io.checksum import masked_crc32c
from tests.support.saving import small_v1, small_v2, tf
from tests.support.tables import read_all, read_table, write_table

INDEX, DATA = "model.index", "model.data-00000-of-00001"
MANY = settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def good_v2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_v2(tmp_path_factory.mktemp("v2"))


@pytest.fixture(scope="module", params=["plain", "compressed"])
def good_v1(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    path = small_v1(tmp_path_factory.mktemp("v1") / "model")
    if request.param == "compressed":
        write_table(path, read_table(path), compress=True, per_block=2)
    return path


def read_v2(directory: Path) -> dict[str, Any]:
    return read_all(BundleStore(f"{directory}/model"))


def read_v1(path: Path) -> dict[str, Any]:
    return read_all(TableStore([path]))


def right_or_refused(read: Callable[[], dict[str, Any]], expected: dict[str, Any]) -> bool:
    """Reads; whatever is no error of ours goes through to the test. Whether the answer was given."""
    try:
        found = read()
    except GraphscopeError:
        return False
    assert found == expected
    return True


def truncations(data: bytes) -> Iterator[bytes]:
    return (data[:size] for size in range(len(data)))


@pytest.mark.parametrize("name", [INDEX, DATA])
def test_v2_truncated_anywhere(tmp_path: Path, good_v2: Path, name: str) -> None:
    expected = read_v2(good_v2)
    directory = Path(shutil.copytree(good_v2, tmp_path / "copy"))
    for data in truncations((good_v2 / name).read_bytes()):
        (directory / name).write_bytes(data)
        assert not right_or_refused(lambda: read_v2(directory), expected)
        if name == DATA:
            assert len(BundleStore(f"{directory}/model").entries) == 5, "the index is whole: entries are listed"


def test_v1_truncated_anywhere(tmp_path: Path, good_v1: Path) -> None:
    expected, path = read_v1(good_v1), tmp_path / "model"
    for data in truncations(good_v1.read_bytes()):
        path.write_bytes(data)
        assert not right_or_refused(lambda: read_v1(path), expected)


def flipped(data: bytes, flips: list[tuple[int, int]]) -> bytes:
    """``data`` with bits changed, each at a place given in thousandths of a thousandth of its length."""
    changed = bytearray(data)
    for place, bits in flips:
        changed[place * len(data) // 1_000_000] ^= bits
    return bytes(changed)


FLIPS = st.lists(st.tuples(st.integers(0, 999_999), st.integers(1, 255)), min_size=1, max_size=3)


@MANY
@given(name=st.sampled_from([INDEX, DATA]), flips=FLIPS)
def test_v2_flipped_anywhere(tmp_path: Path, good_v2: Path, name: str, flips: list[tuple[int, int]]) -> None:
    directory = Path(shutil.copytree(good_v2, tmp_path / "copy", dirs_exist_ok=True))
    (directory / name).write_bytes(flipped((good_v2 / name).read_bytes(), flips))
    right_or_refused(lambda: read_v2(directory), read_v2(good_v2))


@MANY
@given(flips=FLIPS)
def test_v1_flipped_anywhere(tmp_path: Path, good_v1: Path, flips: list[tuple[int, int]]) -> None:
    path = tmp_path / "model"
    path.write_bytes(flipped(good_v1.read_bytes(), flips))
    right_or_refused(lambda: read_v1(path), read_v1(good_v1))


def test_every_byte_of_a_value_is_covered(tmp_path: Path, good_v2: Path) -> None:
    expected = read_v2(good_v2)
    directory = Path(shutil.copytree(good_v2, tmp_path / "copy"))
    data = (good_v2 / DATA).read_bytes()
    for at in range(len(data)):
        (directory / DATA).write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        assert not right_or_refused(lambda: read_v2(directory), expected), f"byte {at}"


def test_a_compressed_index(tmp_path: Path, good_v2: Path) -> None:
    """TensorFlow reads such, though it writes none; it takes what the tests' own writer makes."""
    shutil.copytree(good_v2, tmp_path, dirs_exist_ok=True)
    write_table(tmp_path / INDEX, read_table(good_v2 / INDEX), compress=True, per_block=2)
    assert read_v2(tmp_path) == read_v2(good_v2)
    value = tf.train.load_checkpoint(f"{tmp_path}/model").get_tensor("a/weights")
    assert value.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_the_checksum_is_tensorflows() -> None:
    """The value that ``crc32c_test.cc`` states for 32 zeros, masked."""
    crc = 0x8A9136AA
    assert masked_crc32c(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
