"""How long a model server takes from a pending pod to its first token, on a node that does not exist yet.

The estimate rests on published figures, not on measurements of ours; the pull rate is a fit to two of them. If you
have measured a pull, pass its rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from automode_constructs.arguments import checked_arguments
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.facts.instance_types import InstanceType
from automode_constructs.specs.nodes.node_class import EphemeralStorage
from automode_constructs.specs.quantity import number

__all__ = [
    "FAST_START_CONTAINER",
    "FAST_START_GRAPHS",
    "FAST_START_VCPU",
    "ColdStart",
    "Seconds",
    "estimate_cold_start",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seconds:
    """A range of time, in seconds.

    Args:
        low: the shortest.
        high: the longest.
    """

    low: float
    high: float

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(low=self.low + other.low, high=self.high + other.high)

    def __str__(self) -> str:
        low, high = f"{self.low:.0f}", f"{self.high:.0f}"
        return f"{low} s" if low == high else f"{low}-{high} s"


@dataclass(frozen=True, kw_only=True, slots=True)
class ColdStart:
    """The parts of a cold start, in order. A part that cannot be known is ``None``.

    Args:
        node: from the pending pod to a node that is ready.
        pull: the image.
        process: from the container's start to the engine's: Python and its imports.
        weights: into GPU memory.
        compile: what the engine compiles for this GPU.
        init: CUDA graphs, memory profile, the HTTP server.
        first_token: the first request.
    """

    node: Seconds
    pull: Seconds | None
    process: Seconds
    weights: Seconds | None
    compile: Seconds
    init: Seconds
    first_token: Seconds

    @property
    def total(self) -> Seconds | None:
        """The sum of the parts; ``None`` if one of them cannot be known."""
        if self.pull is None or self.weights is None:
            return None
        return self.node + self.pull + self.process + self.weights + self.compile + self.init + self.first_token

    def parts(self) -> str:
        """Each part with its time, in order."""
        names = ("node", "pull", "process", "weights", "compile", "init", "first_token")
        return ", ".join(f"{name.replace('_', ' ')} {getattr(self, name) or 'unknown'}" for name in names)


# Every constant of the formula, with its source. MB are 1,000,000 bytes.

_NODE = Seconds(low=30, high=90)
"""EKS User Guide, "Load and serve a model": 30 s on g6e.4xlarge; the upper bound is ours."""

_PROCESS = Seconds(low=10, high=20)
"""Ours: vLLM's imports on 4 to 16 vCPUs."""

_COMPILE = Seconds(low=20, high=55)
"""vllm-project/vllm#22331: 20.6 s for gpt-oss-20b on an RTX 3090; The New Stack 2026: 34 to 53 s for larger models."""

_COMPILE_CACHED = Seconds(low=4, high=6)
"""The New Stack 2026: torch.compile from its cache."""

_COMPILE_NEVER = Seconds(low=0, high=0)
"""``--enforce-eager`` compiles nothing."""

_INIT = Seconds(low=15, high=45)
"""The New Stack 2026: engine init 30 to 45 s; the lower bound is ours, for few and small CUDA graphs."""

_FIRST_TOKEN = Seconds(low=1, high=3)
"""Ours: a short prompt, including the warm-up that only the first request pays for."""

FAST_START_CONTAINER = "compile-cache"
"""Name of the init container by which a manifest shows that its server starts fast: ``FastStart`` writes it."""

FAST_START_VCPU = 16
"""vCPUs of the smallest node on which the times below hold."""

FAST_START_GRAPHS = 64
"""The largest batch with a CUDA graph for which they hold: eleven sizes."""

_NODE_FAST = Seconds(low=17, high=45)
"""17 s: AWS re:Invent 2025 talk on EKS Auto Mode; 30 s: EKS User Guide, "Load and serve a model".

The upper bound is half as much again, and ours: it holds while EC2 has the capacity. One launch that fails for lack of
capacity or quota costs more than it.
"""

_PROCESS_FAST = Seconds(low=10, high=15)
"""Ours: vLLM's imports on 16 vCPUs."""

