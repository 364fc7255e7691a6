"""Mutants of valid documents: what a CRD or Kubernetes' own schema refuses, the linter refuses, or a reason is here."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

from automode_constructs.checks.document import KINDS, Kind, judge_document
from automode_constructs.checks.kubernetes_objects import is_patch
from automode_constructs.specs.messages import inner_model
from automode_constructs.tokens import is_token, token_paths
from tests.checks.test_kubernetes_objects import SOUND as KUBERNETES
from tests.specs.crds import (
    APPLICATION_POLICY_CRD,
    BINDING_CRD,
    CLUSTER_POLICY_CRD,
    DIAGNOSTIC_CRD,
    NODE_CLASS_CRD,
    NODE_POOL_CRDS,
    PARAMS_CRD,
    complaints,
    crds,
    steps_of,
)
from tests.specs.documents import (
    APPLICATION_POLICY,
    BINDING,
    CLASS,
    CLUSTER_POLICY,
    DIAGNOSTIC,
    PARAMS,
    POOL,
    REFERENCE,
    with_one_fault,
)
from tests.specs.test_contract import NEWER
from tests.specs.test_rules import SOUND as OURS

_MUTANTS = 900
"""Of each document, so many are chosen by a seed of its own."""

POOL_WITH_CLASS = {
    **POOL,
    "template": {**POOL["template"], "spec": {**POOL["template"]["spec"], "nodeClassRef": REFERENCE}},
}
CRDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    NODE_POOL_CRDS[0]: ("karpenter.sh/v1", "NodePool", POOL_WITH_CLASS),
    NODE_CLASS_CRD: ("eks.amazonaws.com/v1", "NodeClass", {**CLASS, "role": "nodes"}),
    PARAMS_CRD: ("eks.amazonaws.com/v1", "IngressClassParams", PARAMS),
    BINDING_CRD: ("eks.amazonaws.com/v1", "TargetGroupBinding", BINDING),
    DIAGNOSTIC_CRD: ("eks.amazonaws.com/v1alpha1", "NodeDiagnostic", DIAGNOSTIC),
    APPLICATION_POLICY_CRD: ("networking.k8s.aws/v1alpha1", "ApplicationNetworkPolicy", APPLICATION_POLICY),
    CLUSTER_POLICY_CRD: ("networking.k8s.aws/v1alpha1", "ClusterNetworkPolicy", CLUSTER_POLICY),
}

PASSED = {
    ("any", "a CDK token"): "CloudFormation fills in a value of the right type",
    ("any", "status"): "the API server keeps it itself, and ignores what is applied",
    ("a workload", "no selector and no image"): "a patch of Kustomize, which is no object of its own",
    (NODE_CLASS_CRD, "spec.role"): "an instance profile stands for it, since 30 September 2025",
}
"""What a schema refuses and the linter lets pass, and why."""


def chosen(whole: dict[str, Any], seed: str) -> list[dict[str, Any]]:
    """Some documents with a fault each, always the same ones."""
    mutants = [mutant for mutant in with_one_fault(whole) if isinstance(mutant, dict)]
    return random.Random(seed).sample(mutants, min(_MUTANTS, len(mutants)))


def without_nulls(value: Any) -> Any:
    """The document as the API server reads it, for which a null is what was left out."""
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def is_refused(document: Mapping[str, Any]) -> bool:
    return any(finding.severity == "error" for finding in judge_document(document) or ())


@cache
def registry() -> Any:
    definitions = schema_contents("kubernetes-json-schema/v1.37.0-local-strict/_definitions.json", "1.37")
    return Resource.from_contents(definitions) @ Registry()


@cache
def validator(api_version: str, kind: str) -> Draft202012Validator:
    group, _, version = api_version.rpartition("/")
    file = "-".join(filter(None, [kind.lower(), group.partition(".")[0], version]))
    schema = schema_contents(f"kubernetes-json-schema/v1.37.0-local-strict/{file}.json", "1.37")
    return Draft202012Validator(schema, registry=registry())


_WHOLE = {
    **{name: yaml.safe_load(text) for name, text in KUBERNETES.items()},
    **{f"{name} of Auto Mode": yaml.safe_load(OURS[name]) for name in ("IngressClass", "StorageClass")},
}


@pytest.mark.parametrize("name", _WHOLE)
def test_what_kubernetes_schemas_refuse_is_refused(name: str) -> None:
    whole = _WHOLE[name]
    judge = validator(whole["apiVersion"], whole["kind"])
    assert next(judge.iter_errors(whole), None) is None
    assert not is_refused(whole)
    refused, slipped = 0, {}
    for document in chosen(whole, name):
        if (document.get("apiVersion"), document.get("kind")) != (whole["apiVersion"], whole["kind"]):
            continue
        misfit = next(judge.iter_errors(without_nulls(document)), None)
        refused += misfit is not None
        if misfit is None or is_refused(document):
            continue
        if not (is_token(misfit.instance) or is_patch(document) or misfit.json_path.startswith("$.status")):
            slipped[json.dumps(document)] = f"{misfit.json_path}: {misfit.message}"
    assert refused > 100
    assert slipped == {}


@pytest.mark.parametrize("name", CRDS)
def test_what_a_crd_refuses_is_refused(name: str) -> None:
    api_version, kind, spec = CRDS[name]
    whole = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "spec": spec}
    assert not is_refused(whole)
    newer = {path[0] for path in NEWER.get(name, ())}
    known = {field: value for field, value in spec.items() if field not in newer}
    assert complaints(name, known) == []
    refused, slipped = 0, {}
    for mutant in chosen(known, name):
        found = complaints(name, without_nulls(mutant))
        refused += bool(found)
        if found and not is_refused({**whole, "spec": mutant}) and not any(token_paths(mutant)):
            slipped[json.dumps(mutant)] = str(found)
    assert refused > 20
    assert slipped == {}


def _required(name: str) -> Iterator[tuple[str, str]]:
    """The fields that a CRD requires and gives no value of its own, each with the path of what holds it."""
    fields = crds()[name].fields
    for path, facts in fields.items():
        for field in facts.get("required", ()):
            if "default" not in fields.get(f"{path}.{field}", {}):
                yield path, field


@pytest.mark.parametrize(("name", "path", "field"), [(name, *found) for name in CRDS for found in _required(name)])
def test_what_a_crd_requires_is_required_of_a_document(name: str, path: str, field: str) -> None:
    kind = next(kind for kind in KINDS if kind.kind == CRDS[name][1])
    model: Any = kind.model
    for step in (step for step in steps_of(path)[1:] if step not in {"[]", "{}"}):
        model = inner_model(_field(model, step).annotation)
    whole = f"{path}.{field}"
    by_construct = whole in {f"{kind.at}.{written}" for written in kind.written_by_construct}
    assert (_field(model, field).is_required() or by_construct) is ((name, whole) not in PASSED)


def _field(model: Any, alias: str) -> Any:
    return next(field for name, field in model.model_fields.items() if (field.serialization_alias or name) == alias)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.kind))
def test_what_a_construct_writes_is_required_of_a_document(kind: Kind) -> None:
    document = yaml.safe_load(OURS[kind.kind]) if kind.written_by_construct else {}
    for path in kind.written_by_construct:
        missing = json.loads(json.dumps(document))
        *outer, last = [kind.at, *path.split(".")]
        holder = missing
        for step in outer:
            holder = holder[step]
        del holder[last]
        (finding,) = judge_document(missing) or []
        assert f"{finding.rule} {finding}" == f"automode:MissingField {kind.at}.{path}: is required"
