"""What every workload expects: NodePools, a default StorageClass and IngressClass, and enforced network policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cdk8s

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.ingress_class import IngressClass, IngressClassParams
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.manifests.storage_class import StorageClass
from automode_constructs.patterns.charts.network_policies import NetworkPoliciesChart
from automode_constructs.patterns.charts.node_pools import NodePoolsChart
from automode_constructs.specs.storage.storage_class import PROVISIONER, StorageClassSpec, StorageParameters
from automode_constructs.specs.traffic.ingress_class import IngressClassParamsSpec

__all__ = ["PlatformChart", "platform_charts"]


@checked_arguments
def platform_charts(
    app: cdk8s.App,
    values: ClusterValues,
    *,
    pools: Sequence[str] | None = None,
    limits: Mapping[str, Mapping[str, int | str] | None] | None = None,
    load_balancers: IngressClassParamsSpec | None = None,
    network_policies: bool = True,
) -> list[cdk8s.Chart]:
    """The charts every cluster needs, in the order of delivery; the same for CloudFormation and GitOps.

    Args:
        app: the cdk8s app.
        values: the cluster's values.
        pools: which of ``NODE_POOLS`` to make. Default: ``spot`` and ``graviton``, and ``critical`` and ``general``
            if EKS keeps no pools of its own; we decide.
        limits: how far each pool may grow, or ``None`` for one without a limit, by its name; see ``NodePoolsChart``.
            Default: 256 vCPUs each, 64 for ``critical``; we decide.
        load_balancers: what the Application Load Balancers are like, ``values.ingress_class_params_spec(...)``.
            Default: internal, open to the VPC alone; we decide.
        network_policies: whether EKS enforces network policies, see ``NetworkPoliciesChart``. Default: True; we decide,
            EKS itself enforces none.

    Raises:
        AutoModeError: as ``NodePoolsChart`` does.
    """
    if pools is None:
        replacements = () if values.built_in_pools else ("critical", "general")
        pools = [*replacements, "spot", "graviton"]
    return [
        NodePoolsChart(app, "node-pools", values=values, pools=pools, limits=limits),
        PlatformChart(app, "platform", values=values, load_balancers=load_balancers),
        *([NetworkPoliciesChart(app, "network-policies")] if network_policies else []),
    ]


class PlatformChart(cdk8s.Chart):
    """The default StorageClass, encrypted with the cluster's volume key, and the default IngressClass ``alb``.

    The StorageClass is named ``gp3``, or ``values.storage_class``: a different volume key has a different class, and so
    do different tags of the cluster, which its volumes and the load balancers carry.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        values: the cluster's values.
        load_balancers: what the Application Load Balancers are like, ``values.ingress_class_params_spec(...)``.
            Default: internal, open to the VPC alone; we decide.
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        values: ClusterValues,
        load_balancers: IngressClassParamsSpec | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.storage_class = StorageClass(
            self,
            values.storage_class or "gp3",
            default_class=True,
            spec=StorageClassSpec(
                provisioner=PROVISIONER,
                parameters=StorageParameters(type="gp3", kms_key_id=values.volume_key_arn).with_tags(values.tags or {}),
                allow_volume_expansion=True,
            ),
        )
        spec = load_balancers or values.ingress_class_params_spec()
        params = IngressClassParams(self, "alb-params", name="alb", spec=spec)
        self.ingress_class = IngressClass(self, "alb", params=params, default_class=True)
