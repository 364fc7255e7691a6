"""The strict judges: cfn-lint, the CDK's own validator, cdk-nag, each over what the app writes."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import cdk_nag
import pytest
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from cfnlint.api import lint
from cfnlint.config import ManualArgs

import app as the_app
from automode_constructs.patterns.charts.gpt_oss import WEIGHTS_PREFIX
from tests.conftest import AS_OF, default_app
from tests.support import feature_flags

# The CDK writes DependsOn next to references that say the same; harmless, and nothing here is ours to change.
# An output that imports (W6001) is what the guard is made of: CloudFormation counts imports there too.
LINT_ACCEPTED = {"W3005", "W6001"}


def _lint(template: dict[str, Any], region: str) -> list[str]:
    found = lint(json.dumps(template), config=ManualArgs(regions=[region], include_checks=["I", "W", "E"]))
    return [str(match) for match in found if match.rule.id not in LINT_ACCEPTED and not match.rule.id.startswith("I")]


class TestCfnLint:
    @pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1"])
    def test_finds_nothing(self, templates: dict[str, dict[str, Any]], region: str) -> None:
        assert {name: _lint(template, region) for name, template in templates.items()} == {key: [] for key in templates}

    def test_would_find_something(self) -> None:
        broken = {"Resources": {"Cluster": {"Type": "AWS::EKS::Cluster", "Properties": {"Nonsense": True}}}}
        assert _lint(broken, "eu-central-1")


class TestCdkValidator:
    def test_passes_the_app_as_errors(self) -> None:
        assert feature_flags()["@aws-cdk/core:validateAgainstDefaultRules"] is True
        default_app(name="validated")

    def test_would_refuse_a_wrong_property(self) -> None:
        app = cdk.App(context=feature_flags())
        the_app.build(app, the_app.Settings(name="broken"), as_of=AS_OF)
        cluster = app.node.find_child("broken-cluster").node.find_child("Cluster").node.find_child("Cluster")
        resource = cluster.node.default_child
        assert isinstance(resource, eks.CfnCluster)
        resource.add_property_override("Nonsense", True)
        with pytest.raises(RuntimeError, match=r"Nonsense|F3002"):
            app.synth()


_AWS_ASKS_FOR_IT = "the managed policy that AWS's Auto Mode pages ask for"
_HANDLER = "the CDK's kubectl handler: its policies and runtime are the CDK's to set"


def _managed(policy: str) -> str:
    return f"AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]"


NAG_ACKNOWLEDGED: dict[str, str] = {
    **{
        _managed(policy): _AWS_ASKS_FOR_IT
        for policy in (
            "AmazonEKSClusterPolicy",
            "AmazonEKSComputePolicy",
            "AmazonEKSBlockStoragePolicyV2",
            "AmazonEKSLoadBalancingPolicy",
            "AmazonEKSNetworkingPolicy",
            "AmazonEKSWorkerNodeMinimalPolicy",
            "AmazonEC2ContainerRegistryPullOnly",
        )
    },
    **{
        _managed(policy): _HANDLER
        for policy in (
            "service-role/AWSLambdaBasicExecutionRole",
            "service-role/AWSLambdaVPCAccessExecutionRole",
            "AmazonEC2ContainerRegistryReadOnly",
        )
    },
}


class TestCdkNag:
    def test_finds_only_what_has_a_reason(self) -> None:
        app = cdk.App(context=feature_flags())
        the_app.build(app, the_app.Settings(name="nagged"), as_of=AS_OF)
        cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
        stack = app.node.find_child("nagged-cluster")
        assert isinstance(stack, cdk.Stack)
        for finding, reason in {**NAG_ACKNOWLEDGED, **_about_the_handler(stack)}.items():
            cdk.Validations.of(stack).acknowledge(cdk.Acknowledgment(id=finding, reason=reason))
        model = app.node.find_child("nagged-gpt-oss")
        assert isinstance(model, cdk.Stack)
        weights = app.node.find_child("nagged-weights")
        assert isinstance(weights, cdk.Stack)
        for holder, finding, reason in _about_the_weights(weights):
            cdk.Validations.of(model if holder == "model" else weights).acknowledge(
                cdk.Acknowledgment(id=finding, reason=reason)
            )
        app.synth()

    def test_would_find_something(self) -> None:
        app = cdk.App()
        iam.Role(
            cdk.Stack(app, "Bad"),
            "Role",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("AdministratorAccess")],
        )
        cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
        with pytest.raises(RuntimeError, match="AwsSolutions-IAM4"):
            app.synth()


def _about_the_handler(stack: cdk.Stack) -> dict[str, str]:
    """Findings whose ids hold logical ids."""
    provider = stack.node.find_child("Cluster").node.find_child("Cluster").node.find_child("KubectlProvider")
    handler = provider.node.find_child("Handler")
    function, condition = handler.node.default_child, handler.node.find_child("HasEcrPublic")
    assert isinstance(function, cdk.CfnElement)
    assert isinstance(condition, cdk.CfnElement)
    public_ecr = {
        "Fn::If": [
            stack.get_logical_id(condition),
            {
                "Fn::Join": [
                    "",
                    [
                        "arn:",
                        {"Ref": "AWS::Partition"},
                        ":iam::aws:policy/AmazonElasticContainerRegistryPublicReadOnly",
                    ],
                ]
            },
            {"Ref": "AWS::NoValue"},
        ]
    }
    return {
        f"AwsSolutions::AwsSolutions-IAM4[Policy::{json.dumps(public_ecr, separators=(',', ':'))}]": _HANDLER,
        f"AwsSolutions::AwsSolutions-IAM5[Resource::<{stack.get_logical_id(function)}.Arn>:*]": _HANDLER,
        "AwsSolutions::AwsSolutions-L1": _HANDLER,
    }


def _about_the_weights(stack: cdk.Stack) -> list[tuple[str, str, str]]:
    bucket = stack.node.find_child("Weights").node.find_child("Bucket").node.default_child
    assert isinstance(bucket, cdk.CfnElement)
    arn = f"nagged-weights:ExportsOutputFnGetAtt{stack.get_logical_id(bucket)}Arn6237DC13"
    objects = f"{arn}/{WEIGHTS_PREFIX}/*"
    return [
        (
            "model",
            f"AwsSolutions::AwsSolutions-IAM5[Resource::{objects}]",
            "the weights of one commit of one model, and no more",
        ),
        (
            "weights",
            "AwsSolutions::AwsSolutions-S1",
            "weights that anyone can download; who wants the log passes a bucket for it",
        ),
    ]
