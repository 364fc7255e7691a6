"""KubernetesGroup: role and binding in the cluster or in each namespace, with rules that Kubernetes takes."""

from __future__ import annotations

from functools import partial
from typing import Any

import aws_cdk as cdk
import cdk8s
import kubernetes_validate
import pytest

from automode_constructs import KubernetesGroup, PolicyRule
from automode_constructs.checks.served_kinds import served_kind_problems
from automode_constructs.facts.access_policies import people_policies
from automode_constructs.manifests.kubernetes_group import KINDS, READS
from automode_constructs.testing import manifests
from tests.refusal import refusal


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    chart = cdk8s.Chart(cdk8s.App(), "rights", namespace="elsewhere")
    KubernetesGroup(chart, "platform", view=["nodes"], edit=["node-pools", "load-balancer-classes"])
    drain = PolicyRule(api_groups=[""], resources=["pods/eviction"], verbs=["create"], resource_names=["a"])
    KubernetesGroup(
        chart, "team", name="team-a", edit=["gateways"], view=["argo-cd"], rules=[drain], namespaces=["a", "b"]
    )
    return manifests(chart)


def of(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in objects if item["kind"] == kind]


def test_without_namespaces_the_rights_hold_in_the_whole_cluster(objects: list[dict[str, Any]]) -> None:
    (role,), (binding,) = of(objects, "ClusterRole"), of(objects, "ClusterRoleBinding")
    assert role["metadata"] == binding["metadata"] == {"name": "platform"}
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "platform"}
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "platform"}]
    pools = next(rule for rule in role["rules"] if rule["apiGroups"] == ["karpenter.sh"])
    assert pools["resources"] == ["nodepools", "nodeclaims"]
    assert {"get", "watch", "create", "patch", "delete"} < set(pools["verbs"])
    nodes = next(rule for rule in role["rules"] if rule["apiGroups"] == [""])
    assert nodes == {"apiGroups": [""], "resources": ["nodes"], "verbs": list(READS)}


def test_each_namespace_has_a_role_and_its_binding(objects: list[dict[str, Any]]) -> None:
    for kind in ("Role", "RoleBinding"):
        assert [item["metadata"] for item in of(objects, kind)] == [
            {"name": "team-a", "namespace": "a"},
            {"name": "team-a", "namespace": "b"},
        ]
    assert of(objects, "Role")[0]["rules"][-1] == {
        "apiGroups": [""],
        "resources": ["pods/eviction"],
        "verbs": ["create"],
        "resourceNames": ["a"],
    }
    assert of(objects, "RoleBinding")[1]["roleRef"]["kind"] == "Role"


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_kubernetes_takes_the_objects(objects: list[dict[str, Any]], version: str) -> None:
    for item in objects:
        assert kubernetes_validate.validate(item, version, strict=True) == version
        assert [*served_kind_problems(item)] == []


def test_no_kind_is_one_that_an_access_policy_knows() -> None:
    known = {
        (group, resource)
        for name, policy in people_policies().items()
        for rule in policy.rules
        if name not in ("AmazonEKSClusterAdminPolicy", "AmazonEKSAdminViewPolicy")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    ours = {
        (group, resource)
        for kinds in KINDS.values()
        for group, resources in kinds.resources.items()
        for resource in resources
    }
    assert not ours & known


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "rules: are missing, and so are view and edit: members may do nothing; name kinds"),
        (
            {"edit": ["node-pools"], "namespaces": ["a"]},
            "edit[0]: 'node-pools' belong to no namespace, and a Role in a namespace gives no right to them; "
            "make a second KubernetesGroup without namespaces for them",
        ),
        (
            {"edit": ["gateways"], "view": ["gateways"]},
            "view: 'gateways' is in edit too, which includes reading; name it in one of the two",
        ),
        ({"view": ["argo-cd", "argo-cd"]}, "view: names one twice: ['argo-cd', 'argo-cd']; name each once"),
        (
            {"view": ["argocd"]},
            "view[0]: 'argocd' is not known; did you mean 'argo-cd'? Use one of 'node-pools', 'nodes', 'gateways', "
            "'load-balancer-classes', 'network-policies', 'argo-cd'",
        ),
        (
            {"rules": [PolicyRule(api_groups=[], resources=["pods"], verbs=["get"])]},
            "rules[0].api_groups: is empty, and the rule allows nothing; write api_groups=[''] for the core group",
        ),
        (
            {"rules": [PolicyRule(api_groups=[""], resources=["pods"], verbs=[])]},
            "rules[0].verbs: is empty, and the rule allows nothing; name at least one",
        ),
        (
            {"rules": [PolicyRule(api_groups=[""], resources=[""], verbs=["get"])]},
            "rules[0].resources: names nothing: ''",
        ),
        (
            {"rules": [PolicyRule(api_groups=["*"], resources=["*"], verbs=["*"])]},
            "rules[0]: allows everything; associate AmazonEKSClusterAdminPolicy, which shows on the access entry",
        ),
        (
            {"edit": ["gateways"], "namespaces": []},
            "namespaces: is empty; name namespaces, or leave it out for the whole cluster",
        ),
        ({"edit": ["gateways"], "namespaces": ["a", "a"]}, "namespaces: names one twice; name each once"),
        (
            {"edit": ["gateways"], "namespaces": ["a-*"]},
            "namespaces[0]: 'a-*' cannot be the name of this object; use at most 63 lower-case letters, digits and "
            "'-', beginning and ending with a letter or digit",
        ),
        (
            {"edit": ["gateways"], "namespaces": [cdk.Aws.REGION]},
            "namespaces[0]: holds a value known only after deployment; give the concrete name that the chart uses",
        ),
        (
            {"edit": ["gateways"], "name": "system:masters"},
            "name: 'system:masters' is not a group for people: EKS refuses groups that begin 'system:'; "
            "associate AmazonEKSClusterAdminPolicy",
        ),
    ],
)
def test_what_gives_no_rights_or_all_is_refused(arguments: dict[str, Any], text: str) -> None:
    chart = cdk8s.Chart(cdk8s.App(), "rights")
    assert refusal(partial(KubernetesGroup, chart, "x", **arguments)) == f"rights/x: {text}"
