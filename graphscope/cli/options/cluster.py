"""Options of the commands that run in more than one process."""

from __future__ import annotations

from typing import Annotated

import typer

ClusterFile = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="FILE",
        show_default=False,
        help="Run as one task of the cluster in this YAML or JSON file, or in TF_CONFIG.",
    ),
]
Job = Annotated[
    str, typer.Option("--job", metavar="JOB", show_default=False, help="The job of this process; default: worker.")
]
TaskIndex = Annotated[
    int | None,
    typer.Option("--task", min=0, metavar="N", show_default=False, help="The number of this process within its job."),
]
