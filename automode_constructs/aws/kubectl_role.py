"""The role of the Lambda that runs kubectl: without the rights that it does not use."""

from __future__ import annotations

from typing import cast

from aws_cdk import CfnResource
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam

__all__ = ["leave_out_image_rights"]

_USED = ("service-role/AWSLambdaBasicExecutionRole", "service-role/AWSLambdaVPCAccessExecutionRole")
"""What a Lambda in a VPC needs to run and to write its logs."""


def leave_out_image_rights(provider: eks.KubectlProvider) -> None:
    """Takes the policies for pulling from ECR from the role of a kubectl handler.

    The CDK attaches them for Helm charts that lie in ECR (``oci://``). Kubernetes objects need none of them: nodes pull
    images with their own role.

    Args:
        provider: the CDK's provider.
    """
    role = cast(iam.Role, provider.role)
    policies = [iam.ManagedPolicy.from_aws_managed_policy_name(name).managed_policy_arn for name in _USED]
    cast(CfnResource, role.node.default_child).add_property_override("ManagedPolicyArns", policies)
    # The condition of the policy for ECR Public, which is now used by nothing.
    provider.node.find_child("Handler").node.try_remove_child("HasEcrPublic")
