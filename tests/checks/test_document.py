"""Whole documents: cures that an object in the cluster takes, and classes that are nearly Auto Mode's."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.errors import Problem

DRIVER = "ebs.csi.eks.amazonaws.com"
STORAGE = {"volumeBindingMode": "WaitForFirstConsumer", "provisioner": DRIVER}


def judged(api_version: str, kind: str, **body: Any) -> list[Problem]:
    return judge_document({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **body}) or []


def storage_class(**body: Any) -> list[Problem]:
    return judged("storage.k8s.io/v1", "StorageClass", **{**STORAGE, **body})


@pytest.mark.parametrize("name", ["gateway_alb", "gateway-ALB", "gateway-lb", "alb"])
def test_the_controller_of_a_gateway_class_is_not_mended(name: str) -> None:
    (problem,) = judged(
        "gateway.networking.k8s.io/v1", "GatewayClass", spec={"controllerName": f"eks.amazonaws.com/{name}"}
    )
    assert problem.edit is None
    assert problem.cure.endswith(". An existing GatewayClass refuses this change: delete it and create it again")


@pytest.mark.parametrize("controller", ["eks.amazonaws.com/ALB", "eks.amazon.com/alb", "EKS.amazonaws.com/alb"])
def test_the_controller_of_an_ingress_class_is_not_mended(controller: str) -> None:
    (problem,) = judged("networking.k8s.io/v1", "IngressClass", spec={"controller": controller})
    assert str(problem) == (
        f"spec.controller: '{controller}' is not known, so no controller makes load balancers for its Ingresses; write "
        "eks.amazonaws.com/alb. An existing IngressClass refuses this change: delete it and create it again"
    )
    assert problem.edit is None


@pytest.mark.parametrize(
    ("body", "exact"),
    [
        ({"volumeBindingMode": "Immediate"}, False),
        ({"volumeBindingMode": None}, False),
        ({"parameters": {"kmsKeyId": "alias/a", "encrypted": "true"}}, False),
        ({"parameters": {"type": "st1", "iops": "500"}}, False),
        ({"parameters": {"fsType": "xfs"}}, True),
        ({"parameters": {"Encrypted": "true"}}, True),
    ],
    ids=str,
)
def test_a_storage_class_that_works_says_that_it_stays(body: dict[str, Any], exact: bool) -> None:
    (problem,) = storage_class(**body)
    assert problem.severity == "warning"
    assert str(problem).endswith("An existing StorageClass refuses this change: delete it and create it again")
    assert (problem.edit is not None) is exact


@pytest.mark.parametrize("parameters", [{"type": "GP3"}, {"iops": 3000}, {"tpye": "gp3"}], ids=str)
def test_a_storage_class_that_cannot_work_says_what_is_right(parameters: dict[str, Any]) -> None:
    (problem,) = storage_class(parameters=parameters)
    assert problem.severity == "error"
    assert "An existing" not in problem.cure


@pytest.mark.parametrize("driver", ["ebs.csi.eks.amazonaws.co", "EBS.csi.eks.amazonaws.com", "ebs.csi.eks.amazon.com"])
def test_a_driver_that_is_nearly_ours_is_refused(driver: str) -> None:
    (problem,) = storage_class(provisioner=driver)
    assert str(problem) == f"provisioner: '{driver}' is not allowed; use '{DRIVER}'"


@pytest.mark.parametrize("name", ["fsType", "fs-type", "node-stage-secret", "node-stage-secret-namespaces"])
def test_the_names_of_kubernetes_are_few(name: str) -> None:
    (problem,) = storage_class(parameters={f"csi.storage.k8s.io/{name}": "xfs"})
    assert (problem.rule, problem.severity) == ("automode:UnknownField", "error")


@pytest.mark.parametrize("name", ["provisioner-secret-name", "node-expand-secret-namespace"])
def test_the_names_of_kubernetes_pass(name: str) -> None:
    assert storage_class(parameters={f"csi.storage.k8s.io/{name}": "a"}) == []


@pytest.mark.parametrize(
    ("parameters", "texts"),
    [
        (
            {"iops": "100"},
            [
                "parameters.iops: a volume of gp3 has at least 3000, so EBS refuses '100', and no volume is made or "
                "changed; write '3000' or more"
            ],
        ),
        ({"type": "io2", "iops": "99"}, ["parameters.iops: a volume of io2 has at least 100, so EBS refuses '99'"]),
        ({"throughput": "124"}, ["parameters.throughput: a volume of gp3 has at least 125, so EBS refuses '124'"]),
        ({"iops": "3000", "throughput": "125"}, []),
        ({"type": "io1", "iops": "100"}, []),
    ],
    ids=str,
)
def test_numbers_that_ebs_refuses_are_a_warning(parameters: dict[str, str], texts: list[str]) -> None:
    problems = storage_class(parameters=parameters)
    assert [problem.rule for problem in problems] == ["automode:StorageBounds"] * len(texts)
    assert all(str(problem).startswith(text) for problem, text in zip(problems, texts, strict=True))


@pytest.mark.parametrize(("attributes", "least"), [({"iops": "99"}, 100), ({"throughput": "1"}, 125)], ids=str)
def test_numbers_of_a_change_are_judged_too(attributes: dict[str, str], least: int) -> None:
    problems = judged("storage.k8s.io/v1", "VolumeAttributesClass", driverName=DRIVER, parameters=attributes)
    assert [problem.rule for problem in problems] == ["automode:StorageBounds"]
    assert f"a volume has at least {least}, so EBS refuses" in problems[0].message


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"csi.storage.k8s.io/fstype": "xfs", "bytesPerInode": "8192"}, "bytesPerInode: is refused for xfs, so no"),
        ({"csi.storage.k8s.io/fstype": "xfs", "numberOfInodes": "8192"}, "numberOfInodes: is refused for xfs, so no"),
        ({"csi.storage.k8s.io/fstype": "ext3", "ext4BigAlloc": "true"}, "ext4BigAlloc: is refused for ext3, so no"),
        ({"ext4ClusterSize": "16384"}, "ext4ClusterSize: needs ext4BigAlloc 'true', so no volume is made; set"),
    ],
    ids=str,
)
def test_parameters_of_another_file_system_are_a_warning(parameters: dict[str, str], text: str) -> None:
    (problem,) = storage_class(parameters=parameters)
    assert (problem.rule, problem.severity) == ("automode:StorageFormat", "warning")
    assert str(problem).startswith(f"parameters.{text}")


def test_parameters_of_the_right_file_system_pass() -> None:
    assert storage_class(parameters={"ext4BigAlloc": "true", "ext4ClusterSize": "16384", "bytesPerInode": "8192"}) == []
    assert storage_class(parameters={"csi.storage.k8s.io/fstype": "xfs", "ext4BigAlloc": "false"}) == []


@pytest.mark.parametrize("text", ["True", "yes", "1", ""])
def test_a_default_class_is_marked_in_lower_case(text: str) -> None:
    name = "storageclass.kubernetes.io/is-default-class"
    document = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", **STORAGE}
    (problem,) = judge_document({**document, "metadata": {"name": "a", "annotations": {name: text}}}) or []
    assert (problem.rule, problem.severity) == ("automode:DefaultClass", "warning")
    assert str(problem) == f"metadata.annotations['{name}']: '{text}' is not 'true', so it is no default; write 'true'"


def test_a_topology_names_values() -> None:
    topology = [{"matchLabelExpressions": [{"key": "topology.kubernetes.io/zone", "values": []}]}]
    (problem,) = storage_class(allowedTopologies=topology)
    assert str(problem) == "allowedTopologies[0].matchLabelExpressions[0].values: must have at least 1 item, got 0"


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-01", "2026-01-01 10:00:00"])
def test_a_time_of_the_metadata_is_one(moment: str) -> None:
    document = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", **STORAGE}
    (problem,) = judge_document({**document, "metadata": {"name": "a", "creationTimestamp": moment}}) or []
    assert str(problem) == f"metadata.creationTimestamp: '{moment}' is not a time; leave it out: the cluster writes it"
    for right in (None, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+02:00"):
        assert judge_document({**document, "metadata": {"name": "a", "creationTimestamp": right}}) == []


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"sslPolicy": "TLS13"}, "spec.sslPolicy: 'TLS13' is not a security policy such as 'ELBSecurityPolicy-TLS13-"),
        ({"certificateARNs": ["web"]}, "spec.certificateARNs[0]: 'web' is not the ARN of a certificate"),
        (
            {"loadBalancerAttributes": [{"key": "idle_timeout", "value": "60"}]},
            "spec.loadBalancerAttributes[0].key: 'idle_timeout' is no attribute, so the controller reports an "
            "error; write",
        ),
        (
            {"loadBalancerAttributes": [{"key": "routing.http2.enabled", "value": "on"}]},
            "spec.loadBalancerAttributes[0].value: 'on' is not allowed as routing.http2.enabled, so the "
            "controller reports an error; write true or false",
        ),
    ],
    ids=str,
)
def test_parameters_of_a_class_are_judged_as_annotations(spec: dict[str, Any], text: str) -> None:
    (problem,) = judged("eks.amazonaws.com/v1", "IngressClassParams", spec=spec)
    assert (problem.rule, problem.severity) == ("automode:LoadBalancerValue", "warning")
    assert str(problem).startswith(text)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"targetGroupARN": "web"},
            "spec.targetGroupARN: 'web' is not the ARN of a target group, so the controller reports an error",
        ),
        (
            {"serviceRef": {"name": "a", "port": "80"}},
            "spec.serviceRef.port: '80' is no name of a port, so no target is registered; write 80",
        ),
    ],
    ids=str,
)
def test_a_binding_names_a_group_and_a_port(change: dict[str, Any], text: str) -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/a/0123456789abcdef"
    spec = {"serviceRef": {"name": "a", "port": 80}, "targetGroupARN": arn, "targetType": "ip"}
    assert judged("eks.amazonaws.com/v1", "TargetGroupBinding", spec=spec) == []
    (problem,) = judged("eks.amazonaws.com/v1", "TargetGroupBinding", spec={**spec, **change})
    assert str(problem) == text
