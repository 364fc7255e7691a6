"""The CRDs of the kinds that we model, as ``crds.json`` keeps them, and what they have against a document.

The file holds names, types, bounds and the like of every field of each ``spec``, without a text of the CRD. Of its CEL
rules it holds examples that a rule accepts and refuses; the rules themselves are said here once more, in Python.
``tools/crds.py`` writes the file from the CRDs.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

__all__ = [
    "APPLICATION_POLICY_CRD",
    "BINDING_CRD",
    "CLUSTER_POLICY_CRD",
    "DIAGNOSTIC_CRD",
    "NODE_CLASS_CRD",
    "NODE_POOL_CRDS",
    "PARAMS_CRD",
    "RULES",
    "STORED",
    "Crd",
    "Example",
    "closed",
    "complaints",
    "crds",
    "holds",
    "places_in",
    "schema_of",
    "steps_of",
    "with_value",
]

STORED = Path(__file__).with_suffix(".json")

NODE_POOL_CRDS = ("nodepools.karpenter.sh", "nodepools.karpenter.sh_v1.14.1")
NODE_CLASS_CRD = "eks.amazonaws.com_nodeclass_v1"
PARAMS_CRD = "eks.amazonaws.com_ingressclassparams_v1"
BINDING_CRD = "eks.amazonaws.com_targetgroupbinding_v1"
DIAGNOSTIC_CRD = "eks.amazonaws.com_nodediagnostic_v1alpha1"
APPLICATION_POLICY_CRD = "networking.k8s.aws_applicationnetworkpolicies"
CLUSTER_POLICY_CRD = "networking.k8s.aws_clusternetworkpolicies"

_Judge = Callable[..., bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A ``spec`` that a CEL rule accepts or refuses.

    Args:
        rule: the field that carries the rule, and the rule's number there: ``spec.role#0``.
        accepted: whether the rule accepts it. Then all others do too, and so does the schema.
        new: the ``spec``.
        old: the ``spec`` before the change, for a rule about changes; ``None`` for any other rule.
    """

    rule: str
    accepted: bool
    new: Mapping[str, Any]
    old: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Crd:
    """One CRD of the file.

    Args:
        source: where the CRD comes from.
        date: the day of that source.
        sha256: the digest of the CRD's file.
        fields: what the CRD says of each field by its path; ``[]`` stands for the items of a list, ``{}`` for the
            values of a map.
        examples: examples for each of its CEL rules.
        rules: the CEL rules that look at one object, in their order.
        rules_of_change: the CEL rules that look at an object and what it was before.
    """

    source: str
    date: date
    sha256: str
    fields: Mapping[str, Mapping[str, Any]]
    examples: tuple[Example, ...]
    rules: tuple[str, ...]
    rules_of_change: tuple[str, ...]


@cache
def crds() -> dict[str, Crd]:
    """Every CRD by the name of its file."""
    return {name: _crd(stored) for name, stored in json.loads(STORED.read_text("utf-8")).items()}


def _crd(stored: Mapping[str, Any]) -> Crd:
    examples = tuple(_examples(stored))
    return Crd(
        source=stored["source"],
        date=date.fromisoformat(stored["date"]),
        sha256=stored["sha256"],
        fields=stored["fields"],
        examples=examples,
        rules=tuple(dict.fromkeys(example.rule for example in examples if example.old is None)),
        rules_of_change=tuple(dict.fromkeys(example.rule for example in examples if example.old is not None)),
    )


def _examples(stored: Mapping[str, Any]) -> Iterator[Example]:
    for rule, verdict, *values in stored["examples"]:
        path = rule.partition("#")[0]
        specs = [with_value(stored["least"][path], path, value) for value in values]
        yield Example(rule=rule, accepted=verdict == "accepts", new=specs[0], old=specs[1] if specs[1:] else None)


