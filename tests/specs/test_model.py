"""What holds for every spec: field names, tokens, wrong types, and that nothing shared can be changed."""

from __future__ import annotations

import copy
import pickle
from collections import ChainMap
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import aws_cdk as cdk
import pytest

from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.specs.free_body import FreeBody
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute
from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking, NetworkInterface
from automode_constructs.specs.nodes.advanced_security import AdvancedSecurity
from automode_constructs.specs.nodes.capacity import CapacityReservationSelectorTerm, PlacementGroupSelector
from automode_constructs.specs.nodes.certificate_bundle import CertificateBundle
from automode_constructs.specs.nodes.hugepages import Hugepages, StaticHugepages, TransparentHugepages
from automode_constructs.specs.nodes.kubelet import Eviction, Kubelet, KubeletLogging
from automode_constructs.specs.nodes.node_class import (
    EphemeralStorage,
    NodeClassSpec,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from automode_constructs.specs.nodes.node_diagnostic import LogCapture, NodeDiagnosticSpec, PacketCapture, PresignedPost
from automode_constructs.specs.nodes.sysctls import Kernel, Sysctls
from automode_constructs.specs.object_metadata import kubernetes_name
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation
from automode_constructs.specs.pools.node_pool import (
    Budget,
    Disruption,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClassReference,
    NodeMetadata,
    NodePoolSpec,
    Taint,
)
from automode_constructs.specs.pools.requirement import Requirement
from automode_constructs.specs.storage.storage_class import (
    StorageClassSpec,
    StorageParameters,
    TopologyLabel,
    TopologyTerm,
)
from automode_constructs.specs.storage.volume_attributes_class import (
    PersistentVolumeClaimSpec,
    VolumeAttributes,
    VolumeAttributesClassSpec,
)
from automode_constructs.specs.storage.volume_snapshot_class import VolumeSnapshotClassSpec
from automode_constructs.specs.traffic.gateway_class import GatewayClassParameters, GatewayClassSpec
from automode_constructs.specs.traffic.ingress import IngressSpec
from automode_constructs.specs.traffic.ingress_class import (
    IngressClassParameters,
    IngressClassParamsSpec,
    IngressClassSpec,
    IngressGroup,
    IngressListener,
    IngressSubnets,
    IpamConfiguration,
    LoadBalancerAttribute,
    LoadBalancerTag,
    MinimumLoadBalancerCapacity,
    SubnetTag,
)
from automode_constructs.specs.traffic.label_selector import LabelExpression, LabelSelector
from automode_constructs.specs.traffic.network_load_balancer import (
    NetworkLoadBalancerAnnotations,
    NetworkLoadBalancerServiceSpec,
)
from automode_constructs.specs.traffic.network_policy import (
    ApplicationEgressPeer,
    ApplicationEgressRule,
    ApplicationIngressRule,
    ApplicationNetworkPolicySpec,
    ApplicationPeer,
    ApplicationPort,
    ClusterEgressPeer,
    ClusterEgressRule,
    ClusterIngressRule,
    ClusterNetworkPolicySpec,
    ClusterPeer,
    ClusterPods,
    ClusterPort,
    IpBlock,
    NetworkPolicySwitch,
    PortNumber,
    PortRange,
)
from automode_constructs.specs.traffic.target_group_binding import (
    NetworkingPeer,
    NetworkingPort,
    NetworkingRule,
    NetworkingSecurityGroup,
    ServiceReference,
    TargetGroupBindingSpec,
    TargetGroupNetworking,
)
from tests.refusal import made, refusal

TEXT = cdk.Token.as_string(cdk.Fn.get_att("Thing", "Name"))
LIST = cdk.Token.as_list(cdk.Fn.get_att("Thing", "Names"))
NUMBER = cdk.Token.as_number(cdk.Fn.get_att("Thing", "Number"))
OBJECT = cdk.Fn.get_att("Thing", "Name")

SUBNETS = [SubnetSelectorTerm(id="subnet-1")]
GROUPS = [SecurityGroupSelectorTerm(id="sg-1")]
CLAIM = NodeClaimSpec(requirements=[])
EVERYTHING = LabelSelector()
EVERYONE = ClusterPeer(namespaces=EVERYTHING)
PEER = NetworkingPeer()
DRIVER = "ebs.csi.eks.amazonaws.com"

SMALLEST: Mapping[type[KubeModel], Mapping[str, Any]] = {
    AdvancedCompute: {},
    AdvancedNetworking: {},
    AdvancedSecurity: {},
    CapacityReservation: {"id": "cr-1", "instance_type": "m8i.large", "zone": "eu-west-1a"},
    CapacityReservationSelectorTerm: {"id": "cr-1"},
    CertificateBundle: {
        "name": "proxy",
        "data": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BQT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=",
    },
    Eviction: {},
    Hugepages: {},
    Kernel: {},
    Kubelet: {},
    KubeletLogging: {},
    NetworkInterface: {"network_card_index": 0, "device_index": 0, "interface_type": "interface"},
    PlacementGroupSelector: {"id": "pg-1"},
    StaticHugepages: {"size": "2Mi", "count": 1},
    Sysctls: {},
    TransparentHugepages: {},
    Budget: {"nodes": "1"},
    ClusterValues: {
        "cluster_name": "dev",
        "region": "eu-west-1",
        "node_subnets": SUBNETS,
        "node_security_groups": GROUPS,
        "built_in_pools": True,
    },
    Disruption: {},
    EphemeralStorage: {},
    IngressClassParamsSpec: {},
    IngressGroup: {"name": "web"},
    IngressSubnets: {"ids": ["subnet-1"]},
    LoadBalancerAttribute: {"key": "a", "value": "b"},
    LoadBalancerTag: {"key": "a", "value": "b"},
    NodeClaimSpec: {"requirements": []},
    NodeClaimTemplate: {"spec": CLAIM},
    NodeClassReference: {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "standard"},
    NodeClassSpec: {"role": "nodes", "subnet_selector_terms": SUBNETS, "security_group_selector_terms": GROUPS},
    NodeMetadata: {},
    NodePoolSpec: {"template": NodeClaimTemplate(spec=CLAIM)},
    Requirement: {"key": "a", "operator": "In", "values": ["b"]},
    SecurityGroupSelectorTerm: {"id": "sg-1"},
    StorageClassSpec: {"provisioner": "ebs.csi.eks.amazonaws.com"},
    StorageParameters: {},
    SubnetSelectorTerm: {"id": "subnet-1"},
    SubnetTag: {"key": "a", "values": ["b"]},
    Taint: {"key": "a", "effect": "NoSchedule"},
    TopologyLabel: {"key": "a", "values": ["b"]},
    TopologyTerm: {"match_label_expressions": []},
    ApplicationEgressPeer: {},
    ApplicationEgressRule: {},
    ApplicationIngressRule: {},
    ApplicationNetworkPolicySpec: {"pod_selector": EVERYTHING},
    ApplicationPeer: {},
    ApplicationPort: {},
    ClusterEgressPeer: {"namespaces": EVERYTHING},
    ClusterEgressRule: {"action": "Accept", "to": [ClusterEgressPeer(namespaces=EVERYTHING)]},
    ClusterIngressRule: {"action": "Accept", "from_": [EVERYONE]},
    ClusterNetworkPolicySpec: {"tier": "Admin", "priority": 1, "subject": EVERYONE},
    ClusterPeer: {"namespaces": EVERYTHING},
    ClusterPods: {"namespace_selector": EVERYTHING, "pod_selector": EVERYTHING},
    ClusterPort: {},
    FreeBody: {},
    GatewayClassParameters: {"group": "a", "kind": "b", "name": "c"},
    GatewayClassSpec: {"controller_name": "eks.amazonaws.com/gateway-alb"},
    IngressClassParameters: {"api_group": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "a"},
    IngressClassSpec: {"controller": "eks.amazonaws.com/alb"},
    IngressListener: {"protocol": "HTTP", "port": 80},
    IngressSpec: {},
    IpBlock: {"cidr": "10.0.0.0/8"},
    IpamConfiguration: {},
    LabelExpression: {"key": "a", "operator": "Exists"},
    LabelSelector: {},
    LogCapture: {"destination": "node"},
    NodeDefaults: {},
    MinimumLoadBalancerCapacity: {"capacity_units": 100},
    NetworkLoadBalancerAnnotations: {},
    NetworkLoadBalancerServiceSpec: {"type": "LoadBalancer"},
    NetworkPolicySwitch: {},
    NetworkingPeer: {},
    NetworkingPort: {},
    NetworkingRule: {"from_": [PEER]},
    NetworkingSecurityGroup: {"group_id": "sg-1"},
    NodeDiagnosticSpec: {},
    PacketCapture: {"duration": "1h", "upload": PresignedPost(url="a", fields={})},
    PersistentVolumeClaimSpec: {},
    PortNumber: {"port": 80},
    PortRange: {"start": 80, "end": 90},
    PresignedPost: {"url": "a", "fields": {}},
    ServiceReference: {"name": "a", "port": 80},
    TargetGroupBindingSpec: {
        "service_ref": ServiceReference(name="a", port=80),
        "target_group_arn": "a",
        "target_type": "ip",
    },
    TargetGroupNetworking: {"ingress": [NetworkingRule(from_=[PEER])]},
    VolumeAttributes: {},
    VolumeAttributesClassSpec: {"driver_name": DRIVER, "parameters": VolumeAttributes()},
    VolumeSnapshotClassSpec: {"driver": DRIVER, "deletion_policy": "Delete"},
}
"""Every model with the fewest fields that make one."""

LATE_BOUND: Mapping[type[KubeModel], Mapping[str, Any]] = {
    AdvancedNetworking: {"https_proxy": TEXT, "no_proxy": LIST},
    CapacityReservationSelectorTerm: {"id": TEXT, "tags": {"Name": TEXT}, "owner": TEXT, "owner_id": TEXT},
    CapacityReservation: {"id": TEXT, "tags": {"Name": TEXT}, "owner": TEXT, "zone": TEXT},
    CertificateBundle: {"name": TEXT, "data": TEXT},
    PlacementGroupSelector: {"name": TEXT, "id": TEXT},
    ClusterValues: {
        "cluster_name": TEXT,
        "region": TEXT,
        "node_role": TEXT,
        "instance_profile": TEXT,
        "volume_key_arn": TEXT,
        "tags": {TEXT: TEXT},
        "node_tags": {TEXT: TEXT},
    },
    EphemeralStorage: {"kms_key_id": TEXT},
    ClusterEgressPeer: {"networks": LIST},
    IngressClassParamsSpec: {
        "certificate_arns": [TEXT],
        "ssl_policy": TEXT,
        "inbound_cidrs": LIST,
        "prefix_lists_ids": LIST,
        "load_balancer_name": TEXT,
        "wafv2_acl_arn": TEXT,
        "wafv2_acl_name": TEXT,
    },
    IpBlock: {"cidr": TEXT, "except_": LIST},
    IpamConfiguration: {"ipv4_ipam_pool_id": TEXT},
    NetworkLoadBalancerAnnotations: {
        "subnets": TEXT,
        "ssl_cert": TEXT,
        "additional_resource_tags": TEXT,
        "attributes": TEXT,
        "target_group_attributes": TEXT,
    },
    NetworkLoadBalancerServiceSpec: {"load_balancer_source_ranges": LIST},
    NetworkPolicySwitch: {"data": {"a": TEXT}},
    NetworkingSecurityGroup: {"group_id": TEXT},
    TargetGroupBindingSpec: {"target_group_arn": TEXT},
    VolumeSnapshotClassSpec: {"parameters": {"a": TEXT}},
    IngressSubnets: {"ids": LIST},
    LoadBalancerAttribute: {"value": TEXT},
    LoadBalancerTag: {"value": f"{TEXT}{'x' * 256}"},
    NodeClassSpec: {"role": f"{TEXT}/nodes", "instance_profile": TEXT, "tags": {TEXT: TEXT}},
    NodeDefaults: {"https_proxy": TEXT, "no_proxy": [TEXT]},
    NodeMetadata: {"labels": {"a": f"{TEXT} b"}, "annotations": {"a": TEXT}},
    Requirement: {"values": LIST},
    SecurityGroupSelectorTerm: {"id": TEXT, "name": TEXT, "tags": {f"kubernetes.io/cluster/{TEXT}": "owned"}},
    StorageParameters: {"kms_key_id": TEXT},
    SubnetSelectorTerm: {"id": TEXT, "tags": {"Name": TEXT}},
    SubnetTag: {"values": [TEXT]},
}
"""Every field that takes a value known only after deployment."""

INSTEAD = {
    "role": "instance_profile",
    "instance_profile": "role",
    "tags": "id",
    "name": "id",
    "owner": "id",
    "owner_id": "id",
    "networks": "namespaces",
}
"""Which field goes when another one comes."""

FIELDS = [(model, field) for model in SMALLEST for field in model.model_fields]


def _all_models(base: type[KubeModel] = KubeModel) -> set[type[KubeModel]]:
    return {found for model in base.__subclasses__() for found in ({model} | _all_models(model))}


def _names(case: object) -> str:
    return case.__name__ if isinstance(case, type) else str(case)


def test_these_tests_know_every_model() -> None:
    assert {model for model in _all_models() if not model.__name__.startswith("_")} == set(SMALLEST)


@pytest.mark.parametrize(("model", "field"), FIELDS, ids=_names)
def test_a_token_passes_where_a_late_bound_value_belongs_and_nowhere_else(model: type[KubeModel], field: str) -> None:
    late = LATE_BOUND.get(model, {})
    if field not in late:
        assert "cannot stand here; give a concrete value" in refusal(lambda: made(model, **_with(model, field, TEXT)))
        return
    spec = made(model, **_with(model, field, late[field]))
    alias = model.model_fields[field].serialization_alias or field
    kept = spec.to_manifest()[alias]
    assert kept == (list(late[field]) if isinstance(late[field], (list, tuple)) else late[field])


@pytest.mark.parametrize(("model", "field"), FIELDS, ids=_names)
def test_a_cdk_object_is_refused_in_every_field_with_the_cure(model: type[KubeModel], field: str) -> None:
    text = refusal(lambda: made(model, **_with(model, field, OBJECT)))
    assert text.startswith(f"{field}: got a CDK object (")
    assert text.endswith("), not a value; pass the text that stands for it, for example with Token.as_string(...)")


def _with(model: type[KubeModel], field: str, value: object) -> dict[str, Any]:
    return {name: given for name, given in SMALLEST[model].items() if name != INSTEAD.get(field)} | {field: value}


@pytest.mark.parametrize("given", [LIST[0], NUMBER], ids=["item of a list", "number"])
def test_a_list_or_number_token_where_text_belongs_is_told_how_to_become_text(given: Any) -> None:
    cure = "take an item out of a list with Fn.select(...), make a text of a number with Token.as_string(...)"
    message = f"holds a value known only after deployment, which cannot stand here; {cure}"
    assert refusal(lambda: SubnetSelectorTerm(id=given)) == f"id: {message}"
    assert refusal(lambda: SubnetSelectorTerm(tags={"a": given})) == f"tags.a: {message}"
    assert refusal(lambda: Requirement(key="a", operator="In", values=[given, "b"])) == f"values[0]: {message}"
    assert refusal(lambda: LoadBalancerTag(key="a", value=given)) == f"value: {message}"


def test_a_list_token_is_no_list_of_terms() -> None:
    text = refusal(lambda: made(NodeClassSpec, role="nodes", subnet_selector_terms=LIST))
    assert "subnet_selector_terms[0]: holds a value known only after deployment" in text


def test_a_cdk_object_inside_a_list_or_mapping_is_refused_where_it_stands() -> None:
    values: Any = ["a", OBJECT]
    assert refusal(lambda: Requirement(key="a", operator="In", values=values)).startswith("values[1]: got a CDK object")
    tags: Any = {"a": OBJECT}
    assert refusal(lambda: SubnetSelectorTerm(tags=tags)).startswith("tags.a: got a CDK object (")


def test_a_token_inside_a_plain_field_is_refused_where_it_stands() -> None:
    message = "holds a value known only after deployment, which cannot stand here; give a concrete value"
    limits: Any = {"cpu": 1, "memory": f"{TEXT}Gi"}
    assert refusal(lambda: made(NodePoolSpec, template=CLAIM, limits=limits)).endswith(f"limits.memory: {message}")
    assert refusal(lambda: made(TopologyLabel, key="a", values=["b", TEXT])) == f"values[1]: {message}"
    assert refusal(lambda: NodeMetadata(labels={TEXT: "a"})) == f"labels['{TEXT}']: {message}"
    assert refusal(lambda: made(NodePoolSpec, template=NodeClaimTemplate(spec=CLAIM), weight=NUMBER)) == (
        f"weight: {message}"
    )


def test_an_unknown_field_is_told_in_the_spelling_of_the_door_it_came_through() -> None:
    assert refusal(lambda: made(Requirement, key="a", operator="Exists", min_value=3)) == (
        "min_value: is not a known field; did you mean 'min_values'? "
        "Use one of 'key', 'operator', 'values', 'min_values'"
    )
    assert refusal(lambda: Requirement.from_manifest({"key": "a", "operator": "Exists", "minValue": 3})) == (
        "minValue: is not a known field; did you mean 'minValues'? Use one of 'key', 'operator', 'values', 'minValues'"
    )


def test_neither_door_takes_the_others_spelling() -> None:
    assert "minValues: is not a known field; did you mean 'min_values'?" in refusal(
        lambda: made(Requirement, key="a", operator="Exists", minValues=3)
    )
    assert "min_values: is not a known field; did you mean 'minValues'?" in refusal(
        lambda: Requirement.from_manifest({"key": "a", "operator": "Exists", "min_values": 3})
    )


def test_all_problems_of_a_document_come_together_each_with_its_path_as_in_yaml() -> None:
    document = {
        "template": {
            "metadata": {"labels": {"a.b/c": "x y"}},
            "spec": {
                "requirements": [{"key": "a", "operator": "in"}, {"operator": "Exists"}],
                "expireAfter": "Never",
                "startupTaints": [{"key": "a", "effect": "NoSchedule"}] * 2,
            },
        },
        "disruption": {"consolidateAfter": 30},
        "weigth": 5,
    }
    assert refusal(lambda: NodePoolSpec.from_manifest(document, where="pools.yaml")).splitlines() == [
        "pools.yaml: 5 problems",
        "  template.metadata.labels['a.b/c']: 'x y' is not a label value (at most 63 letters, digits, '-', '_', '.')",
        "  template.spec.requirements[0].operator: 'in' is not allowed; did you mean 'In'? "
        "Use one of 'In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt', 'Gte', 'Lte'",
        "  template.spec.requirements[1].key: is required",
        "  disruption.consolidateAfter: needs a text, got 30; "
        "write '30s' for seconds, '30m' for minutes, '30h' for hours",
        "  weigth: is not a known field; did you mean 'weight'? "
        "Use one of 'template', 'disruption', 'limits', 'weight', 'replicas'",
    ]


def test_a_rule_over_several_fields_names_them_as_in_yaml_when_yaml_was_read() -> None:
    claim = {"requirements": [], "expireAfter": "400h", "terminationGracePeriod": "200h"}
    assert refusal(lambda: NodePoolSpec.from_manifest({"template": {"spec": claim}})) == (
        "template.spec.expireAfter: the sum of expireAfter (400h) and terminationGracePeriod (200h) "
        "is over 21 days (504h); shorten one of them"
    )
    document = {
        "subnetSelectorTerms": [{"id": "subnet-1"}],
        "securityGroupSelectorTerms": [{"id": "sg-1"}],
        "podSubnetSelectorTerms": [{"id": "subnet-2"}],
    }
    assert refusal(lambda: NodeClassSpec.from_manifest(document)).splitlines() == [
        "2 problems",
        "  role: a NodeClass needs exactly one of 'role' and 'instanceProfile', got neither",
        "  podSubnetSelectorTerms: 'podSubnetSelectorTerms' and 'podSecurityGroupSelectorTerms' must be set together",
    ]


def test_a_field_whose_yaml_name_is_no_word_is_quoted() -> None:
    assert refusal(lambda: StorageParameters.from_manifest({"csi.storage.k8s.io/fstype": "ext5"})) == (
        "['csi.storage.k8s.io/fstype']: 'ext5' is not allowed; did you mean 'ext4'? "
        "Use one of 'ext4', 'xfs', 'ext2', 'ext3'"
    )


@pytest.mark.parametrize("model", SMALLEST, ids=_names)
@pytest.mark.parametrize(
    ("document", "got"), [(None, "None"), ([], "a list of 0"), ("x", "'x'"), (3, "3"), (b"x", "b'x'")], ids=repr
)
def test_what_is_no_mapping_is_no_manifest(model: type[KubeModel], document: Any, got: str) -> None:
    assert refusal(lambda: model.from_manifest(document, where="a.yaml")) == f"a.yaml: needs a mapping, got {got}"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("values", "abc", "values: needs a list, got 'abc'"),
        ("values", b"abc", "values: needs a list, got b'abc'"),
        ("values", {"a"}, "values: needs a list, got {'a'}"),
        ("values", {"a": "b"}, "values: needs a list, got a mapping"),
        ("values", [1], "values[0]: needs a text, got 1"),
        ("values", [["c", "m"]], "values[0]: needs a text, got a list of 2"),
        ("values", [None], "values[0]: needs a text, got None"),
        ("values", ["\ud800"], r"values[0]: '\ud800' is not a label value"),
        ("key", "\ud800", r"key: '\ud800' is not a text"),
        ("key", 3, "key: needs a text, got 3"),
        ("min_values", True, "min_values: needs a whole number, got True"),
        ("min_values", 1.0, "min_values: needs a whole number, got 1.0"),
        ("min_values", "1", "min_values: needs a whole number, got '1'"),
        ("min_values", 10**5000, "min_values: must be at most 50, got a huge number"),
        ("operator", 10**5000, "operator: a huge number is not allowed; use one of"),
    ],
    ids=range(15),
)
def test_a_value_of_the_wrong_type_is_refused_in_plain_words(field: str, value: object, message: str) -> None:
    assert refusal(lambda: made(Requirement, **{**SMALLEST[Requirement], field: value})).startswith(message)


