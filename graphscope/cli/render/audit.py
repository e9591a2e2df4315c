"""``audit``: findings as a table, JSON or SARIF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from graphscope import __version__
from graphscope.analysis.audit.finding import Finding, Severity
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.plain import json_text, plain
from graphscope.cli.terminal.table import Column, write_table
from graphscope.core.units import count
from graphscope.scan.audit import AuditReport
from graphscope.scan.sarif import sarif

Group = tuple[Finding, int]
"""A finding, and the number of findings that differ from it only in the node."""


def write_report(sink: Sink, format: str, report: AuditReport, least: Severity | None) -> None:
    """Writes the findings.

    Args:
        format: ``table``, ``json`` or ``sarif``.
        least: the lowest severity to list; ``None`` lists nothing.
    """
    shown = replace(report, findings=report.at_least(least) if least is not None else ())
    if format == "table":
        _write_table(sink, group(shown.findings), len(report.models) + len(report.unread))
    else:
        value = sarif(shown, __version__) if format == "sarif" else _record(shown)
        sink.write(json_text(value, indent=2, is_unicode=sink.is_unicode) + "\n")


def say_total(sink: Sink, report: AuditReport) -> None:
    """Prints unreadable files, the number of audited files, and the number of findings of each severity."""
    for item in report.unread:
        sink.warning(f"not audited: {item.message}")
    counts = Counter(finding.severity for finding in report.findings)
    parts = [f"{counts[severity]:,} {severity.label}" for severity in reversed(Severity) if counts[severity]]
    found = f"{count(len(report.findings), 'finding')}: {', '.join(parts)}" if parts else "no findings"
    sink.note(f"{count(len(report.models), 'file')} audited; {found}")


def group(findings: Iterable[Finding]) -> list[Group]:
    """Groups findings that differ only in their node: the first of each group and its size."""
    first: dict[Finding, Finding] = {}
    counts: Counter[Finding] = Counter()
    for finding in findings:
        key = finding._replace(node="", function="")
        counts[key] += 1
        first.setdefault(key, finding)
    return [(finding, counts[key]) for key, finding in first.items()]


def _write_table(sink: Sink, groups: Sequence[Group], places: int) -> None:
    columns = [
        Column("severity", style="mark"),
        Column("rule", minimum=8),
        Column("node", minimum=16),
        Column("runs", drop=2),
        Column("what it does", minimum=24),
        Column("why", style="dim", minimum=16, drop=1),
    ]
    columns[2:2] = [Column("file", minimum=16, keeps_end=True)] if places > 1 else []
    write_table(sink, columns, (_cells(finding, times, places > 1) for finding, times in groups))


def _cells(finding: Finding, times: int, has_path: bool) -> list[str]:
    op = f" ({finding.op})" if finding.op else ""
    more = f" and {times - 1:,} more" if times > 1 else ""
    reach = finding.reach.value if finding.reach is not None else ""
    cells = [finding.severity.label, finding.rule, f"{finding.place}{op}{more}", reach, finding.text, finding.reason]
    cells[2:2] = [finding.path] if has_path else []
    return cells


def _record(report: AuditReport) -> dict[str, Any]:
    return {
        "models": list(report.models),
        "findings": [_finding(finding) for finding in report.findings],
        "unread": [plain(item) for item in report.unread],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    source = finding.source.name.lower() if finding.source is not None else None
    record = plain(finding._replace(source=None))
    return {**record, "severity": finding.severity.label, "category": finding.category.value, "source": source}
