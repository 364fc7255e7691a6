"""Steps in lanes: held against a clock that knows nothing of how they were laid."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from automode_constructs.rendering.lanes import Step, in_lanes
from tests.template_order import most_at_once


def all_before(waits: Sequence[Sequence[int]]) -> dict[str, set[str]]:
    """For each step all that are done before it begins."""

    def of(number: int) -> set[str]:
        found = {str(other) for other in waits[number]}
        for other in waits[number]:
            found |= of(other)
        return found

    return {str(number): of(number) for number in range(len(waits))}


def end_of(waits: Sequence[Sequence[int]], lengths: Sequence[int]) -> int:
    """When the last step is done, if each begins as soon as what it waits for is done."""
    ends: dict[int, int] = {}

    def end(number: int) -> int:
        if number not in ends:
            ends[number] = lengths[number] + max((end(other) for other in waits[number]), default=0)
        return ends[number]

    return max(end(number) for number in range(len(waits)))


def some_steps(seed: int) -> list[Step]:
    dice = random.Random(seed)
    steps: list[Step] = []
    for number in range(dice.randrange(1, 25)):
        needs = frozenset(dice.sample(range(number), k=min(number, dice.randrange(3))))
        beside = number - 1 if number and dice.random() < 0.2 else None
        if beside is not None:
            needs = steps[beside].needs
        steps.append(Step(needs=needs, length=dice.choice([1, 1, 1, 15]), beside=beside))
    return steps


@pytest.mark.parametrize("keep_order", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_before_what_it_needs_nor_more_at_a_time_than_lanes(seed: int, keep_order: bool) -> None:
    steps = some_steps(seed)
    waits = in_lanes(steps, 3, keep_order=keep_order)
    before = all_before(waits)
    assert most_at_once(list(before), before) <= 3
    assert all(len(others) <= 3 for others in waits)
    for number, step in enumerate(steps):
        assert {str(other) for other in step.needs} <= before[str(number)]
        if step.beside is not None:
            # It waits for all that the other one waits for, but the other one never for it.
            assert before[str(step.beside)] <= before[str(number)]
            assert str(number) not in before[str(step.beside)]
        if keep_order:
            assert all(other < number for other in waits[number])


@pytest.mark.parametrize("seed", range(60))
def test_two_more_lanes_bring_little(seed: int) -> None:
    steps = some_steps(seed)
    lengths = [step.length for step in steps]
    shortest = end_of([[*step.needs] for step in steps], lengths)
    # Graham's bound for any order that leaves no lane idle.
    assert end_of(in_lanes(steps, 3), lengths) <= shortest + sum(lengths) / 3


def test_what_the_longest_way_depends_on_begins_first() -> None:
    short = [Step() for _ in range(6)]
    way = [Step(), Step(needs=frozenset({6})), Step(needs=frozenset({7}))]
    waits = in_lanes([*short, *way], 3)
    assert waits[6] == []
    assert end_of(waits, [1] * 9) == 3


def test_a_step_waits_behind_what_it_needs_anyway() -> None:
    steps = [Step(), Step(), Step(needs=frozenset({1})), Step(needs=frozenset({0}))]
    assert in_lanes(steps, 2) == [[], [], [1], [0]]


def test_a_long_wait_keeps_its_lane_and_no_other() -> None:
    steps = [Step(), Step(beside=0, length=15), *(Step() for _ in range(4))]
    waits = in_lanes(steps, 3)
    assert end_of(waits, [step.length for step in steps]) == 15
    assert not any(1 in others for others in waits)
