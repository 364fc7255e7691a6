from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from aws_cdk import App, Aws, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from automode_constructs.arguments import Refusals
from automode_constructs.aws.roles import (
    BuiltInNodeRole,
    ClusterRole,
    NodeRole,
    RoleNames,
    check_role_arn,
    check_role_names,
)
from automode_constructs.errors import AutoModeError

ROLE = "arn:aws:iam::123456789012:role/Admin"
SSO_ROLE = (
    "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef"
)


def managed(name: str) -> dict[str, Any]:
    return {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":iam::aws:policy/{name}"]]}


@dataclass
class Scene:
    """A cluster in one stack, with roles beside it, and a node role of its own in a second stack."""

    clusters: dict[str, Any]
    pools: dict[str, Any]
    names: dict[str, Any]

    def role(self, construct: str) -> dict[str, Any]:
        """The properties of the one role below a construct of the first stack."""
        return only(self.clusters, "AWS::IAM::Role", construct)


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def only(resources: dict[str, Any], kind: str, prefix: str) -> dict[str, Any]:
    (found,) = (properties for name, properties in of_type(resources, kind).items() if name.startswith(prefix))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def scene() -> Scene:
    app = App()
    clusters = Stack(app, "Clusters")
    pools = Stack(app, "Pools")
    boundary = iam.ManagedPolicy.from_managed_policy_name(clusters, "Boundary", "boundary")
    ssm = iam.ManagedPolicy.from_aws_managed_policy_name("AmazonSSMManagedInstanceCore")
    plain = ClusterRole(clusters, "Plain")
    ClusterRole(clusters, "Tagging", custom_tags=True, permissions_boundary=boundary)
    built_in = BuiltInNodeRole(clusters, "BuiltIn")
    BuiltInNodeRole(clusters, "BoundedBuiltIn", permissions_boundary=boundary)
    isolated = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    cluster = eks.Cluster(
        clusters,
        "Cluster",
        version=eks.KubernetesVersion.V1_36,
        role=plain.immutable,
        compute=eks.ComputeConfig(node_pools=["system"], node_role=built_in.role),
        vpc=ec2.Vpc(
            clusters,
            "Vpc",
            max_azs=2,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Nodes", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            ],
        ),
        vpc_subnets=[isolated],
        endpoint_access=eks.EndpointAccess.PRIVATE,
    )
    NodeRole(
        clusters,
        "Beside",
        cluster=cluster,
        instance_profile=True,
        permissions_boundary=boundary,
        managed_policies=[ssm],
    )
    elsewhere = NodeRole(pools, "Elsewhere", cluster=cluster)
    names = Stack(app, "Names")
    ClusterRole(
        names,
        "Cluster",
        role_name="eks-cluster",
        path="/platform/eks/",
        block_storage_policy="AmazonEKSBlockStoragePolicy",
    )
    NodeRole(names, "Node", cluster=cluster, role_name="eks-node")
    BuiltInNodeRole(names, "BuiltIn", role_name="eks-built-in")
    assert elsewhere.instance_profile_name is None
    return Scene(
        clusters=Template.from_stack(clusters).to_json()["Resources"],
        pools=Template.from_stack(pools).to_json()["Resources"],
        names=Template.from_stack(names).to_json()["Resources"],
    )


