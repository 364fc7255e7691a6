"""Agents on every node, in a stack of their own that is the same for every cluster of a fleet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack, cast

import aws_cdk as cdk
import cdk8s
import jsii
from aws_cdk import IAspect
from constructs import IConstruct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.aws.scope import AppScope
from automode_constructs.delivery.chart_delivery import ChartDelivery
from automode_constructs.patterns.charts.node_agents.chart import NAMESPACE, REMOVER_IMAGE, NodeAgentsChart
from automode_constructs.patterns.charts.node_agents.node_agent import NodeAgent
from automode_constructs.patterns.stacks.stack_options import StackOptions

__all__ = ["NodeAgentsStack"]


class NodeAgentsStack(cdk.Stack):
    """Delivers ``NodeAgentsChart`` to a cluster, and names Fargate profiles of the app where no agent can run.

    Make one for each cluster, all with the same list of agents, each with the ring of its cluster. Removing the stack
    removes the agents; a pool that keeps the startup taint of an agent gets no usable node from then on, so remove
    the taint first.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster`` in the same environment.
        agents: the agents, each with the same rings in the same order.
        ring: the ring of the cluster.
        namespace: the agents' own namespace. Default: ``node-agents``; we decide.
        remover_image: the image that removes startup taints; see ``NodeAgentsChart``.

    Raises:
        AutoModeError: as ``NodeAgentsChart`` and ``ChartDelivery`` do.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        cluster: AutoModeCluster | ImportedCluster,
        agents: Sequence[NodeAgent],
        ring: str,
        namespace: str = NAMESPACE,
        remover_image: str = REMOVER_IMAGE,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        super().__init__(scope, id, **stack_options)
        self.chart = NodeAgentsChart(
            cdk8s.App(), "node-agents", agents=agents, ring=ring, namespace=namespace, remover_image=remover_image
        )
        delivery = ChartDelivery(self, "node-agents", cluster=cluster, chart=self.chart)
        cdk.Aspects.of(delivery).add(_FargateProfiles(delivery, cluster))


@jsii.implements(IAspect)
class _FargateProfiles:
    """Warns, when synthesis begins, of Fargate profiles of a cluster."""

    def __init__(self, delivery: ChartDelivery, cluster: AutoModeCluster | ImportedCluster) -> None:
        self._delivery = delivery
        self._cluster = cluster
        self._done = False

    def visit(self, node: IConstruct) -> None:
        """Looks once, whichever construct of the delivery comes first."""
        if self._done:
            return
        self._done = True
        stage = cdk.Stage.of(node)
        for profile in _profiles(stage or node.node.root, self._cluster):
            cdk.Annotations.of(self._delivery).add_warning_v2(
                "automode:AgentMissesFargate",
                f"no agent runs on the nodes of Fargate profile '{profile.node.path}': Fargate runs no DaemonSets; "
                "move its pods to a NodePool, give them the agent as a sidecar, or acknowledge this",
            )


def _profiles(home: IConstruct, cluster: AutoModeCluster | ImportedCluster) -> Iterator[cdk.CfnResource]:
    name, stack = cluster.cluster.cluster_name, cdk.Stack.of(cluster)
    for construct in home.node.find_all():
        if not cdk.CfnResource.is_cfn_resource(construct):
            continue
        resource = cast(cdk.CfnResource, construct)
        if resource.cfn_resource_type != "AWS::EKS::FargateProfile":
            continue
        named = getattr(resource, "cluster_name", None)
        # A raw CfnResource shows no properties: then any profile may be the cluster's. Logical ids, to which names
        # resolve, are a stack's own.
        alike = resource.stack is stack and stack.resolve(named) == stack.resolve(name)
        if named is None or named == name or alike:
            yield resource
