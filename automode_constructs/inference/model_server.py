"""An OpenAI-compatible vLLM server on a GPU pool of Auto Mode."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.checks.rollout import surge_problems
from automode_constructs.errors import shown
from automode_constructs.inference.fast_start import FastStart
from automode_constructs.inference.fit import doubts
from automode_constructs.inference.image import ImageReference
from automode_constructs.inference.model_preset import GIB, ModelPreset
from automode_constructs.inference.model_server_arguments import PORT, ServerArguments
from automode_constructs.inference.model_server_checks import client_doubts, streamer_doubts
from automode_constructs.inference.weight_staging import WeightStaging
from automode_constructs.inference.weights import S3Weights, SecretKey, Weights
from automode_constructs.manifests.kubernetes_object import KubernetesObject, note_warning
from automode_constructs.manifests.node_pool import NodePool
from automode_constructs.manifests.pod_network_policy import PodNetworkPolicy
from automode_constructs.specs import labels
from automode_constructs.specs.object_metadata import kubernetes_name
from automode_constructs.specs.pools.node_pool import NodePoolSpec
from automode_constructs.specs.traffic.network_policy import ApplicationEgressRule, ApplicationPeer
from automode_constructs.tokens import is_token

__all__ = ["GPU_TOLERATION", "ModelServer"]

GPU_TOLERATION: Mapping[str, str] = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
"""Tolerates the usual taint of GPU pools."""


SPOT_NOTICE_SECONDS = 120
"""Time between EC2's interruption notice to a Spot instance and its end."""

_USER = 2000
"""Any user but root: vLLM's images define none, hence ``USER`` and ``HOME`` in the environment."""

_CACHE_GIB = 3
_CACHE = "/cache"