def test_the_cluster_role_is_trusted_in_one_statement_with_session_tags(scene: Scene) -> None:
    assert scene.role("Plain")["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    ]


@pytest.mark.parametrize("construct", ["Plain", "Tagging"])
def test_the_cluster_role_has_the_five_policies_and_block_storage_v2_even_beside_the_l2(
    scene: Scene, construct: str
) -> None:
    assert scene.role(construct)["ManagedPolicyArns"] == [
        managed("AmazonEKSClusterPolicy"),
        managed("AmazonEKSComputePolicy"),
        managed("AmazonEKSBlockStoragePolicyV2"),
        managed("AmazonEKSLoadBalancingPolicy"),
        managed("AmazonEKSNetworkingPolicy"),
    ]


@pytest.mark.parametrize(
    ("region", "policy"),
    [
        ("eu-central-1", "AmazonEKSBlockStoragePolicyV2"),
        (None, "AmazonEKSBlockStoragePolicyV2"),
        ("us-gov-west-1", "AmazonEKSBlockStoragePolicy"),
    ],
)
def test_the_policy_for_volumes_is_the_newest_that_is_known_in_the_partition(region: str | None, policy: str) -> None:
    stack = Stack(App(), "S", env=Environment(region=region))
    ClusterRole(stack, "Role")
    role = only(Template.from_stack(stack).to_json()["Resources"], "AWS::IAM::Role", "Role")
    assert [arn for arn in role["ManagedPolicyArns"] if "BlockStorage" in str(arn)] == [managed(policy)]


def test_the_policy_for_volumes_can_be_chosen(scene: Scene) -> None:
    arns = only(scene.names, "AWS::IAM::Role", "Cluster")["ManagedPolicyArns"]
    assert managed("AmazonEKSBlockStoragePolicy") in arns
    assert managed("AmazonEKSBlockStoragePolicyV2") not in arns


def test_roles_have_the_names_that_policies_name_beforehand(scene: Scene) -> None:
    # EKS finds a node role by its bare name (aws/containers-roadmap#2486).
    assert [(role["RoleName"], role.get("Path")) for role in of_type(scene.names, "AWS::IAM::Role").values()] == [
        ("eks-cluster", "/platform/eks/"),
        ("eks-node", None),
        ("eks-built-in", None),
    ]


def test_without_names_cloudformation_generates_them(scene: Scene) -> None:
    for role in (scene.role("Plain"), scene.role("BuiltInRole")):
        assert not {"RoleName", "Path"} & set(role)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (
            {"role_name": "eks/cluster"},
            "role_name: 'eks/cluster' is not the name of an IAM role; use 1 to 64 letters, digits and characters of "
            "'_+=,.@-', and no path before it",
        ),
        (
            {"role_name": "a" * 65},
            f"role_name: '{'a' * 65}' is not the name of an IAM role; use 1 to 64 letters, digits and characters of "
            "'_+=,.@-'",
        ),
        (
            {"path": "platform"},
            "path: 'platform' is not the path of an IAM role; begin and end it with '/', such as '/platform/', in at "
            "most 512 visible ASCII characters",
        ),
    ],
)
def test_what_iam_takes_for_no_name_is_refused(arguments: dict[str, Any], fault: str) -> None:
    with pytest.raises(AutoModeError) as refused:
        ClusterRole(Stack(App(), "S"), "Role", **arguments)
    assert str(refused.value) == f"S/Role: {fault}"


@pytest.mark.parametrize("path", ["/", "/a/", "/a/b-c_d.e/", f"/{'a' * 510}/", Aws.STACK_NAME])
def test_what_iam_takes_for_a_path_passes(path: str) -> None:
    ClusterRole(Stack(App(), "S"), "Role", path=path, role_name="a" * 64)


@pytest.mark.parametrize("path", ["", "//", "/a//b/", "/a b/", f"/{'a' * 511}/", "/ä/"])
def test_what_iam_takes_for_no_path_is_refused(path: str) -> None:
    with pytest.raises(AutoModeError, match="is not the path of an IAM role"):
        ClusterRole(Stack(App(), "S"), "Role", path=path)


def test_two_roles_of_one_name_are_refused_whatever_its_case() -> None:
    refusals = Refusals("S/Cluster")
    check_role_names(refusals, RoleNames(cluster="EKS", node="eks", built_in_node=Aws.STACK_NAME))
    with pytest.raises(AutoModeError) as refused:
        refusals.raise_all()
    assert str(refused.value) == (
        "S/Cluster: role_names: 'eks' is the name of 2 roles; give each a name of its own; case does not count"
    )


def test_the_cluster_uses_the_role(scene: Scene) -> None:
    role = only(scene.clusters, "AWS::EKS::Cluster", "Cluster")["RoleArn"]["Fn::GetAtt"]
    assert role[0].startswith("PlainRole")


def test_without_custom_tags_the_cluster_role_has_no_inline_policy(scene: Scene) -> None:
    assert "Policies" not in scene.role("Plain")


