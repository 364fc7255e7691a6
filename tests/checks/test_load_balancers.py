"""Load balancers of an IPv6 cluster, and plain HTTP to the internet."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.load_balancers import load_balancer_problems
from automode_constructs.checks.whole_tree import TreeObject, judge_tree

ALB = "alb.ingress.kubernetes.io/"
NLB = "service.beta.kubernetes.io/aws-load-balancer-"
REFUSES = "the controller refuses it: 'lb not dual-stack'"
NO_FAMILY = (
    f"metadata.annotations['{ALB}ip-address-type']: is not set, nor does the class set ipAddressType, in an IPv6 "
    f"cluster: {REFUSES}; set ipAddressType: dualstack in the class's IngressClassParams, or write dualstack here"
)
INSTANCE = "is instance in an IPv6 cluster, whose Services nodes do not serve over IPv4; write ip"
NO_CERTIFICATE = (
    "spec.tls: neither this Ingress nor its class names a certificate, so an internet-facing load balancer speaks "
    f"plain HTTP; set certificateARNs in the class's IngressClassParams, or {ALB}certificate-arn here"
)


def ingress_class(
    params: str | None = "alb", controller: str = "eks.amazonaws.com/alb", *, default: bool = False
) -> dict[str, Any]:
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    spec: dict[str, Any] = {"controller": controller}
    if params is not None:
        spec["parameters"] = {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": params}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "alb", "annotations": annotations},
        "spec": spec,
    }


def class_params(**spec: Any) -> dict[str, Any]:
    head = {"apiVersion": "eks.amazonaws.com/v1", "kind": "IngressClassParams", "metadata": {"name": "alb"}}
    return {**head, "spec": spec}


def ingress(class_name: str | None = "alb", *, tls: bool = False, **annotations: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"tls": [{"hosts": ["shop.example"]}]} if tls else {}
    if class_name is not None:
        spec["ingressClassName"] = class_name
    named = {f"{ALB}{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "annotations": named},
        "spec": spec,
    }


def service(**annotations: str) -> dict[str, Any]:
    named = {f"{NLB}{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "annotations": named},
        "spec": {"type": "LoadBalancer"},
    }


def binding(target_type: str) -> dict[str, Any]:
    head = {"apiVersion": "eks.amazonaws.com/v1", "kind": "TargetGroupBinding", "metadata": {"name": "web"}}
    return {**head, "spec": {"targetType": target_type}}


def found(*manifests: dict[str, Any], ipv6: bool = True) -> list[str]:
    return [f"{index} {problem.severity} {problem}" for index, problem in load_balancer_problems(manifests, ipv6=ipv6)]


@pytest.mark.parametrize(
    ("manifests", "problems"),
    [
        (
            [class_params(ipAddressType="ipv4", targetType="instance")],
            [
                f"0 error spec.ipAddressType: is ipv4 in an IPv6 cluster: {REFUSES}; write dualstack",
                f"0 error spec.targetType: {INSTANCE}",
            ],
        ),
        ([ingress_class(), class_params(), ingress()], [f"2 error {NO_FAMILY}"]),
        ([ingress_class(None), ingress()], [f"1 error {NO_FAMILY}"]),
        ([ingress_class(None, default=True), ingress(None)], [f"1 error {NO_FAMILY}"]),
        (
            [ingress(ip_address_type="ipv4", target_type="instance")],
            [
                f"0 error {NO_FAMILY.replace('is not set', 'is ipv4')}",
                f"0 error metadata.annotations['{ALB}target-type']: {INSTANCE}",
            ],
        ),
        (
            [service()],
            [
                f"0 error metadata.annotations['{NLB}ip-address-type']: is not set, which means ipv4, in an IPv6 "
                f"cluster: {REFUSES}; write dualstack"
            ],
        ),
        (
            [service(ip_address_type="ipv4", nlb_target_type="instance")],
            [
                f"0 error metadata.annotations['{NLB}ip-address-type']: is ipv4 in an IPv6 cluster: {REFUSES}; write "
                "dualstack",
                f"0 error metadata.annotations['{NLB}nlb-target-type']: {INSTANCE}",
            ],
        ),
        ([binding("instance")], [f"0 error spec.targetType: {INSTANCE}"]),
    ],
    ids=["params", "class", "class alone", "default class", "Ingress", "Service", "Service of IPv4", "binding"],
)
def test_what_an_ipv6_cluster_refuses(manifests: list[dict[str, Any]], problems: list[str]) -> None:
    assert found(*manifests) == problems
    assert found(*manifests, ipv6=False) == []


@pytest.mark.parametrize(
    "manifests",
    [
        [ingress_class(), class_params(ipAddressType="dualstack", targetType="ip"), ingress()],
        [ingress_class(), class_params(ipAddressType="dualstack-without-public-ipv4"), ingress()],
        # What the class says takes precedence over the Ingress.
        [
            ingress_class(),
            class_params(ipAddressType="dualstack", targetType="ip"),
            ingress(ip_address_type="ipv4", target_type="instance"),
        ],
        [ingress_class(), class_params(), ingress(ip_address_type="dualstack")],
        [ingress_class()],
        # The class, or its parameters, come from elsewhere.
        [ingress()],
        [ingress_class(), ingress()],
        [ingress_class(controller="k8s.io/ingress-nginx"), ingress(target_type="instance")],
        [service(ip_address_type="dualstack")],
        [{**service(), "spec": {"type": "ClusterIP"}}],
        [{**service(), "spec": {"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb"}}],
        [binding("ip")],
    ],
)
def test_what_it_takes(manifests: list[dict[str, Any]]) -> None:
    assert found(*manifests) == []


OUTSIDE = [ingress_class(), class_params(scheme="internet-facing", ipAddressType="dualstack")]
CERTIFIED = [
    ingress_class(),
    class_params(scheme="internet-facing", ipAddressType="dualstack", certificateARNs=["arn:aws:acm:c"]),
]


@pytest.mark.parametrize(
    ("manifests", "problems"),
    [
        ([*OUTSIDE, ingress()], [f"2 warning {NO_CERTIFICATE}"]),
        ([ingress(scheme="internet-facing")], [f"0 warning {NO_CERTIFICATE}"]),
        (
            [*CERTIFIED, ingress(listen_ports='[{"HTTP": 80}, {"HTTPS": 443}]')],
            [
                f"2 warning metadata.annotations['{ALB}listen-ports']: opens a port that speaks plain HTTP to the "
                f"internet; leave HTTP out, or add {ALB}ssl-redirect: '443'"
            ],
        ),
        ([*OUTSIDE, ingress(certificate_arn="arn:aws:acm:c")], []),
        ([*OUTSIDE, ingress(tls=True)], []),
        ([*CERTIFIED, ingress()], []),
        ([*CERTIFIED, ingress(listen_ports='[{"HTTPS": 443}]')], []),
        ([*CERTIFIED, ingress(listen_ports='[{"HTTP": 80}, {"HTTPS": 443}]', ssl_redirect="443")], []),
        ([*CERTIFIED, ingress(listen_ports="[" * 5000)], []),
        ([ingress_class(), class_params(scheme="internal", ipAddressType="dualstack"), ingress()], []),
        ([ingress_class(controller="k8s.io/ingress-nginx"), ingress(scheme="internet-facing")], []),
    ],
)
def test_plain_http_to_the_internet(manifests: list[dict[str, Any]], problems: list[str]) -> None:
    assert found(*manifests) == problems
    assert {problem.rule for _, problem in load_balancer_problems(manifests, ipv6=True)} <= {"automode:PlainHttp"}


def test_a_tree_is_judged_by_its_address_family() -> None:
    objects = [TreeObject(where="web.yaml", manifest=service())]
    for family, rules in (("ipv6", ["automode:NotDualStack"]), ("ipv4", []), (None, [])):
        findings = judge_tree(objects, default_node_class=True, whole=True, ip_family=family)
        assert [finding.rule for finding in findings if finding.rule == "automode:NotDualStack"] == rules
