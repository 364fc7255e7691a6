"""The demo's model, separate from the cluster's stacks, so that it can be deployed and deleted by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

import aws_cdk as cdk
import cdk8s
from aws_cdk import aws_kms as kms
from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.aws.model_bucket import ModelBucket
from automode_constructs.aws.pod_identity import PodIdentityRole
from automode_constructs.aws.pull_through_cache import PullThroughCache
from automode_constructs.aws.scope import AppScope
from automode_constructs.aws.vpc_endpoints import interface_endpoint_cidrs
from automode_constructs.delivery.chart_delivery import ChartDelivery
from automode_constructs.errors import AutoModeError
from automode_constructs.inference.fast_start import FastStart
from automode_constructs.inference.model_preset import GPT_OSS_20B
from automode_constructs.inference.weight_staging import STAGING_IMAGE
from automode_constructs.inference.weights import S3Weights, SecretKey
from automode_constructs.patterns.charts.dcgm_exporter import DcgmExporterChart
from automode_constructs.patterns.charts.gpt_oss import (
    IMAGE,
    NAME,
    NAMESPACE,
    POOL,
    STAGING_ACCOUNT,
    WEIGHTS_PREFIX,
    GptOssChart,
)
from automode_constructs.patterns.stacks.created import created_in
from automode_constructs.patterns.stacks.stack_options import StackOptions
from automode_constructs.specs.labels import CAPACITY_TYPE, INSTANCE_GPU_NAME, INSTANCE_TYPE, ZONE
from automode_constructs.specs.traffic.network_policy import ApplicationPeer
from automode_constructs.tokens import shell_word

__all__ = ["GptOssStack"]

_REPOSITORIES = ("deep-learning-containers/vllm", "lambda/python")
_GPU_QUOTAS = {"on-demand": "L-DB2E81BA", "spot": "L-3819A6DF"}
"""EC2's quotas of vCPUs for G and VT instances; a new account often has 0."""

_QUESTION = {"model": GPT_OSS_20B.name, "messages": [{"role": "user", "content": "what is machine learning"}]}
_CURL = (
    "curl --silent --show-error --fail-with-body http://localhost:8000/v1/chat/completions "
    f"--header 'Content-Type: application/json' --data '{json.dumps(_QUESTION)}' "
    "| jq '.choices[0].message | {reasoning, content}'"
)


