"""The instance types as the simulation compares them: a set of types is a number, its lowest bit the cheapest type."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from automode_constructs.facts.efa import efa_cards
from automode_constructs.facts.instance_types import InstanceType, instance_types
from automode_constructs.facts.instances import category_of, family_of
from automode_constructs.simulation.assumptions import Assumptions
from automode_constructs.simulation.pods import Resources
from automode_constructs.specs.pools.instance_types import allocatable, node_labels
from automode_constructs.specs.pools.label_values import LabelValues

__all__ = ["Catalogue", "Machine", "TypeSet", "catalogue_for"]

TypeSet = int
"""A set of instance types: bit ``n`` is the ``n``-th cheapest type on demand."""

_MIB = 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """An instance type, with what a node of it has and what its pods may request."""

    index: int
    type: InstanceType
    labels: Mapping[str, str]
    capacity: Resources
    allocatable: Resources
    price: float
    """USD an hour on demand."""

    @property
    def is_priced(self) -> bool:
        """Whether the price is known, and not inferred from other types."""
        return self.type.on_demand_price_usd is not None

    @property
    def name(self) -> str:
        """Such as ``c6a.large``."""
        return self.type.name


class Catalogue:
    """All instance types that Auto Mode launches; those whose price is not known come last."""

    def __init__(self, assumptions: Assumptions) -> None:
        """Reads the catalogue's data with the assumed overheads."""
        every = sorted(
            instance_types().values(),
            key=lambda known: (known.on_demand_price_usd is None, known.on_demand_price_usd or 0),
        )
        prices = _Prices(every, assumptions.unpriced_share)
        self.machines = tuple(
            _machine(index, known, prices.of(known), assumptions) for index, known in enumerate(every)
        )
        self.every: TypeSet = (1 << len(self.machines)) - 1
        self._by_name = {machine.name: machine for machine in self.machines}
        self._labels: dict[str, dict[str | None, TypeSet]] = {}
        self._fits: dict[tuple[str, LabelValues], TypeSet] = {}
        self._room: dict[tuple[str, int], TypeSet] = {}
        self._ladders: dict[tuple[str, bool], tuple[list[int], list[TypeSet]]] = {}
        self.label_keys = frozenset(key for machine in self.machines for key in machine.labels)

    def named(self, name: str) -> Machine:
        """The type of this name."""
        return self._by_name[name]

    def of(self, types: TypeSet) -> Iterator[Machine]:
        """The types of a set, the cheapest first."""
        while types:
            lowest = types & -types
            yield self.machines[lowest.bit_length() - 1]
            types ^= lowest

    def cheapest(self, types: TypeSet) -> Machine:
        """The cheapest type of a set that is not empty."""
        return self.machines[(types & -types).bit_length() - 1]

    def that_fit(self, key: str, values: LabelValues) -> TypeSet:
        """The types whose label may have one of these values."""
        known = self._fits.get((key, values))
        if known is None:
            known = 0
            for value, types in self._by_value(key).items():
                if values.may_be_absent if value is None else values.has(value):
                    known |= types
            self._fits[key, values] = known
        return known

    def values(self, key: str, types: TypeSet) -> list[str]:
        """The values of a label that types of a set have."""
        return [value for value, some in self._by_value(key).items() if value is not None and some & types]

    def with_room(self, resource: str, wanted: int) -> TypeSet:
        """The types whose pods may request so much of a resource."""
        if wanted <= 0:
            return self.every
        known = self._room.get((resource, wanted))
        if known is None:
            amounts, sets = self._ladder(resource, capacity=False)
            # sets[n] holds the types with less than amounts[n].
            place = bisect_left(amounts, wanted)
            known = self.every & ~sets[place]
            if len(self._room) > 200_000:
                self._room.clear()
            self._room[resource, wanted] = known
        return known

    def fitting(self, wanted: Mapping[str, int]) -> TypeSet:
        """The types whose pods may request all of these."""
        types = self.every
        for resource, value in wanted.items():
            types &= self.with_room(resource, value)
        return types

    def up_to(self, resource: str, most: int) -> TypeSet:
        """The types that have at most so much of a resource."""
        amounts, sets = self._ladder(resource, capacity=True)
        return sets[bisect_right(amounts, most)]

    def _ladder(self, resource: str, *, capacity: bool) -> tuple[list[int], list[TypeSet]]:
        known = self._ladders.get((resource, capacity))
        if known is None:
            by_amount: dict[int, TypeSet] = {}
            for machine in self.machines:
                has = (machine.capacity if capacity else machine.allocatable).get(resource, 0)
                by_amount[has] = by_amount.get(has, 0) | 1 << machine.index
            amounts = sorted(by_amount)
            sets: list[TypeSet] = [0]
            for has in amounts:
                sets.append(sets[-1] | by_amount[has])
            known = self._ladders[resource, capacity] = (amounts, sets)
        return known

    def _by_value(self, key: str) -> dict[str | None, TypeSet]:
        known = self._labels.get(key)
        if known is None:
            known = {}
            for machine in self.machines:
                value = machine.labels.get(key)
                known[value] = known.get(value, 0) | 1 << machine.index
            self._labels[key] = known
        return known


