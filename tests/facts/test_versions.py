from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from automode_constructs.facts.versions import SupportState, as_of_default, auto_mode_floor, known_versions, minor

DAY = timedelta(days=1)
V136 = next(version for version in known_versions() if version.version == "1.36")


@pytest.mark.parametrize(
    ("day", "state"),
    [
        (date(2026, 6, 1), "announced"),
        (date(2026, 6, 2), "standard"),
        (date(2027, 8, 2), "standard"),
        (date(2027, 8, 3), "extended"),
        (date(2028, 8, 2), "extended"),
        (date(2028, 8, 3), "ended"),
    ],
)
def test_support_changes_the_day_after_a_last_day(day: date, state: SupportState) -> None:
    assert V136.state(day) == state


def test_every_version_goes_through_all_states_in_order() -> None:
    for version in known_versions():
        assert version.released < version.standard_until < version.extended_until
        edges = [version.released - DAY, version.released, version.standard_until + DAY, version.extended_until + DAY]
        assert [version.state(day) for day in edges] == ["announced", "standard", "extended", "ended"]


def test_versions_stand_newest_first_without_a_gap() -> None:
    versions = known_versions()
    for newer, older in pairwise(versions):
        assert minor(newer.version) == minor(older.version) + 1
        assert newer.released > older.released
        assert newer.extended_until > older.extended_until


def test_no_version_is_older_than_auto_modes_floor_or_newer_than_the_data() -> None:
    assert all(minor(version.version) >= minor(auto_mode_floor()) for version in known_versions())
    assert all(version.released <= as_of_default() for version in known_versions())


def test_a_version_is_one_dot_and_a_number() -> None:
    assert minor("1.36") == 36
    assert all(version.version == f"1.{minor(version.version)}" for version in known_versions())
