"""Helpers for your own tests: a chart's objects, an app's findings, and that an upgrade replaces nothing."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s

from automode_constructs.arguments import checked_arguments
from automode_constructs.checks.change import judge_change
from automode_constructs.errors import AutoModeError, Problem, Severity, shown
from automode_constructs.facts.create_only import create_only_properties
from automode_constructs.rendering.render import render

__all__ = ["Template", "assert_replaces_nothing", "findings", "manifests", "templates", "text_of"]

Template = Mapping[str, Any]
"""A CloudFormation template as plain data."""

KUBERNETES_RESOURCE = "Custom::AWSCDK-EKS-KubernetesResource"
"""The resource type by which the CDK delivers Kubernetes objects."""

_SECTIONS = frozenset(
    {
        *("AWSTemplateFormatVersion", "Conditions", "Description", "Hooks", "Mappings", "Metadata", "Outputs"),
        *("Parameters", "Resources", "Rules", "Transform"),
    }
)
"""The sections of a template. Source: CloudFormation User Guide, "CloudFormation template sections"."""

_KEEP_THEIR_ID = frozenset(
    {
        "AWS::Lambda::LayerVersion",  # a new version replaces the old one without harm
        "Custom::AWSCDK-EKS-KubernetesObjectValue",
        "Custom::S3AutoDeleteObjects",
        "Custom::VpcRestrictDefaultSG",
    }
)
"""Types that lose nothing when their properties change."""

_SEVERITIES: Mapping[str, Severity] = {"aws:cdk:error": "error", "aws:cdk:warning": "warning"}
_ACKNOWLEDGEABLE = re.compile(r"(?P<message>.*) \[ack: (?P<rule>[^\]]+)\]", re.DOTALL)
_FAILED = "Validation failed with the following errors:"
_FAILURE = re.compile(r"  \[(?P<where>[^\]]*)\] (?P<message>.*)")


@checked_arguments
def findings(app: cdk.Stage) -> list[Problem]:
    """Synthesises an app or stage and returns its errors and warnings, in the order of the construct tree.

    Includes those of this library and of any other that uses CDK annotations, without acknowledged ones. An
    ``AutoModeError`` is raised where the mistake is made, before there is an app to synthesise.

    Each has its ``severity``, the construct path in ``where``, the ``message``, and in ``rule`` the id that
    acknowledges a warning (``automode:NoAdmin``).

    Args:
        app: the CDK app, or a stage of one.

    Raises:
        AutoModeError: for anything else.
    """
    failures: list[Problem] = []
    try:
        app.synth()
    except RuntimeError as error:
        # jsii raises no other exception.
        _, heading, report = str(error).partition(_FAILED)
        if not heading:
            raise
        for line in report.splitlines():
            if match := _FAILURE.fullmatch(line):
                failures.append(Problem(where=match["where"], field="", message=match["message"]))
            elif failures:
                failures[-1] = replace(failures[-1], message=f"{failures[-1].message}\n{line}")
    annotated = []
    for construct in app.node.find_all():
        for entry in construct.node.metadata:
            if severity := _SEVERITIES.get(entry.type):
                match = _ACKNOWLEDGEABLE.fullmatch(str(entry.data))
                message, rule = (match["message"], match["rule"]) if match else (str(entry.data), "")
                annotated.append(
                    Problem(severity=severity, where=construct.node.path, field="", message=message, rule=rule)
                )
    return [*failures, *dict.fromkeys(annotated)]


@checked_arguments
def manifests(source: cdk8s.Chart | Template) -> list[dict[str, Any]]:
    """The Kubernetes objects of a chart, nested charts included, or those that a template delivers.

    In a template, ``{...}`` stands for a value known only after deployment.

    Args:
        source: a cdk8s chart, or a CloudFormation template.

    Raises:
        AutoModeError: for anything else; for a chart with errors.
    """
    if isinstance(source, cdk8s.Chart):
        rendering = render(source)
        errors = [note for note in rendering.notes if note.severity == "error"]
        if errors:
            raise AutoModeError("", errors)
        return [item.manifest for item in rendering.objects]
    _check_is_template("manifests", "source", source)
    return [
        item
        for resource in source.get("Resources", {}).values()
        if resource["Type"] == KUBERNETES_RESOURCE
        for item in _objects(resource.get("Properties", {}))
    ]


@checked_arguments
def text_of(value: str | Mapping[str, Any]) -> str:
    """A template's value as text, with ``{...}`` for values known only after deployment.

    Args:
        value: a string, or an intrinsic function such as ``Fn::Join``.

    Raises:
        AutoModeError: for anything else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(text_of(part) for part in parts)
    return "{" + json.dumps(value).replace('"', "'") + "}"


