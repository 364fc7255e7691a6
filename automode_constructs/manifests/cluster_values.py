"""What a cluster knows and its charts need, as one record of plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

from automode_constructs.errors import AutoModeError, shown
from automode_constructs.manifests.node_defaults import NodeDefaults
from automode_constructs.specs.model import KubeModel, ListOf, TokenOr
from automode_constructs.specs.nodes.advanced_networking import AdvancedNetworking
from automode_constructs.specs.nodes.node_class import (
    EphemeralStorage,
    NodeClassSpec,
    SecurityGroupSelectorTerm,
    SubnetSelectorTerm,
)

__all__ = ["ClusterValues"]


class ClusterValues(KubeModel):
    """The plain values that charts are built from.

    Through CloudFormation they are tokens (``AutoModeCluster.values``); for GitOps they are concrete, read from the
    outputs of a deployment (``from_outputs``) or given.
    """

    cluster_name: TokenOr[str]
    """The cluster's name."""
    region: TokenOr[str]
    """The cluster's region."""
    node_role: TokenOr[str] | None = None
    """Name of the role of nodes outside EKS's built-in pools; this or ``instance_profile``."""
    instance_profile: TokenOr[str] | None = None
    """Name of the instance profile of such nodes."""
    node_subnets: ListOf[SubnetSelectorTerm]
    """How a NodeClass selects the nodes' subnets."""
    node_security_groups: ListOf[SecurityGroupSelectorTerm]
    """How a NodeClass selects the nodes' security groups."""
    pod_subnets: ListOf[SubnetSelectorTerm] | None = None
    """How a NodeClass selects the pods' subnets. Default: pods share the nodes' subnets."""
    pod_security_groups: ListOf[SecurityGroupSelectorTerm] | None = None
    """How a NodeClass selects the pods' security groups; set with ``pod_subnets``."""
    volume_key_arn: TokenOr[str] | None = None
    """ARN of the KMS key for the volumes of nodes and workloads. Default: the account's EBS key."""
    storage_class: str | None = None
    """Name of the default StorageClass; another volume key has another, for the key of a class cannot change. Default:
    ``gp3``; we decide."""
    node_tags: Mapping[TokenOr[str], TokenOr[str]] | None = None
    """AWS tags of the nodes. Default: only EKS's own."""
    node_defaults: NodeDefaults | None = None
    """Further settings of the nodes, as the cluster completed them. Default: as EKS decides."""
    built_in_pools: bool
    """Whether EKS keeps a built-in pool, and with it the NodeClass ``default``."""

    def node_class_spec(
        self,
        *,
        ephemeral_storage: EphemeralStorage | None = None,
        advanced_networking: AdvancedNetworking | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> NodeClassSpec:
        """A NodeClass that fits the cluster.

        Args:
            ephemeral_storage: the nodes' data volume; the cluster's volume key is added where it names none.
                Default: EKS's size on the cluster's volume key; we decide the key.
            advanced_networking: network settings that go before the cluster's node defaults, field by field.
                Default: only the cluster's.
            tags: AWS tags besides the cluster's node tags. Default: none.
        """
        defaults = self.node_defaults or NodeDefaults()
        storage = ephemeral_storage
        if self.volume_key_arn is not None and (storage is None or storage.kms_key_id is None):
            storage = (storage or EphemeralStorage()).replace(kms_key_id=self.volume_key_arn)
        all_tags = {**(self.node_tags or {}), **(tags or {})}
        return NodeClassSpec(
            role=self.node_role,
            instance_profile=self.instance_profile,
            subnet_selector_terms=self.node_subnets,
            security_group_selector_terms=self.node_security_groups,
            pod_subnet_selector_terms=self.pod_subnets,
            pod_security_group_selector_terms=self.pod_security_groups,
            snat_policy=defaults.snat_policy,
            network_policy=defaults.network_policy,
            network_policy_event_logs=defaults.network_policy_event_logs,
            ephemeral_storage=storage,
            advanced_networking=defaults.advanced_networking(advanced_networking),
            advanced_security=defaults.advanced_security(),
            certificate_bundles=defaults.certificate_bundles or None,
            tags=all_tags or None,
        )

    def proxy_environment(self) -> dict[str, str]:
        """The cluster's proxy as environment variables of a container; empty without one."""
        return (self.node_defaults or NodeDefaults()).proxy_environment()

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any], *, where: str) -> Self:
        """Reads the output ``ClusterValues`` from what ``cdk deploy --outputs-file`` wrote.

        Args:
            outputs: stack names with their outputs.
            where: the file, for messages.

        Raises:
            AutoModeError: when no stack or more than one has that output, or when it is no such record.
        """
        found = [
            (stack, values["ClusterValues"])
            for stack, values in (outputs.items() if isinstance(outputs, Mapping) else ())
            if isinstance(values, Mapping) and "ClusterValues" in values
        ]
        if len(found) != 1:
            stacks = ", ".join(str(stack) for stack, _ in found) or "none"
            raise AutoModeError.of(
                where,
                "ClusterValues",
                f"exactly one stack must have this output, got {stacks}",
                "write the file with 'cdk deploy <the cluster's stack> --outputs-file FILE'",
            )
        stack, text = found[0]
        try:
            document = json.loads(text)
        except (RecursionError, TypeError, ValueError):
            raise AutoModeError.of(
                where, f"{stack}.ClusterValues", f"is not JSON, got {shown(text)}", "deploy the stack again"
            ) from None
        return cls.from_manifest(document, where=f"{where}: {stack}.ClusterValues")
