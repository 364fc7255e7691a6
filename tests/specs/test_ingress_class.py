from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.specs.ingress_class import (
    IngressClassParamsSpec,
    IngressGroup,
    IngressSubnets,
    LoadBalancerAttribute,
    LoadBalancerTag,
    SubnetTag,
)
from tests.refusal import made, refusal


def test_whole_parameters_are_written_as_the_controller_reads_them() -> None:
    spec = IngressClassParamsSpec(
        scheme="internal",
        ip_address_type="dualstack",
        group=IngressGroup(name="web"),
        subnets=IngressSubnets(match_tags=[SubnetTag(key="tier", values=["private"])]),
        certificate_arns=["arn:x"],
        ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        inbound_cidrs=["10.0.0.0/8"],
        load_balancer_attributes=[LoadBalancerAttribute(key="idle_timeout.timeout_seconds", value="60")],
        tags=[LoadBalancerTag(key="team", value="")],
    )
    assert spec.to_manifest() == {
        "scheme": "internal",
        "ipAddressType": "dualstack",
        "group": {"name": "web"},
        "subnets": {"matchTags": [{"key": "tier", "values": ["private"]}]},
        "certificateARNs": ["arn:x"],
        "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "inboundCIDRs": ["10.0.0.0/8"],
        "loadBalancerAttributes": [{"key": "idle_timeout.timeout_seconds", "value": "60"}],
        "tags": [{"key": "team", "value": ""}],
    }
    assert IngressClassParamsSpec.from_manifest(spec.to_manifest()) == spec


@pytest.mark.parametrize(
    ("fields", "got"), [({}, "neither"), ({"ids": ["subnet-1"], "match_tags": []}, "both")], ids=str
)
def test_subnets_are_given_in_one_way(fields: dict[str, Any], got: str) -> None:
    assert refusal(lambda: made(IngressSubnets, **fields)) == (
        f"subnets need exactly one of 'ids' and 'match_tags', got {got}"
    )
    aliased = {{"match_tags": "matchTags"}.get(name, name): value for name, value in fields.items()}
    assert refusal(lambda: IngressClassParamsSpec.from_manifest({"subnets": aliased})) == (
        f"subnets: subnets need exactly one of 'ids' and 'matchTags', got {got}"
    )


def test_a_subnet_id_has_its_form() -> None:
    assert refusal(lambda: IngressSubnets(ids=["subnet-1", "subnet-g"])) == (
        "ids[1]: 'subnet-g' is not a subnet id ('subnet-...')"
    )


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a_b", "a" * 64])
def test_a_group_name_has_its_form(name: str) -> None:
    assert refusal(lambda: IngressGroup(name=name)) == (
        f"name: '{name}' is not a group name (1 to 63 lower-case letters, digits, '-', '.')"
    )


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        (LoadBalancerTag, {"key": "", "value": ""}, "key: must have at least 1 character, got 0"),
        (LoadBalancerTag, {"key": "k" * 129, "value": ""}, "key: must have at most 128 characters, got 129"),
        (LoadBalancerTag, {"key": "k", "value": "v" * 257}, "value: must have at most 256 characters, got 257"),
        (SubnetTag, {"key": "k" * 129, "values": []}, "key: must have at most 128 characters, got 129"),
        (LoadBalancerAttribute, {"key": "k" * 257, "value": ""}, "key: must have at most 256 characters, got 257"),
        (
            LoadBalancerAttribute,
            {"key": "k", "value": "v" * 1025},
            "value: must have at most 1024 characters, got 1025",
        ),
    ],
)
def test_keys_and_values_have_a_longest(model: Any, fields: dict[str, Any], message: str) -> None:
    assert refusal(lambda: model(**fields)) == message


def test_other_schemes_are_refused() -> None:
    assert refusal(lambda: made(IngressClassParamsSpec, scheme="public")) == (
        "scheme: 'public' is not allowed; use one of 'internal', 'internet-facing'"
    )


def test_tags_are_a_list_not_a_mapping() -> None:
    assert refusal(lambda: IngressClassParamsSpec.from_manifest({"tags": {"a": "b"}})) == (
        "tags: needs a list, got a mapping"
    )
