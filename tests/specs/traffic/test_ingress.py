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
        (f"{_PREFIX}group.name", "a", "is not read by Auto Mode; write spec.group of the class's IngressClassParams"),
        (f"{_PREFIX}waf-acl-id", "a", f"is not read by Auto Mode; write {_PREFIX}wafv2-acl-arn"),
        (f"{_PREFIX}web-acl-id", "a", f"is not read by Auto Mode; write {_PREFIX}wafv2-acl-arn"),
        (f"{_PREFIX}wafv2-acl-name", "a", f"may not be read by Auto Mode; write {_PREFIX}wafv2-acl-arn"),
        (f"{_PREFIX}dry-run-plan", "a", "is not read by Auto Mode; remove it"),
        *(
            (
                f"{_PREFIX}{name}",
                "a",
                "is not read by Auto Mode; make the certificate yourself and name it in "
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
        ("kubernetes.io/ingress.class", "alb", "is not read by Auto Mode; write spec.ingressClassName"),
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
            f"metadata.annotations['{_PREFIX}certificate-arns']: is not a known annotation; "
            f"did you mean '{_PREFIX}certificate-arn'?",
        )
    ]
