from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute
from automode_constructs.specs.nodes.advanced_security import AdvancedSecurity
from automode_constructs.specs.nodes.capacity import CapacityReservationSelectorTerm, PlacementGroupSelector
from automode_constructs.specs.nodes.certificate_bundle import CertificateBundle
from automode_constructs.specs.nodes.kubelet import Kubelet
from automode_constructs.specs.nodes.node_class import (
    EphemeralStorage,
    NodeClassSpec,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from tests.refusal import refusal

CERTIFICATE = "arn:aws:acm:eu-west-1:111122223333:certificate/a"
CURE = "write the file with 'cdk deploy <the cluster's stack> --outputs-file FILE'"


def _values(**more: Any) -> ClusterValues:
    return ClusterValues(
        **{
            "cluster_name": "dev",
            "region": "eu-west-1",
            "node_role": "nodes",
            "node_subnets": [SubnetSelectorTerm(id="subnet-1")],
            "node_security_groups": [SecurityGroupSelectorTerm(id="sg-1")],
            "built_in_pools": True,
            **more,
        }
    )


SMALLEST = {
    "role": "nodes",
    "subnetSelectorTerms": [{"id": "subnet-1"}],
    "securityGroupSelectorTerms": [{"id": "sg-1"}],
}


def test_a_node_class_of_the_cluster_has_its_role_and_network_and_nothing_it_does_not_say() -> None:
    assert _values().node_class_spec().to_manifest() == SMALLEST


def test_every_field_of_a_node_class_can_be_given() -> None:
    keywords = inspect.signature(ClusterValues.node_class_spec).parameters.keys() - {"self"}
    assert keywords == NodeClassSpec.model_fields.keys()


def test_what_is_given_goes_before_what_the_cluster_says() -> None:
    given: dict[str, Any] = {
        "role": "gpu",
        "subnet_selector_terms": [SubnetSelectorTerm(id="subnet-3")],
        "security_group_selector_terms": [SecurityGroupSelectorTerm(id="sg-3")],
        "pod_subnet_selector_terms": [SubnetSelectorTerm(id="subnet-4")],
        "pod_security_group_selector_terms": [SecurityGroupSelectorTerm(id="sg-4")],
        "snat_policy": "Random",
        "network_policy": "DefaultAllow",
        "network_policy_event_logs": "Enabled",
        "advanced_compute": AdvancedCompute(kubelet=Kubelet(max_pods=60)),
        "capacity_reservation_selector_terms": [CapacityReservationSelectorTerm(id="cr-1")],
        "placement_group_selector": PlacementGroupSelector(id="pg-1"),
    }
    values = _values(
        pod_subnets=[SubnetSelectorTerm(id="subnet-2")],
        pod_security_groups=[SecurityGroupSelectorTerm(id="sg-2")],
        node_defaults=NodeDefaults(snat_policy="Disabled", network_policy="DefaultDeny", fips=True),
    )
    made = values.node_class_spec(**given, advanced_security=AdvancedSecurity(kernel_lockdown="integrity"))
    assert {name: getattr(made, name) for name in given} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    assert made.advanced_security == AdvancedSecurity(fips=True, kernel_lockdown="integrity")
    profiled = values.node_class_spec(instance_profile="profile")
    assert (profiled.role, profiled.instance_profile) == (None, "profile")


def test_bundles_of_one_class_are_added_to_the_clusters() -> None:
    ours, theirs = (
        CertificateBundle.from_pem(name, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
        for name in "ab"
    )
    values = _values(node_defaults=NodeDefaults(certificate_bundles=[ours]))
    assert values.node_class_spec(certificate_bundles=[theirs]).certificate_bundles == (ours, theirs)


def test_what_is_no_field_is_told() -> None:
    make: Any = _values().node_class_spec
    assert refusal(lambda: make(kubelet=1, tags="x")).startswith(
        "ClusterValues.node_class_spec: 2 problems\n  kubelet: is"
    )


def test_a_node_class_of_the_cluster_inherits_profile_pod_network_key_and_tags() -> None:
    values = _values(
        node_role=None,
        instance_profile="profile",
        pod_subnets=[SubnetSelectorTerm(id="subnet-2")],
        pod_security_groups=[SecurityGroupSelectorTerm(id="sg-2")],
        volume_key_arn="arn:key",
        node_tags={"team": "ml", "env": "dev"},
    )
    assert values.node_class_spec(tags={"env": "prod"}).to_manifest() == {
        **{key: value for key, value in SMALLEST.items() if key != "role"},
        "instanceProfile": "profile",
        "podSubnetSelectorTerms": [{"id": "subnet-2"}],
        "podSecurityGroupSelectorTerms": [{"id": "sg-2"}],
        "ephemeralStorage": {"kmsKeyID": "arn:key"},
        "tags": {"team": "ml", "env": "prod"},
    }


@pytest.mark.parametrize(
    ("key", "given", "written"),
    [
        ("arn:key", EphemeralStorage(size="100Gi"), {"size": "100Gi", "kmsKeyID": "arn:key"}),
        ("arn:key", EphemeralStorage(kms_key_id="alias/mine"), {"kmsKeyID": "alias/mine"}),
        ("arn:key", None, {"kmsKeyID": "arn:key"}),
        (None, EphemeralStorage(size="100Gi"), {"size": "100Gi"}),
        (None, None, None),
    ],
)
def test_the_clusters_volume_key_is_added_where_none_is_named(
    key: str | None, given: EphemeralStorage | None, written: dict[str, str] | None
) -> None:
    spec = _values(volume_key_arn=key).node_class_spec(ephemeral_storage=given)
    assert spec.to_manifest().get("ephemeralStorage") == written


def test_without_role_and_profile_there_is_no_node_class() -> None:
    assert refusal(lambda: _values(node_role=None).node_class_spec()) == (
        "role: a NodeClass needs exactly one of 'role' and 'instance_profile', got neither"
    )


def test_values_come_back_from_the_outputs_of_a_deployment() -> None:
    values = _values(node_tags={"a": "b"}, volume_key_arn="arn:key")
    text = json.dumps(values.to_manifest())
    outputs = {"other": {"X": "y"}, "dev-cluster": {"ClusterName": "dev", "ClusterValues": text}, "odd": "text"}
    assert ClusterValues.from_outputs(outputs, where="outputs.json") == values


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, f"ClusterValues: exactly one stack must have this output, got none; {CURE}"),
        ([], f"ClusterValues: exactly one stack must have this output, got none; {CURE}"),
        ({"a": {"ClusterName": "x"}}, f"ClusterValues: exactly one stack must have this output, got none; {CURE}"),
        (
            {"a": {"ClusterValues": "{}"}, "b": {"ClusterValues": "{}"}},
            f"ClusterValues: exactly one stack must have this output, got a, b; {CURE}",
        ),
        ({"a": {"ClusterValues": "{"}}, "a.ClusterValues: is not JSON, got '{'; deploy the stack again"),
        ({"a": {"ClusterValues": 5}}, "a.ClusterValues: is not JSON, got 5; deploy the stack again"),
        (
            {"a": {"ClusterValues": "[" * 100_000}},
            f"a.ClusterValues: is not JSON, got '{'[' * 77}'...; deploy the stack again",
        ),
        ({"a": {"ClusterValues": "[]"}}, "a.ClusterValues: needs a mapping, got a list of 0"),
    ],
    ids=range(8),
)
def test_outputs_without_the_record_are_refused(outputs: Any, message: str) -> None:
    text = refusal(lambda: ClusterValues.from_outputs(outputs, where="outputs.json"))
    assert text.replace("outputs.json: a.ClusterValues", "a.ClusterValues").removeprefix("outputs.json: ") == message


