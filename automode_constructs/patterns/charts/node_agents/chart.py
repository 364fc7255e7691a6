"""The chart of a list of agents, for the clusters of one ring."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import pairwise
from typing import Any

import cdk8s

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.checks.agents import AGENT_PRIORITY, EVERY_NODE, REMOVES_STARTUP_TAINT
from automode_constructs.errors import Problem, shown
from automode_constructs.inference.image import ImageReference
from automode_constructs.manifests.kubernetes_object import KubernetesObject, note_warning
from automode_constructs.manifests.scope import ChartScope
from automode_constructs.patterns.charts.node_agents.node_agent import NodeAgent
from automode_constructs.patterns.charts.own_namespace import PodSecurity, check_own_namespace, make_own_namespace
from automode_constructs.specs.labels import ARCH

__all__ = ["NAMESPACE", "REMOVER_IMAGE", "NodeAgentsChart"]

NAMESPACE = "node-agents"

REMOVER_IMAGE = "public.ecr.aws/docker/library/python:3.13-alpine"
"""The image of the container that removes startup taints: Python and nothing else.

Its digest could not be looked up here: pin one where it matters.
"""

_REMOVER = "remove-startup-taint"
_PROGRAM = "remove_startup_taint.py"
_FOLDER = "/remove-startup-taint"
_API_ACCESS = "/var/run/secrets/kubernetes.io/serviceaccount"
_PART_OF = {"app.kubernetes.io/part-of": "node-agents"}
_LEVELS: Sequence[PodSecurity] = ("restricted", "baseline", "privileged")
_NUMBERS = re.compile(r"v?([0-9]+(?:\.[0-9]+)+)")


class NodeAgentsChart(cdk8s.Chart):
    """Agents on every node of a cluster, with the versions of the cluster's ring.

    Creates a Namespace with the strictest Pod Security level that admits all of the agents, and for each agent a
    ServiceAccount and a DaemonSet, with a ClusterRole and its binding where the agent reads the Kubernetes API or
    removes a startup taint; a ConfigMap with the program that removes them; and a NetworkPolicy that lets the agents
    open any connection, because on nodes with ``networkPolicy: DefaultDeny`` they would not even reach the Kubernetes
    API. Give the same list to all clusters, each with its ring: a version goes from ring to ring by a change of one
    line, and a cluster that joins later starts with its ring's versions.

    The DaemonSets tolerate everything, select no nodes but by the image's architecture, have the priority class
    ``system-node-critical`` (so that they displace other pods on a full node) and the annotation
    ``automode-constructs/every-node``: at synthesis, a pool of the cluster with a node where one would not run is an
    error ``automode:AgentMissesPool``. Updates replace a tenth of the pods at a time.

    With a startup taint, the agent is a sidecar (an init container that keeps running), and the pod's own container
    removes the taint once the agent's startup probe succeeds. If the agent never becomes ready, its node never becomes
    ``Initialized``: no other pod starts there, and Karpenter counts it as starting. Only that container has the API
    token, unless the agent reads the API too. The token can change any node's spec and labels, because Kubernetes
    cannot bind a right to a node's own pods. EKS's own pools take no startup taint.

    DaemonSets keep no node alive: Karpenter removes a node that has nothing else.

    Args:
        scope: the cdk8s app.
        id: the chart's id.
        agents: the agents, each with the same rings in the same order.
        ring: the ring of the cluster.
        namespace: the chart's own namespace. Default: ``node-agents``; we decide.
        remover_image: the image that removes startup taints; it needs Python 3.11 as ``python3``. Default:
            ``REMOVER_IMAGE``; we decide.

    Attributes:
        daemon_sets: the DaemonSets by agent, for settings that an agent has no argument for: ``add_override``.

    Raises:
        AutoModeError: for no agents, or two of one name; for a ring that is not known, or that only some agents have.

    Source: Kubernetes, "DaemonSet", "Sidecar Containers", "Pod Security Standards"; Karpenter, "NodePools".
    """

    @checked_arguments
    def __init__(
        self,
        scope: ChartScope,
        id: str,
        *,
        agents: Sequence[NodeAgent],
        ring: str,
        namespace: str = NAMESPACE,
        remover_image: str = REMOVER_IMAGE,
    ) -> None:
        refusals = Refusals(place(scope, id))
        refusals.problems += _list_problems(agents)
        with refusals.collecting():
            check_own_namespace(refusals.where, namespace)
        with refusals.collecting():
            ImageReference.of(refusals.where, remover_image, field="remover_image")
        if agents and not refusals.problems:
            refusals.choice("ring", ring, agents[0].versions)
        refusals.raise_all()
        super().__init__(scope, id, namespace=namespace, labels=_PART_OF)
        make_own_namespace(self, namespace, max((agent.pod_security for agent in agents), key=_LEVELS.index))
        self._make(
            "NetworkPolicy",
            "node-agents",
            {"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}},
            api_version="networking.k8s.io/v1",
        )
        program = files(__package__).joinpath(_PROGRAM).read_text("utf-8")
        if any(agent.startup_taint for agent in agents):
            self._make("ConfigMap", _REMOVER, {"data": {_PROGRAM: program}})
        digest = hashlib.sha256(program.encode()).hexdigest()[:16]
        self.daemon_sets: dict[str, KubernetesObject] = {}
        for agent in agents:
            self._make("ServiceAccount", agent.name, {"automountServiceAccountToken": False})
            self._make_rights(agent, namespace)
            self.daemon_sets[agent.name] = self._make(
                "DaemonSet",
                agent.name,
                {"spec": _daemon_set(agent, ring, remover_image, digest)},
                api_version="apps/v1",
                annotations={
                    EVERY_NODE: "true",
                    **({} if agent.startup_taint is None else {REMOVES_STARTUP_TAINT: agent.startup_taint}),
                },
            )
            for message in _ahead(agent):
                note_warning(self.daemon_sets[agent.name], "automode:AgentAheadOfItsRing", message)

    def _make_rights(self, agent: NodeAgent, namespace: str) -> None:
        rules = [*_reading(agent)]
        if agent.startup_taint is not None:
            rules.append({"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]})
        if not rules:
            return
        name, group = f"{namespace}-{agent.name}", "rbac.authorization.k8s.io"
        for kind, body in (
            ("ClusterRole", {"rules": rules}),
            (
                "ClusterRoleBinding",
                {
                    "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
                    "subjects": [{"kind": "ServiceAccount", "name": agent.name, "namespace": namespace}],
                },
            ),
        ):
            KubernetesObject(self, f"{agent.name}-{kind}", api_version=f"{group}/v1", kind=kind, name=name, body=body)

    def _make(
        self,
        kind: str,
        name: str,
        body: Mapping[str, Any],
        *,
        api_version: str = "v1",
        annotations: Mapping[str, str] | None = None,
    ) -> KubernetesObject:
        return KubernetesObject(
            self,
            f"{name}-{kind}",
            api_version=api_version,
            kind=kind,
            name=name,
            cluster_scoped=False,
            annotations=annotations,
            body=body,
        )


def _list_problems(agents: Sequence[NodeAgent]) -> Iterator[Problem]:
    if not agents:
        yield Problem(field="agents", message="is empty", cure="name at least one agent, or make no chart")
    first: dict[str, int] = {}
    for index, agent in enumerate(agents):
        earlier = first.setdefault(agent.name, index)
        if earlier != index:
            yield Problem(
                field=f"agents[{index}].name",
                message=f"'{agent.name}' is the name of agents[{earlier}] too",
                cure="give each agent a name of its own",
            )
        rings = [*agents[0].versions]
        if [*agent.versions] != rings:
            yield Problem(
                field=f"agents[{index}].versions",
                message=f"has the rings {', '.join(agent.versions)}, and agents[0] has {', '.join(rings)}",
                cure="name the same rings in the same order, the first to get a version first",
            )
        ports = {other.health_port for other in agents[:index] if other.host_network} - {None}
        if agent.host_network and agent.health_port in ports:
            yield Problem(
                field=f"agents[{index}].health_port",
                message=f"{agent.health_port} is that of another agent too, and both have the node's addresses",
                cure="give one of them another port, or host_network=False",
            )
        if agent.startup_taint is not None and agent.startup_taint in {other.startup_taint for other in agents[:index]}:
            yield Problem(
                field=f"agents[{index}].startup_taint",
                message=f"{shown(agent.startup_taint)} is that of another agent too, which would remove it first",
                cure="give each agent a taint of its own; a pool takes several",
            )


def _ahead(agent: NodeAgent) -> Iterator[str]:
    """Rings that have a higher version than a ring before them, as far as tags can be compared."""
    rings = [(ring, _as_numbers(version)) for ring, version in agent.versions.items()]
    for (earlier, before), (later, after) in pairwise(rings):
        if before and after and after > before:
            yield (
                f"ring '{later}' has {agent.versions[later]} of agent '{agent.name}', and ring '{earlier}' before it "
                f"only {agent.versions[earlier]}: a version should be in the earlier ring first"
            )


def _as_numbers(version: str) -> tuple[int, ...]:
    match = _NUMBERS.match(version)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _reading(agent: NodeAgent) -> Iterator[dict[str, Any]]:
    groups: dict[str, list[str]] = {}
    for resource in dict.fromkeys(agent.reads):
        group, _, name = resource.rpartition("/")
        groups.setdefault(group, []).append(name)
    for group, names in groups.items():
        yield {"apiGroups": [group], "resources": names, "verbs": ["get", "list", "watch"]}


def _daemon_set(agent: NodeAgent, ring: str, remover_image: str, digest: str) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": agent.name,
        "app.kubernetes.io/component": agent.purpose,
        **_PART_OF,
    }
    selector = {"app.kubernetes.io/name": agent.name, **_PART_OF}
    template: dict[str, Any] = {"metadata": {"labels": labels}, "spec": _pod(agent, ring, remover_image)}
    if agent.startup_taint is not None:
        template["metadata"]["annotations"] = {f"checksum/{_REMOVER}": digest}
    return {
        "selector": {"matchLabels": selector},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
        "revisionHistoryLimit": 3,
        "template": template,
    }


def _pod(agent: NodeAgent, ring: str, remover_image: str) -> dict[str, Any]:
    container = _container(agent, ring)
    pod: dict[str, Any] = {
        "priorityClassName": AGENT_PRIORITY,
        # Every taint of every pool, those of pools to come and startup taints among them.
        "tolerations": [{"operator": "Exists"}],
        "serviceAccountName": agent.name,
        # Projected below into the containers that need it.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
    }
    if {*agent.architectures} != {"amd64", "arm64"}:
        # The image would start, and fail, on other nodes.
        expression = {"key": str(ARCH), "operator": "In", "values": [*agent.architectures]}
        required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
        pod["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    if agent.host_network:
        pod |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    if agent.host_pid:
        pod["hostPID"] = True
    if agent.startup_taint is None:
        pod["containers"] = [container]
    else:
        pod["initContainers"] = [container | {"restartPolicy": "Always"}]
        pod["containers"] = [_remover(agent.startup_taint, remover_image)]
    volumes = [*_volumes(agent)]
    if volumes:
        pod["volumes"] = volumes
    return pod


def _volumes(agent: NodeAgent) -> Iterator[dict[str, Any]]:
    for index, host in enumerate(agent.host_paths):
        yield {"name": f"host-{index}", "hostPath": {"path": host.path, "type": host.kind}}
    for index, _ in enumerate(agent.scratch):
        yield {"name": f"scratch-{index}", "emptyDir": {}}
    if agent.startup_taint is not None:
        yield {"name": _REMOVER, "configMap": {"name": _REMOVER}}
    if agent.startup_taint is not None or agent.reads:
        yield {
            "name": "api-access",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {
                        "downwardAPI": {
                            "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
                        }
                    },
                ]
            },
        }


def _container(agent: NodeAgent, ring: str) -> dict[str, Any]:
    mounts = [
        {"name": f"host-{index}", "mountPath": host.mount or host.path} | ({} if host.writable else {"readOnly": True})
        for index, host in enumerate(agent.host_paths)
    ]
    mounts += [{"name": f"scratch-{index}", "mountPath": path} for index, path in enumerate(agent.scratch)]
    if agent.reads:
        mounts.append({"name": "api-access", "mountPath": _API_ACCESS, "readOnly": True})
    container: dict[str, Any] = {
        "name": agent.name,
        "image": agent.reference(ring),
        "imagePullPolicy": "IfNotPresent",
        "command": [*agent.command],
        "args": [*agent.arguments],
        "env": [
            *({"name": name, "value": value} for name, value in agent.environment.items()),
            *(key.environment(name) for name, key in agent.secrets.items()),
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "resources": {
            "requests": {"cpu": agent.cpu, "memory": agent.memory},
            "limits": {"memory": agent.memory if agent.memory_limit is None else agent.memory_limit},
        },
        **_probes(agent),
        "securityContext": _security_context(agent),
        "volumeMounts": mounts,
    }
    return {name: value for name, value in container.items() if value != []}


def _probes(agent: NodeAgent) -> dict[str, Any]:
    if agent.health_port is not None:
        action: dict[str, Any] = {"httpGet": {"path": agent.health_path, "port": agent.health_port}}
    elif agent.ready_command:
        action = {"exec": {"command": [*agent.ready_command]}}
    else:
        return {}
    every = 5
    startup = {**action, "periodSeconds": every, "timeoutSeconds": 5}
    return {
        "startupProbe": startup | {"failureThreshold": -(-agent.startup_seconds // every)},
        "readinessProbe": {**action, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**action, "periodSeconds": 30, "timeoutSeconds": 5, "failureThreshold": 3},
    }


def _security_context(agent: NodeAgent) -> dict[str, Any]:
    context: dict[str, Any] = {"runAsUser": agent.user, "readOnlyRootFilesystem": True}
    if agent.user:
        context["runAsNonRoot"] = True
    if agent.privileged:
        context["privileged"] = True
    else:
        dropped: dict[str, Any] = {"drop": ["ALL"]}
        if agent.capabilities:
            dropped["add"] = [*agent.capabilities]
        context |= {
            "allowPrivilegeEscalation": False,
            "capabilities": dropped,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    if agent.selinux_type is not None:
        context["seLinuxOptions"] = {
            "user": "system_u",
            "role": "system_r",
            "type": agent.selinux_type,
            "level": "s0",
        }
    return context


def _remover(key: str, image: str) -> dict[str, Any]:
    return {
        "name": _REMOVER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", f"{_FOLDER}/{_PROGRAM}"],
        "env": [
            {"name": "STARTUP_TAINT", "value": key},
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "runAsUser": 65534,
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": _REMOVER, "mountPath": _FOLDER, "readOnly": True},
            {"name": "api-access", "mountPath": _API_ACCESS, "readOnly": True},
        ],
    }
