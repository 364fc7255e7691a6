"""Writes ``automode_constructs/facts/instance_types.json``: what EC2 says of the instance types that Auto Mode lists.

Without an account: from the answers of DescribeInstanceTypes that moto has recorded, the types that they lack
(``instance_types_supplement.json``) and a price list (``instance_types_prices.json``), both beside this file.
With ``--from-account``: from DescribeInstanceTypes, and from the Pricing API where the account may ask it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from automode_constructs.facts.instances import FAMILIES, NEVER_LAUNCHED_SIZES, family_of, size_of

__all__ = [
    "Prices",
    "document",
    "from_account",
    "from_recordings",
    "is_kept",
    "main",
    "recorded_prices",
    "recorded_types",
    "recording",
]

_HERE = Path(__file__).parent
_WRITTEN = _HERE.parent / "automode_constructs" / "facts" / "instance_types.json"

_RECORDED_BY = "5.2.5"
_RECORDED_ON = "2026-10-27"
"""The version of moto whose recording is read, and the day of that recording."""

_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """On-demand prices for Linux, in USD an hour by instance type, with their source, day and region."""

    source: str
    date: str
    region: str
    by_type: Mapping[str, float]


def is_kept(info: Mapping[str, Any]) -> bool:
    """Whether Auto Mode lists the family and launches the size. Bare metal is left out."""
    name = info["InstanceType"]
    return (
        family_of(name) in FAMILIES
        and size_of(name) not in NEVER_LAUNCHED_SIZES
        and info["VCpuInfo"]["DefaultVCpus"] > 1
        and not info["BareMetal"]
    )


def facts_of(info: Mapping[str, Any], price: float | None) -> dict[str, Any]:
    """What the catalogue keeps of one answer of DescribeInstanceTypes."""
    network, ebs = info["NetworkInfo"], info["EbsInfo"]
    cards = network["NetworkCards"]
    # Without optimisation a type shares its network with EBS, and has no bandwidth of its own for it.
    to_ebs = ebs["EbsOptimizedInfo"] if ebs.get("EbsOptimizedSupport") == "default" else {}
    storage = info.get("InstanceStorageInfo", {})
    is_nvme = storage.get("NvmeSupport", "unsupported") != "unsupported"
    default_card = next(card for card in cards if card["NetworkCardIndex"] == network["DefaultNetworkCardIndex"])
    return {
        "vcpu": info["VCpuInfo"]["DefaultVCpus"],
        "memory_mib": info["MemoryInfo"]["SizeInMiB"],
        "architecture": next(
            _ARCHITECTURES[name] for name in info["ProcessorInfo"]["SupportedArchitectures"] if name in _ARCHITECTURES
        ),
        "cpu_manufacturer": _as_label(info["ProcessorInfo"]["Manufacturer"]),
        "hypervisor": info["Hypervisor"],
        "gpu": _gpu(info),
        "neuron_devices": sum(device["Count"] for device in info.get("NeuronInfo", {}).get("NeuronDevices", [])),
        "local_nvme_gb": storage["TotalSizeInGB"] if is_nvme else None,
        "network_baseline_mbps": _mbps(cards, "BaselineBandwidthInGbps"),
        "network_burst_mbps": _mbps(cards, "PeakBandwidthInGbps"),
        "ebs_baseline_mbps": to_ebs.get("BaselineBandwidthInMbps"),
        "ebs_burst_mbps": to_ebs.get("MaximumBandwidthInMbps"),
        "encryption_in_transit": network["EncryptionInTransitSupported"],
        # Each interface keeps one address for itself; two pods of the host's network need none.
        "eni_pods": default_card["MaximumNetworkInterfaces"] * (network["Ipv4AddressesPerInterface"] - 1) + 2,
        "on_demand_price_usd": price,
    }


def _as_label(name: str) -> str:
    """A name of EC2 as Karpenter writes it in labels."""
    return name.lower().replace(" ", "-")


def _gpu(info: Mapping[str, Any]) -> list[Any] | None:
    gpus = info.get("GpuInfo", {}).get("Gpus", [])
    if len(gpus) != 1:
        return None
    (gpu,) = gpus
    return [_as_label(gpu["Name"]), _as_label(gpu["Manufacturer"]), gpu["Count"], gpu["MemoryInfo"]["SizeInMiB"]]


def _mbps(cards: Iterable[Mapping[str, Any]], field: str) -> int | None:
    """The bandwidth of all network cards together, as AWS's own tables count it."""
    each = [card.get(field) for card in cards]
    return None if None in each else round(sum(1000 * gbps for gbps in each if gbps is not None))


