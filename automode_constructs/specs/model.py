"""The base of every spec: snake_case in, exact camelCase out, frozen, and errors in our own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Never, Self, Union, get_args, get_origin

from pydantic import (
    AliasGenerator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.specs.fields import KNOWN_LATE, NOT_HERE, VALUE, TokenBearing
from automode_constructs.specs.messages import NOT_A_FIELD, in_our_words, inner_model, with_aliases
from automode_constructs.specs.rule import RULES
from automode_constructs.tokens import token_paths

__all__ = ["KubeModel"]

_FROM_YAML, _UNJUDGED, _IN_PIECES = object(), object(), object()
"""Validation contexts for YAML: complete; with the rules left to ``read``; and also without broken fields."""

_FEW = 16
"""Lists of no more items are not worth a count of their own."""

_BROKEN = object()
"""Placeholder for a broken field until the model is made."""


class _BrokenFieldError(AttributeError):
    """Raised when a rule reads a field that was left out because it is broken."""


class KubeModel(BaseModel):
    """A part of a Kubernetes object: snake_case in Python, camelCase in the manifest, ``None`` means absent."""

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
    _most_items: ClassVar[dict[str, int | None]]
    wrong_names: ClassVar[Mapping[str, str]] = {}
    """Cures for wrong YAML names that are common here, if the cure is not the nearest known name."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls._takes_tokens = {}
        cls._most_items = {}

    if not TYPE_CHECKING:
        # Type checkers see pydantic's own signature; at run time every validation error becomes an AutoModeError.
        def __init__(self, /, *positional: Any, **data: Any) -> None:
            if positional:
                raise _positional_value(type(self), positional[0], data)
            try:
                self.__pydantic_validator__.validate_python(data, self_instance=self)
            except ValidationError as error:
                raise in_our_words(type(self), error, by_alias=False) from None

        __init__.__pydantic_base_init__ = True

    @model_validator(mode="before")
    @classmethod
    def _take_any_mapping(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, (dict, Mapping)):
            return value
        if info.context is None:
            return cls._named_as_in_yaml(value)
        return cls._known_pieces(value) if info.context is _IN_PIECES else dict(value)

    @classmethod
    def _named_as_in_yaml(cls, values: Mapping[Any, Any]) -> dict[Any, Any]:
        """The values under their YAML names, the only names by which models are read.

        Pydantic can read both kinds of names, but before 2.14 not through a field's own validator.
        """
        aliases = {name: field.validation_alias or name for name, field in cls.model_fields.items()}
        strange = set(aliases.values()) - aliases.keys()
        return {
            f"{name}{NOT_A_FIELD}" if name in strange else aliases.get(name, name): value
            for name, value in values.items()
        }

    @classmethod
    def _known_pieces(cls, document: Mapping[Any, Any]) -> dict[Any, Any]:
        """The document without unknown fields. A missing field counts as broken: a misspelt one may have meant it."""
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
        if info.context is not _IN_PIECES and type(value) is str and "Token[" not in value:
            return check(value)  # most values
        name = info.field_name or ""
        if info.context is not _IN_PIECES:
            cls._count(value, name)
            cls._refuse_stray_tokens(value, name)
            return check(value)
        try:
            cls._count(value, name)
            cls._refuse_stray_tokens(value, name)
            return _BROKEN if value is _BROKEN else check(value)
        except ValueError:
            return _BROKEN

    @classmethod
    def _count(cls, value: Any, name: str) -> None:
        """Refuses a list or mapping with too many items before anything looks at the items."""
        if not isinstance(value, str) and isinstance(value, (list, tuple, dict, Mapping)) and len(value) > _FEW:
            if name not in cls._most_items:
                field = cls.model_fields[name]
                cls._most_items[name] = min(_bounds_of((field.annotation, *field.metadata)), default=None)
            most = cls._most_items[name]
            if most is not None and len(value) > most:
                raise VALUE.broken("", f"must have at most {most} items, got {len(value)}")

    @classmethod
    def _refuse_stray_tokens(cls, value: Any, name: str) -> None:
        takes_tokens = cls._takes_tokens.get(name)
        if takes_tokens is None:
            field = cls.model_fields[name]
            annotation = (field.annotation, *field.metadata)
            takes_tokens = cls._takes_tokens[name] = any(_bears_tokens(part) for part in annotation)
        if not takes_tokens:
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
        problems = [problem for rule in self._rules() for problem in rule() if not _is_warning(problem)]
        if problems:
            raise AutoModeError("", problems)
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise _BrokenFieldError(name)
            return super().__getattr__(name)

    def _rules(self) -> Sequence[Callable[[], Iterator[Problem]]]:
        """The methods that check the model; if a field is broken, a method that reads it is skipped.

        A model with rules about different fields overrides this, so that each rule runs on its own.
        """
        return (self._broken_rules,)

    def _broken_rules(self) -> Iterator[Problem]:
        """Errors and warnings about fields that are valid one by one; a model with such rules overrides this.

        Each problem names its rule, whose severity decides: an error rejects the model, a warning is kept for
        ``warnings``. Fields have their Python names here; a text that names one is made with ``worded``, so that
        readers of YAML get the YAML name.
        """
        return iter(())

    def warnings(self, *, by_alias: bool = False) -> Iterator[Problem]:
        """What works but is risky, in this model and its nested models.

        Args:
            by_alias: whether fields have their YAML names. Default: False; the Python names.
        """
        return (problem for problem in self.problems(by_alias=by_alias) if _is_warning(problem))

    def problems(self, *, by_alias: bool, fresh: bool = False) -> Iterator[Problem]:
        """All problems that the rules find in this model and its nested models.

        Args:
            by_alias: whether fields have their YAML names.
            fresh: whether nothing else uses the model yet. If so, parts with errors are removed, so that no outer rule
                checks them. Default: False.
        """
        inner: list[Problem] = []
        for name, value in list(self.__dict__.items()):
            found: list[tuple[int | None, Problem]]
            if value is None or type(value) is str:
                continue  # most values, and it takes time to ask whether something is a model
            if isinstance(value, tuple):
                found = [
                    (index, problem)
                    for index, model in enumerate(value)
                    if type(model) is not str and isinstance(model, KubeModel)
                    for problem in model.problems(by_alias=by_alias, fresh=fresh)
                ]
            elif isinstance(value, KubeModel):
                found = [(None, problem) for problem in value.problems(by_alias=by_alias, fresh=fresh)]
            else:
                continue
            if not found:
                continue  # nearly always, and this runs for each document of a linter
            spelling = (type(self).model_fields[name].serialization_alias if by_alias else None) or name
            of_field = [
                problem.under(spelling if index is None else f"{spelling}[{index}]") for index, problem in found
            ]
            if fresh and not all(map(_is_warning, of_field)):
                del self.__dict__[name]
            inner += of_field
        for rule in self._rules():
            try:
                for problem in rule():
                    yield from (
                        with_aliases(AutoModeError("", [problem]), type(self)).problems if by_alias else [problem]
                    )
            except _BrokenFieldError:
                pass  # A field that this rule reads is broken.
        yield from inner

    @classmethod
    def read(cls, document: object) -> tuple[Self | None, list[Problem]]:
        """Reads the camelCase form and returns every error and warning, with YAML field names.

        If a field is broken, the rules that do not read it still run.

        Returns:
            The model, or ``None`` if there is any error; and the problems.
        """
        problems: list[Problem] = []
        try:
            model = cls.model_validate(document, context=_UNJUDGED)
        except ValidationError as error:
            problems += in_our_words(cls, error, by_alias=True).problems
            try:
                model = cls.model_validate(document, context=_IN_PIECES)
            except ValidationError:
                return None, problems
        problems += model.problems(by_alias=True, fresh=True)
        return (model if all(map(_is_warning, problems)) else None), problems

    @classmethod
    def from_manifest(cls, document: Mapping[str, Any], *, where: str = "") -> Self:
        """Reads the camelCase form, as written in YAML.

        Raises:
            AutoModeError: with every problem of the document, by YAML field names.
        """
        try:
            return cls.model_validate(document, context=_FROM_YAML)
        except ValidationError as error:
            raise in_our_words(cls, error, by_alias=True).at(where) from None

    def replace(self, /, *positional: Never, **changes: Any) -> Self:
        """A copy with other values in some fields, checked as a whole; ``None`` removes a value.

        Args:
            positional: nothing; every value has its field's name.
            changes: fields, named as in Python, and their new values.

        Raises:
            AutoModeError: with every problem of the result, as when its class is called.
        """
        if positional:
            raise _positional_value(type(self), positional[0], changes)
        return type(self)(**{**vars(self), **(self.model_extra or {}), **changes})

    def validated(self) -> Self:
        """A copy, checked again with all nested models; pydantic's own ``model_copy`` checks nothing.

        Raises:
            AutoModeError: with every problem, by Python field names.
        """
        anew = type(self)(**_fields_of(self))
        return self if anew == self else anew

    def to_manifest(self) -> dict[str, Any]:
        """The camelCase form, without fields that were not set."""
        dumped: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True, warnings=False)
        return dumped


