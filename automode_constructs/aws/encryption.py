"""KMS keys for secrets, volumes and logs, each with only the key policy that Auto Mode needs.

The statements go into the key's own policy. A grant through the role would become a separate policy resource, and the
cluster does not wait for that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Annotations, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from automode_constructs.arguments import Refusals
from automode_constructs.facts.regions import partition_of
from automode_constructs.tokens import is_token

__all__ = [
    "allow_log_encryption",
    "allow_secrets_encryption",
    "allow_volume_encryption",
    "check_key",
    "customer_key",
    "log_key",
    "secrets_key",
    "volume_key",
    "warn_of_imported_key",
]

_FOR_AWS_ONLY = {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def secrets_key(scope: Construct, id: str, *, cluster_role: iam.IRole, removal_policy: RemovalPolicy) -> kms.Key:
    """A key that encrypts the cluster's Kubernetes secrets.

    Creates one symmetric KMS key, rotated every year, that the cluster role may use. A cluster cannot change its
    secrets key: another key means another cluster.

    Args:
        scope: where the key is made.
        id: the construct's id.
        cluster_role: the role of the cluster.
        removal_policy: what happens to the key when it leaves the stack; without the key the cluster is lost.

    Source: EKS User Guide, "Encrypt Kubernetes secrets with KMS on existing clusters".
    """
    return customer_key(
        scope, id, "Kubernetes secrets of an EKS cluster", removal_policy, _secrets_statements(cluster_role.role_arn)
    )


def volume_key(scope: Construct, id: str, *, cluster_role: iam.IRole, removal_policy: RemovalPolicy) -> kms.Key:
    """A key that encrypts the volumes of nodes and pods.

    Creates one symmetric KMS key, rotated every year, that the cluster role may use and may grant to EC2 and EBS. The
    account's service-linked roles may do the same, through EC2 only: EC2 may launch Spot instances by such a role.

    Args:
        scope: where the key is made.
        id: the construct's id.
        cluster_role: the role of the cluster.
        removal_policy: what happens to the key when it leaves the stack; without the key the volumes are lost.

    Source: EKS User Guide, "Enable EBS Volume Encryption with Customer Managed KMS Keys for EKS Auto Mode"; EC2 User
    Guide, "Service-linked role for Spot Instance requests".
    """
    place = _Place.of(scope)
    return customer_key(
        scope, id, "EBS volumes of an EKS cluster", removal_policy, _volume_statements(place, cluster_role.role_arn)
    )


def log_key(scope: Construct, id: str, *, removal_policy: RemovalPolicy) -> kms.Key:
    """A key that encrypts log groups.

    Creates one symmetric KMS key, rotated every year, that CloudWatch Logs may use for the log groups of the key's
    account and region, and for nothing else. It names no single group, because a group refers to its key. Like every
    key it costs about 1 USD a month, and the same again after each of its first two rotations.

    Args:
        scope: where the key is created; the log groups are in the same account and region.
        id: the construct's id.
        removal_policy: what happens to the key when it leaves the stack; without the key the logs are lost.

    Source: CloudWatch Logs User Guide, "Encrypt log data in CloudWatch Logs using AWS KMS".
    """
    return customer_key(scope, id, "log groups of an EKS cluster", removal_policy, _log_statements(_Place.of(scope)))


def allow_secrets_encryption(scope: Construct, key: kms.IKey, cluster_role: iam.IRole) -> None:
    """Lets the cluster role use a key that you bring for Kubernetes secrets.

    A ``kms.Key`` of the same stack gets the statements in its policy. Any other key (imported, an alias, of another
    stack) is left alone, and a warning ``automode:KeyPolicyNotOurs`` says what its policy must hold.

    Args:
        scope: the construct that uses the key; it carries the warning.
        key: the key.
        cluster_role: the role of the cluster.
    """
    _allow(
        scope,
        key,
        "Kubernetes secrets",
        lambda _, role_arn: _secrets_statements(role_arn),
        cluster_role=cluster_role,
        besides="whoever creates the cluster (CloudFormation's execution role) needs kms:DescribeKey and "
        "kms:CreateGrant, the latter without the condition kms:GrantIsForAWSResource",
    )


def allow_volume_encryption(scope: Construct, key: kms.IKey, cluster_role: iam.IRole) -> None:
    """Lets the cluster role use a key that you bring for volumes of nodes and pods.

    A ``kms.Key`` of the same stack gets the statements in its policy. Any other key (imported, an alias, of another
    stack) is left alone, and a warning ``automode:KeyPolicyNotOurs`` says what its policy must hold.

    Args:
        scope: the construct that uses the key; it carries the warning.
        key: the key.
        cluster_role: the role of the cluster.
    """
    _allow(scope, key, "EBS volumes", _volume_statements, cluster_role=cluster_role)


def allow_log_encryption(scope: Construct, key: kms.IKey) -> None:
    """Lets CloudWatch Logs use a key that you bring for log groups.

    A ``kms.Key`` of the same stack gets the statement in its policy. Any other key (imported, an alias, of another
    stack) is left alone, and a warning ``automode:KeyPolicyNotOurs`` says what its policy must hold.

    Args:
        scope: the construct that uses the key; it carries the warning.
        key: the key.
    """
    _allow(scope, key, "log groups", lambda place, _: _log_statements(place))


def warn_of_imported_key(scope: Construct, key: kms.IKey, actions: Sequence[str]) -> None:
    """Says what the policy of an imported key must hold so that IAM policies of its account can allow its use.

    Args:
        scope: the construct that uses the key; it carries the warning ``automode:KeyPolicyNotOurs``.
        key: the key.
        actions: what IAM policies allow.
    """
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:<partition>:iam::<account>:root"},
        "Action": list(actions),
        "Resource": "*",
    }
    Annotations.of(scope).add_warning_v2(
        "automode:KeyPolicyNotOurs",
        f"the key {_readable(key.key_arn, key.node.path)} is imported, so this stack cannot change its policy; to let "
        "the account's IAM policies decide, it must contain "
        f"{json.dumps(statement, separators=(',', ':'))}",
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Partition, account and region of a key, as they stand in its policy."""

    partition: str
    account: str
    region: str

    @classmethod
    def of(cls, scope: Construct) -> _Place:
        stack = Stack.of(scope)
        return cls(stack.partition, stack.account, stack.region)

    def readable(self) -> _Place:
        """The same for a message."""
        partition = "<partition>" if is_token(self.region) else partition_of(self.region).name
        return _Place(
            _readable(self.partition, partition),
            _readable(self.account, "<account>"),
            _readable(self.region, "<region>"),
        )


