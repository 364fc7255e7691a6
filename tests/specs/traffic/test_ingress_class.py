from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.specs.traffic.ingress_class import (
    ALB_CONTROLLER,
    IngressClassParameters,
    IngressClassParamsSpec,
    IngressClassSpec,
    IngressGroup,
    IngressListener,
    IngressSubnets,
    LoadBalancerAttribute,
    LoadBalancerTag,
    SubnetTag,
)
from automode_constructs.specs.traffic.label_selector import LabelExpression, LabelSelector
from tests.refusal import made, refusal


def test_whole_parameters_are_written_as_the_controller_reads_them() -> None:
    spec = IngressClassParamsSpec(
        scheme="internal",
        ip_address_type="dualstack",
        group=IngressGroup(name="web"),
        namespace_selector=LabelSelector(
            match_labels={"team": "web"}, match_expressions=[LabelExpression(key="a", operator="In", values=["b"])]
        ),
        subnets=IngressSubnets(match_tags=[SubnetTag(key="tier", values=["private"])]),
        certificate_arns=["arn:x"],
        ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        inbound_cidrs=["10.0.0.0/8", "fd00::/8"],
        prefix_lists_ids=["pl-1a"],
        load_balancer_name="web",
        target_type="ip",
        listeners=[
            IngressListener(protocol="HTTPS", port=443, attributes=[LoadBalancerAttribute(key="a.b", value="c")])
        ],
        load_balancer_attributes=[LoadBalancerAttribute(key="idle_timeout.timeout_seconds", value="60")],
        tags=[LoadBalancerTag(key="team", value="")],
    )
    assert spec.to_manifest() == {
        "scheme": "internal",
        "ipAddressType": "dualstack",
        "group": {"name": "web"},
        "namespaceSelector": {
            "matchLabels": {"team": "web"},
            "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
        },
        "subnets": {"matchTags": [{"key": "tier", "values": ["private"]}]},
        "certificateARNs": ["arn:x"],
        "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "inboundCIDRs": ["10.0.0.0/8", "fd00::/8"],
        "prefixListsIDs": ["pl-1a"],
        "loadBalancerName": "web",
        "targetType": "ip",
        "listeners": [{"protocol": "HTTPS", "port": 443, "attributes": [{"key": "a.b", "value": "c"}]}],
        "loadBalancerAttributes": [{"key": "idle_timeout.timeout_seconds", "value": "60"}],
        "tags": [{"key": "team", "value": ""}],
    }
    assert IngressClassParamsSpec.from_manifest(spec.to_manifest()) == spec
    assert not list(spec.warnings())


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


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"certificateArn": ["a"]},
            "certificateArn: is not a known field; "
            "write certificateARNs, a list; certificateArn is the open-source controller's name",
        ),
        (
            {"PrefixListsIDs": ["a"]},
            "PrefixListsIDs: is not a known field; "
            "write prefixListsIDs; the open-source controller's name has a capital P",
        ),
        (
            {"subnets": {"tags": {"a": ["b"]}, "ids": []}},
            "subnets.tags: is not a known field; "
            "write matchTags, a list of {key, values}; tags is the open-source controller's name",
        ),
        (
            {"listeners": [{"protocol": "HTTP", "port": 80, "listenerAttributes": []}]},
            "listeners[0].listenerAttributes: is not a known field; "
            "write attributes; listenerAttributes is the open-source name",
        ),
    ],
)
def test_names_of_the_open_source_controller_are_cured_by_auto_modes(document: dict[str, Any], message: str) -> None:
    assert refusal(lambda: IngressClassParamsSpec.from_manifest(document)) == message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"inboundCIDRs": ["x"]}, "inboundCIDRs[0]: 'x' is not a range of addresses such as '10.0.0.0/8'"),
        (
            {"inboundCIDRs": ["10.0.0.1"]},
            "inboundCIDRs[0]: '10.0.0.1' has no prefix length; write '10.0.0.1/32'",
        ),
        ({"prefixListsIDs": ["x"]}, "prefixListsIDs[0]: 'x' is not a prefix list id ('pl-...')"),
        (
            {"loadBalancerName": "internal-a"},
            "loadBalancerName: 'internal-a' is not the name of a load balancer "
            "(1 to 32 letters, digits and '-', not beginning with 'internal-')",
        ),
        ({"listeners": [{"protocol": "HTTP", "port": 0}]}, "listeners[0].port: must be at least 1, got 0"),
        ({"sslRedirectPort": 70000}, "sslRedirectPort: a port is 1 to 65535, got 70000"),
        ({"sslRedirectPort": True}, "sslRedirectPort: True is neither a port nor the name of one"),
        ({"tags": [{"key": "aws:a", "value": ""}]}, "tags[0].key: 'aws:a' begins with 'aws:'; choose another key"),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "namespaceSelector.matchExpressions[0].values: In needs at least one value; name the values",
        ),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}},
            "namespaceSelector.matchExpressions[0].values: Exists takes no values; leave them out",
        ),
    ],
)
def test_values_have_their_form(document: dict[str, Any], message: str) -> None:
    assert refusal(lambda: IngressClassParamsSpec.from_manifest(document)) == message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("minimumLoadBalancerCapacity", {"capacityUnits": 100}),
        ("ipamConfiguration", {"ipv4IPAMPoolId": "ipam-pool-1"}),
        ("sslRedirectPort", 443),
        ("sslRedirectPort", "443"),
        ("wafv2AclArn", "arn:x"),
        ("wafv2AclName", "web"),
    ],
)
def test_fields_of_the_open_source_controller_alone_are_taken_with_a_warning(field: str, value: Any) -> None:
    spec = IngressClassParamsSpec.from_manifest({field: value})
    assert spec.to_manifest() == {field: value}
    assert [(problem.rule, str(problem)) for problem in spec.warnings(by_alias=True)] == [
        (
            "automode:UnprovenField",
            f"{field}: is the open-source controller's and not documented for Auto Mode, which may not read it; "
            "use the Ingress annotation of the same purpose",
        )
    ]