class GptOssStack(cdk.Stack):
    """GPT-OSS-20B on a GPU pool: its roles and images, and the chart; the demo's commands as outputs.

    Creates a role for the server that may read the weights and one for the Job that copies them into their bucket, an
    ECR pull-through cache for both images, and the objects of ``GptOssChart``. The deployment waits for the copy, about
    five minutes, before it asks for a GPU; a second one copies nothing.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster`` of another stack in the same environment.
        bucket: the bucket of the weights, best in a stack of its own (``WeightsStack``), which a failed deployment of
            this stack does not touch.
        cache_prefix: prefix of the cached ECR repositories' names, unique in account and region. ``None``
            for nodes that pull from ``public.ecr.aws`` themselves, as they must in AWS GovCloud (US), where ECR has no
            pull-through cache. Default: ``gpt-oss``; we decide.
        encryption_key: the KMS key of those repositories, or a function of this stack that creates it; fixed for their
            life. The weights have the bucket's key.
            Default: S3's own keys (AES-256); ECR decides.
        stage_weights: whether a Job copies the weights into the bucket; see ``GptOssChart``. Default: True; we decide.
        staging_run: ``run`` of the ``WeightStaging``: increase it where a deployed Job gets other values that only a
            deployment knows, such as another image cache. Default: 1; we decide.
        hub_endpoint: address of a mirror of the Hugging Face hub. Default: the hub itself; we decide.
        replicas: pods of the server, 0 or more. Default: 0, no GPU is started or paid for until the output
            ``ScaleToOneCommand`` is run; we decide.
        bare_pool: whether the pool is exactly that of the talk; see ``GptOssChart``. Default: False; we decide.
        clients: who may send requests to the model, see ``ModelServer``. Default: the pods of the namespace
            ``gpt-oss``; we decide.
        api_key: the Secret with the key that requests must carry, see ``ModelServer``. Default: none.
        image: the image with vLLM. Default: AWS's, through the cache; we decide.
        fast_start: the set-up for a short cold start, see ``GptOssChart``; needs a smaller ``image``. The server's role
            may then write the compile cache to the bucket. Default: none; we decide.
        gpu_metrics: whether NVIDIA's DCGM exporter runs on GPU nodes; see ``DcgmExporterChart`` for its risk.
            Default: False; we decide.

    Raises:
        AutoModeError: as ``GptOssChart`` does; for a key without a cache.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        cluster: AutoModeCluster | ImportedCluster,
        bucket: ModelBucket,
        cache_prefix: str | None = "gpt-oss",
        encryption_key: kms.IKey | Callable[[Construct], kms.IKey] | None = None,
        stage_weights: bool = True,
        staging_run: int = 1,
        hub_endpoint: str | None = None,
        replicas: int = 0,
        bare_pool: bool = False,
        clients: Sequence[ApplicationPeer | Mapping[str, Any]] | None = None,
        api_key: SecretKey | None = None,
        image: str | None = None,
        fast_start: FastStart | None = None,
        gpu_metrics: bool = False,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        if cache_prefix is None and encryption_key is not None:
            raise AutoModeError.of(
                place(scope, id),
                field="encryption_key",
                message="is the key of cached images, and cache_prefix=None caches none",
                cure="leave out encryption_key, or give cache_prefix",
            )
        super().__init__(scope, id, **stack_options)
        tag_as_cluster(self, cluster)
        self.images = (
            None
            if cache_prefix is None
            else PullThroughCache(
                self,
                "Images",
                prefix=cache_prefix,
                repositories=_REPOSITORIES,
                encryption_key=created_in(self, "encryption_key", encryption_key, kms.IKey),
            )
        )
        self.bucket = bucket
        self.server_role = PodIdentityRole(
            self, "ServerRole", cluster=cluster, namespace=NAMESPACE, service_account=NAME
        )
        self.bucket.grant_read(self.server_role.role, WEIGHTS_PREFIX)
        if fast_start is not None:
            self.bucket.grant_stage(self.server_role.role, fast_start.cache_prefix)
        if stage_weights:
            staging_role = PodIdentityRole(
                self, "StagingRole", cluster=cluster, namespace=NAMESPACE, service_account=STAGING_ACCOUNT
            )
            self.bucket.grant_stage(staging_role.role, WEIGHTS_PREFIX)
        chart = GptOssChart(
            cdk8s.App(),
            "gpt-oss",
            values=cluster.values,
            weights=S3Weights(
                bucket=self.bucket.bucket_name,
                prefix=WEIGHTS_PREFIX,
                region=cdk.Aws.REGION,
                endpoint_cidrs=interface_endpoint_cidrs(cluster.network, "s3")
                if isinstance(cluster, AutoModeCluster)
                else (),
            ),
            image=self._image(IMAGE) if image is None else image,
            staging_image=self._image(STAGING_IMAGE),
            stage_weights=stage_weights,
            staging_run=staging_run,
            hub_endpoint=hub_endpoint,
            replicas=replicas,
            bare_pool=bare_pool,
            clients=clients,
            api_key=api_key,
            fast_start=fast_start,
        )
        ChartDelivery(self, "gpt-oss", cluster=cluster, chart=chart)
        if gpu_metrics:
            ChartDelivery(self, "gpu-metrics", cluster=cluster, chart=DcgmExporterChart(cdk8s.App(), "gpu-metrics"))
        self._write_outputs()

    def _image(self, image: str) -> str:
        return image if self.images is None else self.images.image(image)

    def _write_outputs(self) -> None:
        shown = ",".join([CAPACITY_TYPE, INSTANCE_TYPE, INSTANCE_GPU_NAME, ZONE])
        scale = f"kubectl scale deployment/{NAME} --namespace {NAMESPACE} --replicas"
        region = shell_word(self.region)
        quota = f"aws service-quotas get-service-quota --region {region} --service-code ec2 --quota-code"
        outputs = {
            "WeightsLocation": (
                f"s3://{self.bucket.bucket_name}/{WEIGHTS_PREFIX}/",
                "Where the server looks for the weights",
            ),
            "QuotaCommand": (
                " && ".join(f"{quota} {code}" for code in _GPU_QUOTAS.values()),
                "Shows how many vCPUs of GPU instances the account may run; request 8 or more if one is 0",
            ),
            "WatchNodesCommand": (
                f"kubectl get nodes --watch --selector karpenter.sh/nodepool={POOL} --label-columns {shown}",
                "Shows GPU nodes come and go",
            ),
            "PortForwardCommand": (
                f"kubectl port-forward service/{NAME} --namespace {NAMESPACE} 8000:8000",
                "Forwards local port 8000 to the server while it runs",
            ),
            "CurlCommand": (
                _CURL,
                "Sends a question through the port-forward, and shows the model's reasoning and answer",
            ),
            "ScaleToZeroCommand": (f"{scale} 0", "Removes the server; its nodes go ten minutes later"),
            "ScaleToOneCommand": (f"{scale} 1", "Starts a server, and with it a GPU node that costs money"),
        }
        for name, (value, description) in outputs.items():
            cdk.CfnOutput(self, name, value=value, description=description)
