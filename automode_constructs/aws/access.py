"""Who may use a cluster: access entries for IAM roles, in a stack apart from the cluster's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from aws_cdk import Aws, Stack
from aws_cdk import aws_eks as eks_l1
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.break_glass import BreakGlassAlarm
from automode_constructs.aws.cluster_arguments import check_admins
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.fleet import Register
from automode_constructs.aws.group_bindings import warn_of_unbound_groups
from automode_constructs.aws.roles import check_role_arn
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import did_you_mean, shown
from automode_constructs.facts.access_policies import people_policies, service_policies
from automode_constructs.facts.regions import partition_of
from automode_constructs.manifests.cluster_values import KUBECTL_GROUP
from automode_constructs.manifests.kubernetes_group import group_problems
from automode_constructs.specs.object_metadata import name_problems
from automode_constructs.tokens import is_token

__all__ = ["Access", "AccessGrant", "AdminAccess", "admin_ids", "admin_policy", "put_in_kubectl_group"]


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class AccessGrant:
    """What one IAM role may do in a cluster: an access policy of EKS, Kubernetes groups, or both.

    Of the policies, ``AmazonEKSEditPolicy`` and ``AmazonEKSAdminPolicy`` let their holders read and write Secrets and
    impersonate service accounts, and for the whole cluster that includes those of ``kube-system``: name namespaces.
    ``AmazonEKSAdminViewPolicy`` reads Secrets too, ``AmazonEKSViewPolicy`` does not. Only
    ``AmazonEKSClusterAdminPolicy`` knows NodePools, Gateways and other custom kinds, and ``AmazonEKSAdminViewPolicy``
    reads them; for all others there is ``KubernetesGroup``.

    Args:
        role: the role, or its ARN with the path that it has. A role of this app is better than its ARN, because the
            entry then waits for it. It may be in another account. For a permission set of IAM Identity Center see
            ``PermissionSetRole``.
        policy: the name of an access policy for people: ``AmazonEKSClusterAdminPolicy``, ``AmazonEKSAdminPolicy``,
            ``AmazonEKSEditPolicy``, ``AmazonEKSViewPolicy``, ``AmazonEKSAdminViewPolicy``,
            ``AmazonEKSSecretReaderPolicy`` or ``AmazonEKSSecretAdminPolicy``. Default: none; the groups decide.
        namespaces: the namespaces that the policy is for; ``*`` stands for any characters (``team-a-*``). EKS does not
            check that they exist. Default: the whole cluster, as EKS decides.
        kubernetes_groups: groups that the role's sessions are in, see ``KubernetesGroup``. Default: none.
        break_glass: whether each use of the role is an alarm; see ``Access``. Default: False.

    Source: EKS User Guide, "Associate access policies with access entries", "Review access policy permissions".
    """

    role: iam.IRole | str
    policy: str | None = None
    namespaces: Sequence[str] | None = None
    kubernetes_groups: Sequence[str] = ()
    break_glass: bool = False


class Access(Construct):
    """Access entries of a cluster for IAM roles, each with what its grants say.

    Creates one access entry for each role, whose grants add up: ``AmazonEKSEditPolicy`` in a team's namespaces and
    ``AmazonEKSViewPolicy`` for the whole cluster are two grants. EKS refuses a role that does not exist. In a stack of
    its own, such as ``AccessStack``, the entries roll back without the cluster; removing a grant removes the right, and
    with the last one the entry. An entry costs nothing.

    EKS does not check that something binds a group. Where the app delivers charts to its own cluster and none of them
    names a group, synthesis warns (``automode:UnboundGroup``).

    For break-glass roles it also creates a ``BreakGlassAlarm``, which sends each use to ``alarm_topic``.

    An entry belongs to the role that existed when it was created: delete and create a role of the same name, and the
    entry admits nobody. Entries of an ``AdminAccess`` are other resources: to move a role from there to here, deploy
    once without it, since EKS takes one entry for a role.

    Args:
        scope: a stack in the cluster's account and region, other than the cluster's own.
        id: the construct's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster``.
        grants: who may do what, in any order; may be empty.
        alarm_topic: where uses of break-glass roles are reported; required if there are any. Default: none.

    Attributes:
        grants: the grants.
        entries: the access entries, keyed by the ARN of the role.
        alarm: the ``BreakGlassAlarm``; ``None`` without break-glass roles.

    Raises:
        AutoModeError: for a value that is not the ARN of an IAM role that a person can assume; for a role of the nodes
            or the cluster, or one that has an entry elsewhere in this app; for a grant of nothing; for a policy that is
            unknown, meant for services, or granted twice to a role; for what is no namespace; for a group that EKS
            refuses or that belongs to the CDK; for break-glass roles without a topic; for a stack in another
            environment.

    Source: EKS User Guide, "Create access entries"; ``AWS::EKS::AccessEntry``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        grants: Sequence[AccessGrant],
        alarm_topic: sns.ITopic | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            cluster.check_environment(
                refusals.where, scope, "a cluster's access entries are created in its own account and region"
            )
        stack = Stack.of(scope)
        for position, grant in enumerate(grants):
            _check_grant(refusals, f"grants[{position}]", grant, stack.region)
        principals = [_Principal.of(stack, grant.role) for grant in grants]
        by_principal: dict[str, list[int]] = {}
        for position, principal in enumerate(principals):
            by_principal.setdefault(principal.key, []).append(position)
        _check_homes(refusals, cluster, {f"grants[{position}].role": one for position, one in enumerate(principals)})
        for positions in by_principal.values():
            _check_together(refusals, {position: grants[position] for position in positions})
        any_alarm = any(grant.break_glass for grant in grants)
        if any_alarm and alarm_topic is None:
            refusals.refuse(
                "alarm_topic",
                "is missing, and there are break-glass roles, whose use nobody would hear of",
                "pass an sns.Topic that people have subscribed to",
            )
        if alarm_topic is not None and not any_alarm:
            refusals.refuse(
                "alarm_topic",
                "is for break-glass roles, and there are none",
                "write AccessGrant(break_glass=True, ...)",
            )
        refusals.raise_all()

        super().__init__(scope, id)
        tag_as_cluster(self, cluster)
        self.cluster = cluster
        self.grants = tuple(grants)
        self.entries: dict[str, eks_l1.CfnAccessEntry] = {}
        for key, positions in by_principal.items():
            arn = principals[positions[0]].arn
            self.entries[arn] = self._entry(key, arn, [grants[position] for position in positions])
        self.break_glass = frozenset(
            one.arn for one, grant in zip(principals, grants, strict=True) if grant.break_glass
        )
        """The ARNs of the break-glass roles, as ``entries`` has them."""
        self.alarm: BreakGlassAlarm | None = None
        if alarm_topic is not None:
            roles = {one.key: grant.role for one, grant in zip(principals, grants, strict=True) if grant.break_glass}
            self.alarm = BreakGlassAlarm(
                self,
                "BreakGlass",
                roles=list(roles.values()),
                topic=alarm_topic,
                audit_log_group=self._audit_log_group(),
            )
        for entry in list(self.entries.values())[:1]:
            groups = [group for grant in grants for group in grant.kubernetes_groups]
            warn_of_unbound_groups(self, entry, cluster=cluster, groups=groups)
        _register(self, cluster, by_principal)

    def _audit_log_group(self) -> logs.ILogGroup | None:
        """The log group of the control plane, if this app creates it and the audit log goes there."""
        if getattr(self.cluster, "log_group", None) is None or "audit" not in getattr(self.cluster, "log_types", ()):
            return None
        # By its name, so that no export keeps the alarm from being removed.
        name = f"/aws/eks/{self.cluster.cluster.cluster_name}/cluster"
        return logs.LogGroup.from_log_group_name(self, "ControlPlaneLogs", name)

    def _entry(self, key: str, arn: str, grants: Sequence[AccessGrant]) -> eks_l1.CfnAccessEntry:
        groups = dict.fromkeys(group for grant in grants for group in grant.kubernetes_groups)
        policies = [
            eks_l1.CfnAccessEntry.AccessPolicyProperty(
                policy_arn=f"arn:{Aws.PARTITION}:eks::aws:cluster-access-policy/{grant.policy}",
                access_scope=eks_l1.CfnAccessEntry.AccessScopeProperty(
                    type="cluster" if grant.namespaces is None else "namespace",
                    namespaces=None if grant.namespaces is None else list(grant.namespaces),
                ),
            )
            for grant in grants
            if grant.policy is not None
        ]
        return eks_l1.CfnAccessEntry(
            self,
            # Never by position: an entry's principal cannot change.
            f"Entry{hashlib.sha256(key.encode()).hexdigest()[:8]}",
            cluster_name=self.cluster.cluster.cluster_name,
            principal_arn=arn,
            access_policies=policies or None,
            kubernetes_groups=list(groups) or None,
        )


