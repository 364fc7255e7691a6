"""Writes Python that creates the objects of a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from automode_constructs.checks.document import Manifest, kind_of
from automode_constructs.cli.lint import lint, objects_of
from automode_constructs.cli.reading import UNREADABLE_INPUT
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.manifests.flat import fields_at
from automode_constructs.specs import labels
from automode_constructs.specs.fields import MAX_LABEL_VALUE
from automode_constructs.specs.labels import NumberLabel, TextLabel
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.object_metadata import kubernetes_name
from automode_constructs.specs.pools.node_pool import NodePoolSpec
from automode_constructs.specs.pools.requirement import Requirement
from automode_constructs.specs.traffic.ingress_class import IngressClassSpec

__all__ = ["convert"]

_WIDTH = 88
"""As ruff and black have it; what is broken there, they leave broken at any greater width."""
_CONSTANTS = {str(label): name for name, label in vars(labels).items() if isinstance(label, TextLabel)}
_SENTENCES = {
    "In": "is_in",
    "NotIn": "is_not_in",
    "Exists": "exists",
    "DoesNotExist": "does_not_exist",
    "Gt": "greater_than",
    "Gte": "at_least",
    "Lt": "less_than",
    "Lte": "at_most",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Flat:
    """A construct that takes the fields of its spec as keywords."""

    module: str
    """Its module in ``manifests``; its name is the kind's."""
    places: tuple[str, ...] = ("",)
    """The parts of the spec whose fields are keywords."""
    constants: tuple[str, ...] = ()
    """The fields that are none, because they have one value only."""
    defaults: tuple[str, ...] = ()
    """The fields of the manifest that it writes where they are not set; outer ones first."""
    variable: str = ""
    """The ending of its variable."""
    default_class: str = ""
    """The annotation that its keyword ``default_class`` writes."""


_FLAT = {
    "NodeClass": _Flat(module="node_class", variable="class"),
    "NodePool": _Flat(
        module="node_pool",
        places=("template.spec", "template.metadata", "", "disruption"),
        constants=("node_class_ref", "template", "disruption"),
        defaults=(
            "spec.template.spec.expireAfter",
            "spec.template.spec.terminationGracePeriod",
            "spec.disruption",
            "spec.disruption.consolidationPolicy",
            "spec.disruption.consolidateAfter",
        ),
        variable="pool",
    ),
    "IngressClassParams": _Flat(module="ingress_class", defaults=("spec.scheme",), variable="params"),
    "TargetGroupBinding": _Flat(module="target_group_binding"),
    "GatewayClass": _Flat(module="gateway_class"),
    "StorageClass": _Flat(
        module="storage_class",
        places=("parameters", ""),
        constants=("provisioner", "parameters"),
        defaults=("parameters", "parameters.encrypted", "volumeBindingMode", "allowedTopologies"),
        default_class="storageclass.kubernetes.io/is-default-class",
    ),
    "VolumeAttributesClass": _Flat(
        module="volume_attributes_class", places=("parameters", ""), constants=("driver_name", "parameters")
    ),
    "VolumeSnapshotClass": _Flat(
        module="volume_snapshot_class",
        constants=("driver",),
        default_class="snapshot.storage.kubernetes.io/is-default-class",
    ),
}
"""The constructs by kind. They stand in modules that start Node, which this command does not need."""
_DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"
_REFERENCED = {"NodePool": "NodeClass", "IngressClass": "IngressClassParams"}
"""The kinds whose construct takes another construct, and that one's kind."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call, a list or a mapping: its opening text, its parts, and its closing text."""

    opening: str
    parts: Sequence[tuple[str, _Expression]]
    """Each part with the text before its value: a keyword, a key, or nothing."""
    closing: str


_Expression = _Call | str


