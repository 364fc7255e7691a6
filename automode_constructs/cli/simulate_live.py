"""Plays a simulation in the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from automode_constructs.cli.simulate import SimulateRun
from automode_constructs.cli.simulate_report import as_text, clock, event_line, happenings
from automode_constructs.errors import AutoModeError
from automode_constructs.simulation import NodeView, Result

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Frame", "frames", "play"]

_LONGEST_PAUSE_S = 3.0
"""A person waits no longer for the next event, however slow the speed."""
_LAST_LINES = 8


@dataclass(kw_only=True, slots=True)
class Frame:
    """The cluster at a moment at which something happened.

    Args:
        at: seconds since the start.
        lines: what happened then.
        nodes: the nodes that are there, each with its state and its number of pods.
        waiting: how many pods have no node.
        usd: what the nodes have cost so far.
    """

    at: float
    lines: list[str] = field(default_factory=list)
    nodes: list[tuple[NodeView, str, int]] = field(default_factory=list)
    waiting: int = 0
    usd: float = 0.0


def frames(result: Result) -> Iterator[Frame]:
    """The moments at which something happened, in order."""
    pods: dict[str, int] = {}
    ready: set[str] = set()
    draining: set[str] = set()
    samples = iter(result.samples)
    sample = next(samples, None)
    waiting = 0
    frame: Frame | None = None
    for event in happenings(result):
        if frame is None or event.at > frame.at:
            if frame is not None:
                yield frame
            frame = Frame(at=event.at)
        while sample is not None and sample.at <= event.at:
            pods.update(sample.pods)
            waiting = sample.waiting
            sample = next(samples, None)
        if event.kind == "NodeReady":
            ready.add(event.subject)
        elif event.kind in {"NodeDraining", "Disrupted", "SpotInterrupted"}:
            draining.add(event.subject)
        elif event.kind == "NodeNotReady":
            ready.discard(event.subject)
        frame.lines.append(event_line(event))
        frame.waiting = waiting
        frame.nodes = [
            (node, _state(node.name, ready, draining), pods.get(node.name, 0))
            for node in result.nodes
            if node.created <= event.at and (node.ended is None or event.at < node.ended)
        ]
        frame.usd = _cost(result, event.at)
    if frame is not None:
        yield frame


def _state(name: str, ready: set[str], draining: set[str]) -> str:
    return "draining" if name in draining else "ready" if name in ready else "starting"


def _cost(result: Result, at: float) -> float:
    return sum(
        (node.price + node.fee) * (min(at, at if node.ended is None else node.ended) - node.created) / 3600
        for node in result.nodes
        if node.created < at
    )


def play(run: SimulateRun, *, speed: float, write: Callable[[str], None], terminal: TextIO | None = None) -> None:
    """Plays a simulation: moving in a terminal, line by line and without pauses where there is none.

    Args:
        run: the simulation.
        speed: seconds of the timeline in a second.
        write: writes text where there is no terminal, and the report at the end.
        terminal: the terminal. Default: standard output.

    Raises:
        AutoModeError: in a terminal, if rich is not installed.
    """
    out = terminal or sys.stdout
    if out.isatty():
        _play_in_terminal(run, speed, out)
    else:
        for frame in frames(run.result):
            write("".join(f"{line if line.isprintable() else ascii(line)[1:-1]}\n" for line in frame.lines))
        write("\n")
    text = as_text(run)
    write(text.partition("\n\n")[2])


def _play_in_terminal(run: SimulateRun, speed: float, out: TextIO) -> None:
    try:
        from rich.console import Console
        from rich.live import Live
    except ImportError:
        raise AutoModeError.of(
            "--live",
            field="",
            message="needs the library rich in a terminal",
            cure="pip install 'automode-constructs[live]', or pipe the output to 'cat'",
        ) from None
    before = 0.0
    last: list[str] = []
    with Live(console=Console(file=out), auto_refresh=False) as live:
        for frame in frames(run.result):
            time.sleep(min((frame.at - before) / speed, _LONGEST_PAUSE_S))
            before = frame.at
            last = [*last, *frame.lines][-_LAST_LINES:]
            live.update(_screen(frame, last), refresh=True)


def _screen(frame: Frame, last: list[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    nodes = Table(title=f"{clock(frame.at)}   {frame.waiting} pending   ${frame.usd:.4f}", expand=True)
    for heading in ("NODE", "POOL", "TYPE", "CAPACITY", "ZONE", "STATE", "PODS"):
        nodes.add_column(heading, no_wrap=True)
    colours = {"ready": "green", "starting": "yellow", "draining": "red"}
    for node, state, pods in frame.nodes:
        nodes.add_row(
            *(Text(cell) for cell in (node.name, node.pool, node.instance_type, node.capacity_type, node.zone)),
            Text(state, style=colours[state]),
            Text("\u25a0" * min(pods, 40) + f" {pods}"),
        )
    screen = Table.grid(expand=True)
    screen.add_row(nodes)
    for line in last:
        screen.add_row(Text(line, no_wrap=True, overflow="ellipsis"))
    return screen
