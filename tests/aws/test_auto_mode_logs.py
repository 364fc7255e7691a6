"""The logs of Auto Mode's controllers, and the role of kubectl."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from automode_constructs import AutoModeCluster, AutoModeLogs
from tests.refusal import refusal
from tests.support import of_type, only


def template(**arguments: Any) -> dict[str, Any]:
    stack = cdk.Stack(cdk.App(), "Dev")
    AutoModeCluster(stack, "Cluster", **arguments)
    return dict(Template.from_stack(stack).to_json())


@pytest.fixture(scope="module")
def logged() -> dict[str, Any]:
    return template(cluster_name="dev", auto_mode_logs=True)


class TestAutoModeLogs:
    def test_all_four_go_to_one_group_with_the_log_key(self, logged: dict[str, Any]) -> None:
        sources = [source["Properties"] for source in of_type(logged, "AWS::Logs::DeliverySource").values()]
        assert {source["LogType"] for source in sources} == {
            "AUTO_MODE_BLOCK_STORAGE_LOGS",
            "AUTO_MODE_COMPUTE_LOGS",
            "AUTO_MODE_IPAM_LOGS",
            "AUTO_MODE_LOAD_BALANCING_LOGS",
        }
        groups = {
            group["Properties"].get("LogGroupName"): group["Properties"]
            for group in of_type(logged, "AWS::Logs::LogGroup").values()
        }
        assert "KmsKeyId" in groups["/aws/vendedlogs/eks/dev/auto-mode"]
        only(logged, "AWS::Logs::DeliveryDestination")

    def test_deliveries_come_one_after_the_other_and_after_their_source(self, logged: dict[str, Any]) -> None:
        deliveries = of_type(logged, "AWS::Logs::Delivery")
        sources = of_type(logged, "AWS::Logs::DeliverySource")
        by_name = {source["Properties"]["Name"]: name for name, source in sources.items()}
        for delivery in deliveries.values():
            assert by_name[delivery["Properties"]["DeliverySourceName"]] in delivery["DependsOn"]
        waiting = [set(delivery["DependsOn"]) & deliveries.keys() for delivery in deliveries.values()]
        assert sorted(len(others) for others in waiting) == [0, 1, 1, 1]

    def test_names_fit_and_stay_apart_when_a_cluster_has_a_long_name(self) -> None:
        names = []
        for end in ("a", "b"):
            stack = cdk.Stack(cdk.App(), "Dev")
            AutoModeLogs(stack, "Logs", cluster_name="c" * 99 + end, cluster_arn="arn:aws:eks:eu-west-1:1:cluster/c")
            found = dict(Template.from_stack(stack).to_json())
            names += [item["Properties"]["Name"] for item in of_type(found, "AWS::Logs::DeliverySource").values()]
        assert len(set(names)) == 8
        assert max(map(len, names)) <= 60

    def test_needs_the_clusters_name(self) -> None:
        words = refusal(lambda: AutoModeCluster(cdk.Stack(cdk.App(), "Dev"), "Cluster", auto_mode_logs=True))
        assert words == "Dev/Cluster: auto_mode_logs: need the cluster's name for their own; give cluster_name"

    def test_are_off_by_default(self) -> None:
        assert of_type(template(cluster_name="dev"), "AWS::Logs::Delivery") == {}


class TestKubectlRole:
    def policies(self, found: dict[str, Any]) -> str:
        (role,) = [
            body
            for name, body in of_type(found, "AWS::IAM::Role").items()
            if "KubectlProviderHandlerServiceRole" in name
        ]
        return str(role["Properties"]["ManagedPolicyArns"])

    def test_has_no_right_on_images(self, logged: dict[str, Any]) -> None:
        assert "AWSLambdaVPCAccessExecutionRole" in self.policies(logged)
        assert "ContainerRegistry" not in self.policies(logged)

    def test_has_them_for_helm_charts_when_asked(self) -> None:
        assert "AmazonEC2ContainerRegistryReadOnly" in self.policies(
            template(cluster_name="dev", helm_charts_from_ecr=True)
        )

    def test_is_asked_for_with_kubectl_only(self) -> None:
        words = refusal(
            lambda: AutoModeCluster(
                cdk.Stack(cdk.App(), "Dev"), "Cluster", cluster_name="dev", kubectl=False, helm_charts_from_ecr=True
            )
        )
        assert words == ("Dev/Cluster: helm_charts_from_ecr: is for kubectl, and kubectl=False; remove one of the two")
