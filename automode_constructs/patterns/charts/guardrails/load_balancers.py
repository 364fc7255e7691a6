"""Load balancers: which have addresses on the internet."""

from __future__ import annotations

from collections.abc import Sequence

from automode_constructs.patterns.charts.guardrails.admission_policy import (
    AdmissionPolicy,
    Resources,
    offence_policy,
    text,
    texts,
)

__all__ = ["internal_load_balancers"]

_RESOURCES = (
    Resources(group="", version="v1", names=("services",)),
    Resources(group="networking.k8s.io", version="v1", names=("ingresses",)),
    Resources(group="eks.amazonaws.com", version="v1", names=("ingressclassparams",)),
    # Of gateways; the group is that of the AWS Load Balancer Controller, and it is not known whether Auto Mode has
    # another (?). A kind that is not served does no harm.
    Resources(group="gateway.k8s.aws", version="*", names=("loadbalancerconfigurations",)),
)
_SERVICE_SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"
_INGRESS_SCHEME = "alb.ingress.kubernetes.io/scheme"


def internal_load_balancers(
    name: str, public_namespaces: Sequence[str], spared_namespaces: tuple[str, ...]
) -> AdmissionPolicy:
    """Refuses the schemes of load balancers with public addresses outside the named namespaces.

    An IngressClassParams belongs to no namespace: it may be public if it admits only the named namespaces.
    """
    cure = "set internal, or use a namespace that is named for public load balancers (public_namespaces)"
    return offence_policy(
        name,
        resources=_RESOURCES,
        found=_found("dyn(object)", public_namespaces),
        before=_found("dyn(oldObject)", public_namespaces),
        message=f"this load balancer would have public addresses; {cure}",
        what="this load balancer would have public addresses",
        cure=cure,
        spared_namespaces=(*spared_namespaces, *public_namespaces),
    )


def _found(owner: str, public_namespaces: Sequence[str]) -> str:
    of_service = f"has({owner}.spec.type) && {owner}.spec.type == 'LoadBalancer'"
    public = f"has({owner}.spec) && has({owner}.spec.scheme) && {owner}.spec.scheme != 'internal'"
    return (
        f"{owner}.kind == 'Service' ? ({of_service} ? {_annotation(owner, _SERVICE_SCHEME)} : []) : "
        f"{owner}.kind == 'Ingress' ? {_annotation(owner, _INGRESS_SCHEME)} : "
        f"{public} && !({_admits_only(owner, public_namespaces)}) ? ['spec.scheme ' + {owner}.spec.scheme] : []"
    )


def _annotation(owner: str, key: str) -> str:
    """The annotation, if it asks for anything but an internal load balancer, which is also the default."""
    annotations = f"{owner}.metadata.annotations"
    there = f"has({annotations}) && {text(key)} in {annotations}"
    return (
        f"({there} && {annotations}[{text(key)}] != 'internal' ? [{text(f'{key} ')} + {annotations}[{text(key)}]] : [])"
    )


def _admits_only(owner: str, namespaces: Sequence[str]) -> str:
    label, names = "kubernetes.io/metadata.name", texts(namespaces)
    selector = f"{owner}.spec.namespaceSelector"
    return (
        f"has({selector}) && ("
        f"has({selector}.matchLabels) && {text(label)} in {selector}.matchLabels"
        f" && {selector}.matchLabels[{text(label)}] in {names}"
        f" || has({selector}.matchExpressions) && {selector}.matchExpressions.exists(e, e.key == {text(label)}"
        f" && e.operator == 'In' && has(e.values) && e.values.all(value, value in {names})))"
    )
