"""The library's only exception: where, which field, what was wrong, and the cure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

__all__ = [
    "AutoModeError",
    "Cure",
    "Edit",
    "Problem",
    "Severity",
    "did_you_mean",
    "meant_by",
    "nearest",
    "on_one_line",
    "shown",
]

Severity = Literal["error", "warning", "info"]
"""``error``: AWS or Kubernetes refuses it, or it cannot work. ``warning``: it works, at a risk. ``info``: a remark."""


class Edit(NamedTuple):
    """The one change to a document that a cure asks for.

    Args:
        what: ``value`` writes another value, ``text`` makes a text of the value as it is written, ``key`` renames the
            field, ``place`` moves it.
        to: the value, the key, or the path of the new place, which ends with the field's name there.
        at: the part of the problem's field that is meant, such as ``[1]``. Default: the field itself.
        up: for ``place``, the number of levels above the field from which the path starts. Default: 1; the mapping
            that holds the field.
    """

    what: Literal["value", "text", "key", "place"]
    to: str | bool | int = ""
    at: str = ""
    up: int = 1


class Cure(str):
    """The words of a cure and, if the cure is exact, the change that they ask for.

    A cure is exact if no other change could be meant. ``automode lint --fix`` makes these changes.
    """

    __slots__ = ("edit",)
    edit: Edit | None

    def __new__(cls, words: str, edit: Edit | None = None) -> Self:
        """The words, with the change."""
        cure = super().__new__(cls, words)
        cure.edit = edit
        return cure

    def at(self, part: str) -> Cure:
        """The same for a problem whose field holds the part that is meant.

        Args:
            part: the part, as seen from the problem's field, such as ``[1]``.
        """
        return self if self.edit is None else Cure(self, self.edit._replace(at=part + self.edit.at))


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

    @property
    def edit(self) -> Edit | None:
        """The change that cures it, if the cure is exact."""
        return self.cure.edit if isinstance(self.cure, Cure) else None

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


def did_you_mean(word: str, known: Iterable[str], *, edits: Literal["value", "key"] | None = None) -> Cure:
    """The cure for a misspelt name: the nearest known one, and all known ones.

    Args:
        word: what was written.
        known: the known names.
        edits: whether the word is the problem's value or the name of its field; the cure is then exact if no other name
            can be meant. Default: neither, so that it is not exact.
    """
    names = list(known)
    meant = meant_by(word, names)
    edit = Edit(what=edits, to=meant) if edits is not None and meant else None
    if len(names) < 2:
        return Cure("".join(f"use '{name}'" for name in names), edit)
    import difflib  # late: only a finding needs it

    near = difflib.get_close_matches(word[:_LONGEST_NAME].lower(), [name.lower() for name in names], n=1, cutoff=0.6)
    listed = ", ".join(f"'{name}'" for name in names)
    if not near and not meant:
        return Cure(f"use one of {listed}")
    best = meant or next(name for name in names if name.lower() == near[0])
    return Cure(f"did you mean '{best}'? Use one of {listed}", edit)


def nearest(word: str, known: Iterable[str]) -> str:
    """The cure for a misspelt name among too many to list: the nearest ones, or ``""`` if none is near.

    Args:
        word: what was written.
        known: the known names.
    """
    import difflib

    near = difflib.get_close_matches(word[:_LONGEST_NAME], list(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


_SHORTEST_SLIP = 5
"""In characters: between shorter names one letter may be the whole difference (``c5``, ``In``)."""


def meant_by(word: str, known: Iterable[str]) -> str:
    """The one known name that a misspelt one must mean, ``""`` if that is not certain.

    It is certain if the two differ only in case and in ``-``, ``_`` and blanks; or, for longer names, in one letter
    left out, added, changed or exchanged with its neighbour, while no other known name is as near.

    Args:
        word: what was written.
        known: the known names.
    """
    if len(word) > _LONGEST_NAME:
        return ""
    plain, names = _plain(word), list(dict.fromkeys(known))
    same = [name for name in names if _plain(name) == plain]
    if same:
        return same[0] if len(same) == 1 and plain else ""
    near = [name for name in names if _is_one_slip(plain, _plain(name))]
    return near[0] if len(near) == 1 and len(_plain(near[0])) >= _SHORTEST_SLIP else ""


def _plain(name: str) -> str:
    return name.lower().translate({ord(character): None for character in "-_ "})


def _is_one_slip(word: str, name: str) -> bool:
    """Whether one letter is left out, added, changed, or exchanged with its neighbour; digits must be the same."""
    if abs(len(word) - len(name)) > 1 or [*filter(str.isdigit, word)] != [*filter(str.isdigit, name)]:
        return False
    start = next((n for n, (a, b) in enumerate(zip(word, name, strict=False)) if a != b), min(len(word), len(name)))
    rest, right = word[start:], name[start:]
    if len(word) != len(name):
        return rest[1:] == right or rest == right[1:]
    return rest[1:] == right[1:] or (rest[:2] == right[:2][::-1] and rest[2:] == right[2:])