def test_with_custom_tags_the_cluster_role_carries_the_statements_itself(scene: Scene) -> None:
    cluster_tag = {"aws:RequestTag/eks:eks-cluster-name": "${aws:PrincipalTag/eks:eks-cluster-name}"}

    def resource(arn: str) -> dict[str, Any]:
        return {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, arn]]}

    (policy,) = scene.role("Tagging")["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Sid": "Compute",
            "Effect": "Allow",
            "Action": ["ec2:CreateFleet", "ec2:RunInstances", "ec2:CreateLaunchTemplate"],
            "Resource": "*",
            "Condition": {
                "StringEquals": cluster_tag,
                "StringLike": {
                    "aws:RequestTag/eks:kubernetes-node-class-name": "*",
                    "aws:RequestTag/eks:kubernetes-node-pool-name": "*",
                },
            },
        },
        {
            "Sid": "Storage",
            "Effect": "Allow",
            "Action": ["ec2:CreateVolume", "ec2:CreateSnapshot"],
            "Resource": [resource(":ec2:*:*:volume/*"), resource(":ec2:*:*:snapshot/*")],
            "Condition": {"StringEquals": cluster_tag},
        },
        {
            "Sid": "Networking",
            "Effect": "Allow",
            "Action": "ec2:CreateNetworkInterface",
            "Resource": "*",
            "Condition": {
                "StringEquals": cluster_tag,
                "StringLike": {"aws:RequestTag/eks:kubernetes-cni-node-name": "*"},
            },
        },
        {
            "Sid": "LoadBalancer",
            "Effect": "Allow",
            "Action": [
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:CreateTargetGroup",
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:CreateRule",
                "ec2:CreateSecurityGroup",
            ],
            "Resource": "*",
            "Condition": {"StringEquals": cluster_tag},
        },
        {
            "Sid": "ShieldProtection",
            "Effect": "Allow",
            "Action": "shield:CreateProtection",
            "Resource": "*",
            "Condition": {"StringEquals": cluster_tag},
        },
        {
            "Sid": "ShieldTagResource",
            "Effect": "Allow",
            "Action": "shield:TagResource",
            "Resource": resource(":shield::*:protection/*"),
            "Condition": {"StringEquals": cluster_tag},
        },
    ]


def test_no_policy_stands_apart_from_its_role(scene: Scene) -> None:
    assert not of_type(scene.clusters, "AWS::IAM::Policy")
    assert not of_type(scene.pools, "AWS::IAM::Policy")


@pytest.mark.parametrize("construct", ["Tagging", "Beside", "BoundedBuiltIn"])
def test_a_permissions_boundary_reaches_the_role(scene: Scene, construct: str) -> None:
    arn = scene.role(construct)["PermissionsBoundary"]["Fn::Join"][1]
    assert arn[-1] == ":policy/boundary"


@pytest.mark.parametrize("construct", ["Plain", "BuiltIn"])
def test_roles_have_no_permissions_boundary_unless_asked(scene: Scene, construct: str) -> None:
    assert "PermissionsBoundary" not in scene.role(construct)


def test_both_kinds_of_node_role_have_the_minimal_policies_and_trust_ec2(scene: Scene) -> None:
    for role in (scene.role("BuiltIn"), only(scene.pools, "AWS::IAM::Role", "Elsewhere")):
        assert role["ManagedPolicyArns"] == [
            managed("AmazonEKSWorkerNodeMinimalPolicy"),
            managed("AmazonEC2ContainerRegistryPullOnly"),
        ]
        assert role["AssumeRolePolicyDocument"]["Statement"] == [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]
        assert "Path" not in role
        assert "RoleName" not in role


def test_further_managed_policies_come_after_the_minimal_ones(scene: Scene) -> None:
    assert scene.role("Beside")["ManagedPolicyArns"] == [
        managed("AmazonEKSWorkerNodeMinimalPolicy"),
        managed("AmazonEC2ContainerRegistryPullOnly"),
        managed("AmazonSSMManagedInstanceCore"),
    ]


def test_a_node_role_has_an_ec2_access_entry_whose_policy_names_the_partition(scene: Scene) -> None:
    entry = only(scene.clusters, "AWS::EKS::AccessEntry", "Beside")
    assert entry["Type"] == "EC2"
    assert entry["PrincipalArn"]["Fn::GetAtt"][0].startswith("BesideRole")
    assert entry["AccessPolicies"] == [
        {
            "AccessScope": {"Type": "cluster"},
            "PolicyArn": {
                "Fn::Join": [
                    "",
                    ["arn:", {"Ref": "AWS::Partition"}, ":eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy"],
                ]
            },
        }
    ]


def test_a_node_role_of_another_stack_has_its_entry_there(scene: Scene) -> None:
    entry = only(scene.pools, "AWS::EKS::AccessEntry", "Elsewhere")
    assert entry["PrincipalArn"]["Fn::GetAtt"][0].startswith("ElsewhereRole")
    assert "Fn::ImportValue" in entry["ClusterName"]


