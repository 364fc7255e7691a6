"""Replicas of a model server by the requests that it has in flight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from constructs import Construct

from automode_constructs.arguments import checked_arguments, is_whole_number, place
from automode_constructs.checks.rollout import surge_problems
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.inference.chat_page import ChatPage
from automode_constructs.inference.fit import limit_problems
from automode_constructs.inference.model_metrics import (
    IN_FLIGHT,
    METRICS_NAMESPACE,
    SCRAPER_ACCOUNT,
    SCRAPER_LABELS,
    WANTED,
    check_same_namespace,
)
from automode_constructs.inference.model_server import ModelServer
from automode_constructs.inference.model_server_arguments import PORT
from automode_constructs.manifests.kubernetes_object import KubernetesObject, note_warning
from automode_constructs.manifests.pod_network_policy import PodNetworkPolicy
from automode_constructs.specs.object_metadata import kubernetes_name

__all__ = ["SCALE_TO_ZERO_VERSION", "ModelAutoscaler"]

SCALE_TO_ZERO_VERSION = (1, 37)
"""The first Kubernetes version whose autoscaler may end the last pod without a feature gate (beta, on by default)."""

_UP = {
    "stabilizationWindowSeconds": 30,
    "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
}
_DOWN = {
    "stabilizationWindowSeconds": 300,
    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}],
}


class ModelAutoscaler(Construct):
    """A HorizontalPodAutoscaler for a ``ModelServer``, by requests in flight: those that it processes or keeps waiting.

    GPU load says nothing, it is 100 % with one request or thirty; and a queue alone is empty while all replicas are
    busy, so that it would end them. Creates a HorizontalPodAutoscaler with the server's name, and for the pods that
    read the metrics, all called ``<name>-metrics``, a NetworkPolicy that admits them to the server's port and a Role
    with its RoleBinding by which they find the pods of the namespace. The metric comes from ``ModelMetricsChart``, of
    which a cluster needs one; without it the replicas stay as they are.

    Adds up to 2 pods a minute after 30 s, and ends one every 2 minutes after 5 minutes, the EKS guide's values. Each
    new pod needs a node with a GPU: a cold start, and its price.

    Args:
        scope: the cdk8s chart of the server, or a construct in it.
        id: the construct's id.
        server: the server, made with ``replicas=None``.
        max_replicas: the most pods, 1 or more; their GPUs must be within the limit of the server's pool.
        min_replicas: the fewest, 0 or more. 0 ends the last pod, and its node, when nobody wants the model; needs
            Kubernetes 1.37 and ``chat_page``. Default: 1; we decide.
        chat_page: the page whose requests start a server that has no pod; needed for 0. Default: none.
        kubernetes_version: the cluster's, such as ``1.37``; needed for 0. Default: not known.
        requests_per_replica: requests in flight for each pod, 1 or more. Default: three quarters of the server's
            ``max_num_seqs``; we decide.
        metrics_namespace: namespace of ``ModelMetricsChart``. Default: ``model-metrics``; we decide.

    Raises:
        AutoModeError: for a server that writes a number of replicas, which each deployment would restore; for more
            replicas than the pool's limit has GPUs; for 0 on an older Kubernetes; for numbers out of bounds.

    Source: Kubernetes, "Horizontal Pod Autoscaling"; EKS User Guide, "Machine learning on EKS"; vLLM, "Metrics".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        server: ModelServer,
        max_replicas: int,
        min_replicas: int = 1,
        chat_page: ChatPage | None = None,
        kubernetes_version: str | None = None,
        requests_per_replica: int | None = None,
        metrics_namespace: str = METRICS_NAMESPACE,
    ) -> None:
        where = place(scope, id)
        target = max(1, server.max_num_seqs * 3 // 4) if requests_per_replica is None else requests_per_replica
        problems = [
            *_number_problems(max_replicas=(max_replicas, 1), min_replicas=(min_replicas, 0)),
            *_number_problems(requests_per_replica=(target, 1)),
        ]
        if not problems:
            problems = [
                *_server_problems(server, min_replicas, max_replicas),
                *(_zero_problems(server, chat_page, kubernetes_version) if min_replicas == 0 else ()),
            ]
        if problems:
            raise AutoModeError(where, problems)
        check_same_namespace(where, scope, server)
        kubernetes_name(where, metrics_namespace, longest=63)
        super().__init__(scope, id)
        metrics = [_metric(IN_FLIGHT, {"server": server.name}, target)]
        if min_replicas == 0:
            metrics.append(_metric(WANTED, {"server": server.name}, 1))
        self.autoscaler = KubernetesObject(
            self,
            "autoscaler",
            api_version="autoscaling/v2",
            kind="HorizontalPodAutoscaler",
            name=server.name,
            cluster_scoped=False,
            body={
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": server.name},
                    "minReplicas": min_replicas,
                    "maxReplicas": max_replicas,
                    "metrics": metrics,
                    "behavior": {"scaleUp": _UP, "scaleDown": _DOWN},
                }
            },
        )
        """The HorizontalPodAutoscaler, for settings that this construct has no argument for."""
        self._warn_of_updates(server, max_replicas)
        self._let_pods_be_found(f"{server.name}-metrics", metrics_namespace)
        PodNetworkPolicy(
            self,
            "metrics",
            name=f"{server.name}-metrics",
            pod_labels=server.labels,
            clients=[
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": metrics_namespace}},
                    "podSelector": {"matchLabels": SCRAPER_LABELS},
                }
            ],
            ports=[PORT],
        )

    def _warn_of_updates(self, server: ModelServer, most: int) -> None:
        if server.node_pool is None:
            return
        deployment = server.deployment.to_json()
        scaled = {**deployment, "spec": {**deployment["spec"], "replicas": most}}
        limits = server.node_pool.spec.limits or {}
        for problem in surge_problems(scaled, pool=server.node_pool.name, limits=limits):
            note_warning(self, problem.rule, f"max_replicas: {problem.message}; {problem.cure}")

    def _let_pods_be_found(self, name: str, metrics_namespace: str) -> None:
        group = "rbac.authorization.k8s.io"
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
        bound = {
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": SCRAPER_ACCOUNT, "namespace": metrics_namespace}],
        }
        for kind, body in (("Role", {"rules": rules}), ("RoleBinding", bound)):
            KubernetesObject(
                self, kind, api_version=f"{group}/v1", kind=kind, name=name, cluster_scoped=False, body=body
            )


