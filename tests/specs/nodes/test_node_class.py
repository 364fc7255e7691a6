from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, get_args

import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.errors import AutoModeError
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes import (
    advanced_compute,
    advanced_networking,
    capacity,
    certificate_bundle,
    hugepages,
    kubelet,
    node_class,
    selector_tags,
    sysctls,
)
from automode_constructs.specs.nodes.advanced_compute import AdvancedCompute
from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking, NetworkInterface
from automode_constructs.specs.nodes.hugepages import Hugepages, StaticHugepages, TransparentHugepages
from automode_constructs.specs.nodes.node_class import (
    RESERVED_TAG_KEYS,
    EphemeralStorage,
    NodeClassSpec,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)
from automode_constructs.specs.rule import RULES, Rule
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


@pytest.mark.parametrize(
    "key", ["", "kubernetes.io/cluster", "kubernetes.io/cluster/dev", "aws:name", *sorted(RESERVED_TAG_KEYS)]
)
def test_reserved_tags_are_refused(key: str) -> None:
    assert refusal(lambda: NodeClassSpec(role="a", **NET, tags={"ok": "", key: "x"})) == (
        f"tags: the tag key '{key}' is reserved for Auto Mode; remove it"
    )


def test_the_tag_of_the_clusters_name_is_warned_of() -> None:
    (warning,) = NodeClassSpec(role="a", **NET, tags={"eks:eks-cluster-name": "dev", "team": "ml"}).warnings()
    assert warning.rule == "automode:ClusterNameTag"
    assert str(warning) == "tags: EKS sets the tag 'eks:eks-cluster-name' itself, and may refuse the class; remove it"


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
    "size", ["", "80", "0Gi", "59001Gi", "64001G", "59Ti", "65T", "1.5Gi", "80Mi", "80 Mi", "Ti", "T", "080Gi"]
)
def test_another_volume_size_is_refused(size: str) -> None:
    assert refusal(lambda: EphemeralStorage(size=size)) == (
        f"size: '{size}' is not a volume size: a whole number of Gi (1 to 59000), G (1 to 64000), "
        "Ti (1 to 17, 20 to 27 and so on to 58) or T (1 to 64); 1Ti is 1024Gi"
    )


def test_a_volume_size_that_the_pattern_forgets_has_another_form() -> None:
    assert refusal(lambda: EphemeralStorage(size="18Ti")).endswith("or T (1 to 64); write '18432Gi'")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("iops", 2999, "iops: must be at least 3000, got 2999"),
        ("iops", 16001, "iops: must be at most 16000, got 16001"),
        ("throughput", 124, "throughput: must be at least 125, got 124"),
        ("throughput", 1001, "throughput: must be at most 1000, got 1001"),
        ("throughput", True, "throughput: needs a whole number, got True"),
        ("size", 80, "size: needs a text, got 80; write '80Gi' for GiB, '80G' for GB"),
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


# Rules across parts of a NodeClass.


def _interface(card: int, device: int, kind: Any = "interface", addresses: int | None = None) -> NetworkInterface:
    return NetworkInterface(
        network_card_index=card, device_index=device, interface_type=kind, secondary_ipv4_count=addresses
    )


def _with_interfaces(*interfaces: NetworkInterface, **fields: Any) -> NodeClassSpec:
    networking = AdvancedNetworking(network_interfaces=interfaces)
    return NodeClassSpec(**{"role": "a", **NET, "advanced_networking": networking, **fields})


PODS: dict[str, Any] = {"pod_subnet_selector_terms": SUBNETS, "pod_security_group_selector_terms": GROUPS}
STATIC_HUGEPAGES = AdvancedCompute(hugepages=Hugepages(pages=[StaticHugepages(size="2Mi", count=1)]))


def test_static_hugepages_and_efa_need_a_class_each() -> None:
    efa = _interface(1, 0, "efa-only")
    assert refusal(lambda: _with_interfaces(_interface(0, 0, addresses=1), efa, advanced_compute=STATIC_HUGEPAGES)) == (
        "advanced_compute.hugepages.pages: static hugepages and 'efa-only' network interfaces exclude each other; "
        "use a NodeClass for each"
    )
    _with_interfaces(_interface(0, 0, addresses=1), advanced_compute=STATIC_HUGEPAGES)
    for harmless in (Hugepages(transparent=TransparentHugepages(enabled="always")), Hugepages(pages=[])):
        compute = AdvancedCompute(hugepages=harmless)
        _with_interfaces(_interface(0, 0, addresses=1), efa, advanced_compute=compute)


