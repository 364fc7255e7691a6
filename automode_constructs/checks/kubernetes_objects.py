"""Kubernetes' own kinds, as far as pods, their traffic and their storage need: what the API server refuses.

Fields and types come from ``facts/kubernetes_fields``; here is what holds between fields.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from automode_constructs.checks.kubernetes_fields import field_problems
from automode_constructs.checks.quotas import quota_device_problems
from automode_constructs.errors import Problem, shown
from automode_constructs.facts.control_plane import setting_bounds
from automode_constructs.facts.kubernetes_fields import type_of_kind
from automode_constructs.specs.fields import VALUE, is_quantity
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.messages import MISSING_FIELD
from automode_constructs.specs.quantity import number
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_token

__all__ = ["is_patch", "kubernetes_problems"]

_WORKLOADS = ("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet")
POD_SELECTOR = rule(
    "automode:PodSelector",
    *("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    severity="error",
    sentence="A workload's selector is not empty and matches the labels of its pods.",
    source="Kubernetes, 'Deployments'",
)
RESTART_POLICY = rule(
    "automode:RestartPolicy",
    *("CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"),
    severity="error",
    sentence="Pods of a Job restart OnFailure or Never, those of the other workloads Always.",
    source="Kubernetes, 'Pod Lifecycle' and 'Jobs'",
)
POD_NAMES = rule(
    "automode:PodNames",
    *_WORKLOADS,
    severity="error",
    sentence="Containers and volumes of a pod have different names, and each volumeMount names a volume.",
    source="Kubernetes API reference, PodSpec",
)
POD_RESOURCES = rule(
    "automode:PodResources",
    *_WORKLOADS,
    severity="error",
    sentence="A container requests no more than its limit, and of devices whole ones, as many as its limit.",
    source="Kubernetes, 'Resource Management for Pods and Containers'",
)
ONE_OF = rule(
    "automode:OneOf",
    *("Ingress", "PersistentVolumeClaim", "PodDisruptionBudget"),
    *_WORKLOADS,
    severity="error",
    sentence="Of fields that exclude each other, exactly one is there.",
    source="Kubernetes API reference",
)
SERVICE_PORTS = rule(
    "automode:ServicePorts",
    "Service",
    severity="error",
    sentence="A Service has ports, each with a port and protocol of its own, and with a name where there are several.",
    source="Kubernetes, 'Service'",
)
SERVICE_TYPE = rule(
    "automode:ServiceType",
    "Service",
    severity="error",
    sentence="A Service has only fields that its type takes: the load balancer's and node ports where it opens them.",
    source="Kubernetes API reference, ServiceSpec",
)
NODE_PORT_RANGE = rule(
    "automode:NodePortRange",
    "Service",
    severity="warning",
    sentence="A node port is in the range that the cluster serves: 30000 to 32767 unless control_plane.node_ports says "
    "otherwise.",
    source="EKS User Guide, 'Advanced Kubernetes control plane configuration'",
)
CONFIG_MAP_KEY = rule(
    "automode:ConfigMapKey",
    *("ConfigMap", "Secret"),
    severity="error",
    sentence="Keys are at most 253 letters, digits, '-', '_' and '.', each used once, and the object is at most 1 MiB.",
    source="Kubernetes, 'ConfigMaps' and 'Secrets'",
)

_Problems = Iterator[Problem]
_Object = Mapping[str, Any]


def kubernetes_problems(document: _Object) -> _Problems:
    """What the API server refuses in an object of one of Kubernetes' own kinds; nothing for any other kind."""
    kind = str(document.get("kind", ""))
    type_name = type_of_kind(str(document.get("apiVersion", "")), kind)
    if type_name is None:
        return
    yield from field_problems(document, type_name, "", but=frozenset({"apiVersion", "kind", "metadata"}))
    if kind in _RULES:
        yield from _RULES[kind](document)


_POD_SPECS = {
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Pod": ("spec",),
}


def is_patch(document: _Object) -> bool:
    """Whether a workload is only a part of one, such as a patch of Kustomize: it has no selector, and no image."""
    kind, spec = str(document.get("kind", "")), mapping_at(document, "spec")
    if kind not in _WORKLOADS or not spec or "selector" in spec:
        return False
    pod = mapping_at(document, *_POD_SPECS.get(kind, ("spec", "template", "spec")))
    containers = _mappings(pod.get("containers"))
    return all(container.get("name") and not container.get("image") for container in containers)


