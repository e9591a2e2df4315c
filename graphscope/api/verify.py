"""``graphscope.verify``: whether two models compute the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphscope.api.opening import ModelLike, Names, as_model, chosen_outputs, fixed_values
from graphscope.core.listener import SILENT, Listener
from graphscope.runtime.verify import ATOL, RTOL, Verification
from graphscope.runtime.verify import verify as compare

if TYPE_CHECKING:
    from graphscope.feeding.feeds import Given


def verify(
    model: ModelLike,
    other: ModelLike,
    *,
    outputs: Names = (),
    feeds: Given = (),
    set: Given = (),
    batches: int = 3,
    batch: int = 2,
    seed: int = 0,
    atol: float = ATOL,
    rtol: float = RTOL,
    trust: bool = False,
    listener: Listener = SILENT,
) -> Verification:
    """Runs two models on the same inputs and compares their outputs. Starts TensorFlow.

    A number is within tolerance where ``|model - other| <= atol + rtol * |model|``; integers, booleans and strings must be
    equal, NaN equals NaN.

    Args:
        outputs: tensors that both have; without any, the likely outputs of ``other``.
        feeds: node or tensor name -> value; every other input is random, training switches are set for inference.
        set: what was fixed in ``other``: fed to ``model`` alone.
        batches: how many random inputs; one is run where nothing is random.
        batch: the size of unknown dimensions.
        seed: of the random inputs.
        trust: run nodes that touch files, the network or processes too.

    Raises:
        UnknownNameError: a model has no such output.
        IncompleteModelError: a variable has no value.
        UnsupportedError: an op is needed that TensorFlow does not have.
        UntrustedError: a model does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: a value does not fit, or TensorFlow cannot run one of the models.
    """
    from graphscope.feeding.feeds import resolve_tensors

    one, two = as_model(model), as_model(other)
    with listener.running():
        return compare(
            one,
            two,
            chosen_outputs(two, outputs, listener),
            feeds=resolve_tensors(two, feeds),
            fixed=fixed_values(one, set),
            batches=batches,
            unknown=batch,
            seed=seed,
            atol=atol,
            rtol=rtol,
            trust=trust,
        )


__all__ = ["Verification", "verify"]
