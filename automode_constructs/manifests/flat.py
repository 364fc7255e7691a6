"""Fields of a spec as keywords of its construct: one level where the manifest has several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.specs.model import KubeModel

__all__ = ["FlatFields", "fields_at"]

Spec = TypeVar("Spec", bound=KubeModel)


def fields_at(place: str, model: type[KubeModel], *, but: Iterable[str] = ()) -> dict[str, str]:
    """The fields of a model, each with its path in the spec.

    Args:
        place: the model's path in the spec, such as ``template.spec``; ``""`` is the spec itself.
        model: the model.
        but: fields that are not keywords.
    """
    return {name: f"{place}.{name}".removeprefix(".") for name in model.model_fields if name not in but}


class FlatFields(Generic[Spec]):
    """The fields given to a construct as ``spec``, as keywords, or as both.

    Args:
        where: the construct's path.
        model: the class of the spec.
        paths: the keywords, each with its path in the spec.
        spec: the argument ``spec``.
        values: the keywords' values; ``None`` is a keyword that was not given.
    """

    def __init__(
        self,
        where: str,
        model: type[Spec],
        paths: Mapping[str, str],
        spec: Spec | None,
        values: Mapping[str, object],
    ) -> None:
        self._where, self._model, self._spec = where, model, spec
        self._values = {name: value for name, value in values.items() if value is not None}
        written = {paths[name]: name for name in paths if name in self._values}
        known = {path: name for name, path in paths.items()} if spec is None else written
        self._inner = {
            name: [other for path, other in written.items() if path.startswith(f"{whole}.")]
            for whole, name in written.items()
        }
        self._paths = {
            path: name for path, name in known.items() if not any(path.startswith(f"{whole}.") for whole in written)
        }

    def merged(self, *, required: str = "", constants: Mapping[str, object] | None = None) -> Spec:
        """The spec with the keywords merged in, validated as a whole.

        Args:
            required: the part of the spec that the model requires; it is created for the keywords.
            constants: fields with only one possible value, which are written if ``spec`` is not given. Default: none.

        Raises:
            AutoModeError: for a field that is given twice, and for everything else that is wrong; fields are named as
                they were given.
        """
        self._refuse_parts_beside_their_whole()
        fields: dict[str, Any] = dict(constants or {})
        if self._spec is not None:
            try:
                spec = self._spec.validated()
            except AutoModeError as error:
                raise error.at(self._where, "spec") from None
            if not self._values:
                return spec
            fields = _fields(spec)
        _part(fields, required)
        twice: list[Problem] = []
        for path, name in self._paths.items():
            if name in self._values:
                part = _part(fields, path.rpartition(".")[0])
                if part.get(name) is not None:
                    message = f"stands in spec.{path} too"
                    twice.append(Problem(field=name, message=message, cure="write it in one of the two"))
                part[name] = self._values[name]
        if twice:
            raise AutoModeError(self._where, twice)
        try:
            return self._model(**fields)
        except AutoModeError as error:
            rest = "" if self._spec is None else "spec"
            raise AutoModeError(self._where, list(self.as_given(error.problems, rest))) from None

    def _refuse_parts_beside_their_whole(self) -> None:
        twice = [
            Problem(
                field=whole,
                message=f"stands beside {', '.join(parts)}, which it holds",
                cure="write all of it in one of the two",
            )
            for whole, parts in self._inner.items()
            if parts
        ]
        if twice:
            raise AutoModeError(self._where, twice)

    def as_given(self, problems: Iterable[Problem], rest: str = "") -> Iterator[Problem]:
        """Problems of the spec, with their fields named by the keywords.

        Args:
            problems: the problems, with their fields as paths in the spec.
            rest: prefix for fields that are not keywords. Default: nothing.
        """
        for problem in problems:
            path = next((path for path in self._paths if _lies_in(problem.field, path)), None)
            if path is None:
                yield problem.under(rest)
            else:
                yield replace(problem, field=self._paths[path] + problem.field[len(path) :])


def _part(fields: dict[str, Any], path: str) -> dict[str, Any]:
    """The fields at a path, as a separate mapping that may be modified."""
    for name in filter(None, path.split(".")):
        inner = fields.get(name)
        fields[name] = _fields(inner) if isinstance(inner, KubeModel) else dict(inner or {})
        fields = fields[name]
    return fields


def _fields(model: KubeModel) -> dict[str, Any]:
    return {**vars(model), **(model.model_extra or {})}


def _lies_in(field: str, path: str) -> bool:
    return field.startswith(path) and field[len(path) : len(path) + 1] in {"", ".", "["}
