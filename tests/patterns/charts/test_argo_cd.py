"""What Argo CD gets in a cluster: the rights for the YAML of our charts, its objects, and a Secret that is none."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest

from automode_constructs import ClusterValues, ImportedCluster, KubernetesObject, SecurityGroupSelectorTerm
from automode_constructs.patterns import ArgoCdAccessChart, ArgoCdChart, platform_charts
from automode_constructs.specs.nodes.node_class import SubnetSelectorTerm
from tests.refusal import refusal

ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/bank"
GROUP = {"kind": "Group", "name": "automode-argo-cd", "apiGroup": "rbac.authorization.k8s.io"}


def objects(**arguments: Any) -> dict[str, dict[str, Any]]:
    chart = ArgoCdChart(
        cdk8s.App(),
        "argo-cd",
        **{"cluster_arn": ARN, "repository": "https://github.com/corp/clusters.git", **arguments},
    )
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in chart.to_json()}


def test_it_registers_the_cluster_and_applies_the_folder() -> None:
    found = objects()
    assert sorted(found) == [
        "AppProject/platform",
        "Application/platform",
        "ClusterRole/automode-argo-cd-platform",
        "ClusterRole/automode-argo-cd-read",
        "ClusterRoleBinding/automode-argo-cd-platform",
        "ClusterRoleBinding/automode-argo-cd-read",
        "Namespace/argocd",
        "Role/automode-argo-cd-network-policies",
        "RoleBinding/automode-argo-cd-network-policies",
        "Secret/in-cluster",
    ]
    project = found["AppProject/platform"]["spec"]
    assert project["sourceRepos"] == ["https://github.com/corp/clusters.git"]
    assert project["destinations"] == [{"name": "in-cluster", "namespace": "*"}]
    assert found["Application/platform"]["spec"]["project"] == "platform"
    for name, item in found.items():
        namespace = item["metadata"].get("namespace")
        expected = (
            "kube-system"
            if "network-policies" in name
            else None
            if name.startswith(("Cluster", "Namespace"))
            else "argocd"
        )
        assert namespace == expected, name


def test_many_clusters_are_chosen_by_labels() -> None:
    found = objects(clusters={"ring": "canary"}, path="manifests/{{.name}}", namespace="gitops")
    assert found["AppProject/platform"]["spec"]["destinations"] == [{"name": "*", "namespace": "*"}]
    assert found["ApplicationSet/platform"]["metadata"]["namespace"] == "gitops"


def test_rights_are_for_the_group_and_end_with_the_platform() -> None:
    chart = ArgoCdAccessChart(cdk8s.App(), "access", platform=False)
    role, binding = chart.to_json()
    assert role["rules"] == [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    assert binding["subjects"] == [GROUP]
    assert all(
        item["subjects"] == [GROUP] and item["roleRef"]["kind"] == item["kind"].removesuffix("Binding")
        for name, item in objects().items()
        if "Binding" in name
    )


def test_argo_cd_may_write_every_object_of_our_charts() -> None:
    values = ClusterValues(
        cluster_name="bank",
        region="eu-west-1",
        node_role="nodes",
        node_subnets=[SubnetSelectorTerm(id="subnet-1")],
        node_security_groups=[SecurityGroupSelectorTerm(id="sg-1")],
        built_in_pools=False,
    )
    rules = objects()["ClusterRole/automode-argo-cd-platform"]["rules"]
    writable = {(group, plural) for rule in rules for group in rule["apiGroups"] for plural in rule["resources"]}
    assert all({"create", "patch", "update", "delete"} <= {*rule["verbs"]} for rule in rules)
    seen = set()
    for chart in platform_charts(cdk8s.App(), values):
        for item in chart.to_json():
            group = item["apiVersion"].rpartition("/")[0]
            if item["kind"] == "ConfigMap":
                role = objects()["Role/automode-argo-cd-network-policies"]
                assert item["metadata"]["namespace"] == role["metadata"]["namespace"]
                assert item["metadata"]["name"] in role["rules"][1]["resourceNames"]
                continue
            kind = item["kind"].lower()
            plural = kind if kind.endswith("params") else f"{kind}es" if kind.endswith("s") else f"{kind}s"
            seen.add((group, plural))
    assert seen - writable == set()
    assert {("karpenter.sh", "nodepools"), ("eks.amazonaws.com", "nodeclasses")} <= seen


def test_it_refuses_a_wrong_address_before_it_makes_anything() -> None:
    app = cdk8s.App()
    words = refusal(lambda: ArgoCdChart(app, "argo-cd", cluster_arn=ARN, repository="clusters"))
    assert words.startswith("argo-cd: repository: 'clusters' is not the address of a repository")
    ArgoCdChart(app, "argo-cd", cluster_arn=ARN, repository="git@github.com:corp/clusters.git")


@pytest.mark.parametrize(
    ("labels", "body"),
    [
        ({}, {"stringData": {"server": ARN}}),
        ({"argocd.argoproj.io/secret-type": "repository"}, {"stringData": {"name": "x"}}),
        ({"argocd.argoproj.io/secret-type": "cluster"}, {"stringData": {"name": "x", "config": "{}"}}),
        ({"argocd.argoproj.io/secret-type": "cluster"}, {"data": {"name": "eA=="}}),
    ],
)
def test_other_secrets_are_still_refused(labels: dict[str, str], body: dict[str, Any]) -> None:
    app = cdk.App()
    cluster = ImportedCluster(cdk.Stack(app, "Dev"), "Cluster", cluster_name="bank")
    chart = cdk8s.Chart(cdk8s.App(), "secrets", namespace="argocd")
    secret = KubernetesObject(chart, "secret", api_version="v1", kind="Secret", cluster_scoped=False, body=body)
    for key, value in labels.items():
        secret.metadata.add_label(key, value)
    cluster.add_chart("Charts", chart)
    with pytest.raises(RuntimeError, match="would be readable in the handler's log"):
        app.synth()