@pytest.mark.parametrize(
    ("interfaces", "fields", "told"),
    [
        ([_interface(0, 0, addresses=1)], {}, []),
        ([_interface(0, 0), _interface(0, 1, addresses=1)], {}, []),
        ([_interface(0, 0, addresses=0), _interface(0, 1, addresses=1)], PODS, []),
        ([_interface(0, 0), _interface(1, 0, "efa-only")], {}, ["automode:PodAddresses"]),
        ([_interface(0, 0, addresses=0)], PODS, ["automode:PodAddresses"]),
        ([_interface(0, 0, addresses=1), _interface(0, 1, addresses=1)], PODS, ["automode:PrimaryAddresses"]),
        ([], PODS, []),
    ],
)
def test_pods_need_addresses_on_the_right_interface(
    interfaces: list[NetworkInterface], fields: dict[str, Any], told: list[str]
) -> None:
    assert [warning.rule for warning in _with_interfaces(*interfaces, **fields).warnings()] == told


def test_pods_without_addresses_are_warned_of_in_words() -> None:
    spec = _with_interfaces(_interface(0, 0, addresses=5), **PODS)
    assert [str(warning) for warning in spec.warnings()] == [
        "advanced_networking.network_interfaces[0]: has secondary addresses (5) of the node's subnet, "
        "but pods have subnets of their own, so none uses them; move them to another interface at network card 0",
        "advanced_networking.network_interfaces: no interface has addresses for pods, and none are added later: "
        "only pods on the host network start; add 'secondary_ipv4_prefix_count' to an interface at network card 0",
    ]
    _, second = spec.warnings(by_alias=True)
    assert second.field == "advancedNetworking.networkInterfaces"
    assert second.cure == "add 'secondaryIPv4PrefixCount' to an interface at network card 0"


@pytest.mark.parametrize(
    ("field", "cure"),
    [
        ("amiFamily", "Auto Mode chooses the image: remove it"),
        ("associatePublicIPAddress", "write it in 'advancedNetworking'"),
        ("kubelet", "write it in 'advancedCompute'"),
        ("userData", "Auto Mode takes none: see 'advancedCompute'"),
    ],
)
def test_fields_of_open_source_karpenter_are_told_where_they_went(field: str, cure: str) -> None:
    document = {**SMALLEST, field: None}
    assert refusal(lambda: NodeClassSpec.from_manifest(document)) == f"{field}: is not a known field; {cure}"


SMALLEST = {
    "role": "nodes",
    "subnetSelectorTerms": [{"id": "subnet-0a"}],
    "securityGroupSelectorTerms": [{"id": "sg-0a"}],
}


# Against AWS's page.

PATHS = """
role instanceProfile
subnetSelectorTerms subnetSelectorTerms.id subnetSelectorTerms.tags
securityGroupSelectorTerms securityGroupSelectorTerms.id securityGroupSelectorTerms.name securityGroupSelectorTerms.tags
podSubnetSelectorTerms podSubnetSelectorTerms.id podSubnetSelectorTerms.tags
podSecurityGroupSelectorTerms podSecurityGroupSelectorTerms.id podSecurityGroupSelectorTerms.name
podSecurityGroupSelectorTerms.tags
snatPolicy networkPolicy networkPolicyEventLogs
ephemeralStorage ephemeralStorage.size ephemeralStorage.iops ephemeralStorage.throughput ephemeralStorage.kmsKeyID
advancedNetworking advancedNetworking.associatePublicIPAddress advancedNetworking.httpsProxy advancedNetworking.noProxy
advancedNetworking.ipv4PrefixSize advancedNetworking.enableV4Egress advancedNetworking.networkInterfaces
advancedNetworking.networkInterfaces.networkCardIndex advancedNetworking.networkInterfaces.deviceIndex
advancedNetworking.networkInterfaces.interfaceType advancedNetworking.networkInterfaces.secondaryIPv4Count
advancedNetworking.networkInterfaces.secondaryIPv4PrefixCount
advancedSecurity advancedSecurity.fips advancedSecurity.kernelLockdown
advancedCompute advancedCompute.hugepages advancedCompute.hugepages.pages advancedCompute.hugepages.pages.size
advancedCompute.hugepages.pages.count advancedCompute.hugepages.transparent
advancedCompute.hugepages.transparent.enabled advancedCompute.hugepages.transparent.defrag
advancedCompute.kubelet advancedCompute.kubelet.maxPods advancedCompute.kubelet.podPidsLimit
advancedCompute.kubelet.idsPerPod advancedCompute.kubelet.singleProcessOOMKill
advancedCompute.kubelet.eviction advancedCompute.kubelet.eviction.hard advancedCompute.kubelet.eviction.soft
advancedCompute.kubelet.eviction.softGracePeriod advancedCompute.kubelet.eviction.maxPodGracePeriod
advancedCompute.kubelet.logging advancedCompute.kubelet.logging.containerLogMaxSize
advancedCompute.kubelet.logging.containerLogMaxFiles advancedCompute.kubelet.allowedUnsafeSysctls
advancedCompute.kernel advancedCompute.kernel.sysctl
certificateBundles certificateBundles.name certificateBundles.data
capacityReservationSelectorTerms capacityReservationSelectorTerms.id capacityReservationSelectorTerms.tags
capacityReservationSelectorTerms.owner capacityReservationSelectorTerms.ownerID
placementGroupSelector placementGroupSelector.name placementGroupSelector.id
tags
"""
"""Every field of AWS's page "Create a Node Class for Amazon EKS", sysctls apart, and ``ownerID`` of open source."""