_COMPILE_FETCHED = Seconds(low=5, high=12)
"""torch.compile from its cache, and the cache from S3.

4 to 6 s: The New Stack 2026; 6.0 s and 9.6 s in total: logs in noonghunna/club-3090#372 and #142. The archives, some
hundred MB, take 1 to 2 s more (ours).
"""

_INIT_FAST = Seconds(low=10, high=25)
"""Memory profile, up to eleven sizes of CUDA graphs, the HTTP server. Ours.

19 sizes took 3 s (a log in vllm-project/vllm-omni#1434), all graphs 4 s (aivrar/vllm-windows-build#17); the rest is
left for the profile run and the server.
"""

_PULL_MB_PER_VCPU = 11.5
"""MB/s of compressed image that each vCPU unpacks: decompression, not the network, is the limit.

A fit to two points, both with 16 vCPUs: 8.80 GB in 48.4 s on g6e.4xlarge (EKS User Guide, "Load and serve a model"),
and about 14 GB in 75 s on g5.4xlarge (AWS re:Invent talk on EKS Auto Mode).
"""

_PULL_MB_LEAST = 70
"""MB/s. aws-samples/karpenter-blueprints: containerd without parallel pull, 9.35 GB in 130.8 s."""

_PULL_MB_MOST = 400
"""MB/s. aws-samples/karpenter-blueprints: Bottlerocket with parallel pull, 9.35 GB in 23.2 s."""

_UNPACKED = 2.2
"""Bytes on disk for each byte of image. Uncertain: 9 GB of vLLM image are about 20 GB unpacked."""

_NVME_MB = (500, 1000)
"""Lowest and highest MB/s at which weights are read from local NVMe. Ours: EC2 publishes no figure for a type."""

_HUB_MB_LEAST = 50
"""MB/s from the Hugging Face hub through a NAT gateway. Ours: nobody promises a rate, so the range is wide."""

_SIZE, _THROUGHPUT = "80Gi", 125
"""Throughput of a node's data volume (MiB/s) if the NodeClass sets none. EKS User Guide, "Create a Node Class"."""


@checked_arguments
def estimate_cold_start(
    *,
    instance_type: InstanceType,
    image_bytes: float,
    weight_bytes: float,
    weights: Literal["s3", "image", "hub"] | None,
    compile_cached: bool = False,
    enforce_eager: bool = False,
    fast_start: bool = False,
    cuda_graph_size: int | None = None,
    ephemeral_storage: EphemeralStorage | None = None,
    pull_mb_per_second: float | None = None,
) -> ColdStart:
    """Estimates how long a server takes to produce its first token on a new node of a given type.

    The estimate uses the network's baseline bandwidth; small sizes are faster for a while. If the catalogue lacks a
    figure that a part depends on, that part and the total are ``None``.

    Args:
        instance_type: the node's type.
        image_bytes: bytes of the compressed image, including the weights if they are baked in.
        weight_bytes: bytes of the weights, such as ``GPT_OSS_20B.weight_bytes``.
        weights: ``s3`` (streamed, no disk written), ``image`` (baked in, read from the node's disk), ``hub`` (the
            Hugging Face hub, through NAT to disk: a wide range), or ``None`` if the source is not known.
        compile_cached: whether the node has a matching compile cache. Default: False, as on every new node; we
            decide.
        enforce_eager: whether vLLM runs with ``--enforce-eager``, which compiles nothing. Default: False, as vLLM
            decides.
        fast_start: whether the server has the set-up ``FastStart``: a compile cache from S3, on-demand capacity that
            EC2 has, and on nodes of 16 vCPU or more a short start of the process and of CUDA graphs up to 64.
            Default: False; we decide.
        cuda_graph_size: the largest batch with a CUDA graph (``--max-cudagraph-capture-size``), for ``fast_start``.
            Default: not known, and not counted as small.
        ephemeral_storage: the NodeClass's setting. At or above the size of the local NVMe, images go to an EBS volume
            with its throughput. Default: 80Gi and 125 MiB/s, as EKS decides.
        pull_mb_per_second: MB/s that your own nodes of this type reach: the image's bytes divided by the seconds in the
            kubelet's ``Pulled`` event. Default: estimated from vCPUs, disk and network.

    Raises:
        AutoModeError: for sizes and rates that are not above zero, and for any other value of ``weights``.

    Source: beside each constant of this module.
    """
    for name, value in (
        ("image_bytes", image_bytes),
        ("weight_bytes", weight_bytes),
        ("pull_mb_per_second", pull_mb_per_second),
    ):
        # Written so that NaN is refused too.
        if value is not None and not value > 0:
            raise AutoModeError.of("", field=name, message=f"needs a number above 0, got {shown(value)}")
    if weights not in ("s3", "image", "hub", None):
        raise AutoModeError.of(
            "",
            field="weights",
            message=f"{shown(weights)} is not a source of weights",
            cure="use 's3', 'image' or 'hub'",
        )
    network = None if instance_type.network_baseline_mbps is None else instance_type.network_baseline_mbps / 8
    nvme = _has_images_on_nvme(instance_type, ephemeral_storage)
    disk = _NVME_MB if nvme else _ebs_mb(instance_type, ephemeral_storage)
    if pull_mb_per_second is None:
        pull = _pull(instance_type, image_bytes, network, None if nvme else disk, nvme=nvme)
    else:
        pull = _moved(image_bytes, pull_mb_per_second, pull_mb_per_second)
    compiling = _COMPILE_FETCHED if fast_start else _COMPILE
    if compile_cached:
        compiling = _COMPILE_CACHED
    fast = fast_start and instance_type.vcpu >= FAST_START_VCPU
    few_graphs = cuda_graph_size is not None and cuda_graph_size <= FAST_START_GRAPHS
    return ColdStart(
        node=_NODE_FAST if fast_start else _NODE,
        pull=pull,
        process=_PROCESS_FAST if fast else _PROCESS,
        weights=None if weights is None else _weights(weight_bytes, weights, network, disk),
        compile=_COMPILE_NEVER if enforce_eager else compiling,
        init=_INIT_FAST if fast and (few_graphs or enforce_eager) else _INIT,
        first_token=_FIRST_TOKEN,
    )


