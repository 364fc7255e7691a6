"""Fields and types of Kubernetes' own objects, judged as the API server reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from automode_constructs.errors import Problem, did_you_mean, shown
from automode_constructs.facts.kubernetes_fields import FieldType, type_fields
from automode_constructs.specs.fields import VALUE, is_quantity, near_quantity, unquoted
from automode_constructs.specs.messages import MISSING_FIELD, UNKNOWN_FIELD
from automode_constructs.specs.object_metadata import (
    annotation_problems,
    is_qualified_name,
    label_problems,
    not_a_text,
)
from automode_constructs.tokens import is_token

__all__ = ["field_problems"]

_INT32, _INT64 = 2**31, 2**63
_PORT_NAME = re.compile(r"(?!.*--)(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SHARE = re.compile(r"[0-9]+%")

_Check = Callable[[Any], tuple[str, str] | None]
"""What is wrong with a value of the right type, and the cure; ``None`` if it is right."""


def _one_of(*choices: str) -> _Check:
    def check(value: Any) -> tuple[str, str] | None:
        cure = did_you_mean(str(value), choices, edits="value")
        return None if value in choices else (f"{shown(value)} is not allowed", cure)

    return check


def _between(least: int, most: int | None = None) -> _Check:
    def check(value: Any) -> tuple[str, str] | None:
        if isinstance(value, str) or value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"{least} to {most}"
            return f"must be {bounds}, got {shown(value)}", ""
        return None

    return check


def _text_like(pattern: re.Pattern[str], cure: str) -> _Check:
    def check(value: Any) -> tuple[str, str] | None:
        return None if pattern.fullmatch(value) else (f"{shown(value)} is not allowed", cure)

    return check


_port = _between(1, 65535)
_port_name = _text_like(
    _PORT_NAME, "use at most 15 lower-case letters, digits and '-', with a letter among them and no '-' at either end"
)
_dns_label = _text_like(
    _DNS_LABEL, "use at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"
)
_count = _between(0)


def _port_or_name(value: Any) -> tuple[str, str] | None:
    if isinstance(value, str) and value.isdecimal():
        return f"{shown(value)} is the name of a port, and a name has a letter", unquoted(value)
    return _port_name(value) if isinstance(value, str) else _port(value)


def _number_or_share(value: Any) -> tuple[str, str] | None:
    if isinstance(value, str) and not _SHARE.fullmatch(value):
        cure = unquoted(value) if value.isdecimal() else ""
        return f"{shown(value)} is neither a whole number nor a share such as '25%'", cure
    return None if isinstance(value, str) else _count(value)


def _label_key(value: Any) -> tuple[str, str] | None:
    if is_qualified_name(value):
        return None
    return f"{shown(value)} is not a label key", "write 'name' or 'dns.prefix/name'"


def _environment_name(value: Any) -> tuple[str, str] | None:
    if value and "=" not in value and value.isascii() and value.isprintable():
        return None
    return f"{shown(value)} is not the name of a variable", "use letters, digits, '_', '-' and '.'"


_PROTOCOL = _one_of("TCP", "UDP", "SCTP")
_COMPARISON = _one_of("In", "NotIn", "Exists", "DoesNotExist")
_PULL = _one_of("Always", "IfNotPresent", "Never")
_CHECKS: dict[str, _Check] = {
    "ClientIPConfig.timeoutSeconds": _between(1, 86400),
    "Container.imagePullPolicy": _PULL,
    "Container.name": _dns_label,
    "Container.terminationMessagePolicy": _one_of("File", "FallbackToLogsOnError"),
    "ContainerPort.containerPort": _port,
    "ContainerPort.hostPort": _between(0, 65535),
    "ContainerPort.name": _port_name,
    "ContainerPort.protocol": _PROTOCOL,
    "CronJobSpec.concurrencyPolicy": _one_of("Allow", "Forbid", "Replace"),
    "CronJobSpec.failedJobsHistoryLimit": _count,
    "CronJobSpec.startingDeadlineSeconds": _count,
    "CronJobSpec.successfulJobsHistoryLimit": _count,
    "DaemonSetUpdateStrategy.type": _one_of("RollingUpdate", "OnDelete"),
    "DeploymentSpec.minReadySeconds": _count,
    "DeploymentSpec.replicas": _count,
    "DeploymentSpec.revisionHistoryLimit": _count,
    "DeploymentStrategy.type": _one_of("RollingUpdate", "Recreate"),
    "EnvVar.name": _environment_name,
    "HPAScalingPolicy.periodSeconds": _between(1, 1800),
    "HPAScalingPolicy.type": _one_of("Pods", "Percent"),
    "HPAScalingPolicy.value": _between(1),
    "HTTPGetAction.port": _port_or_name,
    "HTTPGetAction.scheme": _one_of("HTTP", "HTTPS"),
    "HTTPIngressPath.pathType": _one_of("Exact", "Prefix", "ImplementationSpecific"),
    "HorizontalPodAutoscalerSpec.maxReplicas": _between(1),
    "JobSpec.activeDeadlineSeconds": _count,
    "JobSpec.backoffLimit": _count,
    "JobSpec.completionMode": _one_of("NonIndexed", "Indexed"),
    "JobSpec.completions": _count,
    "JobSpec.parallelism": _count,
    "JobSpec.podReplacementPolicy": _one_of("TerminatingOrFailed", "Failed"),
    "JobSpec.ttlSecondsAfterFinished": _count,
    "LabelSelectorRequirement.key": _label_key,
    "LabelSelectorRequirement.operator": _COMPARISON,
    "MetricSpec.type": _one_of("Resource", "ContainerResource", "Pods", "Object", "External"),
    "NetworkPolicyPort.endPort": _port,
    "NetworkPolicyPort.port": _port_or_name,
    "NetworkPolicyPort.protocol": _PROTOCOL,
    "NetworkPolicySpec.policyTypes": _one_of("Ingress", "Egress"),
    "NodeSelectorRequirement.key": _label_key,
    "NodeSelectorRequirement.operator": _one_of("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
    "PersistentVolumeClaimSpec.accessModes": _one_of(
        "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"
    ),
    "PersistentVolumeClaimSpec.volumeMode": _one_of("Filesystem", "Block"),
    "PodDisruptionBudgetSpec.maxUnavailable": _number_or_share,
    "PodDisruptionBudgetSpec.minAvailable": _number_or_share,
    "PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy": _one_of("IfHealthyBudget", "AlwaysAllow"),
    "PodSpec.activeDeadlineSeconds": _between(1),
    "PodSpec.dnsPolicy": _one_of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    "PodSpec.preemptionPolicy": _one_of("PreemptLowerPriority", "Never"),
    "PodSpec.restartPolicy": _one_of("Always", "OnFailure", "Never"),
    "PodSpec.terminationGracePeriodSeconds": _count,
    "PreferredSchedulingTerm.weight": _between(1, 100),
    "PriorityClass.preemptionPolicy": _one_of("PreemptLowerPriority", "Never"),
    "PriorityClass.value": _between(-(2**31), 10**9),
    "Probe.failureThreshold": _count,
    "Probe.initialDelaySeconds": _count,
    "Probe.periodSeconds": _count,
    "Probe.successThreshold": _count,
    "Probe.timeoutSeconds": _count,
    "ReplicaSetSpec.replicas": _count,
    "RoleRef.kind": _one_of("ClusterRole", "Role"),
    "RollingUpdateDaemonSet.maxSurge": _number_or_share,
    "RollingUpdateDaemonSet.maxUnavailable": _number_or_share,
    "RollingUpdateDeployment.maxSurge": _number_or_share,
    "RollingUpdateDeployment.maxUnavailable": _number_or_share,
    "ServiceBackendPort.name": _port_name,
    "ServiceBackendPort.number": _port,
    "ServicePort.name": _dns_label,
    "ServicePort.nodePort": _between(0, 65535),
    "ServicePort.port": _port,
    "ServicePort.protocol": _PROTOCOL,
    "ServicePort.targetPort": _port_or_name,
    "ServiceSpec.externalTrafficPolicy": _one_of("Cluster", "Local"),
    "ServiceSpec.internalTrafficPolicy": _one_of("Cluster", "Local"),
    "ServiceSpec.ipFamilies": _one_of("IPv4", "IPv6"),
    "ServiceSpec.ipFamilyPolicy": _one_of(
        *(f"{families}Stack" for families in ("Single", "PreferDual", "RequireDual"))
    ),
    "ServiceSpec.sessionAffinity": _one_of("None", "ClientIP"),
    "ServiceSpec.type": _one_of("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
    "StatefulSetSpec.podManagementPolicy": _one_of("OrderedReady", "Parallel"),
    "StatefulSetSpec.replicas": _count,
    "StatefulSetUpdateStrategy.type": _one_of("RollingUpdate", "OnDelete"),
    "Subject.kind": _one_of("ServiceAccount", "User", "Group"),
    "TCPSocketAction.port": _port_or_name,
    "Toleration.effect": _one_of("", "NoSchedule", "PreferNoSchedule", "NoExecute"),
    "Toleration.operator": _one_of("", "Exists", "Equal", "Lt", "Gt"),
    "TopologySpreadConstraint.maxSkew": _between(1),
    "TopologySpreadConstraint.whenUnsatisfiable": _one_of("DoNotSchedule", "ScheduleAnyway"),
    "Volume.name": _dns_label,
    "WeightedPodAffinityTerm.weight": _between(1, 100),
}
"""What Kubernetes' validation says of fields beyond their types; ``Type.field``, and each item of a list."""

