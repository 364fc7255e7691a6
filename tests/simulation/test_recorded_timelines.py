"""The simulation against histories of a real Karpenter, recorded on a stand with fake kubelets.

The recordings are in ``../shared/timelines``, beside the repository; their README says what is Karpenter's doing and
what is the stand's. Without them these tests are skipped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from automode_constructs.simulation import Assumptions, Result, StepResult, Timeline, simulate

FOLDER = Path(__file__).parents[3] / "shared" / "timelines"
FILES = sorted(FOLDER.glob("*.json"))
REQUIRED = 0.95

KNOWN_DIFFERENCES: Mapping[tuple[str, int], str] = {}
"""The steps that differ, by recording and number, each with the reason."""

OFFERED_DIFFERENTLY: Mapping[tuple[str, int], str] = {
    ("replace-cheaper", 2): "a type whose price is not known is never taken for cheaper; the stand had prices for four",
}
"""The steps whose nodes were offered another number of types, with the reason."""

needs_recordings = pytest.mark.skipif(not FILES, reason="needs the recordings of ../shared/timelines")


def recorded() -> list[dict[str, Any]]:
    """The recordings."""
    return [json.loads(path.read_text()) for path in FILES]


def replayed(recording: Mapping[str, Any]) -> Result:
    """What the simulation makes of a recording."""
    data = {"objects": recording["objects"], "steps": [_step(step) for step in recording["steps"]]}
    return simulate(Timeline.of(data), assumptions=Assumptions.of_the_stand())


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    settle, args = float(step["settle_s"]), step.get("args") or {}
    if step.get("refused"):
        return {"wait": settle}  # The API server said no: nothing changed.
    match step["do"]:
        case "apply":
            return {"apply": args, "settle": settle}
        case "scale":
            return {"scale": _reference(args), "replicas": args["replicas"], "settle": settle}
        case "patch":
            return {"patch": _reference(args), "merge": args["patch"], "settle": settle}
        case "delete":
            return {"delete": _reference(args), "settle": settle}
        case "wait":
            return {"wait": settle}
    raise AssertionError(step["do"])


def _reference(args: Mapping[str, Any]) -> str:
    return "/".join(filter(None, (args["kind"], args.get("namespace"), args.get("name") or args.get("node"))))


def _seen(nodes: list[dict[str, Any]], *, with_pods: bool) -> Counter[tuple[Any, ...]]:
    return Counter(
        (
            node["pool"],
            node["instance_type"],
            node["capacity_type"],
            node["zone"],
            tuple(sorted(node["pods"])) if with_pods else sum(int(each.rpartition(" ")[2]) for each in node["pods"]),
        )
        for node in nodes
    )


def _simulated(step: StepResult) -> list[dict[str, Any]]:
    return [
        {
            "pool": node.pool,
            "instance_type": node.instance_type,
            "capacity_type": node.capacity_type,
            "zone": node.zone,
            "pods": [f"{app}: {number}" for app, number in node.pods.items()],
        }
        for node in step.nodes
    ]


def _agrees(recording: Mapping[str, Any], index: int, found: StepResult) -> str:
    """What differs between a recorded step and a simulated one; nothing if they agree."""
    step = recording["steps"][index]
    pending = sorted(f"{app}: {number}" for app, number in found.pending.items())
    mine = _simulated(found)
    run = recording["second_run"]
    if run and not run["same"]:
        # Two runs of the real Karpenter differ here in which node got which pod: the nodes and the pods are judged.
        def common(nodes: list[dict[str, Any]]) -> tuple[object, int]:
            kinds = Counter((node["pool"], node["instance_type"], node["capacity_type"]) for node in nodes)
            return kinds, sum(int(each.rpartition(" ")[2]) for node in nodes for each in node["pods"])

        ok = common(step["nodes"]) == common(mine) and sorted(step["pending"]) == pending
    else:
        ok = _seen(step["nodes"], with_pods=True) == _seen(mine, with_pods=True) and sorted(step["pending"]) == pending
    return "" if ok else f"recorded {step['nodes']} {step['pending']}, simulated {mine} {pending}"


@needs_recordings
def test_at_least_95_percent_of_the_steps_agree(capsys: pytest.CaptureFixture[str]) -> None:
    steps, differences = 0, {}
    for recording in recorded():
        result = replayed(recording)
        assert len(result.steps) == len(recording["steps"])
        for index, found in enumerate(result.steps):
            steps += 1
            difference = _agrees(recording, index, found)
            if difference:
                differences[recording["id"], index] = difference
    with capsys.disabled():
        print(f"\n{steps - len(differences)} of {steps} recorded steps agree", *differences.items(), sep="\n")  # noqa: T201
    assert steps - len(differences) >= REQUIRED * steps
    assert differences.keys() == KNOWN_DIFFERENCES.keys()


@needs_recordings
def test_node_claims_allow_as_many_types() -> None:
    """How many types Karpenter offered to the cloud: a check of requirements, limits and room that no node shows."""
    differences = set()
    for recording in recorded():
        if recording["second_run"] and not recording["second_run"]["same"]:
            continue
        for index, found in enumerate(replayed(recording).steps):
            want = Counter(
                (node["instance_type"], node.get("types_offered")) for node in recording["steps"][index]["nodes"]
            )
            have = Counter((node.instance_type, node.types_offered) for node in found.nodes)
            if want != have and not any(offered is None for _, offered in want):
                differences.add((recording["id"], index))
    assert differences == OFFERED_DIFFERENTLY.keys()


@needs_recordings
def test_decisions_come_when_karpenter_took_them() -> None:
    """Removals of empty nodes one after the other: the seconds of the recording, give or take those of a busy stand."""
    recording = next(each for each in recorded() if each["id"] == "budget-ten-percent")
    begin = replayed(recording).steps[2].begins
    ended = [node.ended - begin for node in replayed(recording).nodes if node.ended is not None]
    for seconds, want in zip(sorted(ended), (27, 52, 78), strict=True):
        assert abs(seconds - want) <= 5
