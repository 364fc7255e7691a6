"""What happens to the deliveries of a cluster when the app is synthesised: their objects are judged, then made."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from constructs import Construct, IConstruct

from automode_constructs.checks.image_sources import image_source_problems, uses_proxy
from automode_constructs.checks.placement import pods_of
from automode_constructs.checks.whole_tree import judge_tree, object_key
from automode_constructs.delivery.resources import (
    LONGEST_JOB_SECONDS,
    SERVICE_TIMEOUT_SECONDS,
    WAIT_TIMEOUT_SECONDS,
    Planned,
    logical_id,
    make_resources,
    resource_count,
)
from automode_constructs.errors import AutoModeError
from automode_constructs.rendering.order import companions, in_order, prerequisites
from automode_constructs.rendering.render import ChartNote, RenderedObject, place_of, places_around, render
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.tokens import token_paths

if TYPE_CHECKING:
    from automode_constructs.delivery.chart_delivery import ChartDelivery, ChartTarget

__all__ = ["MAX_MANIFEST_BYTES", "MAX_RESOURCES", "attach", "logical_id"]

MAX_MANIFEST_BYTES = 100 * 1024
"""CloudFormation hands old and new manifest to a Lambda in one event of at most 256 KB."""

MAX_RESOURCES = 500
"""CloudFormation's limit for a stack."""


def attach(target: ChartTarget, deliveries: Sequence[ChartDelivery]) -> None:
    """Makes the resources of all deliveries of a cluster, whose names and order concern each other.

    What is wrong with them goes to ``ChartDelivery.problems``; nothing is made then.
    """
    owners: list[ChartDelivery] = []
    objects: list[RenderedObject] = []
    for delivery in deliveries:
        found = _render(delivery)
        for item in found:
            problem = _object_problem(delivery, item)
            if problem:
                delivery.problems.append(f"{item.where}: {problem}")
        owners += [delivery] * len(found)
        objects += found
    _judge_tree(target, owners, objects)
    _judge_images(target, owners, objects)
    _judge_jobs(owners, objects)
    aws_needs = _aws_needs(target, owners, objects)
    if any(delivery.problems for delivery in deliveries):
        return
    objects = _in_both_trees(owners, objects, aws_needs)
    needed = prerequisites(objects)
    try:
        order = in_order(objects, needed)
    except AutoModeError as error:
        deliveries[0].problems.append(str(error))
        return
    stacks = [cdk.Stack.of(delivery) for delivery in owners]
    deployments = _Deployments(target, stacks)
    if not deployments.allow(owners, objects, needed) or not _stacks_hold(owners, objects, stacks):
        return
    better = companions(objects)
    place = {index: position for position, index in enumerate(order)}
    made: dict[int, Sequence[Construct]] = {}
    for stack in dict.fromkeys(stacks[index] for index in order):
        here = [index for index in order if stacks[index] is stack]
        inside = {index: position for position, index in enumerate(here)}
        planned = [
            Planned(
                delivery=owners[index],
                item=objects[index],
                needs=frozenset(
                    inside[other]
                    for other in needed[index] | better[index]
                    if other in inside and place[other] < place[index]
                ),
                aws_needs=aws_needs[index],
            )
            for index in here
        ]
        ends = make_resources(
            planned, awaits_crds=not deployments.has_earlier(stack), alone=deployments.is_alone(stack)
        )
        made.update(zip(here, ends, strict=True))
    for index, others in enumerate(needed):
        elsewhere = [end for other in sorted(others) if stacks[other] is not stacks[index] for end in made[other]]
        for construct in made[index] if elsewhere else ():
            construct.node.add_dependency(*elsewhere)


def _render(delivery: ChartDelivery) -> Sequence[RenderedObject]:
    rendering = render(delivery.chart)
    delivery.rendered_constructs = len(delivery.chart.node.find_all())
    for note in rendering.notes:
        _report(delivery, note)
    if not rendering.objects and not any(note.severity == "error" for note in rendering.notes):
        delivery.problems.append(
            f"chart '{delivery.chart.node.path}' is empty; add an object to it, or do not deliver it"
        )
    return rendering.objects


def _report(delivery: ChartDelivery, note: ChartNote) -> None:
    text = f"{note.where}: {note.message}"
    if note.severity == "error":
        delivery.problems.append(text)
    elif note.severity == "warning":
        cdk.Annotations.of(delivery).add_warning_v2(note.rule or "automode:ChartWarning", text)
    else:
        cdk.Annotations.of(delivery).add_info(text)


