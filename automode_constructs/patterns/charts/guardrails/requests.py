"""Requests: without them Karpenter does not know how large a node a pod needs."""

from __future__ import annotations

from dataclasses import replace

from automode_constructs.patterns.charts.guardrails.admission_policy import AdmissionPolicy
from automode_constructs.patterns.charts.guardrails.pod_specs import (
    PODS,
    RUNNING_CONTAINERS,
    field_or_empty,
    pod_policy,
)

__all__ = ["requests"]


def requests(name: str, spared_namespaces: tuple[str, ...]) -> AdmissionPolicy:
    """Refuses containers without a request for CPU or memory; the request may be the whole pod's."""
    cure = "set resources.requests.cpu and resources.requests.memory of each, or a LimitRange in the namespace"
    return pod_policy(
        name,
        # No update can take a request away, and ephemeral containers have none.
        pods=replace(PODS, names=("pods",), operations=("CREATE",)),
        found=" + ".join(
            f"({_has('{pod}', resource)} ? [] : {field_or_empty('{pod}', field)}"
            f".filter(c, !{_has('c', resource)}).map(c, c.name + ' ({resource})'))"
            for field in RUNNING_CONTAINERS
            for resource in ("cpu", "memory")
        ),
        message=f"containers of this pod request no CPU or no memory; {cure}",
        what="these containers do not request what they need",
        cure=cure,
        spared_namespaces=spared_namespaces,
    )


def _has(owner: str, resource: str) -> str:
    """Whether there is a request, or a limit, of which Kubernetes makes one."""
    kinds = " || ".join(
        f"has({owner}.resources.{kind}) && '{resource}' in {owner}.resources.{kind}" for kind in ("requests", "limits")
    )
    return f"(has({owner}.resources) && ({kinds}))"
