"""What a zone's name looks like, and what people write in its place: an id, a Region."""

from __future__ import annotations

from automode_constructs.facts.regions import known_regions, region_of_zone, zone_kind
from automode_constructs.facts.zone_ids import region_of_zone_id, zone_id_kind
from automode_constructs.tokens import is_token

__all__ = ["wrong_with_zone"]


def wrong_with_zone(value: str) -> tuple[str, str]:
    """What a text is that no zone has as its name, and the cure; two empty texts for the name of a zone."""
    if is_token(value) or zone_kind(value) != "unknown":
        return "", ""
    if zone_id_kind(value) != "unknown":
        example = f"{region_of_zone_id(value) or 'us-east-1'}a"
        return "a zone's id", f"write its name, such as '{example}': aws ec2 describe-availability-zones shows both"
    if zone_kind(value.lower()) != "unknown":
        return "not lower-case", f"write '{value.lower()}'"
    if value in known_regions() or region_of_zone(f"{value}a") == value:
        return "a Region", f"write the names of its zones, such as '{value}a'"
    return "not a zone's name", "write a name such as 'us-east-1a'"
