"""One scenario for each thing that Karpenter decides, on the stand of the recordings, with the reason beside each node.

The stand: on-demand prices of the catalogue, Spot at 0.4 of them, 80m of CPU and 500Mi of memory kept from pods. A
c6a.large (the cheapest of categories c, m and r above generation 4) has room for 1920m.
"""

from __future__ import annotations

from tests.simulation.scenes import (
    CAPACITY,
    CATEGORY,
    FAMILY,
    HOST,
    NODE_CLASS,
    TYPE,
    ZONE,
    Manifest,
    apply,
    budget,
    container,
    demand,
    near,
    nodes,
    on_nodes,
    play,
    pool,
    reasons,
    reference,
    spread,
    taint,
    waiting,
    workload,
)

NVME = "eks.amazonaws.com/instance-local-nvme"
ONE_ZONE = demand(ZONE, "us-east-1a")
TWO_ZONES = demand(ZONE, "us-east-1a", "us-east-1b")
BOTH = demand(CAPACITY, "on-demand", "spot")


def scale(name: str, replicas: int, settle: float = 60) -> dict[str, object]:
    return {"scale": f"Deployment/shop/{name}", "replicas": replicas, "settle": settle}


def patch(target: str, merge: dict[str, object], settle: float = 60) -> dict[str, object]:
    return {"patch": target, "merge": merge, "settle": settle}


# Which pool ---------------------------------------------------------------------------------------------------------


def test_a_label_that_no_pool_gives() -> None:
    pod = workload(nodeSelector={"team": "blue"})
    result = play(apply(pool()), apply(pod), apply(pool("blue", labels={"team": "blue"})))
    assert waiting(result.steps[2]) == {"web": 1}
    assert reasons(result.steps[2]) == [
        "NodePool main: its nodes have no label team, and the pod wants blue",
    ]
    # A pool's own label is on its nodes, so the new pool takes the pod.
    assert nodes(result.steps[3]) == ["blue c6a.large on-demand a web:1"]


def test_a_pool_without_weight_comes_after_one_of_weight_1() -> None:
    # By name alone 'omega' would be first.
    result = play(apply(pool("omega"), pool("alpha", demand(CATEGORY, "m"), weight=1)), apply(workload()))
    assert nodes(result.steps[2]) == ["alpha m5a.large on-demand a web:1"]


def test_a_heavy_pool_with_a_taint_and_a_light_free_one() -> None:
    heavy = pool("heavy", taints=[taint("batch")], weight=50)
    tolerant = workload("job", tolerations=[{"key": "batch", "operator": "Exists"}])
    result = play(apply(heavy, pool("light")), apply(workload()), apply(tolerant))
    assert nodes(result.steps[2]) == ["light c6a.large on-demand a web:1"]
    # The node that is there has room for it: a pod goes to such a node before a pool's weight is looked at.
    assert nodes(result.steps[3]) == ["light c6a.large on-demand a job:1 web:1"]


def test_a_tolerating_pod_takes_the_heavy_tainted_pool_when_no_node_has_room() -> None:
    heavy = pool("heavy", taints=[taint("batch")], weight=50)
    tolerant = workload("job", cpu="1500m", tolerations=[{"key": "batch", "operator": "Exists"}])
    result = play(apply(heavy, pool("light")), apply(workload()), apply(tolerant))
    assert nodes(result.steps[3]) == [
        "heavy c6a.large on-demand a job:1",
        "light c6a.large on-demand a web:1",
    ]


def test_a_pool_of_one_zone() -> None:
    here, there = workload("here"), workload("there", nodeSelector={ZONE: "us-east-1b"})
    result = play(apply(pool("main", ONE_ZONE)), apply(here), apply(there))
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a here:1"]
    assert waiting(result.steps[3]) == {"there": 1}
    assert reasons(result.steps[3]) == [
        f"NodePool main: the pod wants {ZONE} of us-east-1b, and the nodes have us-east-1a"
    ]


def test_an_untainted_gpu_pool_without_weight_takes_plain_pods() -> None:
    # 'gpu' is before 'main' in the alphabet; with the name of the recording ('zgpu' after 'main') it is tried first.
    gpu = pool("zgpu", demand(CATEGORY, "g"), BOTH)
    result = play(apply(gpu, pool("main")), apply(workload()))
    assert nodes(result.steps[2])[0].startswith("zgpu g")


