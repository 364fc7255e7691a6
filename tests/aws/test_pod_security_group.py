"""A security group of the pods' own."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import App, Stack

from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.network import DEFAULT_POD_CIDR, AutoModeNetwork
from automode_constructs.aws.pod_security_group import PodSecurityGroup
from automode_constructs.specs.nodes.node_class import NodeClassSpec
from tests.refusal import refusal
from tests.support import feature_flags, of_type, synthesised


def cluster(name: str, **network: Any) -> AutoModeCluster:
    stack = Stack(App(context=feature_flags()), name)
    return AutoModeCluster(
        stack, "Cluster", cluster_name="dev", built_in_pools=[], network=AutoModeNetwork(stack, "Network", **network)
    )


@pytest.fixture(scope="module")
def group() -> PodSecurityGroup:
    made = cluster("Stack", pod_cidr=DEFAULT_POD_CIDR)
    return PodSecurityGroup(Stack.of(made), "Pods", cluster=made)


@pytest.fixture(scope="module")
def template(group: PodSecurityGroup) -> dict[str, Any]:
    app = group.node.root
    assert isinstance(app, App)
    return synthesised(app)["Stack"]


def the_group(template: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ((name, resource),) = [
        (name, resource)
        for name, resource in of_type(template, "AWS::EC2::SecurityGroup").items()
        if resource["Properties"]["GroupDescription"] == "Pods of an EKS cluster"
    ]
    return name, resource["Properties"]


def test_the_rules_are_what_pods_nodes_and_control_plane_need(template: dict[str, Any]) -> None:
    name, _ = the_group(template)
    groups = of_type(template, "AWS::EC2::SecurityGroup").items()
    kubectl = {other for other, resource in groups if "kubectl" in resource["Properties"]["GroupDescription"]}
    called = {name: "pods", **dict.fromkeys(kubectl, "kubectl")}
    rules = sorted(
        (
            called.get(item["SourceSecurityGroupId"]["Fn::GetAtt"][0], "cluster"),
            called.get(item["GroupId"]["Fn::GetAtt"][0], "cluster"),
            item["IpProtocol"],
            item.get("FromPort", 0),
            item.get("ToPort", 0),
        )
        for item in (each["Properties"] for each in of_type(template, "AWS::EC2::SecurityGroupIngress").values())
    )
    assert rules == [
        ("cluster", "pods", "-1", 0, 0),
        ("kubectl", "cluster", "tcp", 443, 443),
        ("pods", "cluster", "tcp", 53, 53),
        ("pods", "cluster", "tcp", 443, 443),
        ("pods", "cluster", "tcp", 10250, 10250),
        ("pods", "cluster", "udp", 53, 53),
        ("pods", "pods", "-1", 0, 0),
    ]


def test_eks_may_admit_load_balancers_by_the_clusters_name(template: dict[str, Any]) -> None:
    _, properties = the_group(template)
    ((cluster_id, _),) = of_type(template, "AWS::EKS::Cluster").items()
    assert {"Key": "eks:eks-cluster-name", "Value": {"Ref": cluster_id}} in properties["Tags"]
    assert "SecurityGroupIngress" not in properties


def test_a_node_class_selects_pod_subnets_and_the_group_together(group: PodSecurityGroup) -> None:
    spec = group.values.node_class_spec()
    assert isinstance(spec, NodeClassSpec)
    assert spec.pod_subnet_selector_terms
    assert spec.pod_security_group_selector_terms is not None
    assert [term.id for term in spec.pod_security_group_selector_terms] == [group.security_group.security_group_id]
    assert spec.security_group_selector_terms != spec.pod_security_group_selector_terms


def test_without_pod_subnets_there_is_no_such_group() -> None:
    made = cluster("Stack")
    assert refusal(lambda: PodSecurityGroup(Stack.of(made), "Pods", cluster=made)) == (
        "Stack/Pods: cluster: 'Stack/Cluster' has no pod subnets, and EKS accepts a security group for pods only with "
        "pod subnets; give its network pod subnets: AutoModeNetwork(..., pod_cidr=DEFAULT_POD_CIDR)"
    )
