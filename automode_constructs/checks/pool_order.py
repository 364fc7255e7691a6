"""Which NodePool Karpenter tries first for a waiting pod, and whether one with accelerators comes too early."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from itertools import islice, product

from automode_constructs.checks.placement import BUILT_IN_POOLS, Pool
from automode_constructs.errors import Problem
from automode_constructs.specs.labels import CAPACITY_TYPE
from automode_constructs.specs.pools.accelerated import listed_categories, only_accelerated
from automode_constructs.specs.pools.requirement import Requirement
from automode_constructs.specs.rule import rule

__all__ = ["ACCELERATED_POOL_FIRST", "accelerated_first_problems", "in_order_of_trial"]

ACCELERATED_POOL_FIRST = rule(
    "automode:AcceleratedPoolFirst",
    "NodePool",
    severity="warning",
    sentence=(
        "A pool of accelerated instances has a taint, or Karpenter tries it after the pools of ordinary instances. It "
        "tries the highest weight first and, among equal weights, the last name of the alphabet."
    ),
    source="Karpenter core 1.13 (OrderByWeight), as seen; Karpenter, 'NodePools', spec.weight",
    judged="tree",
)

_ARCHITECTURES = ("amd64", "arm64")
_CAPACITIES = ("on-demand", "spot", "reserved")
_Ask = tuple[str | None, str | None]
"""The architecture and the capacity type that pods select; ``None`` if they leave it open."""

_NEURON_CATEGORIES = frozenset({"inf", "trn"})


def in_order_of_trial(pools: Collection[Pool]) -> list[Pool]:
    """The pools in the order in which Karpenter tries them for a pod.

    Static pools are left out: they launch nothing for a pod. A pool without a weight counts as weight 0, and one with
    a ``PreferNoSchedule`` taint is tried only after all pools without one.
    """
    by_name = sorted((pool for pool in pools if not pool.static), key=lambda pool: pool.name, reverse=True)
    return sorted(by_name, key=lambda pool: (pool.reluctant, -(pool.weight or 0)))


def accelerated_first_problems(
    pools: Sequence[tuple[int, Pool]], built_in_pools: Collection[str]
) -> Iterator[tuple[int, Problem]]:
    """Each accelerated pool that takes pods that need no accelerator, by its number in ``pools``.

    Args:
        pools: the pools that are judged, each with a number.
        built_in_pools: EKS's own pools that are on; one that is among ``pools`` counts once.
    """
    names = {pool.name for _, pool in pools}
    built_in = [BUILT_IN_POOLS[name] for name in BUILT_IN_POOLS if name in built_in_pools and name not in names]
    numbers = {id(pool): number for number, pool in pools}
    order = [pool for pool in in_order_of_trial([*(pool for _, pool in pools), *built_in]) if not pool.taints]
    accelerated = [only_accelerated(pool.demands) for pool in order]
    if not any(accelerated):
        return
    pool_asks = [_asks_of(pool) for pool in order]
    served: set[_Ask] = set()
    for place, pool in enumerate(order):
        if not accelerated[place]:
            served |= pool_asks[place]
            continue
        met_here = frozenset() if pool.reluctant else pool_asks[place] - served
        later = zip(order, pool_asks, accelerated, strict=True)
        robbed = next(
            (other for other, asks, gpu in islice(later, place + 1, None) if not gpu and asks & met_here), None
        )
        if robbed is not None:
            yield (
                numbers[id(pool)],
                ACCELERATED_POOL_FIRST.problem(
                    "spec.template.spec.taints",
                    f"NodePool '{pool.name}' has accelerated instances and no taint, and Karpenter tries it before "
                    f"{_pool_text(robbed)} ({_why(pool, robbed)}), so pods that need no accelerator start its nodes",
                    _cure(pool, robbed),
                ),
            )


def _asks_of(pool: Pool) -> frozenset[_Ask]:
    architectures = {None, *_architectures(_as_requirements(pool))}
    capacities = {None, *(each for each in _CAPACITIES if pool.admits([(CAPACITY_TYPE, ("In", [each]))]))}
    return frozenset(product(architectures, capacities))


def _as_requirements(pool: Pool) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    return tuple(
        (key, operator, tuple(values)) for key, demands in pool.demands.items() for operator, values in demands
    )


@cache
def _architectures(requirements: tuple[tuple[str, str, tuple[str, ...]], ...]) -> frozenset[str]:
    # Imported late: the list takes time to load, and is seldom needed.
    from automode_constructs.specs.pools.instance_types import admitted

    requirements_of_pool = [
        Requirement.model_construct(key=key, operator=operator, values=values) for key, operator, values in requirements
    ]
    architectures = frozenset(each.architecture for each in admitted(requirements_of_pool))
    return architectures or frozenset(_ARCHITECTURES)


def _pool_text(pool: Pool) -> str:
    return f"EKS's '{pool.name}'" if pool.name in BUILT_IN_POOLS else f"'{pool.name}'"


def _why(pool: Pool, other: Pool) -> str:
    if other.reluctant:
        return "which has a PreferNoSchedule taint"
    if (pool.weight or 0) != (other.weight or 0):
        return f"weight {pool.weight or 0} is above {other.weight or 0}"
    return "among equal weights, the last name of the alphabet comes first"


def _cure(pool: Pool, other: Pool) -> str:
    categories = listed_categories(pool.demands)
    key = "aws.amazon.com/neuron" if categories and categories <= _NEURON_CATEGORIES else "nvidia.com/gpu"
    can_lead = other.name not in BUILT_IN_POOLS and not other.reluctant
    weight = f", or give '{other.name}' a higher weight" if can_lead else ""
    return f"taint it, for example {key} with effect NoSchedule{weight}"
