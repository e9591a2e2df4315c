"""Directories, archives and files beside models: everything is found, nothing is executed, nothing is written elsewhere."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope import GraphscopeError, audit
from graphscope.analysis.audit.finding import Finding, Severity
from graphscope.analysis.audit.rules import RULES
from graphscope.errors import FileError, UnknownNameError
from graphscope.protos import MetaGraphDef, SavedModel
from graphscope.scan import archives
from graphscope.scan.policy import Policy, read_policy, severity_of
from graphscope.scan.sarif import sarif
from tests.support.dangerous import WRITERS, dangerous_graph
from tests.support.fixture_files import FIXTURES
from tests.support.sarif_schema import violations

LAMBDA = b'{"class_name": "Lambda", "config": {"name": "l", "function": ["4wEAAA", null, null]}}'
HDF5 = b"\x89HDF\r\n\x1a\n"


@pytest.fixture(scope="module")
def danger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen graph that does everything that a graph should not do."""
    return WRITERS["pb"](dangerous_graph("top level"), tmp_path_factory.mktemp("danger"))


def rules(*paths: Path) -> set[tuple[str, str]]:
    """File name and rule of each finding."""
    return {(Path(f.path).name, f.rule) for f in audit(*paths).findings}


def high(*paths: Path) -> list[Finding]:
    return list(audit(*paths).at_least(Severity.HIGH))


def test_a_directory_is_audited_with_all_that_is_below(danger: Path, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    shutil.copy(danger, deep / "model.bin")
    shutil.copytree(FIXTURES / "lenet5" / "saved_model", tmp_path / "saved")
    shutil.copytree(FIXTURES / "softmax", tmp_path / "checkpoints")
    (tmp_path / "notes.txt").write_text("nothing here")
    report = audit(tmp_path)
    assert {Path(f.path) for f in report.at_least(Severity.MEDIUM)} == {deep / "model.bin"}
    assert str(tmp_path / "saved") in report.models
    assert {str(tmp_path / "checkpoints" / f"model.ckpt-{n}") for n in (5400, 5700, 6000)} < set(report.models)
    assert report.unread == ()


def test_a_directory_without_anything_and_a_path_without_anything(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(FileError, match="nothing to audit"):
        audit(tmp_path)
    with pytest.raises(FileError):
        audit(tmp_path / "absent")
    with pytest.raises(GraphscopeError, match="notes"):
        audit(tmp_path / "notes.txt")


def test_a_directory_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    shutil.copy(FIXTURES / "softmax" / "frozen.pb", tmp_path / "open.pb")
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    report = audit(tmp_path)
    assert report.models == (str(tmp_path / "open.pb"),)
    assert [unread.message for unread in report.unread] == [f"{tmp_path / 'closed'}: Permission denied"]


def test_what_seems_a_model_and_cannot_be_read_is_told(danger: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.pb").write_bytes(danger.read_bytes()[:-7])
    shutil.copy(danger, tmp_path / "whole.pb")
    report = audit(tmp_path)
    assert [Path(item.path).name for item in report.unread] == ["cut.pb"]
    assert {Path(f.path).name for f in report.findings} == {"whole.pb"}
    with pytest.raises(GraphscopeError, match=r"cut\.pb"):
        audit(tmp_path / "cut.pb")


def test_every_meta_graph_of_a_saved_model(tmp_path: Path) -> None:
    """Also one that no tags choose."""
    saved = SavedModel(saved_model_schema_version=1)
    for tags in (["serve"], []):
        meta = saved.meta_graphs.add()
        meta.meta_info_def.tags.extend(tags)
        meta.graph_def.node.add(name="n", op="NoOp")
    saved.meta_graphs[1].graph_def.CopyFrom(dangerous_graph("top level"))
    (tmp_path / "saved_model.pb").write_bytes(saved.SerializeToString())
    report = audit(tmp_path)
    assert list(report.models) == [f"{tmp_path} (serve)", f"{tmp_path} (no tags)"]
    assert {f.path for f in report.findings} == {f"{tmp_path} (no tags)"}


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: dict[str, bytes], mode: str, *links: tuple[str, str]) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "pb.gz"])
def test_archives(kind: str, danger: Path, tmp_path: Path) -> None:
    path = tmp_path / f"m.{kind}"
    content = danger.read_bytes()
    if kind == "zip":
        zipped(path, {"a/m.pb": content})
    elif kind == "pb.gz":
        path.write_bytes(gzip.compress(content))
    else:
        tarred(path, {"a/m.pb": content}, "w:" + kind.partition(".")[2])
    for place in (path, tmp_path):
        findings = high(place)
        inner = "m.pb" if kind == "pb.gz" else "a/m.pb"
        assert {f.path for f in findings} == {f"{path}!/{inner}"}
        assert "WriteFile" in {f.op for f in findings}


