"""PodIdentityRole: an IAM role for the pods of one Kubernetes service account."""

from __future__ import annotations

import re

from aws_cdk import Stack
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.aws.scope import StackScope
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.tokens import is_resolvable, is_token

__all__ = ["PodIdentityRole"]

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
    The role's trust compares the session tags that EKS sets, so an association that turns them off gets no credentials.

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

    Attributes:
        cluster: the cluster.
        namespace: the namespace.
        service_account: the service account's name.
        role: the role.
        role_arn: its ARN.
        association: the association; pods that need the role must be created after it.

    Raises:
        AutoModeError: for a cluster that is not one of this library's, or is in another account or region; for invalid
            names or tokens; for a service account that already has a ``PodIdentityRole``.

    Source: EKS User Guide, "Create IAM role with trust policy required by EKS Pod Identity".
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
    ) -> None:
        where = f"{scope.node.path}/{id}"
        cluster.check_environment(where, scope, "a cluster's associations are created in its own account and region")
        problems = [
            *_name_problems("namespace", namespace, _NAMESPACE, "1 to 63 lower-case letters, digits and '-'"),
            *_name_problems(
                "service_account", service_account, _SERVICE_ACCOUNT, "1 to 253 lower-case letters, digits, '-' and '.'"
            ),
            *_role_problems(description, role_name),
        ]
        if problems:
            raise AutoModeError(where, problems)
        _check_single(where, scope, cluster, namespace, service_account)

        super().__init__(scope, id)
        self.cluster = cluster
        self.namespace = namespace
        self.service_account = service_account
        stack = Stack.of(self)
        cluster_name = cluster.cluster.cluster_name
        # The tags carry what aws:SourceArn would, plus namespace and service account; EKS documents them.
        trusted = iam.ServicePrincipal(
            "pods.eks.amazonaws.com",
            conditions={
                "StringEquals": {
                    "aws:SourceAccount": stack.account,
                    "aws:RequestTag/eks-cluster-arn": stack.format_arn(
                        service="eks", resource="cluster", resource_name=cluster_name
                    ),
                    "aws:RequestTag/kubernetes-namespace": namespace,
                    "aws:RequestTag/kubernetes-service-account": service_account,
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
        )
        # The role's policies are separate resources; a pod that starts before they exist is denied access.
        self.association.node.add_dependency(self.role)


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


def _check_single(where: str, scope: Construct, cluster: ChartTarget, namespace: str, service_account: str) -> None:
    for other in scope.node.root.node.find_all():
        if (
            isinstance(other, PodIdentityRole)
            and other.cluster is cluster
            and (other.namespace, other.service_account) == (namespace, service_account)
        ):
            raise AutoModeError.of(
                where,
                field="service_account",
                message=f"'{service_account}' of namespace '{namespace}' already has the role of '{other.node.path}'",
                cure="grant the permissions to that role; EKS allows one association for each service account",
            )
