"""The base for Kubernetes' own kinds: fields that Auto Mode reads are typed, the rest is kept unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ConfigDict, SerializerFunctionWrapHandler, model_serializer

from automode_constructs.errors import Cure, Edit, Problem, shown
from automode_constructs.specs.mapping import mapping_at
from automode_constructs.specs.messages import NOT_A_FIELD, UNKNOWN_FIELD
from automode_constructs.specs.model import KubeModel

__all__ = ["FreeBody", "mapping_at"]


class FreeBody(KubeModel):
    """A part of an object with fields that Auto Mode does not read: those without a type here pass unchanged.

    ``from_manifest`` keeps them, ``to_manifest`` writes them back.
    """

    model_config = ConfigDict(extra="allow")

    @model_serializer(mode="wrap")
    def _with_nulls(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A null in a typed field means that it is absent; elsewhere its meaning is not ours to decide.
        nulls = {name: None for name, value in (self.model_extra or {}).items() if value is None}
        return {**write(self), **nulls}

    def _broken_rules(self) -> Iterator[Problem]:
        names = {name: field.serialization_alias or name for name, field in type(self).model_fields.items()}
        for written in self.model_extra or {}:
            name = written.removesuffix(NOT_A_FIELD)
            if name in names:
                yield UNKNOWN_FIELD.problem(
                    f"[{shown(name)}]",
                    "is not a known field",
                    Cure(f"use {shown(names[name])}", Edit(what="key", to=names[name])),
                )
            elif name != written:
                python = next(ours for ours, alias in names.items() if alias == name)
                yield UNKNOWN_FIELD.problem(f"[{shown(name)}]", "is the name in YAML", f"write {python} here")
