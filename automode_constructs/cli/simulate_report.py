"""Writes a simulation: tables for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from automode_constructs.cli.simulate import SimulateRun
from automode_constructs.errors import AutoModeError, nearest, shown
from automode_constructs.facts.instance_types import as_of
from automode_constructs.simulation import (
    Assumption,
    Assumptions,
    Event,
    NodeView,
    PendingPod,
    Result,
    WhyNot,
)

__all__ = ["JSON_VERSION", "as_json", "as_text", "assumptions_text", "clock", "event_line", "happenings", "why"]

JSON_VERSION = 1
"""Grows when a field of the JSON goes or changes its meaning; new fields leave it as it is."""

_SAME_WAY = 5
"""How many pods a line names that wait for the same reasons."""


def as_text(run: SimulateRun) -> str:
    """The timeline, the nodes, the pods without a node and the totals, for people."""
    result = run.result
    parts = [
        [event_line(event) for event in happenings(result)],
        _nodes(result),
        _pending(result.steps[-1].pods),
        _blocked(result),
        _totals(result),
        _small_print(run),
    ]
    return "\n".join(_written(part) for part in parts if part)


def _written(lines: Iterable[str]) -> str:
    # A name may hold anything, terminal escape sequences included.
    return "".join(f"{line if line.isprintable() else ascii(line)[1:-1]}\n" for line in lines)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds since the start."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def event_line(event: Event) -> str:
    """An event as a line of text."""
    if event.kind == "Step":
        return f"{clock(event.at)}  {event.message}"
    return f"{clock(event.at)}    {event.kind:<20} {event.subject}: {event.message}"


def happenings(result: Result) -> Iterator[Event]:
    """The events, with the pods of each node whenever they change, without what was said before."""
    events = sorted([*_events(result), *_placements(result)], key=lambda event: event.at)
    waiting: list[Event] = []
    for event in events:
        if waiting and (event.kind != "FailedScheduling" or _case(event) != _case(waiting[0])):
            yield _together(waiting)
            waiting = []
        if event.kind == "FailedScheduling":
            waiting.append(event)
        else:
            yield event
    if waiting:
        yield _together(waiting)


def _events(result: Result) -> Iterator[Event]:
    known: set[tuple[str, str]] = set()
    for event in result.events:
        if event.kind == "FailedScheduling":
            if (event.subject, event.message) in known:
                continue
            known.add((event.subject, event.message))
        yield event


def _placements(result: Result) -> Iterator[Event]:
    before: dict[str, int] = {}
    for sample in result.samples:
        for node, pods in sample.pods.items():
            if pods != before.get(node, 0):
                before[node] = pods
                yield Event(at=sample.at, kind="Pods", subject=node, message=f"has {_counted(pods, 'pod')} now")


def _case(event: Event) -> tuple[float, str]:
    return event.at, event.message


def _together(events: Sequence[Event]) -> Event:
    first = events[0]
    more = f" and {len(events) - 1} more" if len(events) > 1 else ""
    return Event(at=first.at, kind=first.kind, subject=f"{first.subject}{more}", message=first.message)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _nodes(result: Result) -> list[str]:
    if not result.nodes:
        return ["No node was launched."]
    most = _most_pods(result)
    rows = [["NODE", "POOL", "TYPE", "CAPACITY", "ZONE", "PRICE", "FEE", "PODS", "MOST", "CPU", "MEMORY", "FROM", "TO"]]
    rows += [_node_cells(node, most.get(node.name, 0)) for node in result.nodes]
    return _aligned(rows)


def _node_cells(node: NodeView, most: int) -> list[str]:
    return [
        node.name,
        node.pool,
        node.instance_type,
        node.capacity_type,
        node.zone,
        f"${node.price:.4f}/h",
        f"${node.fee:.4f}/h",
        str(sum(node.pods.values())),
        str(most),
        f"{node.used['cpu']:.0%}",
        f"{node.used['memory']:.0%}",
        clock(node.created),
        "-" if node.ended is None else clock(node.ended),
    ]


def _most_pods(result: Result) -> dict[str, int]:
    most: dict[str, int] = {}
    for sample in result.samples:
        for node, pods in sample.pods.items():
            most[node] = max(most.get(node, 0), pods)
    return most


def _aligned(rows: Sequence[Sequence[str]], *, left: int = 5) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _pending(pods: Sequence[PendingPod]) -> list[str]:
    alike: dict[tuple[str, tuple[WhyNot, ...]], list[PendingPod]] = {}
    for pod in pods:
        alike.setdefault((pod.app, tuple(pod.why)), []).append(pod)
    lines = []
    for (app, reasons), some in alike.items():
        names = ", ".join(pod.name for pod in some[:_SAME_WAY])
        more = f" and {len(some) - _SAME_WAY} more" if len(some) > _SAME_WAY else ""
        since = clock(min(pod.since for pod in some))
        lines.append(f"Pending: {_counted(len(some), 'pod')} of {app} since {since} ({names}{more})")
        lines += [f"  {reason}" for reason in reasons]
    return lines


def _blocked(result: Result) -> list[str]:
    return [f"Node {node} cannot be disrupted: {cause}" for node, cause in result.steps[-1].blocked.items()]


def _totals(result: Result) -> list[str]:
    totals = result.totals
    lines = [
        f"Time:      {clock(result.steps[-1].ends)} from {result.start:%Y-%m-%d %H:%M} UTC",
        f"Nodes:     {_counted(totals.nodes, 'node')} launched, {totals.node_hours:.2f} node hours",
        (
            f"Cost:      ${totals.usd:.4f}: instances ${totals.instance_usd:.4f}, Auto Mode fee ${totals.fee_usd:.4f}; "
            "without control plane, volumes and traffic"
        ),
        (
            f"Pods:      {totals.pods_bound} placed after {totals.pending_s:g} s in all, "
            f"{totals.longest_pending_s:g} s at most"
        ),
    ]
    if totals.disturbed:
        lines.append(f"Disturbed: {_by_cause(totals.disturbed, 'pod')}")
    if totals.stalled_s:
        lines.append(
            "Stalled:   " + ", ".join(f"{seconds:g} s by {cause}" for cause, seconds in totals.stalled_s.items())
        )
    return lines


def _by_cause(counts: Mapping[str, int], noun: str) -> str:
    return ", ".join(f"{_counted(count, noun)} by {cause}" for cause, count in counts.items())


def _small_print(run: SimulateRun) -> list[str]:
    prices = as_of()
    lines = [f"Note: {remark}" for remark in run.remarks]
    lines += [f"Not simulated: {reference}: {words}" for reference, words in run.result.not_simulated.items()]
    hangs_on = _counted(len(run.result.assumptions), "assumption")
    lines.append(
        f"A model, not a promise: this hangs on {hangs_on} (--assumptions), and on prices of "
        f"{prices.price_region} on {prices.prices.isoformat()}"
    )
    return lines


def why(run: SimulateRun, name: str) -> str:
    """Why a node is what it is, or why a pod has none.

    Raises:
        AutoModeError: for a name that no node and no such pod has.
    """
    result = run.result
    node = next((node for node in result.nodes if node.name == name), None)
    if node is None:
        pods = {pod.name: pod for pod in result.steps[-1].pods}
        if name in pods:
            return _written(_pending([pods[name]]))
        node = next((node for node in result.nodes if name in node.planned_for), None)
    if node is None:
        planned = [pod for node in result.nodes for pod in node.planned_for]
        known = [*(node.name for node in result.nodes), *(pod.name for pod in result.steps[-1].pods), *planned]
        raise AutoModeError.of(
            "--why",
            field="",
            message=f"no node is called {shown(name)}, no pod of that name waits, and no node was launched for one",
            cure=nearest(name, known) or f"nodes are {', '.join(each.name for each in result.nodes[:_SAME_WAY])}",
        )
    return _written(_why_node(node))


def _why_node(node: NodeView) -> list[str]:
    lines = [
        (
            f"{node.name}: {node.instance_type} ({node.capacity_type}) in {node.zone}, NodePool {node.pool}, "
            f"${node.price:.4f}/h and ${node.fee:.4f}/h fee"
        ),
        f"For:    {', '.join(node.planned_for[:_SAME_WAY]) or 'its static pool'}"
        + (f" and {len(node.planned_for) - _SAME_WAY} more" if len(node.planned_for) > _SAME_WAY else ""),
        f"From:   {clock(node.created)} to {'the end' if node.ended is None else clock(node.ended)}"
        + (f" ({node.reason})" if node.reason else ""),
    ]
    if node.why:
        lines.append("Pools that were tried before and lost:")
        lines += [f"  {reason}" for reason in node.why]
    if node.choice is not None:
        lines.append(f"Types that lost, of {sum(1 for _ in node.choice.catalogue.machines)}:")
        lines.append("  TYPES  CHEAPER  REASON")
        lines += [
            f"{lost.types:>7}  {lost.cheaper:>7}  {lost.reason}: {_examples(lost.examples, lost.types)}"
            for lost in node.choice.lost()
        ]
    return lines


def _examples(names: Sequence[str], number: int) -> str:
    return ", ".join(names) + (" ..." if number > len(names) else "")


def assumptions_text(assumptions: Iterable[Assumption] | None = None, *, used: Iterable[Assumption] = ()) -> str:
    """All assumptions, one each line; a star marks those that a result hangs on.

    Args:
        assumptions: the assumptions. Default: those that hold where nothing else is assumed.
        used: those that the result hangs on.
    """
    marked = {each.name for each in used}
    rows = [
        ["*" if each.name in marked else " ", each.name, _value(each.value), f"{each.unit}. {each.source}"]
        for each in (Assumptions().listed() if assumptions is None else assumptions)
    ]
    lines = _aligned(rows, left=4)
    if marked:
        lines += ["", f"* this result hangs on it ({len(marked)} of {len(rows)})"]
    return _written(lines)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "none" if value is None else f"{value:.15g}"


def as_json(run: SimulateRun) -> str:
    """Everything as JSON, in the form that ``JSON_VERSION`` numbers."""
    result = run.result
    document = {
        "version": JSON_VERSION,
        "start": result.start.isoformat(),
        "steps": [
            {
                "step": step.step,
                "begins_s": step.begins,
                "ends_s": step.ends,
                "nodes": [_node(node) for node in step.nodes],
                "pending": dict(step.pending),
                "pending_pods": [_plain(pod) for pod in step.pods],
                "blocked": dict(step.blocked),
            }
            for step in result.steps
        ],
        "nodes": [
            _node(node) | {"types_lost": [asdict(lost) for lost in node.choice.lost()] if node.choice else []}
            for node in result.nodes
        ],
        "events": [{"at_s": event.at, **{key: getattr(event, key) for key in _OF_EVENT}} for event in result.events],
        "samples": [
            {"at_s": sample.at, "pods": dict(sample.pods), "waiting": sample.waiting} for sample in result.samples
        ],
        "totals": asdict(result.totals) | {"usd": round(result.totals.usd, 6)},
        "assumptions": [asdict(each) for each in result.assumptions],
        "not_simulated": dict(result.not_simulated),
        "remarks": run.remarks,
        "prices": {"region": as_of().price_region, "date": as_of().prices.isoformat()},
    }
    return json.dumps(document, indent=2) + "\n"


_OF_EVENT = ("kind", "subject", "message")
_RENAMED = {"price": "price_usd_per_hour", "fee": "fee_usd_per_hour", "created": "created_s", "ended": "ended_s"}


def _node(node: NodeView) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in fields(node):
        if each.name != "choice":
            value = getattr(node, each.name)
            found[_RENAMED.get(each.name, each.name)] = _json_value(value)
    return found


def _plain(pod: PendingPod) -> dict[str, Any]:
    return {"name": pod.name, "app": pod.app, "since_s": pod.since, "why": _json_value(pod.why)}


def _json_value(value: Any) -> Any:
    if isinstance(value, WhyNot):
        return {"what": value.what, "reason": value.reason}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return [_json_value(each) for each in value]
    return value
