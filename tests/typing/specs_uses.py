"""User code that is only type-checked: specs, used right. Checked by mypy and by basedpyright, both strict."""

from automode_constructs import (
    Budget,
    Disruption,
    EphemeralStorage,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeClassSpec,
    NodePoolSpec,
    Requirement,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
    Taint,
)
from automode_constructs.specs import labels


def gpu_pool(limit: int) -> NodePoolSpec:
    requirements: list[Requirement] = [
        labels.INSTANCE_CATEGORY.is_in("g"),
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
        disruption=Disruption(consolidation_policy="WhenEmpty", budgets=[Budget(nodes="10%")]),
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


document: dict[str, object] = gpu_pool(4).to_manifest()
again: NodePoolSpec = NodePoolSpec.from_manifest(document)
selector: dict[str, str] = {labels.ARCH: "arm64"}
