"""The files that are made from the code are the ones that stand here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from automode_constructs.checks.document import KINDS
from automode_constructs.cli.explain import rules_page
from automode_constructs.cli.pages import renew_schemas, write_rules
from automode_constructs.cli.schemas import schemas
from automode_constructs.specs.rule import RULES

ROOT = Path(__file__).parents[2]

POOL = """
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: batch, labels: {a: b}}
spec:
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: standard}
      requirements:
        - {key: eks.amazonaws.com/instance-category, operator: In, values: [c]}
      expireAfter: 336h
  limits: {cpu: 100, memory: 64Gi}
"""
STORAGE = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: gp3}
provisioner: ebs.csi.eks.amazonaws.com
parameters: {type: gp3}
volumeBindingMode: WaitForFirstConsumer
"""


def verdict(document: Any) -> list[str]:
    schema = json.loads(schemas()[f"{document['kind'].lower()}.json"])
    validator = jsonschema.Draft202012Validator(schema)
    return [error.message for error in validator.iter_errors(document)]


def test_the_page_of_rules_is_fresh() -> None:
    assert (ROOT / "docs/rules.md").read_text("utf-8") == rules_page(), "run 'make rules'"


def test_every_rule_has_its_line() -> None:
    page = rules_page()
    assert [id for id in RULES if page.count(f"| `{id}` |") != 1] == []


def test_schemas_are_fresh() -> None:
    stored = {path.name: path.read_text("utf-8") for path in (ROOT / "schemas").glob("*.json")}
    assert stored == schemas(), "run 'make schemas'"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schemas()[name]))


def test_each_kind_has_a_schema() -> None:
    assert {f"{kind.kind.lower()}.json" for kind in KINDS} == set(schemas())


@pytest.mark.parametrize("text", [POOL, STORAGE])
def test_a_valid_manifest_passes_and_a_misspelt_field_does_not(text: str) -> None:
    document = yaml.safe_load(text)
    assert verdict(document) == []
    assert verdict({**document, "unknwon": 1}) != []
    assert verdict({**document, "kind": "Other"} | {"kind": document["kind"], "apiVersion": "other/v1"}) != []


def test_a_misspelt_field_inside_does_not_pass() -> None:
    assert verdict(yaml.safe_load(POOL.replace("expireAfter", "expireAfer"))) != []
    assert verdict(yaml.safe_load(STORAGE.replace("type: gp3", "tpye: gp3"))) != []


def test_fields_are_described_for_editors() -> None:
    spec = json.loads(schemas()["nodepool.json"])["properties"]["spec"]
    assert spec["properties"]["weight"]["description"].startswith("Which pool is tried first")
    assert [name for name, field in spec["properties"].items() if not field.get("description")] == []


def test_what_no_kind_has_any_more_goes(tmp_path: Path) -> None:
    (tmp_path / "gone.json").write_text("{}", "utf-8")
    renew_schemas(tmp_path)
    write_rules(tmp_path / "rules.md")
    assert {path.name for path in tmp_path.iterdir()} == {*schemas(), "rules.md"}
