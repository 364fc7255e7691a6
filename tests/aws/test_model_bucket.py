"""ModelBucket: private, encrypted, and open to roles by prefix and by what their programs do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk_nag
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs.aws.model_bucket import ModelBucket
from automode_constructs.inference import stage_weights
from tests.refusal import refusal
from tests.support import of_type, only, synthesised, text_of
from tests.template_checks import template_findings

BUCKET = "AWS::S3::Bucket"
POLICY = "AWS::IAM::Policy"
IMPORTED_KEY = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
PREFIX = "gpt-oss-20b/6cee5e81"

ACTIONS_OF = {
    "list_objects_v2": {"s3:ListBucket"},
    "get_object": {"s3:GetObject"},
    "head_object": {"s3:GetObject"},
    "put_object": {"s3:PutObject"},
    # Several parts where the file is large, and an end to them when the program fails.
    "upload_fileobj": {"s3:PutObject", "s3:AbortMultipartUpload"},
    "list_multipart_uploads": {"s3:ListBucketMultipartUploads"},
    "abort_multipart_upload": {"s3:AbortMultipartUpload"},
}
"""What S3 asks for each call of boto3 (Amazon S3 User Guide, "Required permissions for Amazon S3 API operations")."""


def role(stack: cdk.Stack, id: str) -> iam.Role:
    return iam.Role(stack, id, assumed_by=iam.ServicePrincipal("pods.eks.amazonaws.com"))


def warnings_of(construct: ModelBucket) -> list[str]:
    return [str(entry.data) for entry in construct.node.metadata if entry.type == "aws:cdk:warning"]


@pytest.fixture(scope="module")
def scene() -> dict[str, Any]:
    """Plain and fully turned buckets, with their grants; ``warnings`` by the bucket's id."""
    # Without it the CDK gives log buckets an ACL, which cfn-lint dislikes; others of its flags reorder policies.
    app = cdk.App(context={"@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True})
    stack = cdk.Stack(app, "Plain")
    plain = ModelBucket(stack, "Models")
    plain.grant_read(role(stack, "Reader"), PREFIX)
    plain.grant_stage(role(stack, "Stager"), PREFIX)

    own = cdk.Stack(app, "Own")
    keyed = ModelBucket(
        own,
        "Models",
        encryption_key=kms.Key(own, "Key"),
        server_access_logs_bucket=s3.Bucket(own, "Logs"),
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    elsewhere = cdk.Stack(app, "Roles")
    keyed.grant_read(role(elsewhere, "Reader"), PREFIX)
    keyed.grant_stage(role(elsewhere, "Stager"), PREFIX)

    shared = cdk.Stack(app, "Shared")
    logs, key = s3.Bucket(shared, "Logs"), kms.Key(shared, "Key")
    foreign = ModelBucket(cdk.Stack(app, "Foreign"), "Models", encryption_key=key, server_access_logs_bucket=logs)
    imports = cdk.Stack(app, "Imports")
    imported = ModelBucket(
        imports,
        "Models",
        encryption_key=kms.Key.from_key_arn(imports, "Key", IMPORTED_KEY),
        server_access_logs_bucket=s3.Bucket.from_bucket_name(imports, "Logs", "their-logs"),
    )
    imported.grant_read(role(imports, "Reader"), PREFIX)
    buckets = {"plain": plain, "keyed": keyed, "foreign": foreign, "imported": imported}
    return {**synthesised(app), "warnings": {name: warnings_of(bucket) for name, bucket in buckets.items()}}


def models(template: dict[str, Any]) -> dict[str, Any]:
    (found,) = (body for name, body in of_type(template, BUCKET).items() if name.startswith("Models"))
    assert isinstance(found, dict)
    return found


def permissions(template: dict[str, Any], name: str) -> list[tuple[set[str], str, dict[str, Any]]]:
    """Actions, resource and condition of each statement of a role."""
    (policy,) = (body["Properties"] for key, body in of_type(template, POLICY).items() if key.startswith(name))
    found = []
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        found.append(
            (
                {actions} if isinstance(actions, str) else set(actions),
                text_of(statement["Resource"]),
                statement.get("Condition", {}),
            )
        )
    return found


def test_the_bucket_is_private_encrypted_and_kept(scene: dict[str, Any]) -> None:
    bucket = models(scene["Plain"])
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert properties["BucketEncryption"] == {
        "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    }
    (rule,) = properties["LifecycleConfiguration"]["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert rule["Status"] == "Enabled"
    assert "VersioningConfiguration" not in properties and "LoggingConfiguration" not in properties


def test_only_tls_of_today_is_taken_as_long_as_the_bucket_is_there(scene: dict[str, Any]) -> None:
    policy = only(scene["Plain"], "AWS::S3::BucketPolicy")
    assert policy["DeletionPolicy"] == "Retain"
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    assert [(entry["Effect"], entry["Action"], entry["Condition"]) for entry in statements] == [
        ("Deny", "s3:*", {"Bool": {"aws:SecureTransport": "false"}}),
        ("Deny", "s3:*", {"NumericLessThan": {"s3:TlsVersion": 1.2}}),
    ]


def test_a_reader_may_list_and_read_its_prefix_and_no_more(scene: dict[str, Any]) -> None:
    (listing, listed, condition), (reading, read, free) = permissions(scene["Plain"], "Reader")
    assert (listing, condition) == ({"s3:ListBucket"}, {"StringLike": {"s3:prefix": f"{PREFIX}/*"}})
    assert (reading, free) == ({"s3:GetObject"}, {})
    assert read == f"{listed}/{PREFIX}/*"


def test_a_stager_may_do_what_the_staging_program_does_and_no_more(scene: dict[str, Any]) -> None:
    source = Path(str(stage_weights.__file__)).read_text("utf-8")
    calls = set(re.findall(r"self\._client\.(?!get_paginator)(\w+)\(", source))
    calls |= set(re.findall(r"get_paginator\(\"(\w+)\"\)", source))
    needed = set().union(*(ACTIONS_OF[call] for call in calls))
    granted = permissions(scene["Plain"], "Stager")
    assert set().union(*(actions for actions, _, _ in granted)) == needed
    bucket = granted[0][1]
    assert [(resource, condition) for _, resource, condition in granted] == [
        (bucket, {"StringLike": {"s3:prefix": f"{PREFIX}/*"}}),
        (bucket, {}),
        (f"{bucket}/{PREFIX}/*", {}),
    ]
    assert granted[1][0] == {"s3:ListBucketMultipartUploads"}


def test_the_key_is_used_by_roles_whose_own_policies_say_so(scene: dict[str, Any]) -> None:
    keys = {
        name: [actions for actions, _, _ in permissions(scene["Roles"], name) if min(actions).startswith("kms:")]
        for name in ("Reader", "Stager")
    }
    assert keys == {"Reader": [{"kms:Decrypt"}], "Stager": [{"kms:Decrypt", "kms:GenerateDataKey"}]}
    (account,) = only(scene["Own"], "AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]
    assert account["Action"] == "kms:*"
    (encryption,) = models(scene["Own"])["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["BucketKeyEnabled"] is True
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"


def test_weights_are_deleted_with_the_bucket_only_when_asked(scene: dict[str, Any]) -> None:
    assert models(scene["Own"])["DeletionPolicy"] == "Delete"
    assert only(scene["Own"], "Custom::S3AutoDeleteObjects")
    assert not of_type(scene["Plain"], "Custom::S3AutoDeleteObjects")


def test_keys_and_log_buckets_of_other_stacks_are_left_as_they_are(scene: dict[str, Any]) -> None:
    shared = scene["Shared"]
    assert set(shared["Resources"]) == {"Logs6819BB44", "Key961B73FD"}
    assert len(only(shared, "AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]) == 1
    assert "AccessControl" not in only(shared, BUCKET).get("Properties", {})
    assert list(models(scene["Foreign"])["Properties"]["LoggingConfiguration"]) == ["DestinationBucketName"]
    assert models(scene["Imports"])["Properties"]["LoggingConfiguration"] == {"DestinationBucketName": "their-logs"}
    assert models(scene["Own"])["Properties"]["LoggingConfiguration"]["DestinationBucketName"]


def test_a_key_of_another_stack_is_read_weakly_so_that_it_can_be_left_out(scene: dict[str, Any]) -> None:
    (rule,) = models(scene["Foreign"])["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["BucketKeyEnabled"] is True
    (reference,) = rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]
    assert reference == "Fn::GetStackOutput"


def test_what_their_policies_must_hold_is_told(scene: dict[str, Any]) -> None:
    assert scene["warnings"]["plain"] == scene["warnings"]["keyed"] == []
    logs = (
        "the log bucket {name} is imported or of another stack, so this stack cannot change its policy; it must allow "
        "logging.s3.amazonaws.com s3:PutObject on its objects [ack: automode:LogBucketPolicyNotOurs]"
    )
    assert scene["warnings"]["foreign"] == [logs.format(name="Shared/Logs")]
    assert scene["warnings"]["imported"] == [
        logs.format(name="their-logs"),
        f"the key {IMPORTED_KEY} is imported, so this stack cannot change its policy; to let the account's IAM "
        'policies decide, it must contain {"Effect":"Allow","Principal":{"AWS":'
        '"arn:<partition>:iam::<account>:root"},"Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*"} '
        "[ack: automode:KeyPolicyNotOurs]",
    ]
    (_, resource, _) = permissions(scene["Imports"], "Reader")[-1]
    assert resource == IMPORTED_KEY


def test_logical_ids_stay_as_they_are(scene: dict[str, Any]) -> None:
    assert list(of_type(scene["Plain"], BUCKET)) == ["ModelsBucket970C6ADA"]


@pytest.mark.parametrize("stack", ["Plain", "Own", "Roles", "Foreign"])
def test_the_judges_find_nothing(scene: dict[str, Any], stack: str) -> None:
    assert template_findings(scene[stack]) == []
    found = lint(json.dumps(scene[stack]), config=ManualArgs(regions=["eu-central-1"]))
    # The CDK writes DependsOn next to references that say the same.
    assert [str(match) for match in found if match.rule.id != "W3005"] == []


def test_cdk_nag_finds_missing_access_logs_and_the_star_after_a_prefix() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Judged")
    logs = s3.Bucket.from_bucket_name(stack, "Logs", "logs")
    ModelBucket(stack, "Models", server_access_logs_bucket=logs).grant_read(role(stack, "Reader"), PREFIX)
    ModelBucket(stack, "Unlogged")
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError) as caught:
        app.synth()
    found = re.findall(r"^ +(\S+) aws-cdk-lib\S+\n +Acknowledge with '(.+)'$", str(caught.value), re.MULTILINE)
    assert sorted(found) == [
        (
            "Judged/Reader/DefaultPolicy/Resource",
            f"AwsSolutions::AwsSolutions-IAM5[Resource::<ModelsBucket970C6ADA.Arn>/{PREFIX}/*]",
        ),
        ("Judged/Unlogged/Bucket/Resource", "AwsSolutions::AwsSolutions-S1"),
    ]


@pytest.fixture(scope="module")
def bucket() -> ModelBucket:
    return ModelBucket(cdk.Stack(cdk.App(), "Dev"), "Models")


@pytest.mark.parametrize("grant", [ModelBucket.grant_read, ModelBucket.grant_stage])
@pytest.mark.parametrize("prefix", ["", "/a", "a/", "a//b", "a*", "a?", "${aws:username}", "a b"])
def test_what_is_no_prefix_is_refused(
    bucket: ModelBucket, grant: Callable[[ModelBucket, iam.IGrantable, Any], None], prefix: Any
) -> None:
    nobody = iam.AccountRootPrincipal()
    assert refusal(lambda: grant(bucket, nobody, prefix)) == (
        f"Dev/Models: prefix: {prefix!r} is not a prefix of S3 objects that a permission can name; write letters, "
        "digits "
        'and characters of "!_.\'()-", with single slashes between and none at the ends, such as '
        "'gpt-oss-20b/<revision>'"
    )


def test_a_grantee_without_a_policy_is_refused(bucket: ModelBucket) -> None:
    service = iam.ServicePrincipal("pods.eks.amazonaws.com")
    assert refusal(lambda: bucket.grant_read(service, f"{cdk.Aws.REGION}/gpt")) == (
        "Dev/Models: grantee: has no policy of its own to add to; give an IAM role, such as 'role' of a PodIdentityRole"
    )


def test_an_alias_is_no_key() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    alias = kms.Alias.from_alias_name(stack, "Alias", "alias/models")
    assert refusal(lambda: ModelBucket(stack, "Models", encryption_key=alias)) == (
        "Dev/Models: encryption_key: is an alias, which IAM policies do not accept in place of its key; "
        "pass the key, or kms.Key.from_key_arn(...) with its ARN"
    )


def test_a_removal_policy_that_s3_does_not_know_is_refused() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    assert refusal(lambda: ModelBucket(stack, "Models", removal_policy=cdk.RemovalPolicy.SNAPSHOT)) == (
        "Dev/Models: removal_policy: got SNAPSHOT; use RETAIN or DESTROY"
    )
