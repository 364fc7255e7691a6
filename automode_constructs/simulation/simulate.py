"""Plays a timeline and tells what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from automode_constructs.errors import AutoModeError
from automode_constructs.facts.auto_mode_fees import auto_mode_fees
from automode_constructs.simulation.assumptions import Assumption, Assumptions
from automode_constructs.simulation.choice import Choice
from automode_constructs.simulation.node import Node, Pod, WhyNot
from automode_constructs.simulation.steps import apply_manifest, do, reference_of
from automode_constructs.simulation.timeline import Timeline
from automode_constructs.simulation.world import Event, Sample, World

__all__ = ["NodeView", "PendingPod", "Result", "StepResult", "TotalsView", "simulate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A node at the end of a step, or over its whole life.

    Args:
        name: ``n1``, ``n2`` ... in order of appearance.
        pool: its NodePool.
        instance_type: such as ``c6a.large``.
        capacity_type: ``on-demand``, ``spot`` or ``reserved``.
        zone: its zone.
        price: USD an hour of the instance.
        fee: USD an hour of Auto Mode's fee.
        pods: how many pods of each workload it has, by namespace and name; DaemonSets included.
        used: the share of CPU and memory that its pods request, 0 to 1.
        ready: whether it is Ready.
        draining: whether it is about to go.
        created: seconds since the start at which it was launched.
        ended: seconds since the start at which it ended; ``None`` if it has not.
        reason: why it goes or went.
        types_offered: how many instance types its NodeClaim allowed.
        why: which pools were tried before its own, and why they did not take its first pod.
        planned_for: the pods that it was planned for.
        choice: what it was chosen from.
    """

    name: str
    pool: str
    instance_type: str
    capacity_type: str
    zone: str
    price: float
    fee: float
    pods: Mapping[str, int]
    used: Mapping[str, float]
    ready: bool
    draining: bool
    created: float
    ended: float | None
    reason: str
    types_offered: int
    why: Sequence[WhyNot]
    planned_for: Sequence[str]
    choice: Choice | None = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPod:
    """A pod without a node, and why.

    Args:
        name: the pod.
        app: namespace and name of its workload.
        since: seconds since the start at which it was made.
        why: the reason of each pool.
    """

    name: str
    app: str
    since: float
    why: Sequence[WhyNot]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The cluster at the end of a step.

    Args:
        step: what happened, in words.
        begins: seconds since the start at which it happened.
        ends: seconds since the start at its end.
        nodes: the nodes that are there.
        pending: how many pods of each workload have no node, by namespace and name.
        pods: the pods without a node, with reasons.
        blocked: what holds a node that Karpenter may not disrupt, by node.
    """

    step: str
    begins: float
    ends: float
    nodes: Sequence[NodeView]
    pending: Mapping[str, int]
    pods: Sequence[PendingPod]
    blocked: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsView:
    """What adds up.

    Args:
        node_hours: hours of all nodes, from launch to end.
        instance_usd: USD of the instances.
        fee_usd: USD of Auto Mode's fee.
        nodes: how many nodes were launched.
        pods_bound: how many pods got a node; DaemonSets apart.
        pending_s: seconds that these pods waited, all together.
        longest_pending_s: the longest wait of one of them, in seconds.
        disturbed: how many pods were moved, by cause.
        stalled_s: seconds that nodes waited to drain, by what held them.
    """

    node_hours: float
    instance_usd: float
    fee_usd: float
    nodes: int
    pods_bound: int
    pending_s: float
    longest_pending_s: float
    disturbed: Mapping[str, int]
    stalled_s: Mapping[str, float]

    @property
    def usd(self) -> float:
        """USD of instances and fee."""
        return self.instance_usd + self.fee_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a timeline.

    Args:
        start: when it began, in UTC.
        steps: the cluster at the end of each step.
        nodes: every node that there was, in order of appearance.
        events: what happened, in order.
        samples: how many pods the nodes had, whenever it changed.
        totals: what adds up.
        assumptions: the assumptions that the result hangs on.
        not_simulated: objects that were applied and do nothing here, with what to do instead.
    """

    start: datetime
    steps: Sequence[StepResult]
    nodes: Sequence[NodeView]
    events: Sequence[Event]
    samples: Sequence[Sample]
    totals: TotalsView
    assumptions: Sequence[Assumption]
    not_simulated: Mapping[str, str]


