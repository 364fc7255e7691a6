"""Charts become ordered resources: what is made, in which order, under which logical id, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import jsii
import pytest
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_s3 as s3
from constructs import Construct, IConstruct, IValidation

from automode_constructs import AutoModeCluster, ChartDelivery, NodeClass, NodePool, NodeRole, delivery
from automode_constructs.checks.whole_tree import ObjectKey
from automode_constructs.delivery.attachment import logical_id
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.delivery.resources import (
    LONGEST_JOB_SECONDS,
    SERVICE_TIMEOUT_SECONDS,
    WAIT_TIMEOUT_SECONDS,
)
from automode_constructs.manifests.kubernetes_object import note_warning, wait_for
from automode_constructs.specs import labels
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec
from tests.refusal import refusal
from tests.support import feature_flags, manifests, of_type, synthesised, text_of
from tests.template_order import most_at_once, waits_for

MANIFEST = "Custom::AWSCDK-EKS-KubernetesResource"
VALUE = "Custom::AWSCDK-EKS-KubernetesObjectValue"
API_VERSIONS = {
    "Job": "batch/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Deployment": "apps/v1",
    "Ingress": "networking.k8s.io/v1",
    "IngressClass": "networking.k8s.io/v1",
    "IngressClassParams": "eks.amazonaws.com/v1",
    "NodeClass": "eks.amazonaws.com/v1",
    "NodePool": "karpenter.sh/v1",
    "Rollout": "argoproj.io/v1alpha1",
    "StorageClass": "storage.k8s.io/v1",
}


class Target(ChartTarget):
    """A cluster that exists, with a kubectl provider that exists: nothing is made but what is delivered."""

    def __init__(self, scope: Construct, id: str, *, built_in: bool = True, all_known: bool = True) -> None:
        super().__init__(scope, id)
        token = "arn:aws:lambda:eu-west-1:111122223333:function:kubectl"
        provider = eks.KubectlProvider.from_kubectl_provider_attributes(self, "Provider", service_token=token)
        self.cluster = eks.Cluster.from_cluster_attributes(
            self, "Cluster", cluster_name="dev", kubectl_provider=provider
        )
        self.built_in, self.all_known = built_in, all_known

    @property
    def default_node_class(self) -> bool:
        return self.built_in

    @property
    def charts_are_all_known(self) -> bool:
        return self.all_known


class Scene:
    """An app with a cluster in the first of its stacks."""

    def __init__(self, *stacks: str, context: Mapping[str, Any] | None = None, **target: Any) -> None:
        self.app = cdk.App(context=dict(context or {}))
        self.stacks = [cdk.Stack(self.app, name) for name in stacks or ("Dev",)]
        self.target = Target(self.stacks[0], "Cluster", **target)

    def template(self, stack: str = "Dev") -> dict[str, Any]:
        return synthesised(self.app)[stack]

    def refused(self) -> list[str]:
        """What the synthesis finds wrong, without the construct path."""
        with pytest.raises(RuntimeError, match="Validation failed with the following errors") as caught:
            self.app.synth()
        return re.findall(r"^  \[.*?\] (.*)$", str(caught.value), re.MULTILINE)


def new_chart(id: str = "chart", *objects: str) -> cdk8s.Chart:
    """A chart in an app of its own, with ConfigMaps of these names."""
    chart = cdk8s.Chart(cdk8s.App(), id)
    for name in objects:
        thing(chart, "ConfigMap", name)
    return chart


_LABELS = {"app": "a"}
_POD = {"containers": [{"name": "a", "image": "a"}]}
_SPECS: dict[str, Any] = {
    "Deployment": {"selector": {"matchLabels": _LABELS}, "template": {"metadata": {"labels": _LABELS}, "spec": _POD}},
    "Ingress": {"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}},
    "Job": {"template": {"spec": {**_POD, "restartPolicy": "Never"}}},
    "Service": {"ports": [{"port": 80}]},
}
"""What the API server takes of each kind, at the least."""


def thing(scope: Construct, kind: str, name: str, *, namespace: str | None = None, **body: Any) -> cdk8s.ApiObject:
    if kind in _SPECS:
        body["spec"] = {**_SPECS[kind], **body.get("spec", {})}
    if kind == "StorageClass":
        body = {"provisioner": "ebs.csi.eks.amazonaws.com", **body}
    made = cdk8s.ApiObject(
        scope,
        f"{kind}-{name}",
        api_version=API_VERSIONS.get(kind, "v1"),
        kind=kind,
        metadata=cdk8s.ApiObjectMetadata(name=name, namespace=namespace),
    )
    for field, value in body.items():
        made.add_json_patch(cdk8s.JsonPatch.add(f"/{field}", value))
    return made


def pool(scope: Construct, name: str, node_class: str) -> cdk8s.ApiObject:
    reference = {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": node_class}
    return thing(scope, "NodePool", name, spec={"template": {"spec": {"nodeClassRef": reference}}})


def new_identity(stack: cdk.Stack, id: str) -> eks.CfnPodIdentityAssociation:
    """The pods of a service account named after the id, as an IAM role."""
    return eks.CfnPodIdentityAssociation(
        stack,
        id,
        cluster_name="dev",
        namespace="apps",
        service_account=id.lower(),
        role_arn="arn:aws:iam::111122223333:role/Web",
    )


def delivered(template: dict[str, Any]) -> list[str]:
    """The names of the delivered objects."""
    return sorted(manifest["metadata"]["name"] for manifest in manifests(template))


def by_name(template: dict[str, Any]) -> dict[str, str]:
    """Logical ids by the name of the object, whose names must differ."""
    return {
        json.loads(text_of(resource["Properties"]["Manifest"]))[0]["metadata"]["name"]: logical
        for logical, resource in of_type(template, MANIFEST).items()
    }


# One stack that holds a cluster and sixty objects ------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_stack() -> dict[str, Any]:
    app = cdk.App(context=feature_flags())
    stack = cdk.Stack(app, "Dev")
    cluster = AutoModeCluster(
        stack, "Cluster", cluster_name="dev", built_in_pools=[], instance_profile=True, creator_admin=True
    )
    NodeRole(stack, "Gpu", cluster=cluster)
    new_identity(stack, "Identity")
    chart = new_chart("all")
    node_class = NodeClass(chart, "class", spec=cluster.values.node_class_spec())
    requirements = [labels.INSTANCE_CATEGORY.is_in("m")]
    spec = NodePoolSpec(template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=requirements)))
    for number in range(4):
        NodePool(chart, f"pool-{number}", node_class=node_class, spec=spec)
    for number in range(2):
        thing(chart, "CustomResourceDefinition", f"crd-{number}")
        thing(chart, "IngressClassParams", f"params-{number}")
    thing(chart, "Namespace", "apps")
    deployments = [thing(chart, "Rollout", f"deployment-{number}", namespace="apps") for number in range(25)]
    deployments[3].add_dependency(deployments[20])
    for number in range(20):
        thing(chart, "ConfigMap", f"config-{number}", namespace="apps")
    for number in range(5):
        thing(chart, "Ingress", f"ingress-{number}", namespace="apps")
    cluster.add_chart("All", chart)
    return synthesised(app)["Dev"]


@pytest.fixture(scope="module")
def order(one_stack: dict[str, Any]) -> dict[str, set[str]]:
    return waits_for(one_stack)


def test_every_object_is_one_resource(one_stack: dict[str, Any]) -> None:
    assert len(of_type(one_stack, MANIFEST)) == 60
    assert len(list(manifests(one_stack))) == 60


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("apps", "config|deployment|ingress"),
        ("class", "pool"),
        # Nothing is known of the pods of these.
        ("crd|pool|params|config", "deployment"),
        ("deployment|config|params", "ingress"),
    ],
)
def test_objects_are_made_after_what_they_need(
    one_stack: dict[str, Any], order: dict[str, set[str]], earlier: str, later: str
) -> None:
    names = by_name(one_stack)
    before = {names[name] for name in names if re.match(earlier, name)}
    after = [names[name] for name in names if re.match(later, name)]
    assert before and after
    assert all(before <= order[name] for name in after)


def test_what_nobody_needs_keeps_nobody_waiting(one_stack: dict[str, Any], order: dict[str, set[str]]) -> None:
    names = by_name(one_stack)
    # The namespace needs none of these, so that it may come before them or among them.
    assert not {names[name] for name in names if re.match("pool|config|params", name)} & order[names["apps"]]
    for name in of_type(one_stack, MANIFEST):
        direct = {*one_stack["Resources"][name]["DependsOn"]} & of_type(one_stack, MANIFEST).keys()
        assert len(direct) <= 3


def test_three_objects_are_under_way_at_most(one_stack: dict[str, Any], order: dict[str, set[str]]) -> None:
    assert most_at_once(list(of_type(one_stack, MANIFEST)), order) == 3


def test_an_order_of_the_chart_is_kept(one_stack: dict[str, Any], order: dict[str, set[str]]) -> None:
    names = by_name(one_stack)
    assert names["deployment-20"] in order[names["deployment-3"]]


def test_nothing_that_nodes_need_can_be_deleted_before_their_node_class(
    one_stack: dict[str, Any], order: dict[str, set[str]]
) -> None:
    node_class = by_name(one_stack)["class"]
    outlive = order[node_class]
    kubernetes = of_type(one_stack, MANIFEST).keys()
    assert one_stack["Resources"].keys() - outlive <= kubernetes
    for kind in ("AWS::EKS::AccessEntry", "AWS::EC2::NatGateway", "AWS::EC2::Route", "AWS::IAM::InstanceProfile"):
        assert of_type(one_stack, kind).keys() <= outlive
        assert of_type(one_stack, kind)


def test_the_first_object_waits_for_the_crds_of_auto_mode(
    one_stack: dict[str, Any], order: dict[str, set[str]]
) -> None:
    awaited = {body["Properties"]["ObjectName"]: name for name, body in of_type(one_stack, VALUE).items()}
    assert awaited.keys() == {
        "nodeclasses.eks.amazonaws.com",
        "nodepools.karpenter.sh",
        "ingressclassparams.eks.amazonaws.com",
    }
    assert all(set(awaited.values()) <= order[name] for name in of_type(one_stack, MANIFEST))
    for body in of_type(one_stack, VALUE).values():
        assert body["Properties"]["ObjectType"] == "crd"
        assert body["Properties"]["TimeoutSeconds"] < 900 < int(body["Properties"]["ServiceTimeout"])


def test_objects_that_exist_are_taken_over_and_nothing_relies_on_prune(one_stack: dict[str, Any]) -> None:
    for body in of_type(one_stack, MANIFEST).values():
        assert body["Properties"]["Overwrite"] is True
        assert "PruneLabel" not in body["Properties"]
        assert "aws.cdk.eks/prune" not in text_of(body["Properties"]["Manifest"])
        assert body["Properties"]["ServiceTimeout"] == "1200"
        assert body["DeletionPolicy"] == body["UpdateReplacePolicy"] == "Delete"


# Logical ids -------------------------------------------------------------------------------------------------------


def ids_of(scene: Scene) -> dict[str, str]:
    return by_name(scene.template())


@pytest.mark.parametrize("flags", [False, True])
def test_logical_ids_are_these_whatever_the_feature_flags(flags: bool) -> None:
    scene = Scene(context=feature_flags() if flags else None)
    chart = new_chart("platform", "settings")
    thing(chart, "NodeClass", "gpu")
    pool(chart, "gpu-spot", "gpu")
    thing(chart, "StorageClass", "gp3")
    thing(chart, "ConfigMap", "web.conf", namespace="kube-system")
    scene.target.add_chart("Platform", chart)
    assert ids_of(scene) == {
        "settings": "PlatformConfigMapSettingsDBAE60C9",
        "gpu": "PlatformNodeClassGpuDDB2E028",
        "gpu-spot": "PlatformNodePoolGpuSpot74587AF1",
        "gp3": "PlatformStorageClassGp330E5B923",
        "web.conf": "PlatformConfigMapKubeSystemWebConfD44D20C4",
    }


def test_moving_code_changes_no_logical_id() -> None:
    plain = Scene()
    plain.target.add_chart("D", new_chart("chart", "a", "b"))
    moved = Scene()
    chart = new_chart("renamed")
    thing(cdk8s.Chart(chart, "nested"), "ConfigMap", "b")
    cdk8s.ApiObject(
        Construct(chart, "deeper"),
        "Other",
        api_version="v1",
        kind="ConfigMap",
        # The namespace of an object that names none.
        metadata=cdk8s.ApiObjectMetadata(name="a", namespace="default"),
    )
    ChartDelivery(Construct(moved.stacks[0], "Elsewhere"), "D", cluster=moved.target, chart=chart)
    assert ids_of(plain) == ids_of(moved)


def test_a_rename_and_another_delivery_make_another_logical_id() -> None:
    key = ObjectKey(group="", kind="ConfigMap", namespace="", name="a")
    others = [
        logical_id("E", key),
        logical_id("D", ObjectKey(group="", kind="ConfigMap", namespace="", name="b")),
        logical_id("D", ObjectKey(group="", kind="ConfigMap", namespace="apps", name="a")),
        logical_id("D", ObjectKey(group="", kind="Secret", namespace="", name="a")),
        logical_id("D", ObjectKey(group="example.com", kind="ConfigMap", namespace="", name="a")),
    ]
    assert len({logical_id("D", key), *others}) == 6


def test_names_that_read_alike_have_different_logical_ids() -> None:
    ids = {logical_id("D", ObjectKey("", "ConfigMap", "", name)) for name in ("a-b", "a.b", "aB", "ab")}
    assert len(ids) == 4


def test_a_logical_id_is_never_too_long() -> None:
    key = ObjectKey(group="example.com", kind="Widget", namespace="n" * 63, name="a" * 253)
    assert len(logical_id("D" * 200, key)) <= 255
    assert logical_id("D" * 200, key) != logical_id("D" * 200, ObjectKey("example.com", "Widget", "n" * 63, "b" * 253))


# Late additions ----------------------------------------------------------------------------------------------------


@jsii.implements(cdk.IAspect)
class AddsAt:
    """An Aspect that adds a ConfigMap to a chart when it visits a kind of construct."""

    def __init__(self, kind: type[Construct], chart: cdk8s.Chart) -> None:
        self._kind, self._chart = kind, chart

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, self._kind):
            thing(self._chart, "ConfigMap", "late")


@pytest.mark.parametrize("flags", [False, True])
def test_what_is_added_after_the_delivery_arrives_too(flags: bool) -> None:
    scene = Scene(context=feature_flags() if flags else None)
    chart = new_chart("chart", "early")
    delivery = scene.target.add_chart("D", chart)
    thing(chart, "ConfigMap", "after")
    thing(cdk8s.Chart(chart, "nested"), "ConfigMap", "nested")
    cdk.Aspects.of(scene.app).add(AddsAt(cdk.App, chart))
    assert delivered(scene.template()) == ["after", "early", "late", "nested"]
    assert delivery.manifests.keys() == {
        ObjectKey("", "ConfigMap", "", name) for name in ("after", "early", "late", "nested")
    }


@pytest.mark.parametrize("flags", [False, True])
def test_what_comes_too_late_is_not_lost_in_silence(flags: bool) -> None:
    scene = Scene(context=feature_flags() if flags else None)
    chart = new_chart("chart", "early")
    scene.target.add_chart("D", chart)
    cdk.CfnOutput(scene.stacks[0], "VisitedLast", value="x")
    cdk.Aspects.of(scene.app).add(AddsAt(cdk.CfnOutput, chart))
    assert scene.refused() == [
        "chart 'chart' changed after its objects were read; change it before the app is synthesised, or in an Aspect "
        "when it visits the app itself"
    ]


def test_a_second_synthesis_attaches_nothing_twice_and_loses_nothing() -> None:
    scene = Scene("Dev", "Apps")
    scene.target.add_chart("D", new_chart("one", "a"))
    ChartDelivery(scene.stacks[1], "E", cluster=scene.target, chart=new_chart("two", "b"))
    first = synthesised(scene.app)
    scene.app.synth(force=True)
    assert synthesised(scene.app) == first
    assert delivered(first["Dev"]) + delivered(first["Apps"]) == ["a", "b"]


# Several deliveries, stacks, clusters, stages ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def three_stacks() -> dict[str, Any]:
    """A cluster, a platform and an app that names its own bucket; what the app needs is made by the platform."""
    app = cdk.App()
    home, platform, apps = (cdk.Stack(app, name) for name in ("Home", "Platform", "Apps"))
    cluster = AutoModeCluster(home, "Cluster", cluster_name="dev", creator_admin=True)
    bucket = s3.Bucket(apps, "Bucket")
    names = cdk.CfnParameter(apps, "Names", type="CommaDelimitedList").value_as_list
    count = cdk.CfnParameter(apps, "Count", type="Number").value_as_number
    workload = new_chart("workload")
    thing(
        workload,
        "ConfigMap",
        "settings",
        namespace="apps",
        data={"bucket": bucket.bucket_name, "names": names, "count": count, f"of/{bucket.bucket_name}": "yes"},
    )
    pool(workload, "gpu-spot", "gpu")
    # Made first, though "Apps" comes before "Platform" by name and in this file.
    ChartDelivery(apps, "Workload", cluster=cluster, chart=workload)
    base = new_chart("base")
    thing(base, "Namespace", "apps")
    NodeClass(base, "gpu", spec=cluster.values.node_class_spec())
    ChartDelivery(platform, "Base", cluster=cluster, chart=base)
    assembly = app.synth()
    templates: dict[str, Any] = {stack.stack_name: stack.template for stack in assembly.stacks}
    templates["dependencies of Apps"] = {artifact.id for artifact in assembly.get_stack_by_name("Apps").dependencies}
    return templates


def test_a_stack_follows_the_one_that_makes_its_namespace_and_node_class(three_stacks: dict[str, Any]) -> None:
    assert {"Home", "Platform"} <= three_stacks["dependencies of Apps"]


def test_the_first_stack_awaits_the_crds_for_those_after_it(three_stacks: dict[str, Any]) -> None:
    assert [len(of_type(three_stacks[name], VALUE)) for name in ("Home", "Platform", "Apps")] == [0, 2, 0]


def test_stacks_without_an_order_await_the_crds_each() -> None:
    scene = Scene("Home", "A", "B", "C")
    a, b, c = scene.stacks[1:]
    for stack in (a, b, c):
        ChartDelivery(stack, "D", cluster=scene.target, chart=new_chart("chart", f"of-{stack.node.id.lower()}"))
    between = cdk.Stack(scene.app, "Between")
    between.add_stack_dependency(b)
    c.add_stack_dependency(between)
    templates = synthesised(scene.app)
    assert [len(of_type(templates[name], VALUE)) for name in ("A", "B", "C")] == [2, 2, 0]


def test_crds_are_awaited_side_by_side(one_stack: dict[str, Any], order: dict[str, set[str]]) -> None:
    waits = of_type(one_stack, VALUE).keys()
    assert len(waits) == 3
    assert not any(waits & order[name] for name in waits)


def test_values_known_only_after_deployment_pass_wherever_they_stand(three_stacks: dict[str, Any]) -> None:
    workload = {item["metadata"]["name"]: item for item in _resolved(three_stacks["Apps"], bucket="b-1")}
    assert workload["settings"]["data"] == {"bucket": "b-1", "names": ["x", "y"], "count": 3, "of/b-1": "yes"}
    (node_class,) = (item for item in manifests(three_stacks["Platform"]) if item["kind"] == "NodeClass")
    assert node_class["spec"]["role"].startswith("{{'Fn::ImportValue'")


def _resolved(template: dict[str, Any], *, bucket: str) -> Iterator[dict[str, Any]]:
    """The manifests as CloudFormation would write them."""
    (bucket_id,) = of_type(template, "AWS::S3::Bucket")

    def value(part: Any) -> str:
        if isinstance(part, str):
            return part
        if "Fn::GetAtt" in part:
            return '["x","y"]'  # the answer of the CDK's own function that writes lists
        return {bucket_id: bucket, "Count": "3"}[part["Ref"]]

    for resource in of_type(template, MANIFEST).values():
        manifest = resource["Properties"]["Manifest"]
        parts = [manifest] if isinstance(manifest, str) else manifest["Fn::Join"][1]
        yield from json.loads("".join(value(part) for part in parts))


def test_dependencies_reach_across_charts_and_deliveries() -> None:
    scene = Scene()
    first, second, third = new_chart("first"), new_chart("second"), new_chart("third", "config")
    deployment, ingress = thing(first, "Deployment", "deployment"), thing(second, "Ingress", "ingress")
    third.add_dependency(second)
    ingress.add_dependency(deployment)
    for chart in (first, second, third):
        scene.target.add_chart(chart.node.id.title(), chart)
    template = scene.template()
    before, names = waits_for(template), by_name(template)
    assert names["ingress"] in before[names["config"]]
    assert names["deployment"] in before[names["ingress"]]


def test_deliveries_can_wait_for_each_other_and_for_aws_and_charts_can_wait_for_aws() -> None:
    scene = Scene()
    stack = scene.stacks[0]
    first, second, bucket = new_chart("first"), new_chart("second"), s3.Bucket(stack, "Bucket")
    thing(first, "Deployment", "deployment")
    thing(second, "Namespace", "namespace")
    one, two = scene.target.add_chart("First", first), scene.target.add_chart("Second", second)
    two.node.add_dependency(one)  # against the order of kinds
    first.add_dependency(bucket)
    template = scene.template()
    before, names = waits_for(template), by_name(template)
    (bucket_id,) = of_type(template, "AWS::S3::Bucket")
    assert bucket_id in before[names["deployment"]]
    assert names["deployment"] in before[names["namespace"]]
    assert not any(name in others for name, others in before.items())


def test_what_waits_for_aws_waits_for_the_delivery_behind_it() -> None:
    scene = Scene()
    stack = scene.stacks[0]
    first, second, third = new_chart("first"), new_chart("second"), new_chart("third", "late")
    for number in range(8):
        thing(first, "Deployment", f"web-{number}")
        thing(second, "ConfigMap", f"config-{number}")
    one, two, three = (scene.target.add_chart(chart.node.id.title(), chart) for chart in (first, second, third))
    bucket, topic = s3.Bucket(stack, "Bucket"), s3.Bucket(stack, "Behind")
    topic.node.add_dependency(one)
    bucket.node.add_dependency(topic)
    two.node.add_dependency(bucket)
    third.add_dependency(topic)
    template = scene.template()
    before, names = waits_for(template), by_name(template)
    web = {names[f"web-{number}"] for number in range(8)}
    assert all(web <= before[names[f"config-{number}"]] for number in range(8))
    assert web <= before[names["late"]]
    assert not any(name in others for name, others in before.items())
    assert three.problems == []


def test_an_identity_that_waits_for_a_delivery_is_not_waited_for() -> None:
    scene = Scene()
    delivery = scene.target.add_chart("D", new_chart("chart", "a"))
    for name in ("Early", "Late"):
        identity = new_identity(scene.stacks[0], name)
        if name == "Late":
            identity.node.add_dependency(delivery)
    template = scene.template()
    before, names = waits_for(template), by_name(template)
    assert "Early" in before[names["a"]]
    assert names["a"] in before["Late"]
    assert not any(name in others for name, others in before.items())


def test_two_clusters_in_one_stack_have_an_id_each() -> None:
    scene = Scene()
    other = Target(scene.stacks[0], "Other")
    scene.target.add_chart("D", new_chart("one", "a"))
    other.add_chart("E", new_chart("two", "a"))
    assert delivered(scene.template()) == ["a", "a"]


def test_the_same_delivery_in_two_stages() -> None:
    app = cdk.App()
    for name in ("Test", "Prod"):
        stack = cdk.Stack(cdk.Stage(app, name), "Dev")
        Target(stack, "Cluster").add_chart("D", new_chart("chart", "a"))
    assembly = app.synth()
    ids = [by_name(assembly.get_nested_assembly(f"assembly-{name}").stacks[0].template) for name in ("Test", "Prod")]
    assert ids[0] == ids[1] != {}


def test_a_nested_stack_waits_for_the_identities_of_its_parent() -> None:
    scene = Scene()
    new_identity(scene.stacks[0], "Identity")
    nested = cdk.NestedStack(scene.stacks[0], "Nested")
    ChartDelivery(nested, "D", cluster=scene.target, chart=new_chart("chart", "a"))
    template = scene.template()
    (stack,) = of_type(template, "AWS::CloudFormation::Stack")
    assert "Identity" in waits_for(template)[stack]


def test_a_nested_stack_waits_for_what_its_parent_delivers() -> None:
    scene = Scene()
    nested = cdk.NestedStack(scene.stacks[0], "Nested")
    classes, pools = new_chart("classes"), new_chart("pools")
    thing(classes, "NodeClass", "gpu")
    pool(pools, "gpu-spot", "gpu")
    ChartDelivery(nested, "Pools", cluster=scene.target, chart=pools)
    scene.target.add_chart("Classes", classes)
    template = scene.template()
    (stack,) = of_type(template, "AWS::CloudFormation::Stack")
    assert by_name(template)["gpu"] in waits_for(template)[stack]


def test_a_nested_stack_and_its_parent_can_need_each_other_s_objects() -> None:
    scene = Scene()
    nested = cdk.NestedStack(scene.stacks[0], "Nested")
    inner, outer = new_chart("inner"), new_chart("outer")
    for number in range(4):
        thing(inner, "Namespace", f"apps-{number}")
        thing(outer, "Deployment", f"web-{number}", namespace=f"apps-{number}")
        thing(outer, "NodeClass", f"class-{number}")
    pool(inner, "gpu", "class-3")
    ChartDelivery(nested, "Inner", cluster=scene.target, chart=inner)
    scene.target.add_chart("Outer", outer)
    template = scene.template()
    before, names = waits_for(template), by_name(template)
    (stack,) = of_type(template, "AWS::CloudFormation::Stack")
    assert names["class-3"] in before[stack]
    assert all(stack in before[names[f"web-{number}"]] for number in range(4))
    assert not any(name in others for name, others in before.items())


def test_objects_can_outlive_their_resources() -> None:
    scene = Scene()
    policy = cdk.RemovalPolicy.RETAIN
    ChartDelivery(scene.stacks[0], "D", cluster=scene.target, chart=new_chart("chart", "a"), removal_policy=policy)
    (resource,) = of_type(scene.template(), MANIFEST).values()
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


# Refused at the call -----------------------------------------------------------------------------------------------


def deliver(scope: Construct, target: Any, *, id: str = "D", chart: Any = None, **options: Any) -> Callable[[], object]:
    return lambda: ChartDelivery(scope, id, cluster=target, chart=chart or new_chart(), **options)


def test_a_chart_is_delivered_once() -> None:
    scene, chart = Scene(), new_chart()
    nested = cdk8s.Chart(chart, "nested")
    scene.target.add_chart("D", chart)
    for again in (chart, nested):
        assert refusal(deliver(scene.stacks[0], scene.target, id=again.node.id, chart=again)) == (
            f"Dev/{again.node.id}: chart: '{again.node.path}' is delivered already, by 'Dev/Cluster/D'; deliver a "
            "chart once to a cluster; the charts nested in it go with it"
        )


def test_charts_of_one_path_in_different_apps_are_different_charts() -> None:
    scene = Scene()
    for id, name in (("D", "a"), ("E", "b")):
        scene.target.add_chart(id, new_chart("chart", name))
    assert delivered(scene.template()) == ["a", "b"]


def test_two_clusters_of_a_stack_cannot_share_a_delivery_id() -> None:
    scene = Scene("Dev", "Apps")
    other = Target(scene.stacks[0], "Other")
    scene.target.add_chart("D", new_chart())
    assert refusal(lambda: other.add_chart("D", new_chart())) == (
        "Dev/Other/D: id: 'D' is also the id of 'Dev/Cluster/D', which delivers to another cluster: the logical ids of "
        "equal objects would be equal; choose another id"
    )
    # Other templates, other ids.
    ChartDelivery(scene.stacks[1], "D", cluster=other, chart=new_chart())
    ChartDelivery(cdk.NestedStack(scene.stacks[0], "Nested"), "E", cluster=other, chart=new_chart())
    scene.target.add_chart("E", new_chart())


def test_another_stage_or_environment_is_refused() -> None:
    app = cdk.App()
    target = Target(cdk.Stack(cdk.Stage(app, "Prod"), "Dev"), "Cluster")
    assert refusal(deliver(cdk.Stack(app, "Apps"), target)) == (
        "Apps/D: cluster: 'Prod/Dev/Cluster' is in another stage; deliver in the cluster's stage, or use "
        "ImportedCluster"
    )
    elsewhere = cdk.Stack(app, "Elsewhere", env=cdk.Environment(account="111122223333", region="eu-west-1"))
    home = Target(cdk.Stack(app, "Home"), "Cluster")
    assert refusal(deliver(elsewhere, home)) == (
        "Elsewhere/D: cluster: 'Home/Cluster' is in aws://unknown-account/unknown-region, this stack in "
        "aws://111122223333/eu-west-1; give both stacks the same env: a kubectl provider works in its own account and "
        "region only"
    )


def test_what_is_no_cluster_no_chart_or_no_id_is_refused() -> None:
    scene = Scene()
    stack, target = scene.stacks[0], scene.target
    assert refusal(deliver(stack, target.cluster)) == (
        "Dev/D: cluster: needs an AutoModeCluster or an ImportedCluster, got an ICluster; ImportedCluster is for "
        "clusters made elsewhere"
    )
    assert refusal(deliver(stack, target, id="E", chart=stack)) == ("Dev/E: chart: needs a Chart, got a Stack")
    assert refusal(deliver(stack, target, id="1st")) == (
        "Dev/1st: id: '1st' begins with no letter, as logical ids must; choose another id"
    )
    assert refusal(deliver(stack, target, id="F", removal_policy=cdk.RemovalPolicy.SNAPSHOT)) == (
        "Dev/F: removal_policy: got SNAPSHOT; use DESTROY or RETAIN"
    )


def test_what_was_refused_leaves_its_id_free() -> None:
    scene = Scene()
    refusal(deliver(scene.stacks[0], scene.target, chart=scene.stacks[0]))
    assert deliver(scene.stacks[0], scene.target)()


def test_a_cluster_without_kubectl_is_refused() -> None:
    cluster = AutoModeCluster(cdk.Stack(cdk.App(), "Dev"), "Cluster", kubectl=False)
    with pytest.raises(ValueError, match="'Dev/Cluster' was created with kubectl=False and receives no charts"):
        cluster.add_chart("D", new_chart())


# Refused by the synthesis ------------------------------------------------------------------------------------------


@jsii.implements(IValidation)
class Fails:
    def validate(self) -> list[str]:
        return ["a validation of yours fails"]


@pytest.fixture(scope="module")
def findings() -> list[str]:
    """Everything wrong at once, in two charts of a cluster without built-in pools."""
    scene = Scene(built_in=False)
    late = cdk.Fn.import_value("Late")
    chart = new_chart("many", "twice")
    thing(chart, "Secret", "password")
    thing(chart, "ConfigMap", "dynamic", data={"x": cdk.SecretValue.secrets_manager("db").unsafe_unwrap()})
    thing(chart, "ConfigMap", "huge", data={"x": "é" * 60_000})
    thing(chart, "ConfigMap", "late-key", data={f"of/{late}": "y" * 110_000})
    for field, value in (("apiVersion", f"{late}/v1"), ("kind", late)):
        thing(chart, "ConfigMap", f"late-{field.lower()}").add_json_patch(cdk8s.JsonPatch.replace(f"/{field}", value))
    for field in ("name", "namespace"):
        patch = cdk8s.JsonPatch.add(f"/metadata/{field}", late)
        thing(chart, "ConfigMap", f"late-{field}").add_json_patch(patch)
    thing(chart, "ConfigMap", "nameless").add_json_patch(cdk8s.JsonPatch.remove("/metadata/name"))
    thing(chart, "ConfigMap", "kindless").add_json_patch(cdk8s.JsonPatch.replace("/kind", ""))
    thing(chart, "ConfigMap", "patched").add_json_patch(cdk8s.JsonPatch.replace("/not/there", 1))
    thing(chart, "ConfigMapList", "list", items=[])
    pool(chart, "misspelt", "gup")
    pool(chart, "unbuilt", "default")
    cdk.Annotations.of(thing(chart, "ConfigMap", "annotated")).add_error("an error of yours")
    thing(chart, "ConfigMap", "validated").node.add_validation(Fails())
    thing(chart, "ConfigMap", "waiting").add_dependency(new_chart("forgotten"))
    scene.target.add_chart("Many", chart)
    scene.target.add_chart("Other", new_chart("other", "twice"))
    scene.target.add_chart("Empty", new_chart("empty"))
    return scene.refused()


READABLE = "readable in the handler's log"


@pytest.mark.parametrize(
    "text",
    [
        f"many/Secret-password: Secret 'password' would be {READABLE}; make it from AWS Secrets Manager inside the "
        "cluster (for example with the Secrets Store CSI driver)",
        "many/ConfigMap-dynamic: ConfigMap 'dynamic' holds a dynamic reference ('{{resolve:'), which would be "
        f"{READABLE}; let the workload read the value itself",
        "many/ConfigMap-huge: ConfigMap 'huge' has 117 KB, more than the 100 KB that surely reach the handler; split "
        "it, or deliver it by Helm or GitOps",
        "many/ConfigMap-late-key: ConfigMap 'late-key' has 107 KB, more than the 100 KB that surely reach the handler; "
        "split it, or deliver it by Helm or GitOps",
        *(
            f"many/ConfigMap-late-{name}: {field}: holds a value known only after deployment; give a concrete one, "
            "logical ids are made of it"
            for name, field in (
                ("apiversion", "apiVersion"),
                ("kind", "kind"),
                ("name", "metadata.name"),
                ("namespace", "metadata.namespace"),
            )
        ),
        "many/ConfigMap-nameless: metadata.name: a ConfigMap without a name cannot be delivered; name it",
        "many/ConfigMap-kindless: kind: is required on every Kubernetes object",
        "many/ConfigMapList-list: kind: 'ConfigMapList' holds many objects; make each of its items an object",
        "many/NodePool-misspelt: spec.template.spec.nodeClassRef.name: no chart of this cluster creates the NodeClass "
        "'gup', so NodePool 'misspelt' never launches a node; deliver it with one of the charts, or write "
        "NodeClass.from_name(..., made_elsewhere=True)",
        "many/NodePool-unbuilt: spec.template.spec.nodeClassRef.name: no chart of this cluster creates the NodeClass "
        "'default', so NodePool 'unbuilt' never launches a node; EKS creates it only beside a built-in pool: turn "
        "one on, or give the pool its own NodeClass",
        "many/ConfigMap-annotated: an error of yours",
        "many/ConfigMap-validated: a validation of yours fails",
        "many/ConfigMap-waiting: waits for 'forgotten', which no delivery brings to this cluster; deliver it, or "
        "remove the add_dependency",
        "other/ConfigMap-twice: metadata.name: ConfigMap 'twice' is also created by many/ConfigMap-twice; give one of "
        "them another name, or deliver it once",
        "chart 'empty' is empty; add an object to it, or do not deliver it",
    ],
)
def test_a_mistake_is_told_in_words(findings: list[str], text: str) -> None:
    assert text in findings


def test_a_failing_json_patch_is_told_with_its_object(findings: list[str]) -> None:
    (text,) = (finding for finding in findings if finding.startswith("many/ConfigMap-patched"))
    assert text.startswith("many/ConfigMap-patched: cannot be written as JSON (Error: Failed serializing construct")
    assert text.endswith("; see its JSON patches")


def test_all_mistakes_of_a_synthesis_are_told_together(findings: list[str]) -> None:
    assert len(findings) == 19


def test_objects_that_wait_for_each_other_are_told() -> None:
    scene = Scene()
    classes, pools = new_chart("classes"), new_chart("pools")
    thing(classes, "NodeClass", "gpu")
    pool(pools, "gpu-spot", "gpu")
    classes.add_dependency(pools)
    scene.target.add_chart("Classes", classes)
    scene.target.add_chart("Pools", pools)
    assert scene.refused() == [
        "these objects wait for each other: NodeClass 'gpu' (classes/NodeClass-gpu), which waits for NodePool "
        "'gpu-spot' (pools/NodePool-gpu-spot), which waits for NodeClass 'gpu' (classes/NodeClass-gpu); remove an "
        "add_dependency; a namespace, a CRD and a NodeClass always come before what needs them"
    ]


@pytest.mark.parametrize("first", ["cluster", "earlier stack", "each other"])
def test_an_order_that_the_stacks_forbid_is_told(first: str) -> None:
    scene = Scene("Home", "A", "B")
    classes, pools = new_chart("classes"), new_chart("pools")
    thing(classes, "NodeClass", "gpu")
    pool(pools, "gpu-spot", "gpu")
    early, late = ("Home", "B") if first == "cluster" else ("A", "B")
    stacks = {stack.node.id: stack for stack in scene.stacks}
    if first == "earlier stack":
        stacks["B"].add_stack_dependency(stacks["A"])
    where = "pools/NodePool-gpu-spot: must come after NodeClass 'gpu'"
    if first == "each other":
        thing(pools, "Namespace", "apps")
        thing(classes, "ConfigMap", "settings", namespace="apps")
        where, early, late = "classes/ConfigMap-settings: must come after Namespace 'apps'", late, early
    ChartDelivery(scene.target if early == "Home" else stacks["A"], "Pools", cluster=scene.target, chart=pools)
    ChartDelivery(stacks["B"], "Classes", cluster=scene.target, chart=classes)
    assert scene.refused() == [
        f"{where} of stack '{late}', which is deployed after stack '{early}'; deliver both in one stack"
    ]


def test_more_objects_than_a_stack_takes_are_told() -> None:
    scene = Scene()
    scene.target.add_chart("D", new_chart("chart", *(f"config-{number}" for number in range(499))))
    assert scene.refused() == [
        "stack 'Dev' would have 501 resources, more than the 500 that CloudFormation takes; deliver some charts in "
        "another stack"
    ]


# Warnings ----------------------------------------------------------------------------------------------------------


def annotations_of(delivery: ChartDelivery) -> list[tuple[str, str]]:
    return [
        (entry.type.removeprefix("aws:cdk:"), str(entry.data))
        for entry in delivery.node.metadata
        if entry.type.startswith("aws:cdk:")
    ]


def test_warnings_travel_and_can_be_acknowledged_by_id() -> None:
    scene = Scene()
    chart = new_chart("chart", "a")
    note_warning(chart, "automode:Ours", "told by a construct of ours")
    note_warning(chart, "automode:Known", "acknowledged")
    cdk.Annotations.of(chart).add_warning_v2("your:Own", "told by yours")
    cdk.Annotations.of(chart).add_warning("without an id")
    cdk.Annotations.of(chart).add_info("good to know")
    thing(chart, "ConfigMap", "b", namespace="apps")
    thing(chart, "ConfigMap", "c", namespace="apps")
    delivery = scene.target.add_chart("D", chart)
    cdk.Annotations.of(delivery).acknowledge_warning("automode:Known")
    scene.app.synth()
    assert annotations_of(delivery) == [
        ("warning", "chart: told by a construct of ours [ack: automode:Ours]"),
        ("warning", "chart: told by yours [ack: your:Own]"),
        ("warning", "chart: without an id [ack: automode:ChartWarning]"),
        ("info", "chart: good to know"),
        (
            "warning",
            "chart/ConfigMap-b: metadata.namespace: no chart of this cluster creates the namespace 'apps', so the "
            "API server refuses this object; add a Namespace object, or acknowledge this if something else creates "
            "it [ack: automode:NamespaceNotFound]",
        ),
    ]


def test_what_is_missing_is_a_warning_where_others_may_have_made_it() -> None:
    scene = Scene(all_known=False, built_in=False)
    chart = new_chart("chart")
    pool(chart, "gpu-spot", "gpu").add_dependency(new_chart("forgotten"))
    thing(chart, "ConfigMap", "a", namespace="apps")
    delivery = scene.target.add_chart("D", chart)
    assert delivered(scene.template()) == ["a", "gpu-spot"]
    assert annotations_of(delivery) == [
        (
            "warning",
            "chart/NodePool-gpu-spot: spec.template.spec.nodeClassRef.name: no chart of this cluster creates the "
            "NodeClass 'gpu', so NodePool 'gpu-spot' never launches a node; deliver it with one of the charts, or "
            "write NodeClass.from_name(..., made_elsewhere=True) [ack: automode:NodeClassNotFound]",
        ),
        (
            "warning",
            "chart/NodePool-gpu-spot: waits for 'forgotten', which no delivery brings to this cluster; deliver it, or "
            "remove the add_dependency [ack: automode:DependencyNotDelivered]",
        ),
    ]


# What was there before --------------------------------------------------------------------------------------------


def delivered_as(all_known: bool, **options: Any) -> dict[str, tuple[bool, str]]:
    """Of objects of many kinds by name: whether they take over what is there, and what becomes of them."""
    scene = Scene(all_known=all_known)
    chart = new_chart("chart")
    thing(chart, "Namespace", "namespace")
    thing(chart, "NodeClass", "class")
    pool(chart, "pool", "class")
    thing(chart, "StorageClass", "storage")
    thing(chart, "ConfigMap", "config", namespace="kube-system")
    thing(chart, "ConfigMap", "default-config")
    for name, namespace in (("widget", "kube-system"), ("wide-widget", None)):
        made = thing(chart, "Widget", name, namespace=namespace)
        made.add_json_patch(cdk8s.JsonPatch.replace("/apiVersion", "example.com/v1"))
    ChartDelivery(scene.stacks[0], "D", cluster=scene.target, chart=chart, **options)
    template = scene.template()
    return {
        name: (body["Properties"]["Overwrite"], body["DeletionPolicy"])
        for name, logical in by_name(template).items()
        for body in [template["Resources"][logical]]
    }


def test_on_a_cluster_of_the_app_all_is_taken_over_and_deleted() -> None:
    assert set(delivered_as(True).values()) == {(True, "Delete")}


def test_on_a_foreign_cluster_nothing_common_is_taken_over_and_namespaces_stay() -> None:
    assert delivered_as(False) == {
        "namespace": (True, "Retain"),
        **dict.fromkeys(("class", "pool", "storage", "wide-widget"), (False, "Delete")),
        **dict.fromkeys(("config", "default-config", "widget"), (True, "Delete")),
    }


def test_what_is_there_is_taken_over_and_namespaces_go_when_asked() -> None:
    assert set(delivered_as(False, adopt=True, retain_namespaces=False).values()) == {(True, "Delete")}
    assert delivered_as(True, adopt=False, retain_namespaces=True) == delivered_as(False)


# What counts as made only later -------------------------------------------------------------------------------------


def staged(kind: str = "Job", json_path: str | None = None, **options: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A template in which a server waits for an object, and the logical ids by name."""
    scene = Scene()
    chart = new_chart("staged")
    awaited = thing(chart, kind, "copy", namespace="default")
    thing(chart, "Deployment", "server", namespace="default").add_dependency(awaited)
    wait_for(awaited, json_path, **options)
    scene.target.add_chart("Charts", chart)
    template = scene.template()
    return template, by_name(template)


