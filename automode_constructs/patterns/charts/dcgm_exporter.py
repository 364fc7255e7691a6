"""GPU metrics for Prometheus: NVIDIA's DCGM exporter on every Auto Mode node with NVIDIA GPUs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import cdk8s

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.inference.image import ImageReference
from automode_constructs.inference.model_server import GPU_TOLERATION
from automode_constructs.manifests.kubernetes_object import KubernetesObject, note_warning
from automode_constructs.manifests.pod_network_policy import PodNetworkPolicy
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.patterns.charts.own_namespace import check_own_namespace, make_own_namespace
from automode_constructs.specs.labels import COMPUTE_TYPE, INSTANCE_GPU_MANUFACTURER
from automode_constructs.specs.traffic.network_policy import ApplicationPeer

__all__ = ["IMAGE", "LONGEST_INTERVAL_SECONDS", "NAME", "NAMESPACE", "PORT", "DcgmExporterChart"]

IMAGE = "nvcr.io/nvidia/k8s/dcgm-exporter:4.6.1-4.8.4-distroless"
"""The newest release that could be found in use on 2026-11-23: DCGM 4.6.1 with exporter 4.8.4."""
NAMESPACE = "gpu-metrics"
NAME = "dcgm-exporter"
"""Name of the DaemonSet, the Service, the ConfigMap, the ServiceAccount, the NetworkPolicy and the container."""
PORT = 9400
LONGEST_INTERVAL_SECONDS = 300

_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "gpu-metrics"}
_COUNTERS_FOLDER = "/etc/gpu-metrics"
"""A separate folder: SELinux refuses a ConfigMap's file mounted over one of the image (subPath)."""
_COUNTERS_FILE = "counters.csv"
_POD_RESOURCES = "/var/lib/kubelet/pod-resources"

_START = """\
if [[ "$(ldconfig -p)" != *libdcgm.so.4* ]]; then
  [[ -e /etc/ld.so.conf ]] || echo 'include /etc/ld.so.conf.d/*.conf' > /etc/ld.so.conf
  ldconfig
fi
exec dcgm-exporter
"""
"""The exporter looks its library up in the linker's cache, and exits if it is not there.

Since Kubernetes 1.34 Bottlerocket rewrites that cache to add the driver, and loses the old entries
(NVIDIA/dcgm-exporter#636). The image has bash, but no coreutils.
"""

