"""The chart of static pools: who may use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cdk8s
import pytest

from automode_constructs.checks.whole_tree import TreeObject, judge_tree
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.patterns.charts.static_pools import LABEL, StaticPoolsChart

OUTPUTS = Path(__file__).parents[3] / "examples" / "outputs.json"
VALUES = ClusterValues.from_outputs(json.loads(OUTPUTS.read_text("utf-8")), where="outputs.json")


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    chart = StaticPoolsChart(
        cdk8s.App(), "static", values=VALUES, instance_types=["m8i.2xlarge"], replicas=4, zones=["eu-central-1a"]
    )
    written: list[dict[str, Any]] = chart.to_json()
    return written


def _pod(**fields: Any) -> TreeObject:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": {"containers": []} | fields}
    return TreeObject(where="", manifest=pod)


def test_the_pools_are_of_the_chart_s_own_class(objects: list[dict[str, Any]]) -> None:
    node_class, pool = objects
    assert (node_class["kind"], node_class["metadata"]["name"]) == ("NodeClass", "static")
    assert (pool["metadata"]["name"], pool["spec"]["replicas"]) == ("static-eu-central-1a", 4)
    assert pool["spec"]["template"]["spec"]["nodeClassRef"]["name"] == "static"


def test_only_pods_that_ask_for_static_nodes_get_them(objects: list[dict[str, Any]]) -> None:
    tree = [TreeObject(where="", manifest=manifest) for manifest in objects]
    asks = {"nodeSelector": {LABEL: "static"}}
    bears = {"tolerations": [{"key": LABEL, "operator": "Equal", "value": "static"}]}

    def stranded(pod: TreeObject) -> bool:
        found = judge_tree([*tree, pod], default_node_class=True, whole=True)
        return "automode:WorkloadFitsNoPool" in {finding.rule for finding in found}

    assert stranded(_pod(**asks))
    assert not stranded(_pod(**asks, **bears))
