"""Pydantic's errors in our own words: the field as it was typed, the value, and the cure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Sized
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from automode_constructs.errors import AutoModeError, Cure, Edit, Problem, did_you_mean, shown
from automode_constructs.specs.fields import KNOWN_LATE, VALUE, misplaced_token, near_text, unquoted
from automode_constructs.specs.rule import rule
from automode_constructs.specs.wording import Worded
from automode_constructs.tokens import is_resolvable, is_token

if TYPE_CHECKING:
    from automode_constructs.specs.model import KubeModel

__all__ = ["NOT_A_FIELD", "home_in", "in_our_words", "inner_model", "with_aliases"]

_CRD = "the kind's CRD, or Kubernetes' API reference"
UNKNOWN_FIELD = rule(
    "automode:UnknownField",
    "all",
    severity="error",
    sentence="Every field is one that the kind has; write newer ones with add_override.",
    source=_CRD,
)
MISSING_FIELD = rule(
    "automode:MissingField", "all", severity="error", sentence="Every required field is there.", source=_CRD
)

NOT_A_FIELD = "\0"
"""Suffix of a name that Python code must not use, although a field has it in YAML."""

_NEEDED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "int_type": "a whole number",
    "is_instance_of": "a list",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "sequence_str": "a list",
    "string_type": "a text",
}
"""What a field of the wrong type needs, by pydantic's error type."""

_BOUNDS = {
    "greater_than_equal": "must be at least {ge}, got {value}",
    "invalid_key": "has a key that is not a text: {value}",
    "less_than_equal": "must be at most {le}, got {value}",
    "multiple_of": "must be a multiple of {multiple_of}, got {value}",
    "string_too_long": "must have at most {max_length} {unit}, got {length}",
    "string_too_short": "must have at least {min_length} {unit}, got {length}",
    "string_unicode": "{value} is not a text",
    "too_long": "must have at most {max_length} {unit}, got {length}",
    "too_short": "must have at least {min_length} {unit}, got {length}",
}
"""How a value is out of bounds, by pydantic's error type."""


_MOST_PROBLEMS = 100
"""The most problems of one object that are put into words: nobody reads more, and each takes time."""


def in_our_words(model: type[KubeModel], error: ValidationError, *, by_alias: bool) -> AutoModeError:
    """This library's error for one of pydantic's.

    Args:
        model: the model that could not be made.
        error: pydantic's error.
        by_alias: whether fields have their YAML names.
    """
    problems: list[Problem] = []
    for details in error.errors(include_url=False)[:_MOST_PROBLEMS]:
        problems += _problems(model, details, by_alias=by_alias)
    more = error.error_count() - _MOST_PROBLEMS
    if more > 0:
        problems.append(VALUE.problem("", f"{more} more values are wrong", "correct these first"))
    return AutoModeError("", problems)


def _problems(model: type[KubeModel], details: ErrorDetails, *, by_alias: bool) -> Sequence[Problem]:
    kind, location, value, bounds = details["type"], details["loc"], details["input"], details.get("ctx", {})
    field = _dotted(model, location, by_alias=by_alias)
    message, cure, cause, broken = "", "", bounds.get("error"), VALUE
    if is_resolvable(value):
        message = f"got a CDK object ({type(value).__name__}), not a value"
        cure, broken = "pass the text that stands for it, for example with Token.as_string(...)", KNOWN_LATE
    elif isinstance(cause, AutoModeError):
        inner = _model_at(model, location) if by_alias else None
        error = (cause if inner is None else with_aliases(cause, inner)).at("", field)
        return [replace(problem, rule=problem.rule or VALUE.id) for problem in error.problems]
    elif is_token(value):
        return misplaced_token(value).at("", field).problems
    elif kind == "extra_forbidden":
        *outer, name = location
        name = name.removesuffix(NOT_A_FIELD) if isinstance(name, str) else name
        field = _dotted(model, outer, by_alias=by_alias) + _key(name)
        message, broken = "is not a known field", UNKNOWN_FIELD
        at = _model_at(model, outer)
        cure = at.wrong_names.get(str(name), "") if at is not None and by_alias else ""
        cure = cure or _home_of(str(name), model, outer, by_alias=by_alias)
        cure = cure or did_you_mean(str(name), _field_names(at, by_alias=by_alias), edits="key")
    elif kind == "literal_error":
        message = f"{shown(value)} is not allowed"
        known = re.findall(r"'([^']*)'", bounds["expected"])
        cure = did_you_mean(value if isinstance(value, str) else "", known, edits="value")
    elif kind == "missing":
        message, broken = "is required", MISSING_FIELD
    elif kind in _NEEDED:
        message = f"needs {_NEEDED[kind]}, got {shown(value)}"
        cure = _in_its_type(kind, value) if by_alias else ""
    elif kind in _BOUNDS:
        message = _BOUNDS[kind].format(
            **bounds,
            value=shown(value),
            length=len(value) if isinstance(value, Sized) else "",
            unit=("character" if isinstance(value, str) else "item") + ("" if bounds.get("min_length") == 1 else "s"),
        )
    else:
        text = details["msg"]
        message = f"{text[:1].lower()}{text[1:]}, got {shown(value)}"
    return [broken.problem(field.removeprefix("."), message, cure)]


