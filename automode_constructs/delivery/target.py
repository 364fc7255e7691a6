"""What a delivery asks of its cluster, and what it is made of itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import aws_cdk as cdk
import cdk8s
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct, IDependable

from automode_constructs.checks.whole_tree import ObjectKey
from automode_constructs.errors import AutoModeError, Problem

__all__ = ["Delivery", "DeliveryTarget"]


class DeliveryTarget(Construct):
    """A cluster that objects are delivered to, and what deliveries ask of it."""

    cluster: eks.Cluster | eks.ICluster
    """The CDK's cluster."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.deliveries: list[Delivery] = []
        """Every delivery to this cluster."""
        self.attached = False
        """Whether the resources of its deliveries are made."""

    @property
    def default_node_class(self) -> bool:
        """Whether EKS makes the NodeClass ``default`` in this cluster."""
        raise AutoModeError.of(self.node.path, "", "this kind of cluster does not say whether it has built-in pools")

    @property
    def built_in_pools(self) -> Collection[str] | None:
        """The pools that EKS keeps in this cluster, or ``None`` where that is not known."""
        return None

    @property
    def other_nodes(self) -> bool:
        """Whether the cluster may have nodes that no NodePool makes: managed node groups, Fargate, hybrid nodes."""
        return True

    @property
    def internet(self) -> bool | None:
        """Whether nodes reach the internet, or ``None`` where that is not known."""
        return None

    @property
    def charts_are_all_known(self) -> bool:
        """Whether this app makes every chart of the cluster, so that something missing is an error."""
        return True

    @property
    def delivery_dependencies(self) -> Sequence[IDependable]:
        """What must be there before the first object is made, and stay until the last one is deleted."""
        return ()

    def check_environment(self, where: str, scope: Construct, reason: str) -> None:
        """Refuses a stack of another account or region, where nothing could be made for this cluster."""
        stack, home = cdk.Stack.of(scope), cdk.Stack.of(self)
        if stack.environment != home.environment:
            raise AutoModeError.of(
                where,
                "cluster",
                f"'{self.node.path}' is in {home.environment}, this stack in {stack.environment}",
                f"give both stacks the same env: {reason}",
            )

    def check_deliverable(self, where: str) -> None:
        """Refuses a delivery that could never arrive; called when one is made."""


class Delivery(Construct):
    """A chart on its way to a cluster: ``ChartDelivery`` without its checks."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: DeliveryTarget,
        chart: cdk8s.Chart,
        place: str,
        removal_policy: cdk.RemovalPolicy,
        adopt: bool,
        retain_namespaces: bool,
    ) -> None:
        super().__init__(scope, id)
        self.cluster = cluster
        self.chart = chart
        self.place = place
        """Where the chart is, as ``rendering.render.place_of`` says it."""
        self.removal_policy = removal_policy
        self.adopt = adopt
        """Whether objects that all of the cluster has in common are taken over where they exist."""
        self.retain_namespaces = retain_namespaces
        """Whether namespaces stay when their resources go."""
        self.manifests: dict[ObjectKey, eks.KubernetesManifest] = {}
        """The resources by object, filled when the app is synthesised."""
        self.problems: list[Problem] = []
        """What is wrong with the chart, filled when the app is synthesised; it fails the synthesis."""
        self.rendered_constructs = 0
        """How many constructs the chart had when its objects were read."""
        cluster.deliveries.append(self)
