"""What a person has decided of findings: ops that are allowed, severities that differ.

A policy file is JSON::

    {"allow": ["PyFunc"], "severity": {"unknown-op": "low"}, "fail_on": "medium"}
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graphscope.analysis.audit.finding import Severity
from graphscope.analysis.audit.rules import RULES
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.formats.io.small_files import read_small
from graphscope.scan.audit import AuditReport


@dataclass(frozen=True, slots=True)
class Policy:
    """How a report is judged.

    Attributes:
        allow: ops whose findings are dropped.
        severity: rule -> the severity that its findings have, whatever the audit says.
        fail_on: the severity from which on an audit fails; ``None`` leaves that to the caller.
    """

    allow: frozenset[str] = frozenset()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    fail_on: Severity | None = None

    def allowing(self, ops: Collection[str]) -> Policy:
        """The same policy with further ops allowed."""
        return replace(self, allow=self.allow | frozenset(ops))

    def apply(self, report: AuditReport) -> AuditReport:
        """``report`` as this policy judges it."""
        kept = (finding for finding in report.findings if finding.op not in self.allow)
        judged = (f._replace(severity=self.severity.get(f.rule, f.severity)) for f in kept)
        return replace(report, findings=tuple(sorted(judged, key=lambda finding: -finding.severity)))


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy in ``path``.

    Raises:
        FileError: the file cannot be read.
        GraphscopeError: it is not a policy.
        UnknownNameError: it names a rule or a severity that does not exist.
    """
    text = read_small(path, "a policy")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(path, str(error)) from error
    if not isinstance(content, dict):
        raise _invalid(path, "it must be an object")
    try:
        return _policy(path, content)
    except UnknownNameError as error:
        error.message = f"{os.fspath(path)}: {error.message}"
        raise


def _policy(path: str | os.PathLike[str], content: dict[str, Any]) -> Policy:
    unknown = sorted(content.keys() - {"allow", "severity", "fail_on"})
    if unknown:
        raise UnknownNameError("field of a policy", str(unknown[0]), ("allow", "severity", "fail_on"))
    allow, severity = content.get("allow", []), content.get("severity", {})
    if not _is_names(allow) or not isinstance(severity, dict):
        raise _invalid(path, '"allow" is a list of ops, "severity" an object of rules')
    return Policy(
        frozenset(allow),
        {_rule(rule): severity_of(value) for rule, value in severity.items()},
        severity_of(content["fail_on"]) if "fail_on" in content else None,
    )


def severity_of(text: object) -> Severity:
    """The severity called ``text``.

    Raises:
        UnknownNameError: there is none.
    """
    labels = {severity.label: severity for severity in Severity}
    if not isinstance(text, str) or text not in labels:
        raise UnknownNameError("severity", str(text), labels)
    return labels[text]


def _rule(name: str) -> str:
    if name not in RULES:
        raise UnknownNameError("rule", name, RULES)
    return name


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _invalid(path: str | os.PathLike[str], what: str) -> GraphscopeError:
    hint = 'for example: {"allow": ["PyFunc"], "severity": {"unknown-op": "low"}, "fail_on": "high"}'
    return GraphscopeError(f"{os.fspath(path)}: not a valid policy: {what}", hint=hint)
