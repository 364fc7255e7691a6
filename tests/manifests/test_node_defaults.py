"""Node defaults: what they hold, what they refuse, and that every NodeClass of the cluster has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from automode_constructs import (
    AdvancedNetworking,
    CertificateBundle,
    ClusterValues,
    NetworkInterface,
    NodeDefaults,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from tests.refusal import made, refusal

BUNDLE = CertificateBundle.from_pem("corporate", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
ALL = NodeDefaults(
    fips=True,
    kernel_lockdown="integrity",
    https_proxy="http://proxy.corp.example:3128",
    no_proxy=["localhost", ".corp.example"],
    certificate_bundles=[BUNDLE],
    associate_public_ip=False,
    snat_policy="Disabled",
    network_policy="DefaultDeny",
    network_policy_event_logs="Enabled",
    enable_v4_egress=False,
)


def _values(defaults: NodeDefaults | None) -> ClusterValues:
    return ClusterValues(
        cluster_name="dev",
        region="us-east-1",
        node_role="nodes",
        node_subnets=[SubnetSelectorTerm(id="subnet-1")],
        node_security_groups=[SecurityGroupSelectorTerm(id="sg-1")],
        node_defaults=defaults,
        built_in_pools=False,
    )


def test_every_node_class_of_the_cluster_has_them() -> None:
    assert _values(ALL).node_class_spec().to_manifest() == {
        "role": "nodes",
        "subnetSelectorTerms": [{"id": "subnet-1"}],
        "securityGroupSelectorTerms": [{"id": "sg-1"}],
        "snatPolicy": "Disabled",
        "networkPolicy": "DefaultDeny",
        "networkPolicyEventLogs": "Enabled",
        "advancedNetworking": {
            "associatePublicIPAddress": False,
            "httpsProxy": "http://proxy.corp.example:3128",
            "noProxy": ["localhost", ".corp.example"],
            "enableV4Egress": False,
        },
        "advancedSecurity": {"fips": True, "kernelLockdown": "integrity"},
        "certificateBundles": [{"name": "corporate", "data": BUNDLE.data}],
    }


@pytest.mark.parametrize("defaults", [None, NodeDefaults(), NodeDefaults(no_proxy=["a"], certificate_bundles=[])])
def test_what_nobody_said_is_not_written(defaults: NodeDefaults | None) -> None:
    assert set(_values(defaults).node_class_spec().to_manifest()) == {
        "role",
        "subnetSelectorTerms",
        "securityGroupSelectorTerms",
    }


def test_a_node_class_adds_to_them_and_goes_before_them() -> None:
    interface = NetworkInterface(
        network_card_index=0, device_index=0, interface_type="interface", secondary_ipv4_prefix_count=1
    )
    own = AdvancedNetworking(network_interfaces=[interface], enable_v4_egress=True)
    networking = _values(ALL).node_class_spec(advanced_networking=own).to_manifest()["advancedNetworking"]
    assert networking["httpsProxy"] == "http://proxy.corp.example:3128"
    assert networking["enableV4Egress"] is True
    assert [interface["interfaceType"] for interface in networking["networkInterfaces"]] == ["interface"]


def test_they_travel_with_the_outputs_of_a_deployment() -> None:
    outputs = {"dev": {"ClusterValues": json.dumps(_values(ALL).to_manifest())}}
    assert ClusterValues.from_outputs(outputs, where="outputs.json") == _values(ALL)


def test_a_container_gets_the_proxy_as_environment() -> None:
    assert _values(ALL).proxy_environment() == {
        "HTTPS_PROXY": "http://proxy.corp.example:3128",
        "NO_PROXY": "localhost,.corp.example",
    }
    assert _values(None).proxy_environment() == {}


def test_only_what_eks_would_decide_otherwise_is_asked_for() -> None:
    as_eks_decides = NodeDefaults(
        fips=False,
        snat_policy="Random",
        network_policy="DefaultAllow",
        network_policy_event_logs="Disabled",
        enable_v4_egress=True,
        certificate_bundles=[],
    )
    assert as_eks_decides.non_default_fields() == []
    assert ALL.non_default_fields() == list(NodeDefaults.model_fields)


PROXY = "write 'http://host:port', an IPv6 address in brackets: 'http://[2001:db8::4]:3128'"
REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"https_proxy": "proxy.corp.example:3128"},
        "https_proxy: 'proxy.corp.example:3128' has no scheme; write 'http://proxy.corp.example:3128'",
    ),
    ({"https_proxy": "ftp://proxy"}, f"https_proxy: 'ftp://proxy' is not the URL of a proxy; {PROXY}"),
    ({"https_proxy": "http://" + "a" * 249}, "https_proxy: must have at most 255 characters, got 256"),
    ({"no_proxy": ["a" * 256]}, "no_proxy[0]: must have at most 255 characters, got 256"),
    ({"no_proxy": [""]}, "no_proxy[0]: must have at least 1 character, got 0"),
    ({"no_proxy": ".corp"}, "no_proxy: needs a list, got '.corp'"),
    (
        {"no_proxy": ["#{Token[TOKEN.1]}"]},
        "no_proxy[0]: holds a value known only after deployment, which cannot stand here; take an item out of a list "
        "with Fn.select(...), make a text of a number with Token.as_string(...)",
    ),
    (
        {"kernel_lockdown": "integrety"},
        "kernel_lockdown: 'integrety' is not allowed; did you mean 'integrity'? Use one of 'integrity', 'none', "
        "'Integrity', 'None'",
    ),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=[str(fields)[:40] for fields, _ in REFUSED])
def test_mistakes_are_told_in_words(fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(NodeDefaults, **fields)) == message
