"""What the platform's stack delivers, on a cluster of this app and on one that others made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest

from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.network_policy_controller import NetworkPolicyController
from automode_constructs.patterns.charts.platform import PlatformChart
from automode_constructs.patterns.stacks.platform_stack import PlatformStack
from automode_constructs.testing import KUBERNETES_RESOURCE
from tests.support import POLICIES_ON, Template, manifests, of_type, synthesised

OUTPUTS = Path(__file__).parents[3] / "examples" / "outputs.json"


def own_charts(app: cdk8s.App, values: ClusterValues) -> list[cdk8s.Chart]:
    """A platform without a switch of its own."""
    return [PlatformChart(app, "platform", values=values)]


def own_switch(app: cdk8s.App, values: ClusterValues) -> list[cdk8s.Chart]:
    """A platform with a switch among its own objects."""
    chart = PlatformChart(app, "platform", values=values)
    NetworkPolicyController(chart, "switch")
    return [chart]


@pytest.fixture(scope="module")
def templates() -> dict[str, Template]:
    """Platforms of clusters of this app and of imported ones, by name."""
    app = cdk.App()
    values = ClusterValues.from_outputs(json.loads(OUTPUTS.read_text("utf-8")), where="outputs.json")
    cases: dict[str, tuple[bool, dict[str, Any]]] = {
        "Default": (False, {}),
        "Off": (False, {"network_policies": False}),
        "OwnCharts": (False, {"charts": own_charts}),
        "OwnSwitch": (False, {"charts": own_switch}),
        "Imported": (True, {}),
        "ImportedOn": (True, {"network_policies": True}),
    }
    for name, (imported, arguments) in cases.items():
        home = cdk.Stack(app, f"{name}Cluster")
        cluster = (
            ImportedCluster(home, "Cluster", cluster_name=name, values=values)
            if imported
            else AutoModeCluster(home, "Cluster", cluster_name=name)
        )
        PlatformStack(app, name, cluster=cluster, **arguments)
    return synthesised(app)


def switches(template: Template) -> list[dict[str, Any]]:
    return [item for item in manifests(template) if item["kind"] == "ConfigMap"]


@pytest.mark.parametrize(
    ("name", "on"),
    [
        ("Default", True),
        ("Off", False),
        ("OwnCharts", True),
        ("OwnSwitch", True),
        ("Imported", False),
        ("ImportedOn", True),
    ],
)
def test_who_gets_network_policies(templates: dict[str, Template], name: str, on: bool) -> None:
    assert switches(templates[name]) == ([POLICIES_ON] if on else [])


@pytest.mark.parametrize(("name", "policy"), [("Default", "Delete"), ("ImportedOn", "Retain")])
def test_the_switch_of_a_cluster_that_others_made_stays(templates: dict[str, Template], name: str, policy: str) -> None:
    (resource,) = [
        resource
        for resource in of_type(templates[name], KUBERNETES_RESOURCE).values()
        if "amazon-vpc-cni" in json.dumps(resource["Properties"]["Manifest"])
    ]
    assert resource["DeletionPolicy"] == policy
    # An existing ConfigMap is changed, not refused.
    assert resource["Properties"]["Overwrite"] is True
