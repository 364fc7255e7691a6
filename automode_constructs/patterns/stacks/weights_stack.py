"""The weights of the models, separate from their servers: a failed or destroyed demo does not touch them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.model_bucket import ModelBucket
from automode_constructs.aws.scope import AppScope
from automode_constructs.patterns.stacks.created import created_in
from automode_constructs.patterns.stacks.stack_options import StackOptions
from automode_constructs.tokens import shell_word

__all__ = ["WeightsStack"]


class WeightsStack(cdk.Stack):
    """A bucket for the weights of models.

    Creates a ``ModelBucket``. Its content stays when a stack that serves a model fails or is deleted, so a second try
    resumes where the first one stopped. CloudFormation names the bucket, so a retained one causes no name conflict.

    Args:
        scope: the app or stage.
        id: the stack's id.
        ephemeral: whether the bucket is deleted with the stack. Default: False; we decide.
        encryption_key: the KMS key of the weights, see ``ModelBucket``, or a function of this stack that creates it.
            Default: S3's own keys (SSE-S3); we decide.
        server_access_logs_bucket: the bucket that receives the access logs, see ``ModelBucket``. Default: no access
            logs; we decide.
        log_key: the KMS key of the logs of the Lambda that empties an ephemeral bucket. Default: a key that AWS owns.

    Raises:
        AutoModeError: as ``ModelBucket`` does.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        ephemeral: bool = False,
        encryption_key: kms.IKey | Callable[[Construct], kms.IKey] | None = None,
        server_access_logs_bucket: s3.IBucket | None = None,
        log_key: kms.IKey | None = None,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        super().__init__(scope, id, **stack_options)
        self.bucket = ModelBucket(
            self,
            "Weights",
            encryption_key=created_in(self, "encryption_key", encryption_key, kms.IKey),
            server_access_logs_bucket=server_access_logs_bucket,
            log_key=log_key,
            # A first deployment that fails leaves an empty bucket, which may be deleted.
            removal_policy=cdk.RemovalPolicy.DESTROY if ephemeral else cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        if not ephemeral:
            cdk.CfnOutput(
                self,
                "RemoveWeightsCommand",
                value=f"aws s3 rb s3://{self.bucket.bucket_name} --force --region {shell_word(self.region)}",
                description="Deletes the weights, which stay when this stack is destroyed",
            )
