"""Network policy on Auto Mode: the switch, and EKS's own kinds of policies (``networking.k8s.aws/v1alpha1``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from automode_constructs.errors import Problem, shown
from automode_constructs.specs.fields import ListOf, TokenListOf, TokenOr, matching, renamed
from automode_constructs.specs.free_body import FreeBody
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.ingress_class import Cidr, PortOrName
from automode_constructs.specs.traffic.label_selector import LabelSelector
from automode_constructs.specs.traffic.ownership import NETWORK_POLICY_SWITCH, is_network_policy_switch
from automode_constructs.specs.wording import field_names, worded
from automode_constructs.tokens import is_token

__all__ = [
    "NETWORK_POLICY_SWITCH",
    "ApplicationEgressPeer",
    "ApplicationEgressRule",
    "ApplicationIngressRule",
    "ApplicationNetworkPolicySpec",
    "ApplicationPeer",
    "ApplicationPort",
    "ClusterEgressPeer",
    "ClusterEgressRule",
    "ClusterIngressRule",
    "ClusterNetworkPolicySpec",
    "ClusterPeer",
    "ClusterPods",
    "ClusterPort",
    "IpBlock",
    "NetworkPolicySwitch",
    "PortNumber",
    "PortRange",
    "is_network_policy_switch",
]

_POLICY_PAGE = "EKS User Guide, 'Use Network Policies with EKS Auto Mode'"
_APPLICATION_CRD = "aws/amazon-network-policy-controller-k8s, CRD applicationnetworkpolicies.networking.k8s.aws"
_CLUSTER_CRD = "aws/amazon-network-policy-controller-k8s, CRD clusternetworkpolicies.networking.k8s.aws"

NETWORK_POLICY_KEY = rule(
    "automode:NetworkPolicyKey",
    "ConfigMap",
    severity="warning",
    sentence=f"The setting {NETWORK_POLICY_SWITCH}: 'true' turns network policies on.",
    source=_POLICY_PAGE,
)
POLICY_PEER = rule(
    "automode:PolicyPeer",
    "ApplicationNetworkPolicy",
    "ClusterNetworkPolicy",
    severity="error",
    sentence="Each peer of a policy is selected in one way only.",
    source=f"{_APPLICATION_CRD}; {_CLUSTER_CRD}",
    stricter="For ApplicationNetworkPolicy the CRD refuses only domain names beside another way; the rest is "
    "in its descriptions.",
)
POLICY_LIST = rule(
    "automode:PolicyList",
    "ApplicationNetworkPolicy",
    "ClusterNetworkPolicy",
    severity="error",
    sentence="A peer of a policy names each domain and each network once.",
    source=f"{_APPLICATION_CRD}; {_CLUSTER_CRD}",
)
POLICY_PORT = rule(
    "automode:PolicyPort",
    "ApplicationNetworkPolicy",
    "ClusterNetworkPolicy",
    severity="error",
    sentence="A range of ports starts with a number that is lower than its end.",
    source=f"{_APPLICATION_CRD}; {_CLUSTER_CRD}",
    stricter="For ApplicationNetworkPolicy the CRD says so in its descriptions only.",
)
DENIED_DOMAIN = rule(
    "automode:DeniedDomain",
    "ClusterNetworkPolicy",
    severity="error",
    sentence="Domain names can be accepted, not denied or passed.",
    source=_CLUSTER_CRD,
)

# The CRDs' own pattern, with its slip (A-z): what it accepts must not be refused here.
_DomainName = Annotated[
    str,
    Field(max_length=1024),
    matching(
        r"(\*\.)?([a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?",
        "a domain name such as 'example.com' or '*.example.com'",
    ),
]
_Port = Annotated[int, Field(ge=1, le=65535)]
_Protocol = Literal["TCP", "UDP", "SCTP"]


class NetworkPolicySwitch(FreeBody):
    """The ConfigMap ``amazon-vpc-cni`` in ``kube-system``, without its metadata."""

    data: Mapping[str, TokenOr[str]] | None = None
    """Settings, all texts: ``{"enable-network-policy-controller": "true"}``."""

    def _broken_rules(self) -> Iterator[Problem]:
        yield from super()._broken_rules()
        data = self.data or {}
        if "enable-network-policy" in data and NETWORK_POLICY_SWITCH not in data:
            yield NETWORK_POLICY_KEY.problem(
                "data['enable-network-policy']",
                "is not read by EKS, so no policy is enforced",
                renamed(NETWORK_POLICY_SWITCH),
            )
        value = data.get(NETWORK_POLICY_SWITCH, "true")
        if value not in {"true", "false"} and not is_token(value):
            yield NETWORK_POLICY_KEY.problem(
                f"data[{shown(NETWORK_POLICY_SWITCH)}]",
                f"{shown(value)} is not 'true', so no policy is enforced",
                "write 'true'",
            )


def _repeated_items(**lists: Sequence[str] | None) -> Iterator[Problem]:
    for field, items in lists.items():
        if len(set(items or ())) < len(items or ()):
            yield POLICY_LIST.problem(field, "names one twice", "name each once")


class IpBlock(KubeModel):
    """A range of addresses."""

    cidr: TokenOr[Cidr]
    """The range."""
    except_: TokenListOf[Cidr] | None = Field(default=None, validation_alias="except", serialization_alias="except")
    """Ranges within it that are excluded."""


class ApplicationPeer(KubeModel):
    """A peer: pods by labels, or a range of addresses."""

    pod_selector: LabelSelector | None = None
    """Pods, in the policy's namespace unless ``namespace_selector`` is set too."""
    namespace_selector: LabelSelector | None = None
    """Namespaces."""
    ip_block: IpBlock | None = None
    """Addresses; set alone."""

    def _broken_rules(self) -> Iterator[Problem]:
        alone = {"ip_block", "domain_names"}
        used = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(used) > 1 and alone & set(used):
            message = worded("a peer is selected in one way, got {used}", used=field_names(used, " and "))
            yield POLICY_PEER.problem("", message, "write a peer for each")