def test_what_depends_on_an_object_that_must_get_ready_waits_for_that() -> None:
    template, names = staged("Deployment", ".status.readyReplicas")
    ready = f"{names['copy']}Ready"
    assert of_type(template, VALUE)[ready]["Properties"] | {"ServiceToken": "", "ClusterName": ""} == {
        "ServiceToken": "",
        "ServiceTimeout": "1200",
        "ClusterName": "",
        "ObjectType": "deployment.apps",
        "ObjectName": "copy",
        "ObjectNamespace": "default",
        "JsonPath": ".status.readyReplicas",
        "TimeoutSeconds": 840,
    }
    before = waits_for(template)
    assert {names["copy"], ready} <= before[names["server"]]
    # Both begin together: a wait takes it for no error that its object is not there yet.
    assert names["copy"] not in before[ready]
    assert before[names["copy"]] <= before[ready]
    assert f"{names['copy']}Success" not in template["Resources"]


def test_what_may_give_up_is_judged_before_anything_else_is_made() -> None:
    template, names = staged("Deployment", ".status.ready", gives_up=".status.broken")
    ready, success = f"{names['copy']}Ready", f"{names['copy']}Success"
    answer, verdict = (of_type(template, VALUE)[name]["Properties"] for name in (ready, success))
    assert answer["JsonPath"] == ".status.ready}{.status.broken"
    assert (
        text_of(verdict["JsonPath"]) == ".status.ready}{range .failed}{{'Fn::GetAtt': ['" + ready + "', 'Value']}}{end"
    )
    assert verdict["TimeoutSeconds"] == 25
    before = waits_for(template)
    assert {names["copy"], ready} <= before[success]
    assert success in before[names["server"]]


