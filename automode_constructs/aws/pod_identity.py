"""PodIdentityRole: an IAM role for the pods of one Kubernetes service account."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from aws_cdk import Stack
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments
from automode_constructs.aws.cluster_tags import tag_as_cluster
from automode_constructs.aws.fleet import Register
from automode_constructs.aws.roles import check_role_arn
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.facts.regions import partition_of
from automode_constructs.tokens import is_resolvable, is_token

__all__ = ["PodIdentityRole", "SessionTag"]

SessionTag = Literal[
    "eks-cluster-arn",
    "eks-cluster-name",
    "kubernetes-namespace",
    "kubernetes-pod-name",
    "kubernetes-pod-uid",
    "kubernetes-service-account",
]
"""The tags that EKS puts on the sessions of pods. Source: EKS User Guide, "Grant Pods access to AWS resources based on
tags"."""

_LONGEST_SESSION_POLICY: Final = 2048
"""In characters. Source: STS API Reference, ``AssumeRole``."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NAMESPACE = re.compile(rf"(?=.{{1,63}}\Z){_LABEL}")
_SERVICE_ACCOUNT = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_DESCRIPTION = re.compile(r"[\t\n\r -~\u00a1-\u00ff]{0,1000}")


class PodIdentityRole(Construct):
    """An IAM role that EKS Pod Identity gives to the pods of one Kubernetes service account.

    Creates an IAM role that EKS may give only to this service account of this cluster, and an
    ``AWS::EKS::PodIdentityAssociation``. The role has no permissions at first: grant them through ``.role``. The
    association waits for all policies of the role that its own stack creates. Objects delivered from the association's
    stack wait for the association, so no pod starts without its permissions; objects in another stack need an
    ``add_dependency``. You need not install anything: Auto Mode's nodes have the Pod Identity agent.

    The namespace and the service account need not exist. A service account can have only one association per cluster.
    The role's trust compares the session tags that EKS sets (cluster, namespace, service account). With
    ``session_tags=False`` it cannot, and only compares the account: then whoever may create associations and pass the
    role can give it to other pods of the account. ``session_tag`` makes a permission depend on a tag.

    With ``target_role`` pods get the permissions of that role instead, which may be in another account: EKS takes
    ``role`` first and the target from there. This construct lets ``role`` take the target; the target's own trust must
    admit it, see ``target_trust``. Credentials then last an hour instead of six, and a changed association reaches
    running pods only when they expire. Roles and associations cost nothing.

    Args:
        scope: a construct of a stack in the cluster's account and region.
        id: the construct's id.
        cluster: the cluster that the pods run in.
        namespace: the namespace of the service account, 1 to 63 lower-case letters, digits and ``-``; no token.
        service_account: the service account's name, 1 to 253 lower-case letters, digits, ``-`` and ``.``; no token.
        description: the role's description, at most 1000 characters. Default: a text that names the service account; we
            decide.
        permissions_boundary: the managed policy that bounds the role. Default: none; we decide.
        role_name: the role's name, 1 to 64 letters, digits and ``_+=,.@-``. Default: CloudFormation generates one.
        target_role: the role that pods act as, or its ARN, in this partition. Default: none; pods act as ``role``.
        session_policy: a policy that the permissions of pods must be in as well, at most 2048 characters; with
            ``target_role`` it limits the target only. It needs ``session_tags=False``. Default: none.
        session_tags: whether EKS tags the sessions. Default: True, as EKS decides.

    Attributes:
        cluster: the cluster.
        namespace: the namespace.
        service_account: the service account's name.
        role: the role.
        role_arn: its ARN.
        association: the association; pods that need the role must be created after it.

    Raises:
        AutoModeError: for a cluster that is not one of this library's, or is in another account or region; for invalid
            names or tokens; for a service account that already has a ``PodIdentityRole``; for a target that is no role
            or is in another partition; for a session policy beside session tags, or one that IAM refuses.

    Source: EKS User Guide, "Create IAM role with trust policy required by EKS Pod Identity", "Access AWS Resources
    using EKS Pod Identity Target IAM Roles"; EKS API Reference, ``CreatePodIdentityAssociation``.
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        cluster: ChartTarget,
        namespace: str,
        service_account: str,
        description: str | None = None,
        permissions_boundary: iam.IManagedPolicy | None = None,
        role_name: str | None = None,
        target_role: iam.IRole | str | None = None,
        session_policy: iam.PolicyDocument | None = None,
        session_tags: bool = True,
    ) -> None:
        where = f"{scope.node.path}/{id}"
        cluster.check_environment(where, scope, "a cluster's associations are created in its own account and region")
        problems = [
            *_name_problems("namespace", namespace, _NAMESPACE, "1 to 63 lower-case letters, digits and '-'"),
            *_name_problems(
                "service_account", service_account, _SERVICE_ACCOUNT, "1 to 253 lower-case letters, digits, '-' and '.'"
            ),
            *_role_problems(description, role_name),
            *_target_problems(where, target_role, Stack.of(scope).region),
            *_session_problems(scope, session_policy, session_tags=session_tags),
        ]
        if problems:
            raise AutoModeError(where, problems)
        _check_single(where, scope, cluster, namespace, service_account)

        super().__init__(scope, id)
        tag_as_cluster(self, cluster)
        self.cluster = cluster
        self.namespace = namespace
        self.service_account = service_account
        stack = Stack.of(self)
        cluster_name = cluster.cluster.cluster_name
        self.session_tags = session_tags
        """Whether EKS tags the sessions."""
        self._tags: dict[str, str] = {
            "eks-cluster-arn": stack.format_arn(service="eks", resource="cluster", resource_name=cluster_name),
            "kubernetes-namespace": namespace,
            "kubernetes-service-account": service_account,
        }
        # The tags carry what aws:SourceArn would, plus namespace and service account; EKS documents them.
        trusted = iam.ServicePrincipal(
            "pods.eks.amazonaws.com",
            conditions={
                "StringEquals": {
                    "aws:SourceAccount": stack.account,
                    **(self._request_tags() if session_tags else {}),
                }
            },
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=trusted.with_session_tags(),
            description=description
            or f"Pods of service account {service_account} in namespace {namespace} of an EKS cluster",
            permissions_boundary=permissions_boundary,
            role_name=role_name,
        )
        self.role_arn: str = self.role.role_arn
        self.association = eks.CfnPodIdentityAssociation(
            self,
            "Association",
            cluster_name=cluster_name,
            namespace=namespace,
            service_account=service_account,
            role_arn=self.role_arn,
            target_role_arn=None if target_role is None else _arn(target_role),
            policy=None if session_policy is None else stack.to_json_string(session_policy.to_json()),
            disable_session_tags=None if session_tags else True,
        )
        if target_role is not None:
            self.role.add_to_policy(
                iam.PolicyStatement(
                    actions=["sts:AssumeRole", "sts:TagSession"],
                    resources=[_arn(target_role)],
                )
            )
        # The role's policies are separate resources; a pod that starts before they exist is denied access.
        self.association.node.add_dependency(self.role)
        _BY_SERVICE_ACCOUNT.add(cluster.node.root, (cluster, namespace, service_account), self)

    @checked_arguments
    def session_tag(self, tag: SessionTag) -> str:
        """A session tag of the pods, for resources and conditions of policies: ``${aws:PrincipalTag/...}``.

        IAM replaces it by the tag's value when a pod makes a request:
        ``bucket.arn_for_objects(role.session_tag("kubernetes-pod-name") + "/*")``.

        Args:
            tag: one of the six tags of EKS.

        Raises:
            AutoModeError: if the sessions have no tags.
        """
        if not self.session_tags:
            raise AutoModeError.of(
                self.node.path,
                field="tag",
                message=f"'{tag}' is on no session, because of session_tags=False, and a policy would never match it",
                cure="leave out session_tags",
            )
        return f"${{aws:PrincipalTag/{tag}}}"

    def target_trust(self) -> list[iam.PolicyStatement]:
        """The statements that the trust policy of ``target_role`` needs, to admit these pods and no others.

        For a target of this stack, add them: ``target.assume_role_policy.add_statements(*pods.target_trust())``. For a
        target elsewhere, print them, and give ``role`` a ``role_name`` first, so that its ARN lasts. Without session
        tags they compare the external id that EKS sends instead.
        """
        stack = Stack.of(self)
        account, source = iam.AccountPrincipal(stack.account), {"ArnEquals": {"aws:PrincipalArn": self.role_arn}}
        if self.session_tags:
            conditions: dict[str, Any] = {"StringEquals": self._request_tags(), **source}
            return [
                iam.PolicyStatement(
                    principals=[account], actions=["sts:AssumeRole", "sts:TagSession"], conditions=conditions
                )
            ]
        place = (stack.region, stack.account, self.cluster.cluster.cluster_name, self.namespace, self.service_account)
        conditions = {"StringEquals": {"sts:ExternalId": "/".join(place)}, **source}
        # The external id comes with the call of AssumeRole only.
        return [
            iam.PolicyStatement(principals=[account], actions=["sts:AssumeRole"], conditions=conditions),
            iam.PolicyStatement(principals=[account], actions=["sts:TagSession"], conditions=source),
        ]

    def _request_tags(self) -> dict[str, str]:
        return {f"aws:RequestTag/{tag}": value for tag, value in self._tags.items()}


