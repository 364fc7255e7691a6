"""The options that every stack passes to the CDK, and where a stack may be."""

from __future__ import annotations

import inspect
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_ec2 as ec2

from automode_constructs import ExistingNetwork
from automode_constructs.patterns import ClusterStack, GuardStack, PlatformStack, WeightsStack
from automode_constructs.patterns.stacks.stack_options import StackOptions
from tests.refusal import refusal


def test_they_are_all_that_the_cdk_knows() -> None:
    known = inspect.signature(cdk.Stack.__init__).parameters.keys() - {"self", "scope", "id"}
    assert StackOptions.__annotations__.keys() == known


def test_they_reach_the_stack() -> None:
    env = cdk.Environment(region="eu-west-1")
    stack = WeightsStack(cdk.App(), "W", env=env, stack_name="weights", tags={"team": "ml"}, description="Weights")
    assert (stack.region, stack.stack_name, stack.tags.tag_values()) == ("eu-west-1", "weights", {"team": "ml"})
    assert stack.template_options.description == "Weights"
    assert WeightsStack(cdk.App(), "W", env={"region": "eu-west-1"}).region == "eu-west-1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regoin": "eu-west-1"}, "W: regoin: is not a known argument; use one of 'scope', 'id', 'ephemeral', "),
        ({"env": "eu-west-1"}, "W: env: needs an Environment or a mapping, got the text 'eu-west-1'"),
        (
            {"env": {"regoin": "eu-west-1"}},
            "W: env['regoin']: is not known; did you mean 'region'? Use one of 'account', 'region'",
        ),
        ({"env": {"account": 111122223333}}, "W: env['account']: needs a text, got 111122223333"),
        (
            {"stack_name": "our_weights"},
            "W: stack_name: 'our_weights' cannot be the name of a stack; use at most 128 letters, digits and '-', and "
            "begin with a letter",
        ),
        ({"termination_protection": "true"}, "W: termination_protection: needs True or False, got the text 'true'"),
    ],
)
def test_wrong_ones_are_refused(options: dict[str, Any], message: str) -> None:
    assert refusal(lambda: WeightsStack(cdk.App(), "W", **options)).startswith(message)


def test_a_stack_is_in_an_app_of_the_cdk() -> None:
    chart = cdk8s.Chart(cdk8s.App(), "chart")
    assert refusal(lambda: WeightsStack(chart, "W")) == (
        "chart/W: scope: 'chart' is in no cdk.App; pass the cdk.App or a cdk.Stage"
    )


def test_a_guard_protects_itself_and_each_stack_once() -> None:
    app = cdk.App()
    guarded = cdk.Stack(app, "Eks")
    assert refusal(lambda: GuardStack(app, "G", guarded=[guarded], termination_protection=False)) == (
        "G: termination_protection: is what ephemeral decides; write ephemeral=True for a stack without it"
    )
    assert refusal(lambda: GuardStack(app, "G", guarded=[])) == (
        "G: guarded: is empty; name the stacks that must not be deleted"
    )
    GuardStack(app, "G", guarded=[guarded])
    assert refusal(lambda: GuardStack(app, "H", guarded=[guarded])) == (
        "H: guarded[0]: 'Eks' is guarded already; name each stack once, in one GuardStack"
    )


def _returns_nothing(*_: object) -> Any:
    return None


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ("network", "an AutoModeNetwork or an ExistingNetwork"),
        ("secrets_key", "an IKey"),
        ("volume_key", "an IKey"),
        ("permissions_boundary", "an IManagedPolicy"),
    ],
)
def test_a_function_of_a_cluster_stack_returns_what_it_creates(argument: str, kind: str) -> None:
    app = cdk.App()
    arguments: dict[str, Any] = {"network": _network(app), argument: _returns_nothing}
    assert refusal(lambda: ClusterStack(app, "E", cluster_name="e", **arguments)) == (
        f"E: {argument}(stack): needs {kind}, got None"
    )


def test_a_function_of_a_weights_stack_returns_what_it_creates() -> None:
    app = cdk.App()
    assert refusal(lambda: WeightsStack(app, "W", encryption_key=_returns_nothing)) == (
        "W: encryption_key(stack): needs an IKey, got None"
    )
    WeightsStack(app, "W")  # its id is free again


def test_the_charts_of_a_platform_come_from_a_function_that_returns_them() -> None:
    app = cdk.App()
    cluster = ClusterStack(app, "Eks", cluster_name="eks", network=_network(app)).cluster
    assert refusal(lambda: PlatformStack(app, "P", cluster=cluster, charts=_returns_nothing)) == (
        "P: charts: returns None; return a list of the charts that it creates"
    )
    takes_one: Any = lambda app: [cdk8s.Chart(app, "c")]  # noqa: E731
    assert refusal(lambda: PlatformStack(app, "P", cluster=cluster, charts=takes_one)) == (
        "P: charts: needs a function that takes (App, ClusterValues)"
    )


def _network(app: cdk.App) -> ExistingNetwork:
    vpc = ec2.Vpc.from_vpc_attributes(
        cdk.Stack(app, f"Net{len(app.node.children)}"),
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        vpc_cidr_block="10.20.0.0/16",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
    )
    return ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets)
