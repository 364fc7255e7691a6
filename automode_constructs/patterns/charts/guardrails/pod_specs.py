"""Where pods are judged: pods themselves, which run, and the workloads that make them, as an early warning."""

from __future__ import annotations

from automode_constructs.patterns.charts.guardrails.admission_policy import AdmissionPolicy, Resources, offence_policy

__all__ = ["CONTAINERS", "PODS", "RUNNING_CONTAINERS", "WORKLOADS", "field_or_empty", "pod_policy"]

PODS = Resources(group="", version="v1", names=("pods", "pods/ephemeralcontainers"))
WORKLOADS = (
    Resources(group="apps", version="v1", names=("daemonsets", "deployments", "statefulsets")),
    Resources(group="batch", version="v1", names=("cronjobs", "jobs")),
)
"""Pods are checked as they will run, after webhooks, LimitRanges and defaults have changed them. A workload's template
is not yet that, so it is only warned of, as Pod Security does it."""

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
RUNNING_CONTAINERS = ("containers", "initContainers")
"""Those that have resources."""


def field_or_empty(owner: str, field: str) -> str:
    """A CEL expression: a list of an object, empty if it has none."""
    return f"(has({owner}.{field}) ? {owner}.{field} : [])"


def pod_policy(
    name: str,
    *,
    found: str,
    message: str,
    what: str,
    cure: str,
    spared_namespaces: tuple[str, ...],
    pods: Resources = PODS,
) -> AdmissionPolicy:
    """A policy about pods and the pods of workloads.

    Args:
        name: the policy's name.
        found: a CEL expression of a list of texts, with ``{pod}`` for the spec of the pod: what is wrong with it.
        message: the whole answer, without values.
        what: the beginning of the answer.
        cure: its end.
        spared_namespaces: namespaces that the policy never looks at.
        pods: the resource rule of pods.
    """
    old = f"request.operation == 'UPDATE' ? ({_pod_spec('dyn(oldObject)')}) : {{}}"
    return offence_policy(
        name,
        resources=(pods,),
        only_warned=WORKLOADS,
        variables={"pod": _pod_spec("dyn(object)"), "oldPod": old},
        found=found.replace("{pod}", "variables.pod"),
        before=found.replace("{pod}", "variables.oldPod"),
        message=message,
        what=what,
        cure=cure,
        spared_namespaces=spared_namespaces,
    )


def _pod_spec(owner: str) -> str:
    return (
        f"{owner}.kind == 'Pod' ? {owner}.spec : "
        f"{owner}.kind == 'CronJob' ? {owner}.spec.jobTemplate.spec.template.spec : {owner}.spec.template.spec"
    )
