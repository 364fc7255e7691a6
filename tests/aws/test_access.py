"""Access: each role has one entry with what its grants say, and what EKS refuses is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs import (
    Access,
    AccessGrant,
    AutoModeCluster,
    ChartDelivery,
    ImportedCluster,
    KubernetesGroup,
)
from automode_constructs.aws.access import AdminAccess
from automode_constructs.patterns import Guardrails, GuardrailsStack
from automode_constructs.testing import findings
from tests.refusal import refusal
from tests.support import feature_flags, of_type, synthesised, text_of
from tests.template_checks import template_findings

ENTRY = "AWS::EKS::AccessEntry"
EDIT, VIEW, CLUSTER_ADMIN = "AmazonEKSEditPolicy", "AmazonEKSViewPolicy", "AmazonEKSClusterAdminPolicy"
REGIONS = ("eu-central-1", "us-gov-west-1")


def arn(name: str) -> str:
    return f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/{name}"


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    """A cluster and its access in two regions, grants in another order, and an imported cluster."""
    app = cdk.App(context=feature_flags())
    for region in REGIONS:
        env = cdk.Environment(account="111122223333", region=region)
        stack = cdk.Stack(app, f"Cluster-{region}", env=env)
        cluster = AutoModeCluster(stack, "Cluster", cluster_name="dev", built_in_pools=[])
        home = cdk.Stack(app, f"Access-{region}", env=env)
        role = iam.Role(home, "OnCall", assumed_by=iam.AccountRootPrincipal())
        grants = [
            AccessGrant(role=arn("teams/Dev"), policy=EDIT, namespaces=["team-a", "team-a-*"]),
            AccessGrant(role=arn("teams/Dev"), policy=VIEW, kubernetes_groups=["team-a"]),
            AccessGrant(role=role, policy=CLUSTER_ADMIN, break_glass=True),
            AccessGrant(role=arn("Ops"), kubernetes_groups=["ops", "team-a"], break_glass=True),
        ]
        Access(home, "Access", cluster=cluster, grants=grants, alarm_topic=sns.Topic(home, "Topic"))
    imported = ImportedCluster(cdk.Stack(app, "Import"), "Cluster", cluster_name="theirs")
    there = cdk.Stack(app, "There")
    Access(there, "Access", cluster=imported, grants=[AccessGrant(role=arn("Ops"), kubernetes_groups=["ops"])])
    Access(there, "Later", cluster=imported, grants=[AccessGrant(role=arn("teams/Dev"), policy=VIEW)])
    return synthesised(app)


def entries(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entries by the last part of their principal."""
    return {
        text_of(body["Properties"]["PrincipalArn"]).rpartition("/")[2]: body["Properties"]
        for body in of_type(template, ENTRY).values()
    }


@pytest.mark.parametrize("region", REGIONS)
def test_the_grants_of_a_role_are_one_entry(templates: dict[str, dict[str, Any]], region: str) -> None:
    dev = entries(templates[f"Access-{region}"])["Dev"]
    assert dev["KubernetesGroups"] == ["team-a"]
    assert [text_of(policy["PolicyArn"]) for policy in dev["AccessPolicies"]] == [
        f"arn:{{{{'Ref': 'AWS::Partition'}}}}:eks::aws:cluster-access-policy/{name}" for name in (EDIT, VIEW)
    ]
    assert [policy["AccessScope"] for policy in dev["AccessPolicies"]] == [
        {"Type": "namespace", "Namespaces": ["team-a", "team-a-*"]},
        {"Type": "cluster"},
    ]
    assert "Type" not in dev and "Username" not in dev


def test_groups_alone_are_an_entry_without_policies(templates: dict[str, dict[str, Any]]) -> None:
    found = entries(templates["Access-eu-central-1"])["Ops"]
    assert found["KubernetesGroups"] == ["ops", "team-a"]
    assert "AccessPolicies" not in found


def test_a_role_of_the_app_is_referred_to_so_that_the_entry_waits_for_it(templates: dict[str, dict[str, Any]]) -> None:
    found = [body["Properties"]["PrincipalArn"] for body in of_type(templates["Access-eu-central-1"], ENTRY).values()]
    assert {"Fn::GetAtt": ["OnCall0B2745F4", "Arn"]} in found


