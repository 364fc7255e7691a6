from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.document import Manifest, judge_document
from automode_constructs.specs.traffic.network_load_balancer import (
    NLB_CLASS,
    NetworkLoadBalancerAnnotations,
    NetworkLoadBalancerServiceSpec,
)
from tests.refusal import made, refusal

_PREFIX = "service.beta.kubernetes.io/"


def _service(annotations: Any = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"} if annotations is None else {"name": "web", "annotations": annotations},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "targetPort": 8080}], **spec},
    }


def _told(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    findings = judge_document(document)
    assert findings is not None
    return [(finding.severity, finding.rule, str(finding)) for finding in findings]


def test_annotations_are_written_with_the_names_that_eks_reads() -> None:
    annotations = NetworkLoadBalancerAnnotations(
        scheme="internet-facing",
        nlb_target_type="ip",
        ssl_cert="${Token[TOKEN.1]}",
        attributes="load_balancing.cross_zone.enabled=true,access_logs.s3.enabled=false",
        enable_tcp_udp_listener="true",
    )
    assert annotations.to_manifest() == {
        f"{_PREFIX}aws-load-balancer-scheme": "internet-facing",
        f"{_PREFIX}aws-load-balancer-nlb-target-type": "ip",
        f"{_PREFIX}aws-load-balancer-ssl-cert": "${Token[TOKEN.1]}",
        f"{_PREFIX}aws-load-balancer-attributes": "load_balancing.cross_zone.enabled=true,access_logs.s3.enabled=false",
        f"{_PREFIX}aws-load-balancer-enable-tcp-udp-listener": "true",
    }
    assert NetworkLoadBalancerAnnotations.from_manifest(annotations.to_manifest()) == annotations


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scheme": "public"}, "scheme: 'public' is not allowed; use one of 'internal', 'internet-facing'"),
        ({"attributes": "a"}, "attributes: 'a' is not a list of pairs ('key=value,key=value')"),
        ({"subnets": 1}, "subnets: needs a text, got 1"),
    ],
)
def test_values_have_their_form(fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(NetworkLoadBalancerAnnotations, **fields)) == message


@pytest.mark.parametrize(
    "document",
    [
        _service(),
        _service(loadBalancerClass=NLB_CLASS, loadBalancerSourceRanges=["10.0.0.0/8"], externalTrafficPolicy="Local"),
        _service({f"{_PREFIX}aws-load-balancer-listener-attributes.TCP-80": "tcp.idle_timeout.seconds=350"}),
        _service({f"{_PREFIX}aws-load-balancer-name": "web", "scheme": "of another", "prometheus.io/scrape": "true"}),
        _service({}),
    ],
)
def test_services_that_fit_are_judged_without_a_finding_and_come_back_whole(document: dict[str, Any]) -> None:
    assert judge_document(document) == []
    assert Manifest.from_manifest(document).to_manifest() == document


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("load-balancer-source-ranges", "write spec.loadBalancerSourceRanges"),
        ("aws-load-balancer-type", f"leave it out; spec.loadBalancerClass {NLB_CLASS} stands for it"),
        ("aws-load-balancer-internal", f"write {_PREFIX}aws-load-balancer-scheme"),
        ("aws-load-balancer-proxy-protocol", f"write {_PREFIX}aws-load-balancer-target-group-attributes"),
        ("aws-load-balancer-access-log-enabled", f"write {_PREFIX}aws-load-balancer-attributes"),
        ("aws-load-balancer-cross-zone-load-balancing-enabled", f"write {_PREFIX}aws-load-balancer-attributes"),
    ],
)
def test_annotations_that_auto_mode_does_not_read_are_warned_of(name: str, cure: str) -> None:
    assert _told(_service({f"{_PREFIX}{name}": "x"})) == [
        (
            "warning",
            "automode:UnsupportedServiceAnnotation",
            f"metadata.annotations['{_PREFIX}{name}']: is not read by Auto Mode, so it has no effect; {cure}",
        )
    ]


def test_a_protected_load_balancer_keeps_its_service_from_going() -> None:
    name = f"{_PREFIX}aws-load-balancer-attributes"
    [(severity, rule, text)] = _told(_service({name: "deletion_protection.enabled=true"}))
    assert (severity, rule) == ("warning", "automode:ProtectedLoadBalancer")
    assert text.startswith(f"metadata.annotations['{name}']: protects the load balancer, so that the deletion of this")


def test_a_misspelt_annotation_is_warned_of_with_the_nearest() -> None:
    [(severity, rule, text)] = _told(_service({f"{_PREFIX}aws-load-balancer-nlb-taget-type": "ip"}))
    assert (severity, rule) == ("warning", "automode:UnknownServiceAnnotation")
    assert text.startswith(
        f"metadata.annotations['{_PREFIX}aws-load-balancer-nlb-taget-type']: is not a known annotation, so it "
        f"has no effect; did you mean '{_PREFIX}aws-load-balancer-nlb-target-type'? Use one of "
    )