class ApplicationEgressPeer(ApplicationPeer):
    """The destination: as ``ApplicationPeer``, or domain names."""

    domain_names: Annotated[ListOf[TokenOr[_DomainName]], Field(min_length=1)] | None = None
    """Domain names; set alone. A leading ``*.`` stands for one or more labels. Works on Auto Mode nodes only, and the
    pods must be allowed to reach DNS."""

    def _broken_rules(self) -> Iterator[Problem]:
        yield from super()._broken_rules()
        yield from _repeated_items(domain_names=self.domain_names)


class ApplicationPort(KubeModel):
    """Ports of pods."""

    protocol: _Protocol | None = None
    """Default: ``TCP``, as Kubernetes decides."""
    port: PortOrName | None = None
    """Number or name. Default: every port."""
    end_port: _Port | None = None
    """Last port of a range that starts at ``port``."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.end_port is not None and not (isinstance(self.port, int) and self.port <= self.end_port):
            yield POLICY_PORT.problem(
                "end_port", f"{self.end_port} needs a 'port' that is a number and not above it, got {shown(self.port)}"
            )


class ApplicationIngressRule(KubeModel):
    """Allowed incoming traffic."""

    from_: ListOf[ApplicationPeer] | None = Field(default=None, validation_alias="from", serialization_alias="from")
    """Sources. Default: everyone."""
    ports: ListOf[ApplicationPort] | None = None
    """Destination ports. Default: all."""


class ApplicationEgressRule(KubeModel):
    """Allowed outgoing traffic."""

    to: ListOf[ApplicationEgressPeer] | None = None
    """Destinations. Default: everyone."""
    ports: ListOf[ApplicationPort] | None = None
    """Destination ports. Default: all."""


class ApplicationNetworkPolicySpec(KubeModel):
    """A network policy of a namespace that can also name domains.

    It applies on Auto Mode nodes only, once ``NETWORK_POLICY_SWITCH`` is on. It must not share its
    name with a NetworkPolicy in its namespace: both would be accepted, and neither would apply as written.

    Source: EKS User Guide, "Use Network Policies with EKS Auto Mode".
    """

    pod_selector: LabelSelector
    """The pods that the policy applies to; ``{}`` is all pods in the namespace."""
    policy_types: ListOf[Literal["Ingress", "Egress"]] | None = None
    """The directions that the policy restricts. Default: derived from its rules, as Kubernetes decides."""
    ingress: ListOf[ApplicationIngressRule] | None = None
    """Ingress rules."""
    egress: ListOf[ApplicationEgressRule] | None = None
    """Egress rules."""


class ClusterPods(KubeModel):
    """Pods, selected by the labels of their namespaces and by their own."""

    namespace_selector: LabelSelector
    """Namespaces; ``{}`` is all of them."""
    pod_selector: LabelSelector
    """Pods in those namespaces; ``{}`` is all of them."""


class ClusterPeer(KubeModel):
    """The source, selected in exactly one way."""

    namespaces: LabelSelector | None = None
    """All pods in these namespaces."""
    pods: ClusterPods | None = None
    """Some pods in some namespaces."""

    def _broken_rules(self) -> Iterator[Problem]:
        ways = list(type(self).model_fields)
        used = [name for name in ways if getattr(self, name) is not None]
        if len(used) != 1:
            message = worded(
                "exactly one of {ways} is needed, got {used}",
                ways=field_names(ways, ", "),
                used=field_names(used, " and ") or "none",
            )
            yield POLICY_PEER.problem("", message)


class ClusterEgressPeer(ClusterPeer):
    """The destination, selected in exactly one way."""

    networks: Annotated[TokenListOf[Cidr], Field(min_length=1, max_length=25)] | None = None
    """Ranges of addresses, at most 25."""
    domain_names: Annotated[ListOf[TokenOr[_DomainName]], Field(min_length=1, max_length=25)] | None = None
    """Domain names, at most 25; only with the action ``Accept``."""

    def _broken_rules(self) -> Iterator[Problem]:
        yield from super()._broken_rules()
        yield from _repeated_items(networks=self.networks, domain_names=self.domain_names)


class PortNumber(KubeModel):
    """One port."""

    port: _Port
    """1 to 65535."""
    protocol: _Protocol | None = None
    """Default: ``TCP``, as EKS decides."""


class PortRange(KubeModel):
    """A range of ports."""

    start: _Port
    """First port."""
    end: _Port
    """Last port, above ``start``."""
    protocol: _Protocol | None = None
    """Default: ``TCP``, as EKS decides."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.start >= self.end:
            yield POLICY_PORT.problem("end", f"must be above start ({self.start}), got {self.end}")


