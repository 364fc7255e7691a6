"""Workloads that a quota or a LimitRange of their namespace keeps out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.checks.quotas import quota_problems
from automode_constructs.checks.whole_tree import TreeObject, judge_tree


def container(cpu: str | None = "1", memory: str | None = "1Gi", **limits: str) -> dict[str, Any]:
    requests = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value is not None}
    return {"name": "main", "image": "x:1", "resources": {"requests": requests, "limits": limits}}


def workload(
    *containers: Mapping[str, Any], kind: str = "Deployment", namespace: str = "shop", name: str = "web", **spec: Any
) -> dict[str, Any]:
    pods = {"containers": [*(containers or (container(),))]}
    body: dict[str, Any] = {"template": {"spec": pods}, **spec}
    if kind == "Pod":
        body = {**pods, **spec}
    if kind == "CronJob":
        body = {"schedule": "@daily", "jobTemplate": {"spec": body}}
    group = {"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}.get(kind, "apps/v1")
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": body}


def quota(namespace: str = "shop", scopes: list[str] | None = None, **hard: Any) -> dict[str, Any]:
    spec = {"hard": {key.replace("__", "."): value for key, value in hard.items()}}
    metadata = {"name": "q", "namespace": namespace}
    scoped = {"scopes": scopes} if scopes else {}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {**spec, **scoped}}


def limit_range(**item: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "l", "namespace": "shop"},
        "spec": {"limits": [{"type": "Container", **item}, {"type": "Pod", "max": {"cpu": "1m"}}]},
    }


def found(*manifests: Mapping[str, Any], whole: bool = True) -> list[str]:
    problems = quota_problems(manifests, whole=whole)
    return [f"{index} {problem.severity} {problem.rule} {problem}" for index, problem in problems]


def rules(*manifests: Mapping[str, Any]) -> list[tuple[int, str]]:
    return [(index, problem.rule.partition(":")[2]) for index, problem in quota_problems(manifests, whole=True)]


def test_more_replicas_than_the_quota_holds() -> None:
    assert found(quota(requests__cpu=4), workload(replicas=5)) == [
        "1 error automode:QuotaExceeded spec.replicas: its 5 pods need 5 of requests.cpu, but ResourceQuota 'q' of "
        "namespace 'shop' allows 4, so the API server refuses pods of Deployment 'web'; ask for less, or raise the "
        "quota to 5 or more"
    ]
    assert found(quota(requests__cpu=4), workload(replicas=4)) == []


def test_a_quota_that_is_full_is_no_error() -> None:
    assert rules(quota(cpu=4), workload(replicas=4, kind="StatefulSet")) == []


def test_workloads_count_together_and_the_first_that_does_not_fit_is_named() -> None:
    first, second = workload(replicas=3), workload(kind="StatefulSet", name="db", replicas=2)
    assert found(quota(memory="4Gi"), first, second) == [
        "2 error automode:QuotaExceeded spec.replicas: its 2 pods need 2Gi of memory, and other workloads of the "
        "namespace 3Gi, but ResourceQuota 'q' of namespace 'shop' allows 4Gi, so the API server refuses pods of "
        "StatefulSet 'db'; ask for less, or raise the quota to 5Gi or more"
    ]


@pytest.mark.parametrize(
    ("hard", "pod", "refused"),
    [
        ({"requests__cpu": "999m"}, workload(kind="Pod"), True),
        ({"cpu": "1"}, workload(kind="Pod"), False),
        ({"pods": "2"}, workload(replicas=3), True),
        ({"pods": "2"}, workload(replicas=2), False),
        ({"requests__cpu": "1"}, workload(kind="Job", parallelism=2), True),
        ({"requests__cpu": "1"}, workload(container(cpu="2"), kind="CronJob"), True),
        ({"requests__cpu": "1"}, workload(container(cpu="1"), kind="CronJob"), False),
        ({"requests__nvidia.com/gpu": 0}, workload(container(**{"nvidia.com/gpu": "1"})), True),
        ({"requests__nvidia.com/gpu": "1"}, workload(container(**{"nvidia.com/gpu": "1"})), False),
        ({"limits__cpu": "1"}, workload(container() | {"resources": {"limits": {"cpu": "2"}}}), True),
        ({"requests__cpu": "a token"}, workload(replicas=50), False),
        ({"requests__cpu": "1"}, workload(namespace="other", replicas=50), False),
        ({"requests__cpu": "1"}, workload(container(cpu="4"), replicas=0), False),
        ({"requests__cpu": "1"}, workload(container(cpu="4"), resources={"requests": {"cpu": "1"}}, kind="Pod"), False),
    ],
)
def test_what_counts(hard: dict[str, Any], pod: dict[str, Any], refused: bool) -> None:
    exceeded = [(1, "QuotaExceeded")] if refused else []
    assert [one for one in rules(quota(**hard), pod) if one[1] == "QuotaExceeded"] == exceeded


def test_an_update_without_room_for_one_more_pod() -> None:
    assert found(quota(cpu=2), workload(), workload(name="other", kind="StatefulSet")) == [
        "1 warning automode:QuotaStopsUpdates spec.strategy: an update of Deployment 'web' starts a new pod before an "
        "old one ends, and ResourceQuota 'q' has no room for it: 2 of 2 cpu are in use, and a pod needs 1; set "
        "maxSurge 0 and maxUnavailable 1, or raise the quota to 3 or more"
    ]


@pytest.mark.parametrize(
    ("cpu", "spec", "stops"),
    [
        (3, {"replicas": 3}, True),  # 25 % of three is none
        (4, {"replicas": 4}, False),
        (4, {"replicas": 3}, False),
        (1, {"strategy": {"type": "Recreate"}}, False),
        (1, {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}, False),
        (4, {"replicas": 4, "strategy": {"rollingUpdate": {"maxUnavailable": 0}}}, True),
        (1, {"replicas": 0}, False),
    ],
)
def test_which_updates_wait_for_room(cpu: int, spec: dict[str, Any], stops: bool) -> None:
    assert rules(quota(cpu=cpu), workload(**spec)) == ([(1, "QuotaStopsUpdates")] if stops else [])


def test_a_quota_with_scopes_counts_only_some_pods() -> None:
    assert rules(quota(scopes=["BestEffort"], pods=0), workload(replicas=9)) == []


def test_defaults_of_a_limit_range_count() -> None:
    bare = workload(container(cpu=None, memory=None), replicas=5)
    assert rules(quota(requests__cpu="400m"), limit_range(defaultRequest={"cpu": "100m"}), bare) == [
        (2, "QuotaExceeded")
    ]
    assert rules(quota(requests__cpu="500m"), limit_range(defaultRequest={"cpu": "100m"}), bare) == []


def test_a_container_without_requests_under_a_quota() -> None:
    bare = workload(container(cpu=None))
    assert found(quota(cpu=4, memory="8Gi"), bare) == [
        "1 error automode:QuotaNeedsRequests spec.template.spec.containers[0].resources.requests: has no cpu, which "
        "ResourceQuota 'q' counts, so the API server refuses the pod; write it, or give the namespace a LimitRange "
        "with defaultRequest"
    ]
    (unsure,) = found(quota(cpu=4), bare, whole=False)
    assert unsure.startswith("1 warning automode:QuotaNeedsRequests")
    assert rules(quota(limits__memory="8Gi"), workload()) == [(1, "QuotaNeedsRequests")]


@pytest.mark.parametrize(
    "item",
    [{"defaultRequest": {"cpu": "1"}}, {"default": {"cpu": "1"}}, {"max": {"cpu": "1"}}, {"min": {"cpu": "1"}}],
)
def test_each_default_of_a_limit_range_is_a_request(item: dict[str, Any]) -> None:
    assert rules(quota(cpu=4), limit_range(**item), workload(container(cpu=None))) == []


def test_a_limit_is_a_request_too() -> None:
    only_limits = {"name": "main", "image": "x:1", "resources": {"limits": {"cpu": "1"}}}
    assert rules(quota(cpu=4), workload(only_limits)) == []


def test_a_default_limit_below_a_request() -> None:
    assert found(limit_range(default={"memory": "512Mi"}), workload()) == [
        "1 error automode:LimitRange spec.template.spec.containers[0].resources.requests['memory']: '1Gi' is more than "
        "'512Mi', the limit that the LimitRange of namespace 'shop' gives a container without one, so the API server "
        "refuses the pod; write limits['memory'] too"
    ]
    own = container() | {"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}}
    assert rules(limit_range(default={"memory": "512Mi"}), workload(own)) == []


def test_requests_and_limits_outside_of_the_range() -> None:
    item = limit_range(min={"cpu": "2"}, max={"cpu": "4"})
    over = {"name": "main", "image": "x:1", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "8"}}}
    assert found(item, workload(over)) == [
        "1 error automode:LimitRange spec.template.spec.containers[0].resources.requests['cpu']: '1' is less than '2', "
        "the least of the LimitRange of namespace 'shop'; request more",
        "1 error automode:LimitRange spec.template.spec.containers[0].resources.limits['cpu']: '8' is more than '4', "
        "the most of the LimitRange of namespace 'shop'; lower it",
    ]


@pytest.mark.parametrize("key", ["limits.nvidia.com/gpu", "nvidia.com/gpu"])
def test_a_device_that_is_not_counted(key: str) -> None:
    problems = judge_document({**quota(), "spec": {"hard": {key: 1}}})
    assert {problem.rule for problem in problems or ()} == {"automode:QuotaDevice"}
    assert [str(problem) for problem in problems or ()] == [
        f"spec.hard['{key}']: '{key}' counts nothing: of devices, only requests are counted; write "
        "'requests.nvidia.com/gpu'"
    ]


@pytest.mark.parametrize(
    "key",
    [
        *("requests.nvidia.com/gpu", "count/deployments.apps", "pods", "services.loadbalancers", "hugepages-2Mi"),
        "gp3.storageclass.storage.k8s.io/requests.storage",
        "gold.deviceclass.resource.k8s.io/devices",
    ],
)
def test_what_kubernetes_does_count(key: str) -> None:
    assert not judge_document({**quota(), "spec": {"hard": {key: 1}}})


def test_the_tree_judges_it() -> None:
    objects = [TreeObject(where="a", manifest=one) for one in (quota(cpu=4), workload(replicas=5))]
    findings = judge_tree(objects, default_node_class=True, whole=True)
    assert "automode:QuotaExceeded" in {finding.rule for finding in findings}
