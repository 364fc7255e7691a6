"""The retail store's stack: on a cluster of the app and on one made elsewhere, with the commands of its demo."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest

from automode_constructs import AutoModeCluster, AutoModeNetwork, ImportedCluster
from automode_constructs.patterns.charts.retail_store import RetailStoreChart
from automode_constructs.patterns.stacks.retail_store_stack import RetailStoreStack
from automode_constructs.rendering.render import render
from tests.refusal import refusal
from tests.support import feature_flags, manifests, of_type, synthesised
from tests.template_checks import template_findings
from tests.template_order import waits_for

MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
DELIVERED = {
    "RetailStoreDeploymentRetailStoreUiD7E7BBC3",
    "RetailStoreIngressRetailStoreUi7B6E151D",
    "RetailStoreNamespaceRetailStoreE72C9B6B",
    "RetailStoreNetworkPolicyRetailStoreUi1D02F5B9",
    "RetailStorePodDisruptionBudgetRetailStoreUi43AECD5E",
    "RetailStoreServiceRetailStoreUi3039EF99",
}


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    """One shop on a cluster of the app, one on a cluster that was made elsewhere."""
    app = cdk.App(context=feature_flags())
    ours = AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="dev")
    RetailStoreStack(app, "Shop", cluster=ours, description="the shop")
    theirs = ImportedCluster(cdk.Stack(app, "Import"), "Cluster", cluster_name="prod")
    image = "registry.example.com/shop/ui:1.6.2"
    RetailStoreStack(app, "PlainShop", cluster=theirs, replicas=0, image=image, ingress=False)
    RetailStoreStack(
        app, "ShopElsewhere", cluster=ImportedCluster(cdk.Stack(app, "Import2"), "Cluster", cluster_name="x")
    )
    home = cdk.Stack(app, "Ipv6")
    six = AutoModeCluster(
        home, "Cluster", cluster_name="six", ip_family="ipv6", network=AutoModeNetwork(home, "Network", ipv6=True)
    )
    RetailStoreStack(app, "ShopOfIpv6", cluster=six)
    return synthesised(app)


def test_the_chart_arrives_whole_on_both_clusters(templates: dict[str, dict[str, Any]]) -> None:
    def by_kind(objects: Any) -> dict[str, Any]:
        return {item["kind"]: item for item in objects}

    vpc = {"ipBlock": {"cidr": "10.0.0.0/16"}}
    chart = RetailStoreChart(cdk8s.App(), "retail-store", clients=[vpc])
    whole = by_kind(item.manifest for item in render(chart).objects)
    assert by_kind(manifests(templates["Shop"])) == whole
    plain = by_kind(manifests(templates["PlainShop"]))
    assert set(whole) - set(plain) == {"Ingress"}
    assert plain["NetworkPolicy"]["spec"]["ingress"][0]["from"] == [{"podSelector": {}}]
    assert plain["Deployment"]["spec"]["replicas"] == 0
    (container,) = plain["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/shop/ui:1.6.2"
    names = {body["Properties"]["ClusterName"] for body in of_type(templates["PlainShop"], MANIFEST).values()}
    assert names == {"prod"}


def test_the_load_balancer_is_admitted_as_far_as_its_addresses_are_known(templates: dict[str, dict[str, Any]]) -> None:
    def admitted(name: str) -> Any:
        (policy,) = [item for item in manifests(templates[name]) if item["kind"] == "NetworkPolicy"]
        return policy["spec"]["ingress"][0].get("from")

    assert admitted("Shop") == [{"ipBlock": {"cidr": "10.0.0.0/16"}}]
    four, six = admitted("ShopOfIpv6")
    assert four == {"ipBlock": {"cidr": "10.0.0.0/16"}}
    assert "Ipv6CidrBlocks" in six["ipBlock"]["cidr"]
    assert admitted("ShopElsewhere") is None


def test_logical_ids_are_pinned(templates: dict[str, dict[str, Any]]) -> None:
    assert set(of_type(templates["Shop"], MANIFEST)) == DELIVERED


def test_the_namespace_comes_first_and_the_load_balancer_last(templates: dict[str, dict[str, Any]]) -> None:
    before = waits_for(templates["Shop"])
    names = {name.removeprefix("RetailStore").partition("RetailStore")[0]: name for name in DELIVERED}
    namespace, ingress = names.pop("Namespace"), names.pop("Ingress")
    assert set(names) == {"Service", "Deployment", "NetworkPolicy", "PodDisruptionBudget"}
    for name in names.values():
        assert namespace in before[name]
        assert name in before[ingress]


def test_nothing_in_it_but_what_is_delivered(templates: dict[str, dict[str, Any]]) -> None:
    for name in ("Shop", "PlainShop"):
        kinds = {resource["Type"] for resource in templates[name]["Resources"].values()}
        assert kinds == {MANIFEST, "Custom::AWSCDK-EKS-KubernetesObjectValue"}
        assert template_findings(templates[name]) == []
    assert templates["Shop"]["Description"] == "the shop"


def test_outputs_are_the_commands_of_the_demo(templates: dict[str, dict[str, Any]]) -> None:
    commands = {name: output["Value"] for name, output in templates["Shop"]["Outputs"].items()}
    assert commands == {
        "WatchNodesCommand": (
            "kubectl get nodes --watch --label-columns karpenter.sh/nodepool,karpenter.sh/capacity-type,"
            "node.kubernetes.io/instance-type,topology.kubernetes.io/zone"
        ),
        "ScaleToTenCommand": "kubectl scale deployment/ui --namespace retail-store --replicas 10",
        "ScaleToZeroCommand": "kubectl scale deployment/ui --namespace retail-store --replicas 0",
        "PortForwardCommand": "kubectl port-forward service/ui --namespace retail-store 8080:80",
        "CurlCommand": "curl --fail http://localhost:8080/",
        "AddressCommand": "kubectl get ingress ui --namespace retail-store",
    }
    assert set(commands) - set(templates["PlainShop"]["Outputs"]) == {"AddressCommand"}
    assert all(output["Description"] for output in templates["Shop"]["Outputs"].values())


def test_what_is_refused() -> None:
    app = cdk.App()
    cluster = ImportedCluster(cdk.Stack(app, "Import"), "Cluster", cluster_name="prod")
    assert refusal(lambda: RetailStoreStack(app, "Shop", cluster=cluster, replicas=-1)) == (
        "retail-store: replicas: needs a whole number from 0 to 100, got -1"
    )
    assert refusal(lambda: RetailStoreStack(app, "NoCluster", cluster=cdk.Stack(app, "Other"))) == (  # type: ignore[arg-type]
        "NoCluster: cluster: needs an AutoModeCluster or an ImportedCluster, got a Stack"
    )