def test_the_built_in_node_role_has_no_entry_of_ours(scene: Scene) -> None:
    assert [name[:6] for name in of_type(scene.clusters, "AWS::EKS::AccessEntry")] == ["Beside"]


def test_an_instance_profile_is_made_only_when_asked(scene: Scene) -> None:
    profile = only(scene.clusters, "AWS::IAM::InstanceProfile", "Beside")
    assert profile["Roles"][0]["Ref"].startswith("BesideRole")
    assert not of_type(scene.pools, "AWS::IAM::InstanceProfile")


def test_a_node_role_works_with_an_imported_cluster() -> None:
    stack = Stack(App(), "Imported")
    cluster = eks.Cluster.from_cluster_attributes(stack, "Cluster", cluster_name="theirs")
    nodes = NodeRole(stack, "Nodes", cluster=cluster, instance_profile=True)
    entry = nodes.access_entry.node.default_child
    assert isinstance(entry, eks.CfnAccessEntry)
    assert entry.cluster_name == "theirs"
    profile = nodes.node.find_child("InstanceProfile").node.default_child
    assert isinstance(profile, iam.CfnInstanceProfile)
    assert stack.resolve(nodes.instance_profile_name) == {"Ref": stack.get_logical_id(profile)}
    assert stack.resolve(nodes.role_name) == stack.resolve(nodes.role.role_name)


def test_logical_ids_stay_as_they_are(scene: Scene) -> None:
    assert list(of_type(scene.clusters, "AWS::IAM::Role")) == [
        "PlainRoleFC6BA1D0",
        "TaggingRoleB8344BA5",
        "BuiltInRole40EA9338",
        "BoundedBuiltInRole93822D91",
        "BesideRole40E121B6",
    ]
    assert list(of_type(scene.clusters, "AWS::EKS::AccessEntry")) == ["BesideAccessEntry1C7B11E4"]
    assert list(of_type(scene.clusters, "AWS::IAM::InstanceProfile")) == ["BesideInstanceProfileFE02590A"]


@pytest.mark.parametrize("arn", [ROLE, SSO_ROLE, "arn:aws-us-gov:iam::000000000001:role/a/b/c"])
def test_a_role_arn_passes(arn: str) -> None:
    check_role_arn("Stack/Cluster", "admin_role_arn", arn)


