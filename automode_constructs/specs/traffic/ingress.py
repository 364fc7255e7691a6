"""The Ingress (``networking.k8s.io/v1``) that Auto Mode answers with an Application Load Balancer."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AliasGenerator, ConfigDict

from automode_constructs.errors import Cure, Edit, Problem, meant_by, shown
from automode_constructs.specs.fields import VALUE, Digits, TokenOr, matching
from automode_constructs.specs.free_body import FreeBody, mapping_at
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.annotation_values import (
    Arns,
    Attributes,
    Cidrs,
    Flag,
    HealthCheckInterval,
    HealthCheckPath,
    HealthCheckTimeout,
    JsonList,
    JsonMapping,
    ListenPorts,
    Pairs,
    Port,
    SslPolicy,
    SuccessCodes,
    Threshold,
    whole_number,
)
from automode_constructs.tokens import is_token

__all__ = [
    "IngressSpec",
    "backends",
    "ingress_annotation_problems",
    "is_load_balanced",
    "protection_problems",
]

UNSUPPORTED_INGRESS_ANNOTATION = rule(
    "automode:UnsupportedIngressAnnotation",
    "Ingress",
    severity="warning",
    sentence="An Ingress has no annotations that Auto Mode refuses or does not read.",
    source="EKS User Guide, 'Create an IngressClass to configure an Application Load Balancer', "
    "'Learn about load balancing in EKS Auto Mode'",
)

MISSPELT_INGRESS_ANNOTATION = rule(
    "automode:MisspeltIngressAnnotation",
    "Ingress",
    severity="warning",
    sentence="Annotations for load balancers are spelt as a controller reads them.",
    source="kubernetes-sigs/aws-load-balancer-controller, Ingress annotations",
)

PROTECTED_LOAD_BALANCER = rule(
    "automode:ProtectedLoadBalancer",
    "Ingress",
    "Service",
    severity="warning",
    sentence="No annotation protects a load balancer from deletion: the deletion of its object would not end.",
    source="kubernetes-sigs/aws-load-balancer-controller, 'deletion_protection is enabled, cannot delete the ingress'",
)

_LEGACY_CLASS = "kubernetes.io/ingress.class"
_PREFIX = "alb.ingress.kubernetes.io/"
_USE_WEB_ACL_ARN = f"write {_PREFIX}wafv2-acl-arn"
_USE_CERTIFICATE = f"make the certificate yourself and name it in {_PREFIX}certificate-arn or certificateARNs"
_UNSUPPORTED = {
    "group.name": "is not read by Auto Mode, so it has no effect; write spec.group of the class's IngressClassParams",
    "waf-acl-id": f"is not read by Auto Mode, so it has no effect; {_USE_WEB_ACL_ARN}",
    "web-acl-id": f"is not read by Auto Mode, so it has no effect; {_USE_WEB_ACL_ARN}",
    "wafv2-acl-name": f"may not be read by Auto Mode; {_USE_WEB_ACL_ARN}",
    "dry-run-plan": "is not read by Auto Mode, so it has no effect; remove it",
    "create-acm-cert": f"is not read by Auto Mode, so it has no effect; {_USE_CERTIFICATE}",
    "acm-pca-arn": f"is not read by Auto Mode, so it has no effect; {_USE_CERTIFICATE}",
    "tags": "is refused by Auto Mode's permissions and can keep the Ingress from going; "
    "write spec.tags of the class's IngressClassParams",
}
_KNOWN = (
    *("scheme", "ip-address-type", "subnets", "security-groups", "load-balancer-name", "load-balancer-attributes"),
    *(
        "manage-backend-security-group-rules",
        "security-group-prefix-lists",
        "inbound-cidrs",
        "customer-owned-ipv4-pool",
    ),
    *("group.order", "listen-ports", "ssl-redirect", "ssl-policy", "certificate-arn", "mutual-authentication"),
    *("target-type", "target-node-labels", "target-group-attributes", "backend-protocol", "backend-protocol-version"),
    *("healthcheck-path", "healthcheck-port", "healthcheck-protocol", "healthcheck-interval-seconds"),
    *("healthcheck-timeout-seconds", "healthy-threshold-count", "unhealthy-threshold-count", "success-codes"),
    *("auth-type", "auth-idp-cognito", "auth-idp-oidc", "auth-on-unauthenticated-request", "auth-scope"),
    *(
        "auth-session-cookie",
        "auth-session-timeout",
        "wafv2-acl-arn",
        "shield-advanced-protection",
        "use-regex-path-match",
    ),
    *(
        "target-control-port",
        "minimum-load-balancer-capacity",
        "ipam-ipv4-pool-id",
        "multi-cluster-target-group",
        "frontend-nlb-scheme",
    ),
    *("enable-frontend-nlb", "frontend-nlb-subnets", "frontend-nlb-listener-port-mapping"),
    *("frontend-nlb-security-groups", "frontend-nlb-attributes", "frontend-nlb-eip-allocations"),
)
"""Annotations that a controller reads; one that is not here is reported only if it nearly matches one of them."""
_FAMILIES_OF_JSON = tuple(f"{_PREFIX}{family}." for family in ("actions", "conditions", "transforms"))
_FAMILIES = ("actions.", "conditions.", "transforms.", "listener-attributes.", "jwt-validation", "frontend-nlb-")


_SessionTimeout = Annotated[Digits, whole_number(1, 604800)]
_WebAcl = Annotated[str, matching(r"arn:.+|none|", "the ARN of a web ACL, or 'none'")]
_Order = Annotated[str, matching(r"-?[0-9]{1,4}", "a whole number written as text ('10')"), whole_number(-1000, 1000)]
_Name = Annotated[
    str, matching(r"[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?", "a name of at most 32 letters, digits and '-'")
]


def _annotation(field: str) -> str:
    return f"{_PREFIX}{'group.order' if field == 'group_order' else field.replace('_', '-')}"


class _IngressJson(KubeModel):
    """The annotations of a backend, by their family."""

    actions: TokenOr[JsonMapping] | None = None
    conditions: TokenOr[JsonList] | None = None
    transforms: TokenOr[JsonList] | None = None


class _IngressAnnotations(KubeModel):
    """The annotations whose values a controller reads by a fixed form; others pass unchanged.

    Source: kubernetes-sigs/aws-load-balancer-controller, "Ingress annotations" and ``pkg/ingress``.
    """

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=_annotation, serialization_alias=_annotation), extra="allow"
    )

    scheme: Literal["internal", "internet-facing"] | None = None
    target_type: Literal["instance", "ip"] | None = None
    ip_address_type: Literal["ipv4", "dualstack", "dualstack-without-public-ipv4"] | None = None
    backend_protocol: Literal["HTTP", "HTTPS"] | None = None
    backend_protocol_version: Literal["HTTP1", "HTTP2", "GRPC"] | None = None
    healthcheck_protocol: Literal["HTTP", "HTTPS"] | None = None
    healthcheck_path: TokenOr[HealthCheckPath] | None = None
    healthcheck_interval_seconds: TokenOr[HealthCheckInterval] | None = None
    healthcheck_timeout_seconds: TokenOr[HealthCheckTimeout] | None = None
    healthy_threshold_count: TokenOr[Threshold] | None = None
    unhealthy_threshold_count: TokenOr[Threshold] | None = None
    success_codes: TokenOr[SuccessCodes] | None = None
    listen_ports: TokenOr[ListenPorts] | None = None
    ssl_redirect: TokenOr[Port] | None = None
    certificate_arn: TokenOr[Arns] | None = None
    ssl_policy: TokenOr[SslPolicy] | None = None
    inbound_cidrs: TokenOr[Cidrs] | None = None
    wafv2_acl_arn: TokenOr[_WebAcl] | None = None
    load_balancer_name: TokenOr[_Name] | None = None
    load_balancer_attributes: TokenOr[Attributes] | None = None
    target_group_attributes: TokenOr[Attributes] | None = None
    target_node_labels: TokenOr[Pairs] | None = None
    group_order: TokenOr[_Order] | None = None
    auth_type: Literal["none", "oidc", "cognito"] | None = None
    auth_on_unauthenticated_request: Literal["authenticate", "allow", "deny"] | None = None
    auth_session_timeout: TokenOr[_SessionTimeout] | None = None
    auth_idp_cognito: TokenOr[JsonMapping] | None = None
    auth_idp_oidc: TokenOr[JsonMapping] | None = None
    mutual_authentication: TokenOr[JsonList] | None = None
    shield_advanced_protection: TokenOr[Flag] | None = None
    manage_backend_security_group_rules: TokenOr[Flag] | None = None
    multi_cluster_target_group: TokenOr[Flag] | None = None
    use_regex_path_match: TokenOr[Flag] | None = None
    enable_frontend_nlb: TokenOr[Flag] | None = None
    frontend_nlb_scheme: Literal["internal", "internet-facing"] | None = None

    def _broken_rules(self) -> Iterator[Problem]:
        codes = self.success_codes or ""
        low, high = (0, 99) if self.backend_protocol_version == "GRPC" else (200, 499)
        if not is_token(codes) and any(not low <= int(code[:9]) <= high for code in re.findall("[0-9]+", codes)):
            yield VALUE.problem(
                "success_codes", f"{shown(codes)} has codes that no health check takes", f"write {low} to {high}"
            )


class IngressSpec(FreeBody):
    """The body of an Ingress, which passes unchecked; only the annotations are checked."""


def is_load_balanced(document: Mapping[str, Any]) -> bool:
    """Whether an Ingress may be Auto Mode's: no annotation assigns it to another controller."""
    named = mapping_at(document, "metadata", "annotations").get(_LEGACY_CLASS, "alb")
    return not isinstance(named, str) or named == "alb"


