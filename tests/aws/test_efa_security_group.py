"""A security group that admits itself."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2

from automode_constructs.aws.efa_security_group import EfaSecurityGroup
from tests.support import only, synthesised


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    app = cdk.App()
    stack = cdk.Stack(app, "Training")
    vpc = ec2.Vpc.from_vpc_attributes(stack, "Vpc", vpc_id="vpc-1", availability_zones=["us-east-1a"])
    term = EfaSecurityGroup(stack, "Efa", vpc=vpc).selector_term
    cdk.CfnOutput(stack, "Term", value=str(term.id))
    return synthesised(app)["Training"]


def test_all_traffic_to_and_from_itself_passes_and_nothing_else(template: dict[str, Any]) -> None:
    group = {"Fn::GetAtt": ["EfaGroup8A1ECB17", "GroupId"]}
    both = {"GroupId": group, "IpProtocol": "-1"}
    ingress = only(template, "AWS::EC2::SecurityGroupIngress")["Properties"]
    egress = only(template, "AWS::EC2::SecurityGroupEgress")["Properties"]
    assert both.items() <= ingress.items()
    assert both.items() <= egress.items()
    assert ingress["SourceSecurityGroupId"] == group
    assert egress["DestinationSecurityGroupId"] == group
    properties = only(template, "AWS::EC2::SecurityGroup")["Properties"]
    assert "SecurityGroupIngress" not in properties
    # EC2 would put a rule for everything in place of none: the CDK writes one that reaches nobody.
    assert [rule["CidrIp"] for rule in properties.get("SecurityGroupEgress", [])] in ([], ["255.255.255.255/32"])


def test_a_node_class_selects_it_by_its_id(template: dict[str, Any]) -> None:
    assert template["Outputs"]["Term"]["Value"] == {"Fn::GetAtt": ["EfaGroup8A1ECB17", "GroupId"]}
