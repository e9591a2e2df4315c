"""Finds the files to audit in a directory and identifies them, by content before name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from graphscope import formats
from graphscope.analysis.audit.code import lambda_layers
from graphscope.analysis.audit.finding import Finding, Severity
from graphscope.analysis.audit.model import audit_model
from graphscope.core.model import ModelKind
from graphscope.errors import FileError, GraphscopeError, IncompleteModelError, NotTensorFlowError
from graphscope.formats.detect.checkpoint_state import read_state
from graphscope.formats.detect.sniff import Content, sniff
from graphscope.formats.io.paths import exists, is_below, is_file
from graphscope.formats.io.table_footer import is_table
from graphscope.formats.io.wire import FileSource
from graphscope.scan.archives import ends_as_archive, is_archive, unpack
from graphscope.scan.pickles import pickle_findings, pickle_start

_HEAD = 512


@dataclass(frozen=True, slots=True)
class Audited:
    """One audited model or other file.

    Attributes:
        path: where it is; ``archive!/member`` inside an archive.
        findings: its findings.
        error: why it could not be read; empty if it could.
    """

    path: str
    findings: tuple[Finding, ...] = ()
    error: str = ""


def audit_path(path: str) -> Iterator[Audited]:
    """The model, with every meta graph of it, that a person points at.

    Raises:
        GraphscopeError: as :func:`graphscope.formats.load`.
    """
    models = formats.load_every(path)
    several = len(models) > 1
    for model in models:
        tags = ",".join(sorted(model.meta.meta_info_def.tags)) or "no tags"
        name = f"{model.path} ({tags})" if several and model.kind is ModelKind.SAVED_MODEL else model.path
        yield Audited(name, tuple(finding._replace(path=name) for finding in audit_model(model)))


def audit_directory(root: Path, depth: int = 0) -> Iterator[Audited]:
    """All files in and below ``root`` that can contain code or graphs, sorted by path. Links are not followed.

    Args:
        depth: how many archives it is in.
    """
    refused: list[OSError] = []
    for directory, folders, files in os.walk(root, onerror=refused.append):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(directory, name)
            if path.is_symlink():
                yield from _link(path, root)
            elif is_file(path):
                yield from audit_file(path, depth)
    for error in refused:
        yield Audited(str(error.filename), error=f"{error.filename}: {error.strerror}")


def _link(path: Path, root: Path) -> Iterator[Audited]:
    """A link to outside; targets inside are visited anyway."""
    if not is_below(str(path), root):
        target = os.readlink(path)
        text, reason = f"is a link to {target}", "copying or serving the directory follows it"
        finding = Finding("link-outside", Severity.LOW, text, reason, target=target, path=str(path))
        yield Audited(str(path), (finding,))


def audit_file(path: Path, depth: int = 0) -> Iterator[Audited]:
    """Audits ``path`` by its kind; yields nothing for harmless files and parts of other files."""
    try:
        source = FileSource(path)
        judge = next((judge for test, judge in _KINDS if test(source)), None)
        if judge is not None:
            yield from judge(source, depth)
        if ends_as_archive(source) and not _is_values(source):
            yield from _archive(source, depth)
    except GraphscopeError as error:
        yield Audited(str(path), error=error.message)


def _head(source: FileSource) -> bytes:
    return source.read(0, min(_HEAD, source.size))


def _is_empty(source: FileSource) -> bool:
    return not source.size


def _is_values(source: FileSource) -> bool:
    """A checkpoint's index or data: values and no graph."""
    return _SHARD.search(source.path.name) is not None or is_table(source)


def _is_model(source: FileSource) -> bool:
    content = sniff(source).content
    known = (Content.GRAPH, Content.META_GRAPH, Content.SAVED_MODEL, Content.EVENTS)
    return content in known or source.path.suffix in _MODEL_SUFFIXES


def _is_state(source: FileSource) -> bool:
    return source.path.name == "checkpoint" and sniff(source).content is Content.STATE


def _is_keras(source: FileSource) -> bool:
    return source.path.name in _KERAS_FILES or _is_hdf5(source)


def _is_hdf5(source: FileSource) -> bool:
    """A signature at the beginning, or behind a user block of 512, 1024, 2048, ... bytes."""
    place, size = 0, len(_HDF5)
    while place + size <= min(source.size, _MAX_USER_BLOCK):
        if source.read(place, size) == _HDF5:
            return True
        place = max(512, 2 * place)
    return False


