"""Objects of Kubernetes' built-in kinds in the form in which the API server returns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automode_constructs.specs.quantity import canonical

__all__ = ["in_kubernetes_form"]

_OWN_GROUPS = frozenset(
    {
        "",
        "apps",
        "autoscaling",
        "batch",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)
"""Groups whose objects the API server decodes into its own types; a custom resource stays as written."""

_TEXTS = frozenset(
    {
        "annotations",
        "binaryData",
        "data",
        "labels",
        "matchLabels",
        "nodeSelector",
        "parameters",
        "stringData",
        "volumeAttributes",
    }
)
"""Fields that map names to strings: their values are never quantities, and empty ones are omitted."""

_AMOUNTS = frozenset(
    {
        "capacity",
        "default",
        "defaultRequest",
        "hard",
        "limits",
        "max",
        "maxLimitRequestRatio",
        "min",
        "overhead",
        "podFixed",
        "requests",
    }
)
"""Fields that map resources to quantities; empty ones are omitted."""

_AMOUNT = frozenset({"averageValue", "divisor", "sizeLimit"})
"""Fields that contain a quantity."""

_NEVER_ABSENT = frozenset({"containers", "limits", "nodeSelectorTerms", "paths", "rules", "sources", "verbs"})
"""Lists that Kubernetes writes even when they are empty."""

_ZERO_IS_ABSENT = frozenset(
    {
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "initialDelaySeconds",
        "minReadySeconds",
        "paused",
        "stdin",
        "stdinOnce",
        "tty",
    }
)
"""Booleans and numbers that Kubernetes omits when they are false or 0."""


def in_kubernetes_form(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The same object as the API server returns it, so that a comparison finds the two equal.

    Quantities become canonical strings (``1024Mi`` is ``1Gi``, the number 1 is ``"1"``), and fields that Kubernetes
    omits when empty or zero are omitted. This applies to Kubernetes' built-in kinds, whoever wrote them, and to the
    metadata of all objects; custom resources stay as they are, because the API server keeps them unchanged.

    Source: Kubernetes API conventions, "Optional vs. Required", and the types of ``k8s.io/api``.
    """
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    if group in _OWN_GROUPS:
        return _mapping(manifest)
    metadata = manifest.get("metadata")
    return {**manifest, "metadata": _mapping(metadata)} if isinstance(metadata, Mapping) else dict(manifest)


def _mapping(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value, fields) for name, value in fields.items() if not _is_absent(name, value)}


def _is_absent(name: str, value: Any) -> bool:
    if isinstance(value, list):
        return not value and name not in _NEVER_ABSENT
    if isinstance(value, Mapping):
        return not value and name in _TEXTS | _AMOUNTS
    return name in _ZERO_IS_ABSENT and value in (0, False)


def _value(name: str, value: Any, beside: Mapping[str, Any]) -> Any:
    if name in _TEXTS:
        return value
    if isinstance(value, list):
        return [_value("", item, {}) for item in value]
    if isinstance(value, Mapping):
        if name in _AMOUNTS and all(_is_amount(amount) for amount in value.values()):
            return {resource: canonical(amount) for resource, amount in value.items()}
        return _mapping(value)
    # The target of a HorizontalPodAutoscaler has its quantity under a name that is also common elsewhere.
    if _is_amount(value) and (name in _AMOUNT or (name == "value" and beside.get("type") == "Value")):
        return canonical(value)
    return value


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)
