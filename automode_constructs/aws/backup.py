"""ClusterBackup: scheduled backups of a cluster and its volumes with AWS Backup, copies, and alarms on what failed."""

from __future__ import annotations

import hashlib
import json
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aws_cdk import Annotations, CfnOutput, Names, Stack
from aws_cdk import aws_backup as backup
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.alarm_topic import admit_publishers, check_topic
from automode_constructs.aws.backup_alarms import (
    PUBLISHERS,
    add_rule,
    backup_patterns,
    missing_backup_alarm,
)
from automode_constructs.aws.backup_vault import LONGEST_RETENTION_DAYS, ClusterBackupVault
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.encryption import warn_of_imported_key
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import shown
from automode_constructs.facts.regions import partition_of
from automode_constructs.tokens import is_token, shell_word

__all__ = ["BackupRule", "ClusterBackup", "backup_role"]

_RULE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,50}")
_LEAST_COLD_DAYS: Final = 90
"""How long a snapshot stays in cold storage at least. Source: AWS Backup API, ``Lifecycle``."""
_LONGEST_SILENCE_DAYS: Final = 7
_MOST_HOURS = 2400
"""One hundred days, the longest window. Source: AWS Backup Developer Guide, "Backup plan options and configuration"."""
_VAULT = re.compile(r"backup-vault:[A-Za-z0-9_-]{2,50}")
_ONCE_AN_HOUR = re.compile(r"cron\([0-9]{1,2} (?:\S+ ){4}\S+\)")


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class BackupRule:
    """When backups are made and how long they are kept.

    Args:
        name: 1 to 50 letters, digits, ``-``, ``_`` and ``.``. Default: ``daily``.
        schedule: ``events.Schedule.cron(...)`` with one minute, so at most once an hour. Default: every day at 3:00; we
            decide.
        time_zone: the time zone of the schedule, a name of the IANA database. Default: ``Etc/UTC``, as AWS Backup
            decides.
        keep_days: how long recovery points are kept, 1 to 36,500 days; at least a week keeps snapshots incremental.
            Default: 35; we decide.
        copy_keep_days: how long copies are kept, if there are any. Default: ``keep_days``.
        cold_storage_after_days: after how many days snapshots of volumes move to cold storage, which the state of a
            cluster does not know; ``keep_days`` must be at least 90 days more. Default: never.
        start_window_hours: within how many hours after its time a job must start, 1 or more; later it expires.
            Default: 8, as AWS Backup decides.
        completion_window_hours: within how many hours after its time a job must end, longer than the start window.
            Default: 168, as AWS Backup decides.

    Raises:
        AutoModeError: for a name, schedule or time zone of another form; for numbers out of bounds.

    Source: ``AWS::Backup::BackupPlan``; AWS Backup Developer Guide, "Backup plan options and configuration".
    """

    name: str = "daily"
    schedule: events.Schedule | None = None
    time_zone: str = "Etc/UTC"
    keep_days: int = 35
    copy_keep_days: int | None = None
    cold_storage_after_days: int | None = None
    start_window_hours: int = 8
    completion_window_hours: int = 168

    def __post_init__(self) -> None:
        refusals = Refusals("BackupRule")
        if _RULE_NAME.fullmatch(self.name) is None:
            refusals.refuse(
                "name", f"{shown(self.name)} is not the name of a rule", "use 1 to 50 letters, digits, '-', '_' and '.'"
            )
        if _ONCE_AN_HOUR.fullmatch(self.expression) is None:
            refusals.refuse(
                "schedule",
                f"{shown(self.expression)} is no cron expression of one minute",
                "write events.Schedule.cron(minute='0', hour='3'): AWS Backup takes no rates, and no more than one "
                "backup an hour",
            )
        known = zoneinfo.available_timezones()
        if known and self.time_zone not in known:
            refusals.refuse(
                "time_zone",
                f"{shown(self.time_zone)} is not a time zone",
                "write one like 'Europe/Berlin' or 'Etc/UTC'",
            )
        refusals.number("keep_days", self.keep_days, least=1, most=LONGEST_RETENTION_DAYS)
        if self.copy_keep_days is not None:
            refusals.number("copy_keep_days", self.copy_keep_days, least=1, most=LONGEST_RETENTION_DAYS)
        cold = self.cold_storage_after_days
        if cold is not None:
            refusals.number("cold_storage_after_days", cold, least=1)
            shortest = min(self.keep_days, self.copy_keep_days or self.keep_days)
            if cold >= 1 and shortest < cold + _LEAST_COLD_DAYS:
                refusals.refuse(
                    "cold_storage_after_days",
                    f"{cold} leaves {shortest - cold} of {shortest} days for cold storage, which takes at least "
                    f"{_LEAST_COLD_DAYS}",
                    f"keep recovery points for {cold + _LEAST_COLD_DAYS} days or more, or leave it out",
                )
        refusals.number("start_window_hours", self.start_window_hours, least=1, most=_MOST_HOURS)
        refusals.number(
            "completion_window_hours",
            self.completion_window_hours,
            least=self.start_window_hours + 1,
            most=_MOST_HOURS,
        )
        refusals.raise_all()

    @property
    def expression(self) -> str:
        """The schedule as AWS Backup reads it."""
        return "cron(0 3 * * ? *)" if self.schedule is None else self.schedule.expression_string