def schema_of(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON Schema of a ``spec`` from its fields."""
    root: dict[str, Any] = {}
    for path, facts in fields.items():
        at = root
        for step in steps_of(path):
            if step == "[]":
                at = at.setdefault("items", {})
            elif step == "{}":
                at = at.setdefault("additionalProperties", {})
            else:
                at = at.setdefault("properties", {}).setdefault(step, {})
        at.update(facts)
    spec: dict[str, Any] = root["properties"]["spec"]
    return spec


def closed(schema: Any) -> Any:
    """The same schema, which refuses fields that it does not know, as strict field validation does."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-list-type") == "set":
        inner["uniqueItems"] = True
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        inner["additionalProperties"] = False
    return inner


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = closed(schema_of(crds()[name].fields))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def complaints(name: str, document: Mapping[str, Any]) -> list[str]:
    """What a CRD has against a new ``spec``, once its defaults are written: its schema's first word, or CEL rules."""
    validator = _validator(name)
    whole = _with_defaults(validator.schema, document)
    misfit = next(validator.iter_errors(whole), None)
    if misfit is not None:
        return [f"{misfit.json_path}: {misfit.message}"]
    return [rule for rule in crds()[name].rules if not holds(name, rule, whole)]


def _with_defaults(schema: Mapping[str, Any], value: Any) -> Any:
    if isinstance(value, list) and "items" in schema:
        return [_with_defaults(schema["items"], item) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    named = schema["properties"]
    defaults = {name: inner["default"] for name, inner in named.items() if "default" in inner}
    return {name: _with_defaults(named.get(name, {}), inner) for name, inner in {**defaults, **value}.items()}


def holds(name: str, rule: str, document: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> bool:
    """Whether a document keeps a CEL rule wherever the rule applies."""
    path, _, number = rule.partition("#")
    judge = RULES[name][path][int(number)]
    values = places_in({"spec": document}, path)
    try:
        if old is None:
            return all(judge(value) for value in values)
        # A rule about changes says nothing of what is new or gone.
        return all(judge(*pair) for pair in zip(values, places_in({"spec": old}, path), strict=False))
    except (KeyError, ValueError):  # to the API server, a rule that cannot be worked out is broken
        return False


def steps_of(path: str) -> list[str]:
    """The steps of a path: names of fields, ``[]`` for any item of a list, ``{}`` for any value of a map."""
    return re.findall(r"\[\]|\{\}|[^.\[\]{}]+", path)


def places_in(document: Any, path: str) -> Iterator[Any]:
    """The values in a document that a path leads to."""
    found = [document]
    for step in steps_of(path):
        if step == "[]":
            found = [item for value in found for item in value]
        elif step == "{}":
            found = [item for value in found for item in value.values()]
        else:
            found = [value[step] for value in found if step in value]
    yield from found


def with_value(spec: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The document with another value at the first place that a path leads to."""
    made: dict[str, Any] = {"spec": copy.deepcopy(spec)}
    found = _first_place(made, steps_of(path))
    if found is None:
        raise LookupError(path)
    holder, key = found
    holder[key] = copy.deepcopy(value)
    whole: dict[str, Any] = made["spec"]
    return whole


def _first_place(value: Any, steps: Sequence[str]) -> tuple[Any, Any] | None:
    step, *rest = steps
    keys = range(len(value)) if step == "[]" else list(value) if step == "{}" else [step] if step in value else []
    places = ((value, key) if not rest else _first_place(value[key], rest) for key in keys)
    return next((place for place in places if place is not None), None)


# The CEL rules, in the words of this project. A rule about changes takes the value and what it was before.


def _not_empty(value: Any) -> bool:
    return len(value) > 0


def _not(*names: str) -> list[_Judge]:
    """For each name: the value is another, or the map has no such key."""
    return [lambda value, name=name: name not in ([value] if isinstance(value, str) else value) for name in names]


def _no_domain_of_karpenter(value: Any) -> bool:
    known = {"karpenter.sh/capacity-type", "karpenter.sh/nodepool"}
    keys = [value] if isinstance(value, str) else value
    return all(key in known or not key.partition("/")[0].endswith("karpenter.sh") for key in keys)


def _same(name: str) -> _Judge:
    return lambda value, before: value[name] == before[name]


def _never_with(name: str, *others: str) -> _Judge:
    return lambda value: name not in value or not any(other in value for other in others)


def _not_all_mixed(name: str, *others: str) -> _Judge:
    """One term that is not mixed is enough, as the CRD has it."""
    return lambda terms: not all(name in term and any(other in term for other in others) for term in terms)


def _each_has(*names: str) -> _Judge:
    return lambda terms: all(any(name in term for name in names) for term in terms)


def _only_nodes_are_limited(spec: Any) -> bool:
    return "replicas" not in spec or spec.get("limits", {}).keys() <= {"nodes"}


def _compared_to_one_number(requirement: Any) -> bool:
    if requirement["operator"] not in {"Gt", "Lt", "Gte", "Lte"}:
        return True
    return len(requirement["values"]) == 1 and 0 <= int(requirement["values"][0]) < 2**63


def _enough_values(requirement: Any) -> bool:
    counted = requirement["operator"] == "In" and "minValues" in requirement
    return not counted or len(requirement["values"]) >= requirement["minValues"]


def _each(judge: _Judge) -> _Judge:
    return lambda values: all(judge(value) for value in values)


_LABEL_KEYS = [_no_domain_of_karpenter, *_not("karpenter.sh/nodepool", "kubernetes.io/hostname")]
_TERM_TAGS = [lambda tags: all(key and value for key, value in tags.items())]
_POOL_RULES: dict[str, list[_Judge]] = {
    "spec": [
        lambda value, before: ("replicas" in value) == ("replicas" in before),
        _only_nodes_are_limited,
        _never_with("replicas", "weight"),
    ],
    "spec.disruption.budgets": [_each(lambda budget: ("schedule" in budget) == ("duration" in budget))],
    "spec.template.metadata.labels": _LABEL_KEYS,
    "spec.template.spec.nodeClassRef": [_same("group"), _same("kind")],
    "spec.template.spec.nodeClassRef.group": [_not_empty],
    "spec.template.spec.nodeClassRef.kind": [_not_empty],
    "spec.template.spec.nodeClassRef.name": [_not_empty],
    "spec.template.spec.requirements": [
        _each(lambda requirement: requirement["operator"] != "In" or _not_empty(requirement["values"])),
        _each(_compared_to_one_number),
        _each(_enough_values),
    ],
    "spec.template.spec.requirements[].key": _LABEL_KEYS,
}
_RANGE_RULES: list[_Judge] = [lambda ports: ports["start"] < ports["end"]]

RULES: dict[str, dict[str, list[_Judge]]] = {
    **dict.fromkeys(NODE_POOL_CRDS, _POOL_RULES),
    NODE_CLASS_CRD: {
        "spec.role": [_not_empty, lambda value, before: value == before],
        "spec.securityGroupSelectorTerms": [
            _not_empty,
            _each_has("tags", "id", "name"),
            _not_all_mixed("id", "tags", "name"),
            _not_all_mixed("name", "tags", "id"),
        ],
        "spec.securityGroupSelectorTerms[].tags": _TERM_TAGS,
        "spec.subnetSelectorTerms": [_not_empty, _each_has("tags", "id"), _not_all_mixed("id", "tags")],
        "spec.subnetSelectorTerms[].tags": _TERM_TAGS,
        "spec.tags": [
            *_not(""),
            lambda tags: not any(key.startswith("kubernetes.io/cluster") for key in tags),
            *_not(
                "karpenter.sh/provisioner-name",
                "karpenter.sh/nodepool",
                "karpenter.sh/nodeclaim",
                "karpenter.sh/managed-by",
                "eks.amazonaws.com/nodeclass",
            ),
        ],
    },
    PARAMS_CRD: {},
    BINDING_CRD: {},
    DIAGNOSTIC_CRD: {},
    APPLICATION_POLICY_CRD: {
        "spec.egress[].to[]": [
            _never_with(name, "domainNames") for name in ("ipBlock", "podSelector", "namespaceSelector")
        ]
    },
    CLUSTER_POLICY_CRD: {
        "spec.egress[]": [
            lambda rule: rule["action"] == "Accept" or not any("domainNames" in peer for peer in rule["to"])
        ],
        "spec.egress[].ports[].portRange": _RANGE_RULES,
        "spec.ingress[].ports[].portRange": _RANGE_RULES,
    },
}
"""Every rule by its CRD, its field and its number there."""
