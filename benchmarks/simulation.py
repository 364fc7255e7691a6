"""The simulation: how long many pods over many pools take, with the whole catalogue."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from typing import Any

from automode_constructs.simulation import Timeline, simulate

__all__ = ["compare"]

POOLS = 60
WORKLOADS = 20
GOALS_S = {1_000: 5, 10_000: 60}
"""Seconds of the processor for so many pods."""

CATEGORIES = (["c"], ["m"], ["r"], ["c", "m", "r"], ["c", "m"], ["t", "m"])


def compare() -> None:
    """Prints how long simulations take, beside their goals."""
    for pods, goal in GOALS_S.items():
        timeline = timeline_of(pods)
        began = _processor_time()
        result = simulate(timeline)
        took = _processor_time() - began
        waiting = sum(result.steps[-1].pending.values())
        print(
            f"simulation of {pods:,} pods over {POOLS} pools: {took:.1f} s (goal: {goal} s); "
            f"{len(result.nodes)} nodes, {waiting} pods pending"
        )


def timeline_of(pods: int) -> Timeline:
    """All pools and workloads at once, and ten minutes after."""
    return Timeline.of(
        {
            "objects": [*_pools(), *_workloads(pods)],
            "steps": [{"apply": "*", "settle": "2m"}, {"wait": "10m"}],
        }
    )


def _pools() -> Iterator[Mapping[str, Any]]:
    yield {"apiVersion": "eks.amazonaws.com/v1", "kind": "NodeClass", "metadata": {"name": "default"}, "spec": {}}
    for number in range(POOLS):
        requirements = {
            "eks.amazonaws.com/instance-category": CATEGORIES[number % len(CATEGORIES)],
            "karpenter.sh/capacity-type": ["on-demand", "spot"] if number % 4 == 0 else ["on-demand"],
            "kubernetes.io/arch": ["amd64"] if number % 5 else ["amd64", "arm64"],
        }
        yield {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodePool",
            "metadata": {"name": f"pool-{number:02}"},
            "spec": {
                "weight": 1 + number % 50,
                "limits": {"cpu": "5000" if number % 3 else "2000"},
                "disruption": {"consolidateAfter": "30s", "consolidationPolicy": "WhenEmptyOrUnderutilized"},
                "template": {
                    "spec": {
                        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
                        "expireAfter": "336h",
                        "taints": [{"key": f"team-{number}", "effect": "NoSchedule"}] if number % 2 else [],
                        "requirements": [
                            {"key": key, "operator": "In", "values": values} for key, values in requirements.items()
                        ],
                    }
                },
            },
        }


def _workloads(pods: int) -> Iterator[Mapping[str, Any]]:
    for number in range(WORKLOADS):
        labels = {"app": f"app-{number}"}
        requests = {"cpu": f"{100 + 137 * number % 3000}m", "memory": f"{128 * (1 + number % 30)}Mi"}
        spec: dict[str, Any] = {"containers": [{"name": "app", "image": "app", "resources": {"requests": requests}}]}
        if number % 5 == 0:
            spec["topologySpreadConstraints"] = [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": labels},
                }
            ]
        if number % 7 == 0:
            spec["tolerations"] = [{"operator": "Exists"}]
        yield {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": f"app-{number}", "namespace": "bench"},
            "spec": {
                "replicas": pods // WORKLOADS,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    compare()
