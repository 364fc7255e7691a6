"""A timeline: the manifests of a cluster and what happens to it, step by step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from automode_constructs.errors import AutoModeError, Problem, did_you_mean, shown

__all__ = ["DEFAULT_START", "DEFAULT_ZONES", "EVERYTHING", "Step", "Timeline", "Verb", "seconds_of"]

Verb = Literal[
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
]
"""What a step does."""

_VERBS: tuple[Verb, ...] = Verb.__args__  # type: ignore[attr-defined]

DEFAULT_START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday, at midnight: when a timeline starts that does not say."""

DEFAULT_ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
"""The zones of the cluster's subnets where a timeline does not say."""

EVERYTHING = "*"
"""What ``apply`` names to apply all manifests."""

_OFFERS = {"instance_type", "capacity_type", "zone"}
_CHOICES: Mapping[str, set[str]] = {
    "interrupt_spot": {"pool", "zone", "instance_type", "node", "count"},
    "capacity_shortage": _OFFERS,
    "capacity_return": _OFFERS,
}
_EXTRA: Mapping[str, set[str]] = {"scale": {"replicas"}, "patch": {"merge"}}
_LONGEST_S = 10 * 366 * 86400
_VERSION = re.compile(r"1\.[0-9]{1,3}")
_REFERENCE = re.compile(r"[A-Za-z]+(/[^/\s]+){1,2}")
_UNITS = {"h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that happens, and how long the simulation goes on after it.

    Args:
        verb: what happens.
        subject: what it happens to: object references, manifests or ``*`` for ``apply``; one reference for ``scale``,
            ``patch`` and ``delete``; a choice of nodes or offerings; a zone, reservation or version.
        value: the replicas of ``scale``, or the JSON merge patch of ``patch``.
        settle_s: seconds that pass after it, before the next step.
        expect: what a test expects at the end of the step; the simulation does not read it.
    """

    verb: Verb
    subject: Any
    value: Any = None
    settle_s: float = 120
    expect: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        subject = self.subject
        if self.verb == "wait":
            subject = f"{subject:g} s"
        elif isinstance(subject, Mapping):
            subject = ", ".join(f"{key} {value}" for key, value in subject.items())
        elif isinstance(subject, tuple):
            subject = ", ".join("everything" if each == EVERYTHING else _name(each) for each in subject)
        words = f"{self.verb.replace('_', ' ')} {subject or ''}".strip()
        return f"{words} to {self.value}" if self.verb == "scale" else words


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """The manifests of a cluster and its history.

    Args:
        objects: the manifests that ``apply`` steps name. Default: none.
        steps: what happens, in order.
        existing: manifests that are applied before the first step, such as EKS's built-in pools. Default: none.
        start: when it begins, in UTC; windows of budgets are read by this clock. Default: Monday 5 January 2026, 00:00.
        zones: the zones of the cluster's subnets. Default: us-east-1a, us-east-1b, us-east-1c.
        version: the Kubernetes version at the start. Default: 1.34.
        images: bytes of an image, by its name as the manifests write it. Default: each has the assumed size.
        starts: seconds that a workload's container takes from running to ready, by reference. Default: 0.
        durations: seconds that the pods of a Job run, by reference. Default: the assumed time.
    """

    steps: Sequence[Step]
    objects: Sequence[Mapping[str, Any]] = ()
    existing: Sequence[Mapping[str, Any]] = ()
    start: datetime = DEFAULT_START
    zones: Sequence[str] = DEFAULT_ZONES
    version: str = "1.34"
    images: Mapping[str, float] = field(default_factory=dict)
    starts: Mapping[str, float] = field(default_factory=dict)
    durations: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        data: Mapping[str, Any],
        *,
        objects: Iterable[Mapping[str, Any]] = (),
        existing: Iterable[Mapping[str, Any]] = (),
        where: str = "",
    ) -> Timeline:
        """Reads a timeline from a mapping, as its YAML file has it.

        Args:
            data: the mapping.
            objects: more manifests, such as those of files beside it.
            existing: manifests that are applied before the first step.
            where: what errors name as the place, such as the file. Default: nothing.

        Raises:
            AutoModeError: for unknown fields and verbs, references without a kind, times that are none.
        """
        if not isinstance(data, Mapping):
            raise AutoModeError(where, [_problem("", f"a timeline is a mapping with 'steps', got {shown(data)}")])
        problems: list[Problem] = []
        known = {
            "objects",
            "steps",
            "start",
            "zones",
            "version",
            "images",
            "starts",
            "durations",
            "id",
            "why",
            "source",
        }
        problems += [
            _problem(str(key), "is not a field of a timeline", did_you_mean(str(key), sorted(known)))
            for key in data
            if key not in known
        ]
        listed = data.get("objects") or []
        if not isinstance(listed, list) or not all(isinstance(item, Mapping) for item in listed):
            problems.append(_problem("objects", f"needs a list of manifests, got {shown(listed)}"))
            listed = []
        raw_steps = data.get("steps")
        steps: list[Step] = []
        if not isinstance(raw_steps, list) or not raw_steps:
            problems.append(_problem("steps", f"needs a list of at least one step, got {shown(raw_steps)}"))
        else:
            for index, raw in enumerate(raw_steps):
                step = _step(raw, f"steps[{index}]", problems)
                if step is not None:
                    steps.append(step)
        start = _start(data.get("start", DEFAULT_START), problems)
        zones = data.get("zones", list(DEFAULT_ZONES))
        if not isinstance(zones, list | tuple) or not zones or not all(isinstance(zone, str) for zone in zones):
            problems.append(_problem("zones", f"needs a list of zone names, got {shown(zones)}"))
            zones = DEFAULT_ZONES
        version = data.get("version", "1.34")
        if not isinstance(version, str) or _VERSION.fullmatch(version) is None:
            problems.append(_problem("version", f"needs a Kubernetes version such as '1.34', got {shown(version)}"))
            version = "1.34"
        numbers = {
            name: _numbers(data.get(name) or {}, name, problems, times=name != "images")
            for name in ("images", "starts", "durations")
        }
        if problems:
            raise AutoModeError(where, problems)
        return cls(
            objects=[*objects, *listed],
            existing=[*existing],
            steps=tuple(steps),
            start=start,
            zones=tuple(zones),
            version=version,
            images=numbers["images"],
            starts=numbers["starts"],
            durations=numbers["durations"],
        )


def seconds_of(value: object) -> float | None:
    """The seconds of a duration such as ``90s``, ``5m``, ``1h30m`` or a number; ``None`` for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if 0 <= value <= _LONGEST_S else None
    if not isinstance(value, str) or re.fullmatch(r"([0-9]{1,9}(\.[0-9]{1,3})?[hms])+", value) is None:
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9.]+)([hms])", value))
    return seconds if seconds <= _LONGEST_S else None


