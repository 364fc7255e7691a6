"""Which of the catalogue's instance types a NodePool's requirements admit.

The catalogue (``facts.instance_types``) is a snapshot, and EC2 grows: if it has no matching type, a newer one may still
match. ``only_known_types`` says when that is ruled out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from automode_constructs.facts.instance_types import InstanceType, each_instance_type, instance_types
from automode_constructs.facts.instances import category_of, family_of, size_of
from automode_constructs.specs.labels import (
    ARCH,
    COMPUTE_TYPE,
    INSTANCE_CATEGORY,
    INSTANCE_CPU,
    INSTANCE_CPU_MANUFACTURER,
    INSTANCE_EBS_BANDWIDTH,
    INSTANCE_ENCRYPTION_IN_TRANSIT_SUPPORTED,
    INSTANCE_FAMILY,
    INSTANCE_GENERATION,
    INSTANCE_GPU_COUNT,
    INSTANCE_GPU_MANUFACTURER,
    INSTANCE_GPU_MEMORY,
    INSTANCE_GPU_NAME,
    INSTANCE_HYPERVISOR,
    INSTANCE_LOCAL_NVME,
    INSTANCE_MEMORY,
    INSTANCE_NETWORK_BANDWIDTH,
    INSTANCE_SIZE,
    INSTANCE_TYPE,
    stable_key,
)
from automode_constructs.specs.pools.label_values import values_of
from automode_constructs.specs.pools.requirement import Operator, Requirement
from automode_constructs.tokens import is_list_token, is_token

__all__ = [
    "MAX_PODS",
    "Allocatable",
    "admits_any",
    "admitted",
    "allocatable",
    "names_unknown_types",
    "node_labels",
    "only_known_types",
]

MAX_PODS = 110
"""The most pods that Auto Mode puts on a node; types with few network addresses take fewer."""

_CLOSED_SETS = frozenset({ARCH, COMPUTE_TYPE, INSTANCE_ENCRYPTION_IN_TRANSIT_SUPPORTED, "kubernetes.io/os"})
"""Labels for which newer types bring no new values."""

_COMPARED = frozenset({"Gt", "Gte", "Lt", "Lte"})


class Allocatable(NamedTuple):
    """What the pods of a node may request in total, DaemonSets included.

    Args:
        cpu_millis: CPU, in thousandths of a vCPU (``m``).
        memory_mib: memory, in MiB (``Mi``).
        pods: how many pods there may be.
        gpus: how many of ``nvidia.com/gpu``.
    """

    cpu_millis: int
    memory_mib: int
    pods: int
    gpus: int


def node_labels(instance_type: InstanceType) -> Mapping[str, str]:
    """The well-known labels that every node of a type has, whichever zone and capacity type it is launched in.

    A label is left out where the type has nothing to say: GPU labels without a GPU, ``instance-local-nvme`` without
    NVMe disks.

    Source: EKS User Guide, "Create a Node Pool for EKS Auto Mode", table of supported labels; for how each value is
    derived, open-source Karpenter (``pkg/providers/instancetype/types.go``), which Auto Mode is taken to follow.
    """
    values = {key: value_of(instance_type) for key, value_of in _VALUES.items()}
    return MappingProxyType({key: str(value) for key, value in values.items() if value is not None})


_VALUES: Mapping[str, Callable[[InstanceType], str | int | None]] = {
    str(INSTANCE_TYPE): lambda known: known.name,
    str(ARCH): lambda known: known.architecture,
    "kubernetes.io/os": lambda _: "linux",
    str(COMPUTE_TYPE): lambda _: "auto",
    str(INSTANCE_CATEGORY): lambda known: category_of(family_of(known.name)),
    str(INSTANCE_FAMILY): lambda known: family_of(known.name),
    str(INSTANCE_GENERATION): lambda known: re.sub(r"^[a-z]+([0-9]+).*$", r"\1", family_of(known.name)),
    str(INSTANCE_SIZE): lambda known: size_of(known.name),
    str(INSTANCE_CPU): lambda known: known.vcpu,
    str(INSTANCE_CPU_MANUFACTURER): lambda known: known.cpu_manufacturer,
    str(INSTANCE_MEMORY): lambda known: known.memory_mib,
    str(INSTANCE_EBS_BANDWIDTH): lambda known: known.ebs_burst_mbps,
    str(INSTANCE_NETWORK_BANDWIDTH): lambda known: known.network_baseline_mbps,
    str(INSTANCE_HYPERVISOR): lambda known: known.hypervisor,
    str(INSTANCE_ENCRYPTION_IN_TRANSIT_SUPPORTED): lambda known: "true" if known.encryption_in_transit else "false",
    str(INSTANCE_LOCAL_NVME): lambda known: known.local_nvme_gb,
    str(INSTANCE_GPU_NAME): lambda known: known.gpu.name if known.gpu else None,
    str(INSTANCE_GPU_MANUFACTURER): lambda known: known.gpu.manufacturer if known.gpu else None,
    str(INSTANCE_GPU_COUNT): lambda known: known.gpu.count if known.gpu else None,
    str(INSTANCE_GPU_MEMORY): lambda known: known.gpu.memory_mib if known.gpu else None,
}
"""What each label is for a type; ``None`` where the type has no such label."""


def admitted(requirements: Iterable[Requirement]) -> tuple[InstanceType, ...]:
    """The known instance types that meet all requirements: cheapest first, then by name; without a price last.

    Requirements of what does not follow from the type (zone, capacity type, labels of one's own) restrict nothing,
    nor does a value that is known only after deployment. ``minValues`` is not looked at.

    Only families that Auto Mode lists are known, without what it does not launch (one vCPU; nano, micro and small).
    Bare metal is left out too: whether Auto Mode launches it is not documented, and Karpenter does so only when
    nothing else fits or when it is asked for.

    Source: Karpenter, "NodePools", ``spec.template.spec.requirements``.
    """
    return _types_that_meet_all(_telling(requirements))


def admits_any(requirements: Iterable[Requirement]) -> bool:
    """Whether ``admitted`` has a type, without looking for all of them."""
    return _are_met(_telling(requirements))


_Demand = tuple[str, Operator, tuple[str, ...]]
"""A requirement: the present key of its label, operator and values."""


def _telling(requirements: Iterable[Requirement]) -> frozenset[_Demand]:
    """The requirements that are about the type."""
    return frozenset(
        (stable_key(item.key), item.operator, tuple(item.values or ())) for item in requirements if _tells(item)
    )


@lru_cache(maxsize=1024)
def _are_met(demands: frozenset[_Demand]) -> bool:
    """Whether a known type meets all demands; many pools have the same."""
    return any(all(_meets(known, *demand) for demand in demands) for known in each_instance_type())


@lru_cache(maxsize=256)
def _types_that_meet_all(demands: frozenset[_Demand]) -> tuple[InstanceType, ...]:
    """The known types that meet all demands, cheapest first; many pools have the same."""
    every = instance_types()
    names = frozenset(every)
    for demand in demands:
        names &= _types_that_meet(*demand)
    return tuple(sorted((every[name] for name in names), key=_cheapest_first))


@lru_cache(maxsize=1024)
def _types_that_meet(key: str, operator: Operator, values: tuple[str, ...]) -> frozenset[str]:
    """The names of the known types that meet one demand; most pools have the same few."""
    return frozenset(name for name, known in instance_types().items() if _meets(known, key, operator, values))


def names_unknown_types(requirements: Iterable[Requirement]) -> tuple[str, ...]:
    """What the requirements ask for and no known type has: a family, type, size, GPU, or a number beyond all known.

    A newer type may have it, so a result here proves nothing about the rest. ``NotIn`` asks for nothing: excluding what
    does not exist is harmless.
    """
    unknown = [
        f"{item.operator} {value}" if item.operator in _COMPARED else value
        for item in requirements
        if _tells(item) and stable_key(item.key) not in _CLOSED_SETS and item.operator in {"In", *_COMPARED}
        for value in item.values or ()
        if not _are_met(frozenset([(stable_key(item.key), item.operator, (value,))]))
    ]
    return tuple(dict.fromkeys(unknown))


def only_known_types(requirements: Iterable[Requirement]) -> bool:
    """Whether only known types can meet the requirements: they name families or types, all of them known.

    If true and ``admitted`` is empty, the pool never launches a node. If false, a family newer than the catalogue may
    fit, however unlikely: do not refuse.
    """
    telling = [item for item in requirements if _tells(item)]
    return not names_unknown_types(telling) and any(
        item.operator == "In" and stable_key(item.key) in {INSTANCE_FAMILY, INSTANCE_TYPE} for item in telling
    )


def allocatable(instance_type: InstanceType, *, max_pods: int | None = None) -> Allocatable:
    """What the pods of a node may request in all. It is an estimate.

    It is the arithmetic of open-source Karpenter: 7.5 % of the memory goes to the hypervisor, 11 MiB for each pod that
    the node may have and 255 MiB to the kubelet, and 100 MiB are the eviction threshold. AWS does not document Auto
    Mode's, so that real nodes differ.

    Args:
        instance_type: the type.
        max_pods: how many pods the node may have, at least 1. Default: 110, or as many as the type's network
            interfaces have addresses for where that is less, as EKS decides.

    Source: Karpenter's ``kubeReservedResources`` and ``vmMemoryOverheadPercent``; EKS User Guide, "Learn about VPC
    Networking and Load Balancing in EKS Auto Mode" (pods of a node).
    """
    pods = min(MAX_PODS, instance_type.eni_pods) if max_pods is None else max_pods
    cores = instance_type.vcpu
    # 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest.
    reserved = 60 + 10 * (cores >= 2) + 5 * min(max(cores - 2, 0), 2) + 2.5 * max(cores - 4, 0)
    memory = instance_type.memory_mib * 0.925 - (11 * pods + 255) - 100
    gpu = instance_type.gpu
    return Allocatable(
        cpu_millis=int(1000 * cores - reserved),
        memory_mib=max(int(memory), 0),
        pods=pods,
        gpus=gpu.count if gpu is not None and gpu.manufacturer == "nvidia" else 0,
    )


def _tells(requirement: Requirement) -> bool:
    """Whether a requirement is about the type, with values that are already known."""
    values = requirement.values or ()
    return (
        stable_key(requirement.key) in _VALUES
        and not is_list_token(values)
        and not any(is_token(value) for value in values)
    )


def _meets(instance_type: InstanceType, key: str, operator: Operator, values: Sequence[str]) -> bool:
    value, allowed = _VALUES[key](instance_type), values_of(operator, tuple(values))
    if value is None:
        return allowed.may_be_absent
    return allowed.has(str(value))


def _cheapest_first(instance_type: InstanceType) -> tuple[bool, float, str]:
    price = instance_type.on_demand_price_usd
    return price is None, price or 0, instance_type.name
