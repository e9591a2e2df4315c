"""The options of a graft, and the plan made from them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.model import Model
from graphscope.core.patterns import PATTERN_ERRORS
from graphscope.errors import GraphscopeError
from graphscope.training.graft.building import Plan
from graphscope.training.graft.optimizers import default_rate, parse_decay
from graphscope.training.heads.chain import parse_chain
from graphscope.training.heads.context import SEED_BOUND
from graphscope.training.heads.python import PREFIX, load_function
from graphscope.training.heads.spec import Layer
from graphscope.training.recipe import CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCOPE = re.compile(r"[A-Za-z0-9.][\w.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class GraftOptions:
    """What to build, and how to train it.

    Attributes:
        at: node or tensor names of the cut.
        head: a chain of layers, see :mod:`graphscope.training.heads.chain`, or ``python:module:function``.
        task: ``classes``, ``regression`` or ``multilabel``; empty: ``classes`` where there is a ``width`` or the model trains
            as it is, otherwise none, and no loss.
        width: number of classes, values or labels; ``None`` for that of the head.
        inputs: node or tensor names to cut the base open at.
        values: placeholder of the base -> value to fix it to.
        unfreeze: regular expressions; weights whose names match one of them are trained too.
        stop_gradient: False trains all weights.
        head_model: a model to put on top of the cut.
        binds: input of ``head_model`` -> tensor of the base.
        head_output: the tensor of ``head_model`` to use; empty for its likely output.
        head_values: placeholder of ``head_model`` -> value to fix it to.
        prefix: name scope of the added nodes.
        optimizer: see :data:`graphscope.training.graft.optimizers.OPTIMIZERS`.
        learning_rate: ``None`` for the optimizer's default.
        decay: ``step:STEPS:FACTOR`` or ``exponential:STEPS:FACTOR``; empty for none.
        l2: factor of half the sum of squares of all trainable kernels.
        ema: decay of moving averages of the trainable weights; ``None`` for none.
        seed: of everything random.
        train: no head: the weights of the model itself train, by a loss on its own output.
        trust: whether a base may be built on whose nodes touch files, the network or processes.
    """

    at: Sequence[str] = ()
    head: str = ""
    task: str = ""
    width: int | None = None
    inputs: Sequence[str] = ()
    values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    unfreeze: Sequence[str] = ()
    stop_gradient: bool = True
    head_model: Model | None = None
    binds: Mapping[str, str] = field(default_factory=dict)
    head_output: str = ""
    head_values: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    prefix: str = "head"
    optimizer: str = "adam"
    learning_rate: float | None = None
    decay: str = ""
    l2: float = 0.0
    ema: float | None = None
    seed: int = 0
    train: bool = False
    trust: bool = False


def pattern(text: str) -> re.Pattern[str]:
    """``text`` as a regular expression.

    Raises:
        GraphscopeError: it is none.
    """
    try:
        return re.compile(text)
    except PATTERN_ERRORS as error:
        raise GraphscopeError(f"{text!r} is not a valid regular expression: {error}") from error


def make_plan(options: GraftOptions, notes: list[str]) -> Plan:
    """The plan, but for what only the base tells; ``notes`` takes what a person should know of it.

    Raises:
        GraphscopeError: there is no head, or an option makes no sense.
    """
    _refuse_nonsense(options)
    is_python = options.head.startswith(PREFIX)
    task = options.task or (CLASSES if options.width or options.train else "")
    layers = list(parse_chain(options.head)) if options.head and not is_python else []
    if options.width is not None and not is_python and not _ends_with(layers, options):
        layers.append(parse_chain(f"dense:{options.width}")[0])
        notes.append(f"dense:{options.width} added: the head did not end in a dense layer of width {options.width}")
    rate = default_rate(options.optimizer)
    return Plan(
        cuts=(),
        tops=(),
        scope="",
        training_scope="",
        layers=layers,
        function=load_function(options.head) if is_python else None,
        head_text=options.head if is_python else ",".join(layer.text for layer in layers),
        task=task,
        width=options.width,
        trainable=(),
        optimizer=options.optimizer,
        learning_rate=rate if options.learning_rate is None else options.learning_rate,
        decay=parse_decay(options.decay) if options.decay else None,
        l2=options.l2,
        ema=options.ema,
        seed=options.seed,
    )


def _refuse_nonsense(options: GraftOptions) -> None:
    if options.train and (options.head or options.head_model is not None):
        raise GraphscopeError(
            "a model is trained as it is, or gets a head, not both",
            hint=Advice("without ", Option("train", True), " a head goes on top"),
        )
    if not (options.head or options.train) and options.head_model is None and options.width is None:
        raise GraphscopeError(
            "no head was named",
            hint=Advice("for example: ", Option("head", "flatten,dense:10"), ", or ", Option("classes", "10")),
        )
    if not _SCOPE.fullmatch(options.prefix):
        raise GraphscopeError(
            f"{options.prefix!r} is not a name scope", hint="a name scope has letters, digits, _ . and -"
        )
    if not 0 <= options.seed < SEED_BOUND:
        raise GraphscopeError(f"seed {options.seed}: it must be from 0 to {SEED_BOUND - 1:,}")


def _ends_with(layers: Sequence[Layer], options: GraftOptions) -> bool:
    """Whether the head ends in a dense layer of the width that is asked for; a model on top must see for itself."""
    if not layers:
        return options.train or options.head_model is not None
    return layers[-1].kind == "dense" and layers[-1].units == options.width
