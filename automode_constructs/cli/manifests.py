"""Reads the Kubernetes objects of files, folders and CDK assemblies, for the commands that simulate them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automode_constructs.cli.files import STDIN, InputFile, files_in
from automode_constructs.cli.lint import objects_of
from automode_constructs.cli.reading import UnreadableError
from automode_constructs.errors import AutoModeError

__all__ = ["Manifest", "is_template", "manifests_in"]

_RESOURCE = "Custom::AWSCDK-EKS-KubernetesResource"
"""The resource type by which the CDK delivers Kubernetes objects."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """A mapping of a file: a Kubernetes object, or what is none."""

    where: str
    """The file, and the resource in a template."""
    data: Mapping[str, Any]
    named: bool = True
    """Whether the command line names the file."""

    @property
    def is_object(self) -> bool:
        """Whether it is a Kubernetes object with a name."""
        metadata = self.data.get("metadata")
        return (
            isinstance(self.data.get("kind"), str)
            and isinstance(metadata, Mapping)
            and isinstance(metadata.get("name"), str)
        )


def manifests_in(paths: Sequence[str]) -> Iterator[Manifest]:
    """What the files of the command line hold, each file once.

    Of a folder that ``cdk synth`` wrote, the objects that its templates deliver; values that only a deployment knows
    become ``{...}``.

    Raises:
        AutoModeError: for a file that cannot be read.
    """
    seen: set[str] = set()
    for path in paths:
        is_assembly = path != STDIN and "\0" not in path and Path(path, "cdk.out").is_file()
        for file in files_in(path):
            if file.identity in seen or (is_assembly and not file.path.endswith(".template.json")):
                continue
            seen.add(file.identity)
            yield from _of_file(file)


def _of_file(file: InputFile) -> Iterator[Manifest]:
    try:
        for data in objects_of(file.text()):
            if is_template(data):
                yield from _of_template(file, data)
            else:
                yield Manifest(where=file.path, data=data, named=file.named)
    except UnreadableError as error:
        raise error.at(file.path) from None


def is_template(data: Mapping[str, Any]) -> bool:
    """Whether this is a CloudFormation template."""
    return "kind" not in data and isinstance(data.get("Resources"), Mapping)


def _of_template(file: InputFile, template: Mapping[str, Any]) -> Iterator[Manifest]:
    for name, resource in template["Resources"].items():
        if not isinstance(resource, Mapping) or resource.get("Type") != _RESOURCE:
            continue
        where = f"{file.path}: {name}"
        try:
            objects = json.loads(_text((resource.get("Properties") or {}).get("Manifest", "[]")))
        except ValueError as error:
            raise AutoModeError.of(
                where,
                field="Manifest",
                message=f"is not JSON: {error}",
                cure="a value that only a deployment knows can stand in a text, not in the place of a number or list",
            ) from None
        for data in objects if isinstance(objects, list) else [objects]:
            if isinstance(data, Mapping):
                yield Manifest(where=where, data=data)


def _text(value: object) -> str:
    """A value of a template as text, with ``{...}`` for what only a deployment knows."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("Fn::Join"), list):
        separator, parts = value["Fn::Join"]
        return str(separator).join(_text(part) for part in parts)
    return "{" + json.dumps(value).replace('"', "'") + "}"