def test_a_job_is_known_to_be_done_and_to_have_failed() -> None:
    template, names = staged()
    answer = of_type(template, VALUE)[f"{names['copy']}Ready"]["Properties"]["JsonPath"]
    assert answer.startswith('.status.completionTime}{range .status.conditions[?(@.type=="FailureTarget")]}')
    assert f"{names['copy']}Success" in template["Resources"]
    template, names = staged(json_path=".status.succeeded")
    assert of_type(template, VALUE)[f"{names['copy']}Ready"]["Properties"]["JsonPath"] == answer.replace(
        ".status.completionTime", ".status.succeeded"
    )


def test_what_to_wait_for_is_known_of_jobs_only() -> None:
    awaited = thing(new_chart("staged"), "Deployment", "server")
    assert refusal(lambda: wait_for(awaited)) == (
        "staged/Deployment-server: json_path: is not known for a Deployment; give the path that has an answer once the "
        "object is ready, such as '.status.succeeded'"
    )


@pytest.mark.parametrize(
    ("spec", "warnings"),
    [
        ({"activeDeadlineSeconds": LONGEST_JOB_SECONDS}, []),
        ({"activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 86400}, []),
        (
            {},
            [
                "staged/Job-copy: Job 'copy': spec.activeDeadlineSeconds: is not set, and the deployment waits 840 s: "
                "if that is too short it fails without the Job's reason, and the Job goes on; give at most 780"
            ],
        ),
        (
            {"activeDeadlineSeconds": 3600, "ttlSecondsAfterFinished": 60},
            [
                "staged/Job-copy: Job 'copy': spec.activeDeadlineSeconds: got 3600, and the deployment waits 840 s: "
                "if that is too short it fails without the Job's reason, and the Job goes on; give at most 780",
                "staged/Job-copy: Job 'copy': spec.ttlSecondsAfterFinished: got 60: a Job that is gone has no answer, "
                "so that the deployment may wait in vain; leave it out, or give at least 1200",
            ],
        ),
    ],
)
def test_a_job_whose_end_may_go_unseen_is_warned_of(spec: dict[str, Any], warnings: list[str]) -> None:
    scene = Scene()
    chart = new_chart("staged")
    wait_for(thing(chart, "Job", "copy", namespace="default", spec=spec))
    thing(chart, "Job", "not-awaited", namespace="default")
    delivery = scene.target.add_chart("Charts", chart)
    scene.app.synth()
    assert annotations_of(delivery) == [("warning", f"{text} [ack: automode:WaitedJob]") for text in warnings]


def test_a_wait_ends_before_its_lambda_and_that_before_cloudformation_gives_up() -> None:
    assert LONGEST_JOB_SECONDS + 60 <= WAIT_TIMEOUT_SECONDS
    assert WAIT_TIMEOUT_SECONDS + 60 <= 15 * 60  # the handler's own timeout
    assert 15 * 60 + 60 < SERVICE_TIMEOUT_SECONDS <= 3600


def test_the_room_has_an_order() -> None:
    room = Path(delivery.__file__).parent
    imports = {
        file.stem: set(re.findall(r"automode_constructs\.delivery\.(\w+)", file.read_text("utf-8")))
        for file in room.glob("*.py")
    }
    list(TopologicalSorter(imports).static_order())  # raises for a circle, one for type checkers alone among them
    assert imports["target"] == set()
    assert imports["chart_delivery"] >= {"attachment", "target"}


def test_what_is_wrong_with_a_chart_keeps_its_rule() -> None:
    scene = Scene(built_in=False)
    chart = new_chart()
    pool(chart, "batch", "missing")
    made = scene.target.add_chart("Platform", chart)
    assert isinstance(made, ChartDelivery)
    scene.refused()
    (problem,) = [problem for problem in made.problems if problem.rule == "automode:NodeClassNotFound"]
    assert (problem.severity, problem.where, problem.field) == (
        "error",
        "chart/NodePool-batch",
        "spec.template.spec.nodeClassRef.name",
    )