def _name(each: str | Mapping[str, Any]) -> str:
    if isinstance(each, str):
        return each
    metadata = each["metadata"]
    return "/".join(
        [str(each["kind"]), *([metadata["namespace"]] if metadata.get("namespace") else []), str(metadata["name"])]
    )


def _problem(field_name: str, message: str, cure: str = "") -> Problem:
    return Problem(field=field_name, message=message, cure=cure)


def _step(raw: object, at: str, problems: list[Problem]) -> Step | None:
    before = len(problems)
    if not isinstance(raw, Mapping):
        problems.append(_problem(at, f"needs a mapping with one of {', '.join(_VERBS)}, got {shown(raw)}"))
        return None
    verbs = [verb for verb in _VERBS if verb in raw]
    if len(verbs) != 1:
        unknown = [str(key) for key in raw if key not in {"settle", "expect"}]
        cure = "write one step for each" if verbs else did_you_mean(unknown[0], list(_VERBS)) if unknown else ""
        message = f"needs one of {', '.join(_VERBS)}" if not verbs else f"has {' and '.join(verbs)}"
        problems.append(_problem(at, message, cure))
        return None
    verb = verbs[0]
    problems += [
        _problem(f"{at}.{key}", f"is not a field of a step '{verb}'")
        for key in raw
        if key not in {verb, "settle", "expect", *_EXTRA.get(verb, ())}
    ]
    subject = _subject(verb, raw[verb], f"{at}.{verb}", problems)
    value = None
    if verb == "scale":
        value = raw.get("replicas")
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            problems.append(_problem(f"{at}.replicas", f"needs a whole number of at least 0, got {shown(value)}"))
    elif verb == "patch":
        value = raw.get("merge")
        if not isinstance(value, Mapping):
            problems.append(_problem(f"{at}.merge", f"needs a JSON merge patch (a mapping), got {shown(value)}"))
    settle = subject if verb == "wait" else seconds_of(raw.get("settle", 120))
    if settle is None and verb != "wait":
        problems.append(_problem(f"{at}.settle", f"needs a duration such as '90s' or '5m', got {shown(raw['settle'])}"))
    expect = raw.get("expect") or {}
    if len(problems) > before:
        return None
    return Step(verb=verb, subject=subject, value=value, settle_s=settle or 0, expect=expect)


