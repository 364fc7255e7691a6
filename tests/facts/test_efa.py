"""The network cards of types with EFA: where they come from, and what AWS's page says of them."""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files

import pytest

from automode_constructs.facts.efa import EfaCards, efa_as_of, efa_cards, unclear_types
from automode_constructs.facts.instance_types import as_of, instance_types
from tools.efa import document

STORED = files("automode_constructs.facts").joinpath("efa.json")


def test_the_stored_file_is_what_the_tool_writes() -> None:
    assert document() == STORED.read_text("utf-8"), "run: python -m tools.efa"


def test_another_recording_than_the_dated_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.instance_types._RECORDED_BY", "1.2.3")
    with pytest.raises(SystemExit) as stopped:
        document()
    assert str(stopped.value) == (
        f"moto is {version('moto')}, and the day of its recording is known for 1.2.3 only: "
        "set _RECORDED_BY and _RECORDED_ON"
    )


def test_every_type_is_in_the_catalogue_of_the_same_day() -> None:
    assert efa_as_of() == as_of().types
    assert [name for name in {*efa_cards(), *unclear_types()} if name not in instance_types()] == []
    assert efa_cards().keys() & unclear_types() == set()


@pytest.mark.parametrize(
    ("name", "cards", "efa_interfaces"),
    [
        # As the page "Maximize network bandwidth on Amazon EC2 instances with multiple network cards" has them.
        ("p5.48xlarge", 32, 32),
        ("p5e.48xlarge", 32, 32),
        ("p6-b200.48xlarge", 8, 8),
        ("p6-b300.48xlarge", 17, 16),
        ("p4d.24xlarge", 4, 4),
        ("p5en.48xlarge", 16, 16),
        ("trn1.32xlarge", 8, 8),
        ("trn2.48xlarge", 16, 16),
        ("g6.8xlarge", 1, 1),
        ("g6e.48xlarge", 4, 4),
    ],
)
def test_cards_are_those_that_aws_tells(name: str, cards: int, efa_interfaces: int) -> None:
    known = efa_cards()[name]
    assert (known.network_cards, known.efa_interfaces) == (cards, efa_interfaces)


def test_every_row_makes_sense() -> None:
    for known in efa_cards().values():
        assert isinstance(known, EfaCards)
        assert known.first_efa_card in {0, 1}
        assert known.efa_interfaces >= 1
        assert known.interfaces_of_first_card >= 2
        assert known.ipv4_of_interface >= 15
