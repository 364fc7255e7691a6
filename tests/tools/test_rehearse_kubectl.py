"""The kubectl of a rehearsal refuses what a server refuses, and remembers the rest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from automode_constructs.manifests.kubernetes_object import JOB_DONE, JOB_FAILED
from tools.rehearse import kubectl
from tools.rehearse.kubectl import RefusedError, call, json_path

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "ui", "namespace": "shop"},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "ui"}}},
}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "copy"}, "spec": {"template": {"spec": {}}}}


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    folder = tmp_path / "objects"
    folder.mkdir()
    return folder


def send(verb: str, cluster: Path, *manifests: dict[str, Any]) -> str:
    """Sends manifests as the CDK's handler does: one JSON after another in one file, and a kubeconfig."""
    file = cluster.with_name("manifest.yaml")
    file.write_text("".join(map(json.dumps, manifests)), "utf-8")
    return call([verb, "--kubeconfig", "/tmp/kubeconfig", "-f", str(file)], cluster)


def asked(path: str, cluster: Path, kind: str, name: str, namespace: str = "default") -> str:
    """What the CDK's handler gets when it waits for a value."""
    return call(["--kubeconfig", "/x", "get", "-n", namespace, kind, name, f"-o=jsonpath='{{{path}}}'"], cluster)


def test_object_comes_changes_and_goes(cluster: Path) -> None:
    assert send("apply", cluster, NAMESPACE, DEPLOYMENT) == "namespace/shop created\ndeployment/ui created\n"
    changed = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replicas": 3}}  # type: ignore[dict-item]
    assert send("apply", cluster, changed) == "deployment/ui configured\n"
    shown = call(["get", "deployment/ui", "--namespace", "shop", "--output", "json"], cluster)
    assert json.loads(shown)["spec"]["replicas"] == 3
    assert call(["delete", "deployments", "ui", "--namespace=shop"], cluster) == 'deployment "ui" deleted\n'
    with pytest.raises(RefusedError, match=r'^Error from server \(NotFound\): deployment "ui" not found$'):
        send("delete", cluster, DEPLOYMENT)


def test_namespace_takes_all_that_is_in_it(cluster: Path) -> None:
    send("apply", cluster, NAMESPACE, DEPLOYMENT)
    send("delete", cluster, NAMESPACE)
    send("apply", cluster, NAMESPACE)
    with pytest.raises(RefusedError, match="NotFound"):
        call(["get", "deployment", "ui", "-n", "shop"], cluster)


def test_what_is_there_is_listed_by_file(cluster: Path) -> None:
    send("apply", cluster, NAMESPACE)
    file = cluster.with_name("wanted.json")
    file.write_text(json.dumps({"kind": "List", "items": [NAMESPACE, DEPLOYMENT]}), "utf-8")
    shown = call(["get", "-f", str(file), "--ignore-not-found", "--output", "json"], cluster)
    assert json.loads(shown)["items"] == [NAMESPACE]


def test_namespace_must_be_there_first(cluster: Path) -> None:
    with pytest.raises(RefusedError, match=r'\(NotFound\): namespaces "shop" not found$'):
        send("apply", cluster, DEPLOYMENT)


def test_create_refuses_what_apply_takes_over(cluster: Path) -> None:
    send("create", cluster, NAMESPACE)
    send("apply", cluster, NAMESPACE)
    with pytest.raises(RefusedError, match=r'\(AlreadyExists\): namespace "shop" already exists$'):
        send("create", cluster, NAMESPACE)


@pytest.mark.parametrize(
    ("manifest", "change", "field"),
    [
        (DEPLOYMENT, {"spec": {"selector": {"matchLabels": {"app": "other"}}}}, "spec.selector"),
        (JOB, {"spec": {"template": {"spec": {"hostNetwork": True}}}}, "spec.template"),
        (
            {"kind": "StorageClass", "metadata": {"name": "gp3"}, "parameters": {"encrypted": "true"}},
            {"parameters": {"encrypted": "false"}},
            "parameters",
        ),
    ],
)
def test_immutable_field_is_refused_until_the_object_is_made_anew(
    manifest: dict[str, Any], change: dict[str, Any], field: str, cluster: Path
) -> None:
    send("apply", cluster, NAMESPACE, manifest)
    with pytest.raises(RefusedError, match=rf"is invalid: {field}: Invalid value: field is immutable$"):
        send("apply", cluster, {**manifest, **change})
    send("replace", cluster, {**manifest, **change})


