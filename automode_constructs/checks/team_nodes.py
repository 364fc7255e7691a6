"""Nodes that belong to a team: which pods of others could land on them, and what stops those."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automode_constructs.checks.placement import Pool, pods_of
from automode_constructs.errors import Problem
from automode_constructs.specs.mapping import mapping_at
from automode_constructs.specs.rule import rule

__all__ = ["TEAM_LABEL", "team_node_problems"]

TEAM_LABEL = "automode-constructs/team"
"""Key of the label of a team's namespaces, and of the label and the taint of its nodes; the value is the team."""

_PAGE = "Kubernetes, 'Taints and Tolerations', Dedicated Nodes"

OTHER_TEAMS_NODES = rule(
    "automode:OtherTeamsNodes",
    *("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"),
    severity="error",
    sentence=(
        f"Pods whose tolerations and labels let them run on a team's nodes (taint {TEAM_LABEL}) are in a namespace of "
        "that team, by the same label. DaemonSets outside of all teams may run everywhere."
    ),
    source=_PAGE,
    stricter="Kubernetes lets every pod tolerate every taint.",
    warning_where="the namespace belongs to no team",
    judged="tree",
)
UNGUARDED_NODES = rule(
    "automode:UnguardedTeamNodes",
    "NodePool",
    severity="warning",
    sentence=(
        f"Where a NodePool has the taint {TEAM_LABEL}, a ValidatingAdmissionPolicy keeps pods of other namespaces from "
        "tolerating it."
    ),
    source=_PAGE,
    judged="tree",
)


def team_node_problems(
    manifests: Sequence[Mapping[str, Any]], pools: Sequence[tuple[int, Pool]], *, whole: bool
) -> Iterator[tuple[int, Problem]]:
    """Pods that could land on another team's nodes, and nodes without a guard; each with the index of its manifest.

    Args:
        manifests: the objects.
        pools: the NodePools among them, each with its index.
        whole: whether these are all objects of the cluster.
    """
    owned = [(index, pool, team) for index, pool in pools if (team := _team_of_pool(pool))]
    if not owned:
        return
    teams = {
        str(mapping_at(manifest, "metadata").get("name")): str(
            mapping_at(manifest, "metadata", "labels").get(TEAM_LABEL) or ""
        )
        for manifest in manifests
        if _key(manifest) == ("", "Namespace")
    }
    for index, manifest in enumerate(manifests):
        namespace = str(mapping_at(manifest, "metadata").get("namespace") or "default")
        if namespace in teams or whole:
            for problem in _strays(manifest, namespace, teams.get(namespace, ""), owned):
                yield index, problem
    if whole:
        policies = [
            json.dumps(manifest, default=str)
            for manifest in manifests
            if _key(manifest) == ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy")
        ]
        for index, pool, team in owned:
            if not any(f"{TEAM_LABEL}={team}:" in policy for policy in policies):
                yield (
                    index,
                    UNGUARDED_NODES.problem(
                        "spec.template.spec.taints",
                        f"nothing keeps pods of other namespaces from tolerating the taint of NodePool '{pool.name}'",
                        "deliver a GuardrailsStack with Guardrails(tenants=tenants_of(teams)), or acknowledge this if "
                        "another admission policy does it",
                    ),
                )


def _strays(
    manifest: Mapping[str, Any], namespace: str, team: str, owned: Sequence[tuple[int, Pool, str]]
) -> Iterator[Problem]:
    group, kind = _key(manifest)
    is_daemon_set = (group, kind) == ("apps", "DaemonSet")
    if is_daemon_set and not team:
        return
    # For a DaemonSet no node is launched, but its pods run wherever those of a Deployment would.
    pods = pods_of(group, {**manifest, "kind": "Deployment"} if is_daemon_set else manifest)
    if pods is None:
        return
    has_nodes = team in {owner for _, _, owner in owned}
    for _, pool, owner in owned:
        if owner != team and pods.select(pool) and not pods.repelled_by(pool):
            whose = f"team '{team}'" if team else "no team"
            yield OTHER_TEAMS_NODES.problem(
                f"{pods.field}.tolerations",
                f"pods of {kind} '{mapping_at(manifest, 'metadata').get('name')}' could run on NodePool '{pool.name}' "
                f"of team '{owner}', but namespace '{namespace}' belongs to {whose}",
                "remove the toleration (one without a key tolerates every taint)"
                + (f", or select the team's own nodes: nodeSelector {TEAM_LABEL}: {team}" if has_nodes else ""),
                severity=None if team else "warning",
            )


def _team_of_pool(pool: Pool) -> str:
    return next((str(taint.get("value") or "") for taint in pool.taints if taint.get("key") == TEAM_LABEL), "")


def _key(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind", ""))
