"""StorageClass, IngressClass and IngressClassParams."""

from __future__ import annotations

import cdk8s
import pytest

from automode_constructs.manifests.ingress_class import IngressClass, IngressClassParams
from automode_constructs.manifests.storage_class import StorageClass
from automode_constructs.specs.storage.storage_class import (
    PROVISIONER,
    StorageClassSpec,
    StorageParameters,
    TopologyLabel,
    TopologyTerm,
)
from automode_constructs.specs.traffic.ingress_class import IngressClassParamsSpec


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "chart", namespace="team")


def test_a_storage_class_is_encrypted_late_bound_and_on_auto_modes_nodes(chart: cdk8s.Chart) -> None:
    assert StorageClass(chart, "gp3", spec=StorageClassSpec(provisioner=PROVISIONER)).to_json() == {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "gp3"},
        "provisioner": "ebs.csi.eks.amazonaws.com",
        "parameters": {"encrypted": "true"},
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowedTopologies": [
            {"matchLabelExpressions": [{"key": "eks.amazonaws.com/compute-type", "values": ["auto"]}]}
        ],
    }


def test_what_the_user_says_of_a_storage_class_is_kept(chart: cdk8s.Chart) -> None:
    zones = TopologyTerm(match_label_expressions=[TopologyLabel(key="topology.kubernetes.io/zone", values=["a"])])
    given = StorageClassSpec(
        provisioner=PROVISIONER,
        parameters=StorageParameters(type="io2", encrypted="false"),
        volume_binding_mode="Immediate",
        reclaim_policy="Retain",
        allow_volume_expansion=False,
        allowed_topologies=[zones],
    )
    manifest = StorageClass(chart, "io2", spec=given).to_json()
    assert {key: value for key, value in manifest.items() if key in given.to_manifest()} == given.to_manifest()


@pytest.mark.parametrize("default", [True, False])
def test_a_default_class_says_so(chart: cdk8s.Chart, default: bool) -> None:
    storage = StorageClass(chart, "gp3", spec=StorageClassSpec(provisioner=PROVISIONER), default_class=default)
    params = IngressClassParams(chart, "params", spec=IngressClassParamsSpec())
    ingress = IngressClass(chart, "alb", params=params, default_class=default)
    assert storage.to_json()["metadata"].get("annotations") == (
        {"storageclass.kubernetes.io/is-default-class": "true"} if default else None
    )
    assert ingress.to_json()["metadata"].get("annotations") == (
        {"ingressclass.kubernetes.io/is-default-class": "true"} if default else None
    )


def test_an_ingress_class_names_auto_modes_controller_and_its_params(chart: cdk8s.Chart) -> None:
    params = IngressClassParams(chart, "params", name="web", spec=IngressClassParamsSpec())
    assert IngressClass(chart, "alb", params=params).to_json() == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "alb"},
        "spec": {
            "controller": "eks.amazonaws.com/alb",
            "parameters": {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "web"},
        },
    }


@pytest.mark.parametrize(
    ("spec", "scheme"),
    [(IngressClassParamsSpec(), "internal"), (IngressClassParamsSpec(scheme="internet-facing"), "internet-facing")],
)
def test_a_load_balancer_is_internal_unless_said_otherwise(
    chart: cdk8s.Chart, spec: IngressClassParamsSpec, scheme: str
) -> None:
    assert IngressClassParams(chart, "params", spec=spec).to_json() == {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "IngressClassParams",
        "metadata": {"name": "params"},
        "spec": {"scheme": scheme},
    }
