"""docs/command.md says what the command does: each option, each block."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from automode_constructs.cli.main import _options, _parsers, main

PAGE = (Path(__file__).parents[2] / "docs/command.md").read_text("utf-8")
COMMANDS = sorted(_parsers()[1])


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def section(command: str) -> str:
    found = re.search(rf"^## automode {command}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/command.md has no section on automode {command}"
    return found[1]


def blocks(language: str, text: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_has_its_line(command: str) -> None:
    options = set(re.findall(r"--[a-z][a-z-]+", _parsers()[1][command].format_help())) - {"--help"}
    assert [option for option in sorted(options) if option not in section(command)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_no_other_option_has_one(command: str) -> None:
    options = set(re.findall(r"--[a-z][a-z-]+", _parsers()[1][command].format_help()))
    named = set(re.findall(r"`(--[a-z][a-z-]+)", section(command)))
    assert named - options == set()


def test_each_command_of_a_block_is_one() -> None:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    commands = [line for line in lines if re.match(r"(\$ |kubectl |helm )?.*\bautomode [a-z]+ ", line)]
    assert len(commands) >= 8
    for line in commands:
        words = re.split(r"\s*[>#]", re.sub(r".*\bautomode ", "", line))[0].split()
        assert _options(words).command == words[0]


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
"""


def test_what_a_terminal_sees_is_that(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (block for block in blocks("console") if block.startswith("$ "))
    Path("pool.yaml").write_text(POOL, "utf-8")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert block.startswith("$ automode lint pool.yaml\n")
    main(["lint", "pool.yaml", "--ignore", "NodeLifetime"])
    output = capsys.readouterr()
    assert f"$ automode lint pool.yaml\n{output.out}{output.err}" == block


def test_the_comments_of_the_example_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = (block for block in blocks("yaml") if "ignore=" in block)
    Path("a.yaml").write_text(block, "utf-8")
    main(["lint", "a.yaml"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "IgnoreComment" in line] == []
    unused = [line.split(" ")[0] for line in lines if "UnusedIgnore" in line]
    assert set(unused) <= {"a.yaml:1:1", "a.yaml:5:15", "a.yaml:7:3"}


def test_the_settings_of_the_example_are_settings(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks("toml")
    assert set(tomllib.loads(block)["tool"]["automode"]) == {"select", "ignore", "strict", "per-file-ignores"}
    Path("pyproject.toml").write_text(block, "utf-8")
    Path("a.yaml").write_text(POOL, "utf-8")
    assert main(["lint", "a.yaml"]) == 1
    assert "UnknownField" in capsys.readouterr().out
