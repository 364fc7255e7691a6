"""The types of field values: tokens, lists, names, labels, durations, quantities; and cures for near misses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WrapValidator

from automode_constructs.errors import AutoModeError, Cure, Edit, shown
from automode_constructs.specs.quantity import near_quantities
from automode_constructs.specs.rule import rule
from automode_constructs.tokens import is_list_token, is_text_token, is_token

__all__ = [
    "Digits",
    "Duration",
    "DurationOrNever",
    "LabelKey",
    "LabelValue",
    "ListOf",
    "Quantity",
    "TokenBearing",
    "TokenListOf",
    "TokenOr",
    "in_units",
    "is_quantity",
    "matching",
    "misplaced_token",
    "near_duration",
    "near_quantity",
    "near_text",
    "no_number",
    "quoted",
    "renamed",
    "unquoted",
    "written_as",
]

T = TypeVar("T")

_CRD = "the kind's CRD, or Kubernetes' API reference"
VALUE = rule(
    "automode:Value",
    "all",
    severity="error",
    sentence="Every value has the type, the form and the bounds of its field.",
    source=_CRD,
)
KNOWN_LATE = rule(
    "automode:ValueKnownLate",
    "all",
    severity="error",
    sentence="A value known only after deployment (a CDK token) stands only where CloudFormation can fill it in.",
    source="AWS CDK Developer Guide, 'Tokens and the AWS CDK'",
)

NOT_HERE = "holds a value known only after deployment, which cannot stand here"


class TokenBearing:
    """Marks a field that accepts a value known only after deployment."""


def _pass_text_token(value: Any, check: Any) -> Any:
    if is_text_token(value):
        return value
    if is_token(value):
        raise misplaced_token(value)
    return check(value)


def _pass_list_token(value: Any, check: Any) -> Any:
    return value if is_list_token(value) else check(value)


TokenOr = Annotated[T, WrapValidator(_pass_text_token), TokenBearing()]
"""A value of type T, written as text in the manifest, or a CDK token for it."""

ListOf = Annotated[Sequence[T], AfterValidator(tuple)]
"""A list in YAML; takes any sequence and stores a tuple."""

TokenListOf = Annotated[
    Sequence[Annotated[T, WrapValidator(_pass_text_token)]],
    WrapValidator(_pass_list_token),
    AfterValidator(tuple),
    TokenBearing(),
]
"""A list of ``TokenOr[T]``, or a CDK token for the whole list."""


def matching(pattern: str, form: str, cure: str | Callable[[str], str] = "") -> AfterValidator:
    """Checks the form of a text; its error describes the form in words.

    Args:
        pattern: what the whole text matches.
        form: the form in words.
        cure: what to write instead, or a function that derives it from the text. Default: the form says it.
    """
    compiled = cache(lambda: re.compile(pattern))  # not before the first value comes

    def check(value: str) -> str:
        if is_token(value):
            raise misplaced_token(value)
        if compiled().fullmatch(value) is None:
            raise AutoModeError.of(
                "",
                field="",
                message=f"{shown(value)} is not {form}",
                cure=cure if isinstance(cure, str) else cure(value),
            )
        return value

    return AfterValidator(check)


_QUALIFIED_NAME = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)"
_DNS_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"

LabelKey = Annotated[
    str,
    StringConstraints(max_length=316),
    matching(
        rf"((?=[^/]{{1,253}}/){_DNS_NAME}/)?{_QUALIFIED_NAME}",
        "a label key ('name' or 'dns.prefix/name', name of 1 to 63)",
    ),
]
"""The key of a Kubernetes label: an optional DNS prefix of at most 253 characters and a name of at most 63."""

LabelValue = Annotated[
    str,
    matching(rf"{_QUALIFIED_NAME}?", "a label value (at most 63 letters, digits, '-', '_', '.')"),
]
"""The value of a Kubernetes label: at most 63 letters, digits, ``-``, ``_`` and ``.``."""

_DURATION = r"([0-9]{1,9}[smh])+"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPELT_OUT = r"([0-9]{1,9}(?:\.[0-9]{1,3})?) *(s|m|h|d|w)(?:econds?|ecs?|inutes?|ins?|ours?|rs?|ays?|eeks?)?"


def _written(seconds: float) -> str:
    """A duration as Karpenter reads it, in the largest unit without a fraction; ``""`` if there is none."""
    for unit in "hms":
        if seconds >= 0 and seconds % _UNITS[unit] == 0:
            return f"{int(seconds // _UNITS[unit])}{unit}"
    return ""


_UNIT_NAMES = {"s": "seconds", "m": "minutes", "h": "hours"}


def written_as(text: str) -> Cure:
    """The cure for a value that has only one right form.

    Args:
        text: the value in that form.
    """
    return Cure(f"write '{text}'", Edit(what="value", to=text))


def renamed(name: str, why: str = "") -> Cure:
    """The cure for a field with a wrong name and the right value.

    Args:
        name: the right name.
        why: what explains the wrong one. Default: nothing.
    """
    return Cure(f"write {name}; {why}" if why else f"write {name}", Edit(what="key", to=name))


def in_units(number: float, units: str = "smh") -> str:
    """The cure for a duration that has no unit: what to write for each unit.

    Args:
        number: the number.
        units: the units that the field takes, of ``s``, ``m`` and ``h``.
    """
    if number >= 10**9:
        return ""  # Longer than any duration.
    whole = number == int(number)
    offers = [(f"{int(number)}{unit}" if whole else _written(number * _UNITS[unit]), unit) for unit in units]
    listed = ", ".join(f"'{text}' for {_UNIT_NAMES[unit]}" for text, unit in offers if text[-1:] in {*units})
    return f"write {listed}" if listed else ""


def quoted(value: float) -> Cure:
    """The cure for a number or a truth value that must stand as text."""
    return Cure(f"quote it: '{str(value).lower() if isinstance(value, bool) else value}'", Edit(what="text"))


def unquoted(value: str) -> Cure:
    """The cure for a truth value or a whole number that stands as a text; no words for any other text."""
    plain = value.lower()
    if plain in ("true", "false"):
        return Cure(f"write {plain} without quotes", Edit(what="value", to=plain == "true"))
    if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value):
        return Cure(f"write {value} without quotes", Edit(what="value", to=int(value)))
    return Cure("")


def near_text(value: object) -> str:
    """The cure for a value that must be a text: quotes, if it is a number or a truth value; else nothing."""
    return quoted(value) if isinstance(value, (int, float)) and not is_token(value) else ""


def no_number(cure: Callable[[float], str]) -> BeforeValidator:
    """Refuses a number where Kubernetes has a text.

    Args:
        cure: derives what to write instead from a number that is not negative.
    """

    def check(value: Any) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not is_token(value):
            usable = 0 <= value < MAX_EXACT_INTEGER
            raise AutoModeError.of(
                "", field="", message=f"needs a text, got {shown(value)}", cure=cure(value) if usable else ""
            )
        return value

    return BeforeValidator(check)


def near_duration(text: str, *forms: str) -> str:
    """The cure for an invalid duration whose meaning is clear, such as ``10d`` or ``30 seconds``.

    Args:
        text: what was given.
        forms: patterns one of which the cure must match. Default: any duration will do.
    """
    meant = text.strip().lower()
    parts = re.findall(_SPELT_OUT, meant)
    written = _written(sum(float(number) * _UNITS[unit] for number, unit in parts))
    if meant.isdecimal() and len(meant) < 10 and not forms:
        return in_units(int(meant))
    if not parts or not written or re.sub(_SPELT_OUT, "", meant).strip(" ,"):
        return ""
    return written_as(written) if not forms or any(re.fullmatch(form, written) for form in forms) else ""


def _no_timedelta(value: Any) -> Any:
    if isinstance(value, timedelta):
        written = _written(value.total_seconds())
        raise AutoModeError.of(
            "", field="", message=f"needs a text, got {value!r}", cure=written_as(written) if written else ""
        )
    return value


Duration = Annotated[
    str,
    BeforeValidator(_no_timedelta),
    no_number(in_units),
    matching(_DURATION, "a duration such as '30s' or '1h30m'", near_duration),
]
"""A duration as Karpenter reads it: whole numbers of ``h``, ``m``, ``s``."""

DurationOrNever = Annotated[
    str,
    BeforeValidator(_no_timedelta),
    no_number(in_units),
    matching(
        rf"{_DURATION}|Never",
        "a duration such as '30s', '1h30m' or 'Never'",
        lambda text: written_as("Never") if text.lower() == "never" else near_duration(text),
    ),
]
"""A duration, or ``Never``."""

Digits = Annotated[
    str,
    no_number(lambda value: quoted(int(value)) if value == int(value) else ""),
    matching(r"[0-9]+", "a whole number written as text ('3000')"),
]
"""A whole number that Kubernetes takes as text."""

_QUANTITY = re.compile(
    r"(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?"
)
MAX_EXACT_INTEGER = 2**53 - 1
"""Above this the CDK, which uses doubles, would write a different number."""


def near_quantity(text: str, *forms: str) -> str:
    """The cure for an invalid quantity that is close to a valid one, such as ``100GB``.

    Args:
        text: what was given.
        forms: patterns one of which the cure must match. Default: any quantity will do.
    """
    near = [one for one in near_quantities(text) if not forms or any(re.fullmatch(form, one) for form in forms)]
    words = f"did you mean {' or '.join(map(repr, near))}?" if near else ""
    return Cure(words, Edit(what="value", to=near[0]) if len(near) == 1 else None)


def is_quantity(text: str) -> bool:
    """Whether a text has the form of a Kubernetes quantity."""
    return _QUANTITY.fullmatch(text) is not None


def _quantity(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > MAX_EXACT_INTEGER:
            raise AutoModeError.of(
                "", field="", message=f"{shown(value)} is too large to stand as a number", cure="write it as a text"
            )
        return value
    if not isinstance(value, str) or not is_quantity(value):
        message = f"{shown(value)} is not a quantity such as 1000, '500m' or '64Gi'"
        raise AutoModeError.of(
            "",
            field="",
            message=message,
            cure=near_quantity(str(value)) or (written_as(str(value)) if isinstance(value, float) else ""),
        )
    return value


Quantity = Annotated[int | str, BeforeValidator(_quantity)]
"""A Kubernetes quantity: a whole number, or a text with a suffix (``500m``, ``64Gi``)."""

MAX_LABEL_VALUE = 63
"""The longest value a label may have."""


def misplaced_token(value: object) -> AutoModeError:
    """The error for a value known only after deployment where none is allowed."""
    cure = (
        "give a concrete value"
        if is_text_token(value)
        else "take an item out of a list with Fn.select(...), make a text of a number with Token.as_string(...)"
    )
    return KNOWN_LATE.broken("", NOT_HERE, cure)
