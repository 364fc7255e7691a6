"""The bucket policy with which Application Load Balancers write their access logs."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import Annotations, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from automode_constructs.arguments import checked_arguments
from automode_constructs.errors import AutoModeError
from automode_constructs.specs.traffic.ingress_class import check_log_prefix
from automode_constructs.tokens import is_token

__all__ = ["allow_load_balancer_logs"]

_WRITER = "logdelivery.elasticloadbalancing.amazonaws.com"


@checked_arguments
def allow_load_balancer_logs(bucket: s3.IBucket, *, prefix: str | None = None) -> None:
    """Lets Application Load Balancers of the bucket's account write their access logs to a bucket.

    Adds a statement to the bucket's policy. Without it, EKS cannot create a load balancer with access logs. A bucket
    that another stack or nobody here creates is left unchanged: the warning ``automode:LogBucketPolicyNotOurs`` says
    what its policy must contain.

    Args:
        bucket: the bucket, in the region of the load balancers, encrypted with S3's own keys (SSE-S3).
        prefix: the ``access_log_prefix`` of ``ClusterValues.ingress_class_params_spec``. Default: none.

    Raises:
        AutoModeError: for a bucket that is encrypted with a KMS key, which Elastic Load Balancing cannot use; for what
            is no prefix.

    Source: Elastic Load Balancing, "Enable access logs for your Application Load Balancer".
    """
    if bucket.encryption_key is not None:
        raise AutoModeError.of(
            bucket.node.path,
            field="encryption_key",
            message="is a KMS key, with which Elastic Load Balancing writes no access logs",
            cure="give a bucket with encryption=s3.BucketEncryption.S3_MANAGED",
        )
    if prefix is not None:
        check_log_prefix(bucket.node.path, "prefix", prefix)
    stack = Stack.of(bucket)
    path = f"{prefix}/AWSLogs" if prefix else "AWSLogs"
    resource = bucket.arn_for_objects(f"{path}/{stack.account}/*")
    statement = iam.PolicyStatement(
        sid="LoadBalancerLogs",
        principals=[iam.ServicePrincipal(_WRITER)],
        actions=["s3:PutObject"],
        resources=[resource],
    )
    if not bucket.add_to_resource_policy(statement).statement_added:
        name = bucket.node.path if is_token(bucket.bucket_name) else bucket.bucket_name
        needed: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": {"Service": _WRITER},
            "Action": "s3:PutObject",
            "Resource": f"arn:<partition>:s3:::<bucket>/{path}/<account>/*",
        }
        Annotations.of(bucket).add_warning_v2(
            "automode:LogBucketPolicyNotOurs",
            f"the log bucket {name} is imported, so this stack cannot change its policy; it must contain "
            f"{json.dumps(needed, separators=(',', ':'))}",
        )
