"""The library's only exception: where, which field, what was wrong, and the cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["AutoModeError", "Problem", "Severity", "did_you_mean", "on_one_line", "shown"]

Severity = Literal["error", "warning", "info"]
"""``error``: AWS or Kubernetes refuses it, or it cannot work. ``warning``: it works, at a risk. ``info``: a remark."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong or risky; every finding has this form.

    Args:
        field: the dotted path of the field as the user typed it (``requirements[0].key``), or ``""`` if the problem
            belongs to the whole object.
        message: what is wrong, in lower case and without a final period; it contains the given value.
        cure: what to do about it, or ``""`` if the message already says so.
        rule: the id of the rule that was broken (``automode:NodeLifetime``), or ``""`` if there is no page for it.
        severity: how bad it is. Default: ``error``.
        where: the construct path, file or object, or ``""`` if the owner of the problem knows it.
    """

    field: str
    message: str
    cure: str = ""
    rule: str = ""
    severity: Severity = "error"
    where: str = ""

    def under(self, field: str) -> Problem:
        """The same problem as seen from an outer object: ``field`` is put before its own field."""
        return replace(self, field=_join(field, self.field))

    def __str__(self) -> str:
        text = "".join(f"{place}: " for place in (self.where, self.field) if place) + self.message
        return on_one_line(f"{text}; {self.cure}" if self.cure else text)


class AutoModeError(ValueError):
    """Raised for every mistake that can be found without calling AWS.

    Args:
        where: the construct path, file or object the problems belong to, or ``""`` if none exists yet.
        problems: every problem found, in the order of the fields.
    """

    def __init__(self, where: str, problems: Sequence[Problem]) -> None:
        if not problems:
            raise ValueError("an AutoModeError needs at least one problem")
        self.where = where
        self.problems = tuple(problems)
        super().__init__(self._text())

    @classmethod
    def of(cls, where: str, *, field: str, message: str, cure: str = "") -> AutoModeError:
        """An error with a single problem."""
        return cls(where, [Problem(field=field, message=message, cure=cure)])

    def at(self, where: str, field: str = "") -> AutoModeError:
        """The same problems as seen from an outer object: ``where`` is the new place, ``field`` precedes each field."""
        return AutoModeError(where, [problem.under(field) for problem in self.problems])

    def _text(self) -> str:
        head = f"{on_one_line(self.where)}: " if self.where else ""
        if len(self.problems) == 1:
            return f"{head}{self.problems[0]}"
        return "\n".join([f"{head}{len(self.problems)} problems", *(f"  {problem}" for problem in self.problems)])

    def __reduce__(self) -> tuple[type[AutoModeError], tuple[str, tuple[Problem, ...]]]:
        return type(self), (self.where, self.problems)


def _join(outer: str, inner: str) -> str:
    if not outer or not inner:
        return outer or inner
    return f"{outer}{inner}" if inner.startswith("[") else f"{outer}.{inner}"


def on_one_line(text: str) -> str:
    """The text with line breaks and unprintable characters escaped, because values come from anywhere."""
    if text.isprintable():
        return text
    return "".join(part if part.isprintable() else part.encode("unicode_escape").decode() for part in text)


def shown(value: object) -> str:
    """A given value, short enough for a message."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return f"a list of {len(value)}"
    if isinstance(value, (str, bytes)):
        return repr(value if len(value) <= 80 else value[:77]) + ("" if len(value) <= 80 else "...")
    if isinstance(value, int) and abs(value) >= 10**80:
        return "a huge number"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


_LONGEST_NAME = 300
"""In characters: more than any name has; comparing longer texts with names takes time for nothing."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The cure for a misspelt name: the nearest known one, and all known ones."""
    names = list(known)
    if len(names) < 2:
        return "".join(f"use '{name}'" for name in names)
    near = difflib.get_close_matches(word[:_LONGEST_NAME].lower(), [name.lower() for name in names], n=1, cutoff=0.6)
    listed = ", ".join(f"'{name}'" for name in names)
    if not near:
        return f"use one of {listed}"
    best = next(name for name in names if name.lower() == near[0])
    return f"did you mean '{best}'? Use one of {listed}"
