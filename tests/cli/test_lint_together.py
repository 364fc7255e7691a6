"""What the linter finds in files that no object shows alone; and what it leaves alone, since files never show all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from automode_constructs.cli.lint import lint

TOGETHER = {
    "automode:DuplicateObject",
    "automode:EqualWeights",
    "automode:NlbInLocalZone",
    "automode:NodeClassNotFound",
    "automode:PolicyNames",
    "automode:ReferenceNotFound",
    "automode:ReservedNotAdmitted",
    "automode:WorkloadFitsNoPool",
}


def node_class(name: str, **spec: Any) -> dict[str, Any]:
    selectors = {"subnetSelectorTerms": [{"id": "subnet-0123"}], "securityGroupSelectorTerms": [{"id": "sg-0123"}]}
    return {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "NodeClass",
        "metadata": {"name": name},
        "spec": {"role": "nodes", **selectors, **spec},
    }


def pool(name: str, of: str = "default", category: str = "c", capacity: str = "on-demand", **spec: Any) -> Any:
    requirements = [
        {"key": "eks.amazonaws.com/instance-category", "operator": "In", "values": [category]},
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": [capacity]},
    ]
    reference = {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": of}
    template = {"spec": {"nodeClassRef": reference, "requirements": requirements}}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {"template": template, **spec},
    }


def deployment(**selector: str) -> dict[str, Any]:
    pods = {"nodeSelector": selector, "containers": [{"name": "main", "image": "example.com/app:1"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app", "namespace": "apps"},
        "spec": {"template": {"metadata": {"labels": {"app": "app"}}, "spec": pods}},
    }


def found(folder: Path, *files: list[Any], cluster: bool = False) -> list[str]:
    """The findings about more than one object, of files with one document a line."""
    for number, documents in enumerate(files):
        (folder / str(number)).mkdir()
        text = "".join(f"---\n{json.dumps(document)}\n" for document in documents)
        (folder / str(number) / "all.yaml").write_text(text, "utf-8")
    return [
        f"{Path(finding.file).parent.name}:{finding.line} {finding.severity} {finding.rule} {finding}"
        for finding in lint([str(folder)], cluster=cluster).findings
        if finding.rule in TOGETHER
    ]


def test_a_reservation_that_no_pool_admits_is_a_warning(tmp_path: Path) -> None:
    reserved = node_class("gpu", capacityReservationSelectorTerms=[{"id": "cr-56fac701cc1951b03"}])
    assert found(tmp_path, [reserved, pool("gpu", "gpu", "g")]) == [
        "0:4 warning automode:ReservedNotAdmitted spec.template.spec.requirements: NodeClass 'gpu' selects capacity "
        "reservations, but NodePool 'gpu' does not admit the capacity type reserved, so they are never used; "
        "add reserved to the values of karpenter.sh/capacity-type"
    ]


def test_a_slip_in_the_name_of_a_class_is_a_warning(tmp_path: Path) -> None:
    assert found(
        tmp_path, [node_class("gpu")], [pool("a", "gpuu"), pool("b", "other"), pool("c", "gpu"), pool("d")]
    ) == [
        "1:2 warning automode:NodeClassNotFound spec.template.spec.nodeClassRef.name: none of these files defines the "
        "NodeClass 'gpuu', so NodePool 'a' never launches a node; did you mean 'gpu'?",
        "1:4 warning automode:NodeClassNotFound spec.template.spec.nodeClassRef.name: none of these files defines the "
        "NodeClass 'other', so NodePool 'b' never launches a node; add it, unless it is in the cluster already",
    ]


def test_where_no_file_makes_classes_they_are_elsewhere(tmp_path: Path) -> None:
    assert found(tmp_path, [pool("a", "gpu"), pool("b", "other")]) == []


@pytest.mark.parametrize("name", ["${NAME}", "{{ .Values.name }}"])
def test_a_class_whose_name_is_filled_in_later_may_be_any(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, [node_class(name), node_class("general"), pool("a", "gpu")]) == []


def test_what_a_template_names_is_there_and_no_more_is_known_of_it(tmp_path: Path) -> None:
    unfinished = pool("b", "gpu", "${CATEGORY}", weight=1)
    fits = deployment(**{"eks.amazonaws.com/instance-category": "r"})
    assert found(tmp_path, [node_class("gpu", role="${ROLE}"), pool("a", "gpu", weight=1), unfinished, fits]) == []


def test_a_workload_that_fits_none_of_the_pools_in_the_files_is_a_warning(tmp_path: Path) -> None:
    lost = deployment(**{"example.com/team": "a"})
    assert found(tmp_path, [lost, pool("p")]) == [
        "0:2 warning automode:WorkloadFitsNoPool spec.template.spec.nodeSelector: Deployment 'app' in namespace 'apps' "
        "fits no pool: no pool launches nodes with example.com/team=a; correct the nodeSelector, or set these labels "
        "or requirements in a pool"
    ]


def test_where_no_file_holds_pools_workloads_are_not_held_against_them(tmp_path: Path) -> None:
    assert found(tmp_path, [deployment(**{"example.com/team": "a"})]) == []


def test_pools_of_equal_weight_are_a_warning_in_one_cluster(tmp_path: Path) -> None:
    assert [text[:31] for text in found(tmp_path, [pool("a", weight=1)], [pool("b", weight=1)])] == [
        "1:2 warning automode:EqualWeigh"
    ]


def switch(value: Any) -> dict[str, Any]:
    metadata = {"name": "amazon-vpc-cni", "namespace": "kube-system"}
    data = {"enable-network-policy-controller": value}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_policies_that_nothing_enforces_are_a_warning(tmp_path: Path) -> None:
    def told(name: str, *documents: Any) -> list[str]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "all.yaml").write_text("".join(f"---\n{json.dumps(one)}\n" for one in documents), "utf-8")
        findings = lint([str(tmp_path / name)]).findings
        return [f"{finding.line} {finding.severity} {finding.rule} {finding}" for finding in findings]

    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "deny"}, "spec": {}}
    denying = node_class("deny", networkPolicy="DefaultDeny")
    assert told("on", policy, denying, switch("true")) == []
    assert told("missing", policy, denying) == [
        "2 warning automode:NetworkPolicyController nothing enforces NetworkPolicy 'deny' and 1 more: EKS Auto Mode "
        "needs the ConfigMap 'amazon-vpc-cni' in namespace 'kube-system' with enable-network-policy-controller: 'true',"
        " which no file that is judged holds; add it, unless the cluster has it already"
    ]
    assert told("off", policy, denying, switch("false")) == [
        "6 warning automode:NetworkPolicyController data['enable-network-policy-controller']: got 'false', so that "
        "nothing enforces NetworkPolicy 'deny' and 1 more; write 'true', in quotes"
    ]
    (boolean,) = told("boolean", policy, switch(True))
    assert boolean.startswith("4 error automode:Value data['enable-network-policy-controller']: ")
    assert told("placeholder", policy, switch("${ENABLED}")) == [
        "4 error automode:UnrenderedTemplate data.enable-network-policy-controller: the placeholder '${ENABLED}' is "
        "not filled in; judge what the template makes (helm template, kustomize build, envsubst), or write the value"
    ]


def test_the_files_of_several_clusters_hold_nothing_but_duplicates(tmp_path: Path) -> None:
    def of_cluster(own: str) -> list[Any]:
        policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": own}}
        ours = {"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "ApplicationNetworkPolicy"}
        other = {**ours, "metadata": {"name": {"a": "b", "b": "a"}[own]}, "spec": {}}
        return [node_class("gpu"), pool("gpu", "gpu", weight=1), pool(f"gpu-{own}", "gpu", weight=1), policy, other]

    texts = found(tmp_path, of_cluster("a"), of_cluster("b"))
    (text,) = texts
    assert text.startswith(
        "1:2 warning automode:DuplicateObject metadata.name: NodeClass 'gpu' and 1 more are also created by "
    )
    assert text.endswith(
        "/0/all.yaml:2, and in one cluster the one applied last wins; give one of them another name, or lint the "
        "files of "
        "each cluster by themselves"
    )


def test_two_objects_of_one_name_in_the_files_of_a_cluster_are_errors(tmp_path: Path) -> None:
    texts = found(tmp_path, [node_class("gpu")], [node_class("gpu")], cluster=True)
    assert [text.partition(":Dup")[0] for text in texts] == ["1:2 error automode"]


def test_the_examples_of_this_repository_are_told_no_more_than_before() -> None:
    run = lint([str(Path(__file__).parents[2] / "examples")])
    assert {finding.rule for finding in run.findings} & TOGETHER <= {"automode:DuplicateObject"}


def test_where_the_files_are_all_of_a_cluster_a_missing_object_is_an_error(tmp_path: Path) -> None:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    lost = deployment(**{"example.com/team": "a"})
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}
    objects = [pool("a", "gpu"), {**claim, "spec": {"storageClassName": "fast"}}, lost, namespace]
    assert found(tmp_path, objects, cluster=True) == [
        "0:2 error automode:NodeClassNotFound spec.template.spec.nodeClassRef.name: none of these files defines the "
        "NodeClass 'gpu', so NodePool 'a' never launches a node; add it",
        "0:4 error automode:ReferenceNotFound spec.storageClassName: none of these files defines the StorageClass "
        "'fast', so the claim stays pending; add it",
        "0:6 error automode:WorkloadFitsNoPool spec.template.spec.nodeSelector: Deployment 'app' in namespace 'apps' "
        "fits no pool: no pool launches nodes with example.com/team=a; correct the nodeSelector, or set these labels "
        "or requirements in a pool",
    ]


def test_what_eks_makes_itself_is_there_in_every_cluster(tmp_path: Path) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}
    ordinary = deployment(**{"eks.amazonaws.com/instance-category": "r"})
    assert found(tmp_path, [pool("a"), ordinary, namespace], cluster=True) == []


OF_EKS = {"app.kubernetes.io/managed-by": "eks"}


def of_eks(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "metadata": {**document["metadata"], "labels": OF_EKS}}


@pytest.mark.parametrize(
    "document",
    [
        pool("general-purpose"),
        pool("system", "nowhere"),
        pool("odd", requirements="none"),
        node_class("default", role=1),
        {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "alb"}, "spec": {}},
        {
            "apiVersion": "eks.amazonaws.com/v1",
            "kind": "IngressClassParams",
            "metadata": {"name": "a"},
            "spec": {"x": 1},
        },
        {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gp2"}, "provisioner": 1},
        {"apiVersion": "networking.k8s.aws/v1alpha1", "kind": "ClusterNetworkPolicy", "metadata": {"name": "a"}},
        {"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", "metadata": {"name": "a"}},
    ],
    ids=lambda document: f"{document['kind']}-{document['metadata']['name']}",
)
@pytest.mark.parametrize("cluster", [True, False])
def test_of_an_object_that_eks_keeps_there_is_no_word(tmp_path: Path, document: dict[str, Any], cluster: bool) -> None:
    path = tmp_path / "dump.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [of_eks(document)]}), "utf-8")
    run = lint([str(path)], cluster=cluster)
    assert run.findings == []


def test_a_hand_written_object_of_the_same_name_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    path.write_text(json.dumps(pool("general-purpose")), "utf-8")
    assert "automode:ReservedName" in {finding.rule for finding in lint([str(path)]).findings}


def test_where_eks_pools_are_among_the_objects_no_others_of_its_own_are_on(tmp_path: Path) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}
    on_r = deployment(**{"eks.amazonaws.com/instance-category": "r"})
    (finding,) = found(tmp_path, [of_eks(pool("general-purpose", category="m")), on_r, namespace], cluster=True)
    assert "error automode:WorkloadFitsNoPool" in finding
