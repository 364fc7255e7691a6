"""What the disruption budgets of a pool amount to together and over time.

Of all budgets that count at a moment for a reason, the strictest wins; where none counts, nothing holds Karpenter back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from automode_constructs.errors import Problem
from automode_constructs.specs.pools.cron import ALWAYS, active_minutes
from automode_constructs.specs.rule import rule

__all__ = ["UPGRADE_BLOCKED", "budget_problems"]

_SOURCE = "Karpenter, 'Disruption', NodePool Disruption Budgets; Karpenter core, NodePool.GetAllowedDisruptionsByReason"

BUDGET_GAP = rule(
    "automode:BudgetGap",
    "NodePool",
    severity="warning",
    sentence="At each time a budget counts for each reason: without one, all nodes may be disrupted at once.",
    source=f"{_SOURCE}; aws/karpenter-provider-aws#7026",
)
BUDGET_NEVER_LIFTS = rule(
    "automode:BudgetNeverLifts",
    "NodePool",
    severity="warning",
    sentence="Windows without disruption end before the next one begins, so that nodes are replaced some time.",
    source=f"{_SOURCE}; kubernetes-sigs/karpenter#1190",
)
BUDGET_WITHOUT_EFFECT = rule(
    "automode:BudgetWithoutEffect",
    "NodePool",
    severity="warning",
    sentence="Each budget decides at some time: its window opens, its reasons occur and no other one is stricter.",
    source=_SOURCE,
)
UPGRADE_BLOCKED = rule(
    "automode:UpgradeBlocked",
    "NodePool",
    severity="warning",
    sentence=(
        "Nodes may be replaced for drift at some time: else they follow an upgrade of the cluster only as they expire, "
        "and EKS refuses to roll the upgrade back."
    ),
    source="EKS User Guide, 'Rollback EKS Auto Mode clusters'; Karpenter, 'Disruption', NodePool Disruption Budgets",
)


class _Budget(Protocol):
    @property
    def nodes(self) -> str | int | None: ...
    @property
    def reasons(self) -> Sequence[str] | None: ...
    @property
    def schedule(self) -> str | None: ...
    @property
    def duration(self) -> str | None: ...


def budget_problems(budgets: Sequence[_Budget], reasons: Sequence[str]) -> Iterator[Problem]:
    """Budgets that do not do what they say; fields begin with the budget's index.

    Args:
        budgets: valid budgets of one pool.
        reasons: why nodes of the pool may be disrupted at all.
    """
    windows = [_window(budget) for budget in budgets]
    yield from _gaps(budgets, windows, reasons)
    yield from _without_lifting(budgets, windows, reasons)
    yield from _without_effect(budgets, windows, reasons)


def _gaps(budgets: Sequence[_Budget], windows: Sequence[int], reasons: Sequence[str]) -> Iterator[Problem]:
    never: list[str] = []
    outside: list[str] = []
    for reason in reasons:
        open_for = [window for budget, window in zip(budgets, windows, strict=True) if _is_for(budget, reason)]
        if not any(open_for):
            never.append(reason)
        elif _union(open_for) != ALWAYS:
            outside.append(reason)
    # Empty nodes run no pods: without a word about them, all may go at once.
    if set(never) - {"Empty"}:
        yield BUDGET_GAP.problem(
            "",
            f"no budget holds for {_listed(never)}, so all such nodes may go at once",
            "add a budget without schedule that names no reasons, for example nodes: 10%",
        )
    if outside:
        closes = all(_share(budget) == 0 for budget in budgets if any(_is_for(budget, reason) for reason in outside))
        yield BUDGET_GAP.problem(
            "",
            f"outside the schedule no budget holds for {_listed(outside)}, so all such nodes may go at once",
            "add a budget without schedule, for example nodes: 10%, the default of pools without budgets"
            if closes
            else "add a budget without schedule, or turn the window round: the times of nodes: '0' are those without "
            "disruption (UTC)",
        )


def _without_lifting(budgets: Sequence[_Budget], windows: Sequence[int], reasons: Sequence[str]) -> Iterator[Problem]:
    stuck: dict[int, list[str]] = {}
    for reason in reasons:
        closed = [index for index, budget in enumerate(budgets) if _is_for(budget, reason) and _share(budget) == 0]
        always = next((index for index in closed if budgets[index].schedule is None), None)
        if always is not None:
            if reason == "Drifted":
                yield UPGRADE_BLOCKED.problem(
                    f"[{always}].nodes",
                    f"'{_text(budgets[always])}' without a schedule lets no node be replaced for drift: nodes follow "
                    "an upgrade of the cluster only as they expire, and EKS refuses to roll it back",
                    "limit the budget to other reasons (Empty, Underutilized), or give it a schedule and a duration",
                )
            continue  # For other reasons it says so.
        if _union(windows[index] for index in closed) == ALWAYS:
            stuck.setdefault(closed[0], []).append(reason)
    for index, names in stuck.items():
        yield BUDGET_NEVER_LIFTS.problem(
            f"[{index}].schedule",
            f"the next window of nodes: '0' begins before or as one ends, so no node is ever replaced for "
            f"{_listed(names)} until it expires",
            "shorten the duration",
        )


def _without_effect(budgets: Sequence[_Budget], windows: Sequence[int], reasons: Sequence[str]) -> Iterator[Problem]:
    for index, budget in enumerate(budgets):
        named = [reason for reason in reasons if _is_for(budget, reason)]
        if not windows[index]:
            field, why = "schedule", "its date never comes, so the budget never counts"
            if not _minutes(budget.duration or ""):
                field, why = "duration", "is no time at all, so the budget never counts"
            yield BUDGET_WITHOUT_EFFECT.problem(f"[{index}].{field}", why, "correct it, or remove the budget")
        elif not named:
            yield BUDGET_WITHOUT_EFFECT.problem(
                f"[{index}].reasons",
                f"no node of this pool is disrupted for {_listed(budget.reasons or ())}, so the budget never counts",
                "name other reasons, or change consolidationPolicy or consolidateAfter",
            )
        else:
            stricter = next(
                (
                    other
                    for other, rival in enumerate(budgets)
                    if all(_is_for(rival, reason) for reason in named)
                    and _is_stricter(rival, budget, earlier=other < index)
                    and not windows[index] & ~windows[other]
                ),
                None,
            )
            if stricter is not None:
                strict = _text(budgets[stricter])
                yield BUDGET_WITHOUT_EFFECT.problem(
                    f"[{index}].nodes",
                    f"budgets[{stricter}] ({strict}) counts whenever this one ({_text(budget)}) does, and the "
                    "strictest wins, so this one never decides",
                    "limit the other one to other times or reasons, or remove this one",
                )


def _is_stricter(budget: _Budget, other: _Budget, *, earlier: bool) -> bool:
    """Whether a budget allows fewer nodes than another whatever the pool's size; of two equal ones, the earlier."""
    mine, its = _share(budget), _share(other)
    if budget is other or mine is None or its is None:
        return False
    if mine == 0 and its > 0:
        return True
    same = _text(budget).endswith("%") == _text(other).endswith("%")
    return same and (mine < its or (mine == its and earlier))


def _window(budget: _Budget) -> int:
    if budget.schedule is None or budget.duration is None:
        return ALWAYS
    return active_minutes(budget.schedule, _minutes(budget.duration))


def _minutes(duration: str) -> int:
    return sum(int(number) * (60 if unit == "h" else 1) for number, unit in re.findall(r"([0-9]+)([hm])", duration))


def _is_for(budget: _Budget, reason: str) -> bool:
    return not budget.reasons or reason in budget.reasons


def _text(budget: _Budget) -> str:
    return "10%" if budget.nodes is None else str(budget.nodes)


def _share(budget: _Budget) -> int | None:
    text = _text(budget).removesuffix("%")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def _union(windows: Iterable[int]) -> int:
    union = 0
    for window in windows:
        union |= window
    return union


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
