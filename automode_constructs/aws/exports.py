"""How other stacks read a value: by an export that always stands, or weakly, so that the value can go."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
import jsii
from aws_cdk import IResolveContext, IStringProducer, Lazy, Reference, Stack, Tokenization
from constructs import IConstruct

__all__ = ["export_always", "weakly"]


def export_always(scope: IConstruct, values: Sequence[str | list[str]]) -> None:
    """Exports values that last as long as the stack, whether another stack imports them today or not.

    The CDK makes an export for its importers only. When the last one goes, the export goes with it, and CloudFormation,
    which updates the exporting stack first, refuses: the importer as it is deployed still holds the export.

    Args:
        scope: a construct of the exporting stack.
        values: attributes of its resources, texts or lists of texts.

    Source: CloudFormation Template Reference, "Fn::ImportValue".
    """
    stack = Stack.of(scope)
    while stack.nested_stack_parent is not None:
        stack = stack.nested_stack_parent
    for value in values:
        if isinstance(value, str):
            stack.export_value(value)
        else:
            stack.export_string_list_value(value)


def weakly(value: str) -> str:
    """The same value; other stacks read it without an export, so that an argument can take it away.

    Args:
        value: an attribute of a resource; anything else is returned as it is.

    With aws-cdk-lib before 2.264, which knows no weak references, the value is exported like any other, and
    CloudFormation refuses to take it away while a stack imports it.

    Source: CloudFormation Template Reference, "Fn::GetStackOutput".
    """
    parts = Tokenization.reverse_string(value)
    reference = parts.first_token if len(parts.tokens) == parts.length == 1 else None
    if not isinstance(reference, Reference):
        return value
    return Lazy.uncached_string(_ByStack(Stack.of(reference.target), value))


@jsii.implements(IStringProducer)
class _ByStack:
    """The plain value in its own stack, and a weak one for each other: the CDK resolves a weak one alike in all."""

    def __init__(self, home: Stack, value: str) -> None:
        self._value = value
        self._in = {home.node.addr: value}

    def produce(self, context: IResolveContext) -> str:
        here = Stack.of(context.scope).node.addr
        if here not in self._in:
            self._in[here] = _weak(self._value)
        return self._in[here]


def _weak(value: str) -> str:
    """A weak reference; a strong one where aws-cdk-lib is older than 2.264 and knows no other."""
    strength = getattr(cdk, "ReferenceStrength", None)
    return value if strength is None else Stack.consume_reference(value, strength.WEAK)