def simulate(timeline: Timeline, *, assumptions: Assumptions | None = None) -> Result:
    """Plays a timeline on a simulated cluster; the same timeline always gives the same result.

    Args:
        timeline: the manifests and what happens.
        assumptions: the figures that nobody can know. Default: ``Assumptions()``.

    Raises:
        AutoModeError: if a step names what is not there, or a manifest is wrong.
    """
    assumed = assumptions or Assumptions()
    world = World(timeline, assumed)
    for manifest in timeline.objects:
        reference = reference_of(manifest)
        if world.manifests.setdefault(reference, manifest) != manifest:
            message = f"{reference} is there twice, and the two differ"
            raise AutoModeError.of(
                "objects",
                field="",
                message=message,
                cure="simulate one cluster at a time, or write a patch step for the second",
            )
    for manifest in timeline.existing:
        apply_manifest(world, manifest)
    steps: list[StepResult] = []
    for index, step in enumerate(timeline.steps):
        begins = world.now
        do(world, step, f"steps[{index}]")
        world.run_until(begins + step.settle_s)
        waiting = sorted(world.waiting(), key=lambda pod: pod.number)
        steps.append(
            StepResult(
                step=str(step),
                begins=round(begins, 3),
                ends=round(world.now, 3),
                nodes=[_view(node) for node in world.nodes],
                pending=_counted(waiting),
                pods=[_pending(world, pod) for pod in waiting],
                blocked=world.blocks(),
            )
        )
    every = sorted([*world.ended, *world.nodes], key=lambda node: node.number)
    used = world.noting.used
    return Result(
        start=timeline.start,
        steps=steps,
        nodes=[_view(node) for node in every],
        events=world.events,
        samples=world.samples,
        totals=_totals(world, every),
        assumptions=[each for each in assumed.listed() if each.name in used],
        not_simulated=world.not_simulated,
    )


def _pending(world: World, pod: Pod) -> PendingPod:
    why = list(pod.why)
    shape = pod.shape
    missing = world.volumes.missing(pod.claims)
    if missing is not None:
        why = [WhyNot(f"PersistentVolumeClaim {missing}", "does not exist")]
    elif shape.gates:
        why = [WhyNot("schedulingGates", "hold the pod until they are removed")]
    elif shape.scheduler != "default-scheduler":
        why = [WhyNot(f"scheduler {shape.scheduler}", "is not simulated")]
    elif shape.node_name is not None:
        why = [WhyNot("nodeName", f"names {shape.node_name}, so that no scheduler looks at the pod")]
    elif not why:
        why = [WhyNot("cluster", "a node is planned or about to be ready")]
    return PendingPod(name=pod.name, app=shape.app, since=round(pod.created, 3), why=why)


def _counted(pods: Sequence[Pod]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for pod in pods:
        counts[pod.shape.app] = counts.get(pod.shape.app, 0) + 1
    return dict(sorted(counts.items()))


def _view(node: Node) -> NodeView:
    pods = [pod for pod in node.pods.values() if not pod.stopping]
    return NodeView(
        name=node.name,
        pool=node.pool,
        instance_type=node.machine.name,
        capacity_type=node.capacity_type,
        zone=node.zone,
        price=node.price,
        fee=_fee(node),
        pods=_counted(pods),
        used={key: round(node.used.get(key, 0) / max(node.room[key], 1), 4) for key in ("cpu", "memory")},
        ready=node.ready and not node.lost,
        draining=node.marked or node.deleting_since is not None,
        created=round(node.created, 3),
        ended=None if node.ended_at is None else round(node.ended_at, 3),
        reason=node.reason,
        types_offered=node.types_offered,
        why=node.why,
        planned_for=node.planned_for,
        choice=node.choice,
    )


def _fee(node: Node) -> float:
    return node.machine.price * auto_mode_fees().share(node.machine.name)


def _totals(world: World, nodes: Sequence[Node]) -> TotalsView:
    hours = [((world.now if node.ended_at is None else node.ended_at) - node.created) / 3600 for node in nodes]
    totals = world.totals
    return TotalsView(
        node_hours=round(sum(hours), 6),
        instance_usd=round(sum(node.instance_usd(world.now) for node in nodes), 6),
        fee_usd=round(sum(_fee(node) * each for node, each in zip(nodes, hours, strict=True)), 6),
        nodes=len(nodes),
        pods_bound=totals.bound,
        pending_s=round(totals.pending_s, 3),
        longest_pending_s=round(totals.longest_pending_s, 3),
        disturbed=dict(sorted(totals.disturbed.items())),
        stalled_s=dict(sorted(totals.stalled_s.items())),
    )
