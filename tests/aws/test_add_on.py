"""AddOn and MetricsServer: what CloudFormation gets, in which order, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Annotations, Match
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs import (
    AddOn,
    AutoModeCluster,
    ChartDelivery,
    ImportedCluster,
    MetricsServer,
    NodeClass,
    NodePool,
)
from automode_constructs.facts.auto_mode_fees import auto_mode_fees
from automode_constructs.facts.instance_types import instance_types
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.specs.labels import INSTANCE_CATEGORY
from tests.refusal import refusal
from tests.support import feature_flags, manifests, of_type, only, synthesised, text_of
from tests.template_checks import template_findings
from tests.template_order import waits_for

ADD_ON = "AWS::EKS::Addon"
CUSTOM = "Custom::AWSCDK-EKS-KubernetesResource"
REGIONS = ("eu-west-1", "us-gov-west-1")


class Scene:
    """A cluster in a stack of its own, and a second stack after it."""

    def __init__(self, region: str = "eu-west-1", **cluster: Any) -> None:
        self.app = cdk.App(context=feature_flags())
        self.env = cdk.Environment(region=region)
        self.home = cdk.Stack(self.app, "Home", env=self.env)
        self.cluster = AutoModeCluster(self.home, "Cluster", **cluster)
        self.stack = cdk.Stack(self.app, "AddOns", env=self.env)

    def pools(self, stack: cdk.Stack) -> None:
        chart = cdk8s.Chart(cdk8s.App(), "pools")
        node_class = NodeClass(chart, "own", spec=self.cluster.values.node_class_spec())
        NodePool(chart, "own", node_class=node_class, requirements=[INSTANCE_CATEGORY.is_in("c")], limits={"cpu": "9"})
        ChartDelivery(stack, "Pools", cluster=self.cluster, chart=chart)

    def warnings(self) -> list[str]:
        found = Annotations.from_stack(self.stack).find_warning("*", Match.any_value())
        return [str(entry.entry.data) for entry in found]

    def refused(self) -> list[str]:
        with pytest.raises(RuntimeError, match="Validation failed") as caught:
            self.app.synth()
        return re.findall(r"^  \[.*?\] (.*)$", str(caught.value), re.MULTILINE)


@pytest.fixture(scope="module", params=REGIONS)
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Add-ons of all forms, beside the pools that they run on."""
    scene = Scene(request.param, built_in_pools=[], cluster_name="prod")
    scene.pools(scene.stack)
    MetricsServer(scene.stack, "Metrics", cluster=scene.cluster, configuration={"replicas": 3})
    policy = iam.ManagedPolicy.from_aws_managed_policy_name("CloudWatchAgentServerPolicy")
    observability = AddOn(
        scene.stack,
        "Observability",
        cluster=scene.cluster,
        name="amazon-cloudwatch-observability",
        version="v6.3.0-eksbuild.1",
        configuration={"agent": {"config": {"region": scene.stack.region}}, "tolerations": [{"operator": "Exists"}]},
        service_accounts={"cloudwatch-agent": [policy]},
        resolve_conflicts="none",
        preserve_on_delete=True,
    )
    assert [*observability.roles] == ["cloudwatch-agent"]
    AddOn(scene.stack, "Adot", cluster=scene.cluster, name="adot", namespace="otel")
    AddOn(scene.stack, "Certificates", cluster=scene.cluster, name="cert-manager")
    return synthesised(scene.app)["AddOns"] | {"Region": request.param}


