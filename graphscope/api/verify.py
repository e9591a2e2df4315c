"""``graphscope.verify``, and closer comparisons: tensor by tensor, and the first non-finite number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from graphscope.api.opening import (
    ModelLike,
    Names,
    as_model,
    as_names,
    chosen_outputs,
    fixed_values,
    note_outputs,
    without_calls,
)
from graphscope.api.runnable import Opened, Runnable, as_runnable, open_runnable
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.runtime.comparing.layers import LayerComparison, LayerDifference
from graphscope.runtime.comparing.nonfinite import NonfiniteReport, ValueRange
from graphscope.runtime.comparing.verify import ATOL, RTOL, Verification
from graphscope.runtime.comparing.verify import verify as compare
from graphscope.runtime.engines.table import ENGINE_TOLERANCE, ENGINES, TENSORFLOW

if TYPE_CHECKING:
    from graphscope.feeding.feeds import Given
    from graphscope.feeding.pairing import Pairing
    from graphscope.runtime.comparing.comparison import Engine


@check_arguments
def verify(
    model: Runnable,
    other: Runnable,
    *,
    outputs: Names = (),
    map: Mapping[str, str] | None = None,
    feeds: Given = (),
    set: Given = (),
    batches: int = 3,
    batch: int = 2,
    seed: int = 0,
    atol: float | None = None,
    rtol: float | None = None,
    trust: bool = False,
    engine: str | tuple[str, str] = "",
    listener: Listener = SILENT,
) -> Verification:
    """Runs two models on the same inputs and compares their outputs. Starts TensorFlow, unless other engines run both.

    Either may be a file of another runtime, which its own engine runs: see :func:`graphscope.run`.

    Outputs and inputs are paired by name, then by the structure around their nodes, then by signature. A number is within
    tolerance if ``|model - other| <= atol + rtol * |model|``; integers, booleans and strings must be equal, NaN equals NaN.

    Args:
        outputs: tensors of ``other``; by default its likely outputs, or all outputs of a file of another runtime.
        map: tensor of ``model`` -> the tensor of ``other``, an input or an output, that it is compared with.
        feeds: node or tensor name of ``other`` -> value; every other input is random, training switches are set for inference.
        set: values of inputs and variables that are fixed in ``other``, only for ``model``.
        batches: number of random inputs; one run if nothing is random.
        batch: the size of unknown dimensions.
        seed: seed for the random inputs.
        atol, rtol: by default 1e-6 and 1e-5, or 1e-4 for both if an engine other than TensorFlow runs a model.
        trust: run nodes that touch files, the network or processes too; only for TensorFlow.
        engine: what runs ``other``, or what runs each of the two: ``tensorflow``, ``onnxruntime`` or ``openvino``; by
            default TensorFlow, and for a file of another runtime its own.

    Raises:
        ArgumentError: there is no such engine, or it does not run such a file.
        UnknownNameError: a model has no such tensor.
        IncompleteModelError: a variable has no value.
        UnsupportedError: the run needs an op that TensorFlow does not have.
        UntrustedError: a model does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow, or another engine, is not installed.
        GraphscopeError: an output or an input has no counterpart; a value does not fit; an engine cannot run a model.
    """
    from graphscope.feeding.feeds import resolve_tensors

    wanted = ("", engine) if isinstance(engine, str) else engine
    sides = [open_runnable(as_runnable(m), name) for m, name in zip((model, other), wanted, strict=True)]
    one, two = (side.model for side in sides)
    engines = (sides[0].engine, sides[1].engine)
    is_exact = engines == (TENSORFLOW, TENSORFLOW)
    runs = [_engine_of(side) for side in sides]
    given = sides[1].file.outputs if sides[1].file is not None and not (outputs or map) else outputs
    pairing = _pair(one, two, given, map, listener)
    with listener.running():
        found = compare(
            one,
            two,
            pairing.outputs,
            names=pairing.names,
            feeds=resolve_tensors(two, feeds),
            fixed=fixed_values(one, set),
            batches=batches,
            unknown=batch,
            seed=seed,
            atol=(ATOL if is_exact else ENGINE_TOLERANCE) if atol is None else atol,
            rtol=(RTOL if is_exact else ENGINE_TOLERANCE) if rtol is None else rtol,
            trust=trust,
            original_engine=runs[0],
            engine=runs[1],
        )
    return replace(found, engines=engines)


def _engine_of(side: Opened) -> Engine | None:
    """The function that computes tensors of a model in its engine; ``None`` for TensorFlow."""
    if side.file is not None or side.engine == TENSORFLOW:
        return side.file
    from graphscope.runtime.engines.compute import EngineRun

    return EngineRun(side.model, ENGINES[side.engine])


@check_arguments
def compare_layers(
    model: ModelLike,
    other: ModelLike,
    *,
    outputs: Names = (),
    map: Mapping[str, str] | None = None,
    feeds: Given = (),
    set: Given = (),
    batch: int = 2,
    seed: int = 0,
    atol: float = ATOL,
    rtol: float = RTOL,
    trust: bool = False,
    listener: Listener = SILENT,
) -> LayerComparison:
    """Compares every tensor that both models compute, to show where they start to differ and how the difference grows.

    Starts TensorFlow. Library functions are expanded, so that their layers count too; tensors within loops and branches cannot
    be fetched. One batch is run.

    Args:
        outputs, map, feeds, set, batch, seed, atol, rtol, trust: see :func:`verify`.

    Raises:
        GraphscopeError: as :func:`verify`. That ``other`` cannot compute a tensor is a result, not an error.
    """
    from graphscope.feeding.feeds import resolve_tensors
    from graphscope.runtime.comparing.comparison import Comparison
    from graphscope.runtime.comparing.layers import compare_layers as compare_tensors
    from graphscope.runtime.tensorflow import promise_equal_bits

    one, two = (without_calls(as_model(m)) for m in (model, other))
    pairing = _pair(one, two, outputs, map, listener)
    run = Comparison(
        one,
        two,
        pairing.outputs,
        names=pairing.names,
        feeds=resolve_tensors(two, feeds),
        fixed=fixed_values(one, set),
        trust=trust,
    )
    promise_equal_bits()
    with listener.computing("comparing tensors", len(two.graph)) as progress:
        return compare_tensors(run, seed=seed, unknown=batch, atol=atol, rtol=rtol, progress=progress)


@check_arguments
def find_nonfinite(
    model: ModelLike,
    *,
    outputs: Names = (),
    feeds: Given = (),
    batch: int = 2,
    seed: int = 0,
    trust: bool = False,
    listener: Listener = SILENT,
) -> NonfiniteReport:
    """Finds the first node that produces a NaN or an infinity from finite inputs. Starts TensorFlow.

    Args:
        outputs: tensors to compute; by default the likely outputs.
        feeds, batch, seed, trust: see :func:`verify`.

    Raises:
        GraphscopeError: as :func:`verify`.
    """
    from graphscope.feeding.feeds import resolve_tensors
    from graphscope.runtime.comparing.comparison import Comparison
    from graphscope.runtime.comparing.nonfinite import find_nonfinite as find

    one = without_calls(as_model(model))
    chosen = chosen_outputs(one, outputs, listener)
    run = Comparison(one, one, chosen, feeds=resolve_tensors(one, feeds), trust=trust)
    with listener.computing("looking at tensors", len(one.graph)) as progress:
        return find(run, seed=seed, unknown=batch, progress=progress)


def _pair(one: Model, two: Model, outputs: Names, given: Mapping[str, str] | None, listener: Listener) -> Pairing:
    from graphscope.feeding.pairing import pair

    found = pair(one, two, as_names(outputs), given)
    note_outputs(found.outputs, found.reason, listener)
    for name, other in found.names.items():
        if name != other:
            listener.note(f"{other} of the first model is compared with {name} of the second")
    return found


__all__ = [
    "LayerComparison",
    "LayerDifference",
    "NonfiniteReport",
    "ValueRange",
    "Verification",
    "compare_layers",
    "find_nonfinite",
    "verify",
]