def test_archives_in_archives(danger: Path, tmp_path: Path) -> None:
    data = danger.read_bytes()
    for depth in range(5):
        path = zipped(tmp_path / f"{depth}.zip", {f"{depth}.pb" if not depth else f"{depth - 1}.zip": data})
        data = path.read_bytes()
        found = {f.rule for f in high(path)}
        assert ("writes-file" in found) is (depth < archives.MAX_DEPTH)
        assert ("archive-bomb" in found) is (depth >= archives.MAX_DEPTH)


ESCAPES = ["../../out.txt", "/out.txt", "..\\out.txt", "C:/out.txt", "a/../../out.txt"]


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_that_climb_out(name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "a" / "b" / "c"
    inside.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(inside))
    path = tmp_path / f"m.{kind}"
    _ = zipped(path, {name: b"x"}) if kind == "zip" else tarred(path, {name: b"x"}, "w")
    [finding] = audit(path).findings
    assert (finding.rule, finding.severity, finding.target) == ("path-traversal", Severity.HIGH, name)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [path.name]


@pytest.mark.parametrize(("target", "is_bad"), [("/etc/passwd", True), ("../../x", True), ("sub/x", False)])
def test_links_in_archives(target: str, is_bad: bool, tmp_path: Path) -> None:
    path = tarred(tmp_path / "m.tar", {"a.txt": b"x"}, "w", ("d/link", target))
    assert [f.rule for f in audit(path).findings] == (["path-traversal"] if is_bad else [])


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_header_without_end(
    compress: Callable[[bytes], bytes], kind: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_HEADER_BYTES", 1000)
    info = tarfile.TarInfo("a")
    info.type, info.size = kind, 2048
    (tmp_path / "m.tar").write_bytes(compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(4096)))
    with pytest.raises(
        GraphscopeError, match=r"m\.tar: this archive cannot be unpacked: it has a header of 2,048 bytes"
    ):
        audit(tmp_path / "m.tar")


@pytest.mark.parametrize("other", ["a", "a/m.pb/b", "a/m.pb", "b" * 300 + ".pb", "/".join("b" * 3000)])
def test_a_name_that_is_taken_or_too_long_hides_nothing(other: str, danger: Path, tmp_path: Path) -> None:
    tarred(tmp_path / "m.tar", {other: b"\x7fELF"}, "w")
    with tarfile.open(tmp_path / "m.tar", "a") as archive:
        archive.add(danger, "a/m.pb")
    rules = {finding.rule for finding in audit(tmp_path / "m.tar").findings}
    assert {"writes-file", "native-library"} <= rules


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "RATIO_BYTES", 1 << 20)
    path = zipped(tmp_path / "bomb.zip", {"zeros": bytes(8 << 20)})
    assert [f.rule for f in high(path)] == ["archive-bomb"]
    assert [f.rule for f in high(zipped(tmp_path / "fine.zip", {"noise": os.urandom(8 << 20)}))] == []


