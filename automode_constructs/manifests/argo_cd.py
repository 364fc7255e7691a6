"""Objects of Argo CD: the registration of a cluster by its ARN, and an Application of a folder of YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.errors import shown
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.tokens import is_token

__all__ = ["ARGO_CD_GROUP", "IN_CLUSTER", "ArgoCdApplication", "ArgoCdCluster", "check_repository"]

ARGO_CD_GROUP: Final = "automode-argo-cd"
"""The Kubernetes group of the managed Argo CD. It has no rights of its own; RoleBindings and guard rails name it."""

IN_CLUSTER: Final = "in-cluster"
"""What Argo CD calls the cluster that it is a capability of, unless registered by another name."""

_CLUSTER_ARN = re.compile(r"arn:[^:]+:eks:[^:]+:[^:]+:cluster/.+")
_NAME = re.compile(r"(?=.{1,63}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_LABEL_KEY = re.compile(
    r"(?:(?=[^/]{1,253}/)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?"
)
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_REPOSITORY = re.compile(
    r"(?:https|ssh|oci)://(?:[\w.-]+@)?[\w.-]+(?::[0-9]+)?/\S+|[\w.-]+@[\w.-]+:\S+|[\w.-]+\.dkr\.ecr\.\S+", re.ASCII
)
_PASSWORD = re.compile(r"[a-z]+://[^/@\s]*:[^/@\s]*@")
_PATH = re.compile(r"(?!/)(?!.*(?:^|/)\.\.(?:/|$))[^\s\\]+")
_OF_ITS_CLUSTER = "{{.name}}"
"""In an ApplicationSet: the name of the registered cluster."""


class ArgoCdCluster(KubernetesObject):
    """Registers a cluster with a managed Argo CD, by the cluster's ARN.

    Creates a Secret in the namespace of Argo CD, which holds no secret: a name, the ARN and the project. The managed
    Argo CD does not register even its own cluster by itself, and takes no address of an API server. A cluster other
    than its own needs an ``ArgoCdAccess`` there.

    Args:
        scope: a cdk8s chart whose namespace is that of Argo CD, or a construct in one.
        id: the construct's id.
        cluster_arn: the ARN of the cluster; may be a token.
        cluster_name: what Applications call the cluster, at most 63 lower-case letters, digits and ``-``.
            Default: ``in-cluster``; we decide.
        project: the one Argo CD project whose Applications may use it. Default: every project.
        labels: labels by which ApplicationSets choose it. Default: none.
        name: ``metadata.name``. Default: the id.

    Raises:
        AutoModeError: for what is no ARN of a cluster, no name or no label.

    Source: EKS User Guide, "Register target clusters".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster_arn: str,
        cluster_name: str = IN_CLUSTER,
        project: str | None = None,
        labels: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        if not (is_token(cluster_arn) and ":" not in cluster_arn) and _CLUSTER_ARN.fullmatch(cluster_arn) is None:
            refusals.refuse(
                "cluster_arn",
                f"{shown(cluster_arn)} is not the ARN of a cluster",
                "give arn:<partition>:eks:<region>:<account>:cluster/<name>; the managed Argo CD takes no address",
            )
        _check_name(refusals, "cluster_name", cluster_name)
        if project is not None:
            _check_name(refusals, "project", project)
        _check_labels(refusals, "labels", labels or {})
        refusals.raise_all()
        super().__init__(
            scope,
            id,
            api_version="v1",
            kind="Secret",
            name=name,
            cluster_scoped=False,
            body={"stringData": {"name": cluster_name, "server": cluster_arn, "project": project}},
        )
        for key, value in {"argocd.argoproj.io/secret-type": "cluster", **(labels or {})}.items():
            self.metadata.add_label(key, value)