def test_ids_depend_on_the_role_alone(templates: dict[str, dict[str, Any]]) -> None:
    """The principal of an entry cannot change, so neither order nor neighbours may change an id."""
    one = {text_of(body["Properties"]["PrincipalArn"]): key for key, body in of_type(templates["There"], ENTRY).items()}
    assert sorted(one.values()) == ["AccessEntry8e311664B132EC46", "LaterEntry26b13a3b5C570AEF"]


def test_the_clusters_stack_has_none_of_them(templates: dict[str, dict[str, Any]]) -> None:
    assert not {"Dev", "Ops"} & set(entries(templates["Cluster-eu-central-1"]))


def test_the_alarm_is_removable_the_clusters_stack_exports_nothing_for_it(
    templates: dict[str, dict[str, Any]],
) -> None:
    filters = of_type(templates["Access-eu-central-1"], "AWS::Logs::MetricFilter").values()
    assert len(filters) == 2
    for body in filters:
        assert text_of(body["Properties"]["LogGroupName"]).startswith("/aws/eks/{{'Fn::ImportValue': ")
    assert [text_of(body["Properties"]["FilterPattern"]) for body in filters] == [
        "{ $.user.username = \"arn:{{'Ref': 'AWS::Partition'}}:sts::111122223333:assumed-role/"
        "{{'Ref': 'OnCall0B2745F4'}}/*\" }",
        "{ $.user.username = \"arn:{{'Ref': 'AWS::Partition'}}:sts::111122223333:assumed-role/Ops/*\" }",
    ]


@pytest.mark.parametrize("region", REGIONS)
def test_the_judges_find_nothing(templates: dict[str, dict[str, Any]], region: str) -> None:
    template = templates[f"Access-{region}"]
    assert template_findings(template) == []
    assert [str(match) for match in lint(json.dumps(template), config=ManualArgs(regions=[region]))] == []


@pytest.fixture(scope="module")
def make() -> Callable[..., Access]:
    app = cdk.App()
    env = cdk.Environment(account="111122223333", region="eu-central-1")
    cluster = AutoModeCluster(cdk.Stack(app, "Dev", env=env), "Cluster", cluster_name="dev", admin_role_arns=[arn("A")])
    home = cdk.Stack(app, "Home", env=env)
    AdminAccess(home, "Admins", cluster=cluster, admin_role_arns=[arn("B")])
    Access(home, "First", cluster=cluster, grants=[AccessGrant(role=arn("C"), policy=VIEW)])
    topic = sns.Topic(home, "Topic")

    def make_access(*grants: AccessGrant, **arguments: Any) -> Access:
        if arguments.pop("topic", False):
            arguments["alarm_topic"] = topic
        wanted = {"cluster": cluster, "grants": grants, **arguments}
        return Access(arguments.pop("scope", home), "Access", **wanted)

    return make_access


def words(make: Callable[..., Access], **fields: Any) -> str:
    """What is said of one grant, from its field on."""
    grant = AccessGrant(**{"role": arn("Dev"), **fields})
    text = refusal(lambda: make(grant))
    assert text.startswith("Home/Access: grants[0]")
    return text.removeprefix("Home/Access: grants[0]")


ONLY = "arn:aws:iam::111122223333"


@pytest.mark.parametrize(
    ("role", "text"),
    [
        (
            "arn:aws:sts::111122223333:assumed-role/Dev/me",
            "is the ARN of a session, not of the role behind it; give the role's own ARN, "
            f"'{ONLY}:role/Dev', with the role's path where it has one; 'aws iam get-role --role-name Dev' prints it",
        ),
        (
            f"{ONLY}:role/AWSReservedSSO_Admin_0123456789abcdef",
            "lacks the path that roles of IAM Identity Center have; give the role's own ARN, "
            f"'{ONLY}:role/aws-reserved/sso.amazonaws.com/<region of IAM Identity Center>/"
            "AWSReservedSSO_Admin_0123456789abcdef', without the region where that is us-east-1; "
            "'aws iam get-role --role-name AWSReservedSSO_Admin_0123456789abcdef' prints it",
        ),
        (
            f"{ONLY}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
            "is a service-linked role, which only its service can assume; give a role whose trust policy admits people",
        ),
        (
            f"{ONLY}:user/me",
            "is the ARN of an IAM user, not of a role; make a role that the user may assume, and give the role's ARN",
        ),
        (
            "arn:aws-us-gov:iam::111122223333:role/Dev",
            "lies in partition 'aws-us-gov', the cluster in 'aws'; give a role of the cluster's own partition, "
            "'arn:aws:iam::<account>:role/<name>'",
        ),
    ],
)
def test_what_is_no_role_of_people_is_refused(make: Callable[..., Access], role: str, text: str) -> None:
    assert words(make, role=role, policy=VIEW) == f".role: '{role}' {text}"