def _in_its_type(kind: str, value: object) -> str:
    """The cure for a value that means what the field needs, and is written as another type."""
    if kind == "string_type":
        return near_text(value)
    cure = unquoted(value) if isinstance(value, str) and kind in ("bool_type", "int_type") else Cure("")
    return cure if cure.edit is not None and isinstance(cure.edit.to, bool) == (kind == "bool_type") else ""


_EVERYWHERE = frozenset({"group", "id", "key", "kind", "name", "value", "values"})
"""Names so common among models that they do not point to another one."""

_DEEPEST = 6
"""The maximum nesting of models; no kind has more levels."""


def _home_of(name: str, model: type[KubeModel], location: Sequence[str | int], *, by_alias: bool) -> str:
    """The cure for a field in a part of the object that lacks this name, while another part has it."""
    at = _model_at(model, location)
    if at is None or name in _EVERYWHERE or _own_name(at, name, by_alias=by_alias):
        return ""
    below = [place for place in _places_of(name, at) if len(place) == len(next(_places_of(name, at)))]
    if below:
        return _write_in(at, below[:3], name, by_alias=by_alias, up=1)
    for end in reversed(range(len(location))):
        outer, part = _model_at(model, location[:end]), location[end]
        if outer is not None and isinstance(part, str) and _own_name(outer, name, by_alias=by_alias):
            words = f"write it further out, beside '{_own_name(outer, part, by_alias=by_alias)}'"
            to = _own_name(outer, name, by_alias=by_alias)
            return Cure(words, Edit(what="place", to=to, up=1 + len(location) - end))
    # Not in lists: a field of an egress rule in an ingress rule does not mean that an egress rule is wanted.
    aside = list(_places_of(name, model, lists=False))
    if aside or by_alias:
        return _write_in(model, aside[:3], name, by_alias=by_alias, up=1 + len(location)) if aside else ""
    for outer in _outer_models(model):
        for place in [(), *_places_of(name, outer)]:
            home = _model_at(outer, place)
            if home is not None and _own_name(home, name, by_alias=False):
                return f"write it in {home.__name__}"
    return ""


def home_in(model: type[KubeModel], name: str) -> str | None:
    """The path in YAML of the part of a model that has a field of this name; ``""`` for the model itself.

    ``None`` if no part has it, or the name is so common that it points nowhere.
    """
    if name in _EVERYWHERE:
        return None
    if _own_name(model, name, by_alias=True) == name:
        return ""
    place = next(_places_of(name, model, lists=False), None)
    return None if place is None else _dotted(model, place, by_alias=True)


def _write_in(model: type[KubeModel], places: Sequence[tuple[str, ...]], name: str, *, by_alias: bool, up: int) -> Cure:
    homes = [_model_at(model, place) for place in places]
    right = next(_own_name(home, name, by_alias=by_alias) for home in homes if home is not None)
    written = " or ".join(f"'{_dotted(model, place, by_alias=by_alias)}'" for place in places)
    whose = "" if by_alias else f" ({' or '.join(dict.fromkeys(home.__name__ for home in homes if home is not None))})"
    words = f"write {'it' if name == right else right} in {written}{whose}"
    place = _dotted(model, places[0], by_alias=by_alias)
    only = len(places) == 1 and not _passes_list(model, places[0])
    return Cure(words, Edit(what="place", to=f"{place}.{right}", up=up) if only else None)


def _passes_list(model: type[KubeModel], place: Sequence[str]) -> bool:
    """Whether a place lies in the items of a list, so that it is not known in which."""
    annotations: list[Any] = []
    for end, part in enumerate(place):
        at = _model_at(model, place[:end])
        annotations.append(at and at.model_fields[part].annotation)
    return not all(_holds_one(annotation, inner_model(annotation)) for annotation in annotations)


def _holds_one(annotation: Any, model: type[KubeModel] | None) -> bool:
    """Whether a field holds the model itself, not a list or mapping of it."""
    return annotation is model or model in get_args(annotation)


