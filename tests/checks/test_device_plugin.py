from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.device_plugin import DEVICE_PLUGIN, device_plugin_problems
from automode_constructs.checks.document import judge_document
from automode_constructs.checks.whole_tree import TreeObject, judge_tree

NVIDIA = "nvcr.io/nvidia/k8s-device-plugin:v0.20.1"
NEURON = "public.ecr.aws/neuron/neuron-device-plugin:2.28.27"
EFA = "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/aws-efa-k8s-device-plugin:v0.5.13"

COMPUTE_TYPE = "eks.amazonaws.com/compute-type"


def daemon_set(image: Any = NVIDIA, *, container: Any = None, **pod: Any) -> dict[str, Any]:
    """A DaemonSet with one container, as makers publish theirs."""
    mounts = [{"name": "device-plugin", "mountPath": "/var/lib/kubelet/device-plugins"}]
    volumes = [{"name": "device-plugin", "hostPath": {"path": "/var/lib/kubelet/device-plugins"}}]
    spec = {
        "containers": [{"name": "plugin", "image": image, "volumeMounts": mounts, **(container or {})}],
        "volumes": volumes,
        **pod,
    }
    labels = {"name": "plugin"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "plugin", "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }


def affinity(*terms: list[dict[str, Any]], kind: str = "requiredDuringSchedulingIgnoredDuringExecution") -> Any:
    return {"nodeAffinity": {kind: {"nodeSelectorTerms": [{"matchExpressions": term} for term in terms]}}}


def expression(operator: str, *values: str, key: str = COMPUTE_TYPE) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            daemon_set(),
            "spec.template.spec.containers[0].image: 'nvcr.io/nvidia/k8s-device-plugin:v0.20.1' is a device plugin "
            "that Auto Mode's AMI already includes; a second one registers the same devices twice; remove it, or keep "
            "it off these nodes with a required node affinity: eks.amazonaws.com/compute-type NotIn auto",
        ),
        (
            daemon_set(NEURON),
            "spec.template.spec.containers[0].image: 'public.ecr.aws/neuron/neuron-device-plugin:2.28.27' is a device "
            "plugin that Auto Mode's AMI already includes; a second one registers the same devices twice; remove it, "
            "or keep it off these nodes with a required node affinity: eks.amazonaws.com/compute-type NotIn auto",
        ),
        (
            daemon_set("registry.example.com/gpus:1", container={"command": ["/usr/bin/nvidia-device-plugin"]}),
            "spec.template.spec.containers[0].command: '/usr/bin/nvidia-device-plugin' is a device plugin that Auto "
            "Mode's AMI already includes; a second one registers the same devices twice; remove it, or keep it off "
            "these nodes with a required node affinity: eks.amazonaws.com/compute-type NotIn auto",
        ),
    ],
)
def test_device_plugins_are_refused(document: dict[str, Any], message: str) -> None:
    (problem,) = device_plugin_problems(document)
    assert (problem.rule, str(problem)) == ("automode:DevicePlugin", message)
    assert DEVICE_PLUGIN.severity == "error"


@pytest.mark.parametrize(
    "image",
    [
        "k8s-device-plugin",
        "nvidia/k8s-device-plugin@sha256:" + "0" * 64,
        "registry.example.com:5000/nvidia-device-plugin",
        "registry.example.com/chainguard/nvidia-device-plugin-fips:0.17.4",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/nvcr/nvidia/k8s-device-plugin:v0.20.1-ubi9",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/neuron-device-plugin:1",
    ],
)
def test_a_plugin_is_known_by_its_image_from_any_registry(image: str) -> None:
    assert [*device_plugin_problems(daemon_set(image))]


def test_every_container_is_looked_at() -> None:
    document = daemon_set("registry.example.com/logger:1")
    document["spec"]["template"]["spec"]["containers"] += ["?", {"name": "plugin", "image": NVIDIA}]
    (problem,) = device_plugin_problems(document)
    assert problem.field == "spec.template.spec.containers[2].image"


@pytest.mark.parametrize(
    ("image", "container"),
    [
        (EFA, {}),
        ("rocm/k8s-device-plugin:1.31.0.6", {}),
        ("registry.example.com/amd/k8s-device-plugin:1", {}),
        ("nvcr.io/nvidia/k8s/dcgm-exporter:4.6.1-4.8.4-distroless", {}),
        ("registry.example.com/my-device-plugins:1", {}),
        # What else NVIDIA publishes in the plugin's image.
        (NVIDIA, {"command": ["gpu-feature-discovery"]}),
        (NVIDIA, {"command": ["mps-control-daemon"]}),
        (NVIDIA, {"command": ["bash", "-c"], "args": ["exec /usr/bin/config-manager"]}),
        ("${Token[Repository.12]}/k8s-device-plugin:1", {}),
        (None, {}),
        (5, {}),
    ],
)
def test_what_else_uses_the_kubelet_s_folder_is_passed_by(image: Any, container: dict[str, Any]) -> None:
    assert not [*device_plugin_problems(daemon_set(image, container=container))]


