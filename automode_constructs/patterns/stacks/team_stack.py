"""One team of a shared cluster in one stack: what it has in the cluster and in AWS, and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import aws_cdk as cdk
import cdk8s

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.aws.scope import AppScope
from automode_constructs.delivery.chart_delivery import ChartDelivery
from automode_constructs.patterns.charts.team_chart import TeamChart
from automode_constructs.patterns.charts.teams.team import Team
from automode_constructs.patterns.stacks.stack_options import StackOptions
from automode_constructs.patterns.stacks.team_rights import TeamRights
from automode_constructs.specs.traffic.ingress_class import IngressClassParamsSpec

__all__ = ["TeamStack"]


class TeamStack(cdk.Stack):
    """A team: its ``TeamChart`` delivered to the cluster, its ``TeamRights``, and its tags on all of it.

    Destroying the stack removes the team: its namespaces with everything in them, volumes and load balancers too, its
    nodes, its rights and roles. On an ``ImportedCluster`` the namespaces stay, unless ``retain_namespaces=False``.

    The stack costs nothing; the team's nodes and load balancer do, see ``TeamChart``.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster`` of another stack in the same environment.
        team: the team.
        load_balancers: what the load balancer of the team's IngressClass is like, see ``TeamChart``.
        load_balancer_cidrs: blocks of the subnets that load balancers are in, see ``TeamChart``. Default: the
            VPC's blocks; we decide.
        access: whether the access entries are created here, see ``TeamRights``. Default: True; we decide.
        retain_namespaces: whether the namespaces stay when the stack is destroyed, with all that is in them. Default:
            True on an ``ImportedCluster``, else False; we decide.

    Attributes:
        team: the team.
        chart: the ``TeamChart``.
        rights: the ``TeamRights``; ``rights.roles`` are those of the team's pods.

    Raises:
        AutoModeError: for tags of nodes or of a load balancer on a cluster whose role may not write them; for
            everything that ``TeamChart``, ``TeamRights`` and ``ChartDelivery`` refuse.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        cluster: AutoModeCluster | ImportedCluster,
        team: Team,
        load_balancers: IngressClassParamsSpec | None = None,
        load_balancer_cidrs: Sequence[str] | None = None,
        access: bool = True,
        retain_namespaces: bool | None = None,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        refusals = Refusals(place(scope, id))
        _check_tags(refusals, cluster, team)
        refusals.raise_all()
        super().__init__(scope, id, **stack_options)
        self.team = team
        self.chart = TeamChart(
            cdk8s.App(),
            team.name,
            team=team,
            values=cluster.values,
            load_balancers=load_balancers,
            load_balancer_cidrs=load_balancer_cidrs,
        )
        ChartDelivery(self, "Team", cluster=cluster, chart=self.chart, retain_namespaces=retain_namespaces)
        self.rights = TeamRights(self, "Rights", cluster=cluster, team=team, access=access)
        for key, value in team.tags.items():
            cdk.Tags.of(self).add(key, value)


def _check_tags(refusals: Refusals, cluster: AutoModeCluster | ImportedCluster, team: Team) -> None:
    """Refuses tags that Auto Mode would have to write and may not: no node would ever start."""
    tagged = team.nodes is not None or team.ingress_group == team.name
    if isinstance(cluster, AutoModeCluster) and team.tags and tagged and cluster.custom_tags is False:
        refusals.refuse(
            "team.tags",
            f"are for nodes or a load balancer, which the role of '{cluster.node.path}' may not tag, so that Auto Mode "
            "could create none",
            "give the cluster node_tags={...}, which let its role write tags; a new cluster may have "
            "cluster_role=ClusterRole(stack, 'ClusterRole', custom_tags=True) instead",
        )