class ModelServer(Construct):
    """A model behind a Service on port 8000, with an OpenAI-compatible API (``/v1/chat/completions`` and so on).

    Creates a Deployment, a Service, a ServiceAccount, a PodDisruptionBudget and a NetworkPolicy in the chart's
    namespace, all called ``name``, and for the domain names of the NetworkPolicy an ApplicationNetworkPolicy
    ``<name>-domains``. EKS enforces both once they are turned on, see ``NetworkPolicyController``. Each pod requests a
    GPU, tolerates the usual taint of GPU nodes, runs as an unprivileged user on a read-only file system, becomes ready
    once vLLM has loaded the model, and finishes requests in flight when its node goes away. Nothing
    scales by itself; ``ModelAutoscaler`` does that.

    Weights from S3 pass through a buffer in the pod's memory (``S3Weights(memory_limit=...)``). That limit, once for
    each GPU, plus about 6 GiB for vLLM must fit in ``memory``.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        model: the model, such as ``GPT_OSS_20B``, or a ``ModelPreset`` of your own.
        image: an image with vLLM, with tag or digest.
        weights: ``S3Weights``, ``ImageWeights`` or ``HubWeights``.
        staging: what fills the bucket of ``S3Weights``; the server is applied after it, and its pods check that all
            files are there. Default: none, the weights are there already.
        node_pool: the pool that the pods run on; the server is checked against it. Default: any GPU node of Auto Mode,
            and nothing is checked; Karpenter decides.
        name: name of all objects, at most 63 characters. Default: the construct's id; we decide.
        replicas: number of pods, 0 or more. ``None`` leaves the number out of the manifest, for a server that a
            HorizontalPodAutoscaler or KEDA scales: a written number is restored at each update. Kubernetes starts with
            1, and scales to 1 once when a number that was written before is left out. Default: 1; we decide.
        served_model_names: the names that requests may use; replies carry the first. Default: the model's; we decide.
        max_model_len: longest request in tokens, prompt and answer together. Default: 32,768 or the model's own limit,
            whichever is less, which fits a GPU of 24 GB; we decide.
        max_num_seqs: requests processed at once. Default: 32; we decide, vLLM's 256 take longer to start.
        gpu_memory_utilization: share of the GPU's memory that vLLM takes, above 0, at most 1. Default: 0.92, as vLLM.
        kv_cache_dtype: ``auto`` or an 8-bit type such as ``fp8``. Default: ``auto``, the model's own; vLLM decides.
        gpus: GPUs of a replica, 1 or more; they share the model. Default: 1; we decide.
        cpu: vCPU that a pod requests. Default: 3, which fits every type with 4 vCPU; we decide.
        memory: memory that a pod requests and may use. Default: 12Gi, which fits every type with 16 GiB, and 4Gi more
            for each GPU after the first; we decide.
        arguments: more flags of vLLM, ``--flag=value`` each. Default: none.
        environment: more environment variables of the container, as text. Default: none.
        api_key: the Secret with the key that requests must carry. ``/health`` and ``/metrics`` stay open.
            Default: none, whoever ``clients`` admits may use the model; beyond the server's own namespace that is the
            warning ``automode:OpenModel``.
        shutdown_timeout: seconds that requests in flight get to finish. Default: 90; we decide, vLLM's 0 cuts them off.
        pre_stop_delay: seconds between the pod's removal from the endpoints and the stop signal; 30 behind an ALB.
            Default: 10; we decide.
        termination_grace_period: seconds until Kubernetes kills the pod; at least 20 more than both together.
            Default: 120, which is Spot's notice; we decide.
        startup_timeout: seconds that loading and compiling may take, counted from the end of the image pull.
            Default: 900; we decide.
        strategy: ``RollingUpdate`` starts the new pod first and needs a second GPU for it; ``Recreate`` ends the old
            one first. Default: ``RollingUpdate``; we decide.
        architecture: of the image. Default: amd64; we decide.
        restricted: whether pods meet the Pod Security Standard "restricted" and use a read-only root file system.
            Default: True; we decide. Turn it off for an image that must run as root.
        compile_cache_host_path: folder on the node that keeps what vLLM compiles, for later pods on that node;
            ``/mnt/.ephemeral/...`` is the NVMe. Needs ``restricted=False``. Default: none, each pod compiles.
        fast_start: the set-up for a short time to the first token, and the time that it must keep to, see
            ``FastStart``. Needs ``S3Weights`` and a ``node_pool``; creates a ConfigMap ``<name>-compile-cache`` too.
            Default: none; we decide.
        tolerations: tolerations of the pods, as in a manifest. Default: ``GPU_TOLERATION``; we decide.
        node_selector: more labels the node must have. Default: none.
        network_policy: whether to write network policies; see ``PodNetworkPolicy``. Default: True; we decide.
        clients: who may send requests, as peers of a NetworkPolicy: ``{"podSelector": {...}}`` for pods of the server's
            namespace, ``{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}`` for those of
            another, ``{"ipBlock": {"cidr": "10.0.0.0/16"}}`` for addresses; a load balancer has addresses of the VPC,
            and so has every pod. Default: the pods of the server's namespace; we decide.
        egress: where the pods may open connections to besides DNS and EKS Pod Identity; ``https_to`` makes a rule.
            Images are not among it: the node pulls them. Default: what the weights come from (S3, by the domain names
            of the bucket or by ``endpoint_cidrs`` of ``S3Weights``; the hub), for gpt-oss the vocabulary that vLLM
            before 0.32 loads from OpenAI's storage, and the proxy in ``environment``; we decide. Instead of domain
            names, a security group for pods can limit S3 to its prefix list.
        service_account: name of an existing ServiceAccount. Default: one of our own; we decide.
        vllm_version: version of vLLM in the image. Default: the version in the tag of an image called ``vllm`` or
            ``vllm-openai``; for other images the newest version that we know.

    Raises:
        AutoModeError: for each of these, with the arithmetic: an image without a tag, weights without a bucket, times
            that do not add up, flags that vLLM does not have, a buffer that is smaller than the largest tensor or does
            not fit the memory, and anything that does not fit the pool: taints, GPU limit, GPU memory and generation,
            CPU, memory, architecture, an ephemeral volume that loses the local NVMe.

    Source: vLLM 0.33.0; EKS User Guide, "Machine learning on EKS"; Kubernetes, "Horizontal Pod Autoscaling".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        model: ModelPreset,
        image: str,
        weights: Weights,
        staging: WeightStaging | None = None,
        node_pool: NodePool | None = None,
        name: str | None = None,
        replicas: int | None = 1,
        served_model_names: Sequence[str] | None = None,
        max_model_len: int | None = None,
        max_num_seqs: int = 32,
        gpu_memory_utilization: float = 0.92,
        kv_cache_dtype: str = "auto",
        gpus: int = 1,
        cpu: int | str = "3",
        memory: int | str | None = None,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        api_key: SecretKey | None = None,
        shutdown_timeout: int = 90,
        pre_stop_delay: int = 10,
        termination_grace_period: int = 120,
        startup_timeout: int = 900,
        strategy: Literal["RollingUpdate", "Recreate"] = "RollingUpdate",
        architecture: Literal["amd64", "arm64"] = "amd64",
        restricted: bool = True,
        compile_cache_host_path: str | None = None,
        fast_start: FastStart | None = None,
        tolerations: Sequence[Mapping[str, Any]] = (GPU_TOLERATION,),
        node_selector: Mapping[str, str] | None = None,
        network_policy: bool = True,
        clients: Sequence[ApplicationPeer | Mapping[str, Any]] | None = None,
        egress: Sequence[ApplicationEgressRule] | None = None,
        service_account: str | None = None,
        vllm_version: str | None = None,
    ) -> None:
        where = place(scope, id)
        self.name = kubernetes_name(where, id if name is None else name, longest=63)
        settings = ServerArguments(
            model=model,
            image=image,
            weights=weights,
            staging=staging,
            node_pool=node_pool,
            replicas=replicas,
            served_model_names=served_model_names,
            max_model_len=max_model_len,
            max_num_seqs=max_num_seqs,
            gpu_memory_utilization=gpu_memory_utilization,
            kv_cache_dtype=kv_cache_dtype,
            gpus=gpus,
            cpu=cpu,
            memory=memory,
            arguments=arguments,
            environment=environment,
            api_key=api_key,
            shutdown_timeout=shutdown_timeout,
            pre_stop_delay=pre_stop_delay,
            termination_grace_period=termination_grace_period,
            startup_timeout=startup_timeout,
            strategy=strategy,
            architecture=architecture,
            restricted=restricted,
            compile_cache_host_path=compile_cache_host_path,
            fast_start=fast_start,
            tolerations=tolerations,
            node_selector=node_selector,
            network_policy=network_policy,
            clients=clients,
            egress=egress,
            service_account=service_account,
            vllm_version=vllm_version,
        )
        checked = settings.checked(where)
        self.needs = checked.needs
        """What one replica needs from a node."""

        super().__init__(scope, id)
        self.arguments = (weights.model(model), *checked.flags)
        """The arguments of ``vllm serve``."""
        self.served_model_name = (served_model_names or (model.name,))[0]
        """The name that requests use, and that replies carry."""
        self.node_pool = node_pool
        """The pool that the pods run on, or ``None``."""
        self.max_num_seqs = max_num_seqs
        """Requests that one replica processes at once."""
        self.labels = {"app.kubernetes.io/name": self.name}
        """The pods' selector labels; they never change."""
        self.service_account = service_account or self.name
        """Name of the pods' ServiceAccount, for an EKS Pod Identity association."""
        self.deployment = self._make_deployment(settings)
        """The Deployment, for settings that this construct has no argument for: ``deployment.add_override``."""
        self.service = self._make_service()
        """The Service."""
        self._make_others(settings)
        for finding in checked.doubts:
            note_warning(self, finding.rule, str(finding))
        doubtful = client_doubts(clients, api_key, environment or {}, network_policy=network_policy)
        for problem in (*streamer_doubts(model, weights), *doubtful):
            note_warning(self, problem.rule, str(problem))
        self._warn(image, checked.reference, node_pool, termination_grace_period)

    def _container(self, settings: ServerArguments) -> dict[str, Any]:
        container = {
            "name": "vllm",
            "image": settings.image,
            # The entry points of some images run vLLM under a shell, which does not pass the stop signal on.
            "command": ["vllm", "serve"],
            "args": list(self.arguments),
            "env": _environment(settings.weights, settings.environment or {}, settings.api_key),
            "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
            "resources": {
                "requests": {"cpu": settings.cpu, "memory": self.needs.memory, "nvidia.com/gpu": settings.gpus},
                "limits": {"memory": self.needs.memory, "nvidia.com/gpu": settings.gpus},
            },
            "startupProbe": _probe(period=5, failures=math.ceil(settings.startup_timeout / 5), timeout=3),
            "readinessProbe": _probe(period=5, failures=2, timeout=3),
            "livenessProbe": _probe(period=10, failures=6, timeout=5),
            # Endpoints are removed first: vLLM rejects requests that arrive after the signal.
            "lifecycle": {"preStop": {"sleep": {"seconds": settings.pre_stop_delay}}}
            if settings.pre_stop_delay
            else None,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                **({"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}} if settings.restricted else {}),
            },
            "volumeMounts": [
                {"name": "cache", "mountPath": _CACHE},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
                {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - the container's own
            ],
        }
        return {key: value for key, value in container.items() if value is not None}

    def _pod(self, settings: ServerArguments) -> dict[str, Any]:
        user = {"runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": 0, "fsGroup": _USER}
        pod: dict[str, Any] = {
            "serviceAccountName": self.service_account,
            # Pod Identity brings its own token; the server never calls the Kubernetes API.
            "automountServiceAccountToken": False,
            # Kubernetes sets VLLM_PORT for a Service called vllm, and vLLM reads that as its own.
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": settings.termination_grace_period,
            "nodeSelector": {
                str(labels.COMPUTE_TYPE): "auto",
                str(labels.ARCH): settings.architecture,
                **({} if settings.node_pool is None else {"karpenter.sh/nodepool": settings.node_pool.name}),
                **(settings.node_selector or {}),
            },
            "tolerations": [dict(toleration) for toleration in settings.tolerations],
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    # A hard spread constraint would leave pods pending if a zone has no GPUs.
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": self.labels},
                }
            ],
            "securityContext": {
                **(user if settings.restricted else {}),
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self._container(settings)],
            "volumes": _volumes(
                settings.weights.bytes_on_disk(settings.model), settings.gpus, settings.compile_cache_host_path
            ),
        }
        if settings.staging is not None:
            pod["initContainers"] = [settings.staging.init_container()]
            pod["volumes"].append(settings.staging.volume())
        if settings.fast_start is not None and isinstance(settings.weights, S3Weights):
            pod.setdefault("initContainers", []).extend(
                settings.fast_start.init_containers(
                    settings.image,
                    self.arguments[1:],
                    settings.weights.bucket,
                    _CACHE,
                    restricted=settings.restricted,
                )
            )
            pod["volumes"].append(settings.fast_start.volume(self._cache_program))
        return pod

    @property
    def _cache_program(self) -> str:
        return f"{self.name[:49]}-compile-cache"

    def _make_deployment(self, settings: ServerArguments) -> KubernetesObject:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        if settings.service_account is None:
            self._make("v1", "ServiceAccount", {"automountServiceAccountToken": False})
        if settings.fast_start is not None:
            self._make("v1", "ConfigMap", {"data": settings.fast_start.program()}, name=self._cache_program)
        return self._make(
            "apps/v1",
            "Deployment",
            {
                "spec": {
                    **({} if settings.replicas is None else {"replicas": settings.replicas}),
                    # Node launch, image pull and model load come first; the default deadline is ten minutes.
                    "progressDeadlineSeconds": 900 + settings.startup_timeout,
                    "revisionHistoryLimit": 3,
                    "selector": {"matchLabels": self.labels},
                    "strategy": rolling if settings.strategy == "RollingUpdate" else {"type": settings.strategy},
                    "template": {"metadata": {"labels": self.labels}, "spec": self._pod(settings)},
                }
            },
        )

    def _make_service(self) -> KubernetesObject:
        ports = [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}]
        return self._make("v1", "Service", {"spec": {"type": "ClusterIP", "selector": self.labels, "ports": ports}})

    def _make_others(self, settings: ServerArguments) -> None:
        if settings.staging is not None:
            self.deployment.add_dependency(settings.staging)
        budget = {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
        self._make("policy/v1", "PodDisruptionBudget", {"spec": {**budget, "selector": {"matchLabels": self.labels}}})
        if settings.network_policy:
            PodNetworkPolicy(
                self,
                "Traffic",
                name=self.name,
                pod_labels=self.labels,
                labels=self.labels,
                clients=[{"podSelector": {}}] if settings.clients is None else settings.clients,
                ports=[PORT],
                egress=settings.pod_egress(),
            )

    def _warn(
        self, image: str, reference: ImageReference, node_pool: NodePool | None, termination_grace_period: int
    ) -> None:
        if reference.digest is None and not is_token(image):
            note_warning(
                self,
                "automode:ImageTag",
                f"image: {shown(image)} is named by a tag, which its maker may move; pin '@sha256:<digest>'",
            )
        if node_pool is None:
            return
        for problem in doubts(self.needs, node_pool.name, node_pool.spec):
            note_warning(self, problem.rule, str(problem))
        limits = node_pool.spec.limits or {}
        for problem in surge_problems(self.deployment.to_json(), pool=node_pool.name, limits=limits):
            # Worded like the whole-tree check, so that the CDK shows it once.
            note_warning(self.deployment, problem.rule, str(problem))
        if termination_grace_period > SPOT_NOTICE_SECONDS and _admits_spot(node_pool.spec):
            note_warning(
                self,
                "automode:DrainLongerThanSpotNotice",
                f"termination_grace_period: {termination_grace_period} s, but a Spot node of pool '{node_pool.name}' "
                f"is gone {SPOT_NOTICE_SECONDS} s after its notice; shorten shutdown_timeout, or use on-demand only",
            )

    def _make(
        self, api_version: str, kind: str, body: Mapping[str, Any], *, name: str | None = None
    ) -> KubernetesObject:
        manifest = KubernetesObject(
            self,
            kind,
            api_version=api_version,
            kind=kind,
            name=name or self.name,
            longest_name=63,
            cluster_scoped=False,
            body=body,
        )
        for key, value in self.labels.items():
            manifest.metadata.add_label(key, value)
        return manifest


def _probe(*, period: int, failures: int, timeout: int) -> dict[str, Any]:
    # vLLM opens its port once the model is loaded: one probe serves for liveness and readiness.
    return {
        "httpGet": {"path": "/health", "port": "http"},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": timeout,
    }


def _environment(weights: Weights, more: Mapping[str, str], api_key: SecretKey | None) -> list[dict[str, Any]]:
    plain = {
        "HOME": _CACHE,
        "USER": "vllm",
        "XDG_CACHE_HOME": _CACHE,
        "HF_HOME": f"{_CACHE}/hf",
        "TORCHINDUCTOR_CACHE_DIR": f"{_CACHE}/inductor",
        "TRITON_CACHE_DIR": f"{_CACHE}/triton",
        "VLLM_NO_USAGE_STATS": "1",
    }
    entries: dict[str, dict[str, Any]] = {name: {"name": name, "value": value} for name, value in plain.items()}
    entries |= {str(entry["name"]): dict(entry) for entry in weights.environment()}
    if api_key is not None:
        entries["VLLM_API_KEY"] = api_key.environment("VLLM_API_KEY")
    entries |= {name: {"name": name, "value": value} for name, value in more.items()}
    return list(entries.values())


def _volumes(bytes_on_disk: int, gpus: int, compile_cache_host_path: str | None) -> list[dict[str, Any]]:
    cache: dict[str, Any] = {"emptyDir": {"sizeLimit": f"{_CACHE_GIB + math.ceil(bytes_on_disk / GIB)}Gi"}}
    if compile_cache_host_path is not None:
        cache = {"hostPath": {"path": compile_cache_host_path, "type": "DirectoryOrCreate"}}
    return [
        {"name": "cache", **cache},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        # It counts toward the container's memory; GPUs that share a model communicate through it.
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{gpus}Gi"}},
    ]


def _admits_spot(spec: NodePoolSpec) -> bool:
    return any(
        requirement.key == labels.CAPACITY_TYPE and "spot" in (requirement.values or ())
        for requirement in spec.template.spec.requirements
    )
