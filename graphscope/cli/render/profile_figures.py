"""Times, rates, shares and devices of a profile, as people read them."""

from __future__ import annotations

from graphscope.tracing.report import Times

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_LOCAL = "/job:localhost/replica:0/task:0/device:"


def duration(us: float) -> str:
    """Microseconds with three digits and a unit: ``6.94 ms``."""
    for factor, unit in ((1e6, "s"), (1e3, "ms")):
        if us >= factor * 0.9995:
            return f"{us / factor:.3g} {unit}"
    return f"{us:.3g} us"


def rate(per_s: float | None) -> str:
    """Operations with three digits and a decimal prefix: ``6.8 G``; empty for ``None``."""
    if per_s is None:
        return ""
    factor, prefix = next(((f, p) for f, p in _PREFIXES if per_s >= f * 0.9995), (1.0, ""))
    return f"{per_s / factor:.3g} {prefix}".rstrip()


def percent(share: float) -> str:
    """``68 %``, ``0.3 %`` below one, nothing for nothing."""
    return f"{share:.0%}".replace("%", " %") if share >= 0.0995 else f"{share * 100:.1f} %" if share else ""


def quartiles(times: Times) -> str:
    """The quartiles in the unit of the median: ``6.81-8.75``."""
    factor = 1e6 if times.wall_us >= 999_500 else 1e3 if times.wall_us >= 999.5 else 1
    return f"{_short(times.low_us / factor)}-{_short(times.high_us / factor)}"


def number(value: float) -> str:
    """Three digits at least, never an exponent: ``1,113``, ``17.4``."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def _short(value: float) -> str:
    """Three digits, never an exponent."""
    return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def device(name: str) -> str:
    """``CPU:0`` on this machine, ``worker:1 CPU:0`` in a cluster."""
    if name.startswith(_LOCAL):
        return name.removeprefix(_LOCAL)
    parts = dict(part.partition(":")[::2] for part in name.strip("/").split("/"))
    if "device" not in parts:
        return name
    task = f"{parts['job']}:{parts.get('task', '0')} " if "job" in parts else ""
    return task + parts["device"]
