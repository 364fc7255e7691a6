"""What several test modules share: synthesis into plain data, and manifests read back out of templates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk

__all__ = ["feature_flags", "manifests", "of_type", "only", "synthesised", "text_of"]

Template = dict[str, Any]


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


def text_of(value: Any) -> str:
    """A template value as text, with ``{...}`` for what only a deployment knows."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(text_of(part) for part in parts)
    return "{" + json.dumps(value).replace('"', "'") + "}"


def manifests(template: Template) -> Iterator[dict[str, Any]]:
    """The Kubernetes objects a template delivers, with ``{...}`` for what only a deployment knows."""
    for resource in of_type(template, "Custom::AWSCDK-EKS-KubernetesResource").values():
        yield from json.loads(text_of(resource["Properties"]["Manifest"]))
