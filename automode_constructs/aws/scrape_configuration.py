"""What a managed scraper collects from a cluster: the scrape configuration, in Prometheus' own format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

__all__ = ["JOBS", "scrape_configuration"]

_API_SERVER: Final = "kubernetes.default.svc:443"
_TOKEN: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
_AUTHORITY: Final = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
_CONTROL_PLANE: Final = "/apis/metrics.eks.amazonaws.com/v1"
_POD: Final = "__meta_kubernetes_pod_"
_NAME_LABEL: Final = f"{_POD}label_app_kubernetes_io_name"
_CONTAINER_METRICS: Final = (
    "container_(cpu_usage_seconds_total|memory_working_set_bytes|memory_rss|cpu_cfs_throttled_periods_total"
    "|cpu_cfs_periods_total|fs_usage_bytes|network_(receive|transmit)_bytes_total)|machine_(cpu_cores|memory_bytes)"
)
_API_SERVER_METRICS: Final = (
    "apiserver_(request_total|request_duration_seconds_(sum|count)|current_inflight_requests"
    "|flowcontrol_rejected_requests_total|storage_size_bytes|admission_webhook_rejection_count)"
)


def _label(source: str, target: str) -> dict[str, Any]:
    return {"source_labels": [source], "target_label": target}


def _keep(source: str, regex: str) -> dict[str, Any]:
    return {"source_labels": [source], "regex": regex, "action": "keep"}


def _metrics(regex: str) -> list[dict[str, Any]]:
    return [_keep("__name__", regex)]


_POD_LABELS: Final = [
    _label("__meta_kubernetes_namespace", "namespace"),
    _label(f"{_POD}name", "pod"),
    _label(f"{_POD}node_name", "node"),
]


def _of_the_api_server(path: str, metrics: str) -> dict[str, Any]:
    """A job that reads a path of the Kubernetes API with the scraper's own identity."""
    return {
        "metrics_path": path,
        "scheme": "https",
        "bearer_token_file": _TOKEN,
        "tls_config": {"ca_file": _AUTHORITY},
        "kubernetes_sd_configs": [{"role": "endpoints"}],
        "relabel_configs": [
            {
                "source_labels": [
                    "__meta_kubernetes_namespace",
                    "__meta_kubernetes_service_name",
                    "__meta_kubernetes_endpoint_port_name",
                ],
                "regex": "default;kubernetes;https",
                "action": "keep",
            }
        ],
        "metric_relabel_configs": _metrics(metrics),
    }


def _of_pods(relabel: Sequence[Mapping[str, Any]], metrics: str | None = None) -> dict[str, Any]:
    job: dict[str, Any] = {
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": [_keep(f"{_POD}phase", "Running"), *relabel, *_POD_LABELS],
    }
    return job if metrics is None else {**job, "metric_relabel_configs": _metrics(metrics)}


JOBS: Final[Mapping[str, Mapping[str, Any]]] = {
    "api-server": _of_the_api_server("/metrics", _API_SERVER_METRICS),
    "scheduler": _of_the_api_server(
        f"{_CONTROL_PLANE}/ksh/container/metrics",
        "scheduler_(pending_pods|schedule_attempts_total|pod_scheduling_sli_duration_seconds_(sum|count))",
    ),
    "controller-manager": _of_the_api_server(
        f"{_CONTROL_PLANE}/kcm/container/metrics",
        "workqueue_(depth|adds_total)|cronjob_controller_job_creation_skew_duration_seconds_(sum|count)",
    ),
    "containers": {
        "scheme": "https",
        "bearer_token_file": _TOKEN,
        "tls_config": {"ca_file": _AUTHORITY},
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [
            {"regex": "__meta_kubernetes_node_label_karpenter_sh_(nodepool|capacity_type)", "action": "labelmap"},
            _label("__meta_kubernetes_node_label_node_kubernetes_io_instance_type", "instance_type"),
            _label("__meta_kubernetes_node_name", "node"),
            {"target_label": "__address__", "replacement": _API_SERVER},
            {
                "source_labels": ["__meta_kubernetes_node_name"],
                "target_label": "__metrics_path__",
                "replacement": "/api/v1/nodes/$1/proxy/metrics/cadvisor",
            },
        ],
        "metric_relabel_configs": _metrics(_CONTAINER_METRICS),
    },
    "kube-state-metrics": {
        **_of_pods(
            [
                _keep(_NAME_LABEL, "kube-state-metrics"),
                _keep(f"{_POD}container_port_name", "http|http-metrics"),
            ]
        ),
        # Its series have labels pod and namespace of what they describe, which are the ones that count.
        "honor_labels": True,
    },
    "gpus": _of_pods(
        [_keep(_NAME_LABEL, "dcgm-exporter"), _keep(f"{_POD}container_port_name", "metrics")], "DCGM_FI_.*"
    ),
    "model-servers": _of_pods([_keep(f"{_POD}container_port_number", "8000")], "vllm:.*"),
    "annotated-pods": _of_pods(
        [
            _keep(f"{_POD}annotation_prometheus_io_scrape", "true"),
            {
                "source_labels": [f"{_POD}annotation_prometheus_io_path"],
                "regex": "(.+)",
                "target_label": "__metrics_path__",
            },
            {
                "source_labels": ["__address__", f"{_POD}annotation_prometheus_io_port"],
                "regex": r"(\[[^]]+\]|[^:]+)(?::\d+)?;(\d+)",
                "target_label": "__address__",
                "replacement": "$1:$2",
            },
        ]
    ),
}
"""The jobs, by name: three of the control plane, and what runs in pods and on nodes.

Source: Amazon Managed Service for Prometheus User Guide, "Set up managed collectors for Amazon EKS"; EKS User Guide,
"Fetch control plane raw metrics in Prometheus format"; vLLM, "Production Metrics"; Prometheus, "Configuration".
"""


def scrape_configuration(jobs: Sequence[str], *, interval: int) -> str:
    """The scrape configuration of some jobs, as YAML.

    Args:
        jobs: names in ``JOBS``.
        interval: seconds between two readings.
    """
    document = {
        "global": {"scrape_interval": f"{interval}s", "scrape_timeout": f"{min(interval, 10)}s"},
        "scrape_configs": [{"job_name": name, **JOBS[name]} for name in jobs],
    }
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - of all data alike
        """Lists that jobs share are written out in each."""
        return True
