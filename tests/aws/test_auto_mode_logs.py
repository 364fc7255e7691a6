"""The logs of Auto Mode's controllers, and the role of kubectl."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Annotations, Match, Template
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs import AutoModeCluster, AutoModeLogs
from tests.refusal import refusal
from tests.support import of_type, only, text_of
from tests.template_checks import template_findings
from tests.template_order import waits_for

WAIT = "Custom::AutoModeClusterUpdates"
KMS = s3.BucketEncryption.KMS


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

    def test_each_source_waits_until_the_cluster_has_no_update_of_another(self, logged: dict[str, Any]) -> None:
        before = waits_for(logged)
        sources = list(of_type(logged, "AWS::Logs::DeliverySource"))
        waits = set(of_type(logged, WAIT))
        assert len(waits) == len(sources) + 1
        order = sorted(sources, key=lambda name: len(before[name]))
        for position, source in enumerate(order):
            # One wait before the first source, and one more after each.
            assert len(before[source] & waits) == position + 1
            assert set(order[:position]) == before[source] & set(sources)
            # What is created after a source is deleted before it: its deletion is waited for as well.
            assert len({wait for wait in waits if source in before[wait]}) == len(sources) - position

    def test_each_delivery_comes_after_its_source_and_before_the_next(self, logged: dict[str, Any]) -> None:
        deliveries = of_type(logged, "AWS::Logs::Delivery")
        sources = of_type(logged, "AWS::Logs::DeliverySource")
        before = waits_for(logged)
        by_name = {source["Properties"]["Name"]: name for name, source in sources.items()}
        for name, delivery in deliveries.items():
            assert by_name[delivery["Properties"]["DeliverySourceName"]] in before[name]
        assert sorted(len(before[name] & deliveries.keys()) for name in deliveries) == [0, 1, 2, 3]

    def test_the_wait_may_read_updates_of_this_cluster_alone_and_logs_with_the_key(
        self, logged: dict[str, Any]
    ) -> None:
        (policy,) = (
            body["Properties"]["PolicyDocument"]["Statement"]
            for name, body in of_type(logged, "AWS::IAM::Policy").items()
            if "AutoModeLogsUpdates" in name
        )
        (statement,) = policy
        assert statement["Action"] == ["eks:ListUpdates", "eks:DescribeUpdate"]
        assert str(statement["Resource"]).count("'Fn::GetAtt'") == 1
        (group,) = (
            body for name, body in of_type(logged, "AWS::Logs::LogGroup").items() if "AutoModeLogsUpdates" in name
        )
        assert {"RetentionInDays", "KmsKeyId"} <= group["Properties"].keys()

    def test_cfn_lint_and_our_own_judge_find_nothing(self, logged: dict[str, Any]) -> None:
        found = lint(json.dumps(logged), config=ManualArgs(regions=["eu-central-1"]))
        # The CDK writes DependsOn next to references that say the same.
        assert [str(match) for match in found if match.rule.id != "W3005"] == []
        assert template_findings(logged) == []

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


def alone(region: str = "eu-central-1", **arguments: Any) -> dict[str, Any]:
    """A template with nothing but these logs; a bucket is made in its stack."""
    stack = cdk.Stack(cdk.App(), "Dev", env=cdk.Environment(region=region))
    if make := arguments.pop("make_bucket", None):
        arguments["bucket"] = make(stack)
    arn = stack.format_arn(service="eks", resource="cluster", resource_name="dev")
    AutoModeLogs(stack, "Logs", **{"cluster_name": "dev", "cluster_arn": arn, **arguments})
    return dict(Template.from_stack(stack).to_json())


def refused(**arguments: Any) -> str:
    return refusal(lambda: alone(**arguments))


@pytest.fixture(scope="module")
def to_bucket() -> dict[str, Any]:
    return alone("us-gov-west-1", make_bucket=lambda stack: s3.Bucket(stack, "Bucket", encryption=KMS))


class TestDestinations:
    def test_a_bucket_takes_the_place_of_the_log_group(self, to_bucket: dict[str, Any]) -> None:
        names = [
            group["Properties"].get("LogGroupName") for group in of_type(to_bucket, "AWS::Logs::LogGroup").values()
        ]
        assert names == [None]
        destination = only(to_bucket, "AWS::Logs::DeliveryDestination")["Properties"]
        assert destination["DestinationResourceArn"]["Fn::GetAtt"][0].startswith("Bucket")

    def test_its_policy_and_that_of_its_key_admit_the_delivery_alone(self, to_bucket: dict[str, Any]) -> None:
        bucket = only(to_bucket, "AWS::S3::BucketPolicy")["Properties"]["PolicyDocument"]["Statement"][-1]
        assert bucket["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
        assert text_of(bucket["Resource"]).endswith("/AWSLogs/{{'Ref': 'AWS::AccountId'}}/*")
        assert bucket["Condition"]["StringEquals"]["s3:x-amz-acl"] == "bucket-owner-full-control"
        key = only(to_bucket, "AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"][-1]
        assert key["Action"] == ["kms:GenerateDataKey*", "kms:Decrypt"]
        for statement in (bucket, key):
            source = text_of(statement["Condition"]["ArnLike"]["aws:SourceArn"])
            assert source.startswith("arn:{{'Ref': 'AWS::Partition'}}:logs:us-gov-west-1:")
            assert source.endswith(":delivery-source:*")

    def test_deliveries_wait_for_the_policy(self, to_bucket: dict[str, Any]) -> None:
        before = waits_for(to_bucket)
        (policy,) = of_type(to_bucket, "AWS::S3::BucketPolicy")
        assert all(policy in before[name] for name in of_type(to_bucket, "AWS::Logs::Delivery"))

    def test_the_wait_uses_fips_endpoints_in_govcloud(self, to_bucket: dict[str, Any]) -> None:
        function = only(to_bucket, "AWS::Lambda::Function")["Properties"]
        assert function["Environment"]["Variables"] == {"AWS_USE_FIPS_ENDPOINT": "true"}
        assert "Environment" not in only(alone(), "AWS::Lambda::Function")["Properties"]

    def test_cfn_lint_finds_nothing(self, to_bucket: dict[str, Any]) -> None:
        found = lint(json.dumps(to_bucket), config=ManualArgs(regions=["us-gov-west-1"]))
        assert [str(match) for match in found if match.rule.id != "W3005"] == []

    def test_an_imported_bucket_is_left_alone_and_named(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev")
        bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "corp-logs")
        AutoModeLogs(stack, "Logs", cluster_name="dev", cluster_arn="arn", bucket=bucket)
        (warning,) = Annotations.from_stack(stack).find_warning(
            "*", Match.string_like_regexp(".*LogBucketPolicyNotOurs.*")
        )
        assert "the log bucket corp-logs is imported" in str(warning.entry.data)
        assert of_type(dict(Template.from_stack(stack).to_json()), "AWS::S3::BucketPolicy") == {}

    def test_a_resource_policy_admits_the_delivery_to_this_group(self) -> None:
        found = alone(resource_policy=True)
        (statement,) = json.loads(
            text_of(only(found, "AWS::Logs::ResourcePolicy")["Properties"]["PolicyDocument"])
            .replace("{{'Ref': 'AWS::", "")
            .replace("'}}", "")
            .replace("{{'Fn::GetAtt': ['", "")
            .replace("', 'Arn']}}", "")
        )["Statement"]
        assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
        assert statement["Resource"].endswith(":log-stream:*")
        (policy,) = of_type(found, "AWS::Logs::ResourcePolicy")
        assert all(policy in waits_for(found)[name] for name in of_type(found, "AWS::Logs::Delivery"))

    def test_one_log_is_one_source(self) -> None:
        found = alone(log_types=["AUTO_MODE_COMPUTE_LOGS"])
        assert only(found, "AWS::Logs::DeliverySource")["Properties"]["LogType"] == "AUTO_MODE_COMPUTE_LOGS"
        assert len(of_type(found, WAIT)) == 2

    def test_wrong_arguments_are_refused(self) -> None:
        assert refused(log_types=["AUTO_MODE_COMPUTE_LOG"]) == (
            "Dev/Logs: log_types: 'AUTO_MODE_COMPUTE_LOG' is not known; did you mean 'AUTO_MODE_COMPUTE_LOGS'? "
            "Use one of 'AUTO_MODE_COMPUTE_LOGS', 'AUTO_MODE_BLOCK_STORAGE_LOGS', 'AUTO_MODE_LOAD_BALANCING_LOGS', "
            "'AUTO_MODE_IPAM_LOGS'"
        )
        assert refused(log_types=[]) == (
            "Dev/Logs: log_types: names none; name at least one, or leave the construct out"
        )
        assert refused(log_types=["AUTO_MODE_IPAM_LOGS"] * 2) == (
            "Dev/Logs: log_types: names one twice: ['AUTO_MODE_IPAM_LOGS', 'AUTO_MODE_IPAM_LOGS']; name each once"
        )
        assert refused(resource_policy=True, make_bucket=lambda stack: s3.Bucket(stack, "Bucket")) == (
            "Dev/Logs: resource_policy: is for the log group, and the logs go to bucket; leave out one of the two"
        )


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
