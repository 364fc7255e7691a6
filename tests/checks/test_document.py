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
