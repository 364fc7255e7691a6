"""ClusterBackupVault: a locked vault of AWS Backup, with a key of yours, for recovery points of clusters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_backup as backup
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws import encryption
from automode_constructs.aws.scope import StackScope
from automode_constructs.errors import shown
from automode_constructs.tokens import is_token

__all__ = ["LONGEST_RETENTION_DAYS", "ClusterBackupVault", "ComplianceLock", "GovernanceLock"]

LONGEST_RETENTION_DAYS: Final = 36_500
"""Source: AWS Backup API, ``PutBackupVaultLockConfiguration`` and ``Lifecycle``."""

_LEAST_DAYS_TO_CHANGE = 3
_NAME = re.compile(r"[A-Za-z0-9_-]{2,50}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REMOVAL_POLICIES = (RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE, RemovalPolicy.DESTROY)
_VAULT_EVENTS = ("EKS_BACKUP_OBJECT_FAILED", "EKS_RESTORE_OBJECT_FAILED")
"""What only the vault itself tells: Kubernetes objects that a job, which then counts as completed, left out."""


def _check_days(lock: GovernanceLock | ComplianceLock, where: str, *, changeable_for_days: int | None = None) -> None:
    refusals = Refusals(where)
    refusals.number("min_retention_days", lock.min_retention_days, least=1, most=LONGEST_RETENTION_DAYS)
    longest = lock.max_retention_days
    if longest is not None:
        refusals.number("max_retention_days", longest, least=1, most=LONGEST_RETENTION_DAYS)
        if longest < lock.min_retention_days:
            refusals.refuse(
                "max_retention_days", f"{longest} is less than min_retention_days, {lock.min_retention_days}"
            )
    if changeable_for_days is not None:
        refusals.number(
            "changeable_for_days", changeable_for_days, least=_LEAST_DAYS_TO_CHANGE, most=LONGEST_RETENTION_DAYS
        )
    refusals.raise_all()


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class GovernanceLock:
    """A vault lock that those with ``backup:DeleteBackupVaultLockConfiguration`` can take off again.

    While it holds, nobody deletes a recovery point before its time, and jobs that ask for another retention fail.

    Args:
        min_retention_days: how long each recovery point is kept at least, 1 to 36,500 days. Default: 7; we decide.
        max_retention_days: how long each recovery point is kept at most, up to 36,500 days. Default: no limit, as AWS
            Backup decides.

    Raises:
        AutoModeError: for days out of bounds.

    Source: AWS Backup Developer Guide, "AWS Backup Vault Lock".
    """

    min_retention_days: int = 7
    max_retention_days: int | None = None

    def __post_init__(self) -> None:
        _check_days(self, "GovernanceLock")


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class ComplianceLock:
    """A vault lock that nobody can take off once its days of grace are over: not you, not an administrator, not AWS.

    From then on the vault, and each recovery point until its time, stay and cost money as long as the account exists.
    CloudFormation cannot delete them, and a stack that tries fails. Try everything with a ``GovernanceLock`` first.

    Args:
        confirm: the words ``can never be undone``, so that nobody chooses this lock by accident.
        min_retention_days: how long each recovery point is kept at least, 1 to 36,500 days.
        max_retention_days: how long each recovery point is kept at most, up to 36,500 days; it bounds what a mistake
            can cost.
        changeable_for_days: the days of grace after the vault is created or the lock is set, 3 to 36,500. Default: 14;
            we decide.

    Raises:
        AutoModeError: for other words, and for days out of bounds.

    Source: AWS Backup Developer Guide, "AWS Backup Vault Lock".
    """

    confirm: Literal["can never be undone"]
    min_retention_days: int
    max_retention_days: int
    changeable_for_days: int = 14

    def __post_init__(self) -> None:
        _check_days(self, "ComplianceLock", changeable_for_days=self.changeable_for_days)


class ClusterBackupVault(Construct):
    """A vault of AWS Backup for recovery points of clusters, encrypted with a key of yours and locked.

    Creates an ``AWS::Backup::BackupVault`` and, unless you bring one, a KMS key, rotated every year. The state of a
    cluster is encrypted with this key; snapshots of its volumes keep the key of the volumes. The copies of a
    ``ClusterBackup`` go to a vault in another region or account: create it there, with ``copies_from`` for another
    account.

    The vault has a name, so a vault that stayed behind can be imported into a new stack (``cdk import``). Only an empty
    vault can be deleted.

    The vault costs nothing, the key about 1 USD a month, and the same again after each of its first two rotations.
    Recovery points cost money by the gigabyte and month, see ``ClusterBackup`` (27 Nov 2026).

    Args:
        scope: the scope in which the vault is created, in the region and account that keep the recovery points.
        id: the construct's id.
        vault_name: 2 to 50 letters, digits, ``-`` and ``_``; no token. It cannot change.
        lock: a ``GovernanceLock``, a ``ComplianceLock``, or ``None`` for none. Default: a ``GovernanceLock`` of 7 days;
            we decide (AWS Backup would lock nothing).
        encryption_key: the KMS key; it cannot change. Default: a new key; we decide.
        copies_from: ids of other accounts, of the same organization, that may copy recovery points into this vault.
            Default: none.
        removal_policy: what happens to vault and key when they leave the stack. ``DESTROY`` deletes an empty vault and
            fails on one with recovery points. Default: ``RETAIN_ON_UPDATE_OR_DELETE``; we decide.

    Attributes:
        vault: the vault's resource.
        vault_name: its name.
        vault_arn: its ARN, for constructs in its own stack.
        lock: its lock.
        encryption_key: its key.
        copies_from: the accounts that may copy into it.

    Raises:
        AutoModeError: for an invalid name or account id; for a key of another region; for a removal policy that the
            lock or the name do not allow.

    Source: ``AWS::Backup::BackupVault``; AWS Backup Developer Guide, "Amazon EKS backups" and "Encryption for backups
    in AWS Backup".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        vault_name: str,
        lock: GovernanceLock | ComplianceLock | None = GovernanceLock(),
        encryption_key: kms.IKey | None = None,
        copies_from: Sequence[str] = (),
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        refusals = Refusals(place(scope, id))
        if is_token(vault_name):
            refusals.refuse(
                "vault_name",
                "holds a value known only after deployment",
                "give a concrete name: other regions and commands must know it",
            )
        elif _NAME.fullmatch(vault_name) is None:
            refusals.refuse(
                "vault_name",
                f"{shown(vault_name)} is not the name of a backup vault",
                "use 2 to 50 letters, digits, '-' and '_'",
            )
        for position, account in enumerate(copies_from):
            check_account(refusals, f"copies_from[{position}]", account)
        if removal_policy not in _REMOVAL_POLICIES:
            refusals.refuse(
                "removal_policy",
                f"got {removal_policy.name}: after a failed first deployment the vault's name would stay taken",
                "use RETAIN_ON_UPDATE_OR_DELETE or DESTROY",
            )
        elif removal_policy == RemovalPolicy.DESTROY and isinstance(lock, ComplianceLock):
            refusals.refuse(
                "removal_policy",
                "got DESTROY beside a ComplianceLock, under which a vault can never be deleted",
                "use RETAIN_ON_UPDATE_OR_DELETE, or a GovernanceLock",
            )
        if encryption_key is not None:
            encryption.check_key(refusals, "encryption_key", encryption_key.key_arn, Stack.of(scope).region)
        refusals.raise_all()

        super().__init__(scope, id)
        self.vault_name = vault_name
        self.lock = lock
        self.copies_from = tuple(copies_from)
        if encryption_key is None:
            self.encryption_key: kms.IKey = encryption.customer_key(
                self, "Key", "recovery points of EKS clusters", removal_policy
            )
        else:
            self.encryption_key = encryption_key
            if not isinstance(encryption_key, kms.Key):
                encryption.warn_of_imported_key(self, encryption_key, ("kms:CreateGrant", "kms:DescribeKey"))
        self.vault = backup.CfnBackupVault(
            self,
            "Vault",
            backup_vault_name=vault_name,
            encryption_key_arn=self.encryption_key.key_arn,
            lock_configuration=_lock_property(lock),
            access_policy=_admit(copies_from) if copies_from else None,
        )
        self.vault.apply_removal_policy(removal_policy)
        self.vault_arn: str = self.vault.attr_backup_vault_arn

    def arn_for(self, scope: Construct) -> str:
        """The vault's ARN as a stack can write it: the attribute in the vault's own, else put together from its name.

        Args:
            scope: a construct of the stack.
        """
        home = Stack.of(self)
        if Stack.of(scope).node.addr == home.node.addr:
            return self.vault_arn
        partition = Stack.of(scope).partition
        return f"arn:{partition}:backup:{home.region}:{home.account}:backup-vault:{self.vault_name}"

    def notify(self, topic: sns.ITopic) -> None:
        """Makes the vault tell a topic which Kubernetes objects a completed job has left out.

        Args:
            topic: the topic, in the vault's region; its policy admits AWS Backup.
        """
        self.vault.notifications = backup.CfnBackupVault.NotificationObjectTypeProperty(
            backup_vault_events=list(_VAULT_EVENTS), sns_topic_arn=topic.topic_arn
        )


def check_account(refusals: Refusals, field: str, account: str) -> None:
    """Refuses what is no id of an AWS account. Tokens are accepted."""
    if not is_token(account) and _ACCOUNT.fullmatch(account) is None:
        refusals.refuse(field, f"{shown(account)} is not an account id", "give its 12 digits")


def _lock_property(
    lock: GovernanceLock | ComplianceLock | None,
) -> backup.CfnBackupVault.LockConfigurationTypeProperty | None:
    if lock is None:
        return None
    return backup.CfnBackupVault.LockConfigurationTypeProperty(
        min_retention_days=lock.min_retention_days,
        max_retention_days=lock.max_retention_days,
        # Its presence alone is what makes the lock one of compliance mode.
        changeable_for_days=lock.changeable_for_days if isinstance(lock, ComplianceLock) else None,
    )


def _admit(accounts: Sequence[str]) -> iam.PolicyDocument:
    return iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(
                sid="CopiesFromOtherAccounts",
                principals=[iam.AccountPrincipal(account) for account in accounts],
                actions=["backup:CopyIntoBackupVault"],
                resources=["*"],
            )
        ]
    )
