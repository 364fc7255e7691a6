"""Device plugins that would run in addition to those inside Auto Mode's AMI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.labels import COMPUTE_TYPE
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_token

__all__ = ["DEVICE_PLUGIN", "device_plugin_problems", "is_kept_off"]

DEVICE_PLUGIN = rule(
    "automode:DevicePlugin",
    "DaemonSet",
    severity="error",
    sentence="No NVIDIA or Neuron device plugin runs on Auto Mode's nodes: their AMI includes both.",
    source="EKS User Guide, 'Deploy an accelerated workload'; bottlerocket-os/bottlerocket#3992",
    stricter=(
        "A second plugin registers the same devices twice. The EFA device plugin is allowed: the AMI does not include "
        "it."
    ),
)

_POD = ("spec", "template", "spec")
_PLUGIN = re.compile(r"(?:nvidia-)?(?:k8s-)?device-plugin|(?:k8s-)?neuron-(?:k8s-)?device-plugin")
"""Names of NVIDIA's and Neuron's plugins, as an image or a command."""
_OTHER_MAKERS = frozenset({"amd", "rocm"})
"""Vendors whose plugins have such a name too, and are not inside the AMI."""
_OTHER_COMMANDS = ("config-manager", "gpu-feature-discovery", "mps-control-daemon")
"""Other programs in NVIDIA's image, which register no device."""

_NODE_GROUPS = frozenset({"alpha.eksctl.io/nodegroup-name", "eks.amazonaws.com/nodegroup"})
_OTHER_NODES = "karpenter.k8s.aws/"
"""Prefix of labels on nodes launched by open-source Karpenter; no node of Auto Mode has one."""


def device_plugin_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """The problem of a DaemonSet that runs a device plugin of NVIDIA or Neuron on Auto Mode's nodes.

    None if nodeSelector or required node affinity keeps the plugin off these nodes.
    """
    if document.get("kind") != "DaemonSet" or document.get("apiVersion") != "apps/v1":
        return
    pod = mapping_at(document, *_POD)
    if is_kept_off(pod):
        return
    for index, container in enumerate(_mappings(pod.get("containers"))):
        plugin = _plugin_of(container)
        if plugin:
            yield DEVICE_PLUGIN.problem(
                f"{'.'.join(_POD)}.containers[{index}].{plugin}",
                f"{shown(_first(container[plugin]))} is a device plugin that Auto Mode's AMI already includes; a "
                "second one registers the same devices twice",
                f"remove it, or keep it off these nodes with a required node affinity: {COMPUTE_TYPE} NotIn auto",
            )


def _plugin_of(container: Mapping[str, Any]) -> str:
    """The field that identifies a container as a device plugin, or ``""``."""
    image, command = container.get("image"), container.get("command")
    words = [word for field in (command, container.get("args")) for word in _texts(field)]
    if any(other in word for word in words for other in _OTHER_COMMANDS):
        return ""
    if isinstance(command, (list, tuple)) and _PLUGIN.fullmatch(str(_first(command)).rpartition("/")[2]):
        return "command"
    if not isinstance(image, str) or is_token(image):
        return ""
    *path, name = image.partition("@")[0].split("/")
    is_plugin = _PLUGIN.fullmatch(name.partition(":")[0].removesuffix("-fips"))
    return "image" if is_plugin and not _OTHER_MAKERS & {*path} else ""


def is_kept_off(pod: Mapping[str, Any]) -> bool:
    """Whether no pod can land on a node of Auto Mode, judging by the labels of AWS and Karpenter."""
    selector = mapping_at(pod, "nodeSelector")
    if any(_excludes_auto(str(key), "In", [value]) for key, value in selector.items()):
        return True
    required = mapping_at(pod, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = _mappings(required.get("nodeSelectorTerms"))
    # A node needs to match only one term, so each term has to exclude Auto Mode's nodes.
    return bool(terms) and all(
        any(
            _excludes_auto(str(item.get("key")), item.get("operator"), item.get("values"))
            for item in _mappings(term.get("matchExpressions"))
        )
        for term in terms
    )


def _excludes_auto(key: str, operator: object, values: object) -> bool:
    if key == COMPUTE_TYPE:
        listed = _texts(values)
        return (
            operator == "DoesNotExist"
            or (operator == "NotIn" and "auto" in listed)
            or (operator == "In" and bool(listed) and "auto" not in listed)
        )
    return (key in _NODE_GROUPS or key.startswith(_OTHER_NODES)) and operator in {"In", "Exists"}


def _first(value: object) -> object:
    return value[0] if isinstance(value, (list, tuple)) and value else value


def _texts(value: object) -> Sequence[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple)) else []


def _mappings(value: object) -> Sequence[Mapping[str, Any]]:
    # An item that is not a mapping keeps its place, so that indexes stay right.
    return [item if isinstance(item, Mapping) else {} for item in value] if isinstance(value, (list, tuple)) else []
