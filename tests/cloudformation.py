"""An account that assemblies are deployed to on paper, by CloudFormation's written rules: what a change would come to.

It knows create-only properties and identifiers from the resource schemas that cfn-lint ships, exports in use, weak
references, names that are taken, deletion policies, and what Kubernetes and EKS refuse to change in place. It makes
nothing: what is wrong with the properties themselves is for cfn-lint.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.support import Template
from tests.template_order import waits_for

__all__ = ["Account", "Report", "assembly"]

REGION = "eu-central-1"
KUBERNETES = "Custom::AWSCDK-EKS-KubernetesResource"

IN_PLACE = {"AWS::Lambda::LayerVersion"}
"""Types that are replaced at every change, unseen: a version of a layer takes the place of another."""

FIXED = {
    "ClusterRoleBinding": ("roleRef",),
    "DaemonSet": ("spec.selector",),
    "Deployment": ("spec.selector",),
    "IngressClass": ("spec.controller",),
    "Job": ("spec.completionMode", "spec.selector", "spec.template"),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
    "RoleBinding": ("roleRef",),
    "Service": ("spec.clusterIP",),
    "StatefulSet": ("spec.podManagementPolicy", "spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
    "StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "VolumeAttributesClass": ("driverName", "parameters"),
    "NodePool": ("spec.template.spec.nodeClassRef.group", "spec.template.spec.nodeClassRef.kind"),
}
"""What the API server refuses to change: Kubernetes' validation of each kind, and the CRD of NodePool."""


@dataclass
class Report:
    """What a deployment came to; what is refused stops it, and that stack is as it was before."""

    refused: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)


@dataclass
class _Made:
    kind: str
    properties: dict[str, Any]
    physical: str
    policy: str


@dataclass
class _Stack:
    template: Template
    made: dict[str, _Made]
    exports: dict[str, Any]
    outputs: dict[str, Any]


def assembly(app: cdk.App) -> dict[str, Template]:
    """The templates of an app by stack name, in the order in which ``cdk deploy --all`` takes them."""
    folder = Path(app.synth().directory)
    artifacts = json.loads((folder / "manifest.json").read_text("utf-8"))["artifacts"]
    stacks = {key: one for key, one in artifacts.items() if one["type"] == "aws:cloudformation:stack"}
    ordered: dict[str, Template] = {}

    def visit(key: str) -> None:
        for need in stacks[key].get("dependencies", ()):
            if need in stacks:
                visit(need)
        properties = stacks[key]["properties"]
        name = properties.get("stackName", key)
        if name not in ordered:
            ordered[name] = json.loads((folder / properties["templateFile"]).read_text("utf-8"))

    for key in stacks:
        visit(key)
    return ordered


class Account:
    """One account in one region, with one Kubernetes cluster in it."""

    def __init__(self) -> None:
        self._stacks: dict[str, _Stack] = {}
        self._kept: set[tuple[str, str]] = set()
        self._objects: dict[str, tuple[str, str, dict[str, Any]]] = {}
        self._generation = 0

    def deploy(self, templates: Mapping[str, Template], *, only: Sequence[str] = ()) -> Report:
        """Deploys stacks one after another, all or ``only`` some (``cdk deploy --exclusively``)."""
        report = Report()
        for name, template in templates.items():
            if only and name not in only:
                continue
            before = copy.deepcopy((self._kept, self._objects))
            _Deployment(self, name, template, report).run()
            if report.refused:
                self._kept, self._objects = before
                break
        return report

    def copy(self) -> Account:
        """The same account, for another future."""
        return copy.deepcopy(self)


