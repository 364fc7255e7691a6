"""The bucket that load balancers log to: its policy, and what Elastic Load Balancing cannot write to."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Annotations, Match

from automode_constructs import allow_load_balancer_logs
from tests.refusal import refusal
from tests.support import only, synthesised

WRITER = "logdelivery.elasticloadbalancing.amazonaws.com"


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    app = cdk.App()
    for name, prefix in (("Plain", None), ("Prefix", "alb")):
        allow_load_balancer_logs(s3.Bucket(cdk.Stack(app, name), "Logs"), prefix=prefix)
    return synthesised(app)


@pytest.mark.parametrize(("stack", "path"), [("Plain", "/AWSLogs/"), ("Prefix", "/alb/AWSLogs/")])
def test_elastic_load_balancing_may_put_logs_of_the_account(
    templates: dict[str, dict[str, Any]], stack: str, path: str
) -> None:
    (bucket,) = [key for key, value in templates[stack]["Resources"].items() if value["Type"] == "AWS::S3::Bucket"]
    policy = only(templates[stack], "AWS::S3::BucketPolicy")["Properties"]
    assert policy["Bucket"] == {"Ref": bucket}
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Sid": "LoadBalancerLogs",
            "Effect": "Allow",
            "Principal": {"Service": WRITER},
            "Action": "s3:PutObject",
            "Resource": {
                "Fn::Join": ["", [{"Fn::GetAtt": [bucket, "Arn"]}, path, {"Ref": "AWS::AccountId"}, "/*"]],
            },
        }
    ]


def test_a_bucket_with_a_key_is_refused() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    bucket = s3.Bucket(stack, "Logs", encryption=s3.BucketEncryption.KMS)
    assert refusal(lambda: allow_load_balancer_logs(bucket)) == (
        "Dev/Logs: encryption_key: is a KMS key, with which Elastic Load Balancing writes no access logs; give a "
        "bucket with encryption=s3.BucketEncryption.S3_MANAGED"
    )


@pytest.mark.parametrize("prefix", ["alb/", "/alb", "a//b", "AWSLogs", "", "a*"])
def test_a_prefix_that_elastic_load_balancing_refuses(prefix: str) -> None:
    bucket = s3.Bucket(cdk.Stack(cdk.App(), "Dev"), "Logs")
    assert refusal(lambda: allow_load_balancer_logs(bucket, prefix=prefix)).startswith(
        f"Dev/Logs: prefix: '{prefix}' is not a prefix of access logs; write letters, digits and characters of"
    )


def test_an_imported_bucket_is_warned_of() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    allow_load_balancer_logs(s3.Bucket.from_bucket_name(stack, "Logs", "corp-logs"), prefix="alb")
    Annotations.from_stack(stack).has_warning(
        "/Dev/Logs",
        Match.string_like_regexp(
            "the log bucket corp-logs is imported, so this stack cannot change its policy; it must contain "
            r'.*"Resource":"arn:<partition>:s3:::<bucket>/alb/AWSLogs/<account>/\*".*automode:LogBucketPolicyNotOurs'
        ),
    )
