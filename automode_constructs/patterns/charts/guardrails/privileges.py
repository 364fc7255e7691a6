"""Privileges: what gives a pod its node."""

from __future__ import annotations

from automode_constructs.patterns.charts.guardrails.admission_policy import AdmissionPolicy
from automode_constructs.patterns.charts.guardrails.pod_specs import CONTAINERS, field_or_empty, pod_policy

__all__ = ["privileges"]

_OF_THE_HOST = ("hostNetwork", "hostPID", "hostIPC")

_FOUND = " + ".join(
    [
        *(f"(has({{pod}}.{field}) && {{pod}}.{field} ? ['{field}'] : [])" for field in _OF_THE_HOST),
        f"{field_or_empty('{pod}', 'volumes')}.filter(v, has(v.hostPath)).map(v, 'hostPath of volume ' + v.name)",
        *(
            f"{field_or_empty('{pod}', field)}.filter(c, has(c.securityContext) && "
            "has(c.securityContext.privileged) && c.securityContext.privileged)"
            ".map(c, 'privileged container ' + c.name)"
            for field in CONTAINERS
        ),
    ]
)


def privileges(name: str, spared_namespaces: tuple[str, ...]) -> AdmissionPolicy:
    """Refuses privileged containers, host paths, and the namespaces of the host."""
    cure = "remove them, or run the pod in a namespace that is named for such pods (privileged_namespaces)"
    return pod_policy(
        name,
        found=_FOUND,
        message=f"this pod asks for privileges on its node; {cure}",
        what="this pod asks for privileges on its node",
        cure=cure,
        spared_namespaces=spared_namespaces,
    )
