"""What the account and the cluster hold, as the stand-in and kubectl tell it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3

__all__ = [
    "Holdings",
    "clear_objects",
    "cluster_objects",
    "events",
    "holdings",
    "left_over",
    "objects_of",
    "stacks_of",
]


@dataclass(frozen=True, slots=True)
class Holdings:
    """The stacks with their states, their resources with their physical ids, and the objects of the cluster."""

    stacks: Mapping[str, str]
    resources: Mapping[tuple[str, str], str]
    objects: frozenset[str]


def holdings(region: str, assembly: Path) -> Holdings:
    """All that there is in a region now, of the objects those that an assembly delivers."""
    cloudformation = _client("cloudformation", region)
    stacks: dict[str, str] = {}
    resources: dict[tuple[str, str], str] = {}
    for stack in cloudformation.get_paginator("describe_stacks").paginate().search("Stacks[]"):
        name = stack["StackName"]
        # The CLI leaves a stack in review where nothing was approved; it holds nothing and is in nobody's way.
        if name == "CDKToolkit" or stack["StackStatus"] in {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}:
            continue
        stacks[name] = stack["StackStatus"]
        for resource in cloudformation.describe_stack_resources(StackName=name)["StackResources"]:
            if resource["ResourceStatus"] != "DELETE_COMPLETE":
                resources[name, resource["LogicalResourceId"]] = resource.get("PhysicalResourceId", "")
    return Holdings(stacks, resources, cluster_objects(objects_of(assembly)))


def events(region: str, stack: str) -> str:
    """The states and reasons of a stack's events, newest first."""
    stack_events = _client("cloudformation", region).describe_stack_events(StackName=stack)["StackEvents"]
    return "\n".join(f"{each['ResourceStatus']} {each.get('ResourceStatusReason', '')}" for each in stack_events)


def left_over(region: str, assembly: Path) -> list[str]:
    """What costs, or is in the way of the next deployment: everything but what ``cdk bootstrap`` made."""
    return [*_left_in(region), *sorted(cluster_objects(objects_of(assembly)))]


def _left_in(region: str) -> Iterator[str]:
    ec2, kms = _client("ec2", region), _client("kms", region)
    yield from (f"cluster {name}" for name in _client("eks", region).list_clusters()["clusters"])
    yield from (f"VPC {vpc['VpcId']}" for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc.get("IsDefault"))
    yield from (f"Elastic IP {address['PublicIp']}" for address in ec2.describe_addresses()["Addresses"])
    for key in kms.list_keys()["Keys"]:
        metadata = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if metadata.get("KeyManager") == "CUSTOMER" and metadata["KeyState"] == "Enabled":
            yield f"key {key['KeyId']}"
    groups = _client("logs", region).describe_log_groups()["logGroups"]
    yield from (f"log group {group['logGroupName']}" for group in groups)
    buckets = _client("s3", region).list_buckets()["Buckets"]
    repositories = _client("ecr", region).describe_repositories()["repositories"]
    roles = _client("iam", region).list_roles()["Roles"]
    for kind, names in {
        "bucket": (each["Name"] for each in buckets),
        "ECR repository": (each["repositoryName"] for each in repositories),
        "role": (each["RoleName"] for each in roles),
    }.items():
        yield from (f"{kind} {name}" for name in names if not name.startswith(("cdk-", "AWSServiceRole")))


def objects_of(assembly: Path) -> list[dict[str, Any]]:
    """The Kubernetes objects that the stacks of an assembly deliver: kind, name and namespace."""
    objects = []
    for stack in stacks_of(assembly).values():
        template = json.loads((assembly / stack["properties"]["templateFile"]).read_text("utf-8"))
        for resource in template["Resources"].values():
            if resource["Type"] != "Custom::AWSCDK-EKS-KubernetesResource":
                continue
            for manifest in json.loads(_text(resource["Properties"]["Manifest"])):
                metadata = {
                    key: manifest["metadata"][key] for key in ("name", "namespace") if key in manifest["metadata"]
                }
                objects.append({"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata})
    return objects


def cluster_objects(objects: list[dict[str, Any]]) -> frozenset[str]:
    """Those of some objects that are in the cluster, each as ``kind namespace/name``."""
    if not objects:
        return frozenset()
    ran = subprocess.run(
        ["kubectl", "get", "-f", "-", "--ignore-not-found", "--output", "json"],
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode or not ran.stdout.strip():
        # A real server that has no such kind has no such object.
        return frozenset()
    output = json.loads(ran.stdout)
    return frozenset(map(_object_text, output["items"] if output["kind"] == "List" else [output]))


def clear_objects(assembly: Path) -> None:
    """Takes the objects of an assembly out of the cluster, the last first."""
    subprocess.run(
        ["kubectl", "delete", "-f", "-", "--ignore-not-found", "--wait=false"],
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects_of(assembly)[::-1]}),
        capture_output=True,
        text=True,
        check=False,
    )


def _object_text(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{manifest['kind']} {namespace}{metadata['name']}"


def stacks_of(assembly: Path) -> dict[str, Any]:
    """The stacks of an assembly by name, as its manifest has them."""
    if not (assembly / "manifest.json").exists():
        return {}
    artifacts = json.loads((assembly / "manifest.json").read_text("utf-8"))["artifacts"]
    return {name: each for name, each in artifacts.items() if each["type"] == "aws:cloudformation:stack"}


def _text(value: Any) -> str:
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(map(_text, parts))
    return value if isinstance(value, str) else "late"


@cache
def _client(service: str, region: str) -> Any:
    # The endpoint and the credentials are those of the environment, which a rehearsal has made its own.
    return boto3.client(service, region_name=region)
