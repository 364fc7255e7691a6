"""What the simulation has to assume: each assumption with its value, its unit and its source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["Assumption", "Assumptions"]

_CORE = "kubernetes-sigs/karpenter at 2026-08-20"


def _assumed(value: Any, unit: str, source: str) -> Any:
    return field(default=value, metadata={"unit": unit, "source": source})


@dataclass(frozen=True, kw_only=True, slots=True)
class Assumption:
    """One assumption, as ``automode simulate --assumptions`` lists it.

    Args:
        name: the field of ``Assumptions``.
        value: what the simulation takes.
        unit: the value's unit, and what it measures.
        source: where the value comes from; "ours" where nobody publishes one.
    """

    name: str
    value: Any
    unit: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Assumptions:
    """Every figure that the simulation cannot know.

    AWS keeps Auto Mode's code closed, so it is taken to decide as Karpenter does.
    Each field can be given another value; a result names those that it hangs on.
    """

    batch_idle_s: float = _assumed(
        1, "s without a new pending pod, after which nodes are planned", f"{_CORE}, BATCH_IDLE_DURATION"
    )
    batch_max_s: float = _assumed(10, "s that planning waits at most for more pods", f"{_CORE}, BATCH_MAX_DURATION")
    retry_s: float = _assumed(
        10, "s until pods without a node are planned again", f"{_CORE}, provisioning/controller.go"
    )
    node_start_s: float = _assumed(
        17, "s from a planned node to a Ready one", "AWS re:Invent 2025 talk on EKS Auto Mode: about 17 s"
    )
    node_end_s: float = _assumed(45, "s from a drained node to an ended instance", "ours: EC2 publishes no figure")
    pod_start_s: float = _assumed(1, "s from a pulled image to a running container", "ours")
    pod_stop_s: float = _assumed(1, "s that a pod takes to stop", "ours: preStop hooks and grace periods are not run")
    image_bytes: float = _assumed(
        150_000_000, "bytes of an image whose size the timeline does not say", "ours: a small web service"
    )
    job_s: float = _assumed(60, "s that a Job's pod runs if the timeline does not say", "ours")
    spot_price_share: float = _assumed(
        0.4, "of the on-demand price that a Spot node costs", "ours: Spot prices change by type, zone and hour"
    )
    unpriced_share: float = _assumed(
        1.0,
        "of the price for each vCPU of its family's other sizes, or of the newest family before it, that a type costs "
        "whose price is not known; such types are taken last",
        "ours: the price table is older than the list of types",
    )
    reserved_price_share: float = _assumed(
        0, "of the on-demand price that a node in a reservation adds", "a reservation is paid whether it is used or not"
    )
    cpu_overhead_millis: int | None = _assumed(
        None, "m of CPU that pods cannot have; None: the catalogue's formula", "Karpenter, kubeReservedResources"
    )
    memory_overhead_mib: int | None = _assumed(
        None, "MiB of memory that pods cannot have; None: the catalogue's formula", "Karpenter, kubeReservedResources"
    )
    disruption_poll_s: float = _assumed(
        10, "s between two looks for nodes to disrupt", f"{_CORE}, disruption/controller.go, pollingPeriod"
    )
    validation_s: float = _assumed(
        15, "s between a consolidation and its second check", f"{_CORE}, disruption/consolidation.go"
    )
    pod_event_window_s: float = _assumed(
        10,
        "s in which a second pod event of a node does not reset consolidateAfter",
        f"{_CORE}, nodeclaim/podevents/controller.go, dedupeTimeout",
    )
    nomination_s: float = _assumed(
        20, "s for which a node that expects pods is left alone", f"{_CORE}, state/cluster.go"
    )
    eviction_retry_s: float = _assumed(
        10, "s between two tries to evict a pod that its budget holds", f"{_CORE}, terminator/eviction.go"
    )
    shortage_memory_s: float = _assumed(
        180, "s for which an offering without capacity is not tried again", "aws/karpenter-provider-aws, ICE cache"
    )
    spot_notice_s: float = _assumed(
        120, "s between the notice and the end of a Spot instance", "Amazon EC2 User Guide, Spot interruption notices"
    )
    not_ready_s: float = _assumed(
        50, "s until a lost node counts as not ready", "Kubernetes, node-monitor-grace-period"
    )
    status_checks_s: float = _assumed(
        120,
        "s until EC2's status checks of a lost instance have failed for long enough, and its node is replaced by force",
        "EKS release notes, 9 Jun 2026; aws/karpenter-provider-aws, pkg/providers/instancestatus",
    )
    drift_s: float = _assumed(1, "s until a changed pool, class or version is seen on its nodes", "ours")
    spot_to_spot: bool = _assumed(
        False,
        "whether a Spot node is replaced by a cheaper Spot node",
        f"{_CORE}, feature gate SpotToSpotConsolidation",
    )
    local_disk_for_pods: bool = _assumed(
        True, "whether local NVMe disks hold the pods' ephemeral storage", "EKS User Guide, 'Create a Node Class'"
    )
    pods_on_ipv6: int | None = _assumed(
        None, "pods that a node takes; None: as many as its network interfaces allow, at most 110", "EKS User Guide"
    )
    soft_nodes_limit: bool = _assumed(
        True,
        "whether one batch may go over a limit on 'nodes'",
        "seen on Karpenter core 1.13: three nodes for a limit of 2",
    )

    def listed(self) -> Iterator[Assumption]:
        """All assumptions with their values."""
        for each in fields(self):
            yield Assumption(
                name=each.name,
                value=getattr(self, each.name),
                unit=each.metadata["unit"],
                source=each.metadata["source"],
            )

    @classmethod
    def of_the_stand(cls) -> Assumptions:
        """The figures of the stand on which a real Karpenter was recorded: fake kubelets, no pulls, flat overhead."""
        return cls(
            node_start_s=3,
            node_end_s=9,
            pod_start_s=0,
            pod_stop_s=0.3,
            image_bytes=0,
            reserved_price_share=1e-6,
            cpu_overhead_millis=80,
            memory_overhead_mib=500,
            disruption_poll_s=1,
            drift_s=0,
            local_disk_for_pods=False,
        )