def _is_native(source: FileSource) -> bool:
    return _head(source).startswith(_NATIVE)


def _nothing(_: FileSource, __: int) -> Iterator[Audited]:
    return iter(())


def _model(source: FileSource, _: int) -> Iterator[Audited]:
    """A graph; files that only look like one (assets, event files without a graph) are passed over."""
    try:
        yield from audit_path(str(source.path))
    except (NotTensorFlowError, IncompleteModelError) as error:
        if source.path.suffix in _MODEL_SUFFIXES and not _is_quiet(error):
            raise
    except FileError:
        raise
    except GraphscopeError:
        if source.path.suffix in _MODEL_SUFFIXES or sniff(source).is_text:
            raise


def _is_quiet(error: GraphscopeError) -> bool:
    """Whether a file is not a model by itself or contains none: there is nothing to audit."""
    return "by itself" in error.message or isinstance(error, IncompleteModelError)


def _state(source: FileSource, _: int) -> Iterator[Audited]:
    """A state file that names checkpoints elsewhere: one finding with the highest severity of them."""
    state = read_state(source.path)
    outside = {
        p: _foreign(state.directory, p)
        for p in state.prefixes
        if not is_below(str(state.directory / p), state.directory)
    }
    found = []
    if outside:
        worst = max(outside, key=lambda prefix: outside[prefix][0])
        severity, reason = outside[worst]
        more = f" and {len(outside) - 1:,} more in other directories" if outside.keys() - {worst} else ""
        text = f"names the checkpoint {worst}{more}"
        found.append(Finding("foreign-state", severity, text, reason, target=worst, path=str(source.path)))
    yield Audited(str(source.path), tuple(found))


def _foreign(directory: Path, prefix: str) -> tuple[Severity, str]:
    """The severity of a state file in ``directory`` that names ``prefix``, which is elsewhere."""
    if any(exists(str(directory / prefix) + suffix) for suffix in ("", ".index")):
        return Severity.MEDIUM, "it exists, and TensorFlow opens it"
    climbs = ".." in re.split(r"[/\\]", prefix)
    return (Severity.LOW if climbs else Severity.INFO), "where it exists, TensorFlow opens it"


def _keras(source: FileSource, _: int) -> Iterator[Audited]:
    found = dict.fromkeys(lambda_layers(source.chunks(0, source.size)))
    yield Audited(str(source.path), tuple(finding._replace(path=str(source.path)) for finding in found))


def _pickle(source: FileSource, _: int) -> Iterator[Audited]:
    yield Audited(str(source.path), tuple(pickle_findings(source)))


def _native(source: FileSource, _: int) -> Iterator[Audited]:
    text, reason = "is a native library or program", "loading it runs its code"
    yield Audited(str(source.path), (Finding("native-library", Severity.MEDIUM, text, reason, path=str(source.path)),))


def _archive(source: FileSource, depth: int) -> Iterator[Audited]:
    path = str(source.path)
    with unpack(source.path, depth) as (directory, findings):
        yield Audited(path, tuple(findings))
        for item in audit_directory(directory, depth + 1):
            yield _rename(item, str(directory), f"{path}!")


def _rename(item: Audited, old: str, new: str) -> Audited:
    findings = tuple(finding._replace(path=finding.path.replace(old, new)) for finding in item.findings)
    return Audited(item.path.replace(old, new), findings, item.error.replace(old, new))


_SHARD = re.compile(r"\.data-\d{5}-of-\d{5}\Z")
_MODEL_SUFFIXES = (".pb", ".pbtxt", ".meta")
_KERAS_FILES = ("keras_metadata.pb", "config.json")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MAX_USER_BLOCK = 1 << 30
_NATIVE = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
"""ELF, Windows and macOS programs and libraries."""

_PASSED_OVER = ("fingerprint.pb", "tfhub_module.pb")


def _is_mark(source: FileSource) -> bool:
    return source.path.name in _PASSED_OVER


_KINDS: tuple[tuple[Callable[[FileSource], bool], Callable[[FileSource, int], Iterator[Audited]]], ...] = (
    (_is_empty, _nothing),
    (_is_mark, _nothing),
    (_is_values, _nothing),
    (_is_keras, _keras),
    (_is_state, _state),
    (is_archive, _archive),
    (lambda source: pickle_start(source) is not None, _pickle),
    (_is_native, _native),
    (_is_model, _model),
)
"""The first kind whose test a file passes audits it."""
