"""Writes ``tests/specs/crds.json``: what the CRDs say of each field, and examples for each of their CEL rules.

Without a text of theirs: no description, no rule, no message. A CRD that is in the file already is known by its digest
and keeps its source and date; any other needs both. ``AUTOMODE_CRD_DIR`` names the folder of the CRDs, one a file, as
the CRDs catalog or ``kubectl get crd NAME -o yaml`` writes them, under the name that the data file knows each by.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import celpy
import yaml
from celpy.adapter import json_to_cel
from celpy.celtypes import StringType
from celpy.evaluation import CELEvalError
from jsonschema import Draft202012Validator

from tests.specs.crds import STORED, closed, places_in, with_value
from tests.specs.documents import WHOLE, places_of

__all__ = ["RawCrd", "Trials", "broken_rules", "crd_folder", "document", "entry", "main", "raw_crds"]

_HERE = Path(__file__).parent

_TEXTS = frozenset({"description", "title", "example", "externalDocs"})
_NESTED = frozenset({"properties", "items", "additionalProperties", "x-kubernetes-validations"})
_KEPT = frozenset(
    {
        *("type", "format", "nullable", "enum", "pattern", "required", "default", "allOf", "anyOf", "oneOf", "not"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
        *("x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
        *("x-kubernetes-map-type", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"),
    }
)
"""What is kept of a field as it stands. A structural schema has no text in ``allOf`` and its like."""


def crd_folder() -> Path:
    """The folder of the CRDs, whether it is there or not."""
    return Path(os.environ.get("AUTOMODE_CRD_DIR") or _HERE.parent / "../shared/reference/crds")


@dataclass(frozen=True, kw_only=True, slots=True)
class RawCrd:
    """A CRD as it was published.

    Args:
        sha256: the digest of its file.
        annotations: the versions that its maker wrote on it.
        schemas: the schema of ``spec`` and of each field in it, by path.
        rules: the CEL rules, by the field that carries each and its number there.
    """

    sha256: str
    annotations: Mapping[str, str]
    schemas: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, str]


def raw_crds(folder: Path) -> dict[str, RawCrd]:
    """The CRDs of a folder by the names of their files.

    Raises:
        SystemExit: for a CRD with a rule about the whole object, which the data file has no place for.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".yaml", ".yml"})
    return {path.stem: _raw(path) for path in files}


def _raw(path: Path) -> RawCrd:
    text = path.read_bytes()
    loaded = yaml.safe_load(text)
    annotations: dict[str, str] = {}
    if loaded.get("kind") == "CustomResourceDefinition":
        annotations = loaded["metadata"].get("annotations", {})
        (stored,) = [version for version in loaded["spec"]["versions"] if version["storage"]]
        loaded = stored["schema"]["openAPIV3Schema"]
    if "x-kubernetes-validations" in loaded:
        raise SystemExit(f"{path}: has a rule about the whole object; tools/crds.py knows those of spec only")
    schemas = dict(_schemas(loaded["properties"]["spec"]))
    return RawCrd(
        sha256=hashlib.sha256(text).hexdigest(),
        annotations={name: value for name, value in annotations.items() if name.endswith("/version")},
        schemas=schemas,
        rules={
            f"{path}#{number}": rule["rule"]
            for path, schema in schemas.items()
            for number, rule in enumerate(schema.get("x-kubernetes-validations", ()))
        },
    )


