from __future__ import annotations

import pytest

from automode_constructs.specs.traffic.gateway_class import (
    GATEWAY_ALB_CONTROLLER,
    GATEWAY_NLB_CONTROLLER,
    GatewayClassParameters,
    GatewayClassSpec,
)
from tests.refusal import refusal


@pytest.mark.parametrize("controller", [GATEWAY_ALB_CONTROLLER, GATEWAY_NLB_CONTROLLER])
def test_both_controllers_are_taken(controller: str) -> None:
    spec = GatewayClassSpec(
        controller_name=controller,
        parameters_ref=GatewayClassParameters(group="a", kind="B", name="c", namespace="d"),
        description="e",
    )
    assert spec.to_manifest() == {
        "controllerName": controller,
        "parametersRef": {"group": "a", "kind": "B", "name": "c", "namespace": "d"},
        "description": "e",
    }
    assert GatewayClassSpec.from_manifest(spec.to_manifest()) == spec
    assert not list(spec.warnings())


def test_a_controller_that_is_not_known_is_warned_of() -> None:
    spec = GatewayClassSpec.from_manifest({"controllerName": "eks.amazonaws.com/gatway-alb"})
    assert [(problem.rule, str(problem)) for problem in spec.warnings(by_alias=True)] == [
        (
            "automode:GatewayController",
            "controllerName: 'eks.amazonaws.com/gatway-alb' is not known, so no controller serves its "
            "Gateways; did you mean "
            "'eks.amazonaws.com/gateway-alb'? "
            "Use one of 'eks.amazonaws.com/gateway-alb', 'eks.amazonaws.com/gateway-nlb'",
        )
    ]


def test_a_description_has_64_characters_at_most() -> None:
    assert refusal(lambda: GatewayClassSpec(controller_name=GATEWAY_ALB_CONTROLLER, description="x" * 65)) == (
        "description: must have at most 64 characters, got 65"
    )
