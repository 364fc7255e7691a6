"""What ``crds.json`` holds: every CRD without its texts, rules in examples, and what the tool writes from the CRDs.

The CRDs themselves are not in the repository. Where ``AUTOMODE_CRD_DIR`` names their folder, they are asked too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.specs.crds import DIAGNOSTIC_CRD, RULES, STORED, complaints, crds, holds, places_in, schema_of, with_value
from tests.specs.documents import WHOLE
from tools import crds as tool

STORED_ENTRIES: dict[str, dict[str, Any]] = json.loads(STORED.read_text("utf-8"))


def test_every_crd_has_a_source_a_document_and_our_words_for_its_rules() -> None:
    assert set(crds()) == set(WHOLE) == set(RULES)
    assert all(crd.source and re.fullmatch("[0-9a-f]{64}", crd.sha256) for crd in crds().values())
    for name, crd in crds().items():
        ours = {f"{path}#{number}" for path, judges in RULES[name].items() for number in range(len(judges))}
        assert {*crd.rules, *crd.rules_of_change} == ours


def test_the_file_is_written_as_the_tool_writes_it() -> None:
    assert tool.document(STORED_ENTRIES) == STORED.read_text("utf-8"), "run: make crds"


def test_the_file_holds_no_text_of_the_crds() -> None:
    for entry in STORED_ENTRIES.values():
        parts = {key: part for key, part in entry.items() if key != "source"}
        assert [text for text in _texts(parts) if re.search(r"\w \w+ \w", text) or "self." in text] == []
        assert {"description", "x-kubernetes-validations"} & {
            key for facts in parts["fields"].values() for key in facts
        } == set()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


@pytest.mark.parametrize("name", [name for name in WHOLE if RULES[name]])
def test_our_words_for_each_rule_agree_with_its_examples(name: str) -> None:
    crd = crds()[name]
    for rule in (*crd.rules, *crd.rules_of_change):
        examples = [example for example in crd.examples if example.rule == rule]
        verdicts = [example.accepted for example in examples]
        assert verdicts.count(True) >= 2, rule
        assert verdicts.count(False) >= 1, rule
        assert [holds(name, rule, example.new, example.old) for example in examples] == verdicts, rule
    for example in crd.examples:
        if example.old is not None:
            continue
        found = complaints(name, example.new)
        assert found == [] if example.accepted else example.rule in found, example


def test_a_path_leads_through_lists_and_maps() -> None:
    document = {"a": [{"b": {"x": 1}}, {}, {"b": {"y": 2}}]}
    assert list(places_in({"spec": document}, "spec.a[].b{}")) == [1, 2]
    assert with_value(document, "spec.a[].b{}", 3) == {"a": [{"b": {"x": 3}}, {}, {"b": {"y": 2}}]}
    with pytest.raises(LookupError):
        with_value(document, "spec.c", 3)


# The tool, on a CRD of our own.


def _crd(**spec: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", **spec}}}
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"annotations": {"maker/version": "v1", "maker/note": "a text"}},
        "spec": {"versions": [{"name": "v1", "storage": True, "schema": {"openAPIV3Schema": schema}}]},
    }


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data file, in the folder that the tool takes CRDs from."""
    monkeypatch.setenv("AUTOMODE_CRD_DIR", str(tmp_path))
    monkeypatch.setattr(tool, "STORED", tmp_path / "data")
    return tmp_path / "data"


def _write(written: Path, crd: Mapping[str, Any], *arguments: str, name: str = DIAGNOSTIC_CRD) -> Any:
    (written.parent / f"{name}.yaml").write_text(yaml.safe_dump(crd), "utf-8")
    tool.main(arguments)
    return json.loads(written.read_text("utf-8"))[name]


_CAPTURE = {
    "description": "a text",
    "type": "object",
    "required": ["destination"],
    "properties": {"destination": {"type": "string", "maxLength": 9, "description": "a text"}},
    "x-kubernetes-validations": [
        {"rule": "self.destination != 'b' && self.destination != 'b/a'", "message": "a text"},
        {"rule": "self.destination == oldSelf.destination", "message": "a text"},
    ],
}


