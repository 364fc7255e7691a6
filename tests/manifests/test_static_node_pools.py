"""Static pools: how nodes are shared out, what room they have, what is refused."""

from __future__ import annotations

from typing import Any

import cdk8s
import pytest

from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.static_node_pools import StaticNodePools
from automode_constructs.rendering.render import render
from automode_constructs.specs.labels import INSTANCE_GPU_NAME, INSTANCE_TYPE, ZONE
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodeMetadata, NodePoolSpec
from automode_constructs.specs.pools.requirement import Requirement
from tests.refusal import refusal

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
ONE_TYPE = INSTANCE_TYPE.is_in("m8i.2xlarge")


def spec(*requirements: Requirement, **fields: Any) -> NodePoolSpec:
    nodes = NodeClaimSpec(requirements=requirements or (ONE_TYPE,))
    template = NodeClaimTemplate(metadata=NodeMetadata(labels={"team": "search"}), spec=nodes)
    return NodePoolSpec(template=template, **fields)


def pools(**arguments: Any) -> tuple[StaticNodePools, dict[str, Any]]:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    given: dict[str, Any] = {"spec": spec(), "node_class": NodeClass.from_name("default"), "replicas": 12} | arguments
    made = StaticNodePools(chart, "warm", **given)
    return made, {item.manifest["metadata"]["name"]: item.manifest["spec"] for item in render(chart).objects}


def sizes(**arguments: Any) -> dict[str, tuple[int, int]]:
    """Replicas and the limit of nodes, by the pools' names."""
    return {name: (made["replicas"], made["limits"]["nodes"]) for name, made in pools(**arguments)[1].items()}


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        ({}, {"warm": (12, 14)}),
        ({"replicas": 0}, {"warm": (0, 1)}),
        ({"replicas": 10}, {"warm": (10, 11)}),
        ({"replicas": 11}, {"warm": (11, 13)}),
        ({"room": 5}, {"warm": (12, 17)}),
        ({"name": "hot"}, {"hot": (12, 14)}),
        ({"zones": ZONES}, {f"warm-{zone}": (4, 5) for zone in ZONES}),
        (
            {"zones": ZONES, "replicas": 10, "name": "hot"},
            {"hot-us-east-1a": (4, 5), "hot-us-east-1b": (3, 4), "hot-us-east-1c": (3, 4)},
        ),
        ({"zones": ZONES, "replicas": 0}, {f"warm-{zone}": (0, 1) for zone in ZONES}),
    ],
)
def test_nodes_are_shared_out_with_room_for_replacement(
    arguments: dict[str, Any], made: dict[str, tuple[int, int]]
) -> None:
    assert sizes(**arguments) == made


def test_each_zone_has_a_pool_of_its_own() -> None:
    made, written = pools(zones=ZONES)
    assert list(made.pools) == ZONES
    for zone in ZONES:
        template = written[f"warm-{zone}"]["template"]
        assert template["metadata"]["labels"] == {"team": "search"}
        assert template["spec"]["requirements"] == [
            {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["m8i.2xlarge"]},
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]},
        ]


def test_static_pools_say_nothing_of_consolidation() -> None:
    made, written = pools()
    assert made.pools[""].name == "warm"
    assert "disruption" not in written["warm"]
    assert written["warm"]["template"]["spec"]["expireAfter"] == "336h"


def test_no_room_is_a_warning() -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    StaticNodePools(chart, "warm", spec=spec(), node_class=NodeClass.from_name("default"), replicas=3, room=0)
    (note,) = render(chart).notes
    assert (note.rule, note.message) == (
        "automode:StaticPoolNoRoom",
        "limits.nodes: 3 leaves a static pool of as many nodes no room to replace one; set it above replicas",
    )


def test_types_that_are_newer_than_our_list_are_taken() -> None:
    assert sizes(spec=spec(INSTANCE_TYPE.is_in("m99.2xlarge"))) == {"warm": (12, 14)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replicas": -1}, "replicas: needs a whole number of at least 0, got -1"),
        ({"replicas": "3"}, "replicas: needs a whole number, got the text '3'; write 3"),
        ({"room": -1}, "room: needs a whole number of at least 0, got -1"),
        (
            {"replicas": 2, "zones": ZONES},
            "replicas: 2 cannot be spread over 3 zones; ask for a node in each zone at least, or name fewer zones",
        ),
        ({"zones": ["us-east-1a", "us-east-1a"]}, "zones[1]: 'us-east-1a' is there already; remove it"),
        (
            {"zones": ["${Token[TOKEN.1]}"]},
            "zones[0]: is known only after deployment, and a pool is named after its zone; name the zone, such as "
            "'us-east-1a'",
        ),
        ({"spec": spec(replicas=3)}, "spec.replicas: is shared out by 'replicas', got 3; leave it out"),
        (
            {"spec": spec(limits={"nodes": 3})},
            "spec.limits: is written by 'replicas' and 'room', got a mapping; leave it out",
        ),
        ({"spec": spec(weight=3)}, "spec.weight: does not go with static pools, got 3; leave it out"),
        (
            {"spec": spec(ONE_TYPE, INSTANCE_GPU_NAME.is_in("h100"))},
            "spec.template.spec.requirements: no instance type fits, so that no node would ever come; widen them; "
            "NodePoolSpec.instance_types() lists what fits",
        ),
        (
            {"spec": spec(ZONE.is_in("us-east-1b")), "zones": ["us-east-1a"]},
            "spec.template.spec.requirements: no node has what is required of 'topology.kubernetes.io/zone': In "
            "us-east-1b and In us-east-1a; all requirements must hold: put what is wanted into one",
        ),
    ],
)
def test_other_uses_are_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(lambda: pools(**arguments)) == f"chart/warm: {message}"


def test_all_problems_are_told_at_once() -> None:
    told = refusal(lambda: pools(replicas=-1, spec=spec(weight=3)))
    assert told == (
        "chart/warm: 2 problems\n"
        "  replicas: needs a whole number of at least 0, got -1\n"
        "  spec.weight: does not go with static pools, got 3; leave it out"
    )