def _own_name(model: type[KubeModel], name: str, *, by_alias: bool) -> str:
    """The name of a model's field, given by its Python or YAML name; ``""`` if there is none."""
    for python, field in model.model_fields.items():
        alias = field.serialization_alias or python
        if name in (python, alias):
            return alias if by_alias else python
    return ""


def _places_of(name: str, model: type[KubeModel], *, lists: bool = True) -> Iterator[tuple[str, ...]]:
    """The paths of the parts of a model that have a field of this name; the nearest first.

    Args:
        name: as in Python or as in YAML.
        model: the model.
        lists: whether items of lists are looked at. Default: True.
    """
    waiting: list[tuple[tuple[str, ...], type[KubeModel]]] = [((), model)]
    for path, at in waiting:
        if path and _own_name(at, name, by_alias=False):
            yield path
        if len(path) < _DEEPEST:
            inner = [(field, inner_model(info.annotation)) for field, info in at.model_fields.items()]
            waiting += [
                ((*path, field), part)
                for field, part in inner
                if part is not None and (lists or _holds_one(at.model_fields[field].annotation, part))
            ]


def _outer_models(model: type[KubeModel]) -> Iterator[type[KubeModel]]:
    """The models that contain a model; the nearest first."""
    *_, base, _ = (known for known in model.__mro__ if issubclass(known, BaseModel))
    waiting = [model]
    for at in waiting:
        for known in _all_models(cast("type[KubeModel]", base)):
            if known not in waiting and any(
                inner_model(field.annotation) is at for field in known.model_fields.values()
            ):
                waiting.append(known)
                yield known


def _all_models(base: type[KubeModel]) -> Iterator[type[KubeModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _all_models(model)


def with_aliases(error: AutoModeError, model: type[KubeModel]) -> AutoModeError:
    """The same, with the fields of the model and of those inside it named as in YAML."""
    aliases = _aliases(model)

    def spelt(text: str) -> str:
        return text.spelt(aliases) if isinstance(text, Worded) else text

    return AutoModeError(
        error.where,
        [
            replace(
                problem,
                field=_in_yaml(problem.field, model),
                message=spelt(problem.message),
                cure=spelt(problem.cure),
            )
            for problem in error.problems
        ],
    )


_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[([0-9]+)\]")


def _in_yaml(field: str, model: type[KubeModel]) -> str:
    """The path of a field with the names of YAML, up to the first key of a mapping."""
    steps: list[str | int] = []
    end = 0
    while (step := _STEP.match(field, end)) is not None:
        steps.append(step[1] if step[1] is not None else int(step[2]))
        end = step.end()
    return _dotted(model, steps, by_alias=True) + field[end:]


@cache
def _aliases(model: type[KubeModel]) -> dict[str, str]:
    """The YAML name of every field of a model and of those inside it; the model's own come first."""
    aliases: dict[str, str] = {}
    for field in model.model_fields.values():
        inner = inner_model(field.annotation)
        aliases |= _aliases(inner) if inner is not None and inner is not model else {}
    return aliases | {name: field.serialization_alias or name for name, field in model.model_fields.items()}


def _dotted(model: type[KubeModel], location: Sequence[str | int], *, by_alias: bool) -> str:
    path = ""
    for position, part in enumerate(location):
        at = _model_at(model, location[:position])
        if at is not None and isinstance(part, str) and part in at.model_fields:
            path += _key((at.model_fields[part].serialization_alias if by_alias else None) or part)
        elif part != "[key]":
            path += _key(part)
    return path.removeprefix(".")


def _key(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if re.fullmatch(r"[A-Za-z_]\w*", part) else f"[{shown(part)}]"


def _model_at(model: type[KubeModel], location: Sequence[str | int]) -> type[KubeModel] | None:
    at: type[KubeModel] | None = model
    inner: Any = model
    for part in location:
        if at is not None and isinstance(part, str):
            field = at.model_fields.get(part)
            if field is None:
                return None
            inner = field.annotation
        at = inner_model(inner)
    return at


def inner_model(annotation: Any) -> type[KubeModel] | None:
    """The model that a field holds, directly or as items of a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return cast("type[KubeModel]", annotation)
    for part in get_args(annotation):
        model = inner_model(part)
        if model is not None:
            return model
    return None


def _field_names(model: type[KubeModel] | None, *, by_alias: bool) -> list[str]:
    if model is None:
        return []
    return [(field.serialization_alias or name) if by_alias else name for name, field in model.model_fields.items()]