def test_broken_archives(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "m.zip", {"m.pb": os.urandom(9_000)}).read_bytes()
    broken = {
        "a.zip": whole[:-40],
        "b.gz": gzip.compress(whole)[:-9],
        "c.xz": b"\xfd7zXZ\x00junk",
        "d.7z": b"7z\xbc\xaf\x27\x1cjunk",
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(GraphscopeError, match=f"{name}.*cannot be unpacked"):
            audit(tmp_path / name)


def test_an_encrypted_archive(tmp_path: Path) -> None:
    content = bytearray(zipped(tmp_path / "m.zip", {"m.pb": b"x"}).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "m.zip").write_bytes(content)
    with pytest.raises(GraphscopeError, match=r"cannot be unpacked: m\.pb is encrypted"):
        audit(tmp_path / "m.zip")


# Keras, pickles, libraries, links, state files


@pytest.mark.parametrize(
    ("name", "content"),
    [("keras_metadata.pb", b"\n\x90\x01" + LAMBDA), ("model.h5", HDF5 + bytes(5000) + LAMBDA), ("config.json", LAMBDA)],
)
def test_keras_files(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert rules(tmp_path) == {(name, "keras-lambda")}
    zipped(tmp_path / "m.keras", {name: content})
    assert rules(tmp_path / "m.keras") == {(name, "keras-lambda")}


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/never",)


class Odd:
    """Nothing that a list of modules knows."""


PICKLES = {
    "evil": (Evil(), Severity.HIGH),
    "own": (Odd(), Severity.MEDIUM),
    "plain": ({"a": [1, 2.5, "x"], "b": {3, 4}}, Severity.LOW),
    "array": (np.arange(3), Severity.LOW),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", PICKLES)
def test_pickles_are_read_and_not_loaded(name: str, protocol: int, tmp_path: Path) -> None:
    value, severity = PICKLES[name]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(value, protocol))
    [finding] = audit(tmp_path).findings
    assert (finding.rule, finding.severity) == ("pickle", severity)
    assert not Path("/tmp/never").exists()


def test_what_keras_saves(tmp_path: Path) -> None:
    from tests.support.running import tf

    keras = tf.keras
    layers = [keras.layers.Input((3,)), keras.layers.Lambda(lambda x: x * 2, name="twice")]
    keras.Sequential(layers).save(tmp_path / "m.keras")
    keras.Sequential(layers).save(tmp_path / "m.h5")
    assert [(f.node, f.severity) for f in high(tmp_path)] == [("twice", Severity.HIGH)] * 2
    (tmp_path / "m.h5").write_bytes(bytes(1024) + (tmp_path / "m.h5").read_bytes())
    assert [f.node for f in high(tmp_path / "m.h5")] == ["twice"]


SYSTEM = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940\x8c\x05numpy\x8c\x07ndarrayh\x00h\x01\x93."
"""The texts that are imported lie in the memo; the last ones before the import are others."""


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps([1]) + pickle.dumps(Evil()),
        SYSTEM,
        b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x01x0\x93.",
        b"\x80\x04\x8c\x02os\x8c\x06system(\x8c\x01a\x8c\x01b1\x93.",
        pickle.dumps(Evil(), 0),
        b"\x80\x04K\x01\x8c\x06system\x93.",
    ],
    ids=["second pickle", "memo", "popped", "popped to the mark", "protocol 0", "computed"],
)
def test_imports_of_pickles_are_not_hidden(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(content)
    [finding] = high(tmp_path)
    assert finding.rule == "pickle"


def test_an_archive_behind_something_else(danger: Path, tmp_path: Path) -> None:
    whole = zipped(tmp_path / "m.zip", {"m.pb": danger.read_bytes()}).read_bytes()
    (tmp_path / "m.zip").unlink()
    (tmp_path / "script").write_bytes(b"#!/bin/sh\n" + whole)
    assert {rule for name, rule in rules(tmp_path) if name == "m.pb"} >= {"writes-file"}
    shutil.copy(danger, tmp_path / "graph.pb")
    empty = zipped(tmp_path / "empty.zip", {}).read_bytes()
    with (tmp_path / "graph.pb").open("ab") as file:
        file.write(b"\xa2\x1f" + bytes([len(empty)]) + empty)  # an unknown field: the graph stays one
    assert ("graph.pb", "writes-file") in rules(tmp_path / "graph.pb")


def test_arrays_of_objects_are_pickles(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([Evil()], object), allow_pickle=True)
    np.save(tmp_path / "numbers.npy", np.arange(3))
    assert [(Path(f.path).name, f.rule) for f in high(tmp_path)] == [("objects.npy", "pickle")]


def test_native_libraries(tmp_path: Path) -> None:
    (tmp_path / "ops.so").write_bytes(b"\x7fELF" + bytes(100))
    assert rules(tmp_path) == {("ops.so", "native-library")}


def test_links_that_lead_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (root / "sub" / "out").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root)
    assert rules(root) == {("out", "link-outside")}


