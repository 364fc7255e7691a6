"""Spread, affinity and anti-affinity over zones, hosts and other labels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from automode_constructs.simulation import StepResult
from tests.simulation.scenes import (
    ARCH,
    CAPACITY,
    HOST,
    ZONE,
    Manifest,
    apply,
    demand,
    near,
    nodes,
    play,
    pool,
    reasons,
    spread,
    taint,
    waiting,
    workload,
)


def by_zone(step: StepResult, app: str = "web") -> dict[str, int]:
    counts: Counter[str] = Counter()
    for node in step.nodes:
        counts[node.zone[-1]] += node.pods.get(f"shop/{app}", 0)
    return {zone: number for zone, number in sorted(counts.items()) if number}


def spreading(number: int, *constraints: Manifest, cpu: str = "900m", **pod: Any) -> Manifest:
    return workload(replicas=number, cpu=cpu, topologySpreadConstraints=list(constraints), **pod)


@pytest.mark.parametrize(
    ("number", "skew", "zones"),
    [
        (1, 1, [1]),
        (4, 1, [1, 1, 2]),
        (7, 1, [2, 2, 3]),
        # With a skew of 2 the second pod may join the first on its planned node, and so does the fourth the third.
        (4, 2, [2, 2]),
    ],
)
def test_hard_spread_over_zones(number: int, skew: int, zones: list[int]) -> None:
    result = play(apply(pool()), apply(spreading(number, spread(skew=skew)), settle=90))
    assert sorted(by_zone(result.steps[2]).values()) == zones


def test_a_zone_that_the_pod_does_not_select_does_not_count() -> None:
    # nodeAffinityPolicy Honor, the default: only zones b and c are counted, so four pods are two and two.
    two = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [demand(ZONE, "us-east-1b", "us-east-1c")]}]
            }
        }
    }
    result = play(apply(pool()), apply(spreading(4, spread(), affinity=two)))
    assert by_zone(result.steps[2]) == {"b": 2, "c": 2}


def test_min_domains_that_do_not_exist() -> None:
    # Two zones and minDomains 3: as long as there are fewer domains, the least count is taken for 0.
    zones = demand(ZONE, "us-east-1a", "us-east-1b")
    result = play(apply(pool("main", zones)), apply(spreading(4, spread(minDomains=3))))
    assert by_zone(result.steps[2]) == {"a": 1, "b": 1}
    assert waiting(result.steps[2]) == {"web": 2}
    assert reasons(result.steps[2]) == [f"NodePool main: no {ZONE} is left by its topology spread"]


def test_other_pods_that_the_selector_selects_count_too() -> None:
    # Two pods of another workload with the same label are in zone a already.
    other = workload("other", 2, cpu="900m", labels={"app": "web"}, nodeSelector={ZONE: "us-east-1a"})
    result = play(apply(pool()), apply(other), apply(spreading(2, spread())))
    assert by_zone(result.steps[3]) == {"b": 1, "c": 1}


def test_a_selector_that_does_not_select_the_pod_itself_does_not_move_it() -> None:
    # The count never changes: all go to the same zone.
    result = play(apply(pool()), apply(spreading(4, spread(app="somebody-else"))))
    assert by_zone(result.steps[2]) == {"a": 4}


def test_revisions_are_spread_apart_with_match_label_keys() -> None:
    # Only pods of the new revision count: all three zones get one during the rollout, though old pods are there.
    rolling = {"strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}}
    own = spread(matchLabelKeys=["pod-template-hash"])
    result = play(
        apply(pool()),
        apply(spreading(3, own, spec=rolling), settle=60),
        {
            "patch": "Deployment/shop/web",
            "merge": {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}},
            "settle": 90,
        },
    )
    assert by_zone(result.steps[3]) == {"a": 1, "b": 1, "c": 1}


def test_tainted_nodes_count_unless_the_pod_says_otherwise() -> None:
    # A pool of zone c that the pod does not tolerate: with nodeTaintsPolicy Ignore (the default) its zone counts as
    # empty for ever, and no second node is planned in the others. (Kubernetes' scheduler would allow a second pod on
    # the nodes that are there: it counts only the zones of nodes. So each pod fills its node here.)
    open_pool = pool("main", demand(ZONE, "us-east-1a", "us-east-1b"))
    closed = pool("closed", demand(ZONE, "us-east-1c"), taints=[taint("batch")])
    result = play(apply(open_pool, closed), apply(spreading(4, spread(), cpu="1500m"), settle=60))
    assert by_zone(result.steps[2]) == {"a": 1, "b": 1}
    assert waiting(result.steps[2]) == {"web": 2}
    result = play(
        apply(open_pool, closed), apply(spreading(4, spread(nodeTaintsPolicy="Honor"), cpu="1500m"), settle=60)
    )
    assert by_zone(result.steps[2]) == {"a": 2, "b": 2}


def test_spread_over_architectures() -> None:
    # The two for arm and the two for amd each share a node.
    both = demand(ARCH, "amd64", "arm64")
    result = play(apply(pool("main", both)), apply(spreading(4, spread(ARCH)), settle=60))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:2", "main c6g.large on-demand a web:2"]


def test_two_constraints_at_once() -> None:
    # One pod for each host, and zones balanced: six nodes, two in each zone.
    result = play(apply(pool()), apply(spreading(6, spread(), spread(HOST)), settle=90))
    assert [node.pods["shop/web"] for node in result.steps[2].nodes] == [1] * 6
    assert by_zone(result.steps[2]) == {"a": 2, "b": 2, "c": 2}


# Affinity -------------------------------------------------------------------------------------------------------------


def test_pods_that_want_to_be_together_share_a_node() -> None:
    # 4.5 CPU on one host: a node of 8 vCPU.
    result = play(apply(pool()), apply(workload(replicas=3, cpu="1500m", affinity=near(HOST))))
    assert nodes(result.steps[2]) == ["main c6a.2xlarge on-demand a web:3"]


def test_a_pod_that_wants_to_be_near_nobody_waits() -> None:
    result = play(apply(pool()), apply(workload(affinity=near(ZONE, "nobody")), settle=60))
    assert waiting(result.steps[2]) == {"web": 1}
    assert not result.nodes


def test_whoever_comes_first_may_be_alone() -> None:
    # A pod that selects itself opens a domain; the others follow it.
    result = play(apply(pool()), apply(workload(replicas=4, cpu="900m", affinity=near(ZONE))))
    assert by_zone(result.steps[2]) == {"a": 4}


def test_anti_affinity_counts_against_pods_that_have_none() -> None:
    # 'lonely' refuses 'web', which asks for nothing: web must not join it.
    lonely = workload("lonely", cpu="100m", affinity=near(HOST, "web", apart=True))
    result = play(apply(pool()), apply(lonely), apply(workload(cpu="100m")))
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a lonely:1", "main c6a.large on-demand a web:1"]


def test_anti_affinity_ends_with_its_namespace() -> None:
    lonely = workload("lonely", cpu="100m", affinity=near(HOST, "web", apart=True))
    result = play(apply(pool()), apply(lonely), apply(workload(cpu="100m", namespace="other")))
    assert len(result.nodes) == 1
    # Unless its term selects the namespace, here all.
    term = near(HOST, "web", apart=True)
    term["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]["namespaceSelector"] = {}
    lonely = workload("lonely", cpu="100m", affinity=term)
    other: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
    result = play(apply(pool(), other), apply(lonely), apply(workload(cpu="100m", namespace="other")))
    assert len(result.nodes) == 2


def test_anti_affinity_by_capacity_type() -> None:
    # Two pods that refuse each other: one on Spot, one on demand; a third has nowhere to go.
    both = demand(CAPACITY, "on-demand", "spot")
    apart = workload(replicas=3, cpu="100m", affinity=near(CAPACITY, apart=True))
    result = play(apply(pool("main", both)), apply(apart, settle=90))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1", "main c6a.large spot a web:1"]
    assert waiting(result.steps[2]) == {"web": 1}


def test_a_soft_wish_to_be_apart_is_met_while_it_costs_only_nodes() -> None:
    # Karpenter takes preferences for demands until nothing fits: three pods, three nodes.
    term = near(HOST, "web", apart=True)["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    soft = {
        "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}
    }
    result = play(apply(pool()), apply(workload(replicas=3, cpu="100m", affinity=soft)))
    assert len(result.nodes) == 3
    # With a limit that allows one node, the wish is given up.
    result = play(apply(pool(limits={"cpu": "2"})), apply(workload(replicas=3, cpu="100m", affinity=soft), settle=60))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:3"]
