"""What several test modules share: synthesis into plain data, and manifests read back out of templates."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from automode_constructs.testing import manifests, text_of

__all__ = ["POLICIES_ON", "feature_flags", "manifests", "of_type", "only", "synthesised", "text_of"]

Template = dict[str, Any]

POLICIES_ON: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
    "data": {"enable-network-policy-controller": "true"},
}
"""The ConfigMap that makes EKS enforce network policies."""


@cache
def feature_flags() -> dict[str, Any]:
    """The recommended feature flags of the CDK, as this repository's cdk.json has them."""
    context = json.loads((Path(__file__).parent.parent / "cdk.json").read_text("utf-8"))["context"]
    return {key: value for key, value in context.items() if key.startswith("@aws-cdk/")}


def synthesised(app: cdk.App) -> dict[str, Template]:
    """The templates of all stacks by stack name."""
    assembly = app.synth()
    return {
        stack.stack_name: json.loads(Path(stack.template_full_path).read_text("utf-8")) for stack in assembly.stacks
    }


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a type by logical id."""
    return {name: body for name, body in template["Resources"].items() if body["Type"] == kind}


def only(template: Template, kind: str) -> dict[str, Any]:
    """The one resource of a type."""
    (resource,) = of_type(template, kind).values()
    return resource