def _object_problem(delivery: ChartDelivery, item: RenderedObject) -> str | None:
    key = object_key(item.manifest)
    metadata = {"namespace": key.namespace, "name": key.name}
    late = next(token_paths({"apiVersion": key.group, "kind": key.kind, "metadata": metadata}), None)
    if late:
        return f"{late}: holds a value known only after deployment; give a concrete one, logical ids are made of it"
    if (key.group, key.kind) == ("", "Secret"):
        return (
            f"{key} would be readable in the handler's log; "
            "make it from AWS Secrets Manager inside the cluster (for example with the Secrets Store CSI driver)"
        )
    text = _as_delivered(delivery, item.manifest)
    if "{{resolve:" in text:
        return (
            f"{key} holds a dynamic reference ('{{{{resolve:'), which would be readable in the handler's log; "
            "let the workload read the value itself"
        )
    size = len(text.encode())
    if size > MAX_MANIFEST_BYTES:
        return (
            f"{key} has {size // 1024} KB, more than the {MAX_MANIFEST_BYTES // 1024} KB that surely reach the handler"
            "; split it, or deliver it by Helm or GitOps"
        )
    return None


def _as_delivered(delivery: ChartDelivery, manifest: Mapping[str, Any]) -> str:
    """The text that CloudFormation gets, with its functions as JSON in it."""
    if next(token_paths(manifest), None) is None:
        return json.dumps(manifest, separators=(",", ":"), ensure_ascii=False)
    stack = cdk.Stack.of(delivery)
    return json.dumps(stack.resolve(stack.to_json_string(manifest)), ensure_ascii=False)


def _judge_tree(target: ChartTarget, owners: Sequence[ChartDelivery], objects: Sequence[RenderedObject]) -> None:
    findings = judge_tree(
        [item.in_tree() for item in objects],
        default_node_class=target.default_node_class,
        whole=target.charts_are_all_known,
        built_in_pools=target.built_in_pools,
        # Asking costs a walk over the app, and only workloads care.
        other_nodes=any(pods_of(object_key(item.manifest).group, item.manifest) for item in objects)
        and target.other_nodes,
    )
    for finding in findings:
        delivery = owners[finding.index]
        if finding.severity == "error":
            delivery.problems.append(str(finding))
        else:
            cdk.Annotations.of(delivery).add_warning_v2(finding.rule, str(finding))


def _judge_images(target: ChartTarget, owners: Sequence[ChartDelivery], objects: Sequence[RenderedObject]) -> None:
    """Says which images never arrive where nodes do not reach the internet; through a proxy all may."""
    if target.internet is not False or uses_proxy(item.manifest for item in objects):
        return
    for delivery, item in zip(owners, objects, strict=True):
        for severity, problem in image_source_problems(item.manifest):
            text = f"{item.where}: {object_key(item.manifest)}: {problem}"
            if severity == "error":
                delivery.problems.append(text)
            else:
                cdk.Annotations.of(delivery).add_warning_v2("automode:ImageSource", text)


def _judge_jobs(owners: Sequence[ChartDelivery], objects: Sequence[RenderedObject]) -> None:
    """Says where the end of a Job that is waited for may go unseen."""
    for delivery, item in zip(owners, objects, strict=True):
        key = object_key(item.manifest)
        if item.waits_for is None or (key.group, key.kind) != ("batch", "Job"):
            continue
        spec = mapping_at(item.manifest, "spec")
        deadline, stays = spec.get("activeDeadlineSeconds"), spec.get("ttlSecondsAfterFinished")
        problems: list[str] = []
        if not isinstance(deadline, int) or deadline > LONGEST_JOB_SECONDS:
            problems.append(
                f"spec.activeDeadlineSeconds: {'is not set' if deadline is None else f'got {deadline}'}, and the "
                f"deployment waits {WAIT_TIMEOUT_SECONDS} s: if that is too short it fails without the Job's reason, "
                f"and the Job goes on; give at most {LONGEST_JOB_SECONDS}"
            )
        if isinstance(stays, int) and stays < SERVICE_TIMEOUT_SECONDS:
            problems.append(
                f"spec.ttlSecondsAfterFinished: got {stays}: a Job that is gone has no answer, so that the deployment "
                f"may wait in vain; leave it out, or give at least {SERVICE_TIMEOUT_SECONDS}"
            )
        for problem in problems:
            cdk.Annotations.of(delivery).add_warning_v2("automode:WaitedJob", f"{item.where}: {key}: {problem}")


def _aws_needs(
    target: ChartTarget, owners: Sequence[ChartDelivery], objects: Sequence[RenderedObject]
) -> list[list[IConstruct]]:
    """For each object the constructs of the CDK's tree that an ``add_dependency`` of cdk8s names."""
    charts = [delivery.place for delivery in target.deliveries]
    delivered = {place for item in objects for place in item.places}
    undelivered: dict[tuple[ChartDelivery, str], str] = {}
    needs: list[list[IConstruct]] = []
    for delivery, item in zip(owners, objects, strict=True):
        needs.append([])
        for place, construct in item.after.items():
            if construct.node.root is delivery.node.root:
                needs[-1].append(construct)
            elif place not in delivered and not any(f"{place}/".startswith(f"{chart}/") for chart in charts):
                undelivered.setdefault((delivery, construct.node.path), item.where)
    for (delivery, path), where in undelivered.items():
        text = (
            f"{where}: waits for '{path}', which no delivery brings to this cluster; "
            "deliver it, or remove the add_dependency"
        )
        if target.charts_are_all_known:
            delivery.problems.append(text)
        else:
            cdk.Annotations.of(delivery).add_warning_v2("automode:DependencyNotDelivered", text)
    return needs


