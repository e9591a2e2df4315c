"""What ``freeze`` says of its work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from graphscope.cli.terminal.text import escape, size, some
from graphscope.core.binding import VARIABLE_OPS
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.transforms.changes import OpChange
from graphscope.transforms.freeze import FreezeOptions, Frozen
from graphscope.transforms.randomness import random_sources

if TYPE_CHECKING:
    from graphscope.runtime.differences import Difference
    from graphscope.runtime.verify import Verification

MAX_OPS = 6
MAX_NAMES = 4


def changed_lines(model: Model, frozen: Frozen, options: FreezeOptions) -> Iterator[str]:
    """How many nodes there were and are, and by op what changed most."""
    yield f"{len(model.graph):,} nodes -> {len(frozen.graph):,}     {_changes(frozen.changes)}"
    if options.moving_averages:
        names = list(frozen.averaged)
        yield f"moving averages taken for {some(names, MAX_NAMES)}" if names else "no variable has a moving average"
    for name, value in frozen.open_switches.items():
        yield f"{escape(name)} is still open and looks like a training switch: add --set {escape(name)}={value}"
    if options.batch_norms:
        yield "batch norms folded: expect differences of about 1e-6, relative"


def carried_line(frozen: Frozen) -> str:
    """Which variables a run would change for the next one, and who writes to them."""
    pairs = [f"{variable} (written by {writer})" for variable, writer in frozen.carried.items()]
    return f"state that carries over from run to run is frozen to its stored value: {some(pairs, MAX_NAMES)}"


def _changes(changes: Iterable[OpChange]) -> str:
    """Variables first, then the largest differences: ``Identity -12 (14 -> 2)``."""
    ordered = sorted(changes, key=lambda c: c.op not in VARIABLE_OPS)
    texts = [f"{escape(c.op)} {c.after - c.before:+,} ({c.before:,} -> {c.after:,})" for c in ordered]
    more = f", {len(texts) - MAX_OPS} more ops" if len(texts) > MAX_OPS else ""
    return ", ".join(texts[:MAX_OPS]) + more


def verified_lines(found: Verification, options: FreezeOptions) -> Iterator[str]:
    """The differences of each output, and what half precision cost."""
    batches = f"{found.batches} random batches" if found.batches > 1 else "one batch"
    for output in found.outputs:
        yield f"verified on {batches}: {escape(output.tensor)} {_difference(output.difference)}"
    if options.float16:
        worst = max(output.difference.max_absolute for output in found.outputs)
        yield f"half precision costs {worst:.3g} at most, absolute"


def _difference(difference: Difference) -> str:
    if difference.mismatch:
        return f"is {difference.mismatch} instead of {difference.dtype.label} {list(difference.shape)}"
    equal = ", equal to the bit" if difference.is_equal else ""
    return f"max |difference| {difference.max_absolute:.3g} (relative {difference.max_relative:.3g}){equal}"


def disagreement(found: Verification, options: FreezeOptions, frozen: Frozen) -> GraphscopeError:
    """The error that ends a verification; state, half precision and folded batch norms are likely causes."""
    lines = [f"  {o.tensor} {_difference(o.difference)}" for o in found.outputs if not o.difference.is_within]
    cause = "--float16" if options.float16 else "--fold-batch-norms" if options.batch_norms else ""
    hint = (
        f"{cause} makes differences: --atol and --rtol widen the tolerance"
        if cause
        else "state that carries over needs variables: graphscope convert MODEL saved_model/"
        if frozen.carried
        else "--no-fold leaves constants alone"
    )
    tolerance = f"--atol {found.atol:g} --rtol {found.rtol:g}"
    return GraphscopeError(
        f"the frozen graph computes something else ({tolerance}); nothing written\n" + "\n".join(lines), hint=hint
    )


def unproven(found: Verification, frozen: Frozen) -> GraphscopeError:
    """The error where two runs of the model differ as much as the model and the frozen graph: nothing can be verified."""
    lines = []
    sources: dict[str, str] = {}
    for output in found.outputs:
        if output.is_random:
            causes = random_sources(frozen.graph, output.tensor)
            sources |= causes
            named = some((f"{name} ({op})" for name, op in causes.items()), MAX_NAMES) or "nothing that the graph shows"
            lines.append(f"  {output.tensor} {_difference(output.difference)}; random by {named}")
    switches = [f"--set {name}={value}" for name, value in frozen.open_switches.items()]
    if switches:
        hint = f"{' '.join(switches)}   fixes what is still open"
    elif sources:
        hint = (
            f"--input {next(iter(sources))}   feeds the random numbers; without --verify the file is written unverified"
        )
    else:
        hint = "without --verify the file is written unverified"
    text = "the frozen graph cannot be verified: two runs of the model itself differ as much; nothing written"
    return GraphscopeError("\n".join([text, *lines]), hint=hint)


def written_line(out: Path, written_bytes: int, seconds: float) -> str:
    """The file, its size and the time."""
    return f"{escape(str(out))}  {size(written_bytes)} in {seconds:.1f} s"
