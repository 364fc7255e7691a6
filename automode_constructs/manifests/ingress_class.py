"""IngressClass and IngressClassParams as cdk8s constructs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from constructs import Construct

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.manifests.flat import FlatFields, fields_at
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.traffic.ingress_class import (
    ALB_CONTROLLER,
    IngressClassParamsSpec,
    IngressGroup,
    IngressListener,
    IngressSubnets,
    IpamConfiguration,
    LoadBalancerAttribute,
    LoadBalancerTag,
    MinimumLoadBalancerCapacity,
)
from automode_constructs.specs.traffic.label_selector import LabelSelector

__all__ = ["IngressClass", "IngressClassParams"]


FIELDS = fields_at("", IngressClassParamsSpec)
"""The fields of the spec that are keywords of ``IngressClassParams``, each with its path in the spec."""


class IngressClassParamsFields(TypedDict, total=False):
    """The keywords of ``IngressClassParams`` that are fields of its spec; its docstring describes them."""

    scheme: Literal["internal", "internet-facing"] | None
    ip_address_type: Literal["ipv4", "dualstack", "dualstack-without-public-ipv4"] | None
    group: IngressGroup | None
    namespace_selector: LabelSelector | None
    subnets: IngressSubnets | None
    certificate_arns: Sequence[str] | None
    ssl_policy: str | None
    inbound_cidrs: Sequence[str] | None
    prefix_lists_ids: Sequence[str] | None
    load_balancer_name: str | None
    target_type: Literal["instance", "ip"] | None
    load_balancer_attributes: Sequence[LoadBalancerAttribute] | None
    listeners: Sequence[IngressListener] | None
    tags: Sequence[LoadBalancerTag] | None
    minimum_load_balancer_capacity: MinimumLoadBalancerCapacity | None
    ipam_configuration: IpamConfiguration | None
    ssl_redirect_port: int | str | None
    wafv2_acl_arn: str | None
    wafv2_acl_name: str | None


class IngressClassParams(KubernetesObject):
    """The settings of the load balancers of an IngressClass.

    Creates an object of kind ``IngressClassParams``. Give its fields as keywords, in ``spec``, or partly in each;
    ``scheme: internal`` is written if no scheme is set.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        scheme: whether the load balancer has public addresses. Default: ``internal``; we decide, as EKS does.
        ip_address_type: address families. Default: ``ipv4``, as EKS decides.
        group: makes all Ingresses of the class share a load balancer. Default: one each.
        namespace_selector: the namespaces whose Ingresses may use the class. Default: all.
        subnets: the load balancer's subnets. Default: found by EKS through the subnets' role tags.
        certificate_arns: ACM certificates. Default: none; the load balancer speaks HTTP only.
        ssl_policy: ELB security policy. Default: as ELB decides.
        inbound_cidrs: who may connect. Default: everyone who can reach the load balancer, as EKS decides.
        prefix_lists_ids: prefix lists of those who may connect. Default: none.
        load_balancer_name: name of the load balancer, at most 32 characters. Default: EKS chooses one.
        target_type: whether targets are nodes (``instance``) or pods (``ip``). Default: as EKS decides.
        load_balancer_attributes: attributes of the load balancer. Default: as ELB decides.
        listeners: attributes of the listeners. Default: as ELB decides.
        tags: tags of the load balancer. Default: only EKS's own.
        minimum_load_balancer_capacity: capacity reserved for the load balancer; unproven on Auto Mode. Default: none.
        ipam_configuration: where public addresses come from; unproven on Auto Mode. Default: as ELB decides.
        ssl_redirect_port: the HTTPS port that HTTP is redirected to; unproven on Auto Mode. Default: none.
        wafv2_acl_arn: ARN of a WAFv2 web ACL; unproven on Auto Mode. Default: none.
        wafv2_acl_name: name of a WAFv2 web ACL; unproven on Auto Mode. Default: none.
        spec: the parameters in the manifest's form. Default: none; the keywords give all fields.
        name: the object's name. Default: the construct's id; we decide.

    Raises:
        AutoModeError: for a field given twice; for everything that ``IngressClassParamsSpec`` refuses.

    Source: EKS User Guide, "Create an IngressClass to configure an Application Load Balancer".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        spec: IngressClassParamsSpec | None = None,
        name: str | None = None,
        **fields: Unpack[IngressClassParamsFields],
    ) -> None:
        flat = FlatFields(place(scope, id), IngressClassParamsSpec, FIELDS, spec, fields)
        spec = flat.merged()
        self.spec = spec.replace(scheme=spec.scheme or "internal")
        super().__init__(
            scope,
            id,
            api_version="eks.amazonaws.com/v1",
            kind="IngressClassParams",
            name=name,
            body={"spec": self.spec.to_manifest()},
            warnings=flat.as_given(self.spec.warnings()),
        )


class IngressClass(KubernetesObject):
    """An IngressClass for whose Ingresses Auto Mode creates an Application Load Balancer.

    Creates an object of kind ``IngressClass`` for the controller ``eks.amazonaws.com/alb``.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        params: the load balancers' parameters.
        default_class: whether Ingresses without a class get this one. Default: False; we decide.
        name: the class's name. Default: the construct's id; we decide.

    Source: EKS User Guide, "Create an IngressClass to configure an Application Load Balancer".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        params: IngressClassParams,
        default_class: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            api_version="networking.k8s.io/v1",
            kind="IngressClass",
            name=name,
            body={
                "spec": {
                    "controller": ALB_CONTROLLER,
                    "parameters": {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": params.name},
                }
            },
            annotations={"ingressclass.kubernetes.io/is-default-class": "true"} if default_class else None,
        )