def add_on(template: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    ((key, body),) = (
        (key, dict(body["Properties"]))
        for key, body in of_type(template, ADD_ON).items()
        if body["Properties"]["AddonName"] == name
    )
    return key, body


class TestTemplate:
    def test_an_add_on_as_it_is_asked_for(self, template: dict[str, Any]) -> None:
        _, body = add_on(template, "amazon-cloudwatch-observability")
        assert json.loads(text_of(body.pop("ConfigurationValues"))) == {
            "agent": {"config": {"region": template["Region"]}},
            "tolerations": [{"operator": "Exists"}],
        }
        assert text_of(body.pop("ClusterName"))
        assert body == {
            "AddonName": "amazon-cloudwatch-observability",
            "AddonVersion": "v6.3.0-eksbuild.1",
            "ResolveConflicts": "NONE",
            "PreserveOnDelete": True,
        }

    def test_defaults(self, template: dict[str, Any]) -> None:
        _, body = add_on(template, "adot")
        del body["ClusterName"]
        assert body == {
            "AddonName": "adot",
            "NamespaceConfig": {"Namespace": "otel"},
            "ResolveConflicts": "OVERWRITE",
            "PreserveOnDelete": False,
        }

    def test_metrics_server(self, template: dict[str, Any]) -> None:
        _, body = add_on(template, "metrics-server")
        assert json.loads(body["ConfigurationValues"]) == {"replicas": 3}
        assert "AddonVersion" not in body

    def test_it_comes_after_the_pools_and_goes_before_them(self, template: dict[str, Any]) -> None:
        pools = {
            name
            for name, body in of_type(template, CUSTOM).items()
            if manifests({"Resources": {name: body}})[0]["kind"] == "NodePool"
        }
        before = waits_for(template)
        assert len(pools) == 1
        assert all(pools <= before[name] for name in of_type(template, ADD_ON))

    def test_it_comes_after_its_role(self, template: dict[str, Any]) -> None:
        key, _ = add_on(template, "amazon-cloudwatch-observability")
        (association,) = of_type(template, "AWS::EKS::PodIdentityAssociation")
        assert association in waits_for(template)[key]
        body = only(template, "AWS::EKS::PodIdentityAssociation")["Properties"]
        assert (body["Namespace"], body["ServiceAccount"]) == ("amazon-cloudwatch", "cloudwatch-agent")
        role = only(template, "AWS::IAM::Role")["Properties"]
        assert "CloudWatchAgentServerPolicy" in str(role["ManagedPolicyArns"])

    def test_it_comes_after_what_it_needs(self, template: dict[str, Any]) -> None:
        (adot, _), (needed, _) = add_on(template, "adot"), add_on(template, "cert-manager")
        assert needed in waits_for(template)[adot]

    def test_nothing_is_found_in_it(self, template: dict[str, Any]) -> None:
        region = template.pop("Region")
        try:
            assert [*template_findings(template)] == []
            found = lint(json.dumps(template), config=ManualArgs(regions=[region], include_checks=["W", "E"]))
            assert [str(match) for match in found if match.rule.id != "W3005"] == []
        finally:
            template["Region"] = region


class TestOrder:
    def test_pools_that_come_later_are_refused(self) -> None:
        scene = Scene(built_in_pools=[])
        scene.pools(scene.stack)
        MetricsServer(scene.home, "Metrics", cluster=scene.cluster)
        assert scene.refused() == [
            "scope: stack 'Home' is deployed before stack 'AddOns', whose NodePools its pods run on, so it would "
            "wait for nodes in vain; create it in that stack, or in a later one"
        ]

    def test_a_later_stack(self) -> None:
        scene = Scene(built_in_pools=[])
        pools = cdk.Stack(scene.app, "Pools", env=scene.env)
        scene.pools(pools)
        MetricsServer(scene.stack, "Metrics", cluster=scene.cluster)
        scene.app.synth()
        assert pools in scene.stack.dependencies

    def test_pools_of_eks_are_there_with_the_cluster(self) -> None:
        scene = Scene()
        MetricsServer(scene.home, "Metrics", cluster=scene.cluster)
        AddOn(scene.stack, "Certificates", cluster=scene.cluster, name="cert-manager")
        templates = synthesised(scene.app)
        assert [len(of_type(templates[name], ADD_ON)) for name in ("Home", "AddOns")] == [1, 1]

    def test_a_cluster_without_any_pool(self) -> None:
        scene = Scene(built_in_pools=[])
        MetricsServer(scene.stack, "Metrics", cluster=scene.cluster)
        scene.app.synth()
        (text,) = scene.warnings()
        assert "automode:AddOnWithoutNodes" in text
        assert text.startswith("the app delivers no NodePool to the cluster, and EKS keeps none: the pods of an add-on")

    @pytest.mark.parametrize("opened", [True, False])
    def test_pods_on_closed_nodes(self, opened: bool) -> None:
        scene = Scene(built_in_pools=[], node_defaults=NodeDefaults(network_policy="DefaultDeny"))
        scene.pools(scene.stack)
        if opened:
            chart = cdk8s.Chart(cdk8s.App(), "opened")
            policy = cdk8s.ApiObject(
                chart,
                "out",
                api_version="networking.k8s.io/v1",
                kind="NetworkPolicy",
                metadata={"name": "out", "namespace": "kube-system"},
            )
            spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
            policy.add_json_patch(cdk8s.JsonPatch.add("/spec", spec))
            ChartDelivery(scene.stack, "Opened", cluster=scene.cluster, chart=chart)
        MetricsServer(scene.stack, "Metrics", cluster=scene.cluster)
        scene.app.synth()
        found = [text for text in scene.warnings() if "automode:AddOnOnClosedNodes" in text]
        assert [text.partition(" (networkPolicy")[0] for text in found] == (
            [] if opened else ["the nodes close pods that no policy opens"]
        )

    def test_what_it_needs_is_missing(self) -> None:
        scene = Scene()
        AddOn(scene.stack, "Adot", cluster=scene.cluster, name="adot")
        scene.app.synth()
        (text,) = scene.warnings()
        assert "automode:AddOnNeeds" in text
        assert text.startswith("'adot' does not work without 'cert-manager', which the app does not install; ")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def _add_on(scene: Scene, **arguments: Any) -> Callable[[], object]:
    values: dict[str, Any] = {"cluster": scene.cluster, "name": "metrics-server"}
    return lambda: AddOn(scene.stack, "X", **values | arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "vpc-cni"},
            "name: 'vpc-cni' brings the pod network, which Auto Mode has built in; leave it out; it is for node groups "
            "and Fargate, so create those before it if the cluster has any",
        ),
        *(
            (
                {"name": name},
                f"name: '{name}' brings {what}, which Auto Mode has built in; leave it out; it is for "
                "node groups and Fargate, so create those before it if the cluster has any",
            )
            for name, what in {
                "kube-proxy": "the addresses of Services",
                "coredns": "DNS, on each node",
                "aws-ebs-csi-driver": "EBS volumes, with the driver ebs.csi.eks.amazonaws.com",
                "eks-pod-identity-agent": "the EKS Pod Identity agent",
                "aws-load-balancer-controller": "load balancers, with classes of eks.amazonaws.com",
                "eks-node-monitoring-agent": "the node monitoring agent and node repair",
            }.items()
        ),
        ({"name": "metric-server"}, "name: 'metric-server' is no add-on of EKS; write 'metrics-server'"),
        (
            {"name": "Metrics Server"},
            "name: 'Metrics Server' is not the name of an add-on; write it as EKS does: 'metrics-server'",
        ),
        (
            {"version": "0.8.0"},
            "version: '0.8.0' is not the version of an add-on; write it as 'v0.8.0-eksbuild.2', or leave it out for "
            "the one that EKS recommends",
        ),
        (
            {"version": "latest"},
            "version: 'latest' is not the version of an add-on; write it as 'v0.8.0-eksbuild.2', or leave it out for "
            "the one that EKS recommends",
        ),
        (
            {"configuration": {"a": [{"b": float("nan")}]}},
            "configuration.a[0].b: nan is no JSON; use plain data",
        ),
        ({"configuration": {"a": {1: 2}}}, "configuration.a: has the key 1; use texts as keys, as JSON does"),
        (
            {"configuration": {"token": "{{resolve:secretsmanager:x}}"}},
            "configuration.token: holds a dynamic reference ('{{resolve:'), which others can read in the open; "
            "let the software read the secret itself",
        ),
        ({"configuration": '{"replicas": 3}'}, "configuration: needs a mapping, got the text '{\"replicas\": 3}'"),
        (
            {"name": "adot", "service_accounts": {"adot-col-otlp-ingest": []}},
            "namespace: is not known for 'adot', and its roles are for one; name it",
        ),
        (
            {"resolve_conflicts": "OVERWRITE"},
            "resolve_conflicts: 'OVERWRITE' is not known; did you mean 'overwrite'? Use one of 'none', 'overwrite', "
            "'preserve'",
        ),
    ],
)
def test_what_is_refused(scene: Scene, arguments: dict[str, Any], message: str) -> None:
    assert refusal(_add_on(scene, **arguments)) == f"AddOns/X: {message}"


