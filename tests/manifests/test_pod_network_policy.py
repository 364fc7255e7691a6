"""What some pods may receive and reach: one policy by addresses, one beside it by domain names."""

from __future__ import annotations

from typing import Any

import cdk8s
import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.manifests.pod_network_policy import DNS, POD_IDENTITY, PodNetworkPolicy, https_to
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule
from automode_constructs.testing import manifests
from tests.refusal import refusal


def made(**arguments: Any) -> dict[str, dict[str, Any]]:
    """The policies by kind."""
    chart = cdk8s.Chart(cdk8s.App(), "chart", namespace="apps")
    PodNetworkPolicy(chart, "web", **{"pod_labels": {"app": "web"}, **arguments})
    return {item["kind"]: item for item in manifests(chart)}


def test_by_default_nothing_comes_in_and_nothing_goes_out() -> None:
    assert made() == {
        "NetworkPolicy": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "web", "namespace": "apps"},
            "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress", "Egress"]},
        }
    }


def test_domain_names_go_to_a_policy_of_another_name_with_dns() -> None:
    rule = https_to(domain_names=["*.example.com"], cidrs=["10.0.0.0/16"], port=8443)
    objects = made(name="shop", labels={"team": "red"}, egress=[DNS, POD_IDENTITY, rule])
    ports = [{"port": 8443, "protocol": "TCP"}]
    assert objects["NetworkPolicy"]["spec"]["egress"] == [
        DNS.to_manifest(),
        POD_IDENTITY.to_manifest(),
        {"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": ports},
    ]
    domains = objects["ApplicationNetworkPolicy"]
    assert domains["metadata"] == {"name": "shop-domains", "namespace": "apps", "labels": {"team": "red"}}
    assert domains["spec"] == {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Egress"],
        "egress": [DNS.to_manifest(), {"to": [{"domainNames": ["*.example.com"]}], "ports": ports}],
    }
    assert judge_document(domains) == []


def test_a_rule_to_everywhere_stays_one() -> None:
    assert made(egress=[ApplicationEgressRule()])["NetworkPolicy"]["spec"]["egress"] == [{}]


def test_clients_reach_ports_alone() -> None:
    def ingress(**arguments: Any) -> Any:
        return made(**arguments)["NetworkPolicy"]["spec"].get("ingress")

    ports = [{"port": 80, "protocol": "TCP"}, {"port": 443, "protocol": "TCP"}]
    assert ingress(clients=[{"podSelector": {}}], ports=[80, 443]) == [{"from": [{"podSelector": {}}], "ports": ports}]
    assert ingress(clients=None, ports=[80, 443]) == [{"ports": ports}]
    assert ingress(clients=[{"podSelector": {}}]) is None
    assert ingress(ports=[80]) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pod_labels": {"a b": "c"}}, "chart/web: pod_labels.match_labels['a b']: 'a b' is not a label key"),
        ({"ports": [80, 0]}, "chart/web: ports[1].port: a port is 1 to 65535, got 0"),
        ({"name": "Web"}, "chart/web: name: 'Web' cannot be the name of this object; use at most 245 lower-case"),
        (
            {"clients": [{}]},
            "chart/web: clients[0]: is empty and selects nobody; write {'podSelector': {}} for the pods",
        ),
        ({"egress": [{"to": []}]}, "chart/web: egress[0]: needs an ApplicationEgressRule, got a mapping"),
    ],
)
def test_refusals_name_the_argument(arguments: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(**arguments)).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "https_to: domain_names: is empty, and so is cidrs: the rule would open every address; name at least one"),
        (
            {"domain_names": ["https://a.example"]},
            "https_to: domain_names[0]: 'https://a.example' is not a domain name",
        ),
        ({"cidrs": ["10.0.0.1"]}, "https_to: cidrs[0].cidr: '10.0.0.1' has no prefix length; write '10.0.0.1/32'"),
        ({"cidrs": ["10.0.0.0/8"], "port": 0}, "https_to: port: a port is 1 to 65535, got 0"),
    ],
)
def test_a_rule_that_eks_would_refuse(arguments: dict[str, Any], message: str) -> None:
    assert refusal(lambda: https_to(**arguments)).startswith(message)
