"""Whether what is demanded of one node label leaves any value: a pool's requirements and labels, a pod's selector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from automode_constructs.specs.labels import KNOWN_LABELS, ON_EVERY_NODE
from automode_constructs.tokens import is_token

__all__ = ["Demand", "admits_nothing"]

Demand = tuple[str, Sequence[str]]
"""An operator and its values."""

LONGEST_NUMBER = 18
"""The most digits that are compared; Karpenter's own numbers have 64 bits."""

_SMALL = 1000
"""Up to this many numbers are tried one by one."""


def admits_nothing(key: str, demands: Iterable[Demand]) -> bool:
    """Whether these demands on one label certainly contradict each other.

    If so, no node is left for a label that every node has. A label that a node may lack is contradicted only if it must
    also have a value: ``NotIn`` also matches a node without the label.

    Args:
        key: the label's key, by its present name.
        demands: what is demanded of it.
    """
    label, on_every_node = KNOWN_LABELS.get(key), key in ON_EVERY_NODE
    values: set[str] | None = set(label.choices) if on_every_node and label is not None and label.choices else None
    refused: set[str] = set()
    lowest, highest = 0, None
    present, absent, compared = on_every_node, False, False
    for operator, given in demands:
        if any(is_token(value) for value in given):
            return False
        number = int(given[0]) if operator in {"Gt", "Gte", "Lt", "Lte"} else 0
        compared |= operator in {"Gt", "Gte", "Lt", "Lte"}
        present |= operator not in {"NotIn", "DoesNotExist"}
        absent |= operator == "DoesNotExist"
        if operator == "In":
            values = set(given) if values is None else values & set(given)
        elif operator == "NotIn":
            refused |= set(given)
        elif operator in {"Gt", "Gte"}:
            lowest = max(lowest, number + (operator == "Gt"))
        elif operator in {"Lt", "Lte"}:
            number -= operator == "Lt"
            highest = number if highest is None else min(highest, number)
    if absent or not present:
        return absent and present
    if values is None and compared and highest is not None and highest - lowest < _SMALL:
        values = {str(number) for number in range(lowest, highest + 1)}
    if values is None:
        return False
    return not any(not compared or _is_between(value, lowest, highest) for value in values - refused)


def _is_between(value: str, lowest: int, highest: int | None) -> bool:
    if not value.isascii() or not value.isdecimal():
        return False
    if len(value) > LONGEST_NUMBER:
        return True  # Not certain, but it cannot be determined.
    return lowest <= int(value) and (highest is None or int(value) <= highest)
