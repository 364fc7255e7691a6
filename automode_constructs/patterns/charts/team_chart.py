"""What a team has inside the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import cdk8s

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.checks.team_nodes import TEAM_LABEL
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.ingress_class import IngressClass, IngressClassParams
from automode_constructs.manifests.kubernetes_group import KubernetesGroup
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.manifests.node_class import NodeClass
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.pod_network_policy import DNS, POD_IDENTITY, PodNetworkPolicy, peers_of
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.patterns.charts.teams.quota import TeamQuota
from automode_constructs.patterns.charts.teams.team import Team
from automode_constructs.specs.pools.node_pool import NodeMetadata, NodePoolSpec
from automode_constructs.specs.traffic.ingress_class import IngressClassParamsSpec, IngressGroup, LoadBalancerTag
from automode_constructs.specs.traffic.label_selector import LabelExpression, LabelSelector
from automode_constructs.specs.traffic.network_policy import (
    ApplicationEgressPeer,
    ApplicationEgressRule,
    ApplicationIngressRule,
    ApplicationNetworkPolicySpec,
    ApplicationPeer,
    ClusterIngressRule,
    ClusterNetworkPolicySpec,
    ClusterPeer,
    IpBlock,
)

__all__ = ["TeamChart"]

_POD_SECURITY = "pod-security.kubernetes.io"
_SAME_NAMESPACE = LabelSelector()
_PRIORITY = 500
"""In the middle, so that policies of the platform can come before and after."""


class TeamChart(cdk8s.Chart):
    """The namespaces of a team with their ceilings and network policies, its nodes, and its IngressClass.

    Creates for each namespace:

    - the Namespace, with the label ``automode-constructs/team`` and Pod Security labels;
    - a ResourceQuota and a LimitRange ``team``, see ``TeamQuota``;
    - a NetworkPolicy ``default-deny`` for all pods, which lets them open connections to their namespace, to DNS and to
      ``team.egress`` only (with Pod Identity, to its agent too), and an ApplicationNetworkPolicy
      ``default-deny-domains`` where that names domains;
    - a NetworkPolicy ``same-namespace``, which admits connections of the namespace, of ``team.client_teams`` and
      ``team.clients``, and if the team has an IngressClass, of ``load_balancer_cidrs``;
    - with ``team.kinds``, a Role and a RoleBinding of its editors.

    For the team, each with its name, it creates a NodeClass and a NodePool with label and taint, and an IngressClass
    with its IngressClassParams, which only its namespaces may use; and a ClusterNetworkPolicy ``team-<name>``, which
    refuses connections of all teams but ``client_teams``. Load balancers have addresses of the VPC as pods do, so that
    a policy which admits them would admit every pod; and editors can delete the policies of their namespaces, but not
    this one. That EKS lets its refusal go before the admitted addresses is its documented order; nobody has seen it
    live yet (?).

    Policies hold once network policies are on, see ``NetworkPolicyController``; the taint keeps others away once
    ``Guardrails(tenants=tenants_of(teams))`` refuses their tolerations.

    Only nodes and load balancers cost anything: EC2 with Auto Mode's fee (about 7.8 % of the on-demand price for G,
    4.8 % for P and Trainium, 12 % for others), and about 0.0225 USD an hour and LCUs for an Application Load Balancer
    in us-east-1 (?), as of 27 November 2026. A pool without pods has no node, unless it is static.

    Namespaces come after the pool and the IngressClass and go before them, so that load balancers and nodes are gone
    with what used them. A namespace is deleted with everything in it, volumes and load balancers too.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        team: the team.
        values: the cluster's values.
        load_balancers: what the load balancer of the team's IngressClass is like,
            ``values.ingress_class_params_spec(...)``; all teams of a group need the same. Default: internal, open to
            the VPC alone; we decide.
        load_balancer_cidrs: blocks of the subnets that load balancers are in, which may reach the pods of a team with
            an ``ingress_group``; so may pods with addresses in them that belong to no team. Default: the VPC's blocks;
            we decide.

    Attributes:
        team: the team.
        namespaces: the Namespace objects by name.
        node_pool: the NodePool; ``None`` without nodes of its own.
        ingress_class: the IngressClass; ``None`` without one.

    Raises:
        AutoModeError: for blocks that are none, or for a team without an ``ingress_group``; if none are known for one
            with it; for parameters of a load balancer that name a group or namespaces themselves; for everything
            that the objects refuse.

    Source: Kubernetes documentation, "Multi-tenancy", "Pod Security Admission"; EKS User Guide, "Create a Node Pool for
    EKS Auto Mode", "Use Network Policies with EKS Auto Mode".
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        team: Team,
        values: ClusterValues,
        load_balancers: IngressClassParamsSpec | None = None,
        load_balancer_cidrs: Sequence[str] | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        blocks = self._check(refusals, team, values, load_balancers, load_balancer_cidrs)
        refusals.raise_all()
        super().__init__(scope, id)
        self.team = team
        # Namespaces come after these, which cdk8s takes between charts side by side only.
        self._shared = cdk8s.Chart(self, "shared", labels={TEAM_LABEL: team.name})
        self.node_pool: NodePool | None = None
        self.ingress_class: IngressClass | None = None
        if team.nodes is not None:
            self.node_pool = self._nodes(team, team.nodes, values)
        if team.ingress_group is not None:
            self.ingress_class = self._ingress(
                team, team.ingress_group, load_balancers or values.ingress_class_params_spec()
            )
        self._wall(team)
        clients = [*peers_of(refusals, "team.clients", team.clients), *blocks]
        if team.client_teams:
            clients.append(ApplicationPeer(namespace_selector=_namespaces_of("In", team.client_teams)))
        self.namespaces = {name: self._namespace(team, name, quota, clients) for name, quota in team.namespaces.items()}
        for namespace in self.namespaces.values():
            for earlier in filter(None, (self.node_pool, self.ingress_class)):
                namespace.add_dependency(earlier)
        if team.kinds:
            rights = cdk8s.Chart(self, "rights", labels={TEAM_LABEL: team.name})
            KubernetesGroup(rights, "editors", name=team.group, edit=team.kinds, namespaces=[*team.namespaces])

    def _check(
        self,
        refusals: Refusals,
        team: Team,
        values: ClusterValues,
        load_balancers: IngressClassParamsSpec | None,
        load_balancer_cidrs: Sequence[str] | None,
    ) -> list[ApplicationPeer]:
        """The peers of the blocks; everything that is wrong is refused."""
        blocks: Sequence[str] = load_balancer_cidrs or ()
        if team.ingress_group is None:
            for field, value in (("load_balancers", load_balancers), ("load_balancer_cidrs", load_balancer_cidrs)):
                if value:
                    refusals.refuse(field, f"is for an IngressClass, and team '{team.name}' has none", "leave it out")
        else:
            blocks = (values.network_cidrs or ()) if load_balancer_cidrs is None else load_balancer_cidrs
            if not blocks:
                refusals.refuse(
                    "load_balancer_cidrs",
                    f"are not known, and the policies of team '{team.name}' would keep its load balancer from its pods",
                    "name the blocks of the subnets that load balancers are in",
                )
        for field in ("group", "namespace_selector"):
            if load_balancers is not None and getattr(load_balancers, field) is not None:
                refusals.refuse(f"load_balancers.{field}", "is written from the team", "leave it out")
        peers = []
        for position, cidr in enumerate(blocks):
            try:
                peers.append(ApplicationPeer(ip_block=IpBlock(cidr=cidr)))
            except AutoModeError as error:
                for problem in error.problems:
                    refusals.refuse(f"load_balancer_cidrs[{position}]", problem.message, problem.cure)
        return peers

    def _nodes(self, team: Team, spec: NodePoolSpec, values: ClusterValues) -> NodePool:
        node_class = NodeClass(
            self._shared, "node-class", name=team.name, spec=values.node_class_spec(tags=dict(team.tags) or None)
        )
        template = spec.template
        metadata = template.metadata or NodeMetadata()
        template = template.replace(
            metadata=metadata.replace(labels={**(metadata.labels or {}), TEAM_LABEL: team.name}),
            spec=template.spec.replace(taints=[*(template.spec.taints or ()), team.taint]),
        )
        return NodePool(
            self._shared, "nodes", name=team.name, node_class=node_class, spec=spec.replace(template=template)
        )

    def _ingress(self, team: Team, group: str, spec: IngressClassParamsSpec) -> IngressClass:
        tags = [LoadBalancerTag(key=key, value=value) for key, value in team.tags.items()]
        spec = spec.replace(
            group=IngressGroup(name=group),
            namespace_selector=LabelSelector(match_labels={TEAM_LABEL: team.name}),
            # The Ingresses of a group must agree on tags, so that only a group of its own can have the team's.
            tags=[*(spec.tags or ()), *(tags if group == team.name else ())] or None,
        )
        params = IngressClassParams(self._shared, "ingress-params", name=team.name, spec=spec)
        return IngressClass(self._shared, "ingress-class", name=team.name, params=params)

    def _wall(self, team: Team) -> None:
        """The policy that keeps other teams out, whatever those of the namespaces admit."""
        others = _namespaces_of("NotIn", [team.name, *team.client_teams])
        # NotIn alone would mean namespaces of no team as well.
        anybody = LabelExpression(key=TEAM_LABEL, operator="Exists")
        others = others.replace(match_expressions=[anybody, *(others.match_expressions or ())])
        spec = ClusterNetworkPolicySpec(
            tier="Admin",
            priority=_PRIORITY,
            subject=ClusterPeer(namespaces=LabelSelector(match_labels={TEAM_LABEL: team.name})),
            ingress=[ClusterIngressRule(action="Deny", name="other-teams", from_=[ClusterPeer(namespaces=others)])],
        )
        KubernetesObject(
            self._shared,
            "wall",
            name=f"team-{team.name}",
            api_version="networking.k8s.aws/v1alpha1",
            kind="ClusterNetworkPolicy",
            body={"spec": spec.to_manifest()},
        )

    def _namespace(
        self, team: Team, name: str, quota: TeamQuota, clients: Sequence[ApplicationPeer]
    ) -> KubernetesObject:
        """A namespace and what belongs to it, in a chart of its own, which gives its objects their namespace."""
        chart = cdk8s.Chart(self, f"namespace-{name}", namespace=name, labels={TEAM_LABEL: team.name})
        namespace = KubernetesObject(chart, "namespace", api_version="v1", kind="Namespace", name=name, body={})
        levels = {"enforce": team.pod_security, "audit": "restricted", "warn": "restricted"}
        for mode, level in levels.items():
            namespace.metadata.add_label(f"{_POD_SECURITY}/{mode}", level)
            namespace.metadata.add_label(f"{_POD_SECURITY}/{mode}-version", "latest")
        _inside(chart, "ResourceQuota", "v1", "team", {"hard": quota.hard()})
        _inside(chart, "LimitRange", "v1", "team", {"limits": quota.limit_range()})
        egress = [ApplicationEgressRule(to=[ApplicationEgressPeer(pod_selector=_SAME_NAMESPACE)]), DNS]
        if team.service_accounts.get(name):
            egress.append(POD_IDENTITY)
        PodNetworkPolicy(chart, "default-deny", pod_labels={}, egress=[*egress, *team.egress])
        admitted = ApplicationIngressRule(from_=[ApplicationPeer(pod_selector=_SAME_NAMESPACE), *clients])
        policy = ApplicationNetworkPolicySpec(
            pod_selector=LabelSelector(), policy_types=["Ingress"], ingress=[admitted]
        )
        _inside(chart, "NetworkPolicy", "networking.k8s.io/v1", "same-namespace", policy.to_manifest())
        return namespace


def _namespaces_of(operator: Literal["In", "NotIn"], teams: Sequence[str]) -> LabelSelector:
    return LabelSelector(match_expressions=[LabelExpression(key=TEAM_LABEL, operator=operator, values=[*teams])])


def _inside(chart: cdk8s.Chart, kind: str, api_version: str, name: str, spec: Mapping[str, Any]) -> None:
    KubernetesObject(
        chart,
        f"{name}-{kind}",
        name=name,
        api_version=api_version,
        kind=kind,
        cluster_scoped=False,
        body={"spec": spec},
    )