class AdminAccess(Construct):
    """IAM roles that administer a cluster, outside the cluster's own stack.

    Creates an access entry with ``AmazonEKSClusterAdminPolicy`` for each role. EKS refuses a role that does not exist.
    In a separate stack such an entry rolls back alone; in the cluster's first deployment, CloudFormation would try to
    delete a cluster that is protected from deletion. ``Access`` is for other rights.

    Args:
        scope: a stack in the cluster's account and region, other than the cluster's own.
        id: the construct's id.
        cluster: an ``AutoModeCluster`` or ``ImportedCluster``.
        admin_role_arns: ARNs of IAM roles, each with its path, in any order; may be empty.
        kubernetes_groups: groups that the administrators are in as well, such as one of ``Guardrails``. Default: none.

    Attributes:
        entries: the access entries, keyed by role ARN.

    Raises:
        AutoModeError: for a value that is not the ARN of an IAM role that a person can assume; for a role that is
            listed twice or already has an entry in this app; for a group that EKS refuses or that belongs to the CDK;
            for a stack in another environment.

    Source: EKS User Guide, "Create access entries".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        admin_role_arns: Sequence[str] = (),
        kubernetes_groups: Sequence[str] = (),
    ) -> None:
        refusals = Refusals(place(scope, id))
        with refusals.collecting():
            cluster.check_environment(
                refusals.where, scope, "a cluster's access entries are created in its own account and region"
            )
        stack = Stack.of(scope)
        check_admins(refusals, admin_role_arns, stack.region)
        principals = [_Principal.of(stack, arn) for arn in admin_role_arns]
        if len({one.key for one in principals}) < len(set(admin_role_arns)):
            refusals.refuse("admin_role_arns", "names a role twice", "name each once")
        _check_homes(
            refusals, cluster, {f"admin_role_arns[{position}]": one for position, one in enumerate(principals)}
        )
        _check_groups(refusals, "kubernetes_groups", kubernetes_groups)
        if kubernetes_groups and not admin_role_arns:
            refusals.refuse("kubernetes_groups", "are set without admin_role_arns", "name the roles, or leave them out")
        refusals.raise_all()

        super().__init__(scope, id)
        self.cluster = cluster
        self.entries = {
            arn: eks.AccessEntry(
                self,
                entry_id,
                cluster=cast(eks.ICluster, cluster.cluster),
                principal=arn,
                access_policies=[admin_policy()],
            )
            for entry_id, arn in admin_ids(admin_role_arns)
        }
        if kubernetes_groups:
            for entry in self.entries.values():
                _put_in_groups(entry, kubernetes_groups)
            leaf = cast(Construct, next(iter(self.entries.values())).node.default_child)
            warn_of_unbound_groups(self, leaf, cluster=cluster, groups=kubernetes_groups)
        _register(self, cluster, (principal.key for principal in principals))


def admin_ids(arns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The roles, keyed by the id of their access entry."""
    for position, arn in enumerate(arns):
        # The id must not depend on the position. An entry's principal cannot change, and EKS refuses a second entry for
        # the same principal, so a reordered list would fail to deploy.
        mark = str(position) if is_token(arn) else hashlib.sha256(arn.encode()).hexdigest()[:8]
        yield f"Admin{mark}", arn


