"""``graphscope convert``."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options import shared
from graphscope.cli.terminal.output import Sink

if TYPE_CHECKING:
    from graphscope.core.model import Model
    from graphscope.core.tensors import TensorSpec


class Target(str, enum.Enum):
    """``--to``."""

    PB = "pb"
    PBTXT = "pbtxt"
    META = "meta"
    SAVED_MODEL = "saved-model"
    CHECKPOINT = "checkpoint"
    NPZ = "npz"
    SAFETENSORS = "safetensors"


_BY_SUFFIX = {f".{t.value}": t for t in (Target.PB, Target.PBTXT, Target.META, Target.NPZ, Target.SAFETENSORS)}

_FOREIGN = frozenset({".h5", ".hdf5", ".keras", ".onnx", ".tflite"})
"""Suffixes of formats that nothing is written in."""


def convert(
    model: shared.ModelPath,
    out: Annotated[
        str, typer.Argument(metavar="OUT", show_default=False, help="What to write; a SavedModel ends with /.")
    ],
    *,
    to: Annotated[
        Target | None, typer.Option("--to", show_default=False, help="The format, where the name of OUT does not tell.")
    ] = None,
    output: shared.OutputNames,
    input: shared.InputNames,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", metavar="FILE", show_default=False, help="Take the values from this npz or safetensors."
        ),
    ] = None,
    checkpoint: shared.Checkpoint = None,
    allow_outside: Annotated[
        bool,
        typer.Option("--allow-outside", help="Copy files that the graph names from outside the model's directory too."),
    ] = False,
    tags: shared.Tags,
    force: shared.Force = False,
) -> None:
    """The same model in another format."""
    from graphscope.cli.options.loading import load
    from graphscope.cli.terminal.progress import bytes_progress
    from graphscope.cli.terminal.text import escape, size

    sink = Sink.standard()
    target = Target.CHECKPOINT if weights is not None and to is None else to or _target(out)
    _refuse_other_suffix(out, target)
    loaded = load(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
    job = _Job(sink, loaded, out, force, output, input, weights, allow_outside)
    with bytes_progress(sink, "writing", sum(f.size_bytes or 0 for f in loaded.files)) as progress:
        written = _WRITERS[target](job, progress)
    if target in (Target.PB, Target.PBTXT, Target.META, Target.SAVED_MODEL):
        _warn_of_files(sink, loaded)
    sink.lines([f"{escape(out)}  {target.value}, {size(written)}"])


def _warn_of_files(sink: Sink, model: Model) -> None:
    from graphscope.analysis.effects import named_files

    files = named_files(model.graph)
    if files:
        sink.warning(f"the graph names files of the machine that it was built on: {', '.join(files[:5])}")


def _target(out: str) -> Target:
    """The format that the name of the output tells: a suffix, ``model.ckpt-5000``, or a directory."""
    name = Path(out).name
    if out.endswith("/") or os.path.isdir(out):
        return Target.SAVED_MODEL
    if ".ckpt" in name:
        return Target.CHECKPOINT
    if Path(out).suffix not in _BY_SUFFIX:
        raise typer.BadParameter(f"{out}: its name does not tell the format", param_hint="--to")
    return _BY_SUFFIX[Path(out).suffix]


def _refuse_other_suffix(out: str, target: Target) -> None:
    """A name that says one format for a file of another would mislead every reader."""
    suffix = Path(out).suffix.lower()
    other = _BY_SUFFIX.get(suffix) or (None if suffix not in _FOREIGN else suffix[1:])
    if other is not None and other is not target:
        raise typer.BadParameter(
            f"{out}: the name says {suffix[1:]}, but {target.value} is to be written", param_hint="OUT"
        )


class _Job:
    """What a writer needs to know."""

    def __init__(
        self,
        sink: Sink,
        model: Model,
        out: str,
        force: bool,
        outputs: list[str],
        inputs: list[str],
        weights: Path | None,
        allow_outside: bool,
    ) -> None:
        self.sink = sink
        self.model = model
        self.out = out
        self.force = force
        self.outputs = outputs
        self.inputs = inputs
        self.weights = weights
        self.allow_outside = allow_outside


_Progress = Callable[[int], None]


def _graph(job: _Job, _: _Progress) -> int:
    return _write_graph(job, "BINARY")


def _meta(job: _Job, _: _Progress) -> int:
    return _write_graph(job, "META")


def _write_graph(job: _Job, form: str) -> int:
    from graphscope.core.binding import VARIABLE_OPS
    from graphscope.formats import save
    from graphscope.formats.graph.suffixes import GraphForm

    if not VARIABLE_OPS.isdisjoint(job.model.graph.ops):
        job.sink.note(
            "the graph has variables, and a graph file holds no values of them: graphscope freeze makes constants"
        )
    return save(job.model, job.out, overwrite=job.force, form=GraphForm[form])


def _text(job: _Job, progress: _Progress) -> int:
    from graphscope.formats.text.writer import write_pbtxt

    return write_pbtxt(job.model, job.out, overwrite=job.force, progress=progress)


def _npz(job: _Job, progress: _Progress) -> int:
    from graphscope.formats.archives.npz_writer import write_npz
    from graphscope.formats.archives.weight_exchange import weights_of

    return write_npz(job.out, weights_of(job.model), overwrite=job.force, progress=progress)


def _safetensors(job: _Job, progress: _Progress) -> int:
    from graphscope.formats.archives.safetensors import write_safetensors
    from graphscope.formats.archives.weight_exchange import weights_of

    return write_safetensors(job.out, weights_of(job.model), overwrite=job.force, progress=progress)


def _checkpoint(job: _Job, progress: _Progress) -> int:
    """The model's own values as V2, or those of an archive in the same graph."""
    from graphscope.formats.checkpoint.upgrade import upgrade_checkpoint

    if job.weights is None:
        return upgrade_checkpoint(job.model, job.out, overwrite=job.force, progress=progress)
    from graphscope.formats.archives.npz import NpzStore
    from graphscope.formats.archives.safetensors import SafetensorsStore
    from graphscope.formats.archives.weight_exchange import weights_into_checkpoint

    archive = SafetensorsStore(job.weights) if job.weights.suffix == ".safetensors" else NpzStore(job.weights)
    return weights_into_checkpoint(job.model, archive, job.out, overwrite=job.force, progress=progress)


