"""What serves the metrics that model servers scale by: a small Prometheus, and the adapter to Kubernetes' API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import cdk8s

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.inference.image import ImageReference
from automode_constructs.inference.model_metrics import (
    IN_FLIGHT,
    METRICS_NAMESPACE,
    SCRAPER_ACCOUNT,
    SCRAPER_LABELS,
    WANTED,
)
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.manifests.pod_network_policy import PodNetworkPolicy
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.specs.labels import COMPUTE_TYPE
from automode_constructs.specs.object_metadata import kubernetes_name
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule

__all__ = ["ADAPTER_IMAGE", "PROMETHEUS_IMAGE", "ModelMetricsChart"]

PROMETHEUS_IMAGE = "quay.io/prometheus/prometheus:v3.13.1"
"""Seen in use in Nov 2026; its digest could not be looked up here: pin one where it matters."""
ADAPTER_IMAGE = "registry.k8s.io/prometheus-adapter/prometheus-adapter:v0.12.0"
"""Seen in use in Nov 2026; its digest could not be looked up here: pin one where it matters."""

_ADAPTER_LABELS = {"app.kubernetes.io/name": "prometheus-adapter", "app.kubernetes.io/part-of": "model-metrics"}
_PROMETHEUS_PORT = 9090
_ADAPTER_PORT = 6443
_USER = 65534


class ModelMetricsChart(cdk8s.Chart):
    """The metrics that ``ModelAutoscaler`` needs, served by ``external.metrics.k8s.io``. One for a cluster.

    Creates the Namespace ``model-metrics``, which admits restricted pods only, and in it a Prometheus that scrapes
    model servers and chat pages of the given namespaces every 15 s and keeps two hours in memory and on the node's disk
    (a new pod begins without history), and the Prometheus adapter, with their ServiceAccounts, ConfigMaps, Services,
    network policies and RBAC, and the APIService ``v1beta1.external.metrics.k8s.io``. A cluster has one APIService of
    that name: this chart does not go with KEDA or another adapter. The API server does not check the certificate that
    the adapter makes for itself at each start, as in the adapter's own manifests; the adapter asks the API server who
    its callers are.

    The pods keep a node: together they request 0.15 vCPU and 0.6 GiB, which fits beside others. Cost: none of their
    own; on a cluster without other pods a node of the pool ``general-purpose``, c6a.large at 0.0765 USD/h (on-demand,
    us-east-1, Feb 2026), and Auto Mode's fee of 12 %.

    With security groups of your own for nodes, admit the control plane's group to port 6443.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        namespaces: the namespaces of the servers and chat pages; ``ModelAutoscaler`` lets Prometheus list their pods.
        namespace: the chart's own namespace. Default: ``model-metrics``; we decide. Give ``ModelAutoscaler`` the same.
        prometheus_image: with tag or digest. Default: ``PROMETHEUS_IMAGE``; we decide.
        adapter_image: with tag or digest. Default: ``ADAPTER_IMAGE``; we decide.

    Raises:
        AutoModeError: for no namespaces, one that is not a name, and images without tag and digest.

    Source: kubernetes-sigs/prometheus-adapter, docs/externalmetrics.md and its manifests; Prometheus,
    "Configuration" (kubernetes_sd_config); Kubernetes, "Configure the Aggregation Layer".
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        namespaces: Sequence[str],
        namespace: str = METRICS_NAMESPACE,
        prometheus_image: str = PROMETHEUS_IMAGE,
        adapter_image: str = ADAPTER_IMAGE,
    ) -> None:
        where = place(scope, id)
        if not namespaces:
            raise AutoModeError.of(
                where, field="namespaces", message="is empty", cure="name the namespaces of the model servers"
            )
        for name in (*namespaces, namespace):
            kubernetes_name(where, name, longest=63)
        if namespace in namespaces:
            raise AutoModeError.of(
                where,
                field="namespace",
                message=f"{shown(namespace)} is a namespace of servers",
                cure="give the metrics one of their own, such as 'model-metrics'",
            )
        ImageReference.of(where, prometheus_image, field="prometheus_image")
        ImageReference.of(where, adapter_image, field="adapter_image")
        super().__init__(scope, id, namespace=namespace)
        KubernetesObject(
            self, "namespace", api_version="v1", kind="Namespace", name=namespace, body={}
        ).metadata.add_label("pod-security.kubernetes.io/enforce", "restricted")
        self._make_prometheus(prometheus_image, list(dict.fromkeys(namespaces)))
        self._make_adapter(adapter_image, namespace)

    def _make_prometheus(self, image: str, namespaces: list[str]) -> None:
        name = SCRAPER_ACCOUNT
        config = json.dumps(_scrape_configuration(namespaces), indent=2, sort_keys=True)
        self._make(name, "v1", "ServiceAccount", {"automountServiceAccountToken": False})
        self._make(name, "v1", "ConfigMap", {"data": {"prometheus.yml": config}})
        arguments = [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/data",
            "--storage.tsdb.retention.time=2h",
        ]
        self._deploy(
            name,
            SCRAPER_LABELS,
            {
                "image": image,
                "args": arguments,
                "ports": [{"name": "http", "containerPort": _PROMETHEUS_PORT, "protocol": "TCP"}],
                "readinessProbe": {"httpGet": {"path": "/-/ready", "port": "http"}, "periodSeconds": 5},
                "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
            },
            config=("/etc/prometheus", config),
            data="/data",
        )
        service = [{"name": "http", "port": _PROMETHEUS_PORT, "targetPort": "http", "protocol": "TCP"}]
        self._make(name, "v1", "Service", {"spec": {"selector": SCRAPER_LABELS, "ports": service}})
        PodNetworkPolicy(
            self,
            f"{name}-traffic",
            name=name,
            pod_labels=SCRAPER_LABELS,
            clients=[{"podSelector": {"matchLabels": _ADAPTER_LABELS}}],
            ports=[_PROMETHEUS_PORT],
            egress=[
                _API_SERVER,
                ApplicationEgressRule.from_manifest(
                    {
                        "to": [
                            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": each}}}
                            for each in namespaces
                        ]
                    }
                ),
            ],
        )

    def _make_adapter(self, image: str, namespace: str) -> None:
        name = "prometheus-adapter"
        config = json.dumps(_adapter_configuration(), indent=2, sort_keys=True)
        account = (name, namespace)
        self._make(name, "v1", "ServiceAccount", {"automountServiceAccountToken": False})
        self._make(name, "v1", "ConfigMap", {"data": {"config.yaml": config}})
        # To ask the API server who its callers are, and what they may read.
        self._bind(f"{namespace}-{name}", "ClusterRoleBinding", account=account, role="system:auth-delegator")
        self._bind(
            f"{namespace}-{name}",
            "RoleBinding",
            account=account,
            role="extension-apiserver-authentication-reader",
            in_namespace="kube-system",
            role_kind="Role",
        )
        # The adapter looks up the kinds that metrics belong to.
        self._make_cluster(
            f"{namespace}-{name}-resources",
            "ClusterRole",
            {"rules": [_rule("", ["namespaces", "pods", "services"], ["get", "list", "watch"])]},
        )
        self._bind(
            f"{namespace}-{name}-resources",
            "ClusterRoleBinding",
            account=account,
            role=f"{namespace}-{name}-resources",
        )
        deployment = self._deploy(
            name,
            _ADAPTER_LABELS,
            {
                "image": image,
                "args": [
                    "--cert-dir=/certificates",
                    "--config=/etc/adapter/config.yaml",
                    "--metrics-relist-interval=30s",
                    f"--prometheus-url=http://prometheus.{namespace}.svc:{_PROMETHEUS_PORT}/",
                    f"--secure-port={_ADAPTER_PORT}",
                ],
                "ports": [{"name": "https", "containerPort": _ADAPTER_PORT, "protocol": "TCP"}],
                "readinessProbe": {
                    "httpGet": {"path": "/readyz", "port": "https", "scheme": "HTTPS"},
                    "periodSeconds": 5,
                    "failureThreshold": 5,
                },
                "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}},
            },
            config=("/etc/adapter", config),
            data="/certificates",
        )
        service = [{"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}]
        front = self._make(name, "v1", "Service", {"spec": {"selector": _ADAPTER_LABELS, "ports": service}})
        policy = PodNetworkPolicy(
            self,
            f"{name}-traffic",
            name=name,
            pod_labels=_ADAPTER_LABELS,
            clients=None,  # the API server, which has addresses of the VPC; the adapter asks who calls
            ports=[_ADAPTER_PORT],
            egress=[
                _API_SERVER,
                ApplicationEgressRule.from_manifest(
                    {
                        "to": [{"podSelector": {"matchLabels": SCRAPER_LABELS}}],
                        "ports": [{"port": _PROMETHEUS_PORT, "protocol": "TCP"}],
                    }
                ),
            ],
        )
        api = self._make_cluster(
            "v1beta1.external.metrics.k8s.io",
            "APIService",
            {
                "spec": {
                    "group": "external.metrics.k8s.io",
                    "version": "v1beta1",
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                    "insecureSkipTLSVerify": True,
                    "service": {"name": name, "namespace": namespace, "port": 443},
                }
            },
            api_version="apiregistration.k8s.io/v1",
        )
        # It goes first: while an API has no server, Kubernetes deletes no namespace.
        api.add_dependency(deployment, front, policy)

    def _deploy(
        self, name: str, labels: Mapping[str, str], container: Mapping[str, Any], *, config: tuple[str, str], data: str
    ) -> KubernetesObject:
        folder, text = config
        pod = {
            "serviceAccountName": name,
            # It reads pods, or asks for its callers' rights, from the API server.
            "automountServiceAccountToken": True,
            "enableServiceLinks": False,
            "nodeSelector": {str(COMPUTE_TYPE): "auto"},
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": name,
                    **container,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [
                        {"name": "config", "mountPath": folder, "readOnly": True},
                        {"name": "data", "mountPath": data},
                    ],
                }
            ],
            "volumes": [
                {"name": "config", "configMap": {"name": name}},
                {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}},
            ],
        }
        # Both read their configuration once: another one needs another pod.
        checksum = {"checksum/config": hashlib.sha256(text.encode()).hexdigest()[:16]}
        return self._make(
            name,
            "apps/v1",
            "Deployment",
            {
                "spec": {
                    "replicas": 1,
                    "revisionHistoryLimit": 3,
                    "selector": {"matchLabels": dict(labels)},
                    "template": {"metadata": {"labels": dict(labels), "annotations": checksum}, "spec": pod},
                }
            },
        )

    def _bind(
        self,
        name: str,
        kind: str,
        *,
        account: tuple[str, str],
        role: str,
        in_namespace: str | None = None,
        role_kind: str = "ClusterRole",
    ) -> None:
        binding = KubernetesObject(
            self,
            f"{name}-{kind}-{in_namespace or 'cluster'}",
            api_version="rbac.authorization.k8s.io/v1",
            kind=kind,
            name=name,
            cluster_scoped=in_namespace is None,
            body={
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": account[0], "namespace": account[1]}],
            },
        )
        if in_namespace is not None:
            binding.add_json_patch(cdk8s.JsonPatch.add("/metadata/namespace", in_namespace))

    def _make(self, name: str, api_version: str, kind: str, body: Mapping[str, Any]) -> KubernetesObject:
        return KubernetesObject(
            self, f"{name}-{kind}", api_version=api_version, kind=kind, name=name, cluster_scoped=False, body=body
        )

    def _make_cluster(
        self, name: str, kind: str, body: Mapping[str, Any], *, api_version: str = "rbac.authorization.k8s.io/v1"
    ) -> KubernetesObject:
        return KubernetesObject(self, f"{name}-{kind}", api_version=api_version, kind=kind, name=name, body=body)


