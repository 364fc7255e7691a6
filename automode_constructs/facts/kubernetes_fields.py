"""The fields of Kubernetes' own kinds and their types, as the API server reads them.

A field that is not in the data file may be in a newer version: Kubernetes grows, and takes nothing away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["FieldType", "kubernetes_fields_as_of", "type_fields", "type_of_kind"]


class FieldType(NamedTuple):
    """The type of a field.

    Args:
        name: ``string``, ``boolean``, ``number``, ``int32``, ``int64``, ``quantity``, ``integer-or-string``, ``any``,
            or the name of a type with fields of its own.
        of: ``[]`` for a list of it, ``{}`` for a map of texts to it, ``""`` for the value itself.
        is_required: whether the field must be there.
    """

    name: str
    of: str
    is_required: bool


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("kubernetes_fields.json").read_text("utf-8"))
    return loaded


def kubernetes_fields_as_of() -> date:
    """The day of the data."""
    return date.fromisoformat(_data()["date"])


def type_of_kind(api_version: str, kind: str) -> str | None:
    """The name of the type of a kind's objects; ``None`` for a kind that the data does not hold."""
    name: str | None = _data()["kinds"].get(f"{api_version} {kind}")
    return name


@cache
def type_fields(name: str) -> Mapping[str, FieldType] | None:
    """The fields of a type; ``None`` for a type without fields, such as ``string``."""
    fields = _data()["types"].get(name)
    return None if fields is None else MappingProxyType({field: _read(text) for field, text in fields.items()})


def _read(text: str) -> FieldType:
    name = text.removesuffix("!")
    of = name[:2] if name[:2] in {"[]", "{}"} else ""
    return FieldType(name.removeprefix(of), of, name != text)
