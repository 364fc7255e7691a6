"""What a managed Argo CD needs in a cluster: registration, a project, an Application of our YAML, and its rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cdk8s

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.manifests.argo_cd import (
    ARGO_CD_GROUP,
    IN_CLUSTER,
    ArgoCdApplication,
    ArgoCdCluster,
    check_repository,
)
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.manifests.scope import ChartScope

__all__ = ["PLATFORM_KINDS", "ArgoCdAccessChart", "ArgoCdChart"]

PLATFORM_KINDS: Mapping[str, tuple[str, ...]] = {
    "admissionregistration.k8s.io": ("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
    "eks.amazonaws.com": ("ingressclassparams", "nodeclasses", "targetgroupbindings"),
    "gateway.networking.k8s.io": ("gatewayclasses",),
    "karpenter.sh": ("nodepools",),
    "networking.k8s.aws": ("applicationnetworkpolicies", "clusternetworkpolicies"),
    "networking.k8s.io": ("ingressclasses",),
    "snapshot.storage.k8s.io": ("volumesnapshotclasses",),
    "storage.k8s.io": ("storageclasses", "volumeattributesclasses"),
}
"""The kinds of this library's charts that no access policy of EKS for namespaces lets Argo CD write, by their group."""

_WRITE = ("create", "delete", "patch", "update")
_SWITCH = "amazon-vpc-cni"
"""The ConfigMap in kube-system that turns network policies on."""


class ArgoCdAccessChart(cdk8s.Chart):
    """What a managed Argo CD may read and write in a cluster, as RBAC for its group ``automode-argo-cd``.

    Creates a ClusterRole that reads all kinds, Secrets included, with its binding: Argo CD lists every kind before it
    syncs anything, and stops at the first that it may not. With ``platform``, also a ClusterRole that writes the kinds
    of this library's charts (NodePools, NodeClasses, classes of storage and traffic, admission policies), and a Role
    for the ConfigMap ``amazon-vpc-cni``. Objects in namespaces come from the access entry of the ``ArgoCdCapability``
    or ``ArgoCdAccess``.

    Whoever may push to the folder may then change nodes and guard rails. With guard rails, trust the group:
    ``Guardrails(trusted_groups=["automode-argo-cd"])``.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        platform: whether Argo CD may write the kinds of this library's charts. Default: True; we decide.

    Source: EKS User Guide, "Register target clusters" and "Security considerations for EKS Capabilities".
    """

    @checked_arguments
    def __init__(self, scope: ChartScope, id: str, *, platform: bool = True) -> None:
        super().__init__(scope, id)
        make_access(self, platform=platform)


class ArgoCdChart(cdk8s.Chart):
    """Lets a managed Argo CD apply the folder that ``write_yaml_folder`` writes, in its own cluster or in many.

    Creates the namespace of Argo CD, where no pod runs, and in it: the registration of the cluster by its ARN, a
    project that admits this one repository, and an Application or, with ``clusters``, an ApplicationSet. Besides, what
    ``ArgoCdAccessChart`` creates. The kinds come with the ``ArgoCdCapability``: deliver the chart after it. No page
    says whether the namespace comes with it too (?); a delivery takes over one that exists. Deliver with
    ``retain_namespaces=True``, so that the Applications of others outlive the delivery.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        cluster_arn: the ARN of the cluster that Argo CD is a capability of.
        repository: the address of the repository, see ``ArgoCdApplication``.
        path: the folder, see ``ArgoCdApplication``. Default: ``manifests``; we decide.
        revision: the branch, tag or commit. Default: ``main``; we decide.
        clusters: labels of the registered clusters to deploy to. Default: none, only the cluster itself.
        prune: whether Argo CD deletes objects that leave the folder. Default: False, as Argo CD decides.
        platform: whether Argo CD may write the kinds of this library's charts. Default: True; we decide.
        namespace: the namespace of Argo CD, as the ``ArgoCdCapability`` has it. Default: ``argocd``.

    Attributes:
        application: the Application or ApplicationSet.

    Raises:
        AutoModeError: as ``ArgoCdCluster`` and ``ArgoCdApplication`` do.

    Source: EKS User Guide, "Register target clusters", "Working with Argo CD Projects" and "Create Applications".
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        cluster_arn: str,
        repository: str,
        path: str = "manifests",
        revision: str = "main",
        clusters: Mapping[str, str] | None = None,
        prune: bool = False,
        platform: bool = True,
        namespace: str = "argocd",
    ) -> None:
        refusals = Refusals(place(scope, id))
        check_repository(refusals, repository)
        refusals.raise_all()
        super().__init__(scope, id, namespace=namespace)
        home = KubernetesObject(self, "namespace", name=namespace, api_version="v1", kind="Namespace", body={})
        home.metadata.add_label("pod-security.kubernetes.io/enforce", "restricted")
        make_access(self, platform=platform)
        cluster = ArgoCdCluster(self, "cluster", name=IN_CLUSTER, cluster_arn=cluster_arn)
        project = KubernetesObject(
            self,
            "project",
            name="platform",
            api_version="argoproj.io/v1alpha1",
            kind="AppProject",
            cluster_scoped=False,
            body={
                "spec": {
                    "description": "The YAML of the platform, from one repository",
                    "sourceRepos": [repository],
                    "destinations": [{"name": "*" if clusters else IN_CLUSTER, "namespace": "*"}],
                    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                }
            },
        )
        self.application = ArgoCdApplication(
            self,
            "application",
            name="platform",
            repository=repository,
            path=path,
            revision=revision,
            project="platform",
            clusters=clusters,
            prune=prune,
        )
        self.application.add_dependency(cluster, project)


def make_access(chart: cdk8s.Chart, *, platform: bool) -> None:
    """Creates the RBAC of Argo CD in a chart."""
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    _bind(chart, "automode-argo-cd-read", everything)
    if not platform:
        return
    _bind(
        chart,
        "automode-argo-cd-platform",
        [
            {"apiGroups": [group], "resources": list(kinds), "verbs": list(_WRITE)}
            for group, kinds in PLATFORM_KINDS.items()
        ],
    )
    # Nothing can limit the right to create by a name.
    rules = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [_SWITCH], "verbs": list(_WRITE[1:])},
    ]
    _bind(chart, "automode-argo-cd-network-policies", rules, namespace="kube-system")


def _bind(chart: cdk8s.Chart, name: str, rules: list[dict[str, Any]], *, namespace: str | None = None) -> None:
    """A role and its binding to the group, in a namespace or for the whole cluster."""
    prefix = "Cluster" if namespace is None else ""
    api = "rbac.authorization.k8s.io"
    subject = {"kind": "Group", "name": ARGO_CD_GROUP, "apiGroup": api}
    reference = {"kind": f"{prefix}Role", "name": name, "apiGroup": api}
    for kind, body in (
        (f"{prefix}Role", {"rules": rules}),
        (f"{prefix}RoleBinding", {"subjects": [subject], "roleRef": reference}),
    ):
        made = KubernetesObject(
            chart,
            f"{name}-{kind.lower()}",
            name=name,
            api_version=f"{api}/v1",
            kind=kind,
            cluster_scoped=namespace is None,
            body=body,
        )
        if namespace is not None:
            made.add_json_patch(cdk8s.JsonPatch.add("/metadata/namespace", namespace))
