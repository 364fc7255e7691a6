"""The control plane's tiers and ranges, against the schema of CloudFormation and the model of the EKS API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint
import pytest

from automode_constructs.facts.control_plane import control_plane_tiers, scored_resources, setting_bounds

SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas"


@pytest.fixture(scope="module")
def definitions() -> dict[str, Any]:
    """The definitions of ``AWS::EKS::Cluster`` in a commercial region."""
    types = json.loads((SCHEMAS / "providers" / "us-east-1.json").read_text("utf-8"))
    schema = json.loads((SCHEMAS / "resources" / f"{types['AWS::EKS::Cluster']}.json").read_text("utf-8"))
    found: dict[str, Any] = schema["definitions"]
    return found


def test_tiers_are_those_of_cloudformation(definitions: dict[str, Any]) -> None:
    assert list(control_plane_tiers()) == definitions["ControlPlaneScalingConfig"]["properties"]["Tier"]["enum"]


def test_a_tier_without_a_price_is_one_that_the_api_does_not_name() -> None:
    api = botocore.session.get_session().get_service_model("eks").shape_for("ProvisionedControlPlaneTier")
    assert [tier.name for tier in control_plane_tiers().values() if tier.usd_per_hour is not None] == api.enum
    prices = [tier.usd_per_hour for tier in control_plane_tiers().values() if tier.usd_per_hour is not None]
    assert prices == sorted(prices)


def test_bounds_are_those_of_cloudformation_where_it_has_some(definitions: dict[str, Any]) -> None:
    for setting, (name, field) in {
        "rollback_timeout_minutes": ("RollbackConfig", "TimeoutMinutes"),
        "terminated_pod_gc_threshold": ("PodGcControllerConfig", "TerminatedPodGcThreshold"),
        "scoring_weight": ("ResourceWeight", "Weight"),
    }.items():
        limits = definitions[name]["properties"][field]
        assert setting_bounds(setting) == (limits["minimum"], limits["maximum"])


def test_devices_of_resource_claims_are_not_scored() -> None:
    assert scored_resources() == (
        *("cpu", "memory", "nvidia.com/gpu"),
        *("aws.amazon.com/neuron", "aws.amazon.com/neuroncore"),
    )
