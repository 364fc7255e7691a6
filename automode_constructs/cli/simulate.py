"""Reads timelines and manifests, and simulates them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from automode_constructs.checks.document import judge_document, kind_of
from automode_constructs.cli.files import STDIN
from automode_constructs.cli.lint import objects_of
from automode_constructs.cli.manifests import Manifest, manifests_in
from automode_constructs.cli.placeholders import first_placeholder
from automode_constructs.errors import AutoModeError, Problem, did_you_mean, shown
from automode_constructs.facts.kubernetes_fields import type_of_kind
from automode_constructs.simulation import Assumptions, Result, Timeline, simulate

__all__ = ["SimulateRun", "assumptions_of", "run_simulation"]

_TIMELINE_FIELDS = {"steps", "objects", "manifests", "zones", "images", "starts", "durations", "built_in_pools"}
_ENDINGS = (".yaml", ".yml", ".json", "/")
_POSITIVE = {"disruption_poll_s", "eviction_retry_s", "retry_s", "shortage_memory_s"}
"""What the simulation repeats: it would never end without a pause."""
_WITHOUT_TIMELINE_S = 900
_DECIDE = frozenset(
    {
        *("DaemonSet", "Deployment", "Job", "Namespace", "NodeClass", "NodePool", "PersistentVolume"),
        *("PersistentVolumeClaim", "Pod", "PodDisruptionBudget", "PriorityClass", "ReplicaSet", "StatefulSet"),
        "StorageClass",
    }
)
"""The kinds that the simulation reads."""
_PLACEHOLDERS = ("{{", "${")
"""What begins a value that only a deployment knows; messages may cut off the rest."""
_PLACES_PODS = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "resources")


@dataclass(kw_only=True, slots=True)
class SimulateRun:
    """A simulation and what there is to say about its input.

    Args:
        result: what came of it.
        timeline: what was simulated.
        remarks: what the input left out, in sentences.
    """

    result: Result
    timeline: Timeline
    remarks: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """1 if pods have no node at the end, else 0."""
        return int(bool(self.result.steps[-1].pending))


@dataclass(kw_only=True, slots=True)
class _Input:
    timeline: tuple[str, Mapping[str, Any]] | None = None
    objects: list[Mapping[str, Any]] = field(default_factory=list)
    existing: list[Mapping[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def run_simulation(paths: Sequence[str], *, assume: Sequence[str] = ()) -> SimulateRun:
    """Simulates the timeline and the manifests of the command line.

    Without a timeline all manifests are applied, and 15 minutes pass.

    Args:
        paths: files, folders, ``-``, or the folder that ``cdk synth`` wrote.
        assume: values of assumptions, as ``NAME=VALUE``.

    Raises:
        AutoModeError: for files that cannot be read, timelines and manifests that are wrong, unknown assumptions.
    """
    assumptions = assumptions_of(assume)
    inputs = _read(paths)
    where, data = inputs.timeline or ("", {"steps": [{"apply": "*", "settle": f"{_WITHOUT_TIMELINE_S}s"}]})
    problems: list[Problem] = []
    data = _with_files(where, dict(data), inputs, problems)
    if not inputs.objects and inputs.timeline is None:
        raise AutoModeError.of(
            ", ".join(paths), field="", message="holds no Kubernetes object", cure="name manifests or a timeline"
        )
    _add_built_in_pools(data, inputs, problems)
    try:
        timeline = Timeline.of(data, objects=inputs.objects, existing=inputs.existing, where=where)
    except AutoModeError as error:
        unread = {problem.field for problem in problems}
        others = [problem for problem in error.problems if problem.field not in unread]
        raise AutoModeError(where, [*problems, *others]) from None
    if problems:
        raise AutoModeError(where, problems)
    for each in [*timeline.objects[len(inputs.objects) :], *_written_in_steps(timeline)]:
        _check(where, each)
    inputs.remarks += _unknown_values(timeline.objects)
    try:
        result = simulate(timeline, assumptions=assumptions)
    except AutoModeError as error:
        raise error.at(": ".join(part for part in (where, error.where) if part)) from None
    return SimulateRun(result=result, timeline=timeline, remarks=inputs.remarks)


def _read(paths: Sequence[str]) -> _Input:
    inputs = _Input()
    for manifest in manifests_in(paths):
        if _is_timeline(manifest):
            if inputs.timeline is not None:
                raise AutoModeError.of(
                    manifest.where,
                    field="",
                    message=f"is a second timeline, after {inputs.timeline[0]}",
                    cure="simulate one at a time",
                )
            inputs.timeline = (manifest.where, manifest.data)
        else:
            _add(inputs, manifest)
    return inputs


def _is_timeline(manifest: Manifest) -> bool:
    return "kind" not in manifest.data and bool(_TIMELINE_FIELDS & manifest.data.keys())


def _add(inputs: _Input, manifest: Manifest) -> None:
    if manifest.is_object:
        _check(manifest.where, manifest.data)
        inputs.objects.append(manifest.data)
    elif manifest.named:
        raise AutoModeError.of(
            manifest.where,
            field="",
            message="is neither a Kubernetes object (kind, metadata.name) nor a timeline (steps)",
            cure=_nearest_field(manifest.data),
        )


def _check(where: str, data: Mapping[str, Any]) -> None:
    """Refuses what the API server refuses in an object that decides which nodes come."""
    if data.get("kind") not in _DECIDE:
        return
    problems = [
        problem
        for problem in judge_document(data) or ()
        if problem.severity == "error" and not any(mark in problem.message for mark in _PLACEHOLDERS)
    ]
    if kind_of(data) is None and type_of_kind(str(data.get("apiVersion", "")), data["kind"]) is None:
        message = f"{shown(data.get('apiVersion'))} has no kind {data['kind']}"
        problems = [Problem(field="apiVersion", message=message, cure="write its apiVersion")]
    if problems:
        name = data["metadata"]["name"]
        raise AutoModeError(": ".join(part for part in (where, f"{data['kind']} {shown(name)}") if part), problems)


def _nearest_field(data: Mapping[str, Any]) -> str:
    for key in data:
        meant = did_you_mean(str(key), sorted(_TIMELINE_FIELDS))
        if meant.startswith("did you mean"):
            return meant
    return "a timeline begins with 'steps:'"


def _with_files(where: str, data: dict[str, Any], inputs: _Input, problems: list[Problem]) -> dict[str, Any]:
    """Reads the files that a timeline names."""
    named = data.pop("manifests", None) or []
    if isinstance(named, str):
        named = [named]
    if not isinstance(named, list) or not all(isinstance(path, str) for path in named):
        problems.append(Problem(field="manifests", message=f"needs a list of files and folders, got {shown(named)}"))
        named = []
    for index, path in enumerate(named):
        inputs.objects += _objects_of(where, path, f"manifests[{index}]", problems)
    steps = data.get("steps")
    if isinstance(steps, list):
        data["steps"] = [_with_applied_files(where, step, index, problems) for index, step in enumerate(steps)]
    return data


def _with_applied_files(where: str, step: Any, index: int, problems: list[Problem]) -> Any:
    if not isinstance(step, Mapping) or "apply" not in step:
        return step
    applied = step["apply"]
    items: list[Any] = []
    for item in applied if isinstance(applied, list) else [applied]:
        if isinstance(item, str) and item.endswith(_ENDINGS):
            items += _objects_of(where, item, f"steps[{index}].apply", problems)
        else:
            items.append(item)
    return {**step, "apply": items}


def _objects_of(where: str, path: str, at: str, problems: list[Problem]) -> list[Mapping[str, Any]]:
    """The objects of a file or folder that a timeline names, as seen from the timeline."""
    folder = Path() if where in ("", STDIN) else Path(where).parent
    found = _Input()
    try:
        if path == STDIN:
            raise AutoModeError.of("", field="", message="standard input cannot be named in a timeline")
        for manifest in manifests_in([str(folder / path)]):
            _add(found, manifest)
    except AutoModeError as error:
        problems += [Problem(field=at, message=str(error), cure=_nearest_file(folder, path))]
        return []
    if not found.objects:
        problems.append(Problem(field=at, message=f"{shown(path)} holds no Kubernetes object"))
    return found.objects


def _nearest_file(folder: Path, path: str) -> str:
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError:
        return ""
    meant = did_you_mean(path, names)
    return meant if meant.startswith("did you mean") else ""


def _add_built_in_pools(data: dict[str, Any], inputs: _Input, problems: list[Problem]) -> None:
    wanted = data.pop("built_in_pools", None)
    if wanted is not None and not isinstance(wanted, bool):
        problems.append(Problem(field="built_in_pools", message=f"needs true or false, got {shown(wanted)}"))
    steps = data.get("steps")
    listed = data.get("objects")
    every = [*inputs.objects, *(listed if isinstance(listed, list) else []), *_applied_in(steps)]
    has_pools = any(isinstance(each, Mapping) and each.get("kind") == "NodePool" for each in every)
    if wanted or (wanted is None and not has_pools):
        inputs.existing = list(objects_of(_built_in_pools()))
        if wanted is None:
            inputs.remarks.append(
                "The input has no NodePool, so EKS's built-in pools general-purpose and system are simulated"
            )


def _written_in_steps(timeline: Timeline) -> Iterable[Mapping[str, Any]]:
    for step in timeline.steps:
        if step.verb == "apply":
            yield from (each for each in step.subject if isinstance(each, Mapping))


def _applied_in(steps: object) -> Iterable[object]:
    for step in steps if isinstance(steps, list) else []:
        applied = step.get("apply") if isinstance(step, Mapping) else None
        yield from applied if isinstance(applied, list) else [applied]


def _built_in_pools() -> str:
    return files("automode_constructs.simulation").joinpath("timelines/built-in-pools.yaml").read_text("utf-8")


def _unknown_values(objects: Sequence[Mapping[str, Any]]) -> list[str]:
    """What decides where pods go and is not known before a deployment."""
    remarks = []
    for manifest in objects:
        kind = manifest.get("kind")
        spec = manifest.get("spec")
        decides = spec if kind == "NodePool" else _placement(spec)
        found = first_placeholder(decides)
        if found is not None:
            remarks.append(
                f"{kind} {manifest['metadata']['name']}: {found[0]} is not known before a deployment "
                f"({shown(found[1])}) and is taken as it stands"
            )
    return remarks


def _placement(spec: object) -> Mapping[str, Any]:
    pods = spec
    if isinstance(spec, Mapping) and isinstance(spec.get("template"), Mapping):
        pods = spec["template"].get("spec")
    return {key: pods[key] for key in _PLACES_PODS if key in pods} if isinstance(pods, Mapping) else {}


def assumptions_of(texts: Sequence[str]) -> Assumptions:
    """The assumptions, with those values changed that the command line gives.

    Raises:
        AutoModeError: for unknown names and values that cannot be.
    """
    known = {each.name: each for each in fields(Assumptions)}
    changed: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise _refused(text, f"needs NAME=VALUE, got {shown(text)}")
        if name not in known:
            raise _refused(name, f"no assumption is called {shown(name)}", did_you_mean(name, sorted(known)))
        changed[name] = _value(name, value, known[name].default, str(known[name].type))
    return Assumptions(**changed)


def _value(name: str, text: str, default: object, declared: str) -> object:
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise _refused(name, f"needs true or false, got {shown(text)}")
        return text == "true"
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    least = "above 0" if name in _POSITIVE else "of at least 0"
    if not 0 <= number < 1e15 or (number == 0 and name in _POSITIVE):
        raise _refused(name, f"needs a number {least}, got {shown(text)}")
    if "int" in declared:
        if number != int(number):
            raise _refused(name, f"needs a whole number, got {shown(text)}")
        return int(number)
    return number


def _refused(name: str, message: str, cure: str = "") -> AutoModeError:
    return AutoModeError.of("--assume", field=name if message.startswith("needs") else "", message=message, cure=cure)
