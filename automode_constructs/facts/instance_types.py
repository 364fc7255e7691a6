"""EC2 instance types that Auto Mode may launch: size, GPU, disks, network and price.

A type that is not in the data file may exist all the same: EC2 grows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["AsOf", "Gpu", "InstanceType", "as_of", "each_instance_type", "instance_types"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """The GPUs of an instance, all of one kind.

    Args:
        name: as the node label has it (``a10g``): EC2's name in lower case with dashes. See ``facts.gpus``.
        manufacturer: ``nvidia`` or ``amd``.
        count: how many the instance has.
        memory_mib: memory of one, in MiB.
    """

    name: str
    manufacturer: str
    count: int
    memory_mib: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceType:
    """One EC2 instance type. What EC2 does not say of a type is ``None``.

    Args:
        name: such as ``g6e.xlarge``.
        vcpu: vCPUs.
        memory_mib: memory in MiB, of which pods get less; see ``specs.instance_types.allocatable``.
        architecture: ``amd64`` or ``arm64``.
        cpu_manufacturer: ``intel``, ``amd`` or ``aws``.
        hypervisor: ``nitro``, or ``xen`` on old families.
        gpu: the GPUs.
        neuron_devices: how many Inferentia or Trainium devices it has.
        local_nvme_gb: NVMe instance storage in GB, all disks together.
        network_baseline_mbps: sustained network bandwidth, in Mbit/s.
        network_burst_mbps: network bandwidth in bursts, in Mbit/s.
        ebs_baseline_mbps: sustained bandwidth to EBS, in Mbit/s.
        ebs_burst_mbps: bandwidth to EBS in bursts, in Mbit/s.
        encryption_in_transit: whether EC2 encrypts traffic between such instances.
        eni_pods: pods that have an address of their own when each address is one of a network interface.
        on_demand_price_usd: USD an hour for Linux in the region of ``as_of().price_region``.
    """

    name: str
    vcpu: int
    memory_mib: int
    architecture: Literal["amd64", "arm64"]
    cpu_manufacturer: str
    hypervisor: Literal["nitro", "xen"]
    gpu: Gpu | None
    neuron_devices: int
    local_nvme_gb: int | None
    network_baseline_mbps: int | None
    network_burst_mbps: int | None
    ebs_baseline_mbps: int | None
    ebs_burst_mbps: int | None
    encryption_in_transit: bool
    eni_pods: int
    on_demand_price_usd: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AsOf:
    """Where the data file comes from.

    Args:
        source: where the types are from.
        types: the day on which the types were so.
        price_source: where the prices are from.
        prices: the day on which the prices were so.
        price_region: the region of the prices.
    """

    source: str
    types: date
    price_source: str
    prices: date
    price_region: str


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("instance_types.json").read_text("utf-8"))
    return loaded


@cache
def instance_types() -> Mapping[str, InstanceType]:
    """Every instance type of the data file by its name: those of families that Auto Mode lists.

    Types that Auto Mode does not launch (one vCPU; nano, micro and small) and bare metal are left out.
    """
    return MappingProxyType({known.name: known for known in each_instance_type()})


def each_instance_type() -> Iterator[InstanceType]:
    """The same types, each made when its turn comes: whoever finds one early does not wait for all."""
    return map(_read, _data()["types"])


def as_of() -> AsOf:
    """Source and day of the types and of their prices."""
    data = _data()
    return AsOf(
        source=data["source"],
        types=date.fromisoformat(data["date"]),
        price_source=data["price_source"],
        prices=date.fromisoformat(data["price_date"]),
        price_region=data["price_region"],
    )


@cache
def _read(name: str) -> InstanceType:
    fields = dict(zip(_data()["columns"], _data()["types"][name], strict=True))
    if fields["gpu"] is not None:
        gpu, manufacturer, count, memory_mib = fields["gpu"]
        fields["gpu"] = Gpu(name=gpu, manufacturer=manufacturer, count=count, memory_mib=memory_mib)
    return InstanceType(name=name, **fields)