def test_a_record_with_mistakes_is_told_by_file_stack_and_field() -> None:
    document = {**_values().to_manifest(), "nodeRole": 5, "nodeSubnet": []}
    outputs = {"dev": {"ClusterValues": json.dumps(document)}}
    assert refusal(lambda: ClusterValues.from_outputs(outputs, where="outputs.json")).splitlines() == [
        "outputs.json: dev.ClusterValues: 2 problems",
        "  nodeRole: needs a text, got 5; quote it: '5'",
        "  nodeSubnet: is not a known field; did you mean 'nodeSubnets'? Use one of 'clusterName', 'region', "
        "'nodeRole', 'instanceProfile', 'nodeSubnets', 'nodeSecurityGroups', 'podSubnets', 'podSecurityGroups', "
        "'volumeKeyArn', 'storageClass', 'tags', 'nodeTags', 'nodeDefaults', 'builtInPools', 'ipFamily', "
        "'networkCidrs'",
    ]


def _attributes(**arguments: Any) -> dict[str, str]:
    spec = _values().ingress_class_params_spec(**arguments).to_manifest()
    return {entry["key"]: entry["value"] for entry in spec["loadBalancerAttributes"]}


class TestLoadBalancers:
    def test_they_are_closed_by_default(self) -> None:
        closed = _values(network_cidrs=["10.0.0.0/16", "100.64.0.0/16"])
        assert closed.ingress_class_params_spec().to_manifest() == {
            "scheme": "internal",
            "inboundCIDRs": ["10.0.0.0/16", "100.64.0.0/16"],
            "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "loadBalancerAttributes": [{"key": "routing.http.drop_invalid_header_fields.enabled", "value": "true"}],
        }
        assert "inboundCIDRs" not in _values().ingress_class_params_spec().to_manifest()

    def test_who_connects_can_be_named(self) -> None:
        closed = _values(network_cidrs=["10.0.0.0/16"])
        named = closed.ingress_class_params_spec(inbound_cidrs=["10.0.0.0/8"]).to_manifest()
        assert named["inboundCIDRs"] == ["10.0.0.0/8"]
        assert "inboundCIDRs" not in closed.ingress_class_params_spec(scheme="internet-facing").to_manifest()

    def test_an_ipv6_cluster_gets_dual_stack_and_pods_as_targets(self) -> None:
        spec = _values(ip_family="ipv6").ingress_class_params_spec().to_manifest()
        assert (spec["ipAddressType"], spec["targetType"]) == ("dualstack", "ip")
        spec = _values(ip_family="ipv4").ingress_class_params_spec().to_manifest()
        assert not {"ipAddressType", "targetType"} & spec.keys()

    def test_certificates_logs_and_protection(self) -> None:
        spec = _values().ingress_class_params_spec(certificate_arns=[CERTIFICATE], ssl_policy="Own").to_manifest()
        assert (spec["certificateARNs"], spec["sslPolicy"]) == ([CERTIFICATE], "Own")
        assert _attributes(access_log_bucket="logs", access_log_prefix="alb", deletion_protection=True) == {
            "routing.http.drop_invalid_header_fields.enabled": "true",
            "deletion_protection.enabled": "true",
            "access_logs.s3.enabled": "true",
            "access_logs.s3.bucket": "logs",
            "access_logs.s3.prefix": "alb",
        }

    def test_values_known_late_pass(self) -> None:
        late = "${Token[TOKEN.7]}"
        spec = _values(network_cidrs=[late]).ingress_class_params_spec(certificate_arns=[late]).to_manifest()
        assert (spec["inboundCIDRs"], spec["certificateARNs"]) == ([late], [late])
        assert _attributes(access_log_bucket=late)["access_logs.s3.bucket"] == late

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"inbound_cidrs": ["10.0.0.1"]},
                "inbound_cidrs[0]: '10.0.0.1' has no prefix length; write '10.0.0.1/32'",
            ),
            ({"inbound_cidrs": ["fd00::1"]}, "inbound_cidrs[0]: 'fd00::1' has no prefix length; write 'fd00::1/128'"),
            (
                {"access_log_prefix": "alb"},
                "access_log_prefix: is set without access_log_bucket; name the bucket",
            ),
            (
                {"access_log_bucket": "s3://logs"},
                "ClusterValues.ingress_class_params_spec: access_log_bucket: 's3://logs' is not the name of an S3 "
                "bucket; write the name alone: 3 to 63 lower-case letters, digits, '-' and '.'",
            ),
            (
                {"access_log_bucket": "logs", "access_log_prefix": "x/AWSLogs"},
                "access_log_prefix: 'x/AWSLogs' is not a prefix of access logs; write",
            ),
            ({"scheme": "public"}, "scheme: 'public' is not known"),
            (
                {"certificate_arns": ["arn:aws:acm:us-east-1:111122223333:certificate/a"]},
                "certificate_arns[0]: 'arn:aws:acm:us-east-1:111122223333:certificate/a' is in 'us-east-1', the "
                "load balancers are in 'eu-west-1'; give a certificate of 'eu-west-1'",
            ),
            ({"certificate_arns": ["shop.example"]}, "'shop.example' is not the ARN of a certificate in ACM or IAM"),
        ],
    )
    def test_what_cannot_be(self, arguments: dict[str, Any], message: str) -> None:
        assert message in refusal(lambda: _values().ingress_class_params_spec(**arguments))
