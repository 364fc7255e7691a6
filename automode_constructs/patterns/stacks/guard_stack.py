"""What stands between a production cluster and a careless ``cdk destroy``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from constructs import Construct

from automode_constructs.arguments import checked_arguments
from automode_constructs.tokens import shell_word

__all__ = ["GuardStack"]


class GuardStack(cdk.Stack):
    """Guards other stacks against deletion; only this stack has termination protection.

    Creates a wait condition handle, which does nothing and cannot fail. So the protection is never on a stack that a
    failed first deployment leaves in ROLLBACK_COMPLETE, which can only be deleted. Each guarded stack exports its name,
    which never changes, and this stack imports it in its output: CloudFormation refuses to delete a stack whose export
    is in use, and updates of a guarded stack are never blocked.

    The CDK CLI destroys what depends on a stack before the stack, so that it meets this one first, unless another stack
    that nothing depends on comes before it by rank and name.

    Args:
        scope: the app or stage.
        id: the stack's id.
        guarded: the stacks that must not be deleted, in the same account and region.
        ephemeral: whether they may be deleted. Deploying this stack changes the protection, even if nothing else
            changes. Default: False; we decide.

    Source: CloudFormation User Guide, "Protect CloudFormation stacks from being deleted" and "Get exported outputs from
    a deployed CloudFormation stack".
    """

    @checked_arguments
    def __init__(
        self, scope: Construct, id: str, *, guarded: Sequence[cdk.Stack], ephemeral: bool = False, **stack_options: Any
    ) -> None:
        super().__init__(scope, id, termination_protection=not ephemeral, **stack_options)
        cdk.CfnWaitConditionHandle(self, "Nothing")
        names = []
        for stack in guarded:
            self.add_stack_dependency(stack)
            names.append(
                stack.export_value(
                    stack.stack_name, name=f"{stack.stack_name}:guard", description=f"Held by {self.stack_name}"
                )
            )
        cdk.CfnOutput(
            self,
            "Guarded",
            value=cdk.Fn.join(" ", names),
            description=f"Go only after: cdk deploy {shell_word(self.node.path)} -c ephemeral=true",
        )
