from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.document import Manifest, judge_document

_PREFIX = "alb.ingress.kubernetes.io/"


def _ingress(annotations: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "annotations": annotations},
        "spec": {"ingressClassName": "alb", "rules": [{"host": "example.com"}]},
    }


@pytest.mark.parametrize(
    "annotations", [{}, None, {f"{_PREFIX}scheme": "internal", f"{_PREFIX}auth-type": "cognito", "group.name": "a"}]
)
def test_an_ingress_that_fits_has_no_finding_and_comes_back_whole(annotations: Any) -> None:
    document = _ingress(annotations)
    assert judge_document(document) == []
    assert Manifest.from_manifest(document).to_manifest() == document


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            f"{_PREFIX}group.name",
            "a",
            "is not read by Auto Mode, so it has no effect; write spec.group of the class's IngressClassParams",
        ),
        (f"{_PREFIX}waf-acl-id", "a", f"is not read by Auto Mode, so it has no effect; write {_PREFIX}wafv2-acl-arn"),
        (f"{_PREFIX}web-acl-id", "a", f"is not read by Auto Mode, so it has no effect; write {_PREFIX}wafv2-acl-arn"),
        (f"{_PREFIX}wafv2-acl-name", "a", f"may not be read by Auto Mode; write {_PREFIX}wafv2-acl-arn"),
        (f"{_PREFIX}dry-run-plan", "a", "is not read by Auto Mode, so it has no effect; remove it"),
        *(
            (
                f"{_PREFIX}{name}",
                "a",
                "is not read by Auto Mode, so it has no effect; make the certificate yourself and name it in "
                f"{_PREFIX}certificate-arn or certificateARNs",
            )
            for name in ("create-acm-cert", "acm-pca-arn")
        ),
        (
            f"{_PREFIX}tags",
            "a=b",
            "is refused by Auto Mode's permissions and can keep the Ingress from going; "
            "write spec.tags of the class's IngressClassParams",
        ),
        (
            f"{_PREFIX}auth-type",
            "oidc",
            "'oidc' needs a Secret that Auto Mode's controller may not read by itself; let group eks:managed read it",
        ),
        (
            "kubernetes.io/ingress.class",
            "alb",
            "is not read by Auto Mode, so it has no effect; write spec.ingressClassName",
        ),
    ],
)
def test_annotations_that_auto_mode_does_not_take_are_warned_of(name: str, value: str, text: str) -> None:
    findings = judge_document(_ingress({name: value}))
    assert findings is not None
    assert [(one.severity, one.rule, str(one)) for one in findings] == [
        ("warning", "automode:UnsupportedIngressAnnotation", f"metadata.annotations['{name}']: {text}")
    ]


@pytest.mark.parametrize(
    ("attributes", "rules"),
    [
        ("deletion_protection.enabled=true", ["automode:ProtectedLoadBalancer"]),
        ("idle_timeout.timeout_seconds=60, deletion_protection.enabled = True", ["automode:ProtectedLoadBalancer"]),
        ("deletion_protection.enabled=false", []),
    ],
)
def test_a_protected_load_balancer_keeps_its_ingress_from_going(attributes: str, rules: list[str]) -> None:
    name = f"{_PREFIX}load-balancer-attributes"
    findings = judge_document(_ingress({name: attributes}))
    assert findings is not None
    assert [finding.rule for finding in findings] == rules
    for finding in findings:
        assert finding.severity == "warning"
        assert str(finding) == (
            f"metadata.annotations['{name}']: protects the load balancer, so that the deletion of this Ingress does "
            "not end while it stands here; leave it out, or deploy without it before you delete the object or its stack"
        )


@pytest.mark.parametrize(
    ("annotations", "text"),
    [
        ({"a": True}, "metadata.annotations['a']: needs a text, got True; quote it"),
        ([], "metadata.annotations: needs a mapping, got a list of 0"),
    ],
)
def test_annotations_are_texts(annotations: Any, text: str) -> None:
    findings = judge_document(_ingress(annotations))
    assert findings is not None
    assert [(one.severity, str(one)) for one in findings] == [("error", text)]


