"""DaemonSets that bring what Auto Mode's nodes have built in."""

from __future__ import annotations

import pytest

from automode_constructs.checks.built_in_agents import built_in_agent_problems
from automode_constructs.checks.document import judge_document
from automode_constructs.checks.whole_tree import TreeObject, judge_tree
from tests.checks.test_device_plugin import COMPUTE_TYPE, affinity, daemon_set, expression

ECR = "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks"


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (f"{ECR}/kube-proxy:v1.36.2-eksbuild.4", "the addresses of Services"),
        (f"{ECR}/eks-pod-identity-agent:v0.1.30", "the EKS Pod Identity agent"),
        ("public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.50.0", "EBS volumes"),
        (f"{ECR}/amazon-k8s-cni@sha256:{'0' * 64}", "the pod network"),
        ("public.ecr.aws/eks/eks-node-monitoring-agent:v1.5.0", "the node monitoring agent"),
    ],
)
def test_is_named_by_its_image(image: str, what: str) -> None:
    (problem,) = built_in_agent_problems(daemon_set(image))
    assert problem.field == "spec.template.spec.containers[0].image"
    assert what in problem.message and problem.severity == "error"
    assert problem.cure == (
        f"remove it, or keep it off these nodes with a required node affinity: {COMPUTE_TYPE} NotIn auto"
    )


def test_or_by_its_name_once() -> None:
    manifest = daemon_set(f"{ECR}/amazon-k8s-cni:v1.20.0")
    manifest["metadata"]["name"] = "aws-node"
    (problem,) = built_in_agent_problems(manifest)
    assert str(problem).startswith(
        "metadata.name: 'aws-node' brings the pod network, which Auto Mode's nodes have built in; "
    )


@pytest.mark.parametrize(
    "manifest",
    [
        daemon_set(f"{ECR}/kube-proxy:v1.36", affinity=affinity([expression("NotIn", "auto", "hybrid")])),
        daemon_set("example.com/log-agent:1"),
        daemon_set("nvcr.io/nvidia/k8s-device-plugin:v0.20.1"),  # has a rule of its own
        daemon_set("docker.io/karpenter:1"),  # a controller: not run by DaemonSets
        daemon_set("${Token[TOKEN.1]}"),
        daemon_set(f"{ECR}/kube-proxy:v1.36") | {"kind": "Deployment"},
        daemon_set(f"{ECR}/kube-proxy:v1.36") | {"apiVersion": "apps/v1beta1"},
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": 3}, "spec": {"template": None}},
    ],
)
def test_everything_else_passes(manifest: dict[str, object]) -> None:
    assert [*built_in_agent_problems(manifest)] == []


def test_the_linter_and_synthesis_ask_it() -> None:
    manifest = daemon_set(f"{ECR}/kube-proxy:v1.36")
    assert "automode:BuiltInAgent" in {problem.rule for problem in judge_document(manifest) or ()}
    found = judge_tree([TreeObject(where="x", manifest=manifest)], default_node_class=True, whole=True)
    assert "automode:BuiltInAgent" in {finding.rule for finding in found}
