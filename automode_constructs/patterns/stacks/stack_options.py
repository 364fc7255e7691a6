"""The options of a CDK stack that the stacks of this room take beside their own arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypedDict

import aws_cdk as cdk

from automode_constructs.arguments import Also
from automode_constructs.errors import Problem, did_you_mean, shown

__all__ = ["ClusterStackOptions", "StackOptions"]


def _is_environment(field: str, env: cdk.Environment | dict[str, Any] | None) -> Iterator[Problem]:
    for name, value in env.items() if isinstance(env, dict) else ():
        if name not in ("account", "region"):
            cure = did_you_mean(str(name), ["account", "region"])
            yield Problem(field=f"{field}[{shown(name)}]", message="is not known", cure=cure)
        elif not isinstance(value, str | None):
            yield Problem(field=f"{field}[{shown(name)}]", message=f"needs a text, got {shown(value)}")


def _is_stack_name(field: str, name: str | None) -> Iterator[Problem]:
    if name is not None and re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", name) is None:
        yield Problem(
            field=field,
            message=f"{shown(name)} cannot be the name of a stack",
            cure="use at most 128 letters, digits and '-', and begin with a letter",
        )


class ClusterStackOptions(TypedDict, total=False):
    """Keywords that ``ClusterStack`` passes to ``cdk.Stack`` as they are; each is optional.

    Source: AWS CDK API reference, "StackProps".
    """

    analytics_reporting: bool | None
    cross_region_references: bool | None
    description: str | None
    env: Annotated[cdk.Environment | dict[str, Any] | None, Also(_is_environment)]
    notification_arns: Sequence[str] | None
    property_injectors: Sequence[cdk.IPropertyInjector] | None
    stack_name: Annotated[str | None, Also(_is_stack_name)]
    suppress_template_indentation: bool | None
    synthesizer: cdk.IStackSynthesizer | None
    tags: Mapping[str, str] | None
    termination_protection: bool | None


class StackOptions(ClusterStackOptions, total=False):
    """The same for all other stacks; a ``ClusterStack`` has a ``permissions_boundary`` of its own."""

    permissions_boundary: cdk.PermissionsBoundary | None
