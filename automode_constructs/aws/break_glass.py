"""BreakGlassAlarm: nobody takes a break-glass role unnoticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from aws_cdk import Aws, CfnResource, Duration, Names, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.alarm_topic import admit_publishers, check_topic
from automode_constructs.aws.roles import check_role_arn
from automode_constructs.aws.scope import StackScope
from automode_constructs.facts.access_policies import username_prefix
from automode_constructs.facts.regions import partition_of
from automode_constructs.tokens import is_token

__all__ = ["METRIC_NAMESPACE", "BreakGlassAlarm"]

METRIC_NAMESPACE = "AutoMode/Access"

_CALLS = ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")
_PUBLISHERS = ("cloudwatch.amazonaws.com", "events.amazonaws.com")


class BreakGlassAlarm(Construct):
    """Reports to an SNS topic whenever somebody takes one of some roles, and whenever such a session uses a cluster.

    Creates an EventBridge rule that sends each call of ``AssumeRole``, ``AssumeRoleWithSAML`` and
    ``AssumeRoleWithWebIdentity`` for one of the roles to the topic, refused calls included. With ``audit_log_group`` it
    also creates a metric filter for each role and one alarm, which fires when a session of the role sends a request to
    the cluster's API.

    The rule sees what CloudTrail records. It needs a trail in the account that logs management events, **reads
    included**: CloudTrail counts ``AssumeRole`` as a read, and a trail that logs only writes reports nothing. And it
    sees one region: a call is recorded in the region whose STS endpoint answers, calls to the global endpoint in
    us-east-1. So put one more ``BreakGlassAlarm`` into a stack in us-east-1 (in GovCloud, which has no global endpoint,
    in its other region), and one where people sign in. The alarm on the audit log depends on none of this: it sees
    every request to the cluster, and needs the log type ``audit``.

    Costs: the rule is free for events of AWS services; the alarm 0.10 USD and its metric 0.30 USD a month (us-east-1,
    November 2026), the metric only for hours with a use; CloudTrail's first copy of management events is free.

    Args:
        scope: a construct in a stack of the roles' account.
        id: the construct's id.
        roles: the roles or their ARNs.
        topic: the topic, in the stack's region. A topic of this app gets the policy that lets EventBridge and
            CloudWatch publish, and so does its KMS key; AWS's own key for SNS does not let them.
        audit_log_group: the log group of a control plane that logs ``audit``, in the stack's region. Default: none;
            then uses of the cluster raise no alarm.

    Attributes:
        rule: the rule.
        alarm: the alarm; ``None`` without ``audit_log_group``.

    Raises:
        AutoModeError: without roles; for a value that is not the ARN of an IAM role; for a role that is named twice.

    Source: EventBridge User Guide, "Receiving read-only management events from AWS services"; IAM User Guide, "Logging
    IAM and AWS STS API calls with AWS CloudTrail"; SNS Developer Guide, "Encryption key management"; CloudWatch
    pricing.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        roles: Sequence[iam.IRole | str],
        topic: sns.ITopic,
        audit_log_group: logs.ILogGroup | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        region = Stack.of(scope).region
        partition = None if is_token(region) else partition_of(region).name
        arns = [role if isinstance(role, str) else role.role_arn for role in roles]
        for position, arn in enumerate(arns):
            with refusals.collecting():
                check_role_arn(refusals.where, f"roles[{position}]", arn, partition=partition)
            if isinstance(roles[position], str) and is_token(arn) and arn.count(":") < 5:
                refusals.refuse(
                    f"roles[{position}]",
                    "is a value known only after deployment, and the alarm needs the role's name",
                    "pass an iam.IRole",
                )
        if not arns:
            refusals.refuse("roles", "are empty: nothing would be reported", "name at least one")
        if len(set(arns)) != len(arns):
            refusals.refuse("roles", "name one twice", "name each once")
        check_topic(refusals, "topic", topic, Stack.of(scope).region)
        refusals.raise_all()

        super().__init__(scope, id)
        self.rule = events.Rule(
            self,
            "Taken",
            description="Somebody takes a break-glass role of an EKS cluster",
            event_pattern=events.EventPattern(
                source=["aws.sts"],
                detail_type=["AWS API Call via CloudTrail"],
                detail={
                    "eventSource": ["sts.amazonaws.com"],
                    "eventName": list(_CALLS),
                    "requestParameters": {"roleArn": arns},
                },
            ),
            targets=[targets.SnsTopic(topic)],
        )
        # The calls count as reads, which a rule that is only enabled need not get.
        cast(CfnResource, self.rule.node.default_child).add_property_override(
            "State", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
        )
        self.alarm = None if audit_log_group is None else self._create_alarm(roles, topic, audit_log_group)
        admit_publishers(self, topic, _PUBLISHERS)

    def _create_alarm(
        self, roles: Sequence[iam.IRole | str], topic: sns.ITopic, log_group: logs.ILogGroup
    ) -> cloudwatch.Alarm:
        metric = cloudwatch.Metric(
            namespace=METRIC_NAMESPACE,
            metric_name=f"BreakGlass-{Names.unique_resource_name(self, max_length=100)}",
            statistic="Sum",
            period=Duration.minutes(1),
        )
        for position, role in enumerate(roles):
            logs.MetricFilter(
                self,
                f"Requests{position}",
                log_group=log_group,
                filter_pattern=logs.FilterPattern.literal(f'{{ $.user.username = "{_username_prefix(role)}*" }}'),
                metric_namespace=metric.namespace,
                metric_name=metric.metric_name,
                metric_value="1",
            )
        alarm = cloudwatch.Alarm(
            self,
            "Used",
            alarm_description="A break-glass role has used an EKS cluster. The audit log names the session and what it "
            "did; find out who it is and why, and end the session when the work is done.",
            metric=metric,
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(topic))
        return alarm


def _username_prefix(role: iam.IRole | str) -> str:
    """The beginning of the usernames of a role's sessions, in Kubernetes."""
    arn = role if isinstance(role, str) else role.role_arn
    if isinstance(role, str) or not is_token(arn):
        return username_prefix(arn)
    return f"arn:{Aws.PARTITION}:sts::{role.env.account}:assumed-role/{role.role_name}/"
