"""The shop of the demo: the UI of the AWS retail store sample, alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cdk8s

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.inference.image import ImageReference
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.manifests.pod_network_policy import PodNetworkPolicy
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.specs.labels import ZONE
from automode_constructs.specs.traffic.network_policy import ApplicationPeer

try:
    import cdk8s_plus_28 as kplus
except ModuleNotFoundError as missing:
    if missing.name != "cdk8s_plus_28":
        raise
    raise AutoModeError.of(
        "RetailStoreChart",
        field="",
        message="is written with cdk8s-plus-28, which is not installed",
        cure="pip install 'automode-constructs[cdk8s-plus]'",
    ) from None

__all__ = ["IMAGE", "MOST_REPLICAS", "NAME", "NAMESPACE", "RetailStoreChart"]

IMAGE = "public.ecr.aws/aws-containers/retail-store-sample-ui:1.6.2"
"""The newest release that could be found in use on 2026-11-23; for amd64 and arm64."""
NAMESPACE = "retail-store"
NAME = "ui"
"""Name of the Deployment, the Service, the Ingress, the PodDisruptionBudget, the NetworkPolicy and the container."""
MOST_REPLICAS = 100
"""Every replica requests capacity: a typo must not buy a fleet."""

_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": NAMESPACE}
_PORT = 8080
_READINESS = "/actuator/health/readiness"
_LIVENESS = "/actuator/health/liveness"
_USER = 1000
_ADDRESS = "cdk8s.io/metadata.addr"
"""The label that cdk8s-plus derives from the construct path: moving code would replace every pod."""


class RetailStoreChart(cdk8s.Chart):
    """The UI of the AWS retail store sample, with its backends mocked inside it.

    Creates the Namespace ``retail-store``, which admits restricted pods only, and in it a Deployment, a Service, a
    PodDisruptionBudget, a NetworkPolicy and, optionally, an Ingress, all named ``ui``. Its pods open no connections,
    not even to DNS: their backends are inside them. Without ``RETAIL_UI_ENDPOINTS_*`` the UI uses its own mocks for the
    catalog, carts, orders and checkout; a cart then lives in the memory of one pod, and the load balancer keeps each
    visitor on one pod.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        replicas: pods of the shop, 0 to 100; with 0 nothing needs a node. Default: 1; we decide.
        image: the container image of the UI, with a tag or a digest. Default: release 1.6.2; we decide.
        ingress: whether an Application Load Balancer exposes the shop. It uses the IngressClass ``alb`` that
            ``PlatformChart`` makes; its parameters decide whether it has public addresses. Default: True; we decide.
        clients: who may reach the shop's port, as peers of a NetworkPolicy, see ``PodNetworkPolicy``. The load balancer
            has addresses of the VPC, an internet-facing one too: ``{"ipBlock": {"cidr": <the VPC's>}}``. Default:
            everyone who reaches the pods, or without ``ingress`` the pods of the namespace; we decide.

    Raises:
        AutoModeError: for replicas out of bounds; for an image whose reference may move; on import, without
            the package ``cdk8s-plus-28``, which the extra ``automode-constructs[cdk8s-plus]`` brings.

    Source: aws-containers/retail-store-sample-app, src/ui/README.md (mocks), src/ui/Dockerfile (port, user),
    src/ui/chart (probe paths, ``/tmp``, ``JAVA_OPTS``).
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        replicas: int = 1,
        image: str = IMAGE,
        ingress: bool = True,
        clients: Sequence[ApplicationPeer | Mapping[str, Any]] | None = None,
    ) -> None:
        where = place(scope, id)
        if not 0 <= replicas <= MOST_REPLICAS:
            raise AutoModeError.of(
                where,
                field="replicas",
                message=f"needs a whole number from 0 to {MOST_REPLICAS}, got {shown(replicas)}",
            )
        ImageReference.of(where, image)
        super().__init__(scope, id, namespace=NAMESPACE, labels=_LABELS)
        self._make_namespace(ingress=ingress)
        if clients is None and not ingress:
            clients = [{"podSelector": {}}]
        PodNetworkPolicy(self, "traffic", name=NAME, pod_labels=_LABELS, clients=clients, ports=[_PORT])
        self._make_deployment(replicas, image)
        KubernetesObject(
            self,
            "disruption-budget",
            api_version="policy/v1",
            kind="PodDisruptionBudget",
            name=NAME,
            cluster_scoped=False,
            body={
                "spec": {
                    # One at a time, even with a single replica: a budget that allows none blocks node replacement.
                    "maxUnavailable": 1,
                    "unhealthyPodEvictionPolicy": "AlwaysAllow",
                    "selector": {"matchLabels": _LABELS},
                }
            },
        )
        service = kplus.Service(
            self,
            "service",
            metadata=cdk8s.ApiObjectMetadata(name=NAME),
            ports=[kplus.ServicePort(name="http", port=80, target_port=_PORT)],
        )
        for key, value in _LABELS.items():
            service.select_label(key, value)
        if ingress:
            self._make_ingress(service)

    def _make_namespace(self, *, ingress: bool) -> None:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        if ingress:
            # A new pod is ready only once the load balancer reaches it, so a rollout drops no request.
            # The key is Auto Mode's own. Public reports show it working, no AWS page documents it (?); a key that is
            # not read does nothing.
            labels["eks.amazonaws.com/pod-readiness-gate-inject"] = "enabled"
        namespace = kplus.Namespace(
            self, "namespace", metadata=cdk8s.ApiObjectMetadata(name=NAMESPACE, labels={**_LABELS, **labels})
        )
        cdk8s.ApiObject.of(namespace).add_json_patch(cdk8s.JsonPatch.remove("/metadata/namespace"))

    def _make_deployment(self, replicas: int, image: str) -> None:
        deployment = kplus.Deployment(
            self,
            "deployment",
            metadata=cdk8s.ApiObjectMetadata(name=NAME),
            replicas=replicas,
            select=False,
            pod_metadata=cdk8s.ApiObjectMetadata(labels=_LABELS),
            automount_service_account_token=False,
            termination_grace_period=cdk8s.Duration.seconds(60),
            containers=[self._container(image)],
        )
        deployment.select(kplus.LabelSelector.of(labels=_LABELS))
        pod = "/spec/template/spec"
        cdk8s.ApiObject.of(deployment).add_json_patch(
            cdk8s.JsonPatch.remove(f"/spec/template/metadata/labels/{_ADDRESS.replace('/', '~1')}"),
            cdk8s.JsonPatch.add(f"{pod}/enableServiceLinks", False),
            cdk8s.JsonPatch.add(
                f"{pod}/topologySpreadConstraints",
                [
                    {
                        "topologyKey": str(ZONE),
                        "maxSkew": 1,
                        # A zone without capacity must not hold pods back.
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": {"matchLabels": _LABELS},
                    }
                ],
            ),
        )

    def _container(self, image: str) -> kplus.ContainerProps:
        memory = cdk8s.Size.gibibytes(1)
        return kplus.ContainerProps(
            name=NAME,
            image=image,
            image_pull_policy=kplus.ImagePullPolicy.IF_NOT_PRESENT,
            ports=[kplus.ContainerPort(name="http", number=_PORT)],
            # By default the JVM takes a quarter of the limit.
            env_variables={"JAVA_OPTS": kplus.EnvValue.from_value("-XX:MaxRAMPercentage=75.0")},
            # Ours: the sample's chart asks for 128m and 512Mi. No CPU limit, for the JVM starts with all it can get.
            resources=kplus.ContainerResources(
                cpu=kplus.CpuResources(request=kplus.Cpu.millis(250)),
                memory=kplus.MemoryResources(request=memory, limit=memory),
            ),
            # Spring Boot serves both paths by itself when it detects Kubernetes.
            startup=_probe(_LIVENESS, every=5, failures=60),
            readiness=_probe(_READINESS, every=5, failures=3),
            liveness=_probe(_LIVENESS, every=10, failures=6),
            security_context=kplus.ContainerSecurityContextProps(
                user=_USER,
                group=_USER,
                capabilities=kplus.ContainerSecutiryContextCapabilities(drop=[kplus.Capability.ALL]),
                seccomp_profile=kplus.SeccompProfile(type=kplus.SeccompProfileType.RUNTIME_DEFAULT),
            ),
            # A load balancer keeps sending for some seconds after a pod's stop signal. A command, because
            # cdk8s-plus-28 writes no field that is newer than Kubernetes 1.28, such as preStop.sleep.
            lifecycle=kplus.ContainerLifecycle(pre_stop=kplus.Handler.from_command(["sleep", "30"])),
            # The root filesystem is read-only, and Java writes to /tmp.
            volume_mounts=[
                kplus.VolumeMount(
                    path="/tmp",  # noqa: S108 - a folder of the pod's own
                    volume=kplus.Volume.from_empty_dir(self, "tmp", "tmp", size_limit=cdk8s.Size.mebibytes(256)),
                )
            ],
        )

    def _make_ingress(self, service: kplus.Service) -> None:
        prefix = "alb.ingress.kubernetes.io"
        kplus.Ingress(
            self,
            "ingress",
            metadata=cdk8s.ApiObjectMetadata(
                name=NAME,
                # Source: kubernetes-sigs/aws-load-balancer-controller, Ingress annotations.
                annotations={
                    f"{prefix}/target-type": "ip",
                    f"{prefix}/healthcheck-path": _READINESS,
                    f"{prefix}/target-group-attributes": "stickiness.enabled=true,stickiness.type=lb_cookie",
                },
            ),
            class_name="alb",
            rules=[
                kplus.IngressRule(
                    path="/",
                    path_type=kplus.HttpIngressPathType.PREFIX,
                    backend=kplus.IngressBackend.from_service(service),
                )
            ],
        )


def _probe(path: str, *, every: int, failures: int) -> kplus.Probe:
    return kplus.Probe.from_http_get(
        path,
        port=_PORT,
        period_seconds=cdk8s.Duration.seconds(every),
        timeout_seconds=cdk8s.Duration.seconds(3),
        failure_threshold=failures,
    )