@dataclass(slots=True)
class _Object:
    """An object to write."""

    data: Mapping[str, Any]
    where: str
    manifest: Manifest | None
    variable: str = ""
    """Its variable, if something refers to it."""
    written: bool = False
    has_params: bool = False
    """For an IngressClass, whether its parameters are among the objects."""

    @property
    def kind(self) -> str:
        return str(self.data["kind"])

    @property
    def name(self) -> str:
        return str(self.data["metadata"]["name"])

    @property
    def is_construct(self) -> bool:
        """Whether it is written as the construct of its kind."""
        if self.manifest is None or self.data["apiVersion"] != self.manifest.kind.api_version:
            return False
        if self.kind == "IngressClass":
            return self.has_params
        return self.kind in _FLAT

    @property
    def reference(self) -> tuple[str, str]:
        """Kind and name of the object that its construct takes; empty for none."""
        at: Any = self.manifest.spec if self.manifest is not None else None
        if isinstance(at, NodePoolSpec):
            at = at.template.spec.node_class_ref
        elif isinstance(at, IngressClassSpec):
            at = at.parameters if at.parameters is not None and at.parameters.scope is None else None
        return (_REFERENCED[self.kind], at.name) if self.kind in _REFERENCED and at is not None else ("", "")


@dataclass(slots=True)
class _Module:
    """The file being written."""

    imports: set[tuple[str, str]] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=lambda: {"self", "scope", "id"})
    objects: dict[tuple[str, str], _Object] = field(default_factory=dict)
    """The objects that others may refer to, by kind and name."""

    def name(self, name: str, home: str) -> str:
        """A name of the library, imported from the package root if it is exported there."""
        root = home.partition(".")[0]
        self.imports.add((root if name in dir(import_module(root)) else home, name))
        return name

    def id(self, name: str, kind: str) -> str:
        """The construct's id: the object's name if that is free."""
        candidates = [name, f"{name}-{kind.lower()}", *(f"{name}-{number}" for number in range(2, len(self.ids) + 3))]
        free = next(id for id in candidates if id not in self.ids)
        self.ids.add(free)
        return free

    def variable(self, item: _Object) -> str:
        """The object's variable, named like the object."""
        if not item.variable:
            ending = _FLAT[item.kind].variable if item.kind in _FLAT else ""
            name = re.sub(r"\W", "_", f"{item.name}_{ending or _snake(item.kind)}", flags=re.ASCII)
            name = f"_{name}" if name[0].isdigit() else name
            candidates = [name, *(f"{name}_{number}" for number in range(2, len(self.variables) + 3))]
            item.variable = next(candidate for candidate in candidates if candidate not in self.variables)
            self.variables.add(item.variable)
        return item.variable