class ClusterBackup(Construct):
    """Backups of a cluster: the state of its Kubernetes objects and its volumes, on a schedule, with alarms.

    Creates a backup plan, a selection that names the cluster, the role of the backups, five EventBridge rules and a
    CloudWatch alarm, and prints the command of a backup out of turn. Each backup is one composite recovery point with a
    child for the state of the cluster and one for each volume on EBS, EFS or S3 that a claim has bound. AWS Backup
    makes the access entry of its role by itself, so make none. Nothing runs in the cluster.

    Somebody hears, through ``alarm_topic``: of jobs and copies that failed, expired or were partial, of partial
    recovery points, of jobs that completed with issues and the objects that they left out, of changes to the vault, and
    of days without a backup.

    Not in a backup: images, VPC, subnets, nodes; volumes of FSx; prefixes of buckets; EFS of other accounts. Nobody has
    seen yet whether AWS Backup takes the volumes of Auto Mode's driver ``ebs.csi.eks.amazonaws.com`` (?): after the
    first backup, look for them among its children (``aws backup list-recovery-points-by-backup-vault
    --by-parent-recovery-point-arn``).

    Costs: snapshots of volumes about 0.05 USD per GB and month in us-east-1 (?), copies to another region the same
    again and about 0.02 USD per GB of transfer (?), the alarm 0.10 USD a month; the price of the state of a cluster is
    not known to us (?) (27 Nov 2026).

    Args:
        scope: a construct of a stack in the cluster's account and region; best not the cluster's own.
        id: the construct's id.
        cluster: the cluster; its authentication mode is ``API`` or ``API_AND_CONFIG_MAP``, as this library has it.
        vault: the vault, in the same stack; a vault of its own for each cluster, so that alarms tell which cluster.
        alarm_topic: the SNS topic of the alarms, in the same region. A topic of the app gets the policy that it needs.
        rules: when backups are made and how long they are kept. Default: one ``BackupRule``, daily for 35 days; we
            decide.
        copy_to: vaults in other regions or accounts, each a ``ClusterBackupVault`` of this app or an ARN. Copies to
            another account need an organization with cross-account backup: a warning says so. Default: none.
        s3_volumes: whether claims are bound to S3 buckets, which need further permissions and versioned buckets.
            Default: False.
        resources: ARNs of further resources for the same plan, such as buckets and databases outside the cluster.
            Default: none.
        alarm_after_days: after how many days without a completed backup the alarm goes off, 1 to 7, or ``None`` for
            never: for schedules rarer than once a week. Default: 2; we decide.
        permissions_boundary: the managed policy that bounds the role. Default: none.

    Attributes:
        plan: the plan's resource.
        role: the role of the backups.

    Raises:
        AutoModeError: for a vault of another stack or a topic of another region; for retentions that the lock of a
            vault refuses, which would make every job fail; for copies to another partition, or to a vault that does not
            admit this account.

    Source: AWS Backup Developer Guide, "Amazon EKS backups"; ``AWS::Backup::BackupPlan``,
    ``AWS::Backup::BackupSelection``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        vault: ClusterBackupVault,
        alarm_topic: sns.ITopic,
        rules: Sequence[BackupRule] = (BackupRule(),),
        copy_to: Sequence[ClusterBackupVault | str] = (),
        s3_volumes: bool = False,
        resources: Sequence[str] = (),
        alarm_after_days: int | None = 2,
        permissions_boundary: iam.IManagedPolicy | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        stack = Stack.of(scope)
        with refusals.collecting():
            cluster.check_environment(refusals.where, scope, "AWS Backup works in the cluster's own account and region")
        if Stack.of(vault).node.addr != stack.node.addr:
            refusals.refuse(
                "vault",
                f"'{vault.node.path}' is in another stack than this backup, which changes its notifications",
                "create the vault in this stack; vaults elsewhere are for copy_to",
            )
        check_topic(refusals, "alarm_topic", alarm_topic, stack.region)
        _check_rules(refusals, rules, vault, copy_to)
        _check_copies(refusals, copy_to, vault, stack)
        _check_resources(refusals, resources, stack.region)
        if alarm_after_days is not None:
            refusals.number("alarm_after_days", alarm_after_days, least=1, most=_LONGEST_SILENCE_DAYS)
        refusals.raise_all()

        super().__init__(scope, id)
        tag_as_cluster(self, cluster)
        self.role = backup_role(
            self,
            "Role",
            "AWSBackupServiceRolePolicyForBackup",
            "AWSBackupServiceRolePolicyForS3Backup" if s3_volumes else None,
            description="Backups of an EKS cluster",
            permissions_boundary=permissions_boundary,
        )
        destinations = [_arn(copy, self) for copy in copy_to]
        self.plan = backup.CfnBackupPlan(
            self,
            "Plan",
            backup_plan=backup.CfnBackupPlan.BackupPlanResourceTypeProperty(
                backup_plan_name=_plan_name(self),
                backup_plan_rule=[_rule(rule, vault.vault_name, destinations) for rule in rules],
            ),
        )
        # The plan names its vault, which is no reference.
        self.plan.node.add_dependency(vault)
        cluster_name = cluster.cluster.cluster_name
        selected = [stack.format_arn(service="eks", resource="cluster", resource_name=cluster_name), *resources]
        selection = backup.CfnBackupSelection(
            self,
            "Selection",
            backup_plan_id=self.plan.ref,
            backup_selection=backup.CfnBackupSelection.BackupSelectionResourceTypeProperty(
                selection_name=_selection_name(stack, selected), iam_role_arn=self.role.role_arn, resources=selected
            ),
        )
        # Without its policies the role could back up nothing.
        selection.node.add_dependency(self.role)
        CfnOutput(
            self,
            "BackupCommand",
            value=f"aws backup start-backup-job --region {shell_word(stack.region)} --backup-vault-name "
            f"{vault.vault_name} --iam-role-arn {shell_word(self.role.role_arn)} --resource-arn "
            f"{shell_word(selected[0])}",
            description="Backs the cluster up now",
        )
        self._copy(vault, cluster, copy_to)
        self._alarm(vault, alarm_topic, alarm_after_days)

    def _copy(
        self, vault: ClusterBackupVault, cluster: ChartTarget, copy_to: Sequence[ClusterBackupVault | str]
    ) -> None:
        stack = Stack.of(self)
        others = []
        for copy in copy_to:
            if isinstance(copy, ClusterBackupVault) and Stack.of(copy).node.addr != stack.node.addr:
                stack.add_stack_dependency(Stack.of(copy), "copies need their vault")
            account = _account_of(copy)
            if account is not None and account != stack.account:
                others.append(account)
        if not others:
            return
        keys = {"vault": vault.encryption_key, "volumes": getattr(cluster, "volume_key", None)}
        for key in keys.values():
            if key is not None:
                self._share(key, others)
        Annotations.of(self).add_warning_v2(
            "automode:CrossAccountBackup",
            "copy_to: copies to another account succeed only within an organization whose management account has run "
            "'aws backup update-global-settings --global-settings isCrossAccountBackupEnabled=true', which no template "
            "can do; volumes must have a customer key",
        )

    def _share(self, key: kms.IKey, accounts: Sequence[str]) -> None:
        """Lets the accounts that receive copies read what the key encrypts."""
        if not isinstance(key, kms.Key):
            warn_of_imported_key(self, key, (*_READ_KEY, *_GRANT_KEY))
            return
        principals = [iam.AccountPrincipal(account) for account in dict.fromkeys(accounts)]
        key.add_to_resource_policy(
            iam.PolicyStatement(principals=list(principals), actions=list(_READ_KEY), resources=["*"])
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=list(principals),
                actions=list(_GRANT_KEY),
                resources=["*"],
                conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}},
            )
        )

    def _alarm(self, vault: ClusterBackupVault, topic: sns.ITopic, days: int | None) -> None:
        admit_publishers(self, topic, PUBLISHERS)
        for id, pattern in backup_patterns(vault.vault_name, vault.arn_for(self)).items():
            add_rule(self, id, pattern, topic, f"Backups of vault {vault.vault_name}: {_MEANINGS[id]}")
        if days is not None:
            missing_backup_alarm(self, "NoBackup", vault_name=vault.vault_name, days=days, topic=topic)
        vault.notify(topic)


_READ_KEY = ("kms:DescribeKey", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*")
_GRANT_KEY = ("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")

_MEANINGS = {
    "JobFailed": "a job failed, expired, was stopped or was partial",
    "JobWithIssues": "a job completed and left something out",
    "PartialRecoveryPoint": "a recovery point lacks volumes",
    "CopyFailed": "a copy failed or was partial",
    "VaultChanged": "the vault or its lock was changed",
}


def backup_role(
    scope: Construct,
    id: str,
    policy: str,
    s3_policy: str | None,
    *,
    description: str,
    permissions_boundary: iam.IManagedPolicy | None,
) -> iam.Role:
    """A role that AWS Backup assumes, with AWS's policies for EKS, EBS and EFS and, if asked for, for S3.

    Args:
        scope: where the role is made.
        id: the construct's id.
        policy: the name of AWS's policy.
        s3_policy: the name of AWS's policy for buckets, or ``None``.
        description: the role's description.
        permissions_boundary: the managed policy that bounds the role.

    Source: AWS Backup Developer Guide, "Managed policies for AWS Backup".
    """
    policies = [f"service-role/{policy}", *([s3_policy] if s3_policy else [])]
    return iam.Role(
        scope,
        id,
        assumed_by=iam.ServicePrincipal("backup.amazonaws.com"),
        description=description,
        managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(name) for name in policies],
        permissions_boundary=permissions_boundary,
    )


def _check_rules(
    refusals: Refusals,
    rules: Sequence[BackupRule],
    vault: ClusterBackupVault,
    copy_to: Sequence[ClusterBackupVault | str],
) -> None:
    """Refuses rules whose jobs a lock would make fail."""
    if not rules:
        refusals.refuse("rules", "there is none, so nothing is ever backed up", "leave it out for a daily backup")
    names = [rule.name for rule in rules]
    if len(set(names)) != len(names):
        refusals.refuse("rules", f"name one twice: {names}", "give each its own name")
    for position, rule in enumerate(rules):
        _check_lock(refusals, f"rules[{position}].keep_days", rule.keep_days, vault)
        for copy in copy_to:
            if isinstance(copy, ClusterBackupVault):
                field = "keep_days" if rule.copy_keep_days is None else "copy_keep_days"
                _check_lock(refusals, f"rules[{position}].{field}", rule.copy_keep_days or rule.keep_days, copy)
        if rule.copy_keep_days is not None and not copy_to:
            refusals.refuse(
                f"rules[{position}].copy_keep_days",
                "is for copies, and there are none",
                "give copy_to, or leave it out",
            )


def _check_lock(refusals: Refusals, field: str, days: int, vault: ClusterBackupVault) -> None:
    lock = vault.lock
    if lock is None:
        return
    longest = lock.max_retention_days
    if days < lock.min_retention_days:
        refusals.refuse(
            field,
            f"{days} is less than the {lock.min_retention_days} days that the lock of '{vault.node.path}' asks for, so "
            "every job would fail",
            f"keep recovery points for {lock.min_retention_days} days or more",
        )
    elif longest is not None and days > longest:
        refusals.refuse(
            field,
            f"{days} is more than the {longest} days that the lock of '{vault.node.path}' allows, so every job would "
            "fail",
            f"keep recovery points for {longest} days or less",
        )


def _check_copies(
    refusals: Refusals, copy_to: Sequence[ClusterBackupVault | str], vault: ClusterBackupVault, stack: Stack
) -> None:
    """Refuses destinations that no copy reaches."""
    seen: list[ClusterBackupVault | str] = []
    for position, copy in enumerate(copy_to):
        field = f"copy_to[{position}]"
        if copy in seen:
            refusals.refuse(field, "is named twice", "name each vault once")
        seen.append(copy)
        if copy is vault:
            refusals.refuse(
                field, "is the vault that the backups themselves go to", "give one of another region or account"
            )
            continue
        if isinstance(copy, str):
            if not is_token(copy) or ":" in copy:
                _check_vault_arn(refusals, field, copy, stack.region)
            continue
        home = Stack.of(copy)
        if home.node.addr != stack.node.addr and (is_token(home.region) or is_token(home.account)):
            refusals.refuse(
                field,
                f"'{copy.node.path}' is in a stack without region or account, so that its ARN is not known here",
                "give that stack env=cdk.Environment(account=..., region=...)",
            )
            continue
        _check_partition(refusals, field, home.region, stack.region)
        if home.account != stack.account and stack.account not in copy.copies_from:
            refusals.refuse(
                field,
                f"'{copy.node.path}' does not admit account '{_readable(stack.account)}'",
                "create it with copies_from=[...] of that account, and give this stack "
                "env=cdk.Environment(account=..., region=...)"
                if is_token(stack.account)
                else f"create it with copies_from=['{stack.account}']",
            )


def _check_vault_arn(refusals: Refusals, field: str, arn: str, region: str) -> None:
    parts = arn.split(":", 5)
    if (
        len(parts) < 6
        or parts[0] != "arn"
        or parts[2] != "backup"
        or (not is_token(parts[5]) and _VAULT.fullmatch(parts[5]) is None)
    ):
        refusals.refuse(
            field,
            f"{shown(arn)} is not the ARN of a backup vault",
            "give arn:<partition>:backup:<region>:<account>:backup-vault:<name>",
        )
        return
    _check_partition(refusals, field, parts[3], region)


def _check_partition(refusals: Refusals, field: str, one: str, other: str) -> None:
    if is_token(one) or is_token(other) or partition_of(one).name == partition_of(other).name:
        return
    refusals.refuse(
        field,
        f"lies in '{one}', of partition '{partition_of(one).name}', the cluster in '{other}'",
        f"copy within the partition '{partition_of(other).name}'",
    )


def _check_resources(refusals: Refusals, resources: Sequence[str], region: str) -> None:
    partition = None if is_token(region) else partition_of(region).name
    for position, arn in enumerate(resources):
        parts = arn.split(":", 5)
        if is_token(arn) and len(parts) < 6:
            continue
        if len(parts) < 6 or parts[0] != "arn":
            refusals.refuse(f"resources[{position}]", f"{shown(arn)} is not an ARN", "give the ARN of the resource")
        elif partition is not None and not is_token(parts[1]) and parts[1] != partition:
            refusals.refuse(
                f"resources[{position}]",
                f"{shown(arn)} is of partition '{parts[1]}', the cluster of '{partition}'",
                "give a resource of the cluster's region",
            )
        elif parts[2] == "eks":
            refusals.refuse(
                f"resources[{position}]", f"{shown(arn)} is a cluster", "make a ClusterBackup for each cluster"
            )


def _account_of(copy: ClusterBackupVault | str) -> str | None:
    if isinstance(copy, ClusterBackupVault):
        return Stack.of(copy).account
    parts = copy.split(":", 5)
    return parts[4] if len(parts) == 6 else None


def _arn(copy: ClusterBackupVault | str, scope: Construct) -> str:
    return copy if isinstance(copy, str) else copy.arn_for(scope)


def _rule(
    rule: BackupRule, vault_name: str, destinations: Sequence[str]
) -> backup.CfnBackupPlan.BackupRuleResourceTypeProperty:
    return backup.CfnBackupPlan.BackupRuleResourceTypeProperty(
        rule_name=rule.name,
        target_backup_vault=vault_name,
        schedule_expression=rule.expression,
        schedule_expression_timezone=rule.time_zone,
        start_window_minutes=rule.start_window_hours * 60,
        completion_window_minutes=rule.completion_window_hours * 60,
        lifecycle=_lifecycle(rule.keep_days, rule.cold_storage_after_days),
        copy_actions=[
            backup.CfnBackupPlan.CopyActionResourceTypeProperty(
                destination_backup_vault_arn=arn,
                lifecycle=_lifecycle(rule.copy_keep_days or rule.keep_days, rule.cold_storage_after_days),
            )
            for arn in destinations
        ]
        or None,
    )


def _plan_name(scope: Construct) -> str:
    return Names.unique_resource_name(scope, max_length=50, allowed_special_characters="-_.")


def _lifecycle(days: int, cold: int | None) -> backup.CfnBackupPlan.LifecycleResourceTypeProperty:
    return backup.CfnBackupPlan.LifecycleResourceTypeProperty(
        delete_after_days=days,
        move_to_cold_storage_after_days=cold,
        opt_in_to_archive_for_supported_resources=None if cold is None else True,
    )


def _selection_name(stack: Stack, selected: Sequence[str]) -> str:
    # A selection never changes: another one is created before the old one goes, so it needs another name.
    text = json.dumps(stack.resolve(list(selected)), sort_keys=True)
    return f"cluster-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _readable(value: str) -> str:
    return "<account>" if is_token(value) else value
