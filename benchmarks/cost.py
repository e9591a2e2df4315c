"""What ``cost`` says of memory beside what a run allocates: ``python -m benchmarks.cost``.

Prints the table of docs/benchmarks.md. TensorFlow runs without oneDNN, whose kernels allocate room of their own.
"""

from __future__ import annotations

import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import graphscope
from graphscope.tracing.memory import peak_bytes
from tests.support.fixture_files import FIXTURES

MODELS = ("softmax", "mlp", "lenet5", "convnet_slim", "batchnorm", "batchnorm_resource", "rnn", "partitioned")
SOFT = graphscope.SessionOptions()
"""One of the models names devices that need not be here."""


def main() -> None:
    print(
        "| model | batch | `cost`, kernels write over inputs | every result apart | allocated in a run | of the first |"
    )
    print("|---|---|---|---|---|---|")
    for name in MODELS:
        for batch in (2, 32):
            report = graphscope.cost(FIXTURES / name, batch=batch)
            [step] = graphscope.profile(FIXTURES / name, batch=batch, steps=1, warmup=2, session=SOFT).trace.steps
            allocated = peak_bytes([execution for execution in step.executions if not execution.stream])
            sizes = f"{report.peak_low_bytes:,} B | {report.peak_high_bytes:,} B | {allocated:,} B"
            print(f"| {name} | {batch} | {sizes} | {allocated / report.peak_low_bytes:.1%} |", flush=True)


if __name__ == "__main__":
    main()