def backends(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields that name Services, and the names, each once."""
    places = [("spec.defaultBackend", mapping_at(spec, "defaultBackend"))]
    for number, entry in enumerate(_mappings(spec.get("rules"))):
        for place, path in enumerate(_mappings(mapping_at(entry, "http").get("paths"))):
            places.append((f"spec.rules[{number}].http.paths[{place}].backend", mapping_at(path, "backend")))
    seen: set[str] = set()
    for field, backend in places:
        name = mapping_at(backend, "service").get("name")
        if isinstance(name, str) and name not in seen:
            seen.add(name)
            yield field, name


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def ingress_annotation_problems(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    """Annotations of an Ingress that Auto Mode rejects or does not read."""
    annotations = mapping_at(metadata, "annotations")
    readable = {name: value for name, value in annotations.items() if isinstance(value, str)}
    for problem in _IngressAnnotations.read(readable)[1]:
        yield problem.under("annotations")
    for name, value in annotations.items():
        where = f"annotations[{shown(name)}]"
        if name == _LEGACY_CLASS:
            yield _unsupported(where, "is not read by Auto Mode, so it has no effect; write spec.ingressClassName")
        elif name == f"{_PREFIX}auth-type" and value == "oidc":
            yield _unsupported(
                where,
                "'oidc' needs a Secret that Auto Mode's controller may not read by itself; "
                "let group eks:managed read it",
            )
        elif isinstance(name, str) and isinstance(value, str) and name.startswith(_FAMILIES_OF_JSON):
            family = name.removeprefix(_PREFIX).partition(".")[0]
            yield from (replace(problem, field=where) for problem in _IngressJson.read({family: value})[1])
        elif name == f"{_PREFIX}load-balancer-attributes":
            yield from protection_problems(where, value, "Ingress")
        elif isinstance(name, str) and name.startswith(_PREFIX):
            yield from _named_problems(where, name.removeprefix(_PREFIX))


def protection_problems(where: str, attributes: str, kind: str) -> Iterator[Problem]:
    """Deletion protection among the attributes of a load balancer, ``key=value`` separated by commas."""
    pairs = {pair.replace(" ", "").lower() for pair in attributes.split(",")}
    if "deletion_protection.enabled=true" in pairs:
        yield PROTECTED_LOAD_BALANCER.problem(
            where,
            f"protects the load balancer, so that the deletion of this {kind} does not end while it stands here",
            "leave it out, or deploy without it before you delete the object or its stack",
        )


def _named_problems(where: str, name: str) -> Iterator[Problem]:
    if name in _UNSUPPORTED:
        yield _unsupported(where, _UNSUPPORTED[name])
    elif name not in _KNOWN and not name.startswith(_FAMILIES):
        for near in difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0.85):
            yield MISSPELT_INGRESS_ANNOTATION.problem(
                where,
                "is not a known annotation, so it has no effect",
                Cure(
                    f"did you mean '{_PREFIX}{near}'?",
                    Edit(what="key", to=f"{_PREFIX}{near}") if meant_by(name, _KNOWN) == near else None,
                ),
            )


def _unsupported(where: str, text: str) -> Problem:
    message, _, cure = text.partition("; ")
    return UNSUPPORTED_INGRESS_ANNOTATION.problem(where, message, cure)