def test_job_has_succeeded_for_whoever_waits(cluster: Path) -> None:
    send("apply", cluster, JOB)
    assert asked(".status.succeeded", cluster, "job.batch", "copy") == "'1'"
    assert asked('.status.conditions[?(@.type=="Complete")].status', cluster, "job", "copy") == "'True'"
    assert "Complete" in asked('.status.conditions[?(@.status=="True")].type', cluster, "job", "copy")


def test_job_is_asked_whether_it_succeeded_or_why_it_failed(cluster: Path) -> None:
    send("apply", cluster, JOB)
    done = asked(JOB_DONE, cluster, "job.batch", "copy")
    assert re.fullmatch(r"'[0-9-]+T[0-9:]+Z'", done)
    assert asked(f"{JOB_DONE}}}{{{JOB_FAILED}", cluster, "job.batch", "copy") == done
    assert asked(f"{JOB_DONE}}}{{range .failed}}Failed (DeadlineExceeded){{end", cluster, "job", "copy") == done
    conditions = '{range .status.conditions[?(@.status=="True")]}{.type}: {.status}. {end}'
    shown = call(["get", "job", "copy", "-o", f"jsonpath={conditions}for {{.metadata.name}}"], cluster)
    assert shown == "SuccessCriteriaMet: True. Complete: True. for copy"
    with pytest.raises(RefusedError, match="unexpected end of a range"):
        asked("range .status.conditions[*]}{.type", cluster, "job", "copy")


@pytest.mark.parametrize("name", sorted(kubectl.CRDS))
def test_crds_of_auto_mode_are_established(name: str, cluster: Path) -> None:
    assert asked(".metadata.name", cluster, "crd", name) == f"'{name}'"
    with pytest.raises(RefusedError, match="NotFound"):
        asked(".metadata.name", cluster, "crd", f"x{name}")


def test_json_path_finds_fields_and_items() -> None:
    value = {"metadata": {"labels": {"a.b/c": "x"}}, "items": [{"n": "one"}, {"n": "two"}]}
    assert json_path(value, r".metadata.labels.a\.b/c") == ["x"]
    assert json_path(value, ".items[1].n") == ["two"]
    assert json_path(value, ".items[*].n") == ["one", "two"]
    assert json_path(value, '.items[?(@.n=="two")]') == [{"n": "two"}]
    assert json_path(value, ".nothing.there") == []
    with pytest.raises(RefusedError, match=r"does not know the JSONPath \.\.n"):
        json_path(value, "..n")


@pytest.mark.parametrize("arguments", [["logs", "x"], ["get", "pods", "-A"], ["apply", "--server-side", "-f", "x"], []])
def test_unknown_call_is_refused_and_not_swallowed(arguments: list[str], cluster: Path) -> None:
    with pytest.raises(RefusedError, match="this kubectl only records"):
        call(arguments, cluster)


def run(cluster: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", kubectl.__file__, *arguments],
        env={"PATH": os.environ["PATH"], kubectl.OBJECTS: str(cluster), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_as_a_program_it_fails_as_kubectl_does_and_writes_a_log(cluster: Path) -> None:
    ran = run(cluster, "get", "deployment", "ui")
    assert ran.returncode == 1
    assert ran.stderr == 'Error from server (NotFound): deployment "ui" not found\n'
    (line,) = cluster.with_name("calls.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["call"] == ["get", "deployment", "ui"]
    assert "NotFound" in json.loads(line)["refused"]


def test_with_a_kubeconfig_the_real_kubectl_is_asked(cluster: Path) -> None:
    real = cluster.with_name("real") / "kubectl"
    real.parent.mkdir()
    real.write_text('#!/bin/sh\necho "$@"\n', "utf-8")
    real.chmod(0o755)
    own = cluster.with_name("bin")
    ran = run(
        cluster,
        *("apply", "--kubeconfig", "/tmp/of-the-handler", "-f", "x"),
        PATH=os.pathsep.join([str(own), str(real.parent), os.environ["PATH"]]),
        REHEARSE_BIN=str(own),
        REHEARSE_KUBECONFIG="/home/me/kind",
    )
    assert ran.stdout == "--kubeconfig /home/me/kind apply -f x\n"
