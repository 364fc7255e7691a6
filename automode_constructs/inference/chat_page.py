"""A page to talk to a model server with, in a browser."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from constructs import Construct

from automode_constructs.arguments import checked_arguments, is_whole_number, place
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.inference.image import ImageReference
from automode_constructs.inference.model_metrics import METRICS_NAMESPACE, SCRAPER_LABELS, check_same_namespace
from automode_constructs.inference.model_server import ModelServer
from automode_constructs.inference.model_server_arguments import PORT as MODEL_PORT
from automode_constructs.inference.weight_staging import STAGING_IMAGE
from automode_constructs.inference.weights import SecretKey
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.manifests.pod_network_policy import PodNetworkPolicy
from automode_constructs.specs.labels import COMPUTE_TYPE
from automode_constructs.specs.object_metadata import kubernetes_name
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule, ApplicationPeer

__all__ = ["PORT", "ChatPage"]

PORT = 8080
"""The page's port in its pod; the Service has 80."""

_PROGRAM = "serve_chat_page.py"
_FOLDER = "/chat-page"
_USER = 1000


class ChatPage(Construct):
    """A chat page for a ``ModelServer``, behind the Service ``name`` on port 80. Opt-in; nothing creates it by default.

    Creates in the server's namespace a Deployment of one pod, a Service, a ConfigMap with the program, a ServiceAccount
    and network policies, all called ``name``, and the policy ``<server>-chat`` that admits the page to the server. The
    page asks nobody who they are: it holds the server's key and lends it to whoever reaches it. So nobody reaches it by
    default except through ``kubectl port-forward``, which needs rights in the cluster; name ``clients`` only where an
    ingress in front of it asks for a login (``alb.ingress.kubernetes.io/auth-type``). It keeps no conversations, writes
    no logs of them, and runs as an unprivileged user on a read-only file system.

    Its requests start a server that ``ModelAutoscaler(min_replicas=0, chat_page=...)`` has ended.

    Cost: 0.05 vCPU and 64 MiB on a node that is there; on a cluster without other pods, that node.

    Args:
        scope: the cdk8s chart of the server, or a construct in it.
        id: the construct's id.
        server: the model server.
        api_key: the Secret with the key that the server asks for. Default: none.
        name: name of all objects, at most 58 characters. Default: the construct's id; we decide.
        image: an image with Python 3.11 or later as ``python3``, by tag or digest. Default: ``STAGING_IMAGE``; we
            decide.
        clients: who may open the page, as peers of a NetworkPolicy, see ``PodNetworkPolicy``. Default: nobody but
            ``kubectl port-forward``; we decide.
        idle_seconds: for how long after a request the model counts as wanted, at least 60. Default: 600; we decide.
        metrics_namespace: namespace of ``ModelMetricsChart``. Default: ``model-metrics``; we decide.

    Raises:
        AutoModeError: for an image without tag and digest, a number out of bounds, a name that the server has, a
            chart of another namespace.

    Source: vLLM, "OpenAI-Compatible Server".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        server: ModelServer,
        api_key: SecretKey | None = None,
        name: str | None = None,
        image: str = STAGING_IMAGE,
        clients: Sequence[ApplicationPeer | Mapping[str, Any]] = (),
        idle_seconds: int = 600,
        metrics_namespace: str = METRICS_NAMESPACE,
    ) -> None:
        where = place(scope, id)
        self.name = kubernetes_name(where, id if name is None else name, longest=58)
        if self.name == server.name:
            raise AutoModeError.of(
                where, field="name", message=f"{shown(self.name)} is the server's name", cure="give it another"
            )
        if not is_whole_number(idle_seconds) or idle_seconds < 60:
            raise AutoModeError.of(
                where, field="idle_seconds", message=f"needs a whole number of at least 60, got {shown(idle_seconds)}"
            )
        kubernetes_name(where, metrics_namespace, longest=63)
        ImageReference.of(where, image)
        check_same_namespace(where, scope, server)
        super().__init__(scope, id)
        self.server = server
        """The server that the page speaks to."""
        self.labels = {"app.kubernetes.io/name": self.name, "model-server": server.name}
        """The pods' labels."""
        program = files(__package__).joinpath(_PROGRAM).read_text("utf-8")
        self._make("v1", "ServiceAccount", {"automountServiceAccountToken": False})
        self._make("v1", "ConfigMap", {"data": {_PROGRAM: program}})
        self.deployment = self._make(
            "apps/v1",
            "Deployment",
            {
                "spec": {
                    "replicas": 1,
                    "revisionHistoryLimit": 3,
                    "selector": {"matchLabels": self.labels},
                    "template": {
                        "metadata": {
                            "labels": self.labels,
                            "annotations": {"checksum/program": hashlib.sha256(program.encode()).hexdigest()[:16]},
                        },
                        "spec": self._pod(image, _environment(server, api_key, idle_seconds)),
                    },
                }
            },
        )
        """The Deployment, for settings that this construct has no argument for."""
        ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
        self.service = self._make("v1", "Service", {"spec": {"selector": self.labels, "ports": ports}})
        """The Service."""
        scraper = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": metrics_namespace}},
            "podSelector": {"matchLabels": SCRAPER_LABELS},
        }
        PodNetworkPolicy(
            self,
            "traffic",
            name=self.name,
            pod_labels=self.labels,
            clients=[*clients, scraper],
            ports=[PORT],
            egress=[
                ApplicationEgressRule.from_manifest(
                    {
                        "to": [{"podSelector": {"matchLabels": server.labels}}],
                        "ports": [{"port": MODEL_PORT, "protocol": "TCP"}],
                    }
                )
            ],
        )
        PodNetworkPolicy(
            self,
            "to-server",
            name=f"{server.name}-chat",
            pod_labels=server.labels,
            clients=[{"podSelector": {"matchLabels": self.labels}}],
            ports=[MODEL_PORT],
        )

    def _pod(self, image: str, environment: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10, "timeoutSeconds": 3}
        return {
            "serviceAccountName": self.name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "nodeSelector": {str(COMPUTE_TYPE): "auto"},
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "chat-page",
                    "image": image,
                    "command": ["python3", "-B", f"{_FOLDER}/{_PROGRAM}"],
                    "env": list(environment),
                    "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
                    "readinessProbe": probe,
                    "livenessProbe": probe,
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "program", "mountPath": _FOLDER, "readOnly": True}],
                }
            ],
            "volumes": [{"name": "program", "configMap": {"name": self.name}}],
        }

    def _make(self, api_version: str, kind: str, body: Mapping[str, Any]) -> KubernetesObject:
        return KubernetesObject(
            self, kind, api_version=api_version, kind=kind, name=self.name, cluster_scoped=False, body=body
        )


def _environment(server: ModelServer, api_key: SecretKey | None, idle_seconds: int) -> list[dict[str, Any]]:
    plain = {
        "MODEL_URL": f"http://{server.name}:{MODEL_PORT}",
        "MODEL_NAME": server.served_model_name,
        "IDLE_SECONDS": str(idle_seconds),
    }
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *([] if api_key is None else [api_key.environment("MODEL_API_KEY")]),
    ]