class _Deployment:
    def __init__(self, account: Account, name: str, template: Template, report: Report) -> None:
        self.account, self.name, self.template, self.report = account, name, template, report
        self.old = account._stacks.get(name)
        self.made: dict[str, _Made] = {}

    def run(self) -> None:
        old = self.old.made if self.old is not None else {}
        resources = self.template["Resources"]
        before = waits_for(self.template)
        for logical in sorted(resources, key=lambda one: (len(before[one]), one)):
            body = resources[logical]
            properties = self._resolve(body.get("Properties", {}))
            self.made[logical] = self._make(logical, body, properties, old.get(logical))
        outputs = {name: self._resolve(body["Value"]) for name, body in self.template.get("Outputs", {}).items()}
        exports = {
            self._resolve(body["Export"]["Name"]): outputs[name]
            for name, body in self.template.get("Outputs", {}).items()
            if "Export" in body
        }
        self._check_exports(exports)
        if self.report.refused:
            return
        for logical in [*old.keys() - self.made.keys()]:
            self._delete(logical, old[logical])
        self.account._stacks[self.name] = _Stack(self.template, self.made, exports, outputs)

    # One resource.

    def _make(self, logical: str, body: dict[str, Any], properties: dict[str, Any], old: _Made | None) -> _Made:
        kind = body["Type"]
        where = f"{self.name}/{logical} ({kind})"
        physical = old.physical if old is not None else ""
        if old is None:
            physical = self._create(where, logical, kind, properties)
        elif old.kind != kind:
            self.report.refused.append(f"{where}: was {old.kind}, and no type changes")
        elif old.properties.get("ServiceToken") != properties.get("ServiceToken"):
            self.report.refused.append(f"{where}: Modifying service token is not allowed")
        elif changed := _create_only(kind, old.properties, properties):
            identifier = _identifier(kind, properties)
            if identifier is not None and identifier == _identifier(kind, old.properties):
                self.report.refused.append(
                    f"{where}: {', '.join(changed)} changes, and its name {identifier} is taken by itself"
                )
            else:
                if kind not in IN_PLACE:
                    self.report.replaced.append(f"{where}: {', '.join(changed)}")
                physical = self._create(where, logical, kind, properties)
        if old is not None:
            self.report.refused += [f"{where}: {text}" for text in self._eks(kind, old.properties, properties)]
        if kind == KUBERNETES:
            self._apply(logical, properties)
        return _Made(kind, properties, physical, body.get("DeletionPolicy", "Delete"))

    def _create(self, where: str, logical: str, kind: str, properties: dict[str, Any]) -> str:
        identifier = _identifier(kind, properties)
        if identifier is None:
            self.account._generation += 1
            return f"{self.name}/{logical}#{self.account._generation}"
        taken = (kind, identifier) in self.account._kept or any(
            made.kind == kind and _identifier(kind, made.properties) == identifier
            for stack in self.account._stacks.values()
            for made in stack.made.values()
        )
        if taken:
            self.report.refused.append(f"{where}: {identifier} already exists")
        return identifier

    def _delete(self, logical: str, made: _Made) -> None:
        where = f"{self.name}/{logical} ({made.kind})"
        identifier = _identifier(made.kind, made.properties)
        if made.policy.startswith("Retain"):
            if identifier is not None:
                self.account._kept.add((made.kind, identifier))
            return
        self.report.deleted.append(where)
        if made.kind != KUBERNETES:
            return
        for item in json.loads(made.properties["Manifest"]):
            key = _key(item)
            owner = self.account._objects[key][:2]
            if owner == (self.name, logical):
                del self.account._objects[key]
            else:
                self.report.refused.append(f"{where}: deletes {key}, which {'/'.join(owner)} took over")

    # Kubernetes and EKS.

    def _apply(self, logical: str, properties: dict[str, Any]) -> None:
        for item in json.loads(properties["Manifest"]):
            key = _key(item)
            if key in self.account._objects:
                old = self.account._objects[key][2]
                for path in FIXED.get(item["kind"], ()):
                    if _at(old, path) != _at(item, path):
                        self.report.refused.append(f"{self.name}: {key}: {path}: field is immutable")
                if item["kind"] == "NodeClass":
                    self._node_class(key, old, item)
            self.account._objects[key] = (self.name, logical, item)

    def _node_class(self, key: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        before, after = (_at(item, "spec.role") for item in (old, new))
        if before is not None and after is not None and before != after:
            self.report.refused.append(f"{self.name}: {key}: spec.role: field is immutable")
        elif before != after:
            # Karpenter refused this for long; EKS's own rule is not public.
            self.report.unsettled.append(f"{self.name}: {key}: role and instanceProfile take each other's place")

    def _eks(self, kind: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        if kind != "AWS::EKS::Cluster":
            return
        zones = [self._subnets(one, "AvailabilityZone") for one in (old, new)]
        if zones[0] != zones[1]:
            yield f"subnets must lie in the zones that the cluster was made with, {zones[0]}, not {zones[1]}"
        vpcs = [self._subnets(one, "VpcId") for one in (old, new)]
        if vpcs[0] != vpcs[1]:
            yield "subnets must lie in the VPC that the cluster was made in"
        versions = [int(str(one.get("Version", "1.0")).partition(".")[2]) for one in (old, new)]
        if versions[1] - versions[0] not in (0, 1):
            yield f"versions go up one minor at a time, not from 1.{versions[0]} to 1.{versions[1]}"
        roles = [_at(one, "ComputeConfig.NodeRoleArn") for one in (old, new)]
        if None not in roles and roles[0] != roles[1]:
            yield "NodeRoleArn cannot change while compute is on"

    def _subnets(self, cluster: dict[str, Any], name: str) -> list[str]:
        stacks = [stack.made for stack in self.account._stacks.values()]
        known = {made.physical: made.properties for one in [*stacks, self.made] for made in one.values()}
        found = {str(known.get(one, {}).get(name, one)) for one in cluster["ResourcesVpcConfig"]["SubnetIds"]}
        return sorted(found)

    # Between stacks.

    def _check_exports(self, exports: dict[str, Any]) -> None:
        if self.old is None:
            return
        for name, value in self.old.exports.items():
            if exports.get(name) == value:
                continue
            users = [
                stack
                for stack, one in self.account._stacks.items()
                if stack != self.name and {"Fn::ImportValue": name} in [*_functions(one.template)]
            ]
            if users:
                verb = "update" if name in exports else "delete"
                self.report.refused.append(f"Cannot {verb} export {name} as it is in use by {', '.join(users)}")

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolve(one) for one in value if one != {"Ref": "AWS::NoValue"}]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, inner),) = value.items()
            if name == "Ref":
                return self._value(inner, None)
            if name == "Fn::GetAtt":
                return self._value(inner[0], ".".join(inner[1:]))
            if name.startswith("Fn::"):
                return self._function(name, inner)
        return {name: self._resolve(inner) for name, inner in value.items() if inner != {"Ref": "AWS::NoValue"}}

    def _value(self, name: str, attribute: str | None) -> Any:
        if name == "AWS::Region":
            return REGION
        if name in self.made:
            made = self.made[name]
            written = made.properties.get(attribute or "")
            if written is not None:
                return written
            return made.physical if attribute is None else f"{made.physical}.{attribute}"
        if name in self.template.get("Parameters", {}):
            return self.template["Parameters"][name].get("Default", name)
        assert name.startswith("AWS::"), name
        return name

    def _function(self, name: str, inner: Any) -> Any:
        if name == "Fn::ImportValue":
            found = [one.exports for one in self.account._stacks.values() if inner in one.exports]
            if not found:
                self.report.refused.append(f"{self.name}: No export named {inner} found")
            return found[0][inner] if found else inner
        if name == "Fn::GetStackOutput":
            producer = self.account._stacks.get(inner["StackName"])
            if producer is None or inner["OutputName"] not in producer.outputs:
                self.report.refused.append(f"{self.name}: {inner['StackName']} has no output {inner['OutputName']}")
                return inner["OutputName"]
            return producer.outputs[inner["OutputName"]]
        if name == "Fn::GetAZs":
            return [f"{REGION}{letter}" for letter in "abc"]
        if name == "Fn::Sub":
            text, given = inner if isinstance(inner, list) else (inner, {})
            known = self._resolve(given)
            return re.sub(
                r"\$\{([^!}]+)\}",
                lambda found: str(known.get(found[1]) or self._value(*(*found[1].split(".", 1), None)[:2])),
                text,
            )
        inner = self._resolve(inner)
        if name == "Fn::Join":
            return inner[0].join(map(str, inner[1])) if isinstance(inner[1], list) else f"{inner[1]} joined"
        if name == "Fn::Select":
            index, items = int(inner[0]), inner[1]
            return items[index] if isinstance(items, list) else f"{items}[{index}]"
        if name == "Fn::Split":
            return inner[1].split(inner[0])
        return json.dumps({name: inner}, sort_keys=True)


@cache
def _schema(kind: str) -> dict[str, Any]:
    if kind.startswith(("Custom::", "AWS::CloudFormation::CustomResource", "AWS::CDK::")):
        return {}
    return dict(PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema)


def _create_only(kind: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The properties that changed and cannot change in place; those that cannot in some cases count too."""
    schema = _schema(kind)
    listed = [*schema.get("createOnlyProperties", ()), *schema.get("conditionalCreateOnlyProperties", ())]
    paths = [path.removeprefix("/properties/").replace("/", ".") for path in listed]
    return [path for path in paths if _at(old, path) != _at(new, path)]


def _identifier(kind: str, properties: dict[str, Any]) -> str | None:
    """What tells a resource from others of its kind, where the template writes all of it."""
    listed = [
        path.removeprefix("/properties/").replace("/", ".") for path in _schema(kind).get("primaryIdentifier", ())
    ]
    values = [_at(properties, path) for path in listed]
    return "|".join(map(str, values)) if values and None not in values else None


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _key(item: dict[str, Any]) -> str:
    namespace = item["metadata"].get("namespace")
    return "/".join([item["kind"], *([namespace] if namespace else []), item["metadata"]["name"]])


def _functions(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _functions(inner)
