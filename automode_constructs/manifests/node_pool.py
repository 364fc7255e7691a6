"""NodePool as a cdk8s construct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypedDict, Unpack

from constructs import Construct

from automode_constructs.arguments import JudgedByItsModel, checked_arguments, place
from automode_constructs.errors import AutoModeError
from automode_constructs.facts.instance_types import InstanceType
from automode_constructs.manifests.flat import FlatFields, fields_at
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.manifests.node_class import NamedNodeClass, NodeClass
from automode_constructs.specs.fields import MAX_LABEL_VALUE
from automode_constructs.specs.pools.node_pool import (
    BUILT_IN_POOL_NAMES,
    DEFAULT_EXPIRE_AFTER,
    DEFAULT_TERMINATION_GRACE_PERIOD,
    Budget,
    Disruption,
    NodeClaimSpec,
    NodeClassReference,
    NodeMetadata,
    NodePoolSpec,
    Taint,
)
from automode_constructs.specs.pools.requirement import Requirement

__all__ = ["NodePool"]

EXTERNAL_CLASS_METADATA = "automode:external-node-class"
"""Type of the construct metadata that says: this pool's NodeClass is deliberately created elsewhere."""

DEFAULT_CONSOLIDATION_POLICY = "WhenEmptyOrUnderutilized"
DEFAULT_CONSOLIDATE_AFTER = "30s"

FIELDS = {
    **fields_at("template.spec", NodeClaimSpec, but=["node_class_ref"]),
    **fields_at("template.metadata", NodeMetadata),
    **fields_at("", NodePoolSpec, but=["template", "disruption"]),
    **fields_at("disruption", Disruption),
    "disruption": "disruption",
}
"""The fields of a pool that are keywords of ``NodePool``, each with its path in the spec."""


_Duration = Annotated[str, JudgedByItsModel()]


class NodePoolFields(TypedDict, total=False):
    """The keywords of ``NodePool`` that are fields of its spec; its docstring describes them."""

    requirements: Sequence[Requirement] | None
    taints: Sequence[Taint] | None
    startup_taints: Sequence[Taint] | None
    labels: Mapping[str, str] | None
    annotations: Mapping[str, str] | None
    expire_after: _Duration | None
    termination_grace_period: _Duration | None
    limits: Mapping[str, int | str] | None
    weight: int | None
    replicas: int | None
    consolidation_policy: Literal["WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"] | None
    consolidate_after: _Duration | None
    budgets: Sequence[Budget] | None
    disruption: Disruption | None