_LABELS = frozenset(
    {"LabelSelector.matchLabels", "ObjectMeta.labels", "PodSpec.nodeSelector"} | {"ServiceSpec.selector"}
)
_ANNOTATIONS = frozenset({"ObjectMeta.annotations"})


def field_problems(value: object, type_name: str, path: str, *, but: frozenset[str] = frozenset()) -> list[Problem]:
    """Everything in a value that has no place, is missing, or has the wrong type or form.

    Args:
        value: a part of an object, or a whole one.
        type_name: its type, one of ``facts/kubernetes_fields``.
        path: where it stands in the object; ``""`` for the object itself.
        but: fields of the value that are judged elsewhere. Default: none.
    """
    problems: list[Problem] = []
    _judge(value, FieldType(type_name, "", False), path, "", problems, (), but)
    return problems


def _judge(
    value: Any,
    kind: FieldType,
    path: str,
    place: str,
    problems: list[Problem],
    outer: tuple[str, ...],
    but: frozenset[str] = frozenset(),
) -> None:
    if kind.of == "[]":
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            problems.append(VALUE.problem(path, f"needs a list, got {shown(value)}"))
            return
        item = FieldType(kind.name, "", False)
        for index, inner in enumerate(value):
            if inner is None:
                problems.append(VALUE.problem(f"{path}[{index}]", "is empty", "remove it"))
            else:
                _judge(inner, item, f"{path}[{index}]", place, problems, outer)
        return
    if kind.of == "{}":
        _judge_map(value, kind, path, place, problems, outer)
        return
    fields = _fields(kind.name)
    if fields is None:
        if not is_token(value):
            problem = _SCALARS[kind.name](path, value) if kind.name != "any" else None
            if problem is None and place in _CHECKS and (found := _CHECKS[place](value)) is not None:
                problem = VALUE.problem(path, *found)
            if problem is not None:
                problems.append(problem)
        return
    if not isinstance(value, Mapping):
        problems.append(VALUE.problem(path, f"needs a mapping, got {shown(value)}"))
        return
    outer = (*outer, kind.name)
    for name, inner in value.items():
        known = fields.get(name)
        if known is not None:
            if inner is not None and name not in but:
                where = f"{path}.{name}" if path else name
                _judge(inner, known, where, f"{kind.name}.{name}", problems, outer)
        else:
            problems.append(UNKNOWN_FIELD.problem(_below(path, name), "is not a known field", _cure(name, outer)))
    problems.extend(
        MISSING_FIELD.problem(f"{path}.{name}" if path else name, "is required")
        for name in _required(kind.name)
        if value.get(name) is None and name not in but
    )