def check_key(refusals: Refusals, field: str, arn: str, region: str) -> None:
    """Refuses a KMS key of another region: neither EKS nor EBS can use it. Tokens are accepted, part by part."""
    parts = arn.split(":")
    if len(parts) < 6 or parts[2] != "kms" or is_token(parts[3]) or is_token(region) or parts[3] == region:
        return
    cure = (
        f"replicate the multi-Region key to '{region}' and give the replica's ARN"
        if parts[5].startswith("key/mrk-")
        else f"give a key of '{region}'"
    )
    refusals.refuse(field, f"'{arn}' lies in '{parts[3]}', the cluster in '{region}'", cure)


def _secrets_statements(role_arn: str) -> list[iam.PolicyStatement]:
    return [_statement(role_arn, "kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey")]


def _volume_statements(place: _Place, role_arn: str) -> list[iam.PolicyStatement]:
    # They refer to the role and never to the cluster: the cluster may refer to this key, which would be circular.
    use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    grant = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]
    # EKS's page asks for the cluster role alone; EC2's pages and reports say that AWSServiceRoleForEC2Spot needs a
    # customer key too (?). It cannot be a principal: one that does not exist yet makes the policy invalid.
    through_ec2 = {
        "StringEquals": {"kms:CallerAccount": place.account, "kms:ViaService": f"ec2.{place.region}.amazonaws.com"},
        "ArnLike": {"aws:PrincipalArn": f"arn:{place.partition}:iam::{place.account}:role/aws-service-role/*"},
    }
    return [
        _statement(role_arn, *use),
        _statement(role_arn, *grant, conditions=_FOR_AWS_ONLY),
        _statement(None, *use, conditions=through_ec2),
        _statement(None, *grant, conditions={**through_ec2, **_FOR_AWS_ONLY}),
    ]


def _log_statements(place: _Place) -> list[iam.PolicyStatement]:
    groups = f"arn:{place.partition}:logs:{place.region}:{place.account}:log-group:*"
    return [
        iam.PolicyStatement(
            # This is the log service's principal name in one region; it is the same in the GovCloud partition.
            principals=[iam.ServicePrincipal(f"logs.{place.region}.amazonaws.com")],
            actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
    ]


def _statement(
    role_arn: str | None, *actions: str, conditions: Mapping[str, object] | None = None
) -> iam.PolicyStatement:
    principal = iam.AnyPrincipal() if role_arn is None else iam.ArnPrincipal(role_arn)
    return iam.PolicyStatement(
        principals=[principal], actions=list(actions), resources=["*"], conditions=dict(conditions or {})
    )


def customer_key(
    scope: Construct,
    id: str,
    what: str,
    removal_policy: RemovalPolicy,
    statements: Sequence[iam.PolicyStatement] = (),
) -> kms.Key:
    """A symmetric KMS key of yours, rotated every year.

    Args:
        scope: where the key is created.
        id: the construct's id.
        what: what it encrypts, for its description.
        removal_policy: what happens to the key when it leaves the stack; what it encrypts is lost with it.
        statements: statements of the key's own policy. Default: none, so that IAM policies of the account decide.
    """
    key = kms.Key(
        scope, id, description=f"Encrypts the {what}", enable_key_rotation=True, removal_policy=removal_policy
    )
    for statement in statements:
        key.add_to_resource_policy(statement)
    return key


def _allow(
    scope: Construct,
    key: kms.IKey,
    what: str,
    statements: Callable[[_Place, str], Sequence[iam.PolicyStatement]],
    *,
    cluster_role: iam.IRole | None = None,
    besides: str = "",
) -> None:
    role_arn = "" if cluster_role is None else cluster_role.role_arn
    place = _Place.of(scope)
    # Imported keys and aliases are not kms.Key objects in Python, whichever stack they were imported into.
    if isinstance(key, kms.Key) and Stack.of(key).node.addr == Stack.of(scope).node.addr:
        for statement in statements(place, role_arn):
            key.add_to_resource_policy(statement)
        return
    statements_json = Stack.of(scope).resolve(
        [
            statement.to_statement_json()
            for statement in statements(place.readable(), _readable(role_arn, "<ARN of the cluster role>"))
        ]
    )
    Annotations.of(scope).add_warning_v2(
        "automode:KeyPolicyNotOurs",
        f"the key {_readable(key.key_arn, key.node.path)} is imported, an alias or of another stack, so this stack "
        f"cannot change its policy; for {what} it must contain {json.dumps(statements_json, separators=(',', ':'))}"
        f"{'; ' if besides else ''}{besides}",
    )


def _readable(value: str, stand_in: str) -> str:
    return stand_in if is_token(value) else value