def test_the_tool_keeps_facts_and_tries_rules(written: Path) -> None:
    made = _write(written, _crd(properties={"logCapture": _CAPTURE}), "--source", "ours", "--date", "2026-11-27")
    assert (made["source"], made["date"], made["annotations"]) == ("ours", "2026-11-27", {"maker/version": "v1"})
    assert made["fields"] == {
        "spec": {"type": "object"},
        "spec.logCapture": {"required": ["destination"], "type": "object"},
        "spec.logCapture.destination": {"maxLength": 9, "type": "string"},
    }
    assert made["least"] == {"spec.logCapture": {"logCapture": {"destination": "node"}}}
    verdicts = {(verdict, *(value["destination"] for value in values)) for _, verdict, *values in made["examples"]}
    assert {("accepts", "node"), ("accepts", ""), ("refuses", "b"), ("refuses", "b/a")} <= verdicts
    assert {("accepts", "node", "node"), ("refuses", "node", "a")} <= verdicts
    # A CRD that is known keeps its source and its date.
    assert _write(written, _crd(properties={"logCapture": _CAPTURE})) == made


@pytest.mark.parametrize(
    ("crd", "arguments", "name", "message"),
    [
        (_crd(), (), DIAGNOSTIC_CRD, "is not the one in data; say --source and --date"),
        (_crd(), ("--source", "a"), DIAGNOSTIC_CRD, "is not the one in data; say --source and --date"),
        (_crd(), (), "other", "other: no such CRD in data; name the file as one of nodepools.karpenter.sh, "),
        (
            _crd(oddities=True),
            ("--source", "a", "--date", "2026-11-27"),
            DIAGNOSTIC_CRD,
            "spec: has ['oddities'], of which tools/crds.py knows no use",
        ),
        (
            _crd(properties={"a": {"type": "string", "x-kubernetes-validations": [{"rule": "self != ''"}]}}),
            ("--source", "a", "--date", "2026-11-27"),
            DIAGNOSTIC_CRD,
            "spec.a: the document in tests/specs/documents.py does not hold it as the CRD asks",
        ),
        (
            {"x-kubernetes-validations": [], "properties": {"spec": {}}},
            (),
            DIAGNOSTIC_CRD,
            "has a rule about the whole object; tools/crds.py knows those of spec only",
        ),
    ],
)
def test_what_the_tool_cannot_write_it_refuses(
    written: Path, crd: dict[str, Any], arguments: tuple[str, ...], name: str, message: str
) -> None:
    with pytest.raises(SystemExit, match=re.escape(message)):
        _write(written, crd, *arguments, name=name)
    assert not written.exists()


def test_the_tool_needs_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOMODE_CRD_DIR", "/nonexistent")
    with pytest.raises(SystemExit, match="no folder /nonexistent: set AUTOMODE_CRD_DIR"):
        tool.main([])


# The CRDs themselves.


@cache
def _raw_crds() -> dict[str, tool.RawCrd]:
    return tool.raw_crds(tool.crd_folder())


@pytest.fixture
def raw(name: str) -> tool.RawCrd:
    """The CRD as it was published."""
    folder = tool.crd_folder()
    if not folder.is_dir():
        pytest.skip(
            f"crds.json NOT COMPARED WITH THE CRDS IT WAS WRITTEN FROM: no {folder}; AUTOMODE_CRD_DIR names one"
        )
    if name not in _raw_crds():
        pytest.skip(f"crds.json NOT COMPARED WITH {name}: it is not in {folder}")
    return _raw_crds()[name]


@pytest.mark.parametrize("name", WHOLE)
def test_the_data_are_what_the_tool_writes_and_cel_says_what_we_say(name: str, raw: tool.RawCrd) -> None:
    crd, trials = crds()[name], tool.Trials(raw, WHOLE[name])
    made = json.loads(json.dumps(tool.entry(raw, trials, crd.source, crd.date)))
    assert made == STORED_ENTRIES[name], "run make crds and read the difference"
    assert schema_of(crd.fields) == _without_texts(raw.schemas["spec"])
    for rule, tried in trials.tried.items():
        path = rule.partition("#")[0]
        for values, broken in tried:
            specs = [with_value(trials.least[path], path, value) for value in values]
            ours = {rule for rule in crd.rules if not holds(name, rule, specs[0])}
            if len(specs) > 1:
                ours |= {rule for rule in crd.rules_of_change if not holds(name, rule, *specs)}
            assert ours == broken


def _without_texts(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key not in {"description", "x-kubernetes-validations"}}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), Mapping):
            kept[key] = _without_texts(kept[key])
    if "properties" in kept:
        kept["properties"] = {name: _without_texts(inner) for name, inner in kept["properties"].items()}
    return {key: value for key, value in kept.items() if value is not False}