def _pull(
    instance_type: InstanceType,
    image_bytes: float,
    network: float | None,
    volume: tuple[float, float] | None,
    *,
    nvme: bool,
) -> Seconds | None:
    if network is None:
        return None
    parallel = min(max(_PULL_MB_PER_VCPU * instance_type.vcpu, _PULL_MB_LEAST), _PULL_MB_MOST, network)
    if nvme:
        return _moved(image_bytes, parallel, parallel)
    if volume is None:
        return None
    # It is not documented whether a node without local NVMe pulls in parallel; its volume takes the unpacked bytes.
    most = min(parallel, volume[1])
    return _moved(image_bytes, min(most, _PULL_MB_LEAST, volume[0] / _UNPACKED), most)


def _weights(
    weight_bytes: float, way: Literal["s3", "image", "hub"], network: float | None, disk: tuple[float, float] | None
) -> Seconds | None:
    if way == "s3":
        return None if network is None else _moved(weight_bytes, network, network)
    if disk is None:
        return None
    disk_read = _moved(weight_bytes, *disk)
    if way == "image":
        return disk_read
    if network is None:
        return None
    most = min(network, disk[1])
    return _moved(weight_bytes, min(most, _HUB_MB_LEAST), most) + disk_read


def _moved(size: float, least: float, most: float) -> Seconds:
    """How long the bytes take at the highest and at the lowest rate, in MB/s."""
    return Seconds(low=size / most / 1e6, high=size / least / 1e6)


def _has_images_on_nvme(instance_type: InstanceType, storage: EphemeralStorage | None) -> bool:
    size = number((storage.size if storage is not None else None) or _SIZE)
    return bool(instance_type.local_nvme_gb) and (size is None or size < (instance_type.local_nvme_gb or 0) * 10**9)


def _ebs_mb(instance_type: InstanceType, storage: EphemeralStorage | None) -> tuple[float, float] | None:
    if instance_type.ebs_baseline_mbps is None:
        return None
    throughput = (storage.throughput if storage is not None else None) or _THROUGHPUT
    rate = min(instance_type.ebs_baseline_mbps / 8, throughput * 1024**2 / 1e6)
    return rate, rate