@pytest.mark.parametrize(
    "pod",
    [
        {"affinity": affinity([expression("NotIn", "auto")])},
        {"affinity": affinity([expression("NotIn", "auto", "hybrid")])},
        {"affinity": affinity([expression("DoesNotExist")])},
        {"affinity": affinity([expression("In", "hybrid")])},
        {"affinity": affinity([expression("Exists", key="eks.amazonaws.com/nodegroup")])},
        {"affinity": affinity([expression("In", "nvidia", key="karpenter.k8s.aws/instance-gpu-manufacturer")])},
        {"affinity": affinity([expression("Exists", key="gpu"), expression("NotIn", "auto")])},
        {"affinity": affinity([expression("NotIn", "auto")], [expression("DoesNotExist")])},
        {"nodeSelector": {COMPUTE_TYPE: "hybrid"}},
        {"nodeSelector": {"eks.amazonaws.com/nodegroup": "gpus"}},
        {"nodeSelector": {"alpha.eksctl.io/nodegroup-name": "gpus"}},
        {"nodeSelector": {"karpenter.k8s.aws/instance-gpu-manufacturer": "nvidia"}},
    ],
)
def test_a_plugin_for_other_nodes_is_fine(pod: dict[str, Any]) -> None:
    assert not [*device_plugin_problems(daemon_set(**pod))]


@pytest.mark.parametrize(
    "pod",
    [
        {"nodeSelector": {COMPUTE_TYPE: "auto"}},
        {"nodeSelector": {"eks.amazonaws.com/instance-gpu-manufacturer": "nvidia"}},
        {"nodeSelector": {"accelerator": "nvidia"}},
        {"nodeSelector": None},
        {"affinity": affinity([expression("NotIn", "hybrid")])},
        {"affinity": affinity([expression("In", "auto", "hybrid")])},
        {"affinity": affinity([expression("In")])},
        {"affinity": affinity([expression("Exists")])},
        {"affinity": affinity([expression("NotIn", "gpus", key="eks.amazonaws.com/nodegroup")])},
        # One term is enough for a node.
        {"affinity": affinity([expression("NotIn", "auto")], [expression("Exists", key="nvidia.com/gpu.present")])},
        {"affinity": affinity([expression("NotIn", "auto")], kind="preferredDuringSchedulingIgnoredDuringExecution")},
        {"affinity": affinity()},
        {"affinity": "none"},
    ],
)
def test_a_plugin_that_may_land_on_auto_mode_s_nodes_is_refused(pod: dict[str, Any]) -> None:
    assert [*device_plugin_problems(daemon_set(**pod))]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"apiVersion": "apps/v1", "kind": "DaemonSet"},
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": {"template": {"spec": {"containers": NVIDIA}}}},
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": {"template": {"spec": {"containers": [NVIDIA]}}}},
        {**daemon_set(), "kind": "Deployment"},
        {**daemon_set(), "apiVersion": "apps.kruise.io/v1alpha1"},
    ],
)
def test_other_and_broken_documents_are_passed_by(document: dict[str, Any]) -> None:
    assert not [*device_plugin_problems(document)]


def test_the_linter_judges_it_and_passes_others_by() -> None:
    findings = judge_document(daemon_set())
    assert findings is not None
    assert [(one.severity, one.rule) for one in findings] == [("error", "automode:DevicePlugin")]
    assert judge_document(daemon_set(EFA)) is None


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_delivered_is_judged(whole: bool) -> None:
    objects = [
        TreeObject(where="Gpus/Efa", manifest=daemon_set(EFA)),
        TreeObject(where="Gpus/Plugin", manifest=daemon_set()),
    ]
    findings = [
        found
        for found in judge_tree(objects, default_node_class=True, whole=whole)
        if found.rule == "automode:DevicePlugin"
    ]
    assert [(found.severity, found.index) for found in findings] == [("error", 1)]
    assert str(findings[0]).startswith("Gpus/Plugin: spec.template.spec.containers[0].image: 'nvcr.io/nvidia/")
