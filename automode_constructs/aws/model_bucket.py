"""ModelBucket: a private S3 bucket for the weights of models."""

from __future__ import annotations

import re
from typing import cast

from aws_cdk import Annotations, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.encryption import allow_log_encryption, warn_of_imported_key
from automode_constructs.aws.exports import weakly
from automode_constructs.aws.function_logs import keep_function_logs, use_fips_endpoints
from automode_constructs.aws.scope import StackScope
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.tokens import is_token

__all__ = ["ModelBucket"]

_SEGMENT = r"[A-Za-z0-9!_.'()-]+"
_PREFIX = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
"""The safe characters of S3 keys except ``*``, which is a wildcard in IAM."""

_REMOVAL_POLICIES = (RemovalPolicy.RETAIN, RemovalPolicy.DESTROY, RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)

_READ_KEY = ("kms:Decrypt",)
_WRITE_KEY = ("kms:Decrypt", "kms:GenerateDataKey")


class ModelBucket(Construct):
    """A private S3 bucket for model weights, with one prefix per commit of a model.

    Creates an encrypted S3 bucket without public access and without ACLs. It accepts requests over TLS 1.2 or later
    only and aborts uploads that are not completed within a day. It keeps no old versions: ``WeightStaging`` writes the
    files of each commit under a separate prefix, where they never change.

    Permissions are granted to roles (``grant_read``, ``grant_stage``), never through the bucket policy or key policy.
    So bucket, key and roles may be in different stacks of an account without a circular dependency.

    Args:
        scope: where the bucket is created; use the region of the nodes, so that reads cost only the requests.
        id: the construct's id.
        encryption_key: the KMS key, new or imported; its policy must let the account's IAM policies decide, as the
            CDK's keys do. Not an alias, because IAM policies name keys. Default: S3's own keys (SSE-S3); we decide.
        server_access_logs_bucket: the bucket that receives the access logs. A bucket of another stack or an imported
            bucket is left unchanged, and the warning ``automode:LogBucketPolicyNotOurs`` says what its policy must
            contain. Default: no access logs; we decide.
        log_key: the KMS key of the log group of the CDK's Lambda that empties the bucket, which exists with ``DESTROY``
            only. Default: a key that AWS owns; we decide.
        removal_policy: what happens to the bucket when it leaves the stack. ``DESTROY`` also deletes the weights,
            through a Lambda of the CDK. Default: ``RETAIN``; we decide.

    Attributes:
        bucket: the bucket.
        bucket_name: its name, for ``S3Weights`` and ``WeightStaging``.

    Raises:
        AutoModeError: for an alias instead of a key, and for a removal policy that S3 does not know.

    Source: Amazon S3 User Guide, "Security best practices for Amazon S3".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        encryption_key: kms.IKey | None = None,
        server_access_logs_bucket: s3.IBucket | None = None,
        log_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        where = f"{scope.node.path}/{id}"
        if hasattr(encryption_key, "alias_name"):
            raise AutoModeError.of(
                where,
                field="encryption_key",
                message="is an alias, which IAM policies do not accept in place of its key",
                cure="pass the key, or kms.Key.from_key_arn(...) with its ARN",
            )
        if removal_policy not in _REMOVAL_POLICIES:
            raise AutoModeError.of(
                where, field="removal_policy", message=f"got {removal_policy.name}", cure="use RETAIN or DESTROY"
            )

        super().__init__(scope, id)
        self._key = encryption_key
        logs_here = isinstance(server_access_logs_bucket, s3.Bucket) and _same_stack(self, server_access_logs_bucket)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED if encryption_key is None else s3.BucketEncryption.KMS,
            encryption_key=encryption_key,
            bucket_key_enabled=None if encryption_key is None else True,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=False,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="EndIncompleteUploads", abort_incomplete_multipart_upload_after=Duration.days(1), enabled=True
                )
            ],
            server_access_logs_bucket=server_access_logs_bucket if logs_here else None,
            removal_policy=removal_policy,
            auto_delete_objects=removal_policy == RemovalPolicy.DESTROY,
        )
        self.bucket_name: str = self.bucket.bucket_name
        # For the Lambda that empties the bucket.
        if log_key is not None and removal_policy == RemovalPolicy.DESTROY:
            allow_log_encryption(self, log_key)
        keep_function_logs(self, removal_policy=removal_policy, log_key=log_key)
        use_fips_endpoints(self)
        # A retained bucket keeps refusing requests that are not encrypted in transit.
        cast(s3.BucketPolicy, self.bucket.policy).apply_removal_policy(removal_policy)
        if server_access_logs_bucket is not None and not logs_here:
            self._log_elsewhere(server_access_logs_bucket)
        if isinstance(encryption_key, kms.Key) and not _same_stack(self, encryption_key):
            self._use_key_elsewhere(encryption_key)
        if encryption_key is not None and not isinstance(encryption_key, kms.Key):
            warn_of_imported_key(self, encryption_key, _WRITE_KEY)

    @checked_arguments
    def grant_read(self, grantee: iam.IGrantable, prefix: str) -> None:
        """Lets a role list and read objects under a prefix, as a model server does.

        Adds to the role's policy ``s3:ListBucket`` for this prefix, ``s3:GetObject`` and, with a KMS key,
        ``kms:Decrypt``.

        Args:
            grantee: the role, ``role`` of a ``PodIdentityRole``.
            prefix: the prefix of the files, without a slash at either end; may be a token.

        Raises:
            AutoModeError: for what is no prefix, and for a grantee that has no policy.
        """
        self._check_prefix(prefix)
        self._grant(grantee, ["s3:ListBucket"], self.bucket.bucket_arn, listed=prefix)
        self._grant(grantee, ["s3:GetObject"], self.bucket.arn_for_objects(f"{prefix}/*"))
        self._grant_key(grantee, _READ_KEY)

    @checked_arguments
    def grant_stage(self, grantee: iam.IGrantable, prefix: str) -> None:
        """Lets a role upload to a prefix, as ``WeightStaging`` does, without permission to delete.

        Adds to the role's policy what ``grant_read`` adds, ``s3:PutObject``, ``s3:AbortMultipartUpload`` and, with a
        KMS key, ``kms:GenerateDataKey``; and for the whole bucket ``s3:ListBucketMultipartUploads``, which IAM cannot
        limit to a prefix.

        Args:
            grantee: the role, ``role`` of a ``PodIdentityRole``.
            prefix: the prefix for the files, without a slash at either end; may be a token.

        Raises:
            AutoModeError: for what is no prefix, and for a grantee that has no policy.
        """
        self._check_prefix(prefix)
        self._grant(grantee, ["s3:ListBucket"], self.bucket.bucket_arn, listed=prefix)
        self._grant(grantee, ["s3:ListBucketMultipartUploads"], self.bucket.bucket_arn)
        self._grant(
            grantee,
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
            self.bucket.arn_for_objects(f"{prefix}/*"),
        )
        self._grant_key(grantee, _WRITE_KEY)

    def _check_prefix(self, prefix: str) -> None:
        if not is_token(prefix) and _PREFIX.fullmatch(prefix) is None:
            raise AutoModeError.of(
                self.node.path,
                field="prefix",
                message=f"{shown(prefix)} is not a prefix of S3 objects that a permission can name",
                cure='write letters, digits and characters of "!_.\'()-", with single slashes between and none at '
                "the ends, such as 'gpt-oss-20b/<revision>'",
            )

    def _grant(self, grantee: iam.IGrantable, actions: list[str], resource: str, *, listed: str | None = None) -> None:
        # Programs list with the trailing slash: without it, the list would include other prefixes with the same
        # beginning.
        conditions = None if listed is None else {"StringLike": {"s3:prefix": f"{listed}/*"}}
        statement = iam.PolicyStatement(actions=actions, resources=[resource], conditions=conditions)
        if not grantee.grant_principal.add_to_principal_policy(statement).statement_added:
            raise AutoModeError.of(
                self.node.path,
                field="grantee",
                message="has no policy of its own to add to",
                cure="give an IAM role, such as 'role' of a PodIdentityRole",
            )

    def _grant_key(self, grantee: iam.IGrantable, actions: tuple[str, ...]) -> None:
        if self._key is not None:
            self._grant(grantee, list(actions), weakly(self._key.key_arn))

    def _use_key_elsewhere(self, key: kms.Key) -> None:
        # Otherwise the other stack would export the key's ARN, and could not stop while this one reads it.
        rule = s3.CfnBucket.ServerSideEncryptionRuleProperty(
            bucket_key_enabled=True,
            server_side_encryption_by_default=s3.CfnBucket.ServerSideEncryptionByDefaultProperty(
                sse_algorithm="aws:kms", kms_master_key_id=weakly(key.key_arn)
            ),
        )
        resource = cast(s3.CfnBucket, self.bucket.node.default_child)
        resource.bucket_encryption = s3.CfnBucket.BucketEncryptionProperty(server_side_encryption_configuration=[rule])

    def _log_elsewhere(self, logs: s3.IBucket) -> None:
        # Otherwise the CDK would write to the bucket policy of the other stack.
        resource = cast(s3.CfnBucket, self.bucket.node.default_child)
        resource.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
            destination_bucket_name=logs.bucket_name
        )
        Annotations.of(self).add_warning_v2(
            "automode:LogBucketPolicyNotOurs",
            f"the log bucket {_readable(logs.bucket_name, logs.node.path)} is imported or of another stack, so this "
            "stack cannot change its policy; it must allow logging.s3.amazonaws.com s3:PutObject on its objects",
        )


def _same_stack(scope: Construct, other: Construct) -> bool:
    return Stack.of(scope).node.addr == Stack.of(other).node.addr


def _readable(value: str, stand_in: str) -> str:
    return stand_in if is_token(value) else value