def _name_problems(field: str, name: str, form: re.Pattern[str], allowed: str) -> list[Problem]:
    if is_token(name) or is_resolvable(name):
        # Objects are named when charts are written, and those names are never tokens.
        return [
            Problem(
                field=field,
                message="holds a value known only after deployment",
                cure="give the concrete name that the chart uses",
            )
        ]
    if form.fullmatch(name) is None:
        return [
            Problem(
                field=field,
                message=f"{shown(name)} is not the name of a {field.replace('_', ' ')}",
                cure=f"use {allowed}, beginning and ending with a letter or digit",
            )
        ]
    return []


def _role_problems(description: str | None, role_name: str | None) -> list[Problem]:
    problems = []
    if description is not None and not is_token(description) and _DESCRIPTION.fullmatch(description) is None:
        problems.append(
            Problem(
                field="description",
                message=f"{shown(description)} cannot be the description of an IAM role",
                cure="use at most 1000 characters of Latin-1",
            )
        )
    if role_name is not None and not is_token(role_name) and _ROLE_NAME.fullmatch(role_name) is None:
        problems.append(
            Problem(
                field="role_name",
                message=f"{shown(role_name)} is not the name of an IAM role",
                cure="use 1 to 64 letters, digits and characters of '_+=,.@-'",
            )
        )
    return problems


