"""The switch of network policies: the ConfigMap with which EKS Auto Mode begins to enforce them."""

from __future__ import annotations

import cdk8s
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.traffic.network_policy import NETWORK_POLICY_SWITCH, NetworkPolicySwitch

__all__ = ["NetworkPolicyController"]


class NetworkPolicyController(KubernetesObject):
    """Makes EKS Auto Mode enforce the network policies of the cluster.

    Creates the ConfigMap ``amazon-vpc-cni`` in the namespace ``kube-system`` with ``enable-network-policy-controller:
    "true"``. Without it Kubernetes accepts every NetworkPolicy, ApplicationNetworkPolicy and ClusterNetworkPolicy, and
    a NodeClass with ``networkPolicy: DefaultDeny``, but no node enforces them. Pods that no policy selects, on nodes
    with ``DefaultAllow``, are not affected.

    A delivery applies the ConfigMap: where one of this name exists already, as beside the VPC CNI add-on, its other
    settings stay. When the resource is deleted, the ConfigMap is deleted too, and policies are no longer enforced. On
    a cluster where others use the ConfigMap, deliver it with ``removal_policy=RemovalPolicy.RETAIN``.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.

    Raises:
        AutoModeError: if the scope is not in a cdk8s chart.

    Source: EKS User Guide, "Use Network Policies with EKS Auto Mode".
    """

    @checked_arguments
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(
            scope,
            id,
            api_version="v1",
            kind="ConfigMap",
            name="amazon-vpc-cni",
            cluster_scoped=False,
            body=NetworkPolicySwitch(data={NETWORK_POLICY_SWITCH: "true"}).to_manifest(),
        )
        # Whatever namespace the chart has, EKS reads the ConfigMap in this one.
        self.add_json_patch(cdk8s.JsonPatch.add("/metadata/namespace", "kube-system"))
