"""A report in SARIF 2.1.0, the format in which code hosts show what analysers found.

Source: the OASIS standard ``sarif-v2.1.0``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from graphscope.analysis.audit.finding import Finding, Severity
from graphscope.analysis.audit.rules import RULES
from graphscope.scan.audit import AuditReport, Unread

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"

_LEVELS = {Severity.INFO: "note", Severity.LOW: "note", Severity.MEDIUM: "warning", Severity.HIGH: "error"}
_RULE_IDS = list(RULES)


def sarif(report: AuditReport, version: str) -> dict[str, Any]:
    """``report`` as a SARIF log with one run.

    Args:
        version: graphscope's.
    """
    driver = {"name": "graphscope", "semanticVersion": version, "rules": [_rule(name) for name in RULES]}
    return {
        "$schema": SCHEMA,
        "version": VERSION,
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {
                        "executionSuccessful": not report.unread,
                        "toolExecutionNotifications": [_unread(item) for item in report.unread],
                    }
                ],
                "results": [_result(finding) for finding in report.findings],
            }
        ],
    }


def _rule(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": RULES[name].text},
        "properties": {"category": RULES[name].category.value},
    }


def _result(finding: Finding) -> dict[str, Any]:
    where = f"{finding.place}: " if finding.place else ""
    return {
        "ruleId": finding.rule,
        "ruleIndex": _RULE_IDS.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{where}{finding.text}: {finding.reason}"},
        "locations": [_location(finding)],
        "properties": {
            "severity": finding.severity.label,
            "op": finding.op,
            "reach": finding.reach.value if finding.reach is not None else "",
            "target": finding.target,
        },
    }


def _location(finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": _uri(finding.path)}}}
    if finding.place:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.place, "name": finding.node}]
    return location


def _unread(item: Unread) -> dict[str, Any]:
    return {"level": "error", "message": {"text": f"{item.path}: {item.message}"}}


def _uri(path: str) -> str:
    """A path as a relative or absolute URI reference."""
    return quote(path.replace("\\", "/"), safe="/!")
