"""What the pods of a workload may receive and reach, as network policies that EKS Auto Mode enforces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.object_metadata import kubernetes_name
from automode_constructs.specs.traffic.label_selector import LabelSelector
from automode_constructs.specs.traffic.network_policy import (
    ApplicationEgressPeer,
    ApplicationEgressRule,
    ApplicationIngressRule,
    ApplicationNetworkPolicySpec,
    ApplicationPeer,
    ApplicationPort,
    IpBlock,
)

__all__ = ["DNS", "LONGEST_NAME", "POD_IDENTITY", "PodNetworkPolicy", "https_to", "peers_of"]

DNS: Final = ApplicationEgressRule(
    to=[
        # The addresses of Services, and so of DNS, are private ones in every cluster. With Auto Mode, DNS answers on
        # the node itself, and no pod of kube-system has to be named.
        ApplicationEgressPeer(ip_block=IpBlock(cidr=cidr))
        for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
    ],
    ports=[ApplicationPort(port=53, protocol="UDP"), ApplicationPort(port=53, protocol="TCP")],
)
"""To the cluster's DNS. Source: EKS API Reference, ``KubernetesNetworkConfigRequest``."""

POD_IDENTITY: Final = ApplicationEgressRule(
    to=[ApplicationEgressPeer(ip_block=IpBlock(cidr=cidr)) for cidr in ("169.254.170.23/32", "fd00:ec2::23/128")],
    ports=[ApplicationPort(port=80, protocol="TCP")],
)
"""To the EKS Pod Identity agent on the node.

Source: EKS User Guide, "Learn how EKS Pod Identity grants pods access to AWS services".
"""

LONGEST_NAME = 245
"""Characters of a policy's name: the ApplicationNetworkPolicy has ``-domains`` appended."""


@checked_arguments
def https_to(*, domain_names: Sequence[str] = (), cidrs: Sequence[str] = (), port: int = 443) -> ApplicationEgressRule:
    """Connections over TCP to domain names, blocks of addresses, or both.

    Args:
        domain_names: such as ``example.com`` or ``*.example.com``; tokens too. Default: none.
        cidrs: such as ``10.0.0.0/16``; tokens too. Default: none.
        port: the port, 1 to 65535. Default: 443, HTTPS.

    Raises:
        AutoModeError: for a domain name, a block or a port of another form.
    """
    refusals = Refusals("https_to")
    if not domain_names and not cidrs:
        refusals.refuse(
            "domain_names", "is empty, and so is cidrs: the rule would open every address", "name at least one"
        )
    peers: list[ApplicationEgressPeer] = []
    for index, cidr in enumerate(cidrs):
        with refusals.collecting(f"cidrs[{index}]"):
            peers.append(ApplicationEgressPeer(ip_block=IpBlock(cidr=cidr)))
    if domain_names:
        with refusals.collecting():
            peers.append(ApplicationEgressPeer(domain_names=list(dict.fromkeys(domain_names))))
    with refusals.collecting():
        ports = [ApplicationPort(port=port, protocol="TCP")]
    refusals.raise_all()
    return ApplicationEgressRule(to=peers, ports=ports)


def peers_of(
    refusals: Refusals, field: str, peers: Iterable[ApplicationPeer | Mapping[str, Any]]
) -> list[ApplicationPeer]:
    """Peers in either form, as typed ones; refuses those that select nothing, or that EKS would refuse."""
    typed: list[ApplicationPeer] = []
    for index, peer in enumerate(peers):
        with refusals.collecting(f"{field}[{index}]"):
            known = peer if isinstance(peer, ApplicationPeer) else ApplicationPeer.from_manifest(peer)
            if not known.to_manifest():
                raise AutoModeError.of(
                    "",
                    field="",
                    message="is empty and selects nobody",
                    cure="write {'podSelector': {}} for the pods of the namespace, {'namespaceSelector': {}} for all "
                    "pods, or {'ipBlock': {'cidr': ...}}",
                )
            typed.append(known)
    return typed