class ArgoCdApplication(KubernetesObject):
    """An Argo CD Application of a folder of YAML in a repository, or an ApplicationSet of one folder for each cluster.

    Creates an ``Application``; with ``clusters``, an ``ApplicationSet`` that makes an Application for every registered
    cluster with these labels. Argo CD reads Git every 6 minutes. It syncs by server-side apply, puts changed objects
    back, and retries five times: a NodePool may come before its NodeClass.

    The object has no finalizer: what it deployed stays when the Application is deleted.

    Args:
        scope: a cdk8s chart whose namespace is that of Argo CD, or a construct in one.
        id: the construct's id.
        repository: the address of the repository: ``https://``, ``ssh://``, ``git@...`` or ``oci://``, without a
            password.
        path: the folder, relative to the repository, as ``write_yaml_folder`` wrote it. With ``clusters`` it contains
            ``{{.name}}``, the name of the registered cluster: our YAML holds the subnets and roles of one cluster.
        revision: the branch, tag or commit. Default: ``main``; we decide.
        project: the Argo CD project. Default: ``default``, as Argo CD has it.
        cluster_name: the cluster to deploy to, by its registered name; not with ``clusters``. Default: ``in-cluster``.
        clusters: labels of the registered clusters to deploy to. Default: none, the one of ``cluster_name``.
        automated: whether Argo CD syncs by itself. Default: True; we decide, Argo CD would wait for people.
        prune: whether Argo CD deletes objects that leave the folder; a NodePool takes its nodes with it.
            Default: False, as Argo CD decides.
        name: ``metadata.name``. Default: the id.

    Raises:
        AutoModeError: for an address with a password or of another form; for a path that leaves the repository; for
            ``clusters`` without ``{{.name}}`` in the path, which would give all clusters the nodes of one.

    Source: Argo CD, "Application Specification" and "Generating Applications with ApplicationSet"; EKS User Guide,
    "Create Applications" and "Use ApplicationSets".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        repository: str,
        path: str,
        revision: str = "main",
        project: str = "default",
        cluster_name: str | None = None,
        clusters: Mapping[str, str] | None = None,
        automated: bool = True,
        prune: bool = False,
        name: str | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        check_repository(refusals, repository)
        _check_path(refusals, path, many=clusters is not None)
        if not revision or re.search(r"\s", revision):
            refusals.refuse("revision", f"{shown(revision)} is no branch, tag or commit")
        _check_name(refusals, "project", project)
        if cluster_name is not None:
            _check_name(refusals, "cluster_name", cluster_name)
        if clusters is not None:
            _check_labels(refusals, "clusters", clusters)
            if not clusters:
                refusals.refuse(
                    "clusters", "is empty, which chooses every registered cluster", "name labels, or leave it out"
                )
            if cluster_name is not None:
                refusals.refuse("cluster_name", "is for one cluster, and clusters is given", "leave out one of the two")
        refusals.raise_all()
        spec: dict[str, Any] = {
            "project": project,
            "source": {"repoURL": repository, "targetRevision": revision, "path": path, "directory": {"recurse": True}},
            "destination": {"name": _OF_ITS_CLUSTER if clusters else cluster_name or IN_CLUSTER},
            "syncPolicy": {
                "automated": {"prune": prune, "selfHeal": True} if automated else None,
                "syncOptions": ["ServerSideApply=true"],
                "retry": {"limit": 5, "backoff": {"duration": "30s", "factor": 2, "maxDuration": "5m"}},
            },
        }
        metadata = id if name is None else name
        if clusters:
            spec = {
                "goTemplate": True,
                "goTemplateOptions": ["missingkey=error"],
                "generators": [{"clusters": {"selector": {"matchLabels": dict(clusters)}}}],
                "template": {"metadata": {"name": f"{metadata}-{_OF_ITS_CLUSTER}"}, "spec": spec},
            }
        super().__init__(
            scope,
            id,
            api_version="argoproj.io/v1alpha1",
            kind="ApplicationSet" if clusters else "Application",
            name=name,
            cluster_scoped=False,
            body={"spec": spec},
        )


def check_repository(refusals: Refusals, repository: str) -> None:
    """Refuses what is no address of a repository, and one with a password. Tokens are accepted."""
    if is_token(repository):
        return
    if _PASSWORD.match(repository):
        refusals.refuse(
            "repository",
            "holds a password, which everybody who reads the Application would see",
            "leave it out, and name a secret of AWS Secrets Manager in 'sources' of the ArgoCdCapability",
        )
    elif _REPOSITORY.fullmatch(repository) is None:
        refusals.refuse(
            "repository",
            f"{shown(repository)} is not the address of a repository",
            "write one like 'https://github.com/corp/clusters.git'",
        )


def _check_path(refusals: Refusals, path: str, *, many: bool) -> None:
    if _PATH.fullmatch(path) is None:
        refusals.refuse(
            "path", f"{shown(path)} is not a folder of the repository", "write it relative to the repository's root"
        )
    elif many and _OF_ITS_CLUSTER not in path:
        refusals.refuse(
            "path",
            f"{shown(path)} is the same for all clusters, and our YAML holds the subnets and roles of one",
            f"write a folder for each, and '{_OF_ITS_CLUSTER}' for the cluster's name: 'manifests/{_OF_ITS_CLUSTER}'",
        )
    elif not many and "{{" in path:
        refusals.refuse("path", f"{shown(path)} is a template, which only an ApplicationSet fills in", "give clusters")


def _check_name(refusals: Refusals, field: str, name: str) -> None:
    if not is_token(name) and _NAME.fullmatch(name) is None:
        refusals.refuse(
            field,
            f"{shown(name)} is not a name",
            "use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
        )


def _check_labels(refusals: Refusals, field: str, labels: Mapping[str, str]) -> None:
    for key, value in labels.items():
        if _LABEL_KEY.fullmatch(key) is None or is_token(value) or _LABEL.fullmatch(value) is None:
            refusals.refuse(
                f"{field}[{shown(key)}]",
                f"{shown(value)} or its key is not a label of Kubernetes",
                "use at most 63 letters, digits, '-', '_' and '.'",
            )
