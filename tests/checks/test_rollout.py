"""What happens when a workload is updated, or scaled by something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from automode_constructs.checks.placement import BUILT_IN_POOLS
from automode_constructs.checks.rollout import rollout_problems
from automode_constructs.checks.whole_tree import TreeObject, judge_tree

Manifest = dict[str, Any]

GPU = "nvidia.com/gpu"


def pool(name: str = "gpu", *, category: str = "g", taint: str | None = GPU, **limits: Any) -> Manifest:
    taints = [] if taint is None else [{"key": taint, "effect": "NoSchedule"}]
    requirements = [{"key": "eks.amazonaws.com/instance-category", "operator": "In", "values": [category]}]
    nodes = {
        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
        "requirements": requirements,
        "taints": taints,
    }
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "template": {"spec": nodes},
            "limits": {key.replace("gpu", GPU): value for key, value in limits.items()},
        },
    }


def workload(
    name: str = "server",
    *,
    kind: str = "Deployment",
    replicas: Any = 4,
    strategy: Manifest | None = None,
    requests: Manifest | None = None,
    namespace: str | None = None,
    pod: Manifest | None = None,
) -> Manifest:
    asked = {GPU: 1} if requests is None else requests
    spec: Manifest = {
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "a", "image": "a:1", "resources": {"limits": asked}}], **(pod or {})},
        },
    }
    spec |= {} if replicas is None else {"replicas": replicas}
    spec |= {} if strategy is None else {"strategy": strategy}
    metadata = {"name": name} | ({} if namespace is None else {"namespace": namespace})
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def rolling(surge: Any, unavailable: Any) -> Manifest:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def told(*manifests: Manifest, whole: bool = True, built_in: Sequence[str] = ()) -> list[str]:
    return [
        f"{problem.rule.removeprefix('automode:')} {manifests[index]['metadata']['name']}: {problem}"
        for index, problem in rollout_problems(manifests, built_in_pools=built_in, whole=whole)
    ]


MEND = "or set maxSurge 0 and maxUnavailable 1 (of a ModelServer: strategy='Recreate')"


class TestSurge:
    def test_an_update_that_can_never_end(self) -> None:
        assert told(pool(gpu=4), workload(strategy=rolling(1, 0))) == [
            "SurgeExceedsLimit server: spec.replicas: its 4 replicas and 1 more during a rolling update need 5 "
            "nvidia.com/gpu, but NodePool 'gpu' is limited to 4: no update ever ends; raise its "
            f"limits['nvidia.com/gpu'] to 5 or more, {MEND}"
        ]
        assert told(pool(gpu=5), workload(strategy=rolling(1, 0))) == []

    @pytest.mark.parametrize(
        ("replicas", "strategy", "limit", "outcome"),
        [
            (1, None, 1, "no update ever ends"),  # 25 % of one are one more and none less
            (None, None, "1", "no update ever ends"),
            (4, None, 4, "an update waits for old pods to end"),
            (10, rolling("30%", 0), 12, "an update waits for old pods to end"),
            (10, rolling("30%", 0), 10, "no update ever ends"),
            (10, rolling("1%", "1%"), 10, "no update ever ends"),
            (4, rolling(1, 1), 4, "an update waits for old pods to end"),
            (5, None, 4, "some of them never run"),
            (5, {"type": "Recreate"}, 4, "some of them never run"),
        ],
    )
    def test_what_it_comes_to(self, replicas: Any, strategy: Any, limit: Any, outcome: str) -> None:
        (said,) = told(pool(gpu=limit), workload(replicas=replicas, strategy=strategy))
        assert f"is limited to {limit}: {outcome}; " in said

    @pytest.mark.parametrize(
        ("replicas", "strategy"),
        [(4, rolling(0, 1)), (4, {"type": "Recreate"}), (3, None), (0, None), (4, rolling("0%", "0%"))],
    )
    def test_what_fits_says_nothing(self, replicas: Any, strategy: Any) -> None:
        assert told(pool(gpu=4), workload(replicas=replicas, strategy=strategy)) == []

    def test_it_holds_for_every_resource_that_the_pool_limits(self) -> None:
        chosen = {"nodeSelector": {"karpenter.sh/nodepool": "general"}}
        general = pool("general", category="m", taint=None, cpu=8, memory="16Gi")
        (said,) = told(general, workload(requests={"cpu": "2"}, strategy=rolling(1, 0), pod=chosen))
        assert (
            "need 10 cpu, but NodePool 'general' is limited to 8: no update ever ends; raise its limits['cpu']" in said
        )
        (said,) = told(general, workload(requests={"memory": "4Gi"}, strategy=rolling(1, 0), pod=chosen))
        assert "need 20480Mi memory, but NodePool 'general' is limited to 16Gi" in said
        assert told(general, workload(requests={"cpu": "1500m"}, pod=chosen)) == []

    def test_workloads_of_one_pool_add_up(self) -> None:
        said = told(pool(gpu=4), workload("a", replicas=2), workload("b", replicas=2), workload("c", replicas=0))
        assert said[0].startswith(
            "SurgeExceedsLimit a: spec.replicas: its 2 replicas and 1 more during a rolling update, with 2 of other "
            "workloads, need 5 nvidia.com/gpu, but NodePool 'gpu' is limited to 4: no update ever ends"
        )
        assert len(said) == 2

    def test_a_stateful_set_adds_none(self) -> None:
        assert told(pool(gpu=4), workload(kind="StatefulSet")) == []
        (said,) = told(pool(gpu=4), workload(kind="StatefulSet", replicas=5))
        assert ": some of them never run; raise its limits['nvidia.com/gpu'] to 5 or more, or ask for fewer" in said

    def test_another_pool_may_take_them(self) -> None:
        assert told(pool(gpu=4), pool("more", gpu=4), workload(strategy=rolling(1, 0))) == []
        ordinary = workload(requests={"cpu": 4})
        limited = pool("general", category="m", taint=None, cpu=16)
        assert told(limited, ordinary, built_in=["general-purpose"]) == []
        assert len(told(limited, ordinary)) == 1

    def test_pools_without_gpus_take_no_gpu_pods(self) -> None:
        ordinary = pool("general", category="m", taint=None)
        assert len(told(pool(gpu=4), ordinary, workload(), built_in=list(BUILT_IN_POOLS))) == 1

    def test_what_asks_for_a_pool_by_name_is_bound_to_it_in_files_too(self) -> None:
        ordinary = pool("general", category="m", taint=None, cpu=4)
        free = workload(requests={"cpu": 1})
        assert told(ordinary, free, whole=False, built_in=list(BUILT_IN_POOLS)) == []
        bound = workload(requests={"cpu": 1}, pod={"nodeSelector": {"karpenter.sh/nodepool": "general"}})
        assert len(told(ordinary, bound, whole=False, built_in=list(BUILT_IN_POOLS))) == 1

    @pytest.mark.parametrize("limit", ["${Token[Limit.1]}", "many", True, ["4"], "NaN"])
    def test_a_limit_that_is_not_known_limits_nothing(self, limit: Any) -> None:
        assert told(pool(gpu=limit), workload(replicas=99)) == []

    @pytest.mark.parametrize("surge", ["much", "%", None, True, -1, "99999999999%", "٣%"])
    def test_a_surge_that_is_none_is_for_kubernetes_to_refuse(self, surge: Any) -> None:
        assert told(pool(gpu=4), workload(strategy=rolling(surge, 1))) == []


def scaler(kind: str = "HorizontalPodAutoscaler", target: Any = (), *, namespace: str | None = None) -> Manifest:
    versions = {"ScaledObject": "keda.sh/v1alpha1", "HTTPScaledObject": "http.keda.sh/v1alpha1"}
    return {
        "apiVersion": versions.get(kind, "autoscaling/v2"),
        "kind": kind,
        "metadata": {"name": "scaler"} | ({} if namespace is None else {"namespace": namespace}),
        "spec": {
            "maxReplicas": 8,
            "scaleTargetRef": target if isinstance(target, str) else {"name": "server", **dict(target)},
        },
    }


DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}
STATEFUL_SET = {"apiVersion": "apps/v1", "kind": "StatefulSet"}
HPA = scaler(target=DEPLOYMENT)


class TestScaled:
    def test_replicas_beside_an_autoscaler(self) -> None:
        assert told(workload(), HPA) == [
            "ScaledReplicas server: spec.replicas: HorizontalPodAutoscaler 'scaler' scales Deployment 'server', and "
            "every update of this manifest resets it to 4; leave spec.replicas out (of a ModelServer: replicas=None)"
        ]
        assert told(workload(replicas=None), HPA) == []

    @pytest.mark.parametrize(
        ("manifests", "count"),
        [
            ([workload(), scaler("ScaledObject")], 1),  # KEDA's own default is a Deployment
            ([workload(), scaler("ScaledObject", DEPLOYMENT)], 1),
            ([workload(), scaler("HTTPScaledObject")], 1),
            ([workload(replicas=0), scaler("ScaledObject")], 1),
            ([workload(kind="StatefulSet"), scaler("ScaledObject", STATEFUL_SET)], 1),
            ([workload(kind="StatefulSet"), scaler("ScaledObject")], 0),
            ([workload("other"), scaler("ScaledObject")], 0),
            ([workload(namespace="a"), scaler("ScaledObject", namespace="a")], 1),
            ([workload(namespace="a"), scaler("ScaledObject", namespace="b")], 0),
            ([workload(namespace="default"), scaler("ScaledObject")], 1),
            ([workload(), scaler(target="server")], 0),
        ],
    )
    def test_the_target_is_the_one_that_is_named(self, manifests: list[Manifest], count: int) -> None:
        assert len(told(*manifests)) == count
        assert len(told(*reversed(manifests))) == count


def test_an_app_is_warned() -> None:
    objects = [TreeObject(where=f"chart/{each['metadata']['name']}", manifest=each) for each in (
        pool(gpu=4), workload(), HPA
    )]  # fmt: skip
    found = judge_tree(objects, default_node_class=True, whole=True)
    said = [(one.severity, one.rule, one.where) for one in found if one.where != "chart/gpu"]
    assert said == [
        ("warning", "automode:ScaledReplicas", "chart/server"),
        ("warning", "automode:SurgeExceedsLimit", "chart/server"),
    ]
