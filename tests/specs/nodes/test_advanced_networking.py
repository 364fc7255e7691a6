from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking, NetworkInterface
from tests.refusal import made, refusal

PRIMARY = NetworkInterface(network_card_index=0, device_index=0, interface_type="interface", secondary_ipv4_count=10)
SECOND = NetworkInterface(
    network_card_index=0, device_index=1, interface_type="interface", secondary_ipv4_prefix_count=2
)
EFA = NetworkInterface(network_card_index=1, device_index=0, interface_type="efa-only")


def test_all_of_it_is_written_with_awss_capitals() -> None:
    networking = AdvancedNetworking(
        associate_public_ip_address=False,
        https_proxy="http://192.0.2.4:3128",
        no_proxy=["localhost", ".internal"],
        ipv4_prefix_size="32",
        enable_v4_egress=False,
        network_interfaces=[PRIMARY, SECOND, EFA],
    )
    assert networking.to_manifest() == {
        "associatePublicIPAddress": False,
        "httpsProxy": "http://192.0.2.4:3128",
        "noProxy": ["localhost", ".internal"],
        "ipv4PrefixSize": "32",
        "enableV4Egress": False,
        "networkInterfaces": [
            {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface", "secondaryIPv4Count": 10},
            {"networkCardIndex": 0, "deviceIndex": 1, "interfaceType": "interface", "secondaryIPv4PrefixCount": 2},
            {"networkCardIndex": 1, "deviceIndex": 0, "interfaceType": "efa-only"},
        ],
    }
    assert AdvancedNetworking.from_manifest(networking.to_manifest()) == networking
    assert list(networking.warnings()) == []


@pytest.mark.parametrize(
    "proxy",
    [
        *("http://192.0.2.4:3128", "http://[2001:db8::4]:3128", "http://[fe80::1%25eth0]:80", "https://proxy:443"),
        *("http://proxy.corp.example.com:8080/", "http://user:word@proxy:1", "http://proxy", "http://p:65535"),
        f"http://{'p' * 248}",
    ],
)
def test_a_proxy_is_a_url(proxy: str) -> None:
    assert AdvancedNetworking(https_proxy=proxy).to_manifest() == {"httpsProxy": proxy}


@pytest.mark.parametrize(
    "proxy",
    [
        *("", "192.0.2.4:3128", "proxy", "ftp://proxy:21", "http://", "http://2001:db8::4:3128", "http://proxy:port"),
        *("http://proxy:0", "http://proxy:65536", "http://proxy:3128/path", "http://a b:1", "http://proxy:3128\n"),
    ],
)
def test_another_proxy_is_refused(proxy: str) -> None:
    assert refusal(lambda: AdvancedNetworking(https_proxy=proxy)) == (
        f"https_proxy: {proxy!r} is not the URL of a proxy; "
        "write 'http://host:port', an IPv6 address in brackets: 'http://[2001:db8::4]:3128'".replace("\n", "\\n")
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("https_proxy", f"http://{'p' * 249}", "https_proxy: must have at most 255 characters, got 256"),
        ("no_proxy", ["a"] * 51, "no_proxy: must have at most 50 items, got 51"),
        ("no_proxy", ["a", "b" * 256], "no_proxy[1]: must have at most 255 characters, got 256"),
        ("no_proxy", "localhost", "no_proxy: needs a list, got 'localhost'"),
        ("ipv4_prefix_size", 32, "ipv4_prefix_size: needs a text, got 32; quote it: '32'"),
        (
            "ipv4_prefix_size",
            "/32",
            "ipv4_prefix_size: '/32' is not allowed; did you mean '32'? Use one of 'Auto', '32'",
        ),
        ("enable_v4_egress", "false", "enable_v4_egress: needs true or false, got 'false'"),
    ],
)
def test_bounds(field: str, value: object, message: str) -> None:
    assert refusal(lambda: made(AdvancedNetworking, **{field: value})) == message


def test_as_much_as_is_allowed_passes() -> None:
    most = AdvancedNetworking(no_proxy=["n" * 255] * 50, ipv4_prefix_size="Auto")
    assert most.no_proxy is not None
    assert len(most.no_proxy) == 50


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("network_card_index", -1, "network_card_index: must be at least 0, got -1"),
        ("device_index", -1, "device_index: must be at least 0, got -1"),
        ("secondary_ipv4_count", -1, "secondary_ipv4_count: must be at least 0, got -1"),
        ("secondary_ipv4_prefix_count", -1, "secondary_ipv4_prefix_count: must be at least 0, got -1"),
        ("interface_type", "efa", "interface_type: 'efa' is not allowed; use one of 'interface', 'efa-only'"),
    ],
)
def test_bounds_of_an_interface(field: str, value: object, message: str) -> None:
    fields: dict[str, Any] = {"network_card_index": 0, "device_index": 0, "interface_type": "interface"}
    assert refusal(lambda: made(NetworkInterface, **{**fields, field: value})) == message


