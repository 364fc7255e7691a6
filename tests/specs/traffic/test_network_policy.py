from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.document import Manifest, judge_document
from automode_constructs.specs.traffic.network_policy import ApplicationNetworkPolicySpec, ClusterNetworkPolicySpec
from tests.refusal import refusal
from tests.specs.documents import APPLICATION_POLICY, CLUSTER_POLICY


def _document(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "galaxy"} if kind == "ApplicationNetworkPolicy" else {"name": "a"}
    return {"apiVersion": "networking.k8s.aws/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    "document",
    [_document("ApplicationNetworkPolicy", APPLICATION_POLICY), _document("ClusterNetworkPolicy", CLUSTER_POLICY)],
    ids=lambda document: str(document["kind"]),
)
def test_whole_policies_have_no_finding_and_come_back_whole(document: dict[str, Any]) -> None:
    assert judge_document(document) == []
    assert Manifest.from_manifest(document).to_manifest() == document


def _egress(peer: dict[str, Any], *ports: dict[str, Any]) -> dict[str, Any]:
    return {"podSelector": {}, "egress": [{"to": [peer], "ports": list(ports)}]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "podSelector: is required"),
        (
            _egress({"domainNames": ["a.b"], "podSelector": {}}),
            "egress[0].to[0]: a peer is selected in one way, got 'podSelector' and 'domainNames'; "
            "write a peer for each",
        ),
        (
            _egress({"ipBlock": {"cidr": "10.0.0.0/8"}, "namespaceSelector": {}}),
            "egress[0].to[0]: a peer is selected in one way, got 'namespaceSelector' and 'ipBlock'; "
            "write a peer for each",
        ),
        (
            _egress({"domainNames": ["localhost"]}),
            "egress[0].to[0].domainNames[0]: 'localhost' is not a domain name such as 'example.com' or '*.example.com'",
        ),
        (
            _egress({}, {"port": "http", "endPort": 90}),
            "egress[0].ports[0].endPort: 90 needs a 'port' that is a number and not above it, got 'http'",
        ),
        (
            {"podSelector": {}, "ingress": [{"from": [{"domainNames": ["a.b"]}]}]},
            "ingress[0].from[0].domainNames: is not a known field; "
            "use one of 'podSelector', 'namespaceSelector', 'ipBlock'",
        ),
        ({"podSelector": {}, "policyTypes": ["egress"]}, None),
    ],
)
def test_an_application_policy_fits(document: dict[str, Any], message: str | None) -> None:
    told = refusal(lambda: ApplicationNetworkPolicySpec.from_manifest(document))
    assert told == (
        message or "policyTypes[0]: 'egress' is not allowed; did you mean 'Egress'? Use one of 'Ingress', 'Egress'"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tier": "admin"}, "tier: 'admin' is not allowed; did you mean 'Admin'? Use one of 'Admin', 'Baseline'"),
        ({"priority": 1001}, "priority: must be at most 1000, got 1001"),
        ({"subject": {}}, "subject: exactly one of 'namespaces', 'pods' is needed, got none"),
        (
            {"egress": [{"action": "Accept", "to": [{"networks": ["10.0.0.0/8"], "domainNames": ["a.b"]}]}]},
            "egress[0].to[0]: exactly one of 'namespaces', 'pods', 'networks', 'domainNames' is needed, "
            "got 'networks' and 'domainNames'",
        ),
        (
            {"egress": [{"action": "Deny", "to": [{"networks": ["::/0"]}, {"domainNames": ["a.b"]}]}]},
            "egress[0].to[1].domainNames: domain names cannot be denied; accept some and deny networks below",
        ),
        (
            {"ingress": [{"action": "Allow", "from": [{"namespaces": {}}]}]},
            "ingress[0].action: 'Allow' is not allowed; use one of 'Accept', 'Deny', 'Pass'",
        ),
        (
            {
                "ingress": [
                    {
                        "action": "Pass",
                        "from": [{"namespaces": {}}],
                        "ports": [{"portRange": {"start": 2, "end": 2}}],
                    }
                ]
            },
            "ingress[0].ports[0].portRange.end: must be above start (2), got 2",
        ),
        ({"egress": [{"action": "Pass", "to": []}]}, "egress[0].to: must have at least 1 item, got 0"),
        (
            {"egress": [{"action": "Pass", "to": [{"domainNames": ["a.b"]}]}]},
            "egress[0].to[0].domainNames: domain names cannot be passed; accept them, or leave them to the policies of "
            "the namespaces",
        ),
        (
            {"egress": [{"action": "Deny", "to": [{"networks": ["10.0.0.0/8", "10.0.0.0/8"]}]}]},
            "egress[0].to[0].networks: names one twice; name each once",
        ),
    ],
)
def test_a_cluster_policy_fits(changed: dict[str, Any], message: str) -> None:
    assert refusal(lambda: ClusterNetworkPolicySpec.from_manifest({**CLUSTER_POLICY, **changed})) == message


def _switch(data: Any, **metadata: str) -> dict[str, Any]:
    named = {"name": "amazon-vpc-cni", "namespace": "kube-system", **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": data}


@pytest.mark.parametrize(
    "data",
    [
        {"enable-network-policy-controller": "true"},
        {"enable-network-policy-controller": "false", "enable-windows-ipam": "true"},
        {"enable-network-policy-controller": "true", "enable-network-policy": "true"},
    ],
)
def test_the_switch_has_no_finding_and_comes_back_whole(data: dict[str, str]) -> None:
    document = _switch(data)
    assert judge_document(document) == []
    assert Manifest.from_manifest(document).to_manifest() == document


@pytest.mark.parametrize(
    ("data", "finding"),
    [
        (
            {"enable-network-policy": "true"},
            (
                "warning",
                "automode:NetworkPolicyKey",
                "data['enable-network-policy']: is not read by EKS, so no policy is enforced; write "
                "enable-network-policy-controller",
            ),
        ),
        (
            {"enable-network-policy-controller": "yes"},
            (
                "warning",
                "automode:NetworkPolicyKey",
                "data['enable-network-policy-controller']: 'yes' is not 'true', so no policy is enforced; write 'true'",
            ),
        ),
        (
            {"enable-network-policy-controller": True},
            (
                "error",
                "automode:Value",
                "data['enable-network-policy-controller']: needs a text, got True; quote it: 'true'",
            ),
        ),
    ],
)
def test_a_switch_that_does_nothing_is_told(data: dict[str, Any], finding: tuple[str, str, str]) -> None:
    findings = judge_document(_switch(data))
    assert findings is not None
    assert [(one.severity, one.rule, str(one)) for one in findings] == [finding]


@pytest.mark.parametrize("metadata", [{"namespace": "default"}, {"name": "settings"}])
def test_other_config_maps_are_passed_by(metadata: dict[str, str]) -> None:
    assert judge_document(_switch({"enable-network-policy": "true"}, **metadata)) is None
