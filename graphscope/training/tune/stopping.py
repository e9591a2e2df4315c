"""The choice of the best epoch, and early stopping."""

from __future__ import annotations

from graphscope.training.recipe import REGRESSION
from graphscope.training.tune.report import Best


def is_better(task: str, metric: float, loss: float, best: Best | None) -> bool:
    """Whether an epoch beats ``best``: the higher accuracy, the lower mean absolute error; of equals, the lower loss."""
    return best is None or _score(task, metric, loss) > _score(task, best.metric, best.loss)


def is_hopeless(epochs: int, best: Best | None, patience: int | None) -> bool:
    """Whether none of the last ``patience`` of the ``epochs`` that are done was the best."""
    return patience is not None and best is not None and epochs - best.epoch >= patience


def _score(task: str, metric: float, loss: float) -> tuple[float, float]:
    return (-metric if task == REGRESSION else metric), -loss