def test_tokens_pass_untouched() -> None:
    check_role_arn("Stack/Cluster", "admin_role_arn", f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/Admin")
    check_role_arn("Stack/Cluster", "admin_role_arn", ROLE, partition=Aws.PARTITION)


def refusal(arn: Any, partition: str | None = None) -> str:
    with pytest.raises(AutoModeError) as caught:
        check_role_arn("Stack/Cluster", "admin_role_arn", arn, partition=partition)
    return str(caught.value)


def test_a_session_arn_is_answered_with_the_arn_of_its_role() -> None:
    assert refusal("arn:aws:sts::123456789012:assumed-role/Admin/me") == (
        "Stack/Cluster: admin_role_arn: 'arn:aws:sts::123456789012:assumed-role/Admin/me' is the ARN of a session, "
        "not of the role behind it; give the role's own ARN, 'arn:aws:iam::123456789012:role/Admin', with the role's "
        "path where it has one; 'aws iam get-role --role-name Admin' prints it"
    )


def test_a_user_arn_is_refused() -> None:
    assert refusal("arn:aws:iam::123456789012:user/me") == (
        "Stack/Cluster: admin_role_arn: 'arn:aws:iam::123456789012:user/me' is the ARN of an IAM user, not of a role; "
        "make a role that the user may assume, and give the role's ARN"
    )


def test_the_arn_of_another_kind_is_refused() -> None:
    assert refusal("arn:aws:iam::123456789012:instance-profile/nodes") == (
        "Stack/Cluster: admin_role_arn: 'arn:aws:iam::123456789012:instance-profile/nodes' is the ARN of an IAM "
        "instance-profile, not of a role; give an ARN of the form 'arn:<partition>:iam::<account>:role/<name>'"
    )


def test_what_no_person_can_assume_is_refused_with_what_to_do() -> None:
    root, federated = "arn:aws:iam::123456789012:root", "arn:aws:sts::123456789012:federated-user/me"
    linked = "arn:aws:iam::123456789012:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"
    assert refusal(root) == (
        f"Stack/Cluster: admin_role_arn: '{root}' is the ARN of an account's root user, not of a role; "
        "make a role that the account's people may assume, and give the role's ARN"
    )
    assert refusal(federated) == (
        f"Stack/Cluster: admin_role_arn: '{federated}' is the ARN of a federated session, behind which there is no "
        "role; make a role that these people may assume, and give the role's ARN"
    )
    assert refusal(linked) == (
        f"Stack/Cluster: admin_role_arn: '{linked}' is a service-linked role, which only its service can assume; "
        "give a role whose trust policy admits people"
    )


@pytest.mark.parametrize(
    ("arn", "fault"),
    [
        (
            "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/me@example.com",
            "is the ARN of a session, not of the role behind it",
        ),
        (
            "arn:aws:iam::123456789012:role/AWSReservedSSO_Admin_0123456789abcdef",
            "lacks the path that roles of IAM Identity Center have",
        ),
    ],
)
def test_a_role_of_identity_center_is_shown_with_its_path(arn: str, fault: str) -> None:
    name = "AWSReservedSSO_Admin_0123456789abcdef"
    assert refusal(arn) == (
        f"Stack/Cluster: admin_role_arn: '{arn}' {fault}; give the role's own ARN, "
        f"'arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/<region of IAM Identity Center>/{name}', "
        f"without the region where that is us-east-1; 'aws iam get-role --role-name {name}' prints it"
    )
    check_role_arn("S", "f", f"arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/eu-west-2/{name}")


@pytest.mark.parametrize(
    "arn", ["arn:aws:s3:::bucket", "arn:azure:iam::123456789012:role/Admin", " " + ROLE, ROLE + "\n", "", "role/Admin"]
)
def test_other_text_is_refused(arn: str) -> None:
    assert refusal(arn) == (
        f"Stack/Cluster: admin_role_arn: {arn!r} is not the ARN of an IAM role; "
        "give an ARN of the form 'arn:<partition>:iam::<account>:role/<name>'"
    )


def test_a_bare_role_name_is_answered_with_the_form_of_its_arn() -> None:
    assert refusal("Admin", partition="aws-us-gov") == (
        "Stack/Cluster: admin_role_arn: 'Admin' is a name, not an ARN; "
        "give the role's whole ARN, 'arn:aws-us-gov:iam::<account>:role/Admin'"
    )


def test_a_wrong_account_is_refused() -> None:
    assert refusal("arn:aws:iam::12345678901:role/Admin") == (
        "Stack/Cluster: admin_role_arn: 'arn:aws:iam::12345678901:role/Admin' names the account '12345678901'; "
        "give the account's 12 digits, zeros included"
    )


@pytest.mark.parametrize("path", ["", "admin/", "/Admin", "a" * 65, "Ad min"])
def test_a_wrong_role_name_is_refused(path: str) -> None:
    arn = f"arn:aws:iam::123456789012:role/{path}"
    assert refusal(arn) == (
        f"Stack/Cluster: admin_role_arn: '{arn}' does not end in a role's name; end it in the name, "
        "1 to 64 letters, digits and characters of '_+=,.@-', after the path if it has one"
    )


def test_a_role_of_another_partition_is_refused_when_the_partition_is_known() -> None:
    assert refusal(ROLE, partition="aws-us-gov") == (
        f"Stack/Cluster: admin_role_arn: '{ROLE}' lies in partition 'aws', the cluster in 'aws-us-gov'; "
        "give a role of the cluster's own partition, 'arn:aws-us-gov:iam::<account>:role/<name>'"
    )


def test_all_that_is_wrong_with_an_arn_is_told_at_once() -> None:
    text = refusal("arn:aws:iam::1234:role/", partition="aws-us-gov")
    assert text.startswith("Stack/Cluster: 3 problems")
    assert "does not end in a role's name" in text
    assert "names the account '1234'" in text
    assert "lies in partition 'aws'" in text


def test_a_construct_in_place_of_its_arn_is_refused() -> None:
    assert refusal(iam.Role.from_role_arn(Stack(App(), "S"), "Role", ROLE)) == (
        "Stack/Cluster: admin_role_arn: is not text but InterfaceDynamicProxy; "
        "give the role's ARN, 'role.role_arn' of a construct"
    )
