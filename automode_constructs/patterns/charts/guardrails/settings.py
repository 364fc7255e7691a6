"""Guardrails: which rules a cluster has, and whom and what they spare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from automode_constructs.arguments import Refusals, checked_arguments
from automode_constructs.errors import shown
from automode_constructs.patterns.charts.guardrails.admission_policy import AdmissionPolicy
from automode_constructs.patterns.charts.guardrails.identities import not_trusted
from automode_constructs.patterns.charts.guardrails.images import image_registries, image_tags
from automode_constructs.patterns.charts.guardrails.load_balancers import internal_load_balancers
from automode_constructs.patterns.charts.guardrails.node_pools import node_pools
from automode_constructs.patterns.charts.guardrails.pod_security import Level, pod_security
from automode_constructs.patterns.charts.guardrails.privileges import privileges
from automode_constructs.patterns.charts.guardrails.requests import requests
from automode_constructs.patterns.charts.guardrails.tenants import Tenant, tenant_taints
from automode_constructs.tokens import is_token

__all__ = ["ADD_ON_NAMESPACES", "MOST_ITEMS", "RULE_NAMES", "Guardrail", "Guardrails"]

Guardrail = Literal[
    "internal-load-balancers",
    "image-registries",
    "image-tags",
    "requests",
    "privileges",
    "tenant-taints",
    "node-pools",
    "pod-security",
]
RULE_NAMES: tuple[Guardrail, ...] = get_args(Guardrail)
"""Every rule, in the order of the documentation."""

ADD_ON_NAMESPACES = ("amazon-cloudwatch", "amazon-guardduty")
"""Namespaces, besides ``kube-system``, that managed add-ons of EKS create and run in."""

MOST_ITEMS = 64
"""The API server gives each expression a budget: what it loops over must have an end."""

_ALWAYS_SPARED = ("kube-system", "kube-node-lease", "kube-public")
_A_NAMESPACE = ("the name of a namespace", "use at most 63 lower-case letters, digits and '-'")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REGISTRY = re.compile(r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::[0-9]+)?|[a-z0-9-]+:[0-9]+|localhost)(?:/[a-z0-9._-]+)*")
_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")
_ROLE = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/(?:[\x21-\x7e]+/)?[A-Za-z0-9+=,.@_-]{1,64}")
_SERVICE_ACCOUNTS = re.compile(f"system:serviceaccounts:{_NAMESPACE.pattern}")


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class Guardrails:
    """What a cluster's API server refuses: the rules of ``ClusterGuardrails``.

    All rules are on, except ``tenant-taints`` without tenants. Each policy's messages say what it refuses.

    Args:
        image_registries: hosts of registries that images may come from, each alone or with the beginning of a path
            (``public.ecr.aws``, ``docker.io/library``); required unless the rule ``image-registries`` is left out.
        tenants: the taints of the tenants' NodePools, with the namespaces whose pods may tolerate them. Default: none.
        agent_namespaces: namespaces of node agents, whose pods may tolerate every taint. Default: none.
        public_namespaces: namespaces whose load balancers may have public addresses. Default: none.
        privileged_namespaces: namespaces whose pods may be privileged, use paths and namespaces of the host, and which
            may enforce any Pod Security level. Default: none.
        pod_security: the lowest Pod Security level that a namespace may enforce. Default: ``baseline``; we decide.
        node_pool_groups: Kubernetes groups whose members may change NodePools and NodeClasses, besides the CDK.
            Default: none.
        trusted_groups: Kubernetes groups whose members' writes pass every rule. Default: none.
        trusted_role_arns: IAM roles whose writes pass every rule, such as that of the Argo CD capability or of a
            kubectl handler of another app. Default: none; the CDK's handler of this cluster is trusted anyway.
        spared_namespaces: namespaces whose pods, Services and Ingresses no rule looks at, besides those of Kubernetes
            itself. Default: ``amazon-cloudwatch`` and ``amazon-guardduty``, of EKS's managed add-ons; we decide.
        leave_out: rules that are not created. Default: none.
        only_warn: rules that refuse nothing: the API server warns the user, and the audit log has it. Default: none.

    Raises:
        AutoModeError: without registries; for a name that is no namespace, registry, group or role; for a rule that is
            both left out and to warn; for an argument of a rule that is left out; for more than 64 items in a list.
    """

    image_registries: Sequence[str] = ()
    tenants: Sequence[Tenant] = ()
    agent_namespaces: Sequence[str] = ()
    public_namespaces: Sequence[str] = ()
    privileged_namespaces: Sequence[str] = ()
    pod_security: Level = "baseline"
    node_pool_groups: Sequence[str] = ()
    trusted_groups: Sequence[str] = ()
    trusted_role_arns: Sequence[str] = ()
    spared_namespaces: Sequence[str] = ADD_ON_NAMESPACES
    leave_out: Sequence[Guardrail] = ()
    only_warn: Sequence[Guardrail] = ()

    def __post_init__(self) -> None:
        refusals = Refusals("Guardrails")
        self._check_rules(refusals)
        self._check_lists(refusals)
        self._check_tenants(refusals)
        refusals.raise_all()

    def policies(self) -> list[AdmissionPolicy]:
        """The policies of the rules, in the order of the rules."""
        trusted = not_trusted(self.trusted_groups, self.trusted_role_arns)
        return [
            (policy.warning() if rule in self.only_warn else policy).under(trusted)
            for rule in RULE_NAMES
            if rule not in self.leave_out
            for policy in self._policies_of(rule)
        ]

    def _policies_of(self, rule: Guardrail) -> Iterable[AdmissionPolicy]:
        name = f"automode-{rule}"
        spared = (*_ALWAYS_SPARED, *self.spared_namespaces)
        match rule:
            case "internal-load-balancers":
                return [internal_load_balancers(name, self.public_namespaces, spared)]
            case "image-registries":
                return [image_registries(name, self.image_registries, spared)]
            case "image-tags":
                return [image_tags(name, spared)]
            case "requests":
                return [requests(name, spared)]
            case "privileges":
                return [privileges(name, (*spared, *self.privileged_namespaces))]
            case "tenant-taints":
                return [tenant_taints(name, self.tenants, (*spared, *self.agent_namespaces))] if self.tenants else []
            case "node-pools":
                return node_pools(name, self.node_pool_groups)
            case "pod-security":
                return [pod_security(name, self.pod_security, self.privileged_namespaces)]

    def _check_rules(self, refusals: Refusals) -> None:
        for rule in dict.fromkeys(self.only_warn):
            if rule in self.leave_out:
                refusals.refuse("only_warn", f"'{rule}' is left out too", "name it in one of the two")
        if not self.image_registries and "image-registries" not in self.leave_out:
            refusals.refuse(
                "image_registries",
                "is required: no image would be admitted",
                "name the registries, or write leave_out=['image-registries']",
            )
        for field, rule in (
            ("image_registries", "image-registries"),
            ("tenants", "tenant-taints"),
            ("agent_namespaces", "tenant-taints"),
            ("public_namespaces", "internal-load-balancers"),
            ("node_pool_groups", "node-pools"),
        ):
            if getattr(self, field) and rule in self.leave_out:
                refusals.refuse(field, f"is for the rule '{rule}', which is left out", "remove one of the two")
        if "tenant-taints" in self.only_warn and not self.tenants:
            refusals.refuse("only_warn", "'tenant-taints' has nothing to warn of without tenants", "name tenants")
        if self.agent_namespaces and not self.tenants:
            refusals.refuse("agent_namespaces", "spares from the taints of tenants, and there are none", "name tenants")

    def _check_lists(self, refusals: Refusals) -> None:
        for field in ("agent_namespaces", "public_namespaces", "privileged_namespaces", "spared_namespaces"):
            _check_each(refusals, field, getattr(self, field), _NAMESPACE, *_A_NAMESPACE)
        _check_each(
            refusals,
            "image_registries",
            [_TOKEN.sub("token.x", registry) for registry in self.image_registries],
            _REGISTRY,
            "the host of a registry",
            "write it like 'public.ecr.aws', without a scheme, a tag or a slash at its end; Docker Hub is 'docker.io'",
        )
        _check_each(
            refusals,
            "trusted_role_arns",
            self.trusted_role_arns,
            _ROLE,
            "the ARN of an IAM role",
            "write arn:<partition>:iam::<account>:role/<role>, with its path",
        )
        for field in ("node_pool_groups", "trusted_groups"):
            _check_groups(refusals, field, getattr(self, field))
        for field in ("tenants", "leave_out", "only_warn"):
            _check_length(refusals, field, getattr(self, field))

    def _check_tenants(self, refusals: Refusals) -> None:
        labels = [tenant.label for tenant in self.tenants]
        for position, tenant in enumerate(self.tenants):
            field = f"tenants[{position}]"
            if not tenant.namespaces:
                refusals.refuse(f"{field}.namespaces", "is empty, so that nobody could use the nodes", "name one")
            _check_each(refusals, f"{field}.namespaces", tenant.namespaces, _NAMESPACE, *_A_NAMESPACE)
            if tenant.label in labels[:position]:
                refusals.refuse(
                    f"{field}.taint", f"'{tenant.label}' is another tenant's too", "give each its own taint"
                )


def _check_length(refusals: Refusals, field: str, values: Sequence[object]) -> bool:
    if len(values) > MOST_ITEMS:
        refusals.refuse(
            field, f"has {len(values)} items, more than {MOST_ITEMS}", "make guard rails with fewer of them"
        )
        return False
    return True


def _check_each(
    refusals: Refusals, field: str, values: Sequence[str], form: re.Pattern[str], what: str, cure: str
) -> None:
    if not _check_length(refusals, field, values):
        return
    for position, value in enumerate(values):
        if is_token(value):
            refusals.refuse(f"{field}[{position}]", "is known only after deployment", "write a concrete value")
        elif form.fullmatch(value) is None:
            refusals.refuse(f"{field}[{position}]", f"{shown(value)} is not {what}", cure)


def _check_groups(refusals: Refusals, field: str, groups: Sequence[str]) -> None:
    if not _check_length(refusals, field, groups):
        return
    for position, group in enumerate(groups):
        if is_token(group) or not group.strip() or not group.isprintable() or len(group) > 256:
            refusals.refuse(f"{field}[{position}]", f"{shown(group)} is not the name of a group")
        elif group.startswith("system:") and _SERVICE_ACCOUNTS.fullmatch(group) is None:
            refusals.refuse(
                f"{field}[{position}]",
                f"'{group}' is a group of Kubernetes itself, which no access entry can give",
                "name a group of an access entry, or the service accounts of a namespace "
                "(system:serviceaccounts:<namespace>)",
            )
