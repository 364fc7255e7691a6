"""Large memory pages of nodes, reserved and transparent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from automode_constructs.errors import Problem
from automode_constructs.specs.fields import ListOf
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.rule import rule

__all__ = ["Hugepages", "StaticHugepages", "TransparentHugepages"]

_PAGE = "EKS User Guide, 'Create a Node Class for Amazon EKS', section 'Configure hugepages on nodes'"

HUGEPAGE_SIZE_TWICE = rule(
    "automode:HugepageSizeTwice",
    "NodeClass",
    severity="error",
    sentence="Each size of static hugepages stands once.",
    source=_PAGE,
)
TRANSPARENT_HUGEPAGES = rule(
    "automode:TransparentHugepages",
    "NodeClass",
    severity="error",
    sentence="Where transparent hugepages are never used, their defragmentation is unset or never.",
    source=_PAGE,
)


class StaticHugepages(KubeModel):
    """Pages of one size that a node sets aside when it starts; pods request ``hugepages-2Mi`` or ``hugepages-1Gi``."""

    size: Literal["2Mi", "1Gi"]
    """Size of a page."""
    count: Annotated[int, Field(ge=0)]
    """How many."""


class TransparentHugepages(KubeModel):
    """When the kernel uses large pages of its own accord."""

    enabled: Literal["always", "madvise", "never"] | None = None
    """Who gets them. Default: ``madvise``, as the kernel decides."""
    defrag: Literal["always", "defer", "defer+madvise", "madvise", "never"] | None = None
    """How hard the kernel works to make room for them. Default: ``madvise``, as the kernel decides."""

    def _broken_rules(self) -> Iterator[Problem]:
        if self.enabled == "never" and self.defrag not in {None, "never"}:
            yield TRANSPARENT_HUGEPAGES.problem(
                "defrag", f"'{self.defrag}' does not go with 'enabled' of 'never'", "remove it or write 'never'"
            )


class Hugepages(KubeModel):
    """Large memory pages.

    Source: EKS User Guide, "Create a Node Class for Amazon EKS".
    """

    pages: ListOf[StaticHugepages] | None = None
    """Pages set aside, one entry for each size. Instance types where they pass 80% of the memory are not used; no
    class has them together with ``efa-only`` interfaces. Default: none."""
    transparent: TransparentHugepages | None = None
    """The kernel's own large pages. Default: as the kernel decides."""

    def _broken_rules(self) -> Iterator[Problem]:
        sizes = [page.size for page in self.pages or ()]
        for index, size in enumerate(sizes):
            if size in sizes[:index]:
                yield HUGEPAGE_SIZE_TWICE.problem(f"pages[{index}]", f"'{size}' is there already", "add up the counts")