def _workload(document: _Object) -> _Problems:
    spec = mapping_at(document, "spec")
    selector = spec.get("selector")
    labels = mapping_at(spec, "template", "metadata", "labels")
    if isinstance(selector, Mapping):
        wanted = mapping_at(selector, "matchLabels")
        expressions = selector.get("matchExpressions")
        if not wanted and not expressions:
            yield POD_SELECTOR.problem("spec.selector", "is empty", "write the labels of the pods in matchLabels")
        for key, value in wanted.items():
            if not (is_token(value) or is_token(labels.get(key))) and labels.get(key) != value:
                yield POD_SELECTOR.problem(
                    f"spec.selector.matchLabels[{shown(key)}]",
                    f"the pods' labels (spec.template.metadata.labels) do not have {shown(key)}: {shown(value)}",
                    "write the same label there",
                )
    yield from _template(spec, "spec.template", ("Always",), "Always")


def _stateful_set(document: _Object) -> _Problems:
    yield from _workload(document)
    for index, claim in enumerate(_mappings(mapping_at(document, "spec").get("volumeClaimTemplates"))):
        yield from _claim(mapping_at(claim, "spec"), f"spec.volumeClaimTemplates[{index}].spec")


def _job(document: _Object) -> _Problems:
    yield from _template(mapping_at(document, "spec"), "spec.template", ("OnFailure", "Never"), "")


def _cron_job(document: _Object) -> _Problems:
    spec = mapping_at(document, "spec", "jobTemplate", "spec")
    yield from _template(spec, "spec.jobTemplate.spec.template", ("OnFailure", "Never"), "")


def _bare_pod(document: _Object) -> _Problems:
    yield from _pod(mapping_at(document, "spec"), "spec", ())


def _template(spec: _Object, path: str, policies: Sequence[str], default: str) -> _Problems:
    pod = mapping_at(spec, "template").get("spec")
    if not isinstance(pod, Mapping):
        return
    policy = pod.get("restartPolicy", default)
    if policy not in policies and not is_token(policy):
        message = f"{shown(policy)} is not allowed here" if policy else "is required here"
        yield RESTART_POLICY.problem(f"{path}.spec.restartPolicy", message, f"write {' or '.join(policies)}")
    claims = [mapping_at(claim, "metadata").get("name") for claim in _mappings(spec.get("volumeClaimTemplates"))]
    yield from _pod(pod, f"{path}.spec", claims)


_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def _pod(pod: _Object, path: str, claims: Sequence[Any]) -> _Problems:
    if pod.get("containers") == []:
        yield MISSING_FIELD.problem(f"{path}.containers", "is required")
    volumes = _mappings(pod.get("volumes"))
    yield from _twice((volume.get("name") for volume in volumes), f"{path}.volumes", "volume")
    for index, volume in enumerate(volumes):
        sources = [name for name, value in volume.items() if name != "name" and value is not None]
        if len(sources) > 1:
            yield ONE_OF.problem(f"{path}.volumes[{index}]", f"has several sources: {' and '.join(sources)}")
    known = {name for name in (*(volume.get("name") for volume in volumes), *claims) if isinstance(name, str)}
    lists = ("initContainers", "containers")
    names = [container.get("name") for field in lists for container in _mappings(pod.get(field))]
    yield from _twice(names, f"{path}.containers", "container", at_each=False)
    for field in lists:
        for index, container in enumerate(_mappings(pod.get(field))):
            yield from _container(container, f"{path}.{field}[{index}]", known)


