"""A claim on a class that Auto Mode does not serve, and an Ingress whose Service it cannot reach."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.references import reference_problems
from automode_constructs.checks.whole_tree import TreeObject, judge_tree

TARGET_TYPE = "alb.ingress.kubernetes.io/target-type"


def found(*manifests: dict[str, Any]) -> list[str]:
    return [f"{index} {problem.severity} {problem.rule} {problem}" for index, problem in reference_problems(manifests)]


def storage_class(provisioner: str) -> dict[str, Any]:
    head = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gp"}}
    return {**head, "provisioner": provisioner}


CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "a"}}
CLAIM_SPEC: dict[str, Any] = {"storageClassName": "gp", "accessModes": ["ReadWriteOnce"]}


@pytest.mark.parametrize("provisioner", ["kubernetes.io/aws-ebs", "ebs.csi.aws.com"])
def test_a_claim_on_a_class_of_the_add_on_stays_pending(provisioner: str) -> None:
    message = (
        f"storageClassName: StorageClass 'gp' has the driver {provisioner}, which does not run on Auto Mode's "
        "nodes, so "
        "the claim stays pending there; name a StorageClass of ebs.csi.eks.amazonaws.com"
    )
    sts = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}}
    sts["spec"] = {"volumeClaimTemplates": [{"metadata": {"name": "own"}, "spec": {}}, {"spec": CLAIM_SPEC}]}
    assert found(storage_class(provisioner), {**CLAIM, "spec": CLAIM_SPEC}, sts) == [
        f"1 warning automode:ClaimOnAddOnStorage spec.{message}",
        f"2 warning automode:ClaimOnAddOnStorage spec.volumeClaimTemplates[1].spec.{message}",
    ]


def test_a_claim_on_a_class_of_auto_mode_or_elsewhere_passes() -> None:
    claim = {**CLAIM, "spec": CLAIM_SPEC}
    assert found(storage_class("ebs.csi.eks.amazonaws.com"), claim) == []
    assert found(storage_class("efs.csi.aws.com"), claim) == []
    assert found(claim, {**CLAIM, "spec": {}}, CLAIM) == []


def ingress(target_type: str | None = "instance", **metadata: Any) -> dict[str, Any]:
    annotations = {TARGET_TYPE: target_type} if target_type else {}
    paths = [
        {"path": path, "pathType": "Prefix", "backend": {"service": {"name": "api", "port": {"number": 80}}}}
        for path in ("/", "/x")
    ]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "annotations": annotations, **metadata},
        "spec": {"rules": [{"http": {"paths": paths}}]},
    }


def service(type: str | None = None, *, annotations: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"selector": {"app": "api"}, "ports": [{"port": 80}], **({"type": type} if type else {})}
    named = {"name": "api", "annotations": annotations or {}, **metadata}
    return {"apiVersion": "v1", "kind": "Service", "metadata": named, "spec": spec}


@pytest.mark.parametrize("type", [None, "ClusterIP"])
def test_instances_do_not_lead_to_a_cluster_ip(type: str | None) -> None:
    assert found(ingress(), service(type)) == [
        "0 warning automode:InstanceTargets spec.rules[0].http.paths[0].backend.service.name: Service 'api' is of type "
        "ClusterIP, which a load balancer with instance targets cannot reach; write "
        "alb.ingress.kubernetes.io/target-type: ip, or give the Service type NodePort"
    ]


@pytest.mark.parametrize(
    ("entry", "its"),
    [
        (ingress("ip"), service()),
        (ingress(None), service()),
        (ingress(), service("NodePort")),
        (ingress(), service("LoadBalancer")),
        (ingress(), service(annotations={TARGET_TYPE: "ip"})),
        (ingress(), service(namespace="other")),
        (ingress(), {**service(), "spec": {}}),
        (ingress(annotations={TARGET_TYPE: "instance", "kubernetes.io/ingress.class": "nginx"}), service()),
        ({**ingress(), "spec": {"rules": ["x", {"http": {"paths": "y"}}]}}, service()),
    ],
)
def test_what_may_be_reached_passes(entry: dict[str, Any], its: dict[str, Any]) -> None:
    assert found(entry, its) == []


def test_the_tree_and_so_an_app_are_told_too() -> None:
    objects = [TreeObject(where=f"chart/{place}", manifest=each) for place, each in enumerate((ingress(), service()))]
    findings = judge_tree(objects, default_node_class=True, whole=True)
    (finding,) = [each for each in findings if each.rule == "automode:InstanceTargets"]
    assert (finding.rule, finding.where, finding.index) == ("automode:InstanceTargets", "chart/0", 0)


@pytest.mark.parametrize("mode", ["ReadWriteMany", "ReadOnlyMany"])
def test_a_file_system_on_ebs_is_of_one_node(mode: str) -> None:
    ours = storage_class("ebs.csi.eks.amazonaws.com")
    claim = {**CLAIM, "spec": {**CLAIM_SPEC, "accessModes": [mode]}}
    sts = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}}
    sts["spec"] = {"volumeClaimTemplates": [{"spec": {**CLAIM_SPEC, "accessModes": [mode]}}]}
    message = (
        f"accessModes[0]: {mode} is not for a file system on EBS, which one node has at a time, so the claim stays "
        "pending; write ReadWriteOnce, or use a file system that is shared, such as EFS"
    )
    assert found(ours, claim, sts) == [
        f"1 warning automode:ClaimAccessMode spec.{message}",
        f"2 warning automode:ClaimAccessMode spec.volumeClaimTemplates[0].spec.{message}",
    ]
    assert found(storage_class("efs.csi.aws.com"), claim) == []
    assert found(ours, {**CLAIM, "spec": {**CLAIM_SPEC, "accessModes": [mode], "volumeMode": "Block"}}) == []
