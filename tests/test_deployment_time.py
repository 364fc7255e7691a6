"""The first deployment of the default app: how much of it is in series, and how much at a time."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import deployment
from tests.template_order import most_at_once, waits_for

Templates = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def stacks(templates: Templates) -> list[deployment.Deployment]:
    return [deployment.deployment_of(name, template) for name, template in templates.items()]


def objects(template: dict[str, Any]) -> list[str]:
    return [name for name, body in template["Resources"].items() if body["Type"].startswith(deployment.OBJECT_TYPES)]


def test_few_custom_resources_wait_for_each_other(stacks: list[deployment.Deployment]) -> None:
    assert 0 < sum(stack.series for stack in stacks) <= deployment.MOST_IN_SERIES


def test_it_is_done_in_time_as_modelled(stacks: list[deployment.Deployment]) -> None:
    assert 10 < sum(stack.minutes for stack in stacks) <= deployment.MOST_MINUTES


def test_three_objects_of_a_stack_are_under_way_at_most_however_long_each_takes(templates: Templates) -> None:
    most = [most_at_once(objects(template), waits_for(template)) for template in templates.values()]
    assert max(most) == deployment.MOST_IN_FLIGHT


def test_the_cluster_comes_after_all_that_an_account_may_refuse_and_no_later(cluster_template: dict[str, Any]) -> None:
    resources, before = cluster_template["Resources"], waits_for(cluster_template)
    (cluster,) = [name for name, body in resources.items() if body["Type"] == "AWS::EKS::Cluster"]
    beside = {body["Type"] for name, body in resources.items() if name not in before[cluster]} - {"AWS::EKS::Cluster"}
    assert beside <= {
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EKS::AccessEntry",
        "AWS::IAM::Role",
        "AWS::KMS::Key",
        "AWS::SSM::Parameter",
    }
    # Lambdas in a VPC take longer than NAT gateways.
    needs = deployment.needs_of(cluster_template)[cluster]
    sooner = {
        **resources[cluster],
        "DependsOn": [
            name for name in resources[cluster]["DependsOn"] if resources[name]["Type"].startswith("AWS::Lam")
        ],
    }
    assert len(sooner["DependsOn"]) < len(needs)
    hasty = deployment.deployment_of("Hasty", {"Resources": {**resources, cluster: sooner}})
    assert deployment.deployment_of("All", cluster_template).minutes == hasty.minutes


def test_the_model_adds_up() -> None:
    template = {
        "Resources": {
            "Vpc": {"Type": "AWS::EC2::VPC"},
            "Nat": {"Type": "AWS::EC2::NatGateway", "Properties": {"VpcId": {"Ref": "Vpc"}}},
            "Cluster": {"Type": "AWS::EKS::Cluster", "Properties": {"Vpc": [{"Fn::GetAtt": ["Vpc", "Id"]}]}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"VpcConfig": {}, "Cluster": {"Ref": "Cluster"}},
            },
            **{
                name: {"Type": f"{deployment.OBJECT_TYPES}Resource", "DependsOn": [after]}
                for name, after in (("A", "Function"), ("B", "A"), ("C", "A"), ("D", "Nat"))
            },
        }
    }
    assert deployment.deployment_of("All", template) == deployment.Deployment(
        name="All", minutes=(5 + 600 + 60 + 20 + 20) / 60, series=2, in_flight=2, ranks=3
    )
