"""ArgoCdCapability: Argo CD as a managed capability of a cluster, and its access to other clusters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks as eks_v1
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.capability import (
    Capability,
    CapabilityRole,
    access_entry,
    check_capability,
    check_namespaces,
    policy_for,
)
from automode_constructs.aws.roles import check_role_arn
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import shown
from automode_constructs.facts.regions import partition_of
from automode_constructs.manifests.argo_cd import ARGO_CD_GROUP
from automode_constructs.tokens import is_token

__all__ = ["ArgoCdAccess", "ArgoCdCapability", "SsoGroup", "SsoUser"]

_IDENTITY = re.compile(r"(?:[0-9a-f]{10}-)?[A-Fa-f0-9]{8}(?:-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}")
"""Source: Identity Store API, ``ResourceId``."""
_INSTANCE = re.compile(r"arn:(?P<partition>aws(?:-[a-z]{1,5}){0,3}):sso:::instance/(?:sso)?ins-[a-zA-Z0-9-.]{16}")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]")
_MOST_IDENTITIES: Final = 1000
_ENDPOINT = "eks-capabilities"

_READS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("codecommit", ""): ("codecommit:GitPull",),
    ("codeconnections", "connection/"): ("codeconnections:UseConnection", "codeconnections:GetConnection"),
    ("secretsmanager", "secret:"): ("secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"),
    ("ecr", "repository/"): ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
    ("kms", "key/"): ("kms:Decrypt",),
}
"""What Argo CD needs on a source, by its service and the beginning of its resource."""


class _Identity:
    """What both kinds of identity have in common."""

    id: str

    def check(self) -> None:
        """Refuses what is no id of IAM Identity Center."""
        name, what = type(self).__name__, "group" if isinstance(self, SsoGroup) else "user"
        refusals = Refusals(name)
        if not is_token(self.id) and _IDENTITY.fullmatch(self.id) is None:
            refusals.refuse(
                "id",
                f"{shown(self.id)} is not the id of a {what} of IAM Identity Center",
                f"give its id, not its name: aws identitystore list-{what}s --identity-store-id ID",
            )
        refusals.raise_all()


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class SsoGroup(_Identity):
    """A group of IAM Identity Center.

    Args:
        id: its id, such as ``a1b2c3d4-5678-90ab-cdef-EXAMPLE11111`` in form; a name does not do.

    Raises:
        AutoModeError: for what is no id.
    """

    id: str

    def __post_init__(self) -> None:
        self.check()


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class SsoUser(_Identity):
    """A user of IAM Identity Center; prefer groups.

    Args:
        id: its id, of the same form as that of a ``SsoGroup``.

    Raises:
        AutoModeError: for what is no id.
    """

    id: str

    def __post_init__(self) -> None:
        self.check()


ArgoCdRole = Literal["ADMIN", "EDITOR", "VIEWER"]


class ArgoCdCapability(Capability):
    """Argo CD as a managed capability: it runs outside the cluster, needs no nodes, and reaches private clusters.

    Creates an IAM role, its access entry, an ``AWS::EKS::Capability`` and the output ``ArgoCdUrl``. People sign in
    through IAM Identity Center, which must exist: ``roles`` says who may do what in Argo CD. The role reads ``sources``
    and nothing else; public repositories need none.

    What Argo CD may change in the cluster is apart from that: by itself only its own objects and namespaces. Say in
    ``namespaces`` where it may write objects of Kubernetes' own kinds (``AmazonEKSEditPolicy``). Custom kinds, the
    kinds without namespaces, and the reading of everything, which Argo CD needs before it syncs anything, come with
    ``ArgoCdChart`` as RBAC for the group ``automode-argo-cd``, which the access entry has.

    Deletion keeps the Applications and what they deployed, without a controller. Delete Applications first; objects
    that a delivery of this app makes are deleted in that order if the delivery depends on this construct.

    It costs 0.03 USD an hour, about 22 a month, and 0.0015 USD an hour, about 1.10 a month, for each Application
    (us-east-1, Sep 2026); a VPC endpoint costs an hourly fee for each zone.

    Args:
        scope: a construct of a stack in the cluster's account and region; best not the cluster's own.
        id: the construct's id.
        cluster: the cluster; EKS takes one Argo CD for each. It may deploy to others, see ``ArgoCdAccess``.
        identity_center_arn: the ARN of the instance of IAM Identity Center (``aws sso-admin list-instances``). It
            cannot change.
        roles: the groups and users of each role, ``ADMIN``, ``EDITOR`` and ``VIEWER``; at most 1,000 in all.
        identity_center_region: the region of IAM Identity Center. It cannot change. Default: the cluster's, as EKS
            decides.
        sources: ARNs that Argo CD reads: CodeCommit repositories, CodeConnections, secrets with credentials of Git
            servers and the KMS keys of those secrets, ECR repositories. Default: none.
        namespaces: where Argo CD may write. Default: none.
        cluster_admin: whether Argo CD may change everything (``AmazonEKSClusterAdminPolicy``), instead of
            ``namespaces``. Whoever may push to its repositories is an administrator then. Default: False; we decide.
        vpc_endpoints: interface endpoints for ``eks-capabilities`` in your VPCs (``VpcEndpoints`` with
            ``also=["eks-capabilities"]`` makes one). With any, the public endpoint is closed; their security group must
            admit the people. Default: none, and Argo CD's address is public, behind the sign-in; EKS decides.
        namespace: the namespace of Argo CD's own objects. It cannot change. Default: ``argocd``, as EKS decides.
        capability_name: the name, which cannot change. Default: ``argocd``; we decide.
        role: a ``CapabilityRole``. Default: a new one; we decide.

    Attributes:
        server_url: the address of Argo CD, which follows from the names of capability and cluster, and the account.

    Raises:
        AutoModeError: for a partition without EKS Capabilities; for a cluster that has Argo CD already or is in another
            environment; for invalid names, ids and ARNs; for endpoints of another service.

    Source: EKS User Guide, "Configure Argo CD permissions", "Configure private endpoint access for Argo CD" and
    "Configure repository access"; ``AWS::EKS::Capability``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        identity_center_arn: str,
        roles: Mapping[ArgoCdRole, Sequence[SsoGroup | SsoUser]],
        identity_center_region: str | None = None,
        sources: Sequence[str] = (),
        namespaces: Sequence[str] = (),
        cluster_admin: bool = False,
        vpc_endpoints: Sequence[ec2.IVpcEndpoint] = (),
        namespace: str = "argocd",
        capability_name: str = "argocd",
        role: CapabilityRole | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        stack = Stack.of(scope)
        check_capability(refusals, scope, "ARGOCD", cluster=cluster, capability_name=capability_name)
        _check_identity_center(refusals, identity_center_arn, identity_center_region, stack.region)
        _check_roles(refusals, roles)
        _check_sources(refusals, sources, stack.region)
        _check_rights(refusals, namespaces, cluster_admin=cluster_admin)
        check_namespaces(refusals, "namespace", [namespace])
        _check_endpoints(refusals, vpc_endpoints)
        refusals.raise_all()

        super().__init__(scope, id)
        of = eks_v1.CfnCapability
        self.make(
            "ARGOCD",
            cluster=cluster,
            capability_name=capability_name,
            role=role,
            policies=[
                policy_for("AmazonEKSArgoCDClusterPolicy"),
                policy_for("AmazonEKSArgoCDPolicy", [namespace]),
                *_rights(namespaces, cluster_admin=cluster_admin),
            ],
            group=ARGO_CD_GROUP,
            configuration=of.CapabilityConfigurationProperty(
                argo_cd=of.ArgoCdProperty(
                    aws_idc=of.AwsIdcProperty(idc_instance_arn=identity_center_arn, idc_region=identity_center_region),
                    namespace=namespace,
                    rbac_role_mappings=[
                        of.ArgoCdRoleMappingProperty(
                            role=name,
                            identities=[
                                of.SsoIdentityProperty(
                                    id=one.id, type="SSO_GROUP" if isinstance(one, SsoGroup) else "SSO_USER"
                                )
                                for one in identities
                            ],
                        )
                        for name, identities in roles.items()
                        if identities
                    ],
                    network_access=of.NetworkAccessProperty(
                        vpce_ids=[endpoint.vpc_endpoint_id for endpoint in vpc_endpoints]
                    )
                    if vpc_endpoints
                    else None,
                )
            ),
        )
        self._read(sources)
        self.server_url: str = self.capability.attr_configuration_argo_cd_server_url
        CfnOutput(self, "ArgoCdUrl", value=self.server_url, description="Where people sign in to Argo CD")

    def _read(self, sources: Sequence[str]) -> None:
        """Lets the role read the sources."""
        by_actions: dict[tuple[str, ...], list[str]] = {}
        for arn in sources:
            by_actions.setdefault(_actions(arn) or (), []).append(arn)
        for actions, arns in by_actions.items():
            self.role.add_to_principal_policy(iam.PolicyStatement(actions=list(actions), resources=sorted(arns)))
            if actions == _READS["ecr", "repository/"]:
                # It has no resource to name.
                self.role.add_to_principal_policy(
                    iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"])
                )


