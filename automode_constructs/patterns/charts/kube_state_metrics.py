"""Metrics of Kubernetes objects, NodePools and NodeClaims among them: kube-state-metrics with custom-resource state."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import cdk8s
import yaml

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.errors import did_you_mean, shown
from automode_constructs.inference.image import ImageReference
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.manifests.pod_network_policy import PodNetworkPolicy, https_to
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.patterns.charts.own_namespace import check_own_namespace, make_own_namespace
from automode_constructs.specs.quantity import number
from automode_constructs.specs.traffic.network_policy import ApplicationPeer

__all__ = ["CUSTOM_RESOURCES", "IMAGE", "NAME", "NAMESPACE", "PORT", "RESOURCES", "KubeStateMetricsChart"]

IMAGE = "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.19.1"
"""The newest release that could be found in use on 2026-11-27."""
NAMESPACE = "object-metrics"
NAME = "kube-state-metrics"
PORT = 8080

_TELEMETRY = 8081
_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "metrics"}
_FOLDER = "/etc/custom-resource-state"
_FILE = "config.yaml"

RESOURCES: Mapping[str, tuple[str, str]] = {
    "cronjobs": ("batch", "cronjobs"),
    "daemonsets": ("apps", "daemonsets"),
    "deployments": ("apps", "deployments"),
    "endpointslices": ("discovery.k8s.io", "endpointslices"),
    "horizontalpodautoscalers": ("autoscaling", "horizontalpodautoscalers"),
    "ingresses": ("networking.k8s.io", "ingresses"),
    "jobs": ("batch", "jobs"),
    "limitranges": ("", "limitranges"),
    "namespaces": ("", "namespaces"),
    "networkpolicies": ("networking.k8s.io", "networkpolicies"),
    "nodes": ("", "nodes"),
    "persistentvolumeclaims": ("", "persistentvolumeclaims"),
    "persistentvolumes": ("", "persistentvolumes"),
    "poddisruptionbudgets": ("policy", "poddisruptionbudgets"),
    "pods": ("", "pods"),
    "replicasets": ("apps", "replicasets"),
    "resourcequotas": ("", "resourcequotas"),
    "services": ("", "services"),
    "statefulsets": ("apps", "statefulsets"),
    "storageclasses": ("storage.k8s.io", "storageclasses"),
}
"""The kinds that can be read, each with its API group; not Secrets and ConfigMaps, whose contents it would read too."""

_DEFAULT = (
    *("daemonsets", "deployments", "horizontalpodautoscalers", "jobs", "namespaces", "nodes", "persistentvolumeclaims"),
    *("poddisruptionbudgets", "pods", "replicasets", "resourcequotas", "statefulsets"),
)


def _gauge(name: str, help_text: str, *path: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "help": help_text, "each": {"type": "Gauge", "gauge": {"path": [*path], **more}}}


def _conditions(what: str) -> dict[str, Any]:
    return _gauge(
        "status_condition",
        f"Condition of a {what}: 1 for True, 0 for False and Unknown",
        *("status", "conditions"),
        labelsFromPath={"type": ["type"], "reason": ["reason"]},
        valueFrom=["status"],
    )


_POOL_LABEL = "karpenter.sh/nodepool"
CUSTOM_RESOURCES: Mapping[str, Any] = {
    "kind": "CustomResourceStateMetrics",
    "spec": {
        "resources": [
            {
                "groupVersionKind": {"group": "karpenter.sh", "version": "v1", "kind": "NodePool"},
                "metricNamePrefix": "automode_nodepool",
                "labelsFromPath": {"nodepool": ["metadata", "name"]},
                "errorLogV": 10,
                "metrics": [
                    _gauge("limit", "What a pool may grow to", "spec", "limits", labelFromKey="resource"),
                    _gauge("usage", "What the nodes of a pool have", "status", "resources", labelFromKey="resource"),
                    _gauge("weight", "The pool's weight", "spec", "weight"),
                    _conditions("NodePool"),
                ],
            },
            {
                "groupVersionKind": {"group": "karpenter.sh", "version": "v1", "kind": "NodeClaim"},
                "metricNamePrefix": "automode_nodeclaim",
                "labelsFromPath": {
                    "nodeclaim": ["metadata", "name"],
                    "nodepool": ["metadata", "labels", _POOL_LABEL],
                },
                "errorLogV": 10,
                "metrics": [
                    {
                        "name": "info",
                        "help": "What a node is, and whose",
                        "each": {
                            "type": "Info",
                            "info": {
                                "labelsFromPath": {
                                    "node": ["status", "nodeName"],
                                    "node_class": ["spec", "nodeClassRef", "name"],
                                    "instance_type": ["metadata", "labels", "node.kubernetes.io/instance-type"],
                                    "capacity_type": ["metadata", "labels", "karpenter.sh/capacity-type"],
                                    "zone": ["metadata", "labels", "topology.kubernetes.io/zone"],
                                    "arch": ["metadata", "labels", "kubernetes.io/arch"],
                                }
                            },
                        },
                    },
                    _gauge("created", "When Karpenter asked for the node", "metadata", "creationTimestamp"),
                    _gauge("capacity", "What the node has", "status", "capacity", labelFromKey="resource"),
                    _conditions("NodeClaim"),
                ],
            },
        ]
    },
}
"""What is read of NodePools and NodeClaims.

