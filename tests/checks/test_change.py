"""What cannot change on an object that exists, and that the CRDs say the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from automode_constructs.checks.change import judge_change
from tests.specs.crds import NODE_CLASS_CRD, NODE_POOL_CRDS, crds, holds

POOL: dict[str, Any] = {
    "apiVersion": "karpenter.sh/v1",
    "kind": "NodePool",
    "metadata": {"name": "a"},
    "spec": {
        "template": {
            "spec": {
                "requirements": [],
                "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "a"},
            }
        }
    },
}
CLASS: dict[str, Any] = {
    "apiVersion": "eks.amazonaws.com/v1",
    "kind": "NodeClass",
    "metadata": {"name": "a"},
    "spec": {"role": "nodes"},
}
STORAGE: dict[str, Any] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "gp3"},
    "provisioner": "ebs.csi.eks.amazonaws.com",
    "parameters": {"type": "gp3"},
}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(document)
    at = made
    *outer, last = path.split(".")
    for part in outer:
        at = at[part]
    if value is None:
        at.pop(last)
    else:
        at[last] = value
    return made


REFERENCE = "spec.template.spec.nodeClassRef"
CHANGES: list[tuple[dict[str, Any], str, Any, str]] = [
    (
        POOL,
        "spec.replicas",
        3,
        "automode:StaticOrDynamic spec.replicas: the pool is dynamic and would become static; "
        "give the changed object another name",
    ),
    (
        POOL,
        f"{REFERENCE}.kind",
        "EC2NodeClass",
        f"automode:NodeClassKindChanged {REFERENCE}.kind: cannot change from 'NodeClass' to 'EC2NodeClass'; "
        "give the changed object another name",
    ),
    (
        POOL,
        f"{REFERENCE}.group",
        "karpenter.k8s.aws",
        f"automode:NodeClassKindChanged {REFERENCE}.group: cannot change from 'eks.amazonaws.com' to "
        "'karpenter.k8s.aws'; give the changed object another name",
    ),
    (
        CLASS,
        "spec.role",
        "others",
        "automode:RoleChanged spec.role: cannot change from 'nodes' to 'others'; give the changed object another name",
    ),
    (
        STORAGE,
        "reclaimPolicy",
        "Retain",
        "automode:ImmutableClass reclaimPolicy: cannot change from nothing to 'Retain'; "
        "give the changed object another name",
    ),
]


@pytest.mark.parametrize(("old", "path", "value", "told"), CHANGES, ids=lambda value: str(value)[:40])
def test_what_cannot_change(old: dict[str, Any], path: str, value: Any, told: str) -> None:
    new = changed(old, path, value)
    assert [f"{problem.rule} {problem}" for problem in judge_change(old, new)] == [told]
    assert list(judge_change(old, old)) == []


@pytest.mark.parametrize(
    ("old", "path", "value"),
    [
        (POOL, f"{REFERENCE}.name", "b"),
        (POOL, "spec.weight", 3),
        (changed(POOL, "spec.replicas", 1), "spec.replicas", 2),
        (STORAGE, "allowVolumeExpansion", True),
        ({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}, "data.a", "c"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_may_change(old: dict[str, Any], path: str, value: Any) -> None:
    assert list(judge_change(old, changed(old, path, value))) == []


_CRDS = {**dict.fromkeys(NODE_POOL_CRDS, POOL), NODE_CLASS_CRD: CLASS}


@pytest.mark.parametrize(("old", "path", "value", "told"), CHANGES[:4], ids=lambda value: str(value)[:40])
def test_the_crds_refuse_the_same_changes(old: dict[str, Any], path: str, value: Any, told: str) -> None:
    for name in (name for name, document in _CRDS.items() if document is old):
        rules, new = crds()[name].rules_of_change, changed(old, path, value)
        assert not all(holds(name, rule, new["spec"], old["spec"]) for rule in rules)
        assert all(holds(name, rule, old["spec"], old["spec"]) for rule in rules)
    assert told


@pytest.mark.parametrize(("name", "rule"), [(name, rule) for name in _CRDS for rule in crds()[name].rules_of_change])
def test_a_change_is_refused_where_the_crd_refuses_it(name: str, rule: str) -> None:
    examples = [example for example in crds()[name].examples if example.rule == rule]
    assert {example.accepted for example in examples} == {True, False}
    for example in examples:
        old, new = ({**_CRDS[name], "spec": spec} for spec in (example.old, example.new))
        assert (list(judge_change(old, new)) == []) is example.accepted


def test_no_other_crd_has_a_rule_about_change() -> None:
    assert {name for name, crd in crds().items() if crd.rules_of_change} == set(_CRDS)
