"""The page of who may do what: what EKS and Kubernetes would answer, held against the rules themselves."""

from __future__ import annotations

import re
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns

from automode_constructs import (
    Access,
    AccessGrant,
    AutoModeCluster,
    ChartDelivery,
    ImportedCluster,
    KubernetesGroup,
    PolicyRule,
    access_page,
)
from automode_constructs.aws.access_page import AREAS
from tests.support import feature_flags

RBAC = "rbac.authorization.k8s.io"


def arn(name: str) -> str:
    return f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/{name}"


@pytest.fixture(scope="module")
def page() -> str:
    app = cdk.App(context=feature_flags())
    cluster = AutoModeCluster(
        cdk.Stack(app, "Dev"), "Cluster", cluster_name="dev", creator_admin=True, admin_role_arns=[arn("Admin")]
    )
    home = cdk.Stack(app, "Access")
    on_call = iam.Role(home, "OnCall", assumed_by=iam.AccountRootPrincipal())
    Access(
        home,
        "Access",
        cluster=cluster,
        alarm_topic=sns.Topic(home, "Topic"),
        grants=[
            AccessGrant(role=arn("Dev"), policy="AmazonEKSEditPolicy", namespaces=["team-*"]),
            AccessGrant(role=arn("Dev"), policy="AmazonEKSViewPolicy", kubernetes_groups=["pools", "unbound"]),
            AccessGrant(role=arn("Auditor"), policy="AmazonEKSAdminViewPolicy"),
            AccessGrant(role=on_call, policy="AmazonEKSClusterAdminPolicy", break_glass=True),
        ],
    )
    custom = eks.AccessPolicy.from_access_policy_name("Strange", access_scope_type=eks.AccessScopeType.CLUSTER)
    cluster.cluster.grant_access("Ours", arn("Own"), [custom])
    other = ImportedCluster(cdk.Stack(app, "Other"), "Cluster", cluster_name="other")
    Access(home, "Elsewhere", cluster=other, grants=[AccessGrant(role=arn("Stranger"), policy="AmazonEKSViewPolicy")])

    delivered = cdk8s.Chart(cdk8s.App(), "rights")
    KubernetesGroup(delivered, "pools", edit=["node-pools"], view=["nodes"])
    ChartDelivery(home, "Rights", cluster=cluster, chart=delivered)
    gitops = cdk8s.Chart(cdk8s.App(), "gitops")
    every = PolicyRule(api_groups=["*"], resources=["*"], verbs=["get"])
    some = PolicyRule(api_groups=[""], resources=["secrets"], verbs=["*"], resource_names=["one"])
    KubernetesGroup(gitops, "readers", rules=[every, some], namespaces=["shop"])
    for name, role, subject in (("basic", "view", "system:authenticated"), ("lost", "gone", "pools")):
        item = cdk8s.ApiObject(
            gitops, name, api_version=f"{RBAC}/v1", kind="ClusterRoleBinding", metadata={"name": name}
        )
        reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
        item.add_json_patch(
            cdk8s.JsonPatch.add("/roleRef", reference),
            cdk8s.JsonPatch.add("/subjects", [{"apiGroup": RBAC, "kind": "Group", "name": subject}]),
        )
    return access_page(cluster, charts=[gitops])


def rows(page: str) -> dict[tuple[str, str], dict[str, str]]:
    """The matrix by role and scope."""
    lines = [line for line in page.splitlines() if line.startswith("|")]
    start = next(number for number, line in enumerate(lines) if line.startswith("| Role | Where |"))
    head, *body = (
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[start:] if "---" not in line
    )
    table = [dict(zip(head, line, strict=True)) for line in body]
    assert all(set(AREAS) < set(row) for row in table)
    return {(row["Role"], row["Where"]): row for row in table}


def row(page: str, role: str, where: str) -> dict[str, str]:
    (found,) = (cells for (name, scope), cells in rows(page).items() if role in name and scope == where)
    return found


def test_an_editor_reads_secrets_but_knows_no_custom_kind(page: str) -> None:
    found = row(page, "role/Dev", "`team-*`")
    assert found["Workloads"] == found["Secrets"] == found["Shells in pods"] == "write"
    assert found["Service accounts"] == "write, impersonate"
    assert [area for area in AREAS if not found[area]] == [
        *("Roles", "Nodes", "NodePools", "NodeClasses", "Gateways", "Argo CD", "Anything else")
    ]


def test_policies_and_groups_of_one_scope_are_one_row(page: str) -> None:
    found = row(page, "role/Dev", "whole cluster")
    assert (found["Workloads"], found["Secrets"], found["NodePools"]) == ("read, ?", "?", "write, ?")
    assert found["By"] == "AmazonEKSViewPolicy, ClusterRole pools, ClusterRole gone"


def test_a_reader_of_everything_reads_secrets_and_custom_kinds_too(page: str) -> None:
    found = row(page, "role/Auditor", "whole cluster")
    assert {found[area] for area in AREAS} == {"read"}


def test_break_glass_creator_and_kubectl_are_named(page: str) -> None:
    assert row(page, "role `Access/OnCall` (break-glass)", "whole cluster")["Secrets"] == "all"
    assert row(page, "whoever creates the cluster", "whole cluster")["Secrets"] == "all"
    assert row(page, "(the CDK's kubectl)", "whole cluster")["NodePools"] == "all"
    assert row(page, "role/Admin", "whole cluster")["By"] == "AmazonEKSClusterAdminPolicy"


def test_wildcards_of_rules_count_and_names_limit_them(page: str) -> None:
    found = row(page, "group `readers`", "`shop`")
    assert found["Secrets"] == "all (some)"
    assert found["Anything else"] == found["Gateways"] == "read"
    assert found["NodePools"] == "", "a Role gives no right to kinds without a namespace"


def test_groups_of_everybody_are_explained(page: str) -> None:
    found = row(page, "group `system:authenticated` (everybody who has an entry, and every pod)", "whole cluster")
    assert (found["Workloads"], found["Secrets"]) == ("read", "")


def test_what_is_not_known_is_a_question_mark(page: str) -> None:
    found = row(page, "role/Own", "whole cluster")
    assert {found[area] for area in AREAS} == {"?"}


def test_a_group_that_nothing_binds_is_named_and_other_clusters_are_not_there(page: str) -> None:
    assert "\nNo known chart binds `unbound`: such groups give no rights" in page
    assert "Stranger" not in page and "Node" not in "".join(re.findall(r"^\| role.*", page, re.MULTILINE)).split("|")[1]
    assert page.startswith("# Who may do what in Dev/Cluster\n")


def test_without_a_group_there_is_no_such_sentence() -> None:
    cluster = ImportedCluster(cdk.Stack(cdk.App(), "S"), "Cluster", cluster_name="dev")
    text = access_page(cluster)
    assert "No known chart" not in text
    assert len(rows(text)) == 1  # the CDK's kubectl


def test_wrong_arguments_are_refused() -> None:
    from tests.refusal import refusal

    wrong: Any = "dev"
    assert refusal(lambda: access_page(wrong)).startswith(
        "access_page: cluster: needs an AutoModeCluster or an ImportedCluster, got the text 'dev'"
    )
