"""EKS add-ons, and what Auto Mode has built in, so that nobody installs it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

__all__ = ["BuiltIn", "KnownAddOn", "add_ons", "add_ons_as_of", "built_in_add_on", "built_in_program", "built_ins"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltIn:
    """A part of Auto Mode that other clusters install."""

    add_on: str | None
    """The EKS add-on that installs it elsewhere, if there is one."""
    programs: tuple[str, ...]
    """The names of its images, DaemonSets and Helm charts."""
    what: str
    """What it does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownAddOn:
    """An EKS add-on by AWS or by a community; those of the AWS Marketplace are not listed."""

    name: str
    owner: Literal["aws", "community"]
    namespace: str | None = None
    """Where it runs, unless another namespace is named; ``None`` where the source does not say."""
    service_accounts: tuple[str, ...] = ()
    """The service accounts that AWS rights are for."""
    policies: tuple[str, ...] = ()
    """The AWS managed policies that the source names for them."""
    needs: tuple[str, ...] = ()
    """The add-ons that it does not work without."""
    newest: str | None = None
    """The newest version that was seen in public; ``None`` where none was."""


def add_ons_as_of() -> date:
    """The day on which the data file was last checked."""
    return date.fromisoformat(_data()["date"])


@cache
def add_ons() -> Mapping[str, KnownAddOn]:
    """The known add-ons that work with Auto Mode, by name."""
    return {str(row["name"]): KnownAddOn(**_with_tuples(row)) for row in _data()["add_ons"]}


@cache
def built_ins() -> tuple[BuiltIn, ...]:
    """What Auto Mode has built in."""
    return tuple(BuiltIn(**_with_tuples(row)) for row in _data()["built_in"])


def built_in_add_on(name: str) -> BuiltIn | None:
    """What Auto Mode has in place of an EKS add-on, or ``None``."""
    return next((one for one in built_ins() if one.add_on == name), None)


def built_in_program(name: str) -> BuiltIn | None:
    """What Auto Mode has in place of a program, by the last part of its image's repository, or ``None``."""
    last = name.rpartition("/")[2]
    return next((one for one in built_ins() if last in {each.rpartition("/")[2] for each in one.programs}), None)


def _with_tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("add_ons.json").read_text("utf-8"))
    return loaded
