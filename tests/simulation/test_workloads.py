"""Rollouts, scaling, StatefulSets, DaemonSets and Jobs, as Kubernetes' controllers do them."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.simulation import Result
from automode_constructs.simulation.steps import do, reference_of
from automode_constructs.simulation.world import World
from tests.simulation.scenes import (
    STAND,
    Manifest,
    apply,
    container,
    nodes,
    play,
    pool,
    script,
    taint,
    waiting,
    workload,
)

# One large node of 64 vCPU for everything: only what the controllers do is looked at.
BIG: Manifest = {"nodeSelector": {"node.kubernetes.io/instance-type": "m6i.16xlarge"}}


def patch(target: str, merge: Manifest, settle: float = 60) -> Manifest:
    return {"patch": target, "merge": merge, "settle": settle}


def template(value: str) -> Manifest:
    return {"spec": {"template": {"metadata": {"annotations": {"v": value}}}}}


def counts(*steps: Manifest, reference: str, **timeline: Any) -> list[tuple[int, int]]:
    """After each second: how many pods of a workload are there, and how many of these are ready."""
    played = script(*steps, **timeline)
    world = World(played, STAND)
    world.manifests = {reference_of(manifest): manifest for manifest in played.objects}
    found = []
    for index, step in enumerate(played.steps):
        do(world, step, f"steps[{index}]")
        for _ in range(int(step.settle_s)):
            world.run_until(world.now + 1)
            active = world.workloads[reference].active if reference in world.workloads else []
            found.append((len(active), sum(pod.ready for pod in active)))
    return found


@pytest.mark.parametrize(
    ("surge", "unavailable", "most", "least"),
    [
        (1, 0, 9, 8),
        (0, 1, 8, 7),
        ("25%", "25%", 10, 6),  # Of 8: 2 more, 2 fewer.
        ("10%", "10%", 9, 8),  # Shares are rounded up for the surge and down for what may be missing.
        ("100%", 0, 16, 8),
        (0, 0, 8, 7),  # Both 0: one may be missing, or nothing would ever move.
    ],
)
def test_a_rollout_stays_within_its_bounds(surge: object, unavailable: object, most: int, least: int) -> None:
    rolling = {"strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}
    seen = counts(
        apply(pool()),
        apply(workload(replicas=8, cpu="100m", spec=rolling, **BIG), settle=20),
        patch("Deployment/shop/web", template("2"), settle=120),
        reference="Deployment/shop/web",
        starts={"Deployment/shop/web": "5s"},
    )[50:]
    assert max(pods for pods, _ in seen) == most
    assert min(ready for _, ready in seen) == least
    assert seen[-1] == (8, 8)


def test_recreate_stops_all_before_it_starts_any() -> None:
    seen = counts(
        apply(pool()),
        apply(workload(replicas=3, cpu="100m", spec={"strategy": {"type": "Recreate"}}, **BIG), settle=20),
        patch("Deployment/shop/web", template("2"), settle=60),
        reference="Deployment/shop/web",
        starts={"Deployment/shop/web": "5s"},
    )[50:]
    assert min(ready for _, ready in seen) == 0
    assert max(pods for pods, _ in seen) == 3
    assert seen[-1] == (3, 3)


def test_a_rollback_keeps_the_pods_that_still_run() -> None:
    # The new pods fit nowhere; with the old template back, the old pods were never touched.
    rolling = {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
    huge: Manifest = {"spec": {"template": {"spec": {"containers": [container("900")]}}}}
    small: Manifest = {"spec": {"template": {"spec": {"containers": [container("100m")]}}}}
    result = play(
        apply(pool()),
        apply(workload(replicas=2, containers=[container("100m")], spec=rolling)),
        patch("Deployment/shop/web", huge),
        patch("Deployment/shop/web", small),
    )
    assert waiting(result.steps[3]) == {"web": 1}
    assert waiting(result.steps[4]) == {}
    assert result.totals.pods_bound == 2


def test_what_is_scaled_down_first() -> None:
    # A pod without a node goes before one that runs (pkg/controller/controller_utils.go, ActivePodsWithRanks).
    result = play(
        apply(pool(limits={"cpu": "2"})),
        apply(workload(replicas=3, cpu="900m")),
        {"scale": "Deployment/shop/web", "replicas": 2, "settle": 10},
    )
    assert waiting(result.steps[2]) == {"web": 1}
    assert waiting(result.steps[3]) == {}
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a web:2"]
    # Of pods that run, one from the node that has most of them.
    result = play(
        apply(pool()),
        apply(workload(replicas=2, cpu="900m")),
        {"scale": "Deployment/shop/web", "replicas": 3, "settle": 30},
        {"scale": "Deployment/shop/web", "replicas": 2, "settle": 30},
    )
    assert [node.pods for node in result.steps[4].nodes] == [{"shop/web": 1}, {"shop/web": 1}]


def test_deleted_and_applied_again_at_once() -> None:
    web = workload(replicas=2)
    result = play(apply(pool()), apply(web), {"delete": "Deployment/shop/web", "settle": 0}, apply(web))
    assert sum(node.pods.get("shop/web", 0) for node in result.steps[4].nodes) == 2


# StatefulSets ---------------------------------------------------------------------------------------------------------


def launches(result: Result) -> list[float]:
    return [event.at for event in result.events if event.kind == "NodeLaunched"]


def big_set(replicas: int, **spec: Any) -> Manifest:
    """A StatefulSet each of whose pods needs a node of its own."""
    return workload("db", replicas, kind="StatefulSet", cpu="1500m", spec=spec)


def test_pods_of_a_stateful_set_wait_for_each_other() -> None:
    timeline: Manifest = {"starts": {"StatefulSet/shop/db": "30s"}}
    ordered = play(apply(pool()), apply(big_set(3), settle=200), **timeline)
    first, second, third = launches(ordered)
    assert second - first >= 33  # A node starts in 3 s and the pod in 30.
    assert third - second >= 33
    # podManagementPolicy 'Parallel' makes all at once: one node has room for all three.
    parallel = play(apply(pool()), apply(big_set(3, podManagementPolicy="Parallel"), settle=200), **timeline)
    assert nodes(parallel.steps[2]) == ["main c6a.2xlarge on-demand a db:3"]


def test_a_stateful_set_shrinks_from_its_end() -> None:
    result = play(
        apply(pool()), apply(big_set(3), settle=60), {"scale": "StatefulSet/shop/db", "replicas": 1, "settle": 30}
    )
    assert [node.pods for node in result.steps[3].nodes] == [{"shop/db": 1}, {}, {}]


def stopped(spec: Manifest) -> int:
    """How many of three pods a change of the template replaces."""
    result = play(apply(pool()), apply(big_set(3, **spec), settle=60), patch("StatefulSet/shop/db", template("2"), 120))
    return result.totals.pods_bound - 3


def test_updates_of_a_stateful_set() -> None:
    assert stopped({}) == 3
    assert stopped({"updateStrategy": {"type": "OnDelete"}}) == 0
    assert stopped({"updateStrategy": {"rollingUpdate": {"partition": 2}}}) == 1


def test_a_parallel_set_replaces_a_pod_that_never_came_up() -> None:
    # The last pod waits for a node that does not exist; the new template has room, so it is replaced.
    spec = {"podManagementPolicy": "Parallel"}
    huge = workload("db", 1, kind="StatefulSet", cpu="900", spec=spec)
    small: Manifest = {"spec": {"template": {"spec": {"containers": [container("100m")]}}}}
    result = play(apply(pool()), apply(huge), patch("StatefulSet/shop/db", small))
    assert waiting(result.steps[2]) == {"db": 1}
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a db:1"]
    # In order, Kubernetes waits for the pod that is broken ("forced rollback" in its documentation).
    ordered = workload("db", 1, kind="StatefulSet", cpu="900")
    result = play(apply(pool()), apply(ordered), patch("StatefulSet/shop/db", small))
    assert waiting(result.steps[3]) == {"db": 1}


# DaemonSets and Jobs --------------------------------------------------------------------------------------------------


def test_a_daemon_set_that_comes_later_runs_on_every_node_it_tolerates() -> None:
    agent = workload("agent", kind="DaemonSet", cpu="100m")
    result = play(
        apply(pool(weight=10), pool("tainted", taints=[taint("batch")])),
        apply(
            workload(cpu="1500m"),
            workload(
                "job",
                cpu="1500m",
                tolerations=[{"key": "batch", "operator": "Exists"}],
                nodeSelector={"karpenter.sh/nodepool": "tainted"},
            ),
        ),
        apply(agent),
    )
    assert nodes(result.steps[3]) == [
        "main c6a.large on-demand a agent:1 web:1",
        "tainted c6a.large on-demand a job:1",
    ]


def test_daemons_make_no_node() -> None:
    result = play(apply(pool()), apply(workload("agent", kind="DaemonSet")))
    assert not result.nodes
    assert waiting(result.steps[2]) == {}


def test_a_job_ends() -> None:
    job = workload("load", kind="Job", cpu="1500m", spec={"parallelism": 2, "completions": 3})
    del job["spec"]["selector"]
    result = play(
        apply(pool(after="5s", policy="WhenEmpty")),
        apply(job, settle=30),
        {"wait": 300},
        durations={"Job/shop/load": "40s"},
    )
    # Two at a time, 40 s each, and the third after them; then the nodes are empty and go.
    assert sum(sum(node.pods.values()) for node in result.steps[2].nodes) == 2
    assert result.totals.pods_bound == 3
    assert result.steps[3].nodes == []


def test_a_node_of_a_job_is_held_by_do_not_disrupt_until_it_ends() -> None:
    job = workload("load", kind="Job", cpu="300m", annotations={"karpenter.sh/do-not-disrupt": "true"})
    result = play(
        apply(pool(after="5s")),
        apply(workload("filler", 3, cpu="1500m"), job, settle=10),
        {"scale": "Deployment/shop/filler", "replicas": 0, "settle": 60},
        {"wait": 120},
        durations={"Job/shop/load": "100s"},
    )
    assert nodes(result.steps[3]) == ["main c6a.2xlarge on-demand a load:1"]
    assert dict(result.steps[3].blocked) == {"n1": "do-not-disrupt of shop/load"}
    assert result.steps[4].nodes == []
