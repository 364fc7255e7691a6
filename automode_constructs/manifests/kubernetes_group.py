"""What the members of a Kubernetes group may do: a group that access entries name, with its role and bindings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import cdk8s
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.errors import Problem, shown
from automode_constructs.manifests.cluster_values import KUBECTL_GROUP
from automode_constructs.manifests.kubernetes_object import KubernetesObject
from automode_constructs.specs.object_metadata import name_problems
from automode_constructs.tokens import is_token

__all__ = ["KINDS", "READS", "WRITES", "GroupKind", "KubernetesGroup", "PolicyRule", "group_problems"]

_API = "rbac.authorization.k8s.io"

READS: Final = ("get", "list", "watch")
WRITES: Final = ("create", "update", "patch", "delete", "deletecollection")

GroupKind = Literal["node-pools", "nodes", "gateways", "load-balancer-classes", "network-policies", "argo-cd"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kinds:
    """Kinds that EKS's access policies do not know.

    Args:
        resources: their resources by API group.
        cluster_scoped: whether they belong to no namespace.
    """

    resources: Mapping[str, tuple[str, ...]]
    cluster_scoped: bool = False


KINDS: Final[Mapping[str, Kinds]] = {
    "node-pools": Kinds(
        resources={
            "karpenter.sh": ("nodepools", "nodeclaims"),
            "eks.amazonaws.com": ("nodeclasses", "nodediagnostics"),
        },
        cluster_scoped=True,
    ),
    "nodes": Kinds(resources={"": ("nodes",), "metrics.k8s.io": ("nodes",)}, cluster_scoped=True),
    "gateways": Kinds(
        resources={
            "gateway.networking.k8s.io": (
                *("gateways", "grpcroutes", "httproutes", "listenersets", "referencegrants"),
                *("tcproutes", "tlsroutes", "udproutes"),
            ),
            "gateway.k8s.aws": (
                "listenerruleconfigurations",
                "loadbalancerconfigurations",
                "targetgroupconfigurations",
            ),
            "eks.amazonaws.com": ("targetgroupbindings",),
        }
    ),
    "load-balancer-classes": Kinds(
        resources={
            "gateway.networking.k8s.io": ("gatewayclasses",),
            "networking.k8s.io": ("ingressclasses",),
            "eks.amazonaws.com": ("ingressclassparams",),
        },
        cluster_scoped=True,
    ),
    "network-policies": Kinds(resources={"networking.k8s.aws": ("applicationnetworkpolicies",)}),
    "argo-cd": Kinds(resources={"argoproj.io": ("applications", "applicationsets", "appprojects")}),
}
"""Kinds by the name that ``view`` and ``edit`` of ``KubernetesGroup`` take.

