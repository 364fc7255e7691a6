"""Our own judge sees what cdk-nag lets pass."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_eks_v2 as eks

from tests.conftest import default_app
from tests.support import synthesised
from tests.template_checks import template_findings


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    app = cdk.App()
    eks.Cluster(cdk.Stack(app, "Plain"), "Cluster", version=eks.KubernetesVersion.V1_36)
    return synthesised(app)["Plain"]


def test_the_cdk_s_own_default_cluster_is_found_wanting(plain: dict[str, Any]) -> None:
    found = "\n".join(template_findings(plain))
    for finding in (
        "endpoint open to the internet",
        "public subnets",
        "secrets without a key",
        "not all five logs",
        "no deletion protection",
        "may slip into paid extended support",
        "the creator is an administrator in silence",
        "service range left to chance",
        "cluster role without the second block-storage policy",
        "assigns public addresses",
        "broad policies",
    ):
        assert finding in found


def test_literal_partitions_are_found() -> None:
    template = {"Resources": {}, "Outputs": {"A": {"Value": "arn:aws:iam::aws:policy/x"}}}
    assert template_findings(template) == ["literal partition 'aws'"]
    assert template_findings(template, partition="aws") == []


@pytest.mark.parametrize(
    ("policy", "given", "finding"),
    [
        ("Retain", "mine", "its name stays taken when its first deployment fails"),
        ("RetainExceptOnCreate", {"Fn::Join": ["", ["a", {"Ref": "B"}]]}, "by which no later deployment can adopt it"),
        ("RetainExceptOnCreate", "mine", None),
        ("Retain", None, None),
        ("Delete", "mine", None),
    ],
)
def test_names_that_stay_taken_are_found(policy: str, given: Any, finding: str | None) -> None:
    properties = {} if given is None else {"LogGroupName": given}
    body = {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": policy, "Properties": properties}
    found = template_findings({"Resources": {"Logs": body}})
    assert found == [] if finding is None else finding in found[0]


def test_logs_that_nobody_deletes_are_found() -> None:
    function: dict[str, Any] = {"Type": "AWS::Lambda::Function", "Properties": {}}
    template = {
        "Resources": {"F": function, "G": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 1}}}
    }
    assert template_findings(template) == ["F: Lambda makes its log group, which stays for ever"]
    function["Properties"]["LoggingConfig"] = {"LogGroup": {"Ref": "G"}}
    assert template_findings(template) == []


def test_a_log_group_without_the_key_of_the_others_is_found() -> None:
    groups: dict[str, Any] = {
        name: {"Type": "AWS::Logs::LogGroup", "Properties": properties}
        for name, properties in (("A", {"KmsKeyId": {"Ref": "K"}}), ("B", {}))
    }
    assert template_findings({"Resources": groups}) == ["not all log groups have the same key"]
    groups["B"]["Properties"]["KmsKeyId"] = {"Ref": "K"}
    assert template_findings({"Resources": groups}) == []


def test_the_default_app_is_clean(templates: dict[str, dict[str, Any]]) -> None:
    assert {name: template_findings(template) for name, template in templates.items()} == {key: [] for key in templates}
    assert len(templates) == 7


@pytest.mark.parametrize(
    ("context", "partition", "ephemeral"),
    [
        (
            {"region": "us-gov-west-1", "admin_role_arns": ["arn:aws-us-gov:iam::111122223333:role/Admin"]},
            "aws-us-gov",
            False,
        ),
        ({"region": "eu-central-1", "account": "111122223333", "hardened_pools": True}, "aws", False),
        ({"ephemeral": True, "endpoint_cidrs": "203.0.113.7/32"}, "none", True),
    ],
    ids=["govcloud", "hardened", "ephemeral"],
)
def test_the_app_s_variants_are_clean(context: dict[str, Any], partition: str, ephemeral: bool) -> None:
    for template in default_app(**context).values():
        assert template_findings(template, partition=partition, ephemeral=ephemeral) == []
