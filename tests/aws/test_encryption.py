from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest
from aws_cdk import App, CfnOutput, Environment, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Annotations, Match, Template
from constructs import Construct

from automode_constructs.aws.encryption import (
    allow_log_encryption,
    allow_secrets_encryption,
    allow_volume_encryption,
    log_key,
    secrets_key,
    volume_key,
)
from automode_constructs.aws.roles import ClusterRole
from tests.support import text_of

IMPORTED_ARN = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
SECRETS_ACTIONS = ["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"]
USE_ACTIONS = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
GRANT_ACTIONS = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
FOR_AWS_ONLY = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
LOG_ACTIONS = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]


@dataclass
class Scene:
    """Keys of ours and of the user in the cluster's stack, and a key of a second stack."""

    cluster: Stack
    resources: dict[str, Any]
    resources_elsewhere: dict[str, Any]

    def key(self, name: str) -> dict[str, Any]:
        (found,) = (
            resource
            for logical_id, resource in self.resources.items()
            if resource["Type"] == "AWS::KMS::Key" and logical_id.startswith(name)
        )
        assert isinstance(found, dict)
        return found

    def statements(self, name: str) -> list[dict[str, Any]]:
        """The statements of a key but the first, which is the account's own."""
        ours: list[dict[str, Any]]
        account, *ours = self.key(name)["Properties"]["KeyPolicy"]["Statement"]
        assert account["Action"] == "kms:*"
        return ours

    def warnings(self, path: str) -> list[str]:
        found = Annotations.from_stack(self.cluster).find_warning(path, Match.any_value())
        return [str(warning.entry.data) for warning in found]


@pytest.fixture(scope="module")
def scene() -> Scene:
    app = App()
    elsewhere = Stack(app, "Elsewhere")
    cluster = Stack(app, "Cluster")
    role = ClusterRole(cluster, "ClusterRole").immutable
    secrets_key(cluster, "Secrets", cluster_role=role, removal_policy=RemovalPolicy.RETAIN)
    volume_key(cluster, "Volumes", cluster_role=role, removal_policy=RemovalPolicy.DESTROY)
    log_key(cluster, "Logs", removal_policy=RemovalPolicy.DESTROY)

    users_key = kms.Key(cluster, "UsersKey")
    allow_volume_encryption(Construct(cluster, "UsersVolumes"), users_key, role)
    allow_secrets_encryption(Construct(cluster, "UsersSecrets"), users_key, role)
    users_log_key = kms.Key(cluster, "UsersLogKey")
    allow_log_encryption(Construct(cluster, "UsersLogs"), users_log_key)
    foreign_key = kms.Key(elsewhere, "ForeignKey")
    # The cluster's stack uses the key, so a statement that named the role would close a circle.
    CfnOutput(cluster, "UseOfForeignKey", value=foreign_key.key_arn)
    allow_volume_encryption(Construct(cluster, "ForeignVolumes"), foreign_key, role)
    imported_key = kms.Key.from_key_arn(cluster, "ImportedKey", IMPORTED_ARN)
    allow_secrets_encryption(Construct(cluster, "ImportedSecrets"), imported_key, role)
    allow_log_encryption(Construct(cluster, "ImportedLogs"), imported_key)
    alias = kms.Alias.from_alias_name(cluster, "Alias", "alias/volumes")
    allow_volume_encryption(Construct(cluster, "AliasVolumes"), alias, role)
    return Scene(
        cluster=cluster,
        resources=Template.from_stack(cluster).to_json()["Resources"],
        resources_elsewhere=Template.from_stack(elsewhere).to_json()["Resources"],
    )


def allowed(actions: list[str], **more: Any) -> dict[str, Any]:
    """A statement for the cluster role, named by its ARN."""
    role = {"Fn::GetAtt": ["ClusterRole45B425A1", "Arn"]}
    return {"Effect": "Allow", "Principal": {"AWS": role}, "Action": actions, "Resource": "*", **more}


def joined(*parts: Any) -> dict[str, Any]:
    return {"Fn::Join": ["", list(parts)]}


PARTITION, REGION, ACCOUNT = ({"Ref": f"AWS::{name}"} for name in ("Partition", "Region", "AccountId"))
THROUGH_EC2 = {
    "StringEquals": {
        "kms:CallerAccount": ACCOUNT,
        "kms:ViaService": joined("ec2.", REGION, ".amazonaws.com"),
    },
    "ArnLike": {"aws:PrincipalArn": joined("arn:", PARTITION, ":iam::", ACCOUNT, ":role/aws-service-role/*")},
}
SPOT_READABLE = {
    "StringEquals": {"kms:CallerAccount": "<account>", "kms:ViaService": "ec2.<region>.amazonaws.com"},
    "ArnLike": {"aws:PrincipalArn": "arn:<partition>:iam::<account>:role/aws-service-role/*"},
}


