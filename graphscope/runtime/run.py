"""Runs a model once: restores variables, feeds inputs, computes outputs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.listener import Advance
from graphscope.core.model import Model
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError
from graphscope.feeding.default_feeds import fit_feeds
from graphscope.feeding.missing_feeds import refuse_unfed
from graphscope.feeding.one_at_a_time import stack_rows
from graphscope.feeding.series import Series
from graphscope.protos import RunMetadata
from graphscope.runtime.config import AS_STATED, DEFAULT, Placing, SessionOptions
from graphscope.runtime.run_result import RunResult
from graphscope.runtime.session import Session, open_session
from graphscope.runtime.tasks.master import placed_config
from graphscope.runtime.tensorflow import tensorflow
from graphscope.tracing.profile import list_executed
from graphscope.tracing.report import Executed
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
    series: Series | None = None,
    progress: Advance = lambda _: None,
) -> RunResult:
    """Computes ``outputs``, equal to the bit to a session that restored the model. Starts TensorFlow.

    The model's files do not change: a train op updates the variables in memory.

    Args:
        outputs: tensors, or nodes.
        feeds: node or tensor name -> value; any tensor may be fed. Placeholders with a default may be left out.
        values: variable op -> content that replaces the checkpoint's.
        options: of the session; with ``log_placement`` and ``log_executed``, the result contains the placement and the executed
            nodes.
        placing: where nodes run.
        trust: also run nodes that touch files, the network or processes.
        series: files that are fed to one tensor, one per run; the results are stacked.
        progress: receives the progress of these runs.

    Raises:
        UnknownNameError: the model has no such output or tensor.
        IncompleteModelError: a variable has no value.
        UnsupportedError: the run needs an op that TensorFlow does not have.
        UntrustedError: the graph does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        FileError: a file of the series cannot be read.
        GraphscopeError: a placeholder is not fed, a value does not fit, or TensorFlow cannot run the graph; the results of two
            files differ in shape.
    """
    fed = fit_feeds(model, feeds or {})
    given, fed_values = list(fed), {spec.name: value for spec, value in fed.items()}
    given += [series.spec] if series is not None else []
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
        run_of = functools.partial(_compute, session, outputs, is_traced=options.log_executed)
        placed = session.placement if options.log_placement else ()
        found, ran = run_of(fed_values) if series is None else _in_series(run_of, outputs, fed_values, series, progress)
        return RunResult(tuple(found), tuple(session.devices), session.absent, placed, ran)


Computed = tuple[list["NDArray[Any] | None"], tuple[Executed, ...]]
"""The values of the outputs, and the executed nodes, if requested."""


def _in_series(
    run_of: Callable[[Mapping[str, NDArray[Any]]], Computed],
    outputs: Sequence[str],
    feeds: Mapping[str, NDArray[Any]],
    series: Series,
    progress: Advance,
) -> Computed:
    """A run for each file; its values put together."""
    rows: list[list[NDArray[Any] | None]] = []
    ran: tuple[Executed, ...] = ()
    for number, path in enumerate(series.files):
        try:
            found, ran = run_of({**feeds, series.spec.name: series.read(number)})
        except GraphscopeError as error:
            if type(error) is not GraphscopeError:
                raise
            raise GraphscopeError(f"{error.message}, in the run of {path}", hint=error.hint) from error
        rows.append(found)
        progress(1)
    columns = zip(outputs, zip(*rows))
    return [_stack(name, values, series.names) for name, values in columns], ran


def _stack(name: str, values: Sequence[NDArray[Any] | None], examples: Sequence[str]) -> NDArray[Any] | None:
    arrays = [value for value in values if value is not None]
    return stack_rows(name, arrays, examples) if arrays else None


def _compute(
    session: Session, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]], *, is_traced: bool
) -> Computed:
    if not is_traced:
        return session.run(outputs, feeds), ()
    tf1 = tensorflow().compat.v1
    metadata = tf1.RunMetadata()
    traced = tf1.RunOptions(output_partition_graphs=True)
    found = session.run(outputs, feeds, options=traced, run_metadata=metadata)
    told = RunMetadata.FromString(metadata.SerializeToString())
    return found, tuple(list_executed(Trace(session.model.path, [told], [0], graph=session.part)))