@cache
def catalogue_for(assumptions: Assumptions) -> Catalogue:
    """The catalogue under these assumptions."""
    return Catalogue(assumptions)


class _Prices:
    """Prices for each vCPU, by family and by what a family's name begins with."""

    def __init__(self, every: Sequence[InstanceType], share: float) -> None:
        self._share = share
        self._by_family: dict[str, float] = {}
        self._by_category: dict[str, tuple[int, float]] = {}
        for known in every:
            if known.on_demand_price_usd is not None:
                family = family_of(known.name)
                each = known.on_demand_price_usd / known.vcpu
                self._by_family.setdefault(family, each)
                generation = int("".join(filter(str.isdecimal, family))[:1] or 0)
                category = category_of(family)
                if generation > self._by_category.get(category, (-1, 0.0))[0]:
                    self._by_category[category] = (generation, each)

    def of(self, known: InstanceType) -> float:
        if known.on_demand_price_usd is not None:
            return known.on_demand_price_usd
        family = family_of(known.name)
        each = self._by_family.get(family) or self._by_category.get(category_of(family), (0, 0.0))[1]
        return each * known.vcpu * self._share


def _machine(index: int, known: InstanceType, price: float, assumptions: Assumptions) -> Machine:
    room = allocatable(known, max_pods=assumptions.pods_on_ipv6)
    capacity = {
        "cpu": known.vcpu * 1000,
        "memory": int(known.memory_mib * 0.925 * _MIB),
        "pods": room.pods,
        **_devices(known),
    }
    cpu, memory = room.cpu_millis, room.memory_mib * _MIB
    if assumptions.cpu_overhead_millis is not None:
        cpu = capacity["cpu"] - assumptions.cpu_overhead_millis
    if assumptions.memory_overhead_mib is not None:
        memory = capacity["memory"] - assumptions.memory_overhead_mib * _MIB
    return Machine(
        index=index,
        type=known,
        labels=node_labels(known),
        capacity=capacity,
        allocatable={**capacity, "cpu": cpu, "memory": max(memory, 0)},
        price=price,
    )


def _devices(known: InstanceType) -> Resources:
    devices: Resources = {}
    if known.gpu is not None and known.gpu.manufacturer in {"nvidia", "amd"}:
        devices[f"{known.gpu.manufacturer}.com/gpu"] = known.gpu.count
    if known.neuron_devices:
        devices["aws.amazon.com/neuron"] = known.neuron_devices
    cards = efa_cards().get(known.name)
    if cards is not None:
        devices["vpc.amazonaws.com/efa"] = cards.efa_interfaces
    return devices
