"""What every cluster gets in addition to AWS resources: pools, storage and ingress classes, network policies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Unpack

import aws_cdk as cdk
import cdk8s

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.aws.scope import AppScope
from automode_constructs.delivery.chart_delivery import ChartDelivery
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.network_policy_controller import NetworkPolicyController
from automode_constructs.patterns.charts.network_policies import NetworkPoliciesChart
from automode_constructs.patterns.charts.platform import platform_charts
from automode_constructs.patterns.stacks.stack_options import StackOptions

__all__ = ["PlatformStack"]


class PlatformStack(cdk.Stack):
    """Delivers NodePools, the default StorageClass and the default IngressClass, and turns network policies on.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: the cluster of a ``ClusterStack``, or an ``ImportedCluster``.
        charts: a function of a cdk8s app and the cluster's values that makes the charts, in the order in which they
            are delivered. Default: ``platform_charts``; we decide.
        network_policies: whether EKS enforces network policies: delivers the ``NetworkPoliciesChart`` of ``charts``, or
            one of our own where ``charts`` makes no ``NetworkPolicyController``. With False it is not delivered. On an
            imported cluster its ConfigMap stays when this stack is deleted, because others may use it. Default: True,
            and False on an imported cluster, where policies that nothing enforced until now could cut off its traffic;
            we decide.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        cluster: AutoModeCluster | ImportedCluster,
        charts: Callable[[cdk8s.App, ClusterValues], Sequence[cdk8s.Chart]] = platform_charts,
        network_policies: bool | None = None,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        super().__init__(scope, id, **stack_options)
        tag_as_cluster(self, cluster)
        imported = isinstance(cluster, ImportedCluster)
        enforced = not imported if network_policies is None else network_policies
        app = cdk8s.App()
        created = charts(app, cluster.values)
        if not isinstance(created, Sequence) or not all(isinstance(chart, cdk8s.Chart) for chart in created):
            raise AutoModeError.of(
                self.node.path,
                field="charts",
                message=f"returns {shown(created)}",
                cure="return a list of the charts that it creates",
            )
        platform = list(created)
        objects = [construct for chart in platform for construct in chart.node.find_all()] if enforced else []
        if enforced and not any(isinstance(construct, NetworkPolicyController) for construct in objects):
            platform.append(NetworkPoliciesChart(app, "network-policies"))
        for chart in platform:
            switches = isinstance(chart, NetworkPoliciesChart)
            if switches and not enforced:
                continue
            ChartDelivery(
                self,
                chart.node.id,
                cluster=cluster,
                chart=chart,
                removal_policy=cdk.RemovalPolicy.RETAIN if switches and imported else cdk.RemovalPolicy.DESTROY,
            )
