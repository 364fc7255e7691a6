"""Reservations, placement groups and certificate bundles."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from automode_constructs.specs.nodes.capacity import CapacityReservationSelectorTerm, PlacementGroupSelector
from automode_constructs.specs.nodes.certificate_bundle import CertificateBundle
from tests.refusal import made, refusal

TOKEN = "${Token[TOKEN.1]}"
PEM = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
ENCODED = base64.b64encode(PEM.encode()).decode()


@pytest.mark.parametrize(
    "document",
    [
        {"id": "cr-56fac701cc1951b03"},
        {"tags": {"Name": "targeted-odcr"}},
        {"tags": {"Name": "*"}, "owner": "012345678901"},
        {"tags": {"Name": "*"}, "ownerID": "012345678901"},
        {"id": TOKEN},
    ],
)
def test_reservations_are_selected_by_id_or_by_tags_and_owner(document: dict[str, Any]) -> None:
    term = CapacityReservationSelectorTerm.from_manifest(document)
    assert term.to_manifest() == document
    assert list(term.warnings()) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a term needs an 'id' or 'tags', got none"),
        (
            {"id": "cr-1", "tags": {"a": "b"}},
            "a term with an 'id' has no other field, got 'tags' too; write a term for each way to select",
        ),
        (
            {"id": "cr-1", "owner": "012345678901", "owner_id": "012345678901"},
            "a term with an 'id' has no other field, got 'owner', 'owner_id' too; write a term for each way to select",
        ),
        ({"id": "56fac701"}, "id: '56fac701' is not the id of a capacity reservation ('cr-...')"),
        ({"tags": {}}, "tags: must have at least 1 item, got 0"),
        ({"tags": {"a": ""}}, "tags: an empty tag key or value selects nothing; use '*' for any value of a key"),
        (
            {"tags": {"a": "b"}, "owner": 12345678901},
            "owner: needs a text, got 12345678901; quote all 12 digits: '012345678901'",
        ),
        (
            {"tags": {"a": "b"}, "owner_id": "12345678901"},
            "owner_id: '12345678901' is not the id of an AWS account (12 digits)",
        ),
    ],
)
def test_other_terms_for_reservations_are_refused(fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(CapacityReservationSelectorTerm, **fields)) == message


@pytest.mark.parametrize("field", ["owner", "owner_id"])
def test_an_owner_alone_is_warned_of(field: str) -> None:
    (warning,) = made(CapacityReservationSelectorTerm, **{field: "012345678901"}).warnings()
    assert warning.rule == "automode:ReservationOwner"
    assert str(warning) == f"{field}: selects by the owner alone, which some versions refuse; add 'tags'"


@pytest.mark.parametrize("document", [{"name": "training"}, {"id": "pg-02465754522cda020"}, {"id": TOKEN}])
def test_a_placement_group_is_selected_by_name_or_id(document: dict[str, str]) -> None:
    assert PlacementGroupSelector.from_manifest(document).to_manifest() == document


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "needs exactly one of 'name' and 'id', got neither"),
        ({"name": "a", "id": "pg-1"}, "needs exactly one of 'name' and 'id', got both"),
        ({"name": ""}, "name: must have at least 1 character, got 0"),
        ({"id": "training"}, "id: 'training' is not the id of a placement group ('pg-...')"),
    ],
)
def test_other_placement_groups_are_refused(fields: dict[str, str], message: str) -> None:
    assert refusal(lambda: made(PlacementGroupSelector, **fields)) == message


@pytest.mark.parametrize("data", [ENCODED, f"{ENCODED[:20]}\n{ENCODED[20:]}\n", TOKEN])
def test_certificates_are_base64_with_or_without_line_breaks(data: str) -> None:
    bundle = CertificateBundle(name="proxy", data=data)
    assert bundle.to_manifest() == {"name": "proxy", "data": data}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data": PEM}, "data: is a PEM text, not base64; write the PEM file encoded in base64"),
        ({"data": "AAA"}, "data: is not base64; write the PEM file encoded in base64"),
        ({"data": "ä"}, "data: is not base64; write the PEM file encoded in base64"),
        ({"data": ""}, "data: must have at least 1 character, got 0"),
        ({"name": ""}, "name: must have at least 1 character, got 0"),
        ({"data": None}, "data: needs a text, got None"),
    ],
)
def test_other_certificates_are_refused(fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: made(CertificateBundle, **{"name": "proxy", "data": ENCODED, **fields})) == message