def test_a_missing_class() -> None:
    other = {**NODE_CLASS, "metadata": {"name": "later"}}
    result = play(apply(pool(node_class="later")), apply(workload()), apply(other))
    assert waiting(result.steps[2]) == {"web": 1}
    assert reasons(result.steps[2]) == ["NodePool main: NodeClass later does not exist"]
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a web:1"]


def test_a_pool_that_is_deleted() -> None:
    # Its node drains; its pod goes to the other pool.
    result = play(
        apply(pool("main", weight=10), pool("spare", demand(CATEGORY, "m"))),
        apply(workload()),
        {"delete": "NodePool/main", "settle": 60},
    )
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1"]
    assert nodes(result.steps[3]) == ["spare m5a.large on-demand a web:1"]


def test_a_reluctant_pool_alone_takes_the_pod() -> None:
    result = play(apply(pool(taints=[taint("slow", "PreferNoSchedule")])), apply(workload()))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1"]


def test_a_reluctant_pool_loses_to_a_lighter_one() -> None:
    # The taint is given up only when no pool is left without it: it counts for more than weight.
    heavy = pool("heavy", taints=[taint("slow", "PreferNoSchedule")], weight=50)
    result = play(apply(heavy, pool("light", weight=1)), apply(workload()))
    assert nodes(result.steps[2]) == ["light c6a.large on-demand a web:1"]


# Which types --------------------------------------------------------------------------------------------------------


def test_not_in_takes_families_out() -> None:
    result = play(apply(pool("main", demand(FAMILY, "c6a", "m5a", operator="NotIn"))), apply(workload()))
    # c5a.large is the next: 0.077 USD after 0.0765.
    assert nodes(result.steps[2]) == ["main c5a.large on-demand a web:1"]


def test_no_type_without_local_disks_is_left() -> None:
    disks = demand(NVME, operator="DoesNotExist")
    result = play(apply(pool("main", disks, demand(FAMILY, "c5ad", "m6id"))), apply(workload()))
    assert waiting(result.steps[2]) == {"web": 1}
    assert not result.nodes


def test_a_pod_names_its_type() -> None:
    result = play(apply(pool()), apply(workload(nodeSelector={TYPE: "m6i.xlarge"})))
    assert nodes(result.steps[2]) == ["main m6i.xlarge on-demand a web:1"]


def test_min_values_that_cannot_be_met_launch_nothing() -> None:
    families = demand(FAMILY, "c6a", "m5a", "none1", minValues=3)
    result = play(apply(pool("main", families)), apply(workload()))
    assert waiting(result.steps[2]) == {"web": 1}
    assert reasons(result.steps[2]) == [f"NodePool main: minValues asks for 3 values of {FAMILY}, and 2 are left"]


def test_twenty_pods_at_once_share_one_node() -> None:
    # 10 CPU together: Karpenter packs a batch on as few nodes as it can.
    result = play(apply(pool()), apply(workload(replicas=20)))
    assert nodes(result.steps[2]) == ["main c6a.4xlarge on-demand a web:20"]


def test_forty_pods_without_requests_are_counted() -> None:
    # A c6a.large takes 29 pods; c8i-flex.large (59 pods, 0.089 USD) is cheaper than c6a.xlarge (58 pods, 0.153 USD).
    result = play(apply(pool()), apply(workload(replicas=40, cpu=None, memory=None)))
    assert nodes(result.steps[2]) == ["main c8i-flex.large on-demand a web:40"]


def test_a_second_wave_gets_a_node_of_its_own() -> None:
    # 1500m of 1920m are taken: 420m are left for a pod of 500m.
    result = play(apply(pool()), apply(workload("a", cpu="1500m")), apply(workload("b")))
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a a:1", "main c6a.large on-demand a b:1"]


def test_one_node_for_two_shapes() -> None:
    # 3.5 CPU and 12.25Gi together: c6a.xlarge has too little memory, and m5a.xlarge (0.172 USD) is the next that fits.
    result = play(
        apply(pool()),
        apply(workload("memory", cpu="500m", memory="10Gi"), workload("cpu", cpu="3", memory="2Gi")),
    )
    assert nodes(result.steps[2]) == ["main m5a.xlarge on-demand a cpu:1 memory:1"]


