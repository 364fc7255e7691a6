"""KMS keys for secrets, volumes and logs, each with only the key policy that Auto Mode needs.

The statements go into the key's own policy. A grant through the role would become a separate policy resource, and the
cluster does not wait for that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from aws_cdk import Annotations, ArnFormat, Aws, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from automode_constructs.tokens import is_token

__all__ = ["allow_secrets_encryption", "allow_volume_encryption", "log_key", "secrets_key", "volume_key"]


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
    return _key(
        scope, id, "Kubernetes secrets of an EKS cluster", removal_policy, _secrets_statements(cluster_role.role_arn)
    )


def volume_key(scope: Construct, id: str, *, cluster_role: iam.IRole, removal_policy: RemovalPolicy) -> kms.Key:
    """A key that encrypts the volumes of nodes and pods.

    Creates one symmetric KMS key, rotated every year, that the cluster role may use and may grant to EC2 and EBS.

    Args:
        scope: where the key is made.
        id: the construct's id.
        cluster_role: the role of the cluster.
        removal_policy: what happens to the key when it leaves the stack; without the key the volumes are lost.

    Source: EKS User Guide, "Enable EBS Volume Encryption with Customer Managed KMS Keys for EKS Auto Mode".
    """
    return _key(scope, id, "EBS volumes of an EKS cluster", removal_policy, _volume_statements(cluster_role.role_arn))


def log_key(scope: Construct, id: str, *, cluster_name: str, removal_policy: RemovalPolicy) -> kms.Key:
    """A key that encrypts the control plane's log group.

    Creates one symmetric KMS key, rotated every year, that CloudWatch Logs may use for ``/aws/eks/NAME/cluster`` only.

    Args:
        scope: where the key is created; the log group is in the same account and region.
        id: the construct's id.
        cluster_name: the name of the cluster, known before the cluster is created.
        removal_policy: what happens to the key when it leaves the stack; without the key the logs are lost.

    Source: CloudWatch Logs User Guide, "Encrypt log data in CloudWatch Logs using AWS KMS".
    """
    log_group = Stack.of(scope).format_arn(
        service="logs",
        resource="log-group",
        resource_name=f"/aws/eks/{cluster_name}/cluster",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    statement = iam.PolicyStatement(
        # This is the log service's principal name in one region; it is the same in the GovCloud partition.
        principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
        actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        resources=["*"],
        conditions={"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": log_group}},
    )
    return _key(scope, id, "control plane logs of an EKS cluster", removal_policy, [statement])


def allow_secrets_encryption(scope: Construct, key: kms.IKey, cluster_role: iam.IRole) -> None:
    """Lets the cluster role use a key that you bring for Kubernetes secrets.

    A ``kms.Key`` of the same stack gets the statements in its policy. Any other key (imported, an alias, of another
    stack) is left alone, and a warning ``automode:KeyPolicyNotOurs`` says what its policy must hold.

    Args:
        scope: the construct that uses the key; it carries the warning.
        key: the key.
        cluster_role: the role of the cluster.
    """
    _allow(scope, key, "Kubernetes secrets", cluster_role, _secrets_statements)


def allow_volume_encryption(scope: Construct, key: kms.IKey, cluster_role: iam.IRole) -> None:
    """Lets the cluster role use a key that you bring for volumes of nodes and pods.

    A ``kms.Key`` of the same stack gets the statements in its policy. Any other key (imported, an alias, of another
    stack) is left alone, and a warning ``automode:KeyPolicyNotOurs`` says what its policy must hold.

    Args:
        scope: the construct that uses the key; it carries the warning.
        key: the key.
        cluster_role: the role of the cluster.
    """
    _allow(scope, key, "EBS volumes", cluster_role, _volume_statements)


def _secrets_statements(role_arn: str) -> list[iam.PolicyStatement]:
    return [_statement(role_arn, "kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey")]


def _volume_statements(role_arn: str) -> list[iam.PolicyStatement]:
    # Both refer to the role and never to the cluster: the cluster may refer to this key, which would be circular.
    grants = _statement(role_arn, "kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")
    grants.add_condition("Bool", {"kms:GrantIsForAWSResource": "true"})
    return [
        _statement(role_arn, "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"),
        grants,
    ]


def _statement(role_arn: str, *actions: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(principals=[iam.ArnPrincipal(role_arn)], actions=list(actions), resources=["*"])


def _key(
    scope: Construct,
    id: str,
    what: str,
    removal_policy: RemovalPolicy,
    statements: Sequence[iam.PolicyStatement],
) -> kms.Key:
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
    cluster_role: iam.IRole,
    statements: Callable[[str], Sequence[iam.PolicyStatement]],
) -> None:
    # Imported keys and aliases are not kms.Key objects in Python, whichever stack they were imported into.
    if isinstance(key, kms.Key) and Stack.of(key).node.addr == Stack.of(scope).node.addr:
        for statement in statements(cluster_role.role_arn):
            key.add_to_resource_policy(statement)
        return
    statements_json = [
        statement.to_statement_json()
        for statement in statements(_readable(cluster_role.role_arn, "<ARN of the cluster role>"))
    ]
    Annotations.of(scope).add_warning_v2(
        "automode:KeyPolicyNotOurs",
        f"the key {_readable(key.key_arn, key.node.path)} is imported, an alias or of another stack, so this stack "
        f"cannot change its policy; for {what} it must contain {json.dumps(statements_json, separators=(',', ':'))}",
    )


def _readable(value: str, stand_in: str) -> str:
    return stand_in if is_token(value) else value