def _in_both_trees(
    owners: Sequence[ChartDelivery], objects: Sequence[RenderedObject], aws_needs: Sequence[Sequence[IConstruct]]
) -> list[RenderedObject]:
    """The objects as members of the CDK's tree besides their own: deliveries can wait for each other there."""
    places: dict[ChartDelivery, tuple[str, ...]] = {}
    after: dict[ChartDelivery, dict[str, IConstruct]] = {}
    for delivery in dict.fromkeys(owners):
        places[delivery] = places_around(place_of(delivery))
        after[delivery] = _all_behind(needed for scope in delivery.node.scopes for needed in scope.node.dependencies)
    return [
        replace(
            item,
            places=(*item.places, *places[delivery]),
            after={**item.after, **after[delivery], **_all_behind(needs)},
        )
        for delivery, item, needs in zip(owners, objects, aws_needs, strict=True)
    ]


def _all_behind(needed: Iterable[IConstruct]) -> dict[str, IConstruct]:
    """Constructs by place, and what they wait for in turn: there may be a delivery behind an AWS resource."""
    found: dict[str, IConstruct] = {}
    waiting = list(needed)
    while waiting:
        construct = waiting.pop()
        place = place_of(construct)
        if place not in found:
            found[place] = construct
            waiting += [more for inner in construct.node.find_all() for more in inner.node.dependencies]
    return found


class _Deployments:
    """Which stack is deployed before which."""

    def __init__(self, target: ChartTarget, stacks: Sequence[cdk.Stack]) -> None:
        self._home = _deployed_with(cdk.Stack.of(target))
        self._delivering = Counter(_deployed_with(stack) for stack in dict.fromkeys(stacks))
        self._before: dict[cdk.Stack, set[cdk.Stack]] = {}

    def allow(
        self, owners: Sequence[ChartDelivery], objects: Sequence[RenderedObject], needed: Sequence[set[int]]
    ) -> bool:
        """Whether no object must come before one whose stack is deployed first."""
        stacks = [_deployed_with(cdk.Stack.of(delivery)) for delivery in owners]
        allowed = True
        for index, others in enumerate(needed):
            for other in sorted(others):
                mine, its = stacks[index], stacks[other]
                if its is mine or its in self._directly_before(mine):
                    continue
                if mine in self._all_before(its):
                    allowed = False
                    owners[index].problems.append(
                        f"{objects[index].where}: must come after {object_key(objects[other].manifest)} of stack "
                        f"'{its.node.path}', which is deployed after stack '{mine.node.path}'; deliver both in one "
                        "stack"
                    )
                self._directly_before(mine).add(its)
        return allowed

    def has_earlier(self, stack: cdk.Stack) -> bool:
        """Whether another stack delivers to the cluster before this one, so that its CRDs are known to be there."""
        mine = _deployed_with(stack)
        return bool((self._all_before(mine) - {mine}) & self._delivering.keys())

    def is_alone(self, stack: cdk.Stack) -> bool:
        """Whether no nested stack delivers beside this one."""
        return self._delivering[_deployed_with(stack)] == 1

    def _directly_before(self, stack: cdk.Stack) -> set[cdk.Stack]:
        if stack not in self._before:
            home = {self._home} if stack in self._delivering else set()
            self._before[stack] = {*stack.dependencies, *home} - {stack}
        return self._before[stack]

    def _all_before(self, stack: cdk.Stack) -> set[cdk.Stack]:
        seen: set[cdk.Stack] = set()
        waiting = [stack]
        while waiting:
            more = self._directly_before(waiting.pop()) - seen
            seen |= more
            waiting += more
        return seen


def _stacks_hold(
    owners: Sequence[ChartDelivery], objects: Sequence[RenderedObject], stacks: Sequence[cdk.Stack]
) -> bool:
    """Whether the objects fit into their stacks."""
    fits = True
    for stack in dict.fromkeys(stacks):
        others = [item for item in stack.node.find_all() if isinstance(item, cdk.CfnResource) and item.stack is stack]
        items = [item for item, its in zip(objects, stacks, strict=True) if its is stack]
        total = resource_count(items) + len(others)
        if total > MAX_RESOURCES:
            fits = False
            owners[stacks.index(stack)].problems.append(
                f"stack '{stack.node.path}' would have {total} resources, more than the {MAX_RESOURCES} that "
                "CloudFormation takes; deliver some charts in another stack"
            )
    return fits


def _deployed_with(stack: cdk.Stack) -> cdk.Stack:
    while stack.nested_stack_parent is not None:
        stack = stack.nested_stack_parent
    return stack
