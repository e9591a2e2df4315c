"""Runs a model once: variables restored, what is given fed, the outputs computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model
from graphscope.core.payload import Payload
from graphscope.feeding.default_feeds import fit_feeds
from graphscope.feeding.missing_feeds import refuse_unfed
from graphscope.protos import RunMetadata
from graphscope.runtime.config import AS_STATED, DEFAULT, Placing, SessionOptions
from graphscope.runtime.master import placed_config
from graphscope.runtime.run_result import RunResult
from graphscope.runtime.session import Session, open_session
from graphscope.runtime.tensorflow import tensorflow
from graphscope.tracing.profile import placement
from graphscope.tracing.report import Placement
from graphscope.tracing.trace import Trace

if TYPE_CHECKING:
    from numpy.typing import NDArray


def run(
    model: Model,
    outputs: Sequence[str],
    feeds: Mapping[str, NDArray[Any]] | None = None,
    *,
    values: Mapping[str, Payload] | None = None,
    options: SessionOptions = DEFAULT,
    placing: Placing = AS_STATED,
    trust: bool = False,
) -> RunResult:
    """Computes ``outputs`` as a session that restored the model would, to the bit. Starts TensorFlow.

    Nothing of the model's files changes: a train op works on the variables in memory.

    Args:
        outputs: tensors, or nodes.
        feeds: node or tensor name -> value; any tensor may be fed. Placeholders with a default may be left out.
        values: variable op -> content that replaces the checkpoint's.
        options: of the session; with ``log_placement``, the result says what ran where.
        placing: where nodes run.
        trust: runs nodes that touch files, the network or processes too.

    Raises:
        UnknownNameError: the model has no such output or tensor.
        IncompleteModelError: a variable has no value.
        UnsupportedError: an op is needed that TensorFlow does not have.
        UntrustedError: the graph does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: a placeholder is not fed, a value does not fit, or TensorFlow cannot run this.
    """
    fed = fit_feeds(model, feeds or {})
    given, fed_values = list(fed), {spec.name: value for spec, value in fed.items()}
    refuse_unfed(model, outputs, given)
    with open_session(
        model,
        outputs,
        given=given,
        values=values,
        placing=placing,
        config=lambda: placed_config(options, placing),
        trust=trust,
    ) as session:
        found, placed = _computed(session, outputs, fed_values, options.log_placement)
        return RunResult(tuple(found), tuple(session.devices), session.absent, placed)


def _computed(
    session: Session, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]], is_traced: bool
) -> tuple[list[NDArray[Any] | None], tuple[Placement, ...]]:
    if not is_traced:
        return session.run(outputs, feeds), ()
    tf1 = tensorflow().compat.v1
    metadata = tf1.RunMetadata()
    traced = tf1.RunOptions(output_partition_graphs=True)
    found = session.run(outputs, feeds, options=traced, run_metadata=metadata)
    told = RunMetadata.FromString(metadata.SerializeToString())
    return found, tuple(placement(Trace(session.model.path, [told], [0], graph=session.part)))
