"""PodDisruptionBudgets: how many pods may be evicted at a time."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.simulation.budgets import pod_budget_from
from tests.simulation.scenes import HOST, apply, budget, near, play, pool, workload


@pytest.mark.parametrize(
    ("spec", "expected", "healthy", "allowed"),
    [
        ({"maxUnavailable": 1}, 3, 3, True),
        ({"maxUnavailable": 1}, 3, 2, False),
        ({"maxUnavailable": "50%"}, 3, 2, True),  # 1.5 of 3 is rounded up to 2.
        ({"maxUnavailable": "50%"}, 3, 1, False),
        ({"maxUnavailable": 5}, 3, 1, True),
        ({"maxUnavailable": 0}, 3, 3, False),
        ({"maxUnavailable": "0%"}, 3, 3, False),
        ({"minAvailable": 2}, 3, 3, True),
        ({"minAvailable": 2}, 3, 2, False),
        ({"minAvailable": "50%"}, 3, 3, True),
        ({"minAvailable": "50%"}, 3, 2, False),  # 1.5 of 3 must stay: 2.
        ({"minAvailable": "100%"}, 3, 3, False),
        ({"minAvailable": 0}, 1, 1, True),
    ],
)
def test_what_a_budget_allows(spec: dict[str, Any], expected: int, healthy: int, *, allowed: bool) -> None:
    found = pod_budget_from(budget(**spec))
    assert found.allows(expected=expected, healthy=healthy, is_ready=True) is allowed


def test_pods_that_are_not_ready() -> None:
    # IfHealthyBudget, the default: they may go while enough others are healthy.
    usual = pod_budget_from(budget(minAvailable=2))
    assert usual.allows(expected=3, healthy=2, is_ready=False)
    assert not usual.allows(expected=3, healthy=1, is_ready=False)
    always = pod_budget_from(budget(minAvailable=2, unhealthyPodEvictionPolicy="AlwaysAllow"))
    assert always.allows(expected=3, healthy=0, is_ready=False)


def test_no_selector_is_about_no_pod() -> None:
    found = budget()
    del found["spec"]["selector"]
    assert not pod_budget_from(found).selects({"app": "web"})
    found["spec"]["selector"] = {}
    assert pod_budget_from(found).selects({"app": "web"})


def test_one_pod_at_a_time_when_a_pool_goes() -> None:
    # Each pod takes 30 s to be ready somewhere else: three evictions, no two of them closer than that.
    apart = workload(replicas=3, affinity=near(HOST, apart=True))
    result = play(
        apply(pool("old", weight=10), pool("new")),
        apply(apart, budget(maxUnavailable=1), settle=60),
        {"delete": "NodePool/old", "settle": 300},
        starts={"Deployment/shop/web": "30s"},
    )
    gone = sorted(node.ended for node in result.nodes if node.ended is not None)
    assert len(gone) == 3
    assert gone[1] - gone[0] >= 30
    assert gone[2] - gone[1] >= 30
    assert {node.pool for node in result.steps[3].nodes} == {"new"}
    assert result.totals.disturbed == {"its NodePool was deleted": 3}


def test_a_stall_is_counted_once_however_many_pods_leave_the_node() -> None:
    # Three pods leave at once, one is held for about 100 s.
    held = workload("held", cpu="100m")
    result = play(
        apply(pool("old", weight=10), pool("new")),
        apply(workload(replicas=3, cpu="100m"), held, budget("held", maxUnavailable=0)),
        {"delete": "NodePool/old", "settle": 100},
    )
    assert len(result.nodes) >= 1
    assert 90 <= result.totals.stalled_s["PodDisruptionBudget held"] <= 110


def test_two_budgets_on_one_pod_hold_it() -> None:
    # The eviction API refuses a pod with two budgets, whatever they allow.
    second = budget(maxUnavailable=1)
    second["metadata"] = {"name": "second", "namespace": "shop"}
    result = play(
        apply(pool()),
        apply(workload(replicas=2), budget(maxUnavailable=1), second),
        {"delete": "Node/n1", "settle": 60},
    )
    assert result.steps[3].nodes[0].pods == {"shop/web": 2}


def test_the_end_of_the_grace_period_counts_more_than_a_budget() -> None:
    old = pool("old", weight=10, template={"terminationGracePeriod": "60s"})
    result = play(
        apply(old, pool("new")),
        apply(workload(), budget(maxUnavailable=0)),
        {"delete": "NodePool/old", "settle": 50},
        {"wait": 60},
    )
    assert result.steps[3].nodes[0].pods == {"shop/web": 1}
    assert [(node.pool, dict(node.pods)) for node in result.steps[4].nodes] == [("new", {"shop/web": 1})]
