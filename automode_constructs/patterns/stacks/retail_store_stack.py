"""The demo's shop, separate from the cluster's stacks, so that it can be deployed and deleted by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import aws_cdk as cdk
import cdk8s

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.cluster import AutoModeCluster
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.imported_cluster import ImportedCluster
from automode_constructs.aws.scope import AppScope
from automode_constructs.delivery.chart_delivery import ChartDelivery
from automode_constructs.patterns.charts.retail_store import IMAGE, NAME, NAMESPACE, RetailStoreChart
from automode_constructs.patterns.stacks.stack_options import StackOptions
from automode_constructs.specs.labels import CAPACITY_TYPE, INSTANCE_TYPE, ZONE
from automode_constructs.specs.traffic.network_policy import ApplicationPeer

__all__ = ["RetailStoreStack"]

_LOCAL = "localhost:8080"


class RetailStoreStack(cdk.Stack):
    """Delivers the retail store, with the commands of its demo as outputs.

    Args:
        scope: the app or stage.
        id: the stack's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster`` of another stack in the same environment.
        replicas: pods of the shop, 0 to 100; a number set by kubectl stays until a deployment changes the Deployment.
            Default: 1; we decide.
        image: the container image. Default: that of ``RetailStoreChart``; we decide.
        ingress: whether an Application Load Balancer of the IngressClass ``alb`` leads to the shop. Default: True; we
            decide.
        clients: who may reach the shop's port, see ``RetailStoreChart``. Default: addresses of the VPC, as far as the
            cluster's network says which these are, so that the load balancer reaches it; we decide.

    Raises:
        AutoModeError: for replicas out of bounds; for an image whose reference may move.
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        cluster: AutoModeCluster | ImportedCluster,
        replicas: int = 1,
        image: str = IMAGE,
        ingress: bool = True,
        clients: Sequence[ApplicationPeer | Mapping[str, Any]] | None = None,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        super().__init__(scope, id, **stack_options)
        tag_as_cluster(self, cluster)
        if clients is None and ingress and isinstance(cluster, AutoModeCluster):
            clients = [{"ipBlock": {"cidr": cidr}} for cidr in cluster.network_cidrs] or None
        chart = RetailStoreChart(
            cdk8s.App(), "retail-store", replicas=replicas, image=image, ingress=ingress, clients=clients
        )
        ChartDelivery(self, "retail-store", cluster=cluster, chart=chart)
        self._write_outputs(ingress=ingress)

    def _write_outputs(self, *, ingress: bool) -> None:
        shown = ",".join(["karpenter.sh/nodepool", CAPACITY_TYPE, INSTANCE_TYPE, ZONE])
        scale = f"kubectl scale deployment/{NAME} --namespace {NAMESPACE} --replicas"
        outputs = {
            "WatchNodesCommand": (f"kubectl get nodes --watch --label-columns {shown}", "Shows nodes come and go"),
            "ScaleToTenCommand": (f"{scale} 10", "Asks for more pods than the existing nodes can hold"),
            "ScaleToZeroCommand": (f"{scale} 0", "Removes all pods; the last nodes go soon after"),
            "PortForwardCommand": (
                f"kubectl port-forward service/{NAME} --namespace {NAMESPACE} {_LOCAL.partition(':')[2]}:80",
                "Forwards a local port to the shop while it runs",
            ),
            "CurlCommand": (f"curl --fail http://{_LOCAL}/", "Fetches the shop's first page through the port-forward"),
        }
        if ingress:
            outputs["AddressCommand"] = (
                f"kubectl get ingress {NAME} --namespace {NAMESPACE}",
                "Shows the load balancer's address; that of an internal one is reachable only inside the VPC",
            )
        for name, (value, description) in outputs.items():
            cdk.CfnOutput(self, name, value=value, description=description)
