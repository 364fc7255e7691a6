"""Waits until EKS has finished the updates of a cluster, of which it runs one at a time."""

from __future__ import annotations

from typing import Final, cast

from aws_cdk import CfnResource, CustomResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from automode_constructs.aws.fips import fips_by_default
from automode_constructs.aws.function_logs import keep_function_logs
from automode_constructs.facts.regions import fips_endpoint_regions

__all__ = ["HANDLER", "ClusterUpdates"]

_RESOURCE_TYPE = "Custom::AutoModeClusterUpdates"
_MINUTES: Final = 15
"""The longest that a Lambda runs. An update of a cluster's logs took two to three minutes where it was measured."""

HANDLER: Final = '''\
"""Answers CloudFormation when no update of a cluster is in progress any more."""

import time

import boto3
import cfnresponse

PAUSE_SECONDS = 10
QUIET_ROUNDS = 3
RESERVE_MILLISECONDS = 30_000


def handler(event, context):
    name = event["ResourceProperties"]["ClusterName"]
    place = event.get("PhysicalResourceId", event["LogicalResourceId"])
    try:
        running = wait(boto3.client("eks"), name, context)
        reason = f"cluster {name} still has the updates {running} in progress" if running else None
    except Exception as error:
        reason = str(error) or type(error).__name__
    if reason:
        print(reason)
    status = cfnresponse.FAILED if reason else cfnresponse.SUCCESS
    cfnresponse.send(event, context, status, {}, place, reason=reason)


def wait(eks, name, context):
    """The updates that are still in progress when the time is up, or none.

    Several looks in a row must see none: EKS shows a new one a few seconds late.
    """
    finished, running, quiet = set(), [], 0
    while quiet < QUIET_ROUNDS and context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS:
        time.sleep(PAUSE_SECONDS)
        try:
            running = in_progress(eks, name, finished)
        except eks.exceptions.ResourceNotFoundException:
            return []
        quiet = 0 if running else quiet + 1
    return running


def in_progress(eks, name, finished):
    """The updates in progress; what has finished is not asked for again."""
    listed = set()
    for page in eks.get_paginator("list_updates").paginate(name=name):
        listed.update(page["updateIds"])
    running = []
    for update in sorted(listed - finished):
        status = eks.describe_update(name=name, updateId=update)["update"]["status"]
        if status == "InProgress":
            running.append(update)
        else:
            finished.add(update)
    return running
'''
"""The Lambda's code, in at most 4096 characters, which is what a template takes."""


class ClusterUpdates(Construct):
    """The updates of a cluster, which EKS runs one at a time and refuses a second one while the first is in progress.

    Creates a Lambda outside the VPC, which may list and read the updates of this cluster alone, its role and its log
    group. ``finished`` adds a resource that CloudFormation creates, and deletes, only when no update is in progress.

    Args:
        scope: a construct of the cluster's stack.
        id: the construct's id.
        cluster_name: the cluster's name.
        cluster_arn: the cluster's ARN.
        log_key: the KMS key of the Lambda's log group. Default: a key that AWS owns.
        removal_policy: what happens to that log group when it leaves the stack.

    Source: Amazon EKS API Reference, "DescribeUpdate"; ministryofjustice/cloud-platform#8501.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster_name: str,
        cluster_arn: str,
        log_key: kms.IKey | None,
        removal_policy: RemovalPolicy,
    ) -> None:
        super().__init__(scope, id)
        self._cluster_name = cluster_name
        region = Stack.of(self).region
        fips = fips_by_default(region) and region in fips_endpoint_regions()
        self.function = lambda_.Function(
            self,
            "Wait",
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler="index.handler",
            code=lambda_.Code.from_inline(HANDLER),
            timeout=Duration.minutes(_MINUTES),
            description="Waits until EKS has finished the updates of a cluster",
            environment={"AWS_USE_FIPS_ENDPOINT": "true"} if fips else None,
        )
        """The Lambda."""
        self.function.add_to_role_policy(
            iam.PolicyStatement(actions=["eks:ListUpdates", "eks:DescribeUpdate"], resources=[cluster_arn])
        )
        keep_function_logs(self, removal_policy=removal_policy, functions=[self.function], log_key=log_key)

    def finished(self, id: str) -> CfnResource:
        """A resource that is created, and deleted, when no update of the cluster is in progress.

        Args:
            id: the resource's id.
        """
        resource = CustomResource(
            self,
            id,
            service_token=self.function.function_arn,
            resource_type=_RESOURCE_TYPE,
            properties={"ClusterName": self._cluster_name},
            service_timeout=Duration.minutes(_MINUTES + 1),
        )
        # Its role's policy is a resource of its own, without which the Lambda may not ask.
        resource.node.add_dependency(self.function)
        return cast(CfnResource, resource.node.default_child)
