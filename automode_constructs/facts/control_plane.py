"""The control plane of an EKS cluster: scaling tiers with their prices, and the ranges of its settings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["ControlPlaneTier", "control_plane_tiers", "scored_resources", "setting_bounds", "settings_floor"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlaneTier:
    """A scaling tier; ``None`` where a figure is not known.

    Args:
        name: the tier's name.
        usd_per_hour: what it adds to the price of the cluster, in us-east-1.
        request_seats: API requests that it serves at a time.
        pods_per_second: pods that it schedules in a second.
        etcd_gb: the size of the cluster's database that it holds, in GB.
    """

    name: str
    usd_per_hour: float | None
    request_seats: int | None
    pods_per_second: int | None
    etcd_gb: int | None


@cache
def control_plane_tiers() -> dict[str, ControlPlaneTier]:
    """Every scaling tier by its name, the smallest first."""
    return {row["name"]: ControlPlaneTier(**row) for row in _data()["tiers"]}


def setting_bounds(setting: str) -> tuple[int, int]:
    """The least and the most of a setting, both included."""
    least, most = _data()["bounds"][setting]
    return least, most


def scored_resources() -> tuple[str, ...]:
    """The resources that the scheduler may weigh."""
    return tuple(_data()["scored_resources"])


def settings_floor() -> str:
    """The oldest Kubernetes version whose control plane takes settings."""
    return str(_data()["settings_since"])


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("control_plane.json").read_text("utf-8"))
    return loaded
