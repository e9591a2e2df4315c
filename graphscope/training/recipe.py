"""What ``graft`` leaves in a meta graph for ``tune``: which tensors to feed, to run and to watch.

It is in the collection :data:`COLLECTION` as JSON, so that any tool that keeps collections keeps it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from graphscope.advice import Advice, Call, Option
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.feeding.feeds import tensor_spec
from graphscope.protos import MetaGraphDef

COLLECTION = "graphscope_recipe"

CLASSES = "classes"
REGRESSION = "regression"
MULTILABEL = "multilabel"

_TASKS = (CLASSES, REGRESSION, MULTILABEL)
_MOST_CLASSES = 1 << 24


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train a grafted model. Tensors are named ``node:0``, operations ``node``.

    Attributes:
        task: :data:`CLASSES`, :data:`REGRESSION` or :data:`MULTILABEL`.
        classes: width of the logits, the size of their last dimension.
        inputs: argument name -> placeholder that must be fed to run the base.
        features: what is below the stopped gradient, in order: the outputs of the ``StopGradient`` nodes, or, where the base
            takes one example at a time, of the ``PlaceholderWithDefault`` nodes behind them; empty if gradients pass into the
            base. A run that is fed them runs nothing of the base.
        labels: placeholder, int64 (?) for classes, float32 of the logits' shape otherwise.
        training: bool ``PlaceholderWithDefault`` (False) for dropout and batch norm; empty if the head has neither.
        logits: float32 (?, width); of a regression also (?, height, width, channels) and the like.
        predictions: probabilities, or the values of a regression; as the logits.
        loss: scalar, the mean over the batch with what ``--l2`` adds.
        metric: scalar, the mean over the batch: accuracy, or mean absolute error.
        train_op: one step; it adds one to ``global_step``.
        learning_rate: scalar, of the step that comes next.
        global_step: the handle of an int64 scalar variable.
        settings: what a person chose (base, at, head, optimizer, ...), for messages.
    """

    task: str
    classes: int
    inputs: Mapping[str, str]
    features: tuple[str, ...]
    labels: str
    training: str
    logits: str
    predictions: str
    loss: str
    metric: str
    train_op: str
    learning_rate: str
    global_step: str
    settings: Mapping[str, str] = field(default_factory=dict)


def write_recipe(meta: MetaGraphDef, recipe: Recipe) -> None:
    """Puts ``recipe`` into the collections of ``meta``, in place of another that is there."""
    found = meta.collection_def[COLLECTION].bytes_list
    del found.value[:]
    found.value.append(json.dumps(asdict(recipe), sort_keys=True).encode())


def recipe_of(model: Model) -> Recipe:
    """The recipe in ``model``'s collections.

    Raises:
        GraphscopeError: there is none, or it is broken.
    """
    values = model.collections[COLLECTION].values if COLLECTION in model.collections else ()
    if not values:
        raise GraphscopeError(
            f"{model.path}: no loss to train: graphscope graft did not make this model, or added none",
            hint=Advice(
                Call(
                    "graft",
                    (model.path,),
                    (Option("out", "PREFIX"), Option("at", "TENSOR"), Option("classes", "N")),
                ),
                "   adds a head with one; ",
                Option("regression", True),
                " and ",
                Option("multilabel", "N"),
                " are other tasks",
            ),
        )
    try:
        stated: Any = json.loads(values[0]) if isinstance(values[0], bytes) else None
        return _check(Recipe(**{**stated, "features": tuple(stated["features"])}), stated["features"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        wanted = ", ".join(f.name for f in fields(Recipe))
        raise GraphscopeError(f"{model.path}: collection {COLLECTION} holds no JSON with {wanted}") from error


def label_shape(model: Model, recipe: Recipe) -> tuple[int, ...]:
    """The shape of one example's label where it is numbers for each place (a regression per pixel), else ``(classes,)``."""
    shape = tensor_spec(model, recipe.labels).shape or ()
    sizes = tuple(size for size in shape[1:] if size is not None)
    return sizes if len(shape) > 2 and len(sizes) == len(shape) - 1 else (recipe.classes,)


def _check(recipe: Recipe, features: object) -> Recipe:
    """``recipe``, each of whose fields is of its type: JSON of another program may hold anything.

    Raises:
        TypeError: one is not.
    """
    lists_text = isinstance(features, list) and all(isinstance(name, str) for name in features)
    mappings = all(_is_mapping_of_text(value) for value in (recipe.inputs, recipe.settings))
    special = ("classes", "inputs", "features", "settings")
    texts = all(isinstance(getattr(recipe, f.name), str) for f in fields(Recipe) if f.name not in special)
    counts = type(recipe.classes) is int and 0 < recipe.classes <= _MOST_CLASSES
    if not (lists_text and mappings and texts and counts and recipe.task in _TASKS):
        raise TypeError("a field of another type")
    return recipe


def _is_mapping_of_text(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
