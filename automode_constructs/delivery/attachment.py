"""Processes the deliveries of a cluster at synthesis: checks their objects, then creates their resources."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import aws_cdk as cdk
from constructs import Construct, IConstruct

from automode_constructs.checks.app_rules import (
    ADMISSION_POLICY_NOT_LAST,
    CHART_WARNING,
    DEPENDENCY_NOT_DELIVERED,
    GATEWAY_API_OFF,
    WAITED_JOB,
)
from automode_constructs.checks.image_sources import image_source_problems, uses_proxy
from automode_constructs.checks.placement import pods_of
from automode_constructs.checks.whole_tree import ObjectKey, judge_tree, object_key
from automode_constructs.delivery.resources import (
    LONGEST_JOB_SECONDS,
    SERVICE_TIMEOUT_SECONDS,
    WAIT_TIMEOUT_SECONDS,
    Planned,
    logical_id,
    make_resources,
    resource_count,
)
from automode_constructs.delivery.target import Delivery, DeliveryTarget
from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.rendering.order import companions, in_order, prerequisites
from automode_constructs.rendering.render import (
    ADMISSION_POLICIES,
    RenderedObject,
    place_of,
    places_around,
    rank,
    render,
)
from automode_constructs.specs.free_body import mapping_at
from automode_constructs.tokens import token_paths

__all__ = ["MAX_MANIFEST_BYTES", "MAX_RESOURCES", "attach", "logical_id"]

MAX_MANIFEST_BYTES = 100 * 1024
"""CloudFormation passes the old and new manifest to a Lambda in one event of at most 256 KB."""

MAX_RESOURCES = 500
"""CloudFormation's limit for a stack."""

_GATEWAY_GROUP = "gateway.networking.k8s.io"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """An object on its way to the cluster."""

    owner: Delivery
    item: RenderedObject
    key: ObjectKey
    stack: cdk.Stack
    """The stack that contains its resource."""
    aws_needs: tuple[IConstruct, ...] = ()
    """The constructs in the CDK's tree that a cdk8s ``add_dependency`` names."""


def attach(target: DeliveryTarget) -> None:
    """Creates, once, the resources of all deliveries of a cluster, which share names and order.

    Problems go to ``Delivery.problems``; if there are any, nothing is created.
    """
    if target.attached:
        return
    target.attached = True
    delivered = [one for delivery in target.deliveries for one in _read(delivery)]
    _judge_tree(target, delivered)
    _judge_images(target, delivered)
    _judge_gateways(target, delivered)
    _judge_jobs(delivered)
    delivered = _with_needs(target, delivered)
    if any(delivery.problems for delivery in target.deliveries):
        return
    objects = _in_both_trees(delivered)
    needed = prerequisites(objects)
    try:
        in_order(objects, needed)
    except AutoModeError as error:
        target.deliveries[0].problems += [replace(problem, where=error.where) for problem in error.problems]
        return
    deployments = _Deployments(target, delivered)
    if not deployments.allow(delivered, needed) or not _stacks_hold(delivered):
        return
    deployments.put_admission_last(delivered, needed)
    order = in_order(objects, needed)
    better = companions(objects)
    place = {index: position for position, index in enumerate(order)}
    ends_of: dict[int, Sequence[Construct]] = {}
    for stack in dict.fromkeys(delivered[index].stack for index in order):
        here = [index for index in order if delivered[index].stack is stack]
        inside = {index: position for position, index in enumerate(here)}
        planned = [
            Planned(
                delivery=delivered[index].owner,
                item=objects[index],
                needs=frozenset(
                    inside[other]
                    for other in needed[index] | better[index]
                    if other in inside and place[other] < place[index]
                ),
                aws_needs=delivered[index].aws_needs,
            )
            for index in here
        ]
        ends = make_resources(
            planned, awaits_crds=not deployments.has_earlier(stack), alone=deployments.is_alone(stack)
        )
        ends_of.update(zip(here, ends, strict=True))
    for index, others in enumerate(needed):
        abroad = [other for other in sorted(others) if delivered[other].stack is not delivered[index].stack]
        elsewhere = [end for other in abroad for end in ends_of[other]]
        for construct in ends_of[index] if elsewhere else ():
            construct.node.add_dependency(*elsewhere)


def _read(delivery: Delivery) -> list[Delivered]:
    """The objects of a delivery; reports the problems of each object by itself."""
    rendering = render(delivery.chart)
    delivery.rendered_constructs = len(delivery.chart.node.find_all())
    for note in rendering.notes:
        _report(delivery, note)
    if not rendering.objects and not any(note.severity == "error" for note in rendering.notes):
        message = f"chart '{delivery.chart.node.path}' is empty"
        _report(delivery, Problem(field="", message=message, cure="add an object to it, or do not deliver it"))
    stack = cdk.Stack.of(delivery)
    delivered = [
        Delivered(owner=delivery, item=item, key=object_key(item.manifest), stack=stack) for item in rendering.objects
    ]
    for one in delivered:
        for problem in _object_problems(one):
            _report(delivery, replace(problem, where=one.item.where))
    return delivered


