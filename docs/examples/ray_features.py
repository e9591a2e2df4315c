"""Features of any amount of data with Ray Data: ``python ray_features.py MODEL TENSOR IN.parquet OUT/``.

The column ``x`` holds an example in each row; all other columns stay, and ``features`` takes the place of ``x``.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import ray
import ray.data

import graphscope

BATCH = 256
"""Examples that an actor is given at once."""


class Features:
    """One actor: opens the model once, and computes batch after batch."""

    def __init__(self, model: str, tensor: str) -> None:
        threads = graphscope.SessionOptions(intra_threads=1, inter_threads=1)
        self.compute = graphscope.feature_function(model, at=tensor, session=threads)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The batch with features in place of the examples."""
        [features] = self.compute(np.stack(batch.pop("x"))).values()
        return {**batch, "features": features}


def main(model: str, tensor: str, source: str, out: str) -> None:
    """Compute with an actor on each CPU of the cluster but one, which reads and writes; on GPUs, see the page on scaling."""
    examples = ray.data.read_parquet(source)
    actors = ray.data.ActorPoolStrategy(size=max(int(ray.cluster_resources()["CPU"]) - 1, 1))
    features = examples.map_batches(
        Features, fn_constructor_args=(model, tensor), compute=actors, batch_size=BATCH, num_cpus=1
    )
    features.write_parquet(out)


if __name__ == "__main__":
    ray.init()
    main(*sys.argv[1:])
