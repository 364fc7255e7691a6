"""Which EC2 instances Auto Mode says it launches.

The list grows without notice, so nothing here refuses a family: an unlisted one is a warning. What is refused are the
sizes that Auto Mode rules out. Source: EKS User Guide, "Learn about Amazon EKS Auto Mode Managed instances".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "ACCELERATED_CATEGORIES",
    "CATEGORIES",
    "FAMILIES",
    "FAMILIES_AS_OF",
    "NEVER_LAUNCHED_SIZES",
    "category_of",
    "family_of",
    "near",
    "size_of",
]

FAMILIES_AS_OF = "15 Sep 2026"
"""The day of the list below."""

NEVER_LAUNCHED_SIZES = ("nano", "micro", "small")
"""Sizes that Auto Mode never launches; nor does it launch what has one vCPU."""

_ACCELERATED = "trn2 trn1 trn1n p6-b200 p6-b300 p5 p5e p5en p4d p4de p3 p3dn inf2 inf1 g7e g6 gr6 g6e g5 g5g g4ad g4dn"

_OTHERS = (
    "c9g c9gd c8a c8g c8gb c8gd c8gn c8i c8i-flex c8ib c8id c7a c7g c7gd c7gn c7i c7i-flex c6a c6g c6gd c6gn c6i "
    "c6id c6in c5 c5a c5ad c5d c5n c4 "
    "m9g m9gd m8a m8azn m8g m8gb m8gd m8gn m8i m8i-flex m8id m7a m7g m7gd m7i m7i-flex m6a m6g m6gd m6i m6id "
    "m6idn m6in m5 m5a m5ad m5d m5dn m5n m5zn m4 "
    "r9g r8a r8g r8gb r8gd r8gn r8i r8i-flex r8id r7a r7g r7gd r7i r7iz r6a r6g r6gd r6i r6id r6idn r6in r5 r5a "
    "r5ad r5b r5d r5dn r5n r4 "
    "t4g t3 t3a t2 z1d x8aedz x8g x8i x2gd x2idn x2iedn x2iezn "
    "i8g i8ge i7i i7ie i4g is4gen im4gn i4i i3 i3en d3 d3en hpc8a "
)

FAMILIES = frozenset([*_OTHERS.split(), *_ACCELERATED.split()])
"""The instance families that Auto Mode lists."""


def category_of(family: str) -> str:
    """The letters before the generation's digit: ``g`` of ``g6e``, ``trn`` of ``trn2``."""
    return re.split(r"[0-9]", family, maxsplit=1)[0]


def family_of(instance_type: str) -> str:
    """What stands before the dot: ``g6e`` of ``g6e.xlarge``."""
    return instance_type.partition(".")[0]


def size_of(instance_type: str) -> str:
    """What stands after the dot: ``xlarge`` of ``g6e.xlarge``."""
    return instance_type.partition(".")[2]


CATEGORIES = frozenset(category_of(family) for family in FAMILIES)
"""The categories of the listed families."""

ACCELERATED_CATEGORIES = tuple(sorted({category_of(family) for family in _ACCELERATED.split()}))
"""Categories of instances with a GPU or another accelerator."""


def near(word: str, known: Iterable[str]) -> str:
    """A question that suggests the nearest known name, or ``""`` if none is near."""
    import difflib  # late: only a finding needs it

    best = difflib.get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.6)
    return f"did you mean '{best[0]}'?" if best else ""
