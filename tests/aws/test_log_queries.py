"""The queries of an operator, run over records in the shapes that AWS and Karpenter write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from automode_constructs.aws.log_queries import LONGEST_QUERY, QUERIES, nodes_by_pool
from automode_constructs.facts.instance_types import instance_types
from automode_constructs.inference.prices import auto_mode_fee_usd
from tests.logs_insights import QueryError, matches_pattern, run

AUDIT = "kube-apiserver-audit-0123456789abcdef"
COMPUTE_FIELDS = {
    *("level", "stream", "message", "err", "error", "controller", "controllerGroup", "controllerKind", "reconcileID"),
    *("worker-count", "count", "instance-type-count", "mode", "offering-count", "NodePool", "NodeClaim", "Node"),
    *("zones", "subnets", "allocatable", "command", "command-id", "decision", "deleting-pods", "disrupted-node-count"),
    *("disrupted-nodes", "disruption-cost", "messageKind", "pending-pods", "pod-count", "replacement-node-count"),
    *("replacement-nodes", "ResourceClaim", "savings", "total", "action", "reason", "resource_arn", "event_timestamp"),
}
"""The fields of the compute controller's log. Source: AWS CDK 2.275, record fields of AUTO_MODE_COMPUTE_LOGS."""


def event(second: int, reason: str, message: str, name: str, *, new: bool = False) -> dict[str, Any]:
    """An audit record of a Kubernetes event, of the old API or the new one."""
    involved = {"kind": "Pod", "namespace": "shop", "name": name}
    body = {"reason": reason, **({"note": message, "regarding": involved} if new else {})}
    if not new:
        body |= {"message": message, "involvedObject": involved, "source": {"component": "eks-auto-mode/compute"}}
    return {
        "@timestamp": second,
        "@logStream": AUDIT,
        "verb": "create",
        "objectRef": {"resource": "events", "namespace": "shop"},
        "requestObject": body,
    }


def node(second: int, name: str, verb: str, labels: dict[str, str] | None) -> dict[str, Any]:
    return {
        "@timestamp": second,
        "@logStream": AUDIT,
        "verb": verb,
        "objectRef": {"resource": "nodes", "name": name},
        "requestObject": {"metadata": {"labels": labels}} if labels is not None else {"status": {}},
    }


def labels(pool: str, kind: str, capacity: str = "on-demand") -> dict[str, str]:
    return {
        "karpenter.sh/nodepool": pool,
        "node.kubernetes.io/instance-type": kind,
        "karpenter.sh/capacity-type": capacity,
    }


def compute(second: int, message: str, **fields: Any) -> dict[str, Any]:
    written = {"level": "INFO", "message": message, **{name.replace("_", "-"): one for name, one in fields.items()}}
    return {"@timestamp": second, "@logStream": "compute", **written}


