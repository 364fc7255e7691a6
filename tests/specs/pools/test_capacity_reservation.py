"""Capacity reservations as records: what they make pools say, and which are refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from automode_constructs.specs.pools.capacity_reservation import CapacityReservation, Fallback
from tests.refusal import made, refusal

BLOCK: dict[str, Any] = {"id": "cr-1", "kind": "capacity-block", "ends": date(2026, 12, 14)}
TOKEN = "${Token[TOKEN.1]}"


def reservation(**fields: Any) -> Any:
    return made(CapacityReservation, **{"instance_type": "p5.48xlarge", "zone": "us-east-1a"} | fields)


def required(record: CapacityReservation, *fallback: Fallback) -> dict[str, list[str]]:
    demands = record.requirements(fallback=fallback)
    assert {demand.operator for demand in demands} == {"In"}
    return {demand.key: list(demand.values or ()) for demand in demands}


@pytest.mark.parametrize(
    "selector",
    [
        {"id": "cr-56fac701cc1951b03"},
        {"id": TOKEN},
        {"tags": {"team": "batch"}},
        {"tags": {"team": "*"}, "owner": "012345678901"},
    ],
)
def test_selects_by_id_or_by_tags_and_owner(selector: dict[str, Any]) -> None:
    assert reservation(**selector).selector_term().to_manifest() == selector


@pytest.mark.parametrize(
    ("fields", "label", "value"),
    [
        ({"id": "cr-1"}, "eks.amazonaws.com/capacity-reservation-type", "default"),
        (BLOCK, "eks.amazonaws.com/capacity-reservation-type", "capacity-block"),
        ({"id": "cr-1", "kind": "interruptible"}, "eks.amazonaws.com/capacity-reservation-interruptible", "true"),
    ],
)
def test_pins_capacity_type_zone_and_instance_type(fields: dict[str, Any], label: str, value: str) -> None:
    pinned = {
        "karpenter.sh/capacity-type": ["reserved"],
        "topology.kubernetes.io/zone": ["us-east-1a"],
        "node.kubernetes.io/instance-type": ["p5.48xlarge"],
    }
    assert required(reservation(**fields)) == {**pinned, label: [value]}
    # Nothing but a reserved node has the label, so that it would keep the others out.
    wider = {**pinned, "karpenter.sh/capacity-type": ["reserved", "on-demand", "spot"]}
    assert required(reservation(**fields), "on-demand", "spot") == wider


def test_takes_a_zone_that_only_a_deployment_knows() -> None:
    assert required(reservation(id="cr-1", zone=TOKEN))["topology.kubernetes.io/zone"] == [TOKEN]


def test_takes_types_that_are_newer_than_our_list() -> None:
    (finding,) = reservation(id="cr-1", instance_type="p9.96xlarge").requirements()[2].warnings()
    assert finding.rule == "automode:UnlistedInstances"


@pytest.mark.parametrize(
    ("fallback", "message"),
    [
        (
            ["on-demand", "Spot"],
            "fallback[1]: 'Spot' is not allowed; did you mean 'spot'? Use one of 'on-demand', 'spot'",
        ),
        ("spot", "fallback[0]: 's' is not allowed; use one of 'on-demand', 'spot'"),
        (["reserved"], "fallback[0]: 'reserved' is not allowed; use one of 'on-demand', 'spot'"),
    ],
)
def test_nothing_else_is_a_fallback(fallback: Any, message: str) -> None:
    assert refusal(lambda: reservation(id="cr-1").requirements(fallback=fallback)) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a term needs an 'id' or 'tags', got none"),
        (
            {"id": "cr-1", "tags": {"a": "b"}},
            "a term with an 'id' has no other field, got 'tags' too; write a term for each way to select",
        ),
        ({"id": "56fac701"}, "id: '56fac701' is not the id of a capacity reservation ('cr-...')"),
        (
            {"tags": {"a": "b"}, "owner": 12345678901},
            "owner: needs a text, got 12345678901; quote all 12 digits: '012345678901'",
        ),
        (
            {"id": "cr-1", "kind": "capacity-block"},
            "ends: a Capacity Block has a last day, got none; give its end date in UTC",
        ),
        (
            {"id": "cr-1", "kind": "block"},
            "kind: 'block' is not allowed; use one of 'on-demand', 'interruptible', 'capacity-block'",
        ),
        ({"id": "cr-1", "ends": "2026-12-14"}, "ends: input should be a valid date, got '2026-12-14'"),
        ({"id": "cr-1", "instance_type": ""}, "instance_type: must have at least 1 character, got 0"),
        (
            {"id": "cr-1", "instance_type": TOKEN},
            "instance_type: holds a value known only after deployment, which cannot stand here; give a concrete value",
        ),
    ],
)
def test_other_reservations_are_refused(fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: reservation(**fields)) == message
