"""Who may use a cluster: entries in a stack of their own, the command for kubectl, and the one warning."""

from __future__ import annotations

import shlex
from functools import partial
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_eks_v2 as eks
from aws_cdk.assertions import Annotations, Match

from automode_constructs import AccessGrant, AutoModeCluster, ImportedCluster
from automode_constructs.aws.access import AdminAccess
from automode_constructs.patterns.stacks.access_stack import AccessStack
from tests.refusal import refusal
from tests.support import feature_flags, of_type, synthesised, text_of

ADMIN = "arn:aws:iam::111122223333:role/Admin"
OPS = "arn:aws:iam::111122223333:role/team/Ops"
DEV = "arn:aws:iam::111122223333:role/Dev"
NO_ADMIN = Match.string_like_regexp("no role is named, so that nobody can use kubectl")


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    app = cdk.App(context=feature_flags())
    cluster = AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="dev")
    AccessStack(
        app,
        "Access",
        cluster=cluster,
        admin_role_arns=[ADMIN, OPS],
        grants=[AccessGrant(role=DEV, policy="AmazonEKSViewPolicy", namespaces=["shop"])],
        kubernetes_groups=["platform-team"],
    )
    imported = ImportedCluster(cdk.Stack(app, "Import"), "Cluster", cluster_name="prod")
    AccessStack(app, "ImportAccess", cluster=imported, admin_role_arns=[OPS, ADMIN])
    AccessStack(app, "Nobody", cluster=imported)
    AccessStack(app, "Odd", cluster=imported, admin_role_arns=["arn:aws:iam::111122223333:role/x`id`'$(y)/Z"])
    return synthesised(app)


