"""Checks a model server against its NodePool: finds what fits no node, or only some of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automode_constructs.checks.placement import tolerates
from automode_constructs.checks.weight_streaming import HostMemory
from automode_constructs.errors import Problem
from automode_constructs.facts.gpus import FRACTIONAL_GPU_FAMILIES, gpu_named
from automode_constructs.facts.instance_types import InstanceType
from automode_constructs.inference.model_preset import GIB, ModelPreset
from automode_constructs.specs.nodes.node_class import NodeClassSpec
from automode_constructs.specs.pools.instance_types import allocatable, names_unknown_types
from automode_constructs.specs.pools.node_pool import NodePoolSpec
from automode_constructs.specs.quantity import number
from automode_constructs.specs.rule import rule

__all__ = ["ServerNeeds", "doubts", "hosts", "limit_problems", "memory_problems", "misfits"]

UNKNOWN_INSTANCE_TYPES = rule(
    "automode:UnknownInstanceTypes",
    "Deployment",
    severity="warning",
    sentence=(
        "The instance types that a model server's pool admits are in the catalogue, so the server can be checked "
        "against their GPUs and memory."
    ),
    source="EKS User Guide, 'Instance types supported by EKS Auto Mode'; EC2, 'Specifications for accelerated "
    "computing instances' (g6f and gr6f have a fraction of a GPU)",
    judged="app",
)

_FP8_KV_CACHE = (8, 9)
"""The first compute capability whose attention kernels read an 8-bit KV cache. Source: vLLM 0.33.0."""

_GPU = "nvidia.com/gpu"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerNeeds:
    """What a replica of a model server needs from its node."""

    model: ModelPreset
    gpus: int
    cpu: int | str
    memory: int | str
    host_memory: HostMemory | None = None
    """Host memory that loading takes. Default: not known."""
    memory_limit: int | str | None = None
    """Host memory that the container may use. Default: all of its node's."""
    max_model_len: int
    gpu_memory_utilization: float
    fp8_kv_cache: bool
    architecture: Literal["amd64", "arm64"]
    replicas: int
    tolerations: Sequence[Mapping[str, Any]]


def hosts(needs: ServerNeeds, spec: NodePoolSpec) -> tuple[InstanceType, ...]:
    """The known instance types of a pool that a replica would be scheduled on, whether or not it can work there."""
    return _hosts(needs, spec.instance_types())


def _hosts(needs: ServerNeeds, types: Iterable[InstanceType]) -> tuple[InstanceType, ...]:
    return tuple(
        instance_type
        for instance_type in types
        if instance_type.architecture == needs.architecture
        and _gpus(instance_type) >= needs.gpus
        and _has_room(instance_type, needs)
    )


def misfits(needs: ServerNeeds, name: str, spec: NodePoolSpec, node_class: NodeClassSpec | None) -> Iterator[Problem]:
    """Everything that prevents a server from working on a pool.

    An instance type newer than the catalogue never causes a problem: if a pool names one, or admits no known type,
    only what does not depend on the type is checked.

    Args:
        needs: the server.
        name: the pool's name.
        spec: the pool.
        node_class: the pool's NodeClass, or ``None`` if this app does not create it.
    """
    yield from memory_problems(needs)
    yield from _taints(needs, name, spec)
    yield from limit_problems(needs, name, spec)
    types = spec.instance_types()
    if not types:
        return
    landing = _hosts(needs, types)
    if not landing:
        if not names_unknown_types(spec.template.spec.requirements):
            yield _no_host(needs, name, types)
        return
    yield from _gpu_problems(needs, name, landing)
    yield from _nodes_too_small(needs, name, landing)
    if node_class is not None:
        yield from _unused_nvme(node_class, landing)


def memory_problems(needs: ServerNeeds) -> Iterator[Problem]:
    """The host memory that loading the weights takes, if the container may not use that much."""
    host, limit = needs.host_memory, needs.memory_limit
    limit_bytes = None if limit is None else number(limit)
    if host is None or limit_bytes is None or host.total <= limit_bytes:
        return
    room = (int(limit_bytes) - host.overhead) // host.processes
    smaller = room >= (needs.model.largest_tensor_bytes or GIB)
    yield Problem(
        field="memory",
        message=f"loading {needs.model.name} takes {host}, but the container may use {limit}",
        cure=f"set memory to {host.least}" + (f", or the weights' memory_limit to {room}" if smaller else ""),
    )


