"""The output of ``freeze``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from graphscope.api.adapt import backport_lines
from graphscope.api.freeze import Frozen, SavedFrozen
from graphscope.cli.terminal.text import escape, size
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.core.units import count
from graphscope.errors import some
from graphscope.transforms.changes import OpChange

if TYPE_CHECKING:
    from graphscope.runtime.comparing.verify import Verification

MAX_OPS = 6
MAX_NAMES = 4


def changed_lines(frozen: Frozen) -> Iterator[str]:
    """The number of nodes before and after, and the largest changes by op."""
    before, after = len(frozen.source.graph), len(frozen.model.graph)
    yield f"{before:,} nodes -> {after:,}     {_changes(frozen.changes)}"
    yield from map(escape, frozen.result.reshaped.lines())
    for table, keys in frozen.result.tables.items():
        yield f"lookup table {escape(table)} is part of the graph: {count(keys, 'key')}"
    converted = frozen.result.converted
    if converted.moved:
        transposes = count(converted.transposes, "transpose")
        yield f"{count(converted.moved, 'node')} compute in {frozen.options.data_format}, {transposes} at the borders"
    yield from map(escape, backport_lines(frozen.result.backported))
    if frozen.options.moving_averages:
        names = list(frozen.result.averaged)
        yield f"moving averages taken for {some(names, MAX_NAMES)}" if names else "no variable has a moving average"
    if frozen.options.batch_norms:
        yield "batch norms folded: expect relative differences of about 1e-6"


def open_switch_lines(frozen: Frozen) -> Iterator[str]:
    """The inputs that look like training switches, with the option that fixes each."""
    for name, value in frozen.open_switches.items():
        yield f"{name} is still open and looks like a training switch: add --set {name}={value}"


def _changes(changes: Iterable[OpChange]) -> str:
    """Variables first, then the largest differences: ``Identity -12 (14 -> 2)``."""
    ordered = sorted(changes, key=lambda c: c.op not in VARIABLE_OPS)
    texts = [f"{escape(c.op)} {c.after - c.before:+,} ({c.before:,} -> {c.after:,})" for c in ordered]
    more = f", {len(texts) - MAX_OPS} more ops" if len(texts) > MAX_OPS else ""
    return ", ".join(texts[:MAX_OPS]) + more


def verified_lines(found: Verification, *, float16: bool) -> Iterator[str]:
    """The differences of each output, and the effect of half precision."""
    batches = batches_text(found)
    for output in found.outputs:
        yield f"verified on {batches}: {escape(output.tensor)} {output.difference}"
    if float16:
        yield f"half precision costs {found.max_abs:.3g} at most, absolute"


def batches_text(found: Verification) -> str:
    """The fed data: ``3 random batches``."""
    if found.row_batches:
        return f"batches of {' and '.join(map(str, found.row_batches))}, row by row"
    return count(found.batches, "random batch") if found.batches > 1 else "one batch"


def written_line(saved: SavedFrozen, seconds: float) -> str:
    """The file, its size and the time."""
    return f"{escape(saved.path)}  {size(saved.size_bytes)} in {seconds:.1f} s"


def frozen_report(frozen: Frozen, saved: SavedFrozen) -> dict[str, Any]:
    """Everything that ``freeze`` knows, for JSON."""
    return {
        "path": saved.path,
        "format": saved.format,
        "size_bytes": saved.size_bytes,
        "outputs": frozen.outputs,
        "nodes_before": len(frozen.source.graph),
        "nodes_after": len(frozen.model.graph),
        "changes": frozen.changes,
        "moving_averages": tuple(frozen.result.averaged),
        "open_switches": frozen.open_switches,
        "carried_state": frozen.carried,
        "inputs": frozen.result.reshaped.inputs,
        "rewritten": frozen.result.reshaped.rewritten,
        "tables": frozen.result.tables,
        "initializers": frozen.result.initializers,
        "data_format": frozen.options.data_format,
        "moved_nodes": frozen.result.converted.moved,
        "transposes": frozen.result.converted.transposes,
        "stripped_attributes": frozen.result.backported.stripped,
        "replaced_ops": frozen.result.backported.replaced,
        "verification": saved.verification,
    }