class ClusterPort(KubeModel):
    """Ports, in one of three ways."""

    port_number: PortNumber | None = None
    """One port."""
    port_range: PortRange | None = None
    """A range of ports."""
    named_port: str | None = None
    """The name of a port in the pods."""


_ClusterPorts = Annotated[ListOf[ClusterPort], Field(min_length=1, max_length=100)]


class _ClusterRule(KubeModel):
    action: Literal["Accept", "Deny", "Pass"]
    """What happens to the traffic; ``Pass`` leaves it to the policies of the namespace. (AWS's page says Allow for
    ``Accept``.)"""
    name: Annotated[str, Field(max_length=100)] | None = None
    """A name for messages, at most 100 characters."""
    ports: _ClusterPorts | None = None
    """Destination ports, at most 100. Default: all."""


class ClusterIngressRule(_ClusterRule):
    """What happens to incoming traffic."""

    from_: Annotated[ListOf[ClusterPeer], Field(min_length=1, max_length=100)] = Field(
        validation_alias="from", serialization_alias="from"
    )
    """Sources, 1 to 100."""


_INSTEAD_OF_DOMAIN_NAMES = {
    "Deny": ("denied", "accept some and deny networks below"),
    "Pass": ("passed", "accept them, or leave them to the policies of the namespaces"),
}


class ClusterEgressRule(_ClusterRule):
    """What happens to outgoing traffic."""

    to: Annotated[ListOf[ClusterEgressPeer], Field(min_length=1, max_length=100)]
    """Destinations, 1 to 100."""

    def _broken_rules(self) -> Iterator[Problem]:
        for number, peer in enumerate(self.to):
            if self.action != "Accept" and peer.domain_names is not None:
                verb, cure = _INSTEAD_OF_DOMAIN_NAMES[self.action]
                yield DENIED_DOMAIN.problem(f"to[{number}].domain_names", f"domain names cannot be {verb}", cure)


class ClusterNetworkPolicySpec(KubeModel):
    """A network policy for the whole cluster.

    Source: EKS User Guide, "Use Network Policies with EKS Auto Mode".
    """

    tier: Literal["Admin", "Baseline"]
    """``Admin`` is evaluated before the policies of namespaces, ``Baseline`` after them."""
    priority: Annotated[int, Field(ge=0, le=1000)]
    """0 to 1000 within the tier; the lowest is evaluated first."""
    subject: ClusterPeer
    """The pods that the policy applies to."""
    ingress: Annotated[ListOf[ClusterIngressRule], Field(max_length=100)] | None = None
    """Rules for incoming traffic, at most 100; the first that matches decides."""
    egress: Annotated[ListOf[ClusterEgressRule], Field(max_length=100)] | None = None
    """Rules for outgoing traffic, at most 100; the first that matches decides."""
