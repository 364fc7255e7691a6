"""The base of every spec: snake_case in, exact camelCase out, frozen, and errors in our own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from automode_constructs.errors import AutoModeError, Problem, did_you_mean, shown
from automode_constructs.specs.rule import RULES, rule
from automode_constructs.tokens import is_list_token, is_resolvable, is_text_token, is_token, token_paths

__all__ = [
    "NOT_A_FIELD",
    "Duration",
    "DurationOrNever",
    "KubeModel",
    "LabelKey",
    "LabelValue",
    "ListOf",
    "Quantity",
    "TokenListOf",
    "TokenOr",
    "kubernetes_name",
    "matching",
]

T = TypeVar("T")

_CRD = "the kind's CRD"
UNKNOWN_FIELD = rule(
    "automode:UnknownField",
    "all",
    severity="error",
    sentence="Every field is one that Auto Mode knows; write newer ones with add_override.",
    source=_CRD,
)
MISSING_FIELD = rule(
    "automode:MissingField", "all", severity="error", sentence="Every required field is there.", source=_CRD
)
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


class _TokenBearing:
    """Marks a field that takes a value known only after deployment."""


def _pass_text_token(value: Any, check: Any) -> Any:
    if is_text_token(value):
        return value
    if is_token(value):
        raise _misplaced_token(value)
    return check(value)


def _pass_list_token(value: Any, check: Any) -> Any:
    return value if is_list_token(value) else check(value)


TokenOr = Annotated[T, WrapValidator(_pass_text_token), _TokenBearing()]
"""A value of type T, which is text in the manifest, or the CDK token that stands for one."""

ListOf = Annotated[Sequence[T], AfterValidator(tuple)]
"""A list in YAML; any sequence in, a tuple kept."""

TokenListOf = Annotated[
    Sequence[Annotated[T, WrapValidator(_pass_text_token)]],
    WrapValidator(_pass_list_token),
    AfterValidator(tuple),
    _TokenBearing(),
]
"""A list of ``TokenOr[T]``, or the CDK token that stands for the whole list."""


def matching(pattern: str, form: str, cure: str = "") -> AfterValidator:
    """A check of a text's form whose refusal says the form in words."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if is_token(value):
            raise _misplaced_token(value)
        if compiled.fullmatch(value) is None:
            raise AutoModeError.of("", "", f"{shown(value)} is not {form}", cure)
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

Duration = Annotated[str, matching(_DURATION, "a duration such as '30s' or '1h30m'")]
"""A duration as Karpenter reads it: whole numbers of ``h``, ``m``, ``s``."""

DurationOrNever = Annotated[str, matching(rf"{_DURATION}|Never", "a duration such as '30s', '1h30m' or 'Never'")]
"""A duration, or ``Never``."""

_QUANTITY = re.compile(
    r"(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?"
)
MAX_EXACT_INTEGER = 2**53 - 1
"""Beyond it the CDK, which counts in doubles, would write another number."""


