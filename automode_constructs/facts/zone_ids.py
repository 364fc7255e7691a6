"""Ids of zones: the same place in every account, where a name's letter is not, and those that EKS refuses."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "default_zone_ids",
    "refused_zone_ids",
    "region_of_zone_id",
    "regions_with_refused_zones",
    "zone_id_kind",
    "zone_ids",
]


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("zone_ids.json").read_text("utf-8"))
    return loaded


def zone_ids(region: str) -> tuple[str, ...]:
    """The ids of the availability zones of a region, those that EKS refuses too; none of a region that is not known."""
    return tuple(_data()["zone_ids"].get(region, ()))


def refused_zone_ids(region: str) -> tuple[str, ...]:
    """The zones of a region in which a cluster may have no subnet."""
    return tuple(zone for zone in _data()["refused"] if region_of_zone_id(zone) == region)


@cache
def regions_with_refused_zones() -> tuple[str, ...]:
    """The regions in which EKS refuses a zone, whose letter differs from account to account."""
    return tuple(region for region in _data()["zone_ids"] if refused_zone_ids(region))


def default_zone_ids(region: str) -> tuple[str, ...]:
    """The zones to take in a region with a refused one, best first; none where an account may lack some of them.

    The order is for ever: a subnet's zone is create-only.
    """
    return tuple(_data()["defaults"].get(region, ()))


_Kind = Literal["availability-zone", "local-zone", "wavelength-zone", "unknown"]
_ID = re.compile(r"(?P<prefix>[a-z]{2,6}[0-9]{1,2})-(?P<rest>[a-z0-9-]+)")
_FORMS: dict[_Kind, re.Pattern[str]] = {
    "availability-zone": re.compile(r"az[0-9]{1,2}"),
    "local-zone": re.compile(r"[a-z]{3}[0-9]{1,2}-az[0-9]{1,2}"),
    "wavelength-zone": re.compile(r"wl[0-9]{1,2}-[a-z]{3}-wlz[0-9]{1,2}"),
}


def zone_id_kind(zone: str) -> _Kind:
    """What a zone's id says it is: ``usw2-az2``, ``usw2-lax1-az1``, ``use1-wl1-bos-wlz1``; a name is unknown."""
    match = _ID.fullmatch(zone)
    if match is None:
        return "unknown"
    for kind, form in _FORMS.items():
        if form.fullmatch(match["rest"]):
            return kind
    return "unknown"


def region_of_zone_id(zone: str) -> str | None:
    """The region that a zone's id begins with, or ``None`` for another form and for a region that is not known."""
    match = _ID.fullmatch(zone)
    return _prefixes().get(match["prefix"]) if match else None


@cache
def _prefixes() -> dict[str, str]:
    return {zones[0].partition("-")[0]: region for region, zones in _data()["zone_ids"].items()}
