"""Agents for every node: pools without one, and startup taints."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.agents import EVERY_NODE, REMOVES_STARTUP_TAINT
from automode_constructs.checks.whole_tree import TreeObject, judge_tree
from tests.checks.test_device_plugin import affinity, daemon_set, expression
from tests.checks.test_pool_order import ARCH, CATEGORY, FAMILY, pool

EVERYTHING = [{"operator": "Exists"}]
RULES = {"automode:AgentMissesPool", "automode:StartupTaintStays", "automode:PodsBeforeAgent"}
TAINT = "agents.example.com/not-ready"


def agent(*, removes: str = "", marked: bool = True, **pod: Any) -> TreeObject:
    manifest = daemon_set("example.com/agent:1", **{"tolerations": EVERYTHING, **pod})
    marks = {EVERY_NODE: "true"} if marked else {}
    manifest["metadata"]["name"] = "scanner"
    manifest["metadata"]["annotations"] = marks | ({REMOVES_STARTUP_TAINT: removes} if removes else {})
    return TreeObject(where="scanner", manifest=manifest)


def starting(item: TreeObject, *keys: str) -> TreeObject:
    taints = [{"key": key, "effect": "NoSchedule"} for key in keys]
    item.manifest["spec"]["template"]["spec"]["startupTaints"] = taints
    return item


def found(*objects: TreeObject, built_in: tuple[str, ...] = (), whole: bool = True, **more: Any) -> list[str]:
    findings = judge_tree(objects, default_node_class=True, whole=whole, built_in_pools=built_in, **more)
    return [f"{finding.severity}: {finding}" for finding in findings if finding.rule in RULES]


def test_an_agent_that_tolerates_everything_reaches_every_pool() -> None:
    pools = [pool("plain"), pool("gpu", (CATEGORY, "In", ["g"]), taint="NoSchedule"), pool("x", taint="NoExecute")]
    assert found(agent(), *pools, built_in=("general-purpose", "system")) == []


class TestTaints:
    def test_a_pool_whose_taint_is_not_tolerated(self) -> None:
        gpu = pool("gpu", (CATEGORY, "In", ["g"]), taint="NoSchedule")
        assert found(agent(tolerations=[]), pool("plain"), gpu) == [
            "error: scanner: spec.template.spec.tolerations: DaemonSet 'scanner' does not run on every node of "
            "NodePool 'gpu': it does not tolerate example.com/a; tolerate everything: {operator: Exists}"
        ]

    def test_a_built_in_pool(self) -> None:
        (text,) = found(agent(tolerations=[]), built_in=("general-purpose", "system"))
        assert "NodePool 'system': it does not tolerate CriticalAddonsOnly" in text

    def test_a_taint_that_keeps_nobody_away(self) -> None:
        assert found(agent(tolerations=[]), pool("soft", taint="PreferNoSchedule")) == []

    def test_a_warning_for_a_daemon_set_that_only_its_priority_makes_an_agent(self) -> None:
        unmarked = agent(marked=False, tolerations=[], priorityClassName="system-node-critical")
        (text,) = found(unmarked, pool("x", taint="NoSchedule"))
        assert text.startswith("warning: ")
        assert found(agent(marked=False, tolerations=[]), pool("x", taint="NoSchedule")) == []

    def test_nothing_of_one_that_means_some_nodes(self) -> None:
        gpus = {"eks.amazonaws.com/instance-gpu-manufacturer": "nvidia"}
        some = agent(marked=False, tolerations=[], priorityClassName="system-node-critical", nodeSelector=gpus)
        assert found(some, pool("x", taint="NoSchedule")) == []


class TestLabels:
    def test_a_pool_that_may_launch_the_other_architecture(self) -> None:
        one = agent(affinity=affinity([expression("In", "amd64", key=ARCH)]))
        both = pool("both", (ARCH, "In", ["amd64", "arm64"]))
        assert found(one, both, pool("intel", (ARCH, "In", ["amd64"]))) == [
            "error: scanner: spec.template.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution: "
            "DaemonSet 'scanner' does not run on every node of NodePool 'both': that pool may launch nodes without "
            "kubernetes.io/arch In amd64; use an image for amd64 and arm64, or narrow the pool"
        ]

    def test_families_say_their_architecture(self) -> None:
        one = agent(nodeSelector={ARCH: "amd64"})
        assert found(one, pool("intel", (FAMILY, "In", ["c6i", "g6"]))) == []
        (text,) = found(one, pool("graviton", (FAMILY, "In", ["c6i", "c7g"])))
        assert "'graviton': that pool may launch nodes without kubernetes.io/arch In amd64" in text

    def test_the_system_pool_has_both(self) -> None:
        (text,) = found(agent(nodeSelector={ARCH: "amd64"}), built_in=("general-purpose", "system"))
        assert "NodePool 'system': that pool may launch nodes without kubernetes.io/arch In amd64" in text

    def test_a_pool_that_is_left_out_whole(self) -> None:
        one = agent(nodeSelector={"eks.amazonaws.com/instance-gpu-manufacturer": "nvidia", "team": "a"})
        (text,) = found(one, pool("plain", (CATEGORY, "In", ["c"])))
        assert "no node of that pool has the labels that it asks for; remove those conditions" in text

    @pytest.mark.parametrize(
        "one",
        [
            agent(nodeSelector={"kubernetes.io/os": "linux", "eks.amazonaws.com/compute-type": "auto"}),
            agent(affinity=affinity([expression("In", "amd64", key=ARCH)], [expression("In", "arm64", key=ARCH)])),
            agent(affinity=affinity([expression("Exists", key="karpenter.sh/nodepool")])),
            agent(nodeSelector={ARCH: "${Token[TOKEN.1]}"}),
            agent(nodeSelector=3),
        ],
    )
    def test_conditions_that_every_node_meets_or_that_nobody_can_read(self, one: TreeObject) -> None:
        assert found(one, pool("both", (ARCH, "In", ["amd64", "arm64"])), built_in=("system",)) == []

    def test_off_auto_mode(self) -> None:
        (text,) = found(agent(affinity=affinity([expression("NotIn", "auto")])), pool("plain"))
        assert "it keeps off the nodes of Auto Mode" in text


class TestStartupTaints:
    def test_all_is_well_where_pools_have_the_taint_of_the_agent(self) -> None:
        assert found(agent(removes=TAINT), starting(pool("plain"), TAINT)) == []

    def test_a_pool_without_it(self) -> None:
        assert found(agent(removes=TAINT), pool("late")) == [
            "warning: late: spec.template.spec.startupTaints: NodePool 'late' has no startup taint "
            f"'{TAINT}', so its nodes run pods before DaemonSet 'scanner' is ready; add Taint(key='{TAINT}', "
            "effect='NoSchedule') to startup_taints"
        ]

    def test_built_in_pools_cannot_have_one(self) -> None:
        (text,) = found(agent(removes=TAINT), built_in=("general-purpose", "system"))
        assert text.startswith(
            "warning: scanner: metadata.annotations: EKS's own pools (general-purpose, system) have no startup taint "
        )

    def test_a_taint_that_nobody_removes(self) -> None:
        (text,) = found(starting(pool("stuck"), "example.com/typo"), agent())
        assert text == (
            "warning: stuck: spec.template.spec.startupTaints: no DaemonSet of these objects says that it removes "
            "'example.com/typo' of NodePool 'stuck'; a node that keeps it takes no pods and never becomes Initialized; "
            f"give the DaemonSet that removes it the annotation {REMOVES_STARTUP_TAINT}: example.com/typo, remove the "
            "taint, or acknowledge this if something else removes it"
        )

    def test_nothing_is_said_where_not_all_is_known(self) -> None:
        assert found(starting(pool("stuck"), "example.com/typo"), whole=False) == []
        assert found(starting(pool("stuck"), "${Token[TOKEN.2]}")) == []


def test_built_in_pools_that_may_be_off() -> None:
    (text,) = found(agent(tolerations=[]), built_in=("system",), whole=False)
    assert text.startswith("warning: scanner: spec.template.spec.tolerations: ")
    assert found(agent(tolerations=[]), built_in=("system",), whole=False, files=True) == []


def test_files_of_several_clusters_are_not_judged_together() -> None:
    twice = [agent(tolerations=[]), agent(tolerations=[]), pool("x", taint="NoSchedule")]
    assert found(*twice, whole=False, files=True) == []
    assert len(found(*twice[1:], whole=False, files=True)) == 1
