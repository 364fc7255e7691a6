"""How other stacks read a value: by a permanent export, or weakly, so that the value can be removed."""

from __future__ import annotations

from collections.abc import Sequence

import jsii
from aws_cdk import IResolveContext, IStringProducer, Lazy, Reference, ReferenceStrength, Stack, Tokenization
from constructs import IConstruct

__all__ = ["export_always", "weakly"]


def export_always(scope: IConstruct, values: Sequence[str | list[str]]) -> None:
    """Exports values for as long as the stack exists, whether or not another stack imports them now.

    The CDK creates an export only while it has importers. When the last importer goes, so does the export.
    CloudFormation updates the exporting stack first and refuses, because the deployed importer still uses the export.

    Args:
        scope: a construct of the exporting stack.
        values: attributes of its resources, strings or lists of strings.

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
    """The same value; other stacks read it without an export, so that a changed argument can remove it.

    Args:
        value: an attribute of a resource; anything else is returned unchanged.

    Source: CloudFormation Template Reference, "Fn::GetStackOutput".
    """
    parts = Tokenization.reverse_string(value)
    reference = parts.first_token if len(parts.tokens) == parts.length == 1 else None
    if not isinstance(reference, Reference):
        return value
    return Lazy.uncached_string(_ByStack(Stack.of(reference.target), value))


@jsii.implements(IStringProducer)
class _ByStack:
    """The plain value in its own stack, a weak one in others: the CDK resolves weak ones the same way in all."""

    def __init__(self, home: Stack, value: str) -> None:
        self._value = value
        self._in = {home.node.addr: value}

    def produce(self, context: IResolveContext) -> str:
        here = Stack.of(context.scope).node.addr
        if here not in self._in:
            self._in[here] = Stack.consume_reference(self._value, ReferenceStrength.WEAK)
        return self._in[here]