def _arn(role: iam.IRole | str) -> str:
    return role if isinstance(role, str) else role.role_arn


def _target_problems(where: str, target: iam.IRole | str | None, region: str) -> list[Problem]:
    refusals = Refusals(where)
    if target is not None:
        partition = None if is_token(region) else partition_of(region).name
        with refusals.collecting():
            check_role_arn(where, "target_role", _arn(target), partition=partition)
    return refusals.problems


def _session_problems(scope: Construct, policy: iam.PolicyDocument | None, *, session_tags: bool) -> list[Problem]:
    if policy is None:
        return []
    refusals = Refusals("")
    if session_tags:
        refusals.refuse(
            "session_policy",
            "is set beside session tags, and EKS takes one of the two",
            "write session_tags=False; the role's trust then compares the account only",
        )
    if policy.is_empty:
        refusals.refuse("session_policy", "has no statements, and would allow nothing", "add them, or leave it out")
    for text in policy.validate_for_identity_policy():
        refusals.refuse("session_policy", f"is no session policy: {text}")
    document = Stack.of(scope).resolve(policy.to_json())
    text = json.dumps(document, separators=(",", ":"))
    if not _has_intrinsics(document) and len(text) > _LONGEST_SESSION_POLICY:
        refusals.refuse(
            "session_policy",
            f"has {len(text)} characters; STS takes {_LONGEST_SESSION_POLICY} at most",
            "move permissions to the role's own policies",
        )
    return refusals.problems


def _has_intrinsics(document: object) -> bool:
    """Whether CloudFormation fills in a part of a document."""
    if isinstance(document, Mapping):
        return any(
            str(key) == "Ref" or str(key).startswith("Fn::") or _has_intrinsics(item) for key, item in document.items()
        )
    return isinstance(document, list) and any(_has_intrinsics(item) for item in document)


def _check_single(where: str, scope: Construct, cluster: ChartTarget, namespace: str, service_account: str) -> None:
    for other in _BY_SERVICE_ACCOUNT.find(scope.node.root, (cluster, namespace, service_account)):
        raise AutoModeError.of(
            where,
            field="service_account",
            message=f"'{service_account}' of namespace '{namespace}' already has the role of '{other.node.path}'",
            cure="grant the permissions to that role; EKS allows one association for each service account",
        )


_BY_SERVICE_ACCOUNT: Register[tuple[ChartTarget, str, str], PodIdentityRole] = Register()
