from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest
from constructs import Construct

from automode_constructs.manifests.kubernetes_object import KubernetesObject, note_warning
from tests.refusal import refusal

BODY: dict[str, Any] = {
    "spec": {"replicas": 1, "list": [{"a": 1}, {"a": 2}], "map": {"x.y/z": "old"}},
    "data/~x": "kept",
}


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "chart", namespace="team", labels={"team": "ml"})


def _object(scope: Construct, id: str = "thing", **more: Any) -> KubernetesObject:
    return KubernetesObject(scope, id, **{"api_version": "example.com/v1", "kind": "Thing", "body": BODY, **more})


def _manifest(made: KubernetesObject) -> dict[str, Any]:
    manifest: dict[str, Any] = made.to_json()
    return manifest


def test_an_object_is_named_after_its_construct_and_has_the_charts_labels(chart: cdk8s.Chart) -> None:
    assert _manifest(_object(chart)) == {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "thing", "labels": {"team": "ml"}},
        **BODY,
    }


def test_a_name_may_differ_from_the_id_and_stays_the_same_deeper_in_the_tree(chart: cdk8s.Chart) -> None:
    assert _object(chart, "Thing", name="a.b").name == "a.b"
    assert _manifest(_object(Construct(chart, "Group")))["metadata"]["name"] == "thing"


def test_a_namespaced_charts_namespace_stays_off_cluster_scoped_kinds_only(chart: cdk8s.Chart) -> None:
    assert "namespace" not in _manifest(_object(chart))["metadata"]
    assert _manifest(_object(chart, "a", cluster_scoped=False))["metadata"]["namespace"] == "team"
    bare = cdk8s.Chart(cdk8s.App(), "bare")
    assert _manifest(_object(bare))["metadata"] == {"name": "thing"}


def test_annotations_are_written(chart: cdk8s.Chart) -> None:
    assert _manifest(_object(chart, annotations={"a/b": "c"}))["metadata"]["annotations"] == {"a/b": "c"}


def test_a_bad_name_is_refused_before_anything_is_made(chart: cdk8s.Chart) -> None:
    assert refusal(lambda: _object(chart, "Thing")) == (
        "chart/Thing: name: 'Thing' cannot be the name of this object; use at most 253 lower-case letters, digits, "
        "'-' and '.', beginning and ending with a letter or digit"
    )
    assert refusal(lambda: _object(chart, "x", name=cdk.Aws.REGION)) == (
        "chart/x: name: holds a value known only after deployment; give a concrete name: it decides the logical id"
    )
    assert chart.node.children == []


def test_an_object_belongs_into_a_cdk8s_chart() -> None:
    cure = "scope: is in no cdk8s chart; make the object in a cdk8s.Chart, and deliver that with ChartDelivery"
    assert refusal(lambda: _object(cdk8s.App())) == f"thing: {cure}"
    assert refusal(lambda: _object(cdk.Stack(None, "Dev"))) == f"Dev/thing: {cure}"


def test_a_warning_is_left_on_the_construct(chart: cdk8s.Chart) -> None:
    made = _object(chart)
    note_warning(made, "automode:X", "beware")
    assert [(entry.type, entry.data) for entry in made.node.metadata] == [
        ("automode:warning", {"rule": "automode:X", "message": "beware"})
    ]


@pytest.mark.parametrize(
    ("path", "value", "body"),
    [
        ("spec.replicas", 2, {"spec": {**BODY["spec"], "replicas": 2}, "data/~x": "kept"}),
        ("spec.new.deep.x", [1], {"spec": {**BODY["spec"], "new": {"deep": {"x": [1]}}}, "data/~x": "kept"}),
        ("status", {"a": None, "b": 1}, {**BODY, "status": {"b": 1}}),
        ("a.b", False, {**BODY, "a": {"b": False}}),
        ("spec.list.1.a", 3, {"spec": {**BODY["spec"], "list": [{"a": 1}, {"a": 3}]}, "data/~x": "kept"}),
        (
            "spec.list.1.b.c",
            3,
            {"spec": {**BODY["spec"], "list": [{"a": 1}, {"a": 2, "b": {"c": 3}}]}, "data/~x": "kept"},
        ),
        ("spec.list.0", "x", {"spec": {**BODY["spec"], "list": ["x", {"a": 2}]}, "data/~x": "kept"}),
        (r"spec.map.x\.y/z", "new", {"spec": {**BODY["spec"], "map": {"x.y/z": "new"}}, "data/~x": "kept"}),
        ("data/~x", "new", {"spec": BODY["spec"], "data/~x": "new"}),
        ("spec", "flat", {"spec": "flat", "data/~x": "kept"}),
        (
            "spec.replicas",
            None,
            {"spec": {k: v for k, v in BODY["spec"].items() if k != "replicas"}, "data/~x": "kept"},
        ),
        ("spec.list.0", None, {"spec": {**BODY["spec"], "list": [{"a": 2}]}, "data/~x": "kept"}),
        ("spec.none.deep", None, BODY),
        ("spec.none", None, BODY),
    ],
    ids=str,
)
def test_an_override_writes_any_field(chart: cdk8s.Chart, path: str, value: object, body: dict[str, Any]) -> None:
    made = _object(chart)
    made.add_override(path, value)
    manifest = _manifest(made)
    assert {key: part for key, part in manifest.items() if key not in {"apiVersion", "kind", "metadata"}} == body


