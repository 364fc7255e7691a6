"""NodeClass as a cdk8s construct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.flat import FlatFields, fields_at
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.fields import MAX_LABEL_VALUE
from automode_constructs.specs.nodes.node_class import NodeClassFields, NodeClassSpec
from automode_constructs.specs.object_metadata import kubernetes_name

__all__ = ["NamedNodeClass", "NodeClass"]

FIELDS = fields_at("", NodeClassSpec)
"""The fields of a class that are keywords of ``NodeClass``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedNodeClass:
    """A NodeClass that this app does not create: EKS's ``default``, or one created elsewhere."""

    name: str
    made_elsewhere: bool = False


class NodeClass(KubernetesObject):
    """A NodeClass: the AWS side of Auto Mode's nodes.

    Creates an object of kind ``NodeClass``. Give its fields as keywords, in ``spec``, or partly in each.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        role: name (not ARN) of the nodes' IAM role; this or ``instance_profile`` must be given, unless ``spec`` has it.
        instance_profile: name of an instance profile, instead of ``role``.
        subnet_selector_terms: the nodes' subnets, 1 to 30 terms; must be given, unless ``spec`` has them.
        security_group_selector_terms: the nodes' security groups, 1 to 30 terms; must be given, unless ``spec`` has
            them.
        pod_subnet_selector_terms: the pods' subnets, 1 to 30 terms. Default: the nodes' subnets, as EKS decides.
        pod_security_group_selector_terms: the pods' security groups, 1 to 30 terms; only together with
            ``pod_subnet_selector_terms``.
        snat_policy: whether pod traffic that leaves the VPC takes the node's address. Default: ``Random``, as EKS
            decides.
        network_policy: the rule for pods without a network policy. Default: ``DefaultAllow``, as EKS decides.
        network_policy_event_logs: whether nodes log network-policy events. Default: ``Disabled``, as EKS decides.
        ephemeral_storage: the nodes' data volume. Default: 80Gi, 3000 IOPS, 125 MiB/s, as EKS decides.
        advanced_networking: proxy, public address, pod addresses and static interfaces. Default: as EKS decides.
        advanced_security: FIPS images and kernel lockdown. Default: as EKS decides.
        advanced_compute: hugepages, kubelet and kernel parameters. Default: as EKS decides.
        certificate_bundles: authorities that nodes trust in addition to the public ones. Default: none.
        capacity_reservation_selector_terms: capacity reservations to use first. Default: none.
        placement_group_selector: the placement group of all nodes of the class. Default: none.
        tags: AWS tags of instances, volumes and network interfaces. Default: only EKS's own tags.
        spec: the spec of the nodes; ``ClusterValues.node_class_spec`` creates one that fits the cluster. Default: none;
            the keywords give all fields.
        name: the NodeClass's name, at most 63 characters, because nodes carry it as a label.
            Default: the construct's id; we decide.

    Raises:
        AutoModeError: for the name ``default``, which belongs to EKS, and for an invalid object name; for a field given
            both as a keyword and in ``spec``; for everything that ``NodeClassSpec`` refuses.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        spec: NodeClassSpec | None = None,
        name: str | None = None,
        **fields: Unpack[NodeClassFields],
    ) -> None:
        where = place(scope, id)
        if (name or id) == "default":
            raise AutoModeError.of(
                where,
                field="name",
                message="'default' is the NodeClass that EKS makes and reverts",
                cure="choose another name, or use NodeClass.from_name('default') to refer to EKS's own",
            )
        flat = FlatFields(where, NodeClassSpec, FIELDS, spec, fields)
        self.spec = flat.merged()
        super().__init__(
            scope,
            id,
            api_version="eks.amazonaws.com/v1",
            kind="NodeClass",
            name=name,
            longest_name=MAX_LABEL_VALUE,
            body={"spec": self.spec.to_manifest()},
            warnings=flat.as_given(self.spec.warnings()),
        )

    @staticmethod
    @checked_arguments
    def from_name(name: str, *, made_elsewhere: bool = False) -> NamedNodeClass:
        """A reference to a NodeClass by name.

        Args:
            name: ``default`` if there are built-in pools, or the name of a class that another chart of the cluster
                creates.
            made_elsewhere: whether it exists without this app, so that no chart of the app needs to create it. Default:
                False; we decide, so that a misspelt name is an error.

        Raises:
            AutoModeError: if the name is not valid for a NodeClass.
        """
        kubernetes_name("NodeClass.from_name", name, longest=MAX_LABEL_VALUE)
        return NamedNodeClass(name=name, made_elsewhere=made_elsewhere)
