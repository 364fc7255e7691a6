"""What no single object can show: a name used twice, a pool whose NodeClass is nowhere, an unknown namespace."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automode_constructs.errors import Problem
from automode_constructs.tokens import is_token

__all__ = ["ObjectKey", "TreeFinding", "TreeObject", "judge_tree", "node_class_of", "object_key"]


_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
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

_ALWAYS_THERE = frozenset({"kube-node-lease", "kube-public", "kube-system"})
"""The namespaces of every cluster besides ``default``."""


@dataclass(frozen=True, order=True, slots=True)
class ObjectKey:
    """What makes a Kubernetes object the one it is: group, kind, namespace, name.

    The namespace is empty for ``default`` and for kinds that know none, however the manifest puts it.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f" in namespace '{self.namespace}'" if self.namespace else ""
        return f"{self.kind} '{self.name}'{place}"


def object_key(manifest: Mapping[str, Any]) -> ObjectKey:
    """The key of a manifest; the version does not count, since it names the same object."""
    metadata = manifest.get("metadata") or {}
    api_version = str(manifest.get("apiVersion", ""))
    kind = str(manifest.get("kind", ""))
    namespace = str(metadata.get("namespace") or "")
    return ObjectKey(
        group=api_version.rpartition("/")[0],
        kind=kind,
        # One object must have one key: this is what tells duplicates, and what logical ids are made of.
        namespace="" if namespace == "default" or kind in _CLUSTER_SCOPED else namespace,
        name=str(metadata.get("name") or ""),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeObject:
    """A manifest and where it was made."""

    where: str
    manifest: Mapping[str, Any]
    external_node_class: str | None = None
    """The NodeClass a pool knowingly takes from elsewhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeFinding:
    """What the tree shows, with the rule's stable id."""

    rule: str
    severity: Literal["error", "warning"]
    index: int
    """Which of the objects judged it is about."""
    where: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" if self.where else str(self.problem)


def judge_tree(
    objects: Sequence[TreeObject], *, default_node_class: bool, whole: bool, node_classes: Collection[str] = ()
) -> list[TreeFinding]:
    """Judges all objects of one cluster together.

    Args:
        objects: every manifest that goes to the cluster.
        default_node_class: whether EKS makes the NodeClass ``default`` (it does beside a built-in pool).
        whole: whether these are all objects of the cluster; if not, what is missing is a warning.
        node_classes: NodeClasses known to exist already.
    """
    keys = [object_key(item.manifest) for item in objects]
    known = {*node_classes, *(["default"] if default_node_class else [])}
    findings = [*_duplicates(objects, keys), *_pools_without_class(objects, keys, known, whole=whole)]
    return [*findings, *_unknown_namespaces(objects, keys)] if whole else findings


def _duplicates(objects: Sequence[TreeObject], keys: Sequence[ObjectKey]) -> Iterator[TreeFinding]:
    first: dict[ObjectKey, str] = {}
    for index, (item, key) in enumerate(zip(objects, keys, strict=True)):
        if key in first:
            yield TreeFinding(
                rule="automode:DuplicateObject",
                severity="error",
                index=index,
                where=item.where,
                problem=Problem(
                    field="metadata.name",
                    message=f"{key} is also made by {first[key]}",
                    cure="give one of them another name, or deliver it once",
                ),
            )
        first.setdefault(key, item.where)


def _pools_without_class(
    objects: Sequence[TreeObject], keys: Sequence[ObjectKey], known: Collection[str], *, whole: bool
) -> Iterator[TreeFinding]:
    made = {key.name for key in keys if (key.group, key.kind) == ("eks.amazonaws.com", "NodeClass")}.union(known)
    for index, (item, key) in enumerate(zip(objects, keys, strict=True)):
        if (key.group, key.kind) != ("karpenter.sh", "NodePool"):
            continue
        name = node_class_of(item.manifest)
        if name is None or name in made or name == item.external_node_class or is_token(name):
            continue
        yield TreeFinding(
            rule="automode:NodeClassNotFound",
            severity="error" if whole else "warning",
            index=index,
            where=item.where,
            problem=Problem(
                field="spec.template.spec.nodeClassRef.name",
                message=f"no chart of this cluster makes the NodeClass '{name}', so that {key} never launches a node",
                cure=(
                    "EKS makes it only beside a built-in pool: turn one on, or give the pool a NodeClass of its own"
                    if name == "default"
                    else "deliver it with one of the charts, or say NodeClass.from_name(..., made_elsewhere=True)"
                ),
            ),
        )


def _unknown_namespaces(objects: Sequence[TreeObject], keys: Sequence[ObjectKey]) -> Iterator[TreeFinding]:
    known = {key.name for key in keys if (key.group, key.kind) == ("", "Namespace")} | _ALWAYS_THERE
    for index, (item, key) in enumerate(zip(objects, keys, strict=True)):
        if not key.namespace or key.namespace in known or is_token(key.namespace):
            continue
        known |= {key.namespace}  # Once a namespace is enough.
        yield TreeFinding(
            rule="automode:NamespaceNotFound",
            severity="warning",
            index=index,
            where=item.where,
            problem=Problem(
                field="metadata.namespace",
                message=f"no chart of this cluster makes the namespace '{key.namespace}'",
                cure="add a Namespace object, or acknowledge this if something else makes it",
            ),
        )


def node_class_of(manifest: Mapping[str, Any]) -> str | None:
    """The name of the NodeClass that a NodePool refers to; ``None`` without one, or for another kind of class."""
    reference = manifest.get("spec")
    for part in ("template", "spec", "nodeClassRef"):
        reference = reference.get(part) if isinstance(reference, Mapping) else None
    if not isinstance(reference, Mapping) or reference.get("kind", "NodeClass") != "NodeClass":
        return None
    name = reference.get("name")
    return name if isinstance(name, str) else None
