"""DaemonSets that would run what Auto Mode's nodes have built in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from automode_constructs.checks.device_plugin import is_kept_off
from automode_constructs.errors import Problem, shown
from automode_constructs.facts.add_ons import BuiltIn, built_in_program
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.specs.labels import COMPUTE_TYPE
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_token

__all__ = ["BUILT_IN_AGENT", "built_in_agent_problems"]

BUILT_IN_AGENT = rule(
    "automode:BuiltInAgent",
    "DaemonSet",
    severity="error",
    sentence="No DaemonSet brings to Auto Mode's nodes what they have built in: pod network, kube-proxy, DNS, EBS "
    "driver, Pod Identity agent, node monitoring agent.",
    source="EKS User Guide, 'Amazon EKS add-ons', considerations for Auto Mode",
    stricter="A second one competes with the first for the same network, volumes, port or node conditions.",
)

_POD = ("spec", "template", "spec")


def built_in_agent_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """The problem of a DaemonSet that runs on Auto Mode's nodes what they have built in; device plugins apart.

    None if nodeSelector or required node affinity keeps it off these nodes, as in EKS's own add-ons.
    """
    if document.get("kind") != "DaemonSet" or document.get("apiVersion") != "apps/v1":
        return
    pod = mapping_at(document, *_POD)
    if is_kept_off(pod):
        return
    for field, name in _names(document, pod):
        built_in = _built_in(name)
        if built_in is not None:
            yield BUILT_IN_AGENT.problem(
                field,
                f"{shown(name)} brings {built_in.what}, which Auto Mode's nodes have built in",
                f"remove it, or keep it off these nodes with a required node affinity: {COMPUTE_TYPE} NotIn auto",
            )
            return


def _names(document: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names that say what a DaemonSet runs, each with its field."""
    name = mapping_at(document, "metadata").get("name")
    if isinstance(name, str):
        yield "metadata.name", name
    containers = pod.get("containers")
    for index, container in enumerate(containers if isinstance(containers, (list, tuple)) else ()):
        image = container.get("image") if isinstance(container, Mapping) else None
        if isinstance(image, str) and not is_token(image):
            yield f"{'.'.join(_POD)}.containers[{index}].image", image


def _built_in(name: str) -> BuiltIn | None:
    *path, last = name.partition("@")[0].split("/")
    found = built_in_program("/".join([*path, last.partition(":")[0]]))
    # Device plugins have a rule of their own, and controllers run in Deployments.
    return found if found is not None and found.add_on is not None else None
