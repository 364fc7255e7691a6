"""What a delivery needs from its cluster, and what a delivery consists of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import aws_cdk as cdk
import cdk8s
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct, IDependable

from automode_constructs.checks.whole_tree import ObjectKey
from automode_constructs.errors import AutoModeError, Problem

__all__ = ["Delivery", "DeliveryTarget"]


class DeliveryTarget(Construct):
    """A cluster that objects are delivered to, and what deliveries need from it."""

    cluster: eks.Cluster | eks.ICluster
    """The CDK's cluster."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.deliveries: list[Delivery] = []
        """Every delivery to this cluster."""
        self.attached = False
        """Whether the resources of its deliveries have been created."""

    @property
    def default_node_class(self) -> bool:
        """Whether EKS creates the NodeClass ``default`` in this cluster."""
        raise AutoModeError.of(
            self.node.path, field="", message="this kind of cluster does not say whether it has built-in pools"
        )

    @property
    def built_in_pools(self) -> Collection[str] | None:
        """The pools that EKS manages in this cluster, or ``None`` if that is not known."""
        return None

    @property
    def other_nodes(self) -> bool:
        """Whether the cluster may have nodes outside NodePools: managed node groups, Fargate, hybrid nodes."""
        return True

    @property
    def ip_family(self) -> str | None:
        """The address family of pods and services, ``ipv4`` or ``ipv6``, or ``None`` if that is not known."""
        return None

    @property
    def gateway_api(self) -> bool | None:
        """Whether EKS installs the kinds of the Gateway API, or ``None`` if that is not known."""
        return None

    @property
    def internet(self) -> bool | None:
        """Whether nodes reach the internet, or ``None`` if that is not known."""
        return None

    @property
    def tags(self) -> Mapping[str, str]:
        """The AWS tags of everything that the cluster causes; empty if they are not known."""
        return {}

    @property
    def charts_are_all_known(self) -> bool:
        """Whether this app creates every chart of the cluster, so that a missing object is an error."""
        return True

    @property
    def delivery_dependencies(self) -> Sequence[IDependable]:
        """What must exist before the first object is created and until the last one is deleted."""
        return ()

    def check_environment(self, where: str, scope: Construct, reason: str) -> None:
        """Refuses a stack in another account or region, where nothing can be created for this cluster."""
        stack, home = cdk.Stack.of(scope), cdk.Stack.of(self)
        if stack.environment != home.environment:
            raise AutoModeError.of(
                where,
                field="cluster",
                message=f"'{self.node.path}' is in {home.environment}, this stack in {stack.environment}",
                cure=f"give both stacks the same env: {reason}",
            )

    def check_deliverable(self, where: str) -> None:
        """Refuses a delivery that could never arrive; called when a delivery is created."""


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
        """The chart's place, as ``rendering.render.place_of`` returns it."""
        self.removal_policy = removal_policy
        self.adopt = adopt
        """Whether existing cluster-scoped objects are taken over."""
        self.retain_namespaces = retain_namespaces
        """Whether namespaces stay when their resources are deleted."""
        self.manifests: dict[ObjectKey, eks.KubernetesManifest] = {}
        """The resources by object, filled at synthesis."""
        self.problems: list[Problem] = []
        """The problems of the chart, filled at synthesis, which they make fail."""
        self.rendered_constructs = 0
        """The number of constructs the chart had when its objects were read."""
        cluster.deliveries.append(self)