def _report(delivery: Delivery, problem: Problem) -> None:
    if problem.severity == "error":
        delivery.problems.append(problem)
    elif problem.severity == "warning":
        cdk.Annotations.of(delivery).add_warning_v2(problem.rule or CHART_WARNING.id, str(problem))
    else:
        cdk.Annotations.of(delivery).add_info(str(problem))


_REGISTRATION = {"name", "project", "server"}
"""What a managed Argo CD keeps of a cluster in a Secret: nothing that is one."""


def _registers_a_cluster(manifest: Mapping[str, Any]) -> bool:
    """Whether a Secret only registers a cluster with a managed Argo CD."""
    labels = manifest["metadata"].get("labels") or {}
    fields = {field for field in ("data", "stringData") if field in manifest}
    return (
        labels.get("argocd.argoproj.io/secret-type") == "cluster"
        and fields == {"stringData"}
        and set(manifest["stringData"]) <= _REGISTRATION
    )


def _object_problems(one: Delivered) -> Iterator[Problem]:
    """Why an object cannot be delivered: the first reason."""
    key = one.key
    metadata = {"namespace": key.namespace, "name": key.name}
    late = next(token_paths({"apiVersion": key.group, "kind": key.kind, "metadata": metadata}), None)
    if late:
        yield Problem(
            field=late,
            message="holds a value known only after deployment",
            cure="give a concrete one, logical ids are made of it",
        )
        return
    if (key.group, key.kind) == ("", "Secret") and not _registers_a_cluster(one.item.manifest):
        yield Problem(
            field="",
            message=f"{key} would be readable in the handler's log",
            cure="make it from AWS Secrets Manager inside the cluster (for example with the Secrets Store CSI driver)",
        )
        return
    text = _as_delivered(one.stack, one.item.manifest)
    size = len(text.encode())
    if "{{resolve:" in text:
        yield Problem(
            field="",
            message=f"{key} holds a dynamic reference ('{{{{resolve:'), which would be readable in the handler's log",
            cure="let the workload read the value itself",
        )
    elif size > MAX_MANIFEST_BYTES:
        yield Problem(
            field="",
            message=f"{key} has {size // 1024} KB, more than the {MAX_MANIFEST_BYTES // 1024} KB that surely reach the "
            "handler",
            cure="split it, or deliver it by Helm or GitOps",
        )


def _as_delivered(stack: cdk.Stack, manifest: Mapping[str, Any]) -> str:
    """The text that CloudFormation receives, with intrinsic functions as JSON."""
    if next(token_paths(manifest), None) is None:
        return json.dumps(manifest, separators=(",", ":"), ensure_ascii=False)
    return json.dumps(stack.resolve(stack.to_json_string(manifest)), ensure_ascii=False)


def _judge_tree(target: DeliveryTarget, delivered: Sequence[Delivered]) -> None:
    # An object cannot be delivered from another Region than the cluster's.
    region = next((one.stack.region for one in delivered), cdk.Aws.REGION)
    findings = judge_tree(
        [one.item.in_tree() for one in delivered],
        default_node_class=target.default_node_class,
        whole=target.charts_are_all_known,
        built_in_pools=target.built_in_pools,
        ip_family=target.ip_family,
        # This check walks the whole app, and only workloads need it.
        other_nodes=any(pods_of(one.key.group, one.item.manifest) for one in delivered) and target.other_nodes,
        region=None if cdk.Token.is_unresolved(region) else region,
    )
    for finding in findings:
        _report(delivered[finding.index].owner, finding)


def _judge_images(target: DeliveryTarget, delivered: Sequence[Delivered]) -> None:
    """Reports images that nodes without internet access cannot pull; through a proxy, all may arrive."""
    if target.internet is not False or uses_proxy(one.item.manifest for one in delivered):
        return
    for one in delivered:
        for problem in image_source_problems(one.item.manifest):
            _report(one.owner, replace(problem, where=f"{one.item.where}: {one.key}"))


def _judge_gateways(target: DeliveryTarget, delivered: Sequence[Delivered]) -> None:
    """Reports objects of the Gateway API for a cluster without its kinds, unless their CRDs are delivered too."""
    crds = [one for one in delivered if one.key.kind == "CustomResourceDefinition"]
    if target.gateway_api is not False or any(
        mapping_at(one.item.manifest, "spec").get("group") == _GATEWAY_GROUP for one in crds
    ):
        return
    for one in delivered:
        if one.key.group == _GATEWAY_GROUP:
            problem = GATEWAY_API_OFF.problem(
                "apiVersion",
                "the cluster has no kinds of the Gateway API, so that the API server refuses this object",
                "set gateway_api=True on the cluster, or acknowledge this if somebody else installs the CRDs",
            )
            _report(one.owner, replace(problem, where=f"{one.item.where}: {one.key}"))