_API_SERVER = ApplicationEgressRule.from_manifest(
    {
        "to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}],
        "ports": [{"port": 443, "protocol": "TCP"}],
    }
)
"""To the API server, whose addresses a chart cannot know."""


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _scrape_configuration(namespaces: list[str]) -> dict[str, Any]:
    """Prometheus' configuration; JSON is YAML."""
    keep = {
        "source_labels": ["__meta_kubernetes_pod_container_port_name"],
        "regex": "http",
        "action": "keep",
    }
    labels = [
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        {"source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_name"], "target_label": "server"},
        # A chat page counts for the server that it speaks to.
        {
            "source_labels": ["__meta_kubernetes_pod_label_model_server"],
            "regex": "(.+)",
            "target_label": "server",
        },
    ]
    # Only what scaling needs is kept: a server has hundreds of series.
    wanted = {
        "source_labels": ["__name__"],
        "regex": f"vllm:num_requests_(running|waiting)|{WANTED}",
        "action": "keep",
    }
    return {
        "global": {"scrape_interval": "15s", "scrape_timeout": "10s"},
        "scrape_configs": [
            {
                "job_name": "models",
                "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": namespaces}}],
                "relabel_configs": [keep, *labels],
                "metric_relabel_configs": [wanted],
            }
        ],
    }


def _adapter_configuration() -> dict[str, Any]:
    """The adapter's rules: how each external metric is computed."""
    running, waiting = "vllm:num_requests_running", "vllm:num_requests_waiting"
    namespaced = {"namespaced": True, "overrides": {"namespace": {"resource": "namespace"}}}
    return {
        "externalRules": [
            {
                "seriesQuery": f'{running}{{namespace!="",server!=""}}',
                "resources": namespaced,
                "name": {"as": IN_FLIGHT},
                "metricsQuery": f"sum({running}{{<<.LabelMatchers>>}}) + sum({waiting}{{<<.LabelMatchers>>}})",
            },
            {
                "seriesQuery": f'{WANTED}{{namespace!="",server!=""}}',
                "resources": namespaced,
                "name": {"as": WANTED},
                "metricsQuery": f"max({WANTED}{{<<.LabelMatchers>>}})",
            },
        ]
    }
