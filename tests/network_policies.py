"""Whether network policies let a connection through, as EKS Auto Mode would decide.

A connection has to pass the egress policies of the pod that opens it and the ingress policies of the pod that it
reaches. In each direction, the first that applies decides:

1. ClusterNetworkPolicies of tier Admin, by priority, at equal priority Deny first. Accept and Deny are final, Pass goes
   on with 2.
2. NetworkPolicies and ApplicationNetworkPolicies of the pod's namespace together: a pod that one of them selects for
   this direction gets what at least one of their rules allows, and nothing else.
3. ClusterNetworkPolicies of tier Baseline.
4. The NodeClass: DefaultDeny refuses, DefaultAllow lets through.

A pod and its own node always reach each other. Without the ConfigMap that turns network policies on, all is let
through. A rule with domain names holds for destinations that are reached by such a name. Names of ports are looked up
in the pod that is reached.

Source: Kubernetes, "Network Policies"; EKS User Guide, "Use Network Policies with EKS Auto Mode", sections "Understand
policy evaluation order" and "Using the Application Network Policy"; aws/aws-network-policy-agent#65 (the pod's node).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

__all__ = ["Address", "Cluster", "Node", "Pod"]

Manifest = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod, as far as policies see it."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ip: str = "10.0.64.10"
    ports: Mapping[str, int] = field(default_factory=dict)
    """Its containers' ports by name."""

    @classmethod
    def of(cls, workload: Manifest) -> Pod:
        """A pod of a Deployment, DaemonSet or Job."""
        template, metadata = workload["spec"]["template"], workload["metadata"]
        labels = dict(template.get("metadata", {}).get("labels", {}))
        if workload["kind"] == "Job":
            labels["batch.kubernetes.io/job-name"] = metadata["name"]  # as Kubernetes adds it
        ports = [port for container in template["spec"]["containers"] for port in container.get("ports", ())]
        return cls(
            namespace=metadata["namespace"],
            labels=labels,
            ports={port["name"]: port["containerPort"] for port in ports if "name" in port},
        )


@dataclass(frozen=True, kw_only=True)
class Address:
    """What is no pod: a load balancer, an AWS service, a host of the internet."""

    ip: str
    domain_name: str | None = None
    """The name by which it is reached."""


@dataclass(frozen=True)
class Node:
    """The node that the pod at the other end runs on."""


Peer = Pod | Address | Node


