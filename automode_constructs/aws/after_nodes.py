"""The order of what EKS or Helm installs: after the NodePools that its pods run on, deleted before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import aws_cdk as cdk
import jsii
from constructs import Construct, IValidation

from automode_constructs.delivery.attachment import attach
from automode_constructs.delivery.chart_delivery import ChartTarget
from automode_constructs.errors import Problem

__all__ = ["OrderProblems", "delivers_pools", "is_before", "put_after", "stacks_before", "waits_for"]


class _Ordered(Protocol):
    """What keeps the problems that its order of deployment meets."""

    problems: list[Problem]


@jsii.implements(IValidation)
class OrderProblems:
    """Reports what the order of deployment makes impossible."""

    def __init__(self, ordered: _Ordered) -> None:
        self._ordered = ordered

    def validate(self) -> list[str]:
        """The problems as text."""
        return [str(problem) for problem in self._ordered.problems]


def put_after(
    construct: Construct, resource: Construct, cluster: ChartTarget, wanted: Callable[[str], bool]
) -> list[Problem]:
    """Makes a resource wait for the objects of some kinds that are delivered to a cluster; called at synthesis.

    Args:
        construct: what the resource belongs to.
        resource: what waits.
        cluster: the cluster.
        wanted: whether it waits for objects of a kind. Those of a stack that is deployed later are left out, but for
            NodePools.

    Returns:
        A problem where NodePools are deployed later, and EKS keeps none of its own.
    """
    mine = cdk.Stack.of(construct)
    if cluster.deliveries:
        attach(cluster)
    for delivery in cluster.deliveries:
        if waits_for(delivery, construct, resource):
            continue
        theirs = cdk.Stack.of(delivery)
        found = {key: manifest for key, manifest in delivery.manifests.items() if wanted(key.kind)}
        if is_before(mine, theirs, cluster):
            if any(key.kind == "NodePool" for key in found) and not cluster.built_in_pools:
                return [_late(mine, theirs)]
            continue
        for manifest in found.values():
            resource.node.add_dependency(manifest)
    return []


def waits_for(delivery: Construct, *constructs: Construct) -> bool:
    """Whether a delivery waits for one of some constructs, by an ``add_dependency``."""
    needed = {construct for scope in delivery.node.scopes for construct in scope.node.dependencies}
    return not needed.isdisjoint(constructs)


def is_before(stack: cdk.Stack, other: cdk.Stack, cluster: ChartTarget) -> bool:
    """Whether a stack is deployed before another one that delivers to a cluster."""
    return stack is not other and (stack is cdk.Stack.of(cluster) or stack in stacks_before(other))


def delivers_pools(cluster: ChartTarget) -> bool:
    """Whether a NodePool is among what the app delivers to a cluster."""
    return any(key.kind == "NodePool" for delivery in cluster.deliveries for key in delivery.manifests)


def stacks_before(stack: cdk.Stack) -> set[cdk.Stack]:
    """The stacks that are deployed before a stack, as far as that is known yet."""
    seen: set[cdk.Stack] = set()
    waiting: Sequence[cdk.Stack] = [stack]
    while waiting:
        more = {other for one in waiting for other in one.dependencies} - seen
        seen |= more
        waiting = [*more]
    return seen


def _late(mine: cdk.Stack, theirs: cdk.Stack) -> Problem:
    return Problem(
        field="scope",
        message=f"stack '{mine.node.path}' is deployed before stack '{theirs.node.path}', whose NodePools its pods run "
        "on, so it would wait for nodes in vain",
        cure="create it in that stack, or in a later one",
    )