def test_the_whole_arn_of_a_permission_sets_role_is_taken_with_and_without_a_region() -> None:
    stack = cdk.Stack(cdk.App(), "S")
    cluster = ImportedCluster(stack, "Cluster", cluster_name="dev")
    roles = [
        f"{ONLY}:role/aws-reserved/sso.amazonaws.com/{region}AWSReservedSSO_X_0123456789abcdef"
        for region in ("", "eu-west-1/")
    ]
    made = Access(stack, "Access", cluster=cluster, grants=[AccessGrant(role=role, policy=VIEW) for role in roles])
    assert list(made.entries) == roles


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("view", "'view' is not the name of an access policy; write 'AmazonEKSViewPolicy'"),
        ("cluster-admin", "'cluster-admin' is not the name of an access policy; write 'AmazonEKSClusterAdminPolicy'"),
        (
            "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
            "'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy' is an ARN, not a name; "
            "write 'AmazonEKSViewPolicy'",
        ),
        (
            "AmazonEKSComputePolicy",
            "'AmazonEKSComputePolicy' is not for people: EKS itself gives it to the cluster's role or to its "
            "service-linked role; leave it out; for a service's role of yours that needs it, write "
            "cluster.cluster.grant_access(...)",
        ),
        (
            "AmazonEKSAutoNodePolicy",
            "'AmazonEKSAutoNodePolicy' is not for people: it is for the roles of nodes, and NodeRole associates it; "
            "leave it out; for a service's role of yours that needs it, write cluster.cluster.grant_access(...)",
        ),
        (
            "AmazonEKSVewPolicy",
            "'AmazonEKSVewPolicy' is not the name of an access policy; did you mean 'AmazonEKSViewPolicy'? Use one of "
            "'AmazonEKSClusterAdminPolicy', 'AmazonEKSAdminPolicy', 'AmazonEKSEditPolicy', 'AmazonEKSViewPolicy', "
            "'AmazonEKSAdminViewPolicy', 'AmazonEKSSecretReaderPolicy', 'AmazonEKSSecretAdminPolicy'",
        ),
    ],
)
def test_what_is_no_policy_for_people_is_refused(make: Callable[..., Access], policy: str, text: str) -> None:
    assert words(make, policy=policy) == f".policy: {text}"


@pytest.mark.parametrize(
    ("group", "text"),
    [
        (
            "system:masters",
            "'system:masters' is not a group for people: EKS refuses groups that begin 'system:'; "
            "associate AmazonEKSClusterAdminPolicy",
        ),
        (
            "system:nodes",
            "'system:nodes' is not a group for people: EKS refuses groups that begin 'system:'; "
            "name a group of your own, and bind it with KubernetesGroup",
        ),
        (
            "eks:managed",
            "'eks:managed' is not a group for people: groups that begin 'eks:' belong to EKS itself; "
            "name a group of your own, and bind it with KubernetesGroup",
        ),
        (
            "automode-kubectl",
            "'automode-kubectl' is the group of the CDK's kubectl, which passes every guard rail; "
            "name a group of your own; Guardrails(trusted_groups=[...]) trusts its members",
        ),
        ("my group", "'my group' is not the name of a group; use a name without blanks"),
        ("", "'' is not the name of a group; use a name without blanks"),
        (
            f"team-{cdk.Aws.REGION}",
            "holds a value known only after deployment; give the concrete name that the bindings use",
        ),
    ],
)
def test_groups_that_people_cannot_have_are_refused(make: Callable[..., Access], group: str, text: str) -> None:
    assert words(make, kubernetes_groups=[group]) == f".kubernetes_groups[0]: {text}"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, ": grants nothing; name a policy, kubernetes_groups, or both"),
        (
            {"policy": VIEW, "namespaces": []},
            ".namespaces: is empty; name namespaces, or leave it out for the whole cluster",
        ),
        ({"policy": VIEW, "namespaces": ["a", "a"]}, ".namespaces: names one twice; name each once"),
        (
            {"policy": VIEW, "namespaces": ["Team_A"]},
            ".namespaces[0]: 'Team_A' cannot be the name of this object; use at most 63 lower-case letters, digits and "
            "'-', beginning and ending with a letter or digit",
        ),
        (
            {"kubernetes_groups": ["ops"], "namespaces": ["a"]},
            ".namespaces: are set without policy; leave them out; the bindings of a group say where its rights hold",
        ),
        (
            {"policy": VIEW, "namespaces": ["*"]},
            ".namespaces[0]: '*' stands for every namespace; leave namespaces out for the whole cluster, or begin with "
            "letters ('team-*')",
        ),
        (
            {"policy": VIEW, "namespaces": ["Team-*"]},
            ".namespaces[0]: 'Team-*' cannot be the name of a namespace; use at most 63 lower-case letters, digits and "
            "'-', beginning and ending with a letter or digit",
        ),
        ({"kubernetes_groups": ["ops", "ops"]}, ".kubernetes_groups: names one twice; name each once"),
    ],
)
def test_what_does_not_fit_together_is_refused(make: Callable[..., Access], fields: dict[str, Any], text: str) -> None:
    assert words(make, **fields) == text


