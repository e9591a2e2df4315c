"""The manifests of docs/scaling.md: YAML with the fields that Kubernetes needs, and commands with options that exist."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphscope.cli.app import Commands
from graphscope.cluster.hosts import read_cluster
from tests.support.documents.blocks import blocks_of
from tests.support.documents.pages import DOCS

PAGE = DOCS / "scaling.md"
TEXTS = ["\n".join(block.lines) for block in blocks_of(PAGE) if block.language == "yaml"]
MANIFESTS = [text for text in TEXTS if "apiVersion" in text]


def objects(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def test_there_are_manifests_and_cluster_files(tmp_path: Path) -> None:
    assert MANIFESTS
    for text in set(TEXTS) - set(MANIFESTS):
        (tmp_path / "cluster.yml").write_text(text)
        read_cluster(tmp_path / "cluster.yml", task=0)


@pytest.mark.parametrize("text", MANIFESTS)
def test_manifests_are_whole(text: str, tmp_path: Path) -> None:
    found = objects(text)
    for item in found:
        assert {"apiVersion", "kind", "metadata"} <= item.keys()
        assert item["metadata"]["name"]
    maps = {item["metadata"]["name"]: item["data"] for item in found if item["kind"] == "ConfigMap"}
    [runner] = [item for item in found if item["kind"] == "Job"]
    pod = runner["spec"]["template"]["spec"]
    [container] = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes.keys() == {mount["name"] for mount in container["volumeMounts"]}
    [cluster_map] = [volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume]
    (tmp_path / "cluster.yml").write_text(maps[cluster_map]["cluster.yml"])
    cluster, _ = read_cluster(tmp_path / "cluster.yml", task=0)
    spec = runner["spec"]
    assert (runner["apiVersion"], spec["completionMode"]) == ("batch/v1", "Indexed")
    assert spec["completions"] == spec["parallelism"] == len(cluster.workers)
    assert pod["restartPolicy"] in ("OnFailure", "Never")
    assert container["image"]
    shell, dash_c, script = container["command"]
    assert (shell, dash_c) == ("sh", "-c")
    check_command(shlex.split(script), {mount["mountPath"] for mount in container["volumeMounts"]})


def check_command(words: list[str], places: set[str]) -> None:
    """Every option exists, and every path lies where something is mounted."""
    assert words[:2] == ["exec", "graphscope"]
    command = Commands(name="graphscope").get_command(None, words[2])
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words[3:] if word.startswith("-")} <= known
    assert all(any(word.startswith(f"{place}/") for place in places) for word in words if word.startswith("/"))