def test_an_interface_says_where_it_is_and_what_it_carries() -> None:
    assert refusal(lambda: made(NetworkInterface)).splitlines() == [
        "3 problems",
        "  network_card_index: is required",
        "  device_index: is required",
        "  interface_type: is required",
    ]


@pytest.mark.parametrize(
    ("card", "kind", "counts", "messages"),
    [
        (
            0,
            "interface",
            {"secondary_ipv4_count": 0, "secondary_ipv4_prefix_count": 0},
            [
                "secondary_ipv4_prefix_count: an interface has one of 'secondary_ipv4_count' and "
                "'secondary_ipv4_prefix_count', got both"
            ],
        ),
        (
            1,
            "interface",
            {"secondary_ipv4_count": 1},
            [
                "secondary_ipv4_count: only interfaces at network card 0 take addresses for pods, not network card 1; "
                "remove it"
            ],
        ),
        (
            0,
            "efa-only",
            {"secondary_ipv4_prefix_count": 1},
            ["secondary_ipv4_prefix_count: an 'efa-only' interface has no addresses; remove it"],
        ),
    ],
)
def test_addresses_stand_on_ordinary_interfaces_of_card_0(
    card: int, kind: str, counts: dict[str, int], messages: list[str]
) -> None:
    make = partial(made, NetworkInterface, network_card_index=card, device_index=1, interface_type=kind, **counts)
    assert refusal(make).splitlines() == messages


@pytest.mark.parametrize(
    ("interfaces", "message"),
    [
        (
            [SECOND, EFA],
            "network_interfaces: has no interface at network card 0, device 0; add it, with type 'interface'",
        ),
        (
            [NetworkInterface(network_card_index=0, device_index=0, interface_type="efa-only"), SECOND],
            "network_interfaces: the interface at network card 0, device 0 is 'efa-only', which carries no addresses; "
            "make it one of type 'interface'",
        ),
        (
            [PRIMARY, EFA, EFA],
            "network_interfaces[2]: network card 1, device 0 has an interface already; use the next device index",
        ),
    ],
)
def test_static_interfaces_have_a_primary_one_and_no_place_twice(
    interfaces: list[NetworkInterface], message: str
) -> None:
    assert refusal(lambda: AdvancedNetworking(network_interfaces=interfaces)) == message


@pytest.mark.parametrize("interfaces", [[], [PRIMARY], [PRIMARY, SECOND], [EFA, PRIMARY]])
def test_other_static_interfaces_pass_in_any_order(interfaces: list[NetworkInterface]) -> None:
    networking = AdvancedNetworking(network_interfaces=interfaces)
    assert networking.network_interfaces == tuple(interfaces)


def test_a_node_with_many_interfaces_has_no_public_address() -> None:
    assert refusal(lambda: AdvancedNetworking(associate_public_ip_address=True, network_interfaces=[PRIMARY, EFA])) == (
        "associate_public_ip_address: a node with 2 network interfaces cannot have a public address; remove it"
    )
    # AWS's own sample writes false beside three interfaces.
    AdvancedNetworking(associate_public_ip_address=False, network_interfaces=[PRIMARY, EFA])


def test_public_addresses_are_warned_of() -> None:
    (warning,) = AdvancedNetworking(associate_public_ip_address=True, network_interfaces=[PRIMARY]).warnings()
    assert warning.rule == "automode:PublicAddress"
    assert str(warning) == (
        "associate_public_ip_address: every node gets a public address, at which the internet reaches what a "
        "security group opens; use private subnets and set it to false"
    )
    assert list(AdvancedNetworking(associate_public_ip_address=False).warnings()) == []


def test_fields_are_told_as_in_yaml_when_yaml_was_read() -> None:
    document = {
        "associatePublicIPAddress": True,
        "networkInterfaces": [
            {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface"},
            {"networkCardIndex": 0, "deviceIndex": 1, "interfaceType": "interface"},
        ],
    }
    assert refusal(lambda: AdvancedNetworking.from_manifest(document)).startswith("associatePublicIPAddress: a node")
    (told,) = AdvancedNetworking.from_manifest({"associatePublicIPAddress": True}).warnings(by_alias=True)
    assert told.field == "associatePublicIPAddress"
