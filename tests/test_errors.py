from __future__ import annotations

import pickle

import pytest

from automode_constructs.errors import AutoModeError, Problem, did_you_mean, shown

ONE = Problem(field="weight", message="must be at least 1, got 0", cure="leave it out")
OTHER = Problem(field="requirements[0].key", message="is required")


def test_one_problem_is_one_line_with_place_field_message_and_cure() -> None:
    assert str(AutoModeError("Dev/Gpu", [ONE])) == "Dev/Gpu: weight: must be at least 1, got 0; leave it out"


def test_without_place_field_or_cure_no_mark_of_them_is_left() -> None:
    assert str(AutoModeError.of("", field="", message="is empty")) == "is empty"


def test_many_problems_are_counted_and_listed_a_line_each() -> None:
    assert str(AutoModeError("Dev/Gpu", [ONE, OTHER])).splitlines() == [
        "Dev/Gpu: 2 problems",
        "  weight: must be at least 1, got 0; leave it out",
        "  requirements[0].key: is required",
    ]
    assert str(AutoModeError("", [ONE, OTHER])).startswith("2 problems\n")


def test_an_error_without_a_problem_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="an AutoModeError needs at least one problem"):
        AutoModeError("Dev", [])


@pytest.mark.parametrize(
    ("outer", "inner", "field"),
    [
        ("spec", "weight", "spec.weight"),
        ("taints", "[1].key", "taints[1].key"),
        ("", "weight", "weight"),
        ("spec", "", "spec"),
        ("", "", ""),
    ],
)
def test_from_further_out_a_field_gets_the_outer_path(outer: str, inner: str, field: str) -> None:
    error = AutoModeError.of("inside", field=inner, message="is wrong", cure="mend it").at("outside", outer)
    assert (error.where, error.problems) == ("outside", (Problem(field=field, message="is wrong", cure="mend it"),))


def test_line_breaks_and_unprintable_characters_of_values_stay_on_the_line() -> None:
    error = AutoModeError("a\nb", [Problem(field="x\ty", message="got 'a\r\n\u2028\ud800\x1b'", cure="\0"), ONE])
    assert str(error).splitlines()[:2] == [
        r"a\nb: 2 problems",
        r"  x\ty: got 'a\r\n\u2028\ud800\x1b'; \x00",
    ]
    assert str(error).encode()


def test_an_error_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(AutoModeError("Dev", [ONE, OTHER])))
    assert (error.where, error.problems) == ("Dev", (ONE, OTHER))


@pytest.mark.parametrize(
    ("given", "cure"),
    [
        ("sytem", "did you mean 'system'? Use one of 'system', 'general-purpose'"),
        ("SYSTEM", "did you mean 'system'? Use one of 'system', 'general-purpose'"),
        ("gpu", "use one of 'system', 'general-purpose'"),
        ("", "use one of 'system', 'general-purpose'"),
    ],
)
def test_a_misspelt_name_is_told_the_nearest_and_all(given: str, cure: str) -> None:
    assert did_you_mean(given, ["system", "general-purpose"]) == cure


def test_where_only_one_name_or_none_is_known_nothing_is_guessed() -> None:
    assert did_you_mean("x", ["alb"]) == "use 'alb'"
    assert did_you_mean("x", []) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "'a'"),
        ("a\n", r"'a\n'"),
        ("a" * 81, f"'{'a' * 77}'..."),
        (b"a", "b'a'"),
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        ({"a": 1}, "a mapping"),
        ([1, 2], "a list of 2"),
        (10**5000, "a huge number"),
        (-(10**5000), "a huge number"),
        (frozenset(range(100)), f"{repr(frozenset(range(100)))[:77]}..."),
    ],
    ids=range(12),
)
def test_a_value_is_shown_in_few_characters(value: object, text: str) -> None:
    assert shown(value) == text
