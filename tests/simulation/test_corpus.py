"""The simulator against a corpus of timelines whose outcomes were worked out by hand from Karpenter's source.

The recordings of a real Karpenter cover what a stand without AWS can do. The corpus covers the rest: budgets with
windows, Spot interruption, shortages, outages, volumes, drift of the class, ``Balanced``. Every timeline says why it is
there and where the rule is written down; the reason of every expected node stands above it as a comment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from automode_constructs.simulation import Assumptions, Timeline, simulate

CORPUS: Final = Path(__file__).parent / "corpus"
VERBS: Final = frozenset(
    {
        "apply",
        "scale",
        "patch",
        "delete",
        "interrupt_spot",
        "zone_outage",
        "zone_recovery",
        "capacity_shortage",
        "capacity_return",
        "reservation_end",
        "upgrade",
        "wait",
    }
)

KNOWN_DIFFERENCES: Final[Mapping[str, str]] = {}
"""Timelines that the simulator knowingly answers otherwise, each with the reason."""


@cache
def timelines() -> Mapping[str, Mapping[str, Any]]:
    """All timelines of the corpus by id."""
    loaded = [
        timeline for path in sorted(CORPUS.glob("*.yaml")) for timeline in yaml.safe_load(path.read_text("utf-8"))
    ]
    by_id = {timeline["id"]: timeline for timeline in loaded}
    assert len(by_id) == len(loaded), "an id stands twice"
    return by_id


def same_node(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether a node is as expected; a field that the expectation leaves out is not judged."""
    return all(found[field] == value for field, value in wanted.items())


def pair_up(wanted: list[Mapping[str, Any]], found: list[Mapping[str, Any]]) -> bool:
    """Whether every expected node has a node of its own that is as expected, and no node is left over."""
    if len(wanted) != len(found):
        return False
    if not wanted:
        return True
    first, rest = wanted[0], wanted[1:]
    return any(
        same_node(first, node) and pair_up(rest, found[:index] + found[index + 1 :]) for index, node in enumerate(found)
    )


def differences(timeline: Mapping[str, Any]) -> list[str]:
    """What the simulator answers otherwise than the timeline expects, one line for each step and field."""
    result = simulate(Timeline.of(timeline), assumptions=Assumptions.of_the_stand())
    lines: list[str] = []
    for number, (step, outcome) in enumerate(zip(timeline["steps"], result.steps, strict=True), start=1):
        expected = step.get("expect", {})
        if "nodes" in expected:
            nodes: list[Mapping[str, Any]] = [
                {
                    "pool": node.pool,
                    "instance_type": node.instance_type,
                    "capacity_type": node.capacity_type,
                    "zone": node.zone,
                    "pods": dict(node.pods),
                }
                for node in outcome.nodes
            ]
            if not pair_up(expected["nodes"], nodes):
                lines.append(f"step {number}: nodes\n  expected {expected['nodes']}\n  found    {nodes}")
        if "pending" in expected and dict(outcome.pending) != expected["pending"]:
            lines.append(
                f"step {number}: pending\n  expected {expected['pending']}\n  found    {dict(outcome.pending)}"
            )
    return lines


@pytest.mark.parametrize("name", sorted(timelines()))
def test_the_outcome_is_the_one_worked_out_by_hand(name: str, request: pytest.FixtureRequest) -> None:
    if name in KNOWN_DIFFERENCES:
        request.applymarker(pytest.mark.xfail(strict=True, reason=KNOWN_DIFFERENCES[name]))
    timeline = timelines()[name]
    lines = differences(timeline)
    assert not lines, "\n".join([f"{name}: {timeline['why']} ({timeline['source']})", *lines])


def test_the_corpus_is_whole() -> None:
    assert len(timelines()) >= 45
    assert KNOWN_DIFFERENCES.keys() <= timelines().keys()
    for name, timeline in timelines().items():
        assert timeline["why"] and timeline["source"], name
        assert any("expect" in step for step in timeline["steps"]), name
        for step in timeline["steps"]:
            assert len(VERBS & step.keys()) == 1, (name, step)
            assert step.keys() <= VERBS | {"replicas", "merge", "settle", "expect"}, (name, step)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_expected_node_has_its_reason_as_a_comment(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    nodes = [number for number, line in enumerate(lines) if re.match(r"\s+- \{pool: ", line)]
    assert nodes
    bare = [lines[number] for number in nodes if not lines[number - 1].lstrip().startswith("# ")]
    assert not bare


def test_a_difference_is_seen() -> None:
    """The judge itself: another type, another count, a missing node and a field left out."""
    node = {
        "pool": "main",
        "instance_type": "c6a.large",
        "capacity_type": "spot",
        "zone": "a",
        "pods": {"default/x": 1},
    }
    assert pair_up([node], [node])
    assert pair_up([{"pool": "main"}], [node])
    assert not pair_up([node | {"instance_type": "c5a.large"}], [node])
    assert not pair_up([node | {"pods": {"default/x": 2}}], [node])
    assert not pair_up([node, node], [node])
    assert not pair_up([], [node])
    # The loose expectation may not take the node that the strict one needs.
    other = node | {"zone": "b"}
    assert pair_up([{"pool": "main"}, node], [node, other])
