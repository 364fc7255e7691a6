"""The order of objects, without a CDK app."""

from __future__ import annotations

from typing import Any, cast

import pytest
from constructs import IConstruct

from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.order import in_order, in_waves, prerequisites
from automode_constructs.manifests.rendering import RenderedObject

GROUPS = {"NodeClass": "eks.amazonaws.com/v1", "NodePool": "karpenter.sh/v1", "Widget": "example.com/v1"}


def thing(kind: str, name: str, *, namespace: str = "", after: tuple[str, ...] = (), **body: Any) -> RenderedObject:
    """An object in a chart named after its kind; ``after`` holds paths."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return RenderedObject(
        where=f"{kind}/{name}",
        manifest={"apiVersion": GROUPS.get(kind, "v1"), "kind": kind, "metadata": metadata, **body},
        places=(f"tree:/{kind}/{name}", f"tree:/{kind}", "tree:"),
        after={f"tree:/{path}": cast(IConstruct, None) for path in after},
    )


def pool(name: str, node_class: str, *, kind: str = "NodeClass") -> RenderedObject:
    reference = {"group": "eks.amazonaws.com", "kind": kind, "name": node_class}
    return thing("NodePool", name, spec={"template": {"spec": {"nodeClassRef": reference}}})


def names(objects: list[RenderedObject]) -> list[str]:
    return [objects[index].manifest["metadata"]["name"] for index in in_order(objects, prerequisites(objects))]


def waves(objects: list[RenderedObject]) -> list[list[str]]:
    needed = prerequisites(objects)
    cut = in_waves(in_order(objects, needed), objects, needed)
    return [[objects[index].manifest["metadata"]["name"] for index in wave] for wave in cut]


def test_kinds_follow_each_other_and_names_decide_within_a_kind() -> None:
    objects = [
        thing("Ingress", "ingress"),
        thing("Widget", "widget"),
        thing("Deployment", "deployment"),
        thing("ServiceAccount", "account"),
        thing("StorageClass", "storage"),
        thing("ConfigMap", "config"),
        pool("pool", "default"),
        thing("NodeClass", "b-class"),
        thing("NodeClass", "a-class"),
        thing("Namespace", "namespace"),
        thing("CustomResourceDefinition", "crd"),
    ]
    assert waves(objects) == [
        ["crd"],
        ["namespace"],
        ["a-class", "b-class"],
        ["pool"],
        ["config", "account", "storage"],
        ["deployment", "widget"],
        ["ingress"],
    ]


def test_the_order_does_not_come_from_the_order_of_the_code() -> None:
    objects = [thing("ConfigMap", name) for name in "cab"]
    assert names(objects) == names(objects[::-1]) == ["a", "b", "c"]


def test_add_dependency_comes_before_the_order_of_kinds() -> None:
    objects = [thing("ConfigMap", "config", after=("Deployment/first",)), thing("Deployment", "first")]
    assert waves(objects) == [["first"], ["config"]]


def test_a_dependency_on_a_scope_is_one_on_everything_in_it() -> None:
    objects = [
        thing("ConfigMap", "last", after=("Deployment",)),
        thing("Deployment", "one"),
        thing("Deployment", "two"),
        thing("ConfigMap", "free"),
    ]
    assert waves(objects) == [["free"], ["one", "two"], ["last"]]


def test_objects_of_one_kind_that_need_each_other_are_not_of_one_wave() -> None:
    objects = [thing("ConfigMap", "a", after=("ConfigMap/b",)), thing("ConfigMap", "b"), thing("ConfigMap", "c")]
    assert waves(objects) == [["b"], ["a", "c"]]


def test_an_object_does_not_wait_for_itself() -> None:
    assert names([thing("ConfigMap", "a", after=("ConfigMap",))]) == ["a"]


def test_a_late_namespace_takes_what_is_in_it_along() -> None:
    objects = [
        thing("ConfigMap", "inside", namespace="late"),
        thing("Namespace", "late", after=("Deployment/first",)),
        thing("Deployment", "first"),
    ]
    assert names(objects) == ["first", "late", "inside"]


def test_a_late_crd_takes_its_instances_along_and_a_late_node_class_its_pools() -> None:
    definition = {"group": "example.com", "names": {"kind": "Widget"}}
    objects = [
        thing("Widget", "widget"),
        thing("CustomResourceDefinition", "widgets.example.com", after=("NodeClass/class",), spec=definition),
        pool("pool", "class"),
        thing("NodeClass", "class", after=("Ingress/first",)),
        thing("Ingress", "first"),
    ]
    assert names(objects) == ["first", "class", "widgets.example.com", "pool", "widget"]


def test_a_pool_of_another_kind_of_class_does_not_wait_for_a_node_class_of_that_name() -> None:
    objects = [pool("pool", "same", kind="EC2NodeClass"), thing("NodeClass", "same", after=("NodePool/pool",))]
    assert names(objects) == ["pool", "same"]


def test_a_circle_is_named_without_what_merely_waits_for_it() -> None:
    objects = [
        thing("ConfigMap", "behind", after=("ConfigMap/a",)),
        thing("ConfigMap", "a", after=("Deployment/b",)),
        thing("Deployment", "b", after=("ConfigMap/a",)),
    ]
    with pytest.raises(AutoModeError) as caught:
        names(objects)
    assert str(caught.value) == (
        "these objects wait for each other: ConfigMap 'a' (ConfigMap/a), which waits for Deployment 'b' "
        "(Deployment/b), which waits for ConfigMap 'a' (ConfigMap/a); remove an add_dependency; a namespace, a CRD and "
        "a NodeClass always come before what needs them"
    )


def test_a_dependency_against_nature_is_a_circle() -> None:
    objects = [pool("pool", "class"), thing("NodeClass", "class", after=("NodePool/pool",))]
    with pytest.raises(AutoModeError, match=r"NodePool 'pool' .*, which waits for NodeClass 'class'"):
        names(objects)