def test_a_sidecar_counts_beside_containers_and_later_init_containers() -> None:
    # 1000m of the container and 1000m of the sidecar: too much for 1920m.
    sidecar = container("1", name="mesh", restartPolicy="Always")
    result = play(apply(pool()), apply(workload(cpu="1", initContainers=[sidecar])))
    assert nodes(result.steps[2]) == ["main c6a.xlarge on-demand a web:1"]
    # Without 'restartPolicy' the larger of both counts, not their sum.
    result = play(apply(pool()), apply(workload(cpu="1", initContainers=[container("1", name="mesh")])))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1"]


def test_limits_alone_count_as_requests() -> None:
    only = container(None, None, resources={"limits": {"cpu": "3", "memory": "1Gi"}})
    result = play(apply(pool()), apply(workload(containers=[only])))
    assert nodes(result.steps[2]) == ["main c6a.xlarge on-demand a web:1"]


def test_more_ephemeral_storage_than_the_class_gives() -> None:
    big = container(resources={"requests": {"cpu": "100m", "ephemeral-storage": "100Gi"}})
    result = play(apply(pool()), apply(workload(containers=[big])))
    assert waiting(result.steps[2]) == {"web": 1}
    assert reasons(result.steps[2]) == [
        "NodePool main: the pod requests more ephemeral storage than a node of its NodeClass has"
    ]


def test_one_host_port_needs_one_node_each() -> None:
    result = play(apply(pool()), apply(workload(replicas=2, containers=[container("100m", ports=[8080])])))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1"] * 2


# Capacity types -----------------------------------------------------------------------------------------------------


def test_spread_over_capacity_types() -> None:
    # Two of the four pods on each.
    pod = workload(replicas=4, cpu="900m", topologySpreadConstraints=[spread(CAPACITY)])
    result = play(apply(pool("main", BOTH)), apply(pod))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:2", "main c6a.large spot a web:2"]


def test_a_reservation_comes_before_spot_and_on_demand() -> None:
    reserved = {
        **NODE_CLASS,
        "metadata": {"name": "reserved"},
        "spec": {**NODE_CLASS["spec"], "capacityReservationSelectorTerms": [{"id": "cr-0123456789abcdef0"}]},
    }
    kinds = demand(CAPACITY, "on-demand", "spot", "reserved")
    result = play(apply(reserved, pool("main", kinds, node_class="reserved")), apply(workload()))
    assert nodes(result.steps[2]) == ["main c6a.large reserved a web:1"]


# Spread, affinity ---------------------------------------------------------------------------------------------------


def test_soft_spread_of_one_batch() -> None:
    # What is soft is tried as hard first: two pods to each of three zones.
    pod = workload(replicas=6, topologySpreadConstraints=[spread(hard=False)])
    result = play(apply(pool()), apply(pod))
    assert nodes(result.steps[2]) == [f"main c6a.large on-demand {zone} web:2" for zone in "abc"]


def test_hard_spread_over_hosts() -> None:
    pod = workload(replicas=3, topologySpreadConstraints=[spread(HOST)])
    result = play(apply(pool()), apply(pod))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1"] * 3


def test_skew_counts_only_the_zones_that_pools_offer() -> None:
    pod = workload(replicas=4, topologySpreadConstraints=[spread()])
    result = play(apply(pool("main", TWO_ZONES)), apply(pod))
    assert nodes(result.steps[2]) == [f"main c6a.large on-demand {zone} web:2" for zone in "ab"]


def test_anti_affinity_by_zone_places_one_pod_a_batch() -> None:
    # Before its launch the zone of a planned node is not known: it could be any, so nobody else may be planned.
    result = play(apply(pool()), apply(workload(replicas=4, affinity=near(ZONE, apart=True)), settle=40))
    assert nodes(result.steps[2]) == [f"main c6a.large on-demand {zone} web:1" for zone in "abc"]
    assert waiting(result.steps[2]) == {"web": 1}
    launched = [event.at for event in result.events if event.kind == "NodeLaunched"]
    assert len(launched) == 3
    assert launched[0] < launched[1] < launched[2] <= launched[0] + 20


