"""The model of the demo: a GPU pool, and GPT-OSS-20B answering on port 8000."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cdk8s

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.errors import AutoModeError
from automode_constructs.inference.cold_start import FAST_START_VCPU
from automode_constructs.inference.fast_start import FastStart
from automode_constructs.inference.model_preset import GPT_OSS_20B
from automode_constructs.inference.model_server import ModelServer
from automode_constructs.inference.weight_staging import STAGING_IMAGE, WeightStaging
from automode_constructs.inference.weights import S3Weights, SecretKey, Weights
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.manifests.node_class import NamedNodeClass, NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.specs import labels
from automode_constructs.specs.nodes.node_class import EphemeralStorage
from automode_constructs.specs.pools.node_pool import Disruption, NodeClaimSpec, NodeClaimTemplate, NodePoolSpec, Taint
from automode_constructs.specs.pools.requirement import Requirement
from automode_constructs.specs.traffic.network_policy import ApplicationPeer

__all__ = ["IMAGE", "NAME", "NAMESPACE", "POOL", "STAGING_ACCOUNT", "WEIGHTS_PREFIX", "GptOssChart"]

IMAGE = "public.ecr.aws/deep-learning-containers/vllm:0.27.1-gpu-py312-cu130-ubuntu22.04-ec2"
"""AWS's own build of vLLM, the newest on 2026-11-23; no digest could be looked up here."""
NAMESPACE = "gpt-oss"
NAME = "gpt-oss-20b"
"""Name of the server's Deployment, Service and ServiceAccount."""
POOL = "gpu"
"""Name of the NodePool and of its NodeClass."""
STAGING_ACCOUNT = "stage-weights"
"""Name of the ServiceAccount that copies the weights."""
WEIGHTS_PREFIX = f"{NAME}/{GPT_OSS_20B.revision}"
"""Prefix of the weights in a bucket: each commit of the model has its own."""

_TALK = (
    labels.CAPACITY_TYPE.is_in("spot", "on-demand"),
    labels.INSTANCE_CATEGORY.is_in("g"),
    labels.INSTANCE_GENERATION.greater_than(4),
    labels.ARCH.is_in("amd64"),
)
"""The requirements of the talk, which admit g5.48xlarge with eight GPUs too."""


