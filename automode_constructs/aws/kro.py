"""KroCapability: kro as a managed capability of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.capability import (
    Capability,
    CapabilityRole,
    check_capability,
    check_namespaces,
    policy_for,
)
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget

__all__ = ["KRO_GROUP", "KroCapability"]

KRO_GROUP: Final = "automode-kro"
"""The Kubernetes group of kro. It has no rights of its own: bind a ClusterRole or Role to it for further kinds."""


class KroCapability(Capability):
    """kro (Kube Resource Orchestrator) as a managed capability: it runs outside the cluster and needs no nodes.

    Creates an IAM role without permissions, its access entry and an ``AWS::EKS::Capability``. EKS then serves
    ResourceGraphDefinition and the kinds that you define. By itself kro may change those only: say in ``namespaces``
    where it may create what the definitions hold, as ``AmazonEKSEditPolicy`` allows, which knows no custom kinds.

    Deletion keeps the definitions and what they made, without a controller: delete instances and definitions first.

    It costs 0.005 USD an hour, about 3.65 a month, and 0.00005 USD an hour for each instance (us-east-1, Sep 2026).

    Args:
        scope: a construct of a stack in the cluster's account and region; best not the cluster's own.
        id: the construct's id.
        cluster: the cluster; EKS takes one kro for each.
        namespaces: where kro may create and change objects of Kubernetes' own kinds. Default: none.
        cluster_admin: whether kro may change everything (``AmazonEKSClusterAdminPolicy``), instead of ``namespaces``.
            Whoever may write definitions is an administrator then. Default: False; we decide.
        capability_name: the name, which cannot change. Default: ``kro``; we decide.
        role: a ``CapabilityRole``. Default: a new one; we decide.

    Raises:
        AutoModeError: for a partition without EKS Capabilities; for a cluster that has kro already or is in another
            environment; for invalid names; for ``namespaces`` beside ``cluster_admin``.

    Source: EKS User Guide, "Configure kro permissions"; ``AWS::EKS::Capability``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        namespaces: Sequence[str] = (),
        cluster_admin: bool = False,
        capability_name: str = "kro",
        role: CapabilityRole | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        check_capability(refusals, scope, "KRO", cluster=cluster, capability_name=capability_name)
        check_namespaces(refusals, "namespaces", namespaces)
        if cluster_admin and namespaces:
            refusals.refuse(
                "namespaces", "add nothing to cluster_admin=True, which is all rights", "leave out one of the two"
            )
        refusals.raise_all()

        super().__init__(scope, id)
        self.make(
            "KRO",
            cluster=cluster,
            capability_name=capability_name,
            role=role,
            policies=[
                policy_for("AmazonEKSKROPolicy"),
                *([policy_for("AmazonEKSEditPolicy", namespaces)] if namespaces else []),
                *([policy_for("AmazonEKSClusterAdminPolicy")] if cluster_admin else []),
            ],
            group=KRO_GROUP,
        )
