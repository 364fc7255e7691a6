"""Pools in Local Zones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cdk8s
import pytest

from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.patterns.charts.local_zone import LocalZoneChart
from automode_constructs.rendering.render import render
from automode_constructs.specs.nodes.node_class import SecurityGroupSelectorTerm, SubnetSelectorTerm
from tests.refusal import refusal

OUTPUTS = Path(__file__).parents[3] / "examples" / "outputs.json"
VALUES = ClusterValues.from_outputs(json.loads(OUTPUTS.read_text("utf-8")), where="outputs.json")
LAX = "us-west-2-lax-1a"
SUBNETS = {LAX: "subnet-0aaaaaaaaaaaaaaaa"}


def made(**arguments: Any) -> LocalZoneChart:
    given: dict[str, Any] = {"values": VALUES, "subnet_ids": SUBNETS} | arguments
    return LocalZoneChart(cdk8s.App(), "edge", **given)


def test_class_and_pool_are_pinned_to_the_zone() -> None:
    objects = {item["kind"]: item for item in made(instance_families={LAX: ["c5", "m5"]}).to_json()}
    assert {item["metadata"]["name"] for item in objects.values()} == {LAX}
    assert objects["NodeClass"]["spec"]["subnetSelectorTerms"] == [{"id": SUBNETS[LAX]}]
    nodes = objects["NodePool"]["spec"]["template"]["spec"]
    assert nodes["requirements"] == [
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [LAX]},
        {"key": "eks.amazonaws.com/instance-family", "operator": "In", "values": ["c5", "m5"]},
    ]
    assert nodes["taints"] == [{"key": "aws.amazon.com/local-zone", "value": "true", "effect": "NoSchedule"}]


@pytest.mark.parametrize(
    ("arguments", "limits"), [({}, {"cpu": 64}), ({"cpu_limit": 500}, {"cpu": 500}), ({"cpu_limit": None}, None)]
)
def test_a_pool_stops_growing_unless_its_limit_is_lifted(arguments: dict[str, Any], limits: Any) -> None:
    (spec,) = [item["spec"] for item in made(**arguments).to_json() if item["kind"] == "NodePool"]
    assert spec.get("limits") == limits


def test_pods_stay_in_the_zone_where_the_cluster_has_pod_subnets() -> None:
    values = VALUES.replace(
        pod_subnets=[SubnetSelectorTerm(id="subnet-0bbbbbbbbbbbbbbbb")],
        pod_security_groups=[SecurityGroupSelectorTerm(id="sg-0123456789abcdef0")],
    )
    (spec,) = [item["spec"] for item in made(values=values).to_json() if item["kind"] == "NodeClass"]
    assert "podSubnetSelectorTerms" not in spec
    assert "podSecurityGroupSelectorTerms" not in spec


def test_what_a_zone_offers_is_asked_for_once() -> None:
    (note,) = render(made()).notes
    assert (note.rule, note.message) == (
        "automode:LocalZoneOffer",
        f"instance_families: the offer of '{LAX}' is not known here, nor whether it has gp3 volumes; look it up and "
        "pass it: aws ec2 describe-instance-type-offerings --location-type availability-zone --filters "
        f"Name=location,Values={LAX}",
    )
    assert render(made(instance_families={LAX: ["c5"]})).notes == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"subnet_ids": {"us-west-2a": "subnet-0aaaaaaaaaaaaaaaa"}},
            "subnet_ids['us-west-2a']: is not the name of a Local Zone",
        ),
        (
            {"instance_families": {"us-west-2-den-1a": ["c5"]}},
            "instance_families['us-west-2-den-1a']: has no subnet; name it in subnet_ids too",
        ),
    ],
)
def test_wrong_zones(arguments: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(**arguments)) == f"edge: {message}"