class GptOssChart(cdk8s.Chart):
    """GPT-OSS-20B behind the Service ``gpt-oss-20b`` on port 8000, and the GPU pool it runs on.

    Creates the Namespace ``gpt-oss``, which admits restricted pods only, the NodeClass and the NodePool ``gpu``, a
    ``ModelServer``, and for weights from S3 a ``WeightStaging`` that fills the bucket first; both have network
    policies. The pool has the requirements of the talk (spot and on-demand, category g, generation above 4, amd64), and
    besides them: one GPU with at least 22,000 MiB, local NVMe above 200 GB, at most 32 vCPU, the taint
    ``nvidia.com/gpu``, a limit of GPUs, and nodes that go only when empty, since a new one costs a cold start.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        values: the cluster's values.
        weights: where the server gets the weights.
        image: the image with vLLM. Default: AWS's deep learning container with vLLM 0.27.1; we decide.
        staging_image: the image that copies the weights, for weights from S3. Default: that of ``WeightStaging``.
        stage_weights: whether a Job copies the weights into the bucket first, for weights from S3; without it they must
            be there. Nodes without internet access need ``hub_endpoint``, or a copy made elsewhere with
            ``python -m automode_constructs.inference.stage_weights`` (it needs boto3). Default: True; we decide.
        staging_run: ``run`` of the ``WeightStaging``: increase it where a deployed Job gets other values that only a
            deployment knows, such as another image cache. Default: 1; we decide.
        hub_endpoint: address of a mirror of the Hugging Face hub. Default: the hub itself; we decide.
        replicas: pods of the server, 0 or more; ``None`` for a server that an autoscaler scales, see ``ModelServer``.
            Default: 1; we decide.
        gpu_limit: GPUs that the pool may hold at once, 1 or more; updates of the server never finish unless it is more
            than ``replicas``. Default: 4; we decide.
        min_vcpu: minimum vCPUs of a node: more of them pull images faster, at a price.
            Default: Karpenter decides by price, which is 4 with these requests.
        bare_pool: whether the pool has the talk's four requirements and nothing else, not even a limit, on EKS's
            NodeClass ``default``; if EKS keeps no pools, and so no NodeClass, on ``standard`` of ``NodePoolsChart``.
            Without a taint it takes ordinary pods too: Karpenter tries ``gpu`` before ``general`` and
            ``general-purpose``, and no weight is lower than theirs. The warning ``automode:AcceleratedPoolFirst`` says
            so. Default: False; we decide.
        clients: who may send requests to the model, see ``ModelServer``. Default: the pods of the namespace
            ``gpt-oss``; we decide.
        api_key: the Secret with the key that requests must carry, see ``ModelServer``. Default: none.
        fast_start: the set-up for a cold start of 2.5 minutes at most, see ``FastStart``; nodes then have 16 vCPU or
            more unless ``min_vcpu`` says otherwise. Needs an ``image`` smaller than the default.
            Default: none; we decide.

    Raises:
        AutoModeError: for ``fast_start`` on the bare pool; as ``ModelServer`` and ``WeightStaging`` do.

    Source: AWS re:Invent 2025, the talk on EKS Auto Mode; EKS User Guide, "Accelerate model loading".
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        values: ClusterValues,
        weights: Weights,
        image: str = IMAGE,
        staging_image: str = STAGING_IMAGE,
        stage_weights: bool = True,
        staging_run: int = 1,
        hub_endpoint: str | None = None,
        replicas: int | None = 1,
        gpu_limit: int = 4,
        min_vcpu: int | None = None,
        bare_pool: bool = False,
        clients: Sequence[ApplicationPeer | Mapping[str, Any]] | None = None,
        api_key: SecretKey | None = None,
        fast_start: FastStart | None = None,
    ) -> None:
        if fast_start is not None:
            if bare_pool:
                raise AutoModeError.of(
                    place(scope, id),
                    field="fast_start",
                    message="chooses the size of nodes, and bare_pool=True leaves it to price",
                    cure="leave out one of them",
                )
            min_vcpu = FAST_START_VCPU if min_vcpu is None else min_vcpu
        super().__init__(scope, id, namespace=NAMESPACE)
        if isinstance(weights, S3Weights) and weights.region is None:
            weights = replace(weights, region=values.region)
        KubernetesObject(
            self,
            "namespace",
            api_version="v1",
            kind="Namespace",
            name=NAMESPACE,
            body={},
        ).metadata.add_label("pod-security.kubernetes.io/enforce", "restricted")
        node_class: NodeClass | NamedNodeClass = NodeClass.from_name("default" if values.built_in_pools else "standard")
        spec = _pool(*_TALK)
        if not bare_pool:
            # Below the NVMe of the smallest type, so that images go there; its own volume holds the rest.
            storage = EphemeralStorage(size="100Gi", iops=6000, throughput=600)
            node_class = NodeClass(
                self, "node-class", name=POOL, spec=values.node_class_spec(ephemeral_storage=storage)
            )
            spec = _guarded_pool(gpu_limit, min_vcpu)
        self.pool = NodePool(self, "pool", name=POOL, node_class=node_class, spec=spec)
        staging = None
        if stage_weights and isinstance(weights, S3Weights):
            staging = WeightStaging(
                self,
                STAGING_ACCOUNT,
                model=GPT_OSS_20B,
                weights=weights,
                image=staging_image,
                hub_endpoint=hub_endpoint,
                run=staging_run,
            )
        self.server = ModelServer(
            self,
            NAME,
            model=GPT_OSS_20B,
            image=image,
            weights=weights,
            staging=staging,
            node_pool=self.pool,
            replicas=replicas,
            clients=clients,
            api_key=api_key,
            fast_start=fast_start,
        )


def _pool(*requirements: Requirement) -> NodePoolSpec:
    return NodePoolSpec(template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=requirements)))


def _guarded_pool(gpu_limit: int, min_vcpu: int | None) -> NodePoolSpec:
    nodes = NodeClaimSpec(
        requirements=[
            *_TALK,
            labels.INSTANCE_GPU_COUNT.is_in("1"),
            labels.INSTANCE_GPU_MEMORY.greater_than(22_000),
            labels.INSTANCE_LOCAL_NVME.greater_than(200),
            labels.INSTANCE_CPU.less_than(33),
            *([] if min_vcpu is None else [labels.INSTANCE_CPU.greater_than(min_vcpu - 1)]),
        ],
        # Auto Mode itself does not taint GPU nodes: any pod could land there.
        taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
        termination_grace_period="1h",
    )
    return NodePoolSpec(
        template=NodeClaimTemplate(spec=nodes),
        limits={"nvidia.com/gpu": gpu_limit},
        disruption=Disruption(consolidation_policy="WhenEmpty", consolidate_after="10m"),
    )
