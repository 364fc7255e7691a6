"""Many clusters in one app: each name once, and one walk of the app for all."""

from __future__ import annotations

from typing import cast

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks as old_eks
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct, IConstruct, Node

from automode_constructs import AutoModeCluster, ExistingNetwork, Network
from automode_constructs.aws import fleet
from tests.refusal import refusal

ADMIN = "arn:aws:iam::111122223333:role/Admin"


def _network(stack: cdk.Stack) -> Network:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["eu-west-1a", "eu-west-1b"],
        private_subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
    )
    return ExistingNetwork(vpc=vpc, node_subnets=vpc.private_subnets, tagged=True)


def _cluster(scope: Construct, name: str) -> AutoModeCluster:
    stack = cdk.Stack(scope, name)
    return AutoModeCluster(stack, "Cluster", cluster_name=name, network=_network(stack), kubectl=False)


def _warned(app: cdk.App, clusters: list[AutoModeCluster]) -> list[str]:
    """The clusters of a synthesised app that warn that nobody has access."""
    app.synth()
    return [
        cluster.node.path
        for cluster in clusters
        if any("automode:NoAdmin" in str(entry.data) for entry in cluster.node.metadata)
    ]


def _admit(stack: cdk.Stack, cluster: AutoModeCluster) -> None:
    eks.AccessEntry(stack, "Entry", cluster=cast(eks.ICluster, cluster.cluster), principal=ADMIN, access_policies=[])


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths below which the fleet's checks walk the tree."""
    paths: list[str] = []
    entries = fleet._access_entries

    def walk(home: Construct) -> dict[str, list[str]]:
        paths.append(home.node.path)
        return entries(home)

    monkeypatch.setattr(fleet, "_access_entries", walk)
    return paths


def test_one_walk_judges_all_clusters_of_a_stage(walks: list[str]) -> None:
    app = cdk.App()
    outer = [_cluster(app, f"c{number}") for number in range(3)]
    stage = cdk.Stage(app, "Prod")
    inner = [_cluster(stage, f"p{number}") for number in range(2)]
    _admit(cdk.Stack(app, "Admins"), outer[1])
    old_eks.CfnAccessEntry(
        cdk.Stack.of(inner[0]), "Entry", cluster_name=inner[0].cluster.cluster_name, principal_arn=ADMIN
    )
    assert _warned(app, [*outer, *inner]) == ["c0/Cluster", "c2/Cluster", "Prod/p1/Cluster"]
    assert sorted(walks) == ["", "Prod"]


def test_an_entry_that_an_aspect_creates_later_counts(walks: list[str]) -> None:
    app = cdk.App()
    first = _cluster(app, "first")
    between = cdk.Stack(app, "Between")

    @jsii.implements(cdk.IAspect)
    class Late:
        def visit(self, node: IConstruct) -> None:
            if node is between:
                _admit(between, first)

    cdk.Aspects.of(between).add(Late())
    last = _cluster(app, "last")
    assert _warned(app, [first, last]) == ["last/Cluster"]
    assert walks == [""]


def test_the_last_cluster_may_have_been_removed(walks: list[str]) -> None:
    app = cdk.App()
    first, last = _cluster(app, "first"), _cluster(app, "last")
    app.node.try_remove_child("last")
    assert _warned(app, [first]) == ["first/Cluster"]
    assert walks == [""]
    assert last.node.path == "last/Cluster"
    _cluster(app, "last")


def test_a_name_is_looked_up_without_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    app = cdk.App()
    _cluster(app, "first")
    monkeypatch.setattr(Node, "find_all", lambda *_: pytest.fail("walks the tree"))
    _cluster(app, "second")
    stack = cdk.Stack(app, "Other")
    assert refusal(lambda: AutoModeCluster(stack, "Cluster", cluster_name="first", kubectl=False)).startswith(
        "Other/Cluster: cluster_name: 'first' is the name of 'first/Cluster' too"
    )