def _quantity(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > MAX_EXACT_INTEGER:
            raise AutoModeError.of("", "", f"{shown(value)} is too large to stand as a number", "write it as a text")
        return value
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise AutoModeError.of("", "", f"{shown(value)} is not a quantity such as 1000, '500m' or '64Gi'")
    return value


Quantity = Annotated[int | str, BeforeValidator(_quantity)]
"""A Kubernetes quantity: a whole number, or a text with a suffix (``500m``, ``64Gi``)."""

MAX_LABEL_VALUE = 63
"""The longest value a label may have."""

_KUBERNETES_NAME = re.compile(_DNS_NAME)


def kubernetes_name(where: str, name: str, *, longest: int = 253) -> str:
    """Checks the name of a Kubernetes object: a DNS-1123 subdomain without a token in it.

    Args:
        where: the construct path, for the message.
        name: the name.
        longest: the most characters it may have.

    Raises:
        AutoModeError: with the cure.
    """
    if is_token(name) or is_resolvable(name):
        raise AutoModeError.of(
            where,
            "name",
            "holds a value known only after deployment",
            "give a concrete name: it decides the logical id",
        )
    if not isinstance(name, str) or len(name) > longest or _KUBERNETES_NAME.fullmatch(name) is None:
        raise AutoModeError.of(
            where,
            "name",
            f"{shown(name)} cannot be the name of this object",
            f"use at most {longest} lower-case letters, digits, '-' and '.', "
            "beginning and ending with a letter or digit",
        )
    return name


_FROM_YAML, _UNJUDGED, _IN_PIECES = object(), object(), object()
"""Contexts of a validation of YAML: whole, with the rules left to ``read``, and besides with broken fields left out."""

NOT_A_FIELD = "\0"
"""Ends a name that Python code must not use, though a field has it in YAML."""

_BROKEN = object()
"""Stands for a broken field until the model is made."""


class _BrokenFieldError(AttributeError):
    """Somebody looks at a field that was left out because it is broken."""


class KubeModel(BaseModel):
    """A part of a Kubernetes object: snake_case fields in Python, camelCase in the manifest, ``None`` is absent."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=to_camel, serialization_alias=to_camel),
        allow_inf_nan=False,
        defer_build=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        loc_by_alias=False,
        strict=True,
    )

    _takes_tokens: ClassVar[dict[str, bool]]
    wrong_names: ClassVar[Mapping[str, str]] = {}
    """The cure for names that YAML is known to hold in error here, where it is not the nearest known name."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._takes_tokens = {}

    if not TYPE_CHECKING:
        # The checkers see pydantic's own signature; at run time every refusal becomes an AutoModeError.
        def __init__(self, /, *unnamed: Any, **data: Any) -> None:
            for name, value in zip(
                (name for name in type(self).model_fields if name not in data), unnamed, strict=False
            ):
                raise AutoModeError.of("", name, f"is given by its position: {shown(value)}", f"write {name}=...")
            try:
                self.__pydantic_validator__.validate_python(data, self_instance=self)
            except ValidationError as error:
                raise _in_our_words(type(self), error, by_alias=False) from None

        __init__.__pydantic_base_init__ = True

    @model_validator(mode="before")
    @classmethod
    def _take_any_mapping(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping):
            return value
        if info.context is None:
            return cls._named_as_in_yaml(value)
        return cls._known_pieces(value) if info.context is _IN_PIECES else dict(value)

    @classmethod
    def _named_as_in_yaml(cls, values: Mapping[Any, Any]) -> dict[Any, Any]:
        """The values under the names of YAML, by which alone models are read.

        Pydantic can be told to read either names, but not before 2.14 through a field's own validator.
        """
        aliases = {name: field.validation_alias or name for name, field in cls.model_fields.items()}
        strange = set(aliases.values()) - aliases.keys()
        return {
            f"{name}{NOT_A_FIELD}" if name in strange else aliases.get(name, name): value
            for name, value in values.items()
        }

    @classmethod
    def _known_pieces(cls, document: Mapping[Any, Any]) -> dict[Any, Any]:
        """The document without unknown fields. One that is missing is broken, and may be what an unknown one meant."""
        fields = {field.serialization_alias or name: field for name, field in cls.model_fields.items()}
        if cls.model_config.get("extra") == "allow":
            unknown, pieces = set(), dict(document)
        else:
            unknown = document.keys() - fields.keys()
            pieces = {name: value for name, value in document.items() if name not in unknown}
        missing = [name for name, field in fields.items() if name not in pieces and (unknown or field.is_required())]
        return {**pieces, **dict.fromkeys(missing, _BROKEN)}

    @field_validator("*", mode="wrap")
    @classmethod
    def _check_field(cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if info.context is not _IN_PIECES:
            cls._refuse_stray_tokens(value, info.field_name or "")
            return check(value)
        try:
            cls._refuse_stray_tokens(value, info.field_name or "")
            return _BROKEN if value is _BROKEN else check(value)
        except ValueError:
            return _BROKEN

    @classmethod
    def _refuse_stray_tokens(cls, value: Any, name: str) -> None:
        if name not in cls._takes_tokens:
            field = cls.model_fields[name]
            annotation = (field.annotation, *field.metadata)
            cls._takes_tokens[name] = any(_bears_tokens(part) for part in annotation)
        if not cls._takes_tokens[name]:
            for path in token_paths(value):
                raise KNOWN_LATE.broken(path, NOT_HERE, "give a concrete value")

    @model_validator(mode="after")
    def _keep_the_rules(self, info: ValidationInfo) -> Self:
        if info.context is _UNJUDGED:
            return self
        if info.context is _IN_PIECES:
            for name in [name for name, value in self.__dict__.items() if value is _BROKEN]:
                del self.__dict__[name]
            return self
        problems = [problem for problem in self._broken_rules() if not _is_warning(problem)]
        if problems:
            raise AutoModeError("", problems)
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise _BrokenFieldError(name)
            return super().__getattr__(name)

    def _broken_rules(self) -> Iterator[Problem]:
        """What is wrong, or risky, with fields that are right by themselves; a model with such rules overrides this.

        Each problem names its rule, whose severity decides: an error refuses the model, a warning is kept for
        ``warnings``. Fields are named as in Python, in the problems' texts too: who reads YAML is told the names that
        stand there.
        """
        return iter(())

    def warnings(self, *, by_alias: bool = False) -> Iterator[Problem]:
        """What works but is risky, in this model and those inside it.

        Args:
            by_alias: whether fields are named as in YAML. Default: False; as in Python.
        """
        return (problem for problem in self.problems(by_alias=by_alias) if _is_warning(problem))

    def problems(self, *, by_alias: bool, fresh: bool = False) -> Iterator[Problem]:
        """All that the rules say of this model and those inside it.

        Args:
            by_alias: whether fields are named as in YAML.
            fresh: whether the model is nobody's yet: what has errors inside is taken out then, so that no outer rule
                judges it. Default: False.
        """
        inner: list[Problem] = []
        for name, field in type(self).model_fields.items():
            told = (field.serialization_alias if by_alias else None) or name
            value = self.__dict__.get(name)
            models = enumerate(value) if isinstance(value, tuple) else [(None, value)]
            found = [
                problem.under(told if index is None else f"{told}[{index}]")
                for index, model in models
                if isinstance(model, KubeModel)
                for problem in model.problems(by_alias=by_alias, fresh=fresh)
            ]
            if fresh and not all(map(_is_warning, found)):
                del self.__dict__[name]
            inner += found
        try:
            for problem in self._broken_rules():
                yield from _with_aliases(AutoModeError("", [problem]), type(self)).problems if by_alias else [problem]
        except _BrokenFieldError:
            pass  # The rule that looked at it, and those after it, cannot be judged.
        yield from inner

    @classmethod
    def read(cls, document: object) -> tuple[Self | None, list[Problem]]:
        """Reads the camelCase form, and tells everything that is wrong or risky, fields named as in YAML.

        Beside a broken field, the rules that do not look at it are judged all the same.

        Returns:
            The model, ``None`` where anything is wrong; and the problems.
        """
        problems: list[Problem] = []
        try:
            model = cls.model_validate(document, context=_UNJUDGED)
        except ValidationError as error:
            problems += _in_our_words(cls, error, by_alias=True).problems
            try:
                model = cls.model_validate(document, context=_IN_PIECES)
            except ValidationError:
                return None, problems
        problems += model.problems(by_alias=True, fresh=True)
        return (model if all(map(_is_warning, problems)) else None), problems

    @classmethod
    def from_manifest(cls, document: Mapping[str, Any], *, where: str = "") -> Self:
        """Reads the camelCase form, as it stands in YAML.

        Raises:
            AutoModeError: with every problem of the document, fields named as in YAML.
        """
        try:
            return cls.model_validate(document, context=_FROM_YAML)
        except ValidationError as error:
            raise _in_our_words(cls, error, by_alias=True).at(where) from None

    def to_manifest(self) -> dict[str, Any]:
        """The camelCase form; what was not set is absent."""
        dumped: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True, warnings=False)
        return dumped


def _is_warning(problem: Problem) -> bool:
    known = RULES.get(problem.rule)
    return known is not None and known.severity == "warning"


def _bears_tokens(annotation: Any) -> bool:
    if isinstance(annotation, _TokenBearing):
        return True
    if isinstance(annotation, type) and issubclass(annotation, KubeModel):
        return True  # the inner model asks for itself
    if get_origin(annotation) is None and not hasattr(annotation, "__metadata__"):
        return False
    return any(_bears_tokens(part) for part in (*get_args(annotation), *getattr(annotation, "__metadata__", ())))


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
"""What a field of the wrong type needs, by pydantic's name of the refusal."""

_BOUNDS = {
    "greater_than_equal": "must be at least {ge}, got {given}",
    "invalid_key": "has a key that is not a text: {given}",
    "less_than_equal": "must be at most {le}, got {given}",
    "multiple_of": "must be a multiple of {multiple_of}, got {given}",
    "string_too_long": "must have at most {max_length} {unit}, got {length}",
    "string_too_short": "must have at least {min_length} {unit}, got {length}",
    "string_unicode": "{given} is not a text",
    "too_long": "must have at most {max_length} {unit}, got {length}",
    "too_short": "must have at least {min_length} {unit}, got {length}",
}
"""How a value misses its bounds, by pydantic's name of the refusal."""


def _in_our_words(model: type[KubeModel], error: ValidationError, *, by_alias: bool) -> AutoModeError:
    problems: list[Problem] = []
    for details in error.errors(include_url=False):
        problems += _problems(model, details, by_alias=by_alias)
    return AutoModeError("", problems)


def _problems(model: type[KubeModel], details: ErrorDetails, *, by_alias: bool) -> Sequence[Problem]:
    kind, location, given, bounds = details["type"], details["loc"], details["input"], details.get("ctx", {})
    field = _dotted(model, location, by_alias=by_alias)
    message, cure, cause, broken = "", "", bounds.get("error"), VALUE
    if is_resolvable(given):
        message = f"got a CDK object ({type(given).__name__}), not a value"
        cure, broken = "pass the text that stands for it, for example with Token.as_string(...)", KNOWN_LATE
    elif isinstance(cause, AutoModeError):
        named = _model_at(model, location) if by_alias else None
        told = (cause if named is None else _with_aliases(cause, named)).at("", field)
        return [replace(problem, rule=problem.rule or VALUE.id) for problem in told.problems]
    elif is_token(given):
        return _misplaced_token(given).at("", field).problems
    elif kind == "extra_forbidden":
        *outer, name = location
        name = name.removesuffix(NOT_A_FIELD) if isinstance(name, str) else name
        field = _dotted(model, outer, by_alias=by_alias) + _key(name)
        message, broken = "is not a known field", UNKNOWN_FIELD
        at = _model_at(model, outer)
        cure = at.wrong_names.get(str(name), "") if at is not None and by_alias else ""
        cure = cure or did_you_mean(str(name), _field_names(at, by_alias=by_alias))
    elif kind == "literal_error":
        message = f"{shown(given)} is not allowed"
        cure = did_you_mean(given if isinstance(given, str) else "", re.findall(r"'([^']*)'", bounds["expected"]))
    elif kind == "missing":
        message, broken = "is required", MISSING_FIELD
    elif kind in _NEEDED:
        message = f"needs {_NEEDED[kind]}, got {shown(given)}"
    elif kind in _BOUNDS:
        message = _BOUNDS[kind].format(
            **bounds,
            given=shown(given),
            length=len(given) if isinstance(given, Sized) else "",
            unit=("character" if isinstance(given, str) else "item") + ("" if bounds.get("min_length") == 1 else "s"),
        )
    else:
        text = details["msg"]
        message = f"{text[:1].lower()}{text[1:]}, got {shown(given)}"
    return [broken.problem(field.removeprefix("."), message, cure)]


def _misplaced_token(value: object) -> AutoModeError:
    cure = (
        "give a concrete value"
        if is_text_token(value)
        else "take an item out of a list with Fn.select(...), make a text of a number with Token.as_string(...)"
    )
    return KNOWN_LATE.broken("", NOT_HERE, cure)


def _with_aliases(error: AutoModeError, model: type[KubeModel]) -> AutoModeError:
    """The same, with the fields of the model and of those inside it named as in YAML."""
    aliases = _aliases(model)
    written = re.compile(rf"\b({'|'.join(name for name in aliases if '_' in name) or '(?!)'})\b")

    def named(text: str) -> str:
        return written.sub(lambda match: aliases[match[0]], text)

    def placed(field: str) -> str:
        path = re.sub(rf"(?:^|\.){written.pattern}", lambda match: _key(aliases[match[1]]), field)
        return path.removeprefix(".")

    return AutoModeError(
        error.where,
        [
            replace(problem, field=placed(problem.field), message=named(problem.message), cure=named(problem.cure))
            for problem in error.problems
        ],
    )


@cache
def _aliases(model: type[KubeModel]) -> dict[str, str]:
    """The YAML name of every field of a model and of those inside it; the model's own come first."""
    aliases: dict[str, str] = {}
    for field in model.model_fields.values():
        inner = _inner_model(field.annotation)
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
        at = _inner_model(inner)
    return at


def _inner_model(annotation: Any) -> type[KubeModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, KubeModel):
        return annotation
    for part in get_args(annotation):
        found = _inner_model(part)
        if found is not None:
            return found
    return None


def _field_names(model: type[KubeModel] | None, *, by_alias: bool) -> list[str]:
    if model is None:
        return []
    return [(field.serialization_alias or name) if by_alias else name for name, field in model.model_fields.items()]
