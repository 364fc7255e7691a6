"""Where constructs of AWS resources are created, in a stack, and where stacks are, in an app."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from aws_cdk import Stack, Stage
from constructs import Construct

from automode_constructs.arguments import Also
from automode_constructs.errors import Problem

__all__ = ["AppScope", "StackScope"]


def _in_a_stack(field: str, scope: Construct) -> Iterator[Problem]:
    try:
        Stack.of(scope)
    except RuntimeError:
        path = scope.node.path or type(scope).__name__
        yield Problem(field=field, message=f"'{path}' is in no cdk.Stack", cure="make the construct in a stack")


StackScope = Annotated[Construct, Also(_in_a_stack)]
"""A stack of the CDK, or a construct in one."""


def _in_an_app(field: str, scope: Construct) -> Iterator[Problem]:
    if not isinstance(scope, Stage) and Stage.of(scope) is None:
        path = scope.node.path or type(scope).__name__
        yield Problem(field=field, message=f"'{path}' is in no cdk.App", cure="pass the cdk.App or a cdk.Stage")


AppScope = Annotated[Construct, Also(_in_an_app)]
"""An app or stage of the CDK, or a construct in one."""