@pytest.mark.parametrize(
    ("document", "finding"),
    [
        (
            _service({f"{_PREFIX}aws-load-balancer-scheme": "public"}),
            (
                "error",
                "automode:Value",
                f"metadata.annotations['{_PREFIX}aws-load-balancer-scheme']: 'public' is not allowed; "
                "use one of 'internal', 'internet-facing'",
            ),
        ),
        (
            _service({"a": 1}),
            ("error", "automode:ObjectMetadata", "metadata.annotations['a']: needs a text, got 1; quote it: '1'"),
        ),
        (
            _service({"scheme": True}),
            (
                "error",
                "automode:ObjectMetadata",
                "metadata.annotations['scheme']: needs a text, got True; quote it",
            ),
        ),
        (
            _service([]),
            ("error", "automode:Value", "metadata.annotations: needs a mapping, got a list of 0"),
        ),
        (
            _service(loadBalancerClass="eks.amazonaws.com/alb"),
            (
                "warning",
                "automode:LoadBalancerClass",
                "spec.loadBalancerClass: 'eks.amazonaws.com/alb' is not known, so no controller makes a load "
                "balancer; write eks.amazonaws.com/nlb. "
                "An existing Service refuses this change: delete it and create it again; its address changes",
            ),
        ),
        (
            _service(loadBalancerSourceRanges=["10.0.0.1"]),
            (
                "error",
                "automode:Value",
                "spec.loadBalancerSourceRanges[0]: '10.0.0.1' has no prefix length; write '10.0.0.1/32'",
            ),
        ),
        (
            _service(load_balancer_class=NLB_CLASS),
            (
                "error",
                "automode:UnknownField",
                "spec['load_balancer_class']: is not a known field; use 'loadBalancerClass'",
            ),
        ),
    ],
)
def test_what_does_not_fit_is_told(document: dict[str, Any], finding: tuple[str, str, str]) -> None:
    assert _told(document) == [finding]


@pytest.mark.parametrize("spec", [{"type": "ClusterIP"}, {"loadBalancerClass": "example.com/lb"}, {"type": None}])
def test_other_services_are_passed_by(spec: dict[str, Any]) -> None:
    assert judge_document(_service({f"{_PREFIX}aws-load-balancer-internal": "true"}, **spec)) is None


def test_names_of_yaml_are_not_taken_for_python() -> None:
    assert refusal(lambda: made(NetworkLoadBalancerServiceSpec, type="LoadBalancer", loadBalancerClass="x")) == (
        "['loadBalancerClass']: is the name in YAML; write load_balancer_class here"
    )


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        (
            "connection-idle-timeout",
            "60",
            f"write {_PREFIX}aws-load-balancer-listener-attributes.TCP-80 (for port 80): tcp.idle_timeout.seconds=60",
        ),
        (
            "connection-draining-timeout",
            "30",
            f"write {_PREFIX}aws-load-balancer-target-group-attributes: deregistration_delay.timeout_seconds=30",
        ),
        ("extra-security-groups", "sg-1", f"write {_PREFIX}aws-load-balancer-security-groups: sg-1"),
    ],
)
def test_an_annotation_of_the_classic_load_balancer_has_no_neighbour_but_a_successor(
    name: str, value: str, cure: str
) -> None:
    assert _told(_service({f"{_PREFIX}aws-load-balancer-{name}": value})) == [
        (
            "warning",
            "automode:UnsupportedServiceAnnotation",
            f"metadata.annotations['{_PREFIX}aws-load-balancer-{name}']: is the Classic Load Balancer's and has no "
            "effect "
            f"on a Network Load Balancer; {cure}",
        )
    ]


@pytest.mark.parametrize("name", ["quic-enabled-ports", "quic-enabled-containers", "eip-allocations-discovery-tags"])
def test_an_annotation_that_the_open_source_controller_reads_is_known(name: str) -> None:
    assert judge_document(_service({f"{_PREFIX}aws-load-balancer-{name}": "443"})) == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("healthcheck-protocol", "UDP", "'UDP' is not 'TCP', 'HTTP' or 'HTTPS'"),
        ("healthcheck-interval", "10s", "'10s' is not a whole number written as text ('3000')"),
        ("healthcheck-healthy-threshold", "many", "'many' is not a whole number written as text ('3000')"),
        ("healthcheck-success-codes", "ok", "'ok' is not codes such as '200', '200,301' or '200-399'"),
    ],
)
def test_values_of_health_checks_have_a_form(name: str, value: str, text: str) -> None:
    annotation = f"{_PREFIX}aws-load-balancer-{name}"
    assert [one[::2] for one in _told(_service({annotation: value}))] == [
        ("error", f"metadata.annotations['{annotation}']: {text}")
    ]
    assert judge_document(_service({f"{_PREFIX}aws-load-balancer-healthcheck-protocol": "http"})) == []
