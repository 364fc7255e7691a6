"""PermissionSetRole: a role with a lasting ARN for the people of a permission set of IAM Identity Center."""

from __future__ import annotations

import re

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments, place
from automode_constructs.aws.roles import refuse_role_names
from automode_constructs.aws.scope import StackScope
from automode_constructs.errors import shown
from automode_constructs.tokens import is_token

__all__ = ["PermissionSetRole"]

_PERMISSION_SET = re.compile(r"[\w+=,.@-]{1,32}", re.ASCII)
_RESERVED_ROLE = re.compile(r"(?:.*/)?AWSReservedSSO_(?P<name>.+)_[0-9a-f]{16}")
_SUFFIX_LENGTH = 16


class PermissionSetRole(Construct):
    """A role that the sessions of a permission set of IAM Identity Center may take, whatever its own role is called.

    Creates one IAM role without permissions, which the roles ``AWSReservedSSO_<permission set>_<suffix>`` of this
    account may assume. The suffix changes whenever the last assignment of the set to the account is deleted and another
    is made, and then an access entry for that role admits nobody. An access entry takes no pattern, but the trust of a
    role does: give this role to ``AccessGrant``, and its entry lasts.

    The permission set must allow ``sts:AssumeRole`` on this role and ``eks:DescribeCluster``. People pass the role to
    kubectl: ``aws eks update-kubeconfig --name <cluster> --role-arn <this role>``. A session taken from another one
    ends after an hour at most, and kubectl then takes a new one. With ``--role-arn`` the AWS CLI calls every session
    ``EKSGetTokenAuth``, so that the audit log does not say who it was; an AWS profile with ``role_arn`` and
    ``role_session_name`` makes it say so, and CloudTrail says so in either case.

    Where you would rather name the set's own role, pass its ARN **with its path** to ``AccessGrant``:
    ``role/aws-reserved/sso.amazonaws.com/<region>/AWSReservedSSO_...``, without the region where IAM Identity Center is
    in us-east-1. The ARN without the path, which the aws-auth ConfigMap took, is of no role. A role costs nothing.

    Args:
        scope: a construct in a stack of the account that the permission set is assigned to.
        id: the construct's id.
        permission_set: the name of the permission set, 1 to 32 letters, digits and ``_+=,.@-``.
        role_name: the role's name, 1 to 64 letters, digits and ``_+=,.@-``. Default: CloudFormation generates one.
        permissions_boundary: the managed policy that bounds the role. Default: none; we decide.

    Attributes:
        role: the role.
        role_arn: its ARN.

    Raises:
        AutoModeError: for what is no name of a permission set, such as that of its role; for a name that IAM refuses.

    Source: IAM Identity Center User Guide, "Referencing permission sets in resource policies, Amazon EKS, and AWS KMS";
    IAM User Guide, "AWS global condition context keys".
    """

    @checked_arguments
    def __init__(
        self,
        scope: StackScope,
        id: str,
        *,
        permission_set: str,
        role_name: str | None = None,
        permissions_boundary: iam.IManagedPolicy | None = None,
    ) -> None:
        refusals = Refusals(place(scope, id))
        _check_permission_set(refusals, permission_set)
        refuse_role_names(refusals, {} if role_name is None else {"role_name": role_name})
        refusals.raise_all()

        super().__init__(scope, id)
        # Of the suffix, each character is one "?": with a "*", a set "Admin" would admit a set "Admin_Trainee" as well.
        # Only IAM Identity Center can create roles below this path.
        reserved = f"arn:{Aws.PARTITION}:iam::{Stack.of(self).account}:role/aws-reserved/sso.amazonaws.com/"
        name = f"AWSReservedSSO_{permission_set}_{'?' * _SUFFIX_LENGTH}"
        trusted = iam.PrincipalWithConditions(
            iam.AccountRootPrincipal(),
            {"ArnLike": {"aws:PrincipalArn": [f"{reserved}{name}", f"{reserved}*/{name}"]}},
        )
        self.role = iam.Role(
            self,
            "Role",
            # Attributes for access control are session tags, which pass on to the next session.
            assumed_by=trusted.with_session_tags(),
            description=f"People of permission set {permission_set}, for access entries of EKS",
            permissions_boundary=permissions_boundary,
            role_name=role_name,
        )
        self.role_arn: str = self.role.role_arn


def _check_permission_set(refusals: Refusals, name: str) -> None:
    if is_token(name):
        refusals.refuse(
            "permission_set", "holds a value known only after deployment", "give the permission set's own name"
        )
    elif match := _RESERVED_ROLE.fullmatch(name):
        refusals.refuse(
            "permission_set", f"{shown(name)} is the role of a permission set, not its name", f"write '{match['name']}'"
        )
    elif _PERMISSION_SET.fullmatch(name) is None:
        refusals.refuse(
            "permission_set",
            f"{shown(name)} is not the name of a permission set",
            "use 1 to 32 letters, digits and characters of '_+=,.@-'",
        )
