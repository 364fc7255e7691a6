"""What a node was chosen from, and why the other instance types lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from automode_constructs.simulation.catalogue import Catalogue, Machine, TypeSet
from automode_constructs.simulation.pods import Resources
from automode_constructs.specs.pools.label_values import LabelValues

__all__ = ["Choice", "Lost"]

_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Instance types that lost for the same reason.

    Args:
        reason: why they lost.
        types: how many there are.
        cheaper: how many of them cost less than the type that was taken.
        examples: the cheapest of them.
    """

    reason: str
    types: int
    cheaper: int
    examples: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The types that a node could have been.

    Args:
        catalogue: all types.
        machine: the one that was taken.
        pool: the pool's requirements.
        requirements: those of pool and pods together.
        requests: what the pods request, DaemonSets included.
        types: the types that the NodeClaim allowed.
    """

    catalogue: Catalogue
    machine: Machine
    pool: Mapping[str, LabelValues]
    requirements: Mapping[str, LabelValues]
    requests: Resources
    types: TypeSet

    def lost(self) -> Iterator[Lost]:
        """The types that were not taken: each once, for the first reason that rules it out."""
        left = self.catalogue.every
        for whose, wanted in (("the pool", self.pool), ("the pods", self.requirements)):
            for key, values in wanted.items():
                if key in self.catalogue.label_keys:
                    fit = self.catalogue.that_fit(key, values)
                    yield from self._group(f"{whose} wants {key} of {values}", left & ~fit)
                    left &= fit
        for resource, value in self.requests.items():
            if resource != "ephemeral-storage":
                room = self.catalogue.with_room(resource, value)
                yield from self._group(f"{_amount(resource, value)} of {resource} do not fit", left & ~room)
                left &= room
        yield from self._group("limits of the pool, room for DaemonSets, or no offering", left & ~self.types)
        left &= self.types & ~(1 << self.machine.index)
        cheaper = (1 << self.machine.index) - 1
        yield from self._group("EC2 has none of them now", left & cheaper)
        yield from self._group("cost as much or more", left & ~cheaper)

    def _group(self, reason: str, types: TypeSet) -> Iterator[Lost]:
        if types:
            cheaper = types & ((1 << self.machine.index) - 1)
            every = self.catalogue.of(types)
            yield Lost(
                reason=reason.replace("the pods wants", "the pods want"),
                types=types.bit_count(),
                cheaper=cheaper.bit_count(),
                examples=[machine.name for machine, _ in zip(every, range(_EXAMPLES), strict=False)],
            )


def _amount(resource: str, value: int) -> str:
    if resource == "cpu":
        return f"{value / 1000:g}"
    return f"{value / 1024**3:.3g}Gi" if resource == "memory" else str(value)