def test_affinity_by_zone_to_another_workload() -> None:
    # The database is bound to zone b; whoever wants to be near it goes there too.
    data = workload("db", cpu="1500m", nodeSelector={ZONE: "us-east-1b"})
    result = play(apply(pool()), apply(data), apply(workload(replicas=2, affinity=near(ZONE, "db"))))
    assert nodes(result.steps[3]) == ["main c6a.large on-demand b db:1", "main c6a.large on-demand b web:2"]


def test_affinity_by_zone_to_a_pod_of_the_same_batch() -> None:
    # The zone of the planned database is not known: who wants to be near it waits until its node is there.
    both = [workload("db", cpu="1500m"), workload(replicas=2, affinity=near(ZONE, "db"))]
    result = play(apply(pool()), apply(*both, settle=40))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a db:1", "main c6a.large on-demand a web:2"]
    launched = [event.at for event in result.events if event.kind == "NodeLaunched"]
    assert launched[1] > launched[0]


def test_a_preference_that_no_pool_meets_is_given_up() -> None:
    wish = {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "preference": {"matchExpressions": [demand(ZONE, "us-east-1z")]}}
            ]
        }
    }
    result = play(apply(pool()), apply(workload(affinity=wish)))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1"]


def test_the_second_term_is_used_if_the_first_cannot_be_met() -> None:
    either = on_nodes([demand(ZONE, "us-east-1z")], [demand(ZONE, "us-east-1c")])
    result = play(apply(pool()), apply(workload(affinity=either)))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand c web:1"]


# Limits -------------------------------------------------------------------------------------------------------------


def test_a_limit_on_nodes_holds_between_batches() -> None:
    apart = [workload(name, affinity=near(HOST, "x", apart=True), labels={"app": "x"}) for name in ("a", "b", "c")]
    result = play(apply(pool(limits={"nodes": 2})), *(apply(each) for each in apart))
    assert len(result.steps[4].nodes) == 2
    assert waiting(result.steps[4]) == {"c": 1}
    assert reasons(result.steps[4]) == ["NodePool main: its limit on nodes is reached"]


def test_a_full_heavy_pool_gives_way_to_the_lighter_one() -> None:
    heavy, light = pool("heavy", weight=50, limits={"cpu": "2"}), pool("light", demand(CATEGORY, "m"))
    result = play(apply(heavy, light), apply(workload("a", cpu="1500m")), apply(workload("b", cpu="1500m")))
    assert nodes(result.steps[3]) == ["heavy c6a.large on-demand a a:1", "light m5a.large on-demand a b:1"]
    # The node tells why the heavier pool did not take its pod.
    second = next(node for node in result.nodes if node.pool == "light")
    assert [str(each) for each in second.why] == [
        "NodePool heavy: every instance type would exceed its limits (cpu 0 left)"
    ]


def test_a_limit_shrinks_the_types_on_offer() -> None:
    # 6 pods of 1900m. 6 CPU of limit: types of at most 6 vCPU, so of 4 at most, hold two pods each; the first planned
    # node takes 4 off the limit, the second is of 2 vCPU with one pod, and then nothing is left.
    result = play(apply(pool(limits={"cpu": "6"})), apply(workload(replicas=6, cpu="1900m")))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1", "main c6a.xlarge on-demand a web:2"]
    assert waiting(result.steps[2]) == {"web": 3}


