"""The one bridge between cdk8s and the CDK: a chart becomes ordered resources of a stack."""

from __future__ import annotations

import re

import aws_cdk as cdk
import cdk8s
import jsii
from constructs import Construct, IConstruct, IValidation

from automode_constructs.arguments import checked_arguments
from automode_constructs.delivery.attachment import attach
from automode_constructs.delivery.target import Delivery, DeliveryTarget
from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.rendering.render import place_of

__all__ = ["ChartDelivery", "ChartTarget"]

_REMOVAL_POLICIES = (
    cdk.RemovalPolicy.DESTROY,
    cdk.RemovalPolicy.RETAIN,
    cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
)


class ChartTarget(DeliveryTarget):
    """A cluster that charts can be delivered to: ``AutoModeCluster`` or ``ImportedCluster``."""

    def add_chart(self, id: str, chart: cdk8s.Chart) -> ChartDelivery:
        """Delivers a chart in the cluster's own stack; ``ChartDelivery`` does it in any stack.

        Args:
            id: the delivery's id, part of every logical id: keep it.
            chart: a chart of a cdk8s app; objects added to it later arrive too.
        """
        return ChartDelivery(self, id, cluster=self, chart=chart)


class ChartDelivery(Delivery):
    """Delivers a cdk8s chart to a cluster as one CloudFormation resource per Kubernetes object.

    Creates, when the app is synthesised, a ``Custom::AWSCDK-EKS-KubernetesResource`` for each object that the chart
    and the charts nested in it hold by then. An object is made after what it needs, three at a time, and deleted before
    it: after its CRD, its namespace and its NodeClass, a workload after the pools and the configuration that it may
    use, ingress after the workloads of its namespace. An ``add_dependency`` of a cdk8s construct, or between
    deliveries, comes before that; it may also name an AWS construct. In the first stack that delivers to a cluster
    all wait until the cluster serves the CRDs of NodeClass and NodePool.

    The logical id of a resource comes from this construct's id and the object's group, kind, namespace and name, and
    from nothing else. So code can move between files and charts of one delivery without effect; a renamed object is
    made anew and the old one deleted; an object that moves to another delivery or stack is deleted by the old one
    after the new one made it: deploy it with ``removal_policy=RETAIN`` on both deliveries first. Kubernetes refuses
    changes to what it holds immutable (a StorageClass's parameters, a Job's template) when they are deployed: a changed
    one needs a new name.

    Args:
        scope: the stack, or a construct in it, that gets the resources.
        id: the delivery's id, part of every logical id: keep it. It begins with a letter.
        cluster: where to deliver.
        chart: the chart, under a cdk8s ``App`` of its own or shared.
        removal_policy: ``RETAIN`` leaves the objects in the cluster when their resources go. Default: ``DESTROY``; we
            decide.
        adopt: whether an object without a namespace that exists already (a StorageClass, a NodePool) is taken over,
            changed and later deleted; else its creation fails with Kubernetes' ``AlreadyExists``. Namespaces, and what
            is in one, are always taken over. Default: on a cluster that this app makes, not on an
            ``ImportedCluster``; we decide.
        retain_namespaces: whether Namespaces stay when their resources go, with all that others put into them.
            Default: on an ``ImportedCluster``, not on a cluster that this app makes; we decide.

    Raises:
        AutoModeError: when the cluster has no kubectl provider or is of another stage or environment; for a chart that
            is delivered already; for an id that begins with no letter, or that a delivery to another cluster has in the
            same stack. Late, as an error of the synthesis: an empty chart, a Secret, a value that CloudFormation would
            resolve into a log, an object without a name, over 100 KB or delivered twice, a NodePool without its
            NodeClass, objects that wait for each other or for what is delivered later or nowhere, more objects than a
            stack takes, an image of a public registry where nodes do not reach the internet, and every error that the
            chart's constructs hold.
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: ChartTarget,
        chart: cdk8s.Chart,
        removal_policy: cdk.RemovalPolicy = cdk.RemovalPolicy.DESTROY,
        adopt: bool | None = None,
        retain_namespaces: bool | None = None,
    ) -> None:
        # First of all, so that what is refused leaves no half-made construct in the tree.
        place = _check(scope, id, cluster, chart, removal_policy)
        ours = cluster.charts_are_all_known
        super().__init__(
            scope,
            id,
            cluster=cluster,
            chart=chart,
            place=place,
            removal_policy=removal_policy,
            adopt=ours if adopt is None else adopt,
            retain_namespaces=not ours if retain_namespaces is None else retain_namespaces,
        )
        cdk.Aspects.of(self).add(_Attach(cluster))
        self.node.add_validation(_Problems(self))


@jsii.implements(cdk.IAspect)
class _Attach:
    """Makes the resources when synthesis begins, so that what was added to a chart late arrives too."""

    def __init__(self, target: DeliveryTarget) -> None:
        self._target = target

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - whichever node comes first
        attach(self._target)


@jsii.implements(IValidation)
class _Problems:
    """Reports what attaching found, all of it at once, and what came after it."""

    def __init__(self, delivery: ChartDelivery) -> None:
        self._delivery = delivery

    def validate(self) -> list[str]:
        delivery = self._delivery
        if len(delivery.chart.node.find_all()) == delivery.rendered_constructs:
            return [str(problem) for problem in delivery.problems]
        late = Problem(
            field="",
            message=f"chart '{delivery.chart.node.path}' changed after its objects were read",
            cure="change it before the app is synthesised, or in an Aspect when it visits the app itself",
        )
        return [str(problem) for problem in (*delivery.problems, late)]


def _check(
    scope: Construct, id: str, cluster: ChartTarget, chart: cdk8s.Chart, removal_policy: cdk.RemovalPolicy
) -> str:
    """Refuses what cannot be delivered, else tells the chart's place."""
    where = f"{scope.node.path}/{id}"
    cluster.check_deliverable(where)
    if cdk.Stage.of(scope) is not cdk.Stage.of(cluster):
        raise AutoModeError.of(
            where,
            "cluster",
            f"'{cluster.node.path}' is in another stage",
            "deliver in the cluster's stage, or use ImportedCluster",
        )
    cluster.check_environment(where, scope, "a kubectl provider works in its own account and region only")
    if re.match("[A-Za-z]", id) is None:
        raise AutoModeError.of(where, "id", f"'{id}' begins with no letter, as logical ids must", "choose another id")
    if removal_policy not in _REMOVAL_POLICIES:
        raise AutoModeError.of(where, "removal_policy", f"got {removal_policy.name}", "use DESTROY or RETAIN")
    place = place_of(chart)
    for earlier in cluster.deliveries:
        if f"{earlier.place}/".startswith(f"{place}/") or f"{place}/".startswith(f"{earlier.place}/"):
            raise AutoModeError.of(
                where,
                "chart",
                f"'{chart.node.path}' is delivered already, by '{earlier.node.path}'",
                "deliver a chart once to a cluster; the charts nested in it go with it",
            )
    stack = cdk.Stack.of(scope)
    for other in stack.node.find_all():
        if (
            isinstance(other, ChartDelivery)
            and other.node.id == id
            and other.cluster is not cluster
            and cdk.Stack.of(other) is stack
        ):
            raise AutoModeError.of(
                where,
                "id",
                f"'{id}' is also the id of '{other.node.path}', which delivers to another cluster: the logical ids of "
                "equal objects would be equal",
                "choose another id",
            )
    return place
