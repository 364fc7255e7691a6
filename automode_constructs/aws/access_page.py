"""The page that says who may do what in a cluster: its access entries, their policies, and the bindings of groups."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cdk8s
from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.access import Access
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.facts.access_policies import people_policies
from automode_constructs.manifests.cluster_values import KUBECTL_GROUP
from automode_constructs.manifests.kubernetes_group import READS, WRITES
from automode_constructs.rendering.render import render

__all__ = ["AREAS", "access_page"]

Rule = Mapping[str, Sequence[str]]

AREAS: Final[Mapping[str, tuple[str, str]]] = {
    "Workloads": ("apps", "deployments"),
    "Shells in pods": ("", "pods/exec"),
    "Secrets": ("", "secrets"),
    "Service accounts": ("", "serviceaccounts"),
    "Roles": ("rbac.authorization.k8s.io", "roles"),
    "Network policies": ("networking.k8s.io", "networkpolicies"),
    "Nodes": ("", "nodes"),
    "NodePools": ("karpenter.sh", "nodepools"),
    "NodeClasses": ("eks.amazonaws.com", "nodeclasses"),
    "Gateways": ("gateway.networking.k8s.io", "gateways"),
    "Argo CD": ("argoproj.io", "applications"),
    "Anything else": ("any.example.com", "things"),
}
"""The columns, each with the API group and the resource that stands for it."""

_CLUSTER_SCOPED = frozenset({"Nodes", "NodePools", "NodeClasses"})
_EVERYBODY = {
    "system:authenticated": "everybody who has an entry, and every pod",
    "system:unauthenticated": "everybody who reaches the API",
    "system:serviceaccounts": "every pod",
}
_BUILT_IN_ROLES = {
    "cluster-admin": "AmazonEKSClusterAdminPolicy",
    "admin": "AmazonEKSAdminPolicy",
    "edit": "AmazonEKSEditPolicy",
    "view": "AmazonEKSViewPolicy",
}
"""ClusterRoles of Kubernetes, each with the access policy that EKS made after it."""
_UNKNOWN: Final[Rule] = {}
"""Stands for the rules of a role that no chart creates."""
_WHOLE_CLUSTER = "whole cluster"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grant:
    """Rules that hold somewhere."""

    scope: str
    source: str
    rules: Sequence[Rule]


@dataclass(kw_only=True, slots=True)
class _Entry:
    """An access entry."""

    principal: str
    note: str = ""
    groups: tuple[str, ...] = ()
    grants: list[_Grant] = field(default_factory=list)


@checked_arguments
def access_page(cluster: ChartTarget, *, charts: Sequence[cdk8s.Chart] = ()) -> str:
    """Who may do what in a cluster, as a page in Markdown.

    The page has a table of access entries with their policies, scopes and groups, and a matrix of what each role may do
    where. It knows every access entry that the app creates for people, also those of the CDK's own ``grant_access``,
    and what the charts that the app has delivered so far bind to groups; wildcards in rules and namespaces count.
    Entries that others create are not on it (``aws eks list-access-entries``), nor are bindings of users and service
    accounts.

    Write it where you keep it: ``Path("access.md").write_text(access_page(cluster))``.

    Args:
        cluster: an ``AutoModeCluster`` or ``ImportedCluster``.
        charts: further charts whose bindings count, such as those that GitOps delivers. Default: none.

    Source: Kubernetes documentation, "Using RBAC Authorization"; EKS User Guide, "Review access policy permissions".
    """
    objects = [
        item.manifest
        for chart in {delivery.place: delivery.chart for delivery in cluster.deliveries}.values()
        for item in render(chart).objects
    ]
    objects += [item.manifest for chart in charts for item in render(chart).objects]
    bound = _bound(objects)
    entries = list(_entries(cluster))
    for entry in entries:
        entry.grants += (grant for group in entry.groups for grant in bound.get(group, ()))
    members = {group for entry in entries for group in entry.groups}
    strangers = [
        _Entry(principal=f"group `{group}`", note=_EVERYBODY.get(group, ""), groups=(group,), grants=list(grants))
        for group, grants in bound.items()
        if group not in members
    ]
    return "\n".join(
        [
            f"# Who may do what in {cluster.node.path}",
            "",
            "| Role | Policies and scopes | Kubernetes groups |",
            "|---|---|---|",
            *(_entry_row(entry) for entry in entries),
            "",
            *_unbound(entries, bound),
            "read: get, list and watch; write: also create, change and delete, as far as the rules say; all: every",
            "verb; (some): named objects only; ?: a role that no known chart creates. An empty cell allows nothing.",
            "The rights of all rows of a role add up. `kubectl auth can-i --list` does not show those of policies.",
            "",
            f"| Role | Where | {' | '.join(AREAS)} | By |",
            f"|---|---|{'---|' * len(AREAS)}---|",
            *(row for entry in [*entries, *strangers] for row in _matrix_rows(entry)),
            "",
        ]
    )


def _entries(cluster: ChartTarget) -> Iterator[_Entry]:
    cluster_name = cluster.cluster.cluster_name
    alarmed: set[str] = set()
    roles: dict[str, str] = {}
    found: list[Any] = []
    for construct in cluster.node.root.node.find_all():
        if isinstance(construct, Access) and construct.cluster is cluster:
            alarmed |= construct.break_glass
        elif isinstance(construct, iam.Role):
            roles[construct.role_arn] = construct.node.path
        # By class: attribute access on an object calls Node.js.
        elif (
            hasattr(type(construct), "attr_access_entry_arn")
            and str(getattr(construct, "cluster_name", "")) == cluster_name
        ):
            found.append(construct)
    if getattr(cluster, "creator_admin", False):
        rules = people_policies()["AmazonEKSClusterAdminPolicy"].rules
        grant = _Grant(scope=_WHOLE_CLUSTER, source="AmazonEKSClusterAdminPolicy", rules=rules)
        yield _Entry(principal="whoever creates the cluster", grants=[grant])
    for construct in found:
        if construct.type not in (None, "STANDARD"):
            continue
        stack, arn = Stack.of(construct), str(construct.principal_arn)
        groups = tuple(stack.resolve(construct.kubernetes_groups) or ())
        notes = {"break-glass": arn in alarmed, "the CDK's kubectl": KUBECTL_GROUP in groups}
        entry = _Entry(
            principal=f"role `{roles[arn]}`" if arn in roles else f"`{_text(stack, arn)}`",
            note=", ".join(note for note, holds in notes.items() if holds),
            groups=groups,
        )
        for policy in stack.resolve(construct.access_policies) or ():
            name = _text(stack, policy["policyArn"]).rpartition("/")[2]
            known = people_policies().get(name)
            spaces = policy["accessScope"].get("namespaces") or ()
            scopes = [f"`{space}`" for space in spaces] or [_WHOLE_CLUSTER]
            rules = [_UNKNOWN] if known is None else known.rules
            entry.grants += (_Grant(scope=scope, source=name, rules=rules) for scope in scopes)
        yield entry


def _bound(objects: Sequence[Mapping[str, Any]]) -> dict[str, list[_Grant]]:
    """What bindings give to groups."""
    roles = {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item.get("rules") or []
        for item in objects
        if item["kind"] in ("Role", "ClusterRole")
    }
    bound: dict[str, list[_Grant]] = {}
    for item in objects:
        if item["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        space = item["metadata"].get("namespace", "default") if item["kind"] == "RoleBinding" else ""
        reference = item.get("roleRef") or {}
        kind, name = reference.get("kind", ""), reference.get("name", "")
        rules = roles.get((kind, space if kind == "Role" else "", name))
        if rules is None and kind == "ClusterRole" and name in _BUILT_IN_ROLES:
            rules = list(people_policies()[_BUILT_IN_ROLES[name]].rules)
        for subject in item.get("subjects") or ():
            if subject.get("kind") == "Group":
                bound.setdefault(subject.get("name", ""), []).append(
                    _Grant(
                        scope=f"`{space}`" if space else _WHOLE_CLUSTER,
                        source=f"{kind} {name}",
                        rules=[_UNKNOWN] if rules is None else rules,
                    )
                )
    return bound


def _entry_row(entry: _Entry) -> str:
    by_policy: dict[str, list[str]] = {}
    for grant in entry.grants:
        if not grant.source.startswith(("Role ", "ClusterRole ")):
            by_policy.setdefault(grant.source, []).append(grant.scope)
    policies = "<br>".join(f"{policy}: {', '.join(scopes)}" for policy, scopes in by_policy.items())
    groups = ", ".join(f"`{group}`" for group in entry.groups)
    return f"| {_name(entry)} | {_cell(policies)} | {_cell(groups)} |"


def _matrix_rows(entry: _Entry) -> Iterator[str]:
    scopes = dict.fromkeys(grant.scope for grant in entry.grants)
    for scope in scopes:
        grants = [grant for grant in entry.grants if grant.scope == scope]
        rules = [rule for grant in grants for rule in grant.rules]
        areas = [
            "" if scope != _WHOLE_CLUSTER and area in _CLUSTER_SCOPED else _rights(rules, *target)
            for area, target in AREAS.items()
        ]
        sources = ", ".join(dict.fromkeys(grant.source for grant in grants))
        cells = " | ".join(_cell(text) for text in (scope, *areas, sources))
        yield f"| {_name(entry)} | {cells} |"


def _rights(rules: Sequence[Rule], group: str, resource: str) -> str:
    """What rules allow with a resource."""
    unknown = ["?"] if _UNKNOWN in rules else []
    verbs: set[str] = set()
    named = False
    for rule in rules:
        if _holds(rule.get("apiGroups", ()), group) and _holds_resource(rule.get("resources", ()), resource):
            verbs |= set(rule.get("verbs", ()))
            named = named or bool(rule.get("resourceNames"))
    some = " (some)" if named else ""
    if "*" in verbs:
        return ", ".join([f"all{some}", *unknown])
    word = "write" if verbs & set(WRITES) else "read" if verbs & set(READS) else ""
    others = sorted(verbs - {*READS, *WRITES})
    known = f"{', '.join([*([word] if word else []), *others])}{some}" if verbs else ""
    return ", ".join([*([known] if known else []), *unknown])


def _holds(names: Sequence[str], name: str) -> bool:
    return "*" in names or name in names


def _holds_resource(names: Sequence[str], resource: str) -> bool:
    """Whether resources of a rule include one; ``*/scale`` is the subresource of all."""
    _, slash, part = resource.partition("/")
    return _holds(names, resource) or (bool(slash) and f"*/{part}" in names)


def _unbound(entries: Sequence[_Entry], bound: Mapping[str, object]) -> Iterator[str]:
    known = {*bound, KUBECTL_GROUP}
    groups = dict.fromkeys(group for entry in entries for group in entry.groups if group not in known)
    if groups:
        names = ", ".join(f"`{group}`" for group in groups)
        yield f"No known chart binds {names}: such groups give no rights, but admission policies may name them."
        yield ""


def _name(entry: _Entry) -> str:
    return _cell(f"{entry.principal} ({entry.note})" if entry.note else entry.principal)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _text(stack: Stack, value: Any) -> str:
    """A value with ``${...}`` for what only a deployment knows."""
    return _plain(stack.resolve(value))


def _plain(value: Any) -> str:
    if isinstance(value, Mapping) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_plain(part) for part in parts)
    if isinstance(value, Mapping) and set(value) == {"Ref"}:
        return f"${{{value['Ref']}}}"
    if isinstance(value, Mapping) and set(value) == {"Fn::GetAtt"}:
        return f"${{{'.'.join(value['Fn::GetAtt'])}}}"
    return value if isinstance(value, str) else json.dumps(value)
