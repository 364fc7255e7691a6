"""What other tools run: the hook of pre-commit, the action, and the shells that complete the command."""

from __future__ import annotations

import importlib.resources
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pre_commit.clientlib import load_manifest

from automode_constructs.cli.main import main

ROOT = Path(__file__).parents[2]
BROKEN = "apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: a}\nspec: {weigth: 1}\n"
SHELLS = ("bash", "fish", "zsh")


def test_pre_commit_takes_the_hook_and_it_runs_this_command(tmp_path: Path) -> None:
    (hook,) = load_manifest(str(ROOT / ".pre-commit-hooks.yaml"))
    assert hook["id"] == "automode-lint"
    assert hook["require_serial"], "the files of a commit are judged together"
    program, *arguments = hook["entry"].split()
    assert program == "automode"
    (tmp_path / "a.yaml").write_text(BROKEN, "utf-8")
    assert main([*arguments, str(tmp_path / "a.yaml")]) == 1


def action() -> Any:
    return yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))


def test_the_action_has_the_form_of_one() -> None:
    schemas = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "github-actions.json").read_text("utf-8"))
    jsonschema.Draft7Validator(schema).validate(action())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate({**action(), "runs": {"using": "composite"}})


def test_no_input_of_the_action_becomes_a_command() -> None:
    for step in action()["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize(
    ("paths", "arguments", "code", "out"),
    [
        (".", "", 1, r"::error file=[^,]*a b\.yaml,line=4,col=\d+,title=automode%3AUnknownField::"),
        ("'a b.yaml'", "--ignore UnknownField,MissingField", 0, r"^$"),
        ("$(touch hacked) `touch hacked` ';touch hacked'", "", 2, "cannot be read"),
    ],
)
def test_the_step_of_the_action_lints(tmp_path: Path, paths: str, arguments: str, code: int, out: str) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a b.yaml").write_text(BROKEN, "utf-8")
    programs = tmp_path / "automode" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    step = action()["runs"]["steps"][-1]
    assert step["env"] == {"PATHS": "${{ inputs.paths }}", "ARGUMENTS": "${{ inputs.arguments }}"}
    ran = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path / "work",
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "RUNNER_TEMP": str(tmp_path),
            "PATHS": paths,
            "ARGUMENTS": arguments,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, bool(re.search(out, ran.stdout))) == (code, True), ran.stdout + ran.stderr
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["a b.yaml"]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        ran = subprocess.run(
            [sys.executable, "-m", "automode_constructs", "completion", shell],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            capture_output=True,
            check=True,
        )
        (folder / shell).write_bytes(ran.stdout)
    return folder


def installed(shell: str) -> str:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not on this machine: its completion is not tried")
    return program


LINES = [
    ("automode li", {"lint"}),
    ("automode lint --form", {"--format"}),
    ("automode lint --format s", {"sarif"}),
    ("automode explain NodeClassN", {"NodeClassNotFound"}),
    ("automode lint --select NodeClassN", {"NodeClassNotFound"}),
    ("automode schemas --print NodeP", {"NodePool"}),
    ("automode completion z", {"zsh"}),
]


@pytest.mark.parametrize(("line", "words"), LINES)
def test_bash_completes(scripts: Path, line: str, words: set[str]) -> None:
    program = f"""
source {scripts}/bash
COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; read -ra COMP_WORDS <<< "$COMP_LINE"
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
$(complete -p automode | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    ran = subprocess.run([installed("bash"), "-c", program], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) == words, ran.stderr


@pytest.mark.parametrize(("line", "words"), LINES)
def test_fish_completes(scripts: Path, line: str, words: set[str]) -> None:
    program = f"source {scripts}/fish; complete -C {line!r}"
    ran = subprocess.run([installed("fish"), "-N", "-c", program], capture_output=True, text=True, check=True)
    assert {found.split("\t")[0] for found in ran.stdout.splitlines()} == words, ran.stderr


def test_zsh_completes(scripts: Path, tmp_path: Path) -> None:
    program = installed("zsh")
    functions = tmp_path / "functions"
    functions.mkdir()
    shutil.copy(scripts / "zsh", functions / "_automode")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execve(program, [program, "-f", "-i"], {"PATH": os.environ["PATH"], "TERM": "dumb", "PS1": "", "HOME": "/"})
    try:
        ask(terminal, f"fpath=({functions} $fpath); autoload -U compinit; compinit -u -D")
        ask(terminal, 'automode() { echo "[$*]" }')
        for line, (word,) in ((line, words) for line, words in LINES):
            said = ask(terminal, f"{line}\t")
            assert f"[{line.removeprefix('automode ').rpartition(' ')[0]} {word}]".replace("[ ", "[") in said, said
    finally:
        os.close(terminal)
        os.kill(child, 9)
        os.waitpid(child, 0)


def ask(terminal: int, line: str) -> str:
    """What a shell says to a line, up to the mark that it is told to print behind it."""
    os.write(terminal, f"{line}\r".encode())
    os.write(terminal, b"echo do''ne\r")
    said, end = "", time.monotonic() + 30
    while "\ndone" not in said and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            said += os.read(terminal, 65536).decode("utf-8", "replace").replace("\r", "")
    return said
