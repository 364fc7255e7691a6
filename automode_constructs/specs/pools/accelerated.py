"""Whether a pool's requirements admit only instances with a GPU or another accelerator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from automode_constructs.facts.instances import ACCELERATED_CATEGORIES, category_of, family_of
from automode_constructs.specs.labels import (
    INSTANCE_CATEGORY,
    INSTANCE_FAMILY,
    INSTANCE_GPU_COUNT,
    INSTANCE_GPU_MANUFACTURER,
    INSTANCE_GPU_MEMORY,
    INSTANCE_GPU_NAME,
    INSTANCE_TYPE,
)
from automode_constructs.specs.pools.admission import Demand
from automode_constructs.tokens import is_token

__all__ = ["GPU_KEYS", "listed_categories", "only_accelerated"]

GPU_KEYS = frozenset({INSTANCE_GPU_COUNT, INSTANCE_GPU_MANUFACTURER, INSTANCE_GPU_MEMORY, INSTANCE_GPU_NAME})
"""Labels that nodes have only with a GPU."""


def only_accelerated(demands: Mapping[str, Sequence[Demand]]) -> bool:
    """Whether the demands imply that every instance has an accelerator.

    They do if they ask for a GPU, or name only accelerated categories, families or types.

    Args:
        demands: what is demanded of each label, by its present key.
    """
    if any(operator not in {"NotIn", "DoesNotExist"} for key in GPU_KEYS for operator, _ in demands.get(key, ())):
        return True
    categories = listed_categories(demands)
    return bool(categories) and categories.issubset(ACCELERATED_CATEGORIES)


def listed_categories(demands: Mapping[str, Sequence[Demand]]) -> frozenset[str]:
    """The instance categories that the demands name, themselves or by families or types; none where they name none."""
    types, families = _listed(demands, INSTANCE_TYPE), _listed(demands, INSTANCE_FAMILY)
    if types:
        families = [family_of(name) for name in types]
    if families:
        return frozenset(category_of(family) for family in families)
    return frozenset(_listed(demands, INSTANCE_CATEGORY))


def _listed(demands: Mapping[str, Sequence[Demand]], key: str) -> Sequence[str]:
    for operator, values in demands.get(key, ()):
        if operator == "In" and not any(is_token(value) for value in values):
            return values
    return ()
