"""A NodeClass and a NodePool made of a reservation: what they say, what is risky, what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import cdk8s
import pytest

from automode_constructs.checks.whole_tree import TreeObject, judge_tree
from automode_constructs.manifests.reserved_capacity import ReservedCapacity
from automode_constructs.rendering.render import render
from automode_constructs.specs.labels import ARCH, ZONE
from automode_constructs.specs.nodes.capacity import CapacityReservationSelectorTerm
from automode_constructs.specs.nodes.node_class import NodeClassSpec, SecurityGroupSelectorTerm, SubnetSelectorTerm
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint
from automode_constructs.specs.pools.requirement import Requirement
from tests.refusal import refusal

NODES = NodeClassSpec(
    role="nodes",
    subnet_selector_terms=[SubnetSelectorTerm(id="subnet-1")],
    security_group_selector_terms=[SecurityGroupSelectorTerm(id="sg-1")],
)
BLOCK = CapacityReservation(
    id="cr-1", kind="capacity-block", instance_type="p5.48xlarge", zone="us-east-1a", ends=date(2026, 12, 14)
)
OPEN_MATCHING = (
    "automode:OpenMatchingEnds NodeClass 'training' selects reservations, upon which Auto Mode launches no node of any "
    "NodeClass of the cluster into an open reservation by itself any more; select every reservation that is to be used"
)


def pool(*requirements: Requirement, **fields: Any) -> NodePoolSpec:
    nodes = NodeClaimSpec(requirements=requirements, taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")])
    return NodePoolSpec(template=NodeClaimTemplate(spec=nodes), **fields)


def reserved(**arguments: Any) -> tuple[ReservedCapacity, cdk8s.Chart]:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    given: dict[str, Any] = {"reservation": BLOCK, "node_class_spec": NODES, "as_of": date(2026, 12, 1)} | arguments
    return ReservedCapacity(chart, "training", **given), chart


def notes(**arguments: Any) -> list[str]:
    return [f"{note.rule} {note.message}" for note in render(reserved(**arguments)[1]).notes]


def test_class_and_pool_belong_together() -> None:
    made, chart = reserved(spec=pool(ARCH.is_in("amd64"), limits={"nodes": 4}))
    node_class, node_pool = chart.to_json()
    assert node_class["metadata"]["name"] == node_pool["metadata"]["name"] == "training"
    assert node_class["spec"]["capacityReservationSelectorTerms"] == [{"id": "cr-1"}]
    nodes = node_pool["spec"]["template"]["spec"]
    assert nodes["nodeClassRef"]["name"] == "training"
    assert [(item["key"].partition("/")[2], item["values"]) for item in nodes["requirements"]] == [
        ("capacity-type", ["reserved"]),
        ("zone", ["us-east-1a"]),
        ("instance-type", ["p5.48xlarge"]),
        ("capacity-reservation-type", ["capacity-block"]),
        ("arch", ["amd64"]),
    ]
    assert nodes["taints"] == [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]
    assert node_pool["spec"]["limits"] == {"nodes": 4}
    assert [known.name for known in made.pool.instance_types()] == ["p5.48xlarge"]


def test_takes_a_name_and_a_fallback() -> None:
    made, _ = reserved(name="gpu", fallback=["on-demand"])
    assert (made.node_class.name, made.pool.name) == ("gpu", "gpu")
    demands = made.pool.spec.template.spec.requirements
    assert demands[0].values == ("reserved", "on-demand")


def test_the_tree_finds_the_reservation_admitted() -> None:
    objects = [TreeObject(where="", manifest=manifest) for manifest in reserved(spec=pool())[1].to_json()]
    assert judge_tree(objects, default_node_class=True, whole=True) == []


def test_a_reservation_without_reserved_is_an_error() -> None:
    node_class, node_pool = reserved()[1].to_json()
    node_pool["spec"]["template"]["spec"]["requirements"] = [
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}
    ]
    objects = [TreeObject(where="", manifest=manifest) for manifest in (node_class, node_pool)]
    (finding,) = judge_tree(objects, default_node_class=True, whole=True)
    assert (finding.rule, finding.severity) == ("automode:ReservedNotAdmitted", "error")
    assert str(finding) == (
        "spec.template.spec.requirements: NodeClass 'training' selects capacity reservations, but NodePool 'training' "
        "does not admit the capacity type reserved, so they are never used; add reserved to the values of "
        "karpenter.sh/capacity-type"
    )


def test_the_end_of_open_matching_is_told_once() -> None:
    assert notes() == [OPEN_MATCHING]
    _, chart = reserved()
    ReservedCapacity(chart, "more", reservation=BLOCK, node_class_spec=NODES, as_of=date(2026, 12, 1))
    assert [f"{note.rule} {note.message}" for note in render(chart).notes] == [OPEN_MATCHING]


@pytest.mark.parametrize("day", [date(2026, 12, 7), date(2026, 12, 14)])
def test_from_a_week_before_the_end_there_is_a_warning(day: date) -> None:
    assert notes(as_of=day) == [
        OPEN_MATCHING,
        f"automode:ReservationEnds reservation.ends: the reservation ends on 2026-12-14, and today counts as {day}; "
        "its nodes go with it: extend it, or move the work before",
    ]


def test_eight_days_before_the_end_there_is_none() -> None:
    assert notes(as_of=date(2026, 12, 6)) == [OPEN_MATCHING]


def test_without_a_day_the_library_s_own_counts() -> None:
    ended = BLOCK.replace(ends=date(2026, 11, 1))
    assert "ended on 2026-11-01, and today counts as 20" in refusal(lambda: reserved(reservation=ended, as_of=None))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"as_of": date(2026, 12, 15)},
            "chart/training: reservation.ends: the reservation ended on 2026-12-14, and today counts as 2026-12-15; "
            "remove the pool, or give the day to which the reservation was extended",
        ),
        (
            {
                "node_class_spec": NODES.replace(
                    capacity_reservation_selector_terms=[CapacityReservationSelectorTerm(id="cr-2")]
                )
            },
            "chart/training: node_class_spec.capacity_reservation_selector_terms: selects reservations already, and "
            "'reservation' writes them; leave it out",
        ),
        (
            {"fallback": ["on_demand"]},
            "chart/training: fallback[0]: 'on_demand' is not known; did you mean 'on-demand'? Use one of "
            "'on-demand', 'spot'",
        ),
        (
            {"spec": pool(ZONE.is_in("us-east-1b"))},
            "chart/training: spec.template.spec.requirements: no node has what is required of "
            "'topology.kubernetes.io/zone': In us-east-1a and In us-east-1b; all requirements must hold: put what is "
            "wanted into one",
        ),
    ],
)
def test_other_uses_are_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(lambda: reserved(**arguments)) == message
