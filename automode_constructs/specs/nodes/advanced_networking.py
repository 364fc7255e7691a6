"""How the nodes of a class reach the network: proxy, public address, pod addresses, interfaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from automode_constructs.errors import Problem
from automode_constructs.specs.fields import VALUE, ListOf, TokenListOf, TokenOr, matching, quoted
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.wording import field_names, worded

__all__ = ["AdvancedNetworking", "NetworkInterface"]

_PAGE = "EKS User Guide, 'Create a Node Class for Amazon EKS', section 'Static Network Interface Configuration'"

PRIMARY_INTERFACE = rule(
    "automode:PrimaryInterface",
    "NodeClass",
    severity="error",
    sentence="Static network interfaces have one of type interface at network card 0, device 0.",
    source=_PAGE,
)
INTERFACE_TWICE = rule(
    "automode:InterfaceTwice",
    "NodeClass",
    severity="error",
    sentence="Each pair of network card and device has one static network interface.",
    source="Amazon EC2 API Reference, 'InstanceNetworkInterfaceSpecification'",
    stricter="AWS's page does not say so; no instance can have two interfaces at one place.",
)
SECONDARY_ADDRESSES = rule(
    "automode:SecondaryAddresses",
    "NodeClass",
    severity="error",
    sentence="Secondary addresses or prefixes, not both, stand on interfaces of type interface at network card 0.",
    source=_PAGE,
)
PUBLIC_ADDRESS_OF_MANY = rule(
    "automode:PublicAddressOfManyInterfaces",
    "NodeClass",
    severity="error",
    sentence="Nodes with more than one static network interface have no public address.",
    source=_PAGE,
)
PUBLIC_ADDRESS = rule(
    "automode:PublicAddress",
    "NodeClass",
    severity="warning",
    sentence="Nodes get no public addresses.",
    source="EKS User Guide, 'Update organization controls for EKS Auto Mode'",
)


class NetworkInterface(KubeModel):
    """A network interface that every node of the class is launched with."""

    network_card_index: Annotated[int, Field(ge=0)]
    """The network card; 0 is the primary one."""
    device_index: Annotated[int, Field(ge=0)]
    """The place on the card."""
    interface_type: Literal["interface", "efa-only"]
    """``interface`` carries addresses, ``efa-only`` RDMA traffic alone."""
    secondary_ipv4_count: Annotated[int, Field(ge=0)] | None = Field(
        default=None, validation_alias="secondaryIPv4Count", serialization_alias="secondaryIPv4Count"
    )
    """Addresses for pods, one each. Default: none, as EKS decides."""
    secondary_ipv4_prefix_count: Annotated[int, Field(ge=0)] | None = Field(
        default=None, validation_alias="secondaryIPv4PrefixCount", serialization_alias="secondaryIPv4PrefixCount"
    )
    """Prefixes for pods, 16 addresses each. Default: none, as EKS decides."""

    @property
    def is_primary(self) -> bool:
        """Whether it carries the node's own address."""
        return self.network_card_index == 0 and self.device_index == 0

    @property
    def pod_addresses(self) -> int:
        """The number of pods it has addresses for."""
        return (self.secondary_ipv4_count or 0) + 16 * (self.secondary_ipv4_prefix_count or 0)

    def _broken_rules(self) -> Iterator[Problem]:
        counts = [
            name for name in ("secondary_ipv4_count", "secondary_ipv4_prefix_count") if getattr(self, name) is not None
        ]
        if len(counts) == 2:
            yield SECONDARY_ADDRESSES.problem(
                counts[1], worded("an interface has one of {names}, got both", names=field_names(counts, " and "))
            )
        for name in counts:
            if self.interface_type == "efa-only":
                yield SECONDARY_ADDRESSES.problem(name, "an 'efa-only' interface has no addresses", "remove it")
            elif self.network_card_index != 0:
                where = f"network card {self.network_card_index}"
                yield SECONDARY_ADDRESSES.problem(
                    name, f"only interfaces at network card 0 take addresses for pods, not {where}", "remove it"
                )


