"""Devices for time estimates: their compute throughput and memory bandwidth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from graphscope.errors import GraphscopeError, UnknownNameError


@dataclass(frozen=True, slots=True)
class Device:
    """A device's peak performance.

    Attributes:
        name: as ``--device`` takes it, or the text of ``--peak``.
        flops_per_s: float32 operations, dense, without tensor cores.
        bytes_per_s: from and to its memory.
        source: where the figures are from.
    """

    name: str
    flops_per_s: float
    bytes_per_s: float
    source: str = ""


def _devices(*rows: tuple[str, float, float, str]) -> Mapping[str, Device]:
    return {
        name: Device(name, teraflops * 1e12, gigabytes * 1e9, source) for name, teraflops, gigabytes, source in rows
    }


DEVICES = _devices(
    ("p100", 10.6, 732, "NVIDIA Tesla P100 data sheet, SXM2 16 GB"),
    ("v100", 15.7, 900, "NVIDIA V100 data sheet, SXM2"),
    ("t4", 8.1, 300, "NVIDIA T4 data sheet"),
    ("a10", 31.2, 600, "NVIDIA A10 data sheet"),
    ("a100", 19.5, 1555, "NVIDIA A100 data sheet, 40 GB"),
    ("a100-80gb", 19.5, 2039, "NVIDIA A100 data sheet, SXM 80 GB"),
    ("l4", 30.3, 300, "NVIDIA L4 data sheet"),
    ("h100", 67, 3350, "NVIDIA H100 data sheet, SXM"),
)
"""Name -> device."""

_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_FLOPS = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGTP]?)FLOP(?:S|/s)?", re.IGNORECASE)
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGTP]?)B/s", re.IGNORECASE)


def device_named(name: str) -> Device:
    """The device of the table with a name, in any case.

    Raises:
        UnknownNameError: there is none.
    """
    found = DEVICES.get(name.lower())
    if found is None:
        raise UnknownNameError("device", name, sorted(DEVICES))
    return found


def parse_peak(text: str) -> Device:
    """``10TFLOPS,50GB/s``.

    Raises:
        GraphscopeError: it is something else.
    """
    flops, comma, rest = text.partition(",")
    computed, read = _FLOPS.fullmatch(flops.strip()), _BYTES.fullmatch(rest.strip())
    if not comma or computed is None or read is None or not (_number(computed) and _number(read)):
        raise GraphscopeError(f"{text!r} is not a peak such as 10TFLOPS,50GB/s")
    return Device(text, _number(computed), _number(read))


def _number(match: re.Match[str]) -> float:
    prefixes = {prefix.upper(): factor for prefix, factor in _UNITS.items()}
    return float(match[1]) * prefixes[match[2].upper()]
