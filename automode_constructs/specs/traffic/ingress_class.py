"""IngressClass, and IngressClassParams (``eks.amazonaws.com/v1``): the load balancers of an IngressClass."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from automode_constructs.errors import AutoModeError, Cure, Edit, Problem, shown
from automode_constructs.specs.fields import ListOf, TokenListOf, TokenOr, matching, renamed
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule
from automode_constructs.specs.traffic.annotation_values import (
    LOAD_BALANCER_VALUE,
    SSL_POLICY,
    attribute_problem,
    form_problem,
)
from automode_constructs.specs.traffic.label_selector import LabelSelector
from automode_constructs.specs.traffic.ownership import ALB_CONTROLLER
from automode_constructs.specs.wording import worded
from automode_constructs.tokens import is_token

__all__ = [
    "ALB_CONTROLLER",
    "Cidr",
    "IngressClassParameters",
    "IngressClassParamsSpec",
    "IngressClassSpec",
    "IngressGroup",
    "IngressListener",
    "IngressSubnets",
    "IpamConfiguration",
    "LoadBalancerAttribute",
    "LoadBalancerTag",
    "MinimumLoadBalancerCapacity",
    "SubnetTag",
    "check_log_prefix",
    "port_or_name",
]

_ALB_PAGE = "EKS User Guide, 'Create an IngressClass to configure an Application Load Balancer'"

INGRESS_SUBNETS = rule(
    "automode:IngressSubnets",
    "IngressClassParams",
    severity="error",
    sentence="A load balancer's subnets are given by ids or by matchTags, not by both.",
    source="CRD ingressclassparams.eks.amazonaws.com",
    stricter="The CRD says so in its description only; the controller refuses it.",
)
AWS_TAG_PREFIX = rule(
    "automode:AwsTagPrefix",
    "IngressClassParams",
    severity="error",
    sentence="The tag keys that begin with aws: are AWS's own.",
    source="Elastic Load Balancing API reference, Tag",
    stricter="The CRD asks for the length only; Elastic Load Balancing refuses the tag.",
)
UNPROVEN_FIELD = rule(
    "automode:UnprovenField",
    "IngressClassParams",
    severity="warning",
    sentence="The field is known of the open-source AWS Load Balancer Controller, and not documented for Auto Mode.",
    source="kubernetes-sigs/aws-load-balancer-controller, CRD ingressclassparams.elbv2.k8s.aws",
)
INGRESS_CONTROLLER = rule(
    "automode:IngressController",
    "IngressClass",
    severity="warning",
    sentence=f"Auto Mode's controller of Ingresses is called {ALB_CONTROLLER}.",
    source=_ALB_PAGE,
)
INGRESS_CLASS_PARAMETERS = rule(
    "automode:IngressClassParameters",
    "IngressClass",
    severity="error",
    sentence="The parameters of Auto Mode's IngressClass are an IngressClassParams of eks.amazonaws.com.",
    source=_ALB_PAGE,
)
PARAMETERS_NAMESPACE = rule(
    "automode:ParametersNamespace",
    "IngressClass",
    severity="error",
    sentence="Parameters have a namespace if, and only if, their scope is Namespace.",
    source="Kubernetes API reference, IngressClassParametersReference",
)


def _cidr(value: str) -> str:
    try:
        block = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise AutoModeError.of(
            "", field="", message=f"{shown(value)} is not a range of addresses such as '10.0.0.0/8'"
        ) from None
    if "/" not in value:
        raise AutoModeError.of(
            "", field="", message=f"{shown(value)} has no prefix length", cure=f"write '{value}/{block.max_prefixlen}'"
        )
    return value


_LOG_PREFIX = re.compile(r"(?!.*AWSLogs)[A-Za-z0-9!_.'()-]+(?:/[A-Za-z0-9!_.'()-]+)*")


def check_log_prefix(where: str, field: str, prefix: str) -> None:
    """Refuses a prefix of access logs that Elastic Load Balancing would refuse, or that no permission can name."""
    if not is_token(prefix) and _LOG_PREFIX.fullmatch(prefix) is None:
        raise AutoModeError.of(
            where,
            field=field,
            message=f"{shown(prefix)} is not a prefix of access logs",
            cure='write letters, digits and characters of "!_.\'()-", with single slashes between and none at the '
            "ends, without 'AWSLogs', such as 'load-balancers'",
        )


Cidr = Annotated[str, AfterValidator(_cidr)]
"""A range of IPv4 or IPv6 addresses, ``10.0.0.0/8``."""


def port_or_name(value: Any) -> Any:
    """Checks the number or the name of a port."""
    if isinstance(value, int) and not isinstance(value, bool) and not 1 <= value <= 65535:
        raise AutoModeError.of("", field="", message=f"a port is 1 to 65535, got {shown(value)}")
    if isinstance(value, bool) or not isinstance(value, (int, str)) or value == "" or is_token(value):
        raise AutoModeError.of("", field="", message=f"{shown(value)} is neither a port nor the name of one")
    return value


PortOrName = Annotated[int | str, BeforeValidator(port_or_name)]
"""A port's number, or its name."""


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
    values: TokenListOf[str] | None = None
    """Tag values, any of which will do."""