def doubts(needs: ServerNeeds, name: str, spec: NodePoolSpec) -> Iterator[Problem]:
    """What cannot be checked for a server on a pool, because the catalogue lacks instance types of the pool.

    Args:
        needs: the server.
        name: the pool's name.
        spec: the pool.
    """
    requirements = spec.template.spec.requirements
    unknown_types = names_unknown_types(requirements)
    if not unknown_types:
        return
    fractions = sorted(
        family for family in FRACTIONAL_GPU_FAMILIES if family in {one.partition(".")[0] for one in unknown_types}
    )
    need = needs.model.gpu_memory(tokens=needs.max_model_len, gpus=needs.gpus, fp8_kv_cache=needs.fp8_kv_cache)
    if fractions:
        shares = "; ".join(f"{family} has {FRACTIONAL_GPU_FAMILIES[family]}" for family in fractions)
        message = f"pool '{name}' asks for {', '.join(unknown_types)}: {shares}, and {needs.model.name} {need}"
        cure = "require a family with whole GPUs, such as labels.INSTANCE_FAMILY.is_in('g6')"
    else:
        message = (
            f"pool '{name}' asks for {', '.join(unknown_types)}, which the catalogue lacks: {needs.model.name} {need}"
        )
        cure = "make sure that its GPUs have that much, or require types that automode estimate lists"
    yield UNKNOWN_INSTANCE_TYPES.problem("node_pool", f"{message}; with less, the server does not start", cure)


def _nodes_too_small(needs: ServerNeeds, name: str, landing: Sequence[InstanceType]) -> Iterator[Problem]:
    """Nodes that run out of memory while the weights load, for a container without a limit of its own."""
    host = needs.host_memory
    if host is None or needs.memory_limit is not None:
        return
    small = [one for one in landing if allocatable(one).memory_mib * 2**20 < host.total]
    if small:
        least = min(small, key=lambda one: allocatable(one).memory_mib)
        yield Problem(
            field="memory",
            message=(
                f"pool '{name}' admits {_names(small)}: loading {needs.model.name} takes {host}, and {least.name} "
                f"leaves pods {allocatable(least).memory_mib:,}Mi"
            ),
            cure=f"""request memory {host.least}, or set "memory_limit" in --model-loader-extra-config""",
        )


def _taints(needs: ServerNeeds, name: str, spec: NodePoolSpec) -> Iterator[Problem]:
    for taint in spec.template.spec.taints or ():
        manifest = taint.to_manifest()
        if taint.effect != "PreferNoSchedule" and not any(tolerates(each, manifest) for each in needs.tolerations):
            taint_text = f"{taint.key}={taint.value}" if taint.value else taint.key
            yield Problem(
                field="tolerations",
                message=f"pool '{name}' has the taint {taint_text}:{taint.effect}, which no toleration matches",
                cure=f"add {{'key': '{taint.key}', 'operator': 'Exists', 'effect': '{taint.effect}'}}",
            )


def limit_problems(needs: ServerNeeds, name: str, spec: NodePoolSpec) -> Iterator[Problem]:
    """More GPUs for all replicas than the pool may have."""
    limit = (spec.limits or {}).get(_GPU)
    most = None if limit is None else number(limit)
    gpus_needed = needs.replicas * needs.gpus
    if most is not None and gpus_needed > most:
        yield Problem(
            field="replicas",
            message=(
                f"{needs.replicas} replicas of {needs.gpus} GPU need {gpus_needed}, but pool '{name}' is limited to "
                f"{limit}"
            ),
            cure=f"raise the pool's limits['{_GPU}'], or ask for fewer replicas",
        )


def _no_host(needs: ServerNeeds, name: str, types: Sequence[InstanceType]) -> Problem:
    right = [one for one in types if one.architecture == needs.architecture]
    if not right:
        other = types[0].architecture
        return Problem(
            field="node_pool",
            message=(
                f"pool '{name}' admits {other} nodes only ({_names(types)}), but the image is for {needs.architecture}"
            ),
            cure=f"require labels.ARCH.is_in('{needs.architecture}') in the pool, or pass architecture='{other}'",
        )
    with_gpus = [one for one in right if _gpus(one) >= needs.gpus]
    if not with_gpus:
        most = max(_gpus(one) for one in right)
        return Problem(
            field="gpus",
            message=(
                f"a replica needs {needs.gpus} NVIDIA GPU, but no type that pool '{name}' admits has more than {most}"
            ),
            cure="admit larger types, or ask for fewer GPUs",
        )
    largest = max(with_gpus, key=lambda one: (allocatable(one).memory_mib, allocatable(one).cpu_millis))
    room = allocatable(largest)
    return Problem(
        field="cpu and memory",
        message=(
            f"a replica requests {needs.cpu} CPU and {needs.memory}, but none of {_names(with_gpus)} in pool '{name}' "
            f"has that much: {largest.name} leaves pods {room.cpu_millis:,}m and {room.memory_mib:,}Mi"
        ),
        cure="request less, or admit larger types",
    )


