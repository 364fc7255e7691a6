"""Network policies that nothing enforces: EKS Auto Mode ignores all of them until a ConfigMap turns them on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.mapping import mapping_at
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.ownership import NETWORK_POLICY_SWITCH, is_network_policy_switch
from automode_constructs.tokens import is_token

__all__ = ["POLICY_KINDS", "enforcement_problems"]

POLICY_KINDS = frozenset(
    {
        ("networking.k8s.io", "NetworkPolicy"),
        ("networking.k8s.aws", "ApplicationNetworkPolicy"),
        ("networking.k8s.aws", "ClusterNetworkPolicy"),
    }
)
"""The kinds that restrict traffic, with their groups."""

NETWORK_POLICY_CONTROLLER = rule(
    "automode:NetworkPolicyController",
    "ApplicationNetworkPolicy",
    "ClusterNetworkPolicy",
    "ConfigMap",
    "NetworkPolicy",
    "NodeClass",
    severity="warning",
    sentence="Where there are network policies, or a NodeClass with networkPolicy: DefaultDeny, the ConfigMap "
    f"kube-system/amazon-vpc-cni has {NETWORK_POLICY_SWITCH}: 'true'. Without it, nothing enforces them.",
    source="EKS User Guide, 'Use Network Policies with EKS Auto Mode'",
    judged="tree",
)


def enforcement_problems(
    objects: Sequence[tuple[str, Mapping[str, Any]]], *, whole: bool, files: bool
) -> Iterator[tuple[int, Problem]]:
    """The objects that no node enforces: one problem for all of them, with the index of the object that has it.

    Args:
        objects: the cluster's objects, each with its name for messages.
        whole: whether these are all objects of the cluster.
        files: whether they are what somebody's files hold; each ConfigMap was judged by itself before.
    """
    policies = [index for index, (_, manifest) in enumerate(objects) if _needs_enforcement(manifest)]
    if not policies:
        return
    switches = [index for index, (_, manifest) in enumerate(objects) if _is_switch(manifest)]
    if any(_turns_on(objects[index][1], files=files) for index in switches):
        return
    first = policies[0]
    others = f" and {len(policies) - 1} more" if len(policies) > 1 else ""
    unenforced = f"nothing enforces {objects[first][0]}{others}"
    if switches:
        value = mapping_at(objects[switches[0]][1], "data").get(NETWORK_POLICY_SWITCH)
        got = "is not set" if value is None else f"got {shown(value)}"
        yield (
            switches[0],
            NETWORK_POLICY_CONTROLLER.problem(
                f"data[{shown(NETWORK_POLICY_SWITCH)}]", f"{got}, so that {unenforced}", "write 'true', in quotes"
            ),
        )
        return
    if files:
        maker, cure = "no file that is judged holds", "add it, unless the cluster has it already"
    else:
        maker = "no chart of this cluster makes" if whole else "no chart of this app makes"
        cure = "deliver NetworkPolicyController(chart, 'network-policy-controller'), which PlatformStack does for you"
        if not whole:
            cure += "; acknowledge this if something else has turned network policies on"
    is_class = objects[first][1].get("kind") == "NodeClass"
    yield (
        first,
        NETWORK_POLICY_CONTROLLER.problem(
            "spec.networkPolicy" if is_class else "",
            f"{unenforced}: EKS Auto Mode needs the ConfigMap 'amazon-vpc-cni' in namespace 'kube-system' with "
            f"{NETWORK_POLICY_SWITCH}: 'true', which {maker}",
            cure,
        ),
    )


def _needs_enforcement(manifest: Mapping[str, Any]) -> bool:
    group, kind = str(manifest.get("apiVersion", "")).rpartition("/")[0], str(manifest.get("kind"))
    if (group, kind) == ("eks.amazonaws.com", "NodeClass"):
        return mapping_at(manifest, "spec").get("networkPolicy") == "DefaultDeny"
    return (group, kind) in POLICY_KINDS and not (kind == "NetworkPolicy" and _lets_all_through(manifest))


def _lets_all_through(manifest: Mapping[str, Any]) -> bool:
    """Whether a NetworkPolicy restricts nothing, as one does that opens what a NodeClass with DefaultDeny closes."""
    spec = mapping_at(manifest, "spec")
    directions = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    rules = [spec.get(direction.lower()) for direction in directions if isinstance(direction, str)]
    return bool(rules) and all(isinstance(some, Sequence) and {} in some for some in rules)


def _is_switch(manifest: Mapping[str, Any]) -> bool:
    return (manifest.get("apiVersion"), manifest.get("kind")) == ("v1", "ConfigMap") and is_network_policy_switch(
        manifest
    )


def _turns_on(manifest: Mapping[str, Any], *, files: bool) -> bool:
    """Whether a ConfigMap turns network policies on, or may do so once its placeholders are filled in."""
    if files and "data" not in manifest:
        return True
    value = mapping_at(manifest, "data").get(NETWORK_POLICY_SWITCH)
    if files and value is not None and not isinstance(value, str):
        return True  # That is an error of the ConfigMap itself.
    return value == "true" or is_token(value)