Source: kube-state-metrics, docs/metrics/extend/customresourcestate-metrics.md, pkg/customresourcestate.
"""


class KubeStateMetricsChart(cdk8s.Chart):
    """kube-state-metrics with the state of NodePools and NodeClaims. Opt-in: nothing in this library creates it.

    Auto Mode's controllers run outside the cluster, and no Prometheus endpoint of theirs is known (?): dashboards that
    ask for ``karpenter_nodes_total`` and the like stay empty. These metrics take their place:
    ``automode_nodepool_limit``, ``..._usage``, ``..._weight``, ``..._status_condition`` (labels ``nodepool``,
    ``resource``, ``type``, ``reason``) and ``automode_nodeclaim_info``, ``..._created``, ``..._capacity``,
    ``..._status_condition`` (labels ``nodeclaim``, ``nodepool`` and others), beside ``kube_...`` of the named kinds.

    Creates a Namespace of the Pod Security level restricted, and in it a Deployment of one pod, a Service with the port
    ``metrics`` (8080), a ConfigMap, a ServiceAccount and a NetworkPolicy, with a ClusterRole and its binding that may
    list and watch the named kinds. A ServiceMonitor finds the Service by ``app.kubernetes.io/name:
    kube-state-metrics``. EKS has a community add-on of that name: whether it takes this configuration is not known (?),
    hence the chart.

    **What it keeps alive.** Its pod keeps one node alive in a cluster that runs nothing else: in EKS's pool
    ``general-purpose`` a ``c6a.large``, 62.5 USD a month with Auto Mode's fee; where a pool admits Graviton, a
    ``c6g.large``, 55.6 USD (us-east-1; prices of 2026-02-09, fee of 2026-07-01). With other pods around it costs only
    its share. It tolerates ``CriticalAddonsOnly``, so that a node of the pool ``system`` does as well.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        image: the image, with a tag or a digest. Default: v2.19.1 of the Kubernetes registry, which a network without
            internet access does not reach; we decide.
        namespace: the chart's own namespace. Default: ``object-metrics``; we decide.
        resources: the kinds that metrics are made of, in lower case and plural; more kinds take more memory. Default:
            workloads, pods, nodes, namespaces, quotas, claims, autoscalers and disruption budgets; we decide.
        memory: the request and limit for memory; it grows with the number of objects. Default: 128Mi; we decide.
        clients: who may read the metrics, as peers of a NetworkPolicy, see ``PodNetworkPolicy``. Default: every pod of
            the cluster; we decide.

    Attributes:
        deployment: the Deployment, for settings that this chart has no argument for: ``deployment.add_override``.

    Raises:
        AutoModeError: for a namespace that cannot be the chart's own; for a kind that is not known; for an image that
            may be another one tomorrow.

    Source: kubernetes/kube-state-metrics, its standard manifests.
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        image: str = IMAGE,
        namespace: str = NAMESPACE,
        resources: Sequence[str] = _DEFAULT,
        memory: int | str = "128Mi",
        clients: Sequence[ApplicationPeer | Mapping[str, Any]] = ({"namespaceSelector": {}},),
    ) -> None:
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            check_own_namespace(refusals.where, namespace)
        with refusals.collecting():
            ImageReference.of(refusals.where, image)
        for index, resource in enumerate(resources):
            if resource not in RESOURCES:
                cure = did_you_mean(resource, RESOURCES)
                refusals.refuse(f"resources[{index}]", f"{shown(resource)} is not known", cure)
        size = number(memory)
        if size is None or size < 16 * 1024**2:
            refusals.refuse("memory", f"{shown(memory)} is not a quantity of at least 16Mi", "write it as '128Mi'")
        if not resources:
            refusals.refuse("resources", "is empty", "name at least one kind")
        refusals.raise_all()
        super().__init__(scope, id, namespace=namespace, labels=_LABELS)
        kinds = [*dict.fromkeys(resources)]
        make_own_namespace(self, namespace, "restricted")
        config = yaml.safe_dump(dict(CUSTOM_RESOURCES), sort_keys=False)
        self._make("v1", "ServiceAccount", {"automountServiceAccountToken": False})
        self._make("v1", "ConfigMap", {"data": {_FILE: config}})
        group = "rbac.authorization.k8s.io"
        self._make(f"{group}/v1", "ClusterRole", {"rules": [*_rules(kinds)]}, cluster_scoped=True)
        self._make(
            f"{group}/v1",
            "ClusterRoleBinding",
            {
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": NAME},
                "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
            },
            cluster_scoped=True,
        )
        # The configuration is read once: another one needs another pod.
        checksum = {"checksum/config": hashlib.sha256(config.encode()).hexdigest()[:16]}
        self.deployment = self._make(
            "apps/v1",
            "Deployment",
            {
                "spec": {
                    "replicas": 1,
                    "revisionHistoryLimit": 3,
                    # Two at a time would count every object twice.
                    "strategy": {"type": "Recreate"},
                    "selector": {"matchLabels": _LABELS},
                    "template": {
                        "metadata": {"labels": _LABELS, "annotations": checksum},
                        "spec": _pod(image, kinds, memory),
                    },
                }
            },
        )
        # The API server has a private address, as a Service and by its network interfaces.
        api_server = https_to(cidrs=["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"])
        PodNetworkPolicy(
            self, "traffic", name=NAME, pod_labels=_LABELS, clients=clients, ports=[PORT], egress=[api_server]
        )
        ports = [{"name": "metrics", "port": PORT, "targetPort": "metrics", "protocol": "TCP"}]
        self._make("v1", "Service", {"spec": {"selector": _LABELS, "ports": ports}})

    def _make(
        self, api_version: str, kind: str, body: Mapping[str, Any], *, cluster_scoped: bool = False
    ) -> KubernetesObject:
        return KubernetesObject(
            self, kind, api_version=api_version, kind=kind, name=NAME, cluster_scoped=cluster_scoped, body=body
        )