def _positional_value(model: type[KubeModel], value: object, named: Mapping[str, object]) -> AutoModeError:
    free = [name for name in model.model_fields if name not in named]
    fits = [name for name in free if inner_model(model.model_fields[name].annotation) is type(value)]
    field = next(iter(fits + free), "")
    what = f"a {type(value).__name__}" if isinstance(value, KubeModel) else shown(value)
    return AutoModeError.of(
        "", field=field, message=f"is given by its position: {what}", cure=f"write {field or 'its name'}=..."
    )


def _is_warning(problem: Problem) -> bool:
    known = RULES.get(problem.rule)
    return known is not None and known.severity == "warning"


def _fields_of(value: Any) -> Any:
    """A model and its nested models as mappings of field values, valid or not."""
    if isinstance(value, KubeModel):
        return {name: _fields_of(item) for name, item in {**vars(value), **(value.model_extra or {})}.items()}
    if isinstance(value, Mapping):
        return {key: _fields_of(item) for key, item in value.items()}
    return [_fields_of(item) for item in value] if isinstance(value, (list, tuple)) else value


def _bounds_of(annotation: Any) -> Iterator[int]:
    """The largest numbers of items that a field's type names for the list or mapping itself."""
    for part in annotation if isinstance(annotation, tuple) else (annotation,):
        origin: Any = get_origin(part)
        most = getattr(part, "max_length", None)
        if isinstance(most, int):
            yield most
        elif isinstance(part, FieldInfo):
            yield from _bounds_of(tuple(part.metadata))
        elif origin in (Annotated, Union, UnionType) and get_args(part)[0] is not str:
            yield from _bounds_of(get_args(part))


def _bears_tokens(annotation: Any) -> bool:
    if isinstance(annotation, TokenBearing):
        return True
    if isinstance(annotation, type) and issubclass(annotation, KubeModel):
        return True  # the inner model checks itself
    if get_origin(annotation) is None and not hasattr(annotation, "__metadata__"):
        return False
    return any(_bears_tokens(part) for part in (*get_args(annotation), *getattr(annotation, "__metadata__", ())))
