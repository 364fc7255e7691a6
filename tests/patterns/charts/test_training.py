"""The chart of training nodes: interfaces, place, capacity, and what excludes each other."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import cdk8s
import pytest

from automode_constructs.checks.whole_tree import TreeObject, judge_tree
from automode_constructs.facts.efa import EfaCards
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.patterns.charts.training import TrainingChart
from automode_constructs.rendering.render import render
from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute
from automode_constructs.specs.nodes.capacity import PlacementGroupSelector
from automode_constructs.specs.nodes.hugepages import Hugepages, StaticHugepages, TransparentHugepages
from automode_constructs.specs.nodes.node_class import SecurityGroupSelectorTerm
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation
from tests.refusal import refusal

OUTPUTS = Path(__file__).parents[3] / "examples" / "outputs.json"
VALUES = ClusterValues.from_outputs(json.loads(OUTPUTS.read_text("utf-8")), where="outputs.json")
BLOCK = CapacityReservation(
    id="cr-1", kind="capacity-block", instance_type="p5.48xlarge", zone="us-east-1a", ends=date(2026, 12, 14)
)


def chart(**arguments: Any) -> TrainingChart:
    given: dict[str, Any] = {"values": VALUES, "instance_type": "p5.48xlarge", "zone": "us-east-1a", "nodes": 4}
    return TrainingChart(cdk8s.App(), "train", **(given | arguments))


def specs(**arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The NodeClass's spec and the NodePool's."""
    node_class, node_pool = chart(**arguments).to_json()
    assert (node_class["kind"], node_pool["kind"]) == ("NodeClass", "NodePool")
    return node_class["spec"], node_pool["spec"]


def notes(**arguments: Any) -> list[str]:
    return [f"{note.rule} {note.message}" for note in render(chart(**arguments)).notes]


def test_nodes_are_of_one_type_in_one_zone() -> None:
    _, pool = specs()
    nodes = pool["template"]["spec"]
    assert {item["key"]: item["values"] for item in nodes["requirements"]} == {
        "karpenter.sh/capacity-type": ["on-demand"],
        "topology.kubernetes.io/zone": ["us-east-1a"],
        "node.kubernetes.io/instance-type": ["p5.48xlarge"],
    }
    assert (nodes["expireAfter"], nodes["terminationGracePeriod"]) == ("480h", "24h")
    assert pool["limits"] == {"nodes": 4}
    assert pool["disruption"] == {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "10m"}


def test_static_nodes_have_room_for_one_more() -> None:
    _, pool = specs(static=True)
    assert (pool["replicas"], pool["limits"]) == (4, {"nodes": 5})
    assert "disruption" not in pool


def test_the_class_has_efa_and_keeps_the_cluster_s_group() -> None:
    node_class, _ = specs(security_groups=[SecurityGroupSelectorTerm(id="sg-2")], pod_prefixes=2)
    assert node_class["securityGroupSelectorTerms"] == [{"id": "sg-0123456789abcdef0"}, {"id": "sg-2"}]
    interfaces = node_class["advancedNetworking"]["networkInterfaces"]
    assert interfaces[0]["secondaryIPv4PrefixCount"] == 2
    assert sum(item["interfaceType"] == "efa-only" for item in interfaces) == 32
    assert "placementGroupSelector" not in node_class


@pytest.mark.parametrize("selector", [{"name": "training"}, {"id": "pg-0123456789abcdef0"}])
def test_takes_a_placement_group_by_name_or_id(selector: dict[str, str]) -> None:
    node_class, _ = specs(placement_group=PlacementGroupSelector(**selector))
    assert node_class["placementGroupSelector"] == selector


def test_launches_into_a_capacity_block() -> None:
    arguments = {"reservation": BLOCK, "as_of": date(2026, 12, 1), "static": True}
    node_class, pool = specs(**arguments)
    assert node_class["capacityReservationSelectorTerms"] == [{"id": "cr-1"}]
    assert "networkInterfaces" in node_class["advancedNetworking"]
    assert (pool["replicas"], pool["limits"]) == (4, {"nodes": 5})
    requirements = pool["template"]["spec"]["requirements"]
    assert [item["values"] for item in requirements] == [
        ["reserved"],
        ["us-east-1a"],
        ["p5.48xlarge"],
        ["capacity-block"],
    ]
    assert [text.split()[0] for text in notes(**arguments)] == ["automode:OpenMatchingEnds", "automode:EfaDevicePlugin"]


