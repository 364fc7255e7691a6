"""The resources that deliver objects: which ones a stack has, and what each waits for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct, IConstruct, IDependable, Node

from automode_constructs.checks.object_metadata import is_cluster_scoped
from automode_constructs.checks.whole_tree import ObjectKey, object_key
from automode_constructs.delivery.target import Delivery
from automode_constructs.rendering.lanes import Step, in_lanes
from automode_constructs.rendering.render import RenderedObject

__all__ = [
    "ALWAYS_AWAITED",
    "IN_FLIGHT",
    "LONGEST_JOB_SECONDS",
    "SERVICE_TIMEOUT_SECONDS",
    "WAIT_TIMEOUT_SECONDS",
    "Planned",
    "logical_id",
    "make_resources",
    "resource_count",
]

IN_FLIGHT = 3
"""Resources in progress at a time. Each takes two Lambda invocations, and a new account may run ten at once."""

SERVICE_TIMEOUT_SECONDS = 1200
"""The handler ends after 15 minutes; without this CloudFormation would wait an hour for its answer."""

WAIT_TIMEOUT_SECONDS = 840
"""The time limit for a CRD to be served or an object to become ready, within the handler's 15 minutes."""

LONGEST_JOB_SECONDS = 780
"""The longest ``activeDeadlineSeconds`` with which a Job's end is noticed: it starts shortly after the wait."""

_LOOK_SECONDS = 25
"""The time for an object to show that it is ready, once it has an answer: enough for three checks."""

_WAIT_LENGTH = 15
"""The cost of a wait for an object, counted in objects: five minutes."""

ALWAYS_AWAITED = ("nodeclasses.eks.amazonaws.com", "nodepools.karpenter.sh")
_AWAITED_BY_KIND = {
    "IngressClassParams": "ingressclassparams.eks.amazonaws.com",
    "TargetGroupBinding": "targetgroupbindings.eks.amazonaws.com",
}
_OUTLIVING_TYPES = ("AWS::EC2::VPCEndpoint", "AWS::EKS::AccessEntry", "AWS::EKS::PodIdentityAssociation")
_OF_KUBERNETES = re.compile(r"[a-z]*|[a-z.]+\.k8s\.io")
"""The API groups whose cluster-scoped kinds are all known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """An object of a stack, with what it waits for."""

    delivery: Delivery
    item: RenderedObject
    needs: frozenset[int]
    """The positions, in the stack's order, of the objects that come before it."""
    aws_needs: Sequence[IDependable]
    """The CDK constructs that come before it."""


@dataclass(kw_only=True, slots=True)
class _Resource:
    """A resource to create, as a step."""

    step: Step
    planned: Planned | None = None
    crd: str = ""
    answers: bool = False
    """Whether this awaits the object's answer."""
    verdict_on: int | None = None
    """The resource that awaits the answer that this one checks."""


def resource_count(items: Sequence[RenderedObject]) -> int:
    """The maximum number of resources that a stack gets for its objects."""
    awaited = {_AWAITED_BY_KIND.get(str(item.manifest["kind"])) for item in items} - {None}
    waits = sum((item.waits_for is not None) + (item.gives_up is not None) for item in items)
    return len(items) + waits + len(ALWAYS_AWAITED) + len(awaited)


def make_resources(objects: Sequence[Planned], *, awaits_crds: bool, alone: bool) -> list[Sequence[Construct]]:
    """Creates the resources of a stack's objects, which are already in a valid order.

    Args:
        objects: the objects.
        awaits_crds: whether they wait until the cluster serves Auto Mode's CRDs.
        alone: whether no stack nested in this one, or around it, delivers objects too. Otherwise resources keep the
            order, since a nested stack is created as a unit.

    Returns:
        For each object, what its dependents must wait for: the object itself, and its answer to ``wait_for``.
    """
    resources: list[_Resource] = []
    if awaits_crds:
        kinds = {str(planned.item.manifest["kind"]) for planned in objects}
        crds = [*ALWAYS_AWAITED, *sorted(_AWAITED_BY_KIND[kind] for kind in kinds & _AWAITED_BY_KIND.keys())]
        resources += [_Resource(step=Step(), crd=crd) for crd in crds]
    served = frozenset(range(len(resources)))
    ends: list[frozenset[int]] = []
    for planned in objects:
        needs = frozenset(served).union(*(ends[other] for other in planned.needs))
        own = len(resources)
        resources.append(_Resource(step=Step(needs=needs), planned=planned))
        end = {own}
        if planned.item.waits_for is not None:
            # It starts together with its object, not after it: it treats a missing object as not ready, not as an
            # error. But not before, or it would time out too early.
            step = Step(needs=needs, beside=own, length=_WAIT_LENGTH)
            resources.append(_Resource(step=step, planned=planned, answers=True))
            end.add(own + 1)
        if planned.item.gives_up is not None:
            resources.append(_Resource(step=Step(needs=frozenset(end)), planned=planned, verdict_on=own + 1))
            end.add(own + 2)
        ends.append(frozenset(end))
    constructs = _make_all(objects[0].delivery, resources)
    waits = in_lanes([resource.step for resource in resources], IN_FLIGHT, keep_order=not alone)
    target = objects[0].delivery.cluster
    outlive = [*target.delivery_dependencies, *_outliving(cdk.Stack.of(objects[0].delivery), target.deliveries)]
    for construct, resource, others in zip(constructs, resources, waits, strict=True):
        first: Sequence[IDependable] = [constructs[other] for other in others] or outlive
        aws = [] if resource.planned is None else resource.planned.aws_needs
        if first or aws:
            construct.node.add_dependency(*first, *aws)
    return [[constructs[number] for number in sorted(end)] for end in ends]


