"""The metadata of whole objects: names by the kind's own rule, types, labels and annotations, and the namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from automode_constructs.checks.kubernetes_fields import field_problems
from automode_constructs.errors import Problem, shown
from automode_constructs.specs.fields import VALUE
from automode_constructs.specs.messages import MISSING_FIELD
from automode_constructs.specs.object_metadata import finalizer_problems, name_problems, namespace_problems
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_token

__all__ = ["is_cluster_scoped", "metadata_problems"]

CLUSTER_SCOPED = rule(
    "automode:ClusterScoped",
    "all",
    severity="warning",
    sentence="An object of a kind that belongs to no namespace names none: the API server drops it.",
    source="Kubernetes, 'Namespaces'",
)

_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "ClusterNetworkPolicy",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "IngressClassParams",
        "MutatingWebhookConfiguration",
        "Namespace",
        "NodeClass",
        "NodePool",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttributesClass",
        "VolumeSnapshotClass",
        "VolumeSnapshotContent",
    }
)


def is_cluster_scoped(kind: str) -> bool:
    """Whether a kind is known to have no namespace."""
    return kind in _CLUSTER_SCOPED


_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[-+][0-9]{2}:[0-9]{2})"


def metadata_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What the API server refuses in the metadata of an object.

    Args:
        document: the object, of any kind whose names have a known form: those of Auto Mode and of Kubernetes itself.
    """
    metadata = document.get("metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        yield VALUE.problem("metadata", f"needs a mapping, got {shown(metadata)}")
        return
    metadata = metadata or {}
    api_version, kind = str(document.get("apiVersion", "")), str(document.get("kind", ""))
    yield from field_problems(metadata, "ObjectMeta", "metadata")
    for field in ("creationTimestamp", "deletionTimestamp"):
        moment = metadata.get(field)
        if isinstance(moment, str) and moment and not is_token(moment) and not re.fullmatch(_MOMENT, moment):
            yield VALUE.problem(
                f"metadata.{field}", f"{shown(moment)} is not a time", "leave it out: the cluster writes it"
            )
    named = next((field for field in ("name", "generateName") if metadata.get(field) not in (None, "")), None)
    if named is None:
        yield MISSING_FIELD.problem("metadata.name", "is required")
    elif isinstance(metadata[named], str) and not is_token(metadata[named]):
        yield from name_problems(
            f"metadata.{named}",
            metadata[named],
            api_version=api_version,
            kind=kind,
            is_prefix=named == "generateName",
        )
    namespace = metadata.get("namespace")
    if isinstance(namespace, str) and namespace and not is_token(namespace):
        if is_cluster_scoped(kind):
            yield CLUSTER_SCOPED.problem(
                "metadata.namespace", f"is dropped, since a {kind} belongs to no namespace", "remove it"
            )
        else:
            yield from namespace_problems("metadata.namespace", namespace)
    yield from finalizer_problems("metadata.finalizers", metadata.get("finalizers"))
