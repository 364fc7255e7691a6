"""Load balancers that the controller refuses in an IPv6 cluster, or that speak plain HTTP to the internet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automode_constructs.errors import Problem
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.ingress import is_load_balanced
from automode_constructs.specs.traffic.ownership import ALB_CONTROLLER, is_network_load_balancer

__all__ = ["load_balancer_problems"]

PLAIN_HTTP = rule(
    "automode:PlainHttp",
    "Ingress",
    severity="warning",
    sentence="An internet-facing Application Load Balancer speaks HTTPS: over HTTP, everyone on the way reads along.",
    source="AWS Load Balancer Controller, 'Ingress annotations', TLS; AWS Well-Architected, SEC09-BP02",
    judged="tree",
)
NOT_DUAL_STACK = rule(
    "automode:NotDualStack",
    *("Ingress", "IngressClassParams", "Service", "TargetGroupBinding"),
    severity="error",
    sentence="In an IPv6 cluster, load balancers are dual-stack and their targets are pods (type ip).",
    source="kubernetes-sigs/aws-load-balancer-controller, 'unsupported IPv6 configuration, lb not dual-stack'; Elastic "
    "Load Balancing, 'Target groups', IP address type",
    judged="app",
)

_INGRESS = "alb.ingress.kubernetes.io/"
_SERVICE = "service.beta.kubernetes.io/aws-load-balancer-"
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_REFUSES = "the controller refuses it: 'lb not dual-stack'"

Found = Iterator[tuple[int, Problem]]


def load_balancer_problems(manifests: Sequence[Mapping[str, Any]], *, ipv6: bool) -> Found:
    """Problems of the load balancers of a cluster, each with the index of its manifest.

    Args:
        manifests: the objects of the cluster.
        ipv6: whether its pods and services have IPv6 addresses.
    """
    classes = _Classes(manifests)
    for index, manifest in enumerate(manifests):
        match _group_and_kind(manifest):
            case ("networking.k8s.io", "Ingress") if is_load_balanced(manifest) and classes.serve(manifest):
                params = classes.params_of(manifest)
                problems = [*_plain_http(manifest, params)]
                problems += _ingress_of_ipv4(manifest, params) if ipv6 else ()
            case ("eks.amazonaws.com", "IngressClassParams") if ipv6:
                problems = [*_params_of_ipv4(mapping_at(manifest, "spec"))]
            case ("", "Service") if ipv6 and is_network_load_balancer(manifest):
                problems = [*_service_of_ipv4(mapping_at(manifest, "metadata", "annotations"))]
            case ("eks.amazonaws.com", "TargetGroupBinding") if ipv6:
                problems = [*_binding_of_ipv4(mapping_at(manifest, "spec"))]
            case _:
                continue
        yield from ((index, problem) for problem in problems)


class _Classes:
    """The IngressClasses of the cluster and their IngressClassParams."""

    def __init__(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        self._classes: dict[str, Mapping[str, Any]] = {}
        self._params: dict[str, Mapping[str, Any]] = {}
        self._default: str | None = None
        for manifest in manifests:
            name = str(mapping_at(manifest, "metadata").get("name"))
            match _group_and_kind(manifest):
                case ("networking.k8s.io", "IngressClass"):
                    self._classes[name] = mapping_at(manifest, "spec")
                    if mapping_at(manifest, "metadata", "annotations").get(_DEFAULT_CLASS) == "true":
                        self._default = name
                case ("eks.amazonaws.com", "IngressClassParams"):
                    self._params[name] = mapping_at(manifest, "spec")

    def _class_of(self, ingress: Mapping[str, Any]) -> Mapping[str, Any] | None:
        name = mapping_at(ingress, "spec").get("ingressClassName", self._default)
        return self._classes.get(name) if isinstance(name, str) else None

    def serve(self, ingress: Mapping[str, Any]) -> bool:
        """Whether an Ingress may be Auto Mode's: its class is, or is not here."""
        spec = self._class_of(ingress)
        return spec is None or spec.get("controller") == ALB_CONTROLLER

    def params_of(self, ingress: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The spec of the IngressClassParams of an Ingress, empty if its class has none; ``None`` if not known."""
        spec = self._class_of(ingress)
        if spec is None:
            return None
        name = mapping_at(spec, "parameters").get("name")
        return {} if name is None else self._params.get(str(name))


def _plain_http(ingress: Mapping[str, Any], params: Mapping[str, Any] | None) -> Iterator[Problem]:
    annotations = mapping_at(ingress, "metadata", "annotations")
    of_class = params or {}
    scheme = of_class.get("scheme") or annotations.get(f"{_INGRESS}scheme")
    if scheme != "internet-facing":
        return
    named = of_class.get("certificateARNs") or annotations.get(f"{_INGRESS}certificate-arn")
    if not named and not mapping_at(ingress, "spec").get("tls"):
        yield PLAIN_HTTP.problem(
            "spec.tls",
            "neither this Ingress nor its class names a certificate, so an internet-facing load balancer speaks plain "
            "HTTP",
            f"set certificateARNs in the class's IngressClassParams, or {_INGRESS}certificate-arn here",
        )
        return
    ports = annotations.get(f"{_INGRESS}listen-ports")
    redirects = of_class.get("sslRedirectPort") or annotations.get(f"{_INGRESS}ssl-redirect")
    if isinstance(ports, str) and not redirects and _has_http(ports):
        yield PLAIN_HTTP.problem(
            f"metadata.annotations['{_INGRESS}listen-ports']",
            "opens a port that speaks plain HTTP to the internet",
            f"leave HTTP out, or add {_INGRESS}ssl-redirect: '443'",
        )


def _has_http(ports: str) -> bool:
    try:
        listeners = json.loads(ports)
    except (RecursionError, ValueError):
        return False
    return isinstance(listeners, list) and any(isinstance(entry, Mapping) and "HTTP" in entry for entry in listeners)


def _ingress_of_ipv4(ingress: Mapping[str, Any], params: Mapping[str, Any] | None) -> Iterator[Problem]:
    annotations = mapping_at(ingress, "metadata", "annotations")
    field, of_class = f"{_INGRESS}ip-address-type", params or {}
    family = annotations.get(field)
    # What the class sets takes precedence, and is judged there.
    if "ipAddressType" not in of_class and (family == "ipv4" or (family is None and params is not None)):
        yield NOT_DUAL_STACK.problem(
            f"metadata.annotations['{field}']",
            f"{'is not set' if family is None else 'is ipv4'}, nor does the class set ipAddressType, in an IPv6 "
            f"cluster: {_REFUSES}",
            "set ipAddressType: dualstack in the class's IngressClassParams, or write dualstack here",
        )
    field = f"{_INGRESS}target-type"
    if "targetType" not in of_class and annotations.get(field) == "instance":
        yield _instances(f"metadata.annotations['{field}']")


def _params_of_ipv4(spec: Mapping[str, Any]) -> Iterator[Problem]:
    if spec.get("ipAddressType") == "ipv4":
        yield NOT_DUAL_STACK.problem("spec.ipAddressType", f"is ipv4 in an IPv6 cluster: {_REFUSES}", "write dualstack")
    if spec.get("targetType") == "instance":
        yield _instances("spec.targetType")


def _service_of_ipv4(annotations: Mapping[str, Any]) -> Iterator[Problem]:
    field = f"{_SERVICE}ip-address-type"
    family = annotations.get(field)
    if family is None or family == "ipv4":
        yield NOT_DUAL_STACK.problem(
            f"metadata.annotations['{field}']",
            f"is {'not set, which means ipv4,' if family is None else 'ipv4'} in an IPv6 cluster: {_REFUSES}",
            "write dualstack",
        )
    field = f"{_SERVICE}nlb-target-type"
    if annotations.get(field) == "instance":
        yield _instances(f"metadata.annotations['{field}']")


def _binding_of_ipv4(spec: Mapping[str, Any]) -> Iterator[Problem]:
    if spec.get("targetType") == "instance":
        yield _instances("spec.targetType")


def _instances(field: str) -> Problem:
    return NOT_DUAL_STACK.problem(
        field, "is instance in an IPv6 cluster, whose Services nodes do not serve over IPv4", "write ip"
    )


def _group_and_kind(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind", ""))
