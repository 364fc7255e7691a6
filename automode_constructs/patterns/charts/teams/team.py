"""Team: everything that one team of a shared cluster has, as one record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automode_constructs.arguments import Refusals, checked_arguments
from automode_constructs.checks.team_nodes import TEAM_LABEL
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.manifests.kubernetes_group import KINDS, GroupKind
from automode_constructs.manifests.pod_network_policy import peers_of
from automode_constructs.patterns.charts.guardrails.pod_security import Level
from automode_constructs.patterns.charts.guardrails.tenants import Tenant
from automode_constructs.patterns.charts.teams.quota import TeamQuota
from automode_constructs.specs.object_metadata import name_problems
from automode_constructs.specs.pools.node_pool import NodePoolSpec, Taint
from automode_constructs.specs.traffic.ingress_class import IngressGroup
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule, ApplicationPeer
from automode_constructs.tokens import is_token

__all__ = ["Team", "tenants_of"]

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?")
_OF_KUBERNETES = re.compile(r"kube-.*|default")
_MOST_TAGS = 40
"""Of the 50 that EC2 takes, EKS writes some itself."""


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class Team:
    """A team that shares a cluster with others: its namespaces, ceilings, rights, nodes and costs.

    ``TeamChart`` makes what it has inside the cluster, ``TeamRights`` its IAM side, ``TeamStack`` both, and
    ``tenants_of(teams)`` the guard of its nodes for ``Guardrails``. Ten teams are a loop over ten records.

    Args:
        name: the team's name: 1 to 50 lower-case letters, digits and ``-``, beginning with a letter. Namespaces, nodes
            and pools carry it as the label ``automode-constructs/team``; its NodePool, NodeClass and IngressClass have
            it as their name.
        namespaces: the team's namespaces, each with its ceiling. Kubernetes counts per namespace, so that a ceiling for
            all of them together is their sum.
        pod_security: the Pod Security level that the namespaces enforce; they warn of and log what is not
            ``restricted``. Default: ``baseline``; we decide.
        editors: ARNs of IAM roles that edit workloads, configuration and Secrets in the namespaces. Default: none.
        viewers: ARNs of IAM roles that read most objects in the namespaces, and no Secrets. Default: none.
        kinds: kinds that access policies do not know and editors may change as well: ``gateways``,
            ``network-policies`` or ``argo-cd``, see ``KubernetesGroup``. Default: none.
        service_accounts: by namespace, the service accounts whose pods get an IAM role by Pod Identity. Default: none.
        client_teams: other teams whose pods may connect to the team's pods, to every port. Their own ``egress`` must
            let them out. Default: none; we decide.
        clients: who else may connect, to every port, as peers of a NetworkPolicy; pods of other teams never, see
            ``client_teams``. Default: nobody; we decide.
        egress: where the pods may connect to besides their namespace and DNS; ``https_to`` makes a rule. Default:
            nowhere; we decide.
        nodes: the team's own NodePool, without NodeClass and with ``limits``; it gets the team's label and taint.
            Default: none; the team's pods run on the pools of everybody.
        ingress_group: the group of Ingresses whose Application Load Balancer the team shares. Teams that name the same
            group share it and its price; a group that is called like the team is its own, and has its tags. Default:
            none; the team gets no IngressClass.
        tags: AWS tags by which its costs are told apart: of its nodes with their volumes and network interfaces, its
            own load balancer, and the AWS resources of a ``TeamStack``. Default: none.

    Raises:
        AutoModeError: for a name that is none; without namespaces, or for one of Kubernetes itself; for service
            accounts of another namespace; for a pool with a NodeClass, without limits, or with the team's label or
            taint; for kinds without editors, or that belong to no namespace; for tags that AWS refuses.
    """

    name: str
    namespaces: Mapping[str, TeamQuota]
    pod_security: Level = "baseline"
    editors: Sequence[str] = ()
    viewers: Sequence[str] = ()
    kinds: Sequence[GroupKind] = ()
    service_accounts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    client_teams: Sequence[str] = ()
    clients: Sequence[ApplicationPeer | Mapping[str, Any]] = ()
    egress: Sequence[ApplicationEgressRule] = ()
    nodes: NodePoolSpec | None = None
    ingress_group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"Team '{self.name}'" if _NAME.fullmatch(self.name) else "Team"
        refusals = Refusals(where)
        if is_token(self.name):
            refusals.refuse("name", "is known only after deployment", "write a name: objects are called by it")
        elif where == "Team":
            refusals.refuse(
                "name",
                f"{shown(self.name)} is not the name of a team",
                "use 1 to 50 lower-case letters, digits and '-', beginning with a letter",
            )
        self._check_namespaces(refusals)
        self._check_rights(refusals)
        self._check_nodes(refusals)
        self._check_tags(refusals)
        for position, other in enumerate(self.client_teams):
            if other == self.name:
                refusals.refuse(f"client_teams[{position}]", "is the team itself", "leave it out")
            elif _NAME.fullmatch(other) is None:
                refusals.refuse(f"client_teams[{position}]", f"{shown(other)} is not the name of a team")
        peers_of(refusals, "clients", self.clients)
        if self.ingress_group is not None:
            try:
                IngressGroup(name=self.ingress_group)
            except AutoModeError as error:
                for problem in error.problems:
                    refusals.refuse("ingress_group", problem.message, problem.cure)
        refusals.raise_all()

    @property
    def group(self) -> str:
        """The Kubernetes group of the editors, for the kinds that no access policy knows."""
        return f"team-{self.name}"

    @property
    def taint(self) -> Taint:
        """The taint of the team's nodes."""
        return Taint(key=TEAM_LABEL, value=self.name, effect="NoSchedule")

    def placement(self) -> dict[str, Any]:
        """The fields of a pod that send it to the team's own nodes: ``nodeSelector`` and ``tolerations``.

        Raises:
            AutoModeError: if the team has no nodes of its own.
        """
        if self.nodes is None:
            raise AutoModeError.of(
                f"Team '{self.name}'",
                field="nodes",
                message="are none of its own",
                cure="write nodes=NodePoolSpec(...)",
            )
        toleration = {"key": TEAM_LABEL, "operator": "Equal", "value": self.name, "effect": "NoSchedule"}
        return {"nodeSelector": {TEAM_LABEL: self.name}, "tolerations": [toleration]}

    def _check_namespaces(self, refusals: Refusals) -> None:
        if not self.namespaces:
            refusals.refuse("namespaces", "is empty", "name one with its TeamQuota")
        for namespace in self.namespaces:
            at = f"namespaces[{shown(namespace)}]"
            if is_token(namespace):
                refusals.refuse(at, "is known only after deployment", "write a concrete name")
            elif _OF_KUBERNETES.fullmatch(namespace):
                refusals.refuse(at, "belongs to Kubernetes itself", "give the team a namespace of its own")
            else:
                refusals.problems += name_problems(at, namespace, api_version="v1", kind="Namespace")
        for namespace in self.service_accounts:
            if namespace not in self.namespaces:
                refusals.refuse(
                    f"service_accounts[{shown(namespace)}]",
                    "is no namespace of the team",
                    f"name one of {', '.join(self.namespaces)}",
                )

    def _check_rights(self, refusals: Refusals) -> None:
        for position, role in enumerate(self.viewers):
            if role in self.editors:
                refusals.refuse(f"viewers[{position}]", f"'{role}' is an editor too", "name it in one of the two")
        if self.kinds and not self.editors:
            refusals.refuse("kinds", "are for editors, and there are none", "name editors")
        for position, kind in enumerate(self.kinds):
            if KINDS[kind].cluster_scoped:
                refusals.refuse(
                    f"kinds[{position}]",
                    f"'{kind}' belong to no namespace, and so to all teams",
                    "give that right to the platform team, with a KubernetesGroup",
                )

    def _check_nodes(self, refusals: Refusals) -> None:
        if self.nodes is None:
            return
        with refusals.collecting("nodes"):
            self.nodes.validated()
        template = self.nodes.template
        if not self.nodes.limits and self.nodes.replicas is None:
            refusals.refuse(
                "nodes.limits", "are missing, and the pool would grow without an end", "write limits={'cpu': 64}"
            )
        if template.spec.node_class_ref is not None:
            refusals.refuse("nodes.template.spec.node_class_ref", "is the team's own NodeClass", "leave it out")
        if TEAM_LABEL in ((template.metadata and template.metadata.labels) or {}):
            refusals.refuse(
                "nodes.template.metadata.labels", f"have {TEAM_LABEL}", "leave it out: it is written for you"
            )
        if any(taint.key == TEAM_LABEL for taint in template.spec.taints or ()):
            refusals.refuse("nodes.template.spec.taints", f"have {TEAM_LABEL}", "leave it out: it is written for you")

    def _check_tags(self, refusals: Refusals) -> None:
        if len(self.tags) > _MOST_TAGS:
            refusals.refuse(
                "tags", f"are {len(self.tags)}, more than {_MOST_TAGS}", "AWS takes 50, and EKS adds its own"
            )
        for key, value in self.tags.items():
            at = f"tags[{shown(key)}]"
            if not key or len(key) > 128 or key.lower().startswith("aws:"):
                refusals.refuse(at, "is not the key of a tag", "use 1 to 128 characters, not beginning with 'aws:'")
            elif not is_token(value) and len(value) > 256:
                refusals.refuse(at, f"has {len(value)} characters", "use 256 at most")


@checked_arguments
def tenants_of(teams: Iterable[Team]) -> list[Tenant]:
    """The guard of the teams' nodes, for ``Guardrails(tenants=...)``: who may tolerate which taint.

    Args:
        teams: the teams of the cluster; those without nodes of their own need no guard.

    Raises:
        AutoModeError: for teams of the same name, or that share a namespace.
    """
    teams = list(teams)
    refusals = Refusals("tenants_of")
    names: set[str] = set()
    homes: dict[str, str] = {}
    for position, team in enumerate(teams):
        if team.name in names:
            refusals.refuse(f"teams[{position}].name", f"'{team.name}' is another team's too", "give each its own")
        names.add(team.name)
        for namespace in team.namespaces:
            if namespace in homes:
                refusals.refuse(
                    f"teams[{position}].namespaces",
                    f"'{namespace}' is a namespace of team '{homes[namespace]}' too",
                    "give each its own",
                )
            homes.setdefault(namespace, team.name)
    refusals.raise_all()
    return [Tenant(taint=team.taint, namespaces=[*team.namespaces]) for team in teams if team.nodes is not None]