def _container(container: _Object, path: str, volumes: set[str]) -> _Problems:
    if not container.get("image"):
        yield MISSING_FIELD.problem(f"{path}.image", "is required")
    for field in ("volumeMounts", "volumeDevices"):
        for index, mount in enumerate(_mappings(container.get(field))):
            name = mount.get("name")
            if isinstance(name, str) and name not in volumes and not is_token(name):
                yield POD_NAMES.problem(
                    f"{path}.{field}[{index}].name", f"the pod has no volume {shown(name)}", "add it to volumes"
                )
    mounts = [mount.get("mountPath") for mount in _mappings(container.get("volumeMounts"))]
    yield from _twice(mounts, f"{path}.volumeMounts", "mountPath", "mountPath")
    for index, variable in enumerate(_mappings(container.get("env"))):
        if variable.get("value") and variable.get("valueFrom"):
            yield ONE_OF.problem(f"{path}.env[{index}]", "has both value and valueFrom", "remove one of them")
    for probe in _PROBES:
        value = container.get(probe)
        if isinstance(value, Mapping) and sum(value.get(handler) is not None for handler in _HANDLERS) != 1:
            yield ONE_OF.problem(f"{path}.{probe}", f"needs exactly one of {', '.join(_HANDLERS)}")
    yield from _resources(mapping_at(container, "resources"), f"{path}.resources")


def _resources(resources: _Object, path: str) -> _Problems:
    requests, limits = mapping_at(resources, "requests"), mapping_at(resources, "limits")
    for name, requested in requests.items():
        limit, where = limits.get(name), f"{path}.requests[{shown(name)}]"
        if "/" in str(name) and limit is None:
            yield POD_RESOURCES.problem(where, "has no limit", f"write {shown(requested)} as the limit too")
        wanted, most = _number(requested), _number(limit)
        if wanted is None or most is None:
            continue
        if wanted > most:
            yield POD_RESOURCES.problem(
                where, f"{shown(requested)} is more than the limit {shown(limit)}", "raise the limit"
            )
        elif "/" in str(name) and wanted != most:
            yield POD_RESOURCES.problem(
                where, f"{shown(requested)} is not the limit {shown(limit)}, as it must be for devices"
            )
    for name, limit in limits.items():
        whole = _number(limit)
        if "/" in str(name) and whole is not None and whole != int(whole):
            yield POD_RESOURCES.problem(
                f"{path}.limits[{shown(name)}]", f"{shown(limit)} is not a whole number", "devices are not divided"
            )


def _number(quantity: Any) -> Any:
    if isinstance(quantity, str):
        return number(quantity) if is_quantity(quantity) else None
    # Kubernetes reads a number with a point as the text that it is.
    is_number = isinstance(quantity, int | float) and not isinstance(quantity, bool) and isfinite(quantity)
    return number(str(quantity)) if is_number else None


def _service(document: _Object) -> _Problems:
    spec = mapping_at(document, "spec")
    ports = _mappings(spec.get("ports"))
    if spec.get("type") == "ExternalName":
        if not spec.get("externalName"):
            yield MISSING_FIELD.problem(
                "spec.externalName", "is required", "write the name that the Service stands for"
            )
    elif not ports and spec.get("clusterIP") != "None" and isinstance(document.get("spec"), Mapping):
        yield SERVICE_PORTS.problem("spec.ports", "is required", "list the ports that the Service serves")
    seen: dict[Any, int] = {}
    for index, port in enumerate(ports):
        where = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            yield SERVICE_PORTS.problem(f"{where}.name", "is required where a Service has several ports")
        pair = (_hashable(port.get("port")), _hashable(port.get("protocol", "TCP")))
        if seen.setdefault(pair, index) != index and port.get("port") is not None:
            yield SERVICE_PORTS.problem(
                where, f"has the port and protocol of ports[{seen[pair]}]", "remove one of them"
            )
    yield from _twice((port.get("name") for port in ports), "spec.ports", "port")

    yield from _only_of_its_type(spec)


_OF_LOAD_BALANCERS = ("allocateLoadBalancerNodePorts", "loadBalancerClass", "loadBalancerSourceRanges")
_OPEN_TYPES = ("LoadBalancer", "NodePort")
_NODE_PORTS = range(30000, 32768)


