"""The taint that keeps pods that need no accelerator off accelerated nodes."""

from __future__ import annotations

from automode_constructs.arguments import checked_arguments
from automode_constructs.facts.instance_types import instance_types
from automode_constructs.facts.instances import category_of, family_of
from automode_constructs.specs.pools.node_pool import Taint

__all__ = ["accelerator_taint"]

_NVIDIA = Taint(key="nvidia.com/gpu", effect="NoSchedule")
_NEURON = Taint(key="aws.amazon.com/neuron", effect="NoSchedule")
_BY_CATEGORY = {"g": _NVIDIA, "gr": _NVIDIA, "p": _NVIDIA, "inf": _NEURON, "trn": _NEURON}
"""For types newer than the catalogue."""


@checked_arguments
def accelerator_taint(instance_type: str) -> Taint | None:
    """``nvidia.com/gpu`` or ``aws.amazon.com/neuron`` for a type that has such devices, ``None`` for any other.

    Auto Mode itself does not taint accelerated nodes: any pod could land there.
    """
    details = instance_types().get(instance_type)
    if details is None:
        return _BY_CATEGORY.get(category_of(family_of(instance_type)))
    if details.neuron_devices:
        return _NEURON
    return _NVIDIA if details.gpu is not None and details.gpu.manufacturer == "nvidia" else None
