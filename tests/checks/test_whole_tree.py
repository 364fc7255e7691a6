"""What no single object can show."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automode_constructs.checks.accelerators import DEVICE_REQUEST
from automode_constructs.checks.placement import Pool, pool_of
from automode_constructs.checks.whole_tree import ObjectKey, TreeFinding, TreeObject, judge_tree, object_key
from automode_constructs.cli.lint import objects_of
from automode_constructs.specs.rule import RULES

ROOT = Path(__file__).parents[2]


def thing(kind: str, name: str, *, api_version: str = "v1", namespace: str | None = None, **body: Any) -> TreeObject:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
    return TreeObject(where=f"chart/{name}", manifest=manifest)


def node_class(name: str) -> TreeObject:
    return thing("NodeClass", name, api_version="eks.amazonaws.com/v1")


def pool(name: str, reference: Any, *, external: str | None = None) -> TreeObject:
    spec = {"template": {"spec": {"nodeClassRef": reference}}}
    manifest = thing("NodePool", name, api_version="karpenter.sh/v1", spec=spec).manifest
    return TreeObject(where=f"chart/{name}", manifest=manifest, external_node_class=external)


def judged(*objects: TreeObject, built_in: bool = False, whole: bool = True, known: tuple[str, ...] = ()) -> list[str]:
    findings = judge_tree(objects, default_node_class=built_in, whole=whole, node_classes=known)
    return [f"{finding.severity} {finding.rule} {finding}" for finding in findings if is_of_the_tree(finding)]


def is_of_the_tree(finding: TreeFinding) -> bool:
    """Whether it is about several objects; those of these tests have only the fields that a test needs."""
    return RULES[finding.rule].judged == "tree"


def test_the_version_is_no_part_of_what_an_object_is() -> None:
    keys = {object_key(thing("Deployment", "a", api_version=f"apps/{version}").manifest) for version in ("v1", "v2")}
    assert keys == {ObjectKey(group="apps", kind="Deployment", namespace="", name="a")}


@pytest.mark.parametrize(
    ("kind", "namespace", "key"),
    [
        ("ConfigMap", None, ""),
        ("ConfigMap", "", ""),
        ("ConfigMap", "default", ""),
        ("ConfigMap", "apps", "apps"),
        ("StorageClass", "apps", ""),
        ("NodePool", "apps", ""),
    ],
)
def test_one_object_has_one_key_however_its_namespace_is_put(kind: str, namespace: str | None, key: str) -> None:
    assert object_key(thing(kind, "a", namespace=namespace).manifest).namespace == key


@pytest.mark.parametrize("manifest", [{}, {"metadata": None}, {"kind": "ConfigMap"}])
def test_a_manifest_that_is_hardly_one_has_a_key(manifest: dict[str, Any]) -> None:
    assert object_key(manifest).name == ""


def test_a_key_reads_as_a_person_would_say_it() -> None:
    assert str(ObjectKey("", "ConfigMap", "apps", "a")) == "ConfigMap 'a' in namespace 'apps'"
    assert str(ObjectKey("", "Namespace", "", "apps")) == "Namespace 'apps'"


def test_an_object_made_twice_is_an_error_that_names_both_places() -> None:
    again = thing("ConfigMap", "a", namespace="default")
    assert judged(thing("ConfigMap", "a"), TreeObject(where="other", manifest=again.manifest)) == [
        "error automode:DuplicateObject other: metadata.name: ConfigMap 'a' is also created by chart/a; give one of "
        "them another name, or deliver it once"
    ]


def test_equal_names_of_different_things_are_fine() -> None:
    assert (
        judged(
            thing("ConfigMap", "a"),
            thing("ServiceAccount", "a"),
            thing("ConfigMap", "a", namespace="kube-system"),
            thing("ConfigMap", "a", api_version="example.com/v1"),
        )
        == []
    )


MISSING = (
    "automode:NodeClassNotFound chart/p: spec.template.spec.nodeClassRef.name: no chart of this cluster creates the "
    "NodeClass 'gpu', so NodePool 'p' never launches a node; deliver it with one of the charts, or write "
    "NodeClass.from_name(..., made_elsewhere=True)"
)


def test_a_pool_without_its_node_class_is_an_error_where_all_charts_are_known_and_else_a_warning() -> None:
    lost = pool("p", {"name": "gpu"})
    assert judged(lost) == [f"error {MISSING}"]
    assert judged(lost, whole=False) == [f"warning {MISSING}"]


@pytest.mark.parametrize(
    "reference",
    [
        {"name": "${Token[TOKEN.12]}"},
        {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"},
        {},
        None,
        "gpu",
    ],
)
def test_a_pool_whose_node_class_cannot_be_told_is_left_alone(reference: Any) -> None:
    assert judged(pool("p", reference)) == []


def test_a_node_class_may_come_from_anywhere() -> None:
    wanted = pool("p", {"name": "gpu"})
    assert judged(wanted, node_class("gpu")) == []
    assert judged(wanted, known=("gpu",)) == []
    assert judged(pool("p", {"name": "gpu"}, external="gpu")) == []
    # Only that one: another name on the pool is as lost as before.
    assert len(judged(pool("p", {"name": "gpu"}, external="other"))) == 1


def test_default_exists_only_beside_a_built_in_pool() -> None:
    wanted = pool("p", {"name": "default"})
    assert judged(wanted, built_in=True) == []
    (finding,) = judged(wanted)
    assert finding.endswith(
        "; EKS creates it only beside a built-in pool: turn one on, or give the pool its own NodeClass"
    )


def test_a_namespace_that_nobody_makes_is_a_warning_once() -> None:
    inside = [thing("ConfigMap", name, namespace="apps") for name in "ab"]
    assert judged(*inside) == [
        "warning automode:NamespaceNotFound chart/a: metadata.namespace: no chart of this cluster creates the "
        "namespace 'apps', so the API server refuses this object; add a Namespace object, or "
        "acknowledge this if something else creates it"
    ]
    assert judged(*inside, thing("Namespace", "apps")) == []
    assert judged(*inside, whole=False) == []


@pytest.mark.parametrize("namespace", ["default", "kube-system", "kube-public", "kube-node-lease", "${Token[T.1]}"])
def test_the_namespaces_of_every_cluster_are_known(namespace: str) -> None:
    assert judged(thing("ConfigMap", "a", namespace=namespace)) == []


def test_a_finding_says_which_object_it_is_about() -> None:
    findings: list[TreeFinding] = judge_tree(
        [node_class("a"), pool("p", {"name": "gpu"})], default_node_class=False, whole=True
    )
    assert [finding.index for finding in findings] == [1]


GENERAL = "eks.amazonaws.com/instance-category"


def nodes(
    name: str,
    *requirements: tuple[str, str, list[str]],
    taints: Sequence[str] = (),
    labels: dict[str, str] | None = None,
    node_class: str = "default",
    **spec: Any,
) -> TreeObject:
    template = {
        "metadata": {"labels": labels or {}},
        "spec": {
            "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": node_class},
            "requirements": [{"key": key, "operator": how, "values": values} for key, how, values in requirements],
            "taints": [dict(zip(("key", "value", "effect"), taint.split("="), strict=True)) for taint in taints],
        },
    }
    return thing("NodePool", name, api_version="karpenter.sh/v1", spec={"template": template, **spec})


def work(name: str, kind: str = "Deployment", **pod: Any) -> TreeObject:
    spec: dict[str, Any] = {"template": {"spec": {"containers": [], **pod}}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    if kind == "Pod":
        spec = spec["template"]["spec"]
    group = {"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}.get(kind, "apps/v1")
    return thing(kind, name, api_version=group, spec=spec)


def found(*objects: TreeObject, whole: bool = True, **more: Any) -> list[str]:
    """The findings but for pods on accelerated nodes that request no device, which have tests of their own."""
    findings = judge_tree(objects, default_node_class=True, whole=whole, **{"built_in_pools": [], **more})
    return [
        f"{finding.severity} {finding.rule} {finding}"
        for finding in findings
        if is_of_the_tree(finding) and finding.rule != DEVICE_REQUEST.id
    ]


PLAIN = nodes("plain", (GENERAL, "In", ["c", "m"]))
TAINTED = nodes("gpu", (GENERAL, "In", ["g"]), taints=["nvidia.com/gpu=yes=NoSchedule"])
GPU_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists"}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "ReplicaSet", "Job", "CronJob", "Pod"])
def test_a_workload_whose_node_selector_fits_no_pool_is_an_error(kind: str) -> None:
    lost = work("w", kind, nodeSelector={"example.com/team": "ml"})
    place = {"CronJob": "spec.jobTemplate.spec.template.spec", "Pod": "spec"}.get(kind, "spec.template.spec")
    message = (
        f"automode:WorkloadFitsNoPool chart/w: {place}.nodeSelector: {kind} 'w' fits no pool: no pool launches nodes "
        "with example.com/team=ml; correct the nodeSelector, or set these labels or requirements in a pool"
    )
    assert found(PLAIN, lost) == [f"error {message}"]
    assert found(PLAIN, lost, other_nodes=True) == [f"warning {message}"]
    assert found(PLAIN, lost, whole=False) == [f"warning {message}"]
    assert found(lost, whole=False) == found(lost) == []
    assert found(nodes("team", labels={"example.com/team": "ml"}), lost) == []


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        ({}, True),
        ({GENERAL: "m"}, True),
        ({GENERAL: "g"}, False),
        ({"node.kubernetes.io/instance-type": "m7i.large"}, True),
        ({"node.kubernetes.io/instance-type": "g6e.xlarge"}, False),
        ({"beta.kubernetes.io/instance-type": "g6e.xlarge"}, False),
        ({"eks.amazonaws.com/instance-family": "r8g"}, False),
        ({"kubernetes.io/arch": "arm64", "kubernetes.io/os": "linux"}, True),
        ({"kubernetes.io/arch": "x86"}, False),
        ({"kubernetes.io/os": "windows"}, False),
        ({"karpenter.sh/nodepool": "plain"}, True),
        ({"karpenter.sh/nodepool": "other"}, False),
        ({"eks.amazonaws.com/compute-type": "auto"}, True),
        ({"eks.amazonaws.com/nodeclass": "other"}, False),
        ({"karpenter.k8s.aws/instance-category": "m"}, False),
        ({"topology.kubernetes.io/zone": "us-west-2a"}, True),
        ({"eks.amazonaws.com/something-new": "x"}, True),
        ({GENERAL: "${Token[TOKEN.1]}"}, True),
        ({"example.com/team": "${Token[TOKEN.1]}"}, True),
        # Nodes that no pool makes.
        ({"eks.amazonaws.com/nodegroup": "a"}, True),
        ({"eks.amazonaws.com/compute-type": "hybrid"}, True),
        ({"kubernetes.io/hostname": "a"}, True),
    ],
    ids=str,
)
def test_a_node_selector_fits_what_a_pool_can_launch(selector: dict[str, str], fits: bool) -> None:
    assert (found(PLAIN, work("w", nodeSelector=selector)) == []) is fits


def affinity(*terms: list[tuple[str, str, list[str]]]) -> dict[str, Any]:
    written = [
        {"matchExpressions": [{"key": key, "operator": how, "values": values} for key, how, values in term]}
        for term in terms
    ]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": written}}}


TEAM, ARCH, TYPE = "example.com/team", "kubernetes.io/arch", "node.kubernetes.io/instance-type"


@pytest.mark.parametrize(
    ("terms", "fits"),
    [
        ([[(GENERAL, "In", ["g", "m"])]], True),
        ([[(GENERAL, "In", ["g"])]], False),
        ([[(GENERAL, "In", ["g"])], [(GENERAL, "In", ["c"])]], True),
        ([[(GENERAL, "In", ["c"]), (ARCH, "In", ["arm64"])]], True),
        ([[(GENERAL, "In", ["c"]), (TEAM, "In", ["ml"])]], False),
        ([[(GENERAL, "NotIn", ["c", "m"])]], False),
        ([[(GENERAL, "NotIn", ["c"])]], True),
        ([[(GENERAL, "DoesNotExist", [])]], False),
        ([[(TEAM, "NotIn", ["ml"]), (TEAM, "DoesNotExist", [])]], True),
        ([[(TEAM, "Exists", [])]], False),
        ([[(TEAM, "In", ["${Token[TOKEN.1]}"])]], True),
        ([[("eks.amazonaws.com/instance-generation", "Gt", ["4"])]], True),
        ([[("eks.amazonaws.com/instance-generation", "Lt", ["0"])]], False),
        ([[(TYPE, "In", ["g6.xlarge", "g5.xlarge"])]], False),
        ([[(TYPE, "In", ["g6.xlarge", "m7i.large"])]], True),
        ([[("kubernetes.io/os", "In", ["windows"])]], False),
        # Nodes that no pool makes, or what cannot be read.
        ([[("eks.amazonaws.com/compute-type", "NotIn", ["auto", "fargate"])]], False),
        ([[("eks.amazonaws.com/compute-type", "NotIn", ["fargate", "hybrid"])]], True),
        ([[("eks.amazonaws.com/nodegroup", "Exists", [])]], True),
        ([[(TEAM, "in", ["ml"])]], True),
        ([[(TEAM, "Gt", ["-1"])]], True),
        ([[(TEAM, "In", [])]], True),
        ([[]], True),
        ([], True),
    ],
    ids=str,
)
def test_a_required_node_affinity_fits_what_a_pool_can_launch(terms: list[Any], fits: bool) -> None:
    assert (found(PLAIN, work("w", affinity=affinity(*terms))) == []) is fits


def test_an_affinity_that_fits_no_pool_is_told_as_one() -> None:
    lost = work("w", nodeSelector={GENERAL: "m"}, affinity=affinity([(TEAM, "In", ["a", "b"])], [(TEAM, "Exists", [])]))
    place = "spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    assert found(PLAIN, lost) == [
        f"error automode:WorkloadFitsNoPool chart/w: {place}: Deployment 'w' fits no pool: no pool launches nodes with "
        "eks.amazonaws.com/instance-category=m, example.com/team In a, b or eks.amazonaws.com/instance-category=m, "
        "example.com/team Exists; correct the affinity, or set these labels or requirements in a pool"
    ]
    wanted = work("w", affinity=affinity([(TEAM, "In", ["a"])]))
    assert found(nodes("team", labels={TEAM: "a"}), wanted) == []
    assert (
        "spec.template.spec.tolerations" in found(nodes("t", labels={TEAM: "a"}, taints=["x=y=NoSchedule"]), wanted)[0]
    )
    assert [text.split()[0] for text in found(PLAIN, wanted, whole=False)] == ["warning"]
    preferred: dict[str, Any] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    assert found(PLAIN, work("w", affinity=preferred)) == []


@pytest.mark.parametrize(
    ("tolerations", "fits"),
    [
        ([], False),
        ([GPU_TOLERATION], True),
        ([{"key": "nvidia.com/gpu", "value": "yes"}], True),
        ([{"key": "nvidia.com/gpu", "operator": "Equal", "value": "no"}], False),
        ([{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"}], False),
        ([{"operator": "Exists"}], True),
        ([{"key": "${Token[TOKEN.1]}", "operator": "Exists"}], True),
    ],
    ids=str,
)
def test_a_workload_must_tolerate_the_taints_of_a_pool_that_fits(tolerations: list[Any], fits: bool) -> None:
    told = found(PLAIN, TAINTED, work("w", nodeSelector={GENERAL: "g"}, tolerations=tolerations))
    assert (told == []) is fits
    if not fits:
        assert told[0] == (
            "error automode:WorkloadFitsNoPool chart/w: spec.template.spec.tolerations: Deployment 'w' fits no pool: "
            "it does not tolerate the taints of the pools that would fit ('gpu' has nvidia.com/gpu); "
            "add tolerations, or a pool without taints"
        )


def test_eks_own_pools_count() -> None:
    arm = work("w", nodeSelector={"kubernetes.io/arch": "arm64"})
    assert found(TAINTED, work("w"), work("g", tolerations=[GPU_TOLERATION]), built_in_pools=["general-purpose"]) == []
    assert "'system' has CriticalAddonsOnly" in found(arm, built_in_pools=["system", "general-purpose"])[0]
    assert found(arm, work("p", nodeSelector={GENERAL: "m"}), built_in_pools=["general-purpose"])[0].endswith(
        "no pool launches nodes with kubernetes.io/arch=arm64; "
        "correct the nodeSelector, or set these labels or requirements in a pool"
    )
    # Where it is not known which are on, both may be.
    assert found(work("w"), built_in_pools=None) == []
    assert judged(TAINTED, work("w"), built_in=False)[1].startswith("error automode:WorkloadFitsNoPool")


@pytest.mark.parametrize(
    "pod",
    [
        {"nodeName": "a"},
        {"schedulerName": "other"},
        {"nodeSelector": "junk"},
        {"nodeSelector": {"a": 1}},
        {"tolerations": [None]},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": "junk"}}},
        {
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name"}]}]
                    }
                }
            }
        },
    ],
    ids=str,
)
def test_pods_that_nobody_can_place_are_left_alone(pod: dict[str, Any]) -> None:
    assert found(TAINTED, nodes("p"), work("g", tolerations=[GPU_TOLERATION]), work("w", **pod)) == []


@pytest.mark.parametrize(
    "spec",
    [
        None,
        {"template": {"spec": {"requirements": [{"key": "a", "operator": "in"}]}}},
        {"template": {"spec": {"requirements": [{"key": "a", "operator": "Gt", "values": ["x"]}]}}},
        {"template": {"spec": {"requirements": [{"key": "a", "operator": "Gt", "values": ["9" * 5000]}]}}},
        {"template": {"spec": {"requirements": [{"key": "a", "operator": "In", "values": [1]}]}}},
        {"template": {"spec": {"requirements": [{"key": "a", "operator": ["In"]}]}}},
        {"template": {"spec": {"requirements": [], "taints": "junk"}}},
        {"template": {"spec": {"requirements": []}, "metadata": {"labels": {"a": 1}}}},
    ],
)
def test_beside_a_pool_that_cannot_be_read_every_workload_fits(spec: Any) -> None:
    strange = thing("NodePool", "strange", api_version="karpenter.sh/v1", spec=spec)
    assert found(strange, TAINTED, work("w", nodeSelector={"a": "b"})) == []


def test_a_daemon_set_needs_no_pool_and_makes_none_launch() -> None:
    everywhere = work("d", "DaemonSet", nodeSelector={"a": "b"}, tolerations=[{"operator": "Exists"}])
    assert found(PLAIN, everywhere) == []
    assert found(PLAIN, TAINTED, everywhere, work("w")) == []


def test_a_tainted_pool_that_nobody_uses_is_no_finding() -> None:
    assert found(PLAIN, TAINTED, work("w")) == []
    assert found(PLAIN, TAINTED, work("w", tolerations=[GPU_TOLERATION])) == []
    other = {"key": "example.com/team", "operator": "Exists"}
    assert found(PLAIN, TAINTED, work("w", tolerations=[other])) == []


@pytest.mark.parametrize(
    ("toleration", "told"),
    [
        ({"key": "nvidia.com/gpu", "value": "true"}, "nvidia.com/gpu=true"),
        ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"}, "nvidia.com/gpu:NoExecute"),
        ({"key": "nvidia.com/gpus", "operator": "Exists"}, "nvidia.com/gpus"),
        ({"key": "nvidia.co/gpu", "value": "yes"}, "nvidia.co/gpu=yes"),
    ],
    ids=str,
)
def test_a_toleration_that_is_nearly_a_taint_is_a_warning(toleration: dict[str, str], told: str) -> None:
    nearly = work("w", tolerations=[toleration])
    assert found(PLAIN, TAINTED, nearly) == [
        "warning automode:TaintNobodyTolerates chart/gpu: spec.template.spec.taints: no workload of this cluster's "
        "charts tolerates nvidia.com/gpu=yes:NoSchedule of NodePool 'gpu', but Deployment 'w' tolerates "
        f"{told}, which no pool has; correct the toleration or the taint"
    ]
    # Somebody else uses the pool, or the toleration is another pool's.
    assert found(PLAIN, TAINTED, nearly, work("g", tolerations=[GPU_TOLERATION])) == []
    key, value = toleration["key"], toleration.get("value", "")
    owner = nodes("owner", taints=[f"{key}={value}={toleration.get('effect', 'NoSchedule')}"])
    assert found(PLAIN, TAINTED, owner, nearly) == []
    assert found(PLAIN, TAINTED, nearly, whole=False) == []


def test_one_pool_at_least_takes_ordinary_pods() -> None:
    assert found(TAINTED) == [
        "warning automode:NoPoolForOrdinaryPods chart/gpu: spec.template.spec.taints: every pool of the cluster has "
        "taints, so pods without tolerations, such as those of add-ons, never run; "
        "turn general-purpose on, or add a pool without taints"
    ]
    assert len(found(TAINTED, built_in_pools=["system"])) == 1
    assert found(TAINTED, built_in_pools=["general-purpose"]) == found(TAINTED, PLAIN) == []
    assert found(TAINTED, built_in_pools=None) == found(TAINTED, whole=False) == found(TAINTED, other_nodes=True) == []


def test_pools_that_could_launch_the_same_node_have_different_weights() -> None:
    first = nodes("first", (GENERAL, "In", ["c", "m"]), weight=10)
    assert found(first, nodes("second", (GENERAL, "In", ["m", "r"]), weight=10)) == [
        "warning automode:EqualWeights chart/second: spec.weight: NodePools 'second' and 'first' have weight 10 and "
        "could launch the same node, so their names decide which comes first; give them different weights, or none"
    ]
    for other in (
        nodes("other", (GENERAL, "In", ["r"]), weight=10),
        nodes("other", (GENERAL, "In", ["m"]), weight=11),
        nodes("other", (GENERAL, "In", ["m"])),
        nodes("other", (GENERAL, "In", ["m"]), weight=10, taints=["CriticalAddonsOnly=b=NoSchedule"]),
    ):
        assert found(first, other) == []


_ZONE, _TEAM = "topology.kubernetes.io/zone", "example.com/team"
_POOLS = st.builds(
    lambda number, zones, teams, weight, tainted: nodes(
        f"p{number}",
        *([(_ZONE, "In", zones)] if zones else []),
        *([(_TEAM, *teams)] if teams else []),
        weight=weight,
        taints=["a=b=NoSchedule"] if tainted else [],
    ),
    st.integers(0, 99),
    st.lists(st.sampled_from(["a", "b", "c", "${Token[TOKEN.1]}"]), max_size=2),
    st.none() | st.tuples(st.sampled_from(["In", "NotIn"]), st.lists(st.sampled_from("xyz"), min_size=1, max_size=2)),
    st.integers(1, 2),
    st.booleans(),
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(_POOLS, max_size=9))
def test_the_first_pool_of_equal_weight_that_overlaps_is_told(trees: list[TreeObject]) -> None:
    pools = [pool for tree in trees if (pool := pool_of(tree.manifest)) is not None]
    expected = [
        (place, other.name)
        for place, pool in enumerate(pools)
        for other in pools[:place]
        if (pool.weight, pool.taints) == (other.weight, other.taints) and pool.overlaps(other)
    ]
    firsts = dict(reversed(expected))
    told = [finding for finding in judge_tree(trees, default_node_class=True, whole=False) if "Weights" in finding.rule]
    assert [(finding.index, finding.message.split("'")[3]) for finding in told] == sorted(firsts.items())


def test_many_pools_of_one_weight_are_not_held_each_against_each(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Pool] = []
    overlaps = Pool.overlaps

    def counted(pool: Pool, other: Pool) -> bool:
        compared.append(pool)
        return overlaps(pool, other)

    monkeypatch.setattr(Pool, "overlaps", counted)
    apart = [nodes(f"p{number}", (_TEAM, "In", [f"t{number}"]), weight=1) for number in range(300)]
    assert found(*apart, whole=False) == []
    assert len(found(*apart, *apart[:3], whole=False)) == 6  # made twice, and as heavy
    assert len(compared) == 3


def reserving(name: str) -> TreeObject:
    terms = {"capacityReservationSelectorTerms": [{"id": "cr-1"}]}
    return thing("NodeClass", name, api_version="eks.amazonaws.com/v1", spec=terms)


def test_a_reservation_needs_a_pool_that_admits_reserved() -> None:
    capacity = "karpenter.sh/capacity-type"
    without = nodes("od", (capacity, "In", ["on-demand"]), node_class="odcr")
    message = (
        "automode:ReservedNotAdmitted chart/od: spec.template.spec.requirements: NodeClass 'odcr' selects capacity "
        "reservations, but NodePool 'od' does not admit the capacity type reserved, so they are never used; "
        "add reserved to the values of karpenter.sh/capacity-type"
    )
    assert found(reserving("odcr"), without) == [f"error {message}"]
    assert found(reserving("odcr"), without, whole=False) == [f"warning {message}"]
    for fine in (
        nodes("res", (capacity, "In", ["reserved"]), node_class="odcr"),
        nodes("res", (capacity, "NotIn", ["spot"]), node_class="odcr"),
        nodes("res", node_class="odcr"),
    ):
        assert found(reserving("odcr"), without, fine) == found(reserving("odcr"), fine) == []
    assert found(reserving("other"), without, node_class("odcr")) == []


_WORDS = st.sampled_from(
    [
        *("metadata", "spec", "template", "labels", "name", "namespace", "requirements", "key", "operator", "values"),
        *("taints", "effect", "weight", "replicas", "nodeClassRef", "nodeSelector", "tolerations", "jobTemplate", "a"),
        *("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"),
        *("matchExpressions", "matchFields"),
        *("capacityReservationSelectorTerms", "In", "Gt", "Exists", "NoSchedule", "4", "${Token[TOKEN.1]}"),
    ]
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | _WORDS | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.none() | st.integers(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(
        [
            PLAIN,
            TAINTED,
            work("w", nodeSelector={"a": "b"}, affinity=affinity([("a", "In", ["b"])])),
            work("c", "CronJob"),
            node_class("default"),
        ]
    ),
    st.lists(st.integers(0, 30), min_size=1, max_size=6),
    _ANYTHING,
)
def test_no_document_makes_the_tree_checks_fail(item: TreeObject, way: list[int], anything: Any) -> None:
    document = copy.deepcopy(dict(item.manifest))
    at: Any = document
    for step in way:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            break
        key = keys[step % len(keys)]
        if not isinstance(at[key], (dict, list)) or step == way[-1]:
            at[key] = anything
            break
        at = at[key]
    for whole in (True, False):
        found(PLAIN, TAINTED, TreeObject(where="x", manifest=document), work("w"), whole=whole)


def test_all_rules_of_the_tree_are_listed() -> None:
    nearly = work("w", tolerations=[{"key": "nvidia.com/gpu", "value": "no"}])
    findings = judge_tree([TAINTED, nearly], default_node_class=False, whole=True)
    listed = {finding.rule for finding in findings if is_of_the_tree(finding)}
    assert listed == {
        "automode:NodeClassNotFound",
        "automode:WorkloadFitsNoPool",
        "automode:TaintNobodyTolerates",
        "automode:NoPoolForOrdinaryPods",
    }
    assert listed <= RULES.keys()


SWITCH = thing(
    "ConfigMap", "amazon-vpc-cni", namespace="kube-system", data={"enable-network-policy-controller": "true"}
)


def unenforced(*objects: TreeObject, whole: bool = True, files: bool = False) -> list[str]:
    findings = judge_tree(objects, default_node_class=True, whole=whole, files=files)
    return [
        f"{finding.severity} {finding.where}: {finding}"
        for finding in findings
        if finding.rule == "automode:NetworkPolicyController"
    ]


POLICIES = (
    thing("NetworkPolicy", "one", api_version="networking.k8s.io/v1"),
    thing("ApplicationNetworkPolicy", "two", api_version="networking.k8s.aws/v1alpha1"),
    thing("ClusterNetworkPolicy", "three", api_version="networking.k8s.aws/v1alpha1"),
)
DENYING = thing("NodeClass", "four", api_version="eks.amazonaws.com/v1", spec={"networkPolicy": "DefaultDeny"})


@pytest.mark.parametrize("policy", [*POLICIES, DENYING], ids=lambda policy: policy.manifest["kind"])
def test_a_policy_that_nothing_enforces(policy: TreeObject) -> None:
    (found,) = unenforced(policy)
    field = "spec.networkPolicy: " if policy is DENYING else ""
    kind, name = policy.manifest["kind"], policy.manifest["metadata"]["name"]
    assert found == (
        f"warning {policy.where}: {policy.where}: {field}nothing enforces {kind} '{name}': EKS Auto Mode needs the "
        "ConfigMap 'amazon-vpc-cni' in namespace 'kube-system' with enable-network-policy-controller: 'true', which no "
        "chart of this cluster makes; deliver NetworkPolicyController(chart, 'network-policy-controller'), which "
        "PlatformStack does for you"
    )
    assert unenforced(policy, SWITCH) == unenforced(SWITCH, policy) == []


def test_policies_that_nothing_enforces_are_one_finding() -> None:
    (found,) = unenforced(*POLICIES, DENYING)
    assert "nothing enforces NetworkPolicy 'one' and 3 more: EKS Auto Mode needs" in found


def test_nothing_is_enforced_where_nothing_is_restricted() -> None:
    allowing = thing("NodeClass", "a", api_version="eks.amazonaws.com/v1", spec={"networkPolicy": "DefaultAllow"})
    elsewhere = thing("NetworkPolicy", "a", api_version="crd.projectcalico.org/v1")
    off = thing("ConfigMap", "amazon-vpc-cni", namespace="kube-system", data={})
    assert unenforced(allowing, elsewhere, off, policy(policyTypes=["Egress"], egress=[{}])) == []
    assert unenforced(policy(egress=[{}], ingress=[{}, {"ports": []}])) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"egress": [{}]},  # nobody gets in
        {"policyTypes": ["Ingress", "Egress"], "ingress": [{}]},
        {"policyTypes": ["Egress"], "egress": [{"to": []}]},  # may not be read as everything
        {"policyTypes": [None], "egress": [{}]},
    ],
)
def test_a_policy_with_one_open_rule_may_restrict_something(spec: dict[str, Any]) -> None:
    assert len(unenforced(policy(**spec))) == 1


def policy(**spec: Any) -> TreeObject:
    return thing("NetworkPolicy", "open", api_version="networking.k8s.io/v1", spec={"podSelector": {}, **spec})


def test_on_an_imported_cluster_something_else_may_enforce_policies() -> None:
    (found,) = unenforced(POLICIES[0], whole=False)
    assert found.endswith(
        "which no chart of this app makes; deliver NetworkPolicyController(chart, 'network-policy-controller'), which "
        "PlatformStack does for you; acknowledge this if something else has turned network policies on"
    )


def test_files_may_be_a_part_of_a_cluster() -> None:
    (found,) = unenforced(POLICIES[0], whole=False, files=True)
    assert found.endswith("which no file that is judged holds; add it, unless the cluster has it already")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"enable-network-policy-controller": "false"}, "got 'false', so that nothing enforces NetworkPolicy 'one'"),
        ({"enable-network-policy-controller": True}, "got True, so that nothing enforces NetworkPolicy 'one'"),
        ({"enable-network-policy-controller": "True"}, "got 'True', so that nothing enforces NetworkPolicy 'one'"),
        ({"enable-network-policy": "true"}, "is not set, so that nothing enforces NetworkPolicy 'one'"),
    ],
)
def test_a_switch_that_does_not_turn_on(data: dict[str, Any], message: str) -> None:
    switch = thing("ConfigMap", "amazon-vpc-cni", namespace="kube-system", data=data)
    assert unenforced(POLICIES[0], switch) == [
        "warning chart/amazon-vpc-cni: chart/amazon-vpc-cni: data['enable-network-policy-controller']: "
        f"{message}; write 'true', in quotes"
    ]


def test_a_switch_in_another_place_is_none() -> None:
    elsewhere = thing("ConfigMap", "amazon-vpc-cni", namespace="apps", data=dict(SWITCH.manifest["data"]))
    assert len(unenforced(POLICIES[0], elsewhere)) == 1


def test_a_switch_whose_value_comes_late_may_turn_on() -> None:
    data = {"enable-network-policy-controller": "${Token[Switch.7]}"}
    late = thing("ConfigMap", "amazon-vpc-cni", namespace="kube-system", data=data)
    assert unenforced(POLICIES[0], late) == []
    placeholder = thing("ConfigMap", "amazon-vpc-cni", namespace="kube-system")  # as the linter leaves it
    assert unenforced(POLICIES[0], placeholder, files=True, whole=False) == []


def test_two_kinds_of_policy_do_not_share_a_name() -> None:
    ordinary = thing("NetworkPolicy", "web", api_version="networking.k8s.io/v1", namespace="kube-system")
    ours = thing("ApplicationNetworkPolicy", "web", api_version="networking.k8s.aws/v1alpha1", namespace="kube-system")
    other = thing("ApplicationNetworkPolicy", "web", api_version="networking.k8s.aws/v1alpha1")
    assert judged(SWITCH, ordinary, ours, other) == [
        "error automode:PolicyNames chart/web: metadata.name: a NetworkPolicy is also called 'web', so neither takes "
        "effect; give one of them another name"
    ]


@pytest.mark.parametrize(
    ("zone", "labels", "namespace", "type", "warned"),
    [
        ("us-west-2-lax-1a", {"app": "web", "more": "x"}, "edge", "LoadBalancer", True),
        ("us-west-2a", {"app": "web"}, "edge", "LoadBalancer", False),
        ("us-west-2-lax-1a", {"app": "other"}, "edge", "LoadBalancer", False),
        ("us-west-2-lax-1a", {"app": "web"}, "elsewhere", "LoadBalancer", False),
        ("us-west-2-lax-1a", {"app": "web"}, "edge", "ClusterIP", False),
    ],
)
def test_a_network_load_balancer_does_not_reach_a_local_zone(
    zone: str, labels: dict[str, str], namespace: str, type: str, warned: bool
) -> None:
    pod = {"metadata": {"labels": labels}, "spec": {"nodeSelector": {"topology.kubernetes.io/zone": zone}}}
    workload = thing("Deployment", "web", api_version="apps/v1", namespace="edge", spec={"template": pod})
    service = thing("Service", "web", namespace=namespace, spec={"type": type, "selector": {"app": "web"}})
    said = [line for line in judged(workload, service) if "NlbInLocalZone" in line]
    assert said == (
        [
            "warning automode:NlbInLocalZone chart/web: spec.type: Deployment 'web' in namespace 'edge' is in the "
            "Local Zone 'us-west-2-lax-1a', which has no Network Load Balancers; use an Ingress of an IngressClass "
            "whose IngressClassParams name the zone's subnet"
        ]
        if warned
        else []
    )


def test_a_slip_in_the_name_of_a_node_class_is_told() -> None:
    (said,) = judged(node_class("gpu"), pool("p", {"name": "gpuu"}))
    assert said.endswith(
        "never launches a node; did you mean 'gpu'? Otherwise deliver it with one of the charts, or write "
        "NodeClass.from_name(..., made_elsewhere=True)"
    )


@pytest.mark.parametrize("operator", ["NotIn", "DoesNotExist"])
def test_a_workload_that_keeps_off_auto_mode_runs_nowhere_in_a_cluster_without_other_nodes(operator: str) -> None:
    off = affinity([("eks.amazonaws.com/compute-type", operator, ["auto"] if operator == "NotIn" else [])])
    assert found(PLAIN, work("w", affinity=off)) == [
        "warning automode:WorkloadFitsNoPool chart/w: spec.template.spec.affinity.nodeAffinity."
        "requiredDuringSchedulingIgnoredDuringExecution: Deployment 'w' keeps off the nodes of Auto Mode, and no "
        "others are known, so it runs nowhere; let it run on Auto Mode's nodes, or acknowledge this if the cluster has "
        "other nodes"
    ]
    assert found(PLAIN, work("w", affinity=off), other_nodes=True) == []
    assert found(PLAIN, work("w", affinity=off), whole=False) == []


FOR_ORDINARY_PODS = nodes("plain", (GENERAL, "In", ["c"]))
ON_G = {GENERAL: "g"}


def requesting(**resources: Any) -> list[dict[str, Any]]:
    return [{"name": "main", "image": "i", "resources": {"limits": resources}}]


@pytest.mark.parametrize("device", ["nvidia.com/gpu", "vpc.amazonaws.com/efa", "example.com/fpga"])
def test_a_pod_tolerates_a_taint_named_like_a_resource_that_it_requests(device: str) -> None:
    tainted = nodes("t", (GENERAL, "In", ["g"]), taints=[f"{device}==NoSchedule"])
    asks = requesting(**{device: "1"})
    assert found(FOR_ORDINARY_PODS, tainted, work("w", nodeSelector=ON_G, containers=asks)) == []
    assert found(FOR_ORDINARY_PODS, tainted, work("w", nodeSelector=ON_G, initContainers=asks)) == []
    (finding, *_) = found(FOR_ORDINARY_PODS, tainted, work("w", nodeSelector=ON_G, containers=requesting(cpu="1")))
    assert f"it does not tolerate the taints of the pools that would fit ('t' has {device})" in finding


def test_the_toleration_that_eks_adds_is_for_no_schedule_only() -> None:
    evicting = nodes("t", (GENERAL, "In", ["g"]), taints=["example.com/fpga==NoExecute"])
    asks = requesting(**{"example.com/fpga": 1, "nvidia.com/gpu": 1})
    (finding,) = found(FOR_ORDINARY_PODS, evicting, work("w", nodeSelector=ON_G, containers=asks))
    assert "it does not tolerate the taints of the pools that would fit ('t' has example.com/fpga)" in finding


@pytest.mark.parametrize(
    ("requirement", "resources", "fits"),
    [
        ((GENERAL, "In", ["c", "m"]), {"nvidia.com/gpu": 1}, False),
        ((GENERAL, "In", ["g"]), {"nvidia.com/gpu": "1"}, True),
        ((GENERAL, "In", ["inf"]), {"nvidia.com/gpu": 1}, False),
        ((GENERAL, "In", ["inf"]), {"aws.amazon.com/neuron": 1}, True),
        ((GENERAL, "In", ["c"]), {"aws.amazon.com/neuron": 1}, False),
        ((TYPE, "In", ["g6.xlarge"]), {"nvidia.com/gpu": 2}, False),
        ((TYPE, "In", ["g6.12xlarge"]), {"nvidia.com/gpu": 4}, True),
        ((GENERAL, "In", ["g"]), {"nvidia.com/gpu": 64}, True),  # A newer type may have them.
        (("eks.amazonaws.com/instance-family", "In", ["c99"]), {"nvidia.com/gpu": 1}, True),  # Nobody knows.
        ((GENERAL, "In", ["c"]), {"example.com/fpga": 1}, True),  # A device plugin may bring it.
    ],
    ids=str,
)
def test_a_pod_fits_a_pool_whose_nodes_have_the_accelerators_that_it_requests(
    requirement: tuple[str, str, list[str]], resources: dict[str, Any], fits: bool
) -> None:
    findings = found(nodes("p", requirement), work("w", containers=requesting(**resources)))
    assert [each for each in findings if "WorkloadFitsNoPool" in each] == (
        []
        if fits
        else [
            "error automode:WorkloadFitsNoPool chart/w: spec.template.spec.containers: Deployment 'w' fits no pool: no "
            f"pool that would fit launches nodes with {' '.join(f'{n} {key}' for key, n in resources.items())}; add a "
            "pool of instances that have them, or correct the request"
        ]
    )


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("files", [True, False])
def test_objects_of_other_kinds_change_nothing(whole: bool, files: bool) -> None:
    texts = [file.read_text("utf-8") for file in sorted((ROOT / "examples").rglob("*.yaml"))]
    tree = [TreeObject(where="a:1", manifest=manifest) for text in texts for manifest in objects_of(text)]
    assert len(tree) > 100
    other = thing("Widget", "other", api_version="example.com/v1", spec={"size": 1})
    between = [each for number, item in enumerate(tree) for each in (_called(other, number), item)]
    alone, among = (
        judge_tree(objects, default_node_class=True, whole=whole, files=files) for objects in (tree, between)
    )
    assert alone
    assert [replace(finding, index=2 * finding.index + 1) for finding in alone] == among


def _called(item: TreeObject, number: int) -> TreeObject:
    return item._replace(manifest={**item.manifest, "metadata": {"name": f"other-{number}"}})
