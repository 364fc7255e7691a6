"""A step of a rehearsal: what is done, what must come of it; and the table of what was seen."""

from __future__ import annotations

import shutil
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Expectation", "Result", "Seen", "Step", "chosen", "play", "table"]

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was looked at: whether it is as expected, and what it is."""

    ok: bool
    what: str


@dataclass(frozen=True)
class Expectation(Generic[S]):
    """Words, and the look that tells whether they hold."""

    words: str
    look: Callable[[S], Seen]


@dataclass(frozen=True)
class Step(Generic[S]):
    """One line of the table.

    Args:
        name: ``app/what``; others need the step by it.
        does: the command, or what is done, in words.
        act: does it, and gives what the expectations look at.
        expects: what must hold afterwards.
        needs: the steps that must have ended as expected, or this one is not tried.
    """

    name: str
    does: str
    act: Callable[[], S]
    expects: tuple[Expectation[S], ...]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """How a step ended; ``ok`` is None for one that was not tried."""

    name: str
    does: str
    expected: str
    seen: str
    seconds: float
    ok: bool | None


def chosen(steps: Sequence[Step[S]], only: Sequence[str]) -> list[Step[S]]:
    """The steps whose name has one of some words in it, and those that they need; all where no word is given.

    Raises:
        SystemExit: for a word that is in no name.
    """
    missing_words = [word for word in only if not any(word in step.name for step in steps)]
    if missing_words:
        names = ", ".join(step.name for step in steps)
        raise SystemExit(f"make rehearse: no step is called {', '.join(missing_words)}; the steps are {names}")
    selection = {step.name for step in steps if not only or any(word in step.name for word in only)}
    for step in reversed(steps):
        if step.name in selection:
            selection.update(step.needs)
    return [step for step in steps if step.name in selection]


def play(steps: Iterable[Step[S]], results: list[Result], say: Callable[[str], None]) -> None:
    """Takes one step after another and adds what came of it to the results."""
    ended: dict[str, bool | None] = {}
    for step in steps:
        expected = "; ".join(each.words for each in step.expects)
        missing = [name for name in step.needs if not ended.get(name)]
        if missing:
            results.append(Result(step.name, step.does, expected, f"not tried without {missing[0]}", 0, None))
        else:
            say(f"{step.name}: {step.does}")
            begun = time.monotonic()
            try:
                what = step.act()
                seen = [each.look(what) for each in step.expects]
            except Exception as error:  # noqa: BLE001 a broken step is a line of the table, and the others go on
                seen = [Seen(ok=False, what=f"{type(error).__name__}: {error}")]
            # Only what is not as expected is told at length when something is not.
            wrong = [each.what for each in seen if not each.ok]
            summary = "; ".join(dict.fromkeys(wrong or [each.what for each in seen]))
            results.append(Result(step.name, step.does, expected, summary, time.monotonic() - begun, not wrong))
            say(f"  {'as expected' if not wrong else 'NOT AS EXPECTED'}: {summary}")
        ended[step.name] = results[-1].ok


def table(results: Sequence[Result], width: int | None = None) -> str:
    """The results as a table: step, what is done, expected, seen, seconds.

    Args:
        results: in the order in which they are shown.
        width: columns of the table, at least 80. Default: those of the terminal, or 150.
    """
    width = max(80, width or shutil.get_terminal_size((150, 24)).columns)
    marks = {True: "ok", False: "NO", None: "-"}
    first = max([len("step"), *(len(result.name) for result in results)])
    free = width - first - 2 - 4 - 5 * 2
    widths = (2, first, free // 3, free // 3, free - 2 * (free // 3), 4)
    rows = [("", "step", "what is done", "expected", "seen", "s")]
    rows += [
        (marks[each.ok], each.name, each.does, each.expected, each.seen, f"{each.seconds:.0f}") for each in results
    ]
    lines = [_row(rows[0], widths), "  ".join("-" * each for each in widths)]
    return "\n".join([*lines, *(_row(row, widths) for row in rows[1:])])


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    columns = [
        textwrap.wrap(cell, room, break_on_hyphens=False) or [""] for cell, room in zip(cells, widths, strict=True)
    ]
    lines = []
    for number in range(max(map(len, columns))):
        parts = [
            (column[number] if number < len(column) else "").ljust(room)
            for column, room in zip(columns, widths, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)