def _gpu_problems(needs: ServerNeeds, name: str, landing: Sequence[InstanceType]) -> Iterator[Problem]:
    model = needs.model
    need = model.gpu_memory(tokens=needs.max_model_len, gpus=needs.gpus, fp8_kv_cache=needs.fp8_kv_cache)
    for families, gpu_name, has in _by_gpu(landing):
        gpu = gpu_named(gpu_name)
        capability = None if gpu is None else gpu.compute_capability
        usable = has * needs.gpu_memory_utilization
        too_small = usable < need.total
        too_old = capability is not None and capability < model.min_compute_capability
        whose = f"{' and '.join(families)}'s {gpu_name.upper()}"
        without = f"labels.INSTANCE_FAMILY.is_not_in({', '.join(map(repr, families))})"
        reasons: list[str] = []
        if too_small:
            reasons.append(
                f"has {has:.1f} GiB, of which vLLM takes {needs.gpu_memory_utilization:g} = {usable:.1f} GiB"
            )
        if too_old and capability is not None:
            reasons.append(f"has compute capability {_dotted(capability)} < {_dotted(model.min_compute_capability)}")
        if reasons:
            tokens = _longest(needs, usable)
            shorter = f", or lower max_model_len to {tokens:,} or less" if tokens and not too_old else ""
            yield Problem(
                field="node_pool",
                message=f"pool '{name}' admits {whose}: {model.name} {need}; {whose} {' and '.join(reasons)}",
                cure=f"require {without} in the pool{shorter}",
            )
        elif needs.fp8_kv_cache and capability is not None and capability < _FP8_KV_CACHE:
            yield Problem(
                field="kv_cache_dtype",
                message=(
                    f"pool '{name}' admits {whose} with compute capability {_dotted(capability)}: an fp8 KV cache "
                    f"needs {_dotted(_FP8_KV_CACHE)}"
                ),
                cure=f"leave it at 'auto', or require {without} in the pool",
            )


def _longest(needs: ServerNeeds, usable: float) -> int:
    """The longest request that fits the usable memory of a GPU, in whole multiples of 1,024 tokens."""
    free = usable - needs.model.weights_in_gpu_gib / needs.gpus - needs.model.overhead_gib
    tokens = needs.model.tokens_in(free * needs.gpus, fp8_kv_cache=needs.fp8_kv_cache)
    return tokens // 1024 * 1024


def _unused_nvme(node_class: NodeClassSpec, landing: Iterable[InstanceType]) -> Iterator[Problem]:
    storage = node_class.ephemeral_storage
    size = None if storage is None or storage.size is None else number(storage.size)
    if size is None or storage is None:
        return
    types = [one for one in landing if one.local_nvme_gb and one.local_nvme_gb * 10**9 <= size]
    if types:
        smallest = min(types, key=lambda one: one.local_nvme_gb or 0)
        disk = smallest.local_nvme_gb or 0
        yield Problem(
            field="node_pool",
            message=(
                f"its NodeClass has ephemeral_storage.size {storage.size} = {float(size) / 1e9:.0f} GB, not below the "
                f"{disk} GB of local NVMe of {smallest.name}: Auto Mode would leave the NVMe unused and put images on "
                "an EBS volume"
            ),
            cure=f"set the size below {disk * 10**9 // GIB}Gi",
        )


def _by_gpu(landing: Iterable[InstanceType]) -> Iterator[tuple[tuple[str, ...], str, float]]:
    """For each GPU: the families that have it, its name, and the memory that programs see, in GiB."""
    families: dict[tuple[str, int], dict[str, None]] = {}
    for one in landing:
        if one.gpu is not None:
            families.setdefault((one.gpu.name, one.gpu.memory_mib), {})[one.name.partition(".")[0]] = None
    for (name, memory_mib), names in families.items():
        gpu = gpu_named(name)
        usable = None if gpu is None else gpu.usable_memory_gib
        yield tuple(names), name, usable or memory_mib / 1024


def _gpus(instance_type: InstanceType) -> int:
    gpu = instance_type.gpu
    return allocatable(instance_type).gpus if gpu is not None and gpu.manufacturer == "nvidia" else 0


def _has_room(instance_type: InstanceType, needs: ServerNeeds) -> bool:
    room = allocatable(instance_type)
    cpu, memory = number(needs.cpu), number(needs.memory)
    return (cpu is None or cpu * 1000 <= room.cpu_millis) and (memory is None or memory <= room.memory_mib * 1024**2)


def _names(types: Sequence[InstanceType]) -> str:
    names = [one.name for one in types]
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(str(part) for part in capability)
