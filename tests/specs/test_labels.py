"""The label keys, their values, and when demands of one label leave nothing."""

from __future__ import annotations

import copy

import pytest

from automode_constructs.facts.instances import ACCELERATED_CATEGORIES, CATEGORIES, FAMILIES, category_of
from automode_constructs.specs import labels
from automode_constructs.specs.pools.admission import Demand, admits_nothing


def test_a_label_knows_what_it_can_be() -> None:
    assert labels.ARCH.can_be("arm64") and not labels.ARCH.can_be("x86")
    assert labels.INSTANCE_CPU.can_be("4") and not labels.INSTANCE_CPU.can_be("4.5")
    assert labels.INSTANCE_GPU_NAME.can_be("anything")
    assert labels.ARCH.can_be("${Token[TOKEN.1]}") and labels.INSTANCE_CPU.can_be("${Token[TOKEN.1]}")


def test_a_label_can_be_copied_and_made_by_anyone() -> None:
    assert copy.deepcopy(labels.ARCH).choices == ("amd64", "arm64")
    assert labels.TextLabel("example.com/team").is_in("ml").to_manifest() == {
        "key": "example.com/team",
        "operator": "In",
        "values": ["ml"],
    }


def test_known_labels_are_the_named_ones() -> None:
    assert set(labels.KNOWN_LABELS.values()) == {getattr(labels, name) for name in labels.__all__ if name.isupper()}
    assert labels.stable_key("beta.kubernetes.io/arch") == labels.ARCH
    assert labels.stable_key("example.com/team") == "example.com/team"


def test_the_categories_follow_from_the_families() -> None:
    assert [category_of(family) for family in ("c7i-flex", "trn1n", "p6-b200", "im4gn", "gr6")] == [
        "c",
        "trn",
        "p",
        "im",
        "gr",
    ]
    assert ACCELERATED_CATEGORIES == ("g", "gr", "inf", "p", "trn")
    assert {"c", "m", "r", "t", "z", "x", "i", "d", "hpc", *ACCELERATED_CATEGORIES} <= CATEGORIES
    assert {"g6e", "c9g", "trn2"} <= FAMILIES


ARCH, CPU, GPUS, ZONE, OWN = labels.ARCH, labels.INSTANCE_CPU, labels.INSTANCE_GPU_COUNT, labels.ZONE, "example.com/a"


@pytest.mark.parametrize(
    ("key", "demands", "nothing"),
    [
        (ZONE, [("In", ["a", "b"]), ("NotIn", ["a"])], False),
        (ZONE, [("In", ["a", "b"]), ("NotIn", ["b", "a"])], True),
        (ZONE, [("In", ["a"]), ("In", ["b"])], True),
        (ZONE, [("NotIn", ["a"])], False),
        (ZONE, [("DoesNotExist", [])], True),
        (ZONE, [("Exists", [])], False),
        (ZONE, [("In", ["${Token[TOKEN.1]}"]), ("NotIn", ["a"])], False),
        (ARCH, [("NotIn", ["amd64"])], False),
        (ARCH, [("NotIn", ["amd64"]), ("NotIn", ["arm64"])], True),
        (CPU, [("Gt", ["4"]), ("Lt", ["6"])], False),
        (CPU, [("Gt", ["5"]), ("Lt", ["5"])], True),
        (CPU, [("Gt", ["5"]), ("Lt", ["6"])], True),
        (CPU, [("Gte", ["5"]), ("Lte", ["5"])], False),
        (CPU, [("Gte", ["5"]), ("Lte", ["5"]), ("NotIn", ["5"])], True),
        (CPU, [("In", ["4", "8"]), ("Gt", ["8"])], True),
        (CPU, [("In", ["4", "8"]), ("Gte", ["8"])], False),
        (CPU, [("Gt", ["5"])], False),
        (CPU, [("Gt", ["5"]), ("Lt", ["100000"])], False),
        (GPUS, [("DoesNotExist", [])], False),
        (GPUS, [("DoesNotExist", []), ("Gt", ["0"])], True),
        (OWN, [("NotIn", ["a"]), ("DoesNotExist", [])], False),
        (OWN, [("In", ["a"]), ("NotIn", ["a"])], True),
        (OWN, [("In", ["a"]), ("Exists", [])], False),
        (OWN, [("In", ["x"]), ("Gt", ["1"])], True),
        (OWN, [("In", ["9" * 5000]), ("Gt", ["1"])], False),
    ],
)
def test_demands_of_one_label_may_leave_nothing(key: str, demands: list[Demand], nothing: bool) -> None:
    assert admits_nothing(key, demands) is nothing
