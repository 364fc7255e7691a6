"""What AWS Backup tells only those who ask: failed, partial and missing backups, sent to an SNS topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from constructs import Construct

__all__ = ["PUBLISHERS", "add_rule", "backup_patterns", "missing_backup_alarm", "restore_pattern"]

PUBLISHERS: Final = ("backup.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com")
"""The services that report to the topic."""


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