def test_a_key_that_is_no_text_is_refused() -> None:
    document: Any = {1: 2, **SMALLEST[Requirement]}
    assert refusal(lambda: Requirement.from_manifest(document)) == "[1]: has a key that is not a text: 1"


def test_any_mapping_is_read_like_a_dict() -> None:
    claim = MappingProxyType({"requirements": [MappingProxyType({"key": "a", "operator": "Exists"})]})
    template: dict[str, Any] = {"template": MappingProxyType({"spec": claim})}
    limits: dict[str, Any] = {"limits": MappingProxyType({"cpu": 1})}
    document = ChainMap(template, limits)
    assert NodePoolSpec.from_manifest(document).to_manifest() == {
        "template": {"spec": {"requirements": [{"key": "a", "operator": "Exists"}]}},
        "limits": {"cpu": 1},
    }


def test_what_the_caller_keeps_cannot_change_a_spec() -> None:
    labels, values = {"a": "b"}, ["c"]
    metadata = NodeMetadata(labels=labels)
    requirement = Requirement(key="a", operator="In", values=values)
    late = list(LIST)
    zones = Requirement(key="a", operator="In", values=late)
    labels["c"] = "d"
    values.append("e")
    late.append("f")
    assert (metadata.labels, requirement.values, zones.values) == ({"a": "b"}, ("c",), tuple(LIST))
    metadata.to_manifest()["labels"]["x"] = "y"
    assert metadata.labels == {"a": "b"}