def test_a_policy_twice_for_a_role_is_refused_however_the_role_is_written(make: Callable[..., Access]) -> None:
    grants = [
        AccessGrant(role=role, policy=EDIT, namespaces=[space])
        for role, space in ((arn("Dev"), "a"), (f"{ONLY}:role/Dev", "b"))
    ]
    assert refusal(partial(make, *grants)) == (
        "Home/Access: grants[1].policy: 'AmazonEKSEditPolicy' is granted to this role by grants[0] already; "
        "name all namespaces in one grant; EKS takes a policy once for each role"
    )


@pytest.mark.parametrize(("name", "home"), [("A", "Dev/Cluster"), ("B", "Home/Admins"), ("C", "Home/First")])
def test_a_role_with_an_entry_elsewhere_is_refused(make: Callable[..., Access], name: str, home: str) -> None:
    role = f"{ONLY}:role/{name}"
    assert words(make, role=role, policy=VIEW) == (
        f".role: '{role}' has an access entry of '{home}' already; "
        "name it in one place; EKS takes one access entry for a role"
    )


def test_the_role_of_the_nodes_is_refused() -> None:
    app = cdk.App()
    cluster = AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="dev")
    grant = AccessGrant(role=cluster.node_role.role, policy=VIEW)
    assert refusal(lambda: Access(cdk.Stack(app, "Home"), "Access", cluster=cluster, grants=[grant])) == (
        "Home/Access: grants[0].role: is the role of the nodes of 'Dev/Cluster', which has an access entry already; "
        "give a role that people assume"
    )


def test_break_glass_needs_somebody_who_hears(make: Callable[..., Access]) -> None:
    grant = AccessGrant(role=arn("Dev"), policy=VIEW, break_glass=True)
    assert refusal(lambda: make(grant)) == (
        "Home/Access: alarm_topic: is missing, and there are break-glass roles, whose use nobody would hear of; "
        "pass an sns.Topic that people have subscribed to"
    )
    assert refusal(lambda: make(AccessGrant(role=arn("Dev"), policy=VIEW), topic=True)) == (
        "Home/Access: alarm_topic: is for break-glass roles, and there are none; "
        "write AccessGrant(break_glass=True, ...)"
    )
    late = AccessGrant(role=cdk.Fn.import_value("Role"), policy=VIEW, break_glass=True)
    assert refusal(lambda: make(late, topic=True)) == (
        "Home/Access: grants[0].role: is a value known only after deployment, and the alarm needs its name; "
        "pass an iam.IRole"
    )


def test_access_on_the_cluster_is_refused_with_the_place_where_it_belongs() -> None:
    stack, wrong = cdk.Stack(cdk.App(), "S"), {"access": [(arn("Dev"), "view", ["team-a"])]}
    assert refusal(lambda: AutoModeCluster(stack, "Cluster", **wrong)) == (  # type: ignore[arg-type]
        "S/Cluster: access: is not a known argument; grant it apart from the cluster's stack, where a mistake rolls "
        "back alone: AccessStack(app, 'Access', cluster=..., grants=[AccessGrant(role=..., "
        "policy='AmazonEKSViewPolicy', namespaces=['team-a'])])"
    )


