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
from automode_constructs.manifests.scope import ChartInApp
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
            id: the delivery's id, part of every logical id: do not change it.
            chart: a chart of a cdk8s app; objects added to it later are delivered too.
        """
        return ChartDelivery(self, id, cluster=self, chart=chart)


class ChartDelivery(Delivery):
    """Delivers a cdk8s chart to a cluster as one CloudFormation resource per Kubernetes object.

    At synthesis, creates a ``Custom::AWSCDK-EKS-KubernetesResource`` for each object that the chart and its nested
    charts contain at that time. Objects are created three at a time, each after what it needs, and deleted before it:
    an object after its CRD, its namespace and its NodeClass, a workload after the pools and the configuration that it
    may use, ingress after the workloads of its namespace, admission policies and then their bindings after everything
    else, in other stacks too. An ``add_dependency`` on a cdk8s construct, or between deliveries, takes precedence over
    this order; it may also name an AWS construct. In the first stack that delivers to a cluster, all objects wait until
    the cluster serves the CRDs of NodeClass and NodePool.

    The logical id of a resource depends only on this construct's id and the object's group, kind, namespace and name.
    So code can move between files and charts of one delivery without effect. A renamed object is created and the old
    one deleted. If an object moves to another delivery or stack, the old one deletes it after the new one created it:
    deploy with ``removal_policy=RETAIN`` on both deliveries first. Kubernetes refuses changes to immutable fields (a
    StorageClass's parameters, a Job's template) at deployment: a changed object needs a new name.

    Args:
        scope: the stack, or a construct in it, that gets the resources.
        id: the delivery's id, which begins with a letter. Do not change it: it is part of every logical id.
        cluster: the cluster to deliver to.
        chart: the chart, under a cdk8s ``App`` of its own or shared.
        removal_policy: ``RETAIN`` leaves the objects in the cluster when their resources are deleted. Default:
            ``DESTROY``; we decide.
        adopt: whether an existing object without a namespace (a StorageClass, a NodePool) is taken over, changed and
            later deleted; otherwise its creation fails with Kubernetes' ``AlreadyExists``. Namespaces and the objects
            in them are always taken over. Default: True on a cluster that this app creates, False on an
            ``ImportedCluster``; we decide.
        retain_namespaces: whether Namespaces stay when their resources are deleted, with everything that others put
            into them. Default: True on an ``ImportedCluster``, False on a cluster that this app creates; we decide.

    Raises:
        AutoModeError: if the cluster has no kubectl provider or is in another stage or environment; for a chart that is
            already delivered; for an id that does not begin with a letter, or that a delivery to another cluster in the
            same stack has. Later, as errors of the synthesis: an empty chart; a Secret; a value that CloudFormation
            would resolve into a log; an object without a name, over 100 KB or delivered twice; a NodePool without its
            NodeClass; objects that wait for each other, or for something delivered later or not at all; more objects
            than a stack allows; an image of a public registry if nodes do not reach the internet; every error that the
            chart's constructs have.
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: ChartTarget,
        chart: ChartInApp,
        removal_policy: cdk.RemovalPolicy = cdk.RemovalPolicy.DESTROY,
        adopt: bool | None = None,
        retain_namespaces: bool | None = None,
    ) -> None:
        # Comes first, so that a refusal leaves no half-made construct in the tree.
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
    """Creates the resources when synthesis begins, so that late additions to a chart are delivered too."""

    def __init__(self, target: DeliveryTarget) -> None:
        self._target = target

    def visit(self, node: IConstruct) -> None:  # noqa: ARG002 - whichever node comes first
        attach(self._target)


@jsii.implements(IValidation)
class _Problems:
    """Reports everything that attaching found at once, and constructs added after that."""

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
    """Refuses a chart that cannot be delivered; otherwise returns the chart's place."""
    where = f"{scope.node.path}/{id}"
    cluster.check_deliverable(where)
    if cdk.Stage.of(scope) is not cdk.Stage.of(cluster):
        raise AutoModeError.of(
            where,
            field="cluster",
            message=f"'{cluster.node.path}' is in another stage",
            cure="deliver in the cluster's stage, or use ImportedCluster",
        )
    cluster.check_environment(where, scope, "a kubectl provider works in its own account and region only")
    if re.match("[A-Za-z]", id) is None:
        raise AutoModeError.of(
            where, field="id", message=f"'{id}' begins with no letter, as logical ids must", cure="choose another id"
        )
    if removal_policy not in _REMOVAL_POLICIES:
        raise AutoModeError.of(
            where, field="removal_policy", message=f"got {removal_policy.name}", cure="use DESTROY or RETAIN"
        )
    place = place_of(chart)
    for earlier in cluster.deliveries:
        if f"{earlier.place}/".startswith(f"{place}/") or f"{place}/".startswith(f"{earlier.place}/"):
            raise AutoModeError.of(
                where,
                field="chart",
                message=f"'{chart.node.path}' is delivered already, by '{earlier.node.path}'",
                cure="deliver a chart once to a cluster; the charts nested in it go with it",
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
                field="id",
                message=f"'{id}' is also the id of '{other.node.path}', which delivers to another cluster: the logical "
                "ids of equal objects would be equal",
                cure="choose another id",
            )
    return place
