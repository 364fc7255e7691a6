"""Writes an estimate: tables for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from automode_constructs.cli.estimate import Estimate, Row, Table
from automode_constructs.facts.instance_types import as_of
from automode_constructs.inference.cold_start import ColdStart, Seconds
from automode_constructs.inference.prices import (
    AUTO_MODE_FEE,
    CONTROL_PLANE_USD_PER_HOUR,
    auto_mode_fee,
    auto_mode_fee_usd,
)

__all__ = ["as_json", "as_text"]

_ROWS = 15
"""How many types a table shows unless all are asked for."""


def as_text(run: Estimate, *, all_types: bool = False) -> str:
    """The tables for people.

    Args:
        run: what was estimated.
        all_types: whether every type is shown. Default: the 15 cheapest of each table; we decide.
    """
    parts = [_section(table, all_types=all_types) for table in run.tables]
    if run.tables:
        parts.append(_small_print(run))
    if run.remarks:
        parts.append(_written([f"Not estimated: {remark}" for remark in run.remarks]))
    return "\n".join(parts)


def _written(lines: Sequence[str]) -> str:
    # A name may hold anything, terminal escape sequences included.
    return "".join(f"{line if line.isprintable() else ascii(line)[1:-1]}\n" for line in lines)


def _section(table: Table, *, all_types: bool) -> str:
    lines = [*_heading(table), ""]
    shown_rows = table.rows if all_types else table.rows[:_ROWS]
    head = ["TYPE", "GPU", "vCPU", "MEMORY", "NVMe"]
    if table.server is not None:
        head += ["PULL", "WEIGHTS", "COLD START"]
    lines += _aligned([[*head, "ON-DEMAND"], *(_cells(row) for row in shown_rows)])
    if len(shown_rows) < len(table.rows):
        lines.append(f"and {len(table.rows) - len(shown_rows)} more types; --all shows them")
    lines.append("")
    prices = [row.instance_type.on_demand_price_usd for row in table.rows]
    fees = [auto_mode_fee_usd(row.instance_type) for row in table.rows]
    lines.append(f"One node:      {_price_range(prices)} on-demand{'; Spot: varies' if table.spot else ''}")
    shares = " or ".join(f"{share:.3g}%" for share in sorted({_fee_percent(row) for row in table.rows}))
    lines.append(f"Auto Mode fee: {_price_range(fees)} on top, about {shares} of on-demand")
    lines += [f"Warning: {warning}" for warning in table.warnings]
    return _written(lines)


def _heading(table: Table) -> list[str]:
    server = table.server
    if server is None:
        return [f"NodePool {table.pool}"]
    sources = {"s3": "from S3", "image": "in the image", "hub": "from the Hugging Face hub", None: "from a volume"}
    image = f"image {_gb(table.image_bytes)}{' (assumed; --image-gb)' if table.image_is_assumed else ''}"
    replicas = f", {server.replicas} replicas" if server.replicas != 1 else ""
    return [
        f"{server.kind} {server.name}{replicas} on NodePool {table.pool}",
        f"{server.model}: weights {_gb(server.weight_bytes)} {sources[server.weights]}, {image}",
    ]


def _cells(row: Row) -> list[str]:
    known, start = row.instance_type, row.cold_start
    gpu = known.gpu
    cells = [
        known.name,
        "-" if gpu is None else f"{gpu.count} x {gpu.name} {gpu.memory_mib / 1024:.0f} GiB",
        str(known.vcpu),
        f"{known.memory_mib / 1024:.0f} GiB",
        "-" if known.local_nvme_gb is None else f"{known.local_nvme_gb} GB",
    ]
    if start is not None:
        cells += [_told(start.pull), _told(start.weights), _minutes(start.total)]
    return [*cells, _price(known.on_demand_price_usd)]


def _fee_percent(row: Row) -> float:
    return auto_mode_fee(row.instance_type.name) * 100


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _small_print(run: Estimate) -> str:
    data = as_of()
    lines = [f"Control plane: ${CONTROL_PLANE_USD_PER_HOUR:.2f}/h for the cluster"]
    starts = [row.cold_start for table in run.tables for row in table.rows if row.cold_start is not None]
    if starts:
        lines.append(
            f"Cold start:    node {_each(starts, 'node')}, pull, process {_each(starts, 'process')}, weights, compile "
            f"{_each(starts, 'compile')}, init {_each(starts, 'init')}, first token {_each(starts, 'first_token')};"
        )
        lines.append("               the pull is a fit to two published ones, the network counts with its baseline")
    lines.append(
        f"Linux on-demand prices of {data.price_region} on {data.prices.isoformat()}, without volumes, traffic and "
        "taxes; estimates, not a quote"
    )
    return _written(lines)


def _each(starts: Sequence[ColdStart], part: str) -> str:
    return " or ".join(dict.fromkeys(str(getattr(start, part)) for start in starts))


def _told(seconds: Seconds | None) -> str:
    return "unknown" if seconds is None else str(seconds)


def _minutes(seconds: Seconds | None) -> str:
    return "unknown" if seconds is None else f"{seconds.low / 60:.1f}-{seconds.high / 60:.1f} min"


def _gb(size: int) -> str:
    return f"{size / 1e9:.4g} GB"


def _price(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.3f}/h"


def _price_range(prices: Sequence[float | None]) -> str:
    known = [price for price in prices if price is not None]
    if not known:
        return "unknown"
    low, high = min(known), max(known)
    return _price(low) if low == high else f"${low:.3f} to ${high:.3f}/h"


def as_json(run: Estimate) -> str:
    """Everything as JSON, all types included; unknown values are null."""
    data = as_of()
    document = {
        "tables": [_table_as_data(table) for table in run.tables],
        "not_estimated": run.remarks,
        "prices": {
            "region": data.price_region,
            "date": data.prices.isoformat(),
            "source": data.price_source,
            "auto_mode_fee_share": dict(AUTO_MODE_FEE),
            "control_plane_usd_per_hour": CONTROL_PLANE_USD_PER_HOUR,
            "note": "estimates, not a quote",
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _table_as_data(table: Table) -> dict[str, Any]:
    server = table.server
    return {
        "pool": table.pool,
        "server": None
        if server is None
        else {
            "kind": server.kind,
            "name": server.name,
            "model": server.model,
            "replicas": server.replicas,
            "gpus": server.gpus,
            "weights": server.weights,
            "weight_bytes": server.weight_bytes,
            "image_bytes": table.image_bytes,
            "image_is_assumed": table.image_is_assumed,
        },
        "spot": "varies" if table.spot else None,
        "warnings": list(table.warnings),
        "types": [_row_as_data(row) for row in table.rows],
    }


def _row_as_data(row: Row) -> dict[str, Any]:
    known, start = row.instance_type, row.cold_start
    return {
        "type": known.name,
        "vcpu": known.vcpu,
        "memory_mib": known.memory_mib,
        "gpu": None if known.gpu is None else asdict(known.gpu),
        "local_nvme_gb": known.local_nvme_gb,
        "on_demand_usd_per_hour": known.on_demand_price_usd,
        "auto_mode_fee_usd_per_hour": auto_mode_fee_usd(known),
        "cold_start_seconds": None
        if start is None
        else {**asdict(start), "total": None if start.total is None else asdict(start.total)},
    }
