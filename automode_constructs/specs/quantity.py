"""Kubernetes quantities: as numbers, and in the form in which Kubernetes writes them."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["canonical", "near_quantities", "number"]

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


_MEANT = re.compile(r"(?P<digits>[0-9]{1,18}(\.[0-9]{1,9})?) ?(?P<scale>[kmgtpe])?(?P<rest>i?b?)", re.IGNORECASE)


def near_quantities(text: str) -> list[str]:
    """The quantities that a text such as ``100GB`` or ``64 gi`` may mean; empty if unclear."""
    meant = _MEANT.fullmatch(text.strip())
    if meant is None:
        return []
    digits, scale, rest = meant["digits"], (meant["scale"] or "").upper(), meant["rest"].lower()
    if not scale:
        return [digits] if rest == "b" else []
    decimal = f"{digits}{'k' if scale == 'K' else scale}"
    binary = f"{digits}{scale}i"
    return [binary] if rest.startswith("i") else [decimal, binary]


# Bounded, so that no text costs more than its length; no meaningful quantity is longer.
_WRITTEN = re.compile(
    r"(?P<sign>[+-]?)(?=\.?[0-9])(?P<whole>[0-9]{0,40})(\.(?P<part>[0-9]{0,40}))?"
    r"(?P<suffix>[KMGTPE]i|[numkMGTPE]?|[eE](?P<exponent>[+-]?[0-9]{1,2}))"
)
_NANO = 10**9
_LARGEST = 2**63 - 1


def canonical(quantity: float | str) -> str:
    """A quantity as Kubernetes writes it back: ``1Gi`` for ``1024Mi``, ``500m`` for ``0.5``, ``1`` for 1.

    The number stays the same, but for less than a billionth, which is rounded up as Kubernetes does. It gets the
    largest suffix of its family (``Ki``, ``Mi`` ..., or ``n``, ``u``, ``m``, ``k`` ..., or ``e3``, ``e6`` ...) with
    which it is whole; below 1024, or with a fraction, a binary one is written with the decimal family. What is no
    quantity, or too large to be exact, is given back as it stands.

    Source: Kubernetes, ``apimachinery/pkg/api/resource``, ``Quantity.CanonicalizeBytes``.
    """
    text = str(quantity)
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return text
    suffix, part = written["suffix"], written["part"] or ""
    nanos = int(f"0{written['whole']}{part}") * _NANO
    if suffix in _BINARY_SCALES:
        nanos *= 1024 ** _BINARY_SCALES[suffix]
    scale = 0 if suffix in _BINARY_SCALES else int(written["exponent"] or _SCALES.get(suffix, 0))
    # Rounded up, so that a request never becomes zero.
    nanos = -(-nanos * 10 ** max(scale, 0) // 10 ** (len(part) - min(scale, 0)))
    if nanos > _LARGEST * _NANO:
        return text
    sign = "-" if written["sign"] == "-" and nanos else ""
    if suffix in _BINARY_SCALES and nanos >= 1024 * _NANO and nanos % _NANO == 0:
        return sign + _with_suffix(nanos // _NANO, 1024, ["", *_BINARY_SCALES])
    if written["exponent"]:
        return sign + _with_suffix(nanos, 1000, [f"e{power}" if power else "" for power in _SCALES.values()])
    return sign + _with_suffix(nanos, 1000, list(_SCALES))


def _with_suffix(whole: int, base: int, suffixes: list[str]) -> str:
    power = 0
    while whole and whole % base == 0 and power < len(suffixes) - 1:
        whole, power = whole // base, power + 1
    return f"{whole}{suffixes[power]}" if whole else "0"