_COUNTERS: tuple[tuple[str, str, str], ...] = (
    ("DCGM_FI_DEV_GPU_UTIL", "gauge", "Busy time of the GPU in percent"),
    ("DCGM_FI_DEV_MEM_COPY_UTIL", "gauge", "Busy time of the memory interface in percent"),
    ("DCGM_FI_DEV_FB_USED", "gauge", "GPU memory in use in MiB"),
    ("DCGM_FI_DEV_FB_FREE", "gauge", "GPU memory free in MiB"),
    ("DCGM_FI_DEV_SM_CLOCK", "gauge", "Clock of the multiprocessors in MHz"),
    ("DCGM_FI_DEV_MEM_CLOCK", "gauge", "Clock of the memory in MHz"),
    ("DCGM_FI_DEV_GPU_TEMP", "gauge", "Temperature of the GPU in degrees Celsius"),
    ("DCGM_FI_DEV_MEMORY_TEMP", "gauge", "Temperature of the memory in degrees Celsius"),
    ("DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw in W"),
    ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter", "Energy since the driver was loaded in mJ"),
    ("DCGM_FI_DEV_XID_ERRORS", "gauge", "Number of the last XID error"),
    ("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "counter", "Repeated PCIe transfers"),
    ("DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "counter", "NVLink traffic over all lanes"),
    ("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "counter", "Memory rows remapped after correctable errors"),
    ("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "counter", "Memory rows remapped after uncorrectable errors"),
    ("DCGM_FI_DEV_ROW_REMAP_FAILURE", "gauge", "Whether remapping rows has failed"),
)
"""Counters read from the driver. Source: NVIDIA/dcgm-exporter, etc/default-counters.csv."""

_PROFILING: tuple[tuple[str, str, str], ...] = (
    ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gauge", "Share of time in which an engine is active"),
    ("DCGM_FI_PROF_SM_ACTIVE", "gauge", "Share of cycles in which a multiprocessor has a warp"),
    ("DCGM_FI_PROF_SM_OCCUPANCY", "gauge", "Share of the possible warps that are resident"),
    ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", "Share of cycles in which the tensor pipe is active"),
    ("DCGM_FI_PROF_DRAM_ACTIVE", "gauge", "Share of cycles in which the memory interface is active"),
    ("DCGM_FI_PROF_PCIE_TX_BYTES", "gauge", "PCIe bytes sent per second"),
    ("DCGM_FI_PROF_PCIE_RX_BYTES", "gauge", "PCIe bytes received per second"),
)
"""Counters of DCGM's profiling module. Source: NVIDIA/dcgm-exporter, deployment/values.yaml."""


class DcgmExporterChart(cdk8s.Chart):
    """NVIDIA's DCGM exporter on Auto Mode's GPU nodes. Opt-in: nothing in this library creates it by default.

    Creates a Namespace that admits privileged pods, and in it a DaemonSet, a headless Service with the port
    ``metrics`` (9400), a ConfigMap, a ServiceAccount and a NetworkPolicy, all named ``dcgm-exporter``. The pods open no
    connections. A ServiceMonitor finds the Service by the label ``app.kubernetes.io/name: dcgm-exporter``. No device
    plugin: Auto Mode's AMI includes it.

    The pods do not request ``nvidia.com/gpu``, which would take GPUs from the workloads, yet they see all GPUs: they
    set ``NVIDIA_VISIBLE_DEVICES``, which Bottlerocket honours only in containers with the capability SYS_ADMIN.
    That, and the kubelet folder that maps GPUs to pods, is why the namespace must admit privileged pods. The pods have
    no API token and are not ``privileged``.

    What is proven: AWS's guide shows metrics from the same exporter on Auto Mode, installed by NVIDIA's Helm chart,
    which adds SYS_ADMIN too. Public reports from self-managed Bottlerocket nodes say: GPUs are visible with SYS_ADMIN,
    and not without it; a ConfigMap's file mounted with ``subPath`` was refused; since Kubernetes 1.34 the exporter
    exited at once unless the linker's cache was rewritten, which the container does if needed. What is not proven:
    this DaemonSet, stricter than the Helm chart (no other capability, seccomp), was never run on an Auto Mode node (?);
    nor is it known whether SELinux lets it ask the kubelet which pod has which GPU (?). If not, metrics lack the pod's
    name.

    Auto Mode's node monitoring agent has a DCGM engine too, but no Prometheus endpoint. A second engine has made nodes
    report as unhealthy, and Auto Mode replaces such nodes after ten minutes: hence the warning
    ``automode:DcgmBesideNodeMonitoring``. Try it first on a pool that nobody needs.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        image: the exporter's image, with a tag or a digest; it needs bash, as NVIDIA's have. Default: DCGM 4.6.1 with
            exporter 4.8.4; we decide.
        namespace: the chart's own namespace. Default: ``gpu-metrics``; we decide.
        interval: seconds between two readings, 1 to 300; scraping more often yields nothing new.
            Default: 30; the exporter's own.
        profiling: whether to read the profiling counters too (``DCGM_FI_PROF_*``). Only one engine per GPU can, so this
            and profilers exclude each other. Default: False; we decide, the exporter's own is True.
        clients: who may read the metrics, as peers of a NetworkPolicy, see ``PodNetworkPolicy``; for Prometheus in the
            namespace ``monitoring``: ``[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name":
            "monitoring"}}}]``. Default: every pod of the cluster; we decide.

    Raises:
        AutoModeError: for an interval out of bounds; for a namespace that cannot be the chart's own; for an image that
            may be another one tomorrow.

    Source: NVIDIA/dcgm-exporter, deployment/examples/dcgm-exporter.yaml, issues 612, 613 and 636;
    bottlerocket-os/bottlerocket#3992; Bottlerocket, settings.nvidia-container-runtime; aws/containers-roadmap#2763;
    aws/eks-node-monitoring-agent#256; EKS User Guide, "Deploy the DCGM Exporter for GPU metrics".
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        image: str = IMAGE,
        namespace: str = NAMESPACE,
        interval: int = 30,
        profiling: bool = False,
        clients: Sequence[ApplicationPeer | Mapping[str, Any]] = ({"namespaceSelector": {}},),
    ) -> None:
        where = place(scope, id)
        check_own_namespace(where, namespace)
        if not 1 <= interval <= LONGEST_INTERVAL_SECONDS:
            raise AutoModeError.of(
                where,
                field="interval",
                message=f"needs a whole number of seconds from 1 to {LONGEST_INTERVAL_SECONDS}, got {shown(interval)}",
            )
        ImageReference.of(where, image)
        super().__init__(scope, id, namespace=namespace, labels=_LABELS)
        # The profile baseline admits neither hostPath nor SYS_ADMIN.
        make_own_namespace(self, namespace, "privileged")
        counters = _csv(_COUNTERS + _PROFILING if profiling else _COUNTERS)
        self._make("v1", "ServiceAccount", {"automountServiceAccountToken": False})
        self._make("v1", "ConfigMap", {"data": {_COUNTERS_FILE: counters}})
        pod = {
            "nodeSelector": {str(COMPUTE_TYPE): "auto", str(INSTANCE_GPU_MANUFACTURER): "nvidia"},
            "tolerations": [GPU_TOLERATION],
            "serviceAccountName": NAME,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            # No priority class: on a full node, system-node-critical would evict a model server to make room.
            # Karpenter leaves room for DaemonSets on every node that it launches.
            "containers": [_container(image, interval)],
            "volumes": [
                {"name": "counters", "configMap": {"name": NAME}},
                {"name": "pod-resources", "hostPath": {"path": _POD_RESOURCES, "type": "Directory"}},
            ],
        }
        # The exporter reads its counters once: other counters need other pods.
        checksum = {"checksum/counters": hashlib.sha256(counters.encode()).hexdigest()[:16]}
        self.daemon_set = self._make(
            "apps/v1",
            "DaemonSet",
            {
                "spec": {
                    "selector": {"matchLabels": _LABELS},
                    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
                    "revisionHistoryLimit": 3,
                    "template": {"metadata": {"labels": _LABELS, "annotations": checksum}, "spec": pod},
                }
            },
        )
        """The DaemonSet, for settings that this chart has no argument for: ``daemon_set.add_override``."""
        note_warning(
            self.daemon_set,
            "automode:DcgmBesideNodeMonitoring",
            "the node monitoring agent of Auto Mode runs a DCGM engine too; with a second engine on the node "
            "it has reported AcceleratedHardwareReady=False, and nodes were replaced (aws/containers-roadmap#2763); "
            "watch that condition on a pool that nobody needs before you acknowledge this",
        )
        PodNetworkPolicy(self, "traffic", name=NAME, pod_labels=_LABELS, clients=clients, ports=[PORT])
        # Headless: each pod reports its own node only, so no single address may stand for all of them.
        ports = [{"name": "metrics", "port": PORT, "targetPort": "metrics", "protocol": "TCP"}]
        self._make("v1", "Service", {"spec": {"clusterIP": "None", "selector": _LABELS, "ports": ports}})

    def _make(self, api_version: str, kind: str, body: Mapping[str, Any]) -> KubernetesObject:
        return KubernetesObject(
            self, kind, api_version=api_version, kind=kind, name=NAME, cluster_scoped=False, body=body
        )


def _csv(counters: tuple[tuple[str, str, str], ...]) -> str:
    return "".join(f"{', '.join(counter)}\n" for counter in counters)


def _container(image: str, interval: int) -> dict[str, Any]:
    environment = {
        "DCGM_EXPORTER_LISTEN": f":{PORT}",
        "DCGM_EXPORTER_INTERVAL": str(interval * 1000),
        "DCGM_EXPORTER_COLLECTORS": f"{_COUNTERS_FOLDER}/{_COUNTERS_FILE}",
        "DCGM_EXPORTER_KUBERNETES": "true",
        # NVIDIA's images set this too; a custom image may not.
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    }
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/bash", "-ec", _START],
        "env": [
            *({"name": name, "value": value} for name, value in environment.items()),
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "ports": [{"name": "metrics", "containerPort": PORT, "protocol": "TCP"}],
        # As in AWS's guide, without its CPU limit, which would only delay readings.
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "startupProbe": _probe(every=5, failures=36),
        "readinessProbe": _probe(every=10, failures=3),
        "livenessProbe": _probe(every=30, failures=3),
        "securityContext": {
            # Linux gives an added capability to root only.
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
            "seccompProfile": {"type": "RuntimeDefault"},
            # The linker's cache is in /etc.
            "readOnlyRootFilesystem": False,
        },
        "volumeMounts": [
            {"name": "counters", "mountPath": _COUNTERS_FOLDER, "readOnly": True},
            {"name": "pod-resources", "mountPath": _POD_RESOURCES, "readOnly": True},
        ],
    }


def _probe(*, every: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": "/health", "port": "metrics"},
        "periodSeconds": every,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