def _schemas(schema: Mapping[str, Any], path: str = "spec") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The schema of each field by its path."""
    yield path, schema
    for name, inner in sorted(schema.get("properties", {}).items()):
        yield from _schemas(inner, f"{path}.{name}")
    for step, key in (("[]", "items"), ("{}", "additionalProperties")):
        if isinstance(inner := schema.get(key), Mapping):
            yield from _schemas(inner, path + step)


def _fields(raw: RawCrd) -> dict[str, dict[str, Any]]:
    fields: dict[str, dict[str, Any]] = {}
    for path, schema in raw.schemas.items():
        if unknown_keys := schema.keys() - _TEXTS - _NESTED - _KEPT:
            raise SystemExit(f"{path}: has {sorted(unknown_keys)}, of which tools/crds.py knows no use")
        fields[path] = {key: schema[key] for key in sorted(schema.keys() & _KEPT)}
        if schema.get("additionalProperties") is True:
            fields[path]["additionalProperties"] = True
    return fields


# What the CEL rules say, by an evaluator of CEL.

# Made here, because making it raises the recursion limit, which hypothesis watches while a test runs.
_CEL = celpy.Environment()


def _is_of_change(rule: str) -> bool:
    return re.search(r"\boldSelf\b", rule) is not None


def broken_rules(raw: RawCrd, new: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> set[str]:
    """The CEL rules that the API server finds broken by a new ``spec``, or with ``old`` by a changed one."""
    return {name for name, rule in raw.rules.items() if not _holds(rule, name.partition("#")[0], new, old)}


def _holds(rule: str, path: str, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> bool:
    values = [json.dumps(value) for value in places_in({"spec": new}, path)]
    if not _is_of_change(rule):
        return all(_cel_holds(rule, value) for value in values)
    before = [] if old is None else [json.dumps(value) for value in places_in({"spec": old}, path)]
    return all(_cel_holds(rule, *pair) for pair in zip(values, before, strict=False))


@cache
def _cel_holds(rule: str, new: str, old: str | None = None) -> bool:
    variables = {"self": new} if old is None else {"self": new, "oldSelf": old}
    try:
        return bool(_cel(rule).evaluate({name: json_to_cel(json.loads(value)) for name, value in variables.items()}))
    except CELEvalError:  # the API server refuses what a rule cannot be worked out for
        return False


@cache
def _cel(rule: str) -> celpy.Runner:
    return _CEL.program(_CEL.compile(rule), functions={"find": _find})


def _find(text: StringType, pattern: StringType) -> StringType:
    """Kubernetes' own addition to CEL: the first match, or nothing."""
    match = re.search(pattern, text)
    return StringType(match[0] if match else "")


# Examples: a document that holds every field shrinks to the least with the rule's field, whose value is then varied.