@checked_arguments
def templates(source: cdk.Stage | str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """The templates of an app by stack name, including those of its stages.

    If stages deploy stacks of the same name to several environments, each name is followed by its environment, as in
    ``eks (aws://111122223333/eu-west-1)``.

    Args:
        source: the CDK app, or a stage of one, which is synthesised; or the folder that ``cdk synth`` wrote.

    Raises:
        AutoModeError: for a folder without a cloud assembly; for anything else.
    """
    folder = Path(source.synth().directory if isinstance(source, cdk.Stage) else source)
    stacks = [*_stacks(folder)]
    names = Counter(name for name, _, _ in stacks)
    # Stages deploy stacks of the same name to several environments.
    return {name if names[name] == 1 else f"{name} ({place})": template for name, place, template in stacks}


def _stacks(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, environment and template of each stack in a cloud assembly folder."""
    file = folder / "manifest.json"
    try:
        artifacts = json.loads(file.read_text("utf-8"))["artifacts"]
    except OSError as error:
        raise AutoModeError.of(
            "templates",
            field="source",
            message=f"{file} cannot be read ({error.strerror})",
            cure="give the folder that cdk synth wrote",
        ) from None
    except (KeyError, TypeError, ValueError):
        raise AutoModeError.of(
            "templates",
            field="source",
            message=f"{file} is not the manifest of a cloud assembly",
            cure="give the folder that cdk synth wrote",
        ) from None
    for name, artifact in artifacts.items():
        properties = artifact.get("properties", {})
        if artifact["type"] == "cdk:cloud-assembly":
            yield from _stacks(folder / properties["directoryName"])
        elif artifact["type"] == "aws:cloudformation:stack":
            template = json.loads((folder / properties["templateFile"]).read_text("utf-8"))
            yield properties.get("stackName", name), artifact["environment"], template


@checked_arguments
def assert_replaces_nothing(
    before: cdk.Stage | str | os.PathLike[str] | Template,
    after: cdk.Stage | str | os.PathLike[str] | Template,
    *,
    except_for: Collection[str] = (),
) -> None:
    """Asserts that deploying ``after`` over ``before`` replaces nothing, deletes nothing and does not fail halfway.

    It fails for: a stack or resource that is gone (a changed logical id looks the same); a changed type; a changed
    property that CloudFormation cannot update in place; a Kubernetes object whose change touches an immutable field.
    For a resource of a type that this library does not create, any change fails, because it is not known whether the
    change replaces it.

    Args:
        before: what is deployed: an app, the folder that ``cdk synth`` wrote, a template, or templates by stack name.
        after: what is to be deployed.
        except_for: resources that may be deleted or replaced, named as in the assertion: ``<stack>/<logical id>``, or
            ``<logical id>`` for single templates, or the name of a stack. Default: none.

    Raises:
        AssertionError: with one line for each resource.
        AutoModeError: for anything else than apps, folders and templates.

    Source: CloudFormation User Guide, "Understand update behaviors of stack resources".
    """
    old, new = _by_stack("before", before), _by_stack("after", after)
    lines = []
    for stack, template in old.items():
        if stack not in new:
            changes = {stack: ["is gone"]}
        else:
            changes = {
                f"{stack}/{name}" if stack else name: [*_losses(resource, new[stack].get("Resources", {}).get(name))]
                for name, resource in template.get("Resources", {}).items()
            }
        lines += [f"{where}: {loss}" for where, losses in changes.items() if where not in except_for for loss in losses]
    if lines:
        raise AssertionError("\n".join([f"the deployment loses what is there, {len(lines)} times", *lines]))


def _by_stack(field: str, source: cdk.Stage | str | os.PathLike[str] | Template) -> Mapping[str, Template]:
    if not isinstance(source, Mapping):
        return templates(source)
    if source.keys() <= _SECTIONS:
        source = {"": source}
    for name, template in source.items():
        _check_is_template("assert_replaces_nothing", f"{field}[{name!r}]" if name else field, template)
    return source


def _check_is_template(where: str, field: str, template: object) -> None:
    if isinstance(template, Mapping) and template.keys() <= _SECTIONS:
        resources = template.get("Resources", {})
        if isinstance(resources, Mapping) and all(
            isinstance(resource, Mapping) and isinstance(resource.get("Type"), str) for resource in resources.values()
        ):
            return
    raise AutoModeError.of(
        where,
        field=field,
        message=f"is not a CloudFormation template but {shown(template)}",
        cure="pass one of templates(app).values()",
    )


def _losses(old: Mapping[str, Any], new: Mapping[str, Any] | None) -> Iterator[str]:
    """What a deployment does to a resource other than updating it in place."""
    kind = old["Type"]
    if new is None:
        yield f"{kind} is gone"
        return
    if new["Type"] != kind:
        yield f"{kind} becomes {new['Type']}, which CloudFormation refuses"
        return
    before, after = old.get("Properties", {}), new.get("Properties", {})
    if before.get("ServiceToken") != after.get("ServiceToken"):
        yield f"{kind}: ServiceToken changes, which CloudFormation refuses"
    if kind == KUBERNETES_RESOURCE:
        yield from _refused_changes(before, after)
    elif kind in create_only_properties() and kind not in _KEEP_THEIR_ID:
        changed = [path for path in create_only_properties()[kind] if _at(before, path) != _at(after, path)]
        if changed:
            yield f"{kind} is replaced, because {', '.join(changed)} cannot change in place"
    elif kind not in _KEEP_THEIR_ID and before != after:
        changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        yield f"{kind}: {', '.join(changed)} changes, and whether that replaces it is not known here"


def _refused_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Changed fields of the delivered objects that are immutable in the API server."""
    earlier = {_key(item): item for item in _objects(before)}
    for item in _objects(after):
        old = earlier.get(_key(item))
        if old is None:
            continue
        paths = [problem.field for problem in judge_change(old, item)]
        if paths:
            yield f"{_key(item)}: {', '.join(paths)} changes, which the API server refuses"


def _objects(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(text_of(properties["Manifest"]))
    return items


def _key(item: Mapping[str, Any]) -> str:
    metadata = item["metadata"]
    return "/".join(filter(None, (item["kind"], metadata.get("namespace"), metadata["name"])))


def _at(value: Any, path: str) -> Any:
    """The value at a path, or the intrinsic function met on the way there."""
    for part in path.split("."):
        if isinstance(value, Mapping) and any(key == "Ref" or key.startswith("Fn::") for key in value):
            return value
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
