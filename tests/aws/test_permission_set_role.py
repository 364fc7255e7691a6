"""PermissionSetRole: the trust admits the roles of one permission set by any suffix, in any region, and no others."""

from __future__ import annotations

import json
import re
from typing import Any

import aws_cdk as cdk
import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs import Access, AccessGrant, ImportedCluster, PermissionSetRole
from tests.refusal import refusal
from tests.support import feature_flags, only, synthesised, text_of
from tests.template_checks import template_findings

RESERVED = "arn:P:iam::111122223333:role/aws-reserved/sso.amazonaws.com/"
SUFFIX = "0123456789abcdef"


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    app = cdk.App(context=feature_flags())
    env = cdk.Environment(account="111122223333", region="eu-central-1")
    stack = cdk.Stack(app, "S", env=env)
    cluster = ImportedCluster(cdk.Stack(app, "Import", env=env), "Cluster", cluster_name="dev")
    people = PermissionSetRole(stack, "Platform", permission_set="Platform", role_name="eks-platform")
    grant = AccessGrant(role=people.role, policy="AmazonEKSClusterAdminPolicy")
    Access(stack, "Access", cluster=cluster, grants=[grant])
    return synthesised(app)["S"]


def admitted(template: dict[str, Any], arn: str) -> bool:
    """Whether the trust admits a principal, with the wildcards of ``ArnLike``."""
    (statement,) = only(template, "AWS::IAM::Role")["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    patterns = [
        text_of(pattern).replace("{{'Ref': 'AWS::Partition'}}", "P")
        for pattern in statement["Condition"]["ArnLike"]["aws:PrincipalArn"]
    ]
    parts = [re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in patterns]
    return any(re.fullmatch(part, arn) for part in parts)


@pytest.mark.parametrize("region", ["", "eu-west-1/", "us-gov-west-1/"])
def test_the_sets_role_is_admitted_whatever_its_suffix(template: dict[str, Any], region: str) -> None:
    for suffix in (SUFFIX, SUFFIX[::-1]):
        assert admitted(template, f"{RESERVED}{region}AWSReservedSSO_Platform_{suffix}")


@pytest.mark.parametrize(
    "arn",
    [
        f"{RESERVED}eu-west-1/AWSReservedSSO_Platform_Trainee_{SUFFIX}",
        f"{RESERVED}eu-west-1/AWSReservedSSO_Platform2_{SUFFIX}",
        f"{RESERVED}eu-west-1/AWSReservedSSO_X_AWSReservedSSO_Platform_{SUFFIX}",
        f"arn:P:iam::111122223333:role/AWSReservedSSO_Platform_{SUFFIX}",
        f"arn:P:iam::444455556666:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Platform_{SUFFIX}",
    ],
)
def test_no_other_role_is(template: dict[str, Any], arn: str) -> None:
    assert not admitted(template, arn)


def test_it_has_no_permissions_and_the_entry_names_it(template: dict[str, Any]) -> None:
    role = only(template, "AWS::IAM::Role")["Properties"]
    assert not {"Policies", "ManagedPolicyArns"} & role.keys()
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert text_of(statement["Principal"]["AWS"]).endswith(":iam::111122223333:root")
    entry = only(template, "AWS::EKS::AccessEntry")["Properties"]
    assert entry["PrincipalArn"] == {"Fn::GetAtt": ["PlatformRole055D7862", "Arn"]}


def test_the_judges_find_nothing(template: dict[str, Any]) -> None:
    assert template_findings(template) == []
    assert [str(match) for match in lint(json.dumps(template), config=ManualArgs(regions=["eu-central-1"]))] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "'' is not the name of a permission set; use 1 to 32 letters, digits and characters of '_+=,.@-'"),
        ("a b", "'a b' is not the name of a permission set; use 1 to 32 letters, digits and characters of '_+=,.@-'"),
        (
            f"AWSReservedSSO_Platform_{SUFFIX}",
            f"'AWSReservedSSO_Platform_{SUFFIX}' is the role of a permission set, not its name; write 'Platform'",
        ),
        (
            "Team*",
            "'Team*' is not the name of a permission set; use 1 to 32 letters, digits and characters of '_+=,.@-'",
        ),
        (f"x{cdk.Aws.REGION}", "holds a value known only after deployment; give the permission set's own name"),
    ],
)
def test_what_is_no_permission_set_is_refused(name: str, text: str) -> None:
    stack = cdk.Stack(cdk.App(), "S")
    assert refusal(lambda: PermissionSetRole(stack, "R", permission_set=name)) == f"S/R: permission_set: {text}"


def test_what_is_no_name_of_a_role_is_refused() -> None:
    stack = cdk.Stack(cdk.App(), "S")
    assert refusal(lambda: PermissionSetRole(stack, "R", permission_set="P", role_name="a/b")) == (
        "S/R: role_name: 'a/b' is not the name of an IAM role; use 1 to 64 letters, digits and characters of "
        "'_+=,.@-', and no path before it"
    )
