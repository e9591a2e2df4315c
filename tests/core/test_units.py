"""Amounts as people read them: three digits, the next unit where they would not do."""

from __future__ import annotations

import pytest

from graphscope.core.units import count, duration, short_count, size


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((None, "?"), (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1234, "1.23 kB")),
        *((99_950, "100 kB"), (999_499, "999 kB"), (999_500, "1 MB"), (999_499_999, "999 MB"), (999_500_000, "1 GB")),
        *((10**12, "1 TB"), (10**15, "1 PB"), (10**18, "1 EB"), (2**63, "9.22 EB"), (10**400, "over 999 EB")),
    ],
)
def test_bytes(number: int | None, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (156, "156"), (999, "999"), (1000, "1k"), (48_120, "48.1k"), (25_557_032, "25.6M"), (1.5e9, "1.5G")],
)
def test_counts_of_many(number: float, text: str) -> None:
    assert short_count(int(number)) == text


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        *((0, "0 µs"), (12, "12 µs"), (999.4, "999 µs"), (999.6, "1 ms"), (3400, "3.4 ms")),
        *((999_400, "999 ms"), (999_500, "1 s"), (1_200_000, "1.2 s")),
    ],
)
def test_durations(microseconds: float, text: str) -> None:
    assert duration(microseconds) == text


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(0, "node", "no nodes"), (1, "batch", "1 batch"), (2, "batch", "2 batches"), (1234, "class", "1,234 classes")],
)
def test_counts(number: int, noun: str, text: str) -> None:
    assert count(number, noun) == text