def _judge_jobs(delivered: Sequence[Delivered]) -> None:
    """Reports awaited Jobs whose end may go unnoticed."""
    for one in delivered:
        if one.item.waits_for is None or (one.key.group, one.key.kind) != ("batch", "Job"):
            continue
        for problem in _job_problems(mapping_at(one.item.manifest, "spec")):
            _report(one.owner, replace(problem, where=f"{one.item.where}: {one.key}"))


def _job_problems(spec: Mapping[str, Any]) -> Iterator[Problem]:
    deadline, stays = spec.get("activeDeadlineSeconds"), spec.get("ttlSecondsAfterFinished")
    if not isinstance(deadline, int) or deadline > LONGEST_JOB_SECONDS:
        yield WAITED_JOB.problem(
            "spec.activeDeadlineSeconds",
            f"{'is not set' if deadline is None else f'got {deadline}'}, and the deployment waits "
            f"{WAIT_TIMEOUT_SECONDS} s: if that is too short it fails without the Job's reason, and the Job goes on",
            f"give at most {LONGEST_JOB_SECONDS}",
        )
    if isinstance(stays, int) and stays < SERVICE_TIMEOUT_SECONDS:
        yield WAITED_JOB.problem(
            "spec.ttlSecondsAfterFinished",
            f"got {stays}: a Job that is gone has no answer, so that the deployment may wait in vain",
            f"leave it out, or give at least {SERVICE_TIMEOUT_SECONDS}",
        )


def _with_needs(target: DeliveryTarget, delivered: Sequence[Delivered]) -> list[Delivered]:
    """The objects with the CDK constructs that they wait for; reports a wait for something that never comes."""
    charts = [delivery.place for delivery in target.deliveries]
    places = {place for one in delivered for place in one.item.places}
    undelivered: dict[tuple[Delivery, str], str] = {}
    resolved: list[Delivered] = []
    for one in delivered:
        needs: list[IConstruct] = []
        for place, construct in one.item.after.items():
            if construct.node.root is one.owner.node.root:
                needs.append(construct)
            elif place not in places and not any(f"{place}/".startswith(f"{chart}/") for chart in charts):
                undelivered.setdefault((one.owner, construct.node.path), one.item.where)
        resolved.append(replace(one, aws_needs=tuple(needs)))
    for (delivery, path), where in undelivered.items():
        problem = DEPENDENCY_NOT_DELIVERED.problem(
            "",
            f"waits for '{path}', which no delivery brings to this cluster",
            "deliver it, or remove the add_dependency",
            severity="error" if target.charts_are_all_known else "warning",
        )
        _report(delivery, replace(problem, where=where))
    return resolved


def _in_both_trees(delivered: Sequence[Delivered]) -> list[RenderedObject]:
    """The objects as members of the CDK's tree too, because deliveries can wait for each other there."""
    places: dict[Delivery, tuple[str, ...]] = {}
    after: dict[Delivery, dict[str, IConstruct]] = {}
    for delivery in dict.fromkeys(one.owner for one in delivered):
        places[delivery] = places_around(place_of(delivery))
        after[delivery] = _all_behind(needed for scope in delivery.node.scopes for needed in scope.node.dependencies)
    return [
        replace(
            one.item,
            places=(*one.item.places, *places[one.owner]),
            after={**one.item.after, **after[one.owner], **_all_behind(one.aws_needs)},
        )
        for one in delivered
    ]


def _all_behind(needed: Iterable[IConstruct]) -> dict[str, IConstruct]:
    """Constructs by place, with their own dependencies: an AWS resource may depend on a delivery."""
    constructs: dict[str, IConstruct] = {}
    waiting = list(needed)
    while waiting:
        construct = waiting.pop()
        place = place_of(construct)
        if place not in constructs:
            constructs[place] = construct
            waiting += [more for inner in construct.node.find_all() for more in inner.node.dependencies]
    return constructs


