"""``audit``: what models can do to the machine that opens or runs them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphscope.analysis.audit.finding import Finding, Severity
from graphscope.core.arguments import check_arguments
from graphscope.core.shown import Shown
from graphscope.errors import FileError, GraphscopeError
from graphscope.formats.io.paths import is_directory, is_file
from graphscope.scan.files import Audited, audit_directory, audit_file, audit_path


@dataclass(frozen=True, slots=True)
class Unread:
    """A file that looks like a model but cannot be read, so its effects are unknown."""

    path: str
    message: str


@dataclass(frozen=True, slots=True, repr=False)
class AuditReport(Shown):
    """The audited files and the findings.

    Attributes:
        models: the paths of the audited models and other files, in the order in which they were found.
        findings: worst first; those of one severity in the order of ``models``.
        unread: files that could not be audited.
    """

    models: tuple[str, ...]
    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]

    def __repr__(self) -> str:
        return f"<AuditReport: {len(self.models):,} files, {len(self.findings):,} findings>"

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of at least ``severity``."""
        return tuple(finding for finding in self.findings if finding.severity >= severity)


@check_arguments
def audit(*paths: str | os.PathLike[str]) -> AuditReport:
    """Audits models, directories and archives; directories and archives recursively. Does not start TensorFlow.

    Args:
        paths: anything that :func:`graphscope.load` opens, directories of such files, zip and tar archives.

    Raises:
        FileError: nothing is at a path, or nothing in it can be audited.
        GraphscopeError: a file that was named, not found in a directory, cannot be read.
    """
    audited = [item for path in paths for item in _at(os.fspath(path))]
    findings = (finding for item in audited for finding in item.findings)
    return AuditReport(
        tuple(dict.fromkeys(item.path for item in audited if not item.error)),
        tuple(sorted(findings, key=lambda finding: -finding.severity)),
        tuple(Unread(item.path, item.error) for item in audited if item.error),
    )


def _at(path: str) -> Sequence[Audited]:
    place = Path(path)
    if is_directory(place):
        found = list(audit_directory(place))
        if not found:
            raise FileError(f"{path}: nothing to audit: no model in this directory", hint="name a model or an archive")
        return found
    found = list(_file(place)) if is_file(place) else []
    return found or list(audit_path(path))


def _file(place: Path) -> Iterable[Audited]:
    for item in audit_file(place):
        if item.error and item.path == str(place):
            raise GraphscopeError(item.error)
        yield item
