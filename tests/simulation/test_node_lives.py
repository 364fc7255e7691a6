"""How nodes come and go: Spot interruptions, capacity that is out, reservations, upgrades, expiry and windows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from automode_constructs.facts.auto_mode_fees import auto_mode_fees
from automode_constructs.simulation import Assumptions, Result
from tests.simulation.scenes import (
    CAPACITY,
    CATEGORY,
    HOST,
    NODE_CLASS,
    STAND,
    ZONE,
    Manifest,
    apply,
    budget,
    demand,
    near,
    nodes,
    on_nodes,
    play,
    pool,
    reasons,
    spread,
    taint,
    waiting,
    workload,
)

SPOT = demand(CAPACITY, "spot")
BOTH = demand(CAPACITY, "on-demand", "spot")


def kinds(result: Result, kind: str) -> list[float]:
    """When events of a kind happened."""
    return [event.at for event in result.events if event.kind == kind]


# Spot -----------------------------------------------------------------------------------------------------------------


def test_a_spot_interruption_drains_and_replaces() -> None:
    result = play(apply(pool("main", SPOT)), apply(workload(replicas=2)), {"interrupt_spot": {}, "settle": 60})
    assert [(node.name, dict(node.pods)) for node in result.steps[3].nodes] == [("n2", {"shop/web": 2})]
    assert result.totals.disturbed == {"Spot interruption": 2}


def test_a_pod_that_is_held_is_lost_after_the_notice() -> None:
    # EC2 takes the instance 120 s after its notice, whatever a budget says.
    held = [workload(), budget(maxUnavailable=0)]
    result = play(apply(pool("main", SPOT)), apply(*held), {"interrupt_spot": {}, "settle": 110}, {"wait": 60})
    assert result.steps[3].nodes[0].pods == {"shop/web": 1}
    begin = result.steps[3].begins
    assert result.nodes[0].ended == pytest.approx(begin + 120)
    assert [dict(node.pods) for node in result.steps[4].nodes] == [{"shop/web": 1}]


def test_on_demand_nodes_are_not_interrupted() -> None:
    result = play(apply(pool()), apply(workload()), {"interrupt_spot": {}, "settle": 60})
    assert [node.name for node in result.steps[3].nodes] == ["n1"]


def test_which_nodes_are_interrupted() -> None:
    apart = workload(replicas=3, topologySpreadConstraints=[spread()], cpu="1500m")
    result = play(apply(pool("main", SPOT)), apply(apart), {"interrupt_spot": {"zone": "us-east-1b"}, "settle": 60})
    assert {node.zone for node in result.nodes if node.ended is not None} == {"us-east-1b"}
    result = play(apply(pool("main", SPOT)), apply(apart), {"interrupt_spot": {"count": 2}, "settle": 60})
    assert sum(node.ended is not None for node in result.nodes) == 2


# Capacity and zones ---------------------------------------------------------------------------------------------------


def test_without_spot_a_pool_of_both_takes_on_demand_until_spot_is_back() -> None:
    out: Manifest = {"capacity_shortage": {"capacity_type": "spot"}, "settle": 1}
    result = play(
        apply(pool("main", BOTH)),
        out,
        apply(workload("a", cpu="1500m"), settle=60),
        {"capacity_return": {"capacity_type": "spot"}, "settle": 200},
        apply(workload("b", cpu="1500m")),
    )
    assert nodes(result.steps[5]) == ["main c6a.large on-demand a a:1", "main c6a.large spot a b:1"]


def test_a_pool_of_spot_alone_waits_for_it() -> None:
    out: Manifest = {"capacity_shortage": {"capacity_type": "spot"}, "settle": 1}
    result = play(
        apply(pool("main", SPOT)),
        out,
        apply(workload(), settle=60),
        {"capacity_return": {"capacity_type": "spot"}, "settle": 300},
    )
    assert waiting(result.steps[3]) == {"web": 1}
    assert kinds(result, "InsufficientCapacity")
    assert nodes(result.steps[4]) == ["main c6a.large spot a web:1"]


def test_a_type_that_is_out_gives_way_to_the_next() -> None:
    result = play(apply(pool()), {"capacity_shortage": {"instance_type": "c6a.large"}, "settle": 1}, apply(workload()))
    # c5a.large: 0.077 USD after 0.0765.
    assert nodes(result.steps[3]) == ["main c5a.large on-demand a web:1"]


def test_pods_of_a_lost_zone_come_back_in_others() -> None:
    pods = workload(replicas=3, cpu="1500m", topologySpreadConstraints=[spread(hard=False)])
    result = play(apply(pool()), apply(pods), {"zone_outage": "us-east-1b", "settle": 400})
    lost = next(node for node in result.nodes if node.zone == "us-east-1b")
    assert lost.ended is not None
    assert sum(node.pods.get("shop/web", 0) for node in result.steps[3].nodes) == 3
    assert {node.zone for node in result.steps[3].nodes} == {"us-east-1a", "us-east-1c"}


def test_a_zone_that_is_back_soon_loses_nothing() -> None:
    result = play(
        apply(pool("main", demand(ZONE, "us-east-1b"))),
        apply(workload()),
        {"zone_outage": "us-east-1b", "settle": 100},
        {"zone_recovery": "us-east-1b", "settle": 600},
    )
    assert [(node.name, node.ready, dict(node.pods)) for node in result.steps[4].nodes] == [
        ("n1", True, {"shop/web": 1})
    ]
    assert result.totals.disturbed == {}


def test_a_node_that_was_starting_when_its_zone_went_out_starts_when_it_is_back() -> None:
    slow = replace(STAND, node_start_s=30)
    result = play(
        apply(pool("main", demand(ZONE, "us-east-1b"))),
        apply(workload(), settle=10),
        {"zone_outage": "us-east-1b", "settle": 30},
        {"zone_recovery": "us-east-1b", "settle": 60},
        assumptions=slow,
    )
    assert waiting(result.steps[4]) == {}
    assert nodes(result.steps[4]) == ["main c6a.large on-demand b web:1"]


# Reservations ---------------------------------------------------------------------------------------------------------

RESERVED: Manifest = {
    **NODE_CLASS,
    "metadata": {"name": "reserved"},
    "spec": {**NODE_CLASS["spec"], "capacityReservationSelectorTerms": [{"id": "cr-1"}]},
}


def test_when_a_reservation_ends_its_nodes_cost_the_usual_price_from_then_on() -> None:
    any_kind = demand(CAPACITY, "on-demand", "reserved")
    result = play(
        apply(RESERVED, pool("main", any_kind, node_class="reserved")),
        apply(workload(), settle=3600),
        {"reservation_end": "cr-1", "settle": 3600},
        assumptions=Assumptions(),
    )
    assert nodes(result.steps[2]) == ["main c6a.large reserved a web:1"]
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a web:1"]
    # An hour at 0.0765 USD: the reservation itself was paid for anyway.
    assert result.totals.instance_usd == pytest.approx(0.0765, abs=1e-5)
    # Auto Mode's fee is for all its hours.
    hours = result.totals.node_hours
    assert result.totals.fee_usd == pytest.approx(0.0765 * auto_mode_fees().share("c6a.large") * hours, abs=1e-5)


def test_a_pool_of_reserved_capacity_alone_has_nothing_left() -> None:
    only = demand(CAPACITY, "reserved")
    result = play(
        apply(RESERVED, pool("main", only, node_class="reserved")),
        {"reservation_end": "cr-1", "settle": 10},
        apply(workload()),
    )
    assert waiting(result.steps[3]) == {"web": 1}
    assert reasons(result.steps[3]) == ["NodePool main: no offering of its zones and capacity types is left"]


# Upgrades, expiry, static pools ---------------------------------------------------------------------------------------


def test_an_upgrade_replaces_each_node_and_new_nodes_are_up_to_date() -> None:
    apart = workload(replicas=3, affinity=near(HOST, apart=True))
    result = play(apply(pool(budgets=[{"nodes": "1"}])), apply(apart), {"upgrade": "1.35", "settle": 200})
    assert sorted(node.name for node in result.steps[3].nodes) == ["n4", "n5", "n6"]
    # One at a time: each replacement is launched after the node before has gone.
    launched = sorted(node.created for node in result.nodes)[3:]
    gone = sorted(node.ended for node in result.nodes if node.ended is not None)
    assert all(later >= earlier for later, earlier in zip(launched[1:], gone, strict=False))
    assert result.totals.disturbed == {"Drifted": 3}


def test_expiry_evicts_first_and_ignores_budgets() -> None:
    result = play(
        apply(pool(budgets=[{"nodes": "0"}], template={"expireAfter": "60s"})),
        apply(workload(), settle=40),
        {"wait": 60},
    )
    first = result.nodes[0]
    assert first.ended is not None
    assert first.ended >= first.created + 60
    assert [event.subject for event in result.events if event.kind == "Expired"] == ["n1"]
    assert result.nodes[1].created >= first.created + 60


def test_a_static_pool_keeps_its_number_and_takes_no_planned_nodes() -> None:
    fixed = pool("fixed", replicas=2, template={"taints": [taint("keep")]})
    result = play(
        apply(fixed),
        apply(workload(replicas=3, cpu="1500m", tolerations=[{"operator": "Exists"}])),
        {"delete": "Node/n1", "settle": 60},
    )
    # Two of three pods fit; nobody plans a third node for a static pool.
    assert len(result.steps[2].nodes) == 2
    assert waiting(result.steps[2]) == {"web": 1}
    # A node that goes is replaced.
    assert sorted(node.name for node in result.steps[3].nodes) == ["n2", "n3"]


def test_a_static_pool_drifts_with_the_replacement_first() -> None:
    fixed = pool("fixed", replicas=1)
    result = play(
        apply(fixed),
        apply(workload()),
        {
            "patch": "NodePool/fixed",
            "merge": {"spec": {"template": {"metadata": {"labels": {"team": "b"}}}}},
            "settle": 60,
        },
    )
    old, new = result.nodes
    assert old.ended is not None
    assert new.created < old.ended
    assert nodes(result.steps[3]) == ["fixed c6a.large on-demand a web:1"]


# Windows --------------------------------------------------------------------------------------------------------------


def test_a_budget_counts_in_its_window_only() -> None:
    # Nothing may be disrupted from 9 to 17 on weekdays; the timeline begins on a Monday at 16:50.
    closed = {"nodes": "0", "schedule": "0 9 * * mon-fri", "duration": "8h"}
    result = play(
        apply(pool(budgets=[closed, {"nodes": "100%"}], after="5s"), settle=5),
        apply(workload(), settle=30),
        {"scale": "Deployment/shop/web", "replicas": 0, "settle": 500},
        {"wait": 200},
        start="2026-01-05T16:50:00Z",
    )
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a"]
    assert result.steps[4].nodes == []
    ended = result.nodes[0].ended
    assert ended is not None
    assert 600 <= ended <= 700


def test_drift_waits_for_its_window_too() -> None:
    closed = {"nodes": "0", "schedule": "0 9 * * mon-fri", "duration": "8h", "reasons": ["Drifted"]}
    result = play(
        apply(pool(budgets=[closed, {"nodes": "100%"}]), settle=5),
        apply(workload(), settle=30),
        {"upgrade": "1.35", "settle": 500},
        {"wait": 200},
        start="2026-01-05T16:50:00Z",
    )
    assert [node.name for node in result.steps[3].nodes] == ["n1"]
    assert [node.name for node in result.steps[4].nodes] == ["n2"]


# Labels and templates -------------------------------------------------------------------------------------------------


def test_a_pool_with_an_open_label_gives_its_nodes_a_value() -> None:
    # Karpenter makes one up (requirement.go, Any), so that the pod for which the node was made fits on it.
    team = pool("main", demand("team", operator="Exists"))
    wants = on_nodes([demand("team", operator="Exists")])
    result = play(apply(team), apply(workload(affinity=wants), settle=120))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1"]


def test_a_template_that_says_the_same_in_other_words_is_no_drift() -> None:
    # Karpenter's hash compares times, and lists without their order.
    taints = [taint("a"), taint("b")]
    result = play(
        apply(pool(taints=taints, template={"expireAfter": "48h"})),
        apply(workload(tolerations=[{"operator": "Exists"}])),
        apply(pool(taints=taints[::-1], template={"expireAfter": "2880m"})),
    )
    assert [node.name for node in result.steps[3].nodes] == ["n1"]


def test_a_replacement_for_an_expired_node_is_planned_at_the_limit() -> None:
    # Nodes that go do not count when nodes are planned (provisioner.go, nodes.Active): both are there for a while.
    result = play(
        apply(pool(limits={"cpu": "2"}, template={"expireAfter": "60s"})),
        apply(workload(cpu="1500m"), settle=50),
        {"wait": 40},
    )
    first, second = result.nodes[:2]
    assert first.ended is not None
    assert second.created < first.ended


def test_a_pool_of_types_without_amd() -> None:
    result = play(
        apply(pool("main", demand(CATEGORY, "m"), demand("eks.amazonaws.com/instance-cpu-manufacturer", "intel"))),
        apply(workload()),
    )
    assert result.nodes[0].instance_type.startswith("m")
    assert "a" not in result.nodes[0].instance_type.partition(".")[0][2:]


@pytest.mark.parametrize(
    "key",
    [
        "eks.amazonaws.com/capacity-reservation-type",
        "eks.amazonaws.com/placement-group-id",
        "topology.kubernetes.io/region",
        "team",
    ],
)
@pytest.mark.parametrize("operator", ["Exists", "DoesNotExist", "In", "NotIn"])
def test_no_node_is_made_that_its_pod_cannot_use(key: str, operator: str) -> None:
    wanted = demand(key, *(["1"] if operator in {"In", "NotIn"} else []), operator=operator)
    result = play(apply(pool()), apply(workload(affinity=on_nodes([wanted])), settle=60))
    assert len(result.nodes) == (0 if waiting(result.steps[2]) else 1)
