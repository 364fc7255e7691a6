"""The tags by which a NodeClass selects what it uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from automode_constructs.specs.fields import TokenOr
from automode_constructs.specs.rule import rule

__all__ = ["SelectorTags"]

SELECTOR_TAG = rule(
    "automode:SelectorTag",
    "NodeClass",
    severity="error",
    sentence="The tags of a selector term have keys and values; '*' stands for any value.",
    source="CRD nodeclasses.eks.amazonaws.com",
)


def _no_empty(tags: Mapping[str, str]) -> Mapping[str, str]:
    if any(not key or not value for key, value in tags.items()):
        raise SELECTOR_TAG.broken("", "an empty tag key or value selects nothing", "use '*' for any value of a key")
    return tags


SelectorTags = Annotated[Mapping[TokenOr[str], TokenOr[str]], Field(min_length=1), AfterValidator(_no_empty)]
"""Tags that must all be there."""
