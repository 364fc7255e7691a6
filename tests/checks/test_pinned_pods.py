"""A PodDisruptionBudget that lets no pod be evicted."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.pinned_pods import pinned_pod_problems


def workload(replicas: int | None = 1, kind: str = "Deployment", **metadata: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"template": {"metadata": {"labels": {"app": "web", "tier": "front"}}}}
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web", **metadata}, "spec": spec}


def budget(selector: Any = None, **spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": "web"}} if selector is None else selector
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"selector": selector, **spec},
    }


def found(*manifests: dict[str, Any]) -> list[str]:
    return [f"{index} {problem.severity} {problem.rule} {problem}" for index, problem in pinned_pod_problems(manifests)]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_one_replica_of_which_one_must_stay_pins_its_node(kind: str) -> None:
    assert found(workload(kind=kind), budget(minAvailable=1)) == [
        f"1 warning automode:PinnedPods spec.minAvailable: 1 lets no pod of {kind} 'web' (1 replica) be evicted, so "
        "Karpenter does not consolidate their nodes, and a node that must go waits until its terminationGracePeriod "
        "(24h, unless the pool sets it) ends them; write maxUnavailable: 1, or run more replicas"
    ]


@pytest.mark.parametrize(
    ("replicas", "spec", "pins"),
    [
        (None, {"minAvailable": 1}, True),
        (2, {"minAvailable": 1}, False),
        (3, {"minAvailable": 3}, True),
        (3, {"minAvailable": 5}, True),
        (3, {"minAvailable": "100%"}, True),
        (1, {"minAvailable": "50%"}, True),  # Kubernetes rounds up.
        (2, {"minAvailable": "50%"}, False),
        (3, {"maxUnavailable": 0}, True),
        (3, {"maxUnavailable": "0%"}, True),
        (3, {"maxUnavailable": "1%"}, False),  # Kubernetes rounds up.
        (1, {"maxUnavailable": 1}, False),
        (0, {"maxUnavailable": 0}, False),
        (1, {}, False),
        (1, {"minAvailable": "most"}, False),
        (1, {"minAvailable": True}, False),
    ],
    ids=str,
)
def test_what_must_stay_is_counted_as_kubernetes_counts(replicas: int | None, spec: dict[str, Any], pins: bool) -> None:
    assert bool(found(workload(replicas), budget(**spec))) is pins


@pytest.mark.parametrize(
    ("selector", "pins"),
    [
        ({}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "Near"}]}, False),
        ({"matchExpressions": ["x"]}, False),
        ({"matchLabels": "x"}, False),
        ("x", False),
    ],
    ids=str,
)
def test_a_budget_counts_for_the_pods_that_it_selects(selector: Any, pins: bool) -> None:
    assert bool(found(workload(), budget(selector, minAvailable=1))) is pins


def test_other_namespaces_and_other_budgets_are_apart() -> None:
    assert found(workload(namespace="a"), budget(minAvailable=1)) == []
    assert found(workload(namespace="default"), budget(minAvailable=1)) != []
    assert found(workload(), {**budget(minAvailable=1), "kind": "Other"}) == []


def test_replicas_of_two_workloads_count_together() -> None:
    other = workload(kind="StatefulSet")
    assert found(workload(), other, budget(minAvailable=1)) == []
    (finding,) = found(workload(), other, budget(minAvailable=2))
    assert "no pod of Deployment 'web' and StatefulSet 'web' (2 replicas)" in finding


def test_where_something_scales_the_workload_there_may_be_more_replicas() -> None:
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    }
    assert found(workload(None), scaler, budget(minAvailable=1)) == []
    assert found(workload(None), scaler, budget(maxUnavailable=0)) != []