def _snake(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", kind).lower()


def convert(text: str, *, where: str) -> str:
    """Python that creates every object of a stream: a cdk8s chart that renders to the same data.

    The kinds that have a construct become that, with their fields as keywords; what the construct would write beyond
    the manifest is taken away again. A NodeClass or IngressClassParams is made before what refers to it, and handed
    over as a variable. Everything else becomes a ``KubernetesObject``, with a typed spec for the kinds that we know.
    Nulls are left out, as Kubernetes does.

    Args:
        text: YAML or JSON.
        where: the file, for messages.

    Raises:
        AutoModeError: for everything that ``automode lint`` calls an error, for a document that is no Kubernetes
            object, and for a name that no construct takes.
        UnreadableError: for a text that is not YAML.
    """
    found = list(objects_of(text))
    _refuse_errors(text, where)
    objects = [_object(data, where) for data in found]
    if not objects:
        raise AutoModeError.of(where, field="", message="holds no Kubernetes object")
    module = _Module(objects={(item.kind, item.name): item for item in objects})
    for item in objects:
        params = module.objects.get(item.reference)
        item.has_params = params is not None and params.is_construct
    for item in objects:
        _write(module, item)
    homes = sorted({home for home, _ in module.imports})
    imports: list[str] = []
    for home in homes:
        names = [("", name) for at, name in sorted(module.imports) if at == home]
        line = f"from {home} import {', '.join(name for _, name in names)}"
        call = _Call(f"from {home} import (", names, ")")
        imports += [line] if len(line) <= _WIDTH else _laid_out("", call, 0).splitlines()
    return "\n".join(
        [
            '"""Written by ``automode convert``; yours to change."""',
            "",
            "from __future__ import annotations",
            "",
            "import cdk8s",
            "from constructs import Construct",
            "",
            *imports,
            "",
            "",
            "class Converted(cdk8s.Chart):",
            "    def __init__(self, scope: Construct, id: str) -> None:",
            "        super().__init__(scope, id)",
            *module.lines,
            "",
            "",
            'if __name__ == "__main__":',
            "    app = cdk8s.App()",
            '    Converted(app, "converted")',
            "    print(app.synth_yaml())",
            "",
        ]
    )


def _refuse_errors(text: str, where: str) -> None:
    """Raises what the linter finds."""
    problems = [
        replace(_plain_problem(finding), where=f"{finding.kind} '{finding.name}'" if finding.name else finding.kind)
        for finding in lint([where], texts={where: text}).findings
        if finding.severity == "error" and finding.rule != UNREADABLE_INPUT.id
    ]
    if problems:
        raise AutoModeError(where, problems)


def _plain_problem(finding: Problem) -> Problem:
    return Problem(field=finding.field, message=finding.message, cure=finding.cure, rule=finding.rule)


def _object(data: Mapping[str, Any], where: str) -> _Object:
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    texts = [data.get("apiVersion"), data.get("kind"), name]
    if isinstance(metadata, Mapping) and not isinstance(metadata.get("namespace", ""), str | None):
        raise AutoModeError.of(
            where, field="metadata.namespace", message=f"needs a text, got {shown(metadata['namespace'])}"
        )
    if not isinstance(name, str) or not all(isinstance(text, str) and text for text in texts):
        raise AutoModeError.of(
            where, field="", message="is no Kubernetes object: it has no apiVersion, kind and metadata.name"
        )
    kind = str(data["kind"])
    kubernetes_name(f"{where}: {kind}", name, api_version=data["apiVersion"], kind=kind)
    here = f"{where}: {kind} '{name}'"
    return _Object(data, here, Manifest.from_manifest(data, where=here) if kind_of(data) is not None else None)


def _write(module: _Module, item: _Object) -> None:
    """Writes the object, after the one that it refers to."""
    if item.written:
        return
    item.written = True
    referred = module.objects.get(item.reference)
    if referred is not None and referred.is_construct:
        _write(module, referred)
    id = module.id(item.name, item.kind)
    opening = [("", "self"), ("", _text(id)), *([] if id == item.name else [("name=", _text(item.name))])]
    construct, calls = _construct(module, item)
    is_referred = any(other.reference == (item.kind, item.name) for other in module.objects.values())
    target = module.variable(item) if calls or (is_referred and item.is_construct) else ""
    call = _Call(construct.opening, [*opening, *construct.parts], construct.closing)
    module.lines += _laid_out(f"{target} = " if target else "", call, 8).splitlines()
    for method, arguments in calls:
        call = _Call(f"{target}.{method}(", [("", part) for part in arguments], ")")
        module.lines += _laid_out("", call, 8).splitlines()


_Calls = list[tuple[str, list[_Expression]]]
"""What is done with an object after it is made: methods and their arguments."""


def _construct(module: _Module, item: _Object) -> tuple[_Call, _Calls]:
    """The construct, without scope and id, and the calls that follow it."""
    metadata = dict(item.data["metadata"])
    if item.is_construct and item.manifest is not None:
        home = f"automode_constructs.manifests.{_FLAT[item.kind].module if item.kind in _FLAT else 'ingress_class'}"
        parts: list[tuple[str, _Expression]] = []
        calls: _Calls = []
        if item.kind in _REFERENCED:
            parts.append(_referred(module, item))
        default = _FLAT[item.kind].default_class if item.kind in _FLAT else _DEFAULT_INGRESS_CLASS
        annotations = metadata.get("annotations")
        if isinstance(annotations, Mapping) and annotations.get(default) == "true":
            metadata["annotations"] = {key: value for key, value in annotations.items() if key != default} or None
            parts.append(("default_class=", "True"))
        if item.kind in _FLAT:
            keywords, calls = _keywords(module, item.manifest, _FLAT[item.kind])
            parts += keywords
        if "status" in item.data:
            calls.append(("add_override", [_text("status"), _plain(item.data["status"])]))
        return _Call(f"{module.name(item.kind, home)}(", parts, ")"), [*calls, *_metadata(metadata)]
    parts = _body(module, item)
    name = module.name("KubernetesObject", "automode_constructs.manifests.kubernetes_object")
    scoped = [("cluster_scoped=", "False")] if metadata.get("namespace") else []
    head = [("api_version=", _text(item.data["apiVersion"])), ("kind=", _text(item.kind)), *scoped]
    return _Call(f"{name}(", [*head, ("body=", _Call("{", parts, "}"))], ")"), list(_metadata(metadata))


def _body(module: _Module, item: _Object) -> list[tuple[str, _Expression]]:
    body = {key: value for key, value in item.data.items() if key not in ("apiVersion", "kind", "metadata")}
    if item.manifest is None:
        return [(f"{_text(key)}: ", _plain(value)) for key, value in body.items() if value is not None]
    at = item.manifest.kind.at
    spec = _Call("", [("", _model(module, item.manifest.spec))], ".to_manifest()")
    rest = [(f"{_text(key)}: ", _plain(value)) for key, value in body.items() if key == "status" or (at and key != at)]
    return [(f"{_text(at)}: " if at else "**", spec), *rest]


def _referred(module: _Module, item: _Object) -> tuple[str, _Expression]:
    """The keyword that takes the object that this one refers to."""
    kind, name = item.reference
    keyword = "node_class=" if kind == "NodeClass" else "params="
    other = module.objects.get(item.reference)
    if other is not None and other.is_construct:
        return keyword, module.variable(other)
    kubernetes_name(f"{item.where}: nodeClassRef", name, longest=MAX_LABEL_VALUE)
    arguments = [("", _text(name)), *([] if name == "default" else [("made_elsewhere=", "True")])]
    return keyword, _Call(f"{module.name(kind, 'automode_constructs.manifests.node_class')}.from_name(", arguments, ")")


def _keywords(module: _Module, manifest: Manifest, flat: _Flat) -> tuple[list[tuple[str, _Expression]], _Calls]:
    """The keywords of a construct, and the calls that take away what it would add."""
    parts: list[tuple[str, _Expression]] = []
    calls: _Calls = []
    for place in flat.places:
        part = _at(manifest.spec, place)
        if part is None:
            continue
        if part.model_extra:  # fields without a keyword
            parts.append((f"{place or 'spec'}=", _model(module, part)))
            continue
        fields = fields_at(place, type(part), but=flat.constants)
        values = [(field, getattr(part, field)) for field in fields]
        written = [(f"{field}=", _value(module, value)) for field, value in values if value is not None]
        parts += written
        path = f"{manifest.kind.at}.{place}".removeprefix(".")
        if place and not written and not any(other.startswith(f"{path}.") for other in flat.defaults):
            calls.append(("add_override", [_text(path), "{}"]))
    document = manifest.to_manifest()
    missing = [path for path in flat.defaults if _is_missing(document, path)]
    if manifest.kind.kind == "NodePool" and "replicas" in document["spec"] and "spec.disruption" in missing:
        missing = [path for path in missing if not path.startswith("spec.disruption")]  # a static pool gets none
    for path in missing:
        if not any(path.startswith(f"{outer}.") for outer in missing):
            calls.append(("add_override", [_text(path), "None"]))
    return parts, calls


def _at(spec: KubeModel, place: str) -> KubeModel | None:
    at: Any = spec
    for name in filter(None, place.split(".")):
        at = None if at is None else getattr(at, name)
    return at if isinstance(at, KubeModel) else None


def _is_missing(document: Mapping[str, Any], path: str) -> bool:
    at: Any = document
    for name in path.split("."):
        if not isinstance(at, Mapping) or name not in at:
            return True
        at = at[name]
    return False


def _metadata(metadata: Mapping[str, Any]) -> Iterator[tuple[str, list[_Expression]]]:
    """The calls that write the metadata besides the name: ApiObject methods and their arguments."""
    for key, value in metadata.items():
        methods = {"labels": "metadata.add_label", "annotations": "metadata.add_annotation"}
        plain = isinstance(value, Mapping) and value and all(isinstance(item, str) for item in value.values())
        if key in methods and plain:
            for name, item in value.items():
                yield methods[key], [_text(name), _text(item)]
        elif key != "name" and value is not None:
            # cdk8s ignores other metadata that is added later, but it writes patches.
            pointer = "/metadata/" + key.replace("~", "~0").replace("/", "~1")
            yield "add_json_patch", [_Call("cdk8s.JsonPatch.add(", [("", _text(pointer)), ("", _plain(value))], ")")]


def _model(module: _Module, model: KubeModel) -> _Expression:
    if isinstance(model, Requirement):
        sentence = _sentence(module, model)
        if sentence is not None:
            return sentence
    name = module.name(type(model).__name__, type(model).__module__)
    if _has_unknown_fields(model):
        return _Call(f"{name}.from_manifest(", [("", _plain(model.to_manifest()))], ")")
    fields = [(field, getattr(model, field)) for field in type(model).model_fields]
    parts = [(f"{field}=", _value(module, value)) for field, value in fields if value is not None]
    return _Call(f"{name}(", parts, ")")


def _has_unknown_fields(value: object) -> bool:
    if isinstance(value, KubeModel):
        inner = [getattr(value, name) for name in type(value).model_fields]
        return bool(value.model_extra) or any(_has_unknown_fields(item) for item in inner)
    if isinstance(value, Mapping):
        return any(_has_unknown_fields(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(_has_unknown_fields(item) for item in value)


def _sentence(module: _Module, requirement: Requirement) -> _Expression | None:
    """The requirement as a method call on a label constant, if that means exactly the same."""
    constant = _CONSTANTS.get(requirement.key)
    if constant is None:
        return None
    label, values = getattr(labels, constant), list(requirement.values or ())
    compares = requirement.operator in ("Gt", "Gte", "Lt", "Lte")
    if compares and not (isinstance(label, NumberLabel) and len(values) == 1 and values[0].isdecimal()):
        return None
    arguments = [int(values[0])] if compares else values
    if getattr(label, _SENTENCES[requirement.operator])(*arguments) != requirement:
        return None
    name = module.name("labels", "automode_constructs.specs")
    return _Call(
        f"{name}.{constant}.{_SENTENCES[requirement.operator]}(", [("", _plain(item)) for item in arguments], ")"
    )


def _value(module: _Module, value: Any) -> _Expression:
    if isinstance(value, KubeModel):
        return _model(module, value)
    if isinstance(value, Mapping):
        return _Call("{", [(f"{_text(key)}: ", _value(module, item)) for key, item in value.items()], "}")
    if isinstance(value, (list, tuple)):
        return _Call("[", [("", _value(module, item)) for item in value], "]")
    return _plain(value)


def _plain(value: Any) -> _Expression:
    if isinstance(value, Mapping):
        items = [(f"{_text(key)}: ", _plain(item)) for key, item in value.items() if item is not None]
        return _Call("{", items, "}")
    if isinstance(value, (list, tuple)):
        return _Call("[", [("", _plain(item)) for item in value], "]")
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    """The text as ruff writes it: in double quotes, unless single ones need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(f"\\{c}" if c in (quote, "\\") else _character(c) for c in text) + quote


def _character(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _laid_out(prefix: str, expression: _Expression, indent: int, end: str = "") -> str:
    """The expression on one line if it fits, else one line for each part; with what follows it on its last line."""
    flat = prefix + _flat(expression) + end
    if isinstance(expression, str) or not expression.parts or indent + len(flat) <= _WIDTH:
        return " " * indent + flat
    if len(expression.parts) == 1 and expression.opening == "":
        return _laid_out(prefix, expression.parts[0][1], indent, expression.closing + end)
    lines = [f"{' ' * indent}{prefix}{expression.opening}"]
    lines += [_laid_out(before, part, indent + 4, ",") for before, part in expression.parts]
    return "\n".join([*lines, f"{' ' * indent}{expression.closing}{end}"])


def _flat(expression: _Expression) -> str:
    if isinstance(expression, str):
        return expression
    return expression.opening + ", ".join(b + _flat(part) for b, part in expression.parts) + expression.closing
