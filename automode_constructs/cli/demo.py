"""Replays a talk on EKS Auto Mode, and puts its numbers beside those of the simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import as_file, files
from typing import Any

from automode_constructs.cli.simulate import SimulateRun, run_simulation
from automode_constructs.facts.instance_types import instance_types
from automode_constructs.inference.cold_start import Seconds, estimate_cold_start
from automode_constructs.simulation import Step, StepResult, simulate

__all__ = ["beside_the_talk", "demo"]

_TALK_TYPE = "g5.4xlarge"
_TALK_IMAGE_BYTES = 14_000_000_000
_ONE_BY_ONE_MB = 72
"""MB/s of containerd without parallel pull. Source: aws-samples/karpenter-blueprints, 9.35 GB in 130.8 s."""
_SHOP = "retail-store/ui"
_MODEL = "gpt-oss/gpt-oss-20b"
_FIRST, _TEN, _ZERO, _POOL, _SERVER, _END = range(1, 7)
"""The steps of the timeline."""


def demo() -> SimulateRun:
    """The talk, from the timeline in this package."""
    with as_file(files("automode_constructs.simulation").joinpath("timelines")) as folder:
        return run_simulation([str(folder / "talk.yaml")])


def beside_the_talk(run: SimulateRun) -> str:
    """What the talk shows, and what the simulation says."""
    steps = run.result.steps
    ready = [event for event in run.result.events if event.kind == "NodeReady"]
    created = {node.name: node.created for node in run.result.nodes}
    gpu = next(node for node in run.result.nodes if node.pool == "gpu")
    rows = [
        ("", "THE TALK", "HERE"),
        ("nodes of the empty cluster", "0", str(len(steps[0].nodes))),
        ("nodes for the first shop pod", "1", str(len(steps[_FIRST].nodes))),
        ("ten pods, by node", "3 + 7", _by_node(_without_spread(run), _SHOP)),
        ("the same, spread over zones", "-", _by_node(steps[_TEN], _SHOP)),
        ("pending pod to Ready node", "about 17 s", f"{ready[0].at - created[ready[0].subject]:g} s (assumed)"),
        ("nodes at zero shop pods", "0", str(len(steps[_ZERO].nodes))),
        ("nodes of the unused GPU pool", "0", str(len(steps[_POOL].nodes))),
        ("node for GPT-OSS-20B", _TALK_TYPE, f"{gpu.instance_type} ({gpu.capacity_type})"),
        (f"14 GB, one layer at a time, {_TALK_TYPE}", "2-3 min", _seconds(_pull(_ONE_BY_ONE_MB))),
        (f"14 GB, pulled in parallel, {_TALK_TYPE}", "75 s", _seconds(_pull(None))),
        (f"14 GB, pulled in parallel, {gpu.instance_type}", "-", _seconds(_pull(None, gpu.instance_type))),
        ("nodes at zero model pods", "0", str(len(steps[_END].nodes))),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def _without_spread(run: SimulateRun) -> StepResult:
    """Ten pods of the shop without the topology spread of our chart, which the talk's shop does not have."""
    timeline = run.timeline
    objects = [_spread_removed(manifest) for manifest in timeline.objects]
    steps = [
        Step(verb="apply", subject=(f"Deployment/{_SHOP}",), settle_s=90),
        Step(verb="scale", subject=f"Deployment/{_SHOP}", value=10),
    ]
    return simulate(replace(timeline, objects=objects, steps=steps)).steps[-1]


def _spread_removed(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    if manifest["kind"] != "Deployment":
        return manifest
    spec = manifest["spec"]
    template = spec["template"]
    pods = {key: value for key, value in template["spec"].items() if key != "topologySpreadConstraints"}
    return {**manifest, "spec": {**spec, "template": {**template, "spec": pods}}}


def _by_node(step: StepResult, app: str) -> str:
    return " + ".join(str(node.pods[app]) for node in step.nodes if app in node.pods)


def _pull(mb_per_second: float | None, instance_type: str = _TALK_TYPE) -> Seconds | None:
    return estimate_cold_start(
        instance_type=instance_types()[instance_type],
        image_bytes=_TALK_IMAGE_BYTES,
        weight_bytes=1,
        weights=None,
        pull_mb_per_second=mb_per_second,
    ).pull


def _seconds(seconds: Seconds | None) -> str:
    return "unknown" if seconds is None else str(seconds)
