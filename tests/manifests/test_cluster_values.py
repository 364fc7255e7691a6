from __future__ import annotations

import json
from typing import Any

import pytest

from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.specs.nodes.node_class import EphemeralStorage, SecurityGroupSelectorTerm, SubnetSelectorTerm
from tests.refusal import refusal

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
        "  nodeRole: needs a text, got 5",
        "  nodeSubnet: is not a known field; did you mean 'nodeSubnets'? Use one of 'clusterName', 'region', "
        "'nodeRole', 'instanceProfile', 'nodeSubnets', 'nodeSecurityGroups', 'podSubnets', 'podSecurityGroups', "
        "'volumeKeyArn', 'storageClass', 'nodeTags', 'nodeDefaults', 'builtInPools'",
    ]