def _judge_map(
    value: Any, kind: FieldType, path: str, place: str, problems: list[Problem], outer: tuple[str, ...]
) -> None:
    if not isinstance(value, Mapping):
        problems.append(VALUE.problem(path, f"needs a mapping, got {shown(value)}"))
    elif place in _LABELS:
        problems.extend(label_problems(path, value))
    elif place in _ANNOTATIONS:
        problems.extend(annotation_problems(path, value))
    else:
        item = FieldType(kind.name, "", False)
        for name, inner in value.items():
            if inner is not None:
                _judge(inner, item, f"{path}[{shown(name)}]", "", problems, outer)


@cache
def _fields(name: str) -> dict[str, FieldType] | None:
    fields = type_fields(name)
    return None if fields is None else dict(fields)


@cache
def _required(name: str) -> tuple[str, ...]:
    return tuple(field for field, kind in (type_fields(name) or {}).items() if kind.is_required)


def _below(path: str, name: object) -> str:
    if isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name):
        return f"{path}.{name}" if path else name
    return f"{path}[{shown(name)}]"


def _string(path: str, value: Any) -> Problem | None:
    if isinstance(value, str):
        return None
    problem = not_a_text(path, value)
    return VALUE.problem(path, problem.message, problem.cure)


def _boolean(path: str, value: Any) -> Problem | None:
    if isinstance(value, bool):
        return None
    cure = unquoted(value) if isinstance(value, str) and value.lower() in _FLAGS else ""
    return VALUE.problem(path, f"needs true or false, got {shown(value)}", cure)


