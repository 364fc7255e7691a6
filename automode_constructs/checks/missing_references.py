"""Objects that name another one which is missing: an IngressClass its parameters, a claim its StorageClass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from automode_constructs.checks.other_controllers import is_auto_mode_controller
from automode_constructs.errors import Problem
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.ingress import backends, is_load_balanced
from automode_constructs.tokens import is_token

__all__ = ["missing_reference_problems"]

REFERENCE_NOT_FOUND = rule(
    "automode:ReferenceNotFound",
    *("Ingress", "IngressClass", "PersistentVolumeClaim", "StatefulSet", "TargetGroupBinding"),
    severity="error",
    sentence="The IngressClassParams, IngressClass, StorageClass or Service that an object names exists.",
    source="Kubernetes, 'Ingress', 'Storage Classes'; EKS User Guide, 'Create an IngressClass to configure an "
    "Application Load Balancer'",
    warning_where="people or other tools may create the object: in an app, and in files without --cluster",
    judged="tree",
)

_Kind = tuple[str, str]
_PARAMS: _Kind = ("eks.amazonaws.com", "IngressClassParams")
_INGRESS_CLASS: _Kind = ("networking.k8s.io", "IngressClass")
_STORAGE_CLASS: _Kind = ("storage.k8s.io", "StorageClass")
_ATTRIBUTES_CLASS: _Kind = ("storage.k8s.io", "VolumeAttributesClass")
_SERVICE: _Kind = ("", "Service")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reference:
    field: str
    kind: _Kind
    name: str
    """The name; empty for the class that is the default."""
    namespace: str = ""
    outcome: str
    """What happens without the object."""


def missing_reference_problems(
    manifests: Sequence[Mapping[str, Any]], *, whole: bool, certain: bool, maker: str, addition: str
) -> Iterator[tuple[int, Problem]]:
    """Objects that name a missing one; each problem with the index of its manifest.

    Args:
        manifests: the objects.
        whole: whether these are all objects of the cluster. If not, a missing object is reported if its name is nearly
            that of another one, or if the two are always written together.
        certain: whether a missing object is an error: nothing else can create it.
        maker: who does not make a missing object, as the beginning of a sentence.
        addition: how it is added.
    """
    there: dict[tuple[_Kind, str], set[str]] = {}
    default_kinds: set[_Kind] = set()
    for manifest in manifests:
        kind, metadata = _kind(manifest), mapping_at(manifest, "metadata")
        there.setdefault((kind, _namespace(manifest, kind)), set()).add(str(metadata.get("name")))
        mark = mapping_at(metadata, "annotations").get(_DEFAULT_MARKS.get(kind, ""))
        if mark in ("true", True) or "{" in str(mark):
            default_kinds.add(kind)
    for index, manifest in enumerate(manifests):
        for reference in _references(manifest):
            names = there.get((reference.kind, reference.namespace), set())
            if reference.name in names or is_token(reference.name) or any("{" in name for name in names):
                continue
            if not reference.name:
                if whole and reference.kind not in default_kinds:
                    yield index, _no_default(reference, maker)
                continue
            near = get_close_matches(reference.name, sorted(names), n=1, cutoff=0.75)
            if not whole and not near and reference.kind != _PARAMS:
                continue  # It is in the cluster already, most likely.
            yield (
                index,
                REFERENCE_NOT_FOUND.problem(
                    reference.field,
                    f"{maker} the {reference.kind[1]} '{reference.name}', so {reference.outcome}",
                    f"did you mean '{near[0]}'?" if near else addition,
                    severity="error" if certain and reference.kind != _SERVICE else "warning",
                ),
            )


_DEFAULT_MARKS: Mapping[_Kind, str] = {
    _INGRESS_CLASS: "ingressclass.kubernetes.io/is-default-class",
    _STORAGE_CLASS: "storageclass.kubernetes.io/is-default-class",
}


def _no_default(reference: _Reference, maker: str) -> Problem:
    kind = reference.kind[1]
    return REFERENCE_NOT_FOUND.problem(
        reference.field,
        f"is not set, and {maker} a default {kind}, so {reference.outcome}",
        f"name a {kind}" if kind == "StorageClass" else f"name an {kind}",
        severity="warning",
    )


def _references(manifest: Mapping[str, Any]) -> Iterator[_Reference]:
    find = _FINDERS.get(_kind(manifest))
    return find(manifest) if find is not None else iter(())


def _of_ingress_class(manifest: Mapping[str, Any]) -> Iterator[_Reference]:
    parameters = mapping_at(manifest, "spec", "parameters")
    name = parameters.get("name")
    if (
        is_auto_mode_controller(manifest)
        and isinstance(name, str)
        and (parameters.get("apiGroup"), parameters.get("kind")) == _PARAMS
    ):
        outcome = "its Ingresses get no load balancer"
        yield _Reference(field="spec.parameters.name", kind=_PARAMS, name=name, outcome=outcome)


def _of_ingress(manifest: Mapping[str, Any]) -> Iterator[_Reference]:
    if not is_load_balanced(manifest):
        return
    spec, annotations = mapping_at(manifest, "spec"), mapping_at(manifest, "metadata", "annotations")
    name = spec.get("ingressClassName", "")
    outcome = "no controller makes a load balancer for it"
    if isinstance(name, str) and "kubernetes.io/ingress.class" not in annotations:
        yield _Reference(field="spec.ingressClassName", kind=_INGRESS_CLASS, name=name, outcome=outcome)
    namespace = _namespace(manifest, _SERVICE)
    for field, service in backends(spec):
        yield _Reference(
            field=f"{field}.service.name",
            kind=_SERVICE,
            name=service,
            namespace=namespace,
            outcome="the load balancer has no target there",
        )


def _of_claim(spec: Mapping[str, Any], field: str) -> Iterator[_Reference]:
    name = spec.get("storageClassName")
    if (name is None or (isinstance(name, str) and name)) and not spec.get("volumeName"):
        outcome = "the claim stays pending"
        yield _Reference(field=f"{field}.storageClassName", kind=_STORAGE_CLASS, name=name or "", outcome=outcome)
    attributes = spec.get("volumeAttributesClassName")
    if isinstance(attributes, str) and attributes:
        yield _Reference(
            field=f"{field}.volumeAttributesClassName",
            kind=_ATTRIBUTES_CLASS,
            name=attributes,
            outcome="its volume is not changed",
        )


def _of_stateful_set(manifest: Mapping[str, Any]) -> Iterator[_Reference]:
    claims = mapping_at(manifest, "spec").get("volumeClaimTemplates")
    for number, claim in enumerate(claims if isinstance(claims, (list, tuple)) else ()):
        if isinstance(claim, Mapping):
            yield from _of_claim(mapping_at(claim, "spec"), f"spec.volumeClaimTemplates[{number}].spec")


def _of_binding(manifest: Mapping[str, Any]) -> Iterator[_Reference]:
    name = mapping_at(manifest, "spec", "serviceRef").get("name")
    if isinstance(name, str) and name:
        yield _Reference(
            field="spec.serviceRef.name",
            kind=_SERVICE,
            name=name,
            namespace=_namespace(manifest, _SERVICE),
            outcome="no target is registered",
        )


_FINDERS: Mapping[_Kind, Callable[[Mapping[str, Any]], Iterator[_Reference]]] = {
    _INGRESS_CLASS: _of_ingress_class,
    ("networking.k8s.io", "Ingress"): _of_ingress,
    ("", "PersistentVolumeClaim"): lambda manifest: _of_claim(mapping_at(manifest, "spec"), "spec"),
    ("apps", "StatefulSet"): _of_stateful_set,
    ("eks.amazonaws.com", "TargetGroupBinding"): _of_binding,
}


def _kind(manifest: Mapping[str, Any]) -> _Kind:
    return str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind", ""))


def _namespace(manifest: Mapping[str, Any], kind: _Kind) -> str:
    return str(mapping_at(manifest, "metadata").get("namespace") or "default") if kind == _SERVICE else ""