def admin_policy() -> eks.IAccessPolicy:
    """EKS's administrator access policy, for the whole cluster."""
    return eks.AccessPolicy.from_access_policy_name(
        "AmazonEKSClusterAdminPolicy", access_scope_type=eks.AccessScopeType.CLUSTER
    )


def put_in_kubectl_group(entry: eks.AccessEntry) -> None:
    """Makes the access entry of a kubectl handler one that admission policies recognise, in every cluster alike."""
    _put_in_groups(entry, [KUBECTL_GROUP])


def _put_in_groups(entry: eks.AccessEntry, groups: Sequence[str]) -> None:
    cast(eks_l1.CfnAccessEntry, entry.node.default_child).kubernetes_groups = list(groups)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Principal:
    """A role that an access entry is for.

    Args:
        arn: its ARN.
        key: what is the same for all ways to write the role, as far as that is known at synth.
    """

    arn: str
    key: str

    @classmethod
    def of(cls, stack: Stack, role: iam.IRole | str) -> _Principal:
        """The principal of a role, or of a role's ARN.

        Args:
            stack: the stack of the access entry.
            role: the role or its ARN.
        """
        arn = role if isinstance(role, str) else role.role_arn
        key = arn if is_token(stack.region) else arn.replace(Aws.PARTITION, partition_of(stack.region).name)
        if is_token(key):
            key = json.dumps(stack.resolve(key), sort_keys=True) if isinstance(role, str) else role.node.path
        return cls(arn=arn, key=key)


def _check_grant(refusals: Refusals, field: str, grant: AccessGrant, region: str) -> None:
    partition = None if is_token(region) else partition_of(region).name
    arn = grant.role if isinstance(grant.role, str) else grant.role.role_arn
    with refusals.collecting():
        check_role_arn(refusals.where, f"{field}.role", arn, partition=partition)
    if grant.break_glass and isinstance(grant.role, str) and is_token(grant.role) and grant.role.count(":") < 5:
        refusals.refuse(
            f"{field}.role", "is a value known only after deployment, and the alarm needs its name", "pass an iam.IRole"
        )
    if grant.policy is None and not grant.kubernetes_groups:
        refusals.refuse(field, "grants nothing", "name a policy, kubernetes_groups, or both")
    if grant.policy is not None:
        _check_policy(refusals, f"{field}.policy", grant.policy)
    if grant.namespaces is not None:
        _check_namespaces(refusals, f"{field}.namespaces", grant)
    _check_groups(refusals, f"{field}.kubernetes_groups", grant.kubernetes_groups)


