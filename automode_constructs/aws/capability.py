"""What the EKS Capabilities (managed Argo CD, ACK, kro) have in common: their role, their access, the resource."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, cast

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_eks as eks_v1
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments
from automode_constructs.aws.exports import weakly
from automode_constructs.aws.fleet import Register
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import shown
from automode_constructs.facts.regions import capabilities_offered
from automode_constructs.tokens import is_token

__all__ = [
    "NAMES",
    "Capability",
    "CapabilityRole",
    "access_entry",
    "check_capability",
    "check_namespaces",
    "policy_for",
]

NAMES: Final = {"ACK": "ACK", "ARGOCD": "Argo CD", "KRO": "kro"}
"""How people call the capabilities, by their types."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class CapabilityRole(Construct):
    """An IAM role that EKS assumes for its capabilities: managed Argo CD, ACK or kro.

    Creates a role with no permissions, which ``ArgoCdCapability`` and ``AckCapability`` add to. They create one by
    themselves. Where EKS refused a capability because IAM had not spread its new role yet ("the trust policy for the
    provided role is invalid"), create the role here, in a stack that is deployed before, such as the cluster's.

    Args:
        scope: a construct of a stack in the cluster's account.
        id: the construct's id.
        description: the role's description. Default: a text that names the service; we decide.
        permissions_boundary: the managed policy that bounds the role. Default: none; we decide.

    Attributes:
        role: the role.
        role_arn: its ARN.

    Source: EKS User Guide, "Amazon EKS capability IAM role".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        description: str = "EKS Capabilities of a cluster",
        permissions_boundary: iam.IManagedPolicy | None = None,
    ) -> None:
        super().__init__(scope, id)
        # Whether EKS sets aws:SourceAccount or aws:SourceArn is on no page, so the trust has no conditions (?).
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("capabilities.eks.amazonaws.com").with_session_tags(),
            description=description,
            permissions_boundary=permissions_boundary,
        )
        self.role_arn: str = self.role.role_arn


class Capability(Construct):
    """A capability of a cluster: ``ArgoCdCapability``, ``AckCapability`` and ``KroCapability`` without their settings.

    Attributes:
        cluster: the cluster.
        role: the role.
        entry: the access entry of the role.
        capability: the resource; objects of its kinds must be created after it and deleted before it.
    """

    cluster: ChartTarget
    role: iam.IRole
    entry: eks.AccessEntry
    capability: eks_v1.CfnCapability

    def make(
        self,
        kind: str,
        *,
        cluster: ChartTarget,
        capability_name: str,
        role: CapabilityRole | None,
        policies: Sequence[eks.IAccessPolicy],
        group: str,
        configuration: eks_v1.CfnCapability.CapabilityConfigurationProperty | None = None,
    ) -> None:
        """Creates role, access entry and capability; called by the constructors.

        Args:
            kind: the type, ``ACK``, ``ARGOCD`` or ``KRO``.
            cluster: the cluster.
            capability_name: the name.
            role: the role, or ``None`` for a new one.
            policies: the access policies of the role, those of EKS among them.
            group: the Kubernetes group of the role.
            configuration: the settings.
        """
        self.cluster = cluster
        home = CapabilityRole(self, "Identity") if role is None else role
        self.role = home.role
        # Read weakly, so that the capability can leave the app while another stack keeps the role.
        role_arn = weakly(cast(iam.CfnRole, home.role.node.default_child).attr_arn)
        # EKS would make the entry by itself, too late for a policy or group of ours. Public configurations make it
        # first, as here, and EKS takes it over; no page says so (?).
        self.entry = access_entry(self, "Access", cluster, role_arn, policies, group)
        self.capability = eks_v1.CfnCapability(
            self,
            "Capability",
            cluster_name=cluster.cluster.cluster_name,
            capability_name=capability_name,
            type=kind,
            role_arn=role_arn,
            delete_propagation_policy="RETAIN",
            configuration=configuration,
        )
        self.capability.node.add_dependency(self.entry, home)
        _BY_CLUSTER.add(cluster.node.root, (cluster, kind), self)


def check_capability(
    refusals: Refusals, scope: Construct, kind: str, *, cluster: ChartTarget, capability_name: str
) -> None:
    """Refuses a capability that EKS would refuse: a second one, one of another environment, or where it has none.

    Args:
        refusals: collects what is wrong.
        scope: the construct's scope.
        kind: the type.
        cluster: the cluster.
        capability_name: the name.
    """
    region = Stack.of(scope).region
    with refusals.collecting():
        cluster.check_environment(refusals.where, scope, "a cluster's capabilities are in its own account and region")
    if not is_token(region) and not capabilities_offered(region):
        refusals.refuse(
            "cluster",
            f"is in '{region}', and AWS offers EKS Capabilities in commercial regions only",
            f"run {NAMES[kind]} in the cluster yourself; charts become YAML with write_yaml_folder",
        )
    if not is_token(capability_name) and _NAME.fullmatch(capability_name) is None:
        refusals.refuse(
            "capability_name",
            f"{shown(capability_name)} is not the name of a capability",
            "use 1 to 100 letters, digits, '-' and '_', beginning with a letter or digit",
        )
    for other in _BY_CLUSTER.find(cluster.node.root, (cluster, kind)):
        refusals.refuse(
            "cluster",
            f"'{cluster.node.path}' has {NAMES[kind]} already, by '{other.node.path}'",
            "make it once; EKS takes one of each type for a cluster",
        )


def access_entry(
    scope: Construct,
    id: str,
    cluster: ChartTarget,
    role_arn: str,
    policies: Sequence[eks.IAccessPolicy],
    group: str,
) -> eks.AccessEntry:
    """The access entry of a capability's role, with a group that RoleBindings can name.

    Args:
        scope: where the entry is made.
        id: the construct's id.
        cluster: the cluster.
        role_arn: the role.
        policies: its access policies.
        group: its Kubernetes group, which has no rights by itself.
    """
    entry = eks.AccessEntry(
        scope, id, cluster=cast(eks.ICluster, cluster.cluster), principal=role_arn, access_policies=list(policies)
    )
    cast(CfnResource, entry.node.default_child).add_property_override("KubernetesGroups", [group])
    return entry


def policy_for(name: str, namespaces: Sequence[str] = ()) -> eks.IAccessPolicy:
    """An access policy of EKS, for some namespaces or, without any, for the whole cluster."""
    if namespaces:
        return eks.AccessPolicy.from_access_policy_name(
            name, access_scope_type=eks.AccessScopeType.NAMESPACE, namespaces=list(namespaces)
        )
    return eks.AccessPolicy.from_access_policy_name(name, access_scope_type=eks.AccessScopeType.CLUSTER)


def check_namespaces(refusals: Refusals, field: str, namespaces: Sequence[str]) -> None:
    """Refuses what are no names of namespaces, and a repeated one. Tokens are accepted."""
    for position, name in enumerate(namespaces):
        if not is_token(name) and _NAMESPACE.fullmatch(name) is None:
            refusals.refuse(
                f"{field}[{position}]",
                f"{shown(name)} is not the name of a namespace",
                "use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
            )
    if len(set(namespaces)) != len(namespaces):
        refusals.refuse(field, f"names one twice: {list(namespaces)}", "name each once")


_BY_CLUSTER: Register[tuple[ChartTarget, str], Capability] = Register()
