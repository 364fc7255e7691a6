"""The package root: what type checkers are told exists, and nothing more, is what there is."""

from __future__ import annotations

import pytest

import automode_constructs


def test_a_misspelt_name_is_an_error_at_run_time_too() -> None:
    with pytest.raises(AttributeError, match="module 'automode_constructs' has no attribute 'AutoModeClutser'"):
        _ = automode_constructs.AutoModeClutser  # type: ignore[attr-defined]


def test_every_name_of_the_root_can_be_had() -> None:
    assert all(hasattr(automode_constructs, name) for name in dir(automode_constructs))