class NodePool(KubernetesObject):
    """A NodePool: which nodes Auto Mode may launch for waiting pods.

    Creates an object of kind ``NodePool`` that points at ``node_class``. Give its fields as keywords, in ``spec``,
    which has the manifest's own form, or partly in each. Fields that are not set and whose EKS default could change
    over time are written out: ``consolidationPolicy: WhenEmptyOrUnderutilized`` and ``consolidateAfter: 30s`` (as EKS's
    built-in pools have them; not for static pools, which do not consolidate), ``expireAfter: 336h``,
    ``terminationGracePeriod: 24h``.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        node_class: the NodeClass of the pool's nodes, or ``NodeClass.from_name(...)``.
        requirements: which instances the pool may launch, at most 100 requirements, all of which must be met; must be
            given unless ``spec`` is.
        taints: taints of the nodes. Default: none.
        startup_taints: taints that a DaemonSet removes once it is ready. Default: none.
        labels: labels of the nodes, at most 100. Default: none.
        annotations: annotations of the nodes. Default: none.
        expire_after: the age at which nodes are replaced, such as ``240h``. Default: ``336h``; we decide, as Auto Mode
            does.
        termination_grace_period: how long a node drains before its remaining pods are terminated; with ``expire_after``
            at most 504h. Default: ``24h``; we decide, as Auto Mode does.
        limits: the maximum of each resource in the pool (``cpu``, ``memory``, ``nvidia.com/gpu``, ``nodes``). Default:
            no limit, as Karpenter decides.
        weight: the order in which pools are tried, 1 to 100, higher first. Default: 0, as Karpenter decides.
        replicas: makes this a static pool with this many nodes. Default: not set; the pool follows the pods.
        consolidation_policy: which nodes may be consolidated. Default: ``WhenEmptyOrUnderutilized``; we decide.
        consolidate_after: how long a node stays empty or underused before it may be removed, or ``Never``. Default:
            ``30s``; we decide.
        budgets: limits on how many nodes are disrupted at once, at most 50 budgets. Default: 10 % of the nodes, as
            Karpenter decides.
        disruption: instead of the three keywords before it, what they hold as one value. Default: none; the keywords
            give all of it.
        spec: the pool in the manifest's form. Default: none; the keywords give all fields.
        name: the NodePool's name, at most 63 characters, because nodes carry it as a label.
            Default: the construct's id; we decide.

    Raises:
        AutoModeError: for the names ``system`` and ``general-purpose``, which belong to EKS; for a spec that already
            names another NodeClass; for a field given both as a keyword and in ``spec``, or as a keyword and in
            ``disruption``; for everything that ``NodePoolSpec`` refuses.

    Source: EKS User Guide, "Create a Node Pool for EKS Auto Mode".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        node_class: NodeClass | NamedNodeClass,
        spec: NodePoolSpec | None = None,
        name: str | None = None,
        **fields: Unpack[NodePoolFields],
    ) -> None:
        where = place(scope, id)
        if (name or id) in BUILT_IN_POOL_NAMES:
            raise AutoModeError.of(
                where,
                field="name",
                message=f"'{name or id}' is a NodePool that EKS makes and reverts",
                cure="choose another name",
            )
        flat = FlatFields(where, NodePoolSpec, FIELDS, spec, fields)
        spec = flat.merged(required="template.spec")
        class_name = node_class.name
        reference = spec.template.spec.node_class_ref
        if reference is not None and reference.name != class_name:
            raise AutoModeError.of(
                where,
                field="spec.template.spec.node_class_ref",
                message=f"names '{reference.name}', but node_class is '{class_name}'",
                cure="leave node_class_ref out: node_class writes it",
            )
        self.node_class = node_class
        self.spec = _completed(spec, class_name)
        super().__init__(
            scope,
            id,
            api_version="karpenter.sh/v1",
            kind="NodePool",
            name=name,
            longest_name=MAX_LABEL_VALUE,
            body={"spec": self.spec.to_manifest()},
            warnings=flat.as_given(self.spec.warnings()),
        )
        if isinstance(node_class, NamedNodeClass) and node_class.made_elsewhere:
            self.node.add_metadata(EXTERNAL_CLASS_METADATA, class_name)

    def instance_types(self) -> tuple[InstanceType, ...]:
        """The instance types known to the library that the pool admits: cheapest first, then by name."""
        return self.spec.instance_types()


def _completed(spec: NodePoolSpec, node_class: str) -> NodePoolSpec:
    nodes, disruption = spec.template.spec, spec.disruption
    nodes = nodes.replace(
        node_class_ref=NodeClassReference(group="eks.amazonaws.com", kind="NodeClass", name=node_class),
        expire_after=nodes.expire_after or DEFAULT_EXPIRE_AFTER,
        termination_grace_period=nodes.termination_grace_period or DEFAULT_TERMINATION_GRACE_PERIOD,
    )
    if spec.replicas is None or disruption is not None:
        disruption = disruption or Disruption()
        disruption = disruption.replace(
            consolidation_policy=disruption.consolidation_policy or DEFAULT_CONSOLIDATION_POLICY,
            consolidate_after=disruption.consolidate_after or DEFAULT_CONSOLIDATE_AFTER,
        )
    return spec.replace(template=spec.template.replace(spec=nodes), disruption=disruption)
