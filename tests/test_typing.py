"""The package root: what type checkers are told exists, and nothing more, is what there is."""

from __future__ import annotations

import pytest

import automode_constructs


def test_a_misspelt_name_is_an_error_at_run_time_too() -> None:
    with pytest.raises(AttributeError, match="module 'automode_constructs' has no attribute 'AutoModeClutser'"):
        _ = automode_constructs.AutoModeClutser  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("AutoModeClster", "AutoModeCluster"),
        ("auto_mode_cluster", "AutoModeCluster"),
        ("Nodepool", "NodePool"),
        ("label", "labels"),
        ("INSTANCE_CATEGORY", "labels.INSTANCE_CATEGORY"),
        ("with_Efa", "with_efa"),
    ],
)
def test_a_name_that_is_near_another_is_told_it(typed: str, meant: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(automode_constructs, typed)
    assert str(caught.value) == f"module 'automode_constructs' has no attribute '{typed}'; did you mean '{meant}'?"


def test_a_name_that_is_near_none_is_told_nothing() -> None:
    for name in ("Karpenter", "__wrapped__"):
        with pytest.raises(AttributeError) as caught:
            getattr(automode_constructs, name)
        assert str(caught.value) == f"module 'automode_constructs' has no attribute '{name}'"


def test_labels_stand_at_the_root() -> None:
    assert automode_constructs.labels.INSTANCE_CATEGORY == "eks.amazonaws.com/instance-category"


def test_every_name_of_the_root_can_be_had() -> None:
    assert all(hasattr(automode_constructs, name) for name in dir(automode_constructs))
