"""The cost of a model for any batch size, if the file leaves it open: counted for several sizes and fitted.

Sizes that come of a batch are not followed as formulas: each batch is counted for itself, as any known batch is. An amount that
three batches of very different size agree on as ``fixed + per_example * batch`` is that; any other is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace

from graphscope.analysis.cost.report import Amount, ByBatch, CostReport, CostRow, Figures
from graphscope.core.tensors import Shape

SAMPLES = (2, 3, 1009)
"""The batch sizes that are counted in addition to 1, which may be a special case: sizes of 1 are broadcast and squeezed."""

_OPERATIONS = frozenset({"macs", "flops"})
"""The figures that depend on known operations; the others depend on known bytes."""


def with_open_batch(one: CostReport, samples: Sequence[CostReport]) -> CostReport:
    """Extends the report for one example to any batch size.

    Args:
        samples: the reports for each batch of :data:`SAMPLES`.
    """
    keyed = [_by_name(report.rows) for report in samples]
    return replace(
        one,
        inputs={name: _open_shape([r.inputs.get(name) for r in samples]) for name in one.inputs},
        batch=None,
        is_batch_open=True,
        rows=tuple(_open_row(row, [rows.get(key) for rows in keyed]) for key, row in _by_name(one.rows).items()),
        total=_open_figures(one.total, [report.total for report in samples]),
        peak_low_by_batch=_peak(one, samples, "peak_low_bytes"),
        peak_high_by_batch=_peak(one, samples, "peak_high_bytes"),
    )


_Key = tuple[str, str, int]


def _by_name(rows: Sequence[CostRow]) -> dict[_Key, CostRow]:
    """Rows by name: those of ops stand in another order for each batch, and a function may have several of one name."""
    seen: Counter[tuple[str, str]] = Counter()
    result = {}
    for row in rows:
        name = row.function, row.name
        result[row.function, row.name, seen[name]] = row
        seen[name] += 1
    return result


def _open_row(row: CostRow, found: Sequence[CostRow | None]) -> CostRow:
    samples = [sample for sample in found if sample is not None]
    if len(samples) < len(SAMPLES):
        return replace(row, figures=replace(row.figures, by_batch=ByBatch(None, None, None, None, None)))
    shape = _open_shape([sample.shape for sample in samples])
    return replace(row, shape=shape, figures=_open_figures(row.figures, [sample.figures for sample in samples]))


def _open_figures(one: Figures, samples: Sequence[Figures]) -> Figures:
    amounts = {field.name: _figure(field.name, one, samples) for field in fields(ByBatch)}
    return replace(one, by_batch=ByBatch(**amounts))


def _figure(name: str, one: Figures, samples: Sequence[Figures]) -> Amount | None:
    """The amount; ``None`` if another batch leaves more or less of the graph unknown, as one that it cannot take does."""
    lack = "without_flops" if name in _OPERATIONS else "without_bytes"
    is_alike = all(getattr(sample, lack) == getattr(one, lack) for sample in samples)
    return _amount([getattr(sample, name) for sample in samples]) if is_alike else None


def _peak(one: CostReport, samples: Sequence[CostReport], name: str) -> Amount | None:
    is_alike = all(report.peak_unsized == one.peak_unsized for report in samples)
    return _amount([getattr(report, name) for report in samples]) if is_alike else None


def _amount(figures: Sequence[int]) -> Amount | None:
    """The linear function through all figures."""
    (first, second, *rest) = zip(SAMPLES, figures, strict=True)
    each, remainder = divmod(second[1] - first[1], second[0] - first[0])
    fixed = first[1] - each * first[0]
    is_line = not remainder and all(figure == fixed + each * batch for batch, figure in rest)
    return Amount(fixed, each) if is_line else None


def _open_shape(shapes: Sequence[Shape]) -> Shape:
    """The sizes that do not depend on the batch, with ``None`` for those that do."""
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or len(set(map(len, known))) > 1:
        return None
    return tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*known, strict=True))
