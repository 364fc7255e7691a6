"""The specs of a NodePool under the path that they had before the rooms; the package root hands them out too."""

from __future__ import annotations

from automode_constructs.specs.pools.node_pool import (
    Budget,
    Disruption,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeMetadata,
    NodePoolSpec,
    Taint,
)

__all__ = ["Budget", "Disruption", "NodeClaimSpec", "NodeClaimTemplate", "NodeMetadata", "NodePoolSpec", "Taint"]
