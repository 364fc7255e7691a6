"""Arguments that may be a function of the stack: because what it creates needs the stack, which does not exist yet."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk

from automode_constructs.arguments import Refusals
from automode_constructs.aws.network import Network

__all__ = ["created_in", "is_function"]


def is_function(value: object) -> bool:
    """Whether an argument is a function of the stack, and not the object itself."""
    return callable(value) and not isinstance(value, Network)


def created_in(stack: cdk.Stack, name: str, value: Any, kind: Any) -> Any:
    """An argument, or what the function that is the argument creates in the stack.

    Args:
        stack: the stack.
        name: the argument's name.
        value: the argument.
        kind: what it must be, as a type annotation.

    Raises:
        AutoModeError: the function creates something else, or nothing.
    """
    if not is_function(value):
        return value
    created, refusals = value(stack), Refusals(stack.node.path)
    refusals.kind(f"{name}(stack)", created, kind)
    refusals.raise_all()
    return created
