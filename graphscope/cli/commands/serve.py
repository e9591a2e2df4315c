"""``graphscope serve``."""

from __future__ import annotations

from typing import Annotated

import typer

from graphscope.api.serve import serve as serve_task
from graphscope.cli.options import cluster as cluster_shared
from graphscope.cli.options import session
from graphscope.cli.terminal.interrupts import ended_in_order
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.speaker import Speaker


def serve(
    cluster: Annotated[
        str,
        typer.Argument(
            metavar="CLUSTER", show_default=False, help="A YAML or JSON file that lists the hosts, or TF_CONFIG."
        ),
    ],
    *,
    job: cluster_shared.Job = "",
    task: cluster_shared.TaskIndex = None,
    devices: session.Devices = "",
    allow_growth: session.AllowGrowth = False,
    gpu_memory_fraction: session.GpuMemoryFraction = None,
    threads: session.Threads = "",
) -> None:
    """Serve one task of a cluster, for other processes to run graphs on, until Ctrl-C."""
    sink = Sink.standard()
    settings = session.session_options(
        devices, allow_growth=allow_growth, gpu_memory_fraction=gpu_memory_fraction, threads=threads
    )
    with ended_in_order():
        serving = serve_task(cluster, job=job, task=task, session=settings, listener=Speaker(sink))
        sink.lines([f"{serving.task} serves at {serving.target}"])
        sink.flush()
        sink.note("Ctrl-C stops it")
        serving.wait()


EXAMPLES = """
  graphscope serve cluster.yml --job ps --task 0
  graphscope serve cluster.yml --task 1 --devices cpu:2
  graphscope serve TF_CONFIG
"""