class Cluster:
    """The policies of a cluster.

    Args:
        objects: its objects, of all kinds.
        default_deny: whether the nodes' NodeClass has ``networkPolicy: DefaultDeny``.
    """

    def __init__(self, objects: Sequence[Manifest], *, default_deny: bool = False) -> None:
        self.default_deny = default_deny
        self.enforced = any(
            item["kind"] == "ConfigMap"
            and (item["metadata"].get("namespace"), item["metadata"]["name"]) == ("kube-system", "amazon-vpc-cni")
            and item["data"].get("enable-network-policy-controller") == "true"
            for item in objects
        )
        self._policies = [item for item in objects if item["kind"] in {"NetworkPolicy", "ApplicationNetworkPolicy"}]
        self._cluster_policies = [item["spec"] for item in objects if item["kind"] == "ClusterNetworkPolicy"]
        self._namespaces = {
            item["metadata"]["name"]: item["metadata"].get("labels", {})
            for item in objects
            if item["kind"] == "Namespace"
        }

    def allows(self, source: Peer, destination: Peer, port: int, protocol: str = "TCP") -> bool:
        """Whether the source can open a connection to a port of the destination."""
        if not self.enforced or isinstance(source, Node) or isinstance(destination, Node):
            return True
        to = destination.ports if isinstance(destination, Pod) else {}
        reached = _Port(number=port, protocol=protocol, names=to)
        return (not isinstance(source, Pod) or self._passes("egress", source, destination, reached)) and (
            not isinstance(destination, Pod) or self._passes("ingress", destination, source, reached)
        )

    def _passes(self, direction: str, pod: Pod, other: Peer, port: _Port) -> bool:
        admin = self._verdict("Admin", direction, pod, other, port)
        if admin in {"Accept", "Deny"}:
            return admin == "Accept"
        selecting = [policy for policy in self._policies if self._concerns(policy, direction, pod)]
        if selecting:
            return any(
                self._matches(rule, direction, policy["metadata"]["namespace"], other, port)
                for policy in selecting
                for rule in policy["spec"].get(direction, ())
            )
        baseline = self._verdict("Baseline", direction, pod, other, port)
        return not self.default_deny if baseline is None else baseline == "Accept"

    def _concerns(self, policy: Manifest, direction: str, pod: Pod) -> bool:
        spec = policy["spec"]
        types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        return (
            direction.capitalize() in types
            and policy["metadata"]["namespace"] == pod.namespace
            and _selects(spec.get("podSelector", {}), pod.labels)
        )

    def _matches(self, rule: Manifest, direction: str, namespace: str, other: Peer, port: _Port) -> bool:
        peers = rule.get("from" if direction == "ingress" else "to")
        ports = rule.get("ports")
        return (not peers or any(self._is(peer, namespace, other) for peer in peers)) and (
            not ports or any(port.is_in(one) for one in ports)
        )

    def _is(self, peer: Manifest, namespace: str, other: Peer) -> bool:
        """Whether a peer of a namespace's policy means the other end."""
        if "domainNames" in peer:
            return _has_name(other, peer["domainNames"])
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            return _is_within(other, [block["cidr"]]) and not _is_within(other, block.get("except", ()))
        if not isinstance(other, Pod) or not _selects(peer.get("podSelector", {}), other.labels):
            return False
        if "namespaceSelector" not in peer:
            return other.namespace == namespace
        return _selects(peer["namespaceSelector"], self._labels_of(other.namespace))

    def _labels_of(self, namespace: str) -> Mapping[str, str]:
        return {"kubernetes.io/metadata.name": namespace, **self._namespaces.get(namespace, {})}

    def _verdict(self, tier: str, direction: str, pod: Pod, other: Peer, port: _Port) -> str | None:
        """The action of the first rule of a tier that fits, or ``None``."""
        fitting = [
            (policy["priority"], rule["action"] != "Deny", rule["action"])
            for policy in self._cluster_policies
            if policy["tier"] == tier and self._is_one_of(policy["subject"], pod)
            for rule in self._fitting(policy.get(direction, ()), direction, other, port)
        ]
        return min(fitting, key=lambda entry: entry[:2])[2] if fitting else None

    def _fitting(self, rules: Sequence[Manifest], direction: str, other: Peer, port: _Port) -> Iterator[Manifest]:
        """The first rule of a policy that fits."""
        for rule in rules:
            peers = rule["from" if direction == "ingress" else "to"]
            ports = rule.get("ports")
            if any(self._is_one_of(peer, other) for peer in peers) and (
                not ports or any(port.is_in(_as_port(one)) for one in ports)
            ):
                yield rule
                return

    def _is_one_of(self, peer: Manifest, other: Peer) -> bool:
        """Whether a peer of a cluster's policy means the other end."""
        if "domainNames" in peer:
            return _has_name(other, peer["domainNames"])
        if "networks" in peer:
            return _is_within(other, peer["networks"])
        if not isinstance(other, Pod):
            return False
        if "namespaces" in peer:
            return _selects(peer["namespaces"], self._labels_of(other.namespace))
        pods = peer["pods"]
        return _selects(pods["namespaceSelector"], self._labels_of(other.namespace)) and _selects(
            pods["podSelector"], other.labels
        )


@dataclass(frozen=True, kw_only=True)
class _Port:
    number: int
    protocol: str
    names: Mapping[str, int]

    def is_in(self, port: Manifest) -> bool:
        if port.get("protocol", "TCP") != self.protocol:
            return False
        first = port.get("port")
        if first is None:
            return True
        if isinstance(first, str):
            return self.names.get(first) == self.number
        return bool(first <= self.number <= port.get("endPort", first))


def _as_port(port: Manifest) -> Manifest:
    """A port of a ClusterNetworkPolicy as a NetworkPolicy writes it."""
    if "namedPort" in port:
        return {"port": port["namedPort"]}
    if "portNumber" in port:
        return dict(port["portNumber"])
    span = port["portRange"]
    return {"protocol": span.get("protocol", "TCP"), "port": span["start"], "endPort": span["end"]}


def _selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions") or ()
    )


def _holds(expression: Manifest, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]


def _is_within(other: Peer, cidrs: Sequence[str]) -> bool:
    if isinstance(other, Node):
        return False
    address = ip_address(other.ip)
    return any(address in ip_network(cidr) for cidr in cidrs)


def _has_name(other: Peer, names: Sequence[str]) -> bool:
    if not isinstance(other, Address) or other.domain_name is None:
        return False
    return any(
        other.domain_name.endswith(name[1:]) if name.startswith("*.") else other.domain_name == name for name in names
    )