def of_volumes() -> list[dict[str, Any]]:
    """The statements of a key of volumes: for the cluster role, and for the account's service-linked roles."""
    return [
        allowed(USE_ACTIONS),
        allowed(GRANT_ACTIONS, Condition=FOR_AWS_ONLY),
        allowed(USE_ACTIONS, Principal={"AWS": "*"}, Condition=THROUGH_EC2),
        allowed(GRANT_ACTIONS, Principal={"AWS": "*"}, Condition={**THROUGH_EC2, **FOR_AWS_ONLY}),
    ]


def of_others(what: str) -> list[dict[str, Any]]:
    """The statements that a warning asks for."""

    def wanted(
        actions: list[str], principal: dict[str, str], condition: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        more = {} if condition is None else {"Condition": condition}
        return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*", **more}

    role, anybody = {"AWS": "<ARN of the cluster role>"}, {"AWS": "*"}
    groups = {"kms:EncryptionContext:aws:logs:arn": "arn:<partition>:logs:<region>:<account>:log-group:*"}
    statements = {
        "secrets": [wanted(SECRETS_ACTIONS, role)],
        "volumes": [
            wanted(USE_ACTIONS, role),
            wanted(GRANT_ACTIONS, role, FOR_AWS_ONLY),
            wanted(USE_ACTIONS, anybody, SPOT_READABLE),
            wanted(GRANT_ACTIONS, anybody, {**SPOT_READABLE, **FOR_AWS_ONLY}),
        ],
        "logs": [wanted(LOG_ACTIONS, {"Service": "logs.<region>.amazonaws.com"}, {"ArnLike": groups})],
    }
    return statements[what]


def test_the_secrets_key_admits_the_cluster_role_and_nobody_else(scene: Scene) -> None:
    assert scene.statements("Secrets") == [allowed(SECRETS_ACTIONS)]


def test_the_volume_key_admits_the_cluster_role_and_service_linked_roles_through_ec2(scene: Scene) -> None:
    assert scene.statements("Volumes") == of_volumes()


@pytest.mark.parametrize(
    ("principal", "account", "via", "admitted"),
    [
        ("role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot", "111122223333", "ec2", True),
        # Whoever may use EC2 in the account, other services, and other accounts.
        ("role/Developer", "111122223333", "ec2", False),
        ("role/my-aws-service-role/Developer", "111122223333", "ec2", False),
        ("role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot", "111122223333", "rds", False),
        ("role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot", "444455556666", "ec2", False),
    ],
)
def test_whom_the_statement_for_spot_nodes_admits(principal: str, account: str, via: str, admitted: bool) -> None:
    stack = Stack(App(), "Cluster", env=Environment(region="eu-west-1", account="111122223333"))
    volume_key(stack, "Volumes", cluster_role=ClusterRole(stack, "Role").immutable, removal_policy=RemovalPolicy.RETAIN)
    (key,) = Template.from_stack(stack).find_resources("AWS::KMS::Key").values()
    condition = key["Properties"]["KeyPolicy"]["Statement"][3]["Condition"]
    (pattern,) = condition["ArnLike"].values()
    readable = text_of(pattern).replace("{{'Ref': 'AWS::Partition'}}", "aws")
    arn = f"arn:aws:iam::{account}:{principal}"
    asked = {"kms:CallerAccount": account, "kms:ViaService": f"{via}.eu-west-1.amazonaws.com"}
    assert (condition["StringEquals"] == asked and fnmatchcase(arn, readable)) is admitted


def test_the_log_key_admits_the_log_service_of_the_region_for_log_groups_alone(scene: Scene) -> None:
    assert scene.statements("Logs") == scene.statements("UsersLogKey")
    assert scene.warnings("/Cluster/UsersLogs") == []
    assert scene.statements("Logs") == [
        {
            "Effect": "Allow",
            "Principal": {"Service": {"Fn::Join": ["", ["logs.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]}},
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            "Resource": "*",
            "Condition": {
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": {
                        "Fn::Join": [
                            "",
                            [
                                "arn:",
                                {"Ref": "AWS::Partition"},
                                ":logs:",
                                {"Ref": "AWS::Region"},
                                ":",
                                {"Ref": "AWS::AccountId"},
                                ":log-group:*",
                            ],
                        ]
                    }
                }
            },
        }
    ]


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("Secrets", "Encrypts the Kubernetes secrets of an EKS cluster"),
        ("Volumes", "Encrypts the EBS volumes of an EKS cluster"),
        ("Logs", "Encrypts the log groups of an EKS cluster"),
    ],
)
def test_each_key_rotates_and_says_what_it_encrypts(scene: Scene, name: str, purpose: str) -> None:
    properties = scene.key(name)["Properties"]
    assert properties["Description"] == purpose
    assert properties["EnableKeyRotation"] is True
    # Absent means symmetric, the only kind that EKS and EBS take.
    assert "KeySpec" not in properties


@pytest.mark.parametrize(("name", "policy"), [("Secrets", "Retain"), ("Volumes", "Delete"), ("Logs", "Delete")])
def test_the_removal_policy_reaches_the_key(scene: Scene, name: str, policy: str) -> None:
    assert scene.key(name)["DeletionPolicy"] == policy


def test_logical_ids_of_keys_stay_as_they_are(scene: Scene) -> None:
    keys = [name for name, resource in scene.resources.items() if resource["Type"] == "AWS::KMS::Key"]
    assert keys[:4] == ["SecretsA3BCC2E9", "Volumes957B024C", "Logs6819BB44", "UsersKey8AE11CEA"]


def test_no_statement_goes_through_a_policy_of_the_role(scene: Scene) -> None:
    assert not [name for name, resource in scene.resources.items() if resource["Type"] == "AWS::IAM::Policy"]
    assert "Policies" not in scene.resources["ClusterRole45B425A1"]["Properties"]


def test_a_users_key_of_the_same_stack_gets_the_statements_and_no_warning(scene: Scene) -> None:
    assert scene.statements("UsersKey") == [*of_volumes(), allowed(SECRETS_ACTIONS)]
    assert scene.warnings("/Cluster/UsersVolumes") == []
    assert scene.warnings("/Cluster/UsersSecrets") == []


def test_a_key_of_another_stack_gets_no_statement(scene: Scene) -> None:
    (key,) = (resource for resource in scene.resources_elsewhere.values() if resource["Type"] == "AWS::KMS::Key")
    (account,) = key["Properties"]["KeyPolicy"]["Statement"]
    assert account["Action"] == "kms:*"
    assert [stack.stack_name for stack in scene.cluster.dependencies] == ["Elsewhere"]


@pytest.mark.parametrize(
    ("user", "key", "purpose", "statements", "besides"),
    [
        ("ForeignVolumes", "Elsewhere/ForeignKey", "EBS volumes", of_others("volumes"), ""),
        (
            "ImportedSecrets",
            IMPORTED_ARN,
            "Kubernetes secrets",
            of_others("secrets"),
            "; whoever creates the cluster (CloudFormation's execution role) needs kms:DescribeKey and "
            "kms:CreateGrant, the latter without the condition kms:GrantIsForAWSResource",
        ),
        ("AliasVolumes", "Cluster/Alias", "EBS volumes", of_others("volumes"), ""),
        ("ImportedLogs", IMPORTED_ARN, "log groups", of_others("logs"), ""),
    ],
)
def test_a_key_that_is_not_ours_gives_a_warning_with_the_statements(
    scene: Scene, user: str, key: str, purpose: str, statements: list[dict[str, Any]], besides: str
) -> None:
    (warning,) = scene.warnings(f"/Cluster/{user}")
    assert "Token" not in warning
    beginning = (
        f"the key {key} is imported, an alias or of another stack, so this stack cannot change its policy; "
        f"for {purpose} it must contain "
    )
    end = f"{besides} [ack: automode:KeyPolicyNotOurs]"
    assert warning.startswith(beginning)
    assert warning.endswith(end)
    assert json.loads(warning[len(beginning) : -len(end)]) == statements


def test_the_warning_prints_a_known_role_arn() -> None:
    stack = Stack(App(), "Cluster")
    role = iam.Role.from_role_arn(stack, "Role", "arn:aws:iam::123456789012:role/cluster")
    allow_secrets_encryption(stack, kms.Key.from_key_arn(stack, "Key", IMPORTED_ARN), role)
    Annotations.from_stack(stack).has_warning(
        "/Cluster", Match.string_like_regexp('"Principal":{"AWS":"arn:aws:iam::123456789012:role/cluster"}')
    )
