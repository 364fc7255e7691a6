"""AckCapability: AWS Controllers for Kubernetes (ACK) as a managed capability of a cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aws_cdk import Annotations, Stack
from aws_cdk import aws_eks as eks_v1
from aws_cdk import aws_iam as iam

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.capability import (
    Capability,
    CapabilityRole,
    check_capability,
    check_namespaces,
    policy_for,
)
from automode_constructs.aws.roles import check_role_arn
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import did_you_mean, shown
from automode_constructs.facts.ack_services import ack_services
from automode_constructs.facts.regions import partition_of
from automode_constructs.tokens import is_token

__all__ = ["ACK_GROUP", "AckCapability"]

ACK_GROUP: Final = "automode-ack"
"""The Kubernetes group of ACK. It has no rights of its own: bind a ClusterRole or Role to it for further kinds."""

_SERVICE = re.compile(r"[a-z][a-z0-9]{0,62}")
_MOST_SERVICES: Final = 200


class AckCapability(Capability):
    """AWS Controllers for Kubernetes as a managed capability: Kubernetes objects become resources of AWS.

    Creates an IAM role, its access entry and an ``AWS::EKS::Capability``. The role may assume the roles of
    ``role_arns`` and nothing else: an IAMRoleSelector gives each namespace one of them, with the permissions that its
    team needs, in this account or another. Each of them must trust ``role`` for ``sts:AssumeRole``. Whoever may write
    IAMRoleSelectors chooses between the roles, so keep that to administrators.

    Deletion keeps the objects and their resources, without a controller: delete the objects first, and wait.

    It costs 0.005 USD an hour, about 3.65 a month, and 0.00005 USD an hour for each object (us-east-1, Sep 2026).

    Args:
        scope: a construct of a stack in the cluster's account and region; best not the cluster's own.
        id: the construct's id.
        cluster: the cluster; EKS takes one ACK for each.
        role_arns: ARNs of the roles that IAMRoleSelectors name. Default: none; then grant permissions through ``.role``
            yourself.
        secret_namespaces: namespaces whose Secrets ACK may read, which ``rds``, ``acm``, ``mq`` and others need for
            passwords (``AmazonEKSSecretReaderPolicy``). Default: none.
        disabled_services: ACK's services that are not managed, such as ``iam``. EKS stores a misspelt one and does
            nothing, so names that we do not know are the warning ``automode:AckService``. Default: none, as EKS
            decides.
        enable_cross_namespace: whether objects may refer to those of other namespaces. Default: False; we decide.
        capability_name: the name, which cannot change. Default: ``ack``; we decide.
        role: a ``CapabilityRole``. Default: a new one; we decide.

    Raises:
        AutoModeError: for a partition without EKS Capabilities; for a cluster that has ACK already or is in another
            environment; for invalid names and ARNs.

    Source: EKS User Guide, "Configure ACK permissions" and "Security considerations for EKS Capabilities";
    ``AWS::EKS::Capability``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        role_arns: Sequence[str] = (),
        secret_namespaces: Sequence[str] = (),
        disabled_services: Sequence[str] = (),
        enable_cross_namespace: bool = False,
        capability_name: str = "ack",
        role: CapabilityRole | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        check_capability(refusals, scope, "ACK", cluster=cluster, capability_name=capability_name)
        check_namespaces(refusals, "secret_namespaces", secret_namespaces)
        # A role of another account is of the same partition.
        region = Stack.of(scope).region
        partition = None if is_token(region) else partition_of(region).name
        for position, arn in enumerate(role_arns):
            with refusals.collecting():
                check_role_arn(refusals.where, f"role_arns[{position}]", arn, partition=partition)
        unknown = _check_services(refusals, disabled_services)
        refusals.raise_all()

        super().__init__(scope, id)
        self.make(
            "ACK",
            cluster=cluster,
            capability_name=capability_name,
            role=role,
            policies=[
                policy_for("AmazonEKSACKPolicy"),
                *([policy_for("AmazonEKSSecretReaderPolicy", secret_namespaces)] if secret_namespaces else []),
            ],
            group=ACK_GROUP,
            configuration=eks_v1.CfnCapability.CapabilityConfigurationProperty(
                ack=eks_v1.CfnCapability.AckProperty(
                    disabled_services=sorted(disabled_services) or None,
                    enable_cross_namespace=enable_cross_namespace,
                )
            ),
        )
        if role_arns:
            self.role.add_to_principal_policy(
                iam.PolicyStatement(
                    sid="RolesOfIamRoleSelectors",
                    actions=["sts:AssumeRole"],
                    resources=sorted(role_arns),
                )
            )
        for name in unknown:
            Annotations.of(self).add_warning_v2(
                "automode:AckService",
                f"disabled_services: '{name}' is no service of ACK that we know, and EKS ignores unknown ones; "
                f"{_nearest(name)}",
            )


def _check_services(refusals: Refusals, services: Sequence[str]) -> list[str]:
    """Refuses names that EKS refuses, and returns those that it would ignore."""
    unknown = []
    for position, name in enumerate(services):
        if is_token(name):
            continue
        if _SERVICE.fullmatch(name) is None:
            refusals.refuse(
                f"disabled_services[{position}]",
                f"{shown(name)} is not the name of a service of ACK",
                "use 1 to 63 lower-case letters and digits, as its API group has them: 's3' of s3.services.k8s.aws",
            )
        elif name not in ack_services():
            unknown.append(name)
    if len(services) > _MOST_SERVICES:
        refusals.refuse("disabled_services", f"has {len(services)}; EKS takes {_MOST_SERVICES} at most")
    if len(set(services)) != len(services):
        refusals.refuse("disabled_services", "names one twice", "name each once")
    return unknown


def _nearest(name: str) -> str:
    cure = did_you_mean(name, ack_services())
    return cure.partition("? ")[0] + "?" if "did you mean" in cure else "compare it with the name of its API group"
