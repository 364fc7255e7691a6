"""Whole Kubernetes documents: the kinds that we know, reading them into specs, and checking them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, Self

from automode_constructs.checks.object_metadata import metadata_problems
from automode_constructs.checks.other_controllers import (
    is_auto_mode_controller,
    is_auto_mode_driver,
    other_controller_problems,
)
from automode_constructs.errors import AutoModeError, Cure, Edit, Problem, did_you_mean, shown
from automode_constructs.facts.kubernetes_fields import type_of_kind
from automode_constructs.specs.mapping import mapping_at
from automode_constructs.specs.messages import MISSING_FIELD, UNKNOWN_FIELD, home_in
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.object_changes import refused_by_existing
from automode_constructs.specs.pools.node_pool import BUILT_IN_POOL_NAMES
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.ownership import is_network_load_balancer, is_network_policy_switch

__all__ = ["KINDS", "Kind", "Manifest", "judge_document", "kind_of"]

API_VERSION = rule(
    "automode:ApiVersion",
    "all",
    severity="error",
    sentence="An Auto Mode object has a group and version that the cluster serves.",
    source="EKS User Guide, 'Create a Node Pool for EKS Auto Mode'",
)
RESERVED_NAME = rule(
    "automode:ReservedName",
    "NodeClass",
    "NodePool",
    severity="error",
    sentence=(
        "The names default (NodeClass), system and general-purpose (NodePool) belong to EKS, which reverts changes."
    ),
    source="EKS User Guide, 'Create a Node Class for Amazon EKS'",
)
OPEN_SOURCE_KARPENTER = rule(
    "automode:OpenSourceKarpenter",
    "NodeClass",
    "NodePool",
    severity="error",
    sentence="Auto Mode uses the NodeClass and labels of eks.amazonaws.com, not those of open-source Karpenter.",
    source="EKS User Guide, 'Create a Node Class for Amazon EKS'; aws/containers-roadmap#2524",
)


class Kind(NamedTuple):
    """A kind of object that we know."""

    group: str
    version: str
    kind: str
    home: str
    """Where the model is, below ``specs``: it is loaded when the first object of the kind is met."""
    at: str = "spec"
    """The field that holds the model, or ``""`` if it is spread over the object."""
    older: tuple[str, ...] = ()
    """Other versions that clusters serve with the same fields."""
    concerns: Callable[[Mapping[str, Any]], bool] | None = None
    """Which documents of the kind are Auto Mode's; others are skipped. Default: all."""
    metadata_problems: Callable[[Mapping[str, Any]], Iterator[Problem]] | None = None
    """Errors and warnings about the metadata, for kinds that take annotations."""
    written_by_construct: tuple[str, ...] = ()
    """Paths of fields that are optional in the model, because our construct writes them, and that a document needs."""
    fixed_texts: tuple[str, ...] = ()
    """Fields that keep what they hold, or that nothing stands there, once the object exists."""

    @property
    def model(self) -> type[KubeModel]:
        """The spec that reads it."""
        model: type[KubeModel] = _named(self.home)
        return model

    @property
    def api_version(self) -> str:
        """``group/version``."""
        return f"{self.group}/{self.version}" if self.group else self.version


@cache
def _named(home: str) -> Any:
    """What a module of ``specs`` calls so."""
    module, _, name = home.rpartition(".")
    return getattr(import_module(f"automode_constructs.specs.{module}"), name)


def _late(home: str) -> Callable[[Mapping[str, Any]], Any]:
    """A function of a module of ``specs``, which is loaded when it is first called."""
    return lambda value: _named(home)(value)  # noqa: PLW0108 - not before it is called