def _metric(name: str, labels: dict[str, str], target: int) -> dict[str, Any]:
    return {
        "type": "External",
        "external": {
            "metric": {"name": name, "selector": {"matchLabels": labels}},
            "target": {"type": "AverageValue", "averageValue": str(target)},
        },
    }


def _number_problems(**numbers: tuple[int, int]) -> Iterator[Problem]:
    for field, (value, least) in numbers.items():
        if not is_whole_number(value) or value < least:
            yield Problem(field=field, message=f"needs a whole number of at least {least}, got {shown(value)}")


def _server_problems(server: ModelServer, least: int, most: int) -> Iterator[Problem]:
    if most < least:
        yield Problem(
            field="max_replicas", message=f"{most} are fewer than min_replicas={least}", cure="swap or raise it"
        )
    written = server.deployment.to_json()["spec"].get("replicas")
    if written is not None:
        yield Problem(
            field="server",
            message=f"'{server.node.path}' writes replicas={written}, and each deployment would restore that number",
            cure="make it with replicas=None",
        )
    if server.node_pool is not None:
        needs = replace(server.needs, replicas=most)
        for problem in limit_problems(needs, server.node_pool.name, server.node_pool.spec):
            yield replace(problem, field="max_replicas")


def _zero_problems(server: ModelServer, page: ChatPage | None, version: str | None) -> Iterator[Problem]:
    parts = tuple(int(part) for part in (version or "").split(".") if part.isdecimal())
    if len(parts) != 2 or parts < SCALE_TO_ZERO_VERSION:
        yield Problem(
            field="min_replicas",
            message=f"0 needs Kubernetes 1.37 or newer, and kubernetes_version is {shown(version)}",
            cure="keep 1, or upgrade the cluster and pass its version",
        )
    if page is None or page.server is not server:
        yield Problem(
            field="chat_page",
            message=(
                "is None: nothing would start a server that has no pod"
                if page is None
                else f"speaks to '{page.server.node.path}', and would not start '{server.node.path}'"
            ),
            cure="pass a ChatPage of the server, or keep min_replicas at 1",
        )
