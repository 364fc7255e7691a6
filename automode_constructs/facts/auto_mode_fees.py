"""Auto Mode's fee for a node: a share of its on-demand price that differs by instance category."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["AutoModeFees", "auto_mode_fees"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoModeFees:
    """The fees of a day, as shares of the on-demand price.

    Uncertain, as the data file says: the share of P and Trainium is computed from an announcement, Inferentia is not
    named in it, and nobody says how Spot nodes are charged.

    Args:
        since: the first day of these fees; ``None`` where they hold from the beginning.
        categories: the share by instance category (``g``, ``p`` ...), of those that differ.
        others: the share of all other categories.
    """

    since: date | None
    categories: Mapping[str, float]
    others: float

    def share(self, instance_type: str) -> float:
        """The share for a type or a family, such as ``g6.xlarge`` or ``g6``."""
        return self.categories.get(re.split("[0-9]", instance_type, maxsplit=1)[0], self.others)


def auto_mode_fees(as_of: date | None = None) -> AutoModeFees:
    """The fees of a day.

    Args:
        as_of: the day. Default: the day on which the data file was last checked.
    """
    day = as_of or date.fromisoformat(_data()["date"])
    return [fees for fees in _known() if fees.since is None or fees.since <= day][-1]


@cache
def _known() -> tuple[AutoModeFees, ...]:
    """The oldest first."""
    return tuple(
        AutoModeFees(
            since=None if row["from"] is None else date.fromisoformat(row["from"]),
            categories=row["categories"],
            others=row["others"],
        )
        for row in _data()["shares"]
    )


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("auto_mode_fees.json").read_text("utf-8"))
    return loaded