KINDS: tuple[Kind, ...] = (
    Kind(group="eks.amazonaws.com", version="v1", kind="NodeClass", home="nodes.node_class.NodeClassSpec"),
    Kind(
        group="karpenter.sh",
        version="v1",
        kind="NodePool",
        home="pools.node_pool.NodePoolSpec",
        written_by_construct=("template.spec.nodeClassRef",),
    ),
    Kind(
        group="eks.amazonaws.com",
        version="v1",
        kind="IngressClassParams",
        home="traffic.ingress_class.IngressClassParamsSpec",
    ),
    Kind(
        group="eks.amazonaws.com",
        version="v1",
        kind="TargetGroupBinding",
        home="traffic.target_group_binding.TargetGroupBindingSpec",
    ),
    Kind(
        group="eks.amazonaws.com",
        version="v1alpha1",
        kind="NodeDiagnostic",
        home="nodes.node_diagnostic.NodeDiagnosticSpec",
    ),
    Kind(
        group="networking.k8s.io",
        version="v1",
        kind="IngressClass",
        home="traffic.ingress_class.IngressClassSpec",
        concerns=is_auto_mode_controller,
        metadata_problems=_late("storage.storage_class.default_class_problems"),
        fixed_texts=("spec.controller",),
    ),
    Kind(
        group="gateway.networking.k8s.io",
        version="v1",
        older=("v1beta1",),
        kind="GatewayClass",
        home="traffic.gateway_class.GatewayClassSpec",
        concerns=is_auto_mode_controller,
        fixed_texts=("spec.controllerName",),
    ),
    Kind(
        group="storage.k8s.io",
        version="v1",
        kind="StorageClass",
        home="storage.storage_class.StorageClassSpec",
        at="",
        concerns=is_auto_mode_driver,
        metadata_problems=_late("storage.storage_class.default_class_problems"),
        fixed_texts=("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    ),
    Kind(
        group="storage.k8s.io",
        version="v1",
        older=("v1beta1",),
        kind="VolumeAttributesClass",
        home="storage.volume_attributes_class.VolumeAttributesClassSpec",
        at="",
        concerns=is_auto_mode_driver,
        fixed_texts=("driverName", "parameters"),
    ),
    Kind(
        group="snapshot.storage.k8s.io",
        version="v1",
        kind="VolumeSnapshotClass",
        home="storage.volume_snapshot_class.VolumeSnapshotClassSpec",
        at="",
        concerns=is_auto_mode_driver,
    ),
    Kind(
        group="networking.k8s.aws",
        version="v1alpha1",
        kind="ApplicationNetworkPolicy",
        home="traffic.network_policy.ApplicationNetworkPolicySpec",
    ),
    Kind(
        group="networking.k8s.aws",
        version="v1alpha1",
        kind="ClusterNetworkPolicy",
        home="traffic.network_policy.ClusterNetworkPolicySpec",
    ),
    Kind(
        group="",
        version="v1",
        kind="Service",
        home="traffic.network_load_balancer.NetworkLoadBalancerServiceSpec",
        concerns=is_network_load_balancer,
        metadata_problems=_late("traffic.network_load_balancer.service_annotation_problems"),
    ),
    Kind(
        group="networking.k8s.io",
        version="v1",
        kind="Ingress",
        home="traffic.ingress.IngressSpec",
        concerns=_late("traffic.ingress.is_load_balanced"),
        metadata_problems=_late("traffic.ingress.ingress_annotation_problems"),
    ),
    Kind(
        group="",
        version="v1",
        kind="ConfigMap",
        home="traffic.network_policy.NetworkPolicySwitch",
        at="",
        concerns=is_network_policy_switch,
    ),
    Kind(
        group="",
        version="v1",
        kind="PersistentVolumeClaim",
        home="storage.volume_attributes_class.PersistentVolumeClaimSpec",
        concerns=_late("storage.volume_attributes_class.has_modifier_annotations"),
        metadata_problems=_late("storage.volume_attributes_class.claim_annotation_problems"),
    ),
)
"""Every kind that is read and checked; all others are skipped."""

_KEY_IN_QUOTES = re.compile(r"\['(\w+)'\]")
_RESERVED = {"NodeClass": ("default",), "NodePool": BUILT_IN_POOL_NAMES}
_ENVELOPE = ("apiVersion", "kind", "metadata", "status")


@cache
def _kinds() -> dict[tuple[str, str], Kind]:
    return {(kind.group, kind.kind): kind for kind in KINDS}


def kind_of(document: Mapping[str, Any]) -> Kind | None:
    """The kind of a document, or ``None`` for one that we skip."""
    group = str(document.get("apiVersion", "")).rpartition("/")[0]
    kind = _kinds().get((group, str(document.get("kind", ""))))
    return None if kind is None or (kind.concerns is not None and not kind.concerns(document)) else kind


class Manifest(NamedTuple):
    """A whole document: the kind, the unchanged metadata, and the typed rest.

    ``from_manifest`` and ``to_manifest`` are inverse for every valid document: nothing is dropped, nothing added.
    """

    kind: Kind
    metadata: Mapping[str, Any]
    spec: KubeModel
    rest: Mapping[str, Any]
    """Other fields: ``status``, and ``apiVersion`` as it was written."""

    @classmethod
    def from_manifest(cls, document: Mapping[str, Any], *, where: str = "") -> Self:
        """Reads a document.

        Raises:
            AutoModeError: for a kind that we do not know, and with every problem of the document.
        """
        kind = kind_of(document)
        if kind is None:
            kind_text = f"{shown(document.get('apiVersion'))} {shown(document.get('kind'))}"
            raise AutoModeError.of(
                where,
                field="kind",
                message=f"{kind_text} is not a kind of Auto Mode",
                cure=did_you_mean("", [kind.kind for kind in KINDS]),
            )
        spec, problems = _read(document, kind)
        errors = [problem for problem in problems if problem.severity == "error"]
        if spec is None or errors:
            raise AutoModeError(where, errors)
        return cls(
            kind=kind,
            metadata=document["metadata"],
            spec=spec,
            rest={name: document[name] for name in ("apiVersion", "status") if name in document},
        )

    def to_manifest(self) -> dict[str, Any]:
        """The document."""
        body = self.spec.to_manifest()
        return {
            "apiVersion": self.kind.api_version,
            "kind": self.kind.kind,
            "metadata": dict(self.metadata),
            **({self.kind.at: body} if self.kind.at else body),
            **self.rest,
        }


def judge_document(document: Mapping[str, Any]) -> list[Problem] | None:
    """Every error and warning in one document, or ``None`` for a kind that we do not know.

    Fields are named by their place in the document.
    """
    kind = kind_of(document)
    if kind is not None:
        return _read(document, kind)[1]
    return [*_foreign_problems(document), *_kubernetes_problems(document)] or None


def _kubernetes_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What the API server refuses in an object of Kubernetes' own kinds that is not Auto Mode's."""
    from automode_constructs.checks.kubernetes_objects import is_patch, kubernetes_problems

    api_version, kind = str(document.get("apiVersion", "")), str(document.get("kind", ""))
    if type_of_kind(api_version, kind) is not None:
        yield from metadata_problems(document)
        partial = is_patch(document)
        for problem in kubernetes_problems(document):
            if not (partial and problem.rule == MISSING_FIELD.id):
                yield problem


def _read(document: Mapping[str, Any], kind: Kind) -> tuple[KubeModel | None, list[Problem]]:
    """The typed part of a document, ``None`` if it is broken; and every error and warning in the whole document."""
    problems = [*_envelope_problems(document, kind)]
    if kind.metadata_problems is not None:
        problems += [problem.under("metadata") for problem in kind.metadata_problems(_with_texts(document))]
    if kind.at and document.get(kind.at) is None:
        return None, [*problems, MISSING_FIELD.problem(kind.at, "is required")]
    spec, spec_problems = kind.model.read(_body(document, kind))
    problems += [problem.under(kind.at) for problem in spec_problems]
    if kind.model.model_config.get("extra") == "allow":
        from automode_constructs.checks.kubernetes_objects import kubernetes_problems

        judged = {_KEY_IN_QUOTES.sub(r".\1", problem.field) for problem in problems}
        problems += [problem for problem in kubernetes_problems(document) if problem.field not in judged]
    problems += _unwritten(document, kind)
    return spec, [_for_existing(problem, document, kind) for problem in problems]


def _for_existing(problem: Problem, document: Mapping[str, Any], kind: Kind) -> Problem:
    """The problem; the cure of a warning says what an existing object refuses, and only a person makes it.

    Such an object may be in the cluster and work; that of an error does not, nor does one whose value is no text. A
    parameter by its other name means the same, so that its cure stays exact.
    """
    fixed = next((field for field in kind.fixed_texts if problem.field.startswith(field)), None)
    if fixed is None or problem.severity == "error" or not problem.cure:
        return problem
    value: Any = document
    for step in (*fixed.split("."), *filter(None, [problem.field.removeprefix(fixed).strip(".[]'\"")])):
        value = value.get(step) if isinstance(value, Mapping) else None
    if value is not None and not isinstance(value, str):
        return problem
    edit = problem.edit if problem.edit is not None and problem.edit.what == "key" else None
    return replace(problem, cure=Cure(f"{problem.cure}. {refused_by_existing(kind.kind)}", edit))


def _with_texts(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata with those annotations that are texts; the others have a finding of their own."""
    metadata = mapping_at(document, "metadata")
    annotations = mapping_at(metadata, "annotations")
    return {**metadata, "annotations": {name: text for name, text in annotations.items() if isinstance(text, str)}}


def _unwritten(document: Mapping[str, Any], kind: Kind) -> Iterator[Problem]:
    """The fields that a construct writes and a document needs."""
    for path in kind.written_by_construct:
        *outer, last = [kind.at, *path.split(".")]
        holder: Any = document
        for name in outer:
            holder = holder.get(name) if isinstance(holder, Mapping) else None
        if isinstance(holder, Mapping) and holder.get(last) is None:
            yield MISSING_FIELD.problem(f"{kind.at}.{path}", "is required")


def _body(document: Mapping[str, Any], kind: Kind) -> Any:
    if kind.at:
        return document.get(kind.at)
    return {name: value for name, value in document.items() if name not in _ENVELOPE}


def _envelope_problems(document: Mapping[str, Any], kind: Kind) -> Iterator[Problem]:
    served = [kind.api_version, *(f"{kind.group}/{version}" for version in kind.older)]
    if document.get("apiVersion") not in served:
        yield API_VERSION.problem(
            "apiVersion", f"{shown(document.get('apiVersion'))} is not served", _write(kind.api_version)
        )
    yield from metadata_problems(document)
    name = mapping_at(document, "metadata").get("name")
    if name in _RESERVED.get(kind.kind, ()):
        yield RESERVED_NAME.problem("metadata.name", f"'{name}' belongs to EKS", "choose another name")
    if kind.at:
        for name in sorted(str(key) for key in document.keys() - {*_ENVELOPE, kind.at}):
            home = home_in(kind.model, name)
            place = f"{kind.at}.{home}" if home else kind.at
            cure = did_you_mean(name, [kind.at, "metadata"], edits="key") if home is None else f"write it in '{place}'"
            yield UNKNOWN_FIELD.problem(name, "is not a known field", cure)


def _write(api_version: str) -> Cure:
    return Cure(f"write {api_version}", Edit(what="value", to=api_version))


def _foreign_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of an object that is not Auto Mode's."""
    # Loaded here, since files of Auto Mode's objects alone need none of them.
    from automode_constructs.checks.built_in_agents import built_in_agent_problems
    from automode_constructs.checks.device_plugin import device_plugin_problems
    from automode_constructs.checks.served_kinds import served_kind_problems
    from automode_constructs.checks.weight_streaming import streaming_problems

    yield from other_controller_problems(document)
    yield from device_plugin_problems(document)
    yield from built_in_agent_problems(document)
    yield from streaming_problems(document)
    yield from served_kind_problems(document)
    group = str(document.get("apiVersion", "")).rpartition("/")[0]
    if group == "karpenter.k8s.aws":
        yield OPEN_SOURCE_KARPENTER.problem(
            "apiVersion",
            f"{shown(document.get('kind'))} is open-source Karpenter's and not served on Auto Mode",
            _write("karpenter.sh/v1")
            if document.get("kind") == "NodePool"
            else "write a NodeClass of eks.amazonaws.com/v1",
        )
    elif str(document.get("kind")) in {"NodeClass", "NodePool"}:
        kind = next(kind for kind in KINDS if kind.kind == document["kind"])
        yield API_VERSION.problem(
            "apiVersion", f"{shown(document.get('apiVersion'))} is not served", _write(kind.api_version)
        )