class Trials:
    """Values tried on the rules of one CRD.

    Args:
        raw: the CRD.
        whole: a document that holds every field; what the CRD does not know of it is left out.

    Attributes:
        least: for each field with a rule, the least ``spec`` that has it.
        tried: for each rule, values of its field, or pairs of a new and an old value, with all rules that each breaks.
    """

    def __init__(self, raw: RawCrd, whole: Mapping[str, Any]) -> None:
        self._raw = raw
        self._validators = {path: Draft202012Validator(closed(schema)) for path, schema in raw.schemas.items()}
        self._whole = _schema_part(raw.schemas["spec"], whole)
        self._named = [(key, at[key]) for at, key in places_of(self._whole) if isinstance(key, str)]
        self._choices = {choice for schema in raw.schemas.values() for choice in schema.get("enum", ())}
        self.least = {path: self._least(path) for path in dict.fromkeys(name.partition("#")[0] for name in raw.rules)}
        self.tried = {name: self._try(name, rule) for name, rule in raw.rules.items()}

    def _least(self, path: str) -> dict[str, Any]:
        spec: dict[str, Any] = copy.deepcopy(self._whole)
        number = 0
        if not self._is_sound(spec, path):
            raise SystemExit(f"{path}: the document in tests/specs/documents.py does not hold it as the CRD asks")
        while number < len(list(places_of(spec))):
            smaller = copy.deepcopy(spec)
            at, key = list(places_of(smaller))[number]
            del at[key]
            if at and self._is_sound(smaller, path):
                spec = smaller
            else:
                number += 1
        return spec

    def _is_sound(self, spec: Mapping[str, Any], path: str) -> bool:
        holds_it = any(True for _ in places_in({"spec": spec}, path))
        return holds_it and self._validators["spec"].is_valid(spec) and not broken_rules(self._raw, spec)

    def rows(self) -> Iterator[list[Any]]:
        """Each example: the rule, its verdict, the field's value and, for a rule about changes, the value before."""
        for name, tried in self.tried.items():
            accepted = [values for values, broken in tried if not broken]
            refused = [values for values, broken in tried if name in broken]
            alone = [values for values, broken in tried if broken == {name}]
            for verdict, examples in (("accepts", accepted), ("refuses", alone or refused)):
                yield from ([name, verdict, *values] for values in _telling(examples))

    def _try(self, name: str, rule: str) -> list[tuple[tuple[Any, ...], set[str]]]:
        path = name.partition("#")[0]
        least = self.least[path]
        example = next(places_in({"spec": least}, path))
        values = self._values(self._raw.schemas[path], rule, example)
        trials = [
            ((value,), broken_rules(self._raw, with_value(least, path, value)))
            for value in values
            if self._validators[path].is_valid(value)
        ]
        if not _is_of_change(rule):
            return trials
        sound = [value for (value,) in _telling([values for values, broken in trials if not broken])]
        return [
            (pair, broken_rules(self._raw, *(with_value(least, path, value) for value in pair)))
            for pair in itertools.product(sound, repeat=2)
        ]

    def _values(self, schema: Mapping[str, Any], rule: str, example: Any) -> list[Any]:
        """Values that differ in what a rule speaks of; ``example`` is one that fits."""
        if "enum" in schema:
            return list(schema["enum"])
        if schema.get("x-kubernetes-int-or-string"):
            return [1]
        match schema.get("type"):
            case "string":
                return self._texts(schema, rule, example)
            case "integer" | "number":
                least = schema.get("minimum", 0)
                return [least, least + 1, schema.get("maximum", least + 2)]
            case "boolean":
                return [False, True]
            case "array":
                items = self._values(schema["items"], rule, example[0] if example else None)
                first = example[0] if example else items[0]
                return [*([item] for item in items), *([first, item] for item in items), []]
            case _ if "properties" in schema:
                return list(self._objects(schema, rule, example or {}))
            case _ if isinstance(schema.get("additionalProperties"), Mapping):
                keys = self._texts({"type": "string"}, rule, next(iter(example or {}), None))
                values = self._values(schema["additionalProperties"], "", None)
                if "self[" not in rule:
                    values = values[:1]
                return [*({key: value} for key in keys for value in values), {}]
            case _:
                return [example or {}]

    def _objects(self, schema: Mapping[str, Any], rule: str, example: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        options: list[list[tuple[str, Any] | None]] = []
        for name, inner in schema["properties"].items():
            value = example.get(name, self._fitting(name, inner))
            left_out = [] if name in schema.get("required", ()) else [None]
            if re.search(rf"\b{name}\b", rule):
                options.append([*left_out, *((name, varied) for varied in self._values(inner, rule, value))])
            elif name in example or not left_out:
                options.append([(name, value), *left_out])
        for parts in itertools.product(*options):
            yield dict(part for part in parts if part is not None)

    def _fitting(self, name: str, schema: Mapping[str, Any]) -> Any:
        validator = Draft202012Validator(closed(schema))
        return next((value for key, value in self._named if key == name and validator.is_valid(value)), None)

    def _texts(self, schema: Mapping[str, Any], rule: str, example: Any) -> list[str]:
        spoken = [part for part in re.findall(r"""['"]([-\w./]+)['"]""", rule) if part not in self._choices]
        near = [form.format(part) for part in spoken for form in ("{}", "{}a", "a{}", "{}/a", "a.{}/a")]
        numbers = ["1", "-1"] if "int(" in rule else []
        texts = [*([example] if isinstance(example, str) else []), *near, *numbers, "a", ""]
        return [text for text in dict.fromkeys(texts) if Draft202012Validator(schema).is_valid(text)]


def _schema_part(schema: Mapping[str, Any], value: Any) -> Any:
    """A value without the fields that a schema does not know."""
    if isinstance(value, list):
        return [_schema_part(schema["items"], item) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    properties = schema["properties"]
    return {name: _schema_part(properties[name], inner) for name, inner in value.items() if name in properties}


def _telling(examples: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The first examples that together show what all show, and two at least where there are two."""
    chosen: list[tuple[Any, ...]] = []
    features_shown: set[Any] = set()
    for values in examples:
        shown = {(number, feature) for number, value in enumerate(values) for feature in _features(value)}
        if not shown <= features_shown:
            chosen.append(values)
            features_shown |= shown
    others = [values for values in examples if values not in chosen]
    return [*chosen, *others[: max(0, 2 - len(chosen))]]


def _features(value: Any, path: str = "") -> Iterator[tuple[Any, ...]]:
    """What distinguishes a value: which fields are there, how long lists are, and each leaf."""
    if isinstance(value, dict):
        yield path, tuple(sorted(value))
        for key, inner in value.items():
            yield from _features(inner, f"{path}.{key}")
    elif isinstance(value, list):
        yield path, len(value)
        for inner in value:
            yield from _features(inner, f"{path}[]")
    else:
        yield path, repr(value)


# The data file.


def entry(raw: RawCrd, trials: Trials, source: str, day: date) -> dict[str, Any]:
    """What the data file holds of a CRD."""
    return {
        "source": source,
        "date": day.isoformat(),
        "sha256": raw.sha256,
        "annotations": raw.annotations,
        "fields": _fields(raw),
        "least": trials.least,
        "examples": list(trials.rows()),
    }


def document(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """The data file: a field or an example a line, so that a change of a field is a change of a line."""
    return "".join(_lines({name: entries[name] for name in sorted(entries)}, 2)) + "\n"


def _lines(value: Any, depth: int, margin: str = "\n") -> Iterator[str]:
    """JSON with a line for each part down to a depth."""
    if not value or depth < 0:
        yield json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return
    inner = margin + "  "
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    parts = (
        [(f"{json.dumps(key)}: ", part) for key, part in value.items()] if opening == "{" else [("", p) for p in value]
    )
    for number, (key, part) in enumerate(parts):
        yield f"{',' if number else opening}{inner}{key}"
        yield from _lines(part, depth - 1, inner) if isinstance(part, dict | list) else [json.dumps(part)]
    yield margin + closing


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the data file anew for each CRD of the folder.

    Raises:
        SystemExit: without the folder, for a file whose name the data file does not know, or without the source of a
            new CRD.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.crds", description=__doc__)
    parser.add_argument("--source", help="where the CRDs that the data file does not know come from")
    parser.add_argument("--date", type=date.fromisoformat, help="the day of that source: YYYY-MM-DD")
    options = parser.parse_args(arguments)
    if not (folder := crd_folder()).is_dir():
        raise SystemExit(f"no folder {folder}: set AUTOMODE_CRD_DIR")
    entries = json.loads(STORED.read_text("utf-8")) if STORED.exists() else {}
    for name, raw in raw_crds(folder).items():
        if name not in WHOLE:
            raise SystemExit(
                f"{folder / name}: no such CRD in {STORED.name}; name the file as one of {', '.join(WHOLE)}"
            )
        stored = entries.get(name, {})
        if stored.get("sha256") == raw.sha256:
            source, day = stored["source"], date.fromisoformat(stored["date"])
        elif options.source and options.date:
            source, day = options.source, options.date
        else:
            raise SystemExit(f"{folder / name}: is not the one in {STORED.name}; say --source and --date")
        entries[name] = entry(raw, Trials(raw, WHOLE[name]), source, day)
    STORED.write_text(document(entries), "utf-8")


if __name__ == "__main__":
    main()
