"""What no single object can show."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.specs.whole_tree import ObjectKey, TreeFinding, TreeObject, judge_tree, object_key


def thing(kind: str, name: str, *, api_version: str = "v1", namespace: str | None = None, **body: Any) -> TreeObject:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
    return TreeObject(where=f"chart/{name}", manifest=manifest)


def node_class(name: str) -> TreeObject:
    return thing("NodeClass", name, api_version="eks.amazonaws.com/v1")


def pool(name: str, reference: Any, *, external: str | None = None) -> TreeObject:
    spec = {"template": {"spec": {"nodeClassRef": reference}}}
    manifest = thing("NodePool", name, api_version="karpenter.sh/v1", spec=spec).manifest
    return TreeObject(where=f"chart/{name}", manifest=manifest, external_node_class=external)


def judged(*objects: TreeObject, built_in: bool = False, whole: bool = True, known: tuple[str, ...] = ()) -> list[str]:
    findings = judge_tree(objects, default_node_class=built_in, whole=whole, node_classes=known)
    return [f"{finding.severity} {finding.rule} {finding}" for finding in findings]


def test_the_version_is_no_part_of_what_an_object_is() -> None:
    keys = {object_key(thing("Deployment", "a", api_version=f"apps/{version}").manifest) for version in ("v1", "v2")}
    assert keys == {ObjectKey(group="apps", kind="Deployment", namespace="", name="a")}


@pytest.mark.parametrize(
    ("kind", "namespace", "key"),
    [
        ("ConfigMap", None, ""),
        ("ConfigMap", "", ""),
        ("ConfigMap", "default", ""),
        ("ConfigMap", "apps", "apps"),
        ("StorageClass", "apps", ""),
        ("NodePool", "apps", ""),
    ],
)
def test_one_object_has_one_key_however_its_namespace_is_put(kind: str, namespace: str | None, key: str) -> None:
    assert object_key(thing(kind, "a", namespace=namespace).manifest).namespace == key


@pytest.mark.parametrize("manifest", [{}, {"metadata": None}, {"kind": "ConfigMap"}])
def test_a_manifest_that_is_hardly_one_has_a_key(manifest: dict[str, Any]) -> None:
    assert object_key(manifest).name == ""


def test_a_key_reads_as_a_person_would_say_it() -> None:
    assert str(ObjectKey("", "ConfigMap", "apps", "a")) == "ConfigMap 'a' in namespace 'apps'"
    assert str(ObjectKey("", "Namespace", "", "apps")) == "Namespace 'apps'"


def test_an_object_made_twice_is_an_error_that_names_both_places() -> None:
    again = thing("ConfigMap", "a", namespace="default")
    assert judged(thing("ConfigMap", "a"), TreeObject(where="other", manifest=again.manifest)) == [
        "error automode:DuplicateObject other: metadata.name: ConfigMap 'a' is also made by chart/a; give one of them "
        "another name, or deliver it once"
    ]


def test_equal_names_of_different_things_are_fine() -> None:
    assert (
        judged(
            thing("ConfigMap", "a"),
            thing("ServiceAccount", "a"),
            thing("ConfigMap", "a", namespace="kube-system"),
            thing("ConfigMap", "a", api_version="example.com/v1"),
        )
        == []
    )


MISSING = (
    "automode:NodeClassNotFound chart/p: spec.template.spec.nodeClassRef.name: no chart of this cluster makes the "
    "NodeClass 'gpu', so that NodePool 'p' never launches a node; deliver it with one of the charts, or say "
    "NodeClass.from_name(..., made_elsewhere=True)"
)


def test_a_pool_without_its_node_class_is_an_error_where_all_charts_are_known_and_else_a_warning() -> None:
    lost = pool("p", {"name": "gpu"})
    assert judged(lost) == [f"error {MISSING}"]
    assert judged(lost, whole=False) == [f"warning {MISSING}"]


@pytest.mark.parametrize(
    "reference",
    [
        {"name": "${Token[TOKEN.12]}"},
        {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"},
        {},
        None,
        "gpu",
    ],
)
def test_a_pool_whose_node_class_cannot_be_told_is_left_alone(reference: Any) -> None:
    assert judged(pool("p", reference)) == []


def test_a_node_class_may_come_from_anywhere() -> None:
    wanted = pool("p", {"name": "gpu"})
    assert judged(wanted, node_class("gpu")) == []
    assert judged(wanted, known=("gpu",)) == []
    assert judged(pool("p", {"name": "gpu"}, external="gpu")) == []
    # Only that one: another name on the pool is as lost as before.
    assert len(judged(pool("p", {"name": "gpu"}, external="other"))) == 1


def test_default_exists_only_beside_a_built_in_pool() -> None:
    wanted = pool("p", {"name": "default"})
    assert judged(wanted, built_in=True) == []
    (finding,) = judged(wanted)
    assert finding.endswith(
        "; EKS makes it only beside a built-in pool: turn one on, or give the pool a NodeClass of its own"
    )


def test_a_namespace_that_nobody_makes_is_a_warning_once() -> None:
    inside = [thing("ConfigMap", name, namespace="apps") for name in "ab"]
    assert judged(*inside) == [
        "warning automode:NamespaceNotFound chart/a: metadata.namespace: no chart of this cluster makes the namespace "
        "'apps'; add a Namespace object, or acknowledge this if something else makes it"
    ]
    assert judged(*inside, thing("Namespace", "apps")) == []
    assert judged(*inside, whole=False) == []


@pytest.mark.parametrize("namespace", ["default", "kube-system", "kube-public", "kube-node-lease", "${Token[T.1]}"])
def test_the_namespaces_of_every_cluster_are_known(namespace: str) -> None:
    assert judged(thing("ConfigMap", "a", namespace=namespace)) == []


def test_a_finding_says_which_object_it_is_about() -> None:
    findings: list[TreeFinding] = judge_tree(
        [node_class("a"), pool("p", {"name": "gpu"})], default_node_class=False, whole=True
    )
    assert [finding.index for finding in findings] == [1]
