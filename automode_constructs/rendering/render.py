"""Renders a cdk8s chart to its Kubernetes objects, with the order and warnings that its constructs define."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cdk8s
from constructs import IConstruct, Node

from automode_constructs.checks.whole_tree import TreeObject
from automode_constructs.errors import Problem, Severity, shown
from automode_constructs.manifests.kubernetes_object import WAIT_METADATA, WARNING_METADATA
from automode_constructs.manifests.node_pool import EXTERNAL_CLASS_METADATA
from automode_constructs.rendering.canonical import in_kubernetes_form

__all__ = [
    "ADMISSION_POLICIES",
    "WEBHOOKS",
    "WORKLOADS",
    "RenderedObject",
    "Rendering",
    "place_of",
    "places_around",
    "rank",
    "render",
]

_FOREIGN_NOTES: Mapping[str, Severity] = {
    "aws:cdk:error": "error",
    "aws:cdk:warning": "warning",
    "aws:cdk:info": "info",
}
_ACKNOWLEDGEABLE = re.compile(r"(?P<message>.*) \[ack: (?P<rule>[^\]]+)\]", re.DOTALL)
"""How ``Annotations.add_warning_v2`` writes the id into the text."""

_RANKS: tuple[frozenset[str], ...] = (
    frozenset({"CustomResourceDefinition"}),
    frozenset({"Namespace"}),
    frozenset({"NodeClass"}),
    frozenset({"NodePool"}),
    frozenset(
        {
            "ApplicationNetworkPolicy",
            "ClusterNetworkPolicy",
            "ClusterRole",
            "ClusterRoleBinding",
            "ConfigMap",
            "CSIDriver",
            "GatewayClass",
            "IngressClass",
            "IngressClassParams",
            "LimitRange",
            "NetworkPolicy",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "PriorityClass",
            "ResourceQuota",
            "Role",
            "RoleBinding",
            "RuntimeClass",
            "ServiceAccount",
            "StorageClass",
            "VolumeAttributesClass",
            "VolumeSnapshotClass",
        }
    ),
)
WORKLOADS = len(_RANKS)
"""The rank of workloads, and of every kind not named here."""

WEBHOOKS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
"""Kinds that affect what is created after them."""

_POLICIES = frozenset({"MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"})
_BINDINGS = frozenset({"MutatingAdmissionPolicyBinding", "ValidatingAdmissionPolicyBinding"})
ADMISSION_POLICIES = _POLICIES | _BINDINGS
"""Kinds by which the API server itself refuses or changes what is written after them, in all namespaces."""

_LAST = WEBHOOKS | {
    "GRPCRoute",
    "Gateway",
    "HTTPRoute",
    "Ingress",
    "TCPRoute",
    "TLSRoute",
    "TargetGroupBinding",
    "UDPRoute",
}

_RANKS_AFTER = (_LAST, _POLICIES, _BINDINGS)
"""The ranks after workloads."""


def rank(kind: str) -> int:
    """The position of a kind in the order of creation, counted from 0.

    CRDs, namespaces, NodeClasses, NodePools, classes and configuration, workloads (and every kind not named), then what
    opens the cluster to traffic or to webhooks, then admission policies, then their bindings.
    """
    for number, kinds in enumerate(_RANKS):
        if kind in kinds:
            return number
    for number, kinds in enumerate(_RANKS_AFTER, WORKLOADS + 1):
        if kind in kinds:
            return number
    return WORKLOADS


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedObject:
    """One Kubernetes object of a chart."""

    where: str
    """Construct path for messages, without the ``Resource`` below one of our constructs."""
    manifest: dict[str, Any]
    places: tuple[str, ...] = ()
    """The places (see ``place_of``) of the object's construct and of every construct it is in."""
    after: Mapping[str, IConstruct] = field(default_factory=dict)
    """The constructs by place that an ``add_dependency`` puts before this object."""
    external_node_class: str | None = None
    """The pool's NodeClass, if it is deliberately created elsewhere."""
    waits_for: str | None = None
    """The JSON path that must have a value before the object counts as ready."""
    gives_up: str | None = None
    """The JSON path whose value says that the object will never be ready."""

    def in_tree(self) -> TreeObject:
        """The object in the form that the whole-tree checks read."""
        return TreeObject(where=self.where, manifest=self.manifest, external_node_class=self.external_node_class)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendering:
    """The result of rendering a chart."""

    objects: Sequence[RenderedObject]
    notes: Sequence[Problem]
    """The errors, warnings and remarks on constructs of the chart, or found while rendering it."""


