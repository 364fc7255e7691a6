"""HelmRelease: where a Helm chart stands in the order of delivery, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest

from automode_constructs import AutoModeCluster, AutoModeNetwork, ChartDelivery, HelmRelease, VpcEndpoints
from tests.aws.test_add_on import Scene
from tests.delivery.test_chart_delivery import new_chart, thing
from tests.refusal import refusal
from tests.support import manifests, of_type, only, synthesised
from tests.template_checks import template_findings
from tests.template_order import waits_for

HELM, CUSTOM = "Custom::AWSCDK-EKS-HelmChart", "Custom::AWSCDK-EKS-KubernetesResource"
PODINFO: dict[str, Any] = {
    "chart": "podinfo",
    "repository": "https://charts.example.com",
    "version": "6.9.1",
    "namespace": "web",
}


@pytest.fixture(scope="module", params=["eu-west-1", "us-gov-west-1"])
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    scene = Scene(request.param, built_in_pools=[], cluster_name="prod")
    scene.pools(scene.stack)
    chart = new_chart("rules")
    thing(chart, "StorageClass", "gp3")
    thing(chart, "Deployment", "shop")
    thing(
        chart,
        "ValidatingAdmissionPolicy",
        "rule",
        spec={
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
                ]
            },
            "validations": [{"expression": "true"}],
        },
    )
    ChartDelivery(scene.stack, "Rules", cluster=scene.cluster, chart=chart)
    HelmRelease(scene.stack, "Web", cluster=scene.cluster, values={"replicaCount": 2}, minutes=5, **PODINFO)
    return synthesised(scene.app)["AddOns"]


def of_kind(template: dict[str, Any], kind: str) -> set[str]:
    return {
        name
        for name, body in of_type(template, CUSTOM).items()
        if manifests({"Resources": {name: body}})[0]["kind"] == kind
    }


class TestTemplate:
    def test_a_release_as_it_is_asked_for(self, template: dict[str, Any]) -> None:
        body = dict(only(template, HELM)["Properties"])
        assert json.loads(body["Values"]) == {"replicaCount": 2}
        assert {name: body[name] for name in ("Release", "Chart", "Version", "Repository", "Namespace")} == {
            "Release": "podinfo",
            "Chart": "podinfo",
            "Version": "6.9.1",
            "Repository": "https://charts.example.com",
            "Namespace": "web",
        }
        assert (body["Wait"], body["Atomic"], body["Timeout"], body["CreateNamespace"]) == (True, True, "300s", True)

    def test_it_stands_among_the_workloads(self, template: dict[str, Any]) -> None:
        (release,) = of_type(template, HELM)
        before = waits_for(template)
        for kind in ("NodeClass", "NodePool", "StorageClass"):
            assert of_kind(template, kind) and of_kind(template, kind) <= before[release]
        assert not of_kind(template, "Deployment") & before[release]
        (policy,) = of_kind(template, "ValidatingAdmissionPolicy")
        assert release in before[policy]

    def test_nothing_is_found_in_it(self, template: dict[str, Any]) -> None:
        assert [*template_findings(template)] == []


def test_pools_that_come_later_are_refused() -> None:
    scene = Scene(built_in_pools=[])
    scene.pools(scene.stack)
    HelmRelease(scene.home, "Web", cluster=scene.cluster, **PODINFO)
    (text,) = scene.refused()
    assert text.startswith("scope: stack 'Home' is deployed before stack 'AddOns', whose NodePools its pods run on")


def test_a_chart_that_needs_the_release_waits_for_it() -> None:
    scene = Scene()
    chart = new_chart("settings", "settings")
    delivery = ChartDelivery(scene.stack, "Settings", cluster=scene.cluster, chart=chart)
    release = HelmRelease(scene.stack, "Web", cluster=scene.cluster, **PODINFO)
    delivery.node.add_dependency(release)
    template = synthesised(scene.app)["AddOns"]
    (settings,), (name,) = of_kind(template, "ConfigMap"), of_type(template, HELM)
    assert name in waits_for(template)[settings]


def test_rules_of_a_later_stack_come_after_it() -> None:
    scene = Scene()
    rules = cdk.Stack(scene.app, "Rules", env=scene.env)
    chart = new_chart("rules")
    thing(chart, "ValidatingAdmissionPolicy", "rule", spec={"validations": [{"expression": "true"}]})
    ChartDelivery(rules, "Rules", cluster=scene.cluster, chart=chart)
    HelmRelease(scene.stack, "Web", cluster=scene.cluster, **PODINFO)
    scene.app.synth()
    assert scene.stack in rules.dependencies


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def _release(scene: Scene, **arguments: Any) -> Callable[[], object]:
    return lambda: HelmRelease(scene.stack, "X", cluster=scene.cluster, **PODINFO | arguments)


ECR = "oci://111122223333.dkr.ecr.eu-west-1.amazonaws.com/charts/podinfo"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"chart": "aws-load-balancer-controller"},
            "chart: 'aws-load-balancer-controller' brings load balancers, with classes of eks.amazonaws.com, which "
            "Auto Mode has built in; leave it out; it is for node groups, so create those before it if the cluster has "
            "any",
        ),
        (
            {"chart": "karpenter"},
            "chart: 'karpenter' brings the launching of nodes, with NodePools and NodeClasses, which Auto Mode has "
            "built in; leave it out; it is for node groups, so create those before it if the cluster has any",
        ),
        (
            {"chart": "bitnami/redis", "release": "redis"},
            "chart: 'bitnami/redis' is not the name of a chart; write its name in the repository, such as "
            "'cert-manager'",
        ),
        (
            {"version": "^6.0"},
            "version: '^6.0' is not one version, so that two deployments may install different ones; write it as "
            "'1.16.2'",
        ),
        (
            {"repository": "http://charts.example.com"},
            "repository: 'http://charts.example.com' is not the address of a Helm repository; write it as "
            "'https://charts.example.com' or 'oci://registry.example.com/charts/name'",
        ),
        (
            {"repository": ECR},
            f"repository: '{ECR}' is in ECR, where the kubectl handler of 'Home/Cluster' may not pull; create the "
            "cluster with helm_charts_from_ecr=True",
        ),
        (
            {"release": "Web Shop"},
            "release: 'Web Shop' cannot be the name of a release; name one with release=: at most 53 lower-case "
            "letters, digits and '-'",
        ),
        ({"minutes": 15}, "minutes: must be at most 14, got 15"),
        (
            {"values": {"password": "{{resolve:ssm-secure:x}}"}},
            "values.password: holds a dynamic reference ('{{resolve:'), which others can read in the open; let the "
            "software read the secret itself",
        ),
    ],
)
def test_what_is_refused(scene: Scene, arguments: dict[str, Any], message: str) -> None:
    assert refusal(_release(scene, **arguments)) == f"AddOns/X: {message}"


def test_one_release_of_a_name(scene: Scene) -> None:
    HelmRelease(scene.stack, "First", cluster=scene.cluster, **PODINFO)
    assert refusal(_release(scene)) == (
        "AddOns/X: release: 'podinfo' in namespace 'web' is the release of 'AddOns/First' already; give it another name"
    )


def test_ecr_with_the_right_to_pull() -> None:
    scene = Scene(helm_charts_from_ecr=True)
    release = HelmRelease(scene.stack, "Web", cluster=scene.cluster, **PODINFO | {"repository": ECR})
    assert release.release == "podinfo"


def test_a_network_without_a_way_out() -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "Net", env=cdk.Environment(region="eu-west-1"))
    network = AutoModeNetwork(stack, "Network", isolated=True)
    VpcEndpoints(stack, "Endpoints", network=network)
    cluster = AutoModeCluster(stack, "Cluster", network=network)
    assert refusal(lambda: HelmRelease(stack, "X", cluster=cluster, **PODINFO)) == (
        "Net/X: repository: 'https://charts.example.com' is outside the network of 'Net/Cluster', which has no route "
        "there; copy the chart to ECR and name it by oci://"
    )


def test_a_cluster_without_kubectl() -> None:
    stack = cdk.Stack(cdk.App(), "Other")
    cluster = AutoModeCluster(stack, "Cluster", kubectl=False)
    assert "created with kubectl=False" in refusal(lambda: HelmRelease(stack, "X", cluster=cluster, **PODINFO))
