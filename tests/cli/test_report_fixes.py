"""What machines learn about the changes that ``lint --fix`` makes: the same changes, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from automode_constructs.cli.fix import fix
from automode_constructs.cli.lint import LintRun, lint
from automode_constructs.cli.report import as_github, as_json, as_sarif

POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: batch}
spec:
  template:
    spec:
      expireAfer: 336h
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: default}
      requirements:
        - key: karpenter.k8s.aws/instance-category # ours
          operator: In
          values: [c]
        - {key: eks.amazonaws.com/instance-cpu, operator: In, values: [8]}
  weight: 10
"""
MISPLACED = """\
apiVersion: eks.amazonaws.com/v1
kind: NodeClass
metadata: {name: gpu}
spec:
  role: nodes
  size: 100Gi # of the data volume
  subnetSelectorTerms: [{id: subnet-0123}]
  securityGroupSelectorTerms: [{id: sg-0123}]
"""
SHARED = POOL.replace("karpenter.k8s.aws/instance-category", "&key karpenter.k8s.aws/instance-category")


def run_of(folder: Path, text: str) -> tuple[str, LintRun]:
    path = folder / "a b.yaml"
    path.write_bytes(text.encode())
    return str(path), lint([str(path)])


def changed(text: str, edits: list[dict[str, Any]]) -> str:
    """The text with edits that were read from JSON."""
    starts = [0, *(end.end() for end in re.finditer(r"\r\n|\r|\n", text))]

    def index(place: dict[str, int]) -> int:
        return starts[place["line"] - 1] + place["column"] - 1

    for edit in sorted(edits, key=lambda edit: (index(edit["start"]), index(edit["end"])), reverse=True):
        text = text[: index(edit["start"])] + edit["text"] + text[index(edit["end"]) :]
    return text


@pytest.mark.parametrize(
    "text",
    [
        POOL,
        POOL.replace("\n", "\r\n"),
        f"# \U0001f600 日本語\n{POOL}---\n{MISPLACED}",
        MISPLACED,
        MISPLACED.replace("\n", "\r\n"),
    ],
    ids=["block", "crlf", "two", "misplaced", "misplaced crlf"],
)
def test_the_edits_of_json_are_those_of_fix(tmp_path: Path, text: str) -> None:
    path, run = run_of(tmp_path, text)
    findings = json.loads(as_json(run))["findings"]
    assert findings
    assert all(finding["fixable"] for finding in findings)
    made = changed(text, [edit for finding in findings for edit in finding["edits"]])
    fixed = fix([path], lambda texts: lint([path], texts=texts))
    assert made == fixed.texts[path] != text


def test_each_edit_mends_its_own_finding(tmp_path: Path) -> None:
    path, run = run_of(tmp_path, POOL)
    for number, finding in enumerate(json.loads(as_json(run))["findings"]):
        left = lint([path], texts={path: changed(POOL, finding["edits"])}).findings
        assert [each.message for each in left] == [
            each.message for each in run.findings[:number] + run.findings[number + 1 :]
        ]


def test_what_cannot_be_changed_in_one_place_is_not_fixable(tmp_path: Path) -> None:
    _, run = run_of(tmp_path, SHARED)
    fixable = {each["field"].rpartition(".")[2]: each["fixable"] for each in json.loads(as_json(run))["findings"]}
    assert fixable == {"expireAfer": True, "key": False, "values[0]": True}


def test_what_has_no_exact_cure_is_not_fixable(tmp_path: Path) -> None:
    _, run = run_of(tmp_path, MISPLACED.replace("  size: 100Gi # of the data volume\n", "").replace("nodes", "a/b"))
    (finding,) = json.loads(as_json(run))["findings"]
    assert (finding["fixable"], finding["edits"]) == (False, [])
    assert "fixes" not in json.loads(as_sarif(run))["runs"][0]["results"][0]


def test_sarif_gives_the_fix_with_each_result(tmp_path: Path) -> None:
    path, run = run_of(tmp_path, POOL)
    results = json.loads(as_sarif(run))["runs"][0]["results"]
    first = next(result for result in results if "expireAfer" in result["message"]["text"])
    (found,) = first["fixes"]
    (change,) = found["artifactChanges"]
    assert found["description"]["text"].startswith("did you mean 'expireAfter'?")
    assert change["artifactLocation"] == first["locations"][0]["physicalLocation"]["artifactLocation"]
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 7, "startColumn": 7, "endLine": 7, "endColumn": 17},
            "insertedContent": {"text": "expireAfter"},
        }
    ]
    assert path.endswith("a b.yaml")


def test_github_says_what_fix_mends(tmp_path: Path) -> None:
    _, run = run_of(tmp_path, SHARED)
    marked = {
        "expireAfer" in line: line.endswith("(lint --fix makes this change)")
        for line in as_github(run).splitlines()
        if "values" not in line
    }
    assert marked == {True: True, False: False}
