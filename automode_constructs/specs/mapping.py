"""The mapping at a place of a document. It stands apart from the models, which take time to load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["mapping_at"]


def mapping_at(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The mapping at a place of a document, or an empty one if something else is there."""
    at: Any = document
    for name in path:
        at = at.get(name) if isinstance(at, (dict, Mapping)) else None  # asked of a Mapping alone, it takes longer
    return at if isinstance(at, (dict, Mapping)) else {}