class ArgoCdAccess(Construct):
    """Lets the Argo CD of one cluster deploy to another one, in this account or another, private or not.

    Creates an access entry for the role of the Argo CD, with the group ``automode-argo-cd``, in the cluster that is
    deployed to. Register that cluster with an ``ArgoCdCluster`` in the cluster of the Argo CD, and deliver an
    ``ArgoCdAccessChart`` to the one that is deployed to. It costs nothing.

    Args:
        scope: a construct of a stack in the account and region of the cluster that is deployed to.
        id: the construct's id.
        cluster: the cluster that is deployed to; not that of the Argo CD, which has its entry.
        role_arn: the role of the Argo CD, ``role.role_arn`` of an ``ArgoCdCapability`` or its ARN.
        namespaces: where Argo CD may write. Default: none.
        cluster_admin: whether Argo CD may change everything, instead of ``namespaces``. Default: False; we decide.

    Attributes:
        entry: the access entry.

    Raises:
        AutoModeError: for a value that is not the ARN of a role; for a stack in another environment; for ``namespaces``
            beside ``cluster_admin``.

    Source: EKS User Guide, "Register target clusters".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        role_arn: str,
        namespaces: Sequence[str] = (),
        cluster_admin: bool = False,
    ) -> None:
        refusals = Refusals(place(scope, id))
        region = Stack.of(scope).region
        with refusals.collecting():
            cluster.check_environment(
                refusals.where, scope, "a cluster's access entries are created in its own account and region"
            )
        with refusals.collecting():
            partition = None if is_token(region) else partition_of(region).name
            check_role_arn(refusals.where, "role_arn", role_arn, partition=partition)
        _check_rights(refusals, namespaces, cluster_admin=cluster_admin)
        refusals.raise_all()

        super().__init__(scope, id)
        self.entry = access_entry(
            self, "Access", cluster, role_arn, _rights(namespaces, cluster_admin=cluster_admin), ARGO_CD_GROUP
        )


def _rights(namespaces: Sequence[str], *, cluster_admin: bool) -> list[eks.IAccessPolicy]:
    if cluster_admin:
        return [policy_for("AmazonEKSClusterAdminPolicy")]
    return [policy_for("AmazonEKSEditPolicy", namespaces)] if namespaces else []


def _check_rights(refusals: Refusals, namespaces: Sequence[str], *, cluster_admin: bool) -> None:
    check_namespaces(refusals, "namespaces", namespaces)
    if cluster_admin and namespaces:
        refusals.refuse(
            "namespaces", "add nothing to cluster_admin=True, which is all rights", "leave out one of the two"
        )


def _check_identity_center(refusals: Refusals, arn: str, center_region: str | None, region: str) -> None:
    match = _INSTANCE.fullmatch(arn)
    if is_token(arn):
        pass
    elif match is None:
        refusals.refuse(
            "identity_center_arn",
            f"{shown(arn)} is not the ARN of an instance of IAM Identity Center",
            "give InstanceArn as 'aws sso-admin list-instances' prints it",
        )
    elif not is_token(region) and match["partition"] != partition_of(region).name:
        refusals.refuse(
            "identity_center_arn",
            f"{shown(arn)} is of partition '{match['partition']}', the cluster of '{partition_of(region).name}'",
            "give the instance of the cluster's organization",
        )
    if center_region is not None and not is_token(center_region) and _REGION.fullmatch(center_region) is None:
        refusals.refuse("identity_center_region", f"{shown(center_region)} is not a region")


def _check_roles(refusals: Refusals, roles: Mapping[ArgoCdRole, Sequence[SsoGroup | SsoUser]]) -> None:
    total = sum(map(len, roles.values()))
    if total == 0:
        refusals.refuse("roles", "names nobody, so that nobody could sign in", "write {'ADMIN': [SsoGroup(id='...')]}")
    if total > _MOST_IDENTITIES:
        refusals.refuse(
            "roles", f"names {total} identities; EKS takes {_MOST_IDENTITIES:,} at most", "name groups, not users"
        )
    for name, identities in roles.items():
        if len(set(identities)) != len(identities):
            refusals.refuse(f"roles['{name}']", "names one twice", "name each once")


def _actions(arn: str) -> tuple[str, ...] | None:
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return None
    return next(
        (
            actions
            for (service, beginning), actions in _READS.items()
            if parts[2] == service and (is_token(parts[5]) or parts[5].startswith(beginning))
        ),
        None,
    )


def _check_sources(refusals: Refusals, sources: Sequence[str], region: str) -> None:
    for position, arn in enumerate(sources):
        if is_token(arn) and ":" not in arn:
            refusals.refuse(
                f"sources[{position}]",
                "is an ARN known only after deployment, so that its service is not known here",
                "grant the permission through '.role', such as secret.grant_read(argo_cd.role)",
            )
        elif _actions(arn) is None:
            refusals.refuse(
                f"sources[{position}]",
                f"{shown(arn)} is nothing that Argo CD reads",
                "give the ARN of a CodeCommit or ECR repository, a connection of CodeConnections, a secret or its KMS "
                "key; a public repository needs none",
            )
        elif not is_token(arn) and not is_token(region) and arn.split(":")[1] != partition_of(region).name:
            refusals.refuse(
                f"sources[{position}]", f"{shown(arn)} is of another partition than the cluster, in '{region}'"
            )


def _check_endpoints(refusals: Refusals, endpoints: Sequence[ec2.IVpcEndpoint]) -> None:
    """Refuses endpoints of the app that lead to another service."""
    for position, endpoint in enumerate(endpoints):
        resource = endpoint.node.default_child
        if not isinstance(resource, ec2.CfnVPCEndpoint):
            continue
        service = str(Stack.of(resource).resolve(resource.service_name))
        if _ENDPOINT not in service:
            refusals.refuse(
                f"vpc_endpoints[{position}]",
                f"'{endpoint.node.path}' leads to another service",
                f"make one for '{_ENDPOINT}': VpcEndpoints(..., also=['{_ENDPOINT}']).endpoints['{_ENDPOINT}']",
            )
