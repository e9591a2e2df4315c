"""``graphscope audit``."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from graphscope.cli.options.shared import repeatable
from graphscope.cli.terminal.output import Sink

if TYPE_CHECKING:
    from graphscope.analysis.audit.finding import Severity
    from graphscope.scan.audit import AuditReport
    from graphscope.scan.policy import Policy

FINDINGS = 1
"""The exit code for findings as severe as ``--fail-on``, or unreadable files."""


class Level(str, enum.Enum):
    """A severity; ``never`` is beyond all of them."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    NEVER = "never"


class AuditFormat(str, enum.Enum):
    """Output formats."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"


def audit(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            show_default=False,
            help="Models, or directories and archives that contain models.",
        ),
    ],
    *,
    fail_on: Annotated[
        Level | None,
        typer.Option(show_default=False, help="Exit with 1 if a finding is at least this severe (default: high)."),
    ] = None,
    show: Annotated[Level, typer.Option(help="List findings that are at least this severe.")] = Level.LOW,
    allow: Annotated[list[str], repeatable("--allow", "OP", "Accept findings about this op; repeat for more.")],
    policy: Annotated[
        str | None,
        typer.Option(metavar="FILE", show_default=False, help="Read allowed ops and severities from this JSON file."),
    ] = None,
    format: Annotated[AuditFormat, typer.Option("--format", help="Output format.")] = AuditFormat.TABLE,
) -> None:
    """Report what models can do to the machine that opens or runs them, without running them."""
    from graphscope.cli.render.audit import say_total, write_report
    from graphscope.scan.audit import audit as audit_paths

    sink = Sink.standard()
    judged = _policy(policy, allow)
    report = judged.apply(audit_paths(*models))
    write_report(sink, format.value, report, _severity(show))
    say_total(sink, report)
    sink.flush()
    if report.unread or _fails(report, judged, fail_on):
        raise typer.Exit(FINDINGS)


def _policy(path: str | None, allow: list[str]) -> Policy:
    from graphscope.scan.policy import Policy, read_policy

    return (read_policy(path) if path is not None else Policy()).allowing(allow)


def _severity(level: Level) -> Severity | None:
    from graphscope.analysis.audit.finding import Severity

    return None if level is Level.NEVER else Severity[level.name]


def _fails(report: AuditReport, policy: Policy, fail_on: Level | None) -> bool:
    from graphscope.analysis.audit.finding import Severity

    limit = _severity(fail_on) if fail_on is not None else policy.fail_on or Severity.HIGH
    return limit is not None and bool(report.at_least(limit))


EXAMPLES = """
  graphscope audit model.pb
  graphscope audit downloads/ --fail-on medium --format sarif > audit.sarif
  graphscope audit model.ckpt-5000 --allow PyFunc --show info
"""
