"""What holds of every simulation, whatever pools, pods and steps: judged at each second, by the manifests alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automode_constructs.facts.auto_mode_fees import auto_mode_fees
from automode_constructs.simulation import Assumptions, Result, node_lifecycle, pod_lifecycle, simulate
from automode_constructs.simulation.node import Node, Pod
from automode_constructs.simulation.steps import do, reference_of
from automode_constructs.simulation.world import World
from automode_constructs.specs.pools.instance_types import node_labels
from tests.simulation.scenes import (
    ARCH,
    CAPACITY,
    CATEGORY,
    HOST,
    NODE_CLASS,
    STAND,
    ZONE,
    Manifest,
    budget,
    container,
    demand,
    near,
    pool,
    script,
    spread,
    taint,
    workload,
)

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
STRICT = Assumptions(
    **{
        **{each.name: each.value for each in STAND.listed()},
        "soft_nodes_limit": False,  # Else one batch may go over a limit on nodes, as Karpenter core 1.13 does.
    }
)

GUARDS: tuple[Manifest, ...] = (
    {"maxUnavailable": 1},
    {"minAvailable": "50%"},
    {"maxUnavailable": 0},
    {"minAvailable": 1},
)

cpus = st.sampled_from(("100m", "300m", "900m", "1500m", "3"))
memories = st.sampled_from(("128Mi", "1Gi", "6Gi"))


@st.composite
def pools(draw: st.DrawFn, name: str) -> Manifest:
    demands = [demand(CATEGORY, *draw(st.sampled_from((("c",), ("c", "m"), ("c", "m", "r")))))]
    demands.append(demand(CAPACITY, *draw(st.sampled_from((("on-demand",), ("spot",), ("on-demand", "spot"))))))
    if draw(st.booleans()):
        demands.append(demand(ZONE, *draw(st.sampled_from((ZONES[:1], ZONES[1:])))))
    if draw(st.booleans()):
        demands.append(demand(ARCH, "amd64", "arm64"))
    more: dict[str, Any] = {}
    if draw(st.booleans()):
        more["limits"] = draw(st.sampled_from(({"cpu": "6"}, {"nodes": 2}, {"cpu": "12", "memory": "32Gi"})))
    return pool(
        name,
        *demands,
        taints=[taint("batch")] if draw(st.booleans()) else [],
        after=draw(st.sampled_from(("Never", "0s", "5s"))),
        policy=draw(st.sampled_from(("WhenEmpty", "WhenEmptyOrUnderutilized"))),
        budgets=[{"nodes": draw(st.sampled_from(("0", "1", "30%", "100%")))}],
        weight=draw(st.integers(1, 3)),
        **more,
    )


@st.composite
def workloads(draw: st.DrawFn, name: str) -> Manifest:
    body: dict[str, Any] = {}
    if draw(st.booleans()):
        body["tolerations"] = [{"key": "batch", "operator": "Exists"}]
    match draw(st.integers(0, 6)):
        case 0:
            body["nodeSelector"] = {ZONE: draw(st.sampled_from(ZONES))}
        case 1:
            body["nodeSelector"] = {CAPACITY: draw(st.sampled_from(("on-demand", "spot")))}
        case 2:
            body["affinity"] = near(HOST, name, apart=True)
        case 3:
            body["topologySpreadConstraints"] = [spread(ZONE, name, hard=draw(st.booleans()))]
        case 4:
            body["nodeSelector"] = {ARCH: "arm64"}
    ports = [8080] if draw(st.integers(0, 4)) == 0 else []
    kind = draw(st.sampled_from(("Deployment", "Deployment", "StatefulSet", "ReplicaSet")))
    return workload(
        name,
        draw(st.integers(0, 5)),
        kind=kind,
        containers=[container(draw(cpus), draw(memories), ports=ports)],
        **body,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Manifest]:
    """Steps over two pools and three workloads."""
    some = [draw(pools(name)) for name in ("main", "other")]
    apps = [draw(workloads(name)) for name in ("ui", "api", "db")]
    names = [f"{app['kind']}/shop/{app['metadata']['name']}" for app in apps]
    later = st.one_of(
        st.builds(lambda name, number: {"scale": name, "replicas": number}, st.sampled_from(names), st.integers(0, 7)),
        st.builds(
            lambda name, value: {
                "patch": name,
                "merge": {"spec": {"template": {"metadata": {"annotations": {"v": value}}}}},
            },
            st.sampled_from(names),
            st.sampled_from(("1", "2")),
        ),
        st.builds(
            lambda value: {"patch": "NodePool/main", "merge": {"spec": {"template": {"metadata": {"labels": value}}}}},
            st.sampled_from(({"team": "a"}, {"team": "b"})),
        ),
        st.builds(lambda zone: {"zone_outage": zone}, st.sampled_from(ZONES)),
        st.builds(lambda zone: {"zone_recovery": zone}, st.sampled_from(ZONES)),
        st.builds(lambda name: {"delete": name}, st.sampled_from(names)),
        st.builds(lambda name: {"apply": [apps[names.index(name)]]}, st.sampled_from(names)),
        st.just({"interrupt_spot": {}}),
        st.just({"interrupt_spot": {"count": 1}}),
        st.just({"capacity_shortage": {"capacity_type": "spot"}}),
        st.just({"capacity_return": {"capacity_type": "spot"}}),
        st.just({"capacity_shortage": {"zone": ZONES[0]}}),
        st.just({"upgrade": "1.35"}),
    )
    guards = [
        budget(app["metadata"]["name"], **draw(st.sampled_from(GUARDS))) for app in apps if draw(st.integers(0, 2)) == 0
    ]
    if draw(st.booleans()):
        guards.append(workload("agent", kind="DaemonSet", containers=[container("100m", "128Mi")]))
    steps: list[Manifest] = [{"apply": [*some, *guards], "settle": 2}, {"apply": apps, "settle": 30}]
    there = set(names)
    for step in draw(st.lists(later, max_size=5)):
        name = step.get("scale") or step.get("patch") or step.get("delete")
        if name in names and name not in there:
            continue
        if "delete" in step:
            there.discard(str(name))
        if "apply" in step:
            there.add(reference_of(step["apply"][0]))
        steps.append({**step, "settle": draw(st.sampled_from((0, 20, 60)))})
    return [*steps, {"wait": 60}]


def amount(text: str) -> int:
    """Thousandths of CPU, or bytes."""
    units = {"m": 1, "Mi": 2**20, "Gi": 2**30}
    for unit, factor in units.items():
        if text.endswith(unit):
            return int(text.removesuffix(unit)) * factor
    return int(text) * 1000


def spec_of(world: World, pod: Pod) -> Manifest:
    """The pod's part of its workload's manifest."""
    found: Manifest = dict(world.manifests[owner_of(pod)])["spec"]["template"]["spec"]
    return found


def owner_of(pod: Pod) -> str:
    return f"{pod.shape.kind}/{pod.shape.app}"


def check_nodes(world: World) -> None:
    """No pod is on a node that it does not tolerate or fit."""
    for node in world.nodes:
        pods = list(node.pods.values())
        pool_spec = world.manifests[f"NodePool/{node.pool}"]["spec"]["template"]["spec"]
        specs = [spec_of(world, pod) for pod in pods]
        requests = [each["containers"][0]["resources"]["requests"] for each in specs]
        room = node.machine.allocatable
        assert sum(amount(each["cpu"]) for each in requests) <= room["cpu"]
        assert sum(amount(each["memory"]) for each in requests) <= room["memory"]
        assert len(pods) <= room["pods"]
        ports = [port["hostPort"] for each in specs for port in each["containers"][0].get("ports", ())]
        assert len(ports) == len(set(ports))
        labels = {**node_labels(node.machine.type), ZONE: node.zone, CAPACITY: node.capacity_type}
        for each in specs:
            if pool_spec.get("taints"):
                assert each.get("tolerations")
            assert all(labels[key] == value for key, value in each.get("nodeSelector", {}).items())
        alone = Counter(
            owner_of(pod) for pod, each in zip(pods, specs, strict=True) if "affinity" in each and not pod.stopping
        )
        assert all(number == 1 for number in alone.values())
        allowed = {each["key"]: each["values"] for each in pool_spec["requirements"] if each["operator"] == "In"}
        assert all(labels[key] in values for key, values in allowed.items())


def check_limits(world: World) -> None:
    """Nodes that stay are within their pool's limits; a replacement may come before its node is gone."""
    for name in ("main", "other"):
        limits = world.manifests.get(f"NodePool/{name}", {}).get("spec", {}).get("limits", {})
        nodes = [node for node in world.nodes if node.pool == name and not leaves(node)]
        for key, most in limits.items():
            if key == "nodes":
                assert len(nodes) <= most
            else:
                assert sum(node.machine.capacity[key] for node in nodes) <= amount(str(most))


