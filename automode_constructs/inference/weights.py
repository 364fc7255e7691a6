"""Where a model server gets its weights: S3, its own image, or the Hugging Face hub."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automode_constructs.arguments import checked_arguments
from automode_constructs.checks.weight_streaming import DEFAULT_MEMORY_LIMIT
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.inference.destinations import hub_rule, s3_rule
from automode_constructs.inference.model_preset import ModelPreset
from automode_constructs.specs.quantity import number
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule
from automode_constructs.tokens import is_token

__all__ = [
    "LONGEST_AWAITED_SECONDS",
    "STAGING_DEADLINE",
    "HubWeights",
    "ImageWeights",
    "S3Weights",
    "SecretKey",
    "Weights",
]

LONGEST_AWAITED_SECONDS = 780
"""One minute less than a deployment waits for an object to become ready, so the Job's own reason is known by then."""

STAGING_DEADLINE = rule(
    "automode:StagingDeadline",
    "Job",
    severity="warning",
    sentence="A Job that a deployment waits for fails by itself before the deployment stops waiting, after 14 minutes.",
    source="aws-cdk, kubectl-provider (its Lambda functions run for 15 minutes at most)",
    judged="app",
)

_BYTES_PER_STREAM = 4_000_000_000
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(?:/[A-Za-z0-9!_.*'()-]+)*")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class SecretKey:
    """One key of an existing Kubernetes Secret in the server's namespace; charts never contain a Secret.

    Args:
        name: the Secret's name.
        key: the key in it.
    """

    name: str
    key: str

    @checked_arguments
    def environment(self, variable: str) -> dict[str, Any]:
        """A container's environment variable with the value of this key."""
        return {"name": variable, "valueFrom": {"secretKeyRef": {"name": self.name, "key": self.key}}}


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class S3Weights:
    """Weights in an S3 bucket, streamed into GPU memory; nothing is written to a disk.

    The server's service account needs an EKS Pod Identity association with a role that may list the bucket and read its
    objects. ``WeightStaging`` fills the bucket.

    Args:
        bucket: name of the bucket; a token too.
        prefix: prefix of the files in the bucket, without a slash at either end.
        memory_limit: what the streamer may buffer in host memory, in bytes or as a quantity such as ``4Gi``; at
            least the model's largest tensor. Each GPU of a pod has its own process and buffer.
            Default: 4Gi, or the largest tensor if that is more; we decide, the streamer's own limit is 40 GB.
        region: the bucket's region, for the network policies of the pods; a token too. Default: not known, so that the
            policies name S3 in every region; we decide.
        endpoint_cidrs: where an interface endpoint with private DNS leads to S3, the blocks that it is in, such as the
            VPC's: network policies then name them instead of domain names. Default: none; we decide.

    Source: EKS User Guide, "Load and serve a model"; run-ai/runai-model-streamer.
    """

    bucket: str
    prefix: str
    memory_limit: int | str | None = field(default=None, compare=False)
    region: str | None = field(default=None, compare=False)
    endpoint_cidrs: Sequence[str] = field(default=(), compare=False)

    def check(self, where: str) -> None:
        """Refuses an invalid bucket or prefix."""
        if not self.bucket or (not is_token(self.bucket) and _BUCKET.fullmatch(self.bucket) is None):
            raise AutoModeError.of(
                where,
                field="weights.bucket",
                message=f"{shown(self.bucket)} is not the name of an S3 bucket",
                cure="name the bucket that the weights are in, without 's3://'",
            )
        if not is_token(self.prefix) and _PREFIX.fullmatch(self.prefix) is None:
            raise AutoModeError.of(
                where,
                field="weights.prefix",
                message=f"{shown(self.prefix)} is not a prefix of S3 objects",
                cure="write it without a slash at either end, such as 'gpt-oss-20b/<revision>'",
            )
        limit = self.memory_limit
        if limit is not None and _bytes(limit) is None:
            raise AutoModeError.of(
                where,
                field="weights.memory_limit",
                message=f"{shown(limit)} is not a number of bytes",
                cure="write 4294967296, or '4Gi'",
            )
        if self.region is not None and not is_token(self.region) and _REGION.fullmatch(self.region) is None:
            raise AutoModeError.of(
                where,
                field="weights.region",
                message=f"{shown(self.region)} is no region",
                cure="write it like 'eu-west-1'",
            )
        try:
            self.egress({})
        except AutoModeError as error:
            problem = error.problems[0]
            raise AutoModeError.of(
                where, field="weights.endpoint_cidrs", message=problem.message, cure=problem.cure
            ) from None

    def egress(self, environment: Mapping[str, str]) -> Sequence[ApplicationEgressRule]:
        """Where pods with these variables open connections to for these weights."""
        return [s3_rule(self.bucket, self.region, self.endpoint_cidrs, environment)]

    def buffer_bytes(self, preset: ModelPreset) -> int:
        """Bytes that the streamer may buffer in each process."""
        if self.memory_limit is None:
            return max(DEFAULT_MEMORY_LIMIT, preset.largest_tensor_bytes or 0)
        return _bytes(self.memory_limit) or DEFAULT_MEMORY_LIMIT

    def model(self, preset: ModelPreset) -> str:  # noqa: ARG002 - one shape for all kinds
        """The model argument of the server."""
        return f"s3://{self.bucket}/{self.prefix}/"

    def arguments(self, preset: ModelPreset) -> Sequence[str]:
        """The vLLM flags for these weights."""
        streams = max(1, math.ceil(preset.weight_bytes / _BYTES_PER_STREAM))
        config = {"concurrency": streams, "memory_limit": self.buffer_bytes(preset)}
        return [
            "--load-format=runai_streamer",
            f"--model-loader-extra-config={json.dumps(config, separators=(',', ':'))}",
        ]

    def environment(self) -> Sequence[Mapping[str, Any]]:
        """The environment variables for these weights."""
        return [
            {"name": "HF_HUB_OFFLINE", "value": "1"},
            {"name": "RUNAI_STREAMER_CHUNK_BYTESIZE", "value": "4294967296"},
            {"name": "RUNAI_STREAMER_S3_LOW_SPEED_LIMIT", "value": "1048576"},
            {"name": "RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS", "value": "3000"},
        ]

    def bytes_on_disk(self, preset: ModelPreset) -> int:  # noqa: ARG002
        """Bytes that a pod writes to its node's disk."""
        return 0


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class ImageWeights:
    """Weights baked into the server's image: no bucket, no role, and an image some 14 GB larger.

    Args:
        path: the folder in the image, absolute.
    """

    path: str

    def check(self, where: str) -> None:
        """Refuses an invalid path."""
        if not self.path.startswith("/") or self.path == "/":
            raise AutoModeError.of(
                where,
                field="weights.path",
                message=f"{shown(self.path)} is not an absolute path in the image",
                cure="begin it with '/': '/models/gpt-oss-20b'",
            )

    def egress(self, environment: Mapping[str, str]) -> Sequence[ApplicationEgressRule]:  # noqa: ARG002
        """Where pods with these variables open connections to for these weights: nowhere."""
        return []

    def model(self, preset: ModelPreset) -> str:  # noqa: ARG002
        """The model argument of the server."""
        return self.path

    def arguments(self, preset: ModelPreset) -> Sequence[str]:  # noqa: ARG002
        """The vLLM flags for these weights."""
        return []

    def environment(self) -> Sequence[Mapping[str, Any]]:
        """The environment variables for these weights."""
        return [{"name": "HF_HUB_OFFLINE", "value": "1"}]

    def bytes_on_disk(self, preset: ModelPreset) -> int:  # noqa: ARG002
        """Bytes that a pod writes to its node's disk."""
        return 0


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class HubWeights:
    """Weights loaded from the Hugging Face hub by each new pod: no preparation, but a hub outage stops new pods.

    Args:
        repository: the repository on the hub. Default: the model's; we decide.
        revision: the commit to load, 40 hexadecimal digits, because a branch moves. Default: the model's; we decide.
        token: the hub's access token, for repositories that require one. Default: none.
    """

    repository: str | None = None
    revision: str | None = None
    token: SecretKey | None = None

    def check(self, where: str) -> None:
        """Refuses a revision that moves."""
        if (self.repository is None) != (self.revision is None):
            raise AutoModeError.of(
                where,
                field="weights",
                message="repository and revision belong together",
                cure="pass both, or neither to use the model's own",
            )
        if self.revision is not None and _COMMIT.fullmatch(self.revision) is None:
            raise AutoModeError.of(
                where,
                field="weights.revision",
                message=f"{shown(self.revision)} is not a commit, so each pod may load a different model",
                cure="write the commit's 40 hexadecimal digits",
            )

    def egress(self, environment: Mapping[str, str]) -> Sequence[ApplicationEgressRule]:
        """Where pods with these variables open connections to for these weights."""
        return [] if environment.get("HF_ENDPOINT") else [hub_rule(None)]

    def model(self, preset: ModelPreset) -> str:
        """The model argument of the server."""
        return self.repository or preset.repository

    def arguments(self, preset: ModelPreset) -> Sequence[str]:
        """The vLLM flags for these weights."""
        revision = self.revision or preset.revision
        return [f"--revision={revision}", f"--tokenizer-revision={revision}"]

    def environment(self) -> Sequence[Mapping[str, Any]]:
        """The environment variables for these weights."""
        return [] if self.token is None else [self.token.environment("HF_TOKEN")]

    def bytes_on_disk(self, preset: ModelPreset) -> int:
        """Bytes that a pod writes to its node's disk."""
        return preset.weight_bytes


def _bytes(quantity: object) -> int | None:
    """A quantity in whole bytes; ``None`` if it is invalid, or more than a server can have."""
    if not isinstance(quantity, int | str):
        return None
    amount = number(quantity)
    return int(amount) if amount is not None and amount.is_finite() and 1 <= amount < 2**63 else None


Weights = S3Weights | ImageWeights | HubWeights
"""Where weights come from."""