def test_a_tuple_is_no_grant(make: Callable[..., Access]) -> None:
    wrong: Any = (arn("Dev"), "view", ["team-a"])
    assert refusal(lambda: make(wrong)) == "Home/Access: grants[0]: needs an AccessGrant, got a list of 3"


@pytest.mark.parametrize("arguments", [{}, {"cluster_name": "dev", "log_types": ["api"]}])
def test_without_an_audit_log_of_the_app_there_is_only_the_rule(arguments: dict[str, Any]) -> None:
    app = cdk.App()
    cluster = AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", **arguments)
    home = cdk.Stack(app, "Home")
    grant = AccessGrant(role=arn("Dev"), policy=VIEW, break_glass=True)
    made = Access(home, "Access", cluster=cluster, grants=[grant], alarm_topic=sns.Topic(home, "Topic"))
    assert made.alarm is not None
    assert made.alarm.rule is not None and made.alarm.alarm is None


def test_everything_wrong_is_told_at_once(make: Callable[..., Access]) -> None:
    text = refusal(lambda: make(AccessGrant(role="Dev", policy="edit", kubernetes_groups=["system:masters"])))
    assert text.splitlines()[0] == "Home/Access: 3 problems"


def test_groups_that_no_chart_names_are_warned_of_where_all_charts_are_known() -> None:
    app = cdk.App(context=feature_flags())
    cluster = AutoModeCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="dev", built_in_pools=[])
    home = cdk.Stack(app, "Home")
    groups = ["bound", "guarded", "lost"]
    Access(home, "Access", cluster=cluster, grants=[AccessGrant(role=arn("A"), kubernetes_groups=groups)])
    AdminAccess(home, "Admins", cluster=cluster, admin_role_arns=[arn("B")], kubernetes_groups=["bound"])
    chart = cdk8s.Chart(cdk8s.App(), "rights")
    KubernetesGroup(chart, "bound", view=["nodes"])
    ChartDelivery(home, "Rights", cluster=cluster, chart=chart)
    rules = Guardrails(image_registries=["public.ecr.aws"], node_pool_groups=["guarded"])
    GuardrailsStack(app, "Rails", cluster=cluster, guardrails=rules)
    theirs = ImportedCluster(cdk.Stack(app, "Import"), "Cluster", cluster_name="theirs")
    Access(home, "Theirs", cluster=theirs, grants=[AccessGrant(role=arn("A"), kubernetes_groups=["lost"])])
    (found,) = (one for one in findings(app) if one.rule == "automode:UnboundGroup")
    assert (found.where, found.message) == (
        "Home/Access",
        "kubernetes_groups: no chart of the app binds 'lost', so that its members have no rights by it; "
        "bind it with KubernetesGroup(chart, 'lost', ...), or acknowledge this if others do",
    )


def test_without_grants_there_is_nothing() -> None:
    stack = cdk.Stack(cdk.App(), "S")
    cluster = ImportedCluster(stack, "Cluster", cluster_name="dev")
    made = Access(stack, "Access", cluster=cluster, grants=[])
    assert made.entries == {} and made.alarm is None and not made.node.children


def test_administrators_may_be_in_groups() -> None:
    app = cdk.App(context=feature_flags())
    cluster = ImportedCluster(cdk.Stack(app, "Import"), "Cluster", cluster_name="dev")
    stack = cdk.Stack(app, "Admins")
    AdminAccess(
        stack, "Admins", cluster=cluster, admin_role_arns=[arn("A"), arn("B")], kubernetes_groups=["platform-team"]
    )
    found = of_type(synthesised(app)["Admins"], ENTRY).values()
    assert [body["Properties"]["KubernetesGroups"] for body in found] == [["platform-team"]] * 2
    late = partial(AdminAccess, stack, "Late", cluster=cluster, admin_role_arns=[arn("C")])
    assert refusal(partial(late, kubernetes_groups=["system:masters"])) == (
        "Admins/Late: kubernetes_groups[0]: 'system:masters' is not a group for people: EKS refuses groups that begin "
        "'system:'; associate AmazonEKSClusterAdminPolicy"
    )
    assert refusal(lambda: AdminAccess(stack, "Late", cluster=cluster, kubernetes_groups=["x"])) == (
        "Admins/Late: kubernetes_groups: are set without admin_role_arns; name the roles, or leave them out"
    )