class IngressSubnets(KubeModel):
    """The load balancer's subnets, by ids or by tags."""

    wrong_names: ClassVar = {
        "tags": "write matchTags, a list of {key, values}; tags is the open-source controller's name"
    }

    ids: TokenListOf[Annotated[str, matching(r"subnet-[0-9a-f]+", "a subnet id ('subnet-...')")]] | None = None
    """Subnet ids."""
    match_tags: ListOf[SubnetTag] | None = None
    """Tags, all of which must match."""

    def _broken_rules(self) -> Iterator[Problem]:
        if (self.ids is None) == (self.match_tags is None):
            number = "both" if self.ids is not None else "neither"
            yield INGRESS_SUBNETS.problem(
                "", worded("subnets need exactly one of 'ids' and '{match_tags}', got {number}", number=number)
            )


class LoadBalancerTag(KubeModel):
    """A tag of the load balancer; the cluster role needs ``custom_tags`` for it."""

    key: _TagKey
    """At most 128 characters."""
    value: TokenOr[Annotated[str, Field(max_length=256)]]
    """At most 256 characters."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.key.lower().startswith("aws:"):
            yield AWS_TAG_PREFIX.problem("key", f"'{self.key}' begins with 'aws:'", "choose another key")


class LoadBalancerAttribute(KubeModel):
    """An attribute of the load balancer or a listener, such as ``idle_timeout.timeout_seconds``."""

    key: Annotated[str, Field(min_length=1, max_length=256)]
    """Attribute key, at most 256 characters."""
    value: TokenOr[Annotated[str, Field(max_length=1024)]]
    """Attribute value as text, at most 1024 characters."""

    def _broken_rules(self) -> Iterator[Problem]:
        problem = attribute_problem(self.key, self.value)
        if problem is not None:
            message, cure = problem
            yield LOAD_BALANCER_VALUE.problem(
                "value" if "." in self.key else "key", f"{message}, so the controller reports an error", cure
            )


class IngressListener(KubeModel):
    """The attributes of one listener.

    The CRD has this field; AWS's page still calls listener attributes unsupported.
    """

    wrong_names: ClassVar = {"listenerAttributes": renamed("attributes", "listenerAttributes is the open-source name")}

    protocol: Literal["HTTP", "HTTPS"]
    """The listener's protocol."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """The listener's port, 1 to 65535."""
    attributes: ListOf[LoadBalancerAttribute] | None = None
    """Attributes of the listener."""


class MinimumLoadBalancerCapacity(KubeModel):
    """Capacity that is reserved for the load balancer."""

    capacity_units: Annotated[int, Field(ge=0, le=2**31 - 1)]
    """Load balancer capacity units (LCU)."""


class IpamConfiguration(KubeModel):
    """Where the load balancer's public addresses come from."""

    ipv4_ipam_pool_id: TokenOr[str] | None = Field(
        default=None, validation_alias="ipv4IPAMPoolId", serialization_alias="ipv4IPAMPoolId"
    )
    """Id of an IPAM pool with public IPv4 addresses."""


