"""The fields of Kubernetes' kinds: where they come from, and that none of a version that EKS serves is missing."""

from __future__ import annotations

import json
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from automode_constructs.facts.kubernetes_fields import (
    FieldType,
    kubernetes_fields_as_of,
    type_fields,
    type_of_kind,
)
from tools.kubernetes_fields import KINDS, document

STORED = files("automode_constructs.facts").joinpath("kubernetes_fields.json")


def test_the_stored_file_is_what_the_tool_writes() -> None:
    assert document() == STORED.read_text("utf-8"), "run: python -m tools.kubernetes_fields"


def test_it_is_small_enough_for_a_linter_that_answers_at_once() -> None:
    assert len(STORED.read_bytes()) < 64 * 1024
    assert kubernetes_fields_as_of() == date(2026, 11, 27)


def test_types_are_read() -> None:
    assert type_of_kind("v1", "Service") == "Service"
    assert type_of_kind("karpenter.sh/v1", "NodePool") is None
    assert type_fields("string") is None
    fields = type_fields("ServiceSpec")
    assert fields is not None
    assert fields["ports"] == FieldType("ServicePort", "[]", False)
    assert fields["selector"] == FieldType("string", "{}", False)
    assert (type_fields("ServicePort") or {})["port"] == FieldType("int32", "", True)


@pytest.mark.parametrize("version", ["1.31", "1.33", "1.35"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_field_of_an_older_version_is_missing(kind: str, version: str) -> None:
    schemas = files("kubernetes_validate").joinpath(f"kubernetes-json-schema/v{version}.0-local-strict")
    defined: dict[str, Any] = json.loads(schemas.joinpath("_definitions.json").read_text("utf-8"))["$defs"]
    api_version, _, name = kind.rpartition(" ")
    group, _, older = api_version.rpartition("/")
    for schema in defined.values():
        for one in schema.get("x-kubernetes-group-version-kind", ()):
            if (one["group"], one["version"], one["kind"]) == (group, older, name):
                fields = type_fields(str(type_of_kind(api_version, name)))
                assert schema["properties"].keys() <= (fields or {}).keys()
