"""``graphscope profile``."""

from __future__ import annotations

import enum
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from graphscope.api.profile import Profiled, read_profile
from graphscope.api.profile import profile as profile_model
from graphscope.cli.options import session, shared
from graphscope.cli.options.loading import load
from graphscope.cli.render.profile import next_steps, write_json, write_profile
from graphscope.cli.render.profile_lists import rows_by
from graphscope.cli.terminal.interrupts import ended_by_interrupt
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker
from graphscope.cli.terminal.text import size
from graphscope.cli.terminal.views import write_rows
from graphscope.formats.io.places import refuse_closed, refuse_unwritable
from graphscope.runtime.config import Placing
from graphscope.tracing.report import Profile


class By(str, enum.Enum):
    """What ``--by`` lists."""

    NODE = "node"
    OP = "op"
    SCOPE = "scope"
    DEVICE = "device"
    PATH = "path"
    PLACEMENT = "placement"
    EXECUTED = "executed"


MaybeModel = Annotated[
    str, typer.Argument(metavar="MODEL", show_default=False, help="The model to run; leave it out with --from.")
]
Outputs = Annotated[
    list[str], shared.repeatable("--output", "NAME", "Compute this node or tensor (train ops too); repeatable.")
]
Feeds = Annotated[
    list[str],
    shared.repeatable(
        "--feed",
        "NAME=VALUE",
        "Feed a tensor, as in run; default: random values, training switches off.",
    ),
]


def profile(
    model: MaybeModel = "",
    *,
    feed: Feeds,
    output: Outputs,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Size of unknown dimensions.")] = 1,
    steps: Annotated[int, typer.Option("--steps", metavar="N", min=1, help="Number of traced runs.")] = 10,
    warmup: Annotated[int, typer.Option("--warmup", metavar="N", min=1, help="Number of untraced warm-up runs.")] = 3,
    from_: Annotated[
        Path | None,
        typer.Option("--from", metavar="LOGDIR", show_default=False, help="Report traces from a training log."),
    ] = None,
    by: Annotated[
        By | None,
        typer.Option(
            "--by",
            show_default=False,
            help="List costs by node, op, scope, device or path, the placement, or what executed.",
        ),
    ] = None,
    placement: Annotated[
        bool, typer.Option("--placement", help="List the device of every node, as TensorFlow places the graph.")
    ] = False,
    logdir: Annotated[
        Path | None,
        typer.Option("--logdir", metavar="DIR", show_default=False, help="Write the traced steps for TensorBoard."),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option("--trace", metavar="FILE.json", show_default=False, help="Write a timeline for Perfetto."),
    ] = None,
    force: shared.Force = False,
    device: session.DefaultDevice = "",
    devices: session.Devices = "",
    clear_devices: session.ClearDevices = False,
    place: session.Place,
    soft_placement: session.SoftPlacement = False,
    allow_growth: session.AllowGrowth = False,
    gpu_memory_fraction: session.GpuMemoryFraction = None,
    threads: session.Threads = "",
    master: Annotated[
        str,
        typer.Option("--master", metavar="grpc://HOST:PORT", show_default=False, help="Run on this master's cluster."),
    ] = "",
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="FILE",
            show_default=False,
            help="Run on all tasks of the cluster that this YAML or JSON file lists, or TF_CONFIG.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, metavar="S", help="Seconds that a master or a task may take.")
    ] = 60.0,
    trust: shared.Trust = False,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Measure what a run costs: time, memory, devices and the critical path."""
    if bool(model) == (from_ is not None):
        raise typer.BadParameter("name a model to run, or --from LOGDIR, not both", param_hint="MODEL")
    if from_ is not None and logdir is not None:
        raise typer.BadParameter("cannot be used with --from", param_hint="--logdir")
    sink = Sink.standard()
    settings = session.session_options(devices, soft_placement, allow_growth, gpu_memory_fraction, threads)
    placing = Placing(clear_devices, session.placement_rules(place), session.default_device(device), master)
    _refuse_unwritable(logdir, trace, force)
    if from_ is not None:
        found = read_profile(from_)
    else:
        loaded = load(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
        with ended_by_interrupt(lambda: sink.note("interrupted")):
            found = profile_model(
                loaded,
                feed,
                outputs=output,
                batch=batch,
                steps=steps,
                warmup=warmup,
                placing=placing,
                session=settings,
                cluster=cluster,
                timeout=timeout,
                trust=trust,
                listener=Speaker(sink),
            )
    _write(sink, found, logdir, trace, force)
    given = _typed_options(
        {
            "--feed": feed,
            "--batch": [batch] if batch > 1 else [],
            "--devices": [devices],
            "--place": place,
            "--master": [master],
            "--cluster": [cluster or ""],
        }
    )
    _show(sink, found.report, By.PLACEMENT if placement else by, format, next_steps(found.report, logdir, given))


def _typed_options(options: Mapping[str, Iterable[object]]) -> str:
    """Options as typed, without those that have no value."""
    return " ".join(f"{name} {shlex.quote(str(v))}" for name, values in options.items() for v in values if v)


def _refuse_unwritable(logdir: Path | None, timeline: Path | None, force: bool) -> None:
    """Raises an error before the work if an output cannot be written."""
    if timeline is not None:
        refuse_unwritable(timeline, force)
    if logdir is not None:
        refuse_closed(logdir)


def _write(sink: Sink, found: Profiled, logdir: Path | None, timeline: Path | None, force: bool) -> None:
    """Writes the requested files in addition to the report, and notes their paths."""
    if logdir is not None:
        run = found.log(logdir)
        sink.note(f"{run.directory}: {', '.join(run.files[0].holds)}")
    if timeline is not None:
        written = found.save_timeline(timeline, overwrite=force)
        sink.note(f"{timeline}: {size(written)}, open it at https://ui.perfetto.dev")


def _show(sink: Sink, profile: Profile, by: By | None, format: Format, following: list[str]) -> None:
    """The page; the list that was asked for; as JSON without ``--by`` the whole report, as CSV and names the nodes."""
    if by is None and format is Format.TABLE:
        write_profile(sink, profile, following)
    elif by is None and format is Format.JSON:
        write_json(sink, profile)
    else:
        view, rows = rows_by(profile, (by or By.NODE).value)
        write_rows(
            sink,
            format,
            view,
            rows,
            _NOTHING.get(by or By.NODE, "the traces have no partition graphs, which show where nodes ran"),
        )


_NOTHING = {By.PLACEMENT: "only a run tells the placement; --by executed lists what ran"}
"""The note for a list without rows."""

EXAMPLES = """
  graphscope profile model.ckpt-5000 --batch 32
  graphscope profile model.ckpt-5000 --output train/Adam --batch 64 --logdir logs
  graphscope profile towers --devices cpu:2 --by device
  graphscope profile frozen.pb --place 'conv.*=/cpu:1' --devices cpu:2 --trace timeline.json
  graphscope profile model.ckpt-5000 --cluster cluster.yml --by device
  graphscope profile --from logs/train --by op
"""
