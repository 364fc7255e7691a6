"""The Kubernetes versions of Amazon EKS and their support calendar."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

__all__ = ["KubernetesVersionFacts", "SupportState", "as_of_default", "auto_mode_floor", "known_versions", "minor"]

SupportState = Literal["announced", "standard", "extended", "ended"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KubernetesVersionFacts:
    """One minor version of Kubernetes on EKS, with the last day of each kind of support."""

    version: str
    released: date
    standard_until: date
    extended_until: date

    def state(self, as_of: date) -> SupportState:
        """The kind of support EKS gives this version on a day."""
        if as_of < self.released:
            return "announced"
        if as_of <= self.standard_until:
            return "standard"
        return "extended" if as_of <= self.extended_until else "ended"


@cache
def _data() -> dict[str, object]:
    loaded: dict[str, object] = json.loads(Path(__file__).with_name("versions.json").read_text("utf-8"))
    return loaded


@cache
def known_versions() -> tuple[KubernetesVersionFacts, ...]:
    """Every version in the data file, newest first."""
    rows = _data()["versions"]
    assert isinstance(rows, list)
    return tuple(
        KubernetesVersionFacts(
            version=row["version"],
            released=date.fromisoformat(row["released"]),
            standard_until=date.fromisoformat(row["standard_until"]),
            extended_until=date.fromisoformat(row["extended_until"]),
        )
        for row in rows
    )


def as_of_default() -> date:
    """The day on which the calendar was last checked: the default for every ``as_of``."""
    return date.fromisoformat(str(_data()["date"]))


def auto_mode_floor() -> str:
    """The oldest version Auto Mode runs on."""
    return str(_data()["auto_mode_floor"])


def minor(version: str) -> int:
    """The minor number of a version: 36 for ``1.36``."""
    return int(version.split(".")[1])
