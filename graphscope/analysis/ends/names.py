"""What the names of nodes say of outputs, as people call them."""

from __future__ import annotations

import re

from graphscope.core.patterns import NamePattern, Pattern

GOOD_NAMES: tuple[tuple[NamePattern, float], ...] = (
    (
        NamePattern(
            r"(^|[/_])(softmax|probs?|probas?|probabilit\w+|predict\w*|preds?|y_?pred|y_?hat|scores?)\d*([/_]|$)", re.I
        ),
        22.0,
    ),
    (NamePattern(r"(^|[/_])(outputs?|final_result|results?|logits?|logistic|sigmoid)\d*([/_]|$)", re.I), 20.0),
    (
        NamePattern(
            r"(^|[/_])(detection\w*|box(es)?|landmarks?|class(es)?|embeddings?|recon\w*|generated)\d*([/_]|$)", re.I
        ),
        14.0,
    ),
)
_GOOD_SCOPE = Pattern(r"predictions?|logits|outputs?|softmax|probabilities|head", re.I)
BAD_NAMES = NamePattern(
    r"(^|[/_])(loss(es)?|costs?|xent|cross_?entropy|accuracy|acc|metrics?|auc|mse|mae|psnr|errors?|regulari[sz]\w*|l2|penalt\w+"
    r"|summar\w+|train\w*|sav(e|er)|init\w*|global_step|learning_rate|assert\w*|moving_\w+|moments|stats?|shape|debug)\d*([/_]|$)",
    re.I,
)

BEST_NAME = 20.0
"""The points from which a name alone says that it is an output."""


def name_points(name: str) -> float:
    """How much a node's name looks like an output's; 0 if it does not."""
    scope, _, last = name.rpartition("/")
    for pattern, points in GOOD_NAMES:
        if pattern.search(last):
            return points
    return 8.0 if any(map(_GOOD_SCOPE.fullmatch, scope.split("/"))) else 0.0
