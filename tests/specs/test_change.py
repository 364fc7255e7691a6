"""What cannot change on an object that exists, and that the CRDs say the same."""

from __future__ import annotations

import copy
from typing import Any

import celpy
import pytest
from celpy.adapter import json_to_cel

from automode_constructs.specs.change import judge_change
from tests.specs.test_contract import NODE_CLASS_FILE, NODE_POOL_FILES, _schema, needs_crds

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
        "automode:StaticOrDynamic spec.replicas: the pool is dynamic and would be static; "
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


_CEL = celpy.Environment()


def _refused_by(schema: Any, old: Any, new: Any) -> bool:
    """Whether a rule of the CRD that looks at the old object too refuses the new one."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"]:
            runner = _CEL.program(_CEL.compile(rule["rule"]))
            if not runner.evaluate({"self": json_to_cel(new), "oldSelf": json_to_cel(old)}):
                return True
    named = schema.get("properties", {})
    return any(
        key in named and _refused_by(named[key], old[key], value)
        for key, value in (new.items() if isinstance(new, dict) else ())
        if isinstance(old, dict) and key in old
    )


@needs_crds
@pytest.mark.parametrize(("old", "path", "value", "told"), CHANGES[:4], ids=lambda value: str(value)[:40])
def test_the_crds_refuse_the_same_changes(old: dict[str, Any], path: str, value: Any, told: str) -> None:
    files = NODE_POOL_FILES if old is POOL else (NODE_CLASS_FILE,)
    for file in files:
        assert _refused_by(_schema(file), old["spec"], changed(old, path, value)["spec"])
        assert not _refused_by(_schema(file), old["spec"], old["spec"])
    assert told


@needs_crds
def test_every_rule_of_the_crds_about_change_is_tried_here() -> None:
    def rules(schema: Any) -> int:
        own = sum("oldSelf" in rule["rule"] for rule in schema.get("x-kubernetes-validations", ()))
        return own + sum(rules(inner) for inner in schema.get("properties", {}).values())

    assert [rules(_schema(file)) for file in (*NODE_POOL_FILES, NODE_CLASS_FILE)] == [3] * len(NODE_POOL_FILES) + [1]