Source: CRDs of an Auto Mode cluster; Gateway API; AWS Load Balancer Controller; Argo CD.
"""

_RESERVED = {
    "system:": "EKS refuses groups that begin 'system:'",
    "eks:": "groups that begin 'eks:' belong to EKS itself",
}
_INSTEAD_OF = {
    "system:masters": "associate AmazonEKSClusterAdminPolicy",
    "system:authenticated": "leave it out; every principal with an access entry is a member",
    KUBECTL_GROUP: "name a group of your own; Guardrails(trusted_groups=[...]) trusts its members",
}


def group_problems(field: str, group: str) -> Iterator[Problem]:
    """Why a name cannot be a Kubernetes group of an access entry.

    Args:
        field: where the name stands, for the message.
        group: the name.

    Source: EKS API Reference, "CreateAccessEntry"; its answer to ``system:masters``.
    """
    if is_token(group):
        yield Problem(
            field=field,
            message="holds a value known only after deployment",
            cure="give the concrete name that the bindings use",
        )
        return
    cure = _INSTEAD_OF.get(group, "name a group of your own, and bind it with KubernetesGroup")
    for prefix, why in _RESERVED.items():
        if group.startswith(prefix):
            yield Problem(field=field, message=f"{shown(group)} is not a group for people: {why}", cure=cure)
            return
    if group == KUBECTL_GROUP:
        yield Problem(
            field=field,
            message=f"'{group}' is the group of the CDK's kubectl, which passes every guard rail",
            cure=cure,
        )
    elif not group or not group.isprintable() or any(character.isspace() for character in group):
        yield Problem(
            field=field, message=f"{shown(group)} is not the name of a group", cure="use a name without blanks"
        )


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyRule:
    """One rule of a Role or ClusterRole: verbs on resources.

    Args:
        api_groups: the API groups; ``""`` is the core group, ``*`` all.
        resources: the resources in the plural (``pods``), each perhaps with a subresource (``pods/log``).
        verbs: such as ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch``, ``delete``.
        resource_names: the only objects that are meant. Default: all.

    Source: Kubernetes API reference, ``PolicyRule``.
    """

    api_groups: Sequence[str]
    resources: Sequence[str]
    verbs: Sequence[str]
    resource_names: Sequence[str] = ()

    def to_manifest(self) -> dict[str, Any]:
        """The rule as a manifest has it."""
        rule: dict[str, Any] = {
            "apiGroups": list(self.api_groups),
            "resources": list(self.resources),
            "verbs": list(self.verbs),
        }
        return {**rule, "resourceNames": list(self.resource_names)} if self.resource_names else rule


class KubernetesGroup(Construct):
    """A Kubernetes group, and what its members may do with kinds that no access policy of EKS knows.

    Creates a ClusterRole and a ClusterRoleBinding called ``name``; with ``namespaces``, a Role and a RoleBinding of
    that name in each of them. An access entry makes IAM roles members: ``AccessGrant(kubernetes_groups=[...])``. EKS
    never checks that a group is bound, and one that is not gives no rights. What its members may do is added to their
    access policies; ``kubectl auth can-i --list`` shows the part of the group only.

    Args:
        scope: the cdk8s chart, or a construct in one.
        id: the construct's id.
        view: kinds that members read: names of ``KINDS``. Default: none.
        edit: kinds that members read, create, change and delete. ``nodes`` is for cordoning and deleting nodes; a drain
            also evicts pods, which takes a rule for ``pods/eviction``. Default: none.
        rules: further rules. Default: none.
        namespaces: the namespaces where all this holds. Default: the whole cluster; we decide.
        name: the group's name, which role and bindings have too. Default: the construct's id; we decide.

    Attributes:
        name: the group's name.

    Raises:
        AutoModeError: for no rules at all; for kinds without a namespace beside ``namespaces``; for a rule that lacks
            groups, resources or verbs, or allows everything; for a group that EKS refuses.

    Source: Kubernetes documentation, "Using RBAC Authorization"; EKS User Guide, "Review access policy permissions".
    """

    @checked_arguments
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        view: Sequence[GroupKind] = (),
        edit: Sequence[GroupKind] = (),
        rules: Sequence[PolicyRule] = (),
        namespaces: Sequence[str] | None = None,
        name: str | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        self.name = id if name is None else name
        refusals.problems += group_problems("name" if name is not None else "id", self.name)
        if not refusals.problems:
            refusals.problems += name_problems("name", self.name, api_version=f"{_API}/v1", kind="Role")
        _check_kinds(refusals, view, edit, namespaced=namespaces is not None)
        if not view and not edit and not rules:
            refusals.refuse("rules", "are missing, and so are view and edit: members may do nothing", "name kinds")
        for position, rule in enumerate(rules):
            _check_rule(refusals, f"rules[{position}]", rule)
        if namespaces is not None:
            _check_namespaces(refusals, namespaces)
        refusals.raise_all()

        super().__init__(scope, id)
        self.rules = (*_rules_of(view, READS), *_rules_of(edit, (*READS, *WRITES)), *rules)
        """The rules of the role."""
        if namespaces is None:
            self._bind("ClusterRole", "ClusterRoleBinding", None)
        for namespace in namespaces or ():
            self._bind("Role", "RoleBinding", namespace)

    def _bind(self, role: str, binding: str, namespace: str | None) -> None:
        bodies: dict[str, dict[str, Any]] = {
            role: {"rules": [rule.to_manifest() for rule in self.rules]},
            binding: {
                "roleRef": {"apiGroup": _API, "kind": role, "name": self.name},
                "subjects": [{"apiGroup": _API, "kind": "Group", "name": self.name}],
            },
        }
        for kind, body in bodies.items():
            made = KubernetesObject(
                self,
                kind if namespace is None else f"{namespace}-{kind}",
                api_version=f"{_API}/v1",
                kind=kind,
                name=self.name,
                cluster_scoped=namespace is None,
                body=body,
            )
            if namespace is not None:
                made.add_json_patch(cdk8s.JsonPatch.add("/metadata/namespace", namespace))


def _rules_of(kinds: Sequence[str], verbs: tuple[str, ...]) -> Iterator[PolicyRule]:
    for kind in kinds:
        for group, resources in KINDS[kind].resources.items():
            # What metrics-server serves is measured, so that nobody writes it.
            allowed = READS if group == "metrics.k8s.io" else verbs
            yield PolicyRule(api_groups=[group], resources=resources, verbs=allowed)


def _check_kinds(refusals: Refusals, view: Sequence[str], edit: Sequence[str], *, namespaced: bool) -> None:
    for field, kinds in (("view", view), ("edit", edit)):
        for position, kind in enumerate(kinds):
            if namespaced and KINDS[kind].cluster_scoped:
                refusals.refuse(
                    f"{field}[{position}]",
                    f"'{kind}' belong to no namespace, and a Role in a namespace gives no right to them",
                    "make a second KubernetesGroup without namespaces for them",
                )
    for kind in dict.fromkeys(view):
        if kind in edit:
            refusals.refuse("view", f"'{kind}' is in edit too, which includes reading", "name it in one of the two")
    for field, kinds in (("view", view), ("edit", edit)):
        if len(set(kinds)) != len(kinds):
            refusals.refuse(field, f"names one twice: {list(kinds)}", "name each once")


def _check_rule(refusals: Refusals, field: str, rule: PolicyRule) -> None:
    for name in ("api_groups", "resources", "verbs"):
        if not getattr(rule, name):
            refusals.refuse(
                f"{field}.{name}",
                "is empty, and the rule allows nothing",
                "write api_groups=[''] for the core group" if name == "api_groups" else "name at least one",
            )
    if "" in rule.resources or "" in rule.verbs:
        refusals.refuse(f"{field}.resources" if "" in rule.resources else f"{field}.verbs", "names nothing: ''")
    if all("*" in names for names in (rule.api_groups, rule.resources, rule.verbs)):
        refusals.refuse(
            field, "allows everything", "associate AmazonEKSClusterAdminPolicy, which shows on the access entry"
        )


def _check_namespaces(refusals: Refusals, namespaces: Sequence[str]) -> None:
    if not namespaces:
        refusals.refuse("namespaces", "is empty", "name namespaces, or leave it out for the whole cluster")
    for position, namespace in enumerate(namespaces):
        if is_token(namespace):
            refusals.refuse(
                f"namespaces[{position}]",
                "holds a value known only after deployment",
                "give the concrete name that the chart uses",
            )
            continue
        refusals.problems += name_problems(f"namespaces[{position}]", namespace, api_version="v1", kind="Namespace")
    if len(set(namespaces)) != len(namespaces):
        refusals.refuse("namespaces", "names one twice", "name each once")
