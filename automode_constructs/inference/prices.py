"""What Auto Mode and EKS take beside the price of an instance."""

from __future__ import annotations

from automode_constructs.facts.instance_types import InstanceType

__all__ = ["AUTO_MODE_FEE", "CONTROL_PLANE_USD_PER_HOUR", "auto_mode_fee_usd"]

AUTO_MODE_FEE = 0.12
"""The share of the on-demand price that Auto Mode takes on top, read on 23 Nov 2026.

Uncertain: from secondary sources, not checked for each GPU type; whether it is the same on Spot nodes is not confirmed.
Source: Amazon EKS pricing page, "Amazon EKS Auto Mode", by way of those sources.
"""

CONTROL_PLANE_USD_PER_HOUR = 0.10
"""USD an hour for a cluster whose Kubernetes version is in standard support. Source: Amazon EKS pricing page."""


def auto_mode_fee_usd(instance_type: InstanceType) -> float | None:
    """Auto Mode's fee for a node, in USD an hour; ``None`` where the catalogue has no price of the type."""
    price = instance_type.on_demand_price_usd
    return None if price is None else price * AUTO_MODE_FEE