def _paths(model: type[KubeModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{before}{field.serialization_alias or name}"
        yield path
        waiting: list[Any] = [field.annotation]
        while waiting:
            part = waiting.pop()
            if isinstance(part, type) and issubclass(part, KubeModel):
                yield from _paths(part, f"{path}.")
            waiting += get_args(part)


def test_the_fields_are_those_of_awss_page_letter_by_letter() -> None:
    ours = list(_paths(NodeClassSpec))
    assert len(ours) == len(set(ours))
    sysctls = {path for path in ours if path.startswith("advancedCompute.kernel.sysctl.")}
    assert len(sysctls) == 25
    assert set(ours) - sysctls == set(PATHS.split())


SAMPLE: dict[str, Any] = {
    "role": "MyNodeRole",
    "subnetSelectorTerms": [{"tags": {"Name": "private-subnet", "kubernetes.io/role/internal-elb": "1"}}],
    "securityGroupSelectorTerms": [{"tags": {"Name": "eks-cluster-sg"}}],
    "podSubnetSelectorTerms": [{"tags": {"Name": "pod-subnet", "kubernetes.io/role/pod": "1"}}],
    "podSecurityGroupSelectorTerms": [{"tags": {"Name": "eks-pod-sg"}}],
    "capacityReservationSelectorTerms": [
        {"id": "cr-56fac701cc1951b03"},
        {"tags": {"Name": "targeted-odcr"}, "owner": "012345678901"},
    ],
    "snatPolicy": "Random",
    "networkPolicy": "DefaultAllow",
    "networkPolicyEventLogs": "Disabled",
    "ephemeralStorage": {
        "size": "80Gi",
        "iops": 3000,
        "throughput": 125,
        "kmsKeyID": "arn:aws:kms:region:account:key/key-id",
    },
    "advancedNetworking": {
        "associatePublicIPAddress": False,
        "httpsProxy": "http://192.0.2.4:3128",
        "noProxy": ["localhost", "127.0.0.1", "169.254.169.254", ".internal", ".eks.amazonaws.com"],
        "ipv4PrefixSize": "Auto",
        "enableV4Egress": False,
        "networkInterfaces": [
            {"deviceIndex": 0, "interfaceType": "interface", "networkCardIndex": 0, "secondaryIPv4Count": 10},
            {"deviceIndex": 1, "interfaceType": "interface", "networkCardIndex": 0, "secondaryIPv4PrefixCount": 2},
            {"deviceIndex": 0, "interfaceType": "efa-only", "networkCardIndex": 1},
        ],
    },
    "advancedSecurity": {"fips": False},
    "certificateBundles": [
        {
            "name": "custom-cert",
            "data": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BQT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=",
        }
    ],
    "placementGroupSelector": {"name": "targeted-pg"},
    "tags": {"Environment": "production", "Team": "platform"},
}
"""AWS's "Node Class Specification", its placeholder for a certificate encoded."""


def test_awss_sample_of_a_whole_node_class_is_accepted_and_comes_back_as_it_was_written() -> None:
    assert NodeClassSpec.from_manifest(SAMPLE).to_manifest() == SAMPLE
    document = {"apiVersion": "eks.amazonaws.com/v1", "kind": "NodeClass", "metadata": {"name": "a"}, "spec": SAMPLE}
    # The sample puts addresses on the primary interface beside pod subnets, which its own text advises against.
    assert [finding.rule for finding in judge_document(document) or ()] == ["automode:PrimaryAddresses"]


PRIMARY = {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface", "secondaryIPv4Count": 1}
EFA = {"networkCardIndex": 1, "deviceIndex": 0, "interfaceType": "efa-only"}
TERM = {"id": "subnet-1"}
BREACHES: list[tuple[str, dict[str, Any]]] = [
    ("SelectorTerm", {"subnetSelectorTerms": [{}]}),
    ("SelectorTag", {"subnetSelectorTerms": [{"tags": {"": "a"}}]}),
    ("NodeIdentity", {"instanceProfile": "a"}),
    ("PodNetwork", {"podSubnetSelectorTerms": [TERM]}),
    ("ReservedTag", {"tags": {"karpenter.sh/nodepool": "a"}}),
    ("ClusterNameTag", {"tags": {"eks:eks-cluster-name": "a"}}),
    ("CertificateData", {"certificateBundles": [{"name": "a", "data": "?"}]}),
    ("ReservationTerm", {"capacityReservationSelectorTerms": [{}]}),
    ("ReservationOwner", {"capacityReservationSelectorTerms": [{"owner": "012345678901"}]}),
    ("PlacementGroup", {"placementGroupSelector": {}}),
    ("PublicAddress", {"advancedNetworking": {"associatePublicIPAddress": True}}),
    (
        "PublicAddressOfManyInterfaces",
        {"advancedNetworking": {"associatePublicIPAddress": True, "networkInterfaces": [PRIMARY, EFA]}},
    ),
    ("PrimaryInterface", {"advancedNetworking": {"networkInterfaces": [EFA]}}),
    ("InterfaceTwice", {"advancedNetworking": {"networkInterfaces": [PRIMARY, PRIMARY]}}),
    ("SecondaryAddresses", {"advancedNetworking": {"networkInterfaces": [PRIMARY, {**EFA, "secondaryIPv4Count": 1}]}}),
    ("PodAddresses", {"advancedNetworking": {"networkInterfaces": [{**PRIMARY, "secondaryIPv4Count": 0}]}}),
    (
        "PrimaryAddresses",
        {
            "podSubnetSelectorTerms": [TERM],
            "podSecurityGroupSelectorTerms": [{"id": "sg-1"}],
            "advancedNetworking": {"networkInterfaces": [PRIMARY, {**PRIMARY, "deviceIndex": 1}]},
        },
    ),
    (
        "EfaWithHugepages",
        {
            "advancedNetworking": {"networkInterfaces": [PRIMARY, EFA]},
            "advancedCompute": {"hugepages": {"pages": [{"size": "2Mi", "count": 1}]}},
        },
    ),
    ("HugepageSizeTwice", {"advancedCompute": {"hugepages": {"pages": [{"size": "2Mi", "count": 1}] * 2}}}),
    (
        "TransparentHugepages",
        {"advancedCompute": {"hugepages": {"transparent": {"enabled": "never", "defrag": "defer"}}}},
    ),
    ("PodPidsLimit", {"advancedCompute": {"kubelet": {"podPidsLimit": 99}}}),
    ("UserNamespaces", {"advancedCompute": {"kubelet": {"idsPerPod": 65536}}}),
    ("SoftEvictionGrace", {"advancedCompute": {"kubelet": {"eviction": {"soft": {"pid.available": "1%"}}}}}),
    (
        "SoftEvictionThreshold",
        {
            "advancedCompute": {
                "kubelet": {
                    "eviction": {
                        "hard": {"pid.available": "2%"},
                        "soft": {"pid.available": "1%"},
                        "softGracePeriod": {"pid.available": "1m"},
                    }
                }
            }
        },
    ),
    ("DirtyRatios", {"advancedCompute": {"kernel": {"sysctl": {"vm.dirty_ratio": 10}}}}),
    ("NeighbourThresholds", {"advancedCompute": {"kernel": {"sysctl": {"net.ipv4.neigh.default.gc_thresh1": 1}}}}),
]
"""Every rule of a NodeClass with a spec that breaks it and no other."""


@pytest.mark.parametrize(("name", "fields"), BREACHES, ids=[name for name, _ in BREACHES])
def test_a_breach_names_its_rule_and_has_its_severity(name: str, fields: dict[str, Any]) -> None:
    spec = {**SMALLEST, **fields}
    document = {"apiVersion": "eks.amazonaws.com/v1", "kind": "NodeClass", "metadata": {"name": "a"}, "spec": spec}
    (finding,) = judge_document(document) or []
    assert finding.rule == f"automode:{name}"
    assert finding.severity == RULES[finding.rule].severity
    if finding.severity == "warning":
        assert NodeClassSpec.from_manifest(spec).to_manifest() == spec
    else:
        with pytest.raises(AutoModeError):
            NodeClassSpec.from_manifest(spec)


def test_every_rule_of_a_node_class_has_its_breach() -> None:
    modules = (
        advanced_compute,
        advanced_networking,
        capacity,
        certificate_bundle,
        hugepages,
        kubelet,
        node_class,
        selector_tags,
        sysctls,
    )
    rules = {value for module in modules for value in vars(module).values() if isinstance(value, Rule)}
    assert {rule.id for rule in rules if rule.kinds == ("NodeClass",)} == {f"automode:{name}" for name, _ in BREACHES}