def test_an_ingress_of_another_controller_is_passed_by() -> None:
    annotations = {"kubernetes.io/ingress.class": "nginx", f"{_PREFIX}group.name": "a"}
    assert judge_document(_ingress(annotations)) is None


def test_a_misspelt_annotation_is_warned_of_and_a_new_one_is_not() -> None:
    assert judge_document(_ingress({f"{_PREFIX}quite-new": "a", f"{_PREFIX}frontend-nlb-tags": "a"})) == []
    findings = judge_document(_ingress({f"{_PREFIX}certificate-arns": "a", f"{_PREFIX}actions.web": "{}"}))
    assert findings is not None
    assert [(one.severity, one.rule, str(one)) for one in findings] == [
        (
            "warning",
            "automode:MisspeltIngressAnnotation",
            f"metadata.annotations['{_PREFIX}certificate-arns']: is not a known annotation, so it has no effect; "
            f"did you mean '{_PREFIX}certificate-arn'?",
        )
    ]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("scheme", "public", "'public' is not allowed; use one of 'internal', 'internet-facing'"),
        ("target-type", "pod", "'pod' is not allowed; use one of 'instance', 'ip'"),
        (
            "ip-address-type",
            "ipv6",
            "'ipv6' is not allowed; did you mean 'ipv4'? Use one of 'ipv4', 'dualstack', "
            "'dualstack-without-public-ipv4'",
        ),
        ("backend-protocol", "http", "'http' is not allowed; did you mean 'HTTP'? Use one of 'HTTP', 'HTTPS'"),
        ("backend-protocol-version", "gRPC", "'gRPC' is not allowed; did you mean 'GRPC'? "),
        ("healthcheck-protocol", "TCP", "'TCP' is not allowed; "),
        ("healthcheck-interval-seconds", "15s", "'15s' is not a whole number written as text ('3000')"),
        ("healthy-threshold-count", "two", "'two' is not a whole number written as text ('3000')"),
        ("success-codes", "2xx", "'2xx' is not codes such as '200', '200,301' or '200-399'"),
        (
            "listen-ports",
            "443",
            "'443' is not what a controller reads here; write for example '[{\"HTTPS\": 443}]'",
        ),
        (
            "listen-ports",
            '[{"TCP": 80}]',
            "'[{\"TCP\": 80}]' is not what a controller reads here; write for example '[{\"HTTPS\": 443}]'",
        ),
        (
            "listen-ports",
            '[{"HTTP": "80"}]',
            '\'[{"HTTP": "80"}]\' is not what a controller reads here; write for example \'[{"HTTPS": 443}]\'',
        ),
        ("actions.a", "{Type: x}", "'{Type: x}' is not JSON; write for example '{\"name\": ...}'"),
        (
            "conditions.a",
            '{"field": "host-header"}',
            "'{\"field\": \"host-header\"}' is not what a controller reads here; write for example '[{...}]'",
        ),
        ("healthcheck-path", "healthz", "'healthz' is not a path that begins with '/', such as '/healthz'"),
        ("healthcheck-interval-seconds", "1", "'1' must be 5 to 300"),
        ("healthcheck-timeout-seconds", "500", "'500' must be 2 to 120"),
        ("healthy-threshold-count", "1", "'1' must be 2 to 10"),
        ("unhealthy-threshold-count", "11", "'11' must be 2 to 10"),
        ("success-codes", "200,600", "'200,600' has codes that no health check takes; write 200 to 499"),
        ("ssl-redirect", "70000", "'70000' must be 1 to 65535"),
        ("group.order", "1001", "'1001' must be -1000 to 1000"),
        (
            "load-balancer-attributes",
            "idle_timeout=60",
            "'idle_timeout' is no attribute; write its whole name, such as 'idle_timeout.timeout_seconds'",
        ),
        (
            "load-balancer-attributes",
            "routing.http2.enabled=yes",
            "'yes' is not allowed as routing.http2.enabled; write true or false",
        ),
        (
            "target-group-attributes",
            "deregistration_delay.timeout_seconds=30s",
            "'30s' is not allowed as deregistration_delay.timeout_seconds; write a whole number",
        ),
        (
            "ssl-policy",
            "TLS13",
            "'TLS13' is not a security policy such as 'ELBSecurityPolicy-TLS13-1-2-2021-06'",
        ),
        ("inbound-cidrs", "10.0.0.0", "'10.0.0.0' is no range of addresses; write ranges such as '10.0.0.0/8'"),
        ("inbound-cidrs", "10.0.0.0/33", "'10.0.0.0/33' is no range of addresses; write ranges such as '10.0.0.0/8'"),
        ("wafv2-acl-arn", "web", "'web' is not the ARN of a web ACL, or 'none'"),
        ("listen-ports", "HTTPS:443", "'HTTPS:443' is not JSON; write for example '[{\"HTTPS\": 443}]'"),
        ("ssl-redirect", "true", "'true' is not a port such as '443'"),
        ("certificate-arn", "my-cert", "'my-cert' is not a list of ARNs, separated by commas"),
        ("load-balancer-attributes", "idle_timeout", "'idle_timeout' is not a list of pairs ('key=value,key=value')"),
        ("load-balancer-name", "a" * 33, f"'{'a' * 33}' is not a name of at most 32 letters, digits and '-'"),
        ("group.order", "first", "'first' is not a whole number written as text ('10')"),
        ("auth-type", "saml", "'saml' is not allowed; "),
        ("shield-advanced-protection", "yes", "'yes' is not 'true' or 'false'"),
        ("use-regex-path-match", "on", "'on' is not 'true' or 'false'"),
    ],
)
def test_values_are_judged_as_those_of_a_service(name: str, value: str, text: str | None) -> None:
    findings = judge_document(_ingress({f"{_PREFIX}{name}": value})) or []
    told = [(one.severity, one.rule, str(one)) for one in findings if one.rule == "automode:Value"]
    if text is None:
        assert told == []
        return
    ((severity, _, message),) = told
    assert severity == "error"
    assert message.startswith(f"metadata.annotations['{_PREFIX}{name}']: {text}")


