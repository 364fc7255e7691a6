"""NodePool as a cdk8s construct."""

from __future__ import annotations

from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.errors import AutoModeError
from automode_constructs.facts.instance_types import InstanceType
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.manifests.node_class import NamedNodeClass, NodeClass
from automode_constructs.specs.model import MAX_LABEL_VALUE
from automode_constructs.specs.pools.node_pool import (
    BUILT_IN_POOL_NAMES,
    DEFAULT_EXPIRE_AFTER,
    DEFAULT_TERMINATION_GRACE_PERIOD,
    Disruption,
    NodeClassReference,
    NodePoolSpec,
)

__all__ = ["NodePool"]

EXTERNAL_CLASS_METADATA = "automode:external-node-class"
"""Type of the construct metadata that says: this pool's NodeClass is knowingly made elsewhere."""

DEFAULT_CONSOLIDATION_POLICY = "WhenEmptyOrUnderutilized"
DEFAULT_CONSOLIDATE_AFTER = "30s"


class NodePool(KubernetesObject):
    """A NodePool: which nodes Auto Mode may launch for waiting pods.

    Creates an object of kind ``NodePool`` that points at ``node_class``. What the spec leaves open and EKS would
    decide differently over time is written out: ``consolidationPolicy: WhenEmptyOrUnderutilized`` and
    ``consolidateAfter: 30s`` (as EKS's built-in pools have them; not for static pools, which do not consolidate),
    ``expireAfter: 336h``, ``terminationGracePeriod: 24h``.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        node_class: the NodeClass of the pool's nodes, or ``NodeClass.from_name(...)``.
        spec: the pool.
        name: the NodePool's name, at most 63 characters, because nodes carry it as a label.
            Default: the construct's id; we decide.

    Raises:
        AutoModeError: for the names ``system`` and ``general-purpose``, which belong to EKS; for a spec that already
            names another NodeClass.

    Source: EKS User Guide, "Create a Node Pool for EKS Auto Mode".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        node_class: NodeClass | NamedNodeClass,
        spec: NodePoolSpec,
        name: str | None = None,
    ) -> None:
        if (name or id) in BUILT_IN_POOL_NAMES:
            raise AutoModeError.of(
                f"{scope.node.path}/{id}",
                "name",
                f"'{name or id}' is a NodePool that EKS makes and reverts",
                "choose another name",
            )
        class_name = node_class.name
        given = spec.template.spec.node_class_ref
        if given is not None and given.name != class_name:
            raise AutoModeError.of(
                f"{scope.node.path}/{id}",
                "spec.template.spec.node_class_ref",
                f"names '{given.name}', but node_class is '{class_name}'",
                "leave node_class_ref out: node_class writes it",
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
            warnings=self.spec.warnings(),
        )
        if isinstance(node_class, NamedNodeClass) and node_class.made_elsewhere:
            self.node.add_metadata(EXTERNAL_CLASS_METADATA, class_name)

    def instance_types(self) -> tuple[InstanceType, ...]:
        """The instance types that the pool admits, of those we know: cheapest first, then by name."""
        return self.spec.instance_types()


def _completed(spec: NodePoolSpec, node_class: str) -> NodePoolSpec:
    nodes = spec.template.spec
    completed_nodes = nodes.model_copy(
        update={
            "node_class_ref": NodeClassReference(group="eks.amazonaws.com", kind="NodeClass", name=node_class),
            "expire_after": nodes.expire_after or DEFAULT_EXPIRE_AFTER,
            "termination_grace_period": nodes.termination_grace_period or DEFAULT_TERMINATION_GRACE_PERIOD,
        }
    )
    disruption = spec.disruption
    if spec.replicas is None or disruption is not None:
        given = disruption or Disruption()
        disruption = given.model_copy(
            update={
                "consolidation_policy": given.consolidation_policy or DEFAULT_CONSOLIDATION_POLICY,
                "consolidate_after": given.consolidate_after or DEFAULT_CONSOLIDATE_AFTER,
            }
        )
    template = spec.template.model_copy(update={"spec": completed_nodes})
    return spec.model_copy(update={"template": template, "disruption": disruption})
