"""What cannot change on an object that exists, and that the CRDs say the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from automode_constructs.checks.change import judge_change
from automode_constructs.specs.rule import RULES
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
        "automode:ImmutableClass reclaimPolicy: cannot change from 'Delete' to 'Retain'; "
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


def _object(api_version: str, kind: str, **body: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **body}


LABELS = {"app": "a"}
POD: dict[str, Any] = {
    "containers": [{"name": "a", "image": "a:1", "resources": {"requests": {"cpu": "1"}}}],
    "restartPolicy": "Never",
}
NLB = _object(
    "v1", "Service", spec={"type": "LoadBalancer", "loadBalancerClass": "service.k8s.aws/nlb", "clusterIP": "10.0.0.1"}
)
JOB = _object("batch/v1", "Job", spec={"template": {"spec": POD}, "completions": 2})
SET = _object(
    "apps/v1",
    "StatefulSet",
    spec={
        "serviceName": "a",
        "selector": {"matchLabels": LABELS},
        "volumeClaimTemplates": [{"metadata": {"name": "a"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
    },
)
CLAIM = _object(
    "v1",
    "PersistentVolumeClaim",
    spec={
        "storageClassName": "gp2",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
    },
)
SEALED = _object("v1", "ConfigMap", immutable=True, data={"a": "b"})
BINDING = _object(
    "eks.amazonaws.com/v1", "TargetGroupBinding", spec={"targetGroupARN": "a", "targetType": "ip", "vpcID": "vpc-1"}
)
_ANEW = "delete it and create it again"
_FIXED: list[tuple[dict[str, Any], str, Any, str]] = [
    (
        NLB,
        "spec.loadBalancerClass",
        "eks.amazonaws.com/nlb",
        f"spec.loadBalancerClass: cannot change from 'service.k8s.aws/nlb' to 'eks.amazonaws.com/nlb'; {_ANEW}; its "
        "address changes",
    ),
    (
        NLB,
        "spec.clusterIP",
        "None",
        f"spec.clusterIP: cannot change from '10.0.0.1' to 'None'; {_ANEW}; its address changes",
    ),
    (
        JOB,
        "spec.template.spec.containers",
        [{"name": "a", "image": "a:2"}],
        f"spec.template.spec.containers[0].image: cannot change from 'a:1' to 'a:2'; {_ANEW}; its pods run again",
    ),
    (
        JOB,
        "spec.completionMode",
        "Indexed",
        f"spec.completionMode: cannot change from 'NonIndexed' to 'Indexed'; {_ANEW}; its pods run again",
    ),
    (JOB, "spec.completions", 3, f"spec.completions: cannot change from 2 to 3; {_ANEW}; its pods run again"),
    (
        SET,
        "spec.serviceName",
        "b",
        f"spec.serviceName: cannot change from 'a' to 'b'; {_ANEW}; with --cascade=orphan its pods keep running "
        "meanwhile",
    ),
    (
        SET,
        "spec.volumeClaimTemplates",
        [{"metadata": {"name": "a"}, "spec": {"accessModes": ["ReadWriteMany"]}}],
        "spec.volumeClaimTemplates[0].spec.accessModes[0]: cannot change from 'ReadWriteOnce' to 'ReadWriteMany'; "
        f"{_ANEW}; with --cascade=orphan its pods keep running meanwhile",
    ),
    (
        SET,
        "spec.podManagementPolicy",
        "Parallel",
        f"spec.podManagementPolicy: cannot change from 'OrderedReady' to 'Parallel'; {_ANEW}; "
        "with --cascade=orphan its pods keep running meanwhile",
    ),
    (
        CLAIM,
        "spec.storageClassName",
        "gp3",
        f"spec.storageClassName: cannot change from 'gp2' to 'gp3'; {_ANEW}; its volume is deleted too, unless its "
        "reclaim policy is Retain",
    ),
    (
        CLAIM,
        "spec.resources.requests.storage",
        "8Gi",
        "spec.resources.requests.storage: cannot shrink from '10Gi' to '8Gi'; write 10Gi or more, or copy the data to "
        "a new claim",
    ),
    *(
        (
            _object("apps/v1", kind, spec={"selector": {"matchLabels": LABELS}}),
            "spec.selector.matchLabels",
            {"app": "b"},
            f"spec.selector.matchLabels.app: cannot change from 'a' to 'b'; {_ANEW}",
        )
        for kind in ("DaemonSet", "Deployment", "ReplicaSet")
    ),
    *(
        (
            _object("rbac.authorization.k8s.io/v1", kind, roleRef={"kind": "ClusterRole", "name": "view"}),
            "roleRef.name",
            "edit",
            f"roleRef.name: cannot change from 'view' to 'edit'; {_ANEW}",
        )
        for kind in ("ClusterRoleBinding", "RoleBinding")
    ),
    (
        _object("networking.k8s.io/v1", "IngressClass", spec={"controller": "ingress.k8s.aws/alb"}),
        "spec.controller",
        "eks.amazonaws.com/alb",
        f"spec.controller: cannot change from 'ingress.k8s.aws/alb' to 'eks.amazonaws.com/alb'; {_ANEW}",
    ),
    (
        _object("gateway.networking.k8s.io/v1", "GatewayClass", spec={"controllerName": "gateway.k8s.aws/alb"}),
        "spec.controllerName",
        "eks.amazonaws.com/gateway-alb",
        f"spec.controllerName: cannot change from 'gateway.k8s.aws/alb' to 'eks.amazonaws.com/gateway-alb'; {_ANEW}",
    ),
    (
        _object("scheduling.k8s.io/v1", "PriorityClass", value=1),
        "value",
        2,
        f"value: cannot change from 1 to 2; {_ANEW}",
    ),
    (SEALED, "data.a", "c", f"data.a: cannot change from 'b' to 'c'; {_ANEW}"),
    (SEALED, "immutable", None, f"immutable: cannot change from True to nothing; {_ANEW}"),
    (_object("v1", "Secret", type="Opaque"), "type", "b", f"type: cannot change from 'Opaque' to 'b'; {_ANEW}"),
    (
        _object("v1", "PersistentVolume", spec={"csi": {"driver": "a", "volumeHandle": "vol-1"}}),
        "spec.csi.volumeHandle",
        "vol-2",
        f"spec.csi.volumeHandle: cannot change from 'vol-1' to 'vol-2'; {_ANEW}",
    ),
]


@pytest.mark.parametrize(("old", "path", "value", "text"), _FIXED, ids=lambda value: str(value)[:60])
def test_what_kubernetes_fixes_at_creation(old: dict[str, Any], path: str, value: Any, text: str) -> None:
    (problem,) = judge_change(old, changed(old, path, value))
    assert (problem.severity, problem.rule, str(problem)) == ("error", "automode:ImmutableField", text)
    assert list(judge_change(old, old)) == []


def test_every_kind_of_the_rule_has_a_change_here() -> None:
    assert {old["kind"] for old, *_ in _FIXED} == set(RULES["automode:ImmutableField"].kinds)


@pytest.mark.parametrize("field", ["targetGroupARN", "targetType", "vpcID"])
def test_a_target_group_binding_keeps_its_group(field: str) -> None:
    (problem,) = judge_change(BINDING, changed(BINDING, f"spec.{field}", "b"))
    assert (problem.severity, problem.rule) == ("warning", "automode:TargetGroupBindingChanged")


_LIVE = {**NLB, "metadata": {"name": "a", "uid": "1"}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # What the API server or a controller chose stays where the new object says nothing of it.
        (NLB, changed(changed(NLB, "spec.loadBalancerClass", None), "spec.clusterIP", None)),
        (changed(NLB, "spec.loadBalancerClass", None), changed(NLB, "spec.loadBalancerClass", "eks.amazonaws.com/nlb")),
        (NLB, changed(changed(NLB, "spec.type", "ClusterIP"), "spec.loadBalancerClass", None)),
        (CLAIM, changed(CLAIM, "spec.storageClassName", None)),
        (changed(CLAIM, "spec.volumeName", "pvc-1"), CLAIM),
        (changed(CLAIM, "spec.volumeMode", "Filesystem"), CLAIM),
        (CLAIM, changed(CLAIM, "spec.resources.requests.storage", "10240Mi")),
        (CLAIM, changed(CLAIM, "spec.resources.requests.storage", "20Gi")),
        (changed(STORAGE, "reclaimPolicy", "Delete"), STORAGE),
        (changed(STORAGE, "volumeBindingMode", "Immediate"), STORAGE),
        (changed(SET, "spec.podManagementPolicy", "OrderedReady"), SET),
        (
            JOB,
            changed(JOB, "spec.template.spec.containers", [{**POD["containers"][0], "terminationMessagePath": None}]),
        ),
        (JOB, changed(JOB, "spec.template.spec.terminationGracePeriodSeconds", 30)),
        (JOB, changed(JOB, "spec.parallelism", 4)),
        (
            JOB,
            changed(
                JOB,
                "spec.template.spec.containers",
                [{"name": "a", "image": "a:1", "resources": {"requests": {"cpu": 1}}}],
            ),
        ),
        (
            changed(JOB, "spec.suspend", True),
            changed(changed(JOB, "spec.suspend", True), "spec.template.spec.nodeSelector", {"a": "b"}),
        ),
        (changed(SEALED, "immutable", False), changed(SEALED, "data.a", "c")),
        (NLB, {**NLB, "kind": "Other", "spec": {}}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_kubernetes_lets_pass(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert list(judge_change(old, new)) == []


def test_a_live_service_without_a_class_does_not_get_one() -> None:
    (problem,) = judge_change(
        changed(_LIVE, "spec.loadBalancerClass", None),
        changed(NLB, "spec.loadBalancerClass", "eks.amazonaws.com/nlb"),
    )
    assert problem.field == "spec.loadBalancerClass"
