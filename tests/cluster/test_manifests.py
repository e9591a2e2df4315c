"""The manifests of docs/scaling.md: what Kubernetes' own models take, and commands with options that exist."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphscope.cli.app import Commands
from graphscope.cluster.hosts import Cluster, read_cluster
from graphscope.training.tune.checkpoints import output_prefix
from graphscope.training.tune.resume import run_file
from tests.support.documents.blocks import blocks_of
from tests.support.documents.pages import DOCS

PAGE = DOCS / "scaling.md"
TEXTS = ["\n".join(block.lines) for block in blocks_of(PAGE) if block.language == "yaml"]
MANIFESTS = [text for text in TEXTS if "apiVersion" in text]
RUNNERS = ("Job", "StatefulSet")


def objects(text: str) -> dict[str, dict[str, Any]]:
    """By kind, of which there is one each."""
    found = list(yaml.safe_load_all(text))
    assert len({item["kind"] for item in found}) == len(found)
    return {item["kind"]: item for item in found}


def runner(text: str) -> dict[str, Any]:
    [found] = [item for kind, item in objects(text).items() if kind in RUNNERS]
    return found


def cluster_of(text: str, place: Path) -> Cluster:
    """That of the config map which the pods mount."""
    config, volumes = objects(text)["ConfigMap"], runner(text)["spec"]["template"]["spec"]["volumes"]
    assert [v["configMap"]["name"] for v in volumes if "configMap" in v] == [config["metadata"]["name"]]
    (place / "cluster.yml").write_text(config["data"]["cluster.yml"])
    return read_cluster(place / "cluster.yml", task=0)[0]


def command(text: str) -> tuple[list[str], set[str]]:
    """The words of the command that a pod runs, and where something is mounted there."""
    [container] = runner(text)["spec"]["template"]["spec"]["containers"]
    shell, dash_c, script = container["command"]
    assert (shell, dash_c) == ("sh", "-c")
    words = shlex.split(script)
    words = words[words.index("graphscope") :]
    end = words.index("&&") if "&&" in words else len(words)
    return words[:end], {mount["mountPath"] for mount in container["volumeMounts"]}


def test_there_are_manifests_and_cluster_files(tmp_path: Path) -> None:
    assert {runner(text)["kind"] for text in MANIFESTS} == set(RUNNERS)
    for text in set(TEXTS) - set(MANIFESTS):
        (tmp_path / "cluster.yml").write_text(text)
        read_cluster(tmp_path / "cluster.yml", task=0)


@pytest.mark.parametrize("text", MANIFESTS, ids=[runner(text)["kind"] for text in MANIFESTS])
def test_kubernetes_takes_them(text: str) -> None:
    """Its models know each field, whose type is right; none that is required is missing."""
    client = pytest.importorskip("kubernetes.client", reason="the models of Kubernetes are not installed")
    for kind, item in objects(text).items():
        model = getattr(client, f"V1{kind}").from_dict(item)
        assert client.ApiClient().sanitize_for_serialization(model) == item


@pytest.mark.parametrize("text", MANIFESTS, ids=[runner(text)["kind"] for text in MANIFESTS])
def test_their_parts_fit_together(text: str) -> None:
    pod = runner(text)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}
    words, places = command(text)
    known = {option for p in Commands(name="graphscope").get_command(None, words[1]).params for option in p.opts}
    assert {word for word in words[2:] if word.startswith("-")} <= known
    assert all(any(word.startswith(f"{place}/") for place in places) for word in words if word.startswith("/"))


def test_a_job_has_a_pod_for_each_worker(tmp_path: Path) -> None:
    [text] = [text for text in MANIFESTS if "Job" in objects(text)]
    spec = runner(text)["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == len(cluster_of(text, tmp_path).workers)
    assert command(text)[0][-2:] == ["--task", "$JOB_COMPLETION_INDEX"]


def test_a_stateful_set_has_a_name_for_each_worker(tmp_path: Path) -> None:
    [text] = [text for text in MANIFESTS if "StatefulSet" in objects(text)]
    found, cluster = objects(text), cluster_of(text, tmp_path)
    runs, service, policy = (found[kind] for kind in ("StatefulSet", "Service", "NetworkPolicy"))
    name, domain = runs["metadata"]["name"], service["metadata"]["name"]
    assert (runs["spec"]["serviceName"], service["spec"]["clusterIP"]) == (domain, "None")
    assert [address.host for address in cluster.workers] == [f"{name}-{k}.{domain}" for k in range(4)]
    assert runs["spec"]["replicas"] == len(cluster.workers)
    labels = runs["spec"]["template"]["metadata"]["labels"]
    rule = policy["spec"]["ingress"][0]
    selectors = (runs["spec"]["selector"], policy["spec"]["podSelector"], rule["from"][0]["podSelector"])
    assert [selector["matchLabels"] for selector in selectors] == [labels] * 3
    assert service["spec"]["selector"] == labels
    [container] = runs["spec"]["template"]["spec"]["containers"]
    ports = {address.port for address in cluster.workers}
    assert {
        container["ports"][0]["containerPort"],
        service["spec"]["ports"][0]["port"],
        rule["ports"][0]["port"],
    } == ports
    words, _ = command(text)
    assert words[words.index("--task") + 1] == "${HOSTNAME##*-}"
    run = run_file(output_prefix(words[2], words[words.index("-o") + 1]))
    assert f"test -e {run} && resume=--resume ;" in container["command"][2]