class IngressClassParamsSpec(KubeModel):
    """What the load balancers of an IngressClass are like.

    The last five fields come from the open-source controller and are unproven on Auto Mode: they are accepted, with a
    warning.

    Source: EKS User Guide, "Create an IngressClass to configure an Application Load Balancer".
    """

    wrong_names: ClassVar = {
        "PrefixListsIDs": renamed("prefixListsIDs", "the open-source controller's name has a capital P"),
        "certificateArn": "write certificateARNs, a list; certificateArn is the open-source controller's name",
        "certificateArns": renamed("certificateARNs"),
        "inboundCidrs": renamed("inboundCIDRs"),
    }

    scheme: Literal["internal", "internet-facing"] | None = None
    """Whether the load balancer has public addresses. Default: ``internal``, as EKS decides; always written by us."""
    ip_address_type: Literal["ipv4", "dualstack", "dualstack-without-public-ipv4"] | None = None
    """Address families. Default: ``ipv4``, as EKS decides."""
    group: IngressGroup | None = None
    """Makes all Ingresses of the class share a load balancer. Default: one each."""
    namespace_selector: LabelSelector | None = None
    """The namespaces whose Ingresses may use the class. Default: all."""
    subnets: IngressSubnets | None = None
    """The load balancer's subnets. Default: found by EKS through the subnets' role tags."""
    certificate_arns: TokenListOf[str] | None = Field(
        default=None, validation_alias="certificateARNs", serialization_alias="certificateARNs"
    )
    """ACM certificates. Default: none; the load balancer speaks HTTP only."""
    ssl_policy: TokenOr[str] | None = None
    """ELB security policy. Default: as ELB decides."""
    inbound_cidrs: TokenListOf[Cidr] | None = Field(
        default=None, validation_alias="inboundCIDRs", serialization_alias="inboundCIDRs"
    )
    """Who may connect. Default: everyone who can reach the load balancer, as EKS decides."""
    prefix_lists_ids: TokenListOf[Annotated[str, matching(r"pl-[0-9a-z]+", "a prefix list id ('pl-...')")]] | None = (
        Field(default=None, validation_alias="prefixListsIDs", serialization_alias="prefixListsIDs")
    )
    """Prefix lists of those who may connect."""
    load_balancer_name: (
        TokenOr[
            Annotated[
                str,
                matching(
                    r"(?!internal-)[A-Za-z0-9]([-A-Za-z0-9]{0,30}[A-Za-z0-9])?",
                    "the name of a load balancer (1 to 32 letters, digits and '-', not beginning with 'internal-')",
                ),
            ]
        ]
        | None
    ) = None
    """Name of the load balancer. Default: EKS makes one up."""
    target_type: Literal["instance", "ip"] | None = None
    """Whether targets are nodes or pods. Default: as EKS decides."""
    load_balancer_attributes: ListOf[LoadBalancerAttribute] | None = None
    """Attributes of the load balancer."""
    listeners: ListOf[IngressListener] | None = None
    """Attributes of the listeners."""
    tags: ListOf[LoadBalancerTag] | None = None
    """Tags of the load balancer."""
    minimum_load_balancer_capacity: MinimumLoadBalancerCapacity | None = None
    """Capacity reserved for the load balancer. Unproven on Auto Mode."""
    ipam_configuration: IpamConfiguration | None = None
    """Where public addresses come from. Unproven on Auto Mode."""
    ssl_redirect_port: PortOrName | None = None
    """The HTTPS port that HTTP is sent to. Unproven on Auto Mode, its type too: a number and a text are taken."""
    wafv2_acl_arn: TokenOr[str] | None = None
    """ARN of a WAFv2 web ACL. Unproven on Auto Mode."""
    wafv2_acl_name: TokenOr[str] | None = None
    """Name of a WAFv2 web ACL. Unproven on Auto Mode."""

    def _broken_rules(self) -> Iterator[Problem]:
        for index, arn in enumerate(self.certificate_arns or ()):
            yield from form_problem(f"certificate_arns[{index}]", arn, "arn:.+", "the ARN of a certificate")
        if self.ssl_policy is not None:
            what = "a security policy such as 'ELBSecurityPolicy-TLS13-1-2-2021-06'"
            yield from form_problem("ssl_policy", self.ssl_policy, SSL_POLICY, what)
        for field in (
            "minimum_load_balancer_capacity",
            "ipam_configuration",
            "ssl_redirect_port",
            "wafv2_acl_arn",
            "wafv2_acl_name",
        ):
            if getattr(self, field) is not None:
                yield UNPROVEN_FIELD.problem(
                    field,
                    "is the open-source controller's and not documented for Auto Mode, which may not read it",
                    "use the Ingress annotation of the same purpose",
                )


class IngressClassParameters(KubeModel):
    """The object that holds a class's parameters."""

    api_group: str | None = None
    """``eks.amazonaws.com``."""
    kind: str
    """``IngressClassParams``."""
    name: str
    """Name of the object."""
    scope: Literal["Cluster", "Namespace"] | None = None
    """Default: ``Cluster``, as Kubernetes decides."""
    namespace: str | None = None
    """Only with scope ``Namespace``."""

    def _broken_rules(self) -> Iterator[Problem]:
        if (self.api_group, self.kind) != ("eks.amazonaws.com", "IngressClassParams"):
            yield INGRESS_CLASS_PARAMETERS.problem(
                "",
                f"{shown(self.kind)} of {shown(self.api_group)} is not read by Auto Mode",
                "write apiGroup: eks.amazonaws.com and kind: IngressClassParams",
            )
        if (self.scope == "Namespace") != (self.namespace is not None):
            yield PARAMETERS_NAMESPACE.problem(
                "namespace", f"does not fit scope {self.scope or 'Cluster'}", "leave out scope and namespace"
            )


class IngressClassSpec(KubeModel):
    """An IngressClass of Auto Mode's.

    Source: EKS User Guide, "Create an IngressClass to configure an Application Load Balancer".
    """

    controller: str
    """The controller: ``eks.amazonaws.com/alb``."""
    parameters: IngressClassParameters | None = None
    """The class's IngressClassParams. Default: none; the load balancers are as EKS decides."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.controller != ALB_CONTROLLER:
            yield INGRESS_CONTROLLER.problem(
                "controller",
                f"{shown(self.controller)} is not known, so no controller makes load balancers for its Ingresses",
                Cure(f"write {ALB_CONTROLLER}", Edit(what="value", to=ALB_CONTROLLER)),
            )