def _only_of_its_type(spec: _Object) -> _Problems:
    """The fields that only Services of another type take."""
    type_ = spec.get("type", "ClusterIP")
    if type_ not in ("ClusterIP", "ExternalName", *_OPEN_TYPES):
        return
    if type_ != "LoadBalancer":
        for field in _OF_LOAD_BALANCERS:
            if spec.get(field) not in (None, []):
                yield SERVICE_TYPE.problem(
                    f"spec.{field}",
                    f"is refused in Services of type {type_}",
                    "write type: LoadBalancer, or remove it",
                )
    if spec.get("externalTrafficPolicy") and type_ == "ClusterIP" and not spec.get("externalIPs"):
        yield SERVICE_TYPE.problem(
            "spec.externalTrafficPolicy", "is refused in Services of type ClusterIP", "remove it, or open the Service"
        )
    for index, port in enumerate(_mappings(spec.get("ports"))):
        node_port = port.get("nodePort")
        if not isinstance(node_port, int) or isinstance(node_port, bool) or node_port == 0:
            continue
        where = f"spec.ports[{index}].nodePort"
        if type_ == "ClusterIP":
            yield SERVICE_TYPE.problem(
                where, f"is refused in Services of type {type_}", "write type: NodePort, or remove it"
            )
        elif type_ in _OPEN_TYPES and node_port not in _NODE_PORTS and 1 <= node_port <= 65535:
            least, most = setting_bounds("node_ports")
            if least <= node_port <= most:
                yield NODE_PORT_RANGE.problem(
                    where,
                    f"{node_port} is outside {_NODE_PORTS[0]} to {_NODE_PORTS[-1]}, the range of a cluster that sets "
                    "no other",
                    f"use a port of that range, or set control_plane.node_ports of the cluster ({least} to {most})",
                )
            else:
                yield VALUE.problem(where, f"must be {_NODE_PORTS[0]} to {_NODE_PORTS[-1]}, got {node_port}")


def _ingress(document: _Object) -> _Problems:
    spec = mapping_at(document, "spec")
    if isinstance(document.get("spec"), Mapping) and not spec.get("rules") and not spec.get("defaultBackend"):
        yield MISSING_FIELD.problem("spec.rules", "is required", "write rules or defaultBackend")
    places = [("spec.defaultBackend", mapping_at(spec, "defaultBackend"))] if spec.get("defaultBackend") else []
    for number_, entry in enumerate(_mappings(spec.get("rules"))):
        host = entry.get("host")
        if isinstance(host, str) and host and not is_token(host) and not _HOST.fullmatch(host):
            yield VALUE.problem(
                f"spec.rules[{number_}].host",
                f"{shown(host)} is not the name of a host",
                "write a DNS name in lower case, without scheme, port and path; '*.' may stand before it",
            )
        for index, path in enumerate(_mappings(mapping_at(entry, "http").get("paths"))):
            at = f"spec.rules[{number_}].http.paths[{index}]"
            text = path.get("path")
            if text is None and path.get("pathType") in ("Exact", "Prefix"):
                yield MISSING_FIELD.problem(f"{at}.path", "is required", "write '/' for every path")
            elif isinstance(text, str) and text and not text.startswith("/") and not is_token(text):
                yield VALUE.problem(f"{at}.path", f"{shown(text)} is not an absolute path", "begin it with '/'")
            places.append((f"{at}.backend", mapping_at(path, "backend")))
    for at, backend in places:
        if (backend.get("service") is None) == (backend.get("resource") is None):
            yield ONE_OF.problem(at, "needs exactly one of service, resource")
        elif isinstance(backend.get("service"), Mapping):
            port = mapping_at(backend, "service", "port")
            if (port.get("name") is None) == (port.get("number") is None):
                yield ONE_OF.problem(f"{at}.service.port", "needs exactly one of name, number")


_DNS = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_HOST = re.compile(rf"(?!\d{{1,3}}(\.\d{{1,3}}){{3}}$)(\*\.)?{_DNS}(\.{_DNS})*")


def _claim_object(document: _Object) -> _Problems:
    if isinstance(document.get("spec"), Mapping):
        yield from _claim(mapping_at(document, "spec"), "spec")


def _claim(spec: _Object, path: str) -> _Problems:
    if not spec.get("accessModes"):
        yield MISSING_FIELD.problem(f"{path}.accessModes", "is required", "write ['ReadWriteOnce']")
    if mapping_at(spec, "resources", "requests").get("storage") is None:
        yield MISSING_FIELD.problem(f"{path}.resources.requests.storage", "is required", "write the size, such as 10Gi")
    size = _number(mapping_at(spec, "resources", "requests").get("storage"))
    if size is not None and size <= 0:
        yield VALUE.problem(f"{path}.resources.requests['storage']", "must be more than 0", "write a size such as 10Gi")
    modes = spec.get("accessModes")
    if isinstance(modes, list) and "ReadWriteOncePod" in modes and len(modes) > 1:
        yield ONE_OF.problem(f"{path}.accessModes", "ReadWriteOncePod stands alone", "remove it, or the others")


