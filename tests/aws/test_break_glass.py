"""BreakGlassAlarm: the rule matches what CloudTrail records of a role that is taken, and the topic lets it through."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from moto.events.models import EventPattern

from automode_constructs import BreakGlassAlarm
from automode_constructs.testing import findings
from tests.refusal import refusal
from tests.support import feature_flags, of_type, only, synthesised, text_of
from tests.template_checks import template_findings

ROLE = "arn:aws:iam::111122223333:role/ops/BreakGlass"


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    app = cdk.App(context=feature_flags())
    for region in ("eu-central-1", "us-gov-west-1"):
        stack = cdk.Stack(app, region, env=cdk.Environment(account="111122223333", region=region))
        key = kms.Key(stack, "Key")
        role = f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/ops/BreakGlass"
        BreakGlassAlarm(
            stack,
            "Alarm",
            roles=[role, iam.Role(stack, "Own", assumed_by=iam.AccountRootPrincipal(), role_name="own")],
            topic=sns.Topic(stack, "Topic", master_key=key),
            audit_log_group=logs.LogGroup.from_log_group_name(stack, "Logs", "/aws/eks/dev/cluster"),
        )
    other = cdk.Stack(app, "Other")
    BreakGlassAlarm(other, "Alarm", roles=[ROLE], topic=sns.Topic(other, "Topic"))
    return synthesised(app)


def recorded(name: str, **parameters: str) -> dict[str, Any]:
    """An event as CloudTrail gives it to EventBridge. Source: IAM User Guide, "Example AWS STS API event"."""
    return {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.sts",
        "account": "111122223333",
        "region": "eu-central-1",
        "resources": [],
        "detail": {
            "eventSource": "sts.amazonaws.com",
            "eventName": name,
            "readOnly": True,
            "requestParameters": {"roleSessionName": "me", "durationSeconds": 3600, **parameters},
        },
    }


def pattern(template: dict[str, Any]) -> EventPattern:
    text = json.dumps(only(template, "AWS::Events::Rule")["Properties"]["EventPattern"])
    return EventPattern.load(text)


@pytest.mark.parametrize("call", ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"])
def test_each_way_to_take_the_role_matches(templates: dict[str, dict[str, Any]], call: str) -> None:
    assert pattern(templates["Other"]).matches_event(recorded(call, roleArn=ROLE))  # type: ignore[arg-type]


def test_nothing_else_matches(templates: dict[str, dict[str, Any]]) -> None:
    rule = pattern(templates["Other"])
    others = [
        recorded("AssumeRole", roleArn=f"{ROLE}2"),
        recorded("AssumeRole", roleArn="arn:aws:iam::111122223333:role/BreakGlass"),
        recorded("GetCallerIdentity"),
        {**recorded("AssumeRole", roleArn=ROLE), "source": "aws.iam"},
    ]
    assert [rule.matches_event(event) for event in others] == [False] * 4  # type: ignore[arg-type]


def test_the_rule_gets_calls_that_only_read(templates: dict[str, dict[str, Any]]) -> None:
    rule = only(templates["Other"], "AWS::Events::Rule")["Properties"]
    assert rule["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    assert [target["Arn"] for target in rule["Targets"]] == [{"Ref": "TopicBFC7AF6E"}]


def test_both_services_may_publish_and_use_the_key(templates: dict[str, dict[str, Any]]) -> None:
    template = templates["eu-central-1"]
    published = only(template, "AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
    assert {
        statement["Principal"]["Service"]: statement.get("Condition")
        for statement in published
        if statement["Action"] == "sns:Publish"
    } == {
        "events.amazonaws.com": None,
        "cloudwatch.amazonaws.com": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    allowed = {
        (service, action)
        for statement in only(template, "AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]
        for service in _as_list(statement["Principal"].get("Service", []))
        for action in _as_list(statement["Action"])
    }
    assert allowed == {
        (f"{service}.amazonaws.com", f"kms:{action}")
        for service in ("cloudwatch", "events")
        for action in ("Decrypt", "GenerateDataKey*")
    }


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_one_alarm_hears_of_the_requests_of_every_role(templates: dict[str, dict[str, Any]]) -> None:
    template = templates["eu-central-1"]
    filters = [body["Properties"] for body in of_type(template, "AWS::Logs::MetricFilter").values()]
    assert [text_of(one["FilterPattern"]) for one in filters] == [
        "{ $.user.username = \"arn:{{'Ref': 'AWS::Partition'}}:sts::111122223333:assumed-role/BreakGlass/*\" }",
        "{ $.user.username = \"arn:{{'Ref': 'AWS::Partition'}}:sts::111122223333:assumed-role/"
        "{{'Ref': 'Own30425842'}}/*\" }",
    ]
    alarm = only(template, "AWS::CloudWatch::Alarm")["Properties"]
    assert {
        (one["MetricTransformations"][0]["MetricNamespace"], one["MetricTransformations"][0]["MetricName"])
        for one in filters
    } == {(alarm["Namespace"], alarm["MetricName"])}
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Threshold"]) == (60, 1, 1)
    assert alarm["TreatMissingData"] == "notBreaching"
    assert len(alarm["AlarmActions"]) == 1


def test_without_a_log_group_there_is_only_the_rule(templates: dict[str, dict[str, Any]]) -> None:
    assert {body["Type"] for body in templates["Other"]["Resources"].values()} == {
        "AWS::Events::Rule",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
    }


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1"])
def test_the_judges_find_nothing(templates: dict[str, dict[str, Any]], region: str) -> None:
    assert template_findings(templates[region]) == []
    assert [str(match) for match in lint(json.dumps(templates[region]), config=ManualArgs(regions=[region]))] == []


def test_a_topic_of_others_is_warned_of() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "S", env=cdk.Environment(account="111122223333", region="eu-central-1"))
    topic = sns.Topic.from_topic_arn(stack, "Topic", f"arn:{cdk.Aws.PARTITION}:sns:eu-central-1:111122223333:pager")
    BreakGlassAlarm(stack, "Alarm", roles=[ROLE], topic=topic)
    (found,) = findings(app)
    assert (found.rule, found.where) == ("automode:TopicPolicyNotOurs", "S/Alarm")
    assert found.message.endswith(
        'for alarms it must contain {"Effect":"Allow","Principal":{"Service":'
        '["cloudwatch.amazonaws.com","events.amazonaws.com"]},"Action":["sns:Publish"],"Resource":"*"}'
    )


@pytest.mark.parametrize(
    ("roles", "text"),
    [
        ([], "roles: are empty: nothing would be reported; name at least one"),
        ([ROLE, ROLE], "roles: name one twice; name each once"),
        (
            ["BreakGlass"],
            "roles[0]: 'BreakGlass' is a name, not an ARN; give the role's whole ARN, "
            "'arn:aws:iam::<account>:role/BreakGlass'",
        ),
        (
            ["${Token[TOKEN.7]}"],
            "roles[0]: is a value known only after deployment, and the alarm needs the role's name; pass an iam.IRole",
        ),
    ],
)
def test_what_is_no_list_of_roles_is_refused(roles: list[str], text: str) -> None:
    stack = cdk.Stack(cdk.App(), "S", env=cdk.Environment(account="111122223333", region="eu-central-1"))
    topic = sns.Topic(stack, "Topic")
    assert refusal(lambda: BreakGlassAlarm(stack, "Alarm", roles=roles, topic=topic)) == f"S/Alarm: {text}"
