"""Objects of Argo CD: a cluster by its ARN, and an Application or ApplicationSet of a folder."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import cdk8s
import pytest

from automode_constructs import ArgoCdApplication, ArgoCdCluster
from tests.refusal import refusal

ARN = "arn:aws:eks:eu-west-1:111122223333:cluster/bank"
HTTPS = "https://github.com/corp/clusters.git"


def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.App(), "argo-cd", namespace="argocd")


def application(**arguments: Any) -> dict[str, Any]:
    made = chart()
    ArgoCdApplication(made, "platform", **{"repository": HTTPS, "path": "manifests", **arguments})
    (found,) = made.to_json()
    return dict(found)


def test_a_cluster_is_registered_by_its_arn() -> None:
    made = chart()
    ArgoCdCluster(made, "bank", cluster_arn=ARN, cluster_name="bank-eu", project="platform", labels={"ring": "canary"})
    assert made.to_json() == [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "labels": {"argocd.argoproj.io/secret-type": "cluster", "ring": "canary"},
                "name": "bank",
                "namespace": "argocd",
            },
            "stringData": {"name": "bank-eu", "project": "platform", "server": ARN},
        }
    ]


def test_an_application_syncs_one_folder_and_deletes_nothing_by_itself() -> None:
    found = application()
    assert (found["kind"], found["metadata"]["namespace"]) == ("Application", "argocd")
    assert "finalizers" not in found["metadata"]
    spec = found["spec"]
    assert spec["source"] == {
        "repoURL": HTTPS,
        "targetRevision": "main",
        "path": "manifests",
        "directory": {"recurse": True},
    }
    assert spec["destination"] == {"name": "in-cluster"}
    assert spec["syncPolicy"]["automated"] == {"prune": False, "selfHeal": True}
    assert spec["syncPolicy"]["syncOptions"] == ["ServerSideApply=true"]


def test_people_may_sync_instead() -> None:
    assert "automated" not in application(automated=False)["spec"]["syncPolicy"]
    assert application(prune=True)["spec"]["syncPolicy"]["automated"]["prune"] is True


def test_many_clusters_have_a_folder_each() -> None:
    found = application(clusters={"ring": "canary"}, path="manifests/{{.name}}")
    assert found["kind"] == "ApplicationSet"
    spec = found["spec"]
    assert spec["generators"] == [{"clusters": {"selector": {"matchLabels": {"ring": "canary"}}}}]
    assert spec["template"]["metadata"] == {"name": "platform-{{.name}}"}
    assert spec["template"]["spec"]["source"]["path"] == "manifests/{{.name}}"
    assert spec["template"]["spec"]["destination"] == {"name": "{{.name}}"}
    assert spec["goTemplateOptions"] == ["missingkey=error"]


@pytest.mark.parametrize(
    "repository",
    [
        HTTPS,
        "ssh://git@git.example.com:2222/corp/clusters.git",
        "git@github.com:corp/clusters.git",
        "oci://111122223333.dkr.ecr.eu-west-1.amazonaws.com/manifests",
        "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/clusters",
        cdk.Token.as_string({"Ref": "Repository"}),
    ],
)
def test_addresses_of_repositories(repository: str) -> None:
    assert application(repository=repository)["spec"]["source"]["repoURL"] == repository


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"repository": "corp/clusters"},
            "repository: 'corp/clusters' is not the address of a repository; write one like "
            "'https://github.com/corp/clusters.git'",
        ),
        (
            {"repository": "https://bot:token@github.com/corp/clusters.git"},
            "repository: holds a password, which everybody who reads the Application would see; leave it out, and name "
            "a secret of AWS Secrets Manager in 'sources' of the ArgoCdCapability",
        ),
        (
            {"path": "/manifests"},
            "path: '/manifests' is not a folder of the repository; write it relative to the repository's root",
        ),
        ({"path": "a/../../b"}, "path: 'a/../../b' is not a folder of the repository"),
        (
            {"clusters": {"ring": "canary"}},
            "path: 'manifests' is the same for all clusters, and our YAML holds the subnets and roles of one; write a "
            "folder for each, and '{{.name}}' for the cluster's name: 'manifests/{{.name}}'",
        ),
        (
            {"path": "{{.name}}"},
            "path: '{{.name}}' is a template, which only an ApplicationSet fills in; give clusters",
        ),
        ({"clusters": {}, "path": "{{.name}}"}, "clusters: is empty, which chooses every registered cluster; name"),
        (
            {"clusters": {"a": "b"}, "path": "{{.name}}", "cluster_name": "bank"},
            "cluster_name: is for one cluster, and clusters is given; leave out one of the two",
        ),
        ({"clusters": {"a": "b c"}, "path": "{{.name}}"}, "clusters['a']: 'b c' or its key is not a label"),
        ({"revision": "a b"}, "revision: 'a b' is no branch, tag or commit"),
        ({"project": "My project"}, "project: 'My project' is not a name; use 1 to 63 lower-case letters"),
        ({"cluster_name": "Bank"}, "cluster_name: 'Bank' is not a name"),
    ],
)
def test_an_application_refuses(arguments: dict[str, Any], words: str) -> None:
    text = refusal(lambda: application(**arguments))
    assert text.startswith("argo-cd/platform: ")
    assert words in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"cluster_arn": "https://kubernetes.default.svc"},
            "cluster_arn: 'https://kubernetes.default.svc' is not the ARN of a cluster; give "
            "arn:<partition>:eks:<region>:<account>:cluster/<name>; the managed Argo CD takes no address",
        ),
        ({"cluster_name": "In cluster"}, "cluster_name: 'In cluster' is not a name"),
        ({"project": ""}, "project: '' is not a name"),
        ({"labels": {"a b": "c"}}, "labels['a b']: 'c' or its key is not a label of Kubernetes; use at most 63"),
    ],
)
def test_a_registration_refuses(arguments: dict[str, Any], words: str) -> None:
    text = refusal(lambda: ArgoCdCluster(chart(), "bank", **{"cluster_arn": ARN, **arguments}))
    assert text.startswith("argo-cd/bank: ")
    assert words in text
