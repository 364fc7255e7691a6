"""Cron expressions as Karpenter reads them: what is wrong with one, and at which minutes it starts something.

Source: robfig/cron, which Karpenter parses schedules with; five fields, in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import cache, lru_cache

__all__ = ["ALWAYS", "active_minutes", "is_active", "wrong_with_cron"]

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_CRON_FIELDS: tuple[tuple[str, int, int, Sequence[str]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)


def wrong_with_cron(schedule: str) -> str:
    """Why Karpenter's parser rejects an expression of the right form, or ``""``."""
    if schedule.startswith("@"):
        return ""
    for text, (field, first, last, names) in zip(schedule.split(), _CRON_FIELDS, strict=True):
        for part in filter(None, text.split(",")):
            span, *steps = part.split("/")
            ends = [str(first), str(last)] if span.split("-")[0] in {"*", "?"} else span.split("-")
            numbers = [_cron_number(end, first, names) for end in ends]
            bounds = f"{first} to {last}" + (f" or {names[0]} to {names[-1]}" if names else "")
            if any(number is None or not first <= number <= last for number in numbers):
                return f"the {field} is {bounds}, got '{part}'"
            if len(ends) > 2 or (len(ends) == 2 and (numbers[0] or 0) > (numbers[1] or 0)):
                return f"the {field} has a range that goes from low to high, got '{part}'"
            if len(steps) > 1 or any(not step.isdecimal() or not step.strip("0") for step in steps):
                return f"the {field} has one step of at least 1, got '{part}'"
    return ""


def _cron_number(text: str, first: int, names: Sequence[str]) -> int | None:
    if text.isdecimal():
        return int(text[-9:]) if len(text.lstrip("0")) < 10 else None
    return first + names.index(text.lower()) if text.lower() in names else None


_NICKNAMES = {
    "@annually": "0 0 1 1 *",
    "@yearly": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DAYS_SEEN = 8 * 365 + 2
"""Eight years, in which every date comes: two with a 29 February, and each date on most days of the week."""
_MINUTES_A_DAY = 24 * 60
_MINUTES = _DAYS_SEEN * _MINUTES_A_DAY
_SECOND_HALF = _MINUTES // 2
"""What is looked at, so that a window that began long before counts too."""

ALWAYS = (1 << (_MINUTES - _SECOND_HALF)) - 1
"""The minutes of a window that never ends."""


@lru_cache(maxsize=256)
def active_minutes(schedule: str, minutes: int) -> int:
    """The minutes of four years in which a window is open, as the bits of a number; 0 for never, ``ALWAYS`` for always.

    Args:
        schedule: a valid cron expression; it begins the window.
        minutes: how long the window stays open.
    """
    texts = _NICKNAMES.get(schedule, schedule).split()
    minute, hour, day, month, weekday = (
        _matches(text, *field) for text, field in zip(texts, _CRON_FIELDS, strict=True)
    )
    pattern = sum(1 << (60 * each + start) for each in hour for start in minute).to_bytes(_MINUTES_A_DAY // 8, "little")
    idle = bytes(len(pattern))
    # Where both are restricted, either will do.
    either = not _is_open(texts[2]) and not _is_open(texts[4])
    matched = any if either else all
    starts = int.from_bytes(
        b"".join(
            pattern if one.month in month and matched((one.day in day, one.isoweekday() % 7 in weekday)) else idle
            for one in _dates_seen()
        ),
        "little",
    )
    return (_lengthened(starts, min(minutes, _SECOND_HALF)) >> _SECOND_HALF) & ALWAYS


def is_active(schedule: str, duration: timedelta, now: datetime) -> bool:
    """Whether a window is open at a moment: it began at most its duration ago.

    Args:
        schedule: a valid cron expression; it begins the window.
        duration: how long the window stays open.
        now: the moment, in UTC.
    """
    texts = _NICKNAMES.get(schedule, schedule).split()
    minutes, hours, days, months, weekdays = _fields(tuple(texts))
    either = not _is_open(texts[2]) and not _is_open(texts[4])
    matched = any if either else all
    since = now - duration
    day = now.date()
    while day >= since.date():
        if day.month in months and matched((day.day in days, day.isoweekday() % 7 in weekdays)):
            for hour in hours:
                for minute in minutes:
                    start = datetime(day.year, day.month, day.day, hour, minute, tzinfo=now.tzinfo)
                    # As Karpenter asks for the next start after the moment a duration ago.
                    if since < start <= now:
                        return True
        day -= timedelta(days=1)
    return False


@lru_cache(maxsize=256)
def _fields(texts: tuple[str, ...]) -> tuple[frozenset[int], ...]:
    return tuple(frozenset(_matches(text, *field)) for text, field in zip(texts, _CRON_FIELDS, strict=True))


@cache
def _dates_seen() -> list[date]:
    return [date(2024, 1, 1) + timedelta(days=day) for day in range(_DAYS_SEEN)]


def _lengthened(starts: int, minutes: int) -> int:
    """The same bits, each followed by so many more that its run has this length."""
    if not minutes:
        return 0
    length = 1
    while length < minutes:
        step = min(length, minutes - length)
        starts |= starts << step
        length += step
    return starts


def _is_open(text: str) -> bool:
    return any(part.split("/")[0] in {"*", "?"} and part[1:] in {"", "/1"} for part in text.split(","))


def _matches(text: str, _field: str, first: int, last: int, names: Sequence[str]) -> frozenset[int]:
    return frozenset(number for part in text.split(",") if part for number in _span(part, first, last, names))


def _span(part: str, first: int, last: int, names: Sequence[str]) -> Iterator[int]:
    span, _, step = part.partition("/")
    if span.split("-")[0] in {"*", "?"}:
        ends = [first, last]
    else:
        ends = [_cron_number(end, first, names) or 0 for end in span.split("-")]
        if len(ends) == 1:
            ends = [ends[0], last if step else ends[0]]
    yield from range(ends[0], ends[1] + 1, int(step or 1))
