"""Objects that name each other and cannot work together: a claim and its class, an Ingress and its Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automode_constructs.checks.other_controllers import has_driver_of_add_on
from automode_constructs.errors import Problem
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.ingress import backends, is_load_balanced

__all__ = ["reference_problems"]

CLAIM_ON_ADD_ON_STORAGE = rule(
    "automode:ClaimOnAddOnStorage",
    "PersistentVolumeClaim",
    "StatefulSet",
    severity="warning",
    sentence="A claim's StorageClass has Auto Mode's driver: with that of the EBS CSI add-on, the claim stays pending.",
    source="EKS User Guide, 'Create a storage class'; the add-on may run on other nodes",
    judged="tree",
)
CLAIM_ACCESS_MODE = rule(
    "automode:ClaimAccessMode",
    "PersistentVolumeClaim",
    "StatefulSet",
    severity="warning",
    sentence="A file system on EBS belongs to one node: its claim's access mode is ReadWriteOnce or ReadWriteOncePod.",
    source="kubernetes-sigs/aws-ebs-csi-driver, docs/multi-attach.md; EKS User Guide, 'Create a storage class'",
    judged="tree",
)
INSTANCE_TARGETS = rule(
    "automode:InstanceTargets",
    "Ingress",
    severity="warning",
    sentence="The Services of an Ingress with target-type instance are of type NodePort or LoadBalancer.",
    source="AWS Load Balancer Controller, 'Ingress annotations', target-type",
    judged="tree",
)

_DRIVER = "ebs.csi.eks.amazonaws.com"
_TARGET_TYPE = "alb.ingress.kubernetes.io/target-type"


def reference_problems(manifests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Problem]]:
    """Objects that cannot work with one that they name; each problem with the index of its manifest."""
    by_key = {_key(manifest, str(mapping_at(manifest, "metadata").get("name"))): manifest for manifest in manifests}
    for index, manifest in enumerate(manifests):
        match _group_and_kind(manifest):
            case ("", "PersistentVolumeClaim"):
                yield from ((index, problem) for problem in _claim(mapping_at(manifest, "spec"), "spec", by_key))
            case ("apps", "StatefulSet"):
                for number, claim in enumerate(_mappings(mapping_at(manifest, "spec").get("volumeClaimTemplates"))):
                    field = f"spec.volumeClaimTemplates[{number}].spec"
                    yield from ((index, problem) for problem in _claim(mapping_at(claim, "spec"), field, by_key))
            case ("networking.k8s.io", "Ingress") if is_load_balanced(manifest):
                yield from ((index, problem) for problem in _ingress(manifest, by_key))


_Key = tuple[str, str, str, str]


def _claim(spec: Mapping[str, Any], field: str, by_key: Mapping[_Key, Mapping[str, Any]]) -> Iterator[Problem]:
    name = spec.get("storageClassName")
    storage_class = by_key.get(("storage.k8s.io", "StorageClass", "", str(name)))
    if storage_class is not None and has_driver_of_add_on(storage_class):
        driver = storage_class["provisioner"]
        yield CLAIM_ON_ADD_ON_STORAGE.problem(
            f"{field}.storageClassName",
            f"StorageClass '{name}' has the driver {driver}, which does not run on Auto Mode's nodes, so the claim "
            "stays pending there",
            "name a StorageClass of ebs.csi.eks.amazonaws.com",
        )
    modes = spec.get("accessModes")
    if storage_class is None or storage_class.get("provisioner") != _DRIVER or spec.get("volumeMode") == "Block":
        return
    for number, mode in enumerate(modes if isinstance(modes, (list, tuple)) else ()):
        if mode in ("ReadWriteMany", "ReadOnlyMany"):
            yield CLAIM_ACCESS_MODE.problem(
                f"{field}.accessModes[{number}]",
                f"{mode} is not for a file system on EBS, which one node has at a time, so the claim stays pending",
                "write ReadWriteOnce, or use a file system that is shared, such as EFS",
            )


def _ingress(manifest: Mapping[str, Any], by_key: Mapping[_Key, Mapping[str, Any]]) -> Iterator[Problem]:
    if mapping_at(manifest, "metadata", "annotations").get(_TARGET_TYPE) != "instance":
        return
    namespace = _namespace(manifest)
    for field, name in backends(mapping_at(manifest, "spec")):
        service = by_key.get(("", "Service", namespace, name), {})
        own = mapping_at(service, "metadata", "annotations").get(_TARGET_TYPE, "instance")  # a Service's own wins
        spec = mapping_at(service, "spec")
        if spec and own == "instance" and spec.get("type", "ClusterIP") == "ClusterIP":
            yield INSTANCE_TARGETS.problem(
                f"{field}.service.name",
                f"Service '{name}' is of type ClusterIP, which a load balancer with instance targets cannot reach",
                f"write {_TARGET_TYPE}: ip, or give the Service type NodePort",
            )


def _key(manifest: Mapping[str, Any], name: str) -> _Key:
    group, kind = _group_and_kind(manifest)
    return group, kind, "" if kind == "StorageClass" else _namespace(manifest), name


def _group_and_kind(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind", ""))


def _namespace(manifest: Mapping[str, Any]) -> str:
    return str(mapping_at(manifest, "metadata").get("namespace") or "default")


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
