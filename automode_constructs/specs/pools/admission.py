"""Whether what is demanded of one node label leaves any value: a pool's requirements and labels, a pod's selector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from automode_constructs.specs.labels import KNOWN_LABELS, ON_EVERY_NODE
from automode_constructs.specs.pools.label_values import ANY_VALUE, values_of
from automode_constructs.tokens import is_token

__all__ = ["Demand", "admits_nothing"]

Demand = tuple[str, Sequence[str]]
"""An operator and its values."""


def admits_nothing(key: str, demands: Iterable[Demand]) -> bool:
    """Whether these demands on one label certainly contradict each other.

    If so, no node is left for a label that every node has. A label that a node may lack is contradicted only if it must
    also have a value: ``NotIn`` also matches a node without the label.

    Args:
        key: the label's key, by its present name.
        demands: what is demanded of it.
    """
    left, on_every_node = ANY_VALUE, key in ON_EVERY_NODE
    label, has_value = KNOWN_LABELS.get(key), on_every_node
    if on_every_node and label is not None and label.choices:
        left = values_of("In", label.choices)
    for operator, values in demands:
        if any(is_token(value) for value in values):
            return False
        left = left.and_(values_of(operator, tuple(values)))
        has_value |= operator not in {"NotIn", "DoesNotExist"}
    # A label that may be absent is contradicted only if it must have a value too.
    return has_value and left.is_empty
