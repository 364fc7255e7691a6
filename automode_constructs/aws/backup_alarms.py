"""What AWS Backup tells only those who ask: failed, partial and missing backups, sent to an SNS topic."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_cdk import Annotations, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from automode_constructs.arguments import Refusals
from automode_constructs.tokens import is_token

__all__ = ["add_rule", "admit_publishers", "backup_patterns", "check_topic", "missing_backup_alarm", "restore_pattern"]

_PUBLISHERS: Final = ("backup.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com")
_OF_SNS = "alias/aws/sns"
"""AWS's own key, which admits none of the publishers."""


def backup_patterns(vault_name: str, vault_arn: str) -> dict[str, dict[str, Any]]:
    """The events that somebody must see, by the id of their rule: detail type and detail.

    A job that is called ``Completed with issues`` in the console is a completed one with a status message.

    Args:
        vault_name: the vault that backups go to.
        vault_arn: its ARN.

    Source: AWS Backup Developer Guide, "Monitoring AWS Backup events using Amazon EventBridge".
    """
    vault = {"backupVaultName": [vault_name]}
    return {
        "JobFailed": _pattern(
            "Backup Job State Change", {**vault, "state": ["FAILED", "ABORTED", "EXPIRED", "PARTIAL"]}
        ),
        "JobWithIssues": _pattern(
            "Backup Job State Change", {**vault, "state": ["COMPLETED"], "statusMessage": [{"anything-but": [""]}]}
        ),
        "PartialRecoveryPoint": _pattern("Recovery Point State Change", {**vault, "status": ["PARTIAL"]}),
        "CopyFailed": _pattern(
            "Copy Job State Change", {"sourceBackupVaultArn": [vault_arn], "state": ["FAILED", "PARTIAL"]}
        ),
        "VaultChanged": _pattern("Backup Vault State Change", {**vault, "state": ["MODIFIED", "DELETED"]}),
    }


def restore_pattern(role_arn: str) -> dict[str, Any]:
    """The events of failed restores, and of those that left objects out, as far as one role does them.

    Args:
        role_arn: the role of the restores; such events name no vault.
    """
    return _pattern(
        "Restore Job State Change",
        {
            "iamRoleArn": [role_arn],
            "$or": [
                {"status": ["FAILED", "ABORTED"]},
                {"status": ["COMPLETED"], "statusMessage": [{"anything-but": [""]}]},
            ],
        },
    )


def _pattern(detail_type: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    return {"source": ["aws.backup"], "detail-type": [detail_type], "detail": dict(detail)}


def add_rule(scope: Construct, id: str, pattern: Mapping[str, Any], topic: sns.ITopic, description: str) -> None:
    """Sends the events of a pattern to a topic.

    Args:
        scope: where the rule is made.
        id: the construct's id.
        pattern: the pattern.
        topic: the topic, whose policy admits EventBridge.
        description: what the events mean.
    """
    events.CfnRule(
        scope,
        id,
        description=description,
        event_pattern=dict(pattern),
        targets=[events.CfnRule.TargetProperty(arn=topic.topic_arn, id="Topic")],
    )


def missing_backup_alarm(scope: Construct, id: str, *, vault_name: str, days: int, topic: sns.ITopic) -> None:
    """Alarms if no backup was completed for some days: a job that never started fails nowhere.

    Args:
        scope: where the alarm is made.
        id: the construct's id.
        vault_name: the vault that backups go to.
        days: how many days may pass, 1 to 7, the longest time that an alarm looks back.
        topic: the topic, whose policy admits CloudWatch.

    Source: AWS Backup Developer Guide, "AWS Backup metrics with CloudWatch"; CloudWatch API, ``PutMetricAlarm``.
    """
    alarm = cloudwatch.Alarm(
        scope,
        id,
        metric=cloudwatch.Metric(
            namespace="AWS/Backup",
            metric_name="NumberOfBackupJobsCompleted",
            dimensions_map={"BackupVaultName": vault_name},
            statistic="Sum",
            period=Duration.days(1),
        ),
        threshold=1,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluation_periods=days,
        datapoints_to_alarm=days,
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        alarm_description=f"No backup was completed into vault {vault_name} for {days} days; see: aws backup "
        f"list-backup-jobs --by-backup-vault-name {vault_name}",
    )
    resource = alarm.node.default_child
    assert isinstance(resource, cloudwatch.CfnAlarm)
    resource.alarm_actions = [topic.topic_arn]
    resource.ok_actions = [topic.topic_arn]


def check_topic(refusals: Refusals, topic: sns.ITopic, region: str) -> None:
    """Refuses a topic that the publishers do not reach: one of another region, or with AWS's own key.

    Args:
        refusals: collects what is wrong.
        topic: the topic.
        region: the region of the rules and alarms, or its token.
    """
    other = topic.env.region
    if not is_token(other) and not is_token(region) and other != region:
        refusals.refuse(
            "alarm_topic",
            f"lies in '{other}', the backups in '{region}'",
            f"give a topic of '{region}'; it may forward to another one",
        )
    key = getattr(topic, "master_key", None)
    if getattr(key, "alias_name", None) == _OF_SNS:
        refusals.refuse(
            "alarm_topic",
            f"is encrypted with '{_OF_SNS}', with which EventBridge, CloudWatch and AWS Backup publish nothing",
            "encrypt it with a key of yours, or not at all",
        )


def admit_publishers(scope: Construct, topic: sns.ITopic) -> None:
    """Lets AWS Backup, CloudWatch and EventBridge publish to a topic, through its policy and that of its key.

    A topic or key that the app does not make is left unchanged, and a warning says what its policy must contain.

    Args:
        scope: the construct that needs it; it carries the warnings.
        topic: the topic.

    Source: Amazon SNS Developer Guide, "Example cases for Amazon SNS access control" and "Configuring KMS permissions".
    """
    principals: Sequence[iam.IPrincipal] = [iam.ServicePrincipal(name) for name in _PUBLISHERS]
    # EventBridge's page warns of conditions in policies of topics, so there are none.
    statement = iam.PolicyStatement(
        sid="BackupAlarms", principals=list(principals), actions=["sns:Publish"], resources=[topic.topic_arn]
    )
    # The CDK writes a statement once, however often it is added.
    if not topic.add_to_resource_policy(statement).statement_added:
        _warn(
            scope,
            "automode:TopicPolicyNotOurs",
            f"the topic {_readable(topic.topic_arn, topic.node.path)} is imported, so this stack cannot change its "
            "policy",
            "sns:Publish",
        )
    key = getattr(topic, "master_key", None)
    if key is None:
        return
    if not isinstance(key, kms.Key):
        _warn(
            scope,
            "automode:KeyPolicyNotOurs",
            f"the key {_readable(key.key_arn, key.node.path)} of the topic is imported or an alias, so this stack "
            "cannot change its policy",
            "kms:Decrypt",
            "kms:GenerateDataKey*",
        )
    else:
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="BackupAlarms",
                principals=list(principals),
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],
            )
        )


def _warn(scope: Construct, rule: str, what: str, *actions: str) -> None:
    needed = {
        "Effect": "Allow",
        "Principal": {"Service": list(_PUBLISHERS)},
        "Action": list(actions),
        "Resource": "*",
    }
    Annotations.of(scope).add_warning_v2(
        rule, f"{what}; for alarms of backups it must contain {json.dumps(needed, separators=(',', ':'))}"
    )


def _readable(value: str, stand_in: str) -> str:
    return stand_in if is_token(value) else value
