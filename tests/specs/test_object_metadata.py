"""The metadata of every kind, as the linter and the constructs judge it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from automode_constructs.checks.document import judge_document
from automode_constructs.errors import AutoModeError
from automode_constructs.specs.object_metadata import kubernetes_name
from tests.specs.test_rules import SOUND

_OTHERS = {
    "Namespace": "{apiVersion: v1, kind: Namespace, metadata: {name: a}}",
    "PriorityClass": "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: a}, value: 1}",
    "PlainService": "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}",
    "PlainConfigMap": "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: b}}",
    "CronJob": "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {schedule: '@daily', jobTemplate: "
    "{spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}}}}",
    "ClusterRole": "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: 'a:b'}, rules: []}",
}
DOCUMENTS = {**SOUND, **_OTHERS}

SUBDOMAIN = "lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
LABEL = "lower-case letters, digits and '-', beginning and ending with a letter or digit"


def judged(kind: str, **metadata: Any) -> list[str]:
    document = yaml.safe_load(DOCUMENTS[kind])
    document["metadata"] = {**document["metadata"], **metadata}
    if None in metadata.values():
        document["metadata"] = {name: value for name, value in document["metadata"].items() if value is not None}
    return [f"{one.severity} {one.rule} {one}" for one in judge_document(document) or ()]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_sound_metadata_has_no_finding(kind: str) -> None:
    metadata = {
        "labels": {"a": "b", "example.com/A_b.c": "", "x": None},
        "annotations": {"Example.com/a": "any text: {}", "b": ""},
        "finalizers": ["example.com/a", "orphan"],
        "creationTimestamp": None,
        "resourceVersion": "1",
        "generation": 3,
        "managedFields": [{"manager": "a", "operation": "Apply", "fieldsV1": {"f:spec": {}}}],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b"}],
    }
    document = yaml.safe_load(DOCUMENTS[kind])
    document["metadata"] = {**metadata, **document["metadata"]}
    assert judge_document(document) in ([], None)


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize(
    ("metadata", "finding"),
    [
        (
            {"annotations": {"a": True}},
            "error automode:ObjectMetadata metadata.annotations['a']: needs a text, got True; quote it",
        ),
        (
            {"annotations": {"a": 8}},
            "error automode:ObjectMetadata metadata.annotations['a']: needs a text, got 8; quote it: '8'",
        ),
        (
            {"annotations": {"a b": "c"}},
            "error automode:ObjectMetadata metadata.annotations['a b']: 'a b' is not an annotation key; write 'name' "
            "or "
            "'dns.prefix/name', the name of at most 63 letters, digits, '-', '_' and '.'",
        ),
        (
            {"annotations": {"a": "b" * 262144}},
            "error automode:ObjectMetadata metadata.annotations: hold 262145 bytes; Kubernetes takes at most 262144; "
            "keep less in them",
        ),
        (
            {"labels": {"a": 1.5}},
            "error automode:ObjectMetadata metadata.labels['a']: needs a text, got 1.5; quote it: '1.5'",
        ),
        ({"labels": {"a": ["b"]}}, "error automode:ObjectMetadata metadata.labels['a']: needs a text, got a list of 1"),
        (
            {"labels": {"a": "b c"}},
            "error automode:ObjectMetadata metadata.labels['a']: 'b c' is not a label value; use at most 63 letters, "
            "digits, '-', '_' and '.', beginning and ending with a letter or digit",
        ),
        (
            {"labels": {"Example.com/a": "b"}},
            "error automode:ObjectMetadata metadata.labels['Example.com/a']: 'Example.com/a' is not a label key; write "
            "'name' or 'dns.prefix/name', the name of at most 63 letters, digits, '-', '_' and '.'",
        ),
        ({"labels": ["a"]}, "error automode:Value metadata.labels: needs a mapping, got a list of 1"),
        (
            {"finalizers": ["a b"]},
            "error automode:ObjectMetadata metadata.finalizers[0]: 'a b' is not the name of a finalizer; write "
            "'name' or 'dns.prefix/name', the name of at most 63 letters, digits, '-', '_' and '.'",
        ),
        ({"finalizers": "a"}, "error automode:Value metadata.finalizers: needs a list, got 'a'"),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a"}]},
            "error automode:MissingField metadata.ownerReferences[0].uid: is required",
        ),
        ({"name": True}, "error automode:Value metadata.name: needs a text, got True; quote it"),
        ({"name": 7}, "error automode:Value metadata.name: needs a text, got 7; quote it: '7'"),
        ({"name": None}, "error automode:MissingField metadata.name: is required"),
        ({"name": ""}, "error automode:MissingField metadata.name: is required"),
    ],
)
def test_metadata_is_judged_for_every_kind(kind: str, metadata: dict[str, Any], finding: str) -> None:
    if kind == "ConfigMap" and "name" in metadata:  # the switch of network policies is known by its name
        kind = "PlainConfigMap"
    assert finding in judged(kind, **metadata)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_name_has_the_form_of_its_kind(kind: str) -> None:
    kind = "PlainConfigMap" if kind == "ConfigMap" else kind
    longest = {"NodeClass": 63, "NodePool": 63, "CronJob": 52}.get(kind, 253)
    form = f"at most {longest} {SUBDOMAIN}"
    if kind in {"Namespace", "PlainService", "Service"}:
        longest, form = 63, f"at most 63 {LABEL}"
    bad = ["a/b", "..", "a" * 254] if kind == "ClusterRole" else ["A_b", "a_b", "-a", "caf\u00e9", "a" * (longest + 1)]
    form = "at most 253 characters, without '/' and '%', and not '.' or '..'" if kind == "ClusterRole" else form
    for name in bad:
        shown = repr(name) if len(name) <= 80 else f"{name[:77]!r}..."
        text = f"{shown} cannot be the name of this object; use {form}"
        assert judged(kind, name=name) == [f"error automode:ObjectName metadata.name: {text}"]
        document = yaml.safe_load(DOCUMENTS[kind])
        with pytest.raises(AutoModeError) as refused:
            kubernetes_name("", name, api_version=document["apiVersion"], kind=document["kind"])
        assert str(refused.value) == f"name: {text}"


def test_a_dot_is_for_subdomains_only() -> None:
    assert judged("NodePool", name="a.b") == []
    assert judged("PlainService", name="a.b")[0].startswith("error automode:ObjectName")


def test_a_service_may_begin_with_a_digit_on_new_clusters_only() -> None:
    assert judged("PlainService", name="1web") == [
        "warning automode:ServiceNameDigit metadata.name: '1web' begins with a digit, which clusters before Kubernetes "
        "1.37 may refuse; begin with a letter"
    ]
    assert kubernetes_name("", "1web", api_version="v1", kind="Service") == "1web"


def test_a_generated_name_may_end_with_a_dash() -> None:
    assert judged("NodePool", name=None, generateName="pool-") == []
    assert judged("NodePool", name=None, generateName="Pool-")[0].startswith(
        "error automode:ObjectName metadata.generateName: 'Pool-' cannot be the name"
    )
    assert judged("NodePool", name=None, generateName=True) == [
        "error automode:Value metadata.generateName: needs a text, got True; quote it"
    ]


@pytest.mark.parametrize("kind", ["NodePool", "NodeClass", "StorageClass", "ClusterRole", "Namespace", "PriorityClass"])
def test_a_namespace_of_what_has_none_is_dropped(kind: str) -> None:
    real = yaml.safe_load(DOCUMENTS[kind])["kind"]
    assert judged(kind, namespace="web") == [
        f"warning automode:ClusterScoped metadata.namespace: is dropped, since a {real} belongs to no namespace; "
        "remove it"
    ]


@pytest.mark.parametrize("kind", ["TargetGroupBinding", "PlainService", "CronJob"])
def test_a_namespace_is_a_label(kind: str) -> None:
    assert judged(kind, namespace="web.shop") == [
        f"error automode:ObjectName metadata.namespace: 'web.shop' cannot be the name of a namespace; use at most 63 "
        f"{LABEL}"
    ]
    assert judged(kind, namespace=True) == ["error automode:Value metadata.namespace: needs a text, got True; quote it"]


def test_a_field_that_metadata_does_not_have_is_told() -> None:
    assert judged("NodePool", label={"a": "b"})[0].startswith(
        "error automode:UnknownField metadata.label: is not a known field; did you mean 'labels'?"
    )


def test_a_name_that_is_known_late_is_no_name() -> None:
    with pytest.raises(AutoModeError, match="holds a value known only after deployment"):
        kubernetes_name("", "${Token[TOKEN.1]}")