class PodNetworkPolicy(Construct):
    """What some pods of a namespace may receive and reach; everything else is refused, in both directions.

    Creates a NetworkPolicy called ``name``. Domain names, which a NetworkPolicy does not know, go to an
    ApplicationNetworkPolicy called ``<name>-domains`` beside it, which must not have the same name. Both hold only once
    network policies are on, see ``NetworkPolicyController``. The node of a pod reaches it in any case, so that probes
    and ``kubectl port-forward`` need no rule; images are pulled by the node too.

    Args:
        scope: the cdk8s chart, or a construct in one, with the namespace of the pods.
        id: the construct's id.
        pod_labels: the labels that select the pods; ``{}`` selects all of the namespace.
        name: name of both policies, at most 245 characters. Default: the construct's id; we decide.
        clients: who may open connections to ``ports``, as peers of a NetworkPolicy: ``ApplicationPeer``, or the mapping
            that a manifest has. ``None`` admits everyone who reaches the pods. Default: nobody; we decide.
        ports: TCP ports that clients may reach. Default: none; we decide.
        egress: where the pods may open connections to; ``https_to`` makes a rule. Default: nowhere; we decide.
        labels: labels of the policies themselves. Default: none.

    Raises:
        AutoModeError: for a peer that selects nobody, and for everything that the policies' kinds refuse.

    Source: Kubernetes, "Network Policies"; EKS User Guide, "Use Network Policies with EKS Auto Mode".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        pod_labels: Mapping[str, str],
        name: str | None = None,
        clients: Sequence[ApplicationPeer | Mapping[str, Any]] | None = (),
        ports: Sequence[int] = (),
        egress: Sequence[ApplicationEgressRule] = (),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        self.name = kubernetes_name(refusals.where, id if name is None else name, longest=LONGEST_NAME)
        """Name of the NetworkPolicy."""
        peers = None if clients is None else peers_of(refusals, "clients", clients)
        admitted = ApplicationIngressRule(from_=peers)
        for index, port in enumerate(ports):
            with refusals.collecting(f"ports[{index}]"):
                admitted = admitted.replace(ports=[*(admitted.ports or ()), ApplicationPort(port=port, protocol="TCP")])
        selector = LabelSelector()
        with refusals.collecting("pod_labels"):
            selector = LabelSelector(match_labels=dict(pod_labels))
        refusals.raise_all()
        by_address, by_domain = _divided(egress)
        super().__init__(scope, id)
        self._labels = labels or {}
        self._make(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            self.name,
            ApplicationNetworkPolicySpec(
                pod_selector=selector,
                policy_types=["Ingress", "Egress"],
                ingress=[admitted] if ports and peers != [] else [],
                egress=by_address,
            ),
        )
        if by_domain:
            self._make(
                "networking.k8s.aws/v1alpha1",
                "ApplicationNetworkPolicy",
                f"{self.name}-domains",
                ApplicationNetworkPolicySpec(
                    pod_selector=selector,
                    policy_types=["Egress"],
                    # Names have to be resolved before they can be reached.
                    egress=[*(rule for rule in by_address if rule == DNS), *by_domain],
                ),
            )

    def _make(self, api_version: str, kind: str, name: str, spec: ApplicationNetworkPolicySpec) -> None:
        policy = KubernetesObject(
            self,
            kind,
            api_version=api_version,
            kind=kind,
            name=name,
            cluster_scoped=False,
            body={"spec": spec.to_manifest()},
        )
        for key, value in self._labels.items():
            policy.metadata.add_label(key, value)


def _divided(
    egress: Iterable[ApplicationEgressRule],
) -> tuple[list[ApplicationEgressRule], list[ApplicationEgressRule]]:
    """The rules without domain names, and those with them."""
    by_address: list[ApplicationEgressRule] = []
    by_domain: list[ApplicationEgressRule] = []
    for rule in egress:
        domains = [peer for peer in rule.to or () if peer.domain_names is not None]
        others = [peer for peer in rule.to or () if peer.domain_names is None]
        if others or not domains:
            by_address.append(rule.replace(to=others or None))
        if domains:
            by_domain.append(rule.replace(to=domains))
    return by_address, by_domain
