"""What every cluster gets: NodePools, a default StorageClass and a default IngressClass."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cdk8s
import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.network_policy_controller import NetworkPolicyController
from automode_constructs.patterns.charts.node_pools import NodePoolsChart
from automode_constructs.patterns.charts.platform import platform_charts
from automode_constructs.testing import manifests
from tests.support import POLICIES_ON
from tests.support import manifests as delivered

OUTPUTS = Path(__file__).parents[3] / "examples" / "outputs.json"


@pytest.fixture(scope="module")
def values() -> ClusterValues:
    return ClusterValues.from_outputs(json.loads(OUTPUTS.read_text("utf-8")), where="outputs.json")


@pytest.fixture(scope="module")
def objects(values: ClusterValues) -> dict[tuple[str, str], Any]:
    """All objects of a cluster without built-in pools."""
    charts = platform_charts(cdk8s.App(), values.replace(built_in_pools=False))
    return {(item["kind"], item["metadata"]["name"]): item for chart in charts for item in manifests(chart)}


def _requirements(pool: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    listed = pool["spec"]["template"]["spec"]["requirements"]
    return {item["key"]: (item["operator"], item["values"]) for item in listed}


class TestNodePools:
    def test_general_and_critical_are_what_eks_s_own_pools_are(self, objects: dict[tuple[str, str], Any]) -> None:
        general, critical = objects["NodePool", "general"], objects["NodePool", "critical"]
        ordinary = {
            "karpenter.sh/capacity-type": ("In", ["on-demand"]),
            "eks.amazonaws.com/instance-category": ("In", ["c", "m", "r"]),
            "eks.amazonaws.com/instance-generation": ("Gt", ["4"]),
        }
        assert _requirements(general) == {**ordinary, "kubernetes.io/arch": ("In", ["amd64"])}
        assert _requirements(critical) == {**ordinary, "kubernetes.io/arch": ("In", ["amd64", "arm64"])}
        assert "taints" not in general["spec"]["template"]["spec"]
        assert critical["spec"]["template"]["spec"]["taints"] == [{"key": "CriticalAddonsOnly", "effect": "NoSchedule"}]
        for pool in (general, critical):
            assert pool["spec"]["disruption"] == {
                "consolidationPolicy": "WhenEmptyOrUnderutilized",
                "consolidateAfter": "30s",
            }
            assert pool["spec"]["template"]["spec"]["expireAfter"] == "336h"
            assert pool["spec"]["template"]["spec"]["terminationGracePeriod"] == "24h"

    def test_spot_and_graviton_take_only_pods_that_bear_them(self, objects: dict[tuple[str, str], Any]) -> None:
        spot, graviton = objects["NodePool", "spot"], objects["NodePool", "graviton"]
        assert _requirements(spot)["karpenter.sh/capacity-type"] == ("In", ["spot"])
        assert _requirements(graviton)["kubernetes.io/arch"] == ("In", ["arm64"])
        assert spot["spec"]["template"]["spec"]["taints"] == [
            {"key": "karpenter.sh/capacity-type", "value": "spot", "effect": "NoSchedule"}
        ]
        assert graviton["spec"]["template"]["spec"]["taints"] == [
            {"key": "kubernetes.io/arch", "value": "arm64", "effect": "NoSchedule"}
        ]

    def test_all_are_on_the_class_that_carries_the_cluster_s_settings(
        self, objects: dict[tuple[str, str], Any]
    ) -> None:
        pools = [item for (kind, _), item in objects.items() if kind == "NodePool"]
        assert {pool["spec"]["template"]["spec"]["nodeClassRef"]["name"] for pool in pools} == {"standard"}
        spec = objects["NodeClass", "standard"]["spec"]
        assert spec["ephemeralStorage"]["kmsKeyID"].endswith("key/01234567-89ab-cdef-0123-456789abcdef")

    def test_a_pool_that_is_not_there(self, values: ClusterValues) -> None:
        with pytest.raises(AutoModeError, match=r"node-pools: pools: 'spott' is not known; did you mean 'spot'\?"):
            NodePoolsChart(cdk8s.App(), "node-pools", values=values, pools=["spott"])

    def test_a_pool_that_is_asked_for_twice_is_made_once(self, values: ClusterValues) -> None:
        chart = NodePoolsChart(cdk8s.App(), "node-pools", values=values, pools=["spot", "general", "spot"])
        assert [item["metadata"]["name"] for item in chart.to_json()] == ["standard", "spot", "general"]

    def test_every_pool_stops_growing(self, objects: dict[tuple[str, str], Any]) -> None:
        pools = {name: item["spec"]["limits"] for (kind, name), item in objects.items() if kind == "NodePool"}
        assert pools == {
            "general": {"cpu": 256},
            "critical": {"cpu": 64},
            "spot": {"cpu": 256},
            "graviton": {"cpu": 256},
        }

    def test_a_limit_is_raised_or_lifted_by_the_pools_name(self, values: ClusterValues) -> None:
        limits: dict[str, dict[str, int | str] | None] = {"general": {"cpu": 2000, "memory": "8Ti"}, "spot": None}
        chart, *_ = platform_charts(cdk8s.App(), values, pools=["general", "spot", "graviton"], limits=limits)
        pools = {item["metadata"]["name"]: item["spec"] for item in chart.to_json() if item["kind"] == "NodePool"}
        assert pools["general"]["limits"] == {"cpu": 2000, "memory": "8Ti"}
        assert "limits" not in pools["spot"]
        assert pools["graviton"]["limits"] == {"cpu": 256}

    def test_a_limit_of_a_pool_that_is_not_created(self, values: ClusterValues) -> None:
        with pytest.raises(AutoModeError) as refused:
            NodePoolsChart(cdk8s.App(), "node-pools", values=values, pools=["spot"], limits={"spto": None})
        assert str(refused.value) == ("node-pools: limits['spto']: is for a pool that is not created; use 'spot'")


class TestNetworkPolicies:
    def test_are_enforced(self, objects: dict[tuple[str, str], Any]) -> None:
        assert objects["ConfigMap", "amazon-vpc-cni"] == POLICIES_ON

    def test_unless_somebody_turns_them_off(self, values: ClusterValues) -> None:
        charts = platform_charts(cdk8s.App(), values, network_policies=False)
        assert [chart.node.id for chart in charts] == ["node-pools", "platform"]

    def test_the_switch_is_in_kube_system_whatever_the_chart_s_namespace(self) -> None:
        chart = cdk8s.Chart(cdk8s.App(), "policies", namespace="apps")
        NetworkPolicyController(chart, "network-policy-controller")
        assert manifests(chart) == [POLICIES_ON]
        assert judge_document(POLICIES_ON) == []


class TestPlatform:
    def test_claims_without_a_class_get_encrypted_gp3(self, objects: dict[tuple[str, str], Any]) -> None:
        storage = objects["StorageClass", "gp3"]
        assert storage["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
        assert storage["provisioner"] == "ebs.csi.eks.amazonaws.com"
        assert storage["parameters"]["encrypted"] == "true"
        assert storage["volumeBindingMode"] == "WaitForFirstConsumer"

    def test_ingresses_without_a_class_get_an_internal_alb(self, objects: dict[tuple[str, str], Any]) -> None:
        ingress = objects["IngressClass", "alb"]
        assert ingress["metadata"]["annotations"] == {"ingressclass.kubernetes.io/is-default-class": "true"}
        assert ingress["spec"]["controller"] == "eks.amazonaws.com/alb"
        assert objects["IngressClassParams", ingress["spec"]["parameters"]["name"]]["spec"] == {
            "scheme": "internal",
            "inboundCIDRs": ["10.0.0.0/16"],
            "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "loadBalancerAttributes": [{"key": "routing.http.drop_invalid_header_fields.enabled", "value": "true"}],
        }

    def test_load_balancers_are_what_the_caller_says(self, values: ClusterValues) -> None:
        spec = values.ingress_class_params_spec(scheme="internet-facing", certificate_arns=["arn:aws:acm:cert"])
        charts = platform_charts(cdk8s.App(), values, load_balancers=spec)
        (params,) = [item for chart in charts for item in manifests(chart) if item["kind"] == "IngressClassParams"]
        assert (params["spec"]["scheme"], params["spec"]["certificateARNs"]) == (
            "internet-facing",
            ["arn:aws:acm:cert"],
        )

    def test_the_program_of_the_docs_opens_https_and_keeps_logs(self) -> None:
        text = (Path(__file__).parents[3] / "docs" / "load-balancers.md").read_text("utf-8")
        (program,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(program, "docs/load-balancers.md", "exec"), names)
        templates = {stack.stack_name: stack.template for stack in names["app"].synth().stacks}
        (params,) = [item for item in delivered(templates["ShopPlatform"]) if item["kind"] == "IngressClassParams"]
        spec = params["spec"]
        assert (spec["scheme"], len(spec["certificateARNs"]), "inboundCIDRs" in spec) == ("internet-facing", 1, False)
        attributes = {entry["key"]: entry["value"] for entry in spec["loadBalancerAttributes"]}
        assert attributes["access_logs.s3.prefix"] == "shop"
        (policy,) = [
            resource["Properties"]["PolicyDocument"]["Statement"]
            for resource in templates["Logs"]["Resources"].values()
            if resource["Type"] == "AWS::S3::BucketPolicy"
        ]
        assert "LoadBalancerLogs" in [statement.get("Sid") for statement in policy]

    def test_immutable_fields_of_a_class_never_change_under_its_name(self, objects: dict[tuple[str, str], Any]) -> None:
        # Kubernetes refuses a changed StorageClass: whoever changes these must change the name with them.
        storage = objects["StorageClass", "gp3"]
        parameters = {key: value for key, value in storage["parameters"].items() if key != "kmsKeyId"}
        assert (
            storage["metadata"]["name"],
            parameters,
            storage.get("reclaimPolicy"),
            storage["volumeBindingMode"],
        ) == (
            "gp3",
            {"type": "gp3", "encrypted": "true"},
            None,
            "WaitForFirstConsumer",
        )