def test_a_rollout_without_room_hangs() -> None:
    rolling = {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
    result = play(
        apply(pool(limits={"cpu": "2"})),
        apply(workload(replicas=2, cpu="900m", spec=rolling)),
        patch("Deployment/shop/web", {"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}),
    )
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a web:2"]
    assert waiting(result.steps[3]) == {"web": 1}


# What is on a node --------------------------------------------------------------------------------------------------


def test_a_startup_taint_that_nobody_removes() -> None:
    # Karpenter expects that somebody removes it: the node is there, the pod waits, no second node is made.
    waits = pool(template={"startupTaints": [taint("agent", "NoSchedule")]})
    result = play(apply(waits), apply(workload(), settle=120))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a"]
    assert waiting(result.steps[2]) == {"web": 1}


def test_an_important_pod_preempts_at_once() -> None:
    high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 1000}
    result = play(
        apply(pool(), high),
        apply(workload("low", cpu="1500m")),
        apply(workload("high", cpu="1500m", priorityClassName="high")),
    )
    # The node in use goes to the important pod; the new node is for the other.
    assert [node.pods for node in result.steps[3].nodes] == [{"shop/high": 1}, {"shop/low": 1}]


def test_a_stateful_set_comes_up_one_by_one() -> None:
    result = play(apply(pool()), apply(workload(replicas=3, kind="StatefulSet", cpu="900m")))
    # Two fit on a large; the third comes when the second is ready and finds no room.
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:1", "main c6a.large on-demand a web:2"]


# Disruption ---------------------------------------------------------------------------------------------------------


def test_an_underused_node_stays_when_only_empty_ones_go() -> None:
    result = play(
        apply(pool(policy="WhenEmpty", after="5s")),
        apply(workload("filler", cpu="1500m"), workload("small", cpu="300m")),
        apply(workload("two", cpu="1400m")),
        scale("filler", 0),
    )
    assert len(result.steps[4].nodes) == 2


def test_a_large_spot_node_is_not_replaced_by_spot() -> None:
    steps = [apply(workload("filler", 3, cpu="1500m"), workload("small", cpu="300m")), scale("filler", 0)]
    spot = play(apply(pool("main", demand(CAPACITY, "spot"), after="5s")), *steps)
    assert nodes(spot.steps[3]) == ["main c6a.2xlarge spot a small:1"]
    steady = play(apply(pool(after="5s")), *steps)
    assert nodes(steady.steps[3]) == ["main c6a.large on-demand a small:1"]


def test_on_demand_becomes_spot_where_the_pool_allows_it() -> None:
    steady = workload("steady", nodeSelector={CAPACITY: "on-demand"})
    result = play(apply(pool("main", BOTH, after="5s")), apply(workload(), steady, settle=5), scale("steady", 0))
    assert nodes(result.steps[3]) == ["main c6a.large spot a web:1"]


def test_a_budget_of_0_holds_empty_nodes() -> None:
    result = play(
        apply(pool(budgets=[{"nodes": "0"}], after="5s")),
        apply(workload()),
        scale("web", 0),
        patch("NodePool/main", {"spec": {"disruption": {"budgets": [{"nodes": "100%"}]}}}),
    )
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a"]
    assert not result.steps[4].nodes


def test_a_budget_of_all_lets_all_go_together() -> None:
    apart = workload(replicas=3, affinity=near(HOST, apart=True))
    result = play(apply(pool(after="5s")), apply(apart), scale("web", 0))
    ended = {node.ended for node in result.nodes}
    assert len(result.nodes) == 3
    assert len(ended) == 1


def test_a_budget_for_one_reason_lets_the_others_go() -> None:
    held: list[Manifest] = [{"nodes": "0", "reasons": ["Underutilized"]}, {"nodes": "100%"}]
    result = play(
        apply(pool(budgets=held, after="5s")),
        apply(workload("filler", cpu="1500m"), workload("small", cpu="300m")),
        apply(workload("two", cpu="1400m")),
        apply(workload("empty", cpu="1500m")),
        scale("filler", 0, settle=1),
        scale("empty", 0),
    )
    assert nodes(result.steps[6]) == ["main c6a.large on-demand a small:1", "main c6a.large on-demand a two:1"]


def test_do_not_disrupt_for_a_while() -> None:
    # Its value may be a duration, which counts from the start of the pod (pkg/utils/pod/scheduling.go).
    def left(value: str, settle: float) -> int:
        small = workload("small", cpu="300m", annotations={"karpenter.sh/do-not-disrupt": value})
        result = play(
            apply(pool(after="5s")),
            apply(workload("filler", 3, cpu="1500m"), small, settle=10),
            scale("filler", 0, settle=settle),
        )
        return [node.instance_type for node in result.steps[3].nodes].count("c6a.2xlarge")

    assert left("true", 600) == 1
    assert left("5m", 200) == 1
    assert left("5m", 400) == 0
    assert left("tomorrow", 100) == 0  # What is no duration counts for nothing.


def test_a_pod_budget_stops_consolidation() -> None:
    result = play(
        apply(pool(after="5s")),
        apply(workload("filler", cpu="1500m"), workload("small", cpu="300m")),
        apply(workload("two", cpu="1400m")),
        apply(budget("small", maxUnavailable=0), budget("two", maxUnavailable=0)),
        scale("filler", 0),
        {"delete": "PodDisruptionBudget/shop/small", "settle": 60},
    )
    assert len(result.steps[5].nodes) == 2
    assert nodes(result.steps[6]) == ["main c6a.large on-demand a small:1 two:1"]
    # n2 is held, so n1 went.
    assert [node.name for node in result.steps[6].nodes] == ["n2"]


def test_narrowed_requirements_are_drift() -> None:
    result = play(
        apply(pool()),
        apply(workload()),
        apply(pool("main", demand(CATEGORY, "m")), settle=40),
    )
    assert nodes(result.steps[3]) == ["main m5a.large on-demand a web:1"]
    launched, ended = result.nodes[1].created, result.nodes[0].ended
    assert ended is not None
    assert launched < ended  # The replacement comes first.


def test_what_is_no_drift() -> None:
    result = play(
        apply(pool()),
        apply(workload()),
        apply(pool(weight=20, limits={"cpu": "50"}, after="5m", budgets=[{"nodes": "50%"}])),
        apply(pool("main", demand(CATEGORY, "c"), weight=20)),
    )
    assert [node.name for node in result.steps[4].nodes] == ["n1"]


def test_another_class_is_drift() -> None:
    other = {**NODE_CLASS, "metadata": {"name": "other"}}
    result = play(
        apply(pool()),
        apply(workload()),
        apply(other),
        patch("NodePool/main", {"spec": {"template": {"spec": {"nodeClassRef": {"name": "other"}}}}}),
    )
    assert [node.name for node in result.steps[4].nodes] == ["n2"]


def test_drift_is_held_by_a_budget_of_0() -> None:
    result = play(
        apply(pool(budgets=[{"nodes": "0"}])),
        apply(workload()),
        patch("NodePool/main", {"spec": {"template": {"metadata": {"labels": {"team": "b"}}}}}),
    )
    assert [node.name for node in result.steps[3].nodes] == ["n1"]


def test_five_underused_nodes_become_two_in_one_command() -> None:
    # The large pods refuse each other; each small one joins the planned node with the fewest pods, so one on each.
    large = workload("filler", 5, cpu="1200m", affinity=near(HOST, "filler", apart=True))
    result = play(
        apply(pool(after="5s")),
        apply(large, workload(replicas=5, cpu="600m"), settle=8),
        scale("filler", 0, settle=120),
    )
    assert [node.pods for node in result.steps[2].nodes] == [{"shop/filler": 1, "shop/web": 1}] * 5
    # Three of 600m fit on a large, so two nodes hold all five; three go together, and none is launched.
    assert sorted(node.pods["shop/web"] for node in result.steps[3].nodes) == [2, 3]
    assert len(result.nodes) == 5
    assert len({event.at for event in result.events if event.kind == "Disrupted"}) == 1


def test_hard_spread_over_hosts_keeps_nodes_apart() -> None:
    apart = workload("filler", 5, cpu="1200m", affinity=near(HOST, "filler", apart=True))
    result = play(
        apply(pool(after="5s")),
        apply(apart, workload("web", 5, cpu="600m", topologySpreadConstraints=[spread(HOST)]), settle=5),
        scale("filler", 0, settle=120),
    )
    assert [node.pods for node in result.steps[3].nodes] == [{"shop/web": 1}] * 5


def test_only_the_node_that_is_too_large_is_replaced() -> None:
    small = workload("web", 5, cpu="300m", affinity=near(HOST, apart=True))
    filler = workload("filler", cpu="3")
    result = play(apply(pool(after="5s")), apply(small, filler, settle=8), scale("filler", 0, settle=120))
    assert nodes(result.steps[3]) == ["main c6a.large on-demand a web:1"] * 5


def test_the_stand_does_nothing_for_tags_but_auto_mode_replaces() -> None:
    # Auto Mode documents that a changed NodeClass drifts; the stand of the recordings could not report it.
    result = play(apply(pool()), apply(workload()), patch(reference(NODE_CLASS), {"spec": {"tags": {"team": "b"}}}))
    assert [node.name for node in result.steps[3].nodes] == ["n2"]