def test_one_add_on_of_a_name(scene: Scene) -> None:
    first = AddOn(scene.stack, "First", cluster=scene.cluster, name="fluent-bit")
    assert refusal(_add_on(scene, name="fluent-bit")) == (
        "AddOns/X: name: 'fluent-bit' is an add-on of this cluster already, by 'AddOns/First'; remove one"
    )
    scene.stack.node.try_remove_child(first.node.id)


def test_a_cluster_with_node_groups_takes_what_auto_mode_has_built_in() -> None:
    scene = Scene()
    eks.Nodegroup(scene.stack, "Nodes", cluster=scene.cluster.cluster)  # type: ignore[arg-type]
    assert _add_on(scene, name="kube-proxy")()
    imported = ImportedCluster(scene.stack, "Old", cluster_name="old")
    assert AddOn(scene.stack, "Proxy", cluster=imported, name="kube-proxy").name == "kube-proxy"


class TestWarnings:
    def test_names_and_versions_that_are_not_known(self) -> None:
        scene = Scene()
        AddOn(scene.stack, "Market", cluster=scene.cluster, name="datadog_operator")
        AddOn(scene.stack, "New", cluster=scene.cluster, name="metrics-server", version="v1.2.0-eksbuild.1")
        AddOn(scene.stack, "Known", cluster=scene.cluster, name="kube-state-metrics", version="v2.99.0-eksbuild.1")
        assert all("automode:AddOnUnknown" in text for text in scene.warnings())
        assert sorted(text.partition(" [ack")[0] for text in scene.warnings()) == [
            "name: 'datadog_operator' was not known on 2026-11-27; EKS refuses what it does not have (the AWS "
            "Marketplace has its own names)",
            "version: 'v1.2.0-eksbuild.1' of 'metrics-server' was not known on 2026-11-27, when v0.8.0-eksbuild.2 was "
            "the newest that was seen; EKS refuses what it does not have",
        ]

    def test_a_token_may_be_any_version(self, scene: Scene) -> None:
        version = cdk.CfnParameter(scene.stack, "Version").value_as_string
        made = AddOn(scene.stack, "Late", cluster=scene.cluster, name="cert-manager", version=version)
        assert cdk.Token.is_unresolved(made.resource.addon_version)


def test_the_price_is_that_of_the_facts() -> None:
    fees = auto_mode_fees()
    for name, usd in {"c6a.large": "62.5", "c6g.large": "55.6"}.items():
        price = instance_types()[name].on_demand_price_usd
        assert price is not None and f"{price * (1 + fees.share(name)) * 730:.1f}" == usd
        assert f"{usd} USD" in str(MetricsServer.__doc__) and name in str(MetricsServer.__doc__)
