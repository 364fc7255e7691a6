"""Whether a budget's window is open at a moment, against the minutes that ``active_minutes`` works out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automode_constructs.specs.pools.cron import active_minutes, is_active

FIRST = datetime(2028, 1, 1, tzinfo=UTC)
"""The first of the four years whose minutes ``active_minutes`` tells."""

schedules = st.sampled_from(
    (
        "0 9 * * mon-fri",
        "*/15 22 * * *",
        "30 23 * * 5",
        "0 0 1 * *",
        "0 0 29 2 *",
        "0 12 13 * fri",  # The 13th or a Friday: where both are restricted, either will do.
        "5 4 * 1,7 *",
        "@daily",
        "@weekly",
        "@hourly",
    )
)


@settings(max_examples=200, deadline=None)
@given(schedules, st.sampled_from((1, 30, 60, 8 * 60, 26 * 60)), st.integers(3 * 1440, 2 * 366 * 1440))
def test_a_moment_is_in_the_minutes_of_the_window(schedule: str, minutes: int, at: int) -> None:
    now = FIRST + timedelta(minutes=at)
    assert is_active(schedule, timedelta(minutes=minutes), now) == bool(active_minutes(schedule, minutes) >> at & 1)


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-01-05T08:59:59", False),
        ("2026-01-05T09:00:00", True),  # It opens with the minute.
        ("2026-01-05T16:59:59", True),
        ("2026-01-05T17:00:00", False),  # It is over after its duration, to the second.
        ("2026-01-10T12:00:00", False),  # A Saturday.
    ],
)
def test_office_hours(now: str, *, is_open: bool) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert is_active("0 9 * * mon-fri", timedelta(hours=8), moment) is is_open


def test_a_window_goes_on_after_midnight() -> None:
    at_two = datetime(2026, 1, 6, 2, tzinfo=UTC)
    assert is_active("0 22 * * mon", timedelta(hours=6), at_two)
    assert not is_active("0 22 * * tue", timedelta(hours=6), at_two)
