"""Writes Python that creates the objects of a manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from automode_constructs.checks.document import Manifest, kind_of
from automode_constructs.cli.lint import first_placeholder, objects_of
from automode_constructs.errors import AutoModeError, shown
from automode_constructs.specs import labels
from automode_constructs.specs.fields import MAX_LABEL_VALUE
from automode_constructs.specs.labels import NumberLabel, TextLabel
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.node_class import NodeClassSpec
from automode_constructs.specs.object_metadata import kubernetes_name
from automode_constructs.specs.pools.node_pool import NodePoolSpec
from automode_constructs.specs.pools.requirement import Requirement

__all__ = ["convert"]

_WIDTH = 110
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


@dataclass(frozen=True, slots=True)
class _Call:
    """A call, a list or a mapping: its opening text, its parts, and its closing text."""

    opening: str
    parts: Sequence[tuple[str, _Expression]]
    """Each part with the text before its value: a keyword, a key, or nothing."""
    closing: str


_Expression = _Call | str


@dataclass(slots=True)
class _Module:
    """The file being written."""

    imports: set[tuple[str, str]] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    variables: int = 0

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


def convert(text: str, *, where: str) -> str:
    """Python that creates every object of a stream: a cdk8s chart that renders to the same data.

    NodePools and NodeClasses become constructs if those write exactly the same manifest. Everything else becomes a
    ``KubernetesObject``, with a typed spec for the kinds that we know. Nulls are left out, as Kubernetes does.

    Args:
        text: YAML or JSON.
        where: the file, for messages.

    Raises:
        AutoModeError: for a document with errors, one that is no Kubernetes object, or a name that no construct takes.
        UnreadableError: for a text that is not YAML.
    """
    module = _Module()
    for data in objects_of(text):
        placeholder = first_placeholder(data)
        if placeholder is not None and kind_of(data) is not None:
            raise AutoModeError.of(
                where, field=placeholder[0], message=f"the placeholder {placeholder[1]!r} is not filled in"
            )
        _write_object(module, data, where)
    if not module.lines:
        raise AutoModeError.of(where, field="", message="holds no Kubernetes object")
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


def _write_object(module: _Module, data: Mapping[str, Any], where: str) -> None:
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    texts = [data.get("apiVersion"), data.get("kind"), name]
    if isinstance(metadata, Mapping) and not isinstance(metadata.get("namespace", ""), str | None):
        raise AutoModeError.of(
            where, field="metadata.namespace", message=f"needs a text, got {shown(metadata['namespace'])}"
        )
    if (
        not isinstance(metadata, Mapping)
        or not isinstance(name, str)
        or not all(isinstance(t, str) and t for t in texts)
    ):
        raise AutoModeError.of(
            where, field="", message="is no Kubernetes object: it has no apiVersion, kind and metadata.name"
        )
    kind = str(data["kind"])
    kubernetes_name(f"{where}: {kind}", name, api_version=data["apiVersion"], kind=kind)
    id = module.id(name, kind)
    construct = _construct(module, data, where)
    opening = [("", "self"), ("", _text(id)), *([] if id == name else [("name=", _text(name))])]
    extras = list(_metadata(metadata))
    module.variables += bool(extras)
    target = f"object_{module.variables}" if extras else ""
    call = _Call(construct.opening, [*opening, *construct.parts], construct.closing)
    module.lines += _laid_out(f"{target} = " if target else "", call, 8).splitlines()
    for method, arguments in extras:
        call = _Call(f"{target}.{method}(", [("", part) for part in arguments], ")")
        module.lines += _laid_out("", call, 8).splitlines()


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


def _construct(module: _Module, data: Mapping[str, Any], where: str) -> _Call:
    """The construct, without scope and id."""
    body = {key: value for key, value in data.items() if key not in ("apiVersion", "kind", "metadata")}
    parts: list[tuple[str, _Expression]] = []
    if kind_of(data) is not None:
        manifest = Manifest.from_manifest(data, where=f"{where}: {data['kind']} '{data['metadata']['name']}'")
        spec, at = manifest.spec, manifest.kind.at
        if isinstance(spec, NodeClassSpec) and "status" not in body:
            name = module.name("NodeClass", "automode_constructs.manifests.node_class")
            return _Call(f"{name}(", [("spec=", _model(module, spec))], ")")
        if isinstance(spec, NodePoolSpec) and "status" not in body and _is_complete(spec):
            return _pool(module, spec, where)
        body_of_spec = _Call("", [("", _model(module, spec))], ".to_manifest()")
        rest = [(f"{_text(key)}: ", _plain(value)) for key, value in body.items() if at and key != at]
        if not at and "status" in body:
            rest = [('"status": ', _plain(body["status"]))]
        parts = [(f"{_text(at)}: " if at else "**", body_of_spec), *rest]
    else:
        parts = [(f"{_text(key)}: ", _plain(value)) for key, value in body.items()]
    name = module.name("KubernetesObject", "automode_constructs.manifests.kubernetes_object")
    scoped = [("cluster_scoped=", "False")] if data["metadata"].get("namespace") else []
    return _Call(
        f"{name}(",
        [
            ("api_version=", _text(data["apiVersion"])),
            ("kind=", _text(data["kind"])),
            *scoped,
            ("body=", _Call("{", parts, "}")),
        ],
        ")",
    )


def _is_complete(spec: NodePoolSpec) -> bool:
    """Whether the ``NodePool`` construct would add nothing."""
    nodes, disruption = spec.template.spec, spec.disruption
    if nodes.node_class_ref is None or nodes.expire_after is None or nodes.termination_grace_period is None:
        return False
    if disruption is None:
        return spec.replicas is not None
    return disruption.consolidation_policy is not None and disruption.consolidate_after is not None


def _pool(module: _Module, spec: NodePoolSpec, where: str) -> _Call:
    node_class = spec.template.spec.node_class_ref
    assert node_class is not None
    kubernetes_name(f"{where}: nodeClassRef", node_class.name, longest=MAX_LABEL_VALUE)
    nodes = spec.template.spec.replace(node_class_ref=None)
    rest = spec.replace(template=spec.template.replace(spec=nodes))
    home = "automode_constructs.manifests"
    arguments = [("", _text(node_class.name)), *([] if node_class.name == "default" else [("made_elsewhere=", "True")])]
    reference = _Call(f"{module.name('NodeClass', f'{home}.node_class')}.from_name(", arguments, ")")
    construct = module.name("NodePool", f"{home}.node_pool")
    return _Call(f"{construct}(", [("node_class=", reference), ("spec=", _model(module, rest))], ")")


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
    name = module.name(constant, labels.__name__)
    return _Call(f"{name}.{_SENTENCES[requirement.operator]}(", [("", _plain(item)) for item in arguments], ")")


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
    # In Python's quotes and escapes; JSON's are the same for printable text.
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)


def _laid_out(prefix: str, expression: _Expression, indent: int) -> str:
    """The expression on one line if it fits, else one line for each part."""
    flat = prefix + _flat(expression)
    if isinstance(expression, str) or not expression.parts or indent + len(flat) <= _WIDTH:
        return " " * indent + flat
    if len(expression.parts) == 1 and expression.opening == "":
        inner = _laid_out(prefix, expression.parts[0][1], indent)
        return inner + expression.closing
    lines = [f"{' ' * indent}{prefix}{expression.opening}"]
    lines += [f"{_laid_out(before, part, indent + 4)}," for before, part in expression.parts]
    return "\n".join([*lines, f"{' ' * indent}{expression.closing}"])


def _flat(expression: _Expression) -> str:
    if isinstance(expression, str):
        return expression
    return expression.opening + ", ".join(b + _flat(part) for b, part in expression.parts) + expression.closing
