"""The logs of Auto Mode's own controllers, which EKS runs outside the cluster and delivers as vended logs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from aws_cdk import Annotations, ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct, IDependable

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.cluster_updates import ClusterUpdates
from automode_constructs.aws.scope import StackScope
from automode_constructs.errors import did_you_mean
from automode_constructs.tokens import is_token

__all__ = ["AUTO_MODE_LOG_TYPES", "AutoModeLogs"]

AUTO_MODE_LOG_TYPES: Final = (
    "AUTO_MODE_COMPUTE_LOGS",
    "AUTO_MODE_BLOCK_STORAGE_LOGS",
    "AUTO_MODE_LOAD_BALANCING_LOGS",
    "AUTO_MODE_IPAM_LOGS",
)
"""The four controllers: nodes, volumes, load balancers, addresses of pods."""

_LONGEST_NAME = 60
"""In characters, of a delivery source or destination. Source: ``AWS::Logs::DeliverySource``."""

_WRITER = "delivery.logs.amazonaws.com"
"""Writes vended logs, in all partitions."""


class AutoModeLogs(Construct):
    """The logs of the Auto Mode controllers of a cluster, in one log group or one S3 bucket.

    Creates a log group ``/aws/vendedlogs/eks/<cluster>/auto-mode``, unless there is a ``bucket``; a delivery source
    for each controller, one destination, and a delivery for each. Each source is an update of the cluster, and EKS
    refuses one while another is in progress, so a Lambda (``ClusterUpdates``) waits for each: about 10 min more for
    the first deployment, and as long for the deletion.

    CloudWatch Logs opens groups of that prefix to its delivery service by itself, in one resource policy of the
    account; a service control policy that forbids this stops the deployment, and ``resource_policy`` writes one for
    this group instead. The policies of a bucket of this app and of its KMS key get what the delivery needs; what those
    of an imported bucket must contain, the warning ``automode:LogBucketPolicyNotOurs`` says.

    Price on 27 Nov 2026 in us-east-1: vended logs cost about 0.50 USD (?) a GB into a log group and 0.25 USD (?) into a
    bucket, plus storage; one operator measured 5 MB a month for all four logs of a cluster. The Lambda runs only in
    deployments.

    Args:
        scope: a construct in the cluster's stack.
        id: the construct's id.
        cluster_name: the cluster's name, which begins the names of the deliveries.
        cluster_arn: the cluster's ARN.
        log_types: which of ``AUTO_MODE_LOG_TYPES`` to deliver. Default: all four; we decide.
        bucket: the S3 bucket of the logs, in the cluster's region; it keeps them by its own lifecycle rules. A change
            replaces the deliveries. Default: none; they go to the log group.
        retention: how long the log group keeps the logs. Default: one year; we decide.
        log_key: the KMS key of the log groups, whose policy admits CloudWatch Logs. Default: a key that AWS owns.
        resource_policy: whether to write a resource policy of CloudWatch Logs that admits the delivery to this log
            group alone. CloudWatch Logs takes ten of them in an account and region. Default: False; we decide, because
            CloudWatch Logs writes one itself where it may.
        removal_policy: what happens to log groups when they leave the stack. Default: they are retained; we decide.

    Raises:
        AutoModeError: for a log that is not known, named twice, or none at all; for ``resource_policy`` beside a
            bucket.

    Source: EKS User Guide, "Access AWS-Managed Component Logs For EKS Auto"; ``AWS::Logs::DeliverySource``; CloudWatch
    Logs User Guide, "Enable logging from AWS services"; ministryofjustice/cloud-platform#8501 (one update at a time);
    ministryofjustice/modernisation-platform-environments#18287 (volume).
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster_name: str,
        cluster_arn: str,
        log_types: Sequence[str] = AUTO_MODE_LOG_TYPES,
        bucket: s3.IBucket | None = None,
        retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
        log_key: kms.IKey | None = None,
        resource_policy: bool = False,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        _check(Refusals(place(scope, id)), log_types, bucket=bucket, resource_policy=resource_policy)
        super().__init__(scope, id)
        self.log_types: tuple[str, ...] = tuple(name for name in AUTO_MODE_LOG_TYPES if name in log_types)
        """The logs that are delivered."""
        self.log_group: logs.LogGroup | None = None
        """The log group; ``None`` if the logs go to a bucket."""
        self.compute_log_group: logs.LogGroup | None = None
        """The log group, if it has the log of the compute controller."""
        admitted: list[IDependable] = []
        if bucket is None:
            self.log_group = logs.LogGroup(
                self,
                "Logs",
                log_group_name=f"/aws/vendedlogs/eks/{cluster_name}/auto-mode",
                retention=retention,
                encryption_key=log_key,
                removal_policy=removal_policy,
            )
            arn = self.log_group.log_group_arn
            if "AUTO_MODE_COMPUTE_LOGS" in log_types:
                self.compute_log_group = self.log_group
            if resource_policy:
                admitted.append(_admit_to_group(self, self.log_group))
        else:
            arn = bucket.bucket_arn
            admitted += _admit_to_bucket(self, bucket)
        destination = logs.CfnDeliveryDestination(
            self,
            "Destination",
            name=_name(cluster_name, "auto-mode"),
            destination_resource_arn=arn,
        )
        updates = ClusterUpdates(
            self,
            "Updates",
            cluster_name=cluster_name,
            cluster_arn=cluster_arn,
            log_key=log_key,
            removal_policy=removal_policy,
        )
        # EKS answers the second of two updates with ConflictException. CloudFormation deletes in the opposite order, so
        # there is a wait on both sides of each source.
        previous: Construct = updates.finished("before")
        for log_type in self.log_types:
            controller = log_type.removeprefix("AUTO_MODE_").removesuffix("_LOGS").replace("_", "-").lower()
            source = logs.CfnDeliverySource(
                self,
                f"{controller}-source",
                name=_name(cluster_name, controller),
                resource_arn=cluster_arn,
                log_type=log_type,
            )
            source.node.add_dependency(previous)
            delivery = logs.CfnDelivery(
                self,
                f"{controller}-delivery",
                delivery_source_name=source.name,
                delivery_destination_arn=destination.attr_arn,
            )
            # A name is no reference, so CloudFormation does not see this order; and CloudWatch Logs writes one resource
            # policy for all deliveries, which two at a time would spoil for each other.
            delivery.node.add_dependency(source, *admitted)
            finished = updates.finished(f"after-{controller}")
            finished.node.add_dependency(delivery)
            previous = finished


