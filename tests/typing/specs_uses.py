"""User code that is only type-checked: specs, used right. Checked by mypy and by basedpyright, both strict."""

from automode_constructs import (
    AdvancedCompute,
    AdvancedNetworking,
    AdvancedSecurity,
    Budget,
    CapacityReservationSelectorTerm,
    CertificateBundle,
    Disruption,
    EphemeralStorage,
    Eviction,
    Hugepages,
    Kernel,
    Kubelet,
    KubeletLogging,
    NetworkInterface,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClassSpec,
    NodePoolSpec,
    PlacementGroupSelector,
    Requirement,
    SecurityGroupSelectorTerm,
    StaticHugepages,
    SubnetSelectorTerm,
    Sysctls,
    Taint,
    TransparentHugepages,
)
from automode_constructs.specs import labels


def gpu_pool(limit: int) -> NodePoolSpec:
    requirements: list[Requirement] = [
        labels.INSTANCE_CATEGORY.is_in("g"),
        labels.INSTANCE_GPU_COUNT.is_in(1),
        labels.INSTANCE_GENERATION.greater_than(4),
        labels.CAPACITY_TYPE.is_in("spot", "on-demand"),
        Requirement(key="example.com/team", operator="Exists"),
    ]
    nodes = NodeClaimSpec(
        requirements=requirements,
        taints=[Taint(key="nvidia.com/gpu", effect="NoSchedule")],
        expire_after="240h",
    )
    return NodePoolSpec(
        template=NodeClaimTemplate(spec=nodes),
        disruption=Disruption(consolidation_policy="WhenEmpty", budgets=[Budget(nodes="10%"), Budget(nodes=5)]),
        limits={"nvidia.com/gpu": limit, "memory": "512Gi"},
        weight=10,
    )


def node_class(role: str) -> NodeClassSpec:
    return NodeClassSpec(
        role=role,
        subnet_selector_terms=(SubnetSelectorTerm(tags={"team": "ml"}),),
        security_group_selector_terms=[SecurityGroupSelectorTerm(id="sg-0123")],
        ephemeral_storage=EphemeralStorage(size="100Gi", kms_key_id="alias/volumes"),
    )


def full_node_class(profile: str) -> NodeClassSpec:
    kubelet = Kubelet(
        max_pods=58,
        eviction=Eviction(hard={"memory.available": "5%"}),
        logging=KubeletLogging(container_log_max_size="50Mi"),
    )
    return NodeClassSpec(
        instance_profile=profile,
        subnet_selector_terms=[SubnetSelectorTerm(id="subnet-0123")],
        security_group_selector_terms=[SecurityGroupSelectorTerm(name="nodes")],
        advanced_networking=AdvancedNetworking(
            network_interfaces=[
                NetworkInterface(
                    network_card_index=0, device_index=0, interface_type="interface", secondary_ipv4_prefix_count=4
                )
            ]
        ),
        advanced_security=AdvancedSecurity(fips=True),
        advanced_compute=AdvancedCompute(
            hugepages=Hugepages(
                pages=[StaticHugepages(size="2Mi", count=512)], transparent=TransparentHugepages(enabled="madvise")
            ),
            kubelet=kubelet,
            kernel=Kernel(sysctl=Sysctls(vm_max_map_count=262144)),
        ),
        certificate_bundles=[
            CertificateBundle(
                name="proxy", data="LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BQT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
            )
        ],
        capacity_reservation_selector_terms=[CapacityReservationSelectorTerm(id="cr-0123")],
        placement_group_selector=PlacementGroupSelector(name="training"),
    )


document: dict[str, object] = gpu_pool(4).to_manifest()
again: NodePoolSpec = NodePoolSpec.from_manifest(document)
selector: dict[str, str] = {labels.ARCH: "arm64"}