def _make_all(first: Delivery, resources: Sequence[_Resource]) -> list[Construct]:
    crds = Construct(first, "Crds") if resources[0].crd else None
    constructs: list[Construct] = []
    for resource in resources:
        if resource.planned is None:
            constructs.append(_crd_wait(cast(Construct, crds), first, resource.crd))
        elif resource.answers:
            constructs.append(_answer(resource.planned))
        elif resource.verdict_on is not None:
            constructs.append(
                _verdict(resource.planned, cast(eks.KubernetesObjectValue, constructs[resource.verdict_on]))
            )
        else:
            constructs.append(_manifest(resource.planned))
    return constructs


def _crd_wait(scope: Construct, delivery: Delivery, crd: str) -> eks.KubernetesObjectValue:
    plural = crd.partition(".")[0]
    address = delivery.cluster.node.addr[-8:].upper()
    return _value(
        delivery, scope, plural, f"AutoModeCrds{_alphanumeric(plural)}{address}", "crd", crd, ".metadata.name"
    )


def _answer(planned: Planned) -> eks.KubernetesObjectValue:
    """Ends when the object is ready, or will never be."""
    path = str(planned.item.waits_for)
    if planned.item.gives_up is not None:
        path = f"{path}}}{{{planned.item.gives_up}"
    return _value_of(planned, "Ready", path)


def _verdict(planned: Planned, answer: eks.KubernetesObjectValue) -> eks.KubernetesObjectValue:
    """Fails if the object has an answer but is not ready, and quotes the answer.

    If the handler ends without an answer, it quotes its arguments: a text inside a loop over nothing is quoted there
    and never printed.
    """
    path = f"{planned.item.waits_for}}}{{range .failed}}{answer.value}{{end"
    return _value_of(planned, "Success", path, seconds=_LOOK_SECONDS)


def _value_of(
    planned: Planned, suffix: str, json_path: str, seconds: int = WAIT_TIMEOUT_SECONDS
) -> eks.KubernetesObjectValue:
    key = object_key(planned.item.manifest)
    name = f"{logical_id(planned.delivery.node.id, key)}{suffix}"
    kind = f"{key.kind.lower()}.{key.group}" if key.group else key.kind.lower()
    return _value(
        planned.delivery, planned.delivery, name, name, kind, key.name, json_path, key.namespace or None, seconds
    )


def _value(
    delivery: Delivery,
    scope: Construct,
    id: str,
    name: str,
    kind: str,
    object_name: str,
    json_path: str,
    namespace: str | None = None,
    seconds: int = WAIT_TIMEOUT_SECONDS,
) -> eks.KubernetesObjectValue:
    value = eks.KubernetesObjectValue(
        scope,
        id,
        cluster=cast(eks.ICluster, delivery.cluster.cluster),
        object_type=kind,
        object_name=object_name,
        object_namespace=namespace,
        json_path=json_path,
        timeout=cdk.Duration.seconds(seconds),
    )
    _name(value.node.find_child("Resource").node, name)
    return value


def _manifest(planned: Planned) -> eks.KubernetesManifest:
    delivery, item = planned.delivery, planned.item
    key = object_key(item.manifest)
    name = logical_id(delivery.node.id, key)
    namespace = key.kind == "Namespace" and not key.group
    manifest = eks.KubernetesManifest(
        delivery,
        name,
        cluster=cast(eks.ICluster, delivery.cluster.cluster),
        manifest=[item.manifest],
        # A namespace that is retained must be allowed to exist already.
        overwrite=delivery.adopt or namespace or not _is_cluster_wide(key, item.manifest),
        prune=False,
        removal_policy=(
            cdk.RemovalPolicy.RETAIN if namespace and delivery.retain_namespaces else delivery.removal_policy
        ),
    )
    _name(manifest.node, name)
    delivery.manifests[key] = manifest
    return manifest


def _is_cluster_wide(key: ObjectKey, manifest: Mapping[str, object]) -> bool:
    """Whether a kind is cluster-scoped; an unknown kind counts as such if its object names no namespace."""
    if is_cluster_scoped(key.kind):
        return True
    metadata = cast(Mapping[str, object], manifest["metadata"])
    return not metadata.get("namespace") and _OF_KUBERNETES.fullmatch(key.group) is None


def _name(node: Node, name: str) -> None:
    resource = cast(cdk.CfnResource, node.default_child)
    resource.override_logical_id(name)
    resource.add_property_override("ServiceTimeout", str(SERVICE_TIMEOUT_SECONDS))


def _outliving(stack: cdk.Stack, deliveries: Sequence[Delivery]) -> list[IDependable]:
    """What nodes and pods need although no object refers to it, unless it waits for a delivery itself."""
    top = stack
    while top.nested_stack_parent is not None:
        top = top.nested_stack_parent
    return [
        construct
        for construct in top.node.find_all()
        if isinstance(construct, cdk.CfnResource)
        and construct.cfn_resource_type in _OUTLIVING_TYPES
        and not _waits_for(construct, deliveries)
    ]


def _waits_for(construct: IConstruct, deliveries: Sequence[Delivery]) -> bool:
    needed = [needed for scope in construct.node.scopes for needed in scope.node.dependencies]
    return any(needed_one in delivery.node.scopes for needed_one in needed for delivery in deliveries)


def logical_id(delivery: str, key: ObjectKey) -> str:
    """The logical id of an object's resource: readable, unique by a digest, and derived from nothing else."""
    parts = (key.kind, key.namespace, key.name)
    digest = hashlib.sha256("\0".join((delivery, key.group, *parts)).encode()).hexdigest()[:8].upper()
    return f"{''.join(_alphanumeric(part) for part in (delivery, *parts))[:240]}{digest}"


def _alphanumeric(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", text))
