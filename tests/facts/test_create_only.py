"""What cannot change in place, held against the resource schemas of CloudFormation."""

from __future__ import annotations

from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from automode_constructs.facts.create_only import create_only_properties


@pytest.mark.parametrize("kind", create_only_properties())
def test_create_only_properties_are_those_of_the_schemas(kind: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", kind).schema
    listed = {*schema.get("createOnlyProperties", ()), *schema.get("conditionalCreateOnlyProperties", ())}
    paths = {path.removeprefix("/properties/").replace("/", ".") for path in listed}
    assert set(create_only_properties()[kind]) == paths


def test_create_only_properties_are_known_of_all_that_the_app_makes(templates: dict[str, dict[str, Any]]) -> None:
    made = {resource["Type"] for template in templates.values() for resource in template["Resources"].values()}
    assert {kind for kind in made if not kind.startswith("Custom::")} <= set(create_only_properties())
