"""Pod Security: the level that each namespace enforces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from automode_constructs.patterns.charts.guardrails.admission_policy import (
    AdmissionPolicy,
    Resources,
    offence_policy,
    text,
    texts,
)

__all__ = ["Level", "pod_security"]

Level = Literal["privileged", "baseline", "restricted"]

_LEVELS: Sequence[Level] = ("privileged", "baseline", "restricted")
_ENFORCE = "pod-security.kubernetes.io/enforce"
_OF_KUBERNETES = ("kube-system", "kube-public", "kube-node-lease")


def pod_security(name: str, least: Level, privileged_namespaces: Sequence[str]) -> AdmissionPolicy:
    """Refuses namespaces that enforce no level, or a lower one; the named ones may have any."""
    cure = f"set the label {_ENFORCE} to {' or '.join(_LEVELS[_LEVELS.index(least) :])}"
    return offence_policy(
        name,
        resources=(Resources(group="", version="v1", names=("namespaces",)),),
        found=_found("object", least, privileged_namespaces),
        before=_found("oldObject", least, privileged_namespaces),
        message=f"this namespace enforces no Pod Security level, or too low a one; {cure}",
        what="the Pod Security level that this namespace enforces is too low",
        cure=cure,
        spared_namespaces=_OF_KUBERNETES,
    )


def _found(owner: str, least: Level, privileged_namespaces: Sequence[str]) -> str:
    labels = f"{owner}.metadata.labels"
    level = f"(has({labels}) && {text(_ENFORCE)} in {labels} ? {labels}[{text(_ENFORCE)}] : 'none')"
    enough, any_level = texts(_LEVELS[_LEVELS.index(least) :]), texts(_LEVELS)
    named = f"{owner}.metadata.name in {texts(privileged_namespaces)} && {level} in {any_level}"
    return f"{level} in {enough} || {named} ? [] : [{level}]"