def _check(refusals: Refusals, log_types: Sequence[str], *, bucket: s3.IBucket | None, resource_policy: bool) -> None:
    for name in log_types:
        if name not in AUTO_MODE_LOG_TYPES:
            refusals.refuse("log_types", f"'{name}' is not known", did_you_mean(name, AUTO_MODE_LOG_TYPES))
    if len(set(log_types)) != len(log_types):
        refusals.refuse("log_types", f"names one twice: {list(log_types)}", "name each once")
    if not log_types:
        refusals.refuse("log_types", "names none", "name at least one, or leave the construct out")
    if bucket is not None and resource_policy:
        refusals.refuse(
            "resource_policy", "is for the log group, and the logs go to bucket", "leave out one of the two"
        )
    refusals.raise_all()


def _admit_to_group(scope: Construct, group: logs.LogGroup) -> Construct:
    """A resource policy of CloudWatch Logs for one log group."""
    stack = Stack.of(scope)
    return logs.ResourcePolicy(
        scope,
        "Policy",
        policy_statements=[
            iam.PolicyStatement(
                sid="AutoModeLogs",
                principals=[iam.ServicePrincipal(_WRITER)],
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[f"{group.log_group_arn}:log-stream:*"],
                conditions=_from_deliveries(stack),
            )
        ],
    )


def _admit_to_bucket(scope: Construct, bucket: s3.IBucket) -> list[IDependable]:
    """Lets the delivery write to a bucket, as far as this app may say so."""
    stack = Stack.of(scope)
    statement = iam.PolicyStatement(
        sid="AutoModeLogs",
        principals=[iam.ServicePrincipal(_WRITER)],
        actions=["s3:PutObject"],
        resources=[bucket.arn_for_objects(f"AWSLogs/{stack.account}/*")],
        conditions=_from_deliveries(stack, {"s3:x-amz-acl": "bucket-owner-full-control"}),
    )
    key = bucket.encryption_key
    if isinstance(key, kms.Key):
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AutoModeLogs",
                principals=[iam.ServicePrincipal(_WRITER)],
                actions=["kms:GenerateDataKey*", "kms:Decrypt"],
                resources=["*"],
                conditions=_from_deliveries(stack),
            )
        )
    added = bucket.add_to_resource_policy(statement)
    if added.statement_added:
        return [added.policy_dependable] if added.policy_dependable is not None else []
    name = bucket.node.path if is_token(bucket.bucket_name) else bucket.bucket_name
    needed: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": _WRITER},
        "Action": "s3:PutObject",
        "Resource": "arn:<partition>:s3:::<bucket>/AWSLogs/<account>/*",
        "Condition": {
            "StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceAccount": "<account>"},
            "ArnLike": {"aws:SourceArn": "arn:<partition>:logs:<region>:<account>:delivery-source:*"},
        },
    }
    Annotations.of(scope).add_warning_v2(
        "automode:LogBucketPolicyNotOurs",
        f"the log bucket {name} is imported, so this stack cannot change its policy; it must contain "
        f"{json.dumps(needed, separators=(',', ':'))}",
    )
    return []


def _from_deliveries(stack: Stack, equals: dict[str, str] | None = None) -> dict[str, dict[str, str]]:
    """The conditions that admit the deliveries of a stack's account and region alone."""
    sources = stack.format_arn(
        service="logs", resource="delivery-source", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
    return {
        "StringEquals": {**(equals or {}), "aws:SourceAccount": stack.account},
        "ArnLike": {"aws:SourceArn": sources},
    }


def _name(cluster_name: str, part: str) -> str:
    """A name of at most 60 characters, with a digest of the cluster's name where that is too long."""
    name = f"{cluster_name}-{part}"
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(cluster_name.encode()).hexdigest()[:8]
    return f"{cluster_name[: _LONGEST_NAME - len(part) - len(digest) - 2]}-{digest}-{part}"
