"""PodIdentityRole: one service account of one cluster has the role, and no pod starts before its permissions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_iam as iam
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs import AutoModeCluster, ChartDelivery, ImportedCluster
from automode_constructs.aws.pod_identity import PodIdentityRole
from tests.refusal import refusal
from tests.support import feature_flags, of_type, only, synthesised, text_of
from tests.template_checks import template_findings
from tests.template_order import waits_for

ASSOCIATION = "AWS::EKS::PodIdentityAssociation"
MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
MakeRole = Callable[..., PodIdentityRole]


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    """A cluster, roles in a second stack together with a delivered chart, and a role for an imported cluster."""
    app = cdk.App(context=feature_flags())
    cluster = AutoModeCluster(cdk.Stack(app, "Clusters"), "Cluster", cluster_name="prod")
    workload = cdk.Stack(app, "Workload")
    server = PodIdentityRole(workload, "Server", cluster=cluster, namespace="models", service_account="gpt-oss.20b")
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    cdk8s.ApiObject(chart, "account", api_version="v1", kind="ServiceAccount", metadata={"name": "gpt-oss"})
    ChartDelivery(workload, "Charts", cluster=cluster, chart=chart)
    # After all else: what is added late must be waited for too.
    server.role.add_to_policy(iam.PolicyStatement(actions=["s3:GetObject"], resources=["*"]))

    boundary = iam.ManagedPolicy.from_managed_policy_name(workload, "Boundary", "boundary")
    PodIdentityRole(
        workload,
        "Named",
        cluster=cluster,
        namespace="models",
        service_account="staging",
        description="Fills the bucket",
        permissions_boundary=boundary,
        role_name="stage-weights",
    )
    imported = ImportedCluster(cdk.Stack(app, "Imports"), "Cluster", cluster_name="theirs")
    PodIdentityRole(cdk.Stack(app, "Abroad"), "Server", cluster=imported, namespace="a", service_account="b")
    return synthesised(app)


def role(template: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (
        body["Properties"] for key, body in of_type(template, "AWS::IAM::Role").items() if key.startswith(f"{name}Role")
    )
    assert isinstance(found, dict)
    return found


def conditions(template: dict[str, Any], name: str) -> dict[str, str]:
    (statement,) = role(template, name)["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert list(statement["Condition"]) == ["StringEquals"]
    return {key: text_of(value) for key, value in statement["Condition"]["StringEquals"].items()}


def test_eks_may_hand_the_role_to_one_service_account_of_one_cluster(templates: dict[str, dict[str, Any]]) -> None:
    found = conditions(templates["Workload"], "Server")
    arn = found.pop("aws:RequestTag/eks-cluster-arn")
    assert arn.startswith(
        "arn:{{'Ref': 'AWS::Partition'}}:eks:{{'Ref': 'AWS::Region'}}:{{'Ref': 'AWS::AccountId'}}:cluster/"
        "{{'Fn::ImportValue': 'Clusters:ExportsOutputRefCluster"
    )
    assert found == {
        "aws:SourceAccount": "{{'Ref': 'AWS::AccountId'}}",
        "aws:RequestTag/kubernetes-namespace": "models",
        "aws:RequestTag/kubernetes-service-account": "gpt-oss.20b",
    }


def test_the_association_names_cluster_service_account_and_role(templates: dict[str, dict[str, Any]]) -> None:
    (found,) = (
        body["Properties"]
        for body in of_type(templates["Workload"], ASSOCIATION).values()
        if body["Properties"]["ServiceAccount"] == "gpt-oss.20b"
    )
    assert found["Namespace"] == "models"
    assert found["RoleArn"] == {"Fn::GetAtt": ["ServerRoleB6C85082", "Arn"]}
    assert list(found["ClusterName"]) == ["Fn::ImportValue"]


def test_an_imported_cluster_is_named_as_it_is(templates: dict[str, dict[str, Any]]) -> None:
    abroad = templates["Abroad"]
    assert only(abroad, ASSOCIATION)["Properties"]["ClusterName"] == "theirs"
    assert conditions(abroad, "Server")["aws:RequestTag/eks-cluster-arn"].endswith(":cluster/theirs")


def test_objects_wait_for_the_association_and_it_for_the_policy(templates: dict[str, dict[str, Any]]) -> None:
    workload = templates["Workload"]
    before = waits_for(workload)
    association, policy = "ServerAssociation085DD781", "ServerRoleDefaultPolicy02C1A355"
    assert policy in before[association]
    (delivered,) = of_type(workload, MANIFEST)
    assert {association, policy} <= before[delivered]


def test_description_name_and_boundary_reach_the_role(templates: dict[str, dict[str, Any]]) -> None:
    plain, named = role(templates["Workload"], "Server"), role(templates["Workload"], "Named")
    assert plain["Description"] == "Pods of service account gpt-oss.20b in namespace models of an EKS cluster"
    assert "RoleName" not in plain and "PermissionsBoundary" not in plain
    assert named["Description"] == "Fills the bucket"
    assert named["RoleName"] == "stage-weights"
    assert text_of(named["PermissionsBoundary"]).endswith(":policy/boundary")


def test_logical_ids_stay_as_they_are(templates: dict[str, dict[str, Any]]) -> None:
    assert set(of_type(templates["Workload"], ASSOCIATION)) == {
        "ServerAssociation085DD781",
        "NamedAssociation61EC0142",
    }


@pytest.mark.parametrize("stack", ["Workload", "Abroad"])
def test_the_judges_find_nothing(templates: dict[str, dict[str, Any]], stack: str) -> None:
    assert template_findings(templates[stack]) == []
    found = lint(json.dumps(templates[stack]), config=ManualArgs(regions=["eu-central-1"]))
    # The CDK writes DependsOn next to references that say the same.
    assert [str(match) for match in found if match.rule.id != "W3005"] == []


@pytest.fixture(scope="module")
def make() -> MakeRole:
    app = cdk.App()
    stack = cdk.Stack(app, "Dev")
    cluster = ImportedCluster(stack, "Cluster", cluster_name="prod")
    PodIdentityRole(stack, "First", cluster=cluster, namespace="models", service_account="taken")

    def make_role(**arguments: Any) -> PodIdentityRole:
        wanted = {"cluster": cluster, "namespace": "models", "service_account": "gpt-oss", **arguments}
        return PodIdentityRole(wanted.pop("scope", stack), "Server", **wanted)

    return make_role


@pytest.mark.parametrize("name", ["", "Models", "a.b", "-a", "a-", "a" * 64, "a\n"])
def test_what_is_no_namespace_is_refused(make: MakeRole, name: Any) -> None:
    assert refusal(lambda: make(namespace=name)) == (
        f"Dev/Server: namespace: {name!r} is not the name of a namespace; "
        "use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"
    )


def test_what_is_no_service_account_is_refused(make: MakeRole) -> None:
    assert refusal(lambda: make(service_account="GPT_OSS")) == (
        "Dev/Server: service_account: 'GPT_OSS' is not the name of a service account; "
        "use 1 to 253 lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
    )


def test_a_token_is_no_name(make: MakeRole) -> None:
    assert refusal(lambda: make(service_account=f"gpt-{cdk.Aws.REGION}")) == (
        "Dev/Server: service_account: holds a value known only after deployment; "
        "give the concrete name that the chart uses"
    )


def test_what_iam_would_refuse_is_refused_all_at_once(make: MakeRole) -> None:
    assert refusal(lambda: make(role_name="a role", description="\u2013")) == (
        "Dev/Server: 2 problems\n"
        "  description: '\u2013' cannot be the description of an IAM role; use at most 1000 characters of Latin-1\n"
        "  role_name: 'a role' is not the name of an IAM role; use 1 to 64 letters, digits and characters of '_+=,.@-'"
    )


def test_a_second_role_of_a_service_account_is_refused(make: MakeRole) -> None:
    assert refusal(lambda: make(service_account="taken")) == (
        "Dev/Server: service_account: 'taken' of namespace 'models' already has the role of 'Dev/First'; "
        "grant the permissions to that role; EKS allows one association for each service account"
    )


def test_what_is_no_cluster_is_refused(make: MakeRole) -> None:
    assert refusal(lambda: make(cluster="prod")) == (
        "Dev/Server: cluster: needs an AutoModeCluster or an ImportedCluster, got the text 'prod'; "
        "ImportedCluster is for clusters made elsewhere"
    )


def test_a_stack_of_another_environment_is_refused(make: MakeRole) -> None:
    other = cdk.Stack(cdk.App(), "Other", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    assert refusal(lambda: make(scope=other)) == (
        "Other/Server: cluster: 'Dev/Cluster' is in aws://unknown-account/unknown-region, this stack in "
        "aws://111122223333/eu-west-1; give both stacks the same env: a cluster's associations are created in its own "
        "account and region"
    )


def test_what_is_refused_leaves_nothing_behind(make: MakeRole) -> None:
    refusal(lambda: make(namespace="Models"))
    made = make(role_name=f"gpt-{cdk.Aws.REGION}")
    assert made.role_arn == made.role.role_arn


@pytest.fixture(scope="module")
def chains() -> dict[str, Any]:
    """Roles in other accounts, session policies, and pods without session tags."""
    app = cdk.App(context=feature_flags())
    env = cdk.Environment(account="111122223333", region="eu-central-1")
    cluster = ImportedCluster(cdk.Stack(app, "Import", env=env), "Cluster", cluster_name="prod")
    stack = cdk.Stack(app, "Pods", env=env)
    near = iam.Role(stack, "Near", assumed_by=iam.AccountRootPrincipal())
    chained = PodIdentityRole(
        stack, "Chained", cluster=cluster, namespace="a", service_account="chained", target_role=near
    )
    assert near.assume_role_policy is not None
    near.assume_role_policy.add_statements(*chained.target_trust())
    allowed = iam.PolicyStatement(actions=["s3:GetObject"], resources=["*"])
    limited = PodIdentityRole(
        stack,
        "Limited",
        cluster=cluster,
        namespace="a",
        service_account="limited",
        role_name="limited",
        target_role=f"arn:{cdk.Aws.PARTITION}:iam::444455556666:role/data/Reader",
        session_policy=iam.PolicyDocument(statements=[allowed]),
        session_tags=False,
    )
    trust = iam.PolicyDocument(statements=limited.target_trust())
    cdk.CfnOutput(stack, "Trust", value=stack.to_json_string(trust.to_json()))
    tagged = PodIdentityRole(stack, "Tagged", cluster=cluster, namespace="a", service_account="tagged")
    bucket = f"arn:{cdk.Aws.PARTITION}:s3:::shared/"
    tagged.role.add_to_policy(
        iam.PolicyStatement(
            actions=["s3:GetObject"], resources=[f"{bucket}{tagged.session_tag('kubernetes-namespace')}/*"]
        )
    )
    return synthesised(app)["Pods"]


def association(template: dict[str, Any], account: str) -> dict[str, Any]:
    (found,) = (
        body["Properties"]
        for body in of_type(template, ASSOCIATION).values()
        if body["Properties"]["ServiceAccount"] == account
    )
    assert isinstance(found, dict)
    return found


CLUSTER_ARN = "arn:{{'Ref': 'AWS::Partition'}}:eks:eu-central-1:111122223333:cluster/prod"


def test_the_role_may_take_the_target_and_the_target_admits_these_pods_only(chains: dict[str, Any]) -> None:
    found = association(chains, "chained")
    assert found["TargetRoleArn"] == {"Fn::GetAtt": ["Near0208254E", "Arn"]}
    assert "DisableSessionTags" not in found and "Policy" not in found
    (policy,) = (
        body["Properties"]["PolicyDocument"]["Statement"]
        for key, body in of_type(chains, "AWS::IAM::Policy").items()
        if key.startswith("Chained")
    )
    assert policy == [
        {
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": ["Near0208254E", "Arn"]},
        }
    ]
    trust = chains["Resources"]["Near0208254E"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][-1]
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert {key: text_of(value) for key, value in trust["Condition"]["StringEquals"].items()} == {
        "aws:RequestTag/eks-cluster-arn": CLUSTER_ARN,
        "aws:RequestTag/kubernetes-namespace": "a",
        "aws:RequestTag/kubernetes-service-account": "chained",
    }
    assert trust["Condition"]["ArnEquals"] == {"aws:PrincipalArn": {"Fn::GetAtt": ["ChainedRole1CADDC77", "Arn"]}}


def test_a_session_policy_goes_without_session_tags(chains: dict[str, Any]) -> None:
    found = association(chains, "limited")
    assert json.loads(found["Policy"]) == {
        "Statement": [{"Action": "s3:GetObject", "Effect": "Allow", "Resource": "*"}],
        "Version": "2012-10-17",
    }
    assert found["DisableSessionTags"] is True
    assert text_of(found["TargetRoleArn"]).endswith(":iam::444455556666:role/data/Reader")
    (statement,) = role(chains, "Limited")["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def test_without_session_tags_the_target_compares_the_external_id(chains: dict[str, Any]) -> None:
    first, second = json.loads(text_of(chains["Outputs"]["Trust"]["Value"]).replace("{{'", "<").replace("'}}", ">"))[
        "Statement"
    ]
    assert first["Action"] == "sts:AssumeRole"
    assert first["Condition"]["StringEquals"] == {"sts:ExternalId": "eu-central-1/111122223333/prod/a/limited"}
    assert second["Action"] == "sts:TagSession"
    assert first["Condition"]["ArnEquals"] == second["Condition"]["ArnEquals"]


def test_a_permission_depends_on_a_session_tag(chains: dict[str, Any]) -> None:
    (policy,) = (
        body["Properties"]["PolicyDocument"]["Statement"]
        for key, body in of_type(chains, "AWS::IAM::Policy").items()
        if key.startswith("Tagged")
    )
    assert text_of(policy[0]["Resource"]).endswith(":s3:::shared/${aws:PrincipalTag/kubernetes-namespace}/*")


def test_the_judges_find_nothing_in_chains(chains: dict[str, Any]) -> None:
    assert template_findings(chains) == []
    found = lint(json.dumps(chains), config=ManualArgs(regions=["eu-central-1"]))
    assert [str(match) for match in found if match.rule.id != "W3005"] == []


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (
            "Reader",
            "'Reader' is a name, not an ARN; give the role's whole ARN, 'arn:<partition>:iam::<account>:role/Reader'",
        ),
        (
            "arn:aws:iam::444455556666:user/me",
            "'arn:aws:iam::444455556666:user/me' is the ARN of an IAM user, not of a role; "
            "make a role that the user may assume, and give the role's ARN",
        ),
    ],
)
def test_a_target_that_is_no_role_is_refused(make: MakeRole, target: str, text: str) -> None:
    assert refusal(lambda: make(target_role=target)) == f"Dev/Server: target_role: {text}"


def test_a_target_in_another_partition_is_refused() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "S", env=cdk.Environment(account="111122223333", region="us-gov-west-1"))
    cluster = ImportedCluster(stack, "Cluster", cluster_name="prod")
    target = "arn:aws:iam::444455556666:role/Reader"
    assert "lies in partition 'aws', the cluster in 'aws-us-gov'" in refusal(
        lambda: PodIdentityRole(stack, "R", cluster=cluster, namespace="a", service_account="b", target_role=target)
    )


def test_a_session_policy_that_eks_or_iam_would_refuse_is_refused(make: MakeRole) -> None:
    allowed = iam.PolicyStatement(actions=["s3:GetObject"], resources=["*"])
    fitting = iam.PolicyDocument(statements=[allowed])
    assert refusal(lambda: make(session_policy=fitting)) == (
        "Dev/Server: session_policy: is set beside session tags, and EKS takes one of the two; "
        "write session_tags=False; the role's trust then compares the account only"
    )
    assert refusal(lambda: make(session_policy=iam.PolicyDocument(), session_tags=False)) == (
        "Dev/Server: session_policy: has no statements, and would allow nothing; add them, or leave it out"
    )
    of_a_resource = iam.PolicyStatement(
        actions=["s3:GetObject"], resources=["*"], principals=[iam.AccountRootPrincipal()]
    )
    text = refusal(lambda: make(session_policy=iam.PolicyDocument(statements=[of_a_resource]), session_tags=False))
    assert text.startswith("Dev/Server: session_policy: is no session policy: ")
    long = iam.PolicyDocument(
        statements=[iam.PolicyStatement(actions=["s3:GetObject"], resources=[f"r{n}" * 20 for n in range(60)])]
    )
    assert "characters; STS takes 2048 at most; move permissions to the role's own policies" in refusal(
        lambda: make(session_policy=long, session_tags=False)
    )


def test_a_session_tag_that_no_session_has_is_refused() -> None:
    stack = cdk.Stack(cdk.App(), "S")
    cluster = ImportedCluster(stack, "Cluster", cluster_name="prod")
    untagged = PodIdentityRole(stack, "R", cluster=cluster, namespace="a", service_account="b", session_tags=False)
    assert refusal(lambda: untagged.session_tag("kubernetes-namespace")) == (
        "S/R: tag: 'kubernetes-namespace' is on no session, because of session_tags=False, and a policy would never "
        "match it; leave out session_tags"
    )
    tag: Any = "namespace"
    assert "tag: 'namespace' is not known; did you mean 'kubernetes-namespace'?" in refusal(
        lambda: untagged.session_tag(tag)
    )
