"""Options of the commands that run a graph: devices, threads, memory, and placement of nodes."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from graphscope.cli.options.shared import repeatable
from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from graphscope.runtime.config import SessionOptions
    from graphscope.transforms.device_placement import Rule

DefaultDevice = Annotated[
    str,
    typer.Option(
        "--device", metavar="DEVICE", show_default=False, help="Run nodes without a device on this one: gpu:0."
    ),
]
Devices = Annotated[
    str, typer.Option("--devices", metavar="TYPE:N", show_default=False, help="Create virtual devices: cpu:4.")
]
SoftPlacement = Annotated[
    bool, typer.Option("--soft-placement/--no-soft-placement", help="Fall back to an available device.")
]
AllowGrowth = Annotated[bool, typer.Option("--allow-growth", help="Allocate GPU memory as needed.")]
GpuMemoryFraction = Annotated[
    float | None,
    typer.Option(
        "--gpu-memory-fraction",
        metavar="X",
        min=0,
        max=1,
        show_default=False,
        help="Fraction of each GPU's memory to use.",
    ),
]
Threads = Annotated[
    str,
    typer.Option(
        "--threads", metavar="INTRA,INTER", show_default=False, help="Threads within one op, and for independent ops."
    ),
]
LogPlacement = Annotated[
    bool, typer.Option("--log-placement", help="Report the device of each node, as TensorFlow places the graph.")
]
LogExecuted = Annotated[
    bool, typer.Option("--log-executed", help="Report what ran on which device, after TensorFlow's optimizations.")
]
ClearDevices = Annotated[bool, typer.Option("--clear-devices", help="Ignore the device assignments of the graph.")]
Place = Annotated[
    list[str], repeatable("--place", "REGEX=DEVICE", "Run nodes with matching names on a device; repeatable.")
]


class EngineChoice(str, enum.Enum):
    """``--engine``: see :data:`graphscope.runtime.engines.table.CHOICES`."""

    TENSORFLOW = "tensorflow"
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    TFJS = "tfjs"


Engine = Annotated[
    EngineChoice | None,
    typer.Option(
        "--engine",
        show_default=False,
        help="Compute with this runtime; default: tensorflow, for files of other runtimes their own.",
    ),
]


def session_options(
    devices: str = "",
    soft_placement: bool = True,
    allow_growth: bool = False,
    gpu_memory_fraction: float | None = None,
    threads: str = "",
    log_placement: bool = False,
    log_executed: bool = False,
) -> SessionOptions:
    """The given options; an invalid one is wrong usage."""
    from graphscope.runtime.config import SessionOptions

    if gpu_memory_fraction == 0:
        _wrong("--gpu-memory-fraction", "must be greater than 0")
    intra, inter = _threads(threads)
    return SessionOptions(
        devices=_counts(devices),
        soft_placement=soft_placement,
        allow_growth=allow_growth,
        gpu_memory_fraction=gpu_memory_fraction,
        intra_threads=intra,
        inter_threads=inter,
        log_placement=log_placement,
        log_executed=log_executed,
    )


def placement_rules(texts: list[str]) -> list[Rule]:
    """``--place``; an invalid rule is wrong usage."""
    from graphscope.transforms.device_placement import parse_rule

    try:
        return [parse_rule(text) for text in texts]
    except GraphscopeError as error:
        _wrong("--place", error.message)


def default_device(text: str) -> str:
    """``--device``; anything but a device is wrong usage."""
    from graphscope.transforms.device_placement import parse_device

    try:
        return parse_device(text) if text else ""
    except GraphscopeError as error:
        _wrong("--device", error.message)


_COUNT = re.compile(r"/?(?:device:)?([A-Za-z]\w*):(\d{1,9})")


def _counts(text: str) -> dict[str, int]:
    found = {}
    for part in text.split(",") if text else ():
        match = _COUNT.fullmatch(part.strip())
        if match is None:
            _wrong("--devices", f"{part!r} is not of the form TYPE:N, for example cpu:4")
        found[match[1].upper()] = int(match[2])
    if found.get("CPU") == 0:
        _wrong("--devices", "TensorFlow needs at least one CPU")
    return found


_THREADS = re.compile(r"\d{0,9}")


def _threads(text: str) -> tuple[int, int]:
    """``4`` is threads within an op, ``4,2`` both, ``,2`` the second alone."""
    intra, inter = (part.strip() for part in (*text.split(",", 1), "")[:2])
    if not all(_THREADS.fullmatch(part) for part in (intra, inter)):
        _wrong("--threads", f"{text!r} is not of the form INTRA,INTER, for example 4,2")
    return int(intra or 0), int(inter or 0)


def _wrong(option: str, message: str) -> NoReturn:
    raise typer.BadParameter(message, param_hint=option)
