"""Lambdas that the CDK creates: their log groups, created before the function and deleted after it; FIPS endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from automode_constructs.aws.fips import fips_by_default
from automode_constructs.facts.regions import fips_endpoint_regions

__all__ = ["keep_function_logs", "kubectl_functions", "use_fips_endpoints"]

_DAYS = 90
_OF_THE_CDK = "Custom::"
"""The id prefix of the CDK's own custom-resource providers, which are direct children of a stack."""


def keep_function_logs(
    scope: Construct,
    *,
    removal_policy: RemovalPolicy,
    functions: Iterable[lambda_.Function] = (),
    log_key: kms.IKey | None = None,
) -> None:
    """Creates log groups for the Lambdas that the CDK has added to a stack.

    Creates a log group with a retention of 90 days for each of the CDK's custom-resource providers that the stack has
    so far (``Custom::VpcRestrictDefaultSG``, ``Custom::S3AutoDeleteObjects``) and for each given function. Without it,
    Lambda creates ``/aws/lambda/NAME`` when the function is first called, and nothing ever deletes that group.
    CloudFormation creates these groups before the function and deletes them after it, so no late log line creates the
    group again. CloudFormation generates their names, so a retained group never blocks a new one.

    Args:
        scope: the construct that needs the functions; its stack is searched.
        removal_policy: what happens to the log groups when they leave the stack.
        functions: the CDK's functions elsewhere in the stack.
        log_key: the KMS key of the log groups. A group that has a key keeps it. Default: a key that AWS owns.

    Source: AWS Lambda Developer Guide, "Configuring CloudWatch log groups".
    """
    for function in functions:
        _log_to_own_group(function, cast(CfnResource, function.node.default_child), removal_policy, log_key)
    for provider, handler in _providers(scope):
        _log_to_own_group(provider, handler, removal_policy, log_key)


def use_fips_endpoints(scope: Construct, *, fips: bool | None = None) -> None:
    """Makes the CDK's custom-resource providers that a stack has so far call AWS by FIPS endpoints, where they exist.

    These Lambdas are in no VPC, so they reach every endpoint. Their answers to CloudFormation go to the address that
    CloudFormation names.

    Args:
        scope: the construct that needs the providers; its stack is searched.
        fips: whether FIPS is on. Default: in GovCloud.

    Source: AWS, "Federal Information Processing Standard (FIPS) 140-3"; AWS SDKs and Tools Reference Guide, "Dual-stack
    and FIPS endpoints".
    """
    region = Stack.of(scope).region
    on = fips_by_default(region) if fips is None else fips
    if on and region in fips_endpoint_regions():
        for _, handler in _providers(scope):
            handler.add_property_override("Environment.Variables.AWS_USE_FIPS_ENDPOINT", "true")


def kubectl_functions(provider: eks.KubectlProvider) -> tuple[lambda_.Function, lambda_.Function]:
    """The Lambda that runs kubectl, and the framework that calls it."""
    framework = provider.node.find_child("Provider").node.find_child("framework-onEvent")
    return cast(lambda_.Function, provider.node.find_child("Handler")), cast(lambda_.Function, framework)


def _providers(scope: Construct) -> Iterator[tuple[IConstruct, CfnResource]]:
    """The CDK's custom-resource providers of a stack, each with its function."""
    for provider in Stack.of(scope).node.children:
        if provider.node.id.startswith(_OF_THE_CDK):
            handler = provider.node.try_find_child("Handler")
            if isinstance(handler, CfnResource):
                yield provider, handler


def _log_to_own_group(
    home: IConstruct, function: CfnResource, removal_policy: RemovalPolicy, log_key: kms.IKey | None
) -> None:
    # With the feature flag useCdkManagedLogGroup the CDK has created a group with the function's name. It is created
    # after the function, which may have been called by then and have created that group itself.
    cdk_group = cast("logs.LogGroup | None", home.node.try_find_child("LogGroup"))
    group = cdk_group or logs.LogGroup(cast(Construct, home), "LogGroup")
    resource = cast(logs.CfnLogGroup, group.node.default_child)
    resource.add_property_deletion_override("LogGroupName")
    resource.retention_in_days = _DAYS
    if log_key is not None and resource.kms_key_id is None:
        resource.kms_key_id = log_key.key_arn
    resource.apply_removal_policy(removal_policy)
    function.add_property_override("LoggingConfig.LogGroup", resource.ref)
