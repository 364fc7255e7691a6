"""What happens to the deliveries of a cluster when the app is synthesised: their objects are judged, then made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct, IConstruct, IDependable, Node

from automode_constructs.errors import AutoModeError
from automode_constructs.manifests.order import in_order, in_waves, prerequisites
from automode_constructs.manifests.rendering import ChartNote, RenderedObject, place_of, places_around, render
from automode_constructs.specs.image_sources import image_source_problems, uses_proxy
from automode_constructs.specs.placement import pods_of
from automode_constructs.specs.whole_tree import ObjectKey, judge_tree, object_key
from automode_constructs.tokens import token_paths

if TYPE_CHECKING:
    from automode_constructs.delivery import ChartDelivery, ChartTarget

__all__ = ["IN_FLIGHT", "MAX_MANIFEST_BYTES", "MAX_RESOURCES", "SERVICE_TIMEOUT_SECONDS", "attach", "logical_id"]

IN_FLIGHT = 3
"""Objects under way at a time. Each takes two Lambda invocations, and a new account may run ten at once."""

MAX_MANIFEST_BYTES = 100 * 1024
"""CloudFormation hands old and new manifest to a Lambda in one event of at most 256 KB."""

MAX_RESOURCES = 500
"""CloudFormation's limit for a stack."""

SERVICE_TIMEOUT_SECONDS = 1200
"""The handler ends after 15 minutes; without this CloudFormation would wait an hour for its answer."""

WAIT_TIMEOUT = cdk.Duration.minutes(14)
"""How long the cluster gets to serve a CRD, or an object to get ready, inside the handler's 15 minutes."""

_ALWAYS_AWAITED = ("nodeclasses.eks.amazonaws.com", "nodepools.karpenter.sh")
_AWAITED_BY_KIND = {
    "IngressClassParams": "ingressclassparams.eks.amazonaws.com",
    "TargetGroupBinding": "targetgroupbindings.eks.amazonaws.com",
}
_OUTLIVING_TYPES = ("AWS::EC2::VPCEndpoint", "AWS::EKS::AccessEntry", "AWS::EKS::PodIdentityAssociation")


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
    aws_needs = _aws_needs(target, owners, objects)
    if any(delivery.problems for delivery in deliveries):
        return
    objects = _in_both_trees(owners, objects)
    needed = prerequisites(objects)
    try:
        order = in_order(objects, needed)
    except AutoModeError as error:
        deliveries[0].problems.append(str(error))
        return
    stacks = [cdk.Stack.of(delivery) for delivery in owners]
    if not _stacks_allow(target, owners, objects, needed) or not _stacks_hold(owners, objects, stacks):
        return
    made: dict[int, Construct] = {}
    for stack in dict.fromkeys(stacks[index] for index in order):
        here = [index for index in order if stacks[index] is stack]
        before = _await_crds(owners[here[0]], {str(objects[index].manifest["kind"]) for index in here})
        for wave in in_waves(here, objects, needed):
            # Three lanes: each object waits for the one three places before it, the first three for the last wave's.
            lanes: list[IDependable] = []
            for index in wave:
                manifest = _make(owners[index], objects[index])
                manifest.node.add_dependency(
                    *(lanes[-IN_FLIGHT:][:1] if len(lanes) >= IN_FLIGHT else before), *aws_needs[index]
                )
                made[index] = _awaited(owners[index], objects[index], manifest)
                lanes.append(made[index])
            before = lanes[-IN_FLIGHT:]
    for index, others in enumerate(needed):
        elsewhere = [made[other] for other in sorted(others) if stacks[other] is not stacks[index]]
        if elsewhere:
            made[index].node.add_dependency(*elsewhere)


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


def _in_both_trees(owners: Sequence[ChartDelivery], objects: Sequence[RenderedObject]) -> list[RenderedObject]:
    """The objects as members of the CDK's tree besides their own: deliveries can wait for each other there."""
    places: dict[ChartDelivery, tuple[str, ...]] = {}
    after: dict[ChartDelivery, dict[str, IConstruct]] = {}
    for delivery in dict.fromkeys(owners):
        places[delivery] = places_around(place_of(delivery))
        after[delivery] = {
            place_of(needed): needed for scope in delivery.node.scopes for needed in scope.node.dependencies
        }
    return [
        replace(item, places=(*item.places, *places[delivery]), after={**item.after, **after[delivery]})
        for delivery, item in zip(owners, objects, strict=True)
    ]


def _stacks_allow(
    target: ChartTarget,
    owners: Sequence[ChartDelivery],
    objects: Sequence[RenderedObject],
    needed: Sequence[set[int]],
) -> bool:
    """Whether no object must come before one whose stack is deployed first."""
    home = _deployed_with(cdk.Stack.of(target))
    stacks = [_deployed_with(cdk.Stack.of(delivery)) for delivery in owners]
    earlier: dict[cdk.Stack, set[cdk.Stack]] = {}

    def directly_before(stack: cdk.Stack) -> set[cdk.Stack]:
        if stack not in earlier:
            earlier[stack] = {*stack.dependencies, *([home] if stack in stacks else [])} - {stack}
        return earlier[stack]

    def comes_after(stack: cdk.Stack, other: cdk.Stack) -> bool:
        seen, waiting = {stack}, [stack]
        while waiting:
            more = directly_before(waiting.pop()) - seen
            seen |= more
            waiting += more
        return other in seen

    allowed = True
    for index, others in enumerate(needed):
        for other in sorted(others):
            mine, its = stacks[index], stacks[other]
            if its is mine or its in directly_before(mine):
                continue
            if comes_after(its, mine):
                allowed = False
                owners[index].problems.append(
                    f"{objects[index].where}: must come after {object_key(objects[other].manifest)} of stack "
                    f"'{its.node.path}', which is deployed after stack '{mine.node.path}'; deliver both in one stack"
                )
            directly_before(mine).add(its)
    return allowed


