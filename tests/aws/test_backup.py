"""Backups of a cluster: a locked vault, a plan with copies, alarms that match what AWS Backup says, and restores."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from botocore.session import get_session
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from moto.events.models import EventPattern

from automode_constructs import (
    AutoModeCluster,
    BackupRule,
    ClusterBackup,
    ClusterBackupVault,
    ClusterRestore,
    ComplianceLock,
    ExistingNetwork,
    GovernanceLock,
    ImportedCluster,
    KubernetesObject,
    restore_metadata,
)
from tests.refusal import refusal
from tests.support import feature_flags, of_type, only, synthesised, text_of
from tests.template_checks import template_findings
from tests.template_order import waits_for

OURS, THEIRS = "111122223333", "444455556666"
VAULT, PLAN, SELECTION = "AWS::Backup::BackupVault", "AWS::Backup::BackupPlan", "AWS::Backup::BackupSelection"
Templates = dict[str, dict[str, Any]]


def env(region: str, account: str = OURS) -> cdk.Environment:
    return cdk.Environment(region=region, account=account)


@pytest.fixture(scope="module")
def templates() -> Templates:
    """A cluster with copies to another region and another account, and the cluster to restore into."""
    app = cdk.App(context=feature_flags())
    home = cdk.Stack(app, "Home", env=env("eu-west-1"))
    cluster = AutoModeCluster(home, "Cluster", cluster_name="bank", network=existing_network(home))
    region = ClusterBackupVault(cdk.Stack(app, "Region", env=env("eu-central-1")), "Vault", vault_name="bank-region")
    account = ClusterBackupVault(
        cdk.Stack(app, "Account", env=env("eu-central-1", THEIRS)),
        "Vault",
        vault_name="bank-account",
        lock=ComplianceLock(confirm="can never be undone", min_retention_days=30, max_retention_days=400),
        copies_from=[OURS],
    )
    stack = cdk.Stack(app, "Backup", env=env("eu-west-1"))
    topic = sns.Topic(stack, "Topic", master_key=kms.Key(stack, "TopicKey", enable_key_rotation=True))
    ClusterBackup(
        stack,
        "Backup",
        cluster=cluster,
        vault=ClusterBackupVault(stack, "Vault", vault_name="bank"),
        alarm_topic=topic,
        rules=[
            BackupRule(),
            BackupRule(
                name="monthly",
                schedule=events.Schedule.cron(minute="30", hour="1", day="1"),
                time_zone="Europe/Berlin",
                keep_days=400,
                copy_keep_days=200,
                cold_storage_after_days=30,
            ),
        ],
        copy_to=[region, account],
        s3_volumes=True,
    )
    ClusterRestore(stack, "Restore", cluster=cluster, alarm_topic=topic)
    gov = cdk.Stack(app, "Gov", env=env("us-gov-west-1"))
    ClusterBackup(
        gov,
        "Backup",
        cluster=ImportedCluster(gov, "Cluster", cluster_name="gov"),
        vault=ClusterBackupVault(gov, "Vault", vault_name="gov", lock=None),
        alarm_topic=sns.Topic(gov, "Topic"),
        alarm_after_days=None,
    )
    return synthesised(app)


def existing_network(stack: cdk.Stack) -> ExistingNetwork:
    from aws_cdk import aws_ec2 as ec2

    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        vpc_cidr_block="10.20.0.0/16",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
    )
    return ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets, tagged=True)


class TestVault:
    def test_has_a_key_of_ours_and_a_lock_that_can_be_taken_off(self, templates: Templates) -> None:
        vault = only(templates["Backup"], VAULT)
        assert vault["Properties"]["LockConfiguration"] == {"MinRetentionDays": 7}
        key = vault["Properties"]["EncryptionKeyArn"]["Fn::GetAtt"][0]
        assert templates["Backup"]["Resources"][key]["Properties"]["EnableKeyRotation"] is True
        assert (vault["DeletionPolicy"], vault["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")

    def test_is_locked_for_ever_only_by_the_words(self, templates: Templates) -> None:
        assert only(templates["Account"], VAULT)["Properties"]["LockConfiguration"] == {
            "ChangeableForDays": 14,
            "MaxRetentionDays": 400,
            "MinRetentionDays": 30,
        }
        words = refusal(
            lambda: ComplianceLock(confirm="yes", min_retention_days=7, max_retention_days=30)  # type: ignore[arg-type]
        )
        assert words == "ComplianceLock: confirm: 'yes' is not known; use 'can never be undone'"

    def test_admits_other_accounts_by_name(self, templates: Templates) -> None:
        (statement,) = only(templates["Account"], VAULT)["Properties"]["AccessPolicy"]["Statement"]
        assert statement["Action"] == "backup:CopyIntoBackupVault"
        assert text_of(statement["Principal"]["AWS"]).endswith(f":iam::{OURS}:root")
        assert "AccessPolicy" not in only(templates["Region"], VAULT)["Properties"]

    def test_tells_which_objects_a_job_left_out(self, templates: Templates) -> None:
        told = only(templates["Backup"], VAULT)["Properties"]["Notifications"]["BackupVaultEvents"]
        assert told == ["EKS_BACKUP_OBJECT_FAILED", "EKS_RESTORE_OBJECT_FAILED"]
        known = get_session().get_service_model("backup").shape_for("BackupVaultEvent")
        assert {*told} <= {*known.enum}

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (
                {"vault_name": "a b"},
                "vault_name: 'a b' is not the name of a backup vault; use 2 to 50 letters, digits, '-' and '_'",
            ),
            (
                {"vault_name": cdk.Aws.STACK_NAME},
                "vault_name: holds a value known only after deployment; give a concrete name: other regions and "
                "commands must know it",
            ),
            ({"copies_from": ["bank"]}, "copies_from[0]: 'bank' is not an account id; give its 12 digits"),
            (
                {"removal_policy": cdk.RemovalPolicy.RETAIN},
                "removal_policy: got RETAIN: after a failed first deployment the vault's name would stay taken; use "
                "RETAIN_ON_UPDATE_OR_DELETE or DESTROY",
            ),
            (
                {
                    "removal_policy": cdk.RemovalPolicy.DESTROY,
                    "lock": ComplianceLock(confirm="can never be undone", min_retention_days=1, max_retention_days=2),
                },
                "removal_policy: got DESTROY beside a ComplianceLock, under which a vault can never be deleted; use "
                "RETAIN_ON_UPDATE_OR_DELETE, or a GovernanceLock",
            ),
        ],
    )
    def test_refuses(self, arguments: dict[str, Any], words: str) -> None:
        stack = cdk.Stack(cdk.App(), "Dev")
        assert refusal(lambda: ClusterBackupVault(stack, "Vault", **{"vault_name": "bank", **arguments})) == (
            f"Dev/Vault: {words}"
        )

    def test_refuses_a_key_of_another_region(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=env("eu-west-1"))
        key = kms.Key.from_key_arn(stack, "Key", f"arn:aws:kms:eu-central-1:{OURS}:key/1")
        words = refusal(lambda: ClusterBackupVault(stack, "Vault", vault_name="bank", encryption_key=key))
        assert "lies in 'eu-central-1', the cluster in 'eu-west-1'; give a key of 'eu-west-1'" in words

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (
                lambda: GovernanceLock(min_retention_days=0),
                "GovernanceLock: min_retention_days: must be at least 1, got 0",
            ),
            (
                lambda: GovernanceLock(min_retention_days=9, max_retention_days=8),
                "GovernanceLock: max_retention_days: 8 is less than min_retention_days, 9",
            ),
            (
                lambda: ComplianceLock(
                    confirm="can never be undone",
                    min_retention_days=7,
                    max_retention_days=36_501,
                    changeable_for_days=2,
                ),
                "ComplianceLock: 2 problems\n  max_retention_days: must be at most 36500, got 36501\n  "
                "changeable_for_days: must be at least 3, got 2",
            ),
        ],
    )
    def test_a_lock_has_bounds(self, make: Callable[[], object], words: str) -> None:
        assert refusal(make) == words


class TestPlan:
    def test_selects_the_cluster_and_waits_for_what_it_names(self, templates: Templates) -> None:
        template = templates["Backup"]
        selection = only(template, SELECTION)["Properties"]["BackupSelection"]
        (arn,) = selection["Resources"]
        assert re.search(r":eks:eu-west-1:111122223333:cluster/.*Home:Exports", text_of(arn))
        before = waits_for(template)
        (vault,), (plan,), (name,) = (of_type(template, kind) for kind in (VAULT, PLAN, SELECTION))
        assert {vault} <= before[plan]
        assert {plan, vault} <= before[name]

    def test_rules_say_when_how_long_and_where_to(self, templates: Templates) -> None:
        daily, monthly = only(templates["Backup"], PLAN)["Properties"]["BackupPlan"]["BackupPlanRule"]
        assert daily["ScheduleExpression"] == "cron(0 3 * * ? *)"
        assert daily["Lifecycle"] == {"DeleteAfterDays": 35}
        assert daily["TargetBackupVault"] == "bank"
        assert monthly["ScheduleExpression"] == "cron(30 1 1 * ? *)"
        assert monthly["ScheduleExpressionTimezone"] == "Europe/Berlin"
        copies = {text_of(copy["DestinationBackupVaultArn"]): copy["Lifecycle"] for copy in monthly["CopyActions"]}
        partition = "arn:{{'Ref': 'AWS::Partition'}}:backup:eu-central-1"
        cold = {"DeleteAfterDays": 200, "MoveToColdStorageAfterDays": 30, "OptInToArchiveForSupportedResources": True}
        assert copies == {
            f"{partition}:{OURS}:backup-vault:bank-region": cold,
            f"{partition}:{THEIRS}:backup-vault:bank-account": cold,
        }

    def test_the_role_has_what_aws_asks_for(self, templates: Templates) -> None:
        roles = {
            name: [text_of(arn).partition(":policy/")[2] for arn in role["Properties"]["ManagedPolicyArns"]]
            for name, role in of_type(templates["Backup"], "AWS::IAM::Role").items()
        }
        assert sorted(roles.values()) == [
            ["service-role/AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForS3Backup"],
            ["service-role/AWSBackupServiceRolePolicyForRestores"],
        ]

    def test_policies_exist_where_their_names_say(self) -> None:
        from moto.iam.aws_managed_policies import aws_managed_policies_data

        known = json.loads(aws_managed_policies_data)
        paths = {name: known[name]["Path"] for name in known if name.startswith("AWSBackupServiceRolePolicyFor")}
        assert paths["AWSBackupServiceRolePolicyForBackup"] == "/service-role/"
        assert paths["AWSBackupServiceRolePolicyForRestores"] == "/service-role/"
        assert paths["AWSBackupServiceRolePolicyForS3Backup"] == "/"
        assert paths["AWSBackupServiceRolePolicyForS3Restore"] == "/"

    def test_keys_are_opened_to_the_account_that_gets_copies(self, templates: Templates) -> None:
        def readers(template: dict[str, Any], what: str) -> list[str]:
            (key,) = (
                body["Properties"]
                for body in of_type(template, "AWS::KMS::Key").values()
                if what in body["Properties"].get("Description", "")
            )
            return [
                text_of(statement["Principal"]["AWS"])
                for statement in key["KeyPolicy"]["Statement"]
                if "kms:ReEncrypt*" in statement["Action"] and "AWS" in statement["Principal"]
            ]

        assert any(f":{THEIRS}:" in reader for reader in readers(templates["Backup"], "recovery points"))
        assert any(f":{THEIRS}:" in reader for reader in readers(templates["Home"], "EBS volumes"))

    def test_an_app_without_copies_opens_nothing(self, templates: Templates) -> None:
        gov = templates["Gov"]
        assert "LockConfiguration" not in only(gov, VAULT)["Properties"]
        assert THEIRS not in json.dumps(gov)
        assert of_type(gov, "AWS::CloudWatch::Alarm") == {}


class TestAlarms:
    def patterns(self, template: dict[str, Any]) -> dict[str, EventPattern]:
        rules = of_type(template, "AWS::Events::Rule")
        arns = {json.dumps(value): arn for value, arn in self.arns(template).items() for value in [json.loads(value)]}
        found = {}
        for name, rule in rules.items():
            text = json.dumps(rule["Properties"]["EventPattern"])
            for value, arn in arns.items():
                text = text.replace(value, json.dumps(arn))
            found[name] = EventPattern.load(text)
        return found

    def arns(self, template: dict[str, Any]) -> dict[str, str]:
        (vault,) = of_type(template, VAULT)
        (role,) = (name for name in of_type(template, "AWS::IAM::Role") if name.startswith("Restore"))
        return {
            json.dumps({"Fn::GetAtt": [vault, "BackupVaultArn"]}): "arn:the-vault",
            json.dumps({"Fn::GetAtt": [role, "Arn"]}): "arn:the-restore-role",
        }

    @pytest.mark.parametrize(
        ("kind", "detail", "rules"),
        [
            ("Backup Job", {"backupVaultName": "bank", "state": "FAILED", "statusMessage": "x"}, ["JobFailed"]),
            ("Backup Job", {"backupVaultName": "bank", "state": "EXPIRED"}, ["JobFailed"]),
            ("Backup Job", {"backupVaultName": "bank", "state": "ABORTED"}, ["JobFailed"]),
            ("Backup Job", {"backupVaultName": "bank", "state": "PARTIAL"}, ["JobFailed"]),
            ("Backup Job", {"backupVaultName": "other", "state": "FAILED"}, []),
            ("Backup Job", {"backupVaultName": "bank", "state": "COMPLETED"}, []),
            ("Backup Job", {"backupVaultName": "bank", "state": "COMPLETED", "statusMessage": ""}, []),
            ("Backup Job", {"backupVaultName": "bank", "state": "RUNNING", "statusMessage": "x"}, []),
            (
                "Backup Job",
                {"backupVaultName": "bank", "state": "COMPLETED", "statusMessage": "Some Kubernetes Objects failed"},
                ["JobWithIssues"],
            ),
            ("Recovery Point", {"backupVaultName": "bank", "status": "PARTIAL"}, ["PartialRecoveryPoint"]),
            ("Recovery Point", {"backupVaultName": "bank", "status": "COMPLETED"}, []),
            ("Copy Job", {"sourceBackupVaultArn": "arn:the-vault", "state": "FAILED"}, ["CopyFailed"]),
            ("Copy Job", {"sourceBackupVaultArn": "arn:the-vault", "state": "COMPLETED"}, []),
            ("Backup Vault", {"backupVaultName": "bank", "state": "MODIFIED", "isLocked": "false"}, ["VaultChanged"]),
            ("Backup Vault", {"backupVaultName": "bank", "state": "CREATED"}, []),
            ("Restore Job", {"iamRoleArn": "arn:the-restore-role", "status": "FAILED"}, ["RestoreFailed"]),
            (
                "Restore Job",
                {"iamRoleArn": "arn:the-restore-role", "status": "COMPLETED", "statusMessage": "One or more"},
                ["RestoreFailed"],
            ),
            ("Restore Job", {"iamRoleArn": "arn:the-restore-role", "status": "COMPLETED"}, []),
            ("Restore Job", {"iamRoleArn": "arn:another-role", "status": "FAILED"}, []),
        ],
    )
    def test_rules_match_the_events_that_somebody_must_see(
        self, templates: Templates, kind: str, detail: dict[str, str], rules: list[str]
    ) -> None:
        event: Any = {"source": "aws.backup", "detail-type": f"{kind} State Change", "detail": detail}
        matched = [name for name, pattern in self.patterns(templates["Backup"]).items() if pattern.matches_event(event)]
        assert [next(rule for rule in _RULES if rule in name) for name in matched] == rules

    def test_states_are_those_of_the_api(self) -> None:
        model = get_session().get_service_model("backup")
        assert {"FAILED", "ABORTED", "EXPIRED", "PARTIAL"} <= {*model.shape_for("BackupJobState").enum}
        assert {"FAILED", "PARTIAL"} <= {*model.shape_for("CopyJobState").enum}
        assert {"FAILED", "ABORTED"} <= {*model.shape_for("RestoreJobStatus").enum}
        assert "PARTIAL" in model.shape_for("RecoveryPointStatus").enum

    def test_days_without_a_backup_alarm(self, templates: Templates) -> None:
        alarm = only(templates["Backup"], "AWS::CloudWatch::Alarm")["Properties"]
        assert (alarm["EvaluationPeriods"], alarm["Period"], alarm["Threshold"]) == (2, 86400, 1)
        assert alarm["TreatMissingData"] == "breaching"
        assert alarm["Dimensions"] == [{"Name": "BackupVaultName", "Value": "bank"}]
        assert alarm["AlarmActions"] == alarm["OKActions"]

    def test_the_topic_and_its_key_admit_the_publishers_once(self, templates: Templates) -> None:
        publishers = ["backup.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"]
        topic = only(templates["Backup"], "AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
        assert [one["Principal"]["Service"] for one in topic if one["Action"] == "sns:Publish"] == publishers
        allowed = [
            statement["Principal"]["Service"]
            for key in of_type(templates["Backup"], "AWS::KMS::Key").values()
            for statement in key["Properties"]["KeyPolicy"]["Statement"]
            if statement["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
        ]
        assert [one for one in allowed if one in publishers] == publishers


_RULES = ("JobFailed", "JobWithIssues", "PartialRecoveryPoint", "CopyFailed", "VaultChanged", "RestoreFailed")


@pytest.fixture(scope="module")
def make() -> Callable[..., ClusterBackup]:
    app = cdk.App()
    stack = cdk.Stack(app, "Dev", env=env("eu-west-1"))
    arguments = {
        "cluster": ImportedCluster(stack, "Cluster", cluster_name="bank"),
        "vault": ClusterBackupVault(stack, "Vault", vault_name="bank"),
        "alarm_topic": sns.Topic(stack, "Topic"),
    }
    return lambda **changes: ClusterBackup(stack, "Backup", **{**arguments, **changes})


def elsewhere(region: str, account: str = OURS, **arguments: Any) -> ClusterBackupVault:
    stack = cdk.Stack(cdk.App(), "Else", env=env(region, account))
    return ClusterBackupVault(stack, "Vault", vault_name="copies", **arguments)


class TestRefusals:
    def test_a_retention_that_the_lock_refuses(self, make: Callable[..., ClusterBackup]) -> None:
        assert refusal(lambda: make(rules=[BackupRule(keep_days=5)])) == (
            "Dev/Backup: rules[0].keep_days: 5 is less than the 7 days that the lock of 'Dev/Vault' asks for, so every "
            "job would fail; keep recovery points for 7 days or more"
        )
        copies = elsewhere("eu-central-1", lock=GovernanceLock(max_retention_days=30))
        assert refusal(lambda: make(copy_to=[copies])) == (
            "Dev/Backup: rules[0].keep_days: 35 is more than the 30 days that the lock of 'Else/Vault' allows, so "
            "every job would fail; keep recovery points for 30 days or less"
        )

    def test_no_rule_or_two_of_a_name(self, make: Callable[..., ClusterBackup]) -> None:
        assert refusal(lambda: make(rules=[])) == (
            "Dev/Backup: rules: there is none, so nothing is ever backed up; leave it out for a daily backup"
        )
        assert "rules: name one twice: ['daily', 'daily']" in refusal(lambda: make(rules=[BackupRule(), BackupRule()]))
        assert "rules[0].copy_keep_days: is for copies, and there are none" in refusal(
            lambda: make(rules=[BackupRule(copy_keep_days=9)])
        )

    def test_copies_that_never_arrive(self, make: Callable[..., ClusterBackup]) -> None:
        assert refusal(lambda: make(copy_to=[elsewhere("us-gov-west-1")])) == (
            "Dev/Backup: copy_to[0]: lies in 'us-gov-west-1', of partition 'aws-us-gov', the cluster in 'eu-west-1'; "
            "copy within the partition 'aws'"
        )
        assert refusal(lambda: make(copy_to=[elsewhere("eu-west-1", THEIRS)])) == (
            "Dev/Backup: copy_to[0]: 'Else/Vault' does not admit account '111122223333'; create it with "
            "copies_from=['111122223333']"
        )
        assert refusal(lambda: make(copy_to=["bank-copies"])) == (
            "Dev/Backup: copy_to[0]: 'bank-copies' is not the ARN of a backup vault; give "
            "arn:<partition>:backup:<region>:<account>:backup-vault:<name>"
        )
        nowhere = ClusterBackupVault(cdk.Stack(cdk.App(), "Else"), "Vault", vault_name="copies")
        assert "'Else/Vault' is in a stack without region or account" in refusal(lambda: make(copy_to=[nowhere]))
        arn = f"arn:aws:backup:eu-west-2:{OURS}:backup-vault:copies"
        assert "copy_to[1]: is named twice; name each vault once" in refusal(lambda: make(copy_to=[arn, arn]))

    def test_the_vault_itself_or_one_of_another_stack(self, make: Callable[..., ClusterBackup]) -> None:
        assert refusal(lambda: make(vault=elsewhere("eu-west-1"))) == (
            "Dev/Backup: vault: 'Else/Vault' is in another stack than this backup, which changes its notifications; "
            "create the vault in this stack; vaults elsewhere are for copy_to"
        )

    def test_a_topic_that_hears_nothing(self, make: Callable[..., ClusterBackup]) -> None:
        stack = cdk.Stack(cdk.App(), "Else", env=env("eu-central-1"))
        assert refusal(lambda: make(alarm_topic=sns.Topic(stack, "Topic"))) == (
            "Dev/Backup: alarm_topic: lies in 'eu-central-1', the alarms in 'eu-west-1'; give a topic of 'eu-west-1'; "
            "it may forward to another one"
        )
        here = cdk.Stack(cdk.App(), "Else", env=env("eu-west-1"))
        of_sns = kms.Alias.from_alias_name(here, "Key", "alias/aws/sns")
        assert "is encrypted with 'alias/aws/sns', with which AWS's services publish nothing" in (
            refusal(lambda: make(alarm_topic=sns.Topic(here, "Topic", master_key=of_sns)))
        )

    def test_resources_that_are_none(self, make: Callable[..., ClusterBackup]) -> None:
        assert refusal(lambda: make(resources=["bucket"])) == (
            "Dev/Backup: resources[0]: 'bucket' is not an ARN; give the ARN of the resource"
        )
        assert "is of partition 'aws-us-gov', the cluster of 'aws'" in refusal(
            lambda: make(resources=["arn:aws-us-gov:s3:::bucket"])
        )
        assert "is a cluster; make a ClusterBackup for each cluster" in refusal(
            lambda: make(resources=[f"arn:aws:eks:eu-west-1:{OURS}:cluster/other"])
        )

    def test_an_alarm_that_cannot_look_back(self, make: Callable[..., ClusterBackup]) -> None:
        assert refusal(lambda: make(alarm_after_days=8)) == "Dev/Backup: alarm_after_days: must be at most 7, got 8"

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"name": "every day"}, "name: 'every day' is not the name of a rule"),
            (
                {"schedule": events.Schedule.rate(cdk.Duration.days(1))},
                "schedule: 'rate(1 day)' is no cron expression of one minute; write events.Schedule.cron(minute='0', "
                "hour='3'): AWS Backup takes no rates, and no more than one backup an hour",
            ),
            ({"schedule": events.Schedule.cron(hour="3")}, "schedule: 'cron(* 3 * * ? *)' is no cron expression"),
            ({"time_zone": "Berlin"}, "time_zone: 'Berlin' is not a time zone"),
            ({"keep_days": 0}, "keep_days: must be at least 1, got 0"),
            ({"copy_keep_days": 36_501}, "copy_keep_days: must be at most 36500, got 36501"),
            (
                {"cold_storage_after_days": 30},
                "cold_storage_after_days: 30 leaves 5 of 35 days for cold storage, which takes at least 90; keep "
                "recovery points for 120 days or more, or leave it out",
            ),
            ({"start_window_hours": 0}, "start_window_hours: must be at least 1, got 0"),
            ({"completion_window_hours": 8}, "completion_window_hours: must be at least 9, got 8"),
        ],
    )
    def test_a_rule_has_bounds(self, fields: dict[str, Any], words: str) -> None:
        assert f"BackupRule: {words}" in refusal(lambda: BackupRule(**fields))


class TestWarnings:
    def messages(self, stack: cdk.Stack) -> list[str]:
        return [
            str(entry.data)
            for construct in stack.node.find_all()
            for entry in construct.node.metadata
            if entry.type == "aws:cdk:warning"
        ]

    def test_what_the_stack_cannot_change_is_named(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=env("eu-west-1"))
        key = kms.Key.from_key_arn(stack, "Key", f"arn:aws:kms:eu-west-1:{OURS}:key/1")
        ClusterBackup(
            stack,
            "Backup",
            cluster=ImportedCluster(stack, "Cluster", cluster_name="bank"),
            vault=ClusterBackupVault(stack, "Vault", vault_name="bank", encryption_key=key),
            alarm_topic=sns.Topic.from_topic_arn(stack, "Topic", f"arn:aws:sns:eu-west-1:{OURS}:alarms"),
            copy_to=[f"arn:aws:backup:eu-central-1:{THEIRS}:backup-vault:copies"],
        )
        found = self.messages(stack)
        assert any(
            f"the topic arn:aws:sns:eu-west-1:{OURS}:alarms is imported, so this stack cannot change its policy, "
            'and nobody hears of an alarm; for alarms it must contain {"Effect":"Allow","Principal":{"Service":['
            '"backup.amazonaws.com",' in one
            for one in found
        )
        assert {"automode:TopicPolicyNotOurs", "automode:CrossAccountBackup"} <= set(
            re.findall(r"automode:[A-Za-z]+", " ".join(found))
        )
        assert any("copy_to: copies to another account succeed only within an organization" in one for one in found)
        assert (
            sum("is imported, so this stack cannot change its policy; to let the account" in one for one in found) == 2
        )


class TestRestore:
    def test_metadata_is_what_the_page_shows(self) -> None:
        assert restore_metadata(cluster_name="existing-cluster") == {
            "clusterName": "existing-cluster",
            "newCluster": "false",
        }
        assert restore_metadata(cluster_name="existing-cluster", namespaces=["ns-1", "ns-2"]) == {
            "clusterName": "existing-cluster",
            "newCluster": "false",
            "namespaceLevelRestore": "true",
            "namespaces": '["ns-1", "ns-2"]',
        }
        point = f"arn:aws:backup:us-west-2:{OURS}:recovery-point:fa71a304-2555-4c37-8128-f154b9578032"
        nested = restore_metadata(
            cluster_name="c",
            volumes={"arn:aws:ec2:us-west-2::snapshot/snap-abc123": "us-west-2a"},
            buckets={point: "bucket-name"},
            restore_order=["v1/persistentvolumes", "customresource/v2/custom"],
        )
        assert {arn: json.loads(text) for arn, text in json.loads(nested["nestedRestoreJobs"]).items()} == {
            "arn:aws:ec2:us-west-2::snapshot/snap-abc123": {"AvailabilityZone": "us-west-2a"},
            point: {"DestinationBucketName": "bucket-name"},
        }
        assert json.loads(nested["kubernetesRestoreOrder"]) == ["v1/persistentvolumes", "customresource/v2/custom"]

    def test_metadata_is_a_mapping_of_texts_for_the_api(self) -> None:
        from botocore.validate import ParamValidator

        shape = get_session().get_service_model("backup").operation_model("StartRestoreJob").input_shape
        metadata = restore_metadata(cluster_name="bank", namespaces=["shop"], manifests_only=True)
        parameters = {"RecoveryPointArn": "arn", "Metadata": metadata, "ResourceType": "EKS"}
        assert not ParamValidator().validate(parameters, shape).has_errors()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"cluster_name": "a b"}, "cluster_name: 'a b' is not a cluster name"),
            (
                {"namespaces": ["a", "b", "c", "d", "e", "f"]},
                "namespaces: has 6; one job takes 5 at most; start a job for each five, or leave it out to restore all",
            ),
            ({"namespaces": ["a", "a"]}, "namespaces: names one twice: ['a', 'a']; name each once"),
            ({"namespaces": ["Shop"]}, "namespaces[0]: 'Shop' is not the name of a namespace"),
            (
                {"volumes": {"vol-1": "eu-west-1a"}},
                "volumes['vol-1']: is not the ARN of a recovery point; give RecoveryPointArn as 'aws backup "
                "list-recovery-points-by-backup-vault' prints it",
            ),
            (
                {"volumes": {"arn:aws:ec2:eu-west-1::snapshot/snap-1": "eu-west-1"}},
                "'eu-west-1' is not an availability zone; give the name of a zone in which the cluster has nodes",
            ),
            (
                {"buckets": {"arn:aws:ec2:eu-west-1::snapshot/snap-1": "My Bucket"}},
                "'My Bucket' is not the name of a bucket",
            ),
            ({"restore_order": ["Deployment"]}, "restore_order[0]: 'Deployment' is not a kind; write group/version"),
            (
                {"manifests_only": True, "volumes": {"arn:aws:ec2:eu-west-1::snapshot/snap-1": "eu-west-1a"}},
                "manifests_only: leaves all storage out, and volumes or buckets are given; leave out one of the two",
            ),
        ],
    )
    def test_metadata_refuses(self, arguments: dict[str, Any], words: str) -> None:
        assert words in refusal(lambda: restore_metadata(**{"cluster_name": "bank", **arguments}))

    def test_the_command_names_role_and_region(self, templates: Templates) -> None:
        (command,) = (
            text_of(output["Value"])
            for name, output in templates["Backup"]["Outputs"].items()
            if "RestoreCommand" in name
        )
        assert command.startswith("aws backup start-restore-job --region eu-west-1 --resource-type EKS --iam-role-arn ")
        assert command.endswith('--metadata file://restore.json --recovery-point-arn "$RECOVERY_POINT"')

    @staticmethod
    def app(*, same: bool) -> cdk.App:
        app = cdk.App()
        stack = cdk.Stack(app, "Dev", env=env("eu-west-1"))
        source = ImportedCluster(stack, "Source", cluster_name="bank")
        target = ImportedCluster(stack, "Target", cluster_name="bank-restored")
        for cluster in (source, target) if same else (source,):
            chart = cdk8s.Chart(cdk8s.App(), "classes")
            KubernetesObject(
                chart,
                "gp3",
                api_version="storage.k8s.io/v1",
                kind="StorageClass",
                body={"provisioner": "ebs.csi.eks.amazonaws.com"},
            )
            cluster.add_chart(f"Charts{cluster.node.id}", chart)
        ClusterRestore(stack, "Restore", cluster=target, source=source, alarm_topic=sns.Topic(stack, "Topic"))
        return app

    def test_the_target_needs_the_classes_of_the_source(self) -> None:
        with pytest.raises(RuntimeError) as caught:
            self.app(same=False).synth()
        assert (
            "Dev/Restore: source: 'Dev/Source' gets StorageClass 'gp3', and 'Dev/Target' does not: a full restore "
            "would create each there with subnets, roles and keys of the source; deliver the same charts to both "
            "clusters"
        ) in str(caught.value)
        self.app(same=True).synth()

    def test_a_source_that_is_the_target_is_refused(self) -> None:
        stack = cdk.Stack(cdk.App(), "Dev", env=env("eu-west-1"))
        cluster = ImportedCluster(stack, "Cluster", cluster_name="bank")
        topic = sns.Topic(stack, "Topic")
        words = refusal(lambda: ClusterRestore(stack, "R", cluster=cluster, source=cluster, alarm_topic=topic))
        assert words == "Dev/R: source: is the target itself, which keeps all its objects; leave it out"


@pytest.mark.parametrize(
    ("stack", "region"),
    [("Backup", "eu-west-1"), ("Region", "eu-central-1"), ("Account", "eu-central-1"), ("Gov", "us-gov-west-1")],
)
def test_the_judges_find_nothing(templates: Templates, stack: str, region: str) -> None:
    assert template_findings(templates[stack]) == []
    found = lint(json.dumps(templates[stack]), config=ManualArgs(regions=[region]))
    # The CDK writes DependsOn next to references that say the same; a command names a cluster of another stack.
    assert [str(match) for match in found if match.rule.id not in ("W3005", "W6001")] == []


PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text("utf-8")


class TestPage:
    def test_commands_of_the_drill_are_those_of_the_api(self) -> None:
        session = get_session()
        blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
        text = " ".join(line.strip().removesuffix("\\") for block in blocks for line in block.splitlines())
        commands = re.findall(r"aws (backup|eks) ([a-z-]+)((?: +--[a-z-]+ \S+)*)", text)
        assert len(commands) == 7
        for service, verb, options in commands:
            name = "".join(part.capitalize() for part in verb.split("-"))
            shape = session.get_service_model(service).operation_model(name).input_shape
            known = {"-".join(re.findall("[A-Z][a-z]*", member)).lower() for member in shape.members}
            assert {*re.findall(r"--([a-z-]+) ", options)} <= known | {"region"}

    def test_the_metadata_of_the_drill_is_taken(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (program,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
        exec(textwrap.dedent(program), {})
        assert json.loads((tmp_path / "restore.json").read_text("utf-8"))["clusterName"] == "bank-spare"

    def test_each_alarm_has_its_row(self) -> None:
        assert {*re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", PAGE, re.MULTILINE)} >= {*_RULES, "NoBackup"}
