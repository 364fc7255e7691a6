"""Lists the instance types that NodePools admit, and says which requirement excludes one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automode_constructs.cli.manifests import manifests_in
from automode_constructs.errors import AutoModeError, nearest, shown
from automode_constructs.facts.auto_mode_fees import auto_mode_fees
from automode_constructs.facts.instance_types import InstanceType, as_of, instance_types
from automode_constructs.facts.instances import size_of
from automode_constructs.specs.labels import CAPACITY_TYPE, ZONE, stable_key
from automode_constructs.specs.pools.instance_types import admitted, node_labels
from automode_constructs.specs.pools.node_pool import NodePoolSpec
from automode_constructs.specs.pools.requirement import Requirement

__all__ = ["PoolTypes", "as_json", "as_text", "pools", "why_not"]

_ROWS = 15
"""How many types a table shows unless all are asked for."""
_TOO_SMALL = ("nano", "micro", "small")


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolTypes:
    """A NodePool and the types that it admits.

    Args:
        name: its name.
        spec: what it wants.
        types: the types, the cheapest first; those without a known price last.
    """

    name: str
    spec: NodePoolSpec
    types: Sequence[InstanceType]

    @property
    def requirements(self) -> Sequence[Requirement]:
        """What it requires of its nodes."""
        return self.spec.template.spec.requirements

    def wants(self, key: str) -> str:
        """What it wants of a label, in words; ``any`` if nothing."""
        wanted = [_words(item) for item in self.requirements if stable_key(item.key) == key]
        return " and ".join(wanted) or "any"


def pools(paths: Sequence[str]) -> list[PoolTypes]:
    """Reads the NodePools of manifests.

    Args:
        paths: files, folders, ``-``, or the folder that ``cdk synth`` wrote.

    Raises:
        AutoModeError: for a file that cannot be read, a NodePool with errors, and for no NodePool at all.
    """
    found = []
    for manifest in manifests_in(paths):
        data = manifest.data
        if not manifest.is_object or data.get("kind") != "NodePool":
            continue
        name = str(data["metadata"]["name"])
        spec = data.get("spec")
        read = NodePoolSpec.from_manifest(
            spec if isinstance(spec, Mapping) else {}, where=f"{manifest.where}: NodePool {shown(name)}"
        )
        found.append(PoolTypes(name=name, spec=read, types=read.instance_types()))
    if not found:
        raise AutoModeError.of(
            ", ".join(paths), field="", message="holds no NodePool", cure="name the file of the pools too"
        )
    return found


def as_text(found: Sequence[PoolTypes], *, all_types: bool = False) -> str:
    """Each pool as a table.

    Args:
        found: the pools.
        all_types: whether every type is shown. Default: the 15 cheapest; we decide.
    """
    data = as_of()
    last = [
        f"Linux on-demand prices of {data.price_region} on {data.prices.isoformat()}; Spot prices vary; not a quote"
    ]
    return "\n".join(_written(lines) for lines in [*(_pool(each, all_types=all_types) for each in found), last])


def _written(lines: Sequence[str]) -> str:
    return "".join(f"{line if line.isprintable() else ascii(line)[1:-1]}\n" for line in lines)


def _pool(each: PoolTypes, *, all_types: bool) -> list[str]:
    lines = [f"NodePool {each.name}: {len(each.types)} instance types"]
    lines += [f"  {name:<15} {value}" for name, value in _facts(each).items()]
    if not each.types:
        return [*lines, "  No known instance type meets its requirements; --why TYPE says which of them excludes one"]
    rows = [["  TYPE", "GPU", "vCPU", "MEMORY", "NVMe", "ON-DEMAND", "FEE"]]
    few = each.types if all_types else each.types[:_ROWS]
    rows += [_cells(known) for known in few]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines += [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    if len(few) < len(each.types):
        lines.append(f"  and {len(each.types) - len(few)} more; --all shows them")
    return lines


def _facts(each: PoolTypes) -> dict[str, str]:
    spec = each.spec
    taints = [
        f"{taint.key}{f'={taint.value}' if taint.value else ''}:{taint.effect}"
        for taint in spec.template.spec.taints or ()
    ]
    limits = {} if spec.limits is None else {str(key): str(value) for key, value in spec.limits.items()}
    facts = {
        "capacity types": each.wants(str(CAPACITY_TYPE)),
        "zones": each.wants(str(ZONE)).replace("any", "those of its NodeClass's subnets"),
        "weight": "none" if spec.weight is None else str(spec.weight),
    }
    if taints:
        facts["taints"] = ", ".join(taints)
    if limits:
        facts["limits"] = ", ".join(f"{key} {value}" for key, value in limits.items())
    return facts


def _cells(known: InstanceType) -> list[str]:
    gpu = known.gpu
    price = known.on_demand_price_usd
    return [
        f"  {known.name}",
        "-" if gpu is None else f"{gpu.count} x {gpu.name}",
        str(known.vcpu),
        f"{known.memory_mib / 1024:g} GiB",
        "-" if known.local_nvme_gb is None else f"{known.local_nvme_gb} GB",
        "unknown" if price is None else f"${price:.4f}/h",
        "unknown" if price is None else f"${price * auto_mode_fees().share(known.name):.4f}/h",
    ]


def why_not(found: Sequence[PoolTypes], name: str, *, form: Literal["text", "json"] = "text") -> tuple[str, bool]:
    """What each pool says to an instance type, and whether any admits it.

    Args:
        found: the pools.
        name: the type.
        form: whether the answer is text or JSON.

    Raises:
        AutoModeError: for a type that Auto Mode does not launch, or that nobody knows.
    """
    known = instance_types().get(name)
    if known is None:
        raise AutoModeError.of("--why", field="", message=_unknown(name), cure=nearest(name, instance_types()))
    reasons = {each.name: _excluding(each, known) for each in found}
    is_admitted = any(not why for why in reasons.values())
    if form == "json":
        document = {
            "version": 1,
            "type": name,
            "pools": [{"pool": pool, "admits": not why, "excluded_by": why} for pool, why in reasons.items()],
        }
        return json.dumps(document, indent=2) + "\n", is_admitted
    lines = []
    for each in found:
        why = reasons[each.name]
        if why:
            lines.append(f"NodePool {each.name} excludes {name}:")
            lines += [f"  {line}" for line in why]
        else:
            rank = [other.name for other in each.types].index(name) + 1
            price = "unknown price" if known.on_demand_price_usd is None else f"${known.on_demand_price_usd:.4f}/h"
            lines.append(f"NodePool {each.name} admits {name}: {price}, number {rank} of {len(each.types)} by price")
    return _written(lines), is_admitted


def _unknown(name: str) -> str:
    if "." in name and size_of(name) in _TOO_SMALL:
        return f"Auto Mode launches no nano, micro or small types, {shown(name)} neither"
    if "metal" in name:
        return f"{shown(name)} is bare metal, which is not listed here"
    return f"{shown(name)} is no instance type that is known to run in Auto Mode"


def _excluding(each: PoolTypes, known: InstanceType) -> list[str]:
    """The requirements that a type does not meet."""
    why = []
    for index, item in enumerate(each.requirements):
        if known not in admitted([item]):
            value = node_labels(known).get(stable_key(item.key))
            has = f"and it has {value}" if value is not None else "and it has no such label"
            why.append(f"spec.template.spec.requirements[{index}]: {item.key} {_words(item)}, {has}")
    if not why and known not in each.types:
        why.append("its labels together exclude it")
    return why


def _words(item: Requirement) -> str:
    values = ", ".join(map(str, item.values or ()))
    return f"{item.operator} {values}".strip() if item.operator != "In" else values


def as_json(found: Sequence[PoolTypes]) -> str:
    """Everything as JSON, all types included; unknown values are null."""
    data = as_of()
    document = {
        "version": 1,
        "pools": [
            {
                "pool": each.name,
                "weight": each.spec.weight,
                "requirements": [
                    {"key": item.key, "operator": item.operator, "values": list(item.values or ())}
                    for item in each.requirements
                ],
                "types": [_type(known) for known in each.types],
            }
            for each in found
        ],
        "prices": {"region": data.price_region, "date": data.prices.isoformat(), "source": data.price_source},
    }
    return json.dumps(document, indent=2) + "\n"


def _type(known: InstanceType) -> dict[str, Any]:
    price = known.on_demand_price_usd
    return {
        "type": known.name,
        "architecture": known.architecture,
        "vcpu": known.vcpu,
        "memory_mib": known.memory_mib,
        "gpu": None if known.gpu is None else {"name": known.gpu.name, "count": known.gpu.count},
        "local_nvme_gb": known.local_nvme_gb,
        "on_demand_usd_per_hour": price,
        "auto_mode_fee_usd_per_hour": None if price is None else round(price * auto_mode_fees().share(known.name), 6),
    }
