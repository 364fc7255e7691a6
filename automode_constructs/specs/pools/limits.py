"""The limits of a pool: resources that nodes have, and room for at least one node."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from automode_constructs.errors import Problem, shown
from automode_constructs.facts.instance_types import InstanceType
from automode_constructs.specs.quantity import number
from automode_constructs.specs.rule import rule

__all__ = ["limit_problems", "room_problems"]

LIMIT_OF_NO_RESOURCE = rule(
    "automode:LimitOfNoResource",
    "NodePool",
    severity="warning",
    sentence="Each limit of a pool is for a resource that nodes have: a limit for another name limits nothing.",
    source="Karpenter, 'NodePools', spec.limits; Kubernetes, 'Resource Management for Pods and Containers'",
)
LIMIT_BELOW_ONE_NODE = rule(
    "automode:LimitBelowOneNode",
    "NodePool",
    severity="warning",
    sentence="The limits of a pool leave room for at least one of the instance types that it admits.",
    source="Karpenter, 'NodePools', spec.limits; EC2's DescribeInstanceTypes",
)

_OF_NODES = ("cpu", "memory", "ephemeral-storage", "pods", "nodes")
_OF_DEVICES = (
    "nvidia.com/gpu",
    "aws.amazon.com/neuron",
    "aws.amazon.com/neuroncore",
    "aws.amazon.com/neurondevice",
    "vpc.amazonaws.com/efa",
    "amd.com/gpu",
    "habana.ai/gaudi",
)
_MEANT = {
    "gpu": "nvidia.com/gpu",
    "gpus": "nvidia.com/gpu",
    "nvidia": "nvidia.com/gpu",
    "neuron": "aws.amazon.com/neuron",
    "efa": "vpc.amazonaws.com/efa",
    "vcpu": "cpu",
    "cpus": "cpu",
    "cores": "cpu",
    "mem": "memory",
    "ram": "memory",
    "storage": "ephemeral-storage",
    "node": "nodes",
    "instances": "nodes",
    "replicas": "nodes",
}
_HUGE_PAGES = re.compile(r"hugepages-[0-9]+[KMG]i")


def limit_problems(limits: Mapping[str, int | str]) -> Iterator[Problem]:
    """Limits for names that no resource of a node has; fields begin with the limit's key."""
    for name in limits:
        if name in _OF_NODES or name in _OF_DEVICES or _HUGE_PAGES.fullmatch(name):
            continue
        import difflib  # late: only a finding needs it

        word = name.lower().removeprefix("limits.").removeprefix("requests.")
        close = difflib.get_close_matches(word, [*_OF_NODES, *_OF_DEVICES], n=1, cutoff=0.8)
        near = _MEANT.get(word) or next(iter(close), "")
        if "/" in name and not near:
            continue  # A resource of another device plugin.
        yield LIMIT_OF_NO_RESOURCE.problem(
            f"[{shown(name)}]",
            f"no node has a resource {shown(name)}, so it limits nothing",
            f"did you mean '{near}'?"
            if near
            else f"use one of {', '.join(map(repr, _OF_NODES))}, or a device's full name",
        )


def room_problems(limits: Mapping[str, int | str], types: Iterable[InstanceType]) -> Iterator[Problem]:
    """Limits under which not one node of the admitted types fits. A limit of 0 says that the pool is off."""
    needs: dict[str, tuple[Callable[[InstanceType], int], str]] = {
        "cpu": (lambda one: one.vcpu, "vCPU"),
        "memory": (lambda one: one.memory_mib * 2**20, "bytes of memory"),
    }
    known = [*types]
    for name, (need, unit) in needs.items():
        most = number(limits[name]) if name in limits else None
        least = min(map(need, known), default=None)
        if most and least is not None and 0 < most < least:
            yield LIMIT_BELOW_ONE_NODE.problem(
                f"[{shown(name)}]",
                f"the smallest instance that the pool admits has {least} {unit}, more than {limits[name]}, so the pool "
                "never launches a node",
                "raise the limit, or admit smaller instances",
            )
