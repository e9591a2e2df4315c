"""Cluster files: who takes part, which task a process is, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphscope.cluster.hosts import TF_CONFIG, Address, Task, read_cluster
from graphscope.errors import ArgumentError, FileError
from tests.support.yaml_bomb import BOMB

YAML = """
worker: [host0:2222, "host1:2222"]  # a comment
ps:
  - '[::1]:2223'
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cluster.yml"


def test_a_file_of_either_kind(file: Path) -> None:
    stated = {"worker": ["host0:2222", "host1:2222"], "ps": ["[::1]:2223"]}
    for content in (YAML, json.dumps(stated), json.dumps({"cluster": stated})):
        file.write_text(content)
        cluster, task = read_cluster(file, "worker", 1)
        assert task == Task("worker", 1)
        assert cluster.workers == (Address("host0", 2222), Address("host1", 2222))
        assert cluster.spec() == stated
        assert read_cluster(file, task=0)[1] == Task("worker", 0)
        assert read_cluster(file, "ps", 0)[1] == Task("ps", 0)


@pytest.mark.parametrize(
    ("said", "given", "task"),
    [
        ({"type": "chief", "index": 0}, (), Task("worker", 0)),
        ({"type": "worker", "index": 1}, (), Task("worker", 2)),
        ({"type": "worker", "index": 1}, ("", 0), Task("worker", 1)),
        ({"type": "ps", "index": "0"}, (), Task("ps", 0)),
        ({}, ("chief", 0), Task("worker", 0)),
    ],
)
def test_tf_config(said: Any, given: Any, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = {"chief": ["a:1"], "worker": ["b:1", "c:1"], "ps": ["d:1"], "evaluator": ["e:1"]}
    monkeypatch.setenv(TF_CONFIG, json.dumps({"cluster": jobs, "task": said}))
    cluster, own = read_cluster(TF_CONFIG, *given)
    assert own == task
    assert list(map(str, cluster.workers)) == ["a:1", "b:1", "c:1"]
    assert cluster.path == "$TF_CONFIG"


TWO = "worker: [a:1, b:1]"


@pytest.mark.parametrize(
    ("content", "job", "task", "message"),
    [
        (TWO, "worker", 2, "no task 2 of job worker, which has tasks 0 to 1"),
        (TWO, "ps", 0, "no task 0 of job ps, which has no task"),
        (TWO + "\nps: [c:1]", "ps", 1, "no task 1 of job ps, which has task 0 only"),
        (TWO, "chief", 0, "no task 0 of job chief, which has no task"),
        (TWO, "workers", 0, "no job is named 'workers'; closest: worker"),
        (TWO, "", None, "the task of this process is not stated"),
        ("worker: [a:1, b:1, a:1]", "", 0, "worker 0 and worker 2 have the same address, a:1"),
        ("worker: [a:1]\nps: [a:1]", "", 0, "worker 0 and ps 0 have the same address, a:1"),
        ("worker: [Host:1, host:1]", "", 0, "worker 0 and worker 1 have the same address, host:1"),
        ("worker: [127.0.0.1:1]\nps: ['[::1]:1']", "", 0, "worker 0 and ps 0 have the same address, [::1]:1"),
        ("worker: [a:1]\nworker: [b:1]", "", 0, "worker is listed twice, on line 2 again"),
        ('{"cluster": {"worker": ["a:1"], "worker": ["b:1"]}}', "", 0, "worker is listed twice, on line 1 again"),
        ('{"task": {"index": 0}}', "", 0, "does not list the hosts"),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"index": true}}',
            "",
            None,
            "the task of this process is not stated",
        ),
        ("worker: [a]", "", 0, "worker 0 is 'a', not of the form HOST:PORT"),
        ("worker: [a:0]", "", 0, "worker 0 is 'a:0', not of the form"),
        ("worker: [a:65536]", "", 0, "not of the form"),
        ("worker: [1]", "", 0, "worker 0 is 1, not of the form"),
        (f"worker: {BOMB}", "", 0, "worker 0 is a list, not of the form"),
        (f"? {BOMB}\n: [a:1]", "", 0, "found unhashable key"),
        ("worker: a:1", "", 0, "worker is not a list"),
        ("workers: [a:1]", "", 0, "unknown job 'workers'"),
        ("ps: [a:1]", "", 0, "names no worker"),
        ("[a:1]", "", 0, "does not list the hosts"),
        ("cluster: 3", "", 0, "does not list the hosts"),
        ("worker: [a:1", "", 0, "not a cluster: while parsing"),
        ("#" * (1 << 20) + "#", "", 0, "a cluster file is limited to 1,048,576 bytes"),
    ],
)
def test_what_is_refused(file: Path, content: str, job: str, task: Any, message: str) -> None:
    file.write_text(content)
    with pytest.raises(ArgumentError) as refused:
        read_cluster(file, job, task)
    assert str(refused.value).startswith(f"{file}: ")
    assert message in str(refused.value)


def test_nothing_to_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileError, match="No such file"):
        read_cluster(file)
    monkeypatch.delenv(TF_CONFIG, raising=False)
    with pytest.raises(ArgumentError, match=r"\$TF_CONFIG is not set"):
        read_cluster(TF_CONFIG)