_FLAGS = frozenset({"true", "false"})


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def _integer(below: int) -> Callable[[str, Any], Problem | None]:
    def check(path: str, value: Any) -> Problem | None:
        if not _is_whole(value):
            cure = unquoted(value) if isinstance(value, str) and value.isdecimal() else ""
            return VALUE.problem(path, f"needs a whole number, got {shown(value)}", cure)
        if not -below <= value < below:
            return VALUE.problem(path, f"{shown(value)} is too large for this field")
        return None

    return check


def _number(path: str, value: Any) -> Problem | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if is_number else VALUE.problem(path, f"needs a number, got {shown(value)}")


def _integer_or_string(path: str, value: Any) -> Problem | None:
    if isinstance(value, str) or _is_whole(value):
        return None
    return VALUE.problem(path, f"needs a whole number or a text, got {shown(value)}")


def _quantity(path: str, value: Any) -> Problem | None:
    if (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, str) and is_quantity(value)
    ):
        return None
    near = near_quantity(value) if isinstance(value, str) else ""
    return VALUE.problem(path, f"{shown(value)} is not a quantity such as 1000, '500m' or '64Gi'", near)


_SCALARS: dict[str, Callable[[str, Any], Problem | None]] = {
    "boolean": _boolean,
    "int32": _integer(_INT32),
    "int64": _integer(_INT64),
    "integer": _integer(_INT64),
    "integer-or-string": _integer_or_string,
    "number": _number,
    "quantity": _quantity,
    "string": _string,
}


def _cure(name: object, outer: tuple[str, ...]) -> str:
    """Where a field belongs that stands one level off, or the nearest known name."""
    *above, at = outer
    word = str(name)
    for level, places in enumerate(_levels(at)):
        homes = [path for path, home in places if level and word in (_fields(home) or ())]
        if homes:
            return f"write it in {' or '.join(f'{path!r}' for path in homes[:3])}"
    for further, inner in zip(reversed(above), reversed(outer), strict=False):
        if word in (_fields(further) or ()):
            beside = next(field for field, kind in (_fields(further) or {}).items() if kind.name == inner)
            return f"write it further out, beside '{beside}'"
    return did_you_mean(word, _fields(at) or (), edits="key")


def _levels(name: str) -> Iterator[list[tuple[str, str]]]:
    """The types below a type, with their paths, level by level."""
    level, seen = [("", name)], {name}
    while level and len(seen) < 60:
        yield level
        below: list[tuple[str, str]] = []
        for path, at in level:
            for field, kind in (_fields(at) or {}).items():
                if kind.of == "" and kind.name not in seen and _fields(kind.name) is not None:
                    seen.add(kind.name)
                    below.append((f"{path}.{field}" if path else field, kind.name))
        level = below
