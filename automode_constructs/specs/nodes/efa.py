"""Elastic Fabric Adapter: the network interfaces that give an instance type all of its EFA bandwidth."""

from __future__ import annotations

from automode_constructs.arguments import checked_arguments, is_whole_number
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.facts.efa import EfaCards, efa_as_of, efa_cards, unclear_types
from automode_constructs.facts.instance_types import instance_types
from automode_constructs.facts.instances import family_of
from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking, NetworkInterface
from automode_constructs.specs.nodes.node_class import NodeClassSpec

__all__ = ["EFA_RESOURCE", "efa_network_interfaces", "with_efa"]

EFA_RESOURCE = "vpc.amazonaws.com/efa"
"""The resource that pods request to get an EFA device; the EFA device plugin provides it."""


@checked_arguments
def efa_network_interfaces(
    instance_type: str, *, pod_prefixes: int = 1, pod_subnets: bool = False, cards: EfaCards | None = None
) -> tuple[NetworkInterface, ...]:
    """The interfaces of an instance type: one with addresses, and an ``efa-only`` one on each card that supports it.

    This is the layout that AWS recommends to save addresses: network card 0 has the node's own interface at device 0
    and EFA at device 1; every other card has EFA at device 0. (Older guides use device 1 there; the current page says
    0 for all types.) On ``p6-b300.48xlarge``, card 0 has no EFA.

    Args:
        instance_type: the instance type, such as ``p5.48xlarge``.
        pod_prefixes: prefixes of 16 addresses for pods, from 0 to the limit of an interface (usually 49). None are
            added later: 1 means at most 16 pods besides those on the host network. Default: 1; we decide, as in AWS's
            examples.
        pod_subnets: whether pods have subnets of their own. Their addresses are then on another interface of card 0,
            which replaces an EFA on types with room for only two interfaces there. Default: False; we decide.
        cards: the network cards of a type that is newer than our list, as DescribeInstanceTypes returns them.
            Default: those in our list.

    Raises:
        AutoModeError: for a type that has no EFA or is not in the list; for prefixes out of bounds; if the pods'
            interface leaves no room for EFA.

    Source: Amazon EC2 User Guide, "Maximize network bandwidth on Amazon EC2 instances with multiple network cards";
    EKS User Guide, "Manage EFA devices on Amazon EKS" and "Create a Node Class for Amazon EKS".
    """
    cards = cards or _known_cards(instance_type)
    most = cards.ipv4_of_interface - 1
    if not is_whole_number(pod_prefixes) or not 0 <= pod_prefixes <= most:
        raise AutoModeError.of(
            "",
            field="pod_prefixes",
            message=f"an interface of {instance_type} takes 0 to {most} prefixes, got {shown(pod_prefixes)}",
        )
    for_pods = {"secondary_ipv4_prefix_count": pod_prefixes} if pod_prefixes else {}
    primary = NetworkInterface(
        network_card_index=0, device_index=0, interface_type="interface", **({} if pod_subnets else for_pods)
    )
    places = cards.interfaces_of_first_card - 1 - pod_subnets
    if places < 0:
        raise AutoModeError.of(
            "",
            field="pod_subnets",
            message=f"network card 0 of {instance_type} has no place for an interface of the pods",
        )
    efa_on_first = cards.first_efa_card == 0 and places > 0
    first_card = [primary]
    if efa_on_first:
        first_card.append(NetworkInterface(network_card_index=0, device_index=1, interface_type="efa-only"))
    if pod_subnets:
        device = len(first_card)
        first_card.append(
            NetworkInterface(network_card_index=0, device_index=device, interface_type="interface", **for_pods)
        )
    others = [
        NetworkInterface(network_card_index=card, device_index=0, interface_type="efa-only")
        for card in range(max(1, cards.first_efa_card), cards.network_cards)
    ]
    if not others and not efa_on_first:
        raise AutoModeError.of(
            "",
            field="pod_subnets",
            message=f"pods with subnets of their own leave no place for EFA on {instance_type}",
            cure="let the pods share the nodes' subnets, or take a type with more network cards",
        )
    return (*first_card, *others)


@checked_arguments
def with_efa(
    spec: NodeClassSpec, instance_type: str, *, pod_prefixes: int = 1, cards: EfaCards | None = None
) -> NodeClassSpec:
    """The same NodeClass with the interfaces of ``efa_network_interfaces``; a pool of it must pin the instance type.

    Static hugepages and a public address exclude EFA; the rules of a NodeClass check this. IPv6 clusters have no static
    interfaces.

    Args:
        spec: the NodeClass; if it selects pod subnets, the pods' addresses are on an interface of their own.
        instance_type: the only type that the NodeClass is for.
        pod_prefixes: see ``efa_network_interfaces``. Default: 1; we decide.
        cards: see ``efa_network_interfaces``. Default: those in our list.

    Raises:
        AutoModeError: as ``efa_network_interfaces`` does; for a NodeClass that already has static interfaces or
            excludes EFA.
    """
    networking = spec.advanced_networking or AdvancedNetworking()
    if networking.network_interfaces:
        raise AutoModeError.of(
            "",
            field="advanced_networking.network_interfaces",
            message="has interfaces already, and EFA needs its own",
            cure="leave it out",
        )
    interfaces = efa_network_interfaces(
        instance_type,
        pod_prefixes=pod_prefixes,
        pod_subnets=spec.pod_subnet_selector_terms is not None,
        cards=cards,
    )
    try:
        networking = networking.replace(network_interfaces=interfaces)
    except AutoModeError as error:
        raise error.at("", "advanced_networking") from None
    return spec.replace(advanced_networking=networking)


def _known_cards(instance_type: str) -> EfaCards:
    known = efa_cards().get(instance_type)
    if known is not None:
        return known
    if instance_type in instance_types() and instance_type not in unclear_types():
        family = family_of(instance_type)
        with_efa = [name for name in efa_cards() if family_of(name) == family]
        raise AutoModeError.of(
            "",
            field="instance_type",
            message=f"{instance_type} has no EFA",
            cure=f"of its family, these have: {', '.join(with_efa)}" if with_efa else f"nor has any other {family}",
        )
    raise AutoModeError.of(
        "",
        field="instance_type",
        message=f"the network cards of {shown(instance_type)} are not in our list of {efa_as_of()}",
        cure="pass 'cards' with what EC2's DescribeInstanceTypes says of them",
    )
