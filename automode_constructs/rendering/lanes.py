"""Schedules steps in a few lanes: each after what it needs, never more at a time than lanes, and done early."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Step", "in_lanes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Something that takes time and comes after other steps."""

    needs: frozenset[int] = frozenset()
    """The numbers of the steps that come before it; all are lower than its own."""
    length: int = 1
    """Its expected duration, as far as known."""
    beside: int | None = None
    """The number of a step: this one starts together with it at the earliest. It is lower than its own."""


def in_lanes(steps: Sequence[Step], lanes: int, *, keep_order: bool = False) -> list[list[int]]:
    """For each step, the steps that it waits for directly, at most one from each lane.

    A step that waits for these has waited for everything it needs, and there are never more steps in progress than
    lanes, however long each takes in fact. Steps on the critical path start first.

    Args:
        steps: the steps.
        lanes: how many may be in progress at a time.
        keep_order: whether no step may wait for one with a higher number.
    """
    assigned = [[*range(lane, len(steps), lanes)] for lane in range(lanes)] if keep_order else _assigned(steps, lanes)
    places = {number: (lane, at) for lane, numbers in enumerate(assigned) for at, number in enumerate(numbers)}
    waits: list[list[int]] = []
    for number, step in enumerate(steps):
        lane, at = places[number]
        needs = {*step.needs, *(waits[step.beside] if step.beside is not None else ()), *assigned[lane][:at][-1:]}
        # Each lane is a chain: its last step stands for those before it.
        last = {places[other][0]: other for other in sorted(needs, key=places.__getitem__)}
        waits.append(sorted(last.values()))
    return waits


def _assigned(steps: Sequence[Step], lanes: int) -> list[list[int]]:
    """The steps of each lane: a free lane takes the step with the longest path behind it."""
    ways = _longest_ways(steps)
    waiting = [len(step.needs) + (step.beside is not None) for step in steps]
    followers: list[list[int]] = [[] for _ in steps]
    companions: list[list[int]] = [[] for _ in steps]
    for number, step in enumerate(steps):
        for other in step.needs:
            followers[other].append(number)
        if step.beside is not None:
            companions[step.beside].append(number)
    earliest = [0] * len(steps)
    coming = [(0, number) for number, count in enumerate(waiting) if not count]
    ready: list[tuple[int, int]] = []
    free_at = [0] * lanes
    assigned: list[list[int]] = [[] for _ in range(lanes)]

    def no_longer_waits(number: int, now: int) -> None:
        earliest[number] = max(earliest[number], now)
        waiting[number] -= 1
        if not waiting[number]:
            heapq.heappush(coming, (earliest[number], number))

    now = 0
    while coming or ready:
        now = max(now, min(free_at), 0 if ready else coming[0][0])
        while coming and coming[0][0] <= now:
            number = heapq.heappop(coming)[1]
            heapq.heappush(ready, (-ways[number], number))
        number = heapq.heappop(ready)[1]
        free = [lane for lane in range(lanes) if free_at[lane] <= now]
        # Behind a step that it needs anyway, it has no additional wait.
        lane = next((each for each in free if {*assigned[each][-1:]} & steps[number].needs), free[0])
        assigned[lane].append(number)
        free_at[lane] = now + steps[number].length
        for companion in companions[number]:
            no_longer_waits(companion, now)
        for follower in followers[number]:
            no_longer_waits(follower, free_at[lane])
    return assigned


def _longest_ways(steps: Sequence[Step]) -> list[int]:
    """The time from the start of each step to the end of the last one that waits for it."""
    ways = [step.length for step in steps]
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        for other in step.needs:
            ways[other] = max(ways[other], steps[other].length + ways[number])
        if step.beside is not None:
            ways[step.beside] = max(ways[step.beside], ways[number])
    return ways
