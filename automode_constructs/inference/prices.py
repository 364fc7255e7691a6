"""What Auto Mode and EKS charge on top of the price of an instance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from automode_constructs.facts.auto_mode_fees import auto_mode_fees
from automode_constructs.facts.instance_types import InstanceType

__all__ = ["AUTO_MODE_FEE", "CONTROL_PLANE_USD_PER_HOUR", "auto_mode_fee", "auto_mode_fee_usd"]

AUTO_MODE_FEE: Mapping[str, float] = MappingProxyType(
    {**auto_mode_fees().categories, "others": auto_mode_fees().others}
)
"""Auto Mode's fee by instance category, as a share of the on-demand price; ``others`` is all the rest.

These are the fees of the day on which ``facts.auto_mode_fees`` was last checked. Before 1 Jul 2026 the fee was 12 % for
all. The fee for P and Trainium is computed from AWS's announcement (?), which does not name Inferentia (?). Whether
Spot nodes pay the same is not confirmed (?).
"""

CONTROL_PLANE_USD_PER_HOUR = 0.10
"""USD an hour for a cluster whose Kubernetes version is in standard support. Source: Amazon EKS pricing page."""


def auto_mode_fee(instance_type: str, *, as_of: date | None = None) -> float:
    """Auto Mode's fee for a type, as a share of its on-demand price: 0.078 for ``g6.xlarge``.

    Args:
        instance_type: the type, or its family.
        as_of: the day; the fees of accelerated types fell on 1 Jul 2026. Default: the day on which the fees were last
            checked.
    """
    return auto_mode_fees(as_of).share(instance_type)


def auto_mode_fee_usd(instance_type: InstanceType, *, as_of: date | None = None) -> float | None:
    """Auto Mode's fee for a node, in USD an hour; ``None`` where the catalogue has no price of the type.

    Args:
        instance_type: the type.
        as_of: the day. Default: as ``auto_mode_fee``.
    """
    price = instance_type.on_demand_price_usd
    return None if price is None else price * auto_mode_fee(instance_type.name, as_of=as_of)
