"""IngressClassParams (``eks.amazonaws.com/v1``): the load balancers of an IngressClass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from automode_constructs.errors import Problem
from automode_constructs.specs.model import KubeModel, ListOf, TokenListOf, TokenOr, matching

__all__ = [
    "ALB_CONTROLLER",
    "IngressClassParamsSpec",
    "IngressGroup",
    "IngressSubnets",
    "LoadBalancerAttribute",
    "LoadBalancerTag",
    "SubnetTag",
]

ALB_CONTROLLER = "eks.amazonaws.com/alb"
"""Auto Mode's ALB controller, as an IngressClass names it."""


class IngressGroup(KubeModel):
    """Ingresses of one group share a load balancer."""

    name: Annotated[
        str,
        matching(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", "a group name (1 to 63 lower-case letters, digits, '-', '.')"),
    ]
    """1 to 63 lower-case letters, digits, ``-`` and ``.``."""


_TagKey = Annotated[str, Field(min_length=1, max_length=128)]


class SubnetTag(KubeModel):
    """A tag that a load balancer's subnets must have."""

    key: _TagKey
    """Tag key, at most 128 characters."""
    values: TokenListOf[str]
    """Tag values, any of which will do."""


class IngressSubnets(KubeModel):
    """The load balancer's subnets, by ids or by tags."""

    ids: TokenListOf[Annotated[str, matching(r"subnet-[0-9a-f]+", "a subnet id ('subnet-...')")]] | None = None
    """Subnet ids."""
    match_tags: ListOf[SubnetTag] | None = None
    """Tags, all of which must match."""

    def _broken_rules(self) -> Iterator[Problem]:
        if (self.ids is None) == (self.match_tags is None):
            got = "both" if self.ids is not None else "neither"
            yield Problem(field="", message=f"subnets need exactly one of 'ids' and 'match_tags', got {got}")


class LoadBalancerTag(KubeModel):
    """A tag of the load balancer; the cluster role needs ``custom_tags`` for it."""

    key: _TagKey
    """At most 128 characters."""
    value: TokenOr[Annotated[str, Field(max_length=256)]]
    """At most 256 characters."""


class LoadBalancerAttribute(KubeModel):
    """An attribute of the load balancer, such as ``idle_timeout.timeout_seconds``."""

    key: Annotated[str, Field(min_length=1, max_length=256)]
    """Attribute key, at most 256 characters."""
    value: TokenOr[Annotated[str, Field(max_length=1024)]]
    """Attribute value as text, at most 1024 characters."""


class IngressClassParamsSpec(KubeModel):
    """What the load balancers of an IngressClass are like.

    Source: EKS User Guide, "Create an IngressClass to configure an Application Load Balancer".
    """

    scheme: Literal["internal", "internet-facing"] | None = None
    """Whether the load balancer has public addresses. Default: ``internal``, as EKS decides; always written by us."""
    ip_address_type: Literal["ipv4", "dualstack", "dualstack-without-public-ipv4"] | None = None
    """Address families. Default: ``ipv4``, as EKS decides."""
    group: IngressGroup | None = None
    """Makes all Ingresses of the class share a load balancer. Default: one each."""
    subnets: IngressSubnets | None = None
    """The load balancer's subnets. Default: found by EKS through the subnets' role tags."""
    certificate_arns: TokenListOf[str] | None = Field(
        default=None, validation_alias="certificateARNs", serialization_alias="certificateARNs"
    )
    """ACM certificates. Default: none; the load balancer speaks HTTP only."""
    ssl_policy: str | None = None
    """ELB security policy. Default: as ELB decides."""
    inbound_cidrs: TokenListOf[str] | None = Field(
        default=None, validation_alias="inboundCIDRs", serialization_alias="inboundCIDRs"
    )
    """Who may connect. Default: everyone who can reach the load balancer, as EKS decides."""
    load_balancer_attributes: ListOf[LoadBalancerAttribute] | None = None
    """Attributes of the load balancer."""
    tags: ListOf[LoadBalancerTag] | None = None
    """Tags of the load balancer."""
