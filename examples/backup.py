"""Daily backups of a cluster, copies in another region, and a cluster there to restore into.

The vaults are locked; the key, role and alarms are made here. docs/backup.md has the drill, command by command.
"""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from automode_constructs import BackupRule, ClusterBackup, ClusterBackupVault, ClusterRestore, GovernanceLock
from automode_constructs.patterns import AccessStack, ClusterStack, PlatformStack

app = cdk.App()
ACCOUNT = "111122223333"
ADMIN = f"arn:{cdk.Aws.PARTITION}:iam::{ACCOUNT}:role/Admin"
home = cdk.Environment(account=ACCOUNT, region="eu-central-1")
refuge = cdk.Environment(account=ACCOUNT, region="eu-west-1")


def cluster_in(env: cdk.Environment, name: str, cluster_name: str) -> ClusterStack:
    """Both clusters get the same charts, so a restore skips the NodeClasses of the other one."""
    cluster = ClusterStack(app, name, cluster_name=cluster_name, env=env)
    AccessStack(app, f"{name}Access", cluster=cluster.cluster, admin_role_arns=[ADMIN], env=env)
    PlatformStack(app, f"{name}Platform", cluster=cluster.cluster, env=env)
    return cluster


def alarms(stack: Construct) -> sns.Topic:
    return sns.Topic(stack, "Alarms", master_key=kms.Key(stack, "AlarmKey", enable_key_rotation=True))


bank = cluster_in(home, "Bank", "bank")
spare = cluster_in(refuge, "Spare", "bank-spare")
lock = GovernanceLock(min_retention_days=7, max_retention_days=400)

restores = cdk.Stack(app, "SpareRestore", env=refuge)
copies = ClusterBackupVault(restores, "Vault", vault_name="bank-copies", lock=lock)
ClusterRestore(restores, "Restore", cluster=spare.cluster, source=bank.cluster, alarm_topic=alarms(restores))

backups = cdk.Stack(app, "BankBackup", env=home)
ClusterBackup(
    backups,
    "Backup",
    cluster=bank.cluster,
    vault=ClusterBackupVault(backups, "Vault", vault_name="bank", lock=lock),
    alarm_topic=alarms(backups),
    rules=[BackupRule(keep_days=35, copy_keep_days=90)],
    copy_to=[copies],
)
app.synth()
