"""What EC2 has to offer: on demand and Spot in each zone, and reservations; and what Karpenter believes of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automode_constructs.simulation.assumptions import Assumptions
from automode_constructs.simulation.catalogue import Catalogue, Machine, TypeSet
from automode_constructs.specs.labels import CAPACITY_RESERVATION_ID, CAPACITY_TYPE, ZONE
from automode_constructs.specs.pools.label_values import LabelValues

__all__ = [
    "CAPACITY_KEY",
    "OFFERING_KEYS",
    "REGION_KEY",
    "RESERVATION_KEY",
    "ZONE_KEY",
    "Market",
    "Offering",
    "Reservation",
    "region_of",
]

ZONE_KEY = str(ZONE)
REGION_KEY = "topology.kubernetes.io/region"
CAPACITY_KEY = str(CAPACITY_TYPE)
RESERVATION_KEY = str(CAPACITY_RESERVATION_ID)
OFFERING_KEYS = frozenset({ZONE_KEY, CAPACITY_KEY, RESERVATION_KEY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """What a node can be launched as."""

    machine: Machine
    capacity_type: str
    zone: str
    price: float
    reservation: str | None = None


@dataclass(kw_only=True, slots=True)
class Reservation:
    """A capacity reservation of so many instances of each of its types."""

    count: int
    types: TypeSet
    zones: tuple[str, ...]
    used: int = 0
    ended: bool = False

    @property
    def left(self) -> int:
        """How many more instances it takes."""
        return 0 if self.ended else self.count - self.used


def region_of(zone: str) -> str:
    """The region of a zone, Local Zones included."""
    found = re.match(r"[a-z]+(-[a-z]+)+-[0-9]+", zone)
    return found.group() if found else zone


class Market:
    """What EC2 has to offer: on demand and Spot in each zone, and reservations."""

    def __init__(self, catalogue: Catalogue, zones: Sequence[str], assumptions: Assumptions) -> None:
        """Everything is there at first."""
        self.catalogue = catalogue
        self.zones = list(zones)
        self._assumptions = assumptions
        self._short: dict[tuple[str, str], TypeSet] = {}
        self.dead_zones: set[str] = set()
        self._forgotten_at: dict[tuple[str, str], list[tuple[float, TypeSet]]] = {}
        self.reservations: dict[str, Reservation] = {}
        self.version = 0

    def add_zones(self, zones: Iterable[str]) -> None:
        """Adds zones that pools name."""
        for zone in zones:
            if zone not in self.zones:
                self.zones.append(zone)

    def add_reservation(self, name: str, *, count: int, types: TypeSet, zones: Sequence[str]) -> None:
        """A reservation of so many instances of each of these types."""
        if name not in self.reservations:
            self.reservations[name] = Reservation(count=count, types=types, zones=tuple(zones))

    def seen(self, capacity_type: str, zone: str, now: float) -> TypeSet:
        """The types that Karpenter believes there are."""
        hidden = 0
        for until, types in self._forgotten_at.get((capacity_type, zone), ()):
            if until > now:
                hidden |= types
        return self.catalogue.every & ~hidden

    def there(self, capacity_type: str, zone: str) -> TypeSet:
        """The types that there are."""
        if zone in self.dead_zones:
            return 0
        return self.catalogue.every & ~self._short.get((capacity_type, zone), 0)

    def set_shortage(self, choice: Mapping[str, Any], *, short: bool) -> None:
        """Takes capacity away, or gives it back."""
        types = self.catalogue.every
        if choice.get("instance_type"):
            types = 1 << self.catalogue.named(str(choice["instance_type"])).index
        for capacity_type in ("on-demand", "spot"):
            if choice.get("capacity_type") not in (None, capacity_type):
                continue
            for zone in self.zones:
                if choice.get("zone") in (None, zone):
                    before = self._short.get((capacity_type, zone), 0)
                    self._short[capacity_type, zone] = before | types if short else before & ~types
        self.version += 1

    def remember_shortage(self, capacity_type: str, zone: str, types: TypeSet, until: float) -> None:
        """Karpenter leaves these alone for a while."""
        self._forgotten_at.setdefault((capacity_type, zone), []).append((until, types))
        self.version += 1

    def offers(
        self, requirements: Mapping[str, LabelValues], reservations: Sequence[str], now: float
    ) -> tuple[TypeSet, tuple[str, ...]]:
        """The types with an offering that meets the requirements, and the reservations among them that have room."""
        zones, kinds = requirements.get(ZONE_KEY), requirements.get(CAPACITY_KEY)
        wanted = requirements.get(RESERVATION_KEY)
        types = 0
        for zone in self.zones:
            if zones is not None and not zones.has(zone):
                continue
            for kind in ("on-demand", "spot"):
                if (kinds is None or kinds.has(kind)) and (wanted is None or wanted.may_be_absent):
                    types |= self.seen(kind, zone, now)
        found: list[str] = []
        if kinds is None or kinds.has("reserved"):
            for name in reservations:
                reservation = self.reservations.get(name)
                if reservation is None or not reservation.left or not (wanted is None or wanted.has(name)):
                    continue
                if any(zones is None or zones.has(zone) for zone in reservation.zones):
                    types |= reservation.types
                    found.append(name)
        return types, tuple(found)

    def price(self, machine: Machine, capacity_type: str) -> float:
        """USD an hour."""
        share = {"spot": self._assumptions.spot_price_share, "reserved": self._assumptions.reserved_price_share}
        return machine.price * share.get(capacity_type, 1)

    def launches(
        self, types: TypeSet, requirements: Mapping[str, LabelValues], reservations: Sequence[str], now: float
    ) -> Iterator[Offering]:
        """The offerings that a launch tries, in order: reserved, then Spot, then on demand, the cheapest first."""
        zones, kinds = requirements.get(ZONE_KEY), requirements.get(CAPACITY_KEY)
        allowed = [zone for zone in self.zones if zones is None or zones.has(zone)]
        if kinds is None or kinds.has("reserved"):
            for machine in self.catalogue.of(types):
                for name in reservations:
                    reservation = self.reservations.get(name)
                    if reservation is None or not reservation.left or not reservation.types >> machine.index & 1:
                        continue
                    for zone in allowed:
                        if zone in reservation.zones and zone not in self.dead_zones:
                            yield self._offering(machine, "reserved", zone, name)
        for kind in ("spot", "on-demand"):
            if kinds is not None and not kinds.has(kind):
                continue
            there = {zone: self.there(kind, zone) & self.seen(kind, zone, now) for zone in allowed}
            some = 0
            for each in there.values():
                some |= each
            for machine in self.catalogue.of(types & some):
                for zone in allowed:
                    if there[zone] >> machine.index & 1:
                        yield self._offering(machine, kind, zone)

    def _offering(self, machine: Machine, kind: str, zone: str, reservation: str | None = None) -> Offering:
        return Offering(
            machine=machine, capacity_type=kind, zone=zone, price=self.price(machine, kind), reservation=reservation
        )
