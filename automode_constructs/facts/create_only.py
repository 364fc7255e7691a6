"""What cannot change in place: properties of the CloudFormation types we create.

A change of one of these makes CloudFormation replace the resource.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

__all__ = ["create_only_properties"]


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("create_only.json").read_text("utf-8"))
    return loaded


@cache
def create_only_properties() -> Mapping[str, tuple[str, ...]]:
    """Dotted paths of properties by CloudFormation type, those that cannot change in some cases among them."""
    return MappingProxyType({kind: tuple(paths) for kind, paths in _data()["types"].items()})
