"""Tenants: whose nodes are whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automode_constructs.arguments import checked_arguments
from automode_constructs.patterns.charts.guardrails.admission_policy import AdmissionPolicy, text, texts
from automode_constructs.patterns.charts.guardrails.pod_specs import field_or_empty, pod_policy
from automode_constructs.specs.pools.node_pool import Taint

__all__ = ["Tenant", "tenant_taints"]


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """A tenant's taint, and the namespaces whose pods may tolerate it.

    Args:
        taint: the taint of the tenant's NodePools.
        namespaces: the tenant's namespaces.
    """

    taint: Taint
    namespaces: Sequence[str]

    @property
    def label(self) -> str:
        """The taint as kubectl writes it."""
        value = "" if self.taint.value is None else f"={self.taint.value}"
        return f"{self.taint.key}{value}:{self.taint.effect}"


_TOLERATES = (
    "(!has(t.key) || t.key == '' || t.key == tenant.key[0])"
    " && (!has(t.effect) || t.effect == '' || t.effect == tenant.effect[0])"
    # Any operator but Equal is taken for one that tolerates all values.
    " && (has(t.operator) && t.operator != '' && t.operator != 'Equal'"
    " || (has(t.value) ? t.value : '') == tenant.value[0])"
)


def tenant_taints(name: str, tenants: Sequence[Tenant], spared_namespaces: tuple[str, ...]) -> AdmissionPolicy:
    """Refuses tolerations of another tenant's taint, and pods that name their node and so need none."""
    cure = "remove the toleration (one without a key tolerates every taint), or run the pod in the tenant's namespace"
    return pod_policy(
        name,
        found=f"{_others(tenants)}.filter(tenant, {field_or_empty('{pod}', 'tolerations')}.exists(t, {_TOLERATES}))"
        ".map(tenant, tenant.label[0])"
        " + (has({pod}.nodeName) && {pod}.nodeName != '' ? ['any taint, by nodeName'] : [])",
        message=f"this pod tolerates the taint of another tenant; {cure}",
        what="this pod tolerates the taint of another tenant",
        cure=cure,
        spared_namespaces=spared_namespaces,
    )


def _others(tenants: Sequence[Tenant]) -> str:
    """The tenants that the pod's namespace is not one of."""
    # The API server wants the values of a map to be of one type.
    every = ", ".join(
        f"{{'label': [{text(tenant.label)}], 'key': [{text(tenant.taint.key)}], "
        f"'value': [{text(tenant.taint.value or '')}], 'effect': [{text(tenant.taint.effect)}], "
        f"'spaces': {texts(tenant.namespaces)}}}"
        for tenant in tenants
    )
    return f"[{every}].filter(tenant, !(request.namespace in tenant.spaces))"
