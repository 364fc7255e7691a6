"""The namespace that a chart makes for itself, with its Pod Security level."""

from __future__ import annotations

import re
from typing import Literal

import cdk8s

from automode_constructs.errors import AutoModeError, shown
from automode_constructs.manifests.kubernetes_object import KubernetesObject

__all__ = ["PodSecurity", "check_own_namespace", "make_own_namespace"]

PodSecurity = Literal["privileged", "baseline", "restricted"]
"""A level of Pod Security Standards."""

_NAMESPACE = re.compile(r"(?!kube-|default$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def check_own_namespace(where: str, namespace: str) -> None:
    """Refuses a name that no chart can have for itself.

    Args:
        where: the chart's path.
        namespace: the name.
    """
    if _NAMESPACE.fullmatch(namespace) is None:
        raise AutoModeError.of(
            where,
            field="namespace",
            message=f"{shown(namespace)} cannot be the chart's own namespace",
            cure="use at most 63 lower-case letters, digits and '-', but not 'default' or a name that begins "
            "with kube-",
        )


def make_own_namespace(chart: cdk8s.Chart, name: str, level: PodSecurity) -> None:
    """Makes the namespace.

    Args:
        chart: the chart.
        name: the namespace's name.
        level: what Pod Security enforces there.
    """
    namespace = KubernetesObject(chart, "namespace", api_version="v1", kind="Namespace", name=name, body={})
    namespace.metadata.add_label("pod-security.kubernetes.io/enforce", level)
