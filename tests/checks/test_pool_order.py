"""The order in which Karpenter tries pools, and accelerated ones that come too early in it."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.placement import BUILT_IN_POOLS, pool_of
from automode_constructs.checks.pool_order import in_order_of_trial
from automode_constructs.checks.whole_tree import TreeObject, judge_tree

CATEGORY = "eks.amazonaws.com/instance-category"
FAMILY = "eks.amazonaws.com/instance-family"
ARCH = "kubernetes.io/arch"
CAPACITY = "karpenter.sh/capacity-type"


def pool(name: str, *requirements: tuple[str, str, list[str]], taint: str = "", **spec: Any) -> TreeObject:
    nodes: dict[str, Any] = {
        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
        "requirements": [{"key": key, "operator": how, "values": values} for key, how, values in requirements],
        "taints": [{"key": "example.com/a", "effect": taint}] if taint else [],
    }
    manifest = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {"template": {"spec": nodes}, **spec},
    }
    return TreeObject(where=name, manifest=manifest)


def gpu(name: str = "gpu", *more: tuple[str, str, list[str]], **spec: Any) -> TreeObject:
    return pool(name, (CATEGORY, "In", ["g"]), *more, **spec)


def plain(name: str, *more: tuple[str, str, list[str]], **spec: Any) -> TreeObject:
    return pool(name, (CATEGORY, "In", ["c", "m", "r"]), *more, **spec)


def found(*objects: TreeObject, built_in: tuple[str, ...] = (), whole: bool = True) -> list[str]:
    findings = judge_tree(objects, default_node_class=True, whole=whole, built_in_pools=built_in)
    return [
        f"{finding.severity} {finding.rule} {finding}"
        for finding in findings
        if finding.rule == "automode:AcceleratedPoolFirst"
    ]


def robbed(*objects: TreeObject, **more: Any) -> list[str]:
    """Which pool each finding says is tried too late."""
    return [text.partition("before ")[2].partition(" (")[0] for text in found(*objects, **more)]


def test_pools_are_tried_by_weight_then_from_the_end_of_the_alphabet() -> None:
    # As a real Karpenter core 1.13 was seen to do it.
    manifests = [
        plain("alpha").manifest,
        plain("omega").manifest,
        plain("aa", weight=1).manifest,
        plain("bb", weight=50).manifest,
        plain("soft", taint="PreferNoSchedule", weight=100).manifest,
        plain("fixed", replicas=1).manifest,
    ]
    read = [known for known in map(pool_of, manifests) if known is not None]
    assert [known.name for known in in_order_of_trial(read)] == ["bb", "aa", "omega", "alpha", "soft"]


@pytest.mark.parametrize("whole", [True, False])
def test_an_accelerated_pool_without_taint_that_comes_first_is_a_warning(whole: bool) -> None:
    assert found(gpu(), built_in=("general-purpose", "system"), whole=whole) == [
        "warning automode:AcceleratedPoolFirst gpu: spec.template.spec.taints: NodePool 'gpu' has accelerated "
        "instances and no taint, and Karpenter tries it before EKS's 'general-purpose' (among equal weights, the last "
        "name of the alphabet comes first), so pods that need no accelerator start its nodes; taint it, for "
        "example nvidia.com/gpu with effect NoSchedule"
    ]


def test_the_cure_names_the_taint_of_the_device_and_the_weight_that_would_do() -> None:
    (told,) = found(pool("ml", (FAMILY, "In", ["trn2"]), weight=10), plain("web", weight=5))
    assert "tries it before 'web' (weight 10 is above 5)" in told
    assert told.endswith("aws.amazon.com/neuron with effect NoSchedule, or give 'web' a higher weight")
    (told,) = found(gpu(), plain("web", taint="PreferNoSchedule", weight=5))
    assert "tries it before 'web' (which has a PreferNoSchedule taint)" in told
    assert told.endswith("nvidia.com/gpu with effect NoSchedule")


@pytest.mark.parametrize(
    ("objects", "names"),
    [
        ([gpu(), plain("general")], ["'general'"]),
        ([gpu(), plain("web")], []),
        ([gpu(), plain("general", weight=1)], []),
        ([gpu(weight=1), plain("web")], ["'web'"]),
        ([gpu(weight=1), plain("web", weight=1)], []),
        ([gpu(taint="NoSchedule"), plain("general")], []),
        ([gpu(taint="NoExecute"), plain("general")], []),
        ([gpu(taint="PreferNoSchedule", weight=9), plain("general")], []),
        ([gpu(replicas=1), plain("general")], []),
        ([gpu(), plain("general", replicas=1)], []),
        ([gpu(), plain("general", taint="NoSchedule")], []),
        ([gpu(), gpu("also-gpu"), plain("a")], ["'a'", "'a'"]),
        ([gpu(), gpu("also-gpu"), plain("a"), plain("b")], ["'b'"]),
        ([gpu()], []),
        # Pods that want no accelerator find room in mixed pools by price.
        ([pool("mixed", (CATEGORY, "In", ["c", "g"])), plain("general")], []),
        ([pool("mixed", (CATEGORY, "NotIn", ["t"])), plain("general")], []),
        ([pool("p", ("eks.amazonaws.com/instance-gpu-name", "In", ["l4"])), plain("general")], ["'general'"]),
        ([pool("p", ("eks.amazonaws.com/instance-gpu-count", "Gt", ["0"])), plain("general")], ["'general'"]),
        ([pool("p", ("node.kubernetes.io/instance-type", "In", ["p5.48xlarge"])), plain("general")], ["'general'"]),
        ([pool("p", (CATEGORY, "In", ["${Token[a.1]}"])), plain("general")], []),
        # What an earlier pool takes does not get as far as the accelerated one.
        ([plain("first", weight=9), gpu(), plain("general")], []),
        ([plain("first", (ARCH, "In", ["arm64"]), weight=9), gpu(), plain("general")], ["'general'"]),
        ([plain("first", (ARCH, "In", ["amd64"]), weight=9), gpu("gpu", (ARCH, "In", ["amd64"])), plain("a")], []),
        # g6 is amd64, though nobody says so.
        ([plain("z", (ARCH, "In", ["amd64"])), pool("gpu", (FAMILY, "In", ["g6"])), plain("a")], []),
        ([plain("z", (CAPACITY, "In", ["on-demand"])), gpu(), plain("a", (CAPACITY, "In", ["spot"]))], ["'a'"]),
    ],
)
def test_only_who_meets_the_accelerated_pool_first_is_told(objects: list[TreeObject], names: list[str]) -> None:
    assert robbed(*objects) == names


def test_pools_of_eks_count_where_they_are_on_and_once() -> None:
    assert robbed(gpu()) == []
    assert robbed(gpu(), built_in=("system",)) == []
    assert robbed(gpu("a-gpu"), built_in=("general-purpose",)) == []
    assert robbed(gpu(), plain("general-purpose"), built_in=("general-purpose",)) == ["EKS's 'general-purpose'"]
    assert robbed(gpu(), plain("general", weight=1), built_in=("general-purpose",)) == []
    assert "general-purpose" in BUILT_IN_POOLS