class _Deployments:
    """The order in which stacks are deployed."""

    def __init__(self, target: DeliveryTarget, delivered: Sequence[Delivered]) -> None:
        self._home = _deployed_with(cdk.Stack.of(target))
        self._delivering = Counter(_deployed_with(stack) for stack in dict.fromkeys(one.stack for one in delivered))
        self._before: dict[cdk.Stack, set[cdk.Stack]] = {}

    def allow(self, delivered: Sequence[Delivered], needed: Sequence[set[int]]) -> bool:
        """Whether no object must precede one whose stack is deployed earlier."""
        stacks = [_deployed_with(one.stack) for one in delivered]
        allowed = True
        for index, others in enumerate(needed):
            for other in sorted(others):
                mine, its = stacks[index], stacks[other]
                if its is mine or its in self._directly_before(mine):
                    continue
                if mine in self._all_before(its):
                    allowed = False
                    problem = Problem(
                        field="",
                        message=f"must come after {delivered[other].key} of stack '{its.node.path}', which is deployed "
                        f"after stack '{mine.node.path}'",
                        cure="deliver both in one stack",
                        where=delivered[index].item.where,
                    )
                    _report(delivered[index].owner, problem)
                self._directly_before(mine).add(its)
        return allowed

    def put_admission_last(self, delivered: Sequence[Delivered], needed: Sequence[set[int]]) -> None:
        """Makes admission policies and bindings need everything else, in all stacks; warns where they cannot."""
        behind = _followers(needed)
        warned: set[tuple[Delivery, cdk.Stack]] = set()
        for index, one in enumerate(delivered):
            if one.key.kind not in ADMISSION_POLICIES:
                continue
            after = _all_from(index, behind)
            elsewhere: dict[cdk.Stack, int] = {}
            for other, its in enumerate(delivered):
                if other in after or rank(its.key.kind) >= rank(one.key.kind):
                    continue
                if its.stack is one.stack:
                    needed[index].add(other)
                elif its.key.kind not in ADMISSION_POLICIES:
                    # A stack is created as a whole: one object stands for all.
                    elsewhere.setdefault(its.stack, other)
            for stack, other in elsewhere.items():
                if not self._waits_for(stack, one.stack, delivered, needed):
                    needed[index].add(other)
                    mine = _deployed_with(one.stack)
                    self._directly_before(mine).update({_deployed_with(stack)} - {mine})
                elif (one.owner, stack) not in warned:
                    warned.add((one.owner, stack))
                    _report(one.owner, _not_last(one, delivered[other]))

    def _waits_for(
        self, stack: cdk.Stack, other: cdk.Stack, delivered: Sequence[Delivered], needed: Sequence[set[int]]
    ) -> bool:
        """Whether a stack, which may be nested, is deployed after another."""
        mine, its = _deployed_with(stack), _deployed_with(other)
        if mine is not its:
            return its in self._all_before(mine)
        before: dict[cdk.Stack, set[cdk.Stack]] = {}
        for index, others in enumerate(needed):
            before.setdefault(delivered[index].stack, set()).update(delivered[each].stack for each in others)
        return other in _all_from(stack, before)

    def has_earlier(self, stack: cdk.Stack) -> bool:
        """Whether another stack delivers to the cluster before this one, so that its CRDs are known to exist."""
        mine = _deployed_with(stack)
        return bool((self._all_before(mine) - {mine}) & self._delivering.keys())

    def is_alone(self, stack: cdk.Stack) -> bool:
        """Whether no nested stack also delivers with this one."""
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


def _all_from(start: T, graph: Mapping[T, Iterable[T]]) -> set[T]:
    """What can be reached in a graph, the start included."""
    seen, waiting = {start}, [start]
    while waiting:
        more = {*graph.get(waiting.pop(), ())} - seen
        seen |= more
        waiting += more
    return seen


def _followers(needed: Sequence[set[int]]) -> dict[int, set[int]]:
    """For each object, those that need it."""
    found: dict[int, set[int]] = {}
    for index, others in enumerate(needed):
        for other in others:
            found.setdefault(other, set()).add(index)
    return found


def _not_last(one: Delivered, other: Delivered) -> Problem:
    problem = ADMISSION_POLICY_NOT_LAST.problem(
        "",
        f"{one.key} comes before {other.key} of stack '{other.stack.node.path}', which is deployed after stack "
        f"'{one.stack.node.path}', and so may refuse it or what it makes",
        "deliver admission policies in a stack that nothing depends on, such as GuardrailsStack",
    )
    return replace(problem, where=one.item.where)


def _stacks_hold(delivered: Sequence[Delivered]) -> bool:
    """Whether the objects fit into their stacks."""
    fits = True
    for stack in dict.fromkeys(one.stack for one in delivered):
        others = [item for item in stack.node.find_all() if isinstance(item, cdk.CfnResource) and item.stack is stack]
        here = [one for one in delivered if one.stack is stack]
        total = resource_count([one.item for one in here]) + len(others)
        if total > MAX_RESOURCES:
            fits = False
            problem = Problem(
                field="",
                message=f"stack '{stack.node.path}' would have {total} resources, more than the {MAX_RESOURCES} that "
                "CloudFormation takes",
                cure="deliver some charts in another stack",
            )
            _report(here[0].owner, problem)
    return fits


def _deployed_with(stack: cdk.Stack) -> cdk.Stack:
    while stack.nested_stack_parent is not None:
        stack = stack.nested_stack_parent
    return stack
