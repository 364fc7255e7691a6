"""Pods that could land on the nodes of another team, and nodes that nothing guards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from automode_constructs.checks.team_nodes import TEAM_LABEL
from automode_constructs.checks.whole_tree import TreeObject, judge_tree

EVERY_TAINT = {"operator": "Exists"}
OWN = {"key": TEAM_LABEL, "operator": "Equal", "value": "blue", "effect": "NoSchedule"}
ANY_TEAM = {"key": TEAM_LABEL, "operator": "Exists"}


def namespace(name: str, team: str | None = None) -> dict[str, Any]:
    labels = {} if team is None else {"labels": {TEAM_LABEL: team}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **labels}}


def pool(team: str) -> dict[str, Any]:
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": team},
        "spec": {
            "template": {
                "metadata": {"labels": {TEAM_LABEL: team}},
                "spec": {
                    "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
                    "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}],
                    "taints": [{"key": TEAM_LABEL, "value": team, "effect": "NoSchedule"}],
                },
            }
        },
    }


def workload(where: str, *tolerations: Mapping[str, str], kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    pods = {"containers": [{"name": "main", "image": "x:1"}], "tolerations": [*tolerations], **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": where},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pods},
        },
    }


def guard(team: str) -> dict[str, Any]:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "tenants"},
        "spec": {"variables": [{"name": "v", "expression": f"[{{'label': ['{TEAM_LABEL}={team}:NoSchedule']}}]"}]},
    }


NAMESPACES = (namespace("a", "blue"), namespace("b", "green"), namespace("tools"))
RULES = ("automode:OtherTeamsNodes", "automode:UnguardedTeamNodes")


def found(*manifests: Mapping[str, Any], whole: bool = True) -> list[str]:
    objects = [TreeObject(where=f"o{index}", manifest=one) for index, one in enumerate(manifests)]
    findings = judge_tree(objects, default_node_class=True, whole=whole)
    return [f"{one.where} {one.severity} {one}" for one in findings if one.rule in RULES]


def strays(*manifests: Mapping[str, Any], whole: bool = True) -> list[str]:
    return found(*NAMESPACES, pool("blue"), guard("blue"), *manifests, whole=whole)


def test_a_team_s_pods_that_tolerate_every_taint() -> None:
    assert strays(workload("b", EVERY_TAINT)) == [
        "o5 error o5: spec.template.spec.tolerations: pods of Deployment 'web' could run on NodePool 'blue' of team "
        "'blue', but namespace 'b' belongs to team 'green'; remove the toleration (one without a key tolerates every "
        "taint)"
    ]
    (stray,) = strays(pool("green"), guard("green"), workload("b", EVERY_TAINT))
    assert stray.endswith(f"taint), or select the team's own nodes: nodeSelector {TEAM_LABEL}: green")


def test_pods_of_no_team_are_only_warned_of() -> None:
    (stray,) = strays(workload("tools", ANY_TEAM))
    assert stray.startswith("o5 warning ") and "but namespace 'tools' belongs to no team; remove" in stray


@pytest.mark.parametrize(
    "harmless",
    [
        workload("a", OWN),
        workload("a", EVERY_TAINT),
        workload("b"),
        workload("b", {**OWN, "value": "green"}),
        workload("b", EVERY_TAINT, nodeSelector={TEAM_LABEL: "green"}),
        workload("b", EVERY_TAINT, nodeSelector={"kubernetes.io/arch": "arm64"}),
        workload("tools", EVERY_TAINT, kind="DaemonSet"),
        workload("tools", OWN, nodeName="somewhere"),
    ],
)
def test_pods_that_never_come_there(harmless: dict[str, Any]) -> None:
    assert strays(harmless) == []


def test_a_team_s_daemon_set_does_not_run_on_others_nodes() -> None:
    (stray,) = strays(workload("b", EVERY_TAINT, kind="DaemonSet"))
    assert stray.startswith("o5 error ") and "DaemonSet 'web'" in stray


def test_a_namespace_that_is_not_known_may_be_the_team_s() -> None:
    assert strays(workload("elsewhere", OWN), whole=False) == []
    (stray,) = strays(workload("elsewhere", OWN))
    assert stray.startswith("o5 warning ")


def test_nodes_that_nothing_guards() -> None:
    assert found(namespace("a", "blue"), pool("blue")) == [
        "o1 warning o1: spec.template.spec.taints: nothing keeps pods of other namespaces from tolerating the taint of "
        "NodePool 'blue'; deliver a GuardrailsStack with Guardrails(tenants=tenants_of(teams)), or acknowledge this if "
        "another admission policy does it"
    ]
    assert len(found(pool("blue"), guard("green"))) == 1
    assert found(pool("blue"), guard("blue")) == []
    assert found(pool("blue"), whole=False) == []
