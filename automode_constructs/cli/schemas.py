"""JSON Schemas of our kinds, for editors that complete and check YAML as you type."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from automode_constructs.checks.document import KINDS, Kind
from automode_constructs.specs.model import KubeModel

__all__ = ["schemas", "write_schemas"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Described(GenerateJsonSchema):
    """The schema with YAML names and the fields' docstrings, which the models leave out to load fast."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        whole = super().model_schema(schema)
        model: type[KubeModel] = schema["cls"]
        whole.pop("title", None)
        if "description" in whole:
            whole["description"] = _for_editors(whole["description"])
        descriptions = _docstrings(model)
        for name, field in model.model_fields.items():
            shape = whole.get("properties", {}).get(field.serialization_alias or name)
            if shape is not None and name in descriptions:
                shape["description"] = descriptions[name]
        return whole

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def _for_editors(docstring: str) -> str:
    return inspect.cleandoc(docstring).replace("``", "`")


@cache
def _docstrings(model: type[KubeModel]) -> dict[str, str]:
    """The docstrings of the fields of a class and of its base classes."""
    docstrings: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not (issubclass(owner, KubeModel) and owner is not KubeModel):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(tree, ast.ClassDef)
        for statement, after in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                docstrings[statement.target.id] = _for_editors(after.value.value)
    return docstrings


@cache
def schemas() -> dict[str, str]:
    """The text of each schema, by file name."""
    documents = {f"{kind.kind.lower()}.json": _schema(kind) for kind in KINDS}
    return {name: json.dumps(_without_null_defaults(schema), indent=2) + "\n" for name, schema in documents.items()}


def write_schemas(folder: Path) -> None:
    """Writes the schema of each kind to a folder, which is made where it is missing.

    Raises:
        OSError: for a folder that cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _schema(kind: Kind) -> dict[str, Any]:
    body = kind.model.model_json_schema(by_alias=True, schema_generator=_Described)
    definitions = body.pop("$defs", {})
    if "$ref" in body:  # a model that contains itself
        body = definitions.pop(body["$ref"].rpartition("/")[2])
    for path in kind.written_by_construct:
        _require(body, definitions, path)
    description = _for_editors(kind.model.__doc__ or "").partition("\n\n")[0]
    if kind.concerns is not None:
        description += " For the objects that are Auto Mode's; others of the kind have their own rules."
    head: dict[str, Any] = {
        "apiVersion": {"enum": [kind._replace(version=version).api_version for version in (kind.version, *kind.older)]},
        "kind": {"const": kind.kind},
        "metadata": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "labels": {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}},
                "annotations": {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}},
            },
            "required": ["name"],
        },
    }
    required = ["apiVersion", "kind", "metadata"]
    if kind.at:
        properties = {**head, kind.at: body, "status": {"type": "object"}}
        whole: dict[str, Any] = {"additionalProperties": False, "required": [*required, kind.at]}
    else:
        properties = {**head, **body.get("properties", {}), "status": {"type": "object"}}
        whole = {
            "additionalProperties": body.get("additionalProperties", False),
            "required": [*required, *body.get("required", [])],
        }
    return {
        "$schema": _DIALECT,
        "title": f"{kind.kind} of {kind.api_version}",
        "description": description,
        "type": "object",
        "properties": properties,
        **whole,
        **({"$defs": definitions} if definitions else {}),
    }


def _require(body: dict[str, Any], definitions: dict[str, Any], path: str) -> None:
    """Requires a field that is optional in the model, because our construct writes it."""
    *outer, last = path.split(".")
    holder = body
    for step in outer:
        field = holder["properties"][step]
        reference = next(part["$ref"] for part in (field, *field.get("anyOf", ())) if "$ref" in part)
        holder = definitions[reference.rpartition("/")[2]]
    holder["required"] = sorted([*holder.get("required", ()), last])


def _without_null_defaults(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: _without_null_defaults(value)
            for key, value in schema.items()
            if not (key == "default" and value is None)
        }
    return [_without_null_defaults(item) for item in schema] if isinstance(schema, list) else schema