def _stacks_hold(
    owners: Sequence[ChartDelivery], objects: Sequence[RenderedObject], stacks: Sequence[cdk.Stack]
) -> bool:
    """Whether the objects fit into their stacks."""
    fits = True
    for stack in dict.fromkeys(stacks):
        others = [item for item in stack.node.find_all() if isinstance(item, cdk.CfnResource) and item.stack is stack]
        waits = sum(item.waits_for is not None for item, its in zip(objects, stacks, strict=True) if its is stack)
        total = stacks.count(stack) + waits + len(_ALWAYS_AWAITED) + len(others)
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


def _await_crds(delivery: ChartDelivery, kinds: set[str]) -> list[IDependable]:
    """Custom resources that answer once the cluster serves Auto Mode's CRDs, and that hold what delivery needs."""
    target = delivery.cluster
    scope = Construct(delivery, "Crds")
    address = target.node.addr[-8:].upper()
    before: list[IDependable] = [*target.delivery_dependencies, *_outliving(cdk.Stack.of(delivery), target.deliveries)]
    for name in [*_ALWAYS_AWAITED, *sorted(_AWAITED_BY_KIND[kind] for kind in kinds & _AWAITED_BY_KIND.keys())]:
        plural = name.partition(".")[0]
        value = eks.KubernetesObjectValue(
            scope,
            plural,
            cluster=cast(eks.ICluster, target.cluster),
            object_type="crd",
            object_name=name,
            json_path=".metadata.name",
            timeout=WAIT_TIMEOUT,
        )
        node = _named(value, f"AutoModeCrds{_alphanumeric(plural)}{address}")
        if before:
            node.add_dependency(*before)
        before = [value]
    return before


def _named(value: eks.KubernetesObjectValue, name: str) -> Node:
    node = value.node
    resource = cast(cdk.CfnResource, node.find_child("Resource").node.default_child)
    resource.override_logical_id(name)
    resource.add_property_override("ServiceTimeout", str(SERVICE_TIMEOUT_SECONDS))
    return node


def _awaited(delivery: ChartDelivery, item: RenderedObject, manifest: eks.KubernetesManifest) -> Construct:
    """What comes after an object waits for this: the object itself, or its answer to ``wait_for``."""
    if item.waits_for is None:
        return manifest
    key = object_key(item.manifest)
    name = f"{logical_id(delivery.node.id, key)}Ready"
    value = eks.KubernetesObjectValue(
        delivery,
        name,
        cluster=cast(eks.ICluster, delivery.cluster.cluster),
        object_type=f"{key.kind.lower()}.{key.group}" if key.group else key.kind.lower(),
        object_name=key.name,
        object_namespace=key.namespace or None,
        json_path=item.waits_for,
        timeout=WAIT_TIMEOUT,
    )
    _named(value, name).add_dependency(manifest)
    return value


def _outliving(stack: cdk.Stack, deliveries: Sequence[ChartDelivery]) -> list[IDependable]:
    """What nodes and pods cannot live without though no object refers to it, unless it waits for a delivery itself."""
    return [
        construct
        for construct in _deployed_with(stack).node.find_all()
        if isinstance(construct, cdk.CfnResource)
        and construct.cfn_resource_type in _OUTLIVING_TYPES
        and not _waits_for(construct, deliveries)
    ]


def _waits_for(construct: IConstruct, deliveries: Sequence[ChartDelivery]) -> bool:
    needed = [needed for scope in construct.node.scopes for needed in scope.node.dependencies]
    return any(needed_one in delivery.node.scopes for needed_one in needed for delivery in deliveries)


def _make(delivery: ChartDelivery, item: RenderedObject) -> eks.KubernetesManifest:
    key = object_key(item.manifest)
    name = logical_id(delivery.node.id, key)
    manifest = eks.KubernetesManifest(
        delivery,
        name,
        cluster=cast(eks.ICluster, delivery.cluster.cluster),
        manifest=[item.manifest],
        overwrite=True,
        prune=False,
        removal_policy=delivery.removal_policy,
    )
    resource = cast(cdk.CfnResource, manifest.node.default_child)
    resource.override_logical_id(name)
    resource.add_property_override("ServiceTimeout", str(SERVICE_TIMEOUT_SECONDS))
    delivery.manifests[key] = manifest
    return manifest


def logical_id(delivery: str, key: ObjectKey) -> str:
    """The logical id of an object's resource: readable, unique by a digest, and made of nothing else than this."""
    parts = (key.kind, key.namespace, key.name)
    digest = hashlib.sha256("\0".join((delivery, key.group, *parts)).encode()).hexdigest()[:8].upper()
    return f"{''.join(_alphanumeric(part) for part in (delivery, *parts))[:240]}{digest}"


def _alphanumeric(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", text))
