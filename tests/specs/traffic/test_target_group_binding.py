from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.specs.traffic.label_selector import LabelSelector
from automode_constructs.specs.traffic.target_group_binding import (
    NetworkingPeer,
    NetworkingPort,
    NetworkingRule,
    NetworkingSecurityGroup,
    ServiceReference,
    TargetGroupBindingSpec,
    TargetGroupNetworking,
)
from tests.refusal import refusal

_LEAST: dict[str, Any] = {"serviceRef": {"name": "web", "port": 80}, "targetGroupARN": "arn:x", "targetType": "ip"}


def test_a_whole_binding_is_written_as_eks_reads_it() -> None:
    spec = TargetGroupBindingSpec(
        service_ref=ServiceReference(name="web", port="http"),
        target_group_arn="${Token[TOKEN.1]}",
        target_type="instance",
        node_selector=LabelSelector(match_labels={"a": "b"}),
        networking=TargetGroupNetworking(
            ingress=[
                NetworkingRule(
                    from_=[NetworkingPeer(security_group=NetworkingSecurityGroup(group_id="sg-1"))],
                    ports=[NetworkingPort(protocol="TCP", port=8080)],
                )
            ]
        ),
        multi_cluster_target_group=True,
    )
    assert spec.to_manifest() == {
        "serviceRef": {"name": "web", "port": "http"},
        "targetGroupARN": "${Token[TOKEN.1]}",
        "targetType": "instance",
        "nodeSelector": {"matchLabels": {"a": "b"}},
        "networking": {
            "ingress": [
                {"from": [{"securityGroup": {"groupID": "sg-1"}}], "ports": [{"protocol": "TCP", "port": 8080}]}
            ]
        },
        "multiClusterTargetGroup": True,
    }
    assert TargetGroupBindingSpec.from_manifest(spec.to_manifest()) == spec
    assert not list(spec.warnings())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"networking": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}},
            "networking.ingress[0].from[0].ipBlock: is not a known field; "
            "name a securityGroup; Auto Mode has load balancers with security groups only",
        ),
        ({"networking": {"ingress": [{"ports": []}]}}, "networking.ingress[0].from: is required"),
        (
            {"networking": {"ingress": [{"from": []}]}},
            "networking.ingress[0].from: must have at least 1 item, got 0",
        ),
        (
            {
                "targetType": "instance",
                "networking": {"ingress": [{"from": [{}], "ports": [{"port": 80}, {"port": "http"}]}]},
            },
            "networking.ingress[0].ports[1].port: 'http' is not a number, which target type instance needs; "
            "write the node port",
        ),
        ({"serviceRef": {"name": "a", "port": 0}}, "serviceRef.port: a port is 1 to 65535, got 0"),
        ({"serviceRef": {"name": "a", "port": 1.5}}, "serviceRef.port: 1.5 is neither a port nor the name of one"),
        (
            {"targetGroupName": "a"},
            "targetGroupName: is not a known field; "
            "write targetGroupARN; Auto Mode does not look target groups up by name",
        ),
    ],
)
def test_a_binding_is_complete_and_fits(changed: dict[str, Any], message: str) -> None:
    assert refusal(lambda: TargetGroupBindingSpec.from_manifest({**_LEAST, **changed})) == message


def test_a_target_type_is_required() -> None:
    document = {name: value for name, value in _LEAST.items() if name != "targetType"}
    assert refusal(lambda: TargetGroupBindingSpec.from_manifest(document)) == "targetType: is required"


def test_a_node_selector_without_effect_is_warned_of() -> None:
    spec = TargetGroupBindingSpec.from_manifest({**_LEAST, "nodeSelector": {}})
    assert [(problem.rule, str(problem)) for problem in spec.warnings(by_alias=True)] == [
        ("automode:TargetNodeSelector", "nodeSelector: has no effect with target type ip; remove it")
    ]
