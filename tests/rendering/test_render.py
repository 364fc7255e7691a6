"""A chart is read whole: its objects, their order, and what its constructs have to say."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import cdk8s
import jsii
import pytest
from constructs import Construct, IValidation

from automode_constructs.errors import Problem
from automode_constructs.manifests.kubernetes_object import KubernetesObject, note_warning
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.rendering.render import RenderedObject, place_of, rank, render
from automode_constructs.specs import labels
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate, NodePoolSpec


def config(scope: Construct, name: str, **options: Any) -> cdk8s.ApiObject:
    metadata = cdk8s.ApiObjectMetadata(name=name)
    return cdk8s.ApiObject(scope, name, **{"api_version": "v1", "kind": "ConfigMap", "metadata": metadata, **options})


@jsii.implements(IValidation)
class Fails:
    def validate(self) -> list[str]:
        return ["is wrong"]


def objects(chart: cdk8s.Chart) -> dict[str, RenderedObject]:
    return {item.where: item for item in render(chart).objects}


@pytest.fixture
def app() -> cdk8s.App:
    return cdk8s.App()


@pytest.fixture
def chart(app: cdk8s.App) -> cdk8s.Chart:
    return cdk8s.Chart(app, "chart", namespace="apps", labels={"team": "a"})


def test_nested_charts_and_constructs_are_read_too(chart: cdk8s.Chart) -> None:
    config(chart, "a")
    config(cdk8s.Chart(Construct(chart, "folder"), "nested"), "b")
    assert {where: item.manifest["metadata"] for where, item in objects(chart).items()} == {
        "chart/a": {"labels": {"team": "a"}, "name": "a", "namespace": "apps"},
        "chart/folder/nested/b": {"name": "b"},
    }


def test_other_charts_of_the_app_are_not(app: cdk8s.App, chart: cdk8s.Chart) -> None:
    other = cdk8s.Chart(app, "chart-2")
    config(other, "a")
    assert render(chart).objects == []


def test_an_object_of_ours_is_told_by_the_path_its_user_knows(chart: cdk8s.Chart) -> None:
    KubernetesObject(chart, "a", api_version="v1", kind="ConfigMap", body={})
    assert list(objects(chart)) == ["chart/a"]


def test_places_tell_equal_paths_of_different_apps_apart(chart: cdk8s.Chart) -> None:
    twin = cdk8s.Chart(cdk8s.App(), "chart")
    assert chart.node.path == twin.node.path
    assert place_of(chart) != place_of(twin)


def test_an_object_lies_in_all_its_scopes(chart: cdk8s.Chart) -> None:
    made = config(chart, "a")
    (item,) = render(chart).objects
    assert item.places == tuple(place_of(scope) for scope in (made, chart, chart.node.root))


def test_an_object_waits_for_what_it_and_its_scopes_wait_for(app: cdk8s.App, chart: cdk8s.Chart) -> None:
    first, second, third = (cdk8s.Chart(app, name) for name in ("first", "second", "third"))
    folder = Construct(chart, "folder")
    made = config(folder, "a")
    config(chart, "b")
    made.add_dependency(first)
    folder.node.add_dependency(second)
    chart.add_dependency(third)
    after = {where: set(item.after.values()) for where, item in objects(chart).items()}
    assert after == {"chart/folder/a": {first, second, third}, "chart/b": {third}}


def test_a_nested_chart_waits_for_what_the_outer_one_waits_for(app: cdk8s.App, chart: cdk8s.Chart) -> None:
    first, nested = cdk8s.Chart(app, "first"), cdk8s.Chart(chart, "nested")
    config(nested, "a")
    chart.add_dependency(first)
    (item,) = render(nested).objects
    assert list(item.after.values()) == [first]


def test_what_constructs_have_to_say_is_heard(chart: cdk8s.Chart) -> None:
    made = config(Construct(chart, "folder"), "a")
    note_warning(chart, "automode:Rule", "ours")
    made.node.add_metadata("aws:cdk:error", "an error")
    made.node.add_metadata("aws:cdk:warning", "plain")
    made.node.add_metadata("aws:cdk:warning", "with an id [and brackets] [ack: your:Id]")
    made.node.add_metadata("aws:cdk:info", "a remark")
    made.node.add_metadata("something:else", "not for people")
    made.node.add_validation(Fails())
    where = "chart/folder/a"
    assert render(chart).notes == [
        Problem(field="", severity="warning", where="chart", message="ours", rule="automode:Rule"),
        Problem(field="", severity="error", where=where, message="an error"),
        Problem(field="", severity="warning", where=where, message="plain"),
        Problem(field="", severity="warning", where=where, message="with an id [and brackets]", rule="your:Id"),
        Problem(field="", severity="info", where=where, message="a remark"),
        Problem(field="", severity="error", where=where, message="is wrong"),
    ]


def test_a_node_class_knowingly_made_elsewhere_is_remembered(chart: cdk8s.Chart) -> None:
    requirements = [labels.INSTANCE_CATEGORY.is_in("m")]
    spec = NodePoolSpec(template=NodeClaimTemplate(spec=NodeClaimSpec(requirements=requirements)))
    NodePool(chart, "there", node_class=NodeClass.from_name("theirs", made_elsewhere=True), spec=spec)
    NodePool(chart, "here", node_class=NodeClass.from_name("ours"), spec=spec)
    external = {where: item.in_tree().external_node_class for where, item in objects(chart).items()}
    assert external == {"chart/there": "theirs", "chart/here": None}


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (cdk8s.JsonPatch.replace("/apiVersion", ""), "apiVersion: is required on every Kubernetes object"),
        (cdk8s.JsonPatch.replace("/kind", ""), "kind: is required on every Kubernetes object"),
        (
            cdk8s.JsonPatch.remove("/metadata/name"),
            "metadata.name: a ConfigMap without a name cannot be delivered; name it",
        ),
    ],
)
def test_what_is_no_object_is_an_error_beside_the_others(
    chart: cdk8s.Chart, patch: cdk8s.JsonPatch, message: str
) -> None:
    config(chart, "bad").add_json_patch(patch)
    config(chart, "good")
    rendering = render(chart)
    assert [str(note) for note in rendering.notes] == [f"chart/bad: {message}"]
    assert [item.where for item in rendering.objects] == ["chart/good"]


def test_a_list_is_an_error(chart: cdk8s.Chart) -> None:
    config(chart, "list", kind="List").add_json_patch(cdk8s.JsonPatch.add("/items", []))
    assert [str(note) for note in render(chart).notes] == [
        "chart/list: kind: 'List' holds many objects; make each of its items an object"
    ]


def test_a_kind_that_only_ends_like_a_list_is_an_object(chart: cdk8s.Chart) -> None:
    config(chart, "a", api_version="example.com/v1", kind="AllowList")
    assert list(objects(chart)) == ["chart/a"]


def test_a_json_patch_that_fails_is_an_error_without_a_stack_trace(chart: cdk8s.Chart) -> None:
    config(chart, "a").add_json_patch(cdk8s.JsonPatch.replace("/not/there", 1))
    (note,) = render(chart).notes
    assert note.where == "chart/a"
    assert note.message.startswith("cannot be written as JSON (")
    assert "\n" not in note.message


def test_a_cdk_object_in_an_object_is_an_error(chart: cdk8s.Chart) -> None:
    settings = config(chart, "settings")
    settings.add_json_patch(cdk8s.JsonPatch.add("/data", {"a": cdk.Fn.condition_equals("a", "b")}))
    (note,) = render(chart).notes
    assert str(note) == (
        "chart/settings: ConfigMap holds a CDK object, which cdk8s cannot write; "
        "pass the text that stands for it, for example with Token.as_string(...)"
    )


def test_kinds_have_their_turn() -> None:
    kinds = [
        "CustomResourceDefinition",
        "Namespace",
        "NodeClass",
        "NodePool",
        "ServiceAccount",
        "Deployment",
        "Ingress",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ]
    assert [rank(kind) for kind in kinds] == list(range(9))
    assert rank("StorageClass") == rank("IngressClassParams") == rank("ServiceAccount")
    assert rank("Anything") == rank("Deployment")
    assert rank("ValidatingWebhookConfiguration") == rank("Ingress")