def test_state_files(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    shutil.copytree(FIXTURES / "softmax", here)
    there.mkdir()
    for prefix, severity in (
        ("model.ckpt-6000", None),
        ("/gone/model.ckpt", Severity.INFO),
        ("../gone/model.ckpt", Severity.LOW),
    ):
        (here / "checkpoint").write_text(f'model_checkpoint_path: "{prefix}"\n')
        found = [f.severity for f in audit(here).findings if f.rule == "foreign-state"]
        assert found == ([severity] if severity is not None else [])
    (there / "m.index").write_bytes(b"x")
    (here / "checkpoint").write_text(f'model_checkpoint_path: "{there}/m"\n')
    assert [f.severity for f in audit(here).findings if f.rule == "foreign-state"] == [Severity.MEDIUM]


def test_values_of_checkpoints_are_not_looked_at(tmp_path: Path) -> None:
    """Weights may begin like anything."""
    (tmp_path / "m.data-00000-of-00001").write_bytes(b"\x7fELF" + bytes(100))
    (tmp_path / "n.so").write_bytes(b"\x7fELF" + bytes(100))
    assert rules(tmp_path) == {("n.so", "native-library")}


# Policies and SARIF


def test_a_policy_changes_what_is_found(danger: Path, tmp_path: Path) -> None:
    place = tmp_path / "policy.json"
    place.write_text(json.dumps({"allow": ["WriteFile"], "severity": {"reads-file": "low"}, "fail_on": "medium"}))
    policy = read_policy(place)
    report = audit(danger)
    judged = policy.apply(report)
    assert {f.op for f in report.findings} - {f.op for f in judged.findings} == {"WriteFile"}
    assert {f.severity for f in judged.findings if f.rule == "reads-file"} == {Severity.LOW}
    assert [f.severity for f in judged.findings] == sorted((f.severity for f in judged.findings), reverse=True)
    assert policy.fail_on is Severity.MEDIUM
    assert {f.op for f in Policy().allowing(["Abort"]).apply(report).findings} == {f.op for f in report.findings} - {
        "Abort"
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a valid policy"),
        ("[]", "must be an object"),
        ('{"allow": "PyFunc"}', "list of ops"),
        ('{"severity": {"nope": "low"}}', "nope"),
        ('{"severity": {"pickle": "worst"}}', "worst"),
        ('{"alow": []}', "alow"),
        ("[" * 100_000, "not a valid policy"),
    ],
)
def test_policies_that_are_none(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(GraphscopeError, match=message):
        read_policy(tmp_path / "p.json")
    with pytest.raises(FileError):
        read_policy(tmp_path / "absent.json")
    with pytest.raises(GraphscopeError, match="/dev/zero: a policy is limited to 1,048,576 bytes"):
        read_policy("/dev/zero")
    with pytest.raises(UnknownNameError):
        severity_of(3)


def test_sarif(danger: Path, tmp_path: Path) -> None:
    (tmp_path / "cut é.pb").write_bytes(danger.read_bytes()[:-7])
    shutil.copy(danger, tmp_path / "whole.pb")
    report = audit(tmp_path)
    log = sarif(report, "1.0")
    [run] = log["runs"]
    assert (log["version"], log["$schema"].endswith("sarif-2.1.0.json")) == ("2.1.0", True)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    assert len(run["results"]) == len(report.findings)
    for result, finding in zip(run["results"], report.findings):
        assert list(RULES)[result["ruleIndex"]] == result["ruleId"] == finding.rule
        assert result["level"] in ("note", "warning", "error")
        assert result["message"]["text"]
        [location] = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.isascii()
        assert " " not in uri
    [invocation] = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert len(invocation["toolExecutionNotifications"]) == 1
    assert json.loads(json.dumps(log)) == log
    assert list(violations(log)) == []
    result = {**run["results"][0], "level": "high", "rule": "x"}
    assert len(list(violations({**log, "runs": [{**run, "results": [result]}]}))) == 2


def test_a_meta_graph_beside_values_is_one_model(tmp_path: Path) -> None:
    meta = MetaGraphDef(graph_def=dangerous_graph("top level"))
    meta.meta_info_def.tensorflow_version = "2.21"
    shutil.copytree(FIXTURES / "softmax", tmp_path / "s")
    (tmp_path / "s" / "model.ckpt-6000.meta").write_bytes(meta.SerializeToString())
    assert {Path(f.path).name for f in high(tmp_path)} == {"model.ckpt-6000"}