def leaves(node: Node) -> bool:
    return node.marked or node.deleting_since is not None


def check_budgets(world: World, before: dict[str, int], marked: set[int]) -> None:
    """When nodes begin to be disrupted, no more of their pool are busy than its budget allows."""
    for name in ("main", "other"):
        nodes = [node for node in world.nodes if node.pool == name and node.ready_at is not None]
        fresh = [node for node in nodes if node.marked and node.number not in marked]
        if fresh:
            budget = world.manifests[f"NodePool/{name}"]["spec"]["disruption"]["budgets"][0]["nodes"]
            total = max(len(nodes), before.get(name, 0))
            most = -(-total * int(budget[:-1]) // 100) if budget.endswith("%") else int(budget)
            assert len(fresh) <= most
            # Those that were forced out meanwhile (Spot, a lost zone) take from the budget, but nothing stops them.
            assert sum(1 for node in nodes if node.marked) <= most


def check_pods(world: World, *, at_rest: bool) -> None:
    """Every replica runs or waits, and is counted once."""
    on_nodes = Counter(owner_of(pod) for node in world.nodes for pod in node.pods.values() if not pod.stopping)
    unbound = Counter(owner_of(pod) for pod in world.waiting())
    for reference, each in world.workloads.items():
        assert len(each.active) == on_nodes[reference] + unbound[reference]
        revisions = {pod.revision for pod in each.active}
        if at_rest and not each.deleted and len(revisions) <= 1 and each.kind not in {"StatefulSet", "DaemonSet"}:
            assert len(each.active) == each.replicas
    assert on_nodes.keys() | unbound.keys() <= world.workloads.keys()


def check_savings(world: World, before: set[int], marked: set[int]) -> None:
    """What consolidation replaces costs more than what takes its place."""
    gone = [
        node for node in world.nodes if node.marked and node.number not in marked and node.reason == "Underutilized"
    ]
    fresh = [node for node in world.nodes if node.number not in before]
    if gone:
        assert sum(node.price for node in gone) > sum(node.price for node in fresh)


def check_eviction(world: World, pod: Pod, cause: str) -> None:
    """No drain takes a pod that its PodDisruptionBudget needs, but for the end of a notice or a grace period."""
    name = pod.shape.app.partition("/")[2]
    guard = world.manifests.get(f"PodDisruptionBudget/shop/{name}")
    if guard is None or pod.shape.kind == "DaemonSet" or "grace period over" in cause or cause == "zone outage":
        return
    replicas = world.workloads[owner_of(pod)].replicas
    spec = guard["spec"]
    if "maxUnavailable" in spec:
        wanted = replicas - spec["maxUnavailable"]
    else:
        wanted = -(-replicas // 2) if spec["minAvailable"] == "50%" else spec["minAvailable"]
    mine = [each for node in world.nodes for each in node.pods.values() if owner_of(each) == owner_of(pod)]
    healthy = sum(each.ready and not each.stopping for each in mine)
    assert healthy > wanted if pod.ready else healthy >= wanted


def check_launches(world: World) -> None:
    """A node is of the cheapest type that its pool admits and that its pods fit, where nothing is out of stock."""
    for node in [*world.nodes, *world.ended]:
        pool_spec = world.manifests[f"NodePool/{node.pool}"]["spec"]
        if "limits" in pool_spec or not node.planned_for:
            continue
        allowed = {
            e["key"]: e["values"] for e in pool_spec["template"]["spec"]["requirements"] if e["operator"] == "In"
        }
        wants = dict(node.requests)
        for machine in world.catalogue.machines:
            if machine.price >= node.machine.price or not machine.is_priced:
                continue
            labels = machine.labels
            admitted = all(labels[key] in values for key, values in allowed.items() if key in labels)
            new = int(labels.get("eks.amazonaws.com/instance-generation", 0)) > 4
            arm = labels[ARCH] == node.machine.labels[ARCH]
            if admitted and new and arm:
                assert any(value > machine.allocatable.get(key, 10**18) for key, value in wants.items()), machine.name


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(histories())
def test_what_holds_at_every_second(steps: list[Manifest]) -> None:
    def disturb(world: World, pod: Pod, cause: str) -> None:
        if pod.node is not None and world.now < (pod.node.deadline or 0):
            check_eviction(world, pod, cause)
        pod_lifecycle.disturb(world, pod, cause)

    with patch.object(node_lifecycle, "disturb", disturb):
        check_history(steps)


def check_history(steps: list[Manifest]) -> None:
    timeline = script(*steps)
    world = World(timeline, STRICT)
    world.manifests = {reference_of(manifest): manifest for manifest in timeline.objects}
    has_shortage = any(key in step for step in steps for key in ("capacity_shortage", "zone_outage", "interrupt_spot"))
    for index, step in enumerate(timeline.steps):
        do(world, step, f"steps[{index}]")
        end = world.now + step.settle_s
        while True:
            before = Counter(node.pool for node in world.nodes if node.ready_at is not None)
            marked = {node.number for node in world.nodes if leaves(node)}
            known, waits = {node.number for node in world.nodes}, bool(world.waiting())
            world.run_until(min(world.now + 1, end) if world.now < end else end)
            check_nodes(world)
            check_limits(world)
            check_budgets(world, before, marked)
            check_pods(world, at_rest=False)
            if not waits and not world.waiting():
                check_savings(world, known, marked)
            if world.now >= end:
                break
        check_pods(world, at_rest=step.settle_s >= 20)
    if not has_shortage:
        check_launches(world)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(histories())
def test_totals_add_up_and_repeat(steps: list[Manifest]) -> None:
    result = simulate(script(*steps), assumptions=STAND)
    check_totals(result)
    assert repr(simulate(script(*steps), assumptions=STAND)) == repr(result)


def check_totals(result: Result) -> None:
    end = result.steps[-1].ends
    hours = [((end if node.ended is None else node.ended) - node.created) / 3600 for node in result.nodes]
    totals = result.totals
    assert totals.nodes == len(result.nodes)
    assert abs(totals.node_hours - sum(hours)) < 1e-4
    assert abs(totals.instance_usd - sum(n.price * h for n, h in zip(result.nodes, hours, strict=True))) < 1e-4
    fees = [n.fee * h for n, h in zip(result.nodes, hours, strict=True)]
    assert abs(totals.fee_usd - sum(fees)) < 1e-4
    for node in result.nodes:
        # The fee is a share of the on-demand price, also for Spot.
        share = auto_mode_fees().share(node.instance_type)
        on_demand = node.price / (STAND.spot_price_share if node.capacity_type == "spot" else 1)
        assert abs(node.fee - share * on_demand) < 1e-9


_HASHED = """
import json, sys
from automode_constructs.simulation import Timeline, simulate
sys.stdout.write(repr(simulate(Timeline.of(json.load(sys.stdin)))))
"""


def test_the_order_of_sets_decides_nothing() -> None:
    """The same bytes from interpreters that hash texts differently."""
    apps = [
        workload("ui", 5, topologySpreadConstraints=[spread(hard=False, app="ui")]),
        workload("api", 4, affinity=near(HOST, "api", apart=True)),
        workload("db", 3, kind="StatefulSet", affinity=near(ZONE, "ui")),
    ]
    both = demand(CAPACITY, "on-demand", "spot")
    steps: list[Manifest] = [
        {"apply": [pool("main", both, after="0s"), pool("other", demand(CATEGORY, "m", "r"), after="0s")]},
        {"apply": apps},
        {"scale": "Deployment/shop/ui", "replicas": 2},
        {"interrupt_spot": {"count": 1}},
        {"zone_outage": "us-east-1b", "settle": 600},
    ]
    objects = [NODE_CLASS, *(each for step in steps[:2] for each in step["apply"])]
    written = [{"apply": [reference_of(NODE_CLASS)]}]
    written += [{**s, "apply": [reference_of(each) for each in s["apply"]]} if "apply" in s else s for s in steps]
    text = json.dumps({"objects": objects, "steps": written})
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _HASHED],
            input=text,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert "NodeEnded" in outputs.pop()