def _prefix_size(value: Any) -> Any:
    if isinstance(value, int) and value == 32:
        raise VALUE.broken("", "needs a text, got 32", quoted(32))
    return value


_PORT = r":(0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))"
_Proxy = Annotated[
    str,
    Field(max_length=255),
    matching(
        rf"https?://([^\s/@]+@)?([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\])({_PORT})?/?",
        "the URL of a proxy",
        "write 'http://host:port', an IPv6 address in brackets: 'http://[2001:db8::4]:3128'",
    ),
]


class AdvancedNetworking(KubeModel):
    """How nodes reach the network.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    associate_public_ip_address: bool | None = Field(
        default=None, validation_alias="associatePublicIPAddress", serialization_alias="associatePublicIPAddress"
    )
    """Whether nodes get a public IPv4 address; not true with more than one of ``network_interfaces``. Policies of an
    organization that demand ``false`` want it written. Default: what the subnet says, as EC2 decides."""
    https_proxy: TokenOr[_Proxy] | None = None
    """The proxy for HTTPS, ``http://host:port``, at most 255 characters. A proxy that opens TLS needs its authority
    in ``certificate_bundles``. Default: none."""
    no_proxy: Annotated[TokenListOf[Annotated[str, Field(max_length=255)]], Field(max_length=50)] | None = None
    """Hosts to reach without the proxy, at most 50 entries of 255 characters: localhost, the metadata service
    (169.254.169.254), ``.internal``, ``.eks.amazonaws.com`` and the VPC's endpoints. Default: nothing."""
    ipv4_prefix_size: Annotated[Literal["Auto", "32"], BeforeValidator(_prefix_size)] | None = None
    """``Auto`` takes prefixes of 16 addresses, and single ones where no prefix is free; ``"32"`` takes one address
    for each pod. Default: ``Auto``, as EKS decides."""
    enable_v4_egress: bool | None = None
    """Whether pods of an IPv6 cluster get a way out over IPv4, which network policies do not cover.

    Default: true, as EKS decides.
    """
    network_interfaces: ListOf[NetworkInterface] | None = None
    """The interfaces nodes are launched with, for EFA. Nothing is attached later: pods have the addresses listed
    here and no others, over IPv4 only, on every instance of the class. Default: EKS attaches interfaces as needed."""

    def _broken_rules(self) -> Iterator[Problem]:
        interfaces = self.network_interfaces or ()
        primary = [interface for interface in interfaces if interface.is_primary]
        if interfaces and not primary:
            yield PRIMARY_INTERFACE.problem(
                "network_interfaces", "has no interface at network card 0, device 0", "add it, with type 'interface'"
            )
        if any(interface.interface_type != "interface" for interface in primary):
            yield PRIMARY_INTERFACE.problem(
                "network_interfaces",
                "the interface at network card 0, device 0 is 'efa-only', which carries no addresses",
                "make it one of type 'interface'",
            )
        seen: set[tuple[int, int]] = set()
        for index, interface in enumerate(interfaces):
            place = (interface.network_card_index, interface.device_index)
            if place in seen:
                yield INTERFACE_TWICE.problem(
                    f"network_interfaces[{index}]",
                    f"network card {place[0]}, device {place[1]} has an interface already",
                    "use the next device index",
                )
            seen.add(place)
        if self.associate_public_ip_address and len(interfaces) > 1:
            yield PUBLIC_ADDRESS_OF_MANY.problem(
                "associate_public_ip_address",
                f"a node with {len(interfaces)} network interfaces cannot have a public address",
                "remove it",
            )
        elif self.associate_public_ip_address:
            yield PUBLIC_ADDRESS.problem(
                "associate_public_ip_address",
                "every node gets a public address, at which the internet reaches what a security group opens",
                "use private subnets and set it to false",
            )
