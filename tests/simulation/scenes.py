"""Manifests and steps of the scenarios, short to write: what one does not say is as on the recordings' stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automode_constructs.simulation import Assumptions, Result, StepResult, Timeline, simulate

Manifest = dict[str, Any]

STAND = Assumptions.of_the_stand()

NODE_CLASS: Manifest = {
    "apiVersion": "eks.amazonaws.com/v1",
    "kind": "NodeClass",
    "metadata": {"name": "default"},
    "spec": {
        "role": "automode-node-role",
        "subnetSelectorTerms": [{"id": "subnet-0123456789abcdef0"}],
        "securityGroupSelectorTerms": [{"id": "sg-0123456789abcdef0"}],
        "ephemeralStorage": {"size": "80Gi"},
    },
}

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
CAPACITY = "karpenter.sh/capacity-type"
CATEGORY = "eks.amazonaws.com/instance-category"
GENERATION = "eks.amazonaws.com/instance-generation"
FAMILY = "eks.amazonaws.com/instance-family"
CPU = "eks.amazonaws.com/instance-cpu"
TYPE = "node.kubernetes.io/instance-type"
ARCH = "kubernetes.io/arch"


def demand(key: str, *values: str, operator: str = "In", **more: Any) -> Manifest:
    """A requirement of a pool, or an expression of a node affinity."""
    found: Manifest = {"key": key, "operator": operator, **more}
    if values:
        found["values"] = list(values)
    return found


USUAL = (
    demand(CAPACITY, "on-demand"),
    demand(CATEGORY, "c", "m", "r"),
    demand(GENERATION, "4", operator="Gt"),
    demand(ARCH, "amd64"),
    demand("kubernetes.io/os", "linux"),
)


def pool(
    name: str = "main",
    *demands: Manifest,
    taints: Sequence[Manifest] = (),
    labels: Mapping[str, str] | None = None,
    after: str = "Never",
    policy: str = "WhenEmptyOrUnderutilized",
    budgets: Sequence[Manifest] = ({"nodes": "100%"},),
    template: Manifest | None = None,
    node_class: str = "default",
    **spec: Any,
) -> Manifest:
    """A NodePool; a demand takes the place of the usual one on the same label."""
    named = {each["key"] for each in demands}
    nodes: Manifest = {
        "expireAfter": "336h",
        "terminationGracePeriod": "24h0m0s",
        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": node_class},
        "requirements": [*(each for each in USUAL if each["key"] not in named), *demands],
        **(template or {}),
    }
    if taints:
        nodes["taints"] = list(taints)
    whole: Manifest = {"spec": nodes}
    if labels:
        whole["metadata"] = {"labels": dict(labels)}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "disruption": {"budgets": list(budgets), "consolidateAfter": after, "consolidationPolicy": policy},
            "template": whole,
            **spec,
        },
    }


def taint(key: str, effect: str = "NoSchedule", value: str = "true") -> Manifest:
    """A taint."""
    return {"key": key, "value": value, "effect": effect}


def container(
    cpu: str | None = "500m", memory: str | None = "256Mi", *, name: str = "c", ports: Sequence[int] = (), **more: Any
) -> Manifest:
    """A container with these requests; more of them, or ``limits``, by keyword."""
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value is not None}
    found: Manifest = {"name": name, "image": "registry.k8s.io/pause:3.10", "resources": {"requests": requests}}
    if ports:
        found["ports"] = [{"containerPort": port, "hostPort": port} for port in ports]
    found["resources"].update(more.pop("resources", {}))
    return {**found, **more}


def workload(
    name: str = "web",
    replicas: int = 1,
    *,
    kind: str = "Deployment",
    cpu: str | None = "500m",
    memory: str | None = "256Mi",
    namespace: str = "shop",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    containers: Sequence[Manifest] | None = None,
    spec: Manifest | None = None,
    **pod: Any,
) -> Manifest:
    """A workload whose pods have one container; fields of the pod by keyword."""
    own = {"app": name, **(labels or {})}
    metadata: Manifest = {"labels": own}
    if annotations:
        metadata["annotations"] = dict(annotations)
    body: Manifest = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": metadata, "spec": {"containers": containers or [container(cpu, memory)], **pod}},
        **(spec or {}),
    }
    if kind in {"Deployment", "ReplicaSet", "StatefulSet"}:
        body["replicas"] = replicas
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": body,
    }


def budget(name: str = "web", *, namespace: str = "shop", **spec: Any) -> Manifest:
    """A PodDisruptionBudget for the pods of a workload."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": name}}, **spec},
    }


def spread(key: str = ZONE, app: str = "web", *, hard: bool = True, skew: int = 1, **more: Any) -> Manifest:
    """A topology spread constraint over the pods of a workload."""
    return {
        "maxSkew": skew,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": app}},
        **more,
    }


def near(key: str, app: str = "web", *, apart: bool = False) -> Manifest:
    """Required affinity to the pods of a workload, or anti-affinity."""
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {"podAntiAffinity" if apart else "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def on_nodes(*terms: Sequence[Manifest]) -> Manifest:
    """Required node affinity: one of these terms."""
    found = [{"matchExpressions": list(term)} for term in terms]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": found}}}


def reference(manifest: Manifest) -> str:
    """``Kind/namespace/name``."""
    metadata = manifest["metadata"]
    return "/".join(filter(None, (manifest["kind"], metadata.get("namespace"), metadata["name"])))


def apply(*manifests: Manifest, settle: float = 30) -> Manifest:
    """A step that applies manifests; one that is there already, with another content, is patched and comes alone."""
    return {"apply": list(manifests), "settle": settle}


def play(*steps: Manifest, assumptions: Assumptions = STAND, **timeline: Any) -> Result:
    """Plays steps, whose ``apply`` has manifests in place of references; the usual NodeClass is there."""
    return simulate(script(*steps, **timeline), assumptions=assumptions)


def script(*steps: Manifest, **timeline: Any) -> Timeline:
    """The timeline of ``play``."""
    objects: list[Manifest] = [NODE_CLASS]
    written: list[Manifest] = [{"apply": [reference(NODE_CLASS)], "settle": 0}]
    for step in steps:
        if "apply" not in step:
            written.append(step)
            continue
        for manifest in step["apply"]:
            name = reference(manifest)
            if any(reference(each) == name and each != manifest for each in objects):
                written.append({"patch": name, "merge": manifest, "settle": step["settle"]})
                break
            if manifest not in objects:
                objects.append(manifest)
        else:
            written.append({**step, "apply": [reference(each) for each in step["apply"]]})
    data = {"objects": objects, "steps": written, **timeline}
    return Timeline.of(data)


def nodes(step: StepResult) -> list[str]:
    """The nodes at the end of a step in words: pool, type, capacity type, zone and pods, sorted."""
    return sorted(
        " ".join(
            [
                node.pool,
                node.instance_type,
                node.capacity_type,
                node.zone[-1],
                *(f"{app.partition('/')[2]}:{number}" for app, number in node.pods.items()),
            ]
        )
        for node in step.nodes
    )


def waiting(step: StepResult) -> dict[str, int]:
    """How many pods of each workload wait at the end of a step."""
    return {app.partition("/")[2]: number for app, number in step.pending.items()}


def reasons(step: StepResult) -> list[str]:
    """Why pods wait at the end of a step."""
    return list(dict.fromkeys(str(why) for pod in step.pods for why in pod.why))
