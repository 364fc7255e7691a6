"""The values that a node label may have, after what pools, pods and nodes demand of it.

The arithmetic is Karpenter's (``pkg/scheduling/requirement.go``): a demand is a set of values, or everything but a set
of values, between two bounds. Two demands agree if a value is left; two that both allow the label to be absent agree
without one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

__all__ = ["ANY_VALUE", "LONGEST_NUMBER", "LabelValues", "agree", "disagreement", "narrowed", "values_of"]


class LabelValues(NamedTuple):
    """A set of values of one label.

    Args:
        values: the values, or those that are left out.
        but: whether ``values`` are left out of everything.
        lowest: the least number, where the label's value is a number.
        highest: the largest number.
    """

    values: frozenset[str]
    but: bool = False
    lowest: int | None = None
    highest: int | None = None

    def has(self, value: str) -> bool:
        """Whether the label may have this value."""
        return (value in self.values) is not self.but and _between(value, self.lowest, self.highest)

    @property
    def may_be_absent(self) -> bool:
        """Whether a node without the label fits too: ``NotIn`` and ``DoesNotExist``."""
        return bool(self.values) if self.but else not self.values

    @property
    def is_empty(self) -> bool:
        """Whether no value is left. Of what is open on one side, that cannot be told: some value is."""
        if not self.but:
            return not self.values
        lowest = self.lowest or 0
        if self.highest is None or self.highest - lowest >= _FEW:
            return False
        return all(str(number) in self.values for number in range(lowest, self.highest + 1))

    @property
    def listed(self) -> frozenset[str] | None:
        """The values, if they are listed; ``None`` for everything but some."""
        return None if self.but else self.values

    def and_(self, other: LabelValues) -> LabelValues:
        """The values in both."""
        return _intersection(self, other)

    def overlaps(self, other: LabelValues) -> bool:
        """Whether a value is in both."""
        return not _intersection(self, other).is_empty

    def any_number(self) -> str:
        """A value of an open set: the least number that is in it."""
        number = self.lowest or 0
        while str(number) in self.values:
            number += 1
        return str(number)

    def __str__(self) -> str:
        if self.but:
            words = [f"not {', '.join(_some(self.values))}"] if self.values else []
            words += [f"at least {self.lowest}"] if self.lowest is not None else []
            words += [f"at most {self.highest}"] if self.highest is not None else []
            return " and ".join(words) or "any value"
        return ", ".join(_some(self.values)) or "no value"


LONGEST_NUMBER = 18
"""The most digits that are compared; Karpenter's own numbers have 64 bits."""

_FEW = 1000
"""Up to this many numbers are tried one by one."""

ANY_VALUE = LabelValues(frozenset(), but=True)
"""The label exists."""

_NONE = LabelValues(frozenset())


@lru_cache(maxsize=4096)
def values_of(operator: str, values: tuple[str, ...] = ()) -> LabelValues:
    """The set that an operator and its values describe.

    Args:
        operator: ``In``, ``NotIn``, ``Exists``, ``DoesNotExist``, ``Gt``, ``Gte``, ``Lt`` or ``Lte``.
        values: its values; for the comparisons one whole number.
    """
    match operator:
        case "In":
            return LabelValues(frozenset(values))
        case "NotIn":
            return LabelValues(frozenset(values), but=True)
        case "Exists":
            return ANY_VALUE
        case "DoesNotExist":
            return _NONE
    number = int(values[0])
    if operator in {"Gt", "Gte"}:
        return LabelValues(frozenset(), but=True, lowest=number + (operator == "Gt"))
    return LabelValues(frozenset(), but=True, highest=number - (operator == "Lt"))


def narrowed(have: dict[str, LabelValues], more: Mapping[str, LabelValues]) -> dict[str, LabelValues]:
    """What is left of each label after more demands; ``have`` is not changed."""
    both = dict(have)
    for key, values in more.items():
        known = both.get(key)
        both[key] = values if known is None else _intersection(values, known)
    return both


def agree(
    have: Mapping[str, LabelValues], demands: Mapping[str, LabelValues], open_labels: Collection[str] = ()
) -> bool:
    """Whether a node with these labels can meet the demands; see ``disagreement``."""
    return disagreement(have, demands, open_labels) is None


def disagreement(
    have: Mapping[str, LabelValues], demands: Mapping[str, LabelValues], open_labels: Collection[str] = ()
) -> str | None:
    """The first label on which a node and a demand differ; ``None`` if they agree.

    Args:
        have: the labels that the node has or may have.
        demands: what is demanded of them.
        open_labels: labels that the node may have in any value if ``have`` does not name them.
    """
    for key, wanted in demands.items():
        known = have.get(key)
        if known is None:
            if not wanted.may_be_absent and key not in open_labels:
                return key
        elif not known.overlaps(wanted) and not (known.may_be_absent and wanted.may_be_absent):
            return key
    return None


@lru_cache(maxsize=65536)
def _intersection(one: LabelValues, other: LabelValues) -> LabelValues:
    lowest = max((bound for bound in (one.lowest, other.lowest) if bound is not None), default=None)
    highest = min((bound for bound in (one.highest, other.highest) if bound is not None), default=None)
    if lowest is not None and highest is not None and lowest > highest:
        return _NONE
    values = one.values
    if one.but and other.but:
        values = one.values | other.values
    elif one.but:
        values = other.values - one.values
    elif other.but:
        values = one.values - other.values
    else:
        values = one.values & other.values
    if lowest is not None or highest is not None:
        values = frozenset(value for value in values if _between(value, lowest, highest))
    if one.but and other.but:
        return LabelValues(values, but=True, lowest=lowest, highest=highest)
    return LabelValues(values)


def _between(value: str, lowest: int | None, highest: int | None) -> bool:
    if lowest is None and highest is None:
        return True
    if not value.isascii() or not value.isdecimal():
        return False
    if len(value) > LONGEST_NUMBER:
        return True  # Not certain, but it cannot be determined.
    number = int(value)
    return (lowest is None or number >= lowest) and (highest is None or number <= highest)


def _some(values: Iterable[str]) -> list[str]:
    listed = sorted(values)
    return listed if len(listed) <= 5 else [*listed[:5], f"and {len(listed) - 5} others"]
