"""Protects a production cluster from a careless ``cdk destroy``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import aws_cdk as cdk

from automode_constructs.arguments import checked_arguments, place
from automode_constructs.aws.scope import AppScope
from automode_constructs.errors import AutoModeError
from automode_constructs.patterns.stacks.stack_options import StackOptions

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
        guarded: the stacks that must not be deleted, at least one, in the same account and region.
        ephemeral: whether they may be deleted. Deploying this stack changes the protection, even if nothing else
            changes. Default: False; we decide.
        stack_options: further keywords of ``cdk.Stack``, but ``termination_protection``.

    Raises:
        AutoModeError: for ``termination_protection``, which ``ephemeral`` decides; for no stack to guard, or one that
            is guarded already.

    Source: CloudFormation User Guide, "Protect CloudFormation stacks from being deleted" and "Get exported outputs from
    a deployed CloudFormation stack".
    """

    @checked_arguments
    def __init__(
        self,
        scope: AppScope,
        id: str,
        *,
        guarded: Sequence[cdk.Stack],
        ephemeral: bool = False,
        **stack_options: Unpack[StackOptions],
    ) -> None:
        if not guarded:
            raise AutoModeError.of(
                place(scope, id), field="guarded", message="is empty", cure="name the stacks that must not be deleted"
            )
        if stack_options.get("termination_protection") is not None:
            raise AutoModeError.of(
                place(scope, id),
                field="termination_protection",
                message="is what ephemeral decides",
                cure="write ephemeral=True for a stack without it",
            )
        stack_options["termination_protection"] = not ephemeral
        super().__init__(scope, id, **stack_options)
        cdk.CfnWaitConditionHandle(self, "Nothing")
        names = []
        for index, stack in enumerate(guarded):
            self.add_stack_dependency(stack)
            export = f"{stack.stack_name}:guard"
            try:
                names.append(
                    stack.export_value(stack.stack_name, name=export, description=f"Held by {self.stack_name}")
                )
            except RuntimeError as error:
                if "already a Construct" not in str(error):
                    raise
                raise AutoModeError.of(
                    self.node.path,
                    field=f"guarded[{index}]",
                    message=f"'{stack.node.path}' is guarded already",
                    cure="name each stack once, in one GuardStack",
                ) from None
        cdk.CfnOutput(
            self,
            "Guarded",
            value=cdk.Fn.join(" ", names),
            description=f"Go only after a deployment of {self.node.path} with ephemeral=True",
        )
