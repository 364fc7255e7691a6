"""EFA: the layout of each type, and NodeClasses that carry it."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.facts.efa import EfaCards, efa_cards
from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute
from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking, NetworkInterface
from automode_constructs.specs.nodes.efa import efa_network_interfaces, with_efa
from automode_constructs.specs.nodes.hugepages import Hugepages, StaticHugepages
from automode_constructs.specs.nodes.node_class import NodeClassSpec, SecurityGroupSelectorTerm, SubnetSelectorTerm
from tests.refusal import refusal

NODES = NodeClassSpec(
    role="nodes",
    subnet_selector_terms=[SubnetSelectorTerm(id="subnet-1")],
    security_group_selector_terms=[SecurityGroupSelectorTerm(id="sg-1")],
)
POD_NETWORK: dict[str, Any] = {
    "pod_subnet_selector_terms": (SubnetSelectorTerm(id="subnet-2"),),
    "pod_security_group_selector_terms": (SecurityGroupSelectorTerm(id="sg-2"),),
}
NEWER = EfaCards(network_cards=2, interfaces_of_first_card=4, ipv4_of_interface=30)


def places(*arguments: Any, **options: Any) -> list[tuple[int, int, str]]:
    """Card and device of each interface, and what it is: EFA, or how many pods it has addresses for."""
    return [
        (
            interface.network_card_index,
            interface.device_index,
            "efa" if interface.interface_type == "efa-only" else f"pods {interface.pod_addresses}",
        )
        for interface in efa_network_interfaces(*arguments, **options)
    ]


@pytest.mark.parametrize(
    ("instance_type", "layout"),
    [
        ("g6.8xlarge", [(0, 0, "pods 16"), (0, 1, "efa")]),
        ("p4d.24xlarge", [(0, 0, "pods 16"), (0, 1, "efa"), (1, 0, "efa"), (2, 0, "efa"), (3, 0, "efa")]),
        ("p5.48xlarge", [(0, 0, "pods 16"), (0, 1, "efa"), *((card, 0, "efa") for card in range(1, 32))]),
        ("p6-b200.48xlarge", [(0, 0, "pods 16"), (0, 1, "efa"), *((card, 0, "efa") for card in range(1, 8))]),
        ("p6-b300.48xlarge", [(0, 0, "pods 16"), *((card, 0, "efa") for card in range(1, 17))]),
        ("trn2.48xlarge", [(0, 0, "pods 16"), (0, 1, "efa"), *((card, 0, "efa") for card in range(1, 16))]),
    ],
)
def test_layouts_are_those_of_aws_s_page(instance_type: str, layout: list[tuple[int, int, str]]) -> None:
    assert places(instance_type) == layout


@pytest.mark.parametrize(
    ("instance_type", "layout"),
    [
        ("g6.8xlarge", [(0, 0, "pods 0"), (0, 1, "efa"), (0, 2, "pods 16")]),
        # Two places at card 0: the pods' interface takes that of an EFA.
        ("p5.48xlarge", [(0, 0, "pods 0"), (0, 1, "pods 16"), *((card, 0, "efa") for card in range(1, 32))]),
        ("p6-b300.48xlarge", [(0, 0, "pods 0"), (0, 1, "pods 16"), *((card, 0, "efa") for card in range(1, 17))]),
    ],
)
def test_pods_with_subnets_of_their_own_have_an_interface_of_their_own(
    instance_type: str, layout: list[tuple[int, int, str]]
) -> None:
    assert places(instance_type, pod_subnets=True) == layout


@pytest.mark.parametrize(
    ("instance_type", "pod_network"),
    [
        (instance_type, pod_network)
        for instance_type in efa_cards()
        for pod_network in ({}, POD_NETWORK)
        # One card with two places: see what is refused.
        if not (pod_network and instance_type == "trn2.3xlarge")
    ],
)
def test_every_layout_breaks_no_rule(instance_type: str, pod_network: dict[str, Any]) -> None:
    made = with_efa(NODES.replace(**pod_network), instance_type)
    assert list(made.warnings()) == []
    networking = made.advanced_networking
    assert networking is not None
    efa = [item for item in networking.network_interfaces or () if item.interface_type == "efa-only"]
    cards = efa_cards()[instance_type]
    lost = bool(pod_network) and cards.first_efa_card == 0 and cards.interfaces_of_first_card == 2
    assert len(efa) == cards.efa_interfaces - lost


def test_more_pods_need_more_prefixes() -> None:
    assert places("g6.8xlarge", pod_prefixes=7)[0] == (0, 0, "pods 112")
    assert efa_network_interfaces("g6.8xlarge", pod_prefixes=0)[0].secondary_ipv4_prefix_count is None


def test_newer_types_take_the_cards_that_are_given() -> None:
    assert places("p9.96xlarge", cards=NEWER) == [(0, 0, "pods 16"), (0, 1, "efa"), (1, 0, "efa")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"instance_type": "g6e.xlarge"},
            "instance_type: g6e.xlarge has no EFA; of its family, these have: g6e.12xlarge, g6e.16xlarge, "
            "g6e.24xlarge, g6e.48xlarge, g6e.8xlarge",
        ),
        ({"instance_type": "t3.large"}, "instance_type: t3.large has no EFA; nor has any other t3"),
        (
            {"instance_type": "p9.96xlarge"},
            "instance_type: the network cards of 'p9.96xlarge' are not in our list of 2026-10-27; pass 'cards' with "
            "what EC2's DescribeInstanceTypes says of them",
        ),
        (
            {"instance_type": "i7ie.48xlarge"},
            "instance_type: the network cards of 'i7ie.48xlarge' are not in our list of 2026-10-27; pass 'cards' with "
            "what EC2's DescribeInstanceTypes says of them",
        ),
        (
            {"instance_type": "p5.48xlarge", "pod_prefixes": 50},
            "pod_prefixes: an interface of p5.48xlarge takes 0 to 49 prefixes, got 50",
        ),
        (
            {"instance_type": "p5.48xlarge", "pod_prefixes": True},
            "efa_network_interfaces: pod_prefixes: needs a whole number, got True",
        ),
        (
            {"instance_type": "trn2.3xlarge", "pod_subnets": True},
            "pod_subnets: pods with subnets of their own leave no place for EFA on trn2.3xlarge; let the pods share "
            "the nodes' subnets, or take a type with more network cards",
        ),
        (
            {
                "instance_type": "p9.96xlarge",
                "pod_subnets": True,
                "cards": EfaCards(network_cards=2, interfaces_of_first_card=1, ipv4_of_interface=30),
            },
            "pod_subnets: network card 0 of p9.96xlarge has no place for an interface of the pods",
        ),
    ],
)
def test_other_layouts_are_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(lambda: efa_network_interfaces(**arguments)) == message


def test_a_node_class_keeps_what_it_has() -> None:
    proxied = NODES.replace(advanced_networking=AdvancedNetworking(https_proxy="http://proxy:3128"))
    made = with_efa(proxied, "g6.8xlarge").to_manifest()
    assert made["role"] == "nodes"
    assert made["advancedNetworking"]["httpsProxy"] == "http://proxy:3128"
    assert len(made["advancedNetworking"]["networkInterfaces"]) == 2


PRIMARY = NetworkInterface(network_card_index=0, device_index=0, interface_type="interface")


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (
            {"advanced_compute": AdvancedCompute(hugepages=Hugepages(pages=[StaticHugepages(size="1Gi", count=2)]))},
            "advanced_compute.hugepages.pages: static hugepages and 'efa-only' network interfaces exclude each other; "
            "use a NodeClass for each",
        ),
        (
            {"advanced_networking": AdvancedNetworking(associate_public_ip_address=True)},
            "advanced_networking.associate_public_ip_address: a node with 2 network interfaces cannot have a public "
            "address; remove it",
        ),
        (
            {"advanced_networking": AdvancedNetworking(network_interfaces=[PRIMARY])},
            "advanced_networking.network_interfaces: has interfaces already, and EFA needs its own; leave it out",
        ),
    ],
)
def test_what_excludes_efa_is_refused(update: dict[str, Any], message: str) -> None:
    assert refusal(lambda: with_efa(NODES.replace(**update), "g6.8xlarge")) == message