def _saved_model(job: _Job, progress: _Progress) -> int:
    from graphscope.formats.savedmodel.writer import write_saved_model

    inputs, outputs = ([_spec(job.model, name) for name in names] for names in _signature(job))
    return write_saved_model(
        job.model,
        Path(job.out),
        inputs=inputs,
        outputs=outputs,
        overwrite=job.force,
        allow_outside=job.allow_outside,
        progress=progress,
    )


def _signature(job: _Job) -> tuple[Sequence[str], Sequence[str]]:
    """Inputs and outputs of ``serving_default``; none where the author's own signatures are not to be touched."""
    from graphscope.cli.options.output_choice import chosen_outputs
    from graphscope.core.signatures import BOOKKEEPING

    if not (job.inputs or job.outputs) and not BOOKKEEPING.issuperset(job.model.signatures):
        return (), ()
    outputs = chosen_outputs(job.sink, job.model, job.outputs)
    _refuse_sources(job, outputs)
    return job.inputs or _inputs_of(job.model, outputs), outputs


def _refuse_sources(job: _Job, outputs: Sequence[str]) -> None:
    """A signature whose outputs need an iterator or a queue could never be called."""
    from graphscope.core.tensors import node_of
    from graphscope.transforms.sources import refuse_sources

    stops = set(map(node_of, job.inputs))
    graph = job.model.graph
    needed = graph.reach(map(node_of, outputs), lambda n: () if n.name in stops else graph.producers(n))
    refuse_sources(graph.with_nodes(n for n in graph.nodes if n.name in needed and n.name not in stops), job.model.path)


def _inputs_of(model: Model, outputs: tuple[str, ...]) -> list[str]:
    """The placeholders that the outputs need; of those with a default, the ones that take data."""
    from graphscope.analysis.inputs import find_inputs
    from graphscope.core.tensors import node_of

    needed = model.graph.ancestors(node_of(name) for name in outputs)
    return [
        row.tensor for row in find_inputs(model) if node_of(row.tensor) in needed and (row.default is None or row.shape)
    ]


def _spec(model: Model, name: str) -> TensorSpec:
    from graphscope.feeding.feeds import tensor_spec

    return tensor_spec(model, name)


_WRITERS: dict[Target, Callable[[_Job, _Progress], int]] = {
    Target.PB: _graph,
    Target.META: _meta,
    Target.PBTXT: _text,
    Target.NPZ: _npz,
    Target.SAFETENSORS: _safetensors,
    Target.CHECKPOINT: _checkpoint,
    Target.SAVED_MODEL: _saved_model,
}

EXAMPLES = """
  graphscope convert model.ckpt-5000 exported/ --output prob
  graphscope convert model.ckpt-5000 weights.safetensors
  graphscope convert model.ckpt-5000 tuned.ckpt --weights weights.npz
"""
