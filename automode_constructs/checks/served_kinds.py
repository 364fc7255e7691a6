"""Kinds and versions that a cluster with Auto Mode does not serve: made up, of another project, or gone."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.messages import MISSING_FIELD
from automode_constructs.specs.rule import rule

__all__ = ["served_kind_problems"]

UNSERVED_KIND = rule(
    "automode:UnservedKind",
    "all",
    severity="error",
    sentence="The cluster serves the kind and the version of each object in Kubernetes' and Auto Mode's groups.",
    source="CRDs of an Auto Mode cluster; Kubernetes, 'Deprecated API Migration Guide'",
)

_EKS = "eks.amazonaws.com/v1"
_OF_GROUP: Mapping[str, frozenset[str]] = {
    "eks.amazonaws.com": frozenset(
        {"CNINode", "IngressClassParams", "NodeClass", "NodeDiagnostic", "TargetGroupBinding"}
    ),
    "karpenter.sh": frozenset({"NodeClaim", "NodePool"}),
    "networking.k8s.aws": frozenset(
        {"ApplicationNetworkPolicy", "ClusterNetworkPolicy", "ClusterPolicyEndpoint", "PolicyEndpoint"}
    ),
}
"""All kinds of the groups that belong to EKS alone."""

_INSTEAD = {
    "Provisioner": "write a NodePool of karpenter.sh/v1",
    "Machine": "write a NodePool of karpenter.sh/v1",
    "NodeTemplate": f"write a NodeClass of {_EKS}",
    "AWSNodeTemplate": f"write a NodeClass of {_EKS}",
    "EC2NodeClass": f"write a NodeClass of {_EKS}",
    "NodeOverlay": "set requirements and weights in the NodePools",
    "PodIdentityAssociation": "make the association in AWS: PodIdentityRole, or AWS::EKS::PodIdentityAssociation",
    "AccessEntry": "make the entry in AWS: AWS::EKS::AccessEntry",
    "Addon": "make the add-on in AWS: AWS::EKS::Addon",
    "Cluster": "make the cluster in AWS: AutoModeCluster, or AWS::EKS::Cluster",
    "Nodegroup": "write a NodePool of karpenter.sh/v1",
    "NodeGroup": "write a NodePool of karpenter.sh/v1",
    "NetworkPolicy": "write a NetworkPolicy of networking.k8s.io/v1, or an ApplicationNetworkPolicy",
}

_GONE: Mapping[tuple[str, str], tuple[str, str]] = {
    ("extensions/v1beta1", "Ingress"): ("1.22", "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress"): ("1.22", "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass"): ("1.22", "networking.k8s.io/v1"),
    ("extensions/v1beta1", "NetworkPolicy"): ("1.16", "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy"): ("1.16", ""),
    ("policy/v1beta1", "PodSecurityPolicy"): ("1.25", ""),
    ("policy/v1beta1", "PodDisruptionBudget"): ("1.25", "policy/v1"),
    ("batch/v1beta1", "CronJob"): ("1.25", "batch/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): ("1.25", "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): ("1.26", "autoscaling/v2"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): ("1.25", "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "Event"): ("1.25", "events.k8s.io/v1"),
    ("node.k8s.io/v1beta1", "RuntimeClass"): ("1.25", "node.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "PriorityClass"): ("1.22", "scheduling.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease"): ("1.22", "coordination.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "StorageClass"): ("1.22", "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIDriver"): ("1.22", "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSINode"): ("1.22", "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "VolumeAttachment"): ("1.22", "storage.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): ("1.27", "storage.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"): ("1.22", "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", "APIService"): ("1.22", "apiregistration.k8s.io/v1"),
    **{
        (f"{group}/{version}", kind): ("1.16", "apps/v1")
        for group, version in (("extensions", "v1beta1"), ("apps", "v1beta1"), ("apps", "v1beta2"))
        for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")
    },
    **{
        ("admissionregistration.k8s.io/v1beta1", f"{kind}WebhookConfiguration"): (
            "1.22",
            "admissionregistration.k8s.io/v1",
        )
        for kind in ("Mutating", "Validating")
    },
    **{
        (f"rbac.authorization.k8s.io/{version}", kind): ("1.22", "rbac.authorization.k8s.io/v1")
        for version in ("v1alpha1", "v1beta1")
        for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    },
    **{
        (f"flowcontrol.apiserver.k8s.io/{version}", kind): (gone, "flowcontrol.apiserver.k8s.io/v1")
        for version, gone in (("v1beta1", "1.26"), ("v1beta2", "1.29"), ("v1beta3", "1.32"))
        for kind in ("FlowSchema", "PriorityLevelConfiguration")
    },
}
"""What Kubernetes served once: the version that serves it no longer, and the present apiVersion, if any."""

_OF_KUBERNETES: Mapping[str, tuple[str, ...]] = {
    "": (
        *("ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "Node", "PersistentVolume", "Pod"),
        *("PersistentVolumeClaim", "PodTemplate", "ReplicationController", "ResourceQuota", "Secret", "Service"),
        "ServiceAccount",
    ),
    "apps": ("ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "autoscaling": ("HorizontalPodAutoscaler", "Scale"),
    "batch": ("CronJob", "Job"),
    "networking.k8s.io": ("IPAddress", "Ingress", "IngressClass", "NetworkPolicy", "ServiceCIDR"),
    "policy": ("Eviction", "PodDisruptionBudget"),
    "storage.k8s.io": (
        *("CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"),
    ),
}
"""Kinds of Kubernetes' own groups. Newer ones may follow, so only a slip in one of these is reported."""


def served_kind_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """The problem of an object of a kind or a version that no Auto Mode cluster serves."""
    api_version, kind = document.get("apiVersion"), document.get("kind")
    group = api_version.rpartition("/")[0] if isinstance(api_version, str) else ""
    if kind is None and group in _OF_GROUP:
        yield MISSING_FIELD.problem("kind", "is required", f"use one of {', '.join(sorted(_OF_GROUP[group]))}")
    if not isinstance(api_version, str) or not isinstance(kind, str) or kind.endswith("List"):
        return
    gone = _GONE.get((api_version, kind))
    if gone is not None:
        since, present = gone
        yield UNSERVED_KIND.problem(
            "apiVersion",
            f"{shown(api_version)} of {kind} is not served since Kubernetes {since}",
            f"write {present}" if present else "use the labels of Pod Security Admission on namespaces",
        )
    elif group in _OF_GROUP and kind not in _OF_GROUP[group]:
        if kind in {"NodeClass", "NodePool"}:
            return  # Another rule says which group they are of.
        cure = _INSTEAD.get(kind) or _near(kind, _OF_GROUP[group])
        yield UNSERVED_KIND.problem(
            "kind",
            f"EKS serves no kind {shown(kind)} in {group}, so the API server refuses the object",
            cure or f"use one of {', '.join(sorted(_OF_GROUP[group]))}",
        )
    elif group in _OF_KUBERNETES and kind not in _OF_KUBERNETES[group]:
        near = _near(kind, _OF_KUBERNETES[group])
        if near:
            yield UNSERVED_KIND.problem(
                "kind", f"Kubernetes serves no kind {shown(kind)}, so the API server refuses the object", near
            )


def _near(kind: str, known: frozenset[str] | tuple[str, ...]) -> str:
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(kind.lower(), sorted(by_lower), n=1, cutoff=0.85)
    return f"did you mean {by_lower[near[0]]}?" if near else ""
