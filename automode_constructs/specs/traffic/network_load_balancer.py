"""The Service (``v1``) that Auto Mode answers with a Network Load Balancer, and the annotations it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AliasGenerator, ConfigDict

from automode_constructs.errors import Problem, did_you_mean, shown
from automode_constructs.specs.fields import VALUE, TokenListOf, TokenOr, matching, near_text
from automode_constructs.specs.free_body import FreeBody, mapping_at
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.object_changes import refused_by_existing
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.annotation_values import (
    Attributes,
    HealthCheckInterval,
    HealthCheckPath,
    HealthCheckTimeout,
    Pairs,
    SuccessCodes,
    Threshold,
)
from automode_constructs.specs.traffic.ingress import protection_problems
from automode_constructs.specs.traffic.ingress_class import Cidr
from automode_constructs.specs.traffic.ownership import NLB_CLASS, is_network_load_balancer

__all__ = [
    "NLB_CLASS",
    "NetworkLoadBalancerAnnotations",
    "NetworkLoadBalancerServiceSpec",
    "is_network_load_balancer",
    "service_annotation_problems",
]

_NLB_PAGE = "EKS User Guide, 'Use Service Annotations to configure Network Load Balancers'"
_PREFIX = "service.beta.kubernetes.io/"

LOAD_BALANCER_CLASS = rule(
    "automode:LoadBalancerClass",
    "Service",
    severity="warning",
    sentence=f"Auto Mode's class of load balancers for Services is {NLB_CLASS}.",
    source=_NLB_PAGE,
)
UNSUPPORTED_SERVICE_ANNOTATION = rule(
    "automode:UnsupportedServiceAnnotation",
    "Service",
    severity="warning",
    sentence="A Service has no annotations that only the open-source load balancer controllers read.",
    source=f"{_NLB_PAGE}, which lists two of them as commonly used too",
)
UNKNOWN_SERVICE_ANNOTATION = rule(
    "automode:UnknownServiceAnnotation",
    "Service",
    severity="warning",
    sentence="Annotations for load balancers are spelt as a controller reads them.",
    source=f"{_NLB_PAGE}; kubernetes-sigs/aws-load-balancer-controller, service annotations",
)

_USE_ATTRIBUTES = f"write {_PREFIX}aws-load-balancer-attributes"
_UNSUPPORTED = {
    "load-balancer-source-ranges": "write spec.loadBalancerSourceRanges",
    "aws-load-balancer-type": f"leave it out; spec.loadBalancerClass {NLB_CLASS} stands for it",
    "aws-load-balancer-internal": f"write {_PREFIX}aws-load-balancer-scheme",
    "aws-load-balancer-proxy-protocol": f"write {_PREFIX}aws-load-balancer-target-group-attributes",
    "aws-load-balancer-access-log-enabled": _USE_ATTRIBUTES,
    "aws-load-balancer-access-log-emit-interval": _USE_ATTRIBUTES,
    "aws-load-balancer-access-log-s3-bucket-name": _USE_ATTRIBUTES,
    "aws-load-balancer-access-log-s3-bucket-prefix": _USE_ATTRIBUTES,
    "aws-load-balancer-cross-zone-load-balancing-enabled": _USE_ATTRIBUTES,
}
_OF_OPEN_SOURCE = {
    f"aws-load-balancer-{name}"
    for name in (
        *("name", "nlb-subnets-selector", "security-groups", "manage-backend-security-group-rules", "backend-protocol"),
        *("eip-allocations", "private-ipv4-addresses", "ipv6-addresses", "ssl-negotiation-policy", "alpn-policy"),
        *("target-node-labels", "minimum-load-balancer-capacity", "inbound-sg-rules-on-private-link-traffic"),
        *("security-group-prefix-lists", "enable-prefix-for-ipv6-source-nat", "source-nat-ipv6-prefixes"),
        *("disable-nlb-sg", "enable-icmp-for-path-mtu-discovery", "eip-allocations-discovery-tags"),
        *("quic-enabled-ports", "quic-enabled-containers"),
    )
}
"""Annotations that the open-source controller reads; Auto Mode may or may not, so none is reported."""

_CLASSIC = {
    "connection-idle-timeout": "listener-attributes.TCP-80 (for port 80): tcp.idle_timeout.seconds={value}",
    "connection-draining-enabled": "target-group-attributes: deregistration_delay.timeout_seconds=300",
    "connection-draining-timeout": "target-group-attributes: deregistration_delay.timeout_seconds={value}",
    "extra-security-groups": "security-groups: {value}",
    "backend-ssl-cert": "",
    "cross-zone-load-balancing": "attributes: load_balancing.cross_zone.enabled={value}",
}
"""Annotations that only the Classic Load Balancer of the cloud provider has, and what a Network Load Balancer has."""


_HealthCheckProtocol = Annotated[str, matching(r"(?i:tcp|http|https)", "'TCP', 'HTTP' or 'HTTPS'")]


def _annotation(field: str) -> str:
    return f"{_PREFIX}aws-load-balancer-{field.replace('_', '-')}"


class NetworkLoadBalancerAnnotations(KubeModel):
    """The annotations of a Service by which Auto Mode configures its Network Load Balancer; all are texts.

    ``to_manifest`` returns the annotations with their YAML names. Other annotations pass unchanged.

    Source: EKS User Guide, "Use Service Annotations to configure Network Load Balancers".
    """

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=_annotation, serialization_alias=_annotation), extra="allow"
    )

    scheme: Literal["internal", "internet-facing"] | None = None
    """Whether the load balancer has public addresses. Default: ``internal``, as EKS decides."""
    nlb_target_type: Literal["instance", "ip"] | None = None
    """Whether targets are nodes or pods. Default: ``ip``, as EKS decides."""
    ip_address_type: Literal["ipv4", "dualstack"] | None = None
    """Address families. Default: ``ipv4``, as EKS decides."""
    subnets: TokenOr[str] | None = None
    """Ids or names of subnets, separated by commas; their order is kept. Default: found by their role tags."""
    healthcheck_protocol: _HealthCheckProtocol | None = None
    """``TCP``, ``HTTP`` or ``HTTPS``. Default: ``TCP``, as EKS decides."""
    healthcheck_path: HealthCheckPath | None = None
    """Path of HTTP health checks."""
    healthcheck_port: str | None = None
    """A port, or ``traffic-port``."""
    healthcheck_interval: HealthCheckInterval | None = None
    """Seconds between health checks."""
    healthcheck_timeout: HealthCheckTimeout | None = None
    """Seconds until a health check has failed."""
    healthcheck_healthy_threshold: Threshold | None = None
    """Successes until a target is healthy."""
    healthcheck_unhealthy_threshold: Threshold | None = None
    """Failures until a target is unhealthy."""
    healthcheck_success_codes: SuccessCodes | None = None
    """HTTP codes of success."""
    ssl_cert: TokenOr[str] | None = None
    """ARNs of ACM certificates, separated by commas."""
    ssl_ports: str | None = None
    """Ports that speak TLS, separated by commas. Default: all, where there is a certificate."""
    additional_resource_tags: TokenOr[Pairs] | None = None
    """AWS tags, ``key=value`` separated by commas; the cluster role needs ``custom_tags`` for them."""
    attributes: TokenOr[Attributes] | None = None
    """Attributes of the load balancer, ``key=value`` separated by commas."""
    target_group_attributes: TokenOr[Attributes] | None = None
    """Attributes of the target groups, ``key=value`` separated by commas."""
    enable_tcp_udp_listener: Literal["true", "false"] | None = None
    """Whether one listener serves TCP and UDP of a port. Since 27 July 2026."""
    proxy_protocol_per_target_group: str | None = None
    """Ports whose target groups speak the proxy protocol. Since 27 July 2026."""
    multi_cluster_target_group: Literal["true", "false"] | None = None
    """Whether targets of other clusters in the groups are left alone. Since 5 August 2026."""

    def _broken_rules(self) -> Iterator[Problem]:
        if isinstance(self.attributes, str):
            yield from protection_problems("attributes", self.attributes, "Service")
        known = [_annotation(name) for name in type(self).model_fields]
        for name, value in (self.model_extra or {}).items():
            short = name.removeprefix(_PREFIX)
            if not isinstance(value, str):
                yield VALUE.problem(f"[{shown(name)}]", f"needs a text, got {shown(value)}", near_text(value))
            if short == name or name in known:
                continue
            if short in _UNSUPPORTED:
                yield UNSUPPORTED_SERVICE_ANNOTATION.problem(
                    f"[{shown(name)}]", "is not read by Auto Mode, so it has no effect", _UNSUPPORTED[short]
                )
            elif short.removeprefix("aws-load-balancer-") in _CLASSIC:
                instead = _CLASSIC[short.removeprefix("aws-load-balancer-")].format(value=value)
                yield UNSUPPORTED_SERVICE_ANNOTATION.problem(
                    f"[{shown(name)}]",
                    "is the Classic Load Balancer's and has no effect on a Network Load Balancer",
                    f"write {_PREFIX}aws-load-balancer-{instead}" if instead else "remove it",
                )
            elif (
                short.startswith("aws-load-balancer-")
                and not short.startswith("aws-load-balancer-listener-attributes.")
                and short not in _OF_OPEN_SOURCE
            ):
                yield UNKNOWN_SERVICE_ANNOTATION.problem(
                    f"[{shown(name)}]",
                    "is not a known annotation, so it has no effect",
                    did_you_mean(name, known, edits="key"),
                )


class NetworkLoadBalancerServiceSpec(FreeBody):
    """The body of a Service of type ``LoadBalancer``; fields that Auto Mode does not read pass unchanged."""

    type: Literal["LoadBalancer"]
    """``LoadBalancer``."""
    load_balancer_class: str | None = None
    """``eks.amazonaws.com/nlb``. Default: the same, as Auto Mode's clusters decide."""
    load_balancer_source_ranges: TokenListOf[Cidr] | None = None
    """Who may connect. Default: everyone who can reach the load balancer."""

    def _broken_rules(self) -> Iterator[Problem]:
        yield from super()._broken_rules()
        if self.load_balancer_class not in {None, NLB_CLASS}:
            yield LOAD_BALANCER_CLASS.problem(
                "load_balancer_class",
                f"{shown(self.load_balancer_class)} is not known, so no controller makes a load balancer",
                # No edit: it would be right in a new Service only.
                f"write {NLB_CLASS}. {refused_by_existing('Service')}",
            )


def service_annotation_problems(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems with the annotations of such a Service."""
    _, problems = NetworkLoadBalancerAnnotations.read(mapping_at(metadata, "annotations"))
    yield from (problem.under("annotations") for problem in problems)