def admins(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    entries = of_type(template, "AWS::EKS::AccessEntry")
    return {key: body for key, body in entries.items() if body["Properties"]["PrincipalArn"] != DEV}


def test_a_grant_is_an_entry_too_and_administrators_are_in_the_groups(templates: dict[str, dict[str, Any]]) -> None:
    (dev,) = (
        body["Properties"]
        for body in of_type(templates["Access"], "AWS::EKS::AccessEntry").values()
        if body["Properties"]["PrincipalArn"] == DEV
    )
    assert dev["AccessPolicies"][0]["AccessScope"] == {"Type": "namespace", "Namespaces": ["shop"]}
    assert "KubernetesGroups" not in dev
    assert [body["Properties"]["KubernetesGroups"] for body in admins(templates["Access"]).values()] == [
        ["platform-team"]
    ] * 2


def test_each_role_administers_the_cluster_by_an_entry_of_its_own(templates: dict[str, dict[str, Any]]) -> None:
    entries = admins(templates["Access"])
    assert [entry["Properties"]["PrincipalArn"] for entry in entries.values()] == [ADMIN, OPS]
    for entry in entries.values():
        (policy,) = entry["Properties"]["AccessPolicies"]
        assert text_of(policy["PolicyArn"]).endswith("cluster-access-policy/AmazonEKSClusterAdminPolicy")
        assert policy["AccessScope"] == {"Type": "cluster"}
    people = [
        entry["Properties"]["PrincipalArn"] for entry in of_type(templates["Dev"], "AWS::EKS::AccessEntry").values()
    ]
    assert not {ADMIN, OPS} & {str(principal) for principal in people}


def test_the_ids_are_pinned_and_do_not_know_the_order(templates: dict[str, dict[str, Any]]) -> None:
    for name in ("Access", "ImportAccess"):
        assert set(admins(templates[name])) == {
            "AdminsAdmina58ed41c0BBDE65E",
            "AdminsAdminb74ee6adCC74CB9D",
        }


def test_without_a_role_there_is_still_a_stack_to_deploy(templates: dict[str, dict[str, Any]]) -> None:
    assert {body["Type"] for body in templates["Nobody"]["Resources"].values()} == {
        "AWS::CloudFormation::WaitConditionHandle"
    }
    assert text_of(templates["Nobody"]["Outputs"]["KubeconfigCommand"]["Value"]) == (
        "aws eks update-kubeconfig --name prod --region {{'Ref': 'AWS::Region'}}"
    )


def test_the_command_for_kubectl_takes_the_first_role(templates: dict[str, dict[str, Any]]) -> None:
    command = text_of(templates["Access"]["Outputs"]["KubeconfigCommand"]["Value"])
    assert command.endswith(f" --role-arn {ADMIN}")


def test_a_path_that_a_shell_would_read_is_quoted(templates: dict[str, dict[str, Any]]) -> None:
    words = shlex.split(text_of(templates["Odd"]["Outputs"]["KubeconfigCommand"]["Value"]))
    assert words[-2:] == ["--role-arn", "arn:aws:iam::111122223333:role/x`id`'$(y)/Z"]


class TestNoAdmin:
    @staticmethod
    def _warnings(stack: cdk.Stack) -> int:
        return len(Annotations.from_stack(stack).find_warning("*", NO_ADMIN))

    def test_is_said_once_where_nobody_is_admitted(self) -> None:
        app = cdk.App()
        stack = cdk.Stack(app, "Dev")
        cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev")
        AccessStack(app, "Access", cluster=cluster)
        assert self._warnings(stack) == 1

    def test_is_not_said_where_an_access_stack_admits_someone(self) -> None:
        app = cdk.App()
        stack = cdk.Stack(app, "Dev")
        cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev")
        AccessStack(app, "Access", cluster=cluster, admin_role_arns=[ADMIN])
        assert self._warnings(stack) == 0

    def test_is_not_said_where_the_cdk_admits_someone(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev")
        cluster = AutoModeCluster(stack, "Cluster")
        view = eks.AccessPolicy.from_access_policy_name(
            "AmazonEKSViewPolicy", access_scope_type=eks.AccessScopeType.CLUSTER
        )
        cluster.cluster.grant_access("View", ADMIN, [view])
        assert self._warnings(stack) == 0

    def test_another_cluster_s_admin_does_not_count(self) -> None:
        app = cdk.App()
        stack = cdk.Stack(app, "Dev")
        AutoModeCluster(stack, "Cluster", cluster_name="dev")
        AutoModeCluster(cdk.Stack(app, "Other"), "Cluster", cluster_name="other", admin_role_arns=[ADMIN])
        assert self._warnings(stack) == 1


class TestRefusals:
    def test_a_session_in_the_words_of_the_context_key(self) -> None:
        app = cdk.App()
        cluster = AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="dev")
        session = "arn:aws:sts::111122223333:assumed-role/Admin/me"
        assert refusal(lambda: AccessStack(app, "Access", cluster=cluster, admin_role_arns=[session])).startswith(
            f"Access/Admins: admin_role_arns[0]: '{session}' is the ARN of a session, not of the role behind"
        )

    def test_a_role_that_has_an_entry_already(self) -> None:
        app = cdk.App()
        cluster = AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="dev", admin_role_arns=[ADMIN])
        AdminAccess(cdk.Stack(app, "A"), "Admins", cluster=cluster, admin_role_arns=[OPS])
        later = cdk.Stack(app, "B")
        for arn, home in ((ADMIN, "Dev/Cluster"), (OPS, "A/Admins")):
            again = partial(AdminAccess, later, "Admins", cluster=cluster, admin_role_arns=[arn])
            assert refusal(again) == (
                f"B/Admins: admin_role_arns[0]: '{arn}' has an access entry of '{home}' already; "
                "name it in one place; EKS takes one access entry for a role"
            )

    def test_another_environment(self) -> None:
        app = cdk.App()
        cluster = AutoModeCluster(
            cdk.Stack(app, "Dev", env=cdk.Environment(region="eu-west-1")), "Cluster", cluster_name="dev"
        )
        elsewhere = cdk.Stack(app, "There", env=cdk.Environment(region="us-east-1"))
        assert "a cluster's access entries are created in its own account and region" in refusal(
            lambda: AdminAccess(elsewhere, "Admins", cluster=cluster, admin_role_arns=[ADMIN])
        )

    def test_no_cluster_of_ours(self) -> None:
        given: Any = object()
        assert "cluster: needs an AutoModeCluster or an ImportedCluster, got an object" in refusal(
            lambda: AdminAccess(cdk.Stack(cdk.App(), "S"), "Admins", cluster=given)
        )
