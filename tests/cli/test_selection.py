"""What a run leaves out: by options, by settings, and by comments."""

from __future__ import annotations

from pathlib import Path

import pytest

from automode_constructs.cli.main import main

POOL = """\
apiVersion: karpenter.sh/v1
kind: NodePool
metadata:
  name: batch
spec:
  template:
    spec:
      nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: standard}
      requirements:
        - {key: eks.amazonaws.com/instance-category, operator: In, values: [c]}
      expireAfer: 336h
      terminationGracePeriod: 24h
  weigth: 1
"""
EXPIRE = "a.yaml:11:7 automode:UnknownField error: spec.template.spec.expireAfer: is not a known field"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], str]:
    code = main(["lint", *arguments])
    output = capsys.readouterr()
    return code, output.out.splitlines(), output.err


def ids(lines: list[str]) -> list[str]:
    return [line.split(" ")[1] for line in lines]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"automode:UnknownField", "automode:DuplicateKey"}),
        (["--select", "UnknownField"], {"automode:UnknownField"}),
        (["--select", "automode:duplicatekey,UnknownField"], {"automode:UnknownField", "automode:DuplicateKey"}),
        (["--select", "ImmutableClass"], set()),
        (["--ignore", "automode:UnknownField"], {"automode:DuplicateKey"}),
        (["--ignore", "UnknownField", "--ignore", "DuplicateKey"], set()),
        (["--select", "UnknownField", "--ignore", "UnknownField"], set()),
    ],
)
def test_options_choose_rules(capsys: pytest.CaptureFixture[str], options: list[str], expected: set[str]) -> None:
    Path("a.yaml").write_text(f"{POOL}kind: NodePool\n", "utf-8")
    code, lines, _ = lint(capsys, "a.yaml", *options)
    assert (code, set(ids(lines))) == (int(bool(expected)), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--select", "UnknwnField"], "--select: no rule is called 'UnknwnField'; did you mean automode:UnknownField?"),
        (["--ignore", "zzz"], "--ignore: no rule is called 'zzz'; 'automode explain' lists them all"),
        (["--select", "UnknownField,"], "--select: no rule is called ''; 'automode explain' lists them all"),
        (
            ["--ignore", "NoAdmin"],
            "--ignore: automode:NoAdmin is judged in a CDK app, not by automode lint; acknowledge it there",
        ),
        (
            ["--ignore", "UnreadableInput"],
            "--ignore: automode:UnreadableInput cannot be ignored; leave out what is not to be judged",
        ),
    ],
)
def test_rules_that_lint_does_not_judge_are_refused(
    capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    Path("a.yaml").write_text(POOL, "utf-8")
    assert lint(capsys, "a.yaml", *options) == (2, [], f"automode: {message}\n")


def test_what_cannot_be_read_is_reported_whatever_is_selected(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text("a: [", "utf-8")
    code, lines, _ = lint(capsys, "a.yaml", "--select", "UnknownField")
    assert (code, ids(lines)) == (2, ["automode:UnreadableInput"])


@pytest.mark.parametrize("file", ["automode.toml", "pyproject.toml"])
def test_settings_are_those_of_the_nearest_folder(capsys: pytest.CaptureFixture[str], file: str) -> None:
    table = "" if file == "automode.toml" else "[tool.automode]\n"
    Path("one/two").mkdir(parents=True)
    Path("one/three").mkdir()
    for name in ("one/a.yaml", "one/two/a.yaml", "one/three/a.yaml", "a.yaml"):
        Path(name).write_text(POOL.replace("batch", f"n{len(name)}"), "utf-8")
    Path("one", file).write_text(f"{table}ignore = ['UnknownField']\n", "utf-8")
    Path("one/two", file).write_text(f"{table}select = ['automode:UnknownField', 'DuplicateObject']\n", "utf-8")
    Path("one/three/pyproject.toml").write_text("[tool.other]\nautomode = 1\n", "utf-8")
    _, lines, _ = lint(capsys, ".")
    assert {line.split(":")[0] for line in lines if "UnknownField" in line} == {"a.yaml", "one/two/a.yaml"}
    assert lint(capsys, "one/a.yaml", "--select", "UnknownField")[0] == 1, "the command line wins"
    assert lint(capsys, "one/two/a.yaml", "--ignore", "UnknownField")[0] == 0


def test_settings_of_the_current_folder_are_those_of_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    Path("automode.toml").write_text("ignore = ['UnknownField']\n", "utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(POOL.encode())))
    assert lint(capsys, "-")[0] == 0


def test_own_settings_win_over_those_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(POOL, "utf-8")
    Path("automode.toml").write_text("", "utf-8")
    Path("pyproject.toml").write_text("[tool.automode]\nignore = ['UnknownField']\n", "utf-8")
    assert lint(capsys, "a.yaml")[0] == 1


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("a.yaml", ["b.yaml", "old/b.yaml"]),
        ("old/*", ["a.yaml", "b.yaml"]),
        ("**/b.yaml", ["a.yaml", "old/a.yaml"]),
        ("*", []),
        ("new/*", ["a.yaml", "b.yaml", "old/a.yaml", "old/b.yaml"]),
    ],
)
def test_settings_ignore_rules_in_some_files(
    capsys: pytest.CaptureFixture[str], pattern: str, files: list[str]
) -> None:
    Path("old").mkdir()
    for number, name in enumerate(("a.yaml", "b.yaml", "old/a.yaml", "old/b.yaml")):
        Path(name).write_text(POOL.replace("batch", f"n{number}"), "utf-8")
    Path("automode.toml").write_text(f"[per-file-ignores]\n'{pattern}' = ['UnknownField']\n", "utf-8")
    _, lines, _ = lint(capsys, ".")
    assert sorted({line.split(":")[0] for line in lines}) == files
    _, lines, _ = lint(capsys, ".", "--select", "UnknownField")
    assert sorted({line.split(":")[0] for line in lines}) == files


def test_settings_make_warnings_fail(capsys: pytest.CaptureFixture[str]) -> None:
    pool = POOL.replace("expireAfer", "expireAfter").replace("  weigth: 1\n", "")
    Path("a.yaml").write_text(f"{pool}---\n{pool}", "utf-8")
    assert lint(capsys, "a.yaml")[0] == 0
    Path("automode.toml").write_text("strict = true\n", "utf-8")
    code, lines, _ = lint(capsys, "a.yaml")
    assert (code, ids(lines)) == (1, ["automode:DuplicateObject"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ignor = []", "ignor: is not a known key; did you mean 'ignore'? Use one of 'select', 'ignore', "),
        ("ignore = 'UnknownField'", "ignore: needs a list of rule ids, got 'UnknownField'"),
        ("select = [1]", "select: needs a list of rule ids, got a list of 1"),
        ("select = ['UnknwnField']", "select: no rule is called 'UnknwnField'; did you mean automode:UnknownField?"),
        ("ignore = ['UnreadableInput']", "ignore: automode:UnreadableInput cannot be ignored"),
        ("strict = 'yes'", "strict: needs true or false, got 'yes'"),
        ("per-file-ignores = []", "per-file-ignores: needs a table of patterns, got a list of 0"),
        ("per-file-ignores = {'*' = 1}", "per-file-ignores['*']: needs a list of rule ids, got 1"),
        ("per-file-ignores = {'*' = ['x']}", "per-file-ignores['*']: no rule is called 'x'"),
        ("ignore = [", "cannot be read: "),
        ("a = " + "[" * 10_000, "cannot be read: is nested too deep"),
        ("# \udcff", "cannot be read: 'utf-8' codec can't decode"),
        ("#" * 2_000_000, "is larger than 1 MiB, too large for settings"),
    ],
)
def test_wrong_settings_are_refused_in_words(capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
    Path("a.yaml").write_text(POOL, "utf-8")
    Path("automode.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    code, lines, err = lint(capsys, "a.yaml")
    assert (code, lines) == (2, [])
    assert err.startswith(f"automode: {Path('automode.toml').absolute()}: {message}")
    assert err.count("\n") == 1


def test_a_table_of_the_project_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(POOL, "utf-8")
    Path("pyproject.toml").write_text("[tool]\nautomode = 1\n", "utf-8")
    assert "pyproject.toml [tool.automode]: needs a table, got 1" in lint(capsys, "a.yaml")[2]
    Path("pyproject.toml").write_text("tool = 1 # automode\n", "utf-8")
    assert lint(capsys, "a.yaml")[0] == 1


@pytest.mark.parametrize(
    "text",
    [
        POOL.replace("336h", "336h # automode: ignore=UnknownField a test"),
        POOL.replace("336h", "336h #automode:ignore=automode:unknownfield,automode:UnknownField: a test"),
        POOL.replace("      expireAfer", "      # automode: ignore=UnknownField a test\n      expireAfer"),
        POOL.replace("      expireAfer", "# automode: ignore=UnknownField a test\n\n# more\n      expireAfer"),
    ],
)
def test_a_comment_ignores_the_finding_of_its_line_or_the_next(capsys: pytest.CaptureFixture[str], text: str) -> None:
    Path("a.yaml").write_text(text, "utf-8")
    _, lines, _ = lint(capsys, "a.yaml")
    assert [line.split(": ")[1] for line in lines] == ["spec.weigth"]


@pytest.mark.parametrize(
    "text",
    [
        f"# automode: ignore=UnknownField a test\n{POOL}",
        f"# automode: ignore=UnknownField a test\n---\n{POOL}",
        f"--- # automode: ignore=UnknownField a test\n{POOL}",
        f"# words\n---\n# words\n\n# automode: ignore=UnknownField a test\n{POOL}",
        f"%YAML 1.1\n# automode: ignore=UnknownField a test\n---\n{POOL}",
    ],
)
def test_a_comment_at_the_head_is_for_its_document(capsys: pytest.CaptureFixture[str], text: str) -> None:
    Path("a.yaml").write_text(text, "utf-8")
    assert lint(capsys, "a.yaml", "--strict")[:2] == (0, [])
    other = POOL.replace("batch", "other")
    Path("a.yaml").write_text(f"{text}---\n{other}", "utf-8")
    _, lines, _ = lint(capsys, "a.yaml")
    assert len(lines) == 2 and all(int(line.split(":")[1]) > text.count("\n") for line in lines)
    Path("a.yaml").write_text(f"{other}...\n{text if '---' in text else '---' + chr(10) + text}", "utf-8")
    _, lines, _ = lint(capsys, "a.yaml")
    assert len(lines) == 2 and all(int(line.split(":")[1]) < 14 for line in lines)


FORM = "write '# automode: ignore=RULE reason', with commas between several rules"


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("ignore=UnknownField", f"'ignore=UnknownField' has no reason; {FORM}"),
        ("ignore=UnknownField --", f"'ignore=UnknownField --' has no reason; {FORM}"),
        ("ignore", f"'ignore' is not understood; {FORM}"),
        ("ignore UnknownField a test", f"'ignore UnknownField a test' is not understood; {FORM}"),
        ("ignore=UnknwnField a test", "no rule is called 'UnknwnField'; did you mean automode:UnknownField?"),
        (
            "ignore=NoAdmin a test",
            "automode:NoAdmin is judged in a CDK app, not by automode lint; acknowledge it there",
        ),
        (
            "ignore=UnreadableInput a test",
            "automode:UnreadableInput cannot be ignored; leave out what is not to be judged",
        ),
    ],
)
def test_a_comment_that_ignores_nothing_it_could_is_an_error(
    capsys: pytest.CaptureFixture[str], comment: str, message: str
) -> None:
    Path("a.yaml").write_text(POOL.replace("336h", f"336h # automode: {comment}"), "utf-8")
    _, lines, _ = lint(capsys, "a.yaml")
    assert lines[0].startswith(EXPIRE)
    assert lines[1] == f"a.yaml:11:24 automode:IgnoreComment error: {message}"


def test_a_comment_for_which_there_is_no_finding_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    comment = "# automode: ignore=UnknownField,DuplicateKey a test"
    Path("a.yaml").write_text(POOL.replace("336h", f"336h {comment}"), "utf-8")
    words = (
        "a.yaml:11:24 automode:UnusedIgnore warning: automode:DuplicateKey has no finding here, and a later "
        "one would be left out; take the comment away"
    )
    assert words in lint(capsys, "a.yaml")[1]
    # What is not reported anyway says nothing about the comment.
    assert words not in lint(capsys, "a.yaml", "--ignore", "DuplicateKey")[1]
    assert words not in lint(capsys, "a.yaml", "--select", "UnknownField,UnusedIgnore")[1]
    assert words not in lint(capsys, "a.yaml", "--ignore", "UnusedIgnore")[1]


@pytest.mark.parametrize(
    "value",
    [
        '"# automode: ignore=UnknownField no comment"',
        "336h#automode:ignore=UnknownField no comment",
        "|\n        # automode: ignore=UnknownField no comment\n        text",
        "336h # automode: NodePools ignore=UnknownField in words",
        "336h # automode: ignored are fields here",
    ],
)
def test_what_is_no_comment_ignores_nothing(capsys: pytest.CaptureFixture[str], value: str) -> None:
    Path("a.yaml").write_text(POOL.replace("expireAfer: 336h", f"expireAfer: {value}"), "utf-8")
    _, lines, _ = lint(capsys, "a.yaml")
    assert ids(lines) == ["automode:UnknownField", "automode:UnknownField"]


def test_a_comment_behind_a_block_of_text_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    text = POOL.replace("  weigth: 1", "  text: |\n    words\n  # automode: ignore=UnknownField a test\n  weigth: 1")
    Path("a.yaml").write_text(text, "utf-8")
    _, lines, _ = lint(capsys, "a.yaml")
    assert [line.split(": ")[1] for line in lines] == ["spec.template.spec.expireAfer", "spec.text"]


def test_json_has_no_comments(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.json").write_text(
        '{"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "a", "annotations": '
        '{"a": "# automode: ignore=MissingField no comment"}}}',
        "utf-8",
    )
    assert ids(lint(capsys, "a.json")[1]) == ["automode:MissingField"]


def test_comments_of_a_file_that_is_no_yaml_ignore_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text(f"{POOL}# automode: ignore=UnknownField a test\n---\na: [", "utf-8")
    code, lines, _ = lint(capsys, "a.yaml")
    assert (code, set(ids(lines))) == (2, {"automode:UnknownField", "automode:UnreadableInput"})
