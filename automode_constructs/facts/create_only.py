"""What cannot change in place: properties of the CloudFormation types we create, and fields of Kubernetes kinds.

A change of one of these makes CloudFormation replace the resource, and the API server refuse the object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

__all__ = ["create_only_fields", "create_only_properties"]


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files(__package__).joinpath("create_only.json").read_text("utf-8"))
    return loaded


@cache
def create_only_properties() -> Mapping[str, tuple[str, ...]]:
    """Dotted paths of properties by CloudFormation type, those that cannot change in some cases among them."""
    return MappingProxyType({kind: tuple(paths) for kind, paths in _data()["types"].items()})


@cache
def create_only_fields() -> Mapping[str, tuple[str, ...]]:
    """Dotted paths of fields by Kubernetes kind, of kinds that the rules of this library do not judge themselves."""
    return MappingProxyType({kind: tuple(paths) for kind, paths in _data()["objects"].items()})