def test_overrides_build_on_each_other(chart: cdk8s.Chart) -> None:
    made = _object(chart)
    for path, value in (
        ("spec.a.b", 1),
        ("spec.a.c", [1, 2]),
        ("spec.a.c.1", 3),
        ("spec.a.b", None),
        ("spec.a.d.e", 4),
    ):
        made.add_override(path, value)
    assert _manifest(made)["spec"]["a"] == {"c": [1, 3], "d": {"e": 4}}


def test_an_override_keeps_tokens_and_takes_no_part_in_the_callers_data(chart: cdk8s.Chart) -> None:
    made, given = _object(chart), {"role": cdk.Aws.REGION, "list": [1]}
    made.add_override("spec.more", given)
    given["list"] = []
    made.add_override("spec.more.list.0", 2)
    assert _manifest(made)["spec"]["more"] == {"role": cdk.Aws.REGION, "list": [2]}
    assert given["list"] == []
    assert BODY["spec"] == {"replicas": 1, "list": [{"a": 1}, {"a": 2}], "map": {"x.y/z": "old"}}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("spec.replicas.x", 1, "spec.replicas.x: 'x' has no place in 1"),
        ("spec.replicas.x.y", 1, "spec.replicas.x.y: 'x' has no place in 1"),
        ("spec.list.2", 1, "spec.list.2: '2' is no index of a list of 2"),
        ("spec.list.-1", 1, "spec.list.-1: '-1' is no index of a list of 2"),
        ("spec.list.²", 1, "spec.list.²: '²' is no index of a list of 2"),
        ("spec.list.a.b", 1, "spec.list.a.b: 'a' is no index of a list of 2"),
        *(
            (
                path,
                1,
                f"{path}{': ' if path else ''}is no path below apiVersion, kind and metadata; "
                "begin with a field such as 'spec'; for labels and annotations use metadata",
            )
            for path in ("", ".spec", "spec..x", "spec.", "metadata.labels.x", "kind", "apiVersion")
        ),
        ("spec.x", {"a": [object()]}, "spec.x.a[0]: needs plain data, got object"),
        ("spec.x", {1: 2}, "spec.x: needs plain data, got dict"),
        ("spec.x", b"x", "spec.x: needs plain data, got bytes"),
        (
            "spec.x",
            [cdk.Fn.get_att("A", "B")],
            "spec.x[0]: needs plain data, got Intrinsic; "
            "pass the text that stands for it, for example with Token.as_string(...)",
        ),
    ],
    ids=str,
)
def test_an_override_that_has_no_place_or_no_plain_value_is_refused(
    chart: cdk8s.Chart, path: str, value: object, message: str
) -> None:
    made = _object(chart)
    assert refusal(lambda: made.add_override(path, value)) == f"chart/thing: {message}"
    assert _manifest(made)["spec"] == BODY["spec"]


def test_objects_of_two_kinds_may_have_one_id(chart: cdk8s.Chart) -> None:
    first, second = _object(chart, "gpu"), _object(chart, "gpu", kind="Other")
    assert (first.node.path, second.node.path) == ("chart/gpu", "chart/gpu-Other")
    assert [(item["kind"], item["metadata"]["name"]) for item in chart.to_json()] == [
        ("Thing", "gpu"),
        ("Other", "gpu"),
    ]
    foreign = cdk8s.ApiObject(chart, "foreign", api_version="v1", kind="ConfigMap")
    assert _object(chart, "foreign").node.path == f"{foreign.node.path}-Thing"


@pytest.mark.parametrize("kinds", [("Thing", "Thing"), ("Thing", "Other", "Other")])
def test_an_id_serves_one_object_of_a_kind(chart: cdk8s.Chart, kinds: tuple[str, ...]) -> None:
    *earlier, last = kinds
    for kind in earlier:
        _object(chart, "gpu", kind=kind)
    message = refusal(lambda: _object(chart, "gpu", kind=last))
    assert message == f"chart/gpu: id: a {last} has the id 'gpu' already; choose another one"
    assert len(chart.node.children) == len(earlier)


def test_the_id_of_what_is_no_object_is_taken(chart: cdk8s.Chart) -> None:
    Construct(chart, "gpu")
    assert refusal(lambda: _object(chart, "gpu")) == (
        "chart/gpu: id: a construct has the id 'gpu' already; choose another one"
    )