_WHOLE = 100


def _disruption_budget(document: _Object) -> _Problems:
    spec = mapping_at(document, "spec")
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield ONE_OF.problem("spec", "has both minAvailable and maxUnavailable", "remove one of them")
    for field in ("minAvailable", "maxUnavailable"):
        share = spec.get(field)
        if isinstance(share, str) and re.fullmatch("[0-9]{1,18}%", share) and int(share[:-1]) > _WHOLE:
            yield VALUE.problem(f"spec.{field}", f"{shown(share)} is more than 100%", "write 100% or less")


def _autoscaler(document: _Object) -> _Problems:
    spec = mapping_at(document, "spec")
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas")
    if isinstance(least, int) and isinstance(most, int) and 0 < most < least:
        yield VALUE.problem("spec.maxReplicas", f"{most} is less than minReplicas, {least}", "raise it")


_KEY = re.compile(r"(?!\.{1,2}$)(?!\.\.)[-._a-zA-Z0-9]{1,253}")
_MOST_DATA = 1024 * 1024


def _config_map(document: _Object) -> _Problems:
    texts, others = mapping_at(document, "data"), mapping_at(document, "binaryData")
    for field, data in (("data", texts), ("binaryData", others)):
        for key in data:
            if isinstance(key, str) and not is_token(key) and _KEY.fullmatch(key) is None:
                yield CONFIG_MAP_KEY.problem(
                    f"{field}[{shown(key)}]", f"{shown(key)} is not a key", "use letters, digits, '-', '_' and '.'"
                )
            if field == "binaryData" and key in texts:
                yield CONFIG_MAP_KEY.problem(f"{field}[{shown(key)}]", "is a key of data too", "remove one of them")
    is_secret = document.get("kind") == "Secret"
    for field, data in (("data", texts if is_secret else {}), ("binaryData", others)):
        for key, text in data.items():
            # A variable that a shell fills in later is no base64 either.
            if isinstance(text, str) and "$" not in text and not _is_base64(text):
                cure = "write it in stringData, or encode it" if is_secret else "write it in data, or encode it"
                yield VALUE.problem(f"{field}[{shown(key)}]", "is not base64", cure)
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts.values() if isinstance(text, str))
    if size > _MOST_DATA:
        yield CONFIG_MAP_KEY.problem("data", f"holds {size} bytes; Kubernetes takes at most {_MOST_DATA}")


def _is_base64(text: str) -> bool:
    try:
        b64decode("".join(text.split()), validate=True)
    except ValueError:
        return False
    return True


_RULES: Mapping[str, Callable[[_Object], _Problems]] = {
    "ConfigMap": _config_map,
    "CronJob": _cron_job,
    "DaemonSet": _workload,
    "Deployment": _workload,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "Job": _job,
    "PersistentVolumeClaim": _claim_object,
    "Pod": _bare_pod,
    "PodDisruptionBudget": _disruption_budget,
    "ReplicaSet": _workload,
    "ResourceQuota": quota_device_problems,
    "Secret": _config_map,
    "Service": _service,
    "StatefulSet": _stateful_set,
}


def _twice(names: Any, path: str, what: str, field: str = "name", *, at_each: bool = True) -> _Problems:
    """The names that are used twice, each where it is used again."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not isinstance(name, str):
            continue
        if name in seen:
            where = f"{path}[{index}].{field}" if at_each else path
            broken = SERVICE_PORTS if what == "port" else POD_NAMES
            yield broken.problem(where, f"another {what} is called {shown(name)}", "choose another one")
        seen.add(name)


def _hashable(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def _mappings(value: object) -> list[_Object]:
    """The items of a list in their places; what is no mapping is an empty one."""
    return [item if isinstance(item, Mapping) else {} for item in value] if isinstance(value, list | tuple) else []
