"""ImportedCluster: charts reach a cluster that was made elsewhere."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_

from automode_constructs import (
    ChartDelivery,
    ClusterValues,
    ExistingNetwork,
    ImportedCluster,
    NodeClass,
    NodeDefaults,
    NodePool,
)
from automode_constructs.manifests.cluster_values import KUBECTL_GROUP
from automode_constructs.specs import labels
from automode_constructs.specs.nodes.node_class import SecurityGroupSelectorTerm, SubnetSelectorTerm
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec
from tests.refusal import refusal
from tests.support import manifests, of_type, only, synthesised, text_of
from tests.template_order import waits_for

MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
VALUE = "Custom::AWSCDK-EKS-KubernetesObjectValue"
GROUP = "sg-0123456789abcdef0"
VALUES = ClusterValues(
    cluster_name="prod",
    region="eu-west-1",
    node_role="nodes",
    node_subnets=[SubnetSelectorTerm(tags={"role": "node"})],
    node_security_groups=[SecurityGroupSelectorTerm(id=GROUP)],
    built_in_pools=True,
)
SPEC = NodePoolSpec(
    template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=[labels.INSTANCE_CATEGORY.is_in("m")])),
)


def endpoints_of(region: str | None, **arguments: Any) -> list[str]:
    """Which Lambdas of an imported cluster use FIPS endpoints."""
    app = cdk.App()
    stack = cdk.Stack(app, "Import", env=cdk.Environment(region=region))
    ImportedCluster(stack, "Cluster", cluster_name="prod", **arguments)
    functions = of_type(synthesised(app)["Import"], "AWS::Lambda::Function")
    return [
        place
        for place in ("Handler", "framework")
        for name, body in functions.items()
        if f"KubectlProvider{place}" in name
        and body["Properties"]["Environment"]["Variables"].get("AWS_USE_FIPS_ENDPOINT") == "true"
    ]


@pytest.mark.parametrize(
    ("region", "fips", "wanted"),
    [
        ("us-gov-west-1", None, ["Handler", "framework"]),
        ("us-gov-west-1", False, []),
        ("us-east-1", True, ["Handler", "framework"]),
        ("us-east-1", None, []),
        ("eu-west-1", None, []),
        (None, None, []),
    ],
)
def test_its_lambdas_use_fips_endpoints_as_those_of_an_own_cluster(
    region: str | None, fips: bool | None, wanted: list[str]
) -> None:
    values = VALUES if fips is None else VALUES.replace(node_defaults=NodeDefaults(fips=fips))
    assert endpoints_of(region, values=values) == wanted


def test_without_a_way_out_its_lambdas_use_the_endpoints_of_the_vpc() -> None:
    stack = cdk.Stack(cdk.App(), "Vpc")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["us-gov-west-1a", "us-gov-west-1b"],
        isolated_subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
        vpc_cidr_block="10.0.0.0/16",
    )
    network = ExistingNetwork(
        vpc=vpc,
        node_subnets=vpc.isolated_subnets,
        internet=False,
        endpoint_services=["eks", "lambda", "s3", "sts", "ecr.api", "ecr.dkr"],
    )
    # In GovCloud the plain host of EKS is the FIPS host; that of Lambda is not.
    assert endpoints_of("us-gov-west-1", network=network, cluster_security_group_id=GROUP) == ["Handler"]


@pytest.mark.parametrize("log_key", [True, False])
def test_logs_of_its_lambdas_have_a_key_where_one_is_passed(log_key: bool) -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Import")
    key = kms.Key(stack, "Key") if log_key else None
    ImportedCluster(stack, "Cluster", cluster_name="prod", log_key=key)
    template = synthesised(app)["Import"]
    groups = of_type(template, "AWS::Logs::LogGroup").values()
    wanted = {"Fn::GetAtt": [*of_type(template, "AWS::KMS::Key"), "Arn"]} if log_key else None
    assert [group["Properties"].get("KmsKeyId") for group in groups] == [wanted, wanted]


def test_a_log_key_of_another_region() -> None:
    stack = cdk.Stack(cdk.App(), "Import", env=cdk.Environment(region="eu-west-1"))
    key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:us-east-1:111122223333:key/1234abcd")
    assert refusal(lambda: ImportedCluster(stack, "Cluster", cluster_name="prod", log_key=key)) == (
        "Import/Cluster: log_key: 'arn:aws:kms:us-east-1:111122223333:key/1234abcd' lies in 'us-east-1', the cluster "
        "in 'eu-west-1'; give a key of 'eu-west-1'"
    )


def new_chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "chart")


def warnings_of(delivery: ChartDelivery) -> list[str]:
    return [str(entry.data) for entry in delivery.node.metadata if entry.type == "aws:cdk:warning"]


@pytest.fixture(scope="module")
def public() -> dict[str, Any]:
    """A cluster with a public endpoint, its charts in a stack of their own; ``warnings`` holds what was warned of."""
    app = cdk.App()
    cluster = ImportedCluster(
        cdk.Stack(app, "Import"), "Cluster", cluster_name="prod", values=VALUES, default_node_class=False
    )
    chart = new_chart()
    NodeClass(chart, "ours", spec=cluster.values.node_class_spec())
    NodePool(chart, "complete", node_class=NodeClass.from_name("ours"), spec=SPEC)
    NodePool(chart, "lost", node_class=NodeClass.from_name("theirs"), spec=SPEC)
    NodePool(chart, "unbuilt", node_class=NodeClass.from_name("default"), spec=SPEC)
    delivery = ChartDelivery(cdk.Stack(app, "Charts"), "Pools", cluster=cluster, chart=chart)
    return {**synthesised(app), "warnings": warnings_of(delivery)}


def test_two_lambdas_run_kubectl_without_a_vpc(public: dict[str, Any]) -> None:
    functions = of_type(public["Import"], "AWS::Lambda::Function").values()
    assert len(functions) == 2
    assert not any("VpcConfig" in function["Properties"] for function in functions)


def test_the_handler_administers_the_cluster_by_an_access_entry(public: dict[str, Any]) -> None:
    entry = only(public["Import"], "AWS::EKS::AccessEntry")["Properties"]
    assert entry["KubernetesGroups"] == [KUBECTL_GROUP]
    (handler,) = (
        function["Properties"]
        for function in of_type(public["Import"], "AWS::Lambda::Function").values()
        if "kubectl" in function["Properties"].get("Description", "")
        and function["Properties"]["Runtime"].startswith("python")
    )
    assert entry["ClusterName"] == "prod"
    assert entry["PrincipalArn"] == handler["Role"]
    (policy,) = entry["AccessPolicies"]
    assert text_of(policy["PolicyArn"]).endswith(":eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy")
    assert policy["AccessScope"] == {"Type": "cluster"}


def test_the_import_makes_nothing_that_costs_beside_it(public: dict[str, Any]) -> None:
    kinds = {resource["Type"] for resource in public["Import"]["Resources"].values()}
    assert kinds == {
        "AWS::EKS::AccessEntry",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Logs::LogGroup",
    }


def test_charts_arrive_at_the_cluster(public: dict[str, Any]) -> None:
    assert {manifest["metadata"]["name"] for manifest in manifests(public["Charts"])} == {
        "ours",
        "complete",
        "lost",
        "unbuilt",
    }
    for body in (*of_type(public["Charts"], MANIFEST).values(), *of_type(public["Charts"], VALUE).values()):
        assert body["Properties"]["ClusterName"] == "prod"
        assert "framework" in text_of(body["Properties"]["ServiceToken"])


def test_what_no_chart_makes_is_a_warning(public: dict[str, Any]) -> None:
    start = "spec.template.spec.nodeClassRef.name: no chart of this cluster creates the NodeClass"
    assert [warning.partition(",")[0] for warning in public["warnings"]] == [
        f"chart/lost: {start} 'theirs'",
        f"chart/unbuilt: {start} 'default'",
    ]


@pytest.fixture(scope="module")
def private() -> dict[str, Any]:
    """A private cluster in a VPC of the same stack, pods in subnets of their own, charts in the same stack too."""
    app = cdk.App()
    stack = cdk.Stack(app, "Dev")
    vpc = ec2.Vpc(
        stack,
        "Vpc",
        max_azs=2,
        nat_gateways=1,
        subnet_configuration=[
            ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=20),
            ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20),
        ],
    )
    pod_subnets = [
        ec2.PrivateSubnet(
            stack,
            f"Pods{index}",
            vpc_id=vpc.vpc_id,
            availability_zone=zone,
            cidr_block=f"10.0.{200 + index}.0/24",
        )
        for index, zone in enumerate(vpc.availability_zones)
    ]
    network = ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets, pod_subnets=pod_subnets)
    cluster = ImportedCluster(
        stack,
        "Cluster",
        cluster_name=cdk.Fn.import_value("ClusterName"),
        network=network,
        cluster_security_group_id=GROUP,
    )
    chart = new_chart()
    NodePool(chart, "general", node_class=NodeClass.from_name("default"), spec=SPEC)
    delivery = cluster.add_chart("Pools", chart)
    return {**synthesised(app)["Dev"], "warnings": warnings_of(delivery)}


def test_the_lambdas_reach_a_private_endpoint(private: dict[str, Any]) -> None:
    functions = [
        function["Properties"]
        for function in of_type(private, "AWS::Lambda::Function").values()
        if "VpcConfig" in function["Properties"]
    ]
    assert len(functions) == 2
    for function in functions:
        assert function["VpcConfig"]["SecurityGroupIds"] == [GROUP]
        assert [subnet["Ref"][:10] for subnet in function["VpcConfig"]["SubnetIds"]] == ["VpcPrivate", "VpcPrivate"]


def test_subnets_routes_and_access_outlive_the_last_object(private: dict[str, Any]) -> None:
    (last,) = of_type(private, MANIFEST)
    outlive = waits_for(private)[last]
    for kind in (
        "AWS::EC2::NatGateway",
        "AWS::EC2::Route",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EKS::AccessEntry",
        "AWS::IAM::Policy",
    ):
        assert of_type(private, kind)
        assert of_type(private, kind).keys() <= outlive


def test_default_is_there_unless_told_otherwise(private: dict[str, Any]) -> None:
    assert private["warnings"] == []


def test_values_are_what_was_given() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    assert ImportedCluster(stack, "Known", cluster_name="prod", values=VALUES).values is VALUES
    unknown = ImportedCluster(stack, "Unknown", cluster_name="prod")
    assert refusal(lambda: unknown.values) == "Dev/Unknown: values: are not known; pass values=ClusterValues(...)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"cluster_name": "arn:aws:eks:eu-west-1:111122223333:cluster/prod"},
            "cluster_name: 'arn:aws:eks:eu-west-1:111122223333:cluster/prod' is not a cluster name; use 1 to 100 "
            "letters",
        ),
        ({"cluster_name": ""}, "cluster_name: '' is not a cluster name; use 1 to 100 letters"),
        ({"version": "v1.36"}, "version: 'v1.36' is not a Kubernetes minor version; write it like '1.36'"),
        (
            {"version": "1.12"},
            "version: no kubectl layer within one minor version of Kubernetes 1.12 is installed; run: pip install "
            "'automode-constructs[kubectl-v12]', or pass kubectl_layer",
        ),
    ],
)
def test_what_names_no_cluster_is_refused(arguments: dict[str, Any], message: str) -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    given = {"cluster_name": "prod", **arguments}
    assert refusal(lambda: ImportedCluster(stack, "Cluster", **given)).startswith(f"Dev/Cluster: {message}")


def test_a_network_needs_the_clusters_security_group() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    network = ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets)
    assert refusal(lambda: ImportedCluster(stack, "Cluster", cluster_name="prod", network=network)) == (
        "Dev/Cluster: cluster_security_group_id: is needed beside network: through it the Lambdas reach the private "
        "endpoint; take it from: aws eks describe-cluster --name NAME --query "
        "cluster.resourcesVpcConfig.clusterSecurityGroupId"
    )


def test_a_kubectl_of_ones_own_is_used_whatever_the_version() -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    layer = lambda_.LayerVersion.from_layer_version_arn(
        stack, "Layer", "arn:aws:lambda:eu-west-1:111122223333:layer:kubectl:1"
    )
    cluster = ImportedCluster(stack, "Cluster", cluster_name="prod", version="1.12", kubectl_layer=layer)
    assert cluster.node.try_find_child("KubectlLayer") is None
