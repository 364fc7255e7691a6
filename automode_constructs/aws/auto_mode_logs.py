"""The logs of Auto Mode's own controllers, which EKS runs outside the cluster and delivers as vended logs."""

from __future__ import annotations

import hashlib
from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.scope import StackScope

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


class AutoModeLogs(Construct):
    """The logs of the four Auto Mode controllers of a cluster, in one log group.

    Creates a log group ``/aws/vendedlogs/eks/<cluster>/auto-mode``, a delivery source for each controller, one
    destination and four deliveries. CloudWatch Logs opens groups of that prefix to its delivery service by itself, in
    one resource policy of the account; a service control policy that forbids this stops the deployment. Vended logs
    cost money by the gigabyte.

    Args:
        scope: a construct in the cluster's stack.
        id: the construct's id.
        cluster_name: the cluster's name, which begins the names of the deliveries.
        cluster_arn: the cluster's ARN.
        retention: how long the logs are kept. Default: one year; we decide.
        log_key: the KMS key of the log group, whose policy admits CloudWatch Logs. Default: a key that AWS owns.
        removal_policy: what happens to the log group when it leaves the stack. Default: it is retained; we decide.

    Source: EKS User Guide, "Access AWS-Managed Component Logs For EKS Auto"; ``AWS::Logs::DeliverySource``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster_name: str,
        cluster_arn: str,
        retention: logs.RetentionDays = logs.RetentionDays.ONE_YEAR,
        log_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        self.log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/vendedlogs/eks/{cluster_name}/auto-mode",
            retention=retention,
            encryption_key=log_key,
            removal_policy=removal_policy,
        )
        """The log group of all four."""
        destination = logs.CfnDeliveryDestination(
            self,
            "Destination",
            name=_name(cluster_name, "auto-mode"),
            destination_resource_arn=self.log_group.log_group_arn,
        )
        previous: Construct = destination
        for log_type in AUTO_MODE_LOG_TYPES:
            controller = log_type.removeprefix("AUTO_MODE_").removesuffix("_LOGS").replace("_", "-").lower()
            source = logs.CfnDeliverySource(
                self,
                f"{controller}-source",
                name=_name(cluster_name, controller),
                resource_arn=cluster_arn,
                log_type=log_type,
            )
            delivery = logs.CfnDelivery(
                self,
                f"{controller}-delivery",
                delivery_source_name=source.name,
                delivery_destination_arn=destination.attr_arn,
            )
            # A name is no reference, so CloudFormation does not see this order; and CloudWatch Logs writes one resource
            # policy for all deliveries, which two at a time would spoil for each other.
            delivery.node.add_dependency(source, previous)
            previous = delivery


def _name(cluster_name: str, part: str) -> str:
    """A name of at most 60 characters, with a digest of the cluster's name where that is too long."""
    name = f"{cluster_name}-{part}"
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(cluster_name.encode()).hexdigest()[:8]
    return f"{cluster_name[: _LONGEST_NAME - len(part) - len(digest) - 2]}-{digest}-{part}"
