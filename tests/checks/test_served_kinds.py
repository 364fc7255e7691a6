"""Kinds that nobody serves: made up, of another project, misspelt, or gone."""

from __future__ import annotations

import pytest

from automode_constructs.checks.document import KINDS, judge_document
from automode_constructs.checks.served_kinds import served_kind_problems


def found(api_version: object, kind: object) -> list[str]:
    document = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}
    return [f"{each.severity} {each.rule} {each}" for each in served_kind_problems(document)]


@pytest.mark.parametrize(
    ("api_version", "kind", "cure"),
    [
        ("karpenter.sh/v1alpha5", "Provisioner", "write a NodePool of karpenter.sh/v1"),
        ("karpenter.sh/v1alpha5", "Machine", "write a NodePool of karpenter.sh/v1"),
        ("karpenter.sh/v1alpha1", "NodeOverlay", "set requirements and weights in the NodePools"),
        ("karpenter.sh/v1", "Nodepool", "did you mean NodePool?"),
        ("karpenter.sh/v1", "Budget", "use one of NodeClaim, NodePool"),
        (
            "eks.amazonaws.com/v1alpha1",
            "PodIdentityAssociation",
            "make the association in AWS: PodIdentityRole, or AWS::EKS::PodIdentityAssociation",
        ),
        ("eks.amazonaws.com/v1", "IngressClassParam", "did you mean IngressClassParams?"),
        ("eks.amazonaws.com/v1", "EC2NodeClass", "write a NodeClass of eks.amazonaws.com/v1"),
        ("networking.k8s.aws/v1alpha1", "ClusterNetworkPolicies", "did you mean ClusterNetworkPolicy?"),
    ],
)
def test_a_kind_that_eks_does_not_serve_is_an_error(api_version: str, kind: str, cure: str) -> None:
    group = api_version.partition("/")[0]
    assert found(api_version, kind) == [
        f"error automode:UnservedKind kind: EKS serves no kind '{kind}' in {group}, so the API server refuses the "
        f"object; {cure}"
    ]
    assert judge_document({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}) is not None


@pytest.mark.parametrize(
    ("api_version", "kind", "since", "cure"),
    [
        ("extensions/v1beta1", "Ingress", "1.22", "write networking.k8s.io/v1"),
        ("extensions/v1beta1", "Deployment", "1.16", "write apps/v1"),
        ("apps/v1beta2", "StatefulSet", "1.16", "write apps/v1"),
        ("batch/v1beta1", "CronJob", "1.25", "write batch/v1"),
        ("policy/v1beta1", "PodDisruptionBudget", "1.25", "write policy/v1"),
        ("policy/v1beta1", "PodSecurityPolicy", "1.25", "use the labels of Pod Security Admission on namespaces"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "1.26", "write autoscaling/v2"),
        ("rbac.authorization.k8s.io/v1beta1", "RoleBinding", "1.22", "write rbac.authorization.k8s.io/v1"),
        ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", "1.32", "write flowcontrol.apiserver.k8s.io/v1"),
    ],
)
def test_a_version_that_kubernetes_no_longer_serves_is_an_error(
    api_version: str, kind: str, since: str, cure: str
) -> None:
    assert found(api_version, kind) == [
        f"error automode:UnservedKind apiVersion: '{api_version}' of {kind} is not served since Kubernetes {since}; "
        f"{cure}"
    ]


@pytest.mark.parametrize(
    ("api_version", "kind", "meant"),
    [
        ("apps/v1", "Deploymnet", "Deployment"),
        ("v1", "Configmap", "ConfigMap"),
        ("v1", "Services", "Service"),
        ("networking.k8s.io/v1", "IngresClass", "IngressClass"),
        ("storage.k8s.io/v1", "Storageclass", "StorageClass"),
        ("policy/v1", "PodDisruptionBudgets", "PodDisruptionBudget"),
    ],
)
def test_a_slip_in_a_kind_of_kubernetes_is_an_error(api_version: str, kind: str, meant: str) -> None:
    assert found(api_version, kind) == [
        f"error automode:UnservedKind kind: Kubernetes serves no kind '{kind}', so the API server refuses the object; "
        f"did you mean {meant}?"
    ]


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        *((kind.api_version, kind.kind) for kind in KINDS),
        ("karpenter.sh/v1", "NodeClaim"),
        ("karpenter.sh/v1", "NodePoolList"),
        ("eks.amazonaws.com/v1alpha1", "CNINode"),
        ("networking.k8s.aws/v1alpha1", "PolicyEndpoint"),
        ("apps/v1", "Deployment"),
        ("batch/v1", "Something"),
        ("v1", "List"),
        ("eks.services.k8s.aws/v1alpha1", "PodIdentityAssociation"),
        ("networking.gke.io/v1", "ManagedCertificate"),
        ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler"),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        (None, "Pod"),
        ("v1", 1),
    ],
    ids=str,
)
def test_kinds_that_are_served_and_those_of_others_pass(api_version: object, kind: object) -> None:
    assert found(api_version, kind) == []


def test_an_old_version_is_reported_once() -> None:
    ingress = {"apiVersion": "networking.k8s.io/v1beta1", "kind": "Ingress", "metadata": {"name": "a"}, "spec": {}}
    assert [each.rule for each in judge_document(ingress) or ()] == ["automode:ApiVersion"]


@pytest.mark.parametrize(
    ("api_version", "kinds"),
    [("karpenter.sh/v1", "NodeClaim, NodePool"), ("networking.k8s.aws/v1alpha1", "ApplicationNetworkPolicy, Cl")],
)
def test_an_object_of_our_groups_has_a_kind(api_version: str, kinds: str) -> None:
    (finding,) = found(api_version, None)
    assert finding.startswith(f"error automode:MissingField kind: is required; use one of {kinds}")
    assert found("v2", None) == found(None, None) == []