def place_of(construct: IConstruct) -> str:
    """The place of a construct, unique among all trees of the process."""
    # Paths repeat when every chart has an App of its own; the reference of the root does not.
    node = construct.node
    return f"{getattr(node.root, '__jsii_ref__').ref}:{node.path}"  # noqa: B009 - not part of the type


def places_around(place: str) -> tuple[str, ...]:
    """The places of a construct and of all constructs it is in, the root's last."""
    root, _, path = place.partition(":")
    return tuple(f"{root}:{scope}" for scope in _scope_paths(path))


def render(chart: cdk8s.Chart) -> Rendering:
    """Renders a chart, nested charts included, with each object as the API server will return it.

    An invalid object (no kind, no name) becomes an error note.
    """
    external: dict[str, str] = {}
    waits: dict[str, Mapping[str, str | None]] = {}
    notes: list[Problem] = []
    objects: list[tuple[str, dict[str, Any]]] = []
    after: dict[str, dict[str, IConstruct]] = {}
    for scope in chart.node.scopes[:-1]:
        after[scope.node.path] = _dependencies(scope.node)
    for construct in chart.node.find_all():
        node = construct.node  # every access to it is a message to Node.js
        path = node.path
        after[path] = _dependencies(node)
        for entry in node.metadata:
            if entry.type == EXTERNAL_CLASS_METADATA:
                external[path] = str(entry.data)
            elif entry.type == WAIT_METADATA:
                waits[path] = entry.data
            elif entry.type == WARNING_METADATA:
                rule, message = str(entry.data["rule"]), str(entry.data["message"])
                notes.append(Problem(field="", message=message, rule=rule, severity="warning", where=path))
            elif entry.type in _FOREIGN_NOTES:
                known = _ACKNOWLEDGEABLE.fullmatch(str(entry.data))
                message, rule = (known["message"], known["rule"]) if known else (str(entry.data), "")
                severity = _FOREIGN_NOTES[entry.type]
                notes.append(Problem(field="", message=message, rule=rule, severity=severity, where=path))
        notes += [Problem(field="", message=text, where=path) for text in node.validate()]
        if isinstance(construct, cdk8s.ApiObject):
            rendered = _manifest(construct)
            if isinstance(rendered, Problem):
                notes.append(replace(rendered, where=path))
            else:
                objects.append((path, rendered))
    tree = place_of(chart.node.root)
    return Rendering(
        objects=[
            RenderedObject(
                where=path.removesuffix("/Resource"),
                manifest=manifest,
                places=places_around(f"{tree}{path}"),
                after={place: needed for scope in scopes for place, needed in after.get(scope, {}).items()},
                external_node_class=next((external[scope] for scope in scopes if scope in external), None),
                waits_for=waits.get(path, {}).get("json_path"),
                gives_up=waits.get(path, {}).get("gives_up"),
            )
            for path, manifest in objects
            for scopes in [_scope_paths(path)]
        ],
        notes=notes,
    )


def _scope_paths(path: str) -> list[str]:
    """The paths of a construct and of all constructs it is in, the root's empty path last."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), -1, -1)]


def _dependencies(node: Node) -> dict[str, IConstruct]:
    return {place_of(needed): needed for needed in node.dependencies}


def _manifest(construct: cdk8s.ApiObject) -> dict[str, Any] | Problem:
    try:
        manifest: dict[str, Any] = construct.to_json()
    except RuntimeError as error:
        # The text comes from Node.js with a stack trace below it.
        reason = str(error).partition("\n")[0]
        return Problem(field="", message=f"cannot be written as JSON ({reason})", cure="see its JSON patches")
    for name in ("apiVersion", "kind"):
        if not manifest.get(name):
            return Problem(field=name, message="is required on every Kubernetes object")
    kind = str(manifest["kind"])
    if kind.endswith("List") and "items" in manifest:
        return Problem(field="kind", message=f"'{kind}' holds many objects", cure="make each of its items an object")
    if not (manifest.get("metadata") or {}).get("name"):
        return Problem(field="metadata.name", message=f"a {kind} without a name cannot be delivered", cure="name it")
    text = json.dumps(manifest, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        found = shown(text[max(0, error.start - 20) : error.start + 20])
        return Problem(field="", message=f"{kind} holds what is no character: {found}", cure="write that text anew")
    if "<unresolved-token>" in text:
        return Problem(
            field="",
            message=f"{kind} holds a CDK object, which cdk8s cannot write",
            cure="pass the text that stands for it, for example with Token.as_string(...)",
        )
    return in_kubernetes_form(manifest)