GOOD = {
    "scheme": "internet-facing",
    "target-type": "ip",
    "listen-ports": '[{"HTTP": 80}, {"HTTPS": 443}]',
    "ssl-redirect": "443",
    "certificate-arn": "arn:aws:acm:eu-west-1:111122223333:certificate/a, "
    "arn:aws:acm:eu-west-1:111122223333:certificate/b",
    "success-codes": "200-299,301",
    "healthcheck-port": "traffic-port",
    "healthcheck-path": "/health",
    "healthcheck-interval-seconds": "15",
    "load-balancer-attributes": "idle_timeout.timeout_seconds=60,routing.http2.enabled=true",
    "group.order": "-10",
    "use-regex-path-match": "True",
    "actions.ssl": '{"type": "redirect"}',
    "conditions.a": '[{"field": "host-header"}]',
    "transforms.a": "[]",
    "ssl-policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "inbound-cidrs": "10.0.0.0/8, 2001:db8::/32",
    "wafv2-acl-arn": "none",
    "target-group-attributes": "stickiness.enabled=true,load_balancing.algorithm.type=round_robin",
    "subnets": "subnet-a, subnet-b",
}


@pytest.mark.parametrize("name", GOOD)
def test_values_as_a_controller_reads_them_pass(name: str) -> None:
    assert judge_document(_ingress({f"{_PREFIX}{name}": GOOD[name]})) == []
