"""Elastic Fabric Adapter: the network cards of the instance types that have it.

A type that is not in the data file may have EFA all the same: EC2 grows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

__all__ = ["EfaCards", "efa_as_of", "efa_cards", "unclear_types"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EfaCards:
    """The network cards of an instance type with EFA.

    Args:
        network_cards: how many network cards it has.
        first_efa_card: the first card that takes an EFA interface; all after it do, one each.
        interfaces_of_first_card: how many interfaces card 0 takes, including the primary one.
        ipv4_of_interface: the maximum number of IPv4 addresses of an interface, including its own.
    """

    network_cards: int
    first_efa_card: int = 0
    interfaces_of_first_card: int
    ipv4_of_interface: int

    @property
    def efa_interfaces(self) -> int:
        """How many EFA interfaces the type has at most."""
        return self.network_cards - self.first_efa_card


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("efa.json").read_text("utf-8"))
    return loaded


@cache
def efa_cards() -> Mapping[str, EfaCards]:
    """The instance types of the data file: those with EFA of families that Auto Mode lists, without bare metal."""
    columns = _data()["columns"]
    return MappingProxyType(
        {name: EfaCards(**dict(zip(columns, row, strict=True))) for name, row in _data()["types"].items()}
    )


def unclear_types() -> frozenset[str]:
    """Types that have EFA on some of their network cards, but it is not known on which."""
    return frozenset(_data()["unclear"])


def efa_as_of() -> date:
    """The day on which the types were so."""
    return date.fromisoformat(_data()["date"])