def test_a_spec_is_frozen_and_can_be_copied_and_sent() -> None:
    spec = NodePoolSpec(template=NodeClaimTemplate(spec=CLAIM), limits={"cpu": 1})
    with pytest.raises(ValueError, match="frozen"):
        spec.weight = 3
    assert copy.deepcopy(spec) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec


@pytest.mark.parametrize("name", ["a", "a-b.c", "0", "a" * 253])
def test_a_kubernetes_name_is_given_back(name: str) -> None:
    assert kubernetes_name("Dev", name) == name


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a.", "a..b", "a b", "a\n", "ä", "a" * 254])
def test_what_is_no_kubernetes_name_is_refused_with_the_rule(name: str) -> None:
    text = refusal(lambda: kubernetes_name("Dev", name))
    assert text.startswith("Dev: name: '")
    assert text.endswith(
        "cannot be the name of this object; use at most 253 lower-case letters, digits, '-' and '.', "
        "beginning and ending with a letter or digit"
    )


def test_a_name_may_have_to_be_shorter_and_must_be_a_text() -> None:
    assert "use at most 63 lower-case letters" in refusal(lambda: kubernetes_name("Dev", "a" * 64, longest=63))
    given: Any = 5
    assert "name: 5 cannot be the name of this object" in refusal(lambda: kubernetes_name("Dev", given))


@pytest.mark.parametrize("name", [TEXT, LIST, NUMBER, OBJECT], ids=["text", "list", "number", "object"])
def test_a_name_known_only_after_deployment_is_refused_with_the_reason(name: Any) -> None:
    assert refusal(lambda: kubernetes_name("Dev", name)) == (
        "Dev: name: holds a value known only after deployment; give a concrete name: it decides the logical id"
    )


def test_an_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="key: is required"):
        made(Requirement, operator="Exists")
    assert issubclass(AutoModeError, ValueError)


def test_a_field_is_given_by_its_name() -> None:
    template = NodeClaimTemplate(spec=NodeClaimSpec(requirements=[]))
    unnamed: Any = NodePoolSpec
    assert refusal(lambda: unnamed(template)).startswith("template: is given by its position: ")
    assert refusal(lambda: unnamed(template)).endswith("; write template=...")