def document(infos: Iterable[Mapping[str, Any]], *, source: str, date: str, prices: Prices) -> str:
    """The data file: one type a line, so that a change of a type is a change of a line."""
    rows = {
        info["InstanceType"]: facts_of(info, prices.by_type.get(info["InstanceType"]))
        for info in sorted(infos, key=lambda info: str(info["InstanceType"]))
        if is_kept(info)
    }
    head = {
        "source": source,
        "date": date,
        "price_source": prices.source,
        "price_date": prices.date,
        "price_region": prices.region,
        "columns": list(next(iter(rows.values()))),
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    types = [
        f"    {json.dumps(name)}: {json.dumps(list(facts.values()), separators=(',', ':'))}"
        for name, facts in rows.items()
    ]
    return "\n".join(["{", *lines, '  "types": {', ",\n".join(types), "  }", "}", ""])


def recorded_prices() -> Prices:
    """The price list beside this file."""
    record = json.loads((_HERE / "instance_types_prices.json").read_text("utf-8"))
    by_type = {f"{family}.{size}": price for family, sizes in record["prices"].items() for size, price in sizes.items()}
    return Prices(source=record["source"], date=record["date"], region=record["region"], by_type=by_type)


def recording() -> tuple[str, str]:
    """Where the recorded types are from, and the day of the recording."""
    return f"EC2's DescribeInstanceTypes as moto {_RECORDED_BY} recorded it", _RECORDED_ON


def recorded_types() -> dict[str, dict[str, Any]]:
    """What moto has recorded of DescribeInstanceTypes, by the type's name.

    Raises:
        SystemExit: for another version of moto than the one whose recording has a day here.
    """
    if version("moto") != _RECORDED_BY:
        raise SystemExit(
            f"moto is {version('moto')}, and the day of its recording is known for {_RECORDED_BY} only: "
            "set _RECORDED_BY and _RECORDED_ON"
        )
    packed = files("moto").joinpath("ec2", "resources", "instance_types.json.gz").read_bytes()
    return {name: {**info, "InstanceType": name} for name, info in json.loads(gzip.decompress(packed)).items()}


def from_recordings() -> str:
    """The data file as it is without an account.

    Raises:
        SystemExit: for another version of moto than the one whose recording has a day here.
    """
    recorded = recorded_types()
    source, day = recording()
    supplement = json.loads((_HERE / "instance_types_supplement.json").read_text("utf-8"))
    for info in supplement["types"]:
        recorded.setdefault(info["InstanceType"], info)
    return document(
        recorded.values(),
        source=f"{source}; tools/instance_types_supplement.json",
        date=day,
        prices=recorded_prices(),
    )


def from_account(region: str, *, ec2: Any, pricing: Any, today: str) -> str:
    """The data file as an account sees it in a region.

    Args:
        region: where the types are offered and what the prices are of.
        ec2: boto3's client for EC2 in that region.
        pricing: boto3's client for the Pricing API.
        today: the day to write, as ``2026-01-31``.
    """
    pages = ec2.get_paginator("describe_instance_types").paginate()
    infos = [info for page in pages for info in page["InstanceTypes"]]
    return document(
        infos,
        source=f"EC2's DescribeInstanceTypes in {region}",
        date=today,
        prices=_prices(region, pricing=pricing, today=today),
    )


def _prices(region: str, *, pricing: Any, today: str) -> Prices:
    from botocore.exceptions import ClientError

    attributes = {
        "regionCode": region,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in attributes.items()]
    by_type: dict[str, float] = {}
    try:
        for page in pricing.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters):
            for text in page["PriceList"]:
                by_type.update(_price(json.loads(text)))
    except ClientError as error:
        sys.stderr.write(f"no prices from the Pricing API, so that the recorded ones are kept: {error}\n")
        return recorded_prices()
    return Prices(source=f"Pricing API of AWS for {region}", date=today, region=region, by_type=by_type)


def _price(product: Mapping[str, Any]) -> dict[str, float]:
    """The price an hour of one product by its instance type; nothing where it has none."""
    prices = [
        float(dimension["pricePerUnit"].get("USD", 0))
        for term in product["terms"].get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if dimension["unit"] == "Hrs"
    ]
    return {product["product"]["attributes"]["instanceType"]: max(prices)} if any(prices) else {}


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the data file."""
    parser = argparse.ArgumentParser(prog="python -m tools.instance_types", description=__doc__)
    parser.add_argument("--from-account", action="store_true", help="ask EC2 instead of the recordings")
    parser.add_argument("--region", default="us-east-1", help="the region to ask (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=_WRITTEN, help="the file to write (default: the library's own)")
    options = parser.parse_args(arguments)
    if options.from_account:
        import boto3

        text = from_account(
            options.region,
            ec2=boto3.client("ec2", region_name=options.region),
            # The Pricing API is in a few regions only, and has the prices of all.
            pricing=boto3.client("pricing", region_name="us-east-1"),
            today=datetime.now(UTC).date().isoformat(),
        )
    else:
        text = from_recordings()
    options.out.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
