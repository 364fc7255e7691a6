"""Whose writes the guard rails let pass, by what EKS itself says of an identity."""

from __future__ import annotations

from collections.abc import Sequence

from automode_constructs.facts.access_policies import username_prefix
from automode_constructs.manifests.cluster_values import KUBECTL_GROUP
from automode_constructs.patterns.charts.guardrails.admission_policy import texts

__all__ = ["IS_VERIFIED", "in_a_group", "not_trusted"]

_USERNAME = "(has(request.userInfo.username) ? request.userInfo.username : '')"

_ALWAYS_TRUSTED = (
    KUBECTL_GROUP,
    "eks:managed",  # EKS's own controllers
    "system:masters",  # no access entry can give it
    "system:nodes",  # a kubelet may create nothing but the mirrors of its static pods
)

_ROLE_OF_EKS = "AWSServiceRoleForAmazonEKS"

IS_VERIFIED = (
    f"{_USERNAME}.startsWith('arn:') && !{_USERNAME}.contains(':assumed-role/AWSServiceRole')"
    f" || {_USERNAME}.startsWith('system:serviceaccount:') || {_USERNAME} == 'system:anonymous'"
)
"""Whether an identity is one that EKS surely does not use itself: an IAM role or user by the name that EKS gives it, a
service account, nobody."""


def in_a_group(groups: Sequence[str]) -> str:
    """A CEL expression: whether the requester is a member of a group."""
    return f"has(request.userInfo.groups) && request.userInfo.groups.exists(group, group in {texts(groups)})"


def not_trusted(groups: Sequence[str], role_arns: Sequence[str]) -> dict[str, str]:
    """Conditions under which a policy looks at a request: the requester is none of those who are trusted.

    No access entry can give a username that begins with ``eks:``. EKS's service-linked role is in every account, so
    that no other role of the account can have its name.
    """
    prefixes = ["eks:", *(username_prefix(arn) for arn in role_arns)]
    return {
        "not-a-trusted-group": f"!({in_a_group([*_ALWAYS_TRUSTED, *groups])})",
        "not-the-role-of-eks": f"!{_USERNAME}.matches('^arn:[a-z-]+:sts::[0-9]+:assumed-role/{_ROLE_OF_EKS}/')",
        "not-a-trusted-user": f"!{texts(prefixes)}.exists(prefix, {_USERNAME}.startsWith(prefix))",
    }
