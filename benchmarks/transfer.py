"""What a base that knows other classes is worth: digits 5 to 9 from few examples, on a net that knows 0 to 4, and alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import graphscope
from graphscope.core.values.payload import ArrayPayload
from graphscope.formats.checkpoint.update import update_checkpoint
from graphscope.formats.checkpoint.v2 import BundleStore

FIXTURES = Path(__file__).parents[1] / "fixtures"
BASE = FIXTURES / "lenet5_0to4"
HEAD = "flatten,dense:120:relu,dropout:0.5,dense:84:relu,dense:5"
EPOCHS = 20

if str(FIXTURES) not in sys.path:
    sys.path.append(str(FIXTURES))


def mnist_directory() -> Path | None:
    """Where MNIST is; ``None`` where it is in none of its usual places."""
    from trainer import data

    found = data.find()
    return None if found is None else Path(found)


def transferred(place: Path, mnist: Path, epochs: int = EPOCHS) -> Iterator[tuple[str, float]]:
    """What was trained, and its accuracy on the test digits, after the last epoch: no checkpoint is picked by them."""
    graphscope.graft(BASE, at="pool2", head=HEAD, classes=5, out=place / "new_head.ckpt")
    yield (
        "a new head on the frozen convolutions of a net that knows 0 to 4",
        _tuned(place / "new_head.ckpt", mnist, epochs),
    )
    untrained = _untrained(place / "untrained.ckpt")
    graphscope.graft(untrained, at="pool2", head=HEAD, classes=5, stop_gradient=False, out=place / "scratch.ckpt")
    yield "the same net from scratch, all of it trained", _tuned(place / "scratch.ckpt", mnist, epochs)


def _untrained(prefix: Path) -> Path:
    """The base with weights as they are before training: uniform after Glorot and Bengio (2010), biases zero."""
    model = graphscope.load(BASE)
    assert isinstance(model.store, BundleStore)
    rng = np.random.default_rng(0)
    changed = []
    for variable in model.variables:
        if variable.trainable:
            shape = model.value(variable).shape
            field = int(np.prod(shape[:-2]))
            limit = np.sqrt(6 / (field * sum(shape[-2:]))) if len(shape) > 1 else 0.0
            changed.append((variable.key or "", ArrayPayload(rng.uniform(-limit, limit, shape).astype(np.float32))))
    meta = next(Path(file.path) for file in model.files if file.role == "graph")
    update_checkpoint(model.store, str(prefix), changed, meta=meta)
    return prefix


def _tuned(prefix: Path, mnist: Path, epochs: int) -> float:
    from graphscope.training.data import DataOptions
    from graphscope.training.recipe import recipe_of
    from graphscope.training.tune.prepare import Request, prepare
    from graphscope.training.tune.training_job import TuneOptions
    from graphscope.training.tune.tune import OutputLocation, tune

    model = graphscope.load(prefix)
    reading = DataOptions(only_classes=tuple("56789"), limit_per_class=100, cache=prefix.parent / "cache")
    request = Request(str(mnist), f"{mnist}:test", reading)
    job, _ = prepare(model, recipe_of(model), request, TuneOptions(epochs=epochs, batch=16))
    last = tune(model, job, OutputLocation()).epochs[-1].validation_metric
    assert last is not None
    return last
