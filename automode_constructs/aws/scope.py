"""Where constructs of AWS resources are created: in a stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from aws_cdk import Stack
from constructs import Construct

from automode_constructs.arguments import Also
from automode_constructs.errors import Problem

__all__ = ["StackScope"]


def _in_a_stack(field: str, scope: Construct) -> Iterator[Problem]:
    try:
        Stack.of(scope)
    except RuntimeError:
        path = scope.node.path or type(scope).__name__
        yield Problem(field=field, message=f"'{path}' is in no cdk.Stack", cure="make the construct in a stack")


StackScope = Annotated[Construct, Also(_in_a_stack)]
"""A stack of the CDK, or a construct in one."""