def _rules(kinds: Sequence[str]) -> list[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for kind in kinds:
        group, name = RESOURCES[kind]
        groups.setdefault(group, []).append(name)
    groups["apiextensions.k8s.io"] = ["customresourcedefinitions"]
    groups["karpenter.sh"] = ["nodepools", "nodeclaims"]
    return [{"apiGroups": [group], "resources": names, "verbs": ["list", "watch"]} for group, names in groups.items()]


def _pod(image: str, kinds: Sequence[str], memory: int | str) -> dict[str, Any]:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [
            {
                "name": NAME,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "args": [
                    f"--port={PORT}",
                    f"--telemetry-port={_TELEMETRY}",
                    f"--resources={','.join(kinds)}",
                    f"--custom-resource-state-config-file={_FOLDER}/{_FILE}",
                ],
                "ports": [
                    {"name": "metrics", "containerPort": PORT, "protocol": "TCP"},
                    {"name": "telemetry", "containerPort": _TELEMETRY, "protocol": "TCP"},
                ],
                "resources": {"requests": {"cpu": "25m", "memory": memory}, "limits": {"memory": memory}},
                "livenessProbe": {"httpGet": {"path": "/livez", "port": "metrics"}, "timeoutSeconds": 5},
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": "telemetry"}, "timeoutSeconds": 5},
                "securityContext": {
                    "runAsUser": 65534,
                    "runAsNonRoot": True,
                    "readOnlyRootFilesystem": True,
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "volumeMounts": [{"name": "config", "mountPath": _FOLDER, "readOnly": True}],
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}],
    }
