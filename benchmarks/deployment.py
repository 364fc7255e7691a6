"""How long the first deployment of the default app takes, as a model: from its templates, without an account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "MOST_IN_FLIGHT",
    "MOST_IN_SERIES",
    "MOST_MINUTES",
    "Deployment",
    "compare",
    "deployment_of",
    "in_order",
    "needs_of",
]

SECONDS = {
    "AWS::EC2::NatGateway": 120,
    "AWS::EC2::VPCEndpoint": 90,
    "AWS::EKS::Cluster": 600,
    "AWS::IAM::InstanceProfile": 120,
    "AWS::IAM::Policy": 16,
    "AWS::IAM::Role": 20,
}
"""What CloudFormation takes to make one."""
CUSTOM_SECONDS = 20
"""A custom resource, from its event to its answer."""
VPC_LAMBDA_SECONDS = 60
"""A Lambda function in a VPC, whose network interfaces are made with it."""
OTHER_SECONDS = 5

MOST_IN_SERIES, MOST_IN_FLIGHT, MOST_MINUTES = 14, 3, 18.5
"""The goals. Shop and copy each wait for their network policies first: a rank, 20 seconds, in each of two stacks."""

OBJECT_TYPES = "Custom::AWSCDK-EKS-Kubernetes"
"""What the types of the custom resources begin with that deliver an object or wait for one."""

ROOT = Path(__file__).parent.parent
Template = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """What the creation of a stack comes to."""

    name: str
    minutes: float
    series: int
    """Custom resources of objects that wait for each other, at most."""
    in_flight: int
    """Custom resources of objects under way at a time, at most, in the model's time."""
    ranks: int
    """Resources that wait for each other, at most: all of them, or in the cluster's stack those after the cluster."""


def needs_of(template: Template) -> dict[str, set[str]]:
    """For each resource those that CloudFormation makes before it."""
    resources = template["Resources"]

    def referred(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from ([value["Ref"]] if "Ref" in value else [])
            yield from ([value["Fn::GetAtt"][0]] if "Fn::GetAtt" in value else [])
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from referred(inner)

    return {
        name: {*body.get("DependsOn", ()), *referred(body.get("Properties", {}))} & resources.keys()
        for name, body in resources.items()
    }


def deployment_of(name: str, template: Template) -> Deployment:
    """Models the creation of a stack in which each resource begins as soon as it can."""
    resources, needs = template["Resources"], needs_of(template)
    series: dict[str, int] = {}
    after: dict[str, int] = {}
    begins: dict[str, int] = {}
    ends: dict[str, int] = {}
    clusters = {each for each, body in resources.items() if body["Type"] == "AWS::EKS::Cluster"}

    def visit(each: str) -> None:
        if each in ends:
            return
        for other in needs[each]:
            visit(other)
        kind = resources[each]["Type"]
        series[each] = max((series[other] for other in needs[each]), default=0) + kind.startswith(OBJECT_TYPES)
        counted = not clusters or any(other in clusters or after[other] for other in needs[each])
        after[each] = max((after[other] for other in needs[each]), default=0) + counted
        begins[each] = max((ends[other] for other in needs[each]), default=0)
        ends[each] = begins[each] + _seconds(resources[each])

    for each in resources:
        visit(each)
    objects = [each for each, body in resources.items() if body["Type"].startswith(OBJECT_TYPES)]
    return Deployment(
        name=name,
        minutes=max(ends.values()) / 60,
        series=max(series.values()),
        in_flight=max((sum(begins[one] <= begins[each] < ends[one] for one in objects) for each in objects), default=0),
        ranks=max(after.values()),
    )


def _seconds(resource: Template) -> int:
    kind = resource["Type"]
    if kind.startswith("Custom::"):
        return CUSTOM_SECONDS
    if kind == "AWS::Lambda::Function" and "VpcConfig" in resource["Properties"]:
        return VPC_LAMBDA_SECONDS
    return SECONDS.get(kind, OTHER_SECONDS)


def in_order(assembly: Path) -> dict[str, Template]:
    """The templates of an assembly, in the order in which ``cdk deploy --all`` takes the stacks."""
    artifacts = json.loads((assembly / "manifest.json").read_text("utf-8"))["artifacts"]
    templates: dict[str, Template] = {}

    def visit(name: str) -> None:
        artifact = artifacts[name]
        if artifact["type"] != "aws:cloudformation:stack" or name in templates:
            return
        for other in artifact.get("dependencies", ()):
            visit(other)
        templates[name] = json.loads((assembly / artifact["properties"]["templateFile"]).read_text("utf-8"))

    for name in artifacts:
        visit(name)
    return templates


def compare() -> None:
    """Prints the figures of the default app beside the goals."""
    context = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "app"],
            cwd=ROOT,
            env={**os.environ, "CDK_CONTEXT_JSON": json.dumps(context), "CDK_OUTDIR": folder},
            check=True,
            capture_output=True,
        )
        stacks = [deployment_of(name, template) for name, template in in_order(Path(folder)).items()]
    for line in _lines(stacks):
        print(line)


def _lines(stacks: Sequence[Deployment]) -> Iterator[str]:
    def listed(field: str, form: str = "d") -> str:
        return " + ".join(f"{getattr(stack, field):{form}}" for stack in stacks)

    minutes, series = sum(stack.minutes for stack in stacks), sum(stack.series for stack in stacks)
    yield f"first deployment of {', '.join(stack.name for stack in stacks)}:"
    yield f"  {minutes:.1f} minutes as modelled (goal: at most {MOST_MINUTES:.1f}), {listed('minutes', '.1f')}"
    yield f"  {series} custom resources in series (goal: at most {MOST_IN_SERIES}), {listed('series')}"
    most = max(stack.in_flight for stack in stacks)
    yield f"  {most} objects in flight at most (goal: at most {MOST_IN_FLIGHT})"
    yield f"  {sum(stack.ranks for stack in stacks)} ranks after the cluster is ACTIVE, {listed('ranks')}"