@pytest.mark.parametrize(
    ("instance_type", "taint"),
    [
        ("p5.48xlarge", "nvidia.com/gpu"),
        ("trn2.48xlarge", "aws.amazon.com/neuron"),
        ("hpc8a.96xlarge", "aws.amazon.com/efa"),
    ],
)
def test_the_missing_device_plugin_is_told_with_the_taint_that_it_must_tolerate(instance_type: str, taint: str) -> None:
    _, pool = specs(instance_type=instance_type)
    assert pool["template"]["spec"]["taints"] == [{"key": taint, "effect": "NoSchedule"}]
    assert notes(instance_type=instance_type) == [
        "automode:EfaDevicePlugin pods get vpc.amazonaws.com/efa only where the EFA device plugin runs, which Auto "
        "Mode's AMI does not include; install the Helm chart aws-efa-k8s-device-plugin of aws/eks-charts with a "
        f"toleration of {taint}, and pass efa_device_plugin=True"
    ]


def test_who_has_the_device_plugin_is_told_nothing() -> None:
    assert notes(efa_device_plugin=True) == []


def test_the_whole_tree_finds_nothing() -> None:
    objects = [TreeObject(where="", manifest=manifest) for manifest in chart().to_json()]
    assert judge_tree(objects, default_node_class=True, whole=True) == []


def test_transparent_hugepages_go_with_efa() -> None:
    node_class, _ = specs(advanced_compute=AdvancedCompute(hugepages=Hugepages(transparent=TransparentHugepages())))
    assert "advancedCompute" in node_class


def test_pods_with_subnets_of_their_own_have_an_interface_of_their_own() -> None:
    terms = {"pod_subnets": VALUES.node_subnets, "pod_security_groups": VALUES.node_security_groups}
    node_class, _ = specs(values=VALUES.replace(**terms), instance_type="g6e.48xlarge")
    interfaces = node_class["advancedNetworking"]["networkInterfaces"]
    assert [item.get("secondaryIPv4PrefixCount") for item in interfaces[:3]] == [None, None, 1]


def test_newer_types_need_their_cards() -> None:
    cards = EfaCards(network_cards=2, interfaces_of_first_card=4, ipv4_of_interface=30)
    node_class, pool = specs(instance_type="p9.96xlarge", cards=cards, name="next")
    assert len(node_class["advancedNetworking"]["networkInterfaces"]) == 3
    assert pool["template"]["spec"]["nodeClassRef"]["name"] == "next"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"instance_type": "m8i.large"},
            "train: instance_type: m8i.large has no EFA; of its family, these have: m8i.48xlarge, m8i.96xlarge",
        ),
        ({"nodes": 0}, "train: nodes: needs a whole number of at least 1, got 0"),
        (
            {"reservation": BLOCK, "zone": "us-east-1b"},
            "train: zone: is 'us-east-1b', but the reservation's is 'us-east-1a'",
        ),
        (
            {"reservation": BLOCK, "instance_type": "p5e.48xlarge"},
            "train: instance_type: is 'p5e.48xlarge', but the reservation's is 'p5.48xlarge'",
        ),
        (
            {"reservation": BLOCK, "as_of": date(2026, 12, 15)},
            "train/training: reservation.ends: the reservation ended on 2026-12-14, and today counts as 2026-12-15; "
            "remove the pool, or give the day to which the reservation was extended",
        ),
        (
            {"advanced_compute": AdvancedCompute(hugepages=Hugepages(pages=[StaticHugepages(size="2Mi", count=1)]))},
            "train: advanced_compute.hugepages.pages: static hugepages and 'efa-only' network interfaces exclude each "
            "other; use a NodeClass for each",
        ),
    ],
)
def test_other_charts_are_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(lambda: chart(**arguments)) == message