def rows(name: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return run(QUERIES[name].text, records)


def test_pending_pods_are_counted_with_the_last_reason() -> None:
    found = rows(
        "pods-pending",
        [
            event(1, "FailedScheduling", "no instance type has enough memory", "big"),
            event(2, "FailedScheduling", "all nodepools are at their limits", "web", new=True),
            event(3, "FailedScheduling", "did not tolerate gpu", "web"),
            event(4, "Scheduled", "assigned", "web"),
            {**event(5, "FailedScheduling", "x", "web"), "@logStream": "authenticator-1"},
            node(6, "i-1", "create", {}),
        ],
    )
    assert found == [
        {"namespace": "shop", "object": "web", "times": 2, "reason": "did not tolerate gpu"},
        {"namespace": "shop", "object": "big", "times": 1, "reason": "no instance type has enough memory"},
    ]


def test_launch_failures_by_reason() -> None:
    found = rows(
        "launch-failures",
        [
            event(1, "InsufficientCapacityError", "no p5.48xlarge in eu-central-1a", "train-x1"),
            event(2, "InsufficientCapacityError", "no p5.48xlarge in eu-central-1a", "train-x2"),
            event(3, "NodeClassNotReady", "NodeClass not ready", "gpu"),
            event(4, "FailedScheduling", "other", "web"),
        ],
    )
    assert [(row["reason"], row["times"], row["example"]) for row in found] == [
        ("InsufficientCapacityError", 2, "train-x2"),
        ("NodeClassNotReady", 1, "gpu"),
    ]


def test_what_blocks_a_replacement() -> None:
    blocked = "Pdb prevents pod evictions (PodDisruptionBudget=[shop/web])"
    found = rows(
        "disruption-blocked",
        [
            event(1, "DisruptionBlocked", blocked, "i-1"),
            event(2, "DisruptionBlocked", blocked, "i-1"),
            event(3, "DisruptionBlocked", blocked, "i-2"),
            event(4, "NodeRepairBlocked", 'more than 20% nodes are unhealthy in the nodepool "gpu"', "i-3"),
            event(5, "Unconsolidatable", "Can't replace with a cheaper node", "i-4"),
        ],
    )
    assert [(row["why"], row["times"], row["objects"], row["example"]) for row in found] == [
        (blocked, 3, 2, "i-2"),
        ('more than 20% nodes are unhealthy in the nodepool "gpu"', 1, 1, "i-3"),
    ]


def test_nodes_replaced_by_reason_and_decision() -> None:
    found = rows(
        "nodes-replaced",
        [
            compute(1, "disrupting node(s)", reason="drifted", decision="replace", disrupted_node_count=1),
            compute(2, "disrupting node(s)", reason="drifted", decision="replace", disrupted_node_count=2),
            compute(3, "disrupting node(s)", reason="empty", decision="delete", disrupted_node_count=1),
            compute(4, "created nodeclaim"),
        ],
    )
    assert [(row["reason"], row["decision"], row["times"], row["nodes"]) for row in found] == [
        ("drifted", "replace", 2, 3),
        ("empty", "delete", 1, 1),
    ]


def test_nodes_repaired_by_condition_or_reason() -> None:
    found = rows(
        "nodes-repaired",
        [
            compute(1, "deleting unhealthy node", condition="AcceleratedHardwareReady", Node={"name": "i-1"}),
            compute(2, "deleting unhealthy node that never initialized", reason="x", NodeClaim={"name": "gpu-7"}),
            compute(3, "deleting unhealthy node", condition="AcceleratedHardwareReady", Node={"name": "i-2"}),
        ],
    )
    assert found == [
        {"fault": "AcceleratedHardwareReady", "nodes": 2, "example": "i-2"},
        {"fault": "x", "nodes": 1, "example": "gpu-7"},
    ]


def test_nodes_created_by_pool_and_hour() -> None:
    found = rows(
        "nodes-created",
        [
            compute(10, "created nodeclaim", NodePool={"name": "spot"}),
            compute(3599, "created nodeclaim", NodePool={"name": "spot"}),
            compute(3600, "created nodeclaim", NodePool={"name": "gpu"}),
            compute(3601, "launched nodeclaim", NodePool={"name": "gpu"}),
        ],
    )
    assert found == [{"bin(1h)": 0, "pool": "spot", "nodes": 2}, {"bin(1h)": 3600, "pool": "gpu", "nodes": 1}]


def test_errors_of_the_controller() -> None:
    found = rows(
        "compute-errors",
        [
            {
                **compute(1, "Reconciler error", controller="nodeclaim.lifecycle", error="AccessDenied"),
                "level": "ERROR",
            },
            {
                **compute(2, "Reconciler error", controller="nodeclaim.lifecycle", error="AccessDenied"),
                "level": "error",
            },
            compute(3, "fine"),
        ],
    )
    assert [(row["fault"], row["times"], row["last"]) for row in found] == [("AccessDenied", 2, 2)]


def test_nodes_by_pool_counts_each_node_once_with_its_price() -> None:
    query = nodes_by_pool(["m7i.large", "g6.xlarge"])
    found = run(
        query.text,
        [
            node(1, "i-1", "create", labels("general", "m7i.large")),
            node(2, "i-1", "patch", labels("general", "m7i.large")),
            node(3, "i-1", "patch", None),
            node(4, "i-2", "patch", labels("general", "m7i.large")),
            node(5, "i-3", "create", labels("gpu", "g6.xlarge")),
            node(6, "i-4", "create", labels("gpu", "g6.2xlarge", "spot")),
            node(7, "i-5", "delete", labels("gpu", "g6.xlarge")),
        ],
    )

    def price(name: str) -> float:
        known = instance_types()[name]
        return (known.on_demand_price_usd or 0) + (auto_mode_fee_usd(known) or 0)

    assert [(row["pool"], row["type"], row["capacity"], row["nodes"]) for row in found] == [
        ("general", "m7i.large", "on-demand", 2),
        ("gpu", "g6.xlarge", "on-demand", 1),
        ("gpu", "g6.2xlarge", "spot", 1),
    ]
    costs = [row["usd_an_hour"] for row in found]
    assert costs == [pytest.approx(2 * price("m7i.large"), abs=1e-4), pytest.approx(price("g6.xlarge"), abs=1e-4), 0]
    assert "usd_an_hour" not in nodes_by_pool().text


def test_queries_of_the_compute_log_name_fields_that_the_log_has() -> None:
    import re

    for query in QUERIES.values():
        if query.log == "compute":
            first = re.sub(r" as \w+", "", query.lines[0].removeprefix("fields "))
            named = {name.strip("`").partition(".")[0] for name in re.findall(r"`[^`]+`|[A-Za-z][\w.]*", first)}
            named -= {"coalesce", "condition"}  # a field of the record, not yet in AWS's list
            assert named <= COMPUTE_FIELDS, query.title


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_runs_over_nothing_and_fits(name: str) -> None:
    assert rows(name, []) == []
    assert len(QUERIES[name].text) <= LONGEST_QUERY
    assert all(line == line.strip() and "|" not in line for line in QUERIES[name].lines)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("fields a\n| summarise b", "does not know the command 'summarise'"),
        ("filter a like b", "needs a text or a regular expression behind like"),
        ("stats avg(a)", "does not know the aggregation 'avg'"),
        ("fields lower(a)", "does not know the function 'lower'"),
        ("stats count(*) as n\n| sort m", "sorts by 'm', which the query no longer has"),
        ("filter a = ", "needs a value"),
        ("filter (a = 1", "needs '\\)'"),
        ("limit all", "is no limit"),
        ("stats sum(*)", "is not in the language"),
        ("fields a b", "cannot read 'b'"),
    ],
)
def test_the_engine_refuses_what_it_does_not_know(query: str, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        run(query, [{"@timestamp": 1, "a": 1}])


def test_patterns_of_metric_filters() -> None:
    assert matches_pattern('{ ($.level = "ERROR") || ($.level = "error") }', {"level": "error"})
    assert not matches_pattern('{ ($.level = "ERROR") || ($.level = "error") }', {"level": "INFO", "message": "ERROR"})
    assert matches_pattern('{ $.message = "*unhealthy node*" }', {"message": "deleting unhealthy node that"})
    with pytest.raises(QueryError):
        matches_pattern("unhealthy", json.loads("{}"))
