"""``graphscope features``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from graphscope.api.features import features as compute
from graphscope.cli.options import cluster as cluster_shared
from graphscope.cli.options import data as data_shared
from graphscope.cli.options import shared
from graphscope.cli.options.loading import load
from graphscope.cli.render.features import feature_lines, feature_record
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, write_report
from graphscope.cli.terminal.speaker import Speaker


def features(
    base: shared.ModelPath,
    out_: Annotated[
        str | None, typer.Argument(metavar="[OUT]", show_default=False, help="The file to write: features.npz.")
    ] = None,
    *,
    data: data_shared.Data,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE.npz", show_default=False, help="The same as OUT.")
    ] = None,
    at: Annotated[list[str], shared.repeatable("--at", "TENSOR", "Compute this tensor; repeatable.")],
    input: shared.InputNames,
    set_: shared.SetValues,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Examples per batch.")] = 32,
    schema: data_shared.Schema = "",
    scale: data_shared.Scale = "",
    mean: data_shared.Mean = "",
    size: data_shared.Size = "",
    only_classes: data_shared.OnlyClasses = "",
    limit_per_class: data_shared.LimitPerClass = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed for --limit-per-class.")] = 0,
    strict: data_shared.Strict = False,
    cache: data_shared.Cache = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, metavar="N", help="Compute with N processes on this machine.")
    ] = 1,
    cluster: cluster_shared.ClusterFile = None,
    job: cluster_shared.Job = "",
    task: cluster_shared.TaskIndex = None,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    trust: shared.Trust = False,
    force: shared.Force = False,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Compute a tensor for every example and store it with the labels, as training data for a head."""
    sink = Sink.standard()
    start = time.monotonic()
    target = Path(shared.chosen_out(out_, out, "features.npz"))
    reading = data_shared.data_options(
        schema=schema,
        strict=strict,
        size=size,
        scale=scale,
        mean=mean,
        only_classes=only_classes,
        limit_per_class=limit_per_class,
        cache=cache,
        seed=seed,
    )
    found = compute(
        load(base, tags=shared.split_tags(tags), checkpoint=checkpoint),
        data,
        out=target,
        at=at,
        inputs=input,
        set=set_,
        batch=batch,
        reading=reading,
        workers=workers,
        cluster=cluster,
        job=job,
        task=task,
        trust=trust,
        overwrite=force,
        listener=Speaker(sink),
    )
    lines = feature_lines(found, time.monotonic() - start)
    write_report(sink, format, feature_record(found), lines, [str(target)] if found.path is not None else [])


EXAMPLES = """
  graphscope features model.ckpt-5000 --at pool5:0 --data flowers/ -o features.npz
  graphscope features frozen.pb --at conv2 --data mnist/:test -o test.npz --set is_training=false
  graphscope features grafted.ckpt --data train.npz -o features.npz
"""
