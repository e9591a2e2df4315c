"""``graphscope profile``."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphscope.cli.options import session, shared
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.views import Format

if TYPE_CHECKING:
    from graphscope.core.model import Model
    from graphscope.tracing.report import Profile
    from graphscope.tracing.trace import Trace


class By(str, enum.Enum):
    """What ``--by`` lists."""

    NODE = "node"
    OP = "op"
    SCOPE = "scope"
    DEVICE = "device"
    PATH = "path"
    PLACEMENT = "placement"


MaybeModel = Annotated[
    str, typer.Argument(metavar="MODEL", show_default=False, help="A model, as for all commands; none with --from.")
]
Outputs = Annotated[
    list[str], shared.repeated("--output", "NAME", "A node or tensor to compute, a train op too; repeat for more.")
]
Feeds = Annotated[
    list[str],
    shared.repeated(
        "--feed",
        "NAME=VALUE",
        "What to feed, as for run; what is not named is random, training switches are set for inference.",
    ),
]


def profile(
    model: MaybeModel = "",
    *,
    feed: Feeds,
    output: Outputs,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Size of unknown dimensions.")] = 1,
    steps: Annotated[int, typer.Option("--steps", metavar="N", min=1, help="Runs that are traced.")] = 10,
    warmup: Annotated[int, typer.Option("--warmup", metavar="N", min=1, help="Runs before these.")] = 3,
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="LOGDIR", show_default=False, help="Report what a training traced.")
    ] = None,
    by: Annotated[By | None, typer.Option("--by", show_default=False, help="List all of a kind.")] = None,
    placement: Annotated[bool, typer.Option("--placement", help="List where every node was put.")] = False,
    logdir: Annotated[
        Path | None,
        typer.Option("--logdir", metavar="DIR", show_default=False, help="Write the steps for TensorBoard."),
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
        str, typer.Option("--master", metavar="grpc://HOST:PORT", show_default=False, help="Run on a cluster.")
    ] = "",
    trust: shared.Trust = False,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """What a run costs, by node, op, name scope and device: time, memory, the critical path."""
    from graphscope.cli.options.loading import load
    from graphscope.runtime.profile import Placing

    if bool(model) == (from_ is not None):
        raise typer.BadParameter("a model to run, or --from LOGDIR, and not both", param_hint="MODEL")
    sink = Sink.standard()
    listed = By.PLACEMENT if placement else by
    given = _given({"--feed": feed, "--batch": [batch] if batch > 1 else [], "--devices": [devices], "--place": place})
    target = _Target(sink, logdir, trace, force, given)
    if from_ is not None:
        _show(sink, target.read(from_), listed, format, target)
        return
    options = session.session_options(devices, soft_placement, allow_growth, gpu_memory_fraction, threads)
    placing = Placing(not clear_devices, session.placement_rules(place), session.default_device(device), master)
    target.refuse()
    loaded = load(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
    runs = {"steps": steps, "warmup": warmup, "batch": batch, "options": options, "placing": placing, "trust": trust}
    found = _traced(sink, loaded, output, feed, runs)
    target.write(loaded, found)
    _show(sink, found, listed, format, target)


def _given(options: Mapping[str, Iterable[object]]) -> str:
    """Options as they are typed, those without a value left out."""
    import shlex

    return " ".join(f"{name} {shlex.quote(str(v))}" for name, values in options.items() for v in values if v)


def _traced(sink: Sink, model: Model, output: Sequence[str], feed: Sequence[str], runs: dict[str, Any]) -> Trace:
    from graphscope.cli.options.output_choice import chosen_outputs
    from graphscope.cli.terminal.graph_output import escaped_graph_output
    from graphscope.cli.terminal.interrupts import ended_by_interrupt
    from graphscope.feeding.feeds import FeedOptions, resolve_tensors
    from graphscope.runtime.profile import trace

    outputs = chosen_outputs(sink, model, output)
    feeds = resolve_tensors(model, feed, FeedOptions(unknown=runs["batch"]))
    with ended_by_interrupt(lambda: sink.note("interrupted")), escaped_graph_output(sink):
        return trace(model, outputs, feeds, **runs)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where traces go besides the report.

    Attributes:
        given: the options that decide what is run, as they were typed.
    """

    sink: Sink
    logdir: Path | None
    trace: Path | None
    force: bool
    given: str

    def refuse(self) -> None:
        """What cannot be written is said before anybody waits for it."""
        from graphscope.board.trace import refuse_unwritable
        from graphscope.formats.io.atomic import refuse_existing

        if self.trace is not None:
            refuse_existing(self.trace, self.force)
            refuse_unwritable(self.trace.parent, is_made=False)
        if self.logdir is not None:
            refuse_unwritable(self.logdir)

    def read(self, place: Path) -> Trace:
        """The traces of a log directory; a timeline may be made of them."""
        from graphscope.board.trace import read_trace

        if self.logdir is not None:
            raise typer.BadParameter("what --from reads is in a log directory already", param_hint="--logdir")
        self.refuse()
        found = read_trace(place)
        self.write_timeline(found)
        return found

    def write(self, model: Model, found: Trace) -> None:
        """Writes what was asked for, and says where."""
        from graphscope.board.trace import dump_trace

        if self.logdir is not None:
            run = dump_trace(model, found, self.logdir)
            self.sink.note(f"{run.directory}: {', '.join(run.files[0].holds)}")
        self.write_timeline(found)

    def write_timeline(self, found: Trace) -> None:
        from graphscope.cli.terminal.text import size
        from graphscope.formats.io.atomic import write_file
        from graphscope.tracing.chrome import chrome_trace

        if self.trace is not None:
            written = write_file(self.trace, chrome_trace(found), overwrite=self.force)
            self.sink.note(f"{self.trace}: {size(written)}, open it at https://ui.perfetto.dev")


def _show(sink: Sink, found: Trace, by: By | None, format: Format, target: _Target) -> None:
    """The page; the list that was asked for; as JSON without ``--by`` the whole report, as CSV and names the nodes."""
    from graphscope.cli.render.profile import write_json, write_profile
    from graphscope.cli.render.profile_lists import rows_by
    from graphscope.cli.terminal.views import write_rows
    from graphscope.tracing.profile import report

    profile = report(found)
    if by is None and format is Format.TABLE:
        write_profile(sink, profile, list(_next(profile, target)))
    elif by is None and format is Format.JSON:
        write_json(sink, profile)
    else:
        view, rows = rows_by(profile, (by or By.NODE).value)
        write_rows(sink, format, view, rows, "no partition graph tells where nodes ran")


def _next(profile: Profile, target: _Target) -> list[str]:
    """What to type next."""
    import shlex

    path = shlex.quote(profile.path)
    if not profile.traced:
        return [f"graphscope profile --from {path} --by node"]
    output = " ".join(f"--output {shlex.quote(name.removesuffix(':0'))}" for name in profile.outputs)
    if target.logdir is not None:
        return [f"graphscope board {shlex.quote(str(target.logdir))}"]
    again = " ".join(filter(None, ("graphscope profile", path, output, target.given)))
    return [f"{again} --logdir logs", f"{again} --by node"]


EXAMPLES = """
  graphscope profile model.ckpt-5000 --batch 32
  graphscope profile model.ckpt-5000 --output train/Adam --batch 64 --logdir logs
  graphscope profile towers --devices cpu:2 --by device
  graphscope profile frozen.pb --place 'conv.*=/cpu:1' --devices cpu:2 --trace timeline.json
  graphscope profile --from logs/train --by op
"""