def test_an_ingress_class_names_auto_modes_controller_and_parameters() -> None:
    spec = IngressClassSpec(
        controller=ALB_CONTROLLER,
        parameters=IngressClassParameters(api_group="eks.amazonaws.com", kind="IngressClassParams", name="web"),
    )
    assert spec.to_manifest() == {
        "controller": "eks.amazonaws.com/alb",
        "parameters": {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "web"},
    }
    assert IngressClassSpec.from_manifest(spec.to_manifest()) == spec
    assert not list(spec.warnings())


def test_another_controller_is_warned_of() -> None:
    assert [str(problem) for problem in IngressClassSpec(controller="eks.amazonaws.com/elb").warnings()] == [
        "controller: 'eks.amazonaws.com/elb' is not known, so no controller makes load balancers for its "
        "Ingresses; write eks.amazonaws.com/alb"
    ]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"apiGroup": "elbv2.k8s.aws", "kind": "IngressClassParams", "name": "a"},
            "parameters: 'IngressClassParams' of 'elbv2.k8s.aws' is not read by Auto Mode; "
            "write apiGroup: eks.amazonaws.com and kind: IngressClassParams",
        ),
        (
            {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "a", "scope": "Namespace"},
            "parameters.namespace: does not fit scope Namespace; leave out scope and namespace",
        ),
        (
            {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "a", "namespace": "b"},
            "parameters.namespace: does not fit scope Cluster; leave out scope and namespace",
        ),
    ],
)
def test_parameters_are_ones_that_auto_mode_reads(parameters: dict[str, Any], message: str) -> None:
    document = {"controller": ALB_CONTROLLER, "parameters": parameters}
    assert refusal(lambda: IngressClassSpec.from_manifest(document)) == message