def _check_policy(refusals: Refusals, field: str, policy: str) -> None:
    known = people_policies()
    if policy in known:
        return
    if whose := service_policies().get(policy):
        refusals.refuse(
            field,
            f"'{policy}' is not for people: {whose}",
            "leave it out; for a service's role of yours that needs it, write cluster.cluster.grant_access(...)",
        )
        return
    name = policy.rpartition("/")[2]
    if name in known:
        refusals.refuse(field, f"{shown(policy)} is an ARN, not a name", f"write '{name}'")
        return
    words = "".join(part for part in policy if part.isalnum()).lower().removesuffix("policy")
    for one in known:
        if words and one.lower() == f"amazoneks{words.removeprefix('amazoneks')}policy":
            refusals.refuse(field, f"{shown(policy)} is not the name of an access policy", f"write '{one}'")
            return
    refusals.refuse(field, f"{shown(policy)} is not the name of an access policy", did_you_mean(policy, known))


def _check_namespaces(refusals: Refusals, field: str, grant: AccessGrant) -> None:
    namespaces = grant.namespaces or ()
    if grant.policy is None:
        refusals.refuse(
            field, "are set without policy", "leave them out; the bindings of a group say where its rights hold"
        )
    if not namespaces:
        refusals.refuse(field, "is empty", "name namespaces, or leave it out for the whole cluster")
    for position, namespace in enumerate(namespaces):
        if namespace and not namespace.strip("*"):
            refusals.refuse(
                f"{field}[{position}]",
                f"{shown(namespace)} stands for every namespace",
                "leave namespaces out for the whole cluster, or begin with letters ('team-*')",
            )
        elif not is_token(namespace):
            # A star stands for any characters, and the name is judged with a letter in its place.
            where, plain = f"{field}[{position}]", namespace.replace("*", "a")
            refusals.problems += (
                problem
                if plain == namespace
                else replace(problem, message=f"{shown(namespace)} cannot be the name of a namespace")
                for problem in name_problems(where, plain, api_version="v1", kind="Namespace")
                if problem.severity == "error"
            )
    if len(set(namespaces)) != len(namespaces):
        refusals.refuse(field, "names one twice", "name each once")


def _check_groups(refusals: Refusals, field: str, groups: Sequence[str]) -> None:
    for position, group in enumerate(groups):
        refusals.problems += group_problems(f"{field}[{position}]", group)
    if len(set(groups)) != len(groups):
        refusals.refuse(field, "names one twice", "name each once")


def _check_together(refusals: Refusals, grants: dict[int, AccessGrant]) -> None:
    """Refuses grants of one role that EKS would take for one."""
    first: dict[str, int] = {}
    for position, grant in grants.items():
        if grant.policy is None:
            continue
        if grant.policy in first:
            refusals.refuse(
                f"grants[{position}].policy",
                f"'{grant.policy}' is granted to this role by grants[{first[grant.policy]}] already",
                "name all namespaces in one grant; EKS takes a policy once for each role",
            )
        first.setdefault(grant.policy, position)


def _check_homes(refusals: Refusals, cluster: ChartTarget, principals: dict[str, _Principal]) -> None:
    """Refuses roles that have an access entry of the cluster already."""
    stack = Stack.of(cluster)
    admins = {_Principal.of(stack, arn).key for arn in getattr(cluster, "admin_role_arns", ())}
    own = {
        role.role_arn: what
        for what, attribute in _OWN_ROLES.items()
        if (role := getattr(cluster, attribute, None)) is not None
    }
    for field, principal in principals.items():
        home = next(_BY_PRINCIPAL.find(cluster.node.root, (cluster, principal.key)), None)
        if home is None and principal.key in admins:
            home = cluster
        if home is not None:
            refusals.refuse(
                field,
                f"'{principal.arn}' has an access entry of '{home.node.path}' already",
                "name it in one place; EKS takes one access entry for a role",
            )
        elif principal.arn in own:
            refusals.refuse(
                field,
                f"is the role of {own[principal.arn]} of '{cluster.node.path}', which has an access entry already",
                "give a role that people assume",
            )


def _register(construct: Construct, cluster: ChartTarget, keys: Iterable[str]) -> None:
    for key in keys:
        _BY_PRINCIPAL.add(cluster.node.root, (cluster, key), construct)


_OWN_ROLES = {"the cluster": "cluster_role", "the nodes": "node_role", "the built-in pools": "built_in_node_role"}

_BY_PRINCIPAL: Register[tuple[ChartTarget, str], Construct] = Register()
