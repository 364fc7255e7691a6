"""The accelerators of nodes and pods: which a pool's nodes can have, and pods on such nodes that request none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from automode_constructs.checks.placement import BUILT_IN_POOLS, LabelDemand, Pods, Pool
from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.labels import stable_key
from automode_constructs.specs.pools.accelerated import listed_categories, only_accelerated
from automode_constructs.specs.pools.admission import Demand
from automode_constructs.specs.pools.requirement import Requirement
from automode_constructs.specs.rule import rule

__all__ = ["ACCELERATORS", "DEVICE_REQUEST", "accelerators_of", "device_request_problems"]

DEVICE_REQUEST = rule(
    "automode:DeviceRequest",
    *("CronJob", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"),
    severity="warning",
    sentence="Pods that can run on accelerated nodes only request a device: without a request they see none.",
    source="EKS User Guide, 'Deploy an accelerated workload'; bottlerocket-os/bottlerocket#4603",
    judged="tree",
)

_GPU = "nvidia.com/gpu"
_NEURON = "aws.amazon.com/neuron"
ACCELERATORS = frozenset({_GPU, _NEURON})
"""The resources of accelerators that the catalogue of instance types knows."""

_MAKERS = ("nvidia.com/", "aws.amazon.com/neuron", "amd.com/gpu", "habana.ai/", "qualcomm.com/")
_NEURON_CATEGORIES = frozenset({"inf", "trn"})


def accelerators_of(pool: Pool) -> Mapping[str, int]:
    """The accelerators that a node of a pool may have, and at most how many; all of them where that is not known."""
    # Imported late: the list takes time to load, and few objects need it.
    from automode_constructs.specs.pools.instance_types import admitted, names_unknown_types, only_known_types

    requirements: list[Requirement] = []
    for key, demands in pool.demands.items():
        for operator, values in demands:
            # What no pool may require (its own name) says nothing of the type.
            with suppress(AutoModeError):
                requirements.append(
                    Requirement.from_manifest({"key": key, "operator": operator, "values": list(values)})
                )
    types = admitted(requirements)
    if not types or names_unknown_types(requirements):
        return dict.fromkeys(ACCELERATORS, _MANY)
    gpus = max(
        (each.gpu.count for each in types if each.gpu is not None and each.gpu.manufacturer == "nvidia"), default=0
    )
    counts = {_GPU: gpus, _NEURON: max(each.neuron_devices or 0 for each in types)}
    all_known = only_known_types(requirements)
    return {key: count if all_known else _MANY for key, count in counts.items() if count}


_MANY = 2**31
"""More devices than any node has: a type newer than the catalogue may have more than the known ones."""


def device_request_problems(
    manifest: Mapping[str, Any], pods: Pods, pools: Sequence[Pool], *, all_pools_known: bool
) -> Iterator[Problem]:
    """Pods that land on accelerated nodes only, and request no device.

    Args:
        manifest: a workload.
        pods: its pods.
        pools: the cluster's pools.
        all_pools_known: whether there may be no others.
    """
    spec = mapping_at(manifest, *pods.field.split("."))
    if any(device.startswith(_MAKERS) for device in pods.devices) or spec.get("resourceClaims") or _reaches_host(spec):
        return
    chosen = [_by_key([*pods.selector, *term]) for term in pods.terms]
    names = {value for one in chosen for _, values in one.get("karpenter.sh/nodepool", ()) for value in values}
    fitting = [pool for pool in pools if (all_pools_known or pool.name in names) and _fits(pods, pool)]
    demands: Sequence[Mapping[str, Sequence[Demand]]]
    if all(only_accelerated(one) for one in chosen):
        demands = chosen
    elif fitting and all(only_accelerated(pool.demands) for pool in fitting) and not _has_ordinary(pools, pods):
        demands = [pool.demands for pool in fitting]
    else:
        return
    categories = frozenset[str]().union(*map(listed_categories, demands))
    device = _NEURON if categories and categories <= _NEURON_CATEGORIES else _GPU
    yield DEVICE_REQUEST.problem(
        f"{pods.field}.containers",
        "no container requests a device, and the pods run on accelerated nodes only, where they see no accelerator",
        f"add {device} to the limits of the container that needs it, or choose other nodes",
    )


def _fits(pods: Pods, pool: Pool) -> bool:
    return pods.select(pool) and not pods.repelled_by(pool)


def _has_ordinary(pools: Sequence[Pool], pods: Pods) -> bool:
    return any(_fits(pods, pool) for pool in [*pools, *BUILT_IN_POOLS.values()] if not only_accelerated(pool.demands))


def _by_key(conditions: Sequence[LabelDemand]) -> dict[str, list[Demand]]:
    demands: dict[str, list[Demand]] = {}
    for key, demand in conditions:
        demands.setdefault(stable_key(key), []).append(demand)
    return demands


def _reaches_host(spec: Mapping[str, Any]) -> bool:
    """Whether a pod may reach devices without requesting them: a privileged container, or a folder of the host."""
    containers = [each for field in ("containers", "initContainers") for each in _mappings(spec.get(field))]
    privileged = any(mapping_at(each, "securityContext").get("privileged") is True for each in containers)
    return privileged or any("hostPath" in volume for volume in _mappings(spec.get("volumes")))


def _mappings(value: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []
