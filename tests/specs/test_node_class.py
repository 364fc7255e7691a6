from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from automode_constructs.specs.node_class import (
    RESERVED_TAG_KEYS,
    EphemeralStorage,
    NodeClassSpec,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from tests.refusal import made, refusal

SUBNETS = [SubnetSelectorTerm(id="subnet-0a")]
GROUPS = [SecurityGroupSelectorTerm(id="sg-0a")]
NET: dict[str, Any] = {"subnet_selector_terms": SUBNETS, "security_group_selector_terms": GROUPS}
TOKEN = "${Token[TOKEN.1]}"


def test_a_whole_node_class_is_written_in_camel_case_and_holds_only_what_was_set() -> None:
    spec = NodeClassSpec(
        instance_profile="eks-nodes",
        subnet_selector_terms=[SubnetSelectorTerm(tags={"Name": "*"})],
        security_group_selector_terms=[SecurityGroupSelectorTerm(name="nodes")],
        pod_subnet_selector_terms=SUBNETS,
        pod_security_group_selector_terms=GROUPS,
        snat_policy="Disabled",
        network_policy="DefaultDeny",
        network_policy_event_logs="Enabled",
        ephemeral_storage=EphemeralStorage(size="100Gi", iops=3000, throughput=125, kms_key_id="alias/x"),
        tags={"team": "ml"},
    )
    assert spec.to_manifest() == {
        "instanceProfile": "eks-nodes",
        "subnetSelectorTerms": [{"tags": {"Name": "*"}}],
        "securityGroupSelectorTerms": [{"name": "nodes"}],
        "podSubnetSelectorTerms": [{"id": "subnet-0a"}],
        "podSecurityGroupSelectorTerms": [{"id": "sg-0a"}],
        "snatPolicy": "Disabled",
        "networkPolicy": "DefaultDeny",
        "networkPolicyEventLogs": "Enabled",
        "ephemeralStorage": {"size": "100Gi", "iops": 3000, "throughput": 125, "kmsKeyID": "alias/x"},
        "tags": {"team": "ml"},
    }
    smallest = NodeClassSpec(role="nodes", **NET)
    assert set(smallest.to_manifest()) == {"role", "subnetSelectorTerms", "securityGroupSelectorTerms"}


@pytest.mark.parametrize(
    ("fields", "got"), [({}, "neither"), ({"role": "a", "instance_profile": "b"}, "both"), ({"role": None}, "neither")]
)
def test_nodes_have_a_role_or_an_instance_profile(fields: dict[str, Any], got: str) -> None:
    assert refusal(lambda: NodeClassSpec(**fields, **NET)) == (
        f"role: a NodeClass needs exactly one of 'role' and 'instance_profile', got {got}"
    )


@pytest.mark.parametrize(
    ("field", "kind", "longest"), [("role", "a role", 64), ("instance_profile", "an instance profile", 128)]
)
def test_role_and_profile_are_names(field: str, kind: str, longest: int) -> None:
    for name in ("arn:aws:iam::123456789012:role/x", "path/x", "", "a b", "x" * (longest + 1)):
        text = refusal(partial(made, NodeClassSpec, **NET, **{field: name}))
        assert text.startswith(f"{field}: '")
        assert text.endswith(
            f"is not the name of {kind} (1 to {longest} letters, digits, '_+=,.@-'); "
            "give the name, not the ARN or the path"
        )
    for name in ("x" * longest, f"{TOKEN}/x"):
        assert getattr(made(NodeClassSpec, **NET, **{field: name}), field) == name


def test_subnets_and_security_groups_are_required() -> None:
    assert refusal(lambda: made(NodeClassSpec, role="a")).splitlines() == [
        "2 problems",
        "  subnet_selector_terms: is required",
        "  security_group_selector_terms: is required",
    ]


@pytest.mark.parametrize("given", ["pod_subnet_selector_terms", "pod_security_group_selector_terms"])
def test_pod_subnets_and_pod_security_groups_come_together(given: str) -> None:
    terms: Any = SUBNETS if "subnet" in given else GROUPS
    assert refusal(lambda: made(NodeClassSpec, role="a", **NET, **{given: terms})) == (
        "pod_subnet_selector_terms: 'pod_subnet_selector_terms' and 'pod_security_group_selector_terms' "
        "must be set together"
    )


@pytest.mark.parametrize("field", ["subnet_selector_terms", "pod_subnet_selector_terms"])
def test_there_are_1_to_30_terms(field: str) -> None:
    many: Any = {**NET, "role": "a", "pod_security_group_selector_terms": GROUPS, "pod_subnet_selector_terms": SUBNETS}
    assert len(getattr(NodeClassSpec(**{**many, field: SUBNETS * 30}), field)) == 30
    assert refusal(lambda: NodeClassSpec(**{**many, field: SUBNETS * 31})) == (
        f"{field}: must have at most 30 items, got 31"
    )
    assert refusal(lambda: NodeClassSpec(**{**many, field: []})) == f"{field}: must have at least 1 item, got 0"


@pytest.mark.parametrize(
    ("fields", "got"),
    [
        ({}, "none"),
        ({"id": "sg-1", "name": "a"}, "'id' and 'name'"),
        ({"id": TOKEN, "tags": {"a": "b"}}, "'id' and 'tags'"),
        ({"id": "sg-1", "name": "a", "tags": {"a": "b"}}, "'id' and 'name' and 'tags'"),
    ],
)
def test_a_term_selects_in_one_way(fields: dict[str, Any], got: str) -> None:
    assert refusal(lambda: SecurityGroupSelectorTerm(**fields)) == (
        f"a selector term needs exactly one of 'id', 'name', 'tags', got {got}; write a term for each way to select"
    )


def test_a_broken_term_is_told_by_its_place() -> None:
    terms: Any = [{"id": "subnet-1"}, {"id": "subnet-1", "tags": {"a": "b"}}]
    assert refusal(lambda: made(NodeClassSpec, role="a", **{**NET, "subnet_selector_terms": terms})) == (
        "subnet_selector_terms[1]: a selector term needs exactly one of 'id', 'tags', got 'id' and 'tags'; "
        "write a term for each way to select"
    )


@pytest.mark.parametrize("id", ["", "subnet-", "vpc-1", "sg-1", "subnet-A", "subnet-1 ", "xsubnet-1"])
def test_a_subnet_id_has_its_form(id: str) -> None:
    assert refusal(lambda: SubnetSelectorTerm(id=id)) == f"id: '{id}' is not a subnet id ('subnet-...')"


@pytest.mark.parametrize("id", ["", "sg-", "subnet-1", "sg-1\n"])
def test_a_security_group_id_has_its_form(id: str) -> None:
    assert refusal(lambda: SecurityGroupSelectorTerm(id=id)) == f"id: {id!r} is not a security group id ('sg-...')"


def test_an_empty_group_name_selects_nothing() -> None:
    assert refusal(lambda: SecurityGroupSelectorTerm(name="")) == "name: must have at least 1 character, got 0"


@pytest.mark.parametrize("tags", [{"": "a"}, {"a": ""}, {"a": "b", "c": ""}], ids=str)
def test_empty_tags_select_nothing(tags: dict[str, str]) -> None:
    assert refusal(lambda: SubnetSelectorTerm(tags=tags)) == (
        "tags: an empty tag key or value selects nothing; use '*' for any value of a key"
    )


def test_a_term_has_1_to_20_tags() -> None:
    most = {f"t{n}": "*" for n in range(20)}
    assert SubnetSelectorTerm(tags=most).tags == most
    assert refusal(lambda: SubnetSelectorTerm(tags={f"t{n}": "*" for n in range(21)})) == (
        "tags: must have at most 20 items, got 21"
    )
    assert refusal(lambda: SubnetSelectorTerm(tags={})) == "tags: must have at least 1 item, got 0"


@pytest.mark.parametrize("key", ["", "kubernetes.io/cluster", "kubernetes.io/cluster/dev", *sorted(RESERVED_TAG_KEYS)])
def test_reserved_tags_are_refused(key: str) -> None:
    assert refusal(lambda: NodeClassSpec(role="a", **NET, tags={"ok": "", key: "x"})) == (
        f"tags: the tag key '{key}' is reserved for Auto Mode; remove it"
    )


def test_the_reserved_tags_are_those_of_the_crd() -> None:
    assert {
        "karpenter.sh/provisioner-name",
        "karpenter.sh/nodepool",
        "karpenter.sh/nodeclaim",
        "karpenter.sh/managed-by",
        "eks.amazonaws.com/nodeclass",
    } == RESERVED_TAG_KEYS


@pytest.mark.parametrize("size", ["1Gi", "80Gi", "59000Gi", "1G", "64000G", "1Ti", "17Ti", "58Ti", "1T", "64T"])
def test_a_volume_has_whole_gi_g_ti_or_t(size: str) -> None:
    assert EphemeralStorage(size=size).to_manifest() == {"size": size}


@pytest.mark.parametrize(
    "size", ["", "80", "0Gi", "59001Gi", "64001G", "59Ti", "65T", "1.5Gi", "80Mi", "80 Gi", "Ti", "T", "080Gi", "18Ti"]
)
def test_another_volume_size_is_refused(size: str) -> None:
    assert refusal(lambda: EphemeralStorage(size=size)) == (
        f"size: '{size}' is not a volume size: a whole number of Gi (1 to 59000), G (1 to 64000), "
        "Ti (1 to 17, 20 to 27 and so on to 58) or T (1 to 64); 1Ti is 1024Gi"
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("iops", 2999, "iops: must be at least 3000, got 2999"),
        ("iops", 16001, "iops: must be at most 16000, got 16001"),
        ("throughput", 124, "throughput: must be at least 125, got 124"),
        ("throughput", 1001, "throughput: must be at most 1000, got 1001"),
        ("throughput", True, "throughput: needs a whole number, got True"),
        ("size", 80, "size: needs a text, got 80"),
    ],
)
def test_bounds_of_a_volume(field: str, value: object, message: str) -> None:
    assert refusal(lambda: made(EphemeralStorage, **{field: value})) == message


def test_other_policies_are_refused() -> None:
    text = refusal(lambda: made(NodeClassSpec, role="a", **NET, snat_policy="Off", network_policy="deny"))
    assert text.splitlines() == [
        "2 problems",
        "  snat_policy: 'Off' is not allowed; use one of 'Random', 'Disabled'",
        "  network_policy: 'deny' is not allowed; use one of 'DefaultAllow', 'DefaultDeny'",
    ]
