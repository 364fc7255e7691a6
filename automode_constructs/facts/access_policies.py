"""EKS's access policies: which are for people, what they allow, and whose the others are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

__all__ = ["AccessPolicy", "people_policies", "service_policies", "username_prefix"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessPolicy:
    """An access policy for people.

    Args:
        name: its name, the last part of its ARN.
        summary: what its holders do.
        rules: its rules, in the form of a Role.
    """

    name: str
    summary: str
    rules: Sequence[Mapping[str, Sequence[str]]]


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("access_policies.json").read_text("utf-8"))
    return loaded


@cache
def people_policies() -> Mapping[str, AccessPolicy]:
    """The access policies for people by name, the mightiest first."""
    return MappingProxyType({name: AccessPolicy(name=name, **fields) for name, fields in _data()["people"].items()})


@cache
def service_policies() -> Mapping[str, str]:
    """Whose the other access policies are, by name."""
    return MappingProxyType(_data()["services"])


def username_prefix(role_arn: str) -> str:
    """The beginning of the usernames that EKS gives to the sessions of an IAM role.

    Source: EKS User Guide, "Set a custom username for EKS access entries".
    """
    arn, partition, _, region, account, resource = role_arn.split(":", 5)
    return ":".join([arn, partition, "sts", region, account, f"assumed-role/{resource.rpartition('/')[2]}/"])
