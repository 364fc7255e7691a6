"""Read with places and without, every text gives the same findings at the same places."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automode_constructs.cli import reading
from automode_constructs.cli.lint import LintRun, lint
from automode_constructs.cli.reading import UnreadableError, documents
from tests.cli.test_main import POOL
from tests.hostile.corpus import FILES

ROOT = Path(__file__).parents[2]
STORED = sorted([*ROOT.glob("examples/**/*.yaml"), *ROOT.glob("tests/**/*.yaml"), *ROOT.glob("schemas/*.json")])
FAULTS = [
    ("NodePool", "NodePol"),
    ("expireAfter", "expireAfer"),
    ("operator: In", "operator: Inn"),
    ("spec:", "spec: &spec"),
    ("metadata:", "metadata:\n  name: twice"),
    ("name:", "name: {{ .Values.name }} #"),
    ("kind:", "kind : !!str"),
    ("  ", "\t"),
]


def with_places(text: str) -> Iterator[Any]:
    raise reading._NotPlainError


def both(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LintRun, LintRun]:
    fast = lint([str(path)])
    with monkeypatch.context() as patched:
        patched.setattr(reading, "_plain_data", with_places)
        slow = lint([str(path)])
    return fast, slow


def texts_of_tests() -> list[str]:
    """The YAML in the tests' own files: each long text that names a kind."""
    found = {
        node.value
        for file in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "kind:" in node.value
    }
    return sorted(found)


def test_the_stored_files_and_their_mutants_have_the_same_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(STORED) > 40
    found = 0
    for file in STORED:
        text = file.read_text("utf-8")
        for old, new in [("", ""), *FAULTS]:
            if old in text:
                mutant = tmp_path / "a.yaml"
                mutant.write_text(text.replace(old, new, 3) if old else text, "utf-8")
                fast, slow = both(mutant, monkeypatch)
                assert fast == slow, file
                found += len(fast.findings)
    assert found > 300


def test_the_texts_of_tests_have_the_same_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_of_tests()
    assert len(texts) > 40
    for text in texts:
        (tmp_path / "a.yaml").write_text(text, "utf-8", "surrogatepass")
        fast, slow = both(tmp_path / "a.yaml", monkeypatch)
        assert fast == slow, text


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_hostile_files_have_the_same_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    fast, slow = both(tmp_path / "a.yaml", monkeypatch)
    assert fast == slow


def outcome(text: str) -> list[Any]:
    found: list[Any] = []
    try:
        found.extend((each.data, each.problems, each.place(""), each.place("a[0].b")) for each in documents(text))
    except UnreadableError as error:
        found.append((error.message, error.cure, error.place))
    return found


@given(st.text(alphabet="ab:-[]{},&*<!|>'\"# \n\t?~01.yé😀\r\u2028", max_size=80))
def test_any_text_is_read_the_same(text: str) -> None:
    fast = outcome(text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "_plain_data", with_places)
        assert repr(outcome(text)) == repr(fast)


def test_a_clean_file_is_read_without_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def places(text: str) -> Iterator[Any]:
        asked.append(text)
        yield from located(text)

    asked: list[str] = []
    located = reading._located_documents
    monkeypatch.setattr(reading, "_located_documents", places)
    file = tmp_path / "a.yaml"
    file.write_text(f"{POOL}---\n{POOL.replace('batch', 'other')}", "utf-8")
    assert (lint([str(file)]).findings, asked) == ([], [])


def test_only_the_document_with_a_finding_is_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def places(text: str) -> Iterator[Any]:
        asked.append(text)
        yield from located(text)

    asked: list[str] = []
    located = reading._located_documents
    monkeypatch.setattr(reading, "_located_documents", places)
    file = tmp_path / "a.yaml"
    faulty = POOL.replace("expireAfter", "expireAfer").replace("batch", "other")
    last = POOL.replace("batch", "third").replace("arm64", "arm65")
    file.write_text(f"{POOL}---\n{faulty}---\n{last}", "utf-8")
    findings = lint([str(file)]).findings
    lines = POOL.count("\n") + 1
    assert [finding.line for finding in findings if finding.rule == "automode:UnknownField"] == [lines + 11]
    assert asked == [f"---\n{faulty}", *([f"---\n{last}"] if len(findings) > 1 else [])]
