"""The SNS topic that alarms go to: who may publish to it, and with which key."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aws_cdk import Annotations, Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from automode_constructs.arguments import Refusals
from automode_constructs.tokens import is_token

__all__ = ["admit_publishers", "check_topic"]

_OF_SNS = "alias/aws/sns"
"""AWS's own key, which admits no service that reports alarms."""

_CLOUDWATCH = "cloudwatch.amazonaws.com"


def check_topic(refusals: Refusals, field: str, topic: sns.ITopic, region: str) -> None:
    """Refuses a topic that alarms do not reach: one of another region, or with AWS's own key.

    Args:
        refusals: collects what is wrong.
        field: the argument that gives the topic.
        topic: the topic.
        region: the region of the rules and alarms, or its token.
    """
    other = topic.env.region
    if not is_token(other) and not is_token(region) and other != region:
        refusals.refuse(
            field,
            f"lies in '{other}', the alarms in '{region}'",
            f"give a topic of '{region}'; it may forward to another one",
        )
    key = getattr(topic, "master_key", None)
    if getattr(key, "alias_name", None) == _OF_SNS:
        refusals.refuse(
            field,
            f"is encrypted with '{_OF_SNS}', with which AWS's services publish nothing",
            "encrypt it with a key of yours, or not at all",
        )


def admit_publishers(scope: Construct, topic: sns.ITopic, services: Sequence[str]) -> None:
    """Lets services publish to a topic, through its policy and that of its key.

    A topic or key that the app does not make is left unchanged, and a warning says what its policy must contain.

    Args:
        scope: the construct that needs it; it carries the warnings.
        topic: the topic.
        services: the principals of the services, such as ``events.amazonaws.com``.

    Source: Amazon SNS Developer Guide, "Example cases for Amazon SNS access control" and "Configuring KMS permissions".
    """
    key = getattr(topic, "master_key", None)
    # The CDK writes a statement once, however often it is added.
    admitted = [
        topic.add_to_resource_policy(_statement(service, ["sns:Publish"], topic.topic_arn)).statement_added
        for service in services
    ]
    if not all(admitted):
        _warn(
            scope,
            "automode:TopicPolicyNotOurs",
            f"the topic {_readable(topic.topic_arn, topic.node.path)} is imported, so this stack cannot change its "
            "policy, and nobody hears of an alarm",
            services,
            "sns:Publish",
        )
    if key is None:
        return
    actions = ["kms:Decrypt", "kms:GenerateDataKey*"]
    if isinstance(key, kms.Key):
        for service in services:
            key.add_to_resource_policy(_statement(service, actions, "*"))
    else:
        _warn(
            scope,
            "automode:KeyPolicyNotOurs",
            f"the key {_readable(key.key_arn, key.node.path)} of the topic is imported or an alias, so this stack "
            "cannot change its policy",
            services,
            *actions,
        )


def _statement(service: str, actions: list[str], resource: str) -> iam.PolicyStatement:
    # EventBridge's page warns of conditions in the policies of topics.
    account = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}} if service == _CLOUDWATCH else None
    return iam.PolicyStatement(
        sid=f"AlarmsOf{service.partition('.')[0].capitalize()}",
        principals=[iam.ServicePrincipal(service)],
        actions=actions,
        resources=[resource],
        conditions=account,
    )


def _warn(scope: Construct, rule: str, what: str, services: Sequence[str], *actions: str) -> None:
    needed = {
        "Effect": "Allow",
        "Principal": {"Service": list(services)},
        "Action": list(actions),
        "Resource": "*",
    }
    Annotations.of(scope).add_warning_v2(
        rule, f"{what}; for alarms it must contain {json.dumps(needed, separators=(',', ':'))}"
    )


def _readable(value: str, stand_in: str) -> str:
    return stand_in if is_token(value) else value
