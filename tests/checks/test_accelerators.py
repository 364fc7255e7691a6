"""Pods on accelerated nodes that request no device."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.whole_tree import TreeObject, judge_tree

CATEGORY = "eks.amazonaws.com/instance-category"


def pool(name: str, *categories: str, taint: str = "", **labels: str) -> TreeObject:
    nodes = {
        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
        "requirements": [{"key": CATEGORY, "operator": "In", "values": [*categories]}],
        "taints": [{"key": taint, "effect": "NoSchedule"}] if taint else [],
    }
    spec = {"template": {"metadata": {"labels": labels}, "spec": nodes}}
    manifest = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": name}, "spec": spec}
    return TreeObject(where="pool", manifest=manifest)


def deployment(*, container: dict[str, Any] | None = None, **pod: Any) -> TreeObject:
    containers = [{"name": "main", "image": "i", **(container or {})}]
    spec = {"template": {"spec": {"containers": containers, "tolerations": [{"operator": "Exists"}], **pod}}}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec}
    return TreeObject(where="w", manifest=manifest)


def found(*objects: TreeObject, whole: bool = False) -> list[str]:
    findings = judge_tree(objects, default_node_class=True, whole=whole, files=True)
    return [f"{each.severity} {each}" for each in findings if each.rule == "automode:DeviceRequest"]


@pytest.mark.parametrize(
    ("category", "device"),
    [
        ("g", "nvidia.com/gpu"),
        ("p", "nvidia.com/gpu"),
        ("inf", "aws.amazon.com/neuron"),
        ("trn", "aws.amazon.com/neuron"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_pod_that_asks_for_accelerated_nodes_and_no_device_is_a_warning(
    category: str, device: str, whole: bool
) -> None:
    assert found(deployment(nodeSelector={CATEGORY: category}), whole=whole) == [
        "warning w: spec.template.spec.containers: no container requests a device, and the pods run on accelerated "
        f"nodes only, where they see no accelerator; add {device} to the limits of the container that needs it, or "
        "choose other nodes"
    ]


@pytest.mark.parametrize(
    "selector",
    [
        {"eks.amazonaws.com/instance-gpu-name": "l4"},
        {"eks.amazonaws.com/instance-family": "g6"},
        {"node.kubernetes.io/instance-type": "p5.48xlarge"},
        {"karpenter.sh/nodepool": "gpu"},
        {"karpenter.sh/nodepool": "gpu", "example.com/team": "ml"},
    ],
    ids=str,
)
def test_accelerated_nodes_are_known_by_any_label(selector: dict[str, str]) -> None:
    gpu = pool("gpu", "g", taint="nvidia.com/gpu", **{"example.com/team": "ml"})
    assert len(found(gpu, deployment(nodeSelector=selector))) == 1


def test_a_label_of_the_pool_alone_tells_the_nodes_where_all_pools_are_known() -> None:
    objects = (pool("gpu", "g", **{"example.com/team": "ml"}), deployment(nodeSelector={"example.com/team": "ml"}))
    assert len(found(*objects)) == 1
    assert found(*objects, pool("cpu", "c", **{"example.com/team": "ml"})) == []


@pytest.mark.parametrize(
    "pod",
    [
        {"container": {"resources": {"limits": {"nvidia.com/gpu": 1}}}},
        {"container": {"resources": {"requests": {"aws.amazon.com/neuroncore": "2"}}}},
        {"container": {"resources": {"limits": {"nvidia.com/mig-1g.5gb": 1}}}},
        {"container": {"securityContext": {"privileged": True}}},
        {"resourceClaims": [{"name": "gpu"}]},
        {"volumes": [{"name": "dev", "hostPath": {"path": "/dev"}}]},
        {"nodeSelector": {}},
        {"nodeSelector": {CATEGORY: "c"}},
    ],
    ids=str,
)
def test_a_pod_that_sees_a_device_or_runs_elsewhere_passes(pod: dict[str, Any]) -> None:
    selector = pod.pop("nodeSelector", {CATEGORY: "g"})
    assert found(pool("gpu", "g"), deployment(nodeSelector=selector, **pod), whole=True) == []