def _subject(verb: Verb, raw: object, at: str, problems: list[Problem]) -> Any:
    if verb == "wait":
        seconds = seconds_of(raw)
        if seconds is None:
            problems.append(_problem(at, f"needs a duration such as '90s' or '5m', got {shown(raw)}"))
        return seconds
    if verb == "apply":
        references = [raw] if isinstance(raw, str | Mapping) else raw
        if not isinstance(references, list) or not references:
            problems.append(_problem(at, f"needs references such as 'Deployment/shop/ui', got {shown(raw)}"))
            return ()
        for reference in references:
            if isinstance(reference, Mapping):
                metadata = reference.get("metadata")
                if not reference.get("kind") or not isinstance(metadata, Mapping) or not metadata.get("name"):
                    problems.append(_problem(at, "holds a manifest without kind or metadata.name"))
            elif reference != EVERYTHING:
                _check_reference(reference, at, problems)
        return tuple(references)
    if verb in {"scale", "patch", "delete"}:
        _check_reference(raw, at, problems)
        return raw
    if verb in _CHOICES:
        choice = {} if raw is None else raw
        if not isinstance(choice, Mapping):
            problems.append(_problem(at, f"needs a mapping of {', '.join(sorted(_CHOICES[verb]))}, got {shown(raw)}"))
            return {}
        problems += [
            _problem(f"{at}.{key}", "is unknown here", did_you_mean(str(key), sorted(_CHOICES[verb])))
            for key in choice
            if key not in _CHOICES[verb]
        ]
        _check_choice(choice, at, problems)
        return dict(choice)
    if not isinstance(raw, str):
        problems.append(_problem(at, f"needs a text, got {shown(raw)}"))
    elif verb == "upgrade" and _VERSION.fullmatch(raw) is None:
        problems.append(_problem(at, f"needs a Kubernetes version such as '1.35', got {shown(raw)}"))
    return raw


def _check_choice(choice: Mapping[Any, Any], at: str, problems: list[Problem]) -> None:
    for key, value in choice.items():
        if key == "count":
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                problems.append(_problem(f"{at}.count", f"needs a whole number of at least 1, got {shown(value)}"))
        elif key == "capacity_type" and value not in ("on-demand", "spot"):
            problems.append(_problem(f"{at}.{key}", f"needs 'on-demand' or 'spot', got {shown(value)}"))
        elif not isinstance(value, str):
            problems.append(_problem(f"{at}.{key}", f"needs a text, got {shown(value)}"))


def _check_reference(reference: object, at: str, problems: list[Problem]) -> None:
    if not isinstance(reference, str) or _REFERENCE.fullmatch(reference) is None:
        problems.append(_problem(at, f"{shown(reference)} names no object", "write Kind/name or Kind/namespace/name"))


def _start(raw: object, problems: list[Problem]) -> datetime:
    try:
        start = raw if isinstance(raw, datetime) else datetime.fromisoformat(str(raw))
    except ValueError:
        problems.append(_problem("start", f"needs a time such as '2026-01-05T09:00:00Z', got {shown(raw)}"))
        return DEFAULT_START
    return start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)


def _numbers(raw: object, name: str, problems: list[Problem], *, times: bool) -> dict[str, float]:
    numbers: dict[str, float] = {}
    if not isinstance(raw, Mapping):
        problems.append(_problem(name, f"needs a mapping, got {shown(raw)}"))
        return numbers
    for key, value in raw.items():
        number = seconds_of(value) if times else value
        if not isinstance(number, int | float) or isinstance(number, bool) or not number >= 0:
            what = "a duration such as '90s'" if times else "a number of bytes"
            problems.append(_problem(f"{name}['{key}']", f"needs {what}, got {shown(value)}"))
        else:
            numbers[str(key)] = float(number)
    return numbers
