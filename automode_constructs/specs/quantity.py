"""Kubernetes quantities as numbers."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["number"]

_SCALES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SCALES = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def number(quantity: int | str) -> Decimal | None:
    """The number that a quantity stands for; ``None`` for one too strange to compare."""
    digits, suffix = re.findall(r"^(.*?)([numkKMGTPE]i?)?$", str(quantity))[0]
    try:
        if suffix in _BINARY_SCALES:
            return Decimal(digits) * Decimal(1024) ** _BINARY_SCALES[suffix]
        return Decimal(digits).scaleb(_SCALES[suffix])
    except (ArithmeticError, KeyError):
        return None
