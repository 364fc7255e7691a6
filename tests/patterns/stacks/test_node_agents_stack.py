"""Agents through CloudFormation: to clusters of several rings, and what synthesis says of pools and profiles."""

from __future__ import annotations

import re
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_eks_v2 as eks
from aws_cdk.assertions import Annotations, Match

from automode_constructs import AutoModeCluster, ChartDelivery, ImportedCluster, NodeClass, NodePool, Taint
from automode_constructs.patterns import NodeAgentsStack
from automode_constructs.specs.labels import ARCH, INSTANCE_CATEGORY
from tests.patterns.charts.node_agents.test_node_agent import agent
from tests.support import feature_flags, manifests, of_type, synthesised
from tests.template_checks import template_findings
from tests.template_order import waits_for

CUSTOM = "Custom::AWSCDK-EKS-KubernetesResource"
AGENTS = [agent(startup_taint="agents.example.com/not-ready", health_port=80), agent(name="logs", purpose="logging")]


class Fleet:
    """Two clusters with pools, each with the agents of its ring."""

    def __init__(self, region: str) -> None:
        self.app = cdk.App(context=feature_flags())
        env = cdk.Environment(region=region)
        for ring in ("canary", "all"):
            home = cdk.Stack(self.app, ring, env=env)
            cluster = AutoModeCluster(home, "Cluster", built_in_pools=[])
            stack = NodeAgentsStack(self.app, f"{ring}-agents", cluster=cluster, agents=AGENTS, ring=ring, env=env)
            pools(stack, cluster, startup_taints=AGENTS[0].startup_taints)
        self.templates = synthesised(self.app)


def pools(stack: cdk.Stack, cluster: AutoModeCluster, **pool: Any) -> None:
    chart = cdk8s.Chart(cdk8s.App(), "pools")
    node_class = NodeClass(chart, "own", spec=cluster.values.node_class_spec())
    NodePool(
        chart,
        "own",
        node_class=node_class,
        requirements=[INSTANCE_CATEGORY.is_in("c", "m"), ARCH.is_in("amd64", "arm64")],
        limits={"cpu": "10"},
        **pool,
    )
    ChartDelivery(stack, "Pools", cluster=cluster, chart=chart)


@pytest.fixture(scope="module", params=["eu-west-1", "us-gov-west-1"])
def fleet(request: pytest.FixtureRequest) -> Fleet:
    return Fleet(request.param)


class TestTemplates:
    def test_each_cluster_has_its_rings_versions(self, fleet: Fleet) -> None:
        images = {
            ring: {
                container["image"]
                for item in manifests(fleet.templates[f"{ring}-agents"])
                if item["kind"] == "DaemonSet"
                for container in (item["spec"]["template"]["spec"].get("initContainers") or [])
                + ([] if item["metadata"]["name"] == "scanner" else item["spec"]["template"]["spec"]["containers"])
            }
            for ring in ("canary", "all")
        }
        assert images == {"canary": {"example.com/scanner:1.3.0"}, "all": {"example.com/scanner:1.2.0"}}

    def test_logical_ids_are_the_same_in_every_cluster(self, fleet: Fleet) -> None:
        ids = [set(of_type(fleet.templates[f"{ring}-agents"], CUSTOM)) for ring in ("canary", "all")]
        assert ids[0] == ids[1] and len(ids[0]) == 10

    def test_agents_come_after_their_namespace(self, fleet: Fleet) -> None:
        template = fleet.templates["all-agents"]
        kinds = {
            name: manifests({"Resources": {name: body}})[0]["kind"] for name, body in of_type(template, CUSTOM).items()
        }
        before = waits_for(template)
        (namespace,) = (name for name, kind in kinds.items() if kind == "Namespace")
        sets = [name for name, kind in kinds.items() if kind == "DaemonSet"]
        assert len(sets) == 2 and all(namespace in before[name] for name in sets)

    def test_nothing_is_found_in_them(self, fleet: Fleet) -> None:
        assert [finding for template in fleet.templates.values() for finding in template_findings(template)] == []

    def test_there_is_no_warning(self, fleet: Fleet) -> None:
        for ring in ("canary", "all"):
            stack = fleet.app.node.find_child(f"{ring}-agents")
            assert isinstance(stack, cdk.Stack)
            assert Annotations.from_stack(stack).find_warning("*", Match.any_value()) == []


class Small:
    """One cluster with the agents in a second stack."""

    def __init__(self, agents: list[Any], **cluster: Any) -> None:
        self.app = cdk.App(context=feature_flags())
        self.home = cdk.Stack(self.app, "Home")
        self.cluster = AutoModeCluster(self.home, "Cluster", **cluster)
        self.stack = NodeAgentsStack(self.app, "Agents", cluster=self.cluster, agents=agents, ring="all")

    def warnings(self) -> list[str]:
        self.app.synth()
        found = Annotations.from_stack(self.stack).find_warning("*", Match.any_value())
        return [str(entry.entry.data) for entry in found]

    def refused(self) -> list[str]:
        with pytest.raises(RuntimeError, match="Validation failed") as caught:
            self.app.synth()
        return re.findall(r"^  \[.*?\] (.*)$", str(caught.value), re.MULTILINE)


class TestSynthesis:
    def test_a_pool_that_an_image_does_not_run_on_is_refused(self) -> None:
        one = Small([agent(architectures=["arm64"])], built_in_pools=[])
        pools(one.stack, one.cluster)
        (text,) = one.refused()
        assert "NodePool 'own': that pool may launch nodes without kubernetes.io/arch In arm64" in text

    def test_an_agent_that_an_override_keeps_from_a_pool(self) -> None:
        one = Small([agent()], built_in_pools=[])
        pools(one.stack, one.cluster, taints=[Taint(key="team", value="a", effect="NoSchedule")])
        one.stack.chart.daemon_sets["scanner"].add_override("spec.template.spec.tolerations", [])
        (text,) = one.refused()
        assert "does not run on every node of NodePool 'own': it does not tolerate team; tolerate everything" in text

    def test_built_in_pools_start_pods_before_the_agent(self) -> None:
        (text,) = Small(AGENTS[:1], built_in_pools=["system", "general-purpose"]).warnings()
        assert "automode:PodsBeforeAgent" in text and "EKS's own pools (general-purpose, system)" in text

    def test_fargate_profiles_of_the_cluster_are_named(self) -> None:
        one = Small([agent()])
        other = AutoModeCluster(cdk.Stack(one.app, "Other"), "Cluster")
        for cluster, name in ((one.cluster, "jobs"), (other, "elsewhere")):
            eks.FargateProfile(
                cluster.node.scope,  # type: ignore[arg-type]
                name,
                cluster=cluster.cluster,
                selectors=[eks.Selector(namespace="jobs")],
                vpc=cluster.network.vpc,
            )
        (text,) = one.warnings()
        assert text.startswith("no agent runs on the nodes of Fargate profile 'Home/jobs/")
        assert "automode:AgentMissesFargate" in text

    def test_an_imported_cluster_takes_agents_too(self) -> None:
        app = cdk.App(context=feature_flags())
        env = cdk.Environment(account="111122223333", region="eu-west-1")
        home = cdk.Stack(app, "Home", env=env)
        cluster = ImportedCluster(home, "Cluster", cluster_name="old")
        NodeAgentsStack(app, "Agents", cluster=cluster, agents=[agent()], ring="all", env=env)
        kinds = {item["kind"] for item in manifests(synthesised(app)["Agents"])}
        assert kinds == {"Namespace", "ServiceAccount", "DaemonSet"}
